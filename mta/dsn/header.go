package dsn

import "bytes"

// MaxHeader is how much of a message's header a report carries.
const MaxHeader = 64 << 10

// maxLine is the longest line of RFC 5322 section 2.1.1, without its end.
const maxLine = 998

// CopyHeader gives the header fields of a message, up to its blank line, in at most max
// octets: whole fields in their order, each line ended by CRLF. Whatever would spoil the
// report (a line that is no field, one that is too long, NUL, a bare CR) is left away with
// its field. The result has no blank line.
func CopyHeader(header []byte, max int) []byte {
	var out []byte
	for len(header) > 0 && header[0] != '\n' && header[0] != '\r' {
		field, rest := cutField(header)
		header = rest
		start := len(out)
		if out = appendField(out, field); len(out) > max {
			return out[:start]
		}
	}
	return out
}

// cutField takes the first field with the lines that continue it.
func cutField(b []byte) (field, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			return b, nil
		}
		end += i + 1
		if end == len(b) || b[end] != ' ' && b[end] != '\t' {
			return b[:end], b[end:]
		}
	}
}

// appendField adds a field when it is sound.
func appendField(dst, field []byte) []byte {
	colon := bytes.IndexByte(field, ':')
	if colon <= 0 {
		return dst
	}
	for _, c := range bytes.TrimRight(field[:colon], " \t") {
		if c <= ' ' || c >= 0x7f {
			return dst
		}
	}
	start := len(dst)
	for len(field) > 0 {
		var l []byte
		if i := bytes.IndexByte(field, '\n'); i >= 0 {
			l, field = field[:i], field[i+1:]
		} else {
			l, field = field, nil
		}
		l = bytes.TrimSuffix(l, []byte{'\r'})
		if len(l) > maxLine || bytes.ContainsAny(l, "\r\x00") {
			return dst[:start]
		}
		if len(bytes.TrimRight(l, " \t")) == 0 { // it would look like the blank line
			continue
		}
		dst = append(dst, l...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}
