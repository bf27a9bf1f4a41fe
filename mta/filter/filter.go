// Package filter asks other programs about a message that policy has let pass: milters,
// ClamAV, rspamd. They are asked in order, each within its time; what one changes the
// next one sees. A filter that cannot be asked either stops the message for now or is
// passed over, as its configuration says, and both are counted and logged.
//
// Filters never see a message before policy has judged it. What they change, the caller
// has judged again.
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
	OnError string        // tempfail or accept
}

// Mail is a message and its envelope, as filters see it.
type Mail struct {
	ID       string // queue ID
	Scope    Scope
	IP       netip.Addr
	Port     uint16
	Hostname string // confirmed reverse name, "" for none
	HELO     string
	TLS      string // version and cipher, "" for none
	Account  string // authenticated address, "" for none
	Agency   string // of the recipient inside, or of the sender: settings go by it
	From     string
	To       []string
	Prefix   []byte // our fields before the body: Received, Authentication-Results
	Body     io.ReaderAt
	Index    *message.Index
	Log      func(msg string, args ...any)
}

// An Action is what filters want, from mildest to strictest.
type Action uint8

const (
	Accept     Action = iota
	Junk              // deliver to the Junk mailbox
	Quarantine        // keep for an administrator
	Discard           // take it and drop it (milter)
	Tempfail
	Reject
)

// An Edit is one change of the header, in order.
type Edit struct {
	Op    EditOp
	Name  string
	Value string // without the line end; folded with CRLF as it is to stand
	Index int    // Change and Delete: which of those with the name, from 1; Insert: position, 0 is first
}

// EditOp is what an Edit does.
type EditOp uint8

const (
	Add EditOp = iota // at the end
	Insert
	Change
	Delete
)

// Outcome is what the chain came to.
type Outcome struct {
	Action   Action
	Code     int // Tempfail and Reject: what the client hears
	Enhanced string
	Text     string
	Filter   string // whose word decided
	Reason   string // for log, trace and quarantine: a virus name, a score

	Edits   []Edit
	Body    io.ReadCloser // replaced content after the header, nil when it stays
	From    *string       // new reverse-path
	AddTo   []string
	DropTo  []string
	Changed bool // anything of the above: the message must be judged again
}

// A Filter is one program.
type Filter interface {
	// Check asks it. An error means that it could not be asked: OnError decides then.
	Check(ctx context.Context, m *Mail) (*Outcome, error)
	Close() error
}
