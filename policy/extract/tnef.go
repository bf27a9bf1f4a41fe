package extract

import (
	"bytes"

	"sampul/internal/message"
)

// A tnefReader reads winmail.dat: what Outlook sends to its like, attributes one after
// another, of which many hold properties [MS-OXTNEF].
type tnefReader struct {
	w    *walker
	a    at
	page string

	item  *mapiItem
	files []*tnefFile
}

// A tnefFile is an attachment.
type tnefFile struct {
	item *mapiItem
	meta []byte // a picture of it
	open []byte // an object, with the identity of its kind
}

// Attributes.
const (
	tnefSubject    = 0x8004
	tnefBody       = 0x800c
	tnefData       = 0x800f
	tnefTitle      = 0x8010
	tnefMeta       = 0x8011
	tnefRender     = 0x9002
	tnefProperties = 0x9003
	tnefAttachment = 0x9005
	tnefPage       = 0x9007
	tnefTransport  = 0x9001
)

func readTNEF(w *walker, a at, s *source) {
	r := &tnefReader{w: w, a: a, page: "windows-1252", item: newMAPI()}
	if !r.attributes(s.data) {
		w.gap(a, "winmail.dat", Damaged, "it breaks off")
	}
	w.mapiMessage(a, r.item)
	for _, f := range r.files {
		r.file(f)
	}
}

func (r *tnefReader) attributes(b []byte) (whole bool) {
	for b = b[min(6, len(b)):]; len(b) > 0; {
		if len(b) < 9 {
			return len(bytes.Trim(b, "\x00")) == 0
		}
		level, id, n := b[0], le.Uint16(b[1:]), int64(le.Uint32(b[5:]))
		if level != 1 && level != 2 {
			return false
		}
		b = b[9:]
		whole = n+2 <= int64(len(b))
		data := b[:min(n, int64(len(b)))]
		b = b[min(n+2, int64(len(b))):]
		r.attribute(id, data)
		if !whole {
			return false
		}
	}
	return true
}

func (r *tnefReader) attribute(id uint16, data []byte) {
	switch id {
	case tnefPage:
		if len(data) >= 4 {
			r.page = codePage(int(le.Uint32(data)))
		}
	case tnefSubject:
		r.item.setText(mapiSubject, r.text(data), "")
	case tnefBody:
		r.item.setText(mapiBody, r.text(data), "")
	case tnefProperties:
		r.properties(r.item, nil, data)
	case tnefRender:
		r.files = append(r.files, &tnefFile{item: newMAPI()})
	case tnefData:
		r.last().item.octets[mapiData] = data
	case tnefTitle, tnefTransport:
		r.last().item.setText(mapiShortName, r.text(data), "")
	case tnefMeta:
		r.last().meta = data
	case tnefAttachment:
		f := r.last()
		r.properties(f.item, f, data)
	}
}

func (r *tnefReader) text(b []byte) string { return zeroEnded(message.DecodeCharset(r.page, b)) }

// last is the attachment that attributes belong to. Some writers leave out what begins one.
func (r *tnefReader) last() *tnefFile {
	if len(r.files) == 0 {
		r.files = append(r.files, &tnefFile{item: newMAPI()})
	}
	return r.files[len(r.files)-1]
}

// A mapiValues reads properties one after another, each filled up to four octets.
type mapiValues struct {
	b  []byte
	ok bool
}

func (v *mapiValues) take(n int64) []byte {
	if n < 0 || n > int64(len(v.b)) {
		v.ok = false
		out := v.b
		v.b = nil
		return out
	}
	out := v.b[:n]
	v.b = v.b[min((n+3)&^3, int64(len(v.b))):]
	return out
}

func (v *mapiValues) number() uint32 {
	b := v.take(4)
	if len(b) < 4 {
		return 0
	}
	return le.Uint32(b)
}

func (r *tnefReader) properties(m *mapiItem, f *tnefFile, b []byte) {
	v := &mapiValues{b: b, ok: true}
	count := v.number()
	for range min(count, maxProperties) {
		if len(v.b) == 0 {
			break
		}
		tag := v.number()
		kind, id := uint16(tag), uint16(tag>>16)
		name := ""
		if id >= 0x8000 {
			v.take(16)
			if v.number() == 0 {
				v.number()
			} else {
				name = utf16String(v.take(int64(v.number())))
				name = zeroEnded(name)
			}
		}
		r.property(m, f, v, kind, id, name)
		if !v.ok {
			break
		}
	}
	if !v.ok {
		r.w.gap(r.a, "winmail.dat", Damaged, "one of its lists of properties breaks off")
	}
}

// property reads the values of one: one of fixed size, or as many as it says.
func (r *tnefReader) property(m *mapiItem, f *tnefFile, v *mapiValues, kind, id uint16, name string) {
	several := kind&0x1000 != 0
	n := uint32(1)
	var size int64
	switch kind & 0xfff {
	case 2, 11, 3, 4, 10:
		size = 4
	case 5, 6, 7, 20, 0x40:
		size = 8
	case 0x48:
		size = 16
	case 1, 0: // nothing
		several = false
	case 0x1e, 0x1f, 0x0d, 0x102, 0xfb:
		size = -1
	default:
		v.ok = false // of unknown size: what follows cannot be found
		return
	}
	if several || size < 0 {
		n = v.number()
	}
	for range n {
		if !v.ok || len(v.b) == 0 {
			return
		}
		var data []byte
		if size < 0 {
			data = v.take(int64(v.number()))
		} else {
			data = v.take(size)
		}
		switch kind & 0xfff {
		case 3, 2:
			if len(data) >= 4 {
				m.number[id] = le.Uint32(data)
			}
		case 0x1e:
			m.setText(id, r.text(data), name)
		case 0x1f:
			m.setText(id, zeroEnded(utf16String(data)), name)
		case 0x102:
			m.octets[id] = data
		case 0x0d:
			if f != nil && id == mapiData {
				f.open = data
			}
		}
	}
}

// Kinds of objects in attachments, by the first half of their identity.
const tnefMessage = "\x07\x03\x02\x00\x00\x00\x00\x00"

func (r *tnefReader) file(f *tnefFile) {
	r.w.mapiAttachment(r.a, f.item, func(here at) {
		if len(f.open) <= 16 {
			if len(f.item.octets[mapiData]) == 0 && len(f.meta) > 0 {
				r.w.file(here, source{name: "picture.wmf", data: f.meta})
			}
			return
		}
		if string(f.open[:8]) == tnefMessage && len(f.open) > 20 { // a message, which is in this format again
			if r.w.member(here.in("message")) {
				r.w.file(here, source{name: "winmail.dat", data: f.open[16:]})
			}
			return
		}
		r.w.file(here, source{name: f.item.fileName(), data: f.open[16:]})
	})
}
