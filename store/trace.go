package store

import (
	"context"
	"time"
)

// An Event is one step of a message's life. It has no Subject and no content.
type Event struct {
	Time      time.Time `json:"time"`
	ID        string    `json:"-"`     // queue ID
	MessageID string    `json:"-"`     // in the first event of a queue ID
	Agencies  []string  `json:"-"`     // who may see it: agencies of sender and recipients
	Event     string    `json:"event"` // accepted, refused, filed, queued, filter, tried (a host that was passed over), deferred, delivered, bounced, expired, held, dropped, forwarded ...
	From      string    `json:"from,omitempty"`
	To        []string  `json:"to,omitempty"`
	Host      string    `json:"host,omitempty"` // HOST[IP]:PORT of the other side
	Code      int       `json:"code,omitempty"`
	Enhanced  string    `json:"enhanced,omitempty"`
	Text      string    `json:"text,omitempty"`
}

// A Story is what became of one message.
type Story struct {
	ID        string  `json:"id"`
	MessageID string  `json:"message_id"`
	Events    []Event `json:"events"` // in order of time
}

// Trace keeps events for a set number of days. Writing is quick and never fails; what was
// written in the last second before a crash, or the last few before a power failure, may be
// missing.
type Trace interface {
	// Note keeps an event; without a time it is of now. Events of the same queue ID make a story.
	Note(e Event)
	// Stories finds messages by queue ID, Message-ID or address in any case, the newest first,
	// at most max. An administrator or security officer of an agency sees the events that
	// name it in Agencies, and no others.
	Stories(ctx context.Context, by Actor, key string, max int) ([]Story, error)
}
