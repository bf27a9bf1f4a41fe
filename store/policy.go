package store

import (
	"context"
	"time"
)

// Suite stands for the agency where something holds for all of them.
const Suite = "*"

// MaxAttachments is the most that attachments of one message may have in all, decoded, in
// octets: 25 MiB (the circular, 1.2.2(a)(i)(e)(ii)). Agencies may ask for less.
const MaxAttachments = 25 << 20

// Limits of what one agency may keep of policy.
const (
	MaxRules       = 200
	MaxKinds       = 50
	MaxPermissions = 1000
	MaxLabels      = 5000 // of the suite
	MaxExpression  = 4096 // octets of a rule's condition
)

// A PolicyChange says which version of something this is, who made it, when and why. All
// versions are kept.
type PolicyChange struct {
	Version int       `json:"version"` // from 1
	Seq     uint64    `json:"seq"`     // grows with every change of policy in the suite
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	Removed bool      `json:"removed,omitempty"`
}

// PolicySettings are what an agency has set. "" and 0 are what is built in: 25 MiB, any
// number, executables and double extensions refused, macros tagged, TERHAD and SULIT from the
// Internet delivered with a tag, unreadable mail of the listed kinds alike, a suspicion
// declared by the sender alone.
type PolicySettings struct {
	AttachmentMax   int64    `json:"attachment_max,omitempty"`   // octets, decoded; at most MaxAttachments
	AttachmentCount int      `json:"attachment_count,omitempty"` // of one message
	Executables     string   `json:"executables,omitempty"`      // accept, tag, reject
	Macros          string   `json:"macros,omitempty"`           // accept, tag, reject
	DoubleExtension string   `json:"double_extension,omitempty"` // accept, tag, reject: "surat.pdf.exe"
	InternetSecret  string   `json:"internet_secret,omitempty"`  // deliver, refuse: TERHAD and SULIT from the Internet
	InternetUnread  string   `json:"internet_unread,omitempty"`  // listed, refuse: encrypted mail from the Internet
	Declare         string   `json:"declare,omitempty"`          // self, approve: who declares a suspicion away
	Guidance        string   `json:"guidance,omitempty"`         // how to send TERHAD and SULIT; one line of ASCII for replies
	Officers        []string `json:"officers,omitempty"`         // security officers: who gets notices of incidents

	PolicyChange
}

// A PolicyRule is a condition on messages that come from or go to an agency, and what follows.
// Whether the condition is one that can be evaluated is not known here.
type PolicyRule struct {
	Agency string `json:"agency"` // or Suite
	Name   string `json:"name"`
	When   string `json:"when"`           // an expression in CEL
	Do     string `json:"do"`             // accept, tag, secure-link, reject, tempfail
	Text   string `json:"text,omitempty"` // for the reply; ASCII
	Off    bool   `json:"off,omitempty"`

	PolicyChange
}

// A PolicyKind is a kind of file that nobody can read for marks, and that passes with a tag
// inside an agency all the same.
type PolicyKind struct {
	Agency    string `json:"agency"`
	Name      string `json:"name"`
	Magic     string `json:"magic"`     // its first octets, in hex
	Extension string `json:"extension"` // of its name, such as "dwg"

	PolicyChange
}

// A PolicyPermission lets TERHAD and SULIT go out to one recipient on the Internet.
type PolicyPermission struct {
	Agency  string    `json:"agency"`
	Address string    `json:"address"`
	Until   time.Time `json:"until,omitzero"` // it ends then; zero is never

	PolicyChange
}

// Ended says whether the permission is over.
func (p *PolicyPermission) Ended(now time.Time) bool {
	return !p.Until.IsZero() && !now.Before(p.Until)
}

// A PolicyLabel is the class that a label of Microsoft's information protection means.
type PolicyLabel struct {
	Site  string `json:"site"` // GUID of the tenant, "*" for any
	GUID  string `json:"guid"`
	Class string `json:"class"` // TERBUKA, TERHAD, SULIT, RAHSIA, RAHSIA BESAR

	PolicyChange
}

// An AgencyPolicy is what holds for one agency now, each list in order of name. Seq is that of its last
// change.
type AgencyPolicy struct {
	Seq         uint64             `json:"seq"`
	Settings    PolicySettings     `json:"settings"`
	Rules       []PolicyRule       `json:"rules,omitempty"`
	Kinds       []PolicyKind       `json:"kinds,omitempty"`
	Permissions []PolicyPermission `json:"permissions,omitempty"`
}

// A PolicySet is all that holds now. It never changes: a change of policy makes another.
type PolicySet struct {
	Seq       uint64                   `json:"seq"`                // of the last change
	Agencies  map[string]*AgencyPolicy `json:"agencies,omitempty"` // those that have anything; Suite for all
	Labels    []PolicyLabel            `json:"labels,omitempty"`
	LabelsSeq uint64                   `json:"labels_seq,omitempty"`
}

// Policies keeps what agencies have said of policy. The operator changes all of it;
// administrators and security officers what is of their agency, and neither what holds for
// the suite nor labels. Each change has a reason of one line, and is kept for ever with who made it.
type Policies interface {
	// Policy is what holds now, from memory, never nil.
	Policy() *PolicySet
	// SetPolicySettings replaces the settings of an agency.
	SetPolicySettings(ctx context.Context, by Actor, agency string, s PolicySettings, reason string) error
	// PutPolicyRule adds a rule, or makes its next version; it gives what is kept.
	PutPolicyRule(ctx context.Context, by Actor, r PolicyRule, reason string) (*PolicyRule, error)
	RemovePolicyRule(ctx context.Context, by Actor, agency, name, reason string) error
	PutPolicyKind(ctx context.Context, by Actor, k PolicyKind, reason string) (*PolicyKind, error)
	RemovePolicyKind(ctx context.Context, by Actor, agency, name, reason string) error
	PutPolicyPermission(ctx context.Context, by Actor, p PolicyPermission, reason string) (*PolicyPermission, error)
	RemovePolicyPermission(ctx context.Context, by Actor, agency, address, reason string) error
	PutPolicyLabel(ctx context.Context, by Actor, l PolicyLabel, reason string) (*PolicyLabel, error)
	RemovePolicyLabel(ctx context.Context, by Actor, site, guid, reason string) error

	// Histories are all versions, the oldest first; of a rule that was removed too.
	PolicySettingsHistory(ctx context.Context, by Actor, agency string) ([]PolicySettings, error)
	PolicyRuleHistory(ctx context.Context, by Actor, agency, name string) ([]PolicyRule, error)
}
