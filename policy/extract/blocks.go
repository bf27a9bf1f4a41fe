package extract

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// behindText reads what stands in or behind a text and is none: archives, messages of PGP,
// files in base64, yEnc and BinHex, quoted-printable that nobody undid.
func (w *walker) behindText(a at, b []byte) {
	w.hiddenOf(a, b, 1, inText)
	w.armored(a, b)
	w.base64Blocks(a, b)
	w.yenc(a, b)
	w.binhex(a, b)
	if stillQuoted(b) {
		if text, err := io.ReadAll(message.NewTransferDecoder("quoted-printable", bytes.NewReader(b))); err == nil && w.spend(int64(len(text))) {
			w.lines(a.in("quoted-printable"), decode(&source{data: text}, 0))
		}
	}
}

// stillQuoted says whether a text looks as if its transfer encoding was not undone.
func stillQuoted(b []byte) bool {
	escapes := 0
	for i := 0; escapes < 3; i++ {
		n := bytes.IndexByte(b[min(i, len(b)):], '=')
		if n < 0 {
			return false
		}
		i += n
		rest := b[i+1 : min(len(b), i+3)]
		switch {
		case len(rest) > 0 && rest[0] == '\n', len(rest) == 2 && rest[0] == '\r' && rest[1] == '\n':
			escapes++
		case len(rest) == 2 && isUpperHex(rest[0]) && isUpperHex(rest[1]):
			escapes++
		}
	}
	return true
}

func isUpperHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' }

// maxInText is how many files are looked for in one text.
const maxInText = 100

// base64Blocks reads what stands in a text in base64: lines of nothing else, two hundred
// letters at least. What is neither a text nor of a known kind is no finding: keys and
// checksums look like that.
func (w *walker) base64Blocks(a at, b []byte) {
	for n := 0; n < maxInText && w.tick(); n++ {
		begin, end := base64Run(b)
		if begin < 0 {
			return
		}
		data, err := io.ReadAll(message.NewTransferDecoder("base64", bytes.NewReader(b[begin:end])))
		b = b[end:]
		if err != nil || len(data) < 16 || !worthOpening(data) {
			continue
		}
		here := a.in(fmt.Sprint("base64 ", n+1))
		if !w.member(here) || !w.spend(int64(len(data))) {
			return
		}
		w.file(here, source{data: data})
	}
}

// base64Value reads a value of JSON or XML that is a file in base64; false when it is none.
func (w *walker) base64Value(here at, v string) bool {
	const enough = 100
	if len(v) < enough || strings.ContainsAny(v[:enough], " {<") {
		return false
	}
	v = strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', ' ', '\t':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, v)
	if !isBase64Line([]byte(v)) {
		return false
	}
	data, err := io.ReadAll(message.NewTransferDecoder("base64", strings.NewReader(v)))
	if err != nil || len(data) < 16 || !worthOpening(data) {
		return false
	}
	if w.member(here) && w.spend(int64(len(data))) {
		w.file(here, source{data: data})
	}
	return true
}

func worthOpening(data []byte) bool {
	k := sniff(&source{data: data})
	if k.apart {
		return k.name != "unknown binary" && k.name != "pgp" && !inert[k.name]
	}
	head := data[:min(len(data), 4096)]
	return (utf8.Valid(trimPartial(head)) || utf16Order(head) != "") && mostlyPrinted(decodeUpTo(&source{data: data}, 4096))
}

// base64Run is the first stretch of lines that are base64 and nothing else; -1: none. Marks
// of quoting before them don't count.
func base64Run(b []byte) (begin, end int) {
	const enough = 200
	begin = -1
	letters := 0
	for pos := 0; pos < len(b); {
		next := len(b)
		if i := bytes.IndexByte(b[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		line := bytes.Trim(b[pos:next], "\r\n \t>")
		full := len(line) >= 40 && isBase64Line(line)
		last := begin >= 0 && len(line) > 0 && isBase64Line(line)
		switch {
		case full || last:
			if begin < 0 {
				begin = pos
			}
			letters += len(line)
			if !full { // a short line is the last one
				if letters >= enough {
					return begin, next
				}
				begin, letters = -1, 0
			}
		case begin >= 0 && letters >= enough:
			return begin, pos
		default:
			begin, letters = -1, 0
		}
		pos = next
	}
	if begin >= 0 && letters >= enough {
		return begin, len(b)
	}
	return -1, 0
}

func isBase64Line(line []byte) bool {
	line = bytes.TrimRight(line, "=")
	for _, c := range line {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// yenc reads files in yEnc.
func (w *walker) yenc(a at, b []byte) {
	for n := 0; n < maxInText && w.tick(); n++ {
		i := bytes.Index(b, []byte("=ybegin "))
		if i < 0 {
			return
		}
		head, rest, ok := bytes.Cut(b[i:], []byte("\n"))
		if !ok {
			return
		}
		end := bytes.Index(rest, []byte("=yend"))
		if end < 0 {
			end = len(rest)
		}
		b = rest[end:]
		_, name, _ := strings.Cut(strings.TrimSpace(decode(&source{data: head}, 0)), "name=")
		w.block(a, name, unyenc(rest[:end]))
	}
}

func unyenc(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if bytes.HasPrefix(line, []byte("=ypart ")) {
			continue
		}
		for i := 0; i < len(line); i++ {
			c := line[i]
			if c == '=' && i+1 < len(line) {
				i++
				c = line[i] - 64
			}
			out = append(out, c-42)
		}
	}
	return out
}

// block reads a file that stands in a text.
func (w *walker) block(a at, name string, data []byte) {
	if len(data) == 0 {
		return
	}
	here := a.in("file " + quoted(name))
	w.name(here, name)
	if w.member(here) && w.spend(int64(len(data))) {
		w.file(here, source{name: name, data: data})
	}
}

const binhexLetters = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"

// binhex reads files in BinHex 4 (RFC 1741 section 5).
func (w *walker) binhex(a at, b []byte) {
	for n := 0; n < maxInText && w.tick(); n++ {
		i := bytes.Index(b, []byte("(This file must be converted with BinHex"))
		if i < 0 {
			return
		}
		_, b, _ = bytes.Cut(b[i:], []byte("\n"))
		begin := bytes.IndexByte(b, ':')
		if begin < 0 {
			return
		}
		text, rest, _ := bytes.Cut(b[begin+1:], []byte(":"))
		b = rest
		f := unbinhex(text)
		// A name with its length, then 1 + 4 + 4 + 2 octets, two lengths, a checksum.
		if len(f) < 22 || len(f) < int(f[0])+22 {
			continue
		}
		name := string(f[1 : 1+f[0]])
		h := f[1+f[0]:]
		size := int(h[11])<<24 | int(h[12])<<16 | int(h[13])<<8 | int(h[14])
		w.block(a, name, h[21:min(len(h), 21+max(size, 0))])
	}
}

func unbinhex(text []byte) []byte {
	var raw []byte
	acc, bits := 0, 0
	for _, c := range text {
		v := strings.IndexByte(binhexLetters, c)
		if v < 0 {
			continue
		}
		acc, bits = acc<<6|v, bits+6
		if bits >= 8 {
			bits -= 8
			raw = append(raw, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	var out []byte
	for i := 0; i < len(raw); i++ { // 0x90 says how often the octet before it stands there
		if raw[i] != 0x90 || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch n := int(raw[i]); {
		case n == 0:
			out = append(out, 0x90)
		case len(out) > 64<<20:
			return out
		case len(out) > 0:
			out = append(out, bytes.Repeat(out[len(out)-1:], n-1)...)
		}
	}
	return out
}
