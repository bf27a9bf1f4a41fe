package extract

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sampul/internal/message"
)

// A pdfValue is a value of PDF's syntax (ISO 32000 section 7.3): nil, bool, float64,
// pdfName, pdfString, pdfRef, []pdfValue or pdfDict.
type pdfValue any

type (
	pdfName   string
	pdfString []byte
	pdfRef    int
	pdfDict   map[string]pdfValue
)

// A pdfParser reads values. What is no PDF gives nil: it never fails.
type pdfParser struct {
	b     []byte
	i     int
	depth int
	steps int // values that may still be read
}

const (
	maxPDFDepth  = 60
	maxPDFValues = 200_000 // in one object
)

func (p *pdfParser) blanks() {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0:
			p.i++
		case c == '%':
			for p.i < len(p.b) && p.b[p.i] != '\n' && p.b[p.i] != '\r' {
				p.i++
			}
		default:
			return
		}
	}
}

func pdfDelimiter(c byte) bool {
	return c <= ' ' || strings.IndexByte("()<>[]{}/%", c) >= 0
}

// token is letters and digits up to the next blank or sign.
func (p *pdfParser) token() string {
	start := p.i
	for p.i < len(p.b) && !pdfDelimiter(p.b[p.i]) && p.i-start < 128 {
		p.i++
	}
	return string(p.b[start:p.i])
}

func (p *pdfParser) value() pdfValue {
	p.blanks()
	if p.steps--; p.i >= len(p.b) || p.steps < 0 || p.depth > maxPDFDepth {
		p.i = len(p.b)
		return nil
	}
	switch c := p.b[p.i]; {
	case c == '/':
		p.i++
		return pdfName(unescapeName(p.token()))
	case c == '(':
		return p.literal()
	case c == '<' && p.i+1 < len(p.b) && p.b[p.i+1] == '<':
		p.i += 2
		return p.dict()
	case c == '<':
		return p.hex()
	case c == '[':
		p.i++
		return p.array()
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.numberOrRef()
	case pdfDelimiter(c):
		p.i++
		return nil
	}
	switch p.token() {
	case "true":
		return true
	case "false":
		return false
	}
	return nil
}

func (p *pdfParser) numberOrRef() pdfValue {
	f, err := strconv.ParseFloat(p.token(), 64)
	if err != nil {
		return nil
	}
	if f < 0 || f != float64(int(f)) {
		return f
	}
	at := p.i
	p.blanks()
	if g := p.token(); g != "" && len(g) <= 5 && strings.Trim(g, "0123456789") == "" {
		p.blanks()
		if p.i < len(p.b) && p.b[p.i] == 'R' && (p.i+1 == len(p.b) || pdfDelimiter(p.b[p.i+1])) {
			p.i++
			return pdfRef(int(f))
		}
	}
	p.i = at
	return f
}

func (p *pdfParser) array() pdfValue {
	p.depth++
	defer func() { p.depth-- }()
	var out []pdfValue
	for {
		p.blanks()
		if p.i >= len(p.b) || p.steps < 0 {
			return out
		}
		if p.b[p.i] == ']' {
			p.i++
			return out
		}
		out = append(out, p.value())
	}
}

func (p *pdfParser) dict() pdfDict {
	p.depth++
	defer func() { p.depth-- }()
	out := pdfDict{}
	for {
		p.blanks()
		if p.i >= len(p.b) || p.steps < 0 {
			return out
		}
		switch {
		case bytes.HasPrefix(p.b[p.i:], []byte(">>")):
			p.i += 2
			return out
		case p.b[p.i] == '/':
			p.i++
			key := unescapeName(p.token())
			p.blanks()
			if p.i < len(p.b) && p.b[p.i] == '>' {
				continue
			}
			out[key] = p.value()
		case bytes.HasPrefix(p.b[p.i:], []byte("endobj")), bytes.HasPrefix(p.b[p.i:], []byte("stream")):
			return out
		default:
			p.value() // out of place
		}
	}
}

func unescapeName(s string) string {
	if !strings.Contains(s, "#") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// literal is a string in brackets.
func (p *pdfParser) literal() pdfString {
	var out pdfString
	depth := 0
	for ; p.i < len(p.b) && len(out) < maxPDFString; p.i++ {
		switch c := p.b[p.i]; c {
		case '(':
			if depth++; depth > 1 {
				out = append(out, c)
			}
		case ')':
			if depth--; depth == 0 {
				p.i++
				return out
			}
			out = append(out, c)
		case '\\':
			out = p.escape(out)
		default:
			out = append(out, c)
		}
	}
	return out
}

func (p *pdfParser) escape(out pdfString) pdfString {
	if p.i+1 >= len(p.b) {
		return out
	}
	p.i++
	c := p.b[p.i]
	switch {
	case c >= '0' && c <= '7':
		v := 0
		n := 0
		for ; n < 3 && p.i+n < len(p.b) && p.b[p.i+n] >= '0' && p.b[p.i+n] <= '7'; n++ {
			v = v*8 + int(p.b[p.i+n]-'0')
		}
		p.i += n - 1
		return append(out, byte(v))
	case c == '\r' && p.i+1 < len(p.b) && p.b[p.i+1] == '\n':
		p.i++
		return out
	case c == '\n' || c == '\r':
		return out
	}
	if i := strings.IndexByte("nrtbf", c); i >= 0 {
		c = "\n\r\t\b\f"[i]
	}
	return append(out, c)
}

func (p *pdfParser) hex() pdfString {
	var out pdfString
	p.i++
	half, have := byte(0), false
	for ; p.i < len(p.b) && len(out) < maxPDFString; p.i++ {
		c := p.b[p.i]
		if c == '>' {
			p.i++
			break
		}
		v, ok := pdfHex(c)
		switch {
		case !ok:
		case have:
			out, have = append(out, half<<4|v), false
		default:
			half, have = v, true
		}
	}
	if have {
		out = append(out, half<<4)
	}
	return out
}

func pdfHex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// text is a string for people: UTF-16, UTF-8 or PDFDocEncoding.
func (s pdfString) text() string {
	switch {
	case bytes.HasPrefix(s, []byte("\xfe\xff")):
		var u []uint16
		for b := s[2:]; len(b) >= 2; b = b[2:] {
			u = append(u, uint16(b[0])<<8|uint16(b[1]))
		}
		return string(utf16.Decode(u))
	case bytes.HasPrefix(s, []byte("\xff\xfe")):
		return utf16String(s[2:])
	case bytes.HasPrefix(s, []byte("\xef\xbb\xbf")):
		return string(s[3:])
	case utf8.Valid(s):
		return string(s)
	}
	return message.DecodeCharset("windows-1252", s)
}

func (d pdfDict) name(key string) string {
	n, _ := d[key].(pdfName)
	return string(n)
}

func (d pdfDict) text(key string) string {
	switch v := d[key].(type) {
	case pdfString:
		return v.text()
	case pdfName:
		return string(v)
	}
	return ""
}

// pdfWrite writes a value as it stands in a file.
func pdfWrite(out *bytes.Buffer, v pdfValue) {
	switch v := v.(type) {
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case float64:
		out.WriteString(strconv.FormatFloat(v, 'f', -1, 64))
	case pdfName:
		out.WriteByte('/')
		for i := range len(v) {
			if c := v[i]; c <= ' ' || c > '~' || c == '#' || pdfDelimiter(c) {
				fmt.Fprintf(out, "#%02x", c)
			} else {
				out.WriteByte(c)
			}
		}
	case pdfString:
		fmt.Fprintf(out, "<%x>", []byte(v))
	case pdfRef:
		fmt.Fprintf(out, "%d 0 R", int(v))
	case []pdfValue:
		out.WriteByte('[')
		for _, x := range v {
			pdfWrite(out, x)
			out.WriteByte(' ')
		}
		out.WriteByte(']')
	case pdfDict:
		out.WriteString("<<")
		for _, k := range slices.Sorted(maps.Keys(v)) {
			pdfWrite(out, pdfName(k))
			out.WriteByte(' ')
			pdfWrite(out, v[k])
			out.WriteByte('\n')
		}
		out.WriteString(">>")
	default:
		out.WriteString("null")
	}
}
