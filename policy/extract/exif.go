package extract

import (
	"bytes"
	"encoding/binary"

	"sampul/internal/message"
)

// A tiffFile is a TIFF (revision 6.0), or an Exif block, which is one without pixels.
type tiffFile struct {
	b     []byte
	order binary.ByteOrder
}

// A tiffTag is one field of a directory.
type tiffTag struct {
	tag, kind uint16
	count     uint32
	value     []byte // all of it; nil when it lies outside the file
}

var tiffSizes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

// openTIFF gives the file and the offset of its first directory.
func openTIFF(b []byte) (t tiffFile, first uint32, ok bool) {
	if len(b) < 8 {
		return t, 0, false
	}
	switch string(b[:4]) {
	case "II*\x00":
		t = tiffFile{b, binary.LittleEndian}
	case "MM\x00*":
		t = tiffFile{b, binary.BigEndian}
	default:
		return t, 0, false
	}
	return t, t.order.Uint32(b[4:]), true
}

// directory reads the fields at an offset, and where the next directory stands, 0 for none.
func (t tiffFile) directory(off uint32) (tags []tiffTag, next uint32, ok bool) {
	at := int64(off)
	if at < 8 || at+2 > int64(len(t.b)) {
		return nil, 0, false
	}
	n := int64(t.order.Uint16(t.b[at:]))
	end := at + 2 + 12*n
	if end > int64(len(t.b)) {
		return nil, 0, false
	}
	for i := range n {
		f := t.b[at+2+12*i:]
		tag := tiffTag{tag: t.order.Uint16(f), kind: t.order.Uint16(f[2:]), count: t.order.Uint32(f[4:])}
		if int(tag.kind) < len(tiffSizes) && tag.kind > 0 {
			size := tiffSizes[tag.kind] * int64(tag.count)
			if size <= 4 {
				tag.value = f[8 : 8+size]
			} else if start := int64(t.order.Uint32(f[8:])); start+size <= int64(len(t.b)) {
				tag.value = t.b[start : start+size]
			}
		}
		tags = append(tags, tag)
	}
	if end+4 <= int64(len(t.b)) {
		next = t.order.Uint32(t.b[end:])
	}
	return tags, next, true
}

// number is the i-th value of a field of whole numbers.
func (t tiffFile) number(f tiffTag, i int) (uint32, bool) {
	switch {
	case f.kind == 3 && len(f.value) >= 2*i+2:
		return uint32(t.order.Uint16(f.value[2*i:])), true
	case (f.kind == 4 || f.kind == 13) && len(f.value) >= 4*i+4:
		return t.order.Uint32(f.value[4*i:]), true
	case (f.kind == 1 || f.kind == 7) && len(f.value) > i:
		return uint32(f.value[i]), true
	}
	return 0, false
}

// exifNames are the fields in which people write. Those of Windows are in UTF-16.
var exifNames = map[uint16]string{
	0x010d: "DocumentName", 0x010e: "ImageDescription", 0x011d: "PageName", 0x0131: "Software", 0x013b: "Artist", 0x8298: "Copyright",
	0x9286: "UserComment", 0x9c9b: "XPTitle", 0x9c9c: "XPComment", 0x9c9d: "XPAuthor", 0x9c9e: "XPKeywords", 0x9c9f: "XPSubject",
	0xa430: "CameraOwnerName", 0x02bc: "XMP", 0x83bb: "IPTC", 0x8649: "Photoshop", 0x010f: "Make", 0x0110: "Model",
}

const exifDirectory = 0x8769

// exifText reads the properties in an Exif block.
func (w *walker) exifText(p *writer, b []byte) {
	t, off, ok := openTIFF(b)
	if !ok {
		return
	}
	for n := 0; ok && n < 8 && off != 0; n++ {
		var tags []tiffTag
		if tags, off, ok = t.directory(off); ok {
			w.tiffText(p, t, tags, true)
		}
	}
}

// tiffText reads the properties in one directory, and in the one of Exif that it names.
func (w *walker) tiffText(p *writer, t tiffFile, tags []tiffTag, outer bool) {
	for _, f := range tags {
		name := exifNames[f.tag]
		switch {
		case f.tag == exifDirectory && outer:
			if off, ok := t.number(f, 0); ok {
				if inner, _, ok := t.directory(off); ok {
					w.tiffText(p, t, inner, false)
				}
			}
		case name == "" || f.value == nil || !w.tick():
		case name == "XMP":
			w.xmpText(at{p.part.Path, 0}, f.value)
		case name == "IPTC":
			w.iptcText(p, f.value)
		case name == "Photoshop":
			w.photoshopText(p, f.value)
		default:
			about(p, name, t.text(f))
		}
	}
}

// text is what a field says.
func (t tiffFile) text(f tiffTag) string {
	v := f.value[:min(len(f.value), maxRemark)]
	switch {
	case f.tag >= 0x9c9b && f.tag <= 0x9c9f:
		return message.DecodeCharset("utf-16le", v)
	case f.tag == 0x9286 && bytes.HasPrefix(v, []byte("UNICODE\x00")):
		charset := "utf-16le"
		if t.order == binary.BigEndian {
			charset = "utf-16be"
		}
		return message.DecodeCharset(charset, v[8:])
	case f.tag == 0x9286 && len(v) >= 8:
		v = v[8:] // which charset it is in: ASCII, JIS, or nothing said
	}
	return plainText(bytes.TrimRight(v, "\x00"))
}
