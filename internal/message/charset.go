package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// aliases are charset names that mail uses and the index of encodings lacks.
var aliases = map[string]string{
	"ansi_x3.4-1968": "windows-1252", "cp-850": "ibm850", "cp850": "ibm850", "cp1252": "windows-1252",
	"iso-8859-8-e": "iso-8859-8", "iso8859-1": "windows-1252", "iso-8859-1": "windows-1252",
	"ks_c_5601-1987": "euc-kr", "cp949": "euc-kr", "cp936": "gbk", "cp932": "shift_jis", "cp950": "big5",
	"utf8": "utf-8", "utf-8mb4": "utf-8", "x-unknown": "utf-8", "unicode": "utf-16le", "cp037": "ibm037", "ebcdic-cp-us": "ibm037", "cp500": "ibm037", "ibm500": "ibm037", "ibm-037": "ibm037", "ebcdic-us": "ibm037", "ebcdic-cp-be": "ibm037", "cp1047": "ibm1047", "cp437": "ibm437", "cp866": "ibm866", "hz": "hz-gb-2312",
}

// DecodeCharset turns octets of the named charset into UTF-8. An unknown or missing
// name is tried as its byte order mark says, as UTF-8, then as windows-1252. What
// cannot be decoded becomes U+FFFD; nothing is refused.
func DecodeCharset(name string, b []byte) string {
	name = strings.ToLower(strings.Trim(strings.TrimSpace(name), `"'`))
	if a, ok := aliases[name]; ok {
		name = a
	}
	switch name {
	case "", "us-ascii", "ascii", "utf-8":
		return guess(b)
	case "utf-7", "unicode-1-1-utf-7", "x-utf-7":
		return decodeUTF7(b)
	case "utf-16":
		if s, ok := byBOM(b); ok {
			return s
		}
		return decodeUTF16(b, bytes.Count(b, []byte{0}) == 0 || zerosFirst(b))
	case "utf-16be":
		return decodeUTF16(bytes.TrimPrefix(b, []byte{0xfe, 0xff}), true)
	case "utf-16le":
		return decodeUTF16(bytes.TrimPrefix(b, []byte{0xff, 0xfe}), false)
	case "utf-32", "utf-32be", "utf-32le":
		return decodeUTF32(b, name)
	}
	if name == "iso-2022-kr" {
		return decodeShifted(b)
	}
	enc, err := htmlindex.Get(name)
	if err != nil || enc == encoding.Replacement { // the web does without some that mail knows
		if enc, err = ianaindex.IANA.Encoding(name); err != nil || enc == nil {
			return guess(b)
		}
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return guess(b)
	}
	return string(out)
}

// decodeShifted reads ISO-2022-KR (RFC 1557): between SO and SI stands Korean.
func decodeShifted(b []byte) string {
	out := make([]byte, 0, len(b))
	high := byte(0)
	b = bytes.ReplaceAll(b, []byte("\x1b$)C"), nil)
	for _, c := range b {
		switch {
		case c == 0x0e:
			high = 0x80
		case c == 0x0f || c == '\n':
			if high = 0; c == '\n' {
				out = append(out, c)
			}
		case c > ' ':
			out = append(out, c|high)
		default:
			out = append(out, c)
		}
	}
	return DecodeCharset("euc-kr", out)
}

// guess is for text that does not say what it is, or says what cannot be true.
func guess(b []byte) string {
	if s, ok := byBOM(b); ok {
		return s
	}
	if utf8.Valid(b) {
		return string(b)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

func byBOM(b []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD"), true
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return decodeUTF16(b[2:], true), true
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return decodeUTF16(b[2:], false), true
	}
	return "", false
}

// zerosFirst tells big-endian text of Latin letters: its high octets come first.
func zerosFirst(b []byte) bool {
	even, odd := 0, 0
	for i, c := range b[:min(len(b), 1024)] {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	return even >= odd
}

func decodeUTF16(b []byte, big bool) string {
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if big {
			u = append(u, uint16(b[0])<<8|uint16(b[1]))
		} else {
			u = append(u, uint16(b[1])<<8|uint16(b[0]))
		}
	}
	return string(utf16.Decode(u))
}

func decodeUTF32(b []byte, name string) string {
	big := name == "utf-32be" || name == "utf-32" && !bytes.HasPrefix(b, []byte{0xff, 0xfe, 0, 0})
	var out strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		r := rune(b[3])<<24 | rune(b[2])<<16 | rune(b[1])<<8 | rune(b[0])
		if big {
			r = rune(b[0])<<24 | rune(b[1])<<16 | rune(b[2])<<8 | rune(b[3])
		}
		if r != 0xfeff {
			out.WriteRune(r) // writes U+FFFD for what is no character
		}
	}
	return out.String()
}

// decodeUTF7 reads RFC 2152. What is malformed stands as it came.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		if b[0] != '+' {
			out.WriteByte(b[0])
			b = b[1:]
			continue
		}
		n := 1
		for n < len(b) && isBase64(b[n]) {
			n++
		}
		if n == 1 {
			out.WriteByte('+')
			b = bytes.TrimPrefix(b[1:], []byte("-"))
			continue
		}
		raw, err := base64.RawStdEncoding.DecodeString(string(b[1:n]))
		if err != nil && len(raw) < 2 {
			out.Write(b[:n])
		} else {
			out.WriteString(decodeUTF16(raw, true))
		}
		b = bytes.TrimPrefix(b[n:], []byte("-"))
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
