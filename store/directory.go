package store

import (
	"context"
	"time"
)

// AccountID names an account for ever; 0 is none. It is never reused.
type AccountID uint64

// Kind is what an account is for.
type Kind string

const (
	Personal    Kind = "personal"
	Shared      Kind = "shared"
	Application Kind = "application" // sends only, no IMAP
)

// An Agency owns domains, accounts and policy settings.
type Agency struct {
	Name    string    `json:"name"` // short and stable, such as "agensi-a"
	Title   string    `json:"title,omitempty"`
	Created time.Time `json:"created"`

	Source         string `json:"source,omitempty"`          // address that its mail goes out from, "" for the system's choice
	HELO           string `json:"helo,omitempty"`            // name in EHLO of its mail, "" for the suite's
	ForwardOutside bool   `json:"forward_outside,omitempty"` // officers may forward outside government automatically
}

// A Domain belongs to one agency.
type Domain struct {
	Name    string    `json:"name"` // lower case, A-labels
	Agency  string    `json:"agency"`
	Created time.Time `json:"created"`

	Route    Route  `json:"route,omitzero"`
	CatchAll string `json:"catch_all,omitempty"` // address that gets what nobody here has
	Held     string `json:"held,omitempty"`      // why mail for the domain stays in the queue, "" for not
}

// An Account is one officer, a shared mailbox or an application.
type Account struct {
	ID      AccountID `json:"id"`
	Address string    `json:"address"` // canonical, lower case
	Agency  string    `json:"agency"`
	Kind    Kind      `json:"kind"`
	Role    Role      `json:"role,omitempty"`
	Name    string    `json:"name,omitempty"`
	Quota   int64     `json:"quota,omitempty"` // octets, 0 is none
	Frozen  bool      `json:"frozen,omitempty"`
	Shard   uint8     `json:"shard"` // recorded when made, never computed
	Created time.Time `json:"created"`

	RetentionDays int  `json:"retention_days,omitempty"` // purge honours both
	Hold          bool `json:"hold,omitempty"`

	Forward     []string `json:"forward,omitempty"`      // addresses that get a copy
	ForwardOnly bool     `json:"forward_only,omitempty"` // nothing is kept here
	Held        string   `json:"held,omitempty"`         // why nobody may log in or send, "" for not; mail still arrives
}

// Active says whether the account may log in and send.
func (a *Account) Active() bool { return !a.Frozen && a.Held == "" }

// An Alias sends mail for an address to an account, or to a group.
type Alias struct {
	Address string    `json:"address"`
	Target  string    `json:"target"` // address of an account, a group, or another alias
	Agency  string    `json:"agency"`
	Created time.Time `json:"created"`
	Until   time.Time `json:"until,omitzero"` // it means nobody from then on; zero is for ever
}

// Ended says whether the alias means nobody now.
func (a *Alias) Ended(now time.Time) bool { return !a.Until.IsZero() && !now.Before(a.Until) }

// A Resolution is what an address means here.
type Resolution struct {
	Local   bool     // the domain is in the directory
	Agency  string   // of the domain
	Account *Account // nil when the domain is local and nobody has the address
	Detail  string   // subaddress, "tag" of user+tag@
}

// A Scram is what a SCRAM-SHA-256 server needs (RFC 5802 section 3).
type Scram struct {
	Salt                 []byte
	Iterations           int
	StoredKey, ServerKey []byte
}

// Directory knows agencies, domains, accounts and aliases. Every read is from
// memory or nearly so: RCPT asks it for each recipient.
type Directory interface {
	AddAgency(ctx context.Context, by Actor, a Agency) error
	Agencies(ctx context.Context, by Actor) ([]Agency, error)
	AddDomain(ctx context.Context, by Actor, d Domain) error
	Domains(ctx context.Context, by Actor) ([]Domain, error)

	// AddAccount makes the account, its password where one is given, and its
	// mailboxes INBOX, Drafts, Sent, Junk, Trash, Archive (except applications).
	AddAccount(ctx context.Context, by Actor, a Account, password string) (*Account, error)
	// AddAccounts is AddAccount for many with one shared password, in few commits.
	AddAccounts(ctx context.Context, by Actor, as []Account, password string) ([]*Account, error)
	Accounts(ctx context.Context, by Actor) ([]Account, error)
	AccountByID(ctx context.Context, id AccountID) (*Account, error)
	AddAlias(ctx context.Context, by Actor, a Alias) error
	Aliases(ctx context.Context, by Actor) ([]Alias, error)

	// SetPassword replaces all verifiers of the account by one for password.
	// AddPassword adds one (rotation without a gap).
	SetPassword(ctx context.Context, by Actor, address, password string) error
	AddPassword(ctx context.Context, by Actor, address, password string) error
	// Login checks a password: [ErrBadPassword] for unknown and wrong alike, in
	// about the same time; [ErrAccountState] when it is right and the account not active.
	Login(ctx context.Context, address, password string) (*Account, error)
	// ScramKeys are the keys of one account; for an unknown one they are made up,
	// the same at each call, so that nobody learns who exists. Whoever proves to know them
	// must still be refused when the account is not [Account.Active].
	ScramKeys(ctx context.Context, address string) (*Account, Scram, error)

	// Resolve says where an address leads: aliases and user+tag followed. Only
	// faults of the store are errors.
	Resolve(ctx context.Context, address string) (Resolution, error)
	// Owns says whether the account may use address as its own: its address, an
	// alias to it, or either with a subaddress.
	Owns(ctx context.Context, id AccountID, address string) (bool, error)
}
