package dkim

import (
	"bytes"
	"strings"
)

// A field is one header field as it came, its line end included.
type field struct {
	name string // lower case, "" for what is no field
	raw  []byte
}

// value is what stands after the colon, unfolded by no one.
func (f *field) value() string {
	_, v, _ := bytes.Cut(f.raw, []byte{':'})
	return string(v)
}

// A header is the fields of a message in their order.
type header struct {
	fields []field
	byName map[string][]int
}

// parseHeader splits a header block; a blank line at its end is left out.
func parseHeader(b []byte) *header {
	h := &header{byName: map[string][]int{}}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			end = len(b)
		}
		if line := string(b[:end]); line == "\r\n" || line == "\n" {
			break
		}
		for end < len(b) && (b[end] == ' ' || b[end] == '\t') { // folded
			next := bytes.IndexByte(b[end:], '\n') + 1
			if next == 0 {
				next = len(b) - end
			}
			end += next
		}
		f := field{raw: b[:end:end]}
		if name, _, ok := bytes.Cut(f.raw, []byte{':'}); ok && len(bytes.TrimSpace(name)) > 0 {
			f.name = strings.ToLower(string(bytes.TrimRight(name, " \t")))
			if strings.ContainsAny(f.name, fws) {
				f.name = "" // mbox's separator, and other junk
			}
		}
		if f.name != "" {
			h.byName[f.name] = append(h.byName[f.name], len(h.fields))
		}
		h.fields = append(h.fields, f)
		b = b[end:]
	}
	return h
}

// pick gives each field that h= names: of several with one name the last that was not
// given yet (RFC 6376 section 5.4.2). A name with no field left gives nothing, which is
// how a signer makes sure that none is added.
func (h *header) pick(names []string, each func(raw []byte)) {
	used := make(map[string]int, len(names))
	for _, name := range names {
		name = strings.ToLower(name)
		all := h.byName[name]
		n := used[name]
		if n >= len(all) {
			continue
		}
		used[name] = n + 1
		each(h.fields[all[len(all)-1-n]].raw)
	}
}

// appendField adds the canonical form of a field, line end included.
func (c canon) appendField(dst, raw []byte) []byte {
	if c == simple {
		dst = append(dst, raw...)
		if !bytes.HasSuffix(raw, []byte("\r\n")) {
			dst = append(dst, "\r\n"...)
		}
		return dst
	}
	name, value, _ := bytes.Cut(raw, []byte{':'})
	name = bytes.TrimRight(name, " \t")
	for _, ch := range name {
		if ch >= 'A' && ch <= 'Z' {
			ch |= 0x20
		}
		dst = append(dst, ch)
	}
	dst = append(dst, ':')
	start := len(dst)
	blank := false
	for _, ch := range value {
		switch ch {
		case ' ', '\t':
			blank = true
		case '\r', '\n':
		default:
			if blank && len(dst) > start {
				dst = append(dst, ' ')
			}
			blank = false
			dst = append(dst, ch)
		}
	}
	return append(dst, "\r\n"...)
}
