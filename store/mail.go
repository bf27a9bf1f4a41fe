package store

import (
	"context"
	"io"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
)

// UID names a message in a mailbox (RFC 9051 section 2.3.1.1); they only grow.
type UID uint32

// ModSeq grows with every change in an account (RFC 7162).
type ModSeq uint64

// Flags are the system flags; keywords stand in [State.Keywords].
type Flags uint8

const (
	FlagSeen Flags = 1 << iota
	FlagAnswered
	FlagFlagged
	FlagDeleted
	FlagDraft
)

// MaxKeywords is how many different keywords a mailbox can hold.
const MaxKeywords = 64

// State is what changes of a message. A keyword is a bit, named by
// [Snapshot.Keywords].
type State struct {
	UID      UID
	Flags    Flags
	Keywords uint64
	ModSeq   ModSeq
	Size     int64 // RFC822.SIZE: prefix and body
	Body     BodyID
	Internal int64 // INTERNALDATE, seconds since 1970
}

// Facts never change. Envelope and Structure are in IMAP's syntax, ready to be
// sent; Layout is [message.Layout] in its binary form, offsets from the body's start.
type Facts struct {
	UID       UID
	EmailID   [16]byte
	ThreadID  [16]byte
	Internal  time.Time
	Saved     time.Time
	CreatedAt ModSeq
	Prefix    []byte // our trace header fields
	BodySize  int64
	Envelope  []byte
	Structure []byte // BODYSTRUCTURE
	Layout    []byte
	Header    []byte // header of the body with its blank line when at most 4 KiB, else nil
	Class     string
	VerdictID string
	QueueID   string
	Agency    string
}

// A MailboxInfo is a line of LIST.
type MailboxInfo struct {
	ID          uint64
	Name        string // UTF-8, "/" between levels; INBOX in capitals
	UIDValidity uint32
	Use         string // special use such as `\Drafts`, or ""
	Subscribed  bool
	Exists      bool // false: only the subscription is left
}

// Status is a mailbox in numbers.
type Status struct {
	Messages, Unseen, Deleted uint32
	UIDNext                   UID
	UIDValidity               uint32
	HighestModSeq             ModSeq
	Size, DeletedSize         int64
}

// A Snapshot is a mailbox at one instant. It never changes, and costs nothing to
// keep but its memory. States are in order of UID.
type Snapshot struct {
	Status
	States   []State
	Keywords []string // bit i of State.Keywords
	Gone     bool     // the mailbox was deleted, or renamed into another (INBOX)
}

// Mailbox is one open mailbox, shared by its sessions.
type Mailbox interface {
	Info() MailboxInfo
	// Snapshot is the newest state: whatever was acknowledged before the call is in it.
	Snapshot() *Snapshot
	// Watch calls wake after each change, without blocking, until stop is called.
	// Wakes collapse: the watcher compares snapshots to see what changed.
	Watch(wake chan<- struct{}) (stop func())
	Close()
}

// FlagOp is how StoreFlags combines.
type FlagOp uint8

const (
	FlagsSet FlagOp = iota
	FlagsAdd
	FlagsRemove
)

// An Append is one message for APPEND.
type Append struct {
	Flags    Flags
	Keywords []string
	Internal time.Time // zero: now
	Body     Body
	Index    *message.Index
	Passed   gate.Passed
	Replaces UID // 0, or the UID that goes in the same step (RFC 8508)
}

// Mail is mailboxes and what is in them. Every call takes the actor and the
// account whose mail it is.
type Mail interface {
	Mailboxes(ctx context.Context, by Actor, acct AccountID) ([]MailboxInfo, error)
	CreateMailbox(ctx context.Context, by Actor, acct AccountID, name, use string) (MailboxInfo, error)
	DeleteMailbox(ctx context.Context, by Actor, acct AccountID, name string) error
	// RenameMailbox moves children too; INBOX leaves itself behind, empty (RFC 9051 section 6.3.6).
	RenameMailbox(ctx context.Context, by Actor, acct AccountID, from, to string) error
	Subscribe(ctx context.Context, by Actor, acct AccountID, name string, on bool) error
	OpenMailbox(ctx context.Context, by Actor, acct AccountID, name string) (Mailbox, error)
	MailboxStatus(ctx context.Context, by Actor, acct AccountID, name string) (Status, error)

	// AppendMessages files all or nothing, and returns when they are filed and durable.
	AppendMessages(ctx context.Context, by Actor, acct AccountID, mailbox string, msgs []Append) (uidValidity uint32, uids []UID, err error)
	// StoreFlags changes flags. States changed after unchangedSince (when not 0) are left, and returned.
	StoreFlags(ctx context.Context, by Actor, m Mailbox, uids []UID, op FlagOp, f Flags, keywords []string, unchangedSince ModSeq) (modified []UID, err error)
	// Expunge removes those of uids that have \Deleted; all says: whether they have it or not.
	Expunge(ctx context.Context, by Actor, m Mailbox, uids []UID, all bool) error
	// Copy files messages in another mailbox of the same account, atomically, in
	// order of UID; move removes them here in the same step. from[i] became to[i].
	Copy(ctx context.Context, by Actor, m Mailbox, uids []UID, mailbox string, move bool) (uidValidity uint32, from, to []UID, err error)

	// EachFacts calls f for each of uids that exists, in order. Facts are f's to
	// keep only during the call. No lock or transaction is held while f runs long:
	// engines read ahead in batches.
	EachFacts(ctx context.Context, by Actor, m Mailbox, uids []UID, f func(*Facts) error) error
	// OpenBody gives the bytes of a message without its prefix.
	OpenBody(ctx context.Context, by Actor, m Mailbox, id BodyID) (BodyReader, error)
}

// BodyReader reads stored bytes. ReadAt decrypts whole frames: read in order and
// in large pieces. WriteRange copies [off, off+n) to w without a copy between.
type BodyReader interface {
	io.ReaderAt
	Size() int64
	WriteRange(w io.Writer, off, n int64) error
	Close() error
}
