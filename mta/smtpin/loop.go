package smtpin

import (
	"strings"

	"sampul/mta/route"
	"sampul/store"
)

// maxReceived is how many servers a message may have passed (RFC 5321 section 6.3).
const maxReceived = 50

// maxLoopTags bounds the addresses of our loop field.
const maxLoopTags = 200

// looped says whether a message goes in circles: it passed too many servers, or it went
// out from here before for an address that it comes back for. What an account sends is a
// message of its own, whatever it was made of.
func (d *delivery) looped() bool {
	s := d.s
	passed := 0
	var marks []string
	for i := range d.index.Parts[0].Fields {
		f := &d.index.Parts[0].Fields[i]
		switch {
		case strings.EqualFold(f.Name, "Received"):
			passed++
		case strings.EqualFold(f.Name, route.LoopName):
			marks = append(marks, string(f.Value))
		}
	}
	if passed > maxReceived {
		return true
	}
	if len(marks) == 0 || s.account != nil || s.srv.deps.LoopSecret == nil {
		return false
	}
	for _, a := range s.tx.given {
		if route.Looped(s.srv.deps.LoopSecret, marks, a) {
			return true
		}
	}
	return false
}

// loopField marks a message that goes on to other servers for addresses of ours; nil when
// it does not.
func (s *session) loopField() []byte {
	if s.srv.deps.LoopSecret == nil {
		return nil
	}
	var on []string
	seen := map[string]bool{}
	add := func(a string) {
		if a != "" && !seen[a] && len(on) < maxLoopTags {
			seen[a] = true
			on = append(on, a)
		}
	}
	for i := range s.tx.rcpts {
		if r := &s.tx.rcpts[i]; r.Account == 0 {
			add(ourAddress(r))
			add(r.Via)
		}
	}
	if len(on) == 0 {
		return nil
	}
	return route.LoopField(s.srv.deps.LoopSecret, on)
}

// ourAddress is where the message goes, when that is an address in a domain of ours.
func ourAddress(r *store.Recipient) string {
	if r.Agency == "" {
		return ""
	}
	return r.Path
}
