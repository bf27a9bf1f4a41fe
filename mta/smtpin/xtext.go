package smtpin

import (
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// decodeXtext reads xtext (RFC 3461 section 4): printable ASCII without "+" and "=",
// any octet as "+" and two capital hex digits.
func decodeXtext(s string) (string, bool) {
	if plainXtext(s) {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '+' {
			if !xchar(c) {
				return "", false
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), true
}

// encodeXtext writes any octets as xtext.
func encodeXtext(s string) string {
	if plainXtext(s) {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		if c := s[i]; xchar(c) {
			out = append(out, c)
		} else {
			out = append(out, '+', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(out)
}

func plainXtext(s string) bool {
	for i := 0; i < len(s); i++ {
		if !xchar(s[i]) {
			return false
		}
	}
	return true
}

func xchar(c byte) bool { return c > ' ' && c <= '~' && c != '+' && c != '=' }

// Lengths of RFC 3461 sections 4.2 and 4.4.
const (
	maxEnvID = 100
	maxORcpt = 500
)

// validEnvID holds ENVID to xtext that stands for printable ASCII (RFC 3461 section 4.4).
func validEnvID(s string) bool {
	text, ok := decodeXtext(s)
	return ok && text != "" && len(s) <= maxEnvID && printable(text)
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// readNotify reads NOTIFY (RFC 3461 section 4.1): NEVER alone, or any of the others,
// each once, and in capitals afterwards.
func readNotify(s string) (string, bool) {
	s = strings.ToUpper(s)
	if s == "NEVER" {
		return s, true
	}
	seen := map[string]bool{}
	for word := range strings.SplitSeq(s, ",") {
		if word != "SUCCESS" && word != "FAILURE" && word != "DELAY" || seen[word] {
			return "", false
		}
		seen[word] = true
	}
	return s, true
}

// validORcpt holds ORCPT to "type;address" (RFC 3461 section 4.2). With SMTPUTF8 the
// address may have letters of its own (RFC 6533 section 3).
func validORcpt(s string, utf8OK bool) bool {
	kind, address, found := strings.Cut(s, ";")
	if !found || kind == "" || address == "" || len(s) > maxORcpt {
		return false
	}
	for i := 0; i < len(kind); i++ { // an atom
		if !atext(kind[i]) {
			return false
		}
	}
	if utf8OK && strings.EqualFold(kind, "utf-8") && utf8.ValidString(address) {
		address = strings.Map(func(r rune) rune {
			if r >= utf8.RuneSelf {
				return 'x'
			}
			return r
		}, address)
	}
	text, ok := decodeXtext(address)
	return ok && printable(text)
}
