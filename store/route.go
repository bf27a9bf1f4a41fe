package store

import (
	"context"
	"time"
)

// RouteKind is where the mail of a domain goes.
type RouteKind string

const (
	RouteLocal     RouteKind = "local" // mailboxes here; "" means the same
	RouteReject    RouteKind = "reject"
	RouteSmarthost RouteKind = "smarthost"
	RouteLMTP      RouteKind = "lmtp"
	RouteSplit     RouteKind = "split" // address by address, while an agency moves
)

// Where an address of a split domain lives.
const (
	Here      = "here"
	Elsewhere = "elsewhere" // on the agency's other server
	Moving    = "moving"    // accepted, and kept in the queue until the table says where
)

// Limits of the directory.
const (
	MaxSplit   = 100_000 // addresses in the table of a split domain
	MaxMembers = 10_000  // of a group, as it stands and with its groups followed
	MaxForward = 20      // addresses that an account forwards to
)

// Who may send to a group, beside single addresses.
const (
	SendersAnyone  = "anyone"  // the Internet too
	SendersInside  = "inside"  // whoever has an account here
	SendersAgency  = "agency"  // the group's own agency
	SendersMembers = "members" // groups in it followed
)

// A Route says where the mail of a domain goes. It can change while the suite runs:
// what waits in the queue takes the new way at its next attempt.
type Route struct {
	Kind    RouteKind `json:"kind"`
	Text    string    `json:"text,omitempty"`    // reject: the reason that senders hear
	Host    string    `json:"host,omitempty"`    // smarthost, lmtp, split: HOST:PORT
	TLS     string    `json:"tls,omitempty"`     // none, may or verify; "" is may
	User    string    `json:"user,omitempty"`    // smarthost: login
	Secret  string    `json:"secret,omitempty"`  // and its password; listings have it removed
	Default string    `json:"default,omitempty"` // split: here or elsewhere, for addresses not in the table
}

// A Group sends mail for its address to its members.
type Group struct {
	Address string    `json:"address"`
	Agency  string    `json:"agency"`
	Members []string  `json:"members"`           // addresses, of groups too
	Senders []string  `json:"senders,omitempty"` // who may send: addresses, or one of the words anyone, inside, agency, members; empty is inside
	Owner   string    `json:"owner"`             // gets bounces
	VERP    bool      `json:"verp,omitempty"`    // one reverse-path for each member outside
	Created time.Time `json:"created"`
}

// An Entry is what stands in the directory for an address, one step far: nothing is
// followed. At most one of Account, Alias and Group is set, and none of them for an
// address that nobody has.
type Entry struct {
	Domain  *Domain // nil: not in the directory
	Agency  *Agency
	Account *Account
	Alias   *Alias // also one whose end has come
	Group   *Group
	Split   string // table of a split domain: here, elsewhere, moving; "" where it says nothing
}

// Routing is the part of a directory that says where mail goes.
type Routing interface {
	// Find looks an address up as it stands, without subaddress or alias followed.
	Find(ctx context.Context, address string) (Entry, error)

	// SetRoute is the operator's: it says where this machine connects to.
	SetRoute(ctx context.Context, by Actor, domain string, r Route) error
	// SetSplit replaces the table of a domain at one instant: address to here, elsewhere or
	// moving, at most [MaxSplit] of them.
	SetSplit(ctx context.Context, by Actor, domain string, table map[string]string) error
	SplitTable(ctx context.Context, by Actor, domain string) (map[string]string, error)
	// SetCatchAll gives what nobody in the domain has to an address of the same agency; ""
	// ends that.
	SetCatchAll(ctx context.Context, by Actor, domain, address string) error
	// HoldDomain keeps mail for the domain in the queue, with why; "" releases it.
	HoldDomain(ctx context.Context, by Actor, domain, why string) error
	// SetAgency changes the settings of an agency that is there. Source and HELO are the
	// operator's, the rest an administrator's too.
	SetAgency(ctx context.Context, by Actor, a Agency) error
	// AgencyByName gives an agency, false for none.
	AgencyByName(name string) (Agency, bool)
	// Government says whether a domain is government: in the directory, or in the list that
	// the engine was given.
	Government(domain string) bool

	AddGroup(ctx context.Context, by Actor, g Group) error
	SetGroup(ctx context.Context, by Actor, g Group) error
	RemoveGroup(ctx context.Context, by Actor, address string) error
	Groups(ctx context.Context, by Actor) ([]Group, error)
	// SetAlias changes target and end of an alias; RemoveAlias takes it away.
	SetAlias(ctx context.Context, by Actor, a Alias) error
	RemoveAlias(ctx context.Context, by Actor, address string) error

	// SetForward says where mail of an account goes too, or only; no address ends that. It is
	// the account's own right. Outside government it needs the agency's [Agency.ForwardOutside].
	SetForward(ctx context.Context, by Actor, address string, to []string, only bool) error
	// HoldAccount refuses logins and sending, with why; "" releases. OnHold calls are told after.
	HoldAccount(ctx context.Context, by Actor, address, why string) error
	// OnHold calls f whenever an account is held or released, so that sessions end.
	OnHold(f func(Account))
	// OnRoute calls f with the name of a domain whose route, table, catch-all or hold has
	// changed, so that what waits in the queue goes the new way. f must not block.
	OnRoute(f func(domain string))

	// SuiteSecret is 32 octets that this suite has for ever, for one purpose: SRS, VERP.
	SuiteSecret(purpose string) []byte
}

// A DKIMKey is a signing key of a domain. Private keys never leave the store but to sign.
type DKIMKey struct {
	Domain    string    `json:"domain"`
	Selector  string    `json:"selector"`
	Algorithm string    `json:"algorithm"` // rsa-sha256, ed25519-sha256
	State     string    `json:"state"`     // published: wait for DNS; active: signs; retired: stays published until it may go
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"`           // when it came into its state
	Record    string    `json:"record,omitempty"`  // TXT record to publish at SELECTOR._domainkey.DOMAIN
	Private   []byte    `json:"private,omitempty"` // PKCS#8; listings have it removed
}

// Signing keeps DKIM keys.
type Signing interface {
	DKIMKeys(ctx context.Context, by Actor, domain string) ([]DKIMKey, error) // without Private; "" is all domains
	PutDKIMKey(ctx context.Context, by Actor, k DKIMKey) error                // adds, or changes State
	RemoveDKIMKey(ctx context.Context, by Actor, domain, selector string) error
	// SigningKeys are the active keys of a domain with Private, from memory.
	SigningKeys(domain string) []DKIMKey
}
