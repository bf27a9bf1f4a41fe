// Package smtpout carries messages to other servers, by SMTP (RFC 5321) and LMTP (RFC
// 2033): it finds the exchangers of a domain, keeps connections for the next message,
// and holds each destination to the transport security that its policies ask for
// (MTA-STS, RFC 8461; DANE, RFC 7672; REQUIRETLS, RFC 8689; the suite's own settings).
//
// Nothing falls back to clear text where a policy forbids it. Every failure says at
// which host and stage it happened, and each recipient has an answer of its own. The
// package neither retries nor knows the queue: the runner does.
package smtpout

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Security is what a destination must offer, from least to most.
type Security string

// The settings.
const (
	NoTLS         Security = "none"          // never TLS (tests, old appliances)
	Opportunistic Security = "opportunistic" // TLS where offered, unverified; MTA-STS and DANE on top
	Verified      Security = "verified"      // TLS with a name from the public or inside CA
	DANEOnly      Security = "dane-only"
)

// A Hop says where to go.
type Hop struct {
	Domain   string // of the recipients, for MX, MTA-STS, DANE and TLSRPT
	Host     string // HOST:PORT of a smarthost, LMTP or split server; "" asks for the MX of Domain
	LMTP     bool
	Security Security // "" is Opportunistic
	User     string   // login at a smarthost, only over TLS
	Secret   string
	Source   netip.Addr // zero: the system's choice
	HELO     string     // "" is the suite's host name
}

// A Message is one transaction.
type Message struct {
	ID         string
	From       string
	To         []Rcpt
	Size       int64
	EightBit   bool // BODY=8BITMIME may be needed
	UTF8       bool // SMTPUTF8 was asked for by the sender; whether it is needed is found out
	RequireTLS bool
	Ret, EnvID string // RFC 3461
	// Open gives the whole message as it is to be sent, CRLF line ends. It is called again
	// when another host is tried, with sevenBit where the host does not take 8BITMIME: the
	// message is then to be converted (RFC 6152 section 3; message.ToSevenBit) before it is
	// signed. An error is ours, and temporary, but for message.ErrSigned.
	Open func(sevenBit bool) (io.ReadCloser, error)
	// Opening ends the wait for a host that has not heard of the message yet; what was begun
	// is finished. nil: only the context of Send ends anything.
	Opening context.Context
}

// A Rcpt is one forward-path with its DSN parameters.
type Rcpt struct {
	Address       string
	Notify, ORcpt string // RFC 3461
}

// A Result is the answer for one recipient.
type Result struct {
	Address   string
	Delivered bool
	Permanent bool // the other side, or DNS, said no for good
	Code      int
	Enhanced  string
	Text      string
	Remote    string   // HOST[IP]:PORT that said it, "" when none was reached
	TLS       string   // "TLS 1.3, DANE"; "none"; what a policy wanted and did not get
	Stage     string   // dns, policy, connect, greeting, ehlo, starttls, auth, mail, rcpt, data, dot
	DSN       bool     // the other side takes DSN: it tells the sender, we need not
	Unsure    bool     // the connection broke after the dot: it may have arrived
	Slow      bool     // the other side asks for fewer connections (421, 4.7.x, refused connections)
	Before    []Result // what hosts that were tried before this answer said, in order; without addresses
}

// A Sender delivers; Pool is the real one.
type Sender interface {
	// Send makes one transaction and answers for each of m.To, in order.
	Send(ctx context.Context, hop Hop, m *Message) []Result
	// Probe asks, by MAIL and RCPT without DATA, whether a host would take an address:
	// Delivered says that it would.
	Probe(ctx context.Context, hop Hop, from, to string) Result
	// Forget closes idle connections and lifts pauses of a hop.
	Forget(hop Hop)
}

// Timeouts are those of RFC 5321 section 4.5.3.2 by default.
type Timeouts struct {
	Connect, Greeting, Command, Data, Dot, Idle time.Duration
}
