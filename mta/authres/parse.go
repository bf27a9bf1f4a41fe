package authres

import (
	"errors"
	"strings"

	"sampul/internal/dns"
	"sampul/internal/message"
)

// Limits of a field that others wrote.
const (
	maxField   = 64 << 10
	maxMethods = 200
	maxProps   = 50
)

// A Field is an Authentication-Results field, read.
type Field struct {
	ServID  string // lower case, without a last dot
	Methods []Method
}

// A Method is what a field says of one check.
type Method struct {
	Method string // lower case
	Result string // lower case
	Reason string
	Props  map[string]string // by ptype.property, lower case
}

var errField = errors.New("no Authentication-Results field")

// Parse reads the value of an Authentication-Results field (RFC 8601 section 2.2), comments
// and folding included. What came before a mistake is given with the error.
func Parse(v string) (*Field, error) {
	if len(v) > maxField {
		return nil, errField
	}
	l := &lexer{in: v}
	f := &Field{}
	id, ok := l.value()
	if !ok {
		return nil, errField
	}
	f.ServID = dns.Name(id)
	if l.skip(); !l.at(';') && !l.over() {
		if _, ok := l.value(); !ok { // a version
			return f, errField
		}
	}
	for l.skip(); l.at(';'); l.skip() {
		l.pos++
		if l.skip(); l.over() {
			break // a last semicolon
		}
		m, ok := l.method()
		if !ok || len(f.Methods) == maxMethods {
			return f, errField
		}
		if m != nil {
			f.Methods = append(f.Methods, *m)
		}
	}
	if !l.over() || l.bad {
		return f, errField
	}
	return f, nil
}

// A lexer reads tokens, quoted strings, and passes over blanks and comments.
type lexer struct {
	in  string
	pos int
	bad bool // a comment or a string has no end
}

func (l *lexer) over() bool { return l.pos >= len(l.in) }

func (l *lexer) at(c byte) bool { return l.pos < len(l.in) && l.in[l.pos] == c }

// skip passes over CFWS; comments nest, and are counted.
func (l *lexer) skip() {
	depth := 0
	for ; l.pos < len(l.in); l.pos++ {
		switch c := l.in[l.pos]; {
		case c == '(':
			depth++
		case depth > 0 && c == ')':
			depth--
		case depth > 0 && c == '\\':
			l.pos++
		case depth > 0, c == ' ', c == '\t', c == '\r', c == '\n':
		default:
			return
		}
	}
	l.pos = min(l.pos, len(l.in))
	l.bad = l.bad || depth > 0
}

// value reads a token with more letters than RFC 2045 allows, or a quoted string.
func (l *lexer) value() (string, bool) {
	l.skip()
	if l.at('"') {
		return l.quoted()
	}
	start := l.pos
	for l.pos < len(l.in) && strings.IndexByte(" \t\r\n();\"", l.in[l.pos]) < 0 {
		l.pos++
	}
	return l.in[start:l.pos], l.pos > start
}

func (l *lexer) quoted() (string, bool) {
	var b strings.Builder
	for l.pos++; l.pos < len(l.in); l.pos++ {
		switch c := l.in[l.pos]; c {
		case '"':
			l.pos++
			return b.String(), true
		case '\\':
			if l.pos++; l.pos < len(l.in) {
				b.WriteByte(l.in[l.pos])
			}
		case '\r', '\n':
		default:
			b.WriteByte(c)
		}
	}
	l.bad = true
	return "", false
}

// word reads up to one of the stops.
func (l *lexer) word(stops string) string {
	l.skip()
	start := l.pos
	for l.pos < len(l.in) && strings.IndexByte(" \t\r\n();\""+stops, l.in[l.pos]) < 0 {
		l.pos++
	}
	return strings.ToLower(l.in[start:l.pos])
}

// method reads method=result with reason and properties; nil for the word none.
func (l *lexer) method() (*Method, bool) {
	name := l.word("=/")
	if l.skip(); l.at('/') { // a version of the method
		l.pos++
		l.word("=")
		l.skip()
	}
	if !l.at('=') {
		return nil, name == "none"
	}
	l.pos++
	m := &Method{Method: name, Result: l.word(""), Props: map[string]string{}}
	if name == "" || m.Result == "" {
		return nil, false
	}
	for l.skip(); !l.over() && !l.at(';'); l.skip() {
		key := l.word("=.")
		if l.skip(); l.at('.') {
			l.pos++
			key += "." + l.word("=")
			l.skip()
		}
		if !l.at('=') || len(m.Props) == maxProps {
			return nil, false
		}
		l.pos++
		v, ok := l.value()
		if !ok {
			return nil, false
		}
		if key == "reason" {
			m.Reason = v
		} else if _, twice := m.Props[key]; !twice {
			m.Props[key] = v
		}
	}
	return m, true
}

// ForgedResults are the places, in x.Parts[0].Fields, of Authentication-Results fields
// that claim to be ours. They must go before our own is added, since programs inside
// believe them (RFC 8601 section 5). A field that cannot be read far enough to know whose
// it is counts as one: others may read it otherwise.
func ForgedResults(x *message.Index, hostname string) []int {
	hostname = dns.Name(hostname)
	var out []int
	for i := range x.Parts[0].Fields {
		f := &x.Parts[0].Fields[i]
		if !strings.EqualFold(f.Name, "Authentication-Results") {
			continue
		}
		l := &lexer{in: string(f.Value)}
		id, ok := l.value()
		if !ok || l.bad || aLabels(id) == hostname || looksLike(id, hostname) {
			out = append(out, i)
		}
	}
	return out
}

// looksLike catches what a lenient reader may take for the name: with octets around it
// that are no letters of a host name.
func looksLike(id, hostname string) bool {
	return dns.Name(strings.TrimFunc(id, func(r rune) bool {
		return !(r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9')
	})) == hostname
}
