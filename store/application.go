package store

import (
	"context"
	"fmt"
	"time"

	"sampul/internal/window"
)

// States of an application.
const (
	AppRequested = "requested" // somebody asked for it; it cannot log in
	AppApproved  = "approved"  // the operator agreed; it becomes active with its first credential
	AppActive    = "active"
	AppSuspended = "suspended" // for a time: by an officer, or by a rule
	AppEnded     = "ended"     // for good
)

// AppTerm is how long an approval holds: it is renewed each year.
const AppTerm = 365 * 24 * time.Hour

// What becomes of recipients beyond a quota.
const (
	OverRefuse = "refuse" // 450, with the time when the quota opens
	OverDelay  = "delay"  // accepted, and released when it opens
)

// Whom an application may write to.
const (
	ReachAgency   = "agency"
	ReachInside   = "inside"
	ReachInternet = "internet"
)

// Windows of quotas, from the shortest. They begin on the local clock: at the full
// minute and hour, at midnight, on the first of the month.
const (
	WindowMinute = window.Minute
	WindowHour   = window.Hour
	WindowDay    = window.Day
	WindowMonth  = window.Month
)

// Windows are all of them, in order.
var Windows = window.All

// MaxQuota is the most that a quota may be.
const MaxQuota = 1_000_000_000

// MaxRun is how long the tag of a run may be, in octets.
const MaxRun = 64

// An App is a program that was approved to send mail through the relay. Its account
// of kind [Application] holds its passwords; it never reads mail.
type App struct {
	Account AccountID `json:"-"`
	Address string    `json:"address"`
	Agency  string    `json:"agency"`
	Name    string    `json:"name,omitempty"`
	Owner   string    `json:"owner"`         // address of who answers for it, and gets its notices
	Ref     string    `json:"ref,omitempty"` // number of the request
	State   string    `json:"state"`
	Why     string    `json:"why,omitempty"` // of a suspension or an end

	Requested   time.Time `json:"requested,omitzero"`
	RequestedBy string    `json:"requested_by,omitempty"`
	Approved    time.Time `json:"approved,omitzero"`
	ApprovedBy  string    `json:"approved_by,omitempty"`
	Until       time.Time `json:"until,omitzero"` // from then on it sends nothing, until it is renewed

	AppTerms
	PolicyChange // version, by whom, when, why
}

// AppTerms are what an application may do.
type AppTerms struct {
	Senders      []string          `json:"senders,omitempty"`      // MAIL FROM and From beside its own address; "@domain" is all of a domain
	Reach        string            `json:"reach,omitempty"`        // agency, inside, internet; "" is internet
	Networks     []string          `json:"networks,omitempty"`     // prefixes that it comes from; none: any
	Certificates []string          `json:"certificates,omitempty"` // SHA-256 of the public keys of client certificates, hexadecimal; none: no certificate is asked for
	MaxSize      int64             `json:"max_size,omitempty"`     // octets of a message; 0 is the listener's limit
	Hours        string            `json:"hours,omitempty"`        // "08-18", "22-06" goes over midnight; "" is always
	Quota        map[string]uint64 `json:"quota,omitempty"`        // by window, in recipients; one that is not there is not bounded, 0 lets nothing pass
	Burst        int               `json:"burst,omitempty"`        // recipients in one second; 0 is not bounded
	Over         string            `json:"over,omitempty"`         // refuse, delay; "" is refuse
	Warn         int               `json:"warn,omitempty"`         // per cent of a quota at which the owner hears of it; 0 is 80
	Unsubscribe  bool              `json:"unsubscribe,omitempty"`  // bulk must carry List-Unsubscribe with one click (RFC 8058)
	VolumeHold   bool              `json:"volume_hold,omitempty"`  // unusual volume suspends it, and does not only raise an alarm
	RahsiaLimit  int               `json:"rahsia_limit,omitempty"` // different RAHSIA messages in an hour that suspend it; 0 is 5
}

// An AppCount is how many recipients an application was granted in one window.
type AppCount struct {
	Window string    `json:"window"`
	Start  time.Time `json:"start"`
	Count  uint64    `json:"count"`
}

// A Suppression is a recipient that an application, or all of an agency, no longer writes to.
type Suppression struct {
	App     AccountID `json:"-"`             // 0 is all applications of Agency
	Sender  string    `json:"app,omitempty"` // address of the application
	Agency  string    `json:"agency"`
	Address string    `json:"address"` // lower case
	Kind    string    `json:"kind"`    // hard, soft, manual
	Reason  string    `json:"reason,omitempty"`
	Code    int       `json:"code,omitempty"` // SMTP reply that caused it, 0 for none
	Status  string    `json:"status,omitempty"`
	Time    time.Time `json:"time"`
	Until   time.Time `json:"until,omitzero"` // it ends then; zero is never
	By      string    `json:"by,omitempty"`
}

// Kinds of suppressions.
const (
	SuppressHard   = "hard"   // the address does not exist
	SuppressSoft   = "soft"   // it failed too often in a short time
	SuppressManual = "manual" // somebody said so
)

// A SuppressionFilter picks suppressions; zero fields pick all.
type SuppressionFilter struct {
	App     string // address of an application
	Agency  string
	Address string // or @domain
	Kind    string
	After   string // the Position after which to go on
	Max     int
}

// Position is where a suppression stands in the order of lists: of the last one of a page it
// is what the next page begins after.
func (s *Suppression) Position() string {
	return fmt.Sprintf("%s %016x %s", s.Agency, uint64(s.App), s.Address)
}

// MaxSuppressions is how many may be added in one call.
const MaxSuppressions = 100_000

// MaxSuppressReason is how long a reason may be, in octets.
const MaxSuppressReason = 1000

// A SoftRule says when failures that may pass suppress a recipient: Times of them Within a
// time, For a time.
type SoftRule struct {
	Times       int
	Within, For time.Duration
}

// AppUsage is what an application did in one hour.
type AppUsage struct {
	App       AccountID         `json:"-"`
	Sender    string            `json:"app"`
	Agency    string            `json:"agency"`
	Hour      time.Time         `json:"hour"`
	Accepted  uint64            `json:"accepted"`          // recipients, as all here, by the hour of their 250
	Refused   map[string]uint64 `json:"refused,omitempty"` // by reason
	Delivered uint64            `json:"delivered"`
	Bounced   uint64            `json:"bounced"`
}

// Applications are the approved objects. The operator approves and renews, never who asked
// for it; an administrator of the agency asks, suspends, and lowers what the agency's
// defaults allow.
type Applications interface {
	// App is from memory, nil when there is none: every MAIL asks.
	App(id AccountID) *App
	Apps(ctx context.Context, by Actor) ([]App, error)
	AppNamed(ctx context.Context, by Actor, address string) (*App, error)
	// PutApp keeps the next version of what was read: [ErrExists] when it was changed since
	// (a Version of 0 does not say what was read). Steps between states that are not allowed are
	// [ErrForbidden] or [ErrName], with the reason.
	PutApp(ctx context.Context, by Actor, a App, reason string) (*App, error)
	// AppHistory is all versions, the oldest first.
	AppHistory(ctx context.Context, by Actor, address string) ([]App, error)

	// AppDefaults are the most that applications of an agency may have; the operator sets
	// them, an administrator may lower them.
	AppDefaults(agency string) AppTerms
	SetAppDefaults(ctx context.Context, by Actor, agency string, t AppTerms, reason string) error

	// AppCounts is what was granted: every message whose acceptance is durable is in it,
	// once, also after a crash. It is asked at the start, and for reports.
	AppCounts(id AccountID) ([]AppCount, error)
}

// Suppressions keeps them; each RCPT of an application asks.
type Suppressions interface {
	// Suppressed is the suppression that holds for an address now, the application's own
	// or the agency's, or nil.
	Suppressed(ctx context.Context, app AccountID, agency, address string) (*Suppression, error)
	AddSuppressions(ctx context.Context, by Actor, all []Suppression) error
	// NoteBounces takes what became of messages, App, Address and Kind of each. A hard one
	// suppresses at once, until its Until; a soft one counts, and suppresses by the rule.
	// What is there and holds longer stays. It gives those that were made.
	NoteBounces(ctx context.Context, all []Suppression, rule SoftRule) ([]Suppression, error)
	RemoveSuppression(ctx context.Context, by Actor, app, agency, address string) error
	// Suppressions are in order of agency, application (those of the whole agency first), address.
	Suppressions(ctx context.Context, by Actor, f SuppressionFilter) ([]Suppression, error)
}

// Usages keeps what applications did, by hour of the local clock.
type Usages interface {
	// AddUsage adds to what is kept, durably, all or nothing. App and Hour pick a row.
	// Accepted is not added: the store counts what it accepts, exactly, and notes it again
	// in each row that is named here. An application that is not there is passed over.
	AddUsage(ctx context.Context, deltas []AppUsage) error
	// Usage is by application and hour, in order of time, then of address: hours that
	// begin in [since, until), zero for no bound; of all applications that the actor may
	// see when app is "". Accepted is exact, also of what was accepted since the last
	// AddUsage, and after a crash.
	Usage(ctx context.Context, by Actor, app string, since, until time.Time) ([]AppUsage, error)
}
