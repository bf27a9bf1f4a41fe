package dkim

import (
	"errors"
	"strings"
)

// maxTags bounds a tag list; the longest that a standard knows has 15.
const maxTags = 64

// tags is a tag list (RFC 6376 section 3.2). Values have no blanks at their ends.
type tags map[string]string

// parseTags reads a list. A name that comes twice makes the whole list invalid.
func parseTags(s string) (tags, error) {
	out := tags{}
	for rest, more := s, true; more; {
		var one string
		one, rest, more = strings.Cut(rest, ";")
		one = trim(one)
		if one == "" {
			if trim(rest) == "" {
				break // one semicolon may end the list
			}
			return nil, errors.New("empty tag")
		}
		name, value, ok := strings.Cut(one, "=")
		name = strings.TrimRight(name, fws)
		if !ok || !tagName(name) {
			return nil, errors.New("a tag without name or value")
		}
		if _, twice := out[name]; twice {
			return nil, errors.New("tag " + name + " comes twice")
		}
		if len(out) == maxTags {
			return nil, errors.New("too many tags")
		}
		out[name] = strings.TrimLeft(value, fws)
	}
	return out, nil
}

const fws = " \t\r\n"

func trim(s string) string { return strings.Trim(s, fws) }

func tagName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '_'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// squeeze takes out folding white space: in base64 and lists it means nothing.
func squeeze(s string) string {
	if !strings.ContainsAny(s, fws) {
		return s
	}
	b := make([]byte, 0, len(s))
	for rest := s; rest != ""; {
		rest = strings.TrimLeft(rest, fws)
		end := strings.IndexAny(rest, fws)
		if end < 0 {
			end = len(rest)
		}
		b = append(b, rest[:end]...)
		rest = rest[end:]
	}
	return string(b)
}

// list reads names between colons.
func list(s string) []string {
	out := strings.Split(s, ":")
	for i := range out {
		out[i] = trim(out[i])
	}
	return out
}

// withoutB is a signature field with the value of b= deleted, and no line end: the form
// that is signed (RFC 6376 section 3.5, under b=).
func withoutB(field []byte) []byte {
	out := make([]byte, 0, len(field))
	colon := 0
	for colon < len(field) && field[colon] != ':' {
		colon++
	}
	out = append(out, field[:min(colon+1, len(field))]...)
	for rest := field[min(colon+1, len(field)):]; len(rest) > 0; {
		end := 0
		for end < len(rest) && rest[end] != ';' {
			end++
		}
		one := rest[:end]
		eq := 0
		for eq < len(one) && one[eq] != '=' {
			eq++
		}
		if eq < len(one) && trim(string(one[:eq])) == "b" {
			one = one[:eq+1]
		}
		out = append(out, one...)
		if end < len(rest) {
			out = append(out, ';')
			end++
		}
		rest = rest[end:]
	}
	for len(out) > 0 && (out[len(out)-1] == '\n' || out[len(out)-1] == '\r') {
		out = out[:len(out)-1]
	}
	return out
}
