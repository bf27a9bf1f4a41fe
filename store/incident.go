package store

import (
	"context"
	"time"
)

// States of an incident.
const (
	IncidentOpen     = "open"
	IncidentAssigned = "assigned"
	IncidentClosed   = "closed"
)

// An Incident is a refusal or finding, without the content.
type Incident struct {
	ID         string             `json:"id"` // short, can be read over the telephone
	Seq        uint64             `json:"-"`  // grows with each incident
	Time       time.Time          `json:"time"`
	Agency     string             `json:"agency"` // whose side it is about first: the sender's where it is ours
	Class      string             `json:"class"`
	Suspicion  bool               `json:"suspicion,omitempty"` // Class is suspected, not shown
	Severity   string             `json:"severity"`            // low, medium, high, top
	Action     string             `json:"action"`
	Cause      string             `json:"cause,omitempty"` // what decided, when it was not the class: size, rule NAME ...
	Direction  string             `json:"direction"`
	Listener   string             `json:"listener"` // mx, submission, submissions, imap
	Remote     string             `json:"remote,omitempty"`
	QueueID    string             `json:"queue_id,omitempty"`
	Account    string             `json:"account,omitempty"` // authenticated, or ""
	App        bool               `json:"app,omitempty"`     // the account is an application
	Sender     string             `json:"sender"`
	Recipients []string           `json:"recipients"`
	Sides      []IncidentSide     `json:"sides,omitempty"` // agencies of recipients
	MessageID  string             `json:"message_id,omitempty"`
	Size       int64              `json:"size"`
	Evidence   []IncidentEvidence `json:"evidence"`
	Parts      []string           `json:"parts,omitempty"`  // keyed hashes of the parts it rests on, in hexadecimal
	Letter     string             `json:"letter,omitempty"` // keyed hash of all parts: the same when the same letter comes again
	RuleSet    string             `json:"rule_set"`
	VerdictID  string             `json:"verdict_id,omitempty"`
	Case       string             `json:"case,omitempty"`  // by which an officer may let it pass, or has
	Quiet      bool               `json:"quiet,omitempty"` // nobody is written to about it

	State      string         `json:"state"`
	Assignee   string         `json:"assignee,omitempty"`
	FalseAlarm bool           `json:"false_alarm,omitempty"`
	History    []IncidentStep `json:"history,omitempty"`

	Sums     [][32]byte `json:"-"` // of the parts; the store keeps keyed hashes of them alone
	Whole    [32]byte   `json:"-"` // of all parts, likewise; zero when it is not known
	OpenCase bool       `json:"-"` // with the incident, a case is opened
}

// An IncidentSide is an agency that an incident concerns by its recipients.
type IncidentSide struct {
	Agency     string   `json:"agency"`
	Recipients []string `json:"recipients"`
}

// IncidentEvidence says where a mark stood, never what stood around it.
type IncidentEvidence struct {
	Path  string `json:"path"`
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Class string `json:"class"`
}

// An IncidentStep is what somebody did about an incident.
type IncidentStep struct {
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	What   string    `json:"what"` // assigned to ..., closed, closed as a false alarm
	Reason string    `json:"reason,omitempty"`
}

// An IncidentFilter picks incidents; zero fields pick all.
type IncidentFilter struct {
	Max          int // the newest so many; 0 is no limit
	Agency       string
	Class        string
	State        string
	Sender       string
	Since, Until time.Time
	After        uint64 // those with a greater Seq alone, the oldest first
}

// An IncidentChange is what is done about an incident.
type IncidentChange struct {
	Assign     string // address of whom it is assigned to, "" for no change
	Close      bool
	FalseAlarm bool // with Close
	Reason     string
}

// Incidents keeps them.
type Incidents interface {
	// AddIncident gives the incident its ID and keeps it, durably, before the refusal is
	// answered; with OpenCase also a case, whose ID has the same letters.
	AddIncident(ctx context.Context, in Incident) (id string, err error)
	// Incidents are those that the actor may see: of another agency's incident that
	// concerns the actor's, only the own side.
	Incidents(ctx context.Context, by Actor, f IncidentFilter) ([]Incident, error)
	IncidentByID(ctx context.Context, by Actor, id string) (*Incident, error)
	// ChangeIncident is for security officers of the incident's agency and above.
	ChangeIncident(ctx context.Context, by Actor, id string, c IncidentChange) (*Incident, error)
}
