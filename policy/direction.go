package policy

import (
	"context"
	"strings"

	"sampul/internal/address"
)

// A sender is where a message comes from.
type sender struct {
	agency string
	inside bool // an account of ours, or a domain in the directory
	gov    bool // inside, or government elsewhere
}

// directions says which way the message goes to each recipient.
func (e *Engine) directions(ctx context.Context, m *Mail) ([]Direction, sender) {
	from := sender{agency: m.Agency, inside: m.Account != ""}
	if !from.inside && m.Sender != "" {
		_, domain, _ := strings.Cut(m.Sender, "@")
		from.gov = e.government(domain)
	}
	from.gov = from.gov || from.inside
	out := make([]Direction, max(1, len(m.Recipients)))
	for i := range out {
		agency := ""
		if i < len(m.Recipients) {
			agency = m.Recipients[i].Agency
		}
		switch {
		case m.App:
			out[i] = Relay
		case m.Append:
			out[i] = Internal
		case from.inside && agency == from.agency && agency != "":
			out[i] = Internal
		case from.inside && agency != "":
			out[i] = Across
		case from.inside:
			out[i] = Out
		case from.gov:
			out[i] = InGov
		default:
			out[i] = In
		}
	}
	return out, from
}

func (e *Engine) government(domain string) bool { return address.In(e.o.GovDomains, domain) }

// recipient is the one that i stands for: what is kept by APPEND is for the account itself.
func (j *judgement) recipient(i int) Recipient {
	if i < len(j.m.Recipients) {
		return j.m.Recipients[i]
	}
	return Recipient{Address: j.m.Account, Agency: j.m.Agency}
}

// canonical is an address as the store keeps it.
func canonical(s string) string {
	if c, err := address.Canonical(s); err == nil {
		return c
	}
	return s
}
