package extract

import (
	"bytes"
	"strings"

	"sampul/internal/message"
)

// readOLE is a compound file: a document of an old kind, a message of Outlook, an encrypted
// document of a new kind, an object that stood in another document.
func readOLE(w *walker, a at, s *source) {
	c, err := w.openCompound(s.data)
	if err != nil {
		reason := Damaged
		if err == errHugeFolder {
			reason = TooMuch
		}
		w.gap(a, "office", reason, err.Error())
		w.strings(a, "office", s.data) // a mark may still be seen
		return
	}
	c.storage(a, c.root, true)
	if end := behindCompound(s.data); len(s.data)-end > 64 {
		w.hidden(a, s.data, end)
	}
}

// storage reads a document, or an object in one.
func (c *compound) storage(a at, s *storage, top bool) {
	if c.protected(a, s) {
		return
	}
	if s.stream("__properties_version1.0") != nil || s.stream("__substg1.0_0037001F") != nil || s.stream("__substg1.0_1000001F") != nil {
		c.is("msg")
		c.message(a, s, top)
		return
	}
	known := false
	if main := s.stream("WordDocument"); main != nil {
		c.is("doc")
		c.word(a, s, main)
		known = true
	}
	for _, name := range []string{"Workbook", "Book"} {
		if main := s.stream(name); main != nil {
			c.is("xls")
			c.workbook(a, main)
			known = true
		}
	}
	if main := s.stream("PowerPoint Document"); main != nil {
		c.is("ppt")
		c.slides(a, s, main)
		known = true
	}
	c.propertySets(a, s)
	if s.kid("VBA") != nil || s.kid("Macros") != nil || s.kid("_VBA_PROJECT_CUR") != nil || s.stream("_VBA_PROJECT") != nil {
		c.macros()
	}
	known = c.objects(a, s) || known
	if !known && top {
		c.unknown(a, s)
	} else if !known {
		c.strings(a, s)
	}
	for _, kid := range s.kids {
		c.nested(a, kid)
	}
}

// protected knows documents that are encrypted as a whole.
func (c *compound) protected(a at, s *storage) bool {
	switch {
	case s.stream("EncryptedPackage") != nil:
		c.is("office")
		c.locked(a, "a document locked by a password")
	case s.stream("\tDRMContent") != nil, s.stream("\tDRMViewerContent") != nil:
		c.is("office")
		c.locked(a, "a document under rights management")
	case s.stream("EncryptedSummary") != nil:
		c.is("ppt")
		c.locked(a, "a presentation locked by a password")
	default:
		return false
	}
	return true
}

// program is what holds code and the like, and no text of a document.
func program(name string) bool {
	switch strings.ToLower(name) {
	case "macros", "vba", "_vba_project_cur", "\x06dataspaces", "msodatastore", "_signatures", "_xmlsignatures":
		return true
	}
	return false
}

// nested reads a storage in another: an object, or the pool of them.
func (c *compound) nested(a at, s *storage) {
	if program(s.name) {
		if len(s.streams)+len(s.kids) > 0 && !strings.Contains(strings.ToLower(s.name), "data") && !strings.Contains(strings.ToLower(s.name), "sig") {
			c.macros()
		}
		return
	}
	here := a.in(label(strings.TrimLeft(s.name, "\x01\x02\x03\x05\x06")))
	if !c.w.member(here) {
		return
	}
	c.storage(here, s, false)
}

// objects reads what is embedded as it is: a packed file, a document of a new kind.
func (c *compound) objects(a at, s *storage) (found bool) {
	for _, one := range s.streams {
		switch strings.ToLower(one.name) {
		case "\x01ole10native":
			c.w.native(a, c.read(a, one))
		case "package", "contents", "embeddedodf":
			b := c.read(a, one)
			if !sniffedBinary(b) { // settings of a control: its strings are read with the others
				continue
			}
			c.w.embedded(a, one.name, b)
		default:
			continue
		}
		found = true
	}
	return found
}

// embedded reads a file that a document carries.
func (w *walker) embedded(a at, name string, b []byte) {
	here := a.in(label(name))
	if len(b) > 0 && w.member(here) {
		w.file(here, source{name: name, data: b})
	}
}

// native is a file packed by the shell's packager: names, then the file (OLE10Native).
func (w *walker) native(a at, b []byte) {
	if len(b) < 4 {
		return
	}
	b = b[4:]
	name, data, ok := packed(b)
	if !ok {
		name, data = "object", b
	}
	here := a.in(label(name))
	if !w.member(here) {
		return
	}
	if ok {
		w.name(here, name)
	}
	w.file(here, source{name: name, data: data})
}

// packed takes a packed file apart.
func packed(b []byte) (name string, data []byte, ok bool) {
	if len(b) < 2 || le.Uint16(b) != 2 {
		return "", nil, false
	}
	rest := b[2:]
	title, rest, ok := bytes.Cut(rest, []byte{0})
	if !ok {
		return "", nil, false
	}
	_, rest, ok = bytes.Cut(rest, []byte{0}) // where it came from
	if !ok || len(rest) < 8 {
		return "", nil, false
	}
	temp := int64(le.Uint32(rest[4:]))
	rest = rest[8:]
	if temp > int64(len(rest))-4 {
		return "", nil, false
	}
	rest = rest[temp:]
	n := int64(le.Uint32(rest))
	rest = rest[4:]
	return message.DecodeCharset("windows-1252", title), rest[:min(n, int64(len(rest)))], true
}

// unknown is a compound file of a kind that has no reader: its strings are text.
func (c *compound) unknown(a at, s *storage) {
	switch {
	case s.stream("VisioDocument") != nil:
		c.is("visio")
		c.w.gap(a, "visio", Opaque, "a drawing, which cannot be read")
	case s.stream("Catalog") != nil && s.stream("1") != nil:
		c.is("thumbs.db")
	case s.stream("PROJECT") != nil && s.kid("VBA") != nil:
		c.is("vba")
		return
	case s.kid("Quill") != nil:
		c.is("publisher")
	case s.stream("FileHeader") != nil && s.kid("BodyText") != nil:
		c.is("hwp")
		c.w.gap(a, "hwp", Opaque, "a document of a kind that cannot be read")
	case msiName(s):
		c.is("msi")
	}
	c.strings(a, s)
}

// msiName knows an installer by the letters in which it packs names of streams.
func msiName(s *storage) bool {
	for _, one := range s.streams {
		if strings.ContainsFunc(one.name, func(r rune) bool { return r >= 0x3800 && r <= 0x4840 }) {
			return true
		}
	}
	return false
}

// strings reads the streams of a storage that is not known: documents in them, and text.
func (c *compound) strings(a at, s *storage) {
	for _, one := range s.streams {
		if len(one.name) > 1 && strings.IndexByte("\x01\x02\x03\x05", one.name[0]) >= 0 || one.f.Size == 0 {
			continue
		}
		b := c.read(a, one)
		here := a.in(label(one.name))
		if sniffedBinary(b) {
			c.w.embedded(a, one.name, b)
			continue
		}
		if c.kind == "" && len(b) >= 4096 && dense(b) {
			c.w.gap(here, "ole", Opaque, "octets of no known kind, compressed or encrypted")
		}
		c.w.strings(here, c.name(), b)
	}
}
