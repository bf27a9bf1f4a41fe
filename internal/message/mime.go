package message

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// ParamValue is the value of the parameter name, in lower case, or "".
func ParamValue(params []Param, name string) string {
	for _, p := range params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Get is the unfolded, trimmed value of the part's first field of that name, or "".
func (p *Part) Get(name string) string {
	for i := range p.Fields {
		if strings.EqualFold(p.Fields[i].Name, name) {
			return unfold(p.Fields[i].Value)
		}
	}
	return ""
}

// FileName is the name that a mail client would show for the part, decoded, or "".
func (p *Part) FileName() string {
	if n := ParamValue(p.DispParams, "filename"); n != "" {
		return n
	}
	return ParamValue(p.Params, "name")
}

// readMIME fills the MIME properties of p from its fields. It tells whether a field
// had more parameters than max.
func readMIME(p *Part, digest bool, max int) (over bool) {
	p.Type, p.Subtype, p.Encoding = "text", "plain", "7bit"
	if digest {
		p.Type, p.Subtype = "message", "rfc822"
	}
	seen := make(map[string]bool, 4)
	for i := range p.Fields {
		f := &p.Fields[i]
		if len(f.Name) < 11 || !strings.EqualFold(f.Name[:8], "content-") {
			continue
		}
		name := strings.ToLower(f.Name)
		if seen[name] { // the first one counts, as in mail clients
			continue
		}
		seen[name] = true
		v := unfold(f.Value)
		switch name {
		case "content-type":
			over = p.readType(v, max) || over
		case "content-disposition":
			var past bool
			s := scanner{in: v}
			p.Disposition = strings.ToLower(s.token())
			p.DispParams, past = s.params(max)
			over = over || past
		case "content-transfer-encoding":
			p.Encoding = encodingName(v)
		case "content-id":
			p.ID = v
		case "content-description":
			p.Description = v
		case "content-location":
			p.Location = v
		case "content-md5":
			p.MD5 = v
		case "content-language":
			p.Language = languages(v)
		}
	}
	return over
}

func (p *Part) readType(v string, max int) (over bool) {
	s := scanner{in: v}
	t := strings.ToLower(s.token())
	sub := ""
	if s.accept('/') {
		sub = strings.ToLower(s.token())
	}
	if t == "" || sub == "" {
		if t == "text" { // "Content-Type: text", from before MIME
			p.Params, over = s.params(max)
		}
		return over
	}
	p.Type, p.Subtype = t, sub
	p.Params, over = s.params(max)
	return over
}

// encodingName reads Content-Transfer-Encoding; "8-bit" and the like are seen.
func encodingName(v string) string {
	s := scanner{in: v}
	switch e := strings.ToLower(s.token()); e {
	case "", "7-bit":
		return "7bit"
	case "8-bit":
		return "8bit"
	default:
		return e
	}
}

func languages(v string) []string {
	var out []string
	for l := range strings.SplitSeq(v, ",") {
		if l = strings.TrimSpace(l); l != "" && len(out) < 32 {
			out = append(out, l)
		}
	}
	return out
}

// unfold removes line ends and the blanks around the value (RFC 5322 section 2.2.3).
func unfold(v []byte) string {
	s := strings.TrimSpace(string(v))
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(s)
}

// A scanner reads the words of a structured field (RFC 2045 section 5.1).
type scanner struct {
	in  string
	pos int
}

// blanks skips white space and comments (RFC 5322 section 3.2.2).
func (s *scanner) blanks() {
	depth := 0
	for ; s.pos < len(s.in); s.pos++ {
		switch c := s.in[s.pos]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			s.pos++
		case depth > 0, c == ' ', c == '\t', c == '\r', c == '\n':
		default:
			return
		}
	}
	s.pos = min(s.pos, len(s.in))
}

func (s *scanner) accept(c byte) bool {
	s.blanks()
	if s.pos < len(s.in) && s.in[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// token reads up to a special octet; a quoted string counts as one.
func (s *scanner) token() string {
	s.blanks()
	if s.pos < len(s.in) && s.in[s.pos] == '"' {
		return s.quoted()
	}
	start := s.pos
	for s.pos < len(s.in) && !strings.ContainsRune(" \t\r\n;=/\"(),", rune(s.in[s.pos])) {
		s.pos++
	}
	return s.in[start:s.pos]
}

// value reads a parameter's value: all up to a semicolon, since blanks, slashes
// and other specials stand in unquoted values of real mail.
func (s *scanner) value() string {
	s.blanks()
	if s.pos < len(s.in) && s.in[s.pos] == '"' {
		return s.quoted()
	}
	start := s.pos
	for s.pos < len(s.in) && s.in[s.pos] != ';' {
		s.pos++
	}
	v := s.in[start:s.pos]
	if i := strings.Index(v, " ("); i >= 0 {
		v = v[:i]
	}
	return strings.TrimSpace(v)
}

func (s *scanner) quoted() string {
	s.pos++
	var b strings.Builder
	for ; s.pos < len(s.in); s.pos++ {
		switch c := s.in[s.pos]; c {
		case '"':
			s.pos++
			return b.String()
		case '\\':
			if s.pos+1 < len(s.in) {
				s.pos++
				b.WriteByte(s.in[s.pos])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// params reads parameters, decodes them, and joins those in pieces.
func (s *scanner) params(max int) (out []Param, over bool) {
	var pieces []piece
	for s.pos < len(s.in) {
		s.blanks()
		if s.pos >= len(s.in) {
			break
		}
		if s.in[s.pos] == ';' {
			s.pos++
			continue
		}
		before := s.pos
		name := strings.ToLower(s.token())
		if s.accept('=') {
			v := s.value()
			if len(out)+len(pieces) >= max {
				return out, true
			}
			if p, ok := splitPiece(name, v); ok {
				pieces = append(pieces, p)
			} else if name != "" {
				out = append(out, Param{name, DecodeHeader([]byte(v))})
			}
		}
		if s.pos == before {
			s.pos++
		}
	}
	return joinPieces(out, pieces), false
}

// A piece is one part of a parameter of RFC 2231: name*, name*0, name*1*.
type piece struct {
	name    string
	n       int
	encoded bool
	value   string
}

func splitPiece(name, value string) (piece, bool) {
	base, rest, ok := strings.Cut(name, "*")
	if !ok || base == "" {
		return piece{}, false
	}
	p := piece{name: base, value: value}
	if strings.HasSuffix(rest, "*") || rest == "" {
		p.encoded = true
		rest = strings.TrimSuffix(rest, "*")
	}
	if rest != "" {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return piece{}, false
		}
		p.n = n
	}
	return p, true
}

// joinPieces adds parameters that came in pieces (RFC 2231 sections 3 and 4). They
// win over a plain one of the same name, as in mail clients.
func joinPieces(out []Param, pieces []piece) []Param {
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(strings.Compare(a.name, b.name), a.n-b.n)
	})
	for len(pieces) > 0 {
		name, charset := pieces[0].name, ""
		var raw []byte
		for i := 0; len(pieces) > 0 && pieces[0].name == name; i++ {
			v := pieces[0].value
			if pieces[0].encoded {
				if cs, rest, ok := strings.Cut(v, "'"); ok && i == 0 {
					if _, text, ok := strings.Cut(rest, "'"); ok {
						charset, v = cs, text
					}
				}
				v = unpercent(v)
			}
			raw = append(raw, v...)
			pieces = pieces[1:]
		}
		p := Param{name, DecodeCharset(charset, raw)}
		if at := slices.IndexFunc(out, func(o Param) bool { return o.Name == name }); at >= 0 {
			out[at] = p
		} else {
			out = append(out, p)
		}
	}
	return out
}

func unpercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
