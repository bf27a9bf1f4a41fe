package extract_test

import (
	"encoding/binary"
	"image"
)

// madeTIFF is pages in black and white, packed as scanners do (TIFF 6.0, PackBits).
func madeTIFF(pages ...*image.Gray) []byte {
	le := binary.LittleEndian
	b := append([]byte("II*\x00"), 0, 0, 0, 0)
	link := 4 // where the offset of the next directory is to be written
	for _, g := range pages {
		w, h := g.Rect.Dx(), g.Rect.Dy()
		data := len(b)
		row := make([]byte, (w+7)/8)
		for y := range h {
			clear(row)
			for x := range w {
				if g.Pix[y*g.Stride+x] < 128 {
					row[x/8] |= 0x80 >> (x & 7)
				}
			}
			b = packed(b, row)
		}
		size := len(b) - data
		if len(b)&1 == 1 {
			b = append(b, 0)
		}
		le.PutUint32(b[link:], uint32(len(b)))
		fields := [][3]uint32{{256, 4, uint32(w)}, {257, 4, uint32(h)}, {258, 3, 1}, {259, 3, 32773}, {262, 3, 0}, {273, 4, uint32(data)},
			{277, 3, 1}, {278, 4, uint32(h)}, {279, 4, uint32(size)}}
		b = le.AppendUint16(b, uint16(len(fields)))
		for _, f := range fields {
			b = le.AppendUint16(b, uint16(f[0]))
			b = le.AppendUint16(b, uint16(f[1]))
			b = le.AppendUint32(b, 1)
			b = le.AppendUint32(b, f[2])
		}
		link = len(b)
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// packed appends a row in PackBits.
func packed(b, row []byte) []byte {
	for i := 0; i < len(row); {
		run := 1
		for i+run < len(row) && run < 128 && row[i+run] == row[i] {
			run++
		}
		if run > 1 {
			b = append(b, byte(1-run), row[i])
			i += run
			continue
		}
		n := 1
		for i+n < len(row) && n < 128 && (i+n+1 >= len(row) || row[i+n] != row[i+n+1]) {
			n++
		}
		b = append(append(b, byte(n-1)), row[i:i+n]...)
		i += n
	}
	return b
}
