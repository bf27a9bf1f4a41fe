package store

import (
	"context"
	"time"
)

// A QueueEntry is a message that waits for recipients elsewhere.
type QueueEntry struct {
	ID         string           `json:"id"`
	From       string           `json:"from"`
	Lane       Lane             `json:"lane"`
	Created    time.Time        `json:"created"`
	Size       int64            `json:"size"`
	Recipients []QueueRecipient `json:"recipients"`
	Envelope   *Envelope        `json:"-"`
	Body       BodyID           `json:"-"`
}

// A QueueRecipient is one forward-path that is not delivered yet.
type QueueRecipient struct {
	Address  string    `json:"address"`
	State    string    `json:"state"` // waiting, held
	NextTry  time.Time `json:"next_try,omitzero"`
	Attempts int       `json:"attempts"`
	Code     int       `json:"code,omitempty"`
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text,omitempty"`
}

// Outcome is what became of one recipient in one attempt.
type Outcome struct {
	Recipient string
	Done      bool // delivered, bounced or expired: nothing more is tried
	NextTry   time.Time
	Code      int
	Enhanced  string
	Text      string
}

// Queue is what must still be delivered elsewhere.
type Queue interface {
	// QueueLen is how many messages wait.
	QueueLen(ctx context.Context) (int, error)
	// QueueList gives entries in order of ID, after the ID given, at most max.
	QueueList(ctx context.Context, by Actor, after string, max int) ([]QueueEntry, error)
	// QueueDone records outcomes (DONE). They are durable with the next group.
	QueueDone(ctx context.Context, id string, outcomes []Outcome) error
	OpenQueueBody(ctx context.Context, id string) (BodyReader, error)
}
