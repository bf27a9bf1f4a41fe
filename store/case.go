package store

import (
	"context"
	"time"
)

// States of a case.
const (
	CaseOpen     = "open"
	CaseApproved = "approved"
	CaseDenied   = "denied"
)

// CaseLife is how long a case, and an approval, is believed.
const CaseLife = 30 * 24 * time.Hour

// A Case is a message that was refused and that an officer may let pass when it comes
// again. Nothing of it is kept but keyed hashes of the parts that the refusal rests on.
type Case struct {
	ID         string             `json:"id"` // "C-" and the letters of the incident
	Time       time.Time          `json:"time"`
	Agency     string             `json:"agency"`
	Incident   string             `json:"incident"`
	Class      string             `json:"class"`
	Suspicion  bool               `json:"suspicion,omitempty"`
	Direction  string             `json:"direction"`
	Sender     string             `json:"sender"`
	Account    string             `json:"account,omitempty"`
	Recipients []string           `json:"recipients"`
	Evidence   []IncidentEvidence `json:"evidence"`
	Parts      []string           `json:"parts"` // keyed hashes, in hexadecimal

	State   string    `json:"state"`
	Until   time.Time `json:"until"` // it means nothing from then on
	Decided time.Time `json:"decided,omitzero"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// A CaseDecision is an officer's word on a case.
type CaseDecision struct {
	Approve bool
	Reason  string // needed
}

// Cases keeps them; [Incidents.AddIncident] opens them.
type Cases interface {
	// CasesByParts are those of an agency that still mean something and rest on any of
	// these parts, the newest first. It is asked for each message that is to be refused.
	CasesByParts(ctx context.Context, agency string, sums [][32]byte) ([]Case, error)
	// PartHash is how a part stands in [Case.Parts].
	PartHash(sum [32]byte) string
	// Cases lists those in a state, or all with "", the newest first.
	Cases(ctx context.Context, by Actor, state string, max int) ([]Case, error)
	// CaseByID takes the case's ID, or that of its incident.
	CaseByID(ctx context.Context, by Actor, id string) (*Case, error)
	// DecideCase is for security officers of the agency and above, never for the officer
	// who sent the message. A decision may be changed by another.
	DecideCase(ctx context.Context, by Actor, id string, d CaseDecision) (*Case, error)
}
