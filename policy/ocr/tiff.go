package ocr

import (
	"encoding/binary"
	"image"
	"io"
)

// fields are how many a page's directory has.
const fields = 12

// writeTIFF writes pages as one TIFF (revision 6.0), 8 bits grey, not compressed. Each page
// is one strip, followed by its directory.
func writeTIFF(w io.Writer, pages []*image.Gray, dpi int) error {
	const header, directory = 8, 2 + 12*fields + 4 + 8
	if dpi <= 0 {
		dpi = 200
	}
	le := binary.LittleEndian
	at := uint32(header)
	start := []byte("II*\x00")
	for i, g := range pages {
		width, height := g.Rect.Dx(), g.Rect.Dy()
		size := octets(g)
		if i == 0 {
			start = le.AppendUint32(start, at+size)
			if _, err := w.Write(start); err != nil {
				return err
			}
		}
		for y := range height {
			if _, err := w.Write(g.Pix[y*g.Stride:][:width]); err != nil {
				return err
			}
		}
		if _, err := w.Write(make([]byte, size-uint32(width*height))); err != nil {
			return err
		}
		dir := le.AppendUint16(make([]byte, 0, directory), fields)
		field := func(tag, kind uint16, value uint32) {
			dir = le.AppendUint16(dir, tag)
			dir = le.AppendUint16(dir, kind)
			dir = le.AppendUint32(dir, 1)
			dir = le.AppendUint32(dir, value)
		}
		const short, long, rational = 3, 4, 5
		ratio := at + size + 2 + 12*fields + 4
		field(256, long, uint32(width))
		field(257, long, uint32(height))
		field(258, short, 8) // bits a sample
		field(259, short, 1) // not compressed
		field(262, short, 1) // black is zero
		field(273, long, at)
		field(277, short, 1)
		field(278, long, uint32(height))
		field(279, long, uint32(width*height))
		field(282, rational, ratio)
		field(283, rational, ratio)
		field(296, short, 2) // inches
		at += size + directory
		next := uint32(0)
		if i+1 < len(pages) {
			next = at + octets(pages[i+1])
		}
		dir = le.AppendUint32(dir, next)
		dir = le.AppendUint32(dir, uint32(dpi))
		dir = le.AppendUint32(dir, 1)
		if _, err := w.Write(dir); err != nil {
			return err
		}
	}
	return nil
}

// octets are what a page's pixels take: a directory begins at an even offset.
func octets(g *image.Gray) uint32 {
	n := uint32(g.Rect.Dx() * g.Rect.Dy())
	return n + n&1
}
