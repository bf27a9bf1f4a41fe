package store

import (
	"context"
	"time"
)

// An Incident is a refusal or finding, without the content.
type Incident struct {
	ID         string             `json:"id"` // short, can be read over the telephone
	Time       time.Time          `json:"time"`
	Agency     string             `json:"agency"` // whose side it is about
	Class      string             `json:"class"`
	Action     string             `json:"action"`
	Direction  string             `json:"direction"`
	Listener   string             `json:"listener"` // mx, submission, submissions, imap
	Remote     string             `json:"remote,omitempty"`
	QueueID    string             `json:"queue_id,omitempty"`
	Account    string             `json:"account,omitempty"` // authenticated, or ""
	Sender     string             `json:"sender"`
	Recipients []string           `json:"recipients"`
	MessageID  string             `json:"message_id,omitempty"`
	Size       int64              `json:"size"`
	Evidence   []IncidentEvidence `json:"evidence"`
	RuleSet    string             `json:"rule_set"`
	State      string             `json:"state"` // open, closed
}

// IncidentEvidence says where a mark stood, never what stood around it.
type IncidentEvidence struct {
	Path  string `json:"path"`
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Class string `json:"class"`
}

// Incidents keeps them.
type Incidents interface {
	// AddIncident gives the incident its ID and keeps it, durably, before the refusal is answered.
	AddIncident(ctx context.Context, in Incident) (id string, err error)
	Incidents(ctx context.Context, by Actor, max int) ([]Incident, error)
	IncidentByID(ctx context.Context, by Actor, id string) (*Incident, error)
}
