package message

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// DecodeHeader reads a header value for people: folded lines joined, encoded words
// of RFC 2047 decoded, raw octets taken as UTF-8 or windows-1252. Neighbouring
// words of one charset are joined before they are decoded, since senders cut them
// in the middle of a character.
func DecodeHeader(raw []byte) string {
	s := unfold(raw)
	if !strings.Contains(s, "=?") {
		return guess([]byte(s))
	}
	var out strings.Builder
	var pending []byte // decoded octets of words in the charset
	var charset string
	flush := func() {
		if len(pending) > 0 {
			out.WriteString(DecodeCharset(charset, pending))
			pending = pending[:0]
		}
	}
	for len(s) > 0 {
		at := strings.Index(s, "=?")
		if at < 0 {
			break
		}
		cs, text, n := encodedWord(s[at:])
		if n < 0 { // no word ends from here on
			break
		}
		if n == 0 {
			flush()
			out.WriteString(guess([]byte(s[:at+2])))
			s = s[at+2:]
			continue
		}
		// Blanks between two words are not shown (RFC 2047 section 6.2).
		if between := s[:at]; strings.TrimSpace(between) != "" || len(pending) == 0 {
			flush()
			out.WriteString(guess([]byte(between)))
		}
		if !strings.EqualFold(cs, charset) {
			flush()
			charset = cs
		}
		pending = append(pending, text...)
		s = s[at+n:]
	}
	flush()
	out.WriteString(guess([]byte(s)))
	return out.String()
}

// encodedWord reads one word at the start of s: its charset, its octets and its
// length in s: 0 when it is none, -1 when nothing in s can be one.
func encodedWord(s string) (charset string, text []byte, n int) {
	rest := s[2:]
	q1 := strings.IndexByte(rest, '?')
	if q1 <= 0 || q1 > 64 || len(rest) < q1+3 || rest[q1+2] != '?' {
		return "", nil, 0
	}
	charset, _, _ = strings.Cut(rest[:q1], "*") // RFC 2231 section 5: a language
	kind := rest[q1+1] | 0x20
	if kind != 'q' && kind != 'b' {
		return "", nil, 0
	}
	body := rest[q1+3:]
	end := strings.Index(body, "?=")
	if end < 0 {
		return "", nil, -1
	}
	n = 2 + q1 + 3 + end + 2
	if kind == 'q' {
		return charset, unQ(body[:end]), n
	}
	return charset, lenientBase64(body[:end]), n
}

// unQ is the Q encoding of RFC 2047 section 4.2.
func unQ(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			b = append(b, ' ')
		case s[i] == '=' && i+2 < len(s):
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
			b = append(b, '=')
		default:
			b = append(b, s[i])
		}
	}
	return b
}

// lenientBase64 decodes what it can: octets outside the alphabet are skipped.
func lenientBase64(s string) []byte {
	clean := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if isBase64(s[i]) {
			clean = append(clean, s[i])
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}
