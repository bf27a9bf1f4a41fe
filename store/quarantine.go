package store

import (
	"context"
	"time"

	"sampul/internal/gate"
)

// A Quarantined message waits, sealed, for an administrator.
type Quarantined struct {
	ID         string    `json:"id"` // queue ID
	Time       time.Time `json:"time"`
	Until      time.Time `json:"until"`  // it is removed then
	Agency     string    `json:"agency"` // whose administrators decide; "" the operator alone
	From       string    `json:"from"`
	Recipients []string  `json:"recipients"`
	MessageID  string    `json:"message_id,omitempty"`
	Size       int64     `json:"size"`
	Filter     string    `json:"filter"` // which asked for it
	Reason     string    `json:"reason"`
}

// QuarantineDays is how long a message waits when nobody says otherwise.
const QuarantineDays = 14

// Quarantine keeps what a filter wants a person to look at. The operator reaches all of it,
// administrators and security officers what is of their agency; releasing and dropping is
// for the operator and administrators.
type Quarantine interface {
	// Quarantine keeps envelope and body, durably. The body was judged for gate.Quarantine,
	// else it is [ErrGate]. Without Time it is of now, without Until it stays for
	// [QuarantineDays]; ID and Size are those of envelope and body.
	Quarantine(ctx context.Context, q Quarantined, e *Envelope, b Body, passed gate.Passed) error
	// Quarantined are those whose time is not over, the newest first.
	Quarantined(ctx context.Context, by Actor) ([]Quarantined, error)
	// OpenQuarantined gives envelope and body, to be judged again and accepted by whoever releases it.
	OpenQuarantined(ctx context.Context, by Actor, id string) (*Envelope, BodyReader, error)
	DropQuarantined(ctx context.Context, by Actor, id string) error
}
