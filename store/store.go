// Package store says what is kept and what is promised of it: the directory
// (agencies, domains, accounts, aliases), mailboxes and their messages, bodies,
// the queue, and incidents. It holds types and interfaces only; package bolt is
// the engine of one machine, package storetest proves any engine.
//
// The promises, in short: what was acknowledged survives power loss; a local
// recipient gets a message exactly once; a message in a mailbox never changes
// its bytes, UID or internal date; UIDs and MODSEQs only grow; readers never
// wait for writers; no call reaches across agencies. After a failed write or
// sync every call returns [ErrFailed] and the process must end.
//
// Sizes are octets, times come from the one clock given to the engine, and all
// methods may be used by many goroutines.
package store

import (
	"context"
	"fmt"
	"io"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
)

// Store is an engine: everything that Sampul keeps.
type Store interface {
	Directory
	Routing
	Signing
	Intake
	Mail
	Queue
	QueueWork
	QueueAdmin
	Runs
	Quarantine
	Trace
	States
	Incidents
	Policies
	Applications
	Suppressions
	Usages
	Cases

	// Failed is closed when the engine has failed for good; Err says why. The
	// process ends then: truth is read again at the next start.
	Failed() <-chan struct{}
	Err() error
	// Lag is how far filing is behind acceptance.
	Lag() (records int, octets int64, oldest time.Duration)
	Close() error
}

// A Role is what an actor may do.
type Role uint8

const (
	RoleNone     Role = iota
	RoleOfficer       // own mailboxes
	RoleSecurity      // incidents of the own agency
	RoleAdmin         // UC administrator: one agency
	RoleOperator      // the suite itself
)

// An Actor is who asks: calls refuse with [ErrForbidden] what reaches across
// agencies, or an account that is not the actor's own.
type Actor struct {
	Agency  string
	Account AccountID
	Role    Role
	Name    string // who it is, for what is recorded; "" for nobody in particular
	Rule    string // by which the suite acts of itself, "" where somebody asked
}

// String is who it is, as histories tell it.
func (a Actor) String() string {
	switch {
	case a.Rule != "":
		return "sampul (rule " + a.Rule + ")"
	case a.Name == "" && a.Role == RoleOperator:
		return "operator"
	case a.Name == "":
		return fmt.Sprintf("account %d", a.Account)
	case a.Role == RoleOperator:
		return "operator " + a.Name
	}
	return a.Name
}

// System is the suite itself: SMTP intake, the applier, the operator's CLI.
var System = Actor{Role: RoleOperator}

// A Body is the bytes of a message under way: CRLF line ends, never changing.
type Body interface {
	io.ReaderAt
	Size() int64
}

// A BodyID names stored bytes; it is random and never reused.
type BodyID [16]byte

// Lane is a stream of intake: people's mail overtakes bulk.
type Lane uint8

const (
	LanePeople Lane = iota
	LaneBulk
)

func (l Lane) String() string {
	if l == LaneBulk {
		return "bulk"
	}
	return "people"
}

// MarshalText writes the name that people read.
func (l Lane) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads it.
func (l *Lane) UnmarshalText(b []byte) error {
	switch string(b) {
	case "people":
		*l = LanePeople
	case "bulk":
		*l = LaneBulk
	default:
		return fmt.Errorf("lane: people or bulk, not %q", b)
	}
	return nil
}

// An Envelope is one SMTP transaction as it was accepted.
type Envelope struct {
	QueueID    string // unique in the suite; stands in the 250 and in each log line
	From       string // reverse-path, "" for bounces
	Recipients []Recipient
	Prefix     []byte // our trace header fields, put before the body; ends with CRLF
	Received   time.Time
	Lane       Lane

	App        AccountID // application that sent it, 0 for none
	AppCounted uint32    // recipients counted against its quota
	AppAt      time.Time // in whose windows they count; zero is Received
	Run        string    // tag of the run it belongs to, at most MaxRun octets
	NotBefore  time.Time // nothing is delivered earlier, here or elsewhere; zero is at once
	Sender     AccountID // authenticated account, 0 for none

	EightBit   bool   // BODY=8BITMIME
	SMTPUTF8   bool   // RFC 6531
	RequireTLS bool   // RFC 8689
	Ret        string // RFC 3461 RET: "", FULL, HDRS
	EnvID      string // RFC 3461 ENVID

	VerdictID string
	Class     string
}

// A Recipient is one forward-path, resolved at RCPT. Account 0 is a recipient
// elsewhere: the queue keeps the message for it.
type Recipient struct {
	Path    string // forward-path: for a recipient elsewhere, where the message goes
	From    string // reverse-path of this recipient, "" is the envelope's: SRS, VERP, a group's owner
	Via     string // address that led here by a group, alias or forward, "" for none
	Account AccountID
	Agency  string
	Mailbox string // where to file, "" is INBOX; made if it is gone
	Notify  string // RFC 3461 NOTIFY
	ORcpt   string // RFC 3461 ORCPT
	Prefix  []byte // header fields for this recipient alone, before Envelope.Prefix
}

// Intake takes messages that policy has let pass.
type Intake interface {
	// Accept returns nil only when the message survives power loss. Recipients
	// with the same Account and Mailbox are filed once. The body must be the one
	// that passed names, else [ErrGate]; nothing is kept then.
	Accept(ctx context.Context, e *Envelope, b Body, x *message.Index, passed gate.Passed) error
	// Ready says whether intake should go on: nil, [ErrDiskReserve] or [ErrBusy].
	Ready(lane Lane) error
}
