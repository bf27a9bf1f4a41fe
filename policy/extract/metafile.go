package extract

import (
	"slices"
	"strings"

	"sampul/internal/message"
)

// A metafile is a picture as a list of what was drawn: text in it is text, if it was not
// drawn as lines [MS-EMF, MS-WMF].
type metafile struct {
	w     *walker
	a     at
	kind  string
	texts []drawnText
}

type drawnText struct {
	x, y int32
	text string
}

// maxDrawn bounds the texts of one picture.
const maxDrawn = 20_000

func (m *metafile) put(x, y int32, text string) {
	text = strings.TrimRight(strings.ReplaceAll(text, "\x00", ""), "\r\n")
	if text != "" && len(m.texts) < maxDrawn {
		m.texts = append(m.texts, drawnText{x, y, text})
	}
}

// end makes lines of what stands at one height.
func (m *metafile) end() {
	slices.SortStableFunc(m.texts, func(a, b drawnText) int {
		if a.y != b.y {
			return int(max(-1, min(1, int64(a.y)-int64(b.y))))
		}
		return int(max(-1, min(1, int64(a.x)-int64(b.x))))
	})
	var lines []string
	for i, t := range m.texts {
		if i > 0 && t.y == m.texts[i-1].y && len(lines) > 0 {
			last := &lines[len(lines)-1]
			if len(m.texts[i-1].text) > 1 && len(t.text) > 1 && !strings.HasSuffix(*last, " ") {
				*last += " "
			}
			*last += t.text
			continue
		}
		lines = append(lines, t.text)
	}
	place := Paragraph
	if len(lines) == 1 { // a stamp; of several lines, one may be of a table or a list
		place = Stamp
	}
	out := m.w.part(m.a, m.kind)
	for _, l := range lines {
		out.add(Unit{Place: place, Where: "text in a picture", Text: l})
	}
	out.end()
}

func readEMF(w *walker, a at, s *source) {
	m := &metafile{w: w, a: a, kind: "emf"}
	for b := s.data; len(b) >= 8; {
		kind, n := le.Uint32(b), int64(le.Uint32(b[4:]))
		if n < 8 || n > int64(len(b)) || n&3 != 0 {
			w.gap(a, "emf", Damaged, "it breaks off")
			break
		}
		m.enhanced(kind, b[:n])
		b = b[n:]
		if kind == 14 { // its end
			break
		}
	}
	m.end()
}

// enhanced reads one record.
func (m *metafile) enhanced(kind uint32, r []byte) {
	switch kind {
	case 83, 84: // ExtTextOut, 8-bit and Unicode
		m.drawn(r, 36, kind == 84)
	case 96, 97:
		if len(r) >= 40 {
			for i := range min(int(le.Uint32(r[36:])), 1000) {
				m.drawn(r, 40+40*i, kind == 97)
			}
		}
	case 108:
		m.small(r)
	case 76, 77:
		m.image(r, 84)
	case 80, 81:
		m.image(r, 48)
	case 70:
		if len(r) > 16 && string(r[12:16]) == "EMF+" {
			m.plus(r[16:])
		}
	}
}

// drawn is a text whose place, length and offset stand at off.
func (m *metafile) drawn(r []byte, off int, wide bool) {
	if off+16 > len(r) {
		return
	}
	x, y := int32(le.Uint32(r[off:])), int32(le.Uint32(r[off+4:]))
	n, at := int64(le.Uint32(r[off+8:])), int64(le.Uint32(r[off+12:]))
	if wide {
		n *= 2
	}
	if at > int64(len(r)) || n > int64(len(r))-at {
		return
	}
	if wide {
		m.put(x, y, utf16String(r[at:at+n]))
	} else {
		m.put(x, y, message.DecodeCharset("windows-1252", r[at:at+n]))
	}
}

func (m *metafile) small(r []byte) {
	if len(r) < 36 {
		return
	}
	x, y, n, how := int32(le.Uint32(r[8:])), int32(le.Uint32(r[12:])), int64(le.Uint32(r[16:])), le.Uint32(r[20:])
	text := r[36:]
	if how&0x100 == 0 && len(text) >= 16 { // a rectangle before it
		text = text[16:]
	}
	if how&0x200 != 0 {
		m.put(x, y, message.DecodeCharset("windows-1252", text[:min(n, int64(len(text)))]))
		return
	}
	m.put(x, y, utf16String(text[:min(2*n, int64(len(text)))]))
}

// image is a bitmap in a record, whose places and lengths stand at off.
func (m *metafile) image(r []byte, off int) {
	if off+16 > len(r) {
		return
	}
	cut := func(at, n uint32) []byte {
		if int64(at)+int64(n) > int64(len(r)) {
			return nil
		}
		return r[at : at+n]
	}
	head := cut(le.Uint32(r[off:]), le.Uint32(r[off+4:]))
	bits := cut(le.Uint32(r[off+8:]), le.Uint32(r[off+12:]))
	if len(head) == 0 || len(bits) == 0 {
		return
	}
	m.bitmap(append(head[:len(head):len(head)], bits...))
}

// bitmap has a picture in the picture read.
func (m *metafile) bitmap(dib []byte) {
	here := m.a.in("bitmap")
	if b := bitmap(dib); b != nil && m.w.member(here) && m.w.spend(int64(len(b))) {
		m.w.file(here, source{name: "picture.bmp", data: b})
	}
}

// plus reads the records of the newer kind, that stand in comments of the older.
func (m *metafile) plus(b []byte) {
	for len(b) >= 12 {
		kind, n, size := le.Uint16(b), int64(le.Uint32(b[4:])), int64(le.Uint32(b[8:]))
		if n < 12 || n > int64(len(b)) || size > n-12 {
			return
		}
		if body := b[12 : 12+size]; kind == 0x401c && len(body) >= 28 { // DrawString
			text := body[28:]
			m.put(int32(le.Uint32(body[12:])), int32(le.Uint32(body[16:])), utf16String(text[:min(2*int64(le.Uint32(body[8:])), int64(len(text)))]))
		} else if kind == 0x4036 && len(body) >= 16 { // DrawDriverString
			text := body[16:]
			if le.Uint32(body[4:])&1 != 0 { // characters, not numbers of glyphs
				count := min(2*int64(le.Uint32(body[12:])), int64(len(text)))
				x, y := int32(0), int32(len(m.texts))
				m.put(x, y, utf16String(text[:count]))
			}
		}
		b = b[n:]
	}
}

func readWMF(w *walker, a at, s *source) {
	m := &metafile{w: w, a: a, kind: "wmf"}
	b := s.data
	if strings.HasPrefix(string(b[:min(4, len(b))]), "\xd7\xcd\xc6\x9a") {
		b = b[min(22, len(b)):]
	}
	b = b[min(18, len(b)):]
	for len(b) >= 6 {
		n, kind := 2*int64(le.Uint32(b)), le.Uint16(b[4:])
		if n < 6 || n > int64(len(b)) {
			if kind != 0 {
				w.gap(a, "wmf", Damaged, "it breaks off")
			}
			break
		}
		m.old(kind, b[6:n])
		b = b[n:]
		if kind == 0 {
			break
		}
	}
	m.end()
}

// old reads one record of the older kind.
func (m *metafile) old(kind uint16, p []byte) {
	switch {
	case kind == 0x0a32 && len(p) >= 8: // ExtTextOut
		y, x, n, how := int32(int16(le.Uint16(p))), int32(int16(le.Uint16(p[2:]))), int(le.Uint16(p[4:])), le.Uint16(p[6:])
		p = p[8:]
		if how&6 != 0 && len(p) >= 8 {
			p = p[8:]
		}
		m.put(x, y, message.DecodeCharset("windows-1252", p[:min(n, len(p))]))
	case kind == 0x0521 && len(p) >= 2: // TextOut
		n := min(int(le.Uint16(p)), len(p)-2)
		text, rest := p[2:2+n], p[min(len(p), 2+(n+1)&^1):]
		x, y := int32(0), int32(len(m.texts))
		if len(rest) >= 4 {
			y, x = int32(int16(le.Uint16(rest))), int32(int16(le.Uint16(rest[2:])))
		}
		m.put(x, y, message.DecodeCharset("windows-1252", text))
	case kind == 0x0f43 && len(p) > 22: // StretchDIB
		m.bitmap(p[22:])
	case kind == 0x0d33 && len(p) > 18:
		m.bitmap(p[18:])
	case kind == 0x0b41 && len(p) > 20: // DIBStretchBlt
		m.bitmap(p[20:])
	case kind == 0x0940 && len(p) > 16:
		m.bitmap(p[16:])
	}
}
