package message

import "strings"

// maxAddresses bounds the addresses of one field that are looked at.
const maxAddresses = 4096

// Address is one mailbox of an address field. A group is a run of addresses
// between one with Mailbox alone set to the group's name and Host "" and Group
// GroupStart, and one with GroupEnd.
type Address struct {
	Name    string // as it came: encoded words are not decoded
	Route   string // source route, "@a,@b" (RFC 5322 section 4.4)
	Mailbox string // local part, quotes removed
	Host    string
	Group   GroupMark
}

// GroupMark tells where a group begins and ends (RFC 9051 section 2.3.5).
type GroupMark uint8

const (
	NoGroup GroupMark = iota
	GroupStart
	GroupEnd
)

// Addr is mailbox@host.
func (a *Address) Addr() string {
	if a.Host == "" {
		return a.Mailbox
	}
	return a.Mailbox + "@" + a.Host
}

// ParseAddresses reads an address list as mail clients do: obsolete forms, missing
// commas and broken quoting never lose the addresses beside them.
func ParseAddresses(v []byte) []Address {
	l := &lister{scanner: scanner{in: unfold(v)}}
	for len(l.out) < maxAddresses && l.next() {
	}
	if l.group {
		l.out = append(l.out, Address{Group: GroupEnd})
	}
	return l.out
}

type lister struct {
	scanner
	out     []Address
	group   bool
	comment string // the last one seen, which old mail uses for the name
}

// next reads one address, or one separator.
func (l *lister) next() bool {
	l.skip()
	if l.pos >= len(l.in) {
		return false
	}
	switch l.in[l.pos] {
	case ',':
		l.pos++
		return true
	case ';':
		l.pos++
		if l.group {
			l.group = false
			l.out = append(l.out, Address{Group: GroupEnd})
		}
		return true
	}
	l.comment = ""
	before := l.pos
	words := l.words()
	switch {
	case l.at('<'):
		a := l.angle()
		a.Name = words
		l.add(a)
	case l.at(':') && !l.group:
		l.pos++
		l.group = true
		l.out = append(l.out, Address{Mailbox: words, Group: GroupStart})
	case l.at('@'):
		l.pos++
		l.add(Address{Mailbox: words, Host: l.host()})
	case words != "":
		l.add(Address{Mailbox: words})
	}
	if l.pos == before { // an octet that fits nowhere
		l.pos++
	}
	return true
}

func (l *lister) add(a Address) {
	l.skip()
	if a.Name == "" {
		a.Name = l.comment
	}
	if a.Mailbox != "" || a.Host != "" || a.Name != "" {
		l.out = append(l.out, a)
	}
}

func (l *lister) at(c byte) bool { return l.pos < len(l.in) && l.in[l.pos] == c }

// skip passes blanks and comments, and keeps the text of the last comment.
func (l *lister) skip() {
	start := l.pos
	l.blanks()
	passed := l.in[start:l.pos]
	if open := strings.IndexByte(passed, '('); open >= 0 {
		c := strings.TrimSpace(passed[open+1:])
		l.comment = strings.TrimSpace(strings.TrimSuffix(c, ")"))
	}
}

// words reads atoms and quoted strings up to a special octet; the blanks between
// them become one.
func (l *lister) words() string {
	var b strings.Builder
	for {
		before := l.pos
		l.skip()
		if l.pos >= len(l.in) || strings.IndexByte("<>@,;:", l.in[l.pos]) >= 0 {
			return b.String()
		}
		if b.Len() > 0 && l.pos > before {
			b.WriteByte(' ')
		}
		if l.in[l.pos] == '"' {
			b.WriteString(l.quoted())
			continue
		}
		start := l.pos
		for l.pos < len(l.in) && strings.IndexByte("<>@,;:\"( \t\r\n", l.in[l.pos]) < 0 {
			l.pos++
		}
		b.WriteString(l.in[start:l.pos])
	}
}

// angle reads <route:mailbox@host>; the closing bracket may be missing.
func (l *lister) angle() Address {
	l.pos++
	var a Address
	l.skip()
	if l.at('@') { // a source route
		if end := strings.IndexAny(l.near(), ":>"); end >= 0 && l.in[l.pos+end] == ':' {
			a.Route = strings.TrimSpace(l.in[l.pos : l.pos+end])
			l.pos += end + 1
		}
	}
	a.Mailbox = l.words()
	if l.at('@') {
		l.pos++
		a.Host = l.host()
	}
	for l.pos < len(l.in) && l.in[l.pos] != '>' && l.in[l.pos] != ',' {
		l.pos++
	}
	if l.at('>') {
		l.pos++
	}
	return a
}

// near is what a look ahead may cost: without it, a field of a million brackets
// would be read a million times.
func (l *lister) near() string { return l.in[l.pos:min(len(l.in), l.pos+1024)] }

// host reads a domain or an address literal, and a second @ as part of it. Blanks and
// comments around dots are left out (obs-domain, RFC 5322 section 4.4).
func (l *lister) host() string {
	l.skip()
	if l.at('[') {
		if end := strings.IndexByte(l.near(), ']'); end > 0 {
			h := l.in[l.pos : l.pos+end+1]
			l.pos += end + 1
			return h
		}
	}
	h := l.label()
	for len(h) < maxDomain {
		last := l.pos
		l.blanks()
		if l.pos == last || !l.at('.') && (!strings.HasSuffix(h, ".") || l.pos >= len(l.in)) {
			l.pos = last
			break
		}
		more := l.label()
		if more == "" {
			break
		}
		h += more
	}
	return h
}

// maxDomain is where pieces of a domain are no longer put together: none is so long.
const maxDomain = 512

// label reads up to an octet that is no part of a domain.
func (l *lister) label() string {
	start := l.pos
	for l.pos < len(l.in) && strings.IndexByte("<>,;:\"( \t\r\n", l.in[l.pos]) < 0 {
		l.pos++
	}
	return l.in[start:l.pos]
}
