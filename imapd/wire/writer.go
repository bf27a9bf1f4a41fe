package wire

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendString adds s as a quoted string, or as a literal where it can't be quoted.
func AppendString(dst []byte, s string) []byte {
	if !quotable(s) {
		dst = AppendLiteral(dst, int64(len(s)))
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

func quotable(s string) bool {
	if len(s) > 1000 || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == '\r' || s[i] == '\n' || s[i] == 0 {
			return false
		}
	}
	return true
}

// AppendAString adds s as an atom where it is one.
func AppendAString(dst []byte, s string) []byte {
	if s == "" || strings.EqualFold(s, "NIL") {
		return AppendString(dst, s)
	}
	for i := range len(s) {
		if !astringChars[s[i]] {
			return AppendString(dst, s)
		}
	}
	return append(dst, s...)
}

// AppendLiteral adds the announcement of n octets.
func AppendLiteral(dst []byte, n int64) []byte {
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "}\r\n"...)
}

// AppendDateTime adds a date-time (RFC 9051: "dd-Mon-yyyy hh:mm:ss +zzzz").
func AppendDateTime(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, `"02-Jan-2006 15:04:05 -0700"`)
}

// AppendUint adds a number.
func AppendUint[N ~uint32 | ~uint64](dst []byte, n N) []byte {
	return strconv.AppendUint(dst, uint64(n), 10)
}

// AppendSection adds a section as it stands in an answer: "BODY[1.HEADER.FIELDS (Subject)]".
func AppendSection(dst []byte, it *Item) []byte {
	if it.Name != "" {
		return append(dst, it.Name...)
	}
	switch it.Kind {
	case ItemBinary:
		dst = append(dst, "BINARY["...)
	case ItemBinarySize:
		dst = append(dst, "BINARY.SIZE["...)
	default:
		dst = append(dst, "BODY["...)
	}
	s := &it.Section
	for i, n := range s.Path {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	name := [...]string{"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"}[s.Part]
	if name != "" && len(s.Path) > 0 {
		dst = append(dst, '.')
	}
	dst = append(dst, name...)
	if len(s.Fields) > 0 {
		dst = append(dst, " ("...)
		for i, f := range s.Fields {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = AppendAString(dst, f)
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ']')
	if it.Partial {
		dst = append(dst, '<')
		dst = strconv.AppendInt(dst, it.Offset, 10)
		dst = append(dst, '>')
	}
	return dst
}
