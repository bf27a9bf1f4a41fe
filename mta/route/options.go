package route

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"sampul/store"
)

// Directory is what is read of the store, all from memory.
type Directory interface {
	Find(ctx context.Context, address string) (store.Entry, error)
	AgencyByName(name string) (store.Agency, bool)
	Government(domain string) bool
	SuiteSecret(purpose string) []byte
}

// A Prober asks another server whether it takes mail for an address, by MAIL and RCPT
// without DATA. An error means that the server was not reached or did not answer.
type Prober interface {
	Probe(ctx context.Context, hop Hop, from, to string) (code int, enhanced, text string, err error)
}

// Options of a router. Directory is needed.
type Options struct {
	Directory Directory
	Prober    Prober // nil: nobody is asked, and what lives elsewhere is 450 4.4.1
	// Addresses gives those of a host, to know the agency's other server by. nil: only one
	// that a route names by its address is known.
	Addresses  func(ctx context.Context, host string) []netip.Addr
	Postmaster string           // gets mail for postmaster of our domains where nobody has that address; "" for nobody
	ProbeTime  time.Duration    // how long a client waits for the other server; 0 is 30 s
	Clock      func() time.Time // nil: time.Now
}

// Limits of what one address can lead to.
const (
	maxDepth      = 16     // aliases, groups and forwards in a row
	maxRecipients = 10_000 // of one address
	maxLegs       = 50_000 // addresses followed, also those that are there already
	maxSteps      = 200    // told; what follows is only counted
)

// Routes is the [Router]. It may be used by many goroutines, and holds nothing but the
// answers of other servers for a few minutes.
type Routes struct {
	o       Options
	dir     Directory
	srs     srs
	bounces bounces
	apps    appBounces
	asked   asked
}

var _ Router = (*Routes)(nil)

// New makes a router.
func New(o Options) *Routes {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.ProbeTime <= 0 {
		o.ProbeTime = 30 * time.Second
	}
	return &Routes{o: o, dir: o.Directory, srs: srs{o.Directory.SuiteSecret("srs")}, bounces: bounces{o.Directory.SuiteSecret("verp")},
		apps:  appBounces{o.Directory.SuiteSecret("verp")},
		asked: asked{answers: map[string]answer{}, now: map[string]int{}}}
}

// cut is the local part of an address as it stands, and what follows the last @.
func cut(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, ""
	}
	return address[:at], address[at+1:]
}
