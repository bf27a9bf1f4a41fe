// Package filter asks other programs about a message that policy has let pass: milters,
// ClamAV, rspamd. They are asked in order, each within its time; what one changes the
// next one sees. A filter that cannot be asked either stops the message for now or is
// passed over, as its configuration says, and both are counted and logged.
//
// Filters never see a message before policy has judged it. What they change, the caller
// has judged again.
//
// What a filter sees is what Sendmail and Postfix show to a milter: the header fields
// that this server put before the message, then the message's own header, then its
// content; without Return-Path and without our own Received field, which no filter can
// therefore change. clamd alone gets the message exactly as it came.
package filter

import (
	"context"
	"io"
	"net/netip"
	"time"

	"sampul/internal/message"
)

// A Scope is which way a message goes.
type Scope string

// The scopes.
const (
	In    Scope = "in"
	Out   Scope = "out"   // from officers
	Relay Scope = "relay" // from applications
)

// Config is a [[filter]] of the configuration.
type Config struct {
	Name    string
	Type    string // clamd, rspamd, milter
	Address string // unix:/path, tcp:host:port or host:port; for rspamd a URL or host:port
	Scope   []Scope
	Timeout time.Duration // for the whole message; 30 s, milter 60 s
	OnError string        // tempfail or accept; tempfail

	// rspamd alone:
	RejectScore    float64 // refuse from this score on; 0: where rspamd says reject
	JunkScore      float64 // to Junk from this score on; 0: where rspamd says add header
	PasswordFile   string  // its first line goes with each request
	AgencySettings bool    // ask with Settings-ID: the agency's name
}

// Mail is a message and its envelope, as filters see it.
type Mail struct {
	ID       string // queue ID
	Scope    Scope
	IP       netip.Addr
	Port     uint16
	Hostname string // confirmed reverse name, "" for none
	HELO     string
	TLS      string // version and cipher, such as "TLS 1.3 TLS_AES_128_GCM_SHA256", "" for none
	Account  string // authenticated address, "" for none
	AuthType string // SASL mechanism that Account used; "" is PLAIN
	Agency   string // of the recipient inside, or of the sender: settings go by it
	From     string
	To       []string
	Prefix   []byte // our fields before the body: Received, Authentication-Results
	Body     io.ReaderAt
	Index    *message.Index
	Log      func(msg string, args ...any)

	head *head // what filters before this one made of the header; nil: read it
}

// An Action is what filters want, from mildest to strictest.
type Action uint8

var actionNames = [...]string{"accept", "junk", "quarantine", "discard", "tempfail", "reject"}

// String is the action's name in logs and metrics.
func (a Action) String() string { return actionNames[min(int(a), len(actionNames)-1)] }

const (
	Accept     Action = iota
	Junk              // deliver to the Junk mailbox
	Quarantine        // keep for an administrator
	Discard           // take it and drop it (milter)
	Tempfail
	Reject
)

// An Edit is one change of the header. Edits are made one after the other: each counts
// in what those before it left.
type Edit struct {
	Op    EditOp
	Name  string
	Value string // without the line end; folded with CRLF as it is to stand
	// Change and Delete: which of those with the name, from 1, in the order that filters
	// see. Insert: before the field with this number, from 0, our own Received counted
	// (so 1 is after it); beyond the last it is at the end.
	Index int
}

// EditOp is what an Edit does.
type EditOp uint8

const (
	Add    EditOp = iota // at the end
	Insert               // at a position
	Change               // another value; at the end when there is none to change
	Delete               // nothing when there is none
)

// Outcome is what the chain came to.
type Outcome struct {
	Action   Action
	Code     int // Tempfail and Reject: what the client hears
	Enhanced string
	Text     string
	Filter   string // whose word decided
	Reason   string // for log, trace and quarantine: a virus name, a score

	// What Accept, Junk and Quarantine change; [Apply] makes the message of it.
	Edits    []Edit
	Body     io.ReadCloser // replaced content after the header, nil when it stays; every line ends with CRLF
	BodySize int64         // octets of Body
	From     *string       // new reverse-path, "" for the null one
	AddTo    []string      // addresses that are not in To
	DropTo   []string      // addresses of To
	Changed  bool          // anything of the above: the message must be judged again
}

// Close drops a replaced body. It may be called more than once.
func (o *Outcome) Close() error {
	if o == nil || o.Body == nil {
		return nil
	}
	return o.Body.Close()
}

// A Filter is one program.
type Filter interface {
	// Check asks it. An error means that it could not be asked: OnError decides then.
	Check(ctx context.Context, m *Mail) (*Outcome, error)
	Close() error
}
