// Package route says what an address means: at RCPT which mailboxes and which addresses
// elsewhere it leads to, and when a message goes out, which server is the next. It
// follows aliases, groups, catch-alls, subaddresses, forwards and the routes of domains,
// and it can tell each step to an administrator.
//
// Nothing is decided twice: what RCPT finds out is stored with the message, and only the
// next hop is asked again at each attempt, so that a change of a route takes effect at once.
package route

import (
	"context"
	"net/netip"

	"sampul/store"
)

// A Step is one rule that was looked at and what it said.
type Step struct {
	Rule   string `json:"rule"`
	Result string `json:"result"`
}

// A Refusal is what the client hears, and an error.
type Refusal struct {
	Code     int
	Enhanced string
	Text     string
}

func (r *Refusal) Error() string { return r.Text }

// A Request is one RCPT.
type Request struct {
	Address string
	From    string         // reverse-path
	Sender  *store.Account // who logged in, nil for none
	Client  netip.Addr     // who asks, zero when nobody knows
	Inside  bool           // Sender is set, or the client is a server of ours
}

// A Decision is where an address leads.
type Decision struct {
	Address    string            `json:"address"`
	Agency     string            `json:"agency"`
	Steps      []Step            `json:"steps"`
	Final      string            `json:"final"` // such as "mailbox pegawai1@agensi-a.test", "smarthost 10.0.0.1:25", "refused: nobody has this address"
	Recipients []store.Recipient `json:"-"`
	Refused    *Refusal          `json:"-"`
	Bounce     *AppBounce        `json:"-"` // it is for bounces of an application: there are no recipients
}

// HopKind is what the runner does with a recipient.
type HopKind uint8

const (
	ToMX HopKind = iota
	ToHost
	ToLMTP
	ToMailbox // the address lives here now
	ToNobody  // for good: a refusal
	Wait      // moving, or the domain is held
)

// A Hop is the next step of a recipient in the queue.
type Hop struct {
	Kind    HopKind
	Domain  string
	Host    string
	TLS     string // none, may, verify
	User    string
	Secret  string
	Account store.AccountID
	Agency  string // whose source address and EHLO name
	Source  string
	HELO    string
	Why     string   // Wait: for people
	Moving  bool     // Wait: the address moves, and is tried for longer
	Refused *Refusal // ToNobody
}

// Router is what others use of this room.
type Router interface {
	// Rcpt decides about an address at RCPT. Errors are faults of ours.
	Rcpt(ctx context.Context, r Request) (*Decision, error)
	// Next is asked at each attempt. The sender's agency decides source and name.
	Next(ctx context.Context, address, senderAgency string) (Hop, error)
	// Explain is Rcpt from a stranger, with all its steps, and asks no other server.
	Explain(ctx context.Context, address string) (*Decision, error)
}
