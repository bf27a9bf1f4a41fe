package imapd

import (
	"context"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// listing is what LIST asks for (RFC 9051 section 6.3.9).
type listing struct {
	reference string
	patterns  []string

	subscribed, recursive, special bool // selection options

	statusItems []string // RETURN (STATUS (...))
	extended    bool
}

func list(ctx context.Context, s *session, _ *call) error {
	var l listing
	if err := s.readList(&l); err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if !l.extended && len(l.patterns) == 1 && l.patterns[0] == "" {
		s.puts("* LIST (\\Noselect) \"/\" \"\"\r\n")
		return nil
	}
	boxes, err := s.srv.deps.Store.Mailboxes(ctx, s.actor, s.actor.Account)
	if err != nil {
		return err
	}
	for _, e := range l.entries(boxes) {
		s.listLine("LIST", e.attributes(&l), e.info.Name)
		if e.childSubscribed {
			s.out = s.out[:len(s.out)-2]
			s.puts(" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n")
		}
		if len(l.statusItems) > 0 && e.info.Exists {
			if err := s.statusOf(ctx, e.info.Name, l.statusItems); err != nil {
				return err
			}
		}
		if err := s.spill(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) listLine(kind string, attributes []string, name string) {
	s.puts("* " + kind + " (" + strings.Join(attributes, " ") + ") \"/\" ")
	s.out = wire.AppendMailbox(s.out, name, s.utf8)
	s.puts("\r\n")
}

func (s *session) readList(l *listing) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	c, err := s.in.Next()
	if err != nil {
		return err
	}
	if c == '(' {
		l.extended = true
		if err := s.in.List(func() error { return s.selectionOption(l) }); err != nil {
			return err
		}
		if l.recursive && !l.subscribed {
			return wire.SyntaxError("RECURSIVEMATCH needs another selection option")
		}
		if err := s.in.SP(); err != nil {
			return err
		}
	}
	if l.reference, err = s.in.AString(); err != nil {
		return err
	}
	if l.reference, err = wire.DecodeName(l.reference, s.utf8); err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	one := func() error {
		p, err := s.in.Pattern()
		l.patterns = append(l.patterns, p)
		return err
	}
	if c, err = s.in.Next(); err != nil {
		return err
	}
	if c == '(' {
		l.extended = true
		if err := s.in.List(one); err != nil {
			return err
		}
		if len(l.patterns) > 100 {
			return wire.LimitError("too many patterns")
		}
	} else if err := one(); err != nil {
		return err
	}
	return s.returnOptions(l)
}

func (s *session) selectionOption(l *listing) error {
	w, err := s.in.Word()
	if err != nil {
		return err
	}
	switch w {
	case "SUBSCRIBED":
		l.subscribed = true
	case "RECURSIVEMATCH":
		l.recursive = true
	case "SPECIAL-USE":
		l.special = true
	case "REMOTE": // there are none
	default:
		return wire.SyntaxError("LIST does not know " + w)
	}
	return nil
}

func (s *session) returnOptions(l *listing) error {
	more, err := s.in.More()
	if err != nil || !more {
		return err
	}
	w, err := s.in.Word()
	if err != nil {
		return err
	}
	if w != "RETURN" {
		return wire.SyntaxError("RETURN is expected")
	}
	l.extended = true
	if err := s.in.SP(); err != nil {
		return err
	}
	return s.in.List(func() error {
		w, err := s.in.Word()
		if err != nil {
			return err
		}
		switch w {
		case "SUBSCRIBED", "CHILDREN", "SPECIAL-USE": // always returned
		case "STATUS":
			if err := s.in.SP(); err != nil {
				return err
			}
			l.statusItems, err = s.statusItems()
			return err
		default:
			return wire.SyntaxError("LIST does not return " + w)
		}
		return nil
	})
}

// An entry is one line of LIST.
type entry struct {
	info            store.MailboxInfo
	children        bool
	childSubscribed bool // something below it is, and does not match by itself
}

// entries are the lines that a listing gives, in the order of names.
func (l *listing) entries(boxes []store.MailboxInfo) []entry {
	all := withParents(boxes)
	children, below := map[string]bool{}, map[string]bool{}
	for _, d := range all {
		shown := l.matches(d.Name)
		for i, c := range d.Name {
			if c == '/' {
				children[d.Name[:i]] = children[d.Name[:i]] || d.Exists
				below[d.Name[:i]] = below[d.Name[:i]] || d.Subscribed && !shown
			}
		}
	}
	var out []entry
	for _, b := range all {
		if !l.matches(b.Name) {
			continue
		}
		e := entry{info: b, children: children[b.Name], childSubscribed: l.recursive && below[b.Name]}
		switch {
		case l.subscribed && !b.Subscribed && !e.childSubscribed:
			continue
		case l.special && b.Use == "":
			continue
		case !b.Exists && !l.subscribed && !e.children:
			continue
		}
		out = append(out, e)
	}
	return out
}

// withParents adds the levels that names go through and that are no mailboxes.
func withParents(boxes []store.MailboxInfo) []store.MailboxInfo {
	have := make(map[string]bool, len(boxes))
	for _, b := range boxes {
		have[b.Name] = true
	}
	out := boxes
	for _, b := range boxes {
		for i, c := range b.Name {
			if c == '/' && i > 0 && !have[b.Name[:i]] {
				have[b.Name[:i]] = true
				out = append(out, store.MailboxInfo{Name: b.Name[:i]})
			}
		}
	}
	return out
}

func (l *listing) matches(name string) bool {
	for _, p := range l.patterns {
		if match(l.reference+p, name) {
			return true
		}
	}
	return false
}

// match compares a name with a pattern: * is anything, % anything within one level.
// Its time is that of their lengths multiplied.
func match(pattern, name string) bool {
	if len(pattern) > 1000 {
		return false
	}
	if rest, ok := cutInbox(pattern); ok {
		pattern = "INBOX" + rest
	}
	reach := make([]bool, len(name)+1) // name[:i] matches the pattern so far
	reach[0] = true
	for p := range len(pattern) {
		switch c := pattern[p]; c {
		case '*', '%':
			on := false
			for i := range reach {
				if i > 0 && c == '%' && name[i-1] == '/' {
					on = false
				}
				on = on || reach[i]
				reach[i] = on
			}
		default:
			for i := len(name); i > 0; i-- {
				reach[i] = reach[i-1] && name[i-1] == c
			}
			reach[0] = false
		}
	}
	return reach[len(name)]
}

// cutInbox knows INBOX in any case.
func cutInbox(pattern string) (rest string, ok bool) {
	if len(pattern) < 5 || !strings.EqualFold(pattern[:5], "INBOX") || len(pattern) > 5 && pattern[5] != '/' {
		return "", false
	}
	return pattern[5:], true
}

func (e *entry) attributes(l *listing) (out []string) {
	if !e.info.Exists {
		out = append(out, `\NonExistent`)
		if !l.extended {
			out[0] = `\Noselect`
		}
	}
	if e.children {
		out = append(out, `\HasChildren`)
	} else {
		out = append(out, `\HasNoChildren`)
	}
	if e.info.Subscribed && l.extended {
		out = append(out, `\Subscribed`)
	}
	if e.info.Use != "" {
		out = append(out, e.info.Use)
	}
	return out
}

// lsub is LSUB (RFC 3501 section 6.3.9): % shows levels above subscribed ones.
func lsub(ctx context.Context, s *session, _ *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	reference, err := s.in.AString()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	pattern, err := s.in.Pattern()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	boxes, err := s.srv.deps.Store.Mailboxes(ctx, s.actor, s.actor.Account)
	if err != nil {
		return err
	}
	l := listing{reference: reference, patterns: []string{pattern}, subscribed: true, recursive: strings.Contains(pattern, "%")}
	for _, e := range l.entries(boxes) {
		var attributes []string
		if !e.info.Subscribed || !e.info.Exists {
			attributes = append(attributes, `\Noselect`)
		}
		s.listLine("LSUB", attributes, e.info.Name)
	}
	return nil
}
