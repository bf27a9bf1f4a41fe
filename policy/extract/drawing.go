package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"strconv"
)

// Drawings of old office documents are records in records [MS-ODRAW]: shapes with their
// properties, and pictures.

// A record is one of a tree: version and instance, type, then what is in it.
type record struct {
	version  uint16 // 15 for one that holds others
	instance uint16
	kind     uint16
	body     []byte
	short    bool // it breaks off
}

// nextRecord cuts one off.
func nextRecord(b []byte) (r record, rest []byte, ok bool) {
	if len(b) < 8 {
		return r, nil, false
	}
	head := le.Uint16(b)
	n := int64(le.Uint32(b[4:]))
	r = record{version: head & 15, instance: head >> 4, kind: le.Uint16(b[2:])}
	if n > int64(len(b)-8) {
		r.short = true
		n = int64(len(b) - 8)
	}
	r.body = b[8 : 8+n]
	return r, b[8+n:], true
}

// shapeText gives the text of WordArt, which is how watermarks are made, and what else the
// properties of shapes say.
func shapeText(b []byte, depth int, each func(text string)) {
	for depth < 32 {
		r, rest, ok := nextRecord(b)
		if !ok {
			return
		}
		b = rest
		switch {
		case r.kind == 0xf00b || r.kind == 0xf121 || r.kind == 0xf122:
			shapeProperties(r, each)
		case r.version == 15 && r.kind >= 0xf000:
			shapeText(r.body, depth+1, each)
		}
	}
}

// shapeProperties is a table of numbers, then what is too long for it, in the same order.
func shapeProperties(r record, each func(text string)) {
	n := min(int(r.instance), len(r.body)/6)
	long := r.body[6*n:]
	for i := range n {
		id, size := le.Uint16(r.body[6*i:]), int64(le.Uint32(r.body[6*i+2:]))
		if id&0x8000 == 0 {
			continue
		}
		size = min(size, int64(len(long)))
		if id&0x3fff == 0xc0 { // the text of WordArt
			each(zeroEnded(utf16String(long[:size])))
		}
		long = long[size:]
	}
}

// blips finds pictures wherever the header of one stands in b, whatever stands around
// it, and has them read.
func (w *walker) blips(a at, b []byte) {
	n := 0
	for i := 0; i+24 < len(b); {
		j := bytes.IndexByte(b[i+3:], 0xf0)
		if j < 0 {
			return
		}
		i += j
		name, data := w.blip(a, b[i:])
		if data == nil {
			i++
			continue
		}
		n++
		here := a.in("picture " + strconv.Itoa(n))
		if !w.member(here) {
			return
		}
		w.file(here, source{name: name, data: data})
		if size := int64(le.Uint32(b[i+4:])); size < int64(len(b)-i-8) {
			i += 8 + int(size)
		} else {
			i += 8
		}
	}
}

// blip is the picture whose header b begins with; nil if there is none.
func (w *walker) blip(a at, b []byte) (name string, data []byte) {
	if len(b) < 8+17 || b[3] != 0xf0 || b[0]&15 != 0 {
		return "", nil
	}
	inst, kind, n := le.Uint16(b)>>4, le.Uint16(b[2:]), int64(le.Uint32(b[4:]))
	if n < 17 || n > int64(len(b)-8) && kind != 0xf01d && kind != 0xf01e {
		return "", nil
	}
	b = b[8 : 8+min(n, int64(len(b)-8))]
	skip := 16 << (inst & 1) // a second identity stands there
	if len(b) < skip+34 {
		return "", nil
	}
	switch {
	case kind == 0xf01a && inst|1 == 0x3d5, kind == 0xf01b && inst|1 == 0x217:
		name = "picture.emf"
		if kind == 0xf01b {
			name = "picture.wmf"
		}
		meta := b[skip:]
		if meta[32] != 0 { // not compressed
			return name, meta[34:]
		}
		z, err := zlib.NewReader(bytes.NewReader(meta[34:]))
		if err != nil {
			return "", nil
		}
		data, _ = w.expand(a, "picture", z, int64(len(meta)))
		return name, data
	case (kind == 0xf01d || kind == 0xf02a) && (inst|1 == 0x46b || inst|1 == 0x6e3):
		return "picture.jpg", b[skip+1:]
	case kind == 0xf01e && inst|1 == 0x6e1:
		return "picture.png", b[skip+1:]
	case kind == 0xf029 && inst|1 == 0x6e5:
		return "picture.tif", b[skip+1:]
	case kind == 0xf01f && inst|1 == 0x7a9:
		return "picture.bmp", bitmap(b[skip+1:])
	}
	return "", nil
}

// bitmap puts the header of a file before a bitmap that has none.
func bitmap(dib []byte) []byte {
	if len(dib) < 40 {
		return nil
	}
	head, bits, colours := int64(le.Uint32(dib)), le.Uint16(dib[14:]), int64(le.Uint32(dib[32:]))
	if colours == 0 && bits <= 8 {
		colours = 1 << bits
	}
	at := head + 4*colours
	if le.Uint32(dib[16:]) == 3 && head == 40 {
		at += 12
	}
	if at > int64(len(dib)) {
		return nil
	}
	out := append(make([]byte, 0, 14+len(dib)), "BM"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(14+len(dib)))
	out = append(out, 0, 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(14+at))
	return append(out, dib...)
}

// drawings reads the shapes of a Word document, and its pictures.
func (f *wordFile) drawings() {
	w := f.c.w
	out := w.part(f.a.in("drawings"), "doc")
	if b := f.entry(tableDrawings); !f.sixth && len(b) > 0 {
		mark := func(text string) { out.add(Unit{Place: Watermark, Where: "watermark", Text: text}) }
		r, rest, ok := nextRecord(b)
		if ok {
			shapeText(r.body, 0, mark)
		}
		for len(rest) > 9 { // an octet says whether it belongs to headers
			if r, rest, ok = nextRecord(rest[1:]); ok {
				shapeText(r.body, 0, mark)
			}
		}
	}
	if !f.sixth {
		shapeTextIn(f.data, func(text string) { out.add(Unit{Place: Watermark, Where: "watermark", Text: text}) })
	}
	out.end()
	w.blips(f.a, f.main)
	if !f.sixth {
		w.blips(f.a, f.data)
	}
}

// shapeTextIn looks for shapes in the stream of inline pictures: each has a header that says
// how long it is.
func shapeTextIn(b []byte, each func(text string)) {
	for len(b) > 8 {
		n, head := int64(le.Uint32(b)), int64(le.Uint16(b[4:]))
		if n < 8 || n > int64(len(b)) {
			return
		}
		if head < n {
			shapeText(b[head:n], 0, each)
		}
		b = b[n:]
	}
}
