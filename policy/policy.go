// Package policy judges a message before it is accepted: which class is marked
// on it or on anything in it, on what evidence, and what follows for each
// recipient. It takes the message apart (package extract), finds marks in what
// is read (package mark) and applies the table of classes and directions.
//
// A refusal keeps no content: evidence says where a mark stands, never what
// stands around it. A fault of the engine is an error, which SMTP answers with
// 451: a message that was not judged is never delivered.
package policy

import (
	"cmp"
	"context"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
)

// Class orders the classes of official secrets. Uninspectable is no class but a
// verdict: something could not be read, and nothing readable shows RAHSIA or above.
type Class uint8

const (
	Terbuka Class = iota
	Terhad
	Sulit
	Uninspectable
	Rahsia
	RahsiaBesar
)

// Direction is the way a message takes (classification.md section 6).
type Direction string

const (
	Internal Direction = "internal" // same agency
	Across   Direction = "agency"   // other agency inside
	Out      Direction = "out"      // to the Internet
	InGov    Direction = "in-gov"   // from government outside
	In       Direction = "in"       // from the Internet
	Relay    Direction = "relay"    // from an application
)

// Action is what follows for one recipient, from mildest to strictest.
type Action uint8

const (
	Accept Action = iota
	Tag
	SecureLink
	Reject
	Tempfail
)

// Evidence says why: which part (path through containers), where in it, which
// rule, which class word; and why it counts or does not.
type Evidence struct {
	Path   string // "", "attachment 2 \"bahan.zip\" > kertas.docx"
	Where  string // subject, page-header, first-lines, file-name ...
	Rule   string // E1 to E10, C1.., N1.. of classification.md 5.4
	Class  Class
	Word   string // the class word as normalised, such as "RAHSIA BESAR"
	Weight int    // what it counts after negatives, 0 for a mention
	Why    string
}

// Recipient is one forward-path as policy sees it.
type Recipient struct {
	Address string
	Agency  string // "" is outside the directory
	Given   string // what the sender wrote, where that is another: a group, an alias
}

// named is how the sender knows the recipient.
func (r Recipient) named() string { return cmp.Or(r.Given, r.Address) }

// Auth is how a sender outside was authenticated, in the words of RFC 8601: pass, fail,
// none ...; "" where nothing was checked.
type Auth struct{ SPF, DKIM, DMARC, IPRev string }

// Mail is a message and its context.
type Mail struct {
	Body       store.Body
	Index      *message.Index
	SHA256     [32]byte // of Body; the caller hashed it while it came in
	Sender     string   // reverse-path
	Account    string   // authenticated address, "" for none
	Agency     string   // of the authenticated sender, "" for none
	App        bool     // sent by a relay application
	Append     bool     // IMAP APPEND, import: kept by one account, not sent
	Recipients []Recipient
	Auth       Auth
	Purpose    gate.Purpose
	Listener   string // mx, submission, submissions, imap: for the incident
	Remote     string // address of the client, for the incident
	QueueID    string
}

// Verdict is the judgement. Actions go with Mail.Recipients.
type Verdict struct {
	ID         string
	Class      Class
	Suspicion  Class // 40 to 79 points; Terbuka for none
	Action     Action
	Actions    []Action
	Direction  Direction
	Evidence   []Evidence
	Notes      []string // what was sampled, or looked at in part only
	Incident   string   // ID, when one was recorded
	Case       string   // ID, when an officer may let it pass, or has
	Passed     gate.Passed
	TagHeaders []byte // header fields to add, such as X-Sampul-Class; ends with CRLF, or empty

	RecipientTags [][]byte // more of them for each recipient alone, with Actions; nil for none

	// Refusal, when Action is SecureLink, Reject or Tempfail: what the client hears.
	Code     int    // 550, 552, 451
	Enhanced string // "5.7.1", "5.7.0", "5.3.4", "4.7.1"
	Text     string // Malay, then English, ASCII, at most 380 octets, no line breaks

	basis
	standing standing
}

// Recorder keeps incidents; a store does.
type Recorder interface {
	AddIncident(ctx context.Context, in store.Incident) (id string, err error)
}
