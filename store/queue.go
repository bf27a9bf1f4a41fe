package store

import (
	"context"
	"time"
)

// States of a recipient in the queue.
const (
	Waiting = "waiting" // for NextTry
	Holding = "held"    // by an administrator, until it is released
)

// A QueueEntry is a message that waits for recipients elsewhere.
type QueueEntry struct {
	ID         string           `json:"id"`
	From       string           `json:"from"`
	Lane       Lane             `json:"lane"` // people or bulk
	Created    time.Time        `json:"created"`
	NotBefore  time.Time        `json:"not_before,omitzero"` // it waits for its quota window until then
	Size       int64            `json:"size"`
	State      string           `json:"state"`            // held when every recipient is, else waiting; the runner may show active
	Why        string           `json:"why,omitempty"`    // of a hold
	Sender     AccountID        `json:"-"`                // authenticated account, 0 for none
	Agency     string           `json:"agency,omitempty"` // of the sender, or else of all recipients; "" when they are of several
	Run        string           `json:"run,omitempty"`    // tag of an application's run
	Recipients []QueueRecipient `json:"recipients"`
	Body       BodyID           `json:"-"`
}

// A QueueRecipient is one forward-path that is not done yet.
type QueueRecipient struct {
	Address  string    `json:"address"`
	State    string    `json:"state"`
	NextTry  time.Time `json:"next_try,omitzero"`
	Attempts int       `json:"attempts"`
	Remote   string    `json:"remote,omitempty"` // HOST[IP]:PORT of the last attempt
	Code     int       `json:"code,omitempty"`
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text,omitempty"`    // what the other side said last, or why nobody was asked
	TLS      string    `json:"tls,omitempty"`     // of the last attempt: "TLS 1.3, DANE", "none", "required by MTA-STS"
	Delayed  bool      `json:"delayed,omitempty"` // the sender was told of the delay
}

// Outcome is what became of one recipient in one attempt.
type Outcome struct {
	Recipient string
	Done      bool // delivered, bounced or expired: nothing more is tried
	NextTry   time.Time
	Code      int
	Enhanced  string
	Text      string
	Remote    string
	TLS       string
	Delayed   bool // the sender has been told of the delay
	NoAttempt bool // nothing was tried (moving, held domain, policy): Attempts stays
}

// A QueueFilter picks entries; zero fields pick all.
type QueueFilter struct {
	IDs       []string
	From      string // reverse-path, or @domain; "<>" for the null one. Case does not matter
	To        string // a recipient, or @domain
	State     string
	Lane      string // people or bulk
	Agency    string // exactly
	Sender    AccountID
	Run       string
	Why       string // of a hold, exactly
	OlderThan time.Duration
}

// Queue is what must still be delivered elsewhere.
type Queue interface {
	// QueueLen is how many messages wait.
	QueueLen(ctx context.Context) (int, error)
	// QueueList gives entries in order of ID, after the ID given, at most max. The
	// operator sees all, a UC administrator those of the own agency.
	QueueList(ctx context.Context, by Actor, f QueueFilter, after string, max int) ([]QueueEntry, error)
	// QueueDone records outcomes (DONE). When it returns they survive the end of the
	// process; power loss they survive with the next group. A recipient that is not in
	// the queue (any more) is passed over; without the entry it is [ErrNotFound].
	QueueDone(ctx context.Context, id string, outcomes []Outcome) error
	// QueueEnvelope is the envelope of an entry: prefix, DSN parameters, the recipients still there.
	QueueEnvelope(ctx context.Context, id string) (*Envelope, error)
	// OpenQueueBody gives the bytes of a message that waits, without its prefix.
	OpenQueueBody(ctx context.Context, id string) (BodyReader, error)
}

// QueueWork is the runner's side of the queue.
//
// The runner learns of entries by QueueEach at its start and QueueWatch from then on,
// and plans from memory. It watches first and asks for each then: an entry may be told
// twice, and none is missed. Whatever changes an entry (a hold, a retry, new outcomes) is
// told to the watcher with the entry as it is then, or with no recipients when it is over.
type QueueWork interface {
	// QueueEach calls f for each entry there is, without order.
	QueueEach(f func(QueueEntry))
	// QueueWatch calls f for each entry that is accepted, once that is durable, and for each
	// change that is recorded, from now on; for one entry in the order of what happened.
	// f must not block, nor call the store. A later watcher replaces the earlier one.
	QueueWatch(f func(QueueEntry))
	// QueueFile files a waiting recipient in a mailbox here, and takes it from the queue, in
	// one record: exactly once. "" is INBOX. [ErrNotFound] when the recipient does not wait
	// any more, or the account is not there.
	QueueFile(ctx context.Context, id, recipient string, to AccountID, mailbox string) error
}

// QueueAdmin is the administrators' verbs, on all entries that f picks: of the operator on
// all, of a UC administrator on those of the own agency. They return how many entries
// changed, and survive a restart. What is held stays so until it is released: neither
// outcomes nor a retry change that.
type QueueAdmin interface {
	QueueHold(ctx context.Context, by Actor, f QueueFilter, why string) (int, error)
	QueueRelease(ctx context.Context, by Actor, f QueueFilter) (int, error)
	QueueRetry(ctx context.Context, by Actor, f QueueFilter) (int, error) // tried now
	QueueDrop(ctx context.Context, by Actor, f QueueFilter) (int, error)  // taken away, nobody is told
}
