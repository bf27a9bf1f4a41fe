package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// modified is the base64 of mailbox names (RFC 3501 section 5.1.3).
var modified = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

const errName = SyntaxError("a mailbox name is not well-formed")

// DecodeName makes UTF-8 in NFC of a mailbox name. Unless the session speaks UTF-8,
// names are in modified UTF-7; a name that is 8-bit all the same is taken as UTF-8.
func DecodeName(s string, utf8Names bool) (string, error) {
	if !utf8.ValidString(s) {
		return "", errName
	}
	if utf8Names || strings.IndexByte(s, '&') < 0 {
		return norm.NFC.String(s), nil
	}
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		end := strings.IndexByte(s, '-')
		if end < 0 {
			return "", errName
		}
		if end == 0 {
			b.WriteByte('&')
		} else if err := decodeShift(&b, s[:end]); err != nil {
			return "", err
		}
		s = s[end+1:]
	}
	return norm.NFC.String(b.String()), nil
}

func decodeShift(b *strings.Builder, s string) error {
	raw, err := modified.DecodeString(s)
	if err != nil || len(raw)%2 != 0 {
		return errName
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	for _, r := range utf16.Decode(units) {
		if r == utf8.RuneError {
			return errName
		}
		b.WriteRune(r)
	}
	return nil
}

// AppendMailbox adds a mailbox name: as it is, or in modified UTF-7.
func AppendMailbox(dst []byte, name string, utf8Names bool) []byte {
	if !utf8Names {
		name = encodeName(name)
	}
	return AppendAString(dst, name)
}

func encodeName(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e || s[i] == '&' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	var shifted []rune
	flush := func() {
		if len(shifted) == 0 {
			return
		}
		units := utf16.Encode(shifted)
		raw := make([]byte, 0, 2*len(units))
		for _, u := range units {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + modified.EncodeToString(raw) + "-")
		shifted = shifted[:0]
	}
	for _, r := range s {
		switch {
		case r == '&':
			flush()
			b.WriteString("&-")
		case r >= 0x20 && r <= 0x7e:
			flush()
			b.WriteRune(r)
		default:
			shifted = append(shifted, r)
		}
	}
	flush()
	return b.String()
}
