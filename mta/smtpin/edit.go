package smtpin

import (
	"strings"

	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/mta/filter"
)

// header is the fields of a message as filters count them: ours, which stand before the
// message and are stored apart, then the message's own.
type header struct {
	fields  []headerField
	end     int64 // of the last field in the message
	touched bool  // a field of the message itself was changed
}

type headerField struct {
	name string
	raw  []byte // with its line end
	own  bool   // ours
}

// readHeader takes both parts apart.
func readHeader(prefix []byte, b *spool.Spool, x *message.Index) (*header, error) {
	h := &header{end: x.Parts[0].Start}
	for _, f := range message.Parse(prefix).Parts[0].Fields {
		h.fields = append(h.fields, headerField{f.Name, prefix[f.Start:f.End], true})
	}
	own := x.Parts[0].Fields
	if len(own) == 0 {
		return h, nil
	}
	start := own[0].Start
	h.end = own[len(own)-1].End
	raw := make([]byte, h.end-start)
	if n, err := b.ReadAt(raw, start); n < len(raw) {
		return nil, err
	}
	for _, f := range own {
		h.fields = append(h.fields, headerField{f.Name, raw[f.Start-start : f.End-start], false})
	}
	return h, nil
}

// prefix is our part.
func (h *header) prefix() []byte {
	var out []byte
	for _, f := range h.fields {
		if f.own {
			out = append(out, f.raw...)
		}
	}
	return out
}

// apply makes one change. What names a field that is not there adds it (Change) or does
// nothing (Delete), as the milter protocol wants.
func (h *header) apply(e filter.Edit) {
	if !fieldName(e.Name) {
		return
	}
	switch e.Op {
	case filter.Add:
		h.insert(len(h.fields), e)
	case filter.Insert:
		h.insert(min(max(e.Index, 0), len(h.fields)), e)
	case filter.Change:
		if i := h.find(e.Name, e.Index); i >= 0 {
			f := &h.fields[i]
			f.raw = fieldBytes(f.name, e.Value)
			h.touched = h.touched || !f.own
		} else {
			h.insert(len(h.fields), e)
		}
	case filter.Delete:
		if i := h.find(e.Name, e.Index); i >= 0 {
			h.touched = h.touched || !h.fields[i].own
			h.fields = append(h.fields[:i], h.fields[i+1:]...)
		}
	}
}

// insert puts a field at a place. Before the message's own first field it is one of ours,
// so that the body stays as it is.
func (h *header) insert(at int, e filter.Edit) {
	ours := 0
	for ours < len(h.fields) && h.fields[ours].own {
		ours++
	}
	f := headerField{e.Name, fieldBytes(e.Name, e.Value), at <= ours && e.Op == filter.Insert}
	h.touched = h.touched || !f.own
	h.fields = append(h.fields, headerField{})
	copy(h.fields[at+1:], h.fields[at:])
	h.fields[at] = f
}

// find is the place of the nth field of that name, from 1; -1 for none.
func (h *header) find(name string, nth int) int {
	for i := range h.fields {
		if strings.EqualFold(h.fields[i].name, name) {
			if nth--; nth <= 0 {
				return i
			}
		}
	}
	return -1
}

// fieldName holds names to RFC 5322 section 2.2.
func fieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ':' {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

// fieldBytes writes a field. Whatever line ends the value has, it stays one field: each
// line after the first begins with a blank, and none is empty.
func fieldBytes(name, value string) []byte {
	out := []byte(name + ":")
	first := true
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\r", "\n"), "\n") {
		blank := strings.TrimSpace(line) == ""
		switch {
		case first:
			if line != "" && line[0] != ' ' && line[0] != '\t' {
				out = append(out, ' ')
			}
		case blank:
			continue
		default:
			out = append(out, "\r\n"...)
			if line[0] != ' ' && line[0] != '\t' {
				out = append(out, '\t')
			}
		}
		first = false
		out = append(out, strings.ReplaceAll(line, "\x00", "")...)
	}
	return append(out, "\r\n"...)
}
