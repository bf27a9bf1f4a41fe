package extract

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// decode makes UTF-8 of text whose charset is declared, or has to be found. max is how
// many octets to look at; 0 is all.
func decode(s *source, max int) string {
	if max > 0 && len(s.data) <= short {
		text := decode(s, 0)
		return text[:min(len(text), max)]
	}
	if max == 0 && s.text == "" {
		s.text = decodeUpTo(s, 0)
	}
	if max == 0 {
		return s.text
	}
	return decodeUpTo(s, max)
}

// short is what is decoded whole, once, when only its beginning is asked for: it is asked
// for whole soon after.
const short = 64 << 10

func decodeUpTo(s *source, max int) string {
	b := s.data
	if max > 0 && len(b) > max {
		b = b[:max&^3]
	}
	if name, rest := byteOrder(b); name != "" {
		return message.DecodeCharset(name, rest)
	}
	switch strings.ToLower(s.charset) {
	case "", "us-ascii", "utf-8":
		if utf8.Valid(b) && bytes.IndexByte(b[:min(len(b), 512)], 0) < 0 {
			return string(b)
		}
		if order := utf16Order(b[:min(len(b), 4096)]); order != "" {
			return message.DecodeCharset(order, b)
		}
		if order := utf32Order(b[:min(len(b), 4096)]); order != "" {
			return message.DecodeCharset(order, b)
		}
	}
	return message.DecodeCharset(s.charset, b)
}

// byteOrder knows a byte order mark, and gives what follows it.
func byteOrder(b []byte) (charset string, rest []byte) {
	for _, m := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "utf-32le"}, {"\x00\x00\xfe\xff", "utf-32be"},
		{"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"}, {"\xef\xbb\xbf", "utf-8"},
	} {
		if bytes.HasPrefix(b, []byte(m.mark)) {
			return m.name, b[len(m.mark):]
		}
	}
	return "", b
}

// utf32Order knows UTF-32 without a BOM: of four octets two are zero at one end.
func utf32Order(b []byte) string {
	if len(b) < 16 || bytes.IndexByte(b, 0) < 0 {
		return ""
	}
	var zeros [4]int
	for i, c := range b[:len(b)&^3] {
		if c == 0 {
			zeros[i&3]++
		}
	}
	n := len(b) / 4
	switch {
	case zeros[3] == n && zeros[2] >= n*9/10 && zeros[0] < n/10:
		return "utf-32le"
	case zeros[0] == n && zeros[1] >= n*9/10 && zeros[3] < n/10:
		return "utf-32be"
	}
	return ""
}

// isASCII says whether no octet has its highest bit: every body comes by here.
func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// readings are all texts that octets may be shown as: what they are declared to be may be
// wrong, and clients then guess. The first is the best.
func readings(s *source) []string {
	out := []string{decode(s, 0)}
	b := s.data
	has := func(c byte) bool { return bytes.IndexByte(b, c) >= 0 }
	high, odd, plus, tilde := !isASCII(b), has(0x1b) || has(0), has('+'), has('~')
	low := strings.ToLower(s.charset)
	ascii := low == "" || low == "us-ascii" || low == "utf-8" || strings.HasPrefix(low, "iso-8859-") || strings.HasPrefix(low, "windows-")
	if !high && !odd && ascii && !plus && !tilde {
		return out
	}
	add := func(text string) {
		for _, o := range out {
			if o == text {
				return
			}
		}
		out = append(out, text)
	}
	if low != "" {
		add(message.DecodeCharset(s.charset, b))
	}
	valid := utf8.Valid(b)
	if valid {
		add(strings.TrimPrefix(string(b), "\ufeff"))
	} else {
		add(message.DecodeCharset("windows-1252", b))
	}
	if bytes.Contains(b, []byte("\x1b$")) || bytes.Contains(b, []byte("\x1b(")) {
		add(message.DecodeCharset("iso-2022-jp", b))
		add(message.DecodeCharset("iso-2022-kr", b))
	}
	if tilde && bytes.Contains(b, []byte("~{")) {
		add(message.DecodeCharset("hz-gb-2312", b))
	}
	if plus && maybeUTF7(b) {
		add(message.DecodeCharset("utf-7", b))
	}
	if high && !valid && (low == "" || strings.Contains(low, "ascii") || strings.ContainsRune(out[0], utf8.RuneError)) {
		for _, name := range []string{"gb18030", "big5", "shift_jis"} { // their wide Latin letters; EUC has those of GB
			add(message.DecodeCharset(name, b))
		}
	}
	return out
}

// maybeUTF7 looks for a letter of Latin in UTF-7: "+A" and more of base64.
func maybeUTF7(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '+')
		if i < 0 || i+4 > len(b) {
			return false
		}
		b = b[i+1:]
		if b[0] == 'A' && b[1] >= 'A' && b[1] <= 'H' || b[0] == '/' {
			return true
		}
	}
}

// odd charsets do not have ASCII in its place: text in them looks like no text.
func oddCharset(name string) bool {
	name = strings.ToLower(name)
	for _, p := range []string{"utf-16", "utf-32", "utf16", "utf32", "ucs-", "unicode", "iso-10646", "ebcdic", "cp037", "ibm037", "ibm1047", "cp1047", "ibm01140", "cp500", "ibm500"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
