package filter

import (
	"fmt"
	"slices"
	"strings"
)

// What one filter may ask for. Beyond it, it is out of order.
const (
	maxEdits  = 1000
	maxHeader = 1 << 20 // octets of names and values
	maxAddTo  = 1000
	maxText   = 400 // octets of a reply, a reason
)

// tidy makes the outcome of a filter safe to use: nothing in it can add a header field, a
// command or a reply line of its own. An error means that the filter answers nonsense.
func (o *Outcome) tidy(m *Mail) error {
	if len(o.Edits) > maxEdits || len(o.AddTo) > maxAddTo {
		return fmt.Errorf("it asks for %d header changes and %d new recipients, which is too much", len(o.Edits), len(o.AddTo))
	}
	left := maxHeader
	for i := range o.Edits {
		e := &o.Edits[i]
		if !validName(e.Name) {
			return fmt.Errorf("it names a header field %.40q", e.Name)
		}
		e.Value = foldValue(e.Value)
		if left -= len(e.Name) + len(e.Value); left < 0 {
			return fmt.Errorf("it asks for more than %d octets of header", maxHeader)
		}
	}
	if o.From != nil {
		a, err := bareAddress(*o.From)
		if err != nil {
			return err
		}
		o.From = &a
	}
	if err := o.tidyRecipients(m); err != nil {
		return err
	}
	o.Text, o.Reason = plain(o.Text), plain(o.Reason)
	o.tidyReply()
	o.Changed = len(o.Edits) > 0 || o.Body != nil || o.From != nil || len(o.AddTo)+len(o.DropTo) > 0
	return nil
}

// tidyRecipients leaves new addresses in AddTo and known ones in DropTo. A message that
// has no recipient left is one to drop.
func (o *Outcome) tidyRecipients(m *Mail) error {
	var add, drop []string
	for _, a := range o.AddTo {
		a, err := bareAddress(a)
		if err != nil {
			return err
		}
		if a == "" {
			return fmt.Errorf("it adds the recipient <>")
		}
		if !slices.Contains(m.To, a) && !slices.Contains(add, a) {
			add = append(add, a)
		}
	}
	for _, a := range o.DropTo {
		a, err := bareAddress(a)
		if err != nil {
			return err
		}
		for _, to := range m.To {
			if strings.EqualFold(a, to) && !slices.Contains(drop, to) {
				drop = append(drop, to)
			}
		}
	}
	o.AddTo, o.DropTo = add, drop
	if len(m.To) > 0 && len(drop) == len(m.To) && len(add) == 0 && o.Action < Discard {
		o.Action, o.Reason = Discard, "every recipient was taken away"
	}
	return nil
}

// tidyReply gives Reject and Tempfail a code that says the same.
func (o *Outcome) tidyReply() {
	class, code, text := 5, 550, "Mesej ditolak oleh penapis / message refused by a filter"
	switch o.Action {
	case Reject:
	case Tempfail:
		class, code, text = 4, 451, "Cuba lagi kemudian / try again later"
	default:
		o.Code, o.Enhanced, o.Text = 0, "", ""
		return
	}
	if o.Code/100 != class || o.Code == 421 { // 421 would close the session
		o.Code = code
	}
	if !validEnhanced(o.Enhanced, class) {
		o.Enhanced = fmt.Sprintf("%d.7.1", class)
	}
	if o.Text == "" {
		o.Text = text
	}
}

// validEnhanced says whether s is a code of RFC 3463 section 2 in the class.
func validEnhanced(s string, class int) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != string(rune('0'+class)) {
		return false
	}
	for _, p := range parts[1:] {
		if len(p) < 1 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

// validName allows what RFC 5322 section 2.2 does.
func validName(s string) bool {
	if s == "" || len(s) > 200 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ':' {
			return false
		}
	}
	return true
}

// foldValue makes line ends CRLF, and lines after the first continuation lines; blank
// ones go, since many take such a line for the end of the header.
func foldValue(s string) string {
	s = strings.NewReplacer("\r", "", "\x00", "").Replace(s)
	if !strings.Contains(s, "\n") {
		return s
	}
	lines := strings.Split(s, "\n")
	out := lines[:1]
	for _, l := range lines[1:] {
		if strings.Trim(l, " \t") == "" {
			continue
		}
		if l[0] != ' ' && l[0] != '\t' {
			l = "\t" + l
		}
		out = append(out, l)
	}
	return strings.Join(out, "\r\n")
}

// bareAddress is an address without its angle brackets.
func bareAddress(s string) (string, error) {
	a := strings.TrimSpace(s)
	if len(a) >= 2 && a[0] == '<' && a[len(a)-1] == '>' {
		a = a[1 : len(a)-1]
	}
	at := strings.LastIndexByte(a, '@')
	bad := a != "" && (at < 1 || at == len(a)-1) || len(a) > 320 ||
		strings.ContainsFunc(a, func(c rune) bool { return c < ' ' || c == 127 || c == '<' || c == '>' })
	if bad {
		return "", fmt.Errorf("it names an address %.60q", s)
	}
	return a, nil
}

// plain is a text on one line in printable ASCII, and not long.
func plain(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), maxText)]
}
