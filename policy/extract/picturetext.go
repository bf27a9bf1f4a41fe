package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// maxRemark is how much of what is written about a picture is read.
const maxRemark = 1 << 20

// about adds a property of a picture.
func about(p *writer, name, value string) {
	value = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, value)
	if value = strings.TrimSpace(value); value != "" {
		p.add(Unit{Place: Metadata, Where: "property " + label(name), Text: name + ": " + value})
	}
}

// plainText decodes what is UTF-8 or, failing that, Latin-1.
func plainText(b []byte) string {
	b = b[:min(len(b), maxRemark)]
	if utf8.Valid(b) {
		return string(b)
	}
	return message.DecodeCharset("windows-1252", b)
}

// pngText reads the chunks of text (ISO/IEC 15948, section 11.3.4).
func (w *walker) pngText(a at, p *writer, b []byte) {
	for at := 8; at+12 <= len(b) && w.tick(); {
		size := int64(binary.BigEndian.Uint32(b[at:]))
		if size > int64(len(b)-at-12) {
			return
		}
		id, body := string(b[at+4:at+8]), b[at+8:at+8+int(size)]
		at += 12 + int(size)
		switch id {
		case "tEXt":
			name, value, _ := bytes.Cut(body, []byte{0})
			about(p, plainText(name), plainText(value))
		case "zTXt":
			name, rest, _ := bytes.Cut(body, []byte{0})
			if len(rest) > 1 {
				about(p, plainText(name), plainText(w.inflate(rest[1:])))
			}
		case "iTXt":
			w.pngInternational(a, p, body)
		case "eXIf":
			w.exifText(p, body)
		}
	}
}

// pngInternational is keyword, compression, language, translated keyword, text.
func (w *walker) pngInternational(a at, p *writer, body []byte) {
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 2 {
		return
	}
	packed := rest[0] == 1
	parts := bytes.SplitN(rest[2:], []byte{0}, 3)
	if len(parts) < 3 {
		return
	}
	text := parts[2]
	if packed {
		text = w.inflate(text)
	}
	if string(name) == "XML:com.adobe.xmp" {
		w.xmpText(a, text)
		return
	}
	about(p, plainText(name), plainText(text))
}

// inflate expands a remark; what is too long is cut.
func (w *walker) inflate(b []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, maxRemark)) // what came before it broke off is text all the same
	if !w.spend(int64(len(out))) {
		return nil
	}
	return out
}

// xmpText reads properties that stand in XML (ISO 16684-1).
func (w *walker) xmpText(a at, b []byte) {
	if b = bytes.Trim(b, "\x00 \r\n"); len(b) > 0 && len(b) <= maxRemark {
		readXML(w, a, &source{declared: "text/xml", data: b})
	}
}

// eachSegment calls f for each segment before the picture itself, until it says false.
func eachSegment(b []byte, f func(marker byte, body []byte) bool) {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		switch {
		case marker == 0xff: // filled up
			at++
			continue
		case marker == 0xda || marker == 0xd9:
			return
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7:
			at += 2
			continue
		}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size < 2 || at+2+size > len(b) || !f(marker, b[at+4:at+2+size]) {
			return
		}
		at += 2 + size
	}
}

// jpegText reads comments, Exif, XMP and IPTC.
func (w *walker) jpegText(a at, p *writer, b []byte) {
	eachSegment(b, func(marker byte, body []byte) bool {
		switch {
		case marker == 0xfe:
			about(p, "comment", plainText(body))
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00")):
			w.exifText(p, body[min(len(body), 6):])
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("http://ns.adobe.com/xap/1.0/\x00")):
			w.xmpText(a, body[29:])
		case marker == 0xed && bytes.HasPrefix(body, []byte("Photoshop 3.0\x00")):
			w.photoshopText(p, body[14:])
		}
		return w.tick()
	})
}

// photoshopText finds the IPTC record among Photoshop's resources.
func (w *walker) photoshopText(p *writer, b []byte) {
	for len(b) >= 12 && string(b[:4]) == "8BIM" && w.tick() {
		id := binary.BigEndian.Uint16(b[4:])
		name := 1 + int(b[6])
		name += name & 1
		if len(b) < 6+name+4 {
			return
		}
		size := int64(binary.BigEndian.Uint32(b[6+name:]))
		b = b[6+name+4:]
		if size > int64(len(b)) {
			return
		}
		if id == 0x0404 {
			w.iptcText(p, b[:size])
		}
		b = b[min(size+size&1, int64(len(b))):]
	}
}

// iptcNames are fields of record 2 (IPTC-IIM) in which people write.
var iptcNames = map[byte]string{5: "title", 15: "category", 25: "keyword", 40: "instructions", 55: "", 105: "headline", 116: "copyright",
	120: "caption", 122: "", 7: "status", 12: "subject", 20: "category", 103: "reference"}

func (w *walker) iptcText(p *writer, b []byte) {
	for len(b) >= 5 && b[0] == 0x1c && w.tick() {
		size := int(binary.BigEndian.Uint16(b[3:]))
		if size > len(b)-5 {
			return
		}
		if name := iptcNames[b[2]]; b[1] == 2 && name != "" {
			about(p, name, plainText(b[5:5+size]))
		}
		b = b[5+size:]
	}
}

// foreignText reads what is written about a picture whose format is not read: its Exif
// block, its XMP, and whatever is printable.
func (w *walker) foreignText(a at, p *writer, b []byte) {
	for rest := b; ; {
		i := bytes.Index(rest, []byte("Exif\x00\x00"))
		if i < 0 || !w.tick() {
			break
		}
		rest = rest[i+6:]
		if bytes.HasPrefix(rest, []byte("II*\x00")) || bytes.HasPrefix(rest, []byte("MM\x00*")) {
			w.exifText(p, rest)
			break
		}
	}
	if i := bytes.Index(b, []byte("<x:xmpmeta")); i >= 0 {
		if n := bytes.Index(b[i:], []byte("</x:xmpmeta>")); n > 0 {
			w.xmpText(a, b[i:i+n+len("</x:xmpmeta>")])
		}
	}
	w.strings(a, "picture", b)
}
