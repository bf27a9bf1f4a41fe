package extract

import (
	"bytes"
	"strings"

	"sampul/internal/message"
)

// A mapiItem is a message or an attachment as Outlook keeps it: properties with numbers,
// and some with names [MS-OXPROPS].
type mapiItem struct {
	text   map[uint16]string
	octets map[uint16][]byte
	number map[uint16]uint32
	named  []property // those with names that are text
}

func newMAPI() *mapiItem {
	return &mapiItem{text: map[uint16]string{}, octets: map[uint16][]byte{}, number: map[uint16]uint32{}}
}

// Properties that matter.
const (
	mapiSubject     = 0x0037
	mapiTopic       = 0x0070
	mapiHeaders     = 0x007d
	mapiBody        = 0x1000
	mapiRTF         = 0x1009
	mapiHTML        = 0x1013
	mapiData        = 0x3701
	mapiDisplay     = 0x3001
	mapiShortName   = 0x3704
	mapiMethod      = 0x3705
	mapiLongName    = 0x3707
	mapiDeclared    = 0x370e
	mapiCharset     = 0x3fde
	mapiTextCharset = 0x3ffd
)

// page is the charset of text that is no Unicode.
func (m *mapiItem) page() string {
	for _, id := range []uint16{mapiTextCharset, mapiCharset} {
		if n := m.number[id]; n != 0 && n != 1200 {
			return codePage(int(n))
		}
	}
	return "windows-1252"
}

// fileName is what an attachment is called.
func (m *mapiItem) fileName() string {
	for _, id := range []uint16{mapiLongName, mapiShortName, mapiDisplay} {
		if s := strings.TrimSpace(m.text[id]); s != "" {
			return s
		}
	}
	return ""
}

// mapiMessage reads what a message says: headers, and all forms of its body.
func (w *walker) mapiMessage(a at, m *mapiItem) {
	out := w.part(a.in("header"), "headers")
	for _, id := range []uint16{mapiSubject, mapiTopic} {
		if s := m.text[id]; s != "" {
			out.add(Unit{Place: Subject, Where: "subject", Text: unfold(s)})
		}
	}
	for _, p := range m.named {
		out.add(Unit{Place: Metadata, Where: "property " + label(p.name), Text: p.name + ": " + unfold(p.value)})
	}
	out.end()
	if h := m.text[mapiHeaders]; h != "" {
		// Only its head is there: the parts that it announces are not.
		h = strings.TrimRight(strings.ReplaceAll(strings.ReplaceAll(h, "\r\n", "\n"), "\n", "\r\n"), "\r\n") + "\r\n\r\n"
		if x := message.Parse([]byte(h)); len(x.Parts) > 0 {
			w.headers(a, &x.Parts[0])
		}
	}
	if s := m.text[mapiBody]; s != "" {
		w.lines(a, s)
	}
	if s := m.text[mapiHTML]; s != "" {
		w.guarded(a, kind{name: "html", read: readHTML}, &source{declared: "text/html", data: []byte(s), charset: "utf-8"})
	}
	if b := m.octets[mapiHTML]; len(b) > 0 {
		s := &source{declared: "text/html", data: b}
		if n := m.number[mapiCharset]; n != 0 {
			s.charset = codePage(int(n))
		}
		w.guarded(a, kind{name: "html", read: readHTML}, s)
	}
	if b := m.octets[mapiRTF]; len(b) > 0 {
		rtf, err := w.unpackRTF(b)
		if err != nil {
			w.gap(a, "rtf", Damaged, "its formatted body cannot be unpacked")
		}
		if len(rtf) > 0 {
			w.guarded(a, kind{name: "rtf", read: readRTF}, &source{data: rtf})
		}
	}
}

// mapiAttachment reads a file that a message carries; open reads one that is a message or
// an object itself.
func (w *walker) mapiAttachment(a at, m *mapiItem, open func(here at)) {
	name := m.fileName()
	here := a.in(label(name))
	if name == "" {
		here = a.in("attachment")
	}
	if !w.member(here) {
		return
	}
	w.name(here, name)
	if short := m.text[mapiShortName]; short != "" && short != name {
		w.name(here, short)
	}
	switch b := m.octets[mapiData]; {
	case isEntity(b, m.text[mapiDeclared]): // of a signed message: all of it stands here
		w.message(here, message.Parse(b), bytes.NewReader(b))
	case len(b) > 0:
		w.file(here, source{name: name, declared: m.text[mapiDeclared], data: b})
	}
	if open != nil {
		open(here)
	}
}

// isEntity knows a MIME entity that has none of the fields of a message.
func isEntity(b []byte, declared string) bool {
	head := strings.ToLower(string(b[:min(len(b), 64)]))
	return strings.HasPrefix(head, "content-type:") || strings.HasPrefix(head, "mime-version:") || len(b) > 0 && strings.EqualFold(declared, "multipart/signed")
}

// message reads a message of Outlook [MS-OXMSG].
func (c *compound) message(a at, s *storage, top bool) {
	head := 24
	if top {
		head = 32
	}
	names := c.names(a, c.root.kid("__nameid_version1.0"))
	w := c.w
	w.mapiMessage(a, c.item(a, s, head, names))
	for _, kid := range s.kids {
		if !strings.HasPrefix(strings.ToLower(kid.name), "__attach") {
			continue
		}
		m := c.item(a, kid, 8, names)
		var open func(at)
		if inner := kid.kid("__substg1.0_3701000D"); inner != nil {
			open = func(here at) { c.storage(here, inner, false) }
		}
		w.mapiAttachment(a, m, open)
	}
}

// item reads the properties of a message or an attachment: a table of those of fixed size,
// and a stream for each of the others.
func (c *compound) item(a at, s *storage, head int, names map[uint16]string) *mapiItem {
	m := newMAPI()
	table := c.read(a, s.stream("__properties_version1.0"))
	for i := head; i+16 <= len(table); i += 16 {
		if kind, id := le.Uint16(table[i:]), le.Uint16(table[i+2:]); kind == 3 || kind == 2 {
			m.number[id] = le.Uint32(table[i+8:])
		}
	}
	page := m.page()
	for _, one := range s.streams {
		name := strings.ToLower(one.name)
		rest, ok := strings.CutPrefix(name, "__substg1.0_")
		if !ok || len(rest) < 8 {
			continue
		}
		id, ok1 := hex16(rest[:4])
		kind, ok2 := hex16(rest[4:8])
		if !ok1 || !ok2 {
			continue
		}
		switch kind {
		case 0x1f, 0x101f, 0x1e, 0x101e:
			if kind&0x1000 != 0 && len(rest) == 8 { // lengths of several values, which follow
				continue
			}
			charset := page
			if kind&0xfff == 0x1f {
				charset = "utf-16le"
			}
			m.setText(id, zeroEnded(message.DecodeCharset(charset, c.read(a, one))), names[id])
		case 0x102:
			if id == mapiData || id == mapiHTML || id == mapiRTF || id == mapiBody {
				m.octets[id] = c.read(a, one)
			}
		}
	}
	return m
}

func (m *mapiItem) setText(id uint16, s, name string) {
	if name != "" && s != "" {
		m.named = append(m.named, property{name, s})
	}
	if old := m.text[id]; old == "" {
		m.text[id] = s
	}
}

func hex16(s string) (v uint16, ok bool) {
	for i := range len(s) {
		d := unhex(s[i])
		if d < 0 {
			return 0, false
		}
		v = v<<4 | uint16(d)
	}
	return v, true
}

// unhex is the value of a hexadecimal digit, -1 for anything else.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// names are the properties from 0x8000 on that have names.
func (c *compound) names(a at, s *storage) map[uint16]string {
	all := map[uint16]string{}
	if s == nil {
		return all
	}
	entries := c.read(a, s.stream("__substg1.0_00030102"))
	text := c.read(a, s.stream("__substg1.0_00040102"))
	for ; len(entries) >= 8 && len(all) < maxProperties; entries = entries[8:] {
		off, kind, index := int64(le.Uint32(entries)), le.Uint16(entries[4:]), le.Uint16(entries[6:])
		if kind&1 == 0 || off+4 > int64(len(text)) || index >= 0x7fff {
			continue
		}
		n := min(int64(le.Uint32(text[off:])), int64(len(text))-off-4, 512)
		all[0x8000+index] = utf16String(text[off+4 : off+4+n])
	}
	return all
}

// rightsManaged is a message that only its readers' own program opens.
func readRightsManaged(w *walker, a at, s *source) {
	w.res.Files[w.current].Locked = true
	w.gap(a, "rpmsg", Locked, "a message under rights management")
}
