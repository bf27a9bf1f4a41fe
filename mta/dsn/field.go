package dsn

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// line makes one line of s that is safe in a field: control characters become spaces, and
// what is not UTF-8, or beyond ASCII where that is not allowed, becomes "?".
func line(s string, utf bool) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < ' ' || c == 0x7f:
			b.WriteByte(' ')
		case c == utf8.RuneError, c >= 0x80 && !utf, c >= 0x80 && c < 0xa0:
			b.WriteByte('?')
		default:
			b.WriteRune(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// maxDiagnostic is how much of a reply is told: endless replies are a fault of the other side.
const maxDiagnostic = 1500

// fold is line, cut to what is sensible, in lines of about 70 octets.
func fold(s string, utf bool) string {
	s = clip(line(s, utf), maxDiagnostic)
	var b strings.Builder
	column := 20 // after the name of the field
	for i, word := range strings.Fields(s) {
		if i > 0 {
			if column+len(word) > 70 {
				b.WriteString("\r\n\t")
				column = 0
			} else {
				b.WriteByte(' ')
			}
		}
		for len(word) > 900 { // RFC 5322 section 2.1.1: never over 998
			cut := len(clip(word, 900))
			b.WriteString(word[:cut] + "\r\n\t")
			word = word[cut:]
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	return b.String()
}

// clip cuts s to at most n octets, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// typedAddress is an address with its type: rfc822, or utf-8 (RFC 6533 section 3) which
// is escaped where the report is ASCII.
func typedAddress(a string, utf bool) string {
	switch {
	case ascii(a):
		return "rfc822; " + line(a, false)
	case utf:
		return "utf-8; " + line(a, true)
	}
	var b strings.Builder
	b.WriteString("utf-8; ")
	for _, c := range line(a, true) {
		if c < 0x80 && c != '\\' && c != '+' && c != '=' {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, c)
		}
	}
	return b.String()
}

// originalRecipient is ORCPT's type;address with its xtext undone (RFC 3461 section
// 4.2), or "" when that cannot be understood: a wrong one is worse than none.
func originalRecipient(orcpt string, utf bool) string {
	kind, addr, ok := strings.Cut(orcpt, ";")
	if !ok || !atom(kind) {
		return ""
	}
	if strings.EqualFold(kind, "utf-8") {
		a, ok := decodeUnitext(addr)
		if !ok {
			return ""
		}
		return typedAddress(a, utf)
	}
	a, ok := decodeXtext(addr)
	if !ok || a == "" || !ascii(a) {
		return ""
	}
	return kind + ";" + line(a, false)
}

func atom(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 < 'a' && (c < '0' || c > '9') && c != '-' || c|0x20 > 'z' {
			return false
		}
	}
	return s != "" && len(s) < 64
}

// decodeXtext undoes RFC 3461 section 4: "+" and two hex digits are an octet.
func decodeXtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// decodeUnitext undoes RFC 6533 section 3: \x{HEX} is a character.
func decodeUnitext(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, `\x{`)
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		hex, rest, ok := strings.Cut(s[i+3:], "}")
		n, err := strconv.ParseUint(hex, 16, 32)
		if !ok || err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) || n < ' ' {
			return "", false
		}
		b.WriteRune(rune(n))
		s = rest
	}
	return b.String(), utf8.ValidString(b.String())
}
