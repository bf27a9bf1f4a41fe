package filter

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"sampul/internal/message"
)

// Apply makes what o says of m: the new prefix, and the new message. The message is nil
// when its own octets stay as they are, so that only the prefix changed; else it reads
// o.Body, where there is one, and must be read before o is closed. The envelope (From,
// AddTo, DropTo) is the caller's.
//
// A field stays on its side of the border between prefix and message. A new one goes to
// the prefix when it comes before the message's first field and is what a scanner found,
// which leaves the message alone. Any other is the message's: policy does not look into
// the prefix, and must see what people will read.
func Apply(m *Mail, o *Outcome) (prefix []byte, msg io.Reader, err error) {
	fresh := *m
	fresh.head = nil
	h, err := fresh.header()
	if err != nil {
		return nil, nil, err
	}
	h = h.edit(o.Edits)
	prefix = h.prefix()
	if !h.touched && o.Body == nil {
		return prefix, nil, nil
	}
	content := io.Reader(io.NewSectionReader(m.Body, m.contentStart(), m.Index.Size-m.contentStart()))
	if o.Body != nil {
		content = o.Body
	}
	return prefix, io.MultiReader(bytes.NewReader(h.own(o.Body != nil)), content), nil
}

// field is one header field, or a line in the header that is none (without a name).
type field struct {
	name   string
	raw    []byte // with its line end
	prefix bool   // stands in the prefix; all of those come first
	hidden bool   // ours: filters do not see it, and do not count it
}

// named says whether filters know the field by this name.
func (f *field) named(name string) bool { return !f.hidden && strings.EqualFold(f.name, name) }

// head is the header of prefix and message.
type head struct {
	fields  []field
	blank   []byte // the line that ends it, nil when the message has none
	touched bool   // a field of the message is not as it came
}

// header reads the header of m, or gives what filters made of it.
func (m *Mail) header() (*head, error) {
	if m.head != nil {
		return m.head, nil
	}
	h := &head{}
	h.take(m.Prefix, message.Parse(m.Prefix), true)
	raw := make([]byte, m.contentStart())
	if n, err := m.Body.ReadAt(raw, 0); n < len(raw) {
		return nil, fmt.Errorf("filter: the header cannot be read: %w", err)
	}
	end := h.take(raw, m.Index, false)
	h.blank = raw[end:]
	m.head = h
	return h, nil
}

// take adds the fields that x found in raw, and says where they end.
func (h *head) take(raw []byte, x *message.Index, prefix bool) (end int64) {
	seen := map[string]bool{}
	for _, f := range x.Parts[0].Fields {
		name := strings.ToLower(f.Name)
		hide := prefix && !seen[name] && (name == "return-path" || name == "received")
		seen[name] = true
		h.fields = append(h.fields, field{name: f.Name, raw: raw[f.Start:f.End], prefix: prefix, hidden: hide})
		end = f.End
	}
	return end
}

// contentStart is the offset in Body after the header and its blank line.
func (m *Mail) contentStart() int64 {
	if len(m.Index.Parts) == 0 || m.Index.Parts[0].BodyStart < 0 {
		return 0
	}
	return m.Index.Parts[0].BodyStart
}

// edit is h after the changes; h stays as it was.
func (h *head) edit(edits []Edit) *head {
	n := &head{fields: slices.Clone(h.fields), blank: h.blank, touched: h.touched}
	for _, e := range edits {
		switch at := n.find(e); {
		case e.Op == Insert:
			n.insert(n.position(e.Index), e)
		case e.Op == Add, e.Op == Change && at < 0:
			n.insert(len(n.fields), e)
		case at < 0: // nothing to delete
		case e.Op == Change:
			f := &n.fields[at]
			n.touched = n.touched || !f.prefix
			f.raw = line(e)
		case e.Op == Delete:
			n.touched = n.touched || !n.fields[at].prefix
			n.fields = slices.Delete(n.fields, at, at+1)
		}
	}
	return n
}

// find is where the field stands that e changes, -1 for nowhere.
func (h *head) find(e Edit) int {
	left := max(e.Index, 1)
	for i := range h.fields {
		if !h.fields[i].named(e.Name) {
			continue
		}
		if left--; left == 0 {
			return i
		}
	}
	return -1
}

// position is the place in fields of the index-th field, Return-Path not counted: it
// stays first.
func (h *head) position(index int) int {
	first := 0
	if len(h.fields) > 0 && h.fields[0].hidden && strings.EqualFold(h.fields[0].name, "Return-Path") {
		first = 1
	}
	if index < 0 || index > len(h.fields)-first {
		return len(h.fields)
	}
	return first + index
}

func (h *head) insert(at int, e Edit) {
	mine := slices.IndexFunc(h.fields, func(f field) bool { return !f.prefix })
	if mine < 0 {
		mine = len(h.fields)
	}
	f := field{name: e.Name, raw: line(e), prefix: e.Op == Insert && at <= mine && mine < len(h.fields) && finding(e.Name)}
	if !f.prefix {
		at = max(at, mine)
	}
	h.touched = h.touched || !f.prefix
	if at > 0 && !bytes.HasSuffix(h.fields[at-1].raw, []byte("\n")) {
		// The message ended within this field: it gets its line end.
		h.fields[at-1].raw = append(slices.Clip(h.fields[at-1].raw), "\r\n"...)
	}
	h.fields = slices.Insert(h.fields, at, f)
}

// finding says whether a field of that name tells what a scanner or verifier found: no
// reader shows it, and it does not say how the content is to be read.
func finding(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "authentication-results", "dkim-signature", "domainkey-signature", "dkim-filter", "received", "received-spf":
		return true
	}
	for _, kind := range []string{"arc-", "x-spam", "x-virus", "x-rspam"} {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

// line is the field of e. A value that brings its white space is not given more.
func line(e Edit) []byte {
	if e.Value == "" || e.Value[0] == ' ' || e.Value[0] == '\t' {
		return []byte(e.Name + ":" + e.Value + "\r\n")
	}
	return []byte(e.Name + ": " + e.Value + "\r\n")
}

func (h *head) prefix() []byte {
	var b []byte
	for _, f := range h.fields {
		if f.prefix {
			b = append(b, f.raw...)
		}
	}
	return b
}

// own is the message's own header, with the blank line, which new content always needs.
func (h *head) own(content bool) []byte {
	var b []byte
	for _, f := range h.fields {
		if !f.prefix {
			b = append(b, f.raw...)
		}
	}
	if content && len(h.blank) == 0 {
		return append(b, "\r\n"...)
	}
	return append(b, h.blank...)
}

// visible is the whole header as filters see it, with the blank line.
func (h *head) visible() []byte {
	var b []byte
	for _, f := range h.fields {
		if !f.hidden {
			b = append(b, f.raw...)
		}
	}
	return append(b, h.blank...)
}

// count is how many fields of that name filters see.
func (h *head) count(name string) (n int) {
	for i := range h.fields {
		if h.fields[i].named(name) {
			n++
		}
	}
	return n
}

// value is the field's value as it stands: folded, without the last line end.
func (f *field) value() string {
	_, v, _ := bytes.Cut(f.raw, []byte(":"))
	return string(bytes.TrimRight(v, "\r\n"))
}

// after is m as the next filter sees it, once o is applied.
func (m *Mail) after(o *Outcome) (*Mail, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	next := *m
	next.head = h.edit(o.Edits)
	next.Prefix = next.head.prefix()
	own := next.head.own(o.Body != nil)
	content, size := io.NewSectionReader(m.Body, m.contentStart(), m.Index.Size-m.contentStart()), m.Index.Size-m.contentStart()
	if o.Body != nil {
		b, ok := o.Body.(io.ReaderAt)
		if !ok {
			return nil, fmt.Errorf("filter: the new body cannot be read twice")
		}
		content, size = io.NewSectionReader(b, 0, o.BodySize), o.BodySize
	}
	next.Body = &joined{own, content}
	// Filters ask an index for the header and the border alone.
	x := message.Parse(own)
	x.Parts = x.Parts[:1]
	x.Parts[0].Children = nil
	x.Size = int64(len(own)) + size
	x.Parts[0].BodyStart, x.Parts[0].End = int64(len(own)), x.Size
	next.Index = x
	next.envelope(o)
	return &next, nil
}

// envelope applies From, AddTo and DropTo.
func (m *Mail) envelope(o *Outcome) {
	if o.From != nil {
		m.From = *o.From
	}
	if len(o.AddTo)+len(o.DropTo) > 0 {
		m.To = slices.DeleteFunc(slices.Clone(m.To), func(a string) bool { return slices.Contains(o.DropTo, a) })
		m.To = append(m.To, o.AddTo...)
	}
}

// joined is a header in memory and content elsewhere, as one.
type joined struct {
	head []byte
	rest *io.SectionReader
}

// ReadAt reads as io.ReaderAt says.
func (j *joined) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(j.head)) {
		if n = copy(p, j.head[off:]); n == len(p) {
			return n, nil
		}
		off += int64(n)
	}
	more, err := j.rest.ReadAt(p[n:], off-int64(len(j.head)))
	return n + more, err
}
