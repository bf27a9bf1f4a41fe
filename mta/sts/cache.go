package sts

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"sampul/internal/dns"
)

const (
	refreshEach = 24 * time.Hour  // a policy is fetched again that often, or at half its age
	retryEach   = 5 * time.Minute // after a fetch that failed (RFC 8461 section 3.3)
	maxDomains  = 20000           // in memory; those left out are read from States again
)

// States keeps small things across restarts. State gives nil for what it does not have.
type States interface {
	State(name string) ([]byte, error)
	KeepState(ctx context.Context, name string, value []byte) error
}

// Options make a [Cache].
type Options struct {
	Resolver      *dns.Resolver
	HTTPSPort     int            // 443 when 0; the demo has another
	TrustCA       *x509.CertPool // CAs that count besides the system's
	AllowLoopback bool           // policies may be on this machine (demo, tests)
	States        States         // nil: policies are forgotten at exit
	Log           *slog.Logger
	Clock         func() time.Time
}

// A Cache holds the policies of other domains. It may be used by many goroutines.
type Cache struct {
	Options
	client *http.Client
	one    singleflight.Group

	mu      sync.Mutex
	domains map[string]*entry
}

// An entry is what is known of a domain. Its exported fields are kept.
type entry struct {
	ID      string
	Text    string // of the policy
	Fetched time.Time

	policy  *Policy
	problem *Problem  // of the last fetch
	next    time.Time // no fetch before
}

// New makes a Cache.
func New(o Options) *Cache {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	c := &Cache{Options: o, domains: map[string]*entry{}}
	c.client = newClient(&c.Options)
	return c
}

// Get is the policy in force for a domain, nil for none; or why one that is announced
// cannot be had, in which case there is none in force. It waits for a first fetch; later
// ones happen behind its back.
func (c *Cache) Get(ctx context.Context, domain string) (*Policy, *Problem) {
	domain = dns.Name(domain)
	e := c.known(domain)
	now := c.Clock()
	texts, _, err := c.Resolver.TXT(ctx, "_mta-sts."+domain)
	id, announced := "", false
	if err == nil {
		id, announced = ID(texts)
	}
	valid := e.policy != nil && now.Before(e.Fetched.Add(e.policy.MaxAge))
	switch {
	case !announced && valid: // RFC 8461 section 3.3: the cached one stays in force
		c.refresh(ctx, domain, e, e.ID, now)
		return e.policy, nil
	case !announced:
		return nil, nil
	case valid && id == e.ID:
		c.refresh(ctx, domain, e, id, now)
		return e.policy, nil
	case now.Before(e.next):
		return current(e, valid)
	}
	// The fetch is shared, so it must not end with the first who asked.
	done := c.one.DoChan(domain, func() (any, error) { return c.renew(context.WithoutCancel(ctx), domain, id), nil })
	select {
	case r := <-done:
		e = r.Val.(*entry)
		return current(e, e.policy != nil && now.Before(e.Fetched.Add(e.policy.MaxAge)))
	case <-ctx.Done():
		if valid {
			return e.policy, nil
		}
		return nil, problem(FetchError, "%w", context.Cause(ctx))
	}
}

func current(e *entry, valid bool) (*Policy, *Problem) {
	if valid {
		return e.policy, nil
	}
	return nil, e.problem
}

// refresh fetches again, behind the back of whoever asked, when it is time.
func (c *Cache) refresh(ctx context.Context, domain string, e *entry, id string, now time.Time) {
	if now.Sub(e.Fetched) < min(refreshEach, e.policy.MaxAge/2) || now.Before(e.next) {
		return
	}
	c.one.DoChan(domain, func() (any, error) { return c.renew(context.WithoutCancel(ctx), domain, id), nil })
}

// renew fetches the policy of a domain. One that fails leaves the old one.
func (c *Cache) renew(ctx context.Context, domain, id string) *entry {
	old := c.known(domain)
	if c.Clock().Before(old.next) { // another did it between our look and our turn
		return old
	}
	p, trouble := c.fetch(ctx, domain)
	now := c.Clock()
	e := &entry{ID: old.ID, Text: old.Text, Fetched: old.Fetched, policy: old.policy, problem: trouble, next: now.Add(retryEach)}
	if trouble != nil {
		c.Log.Warn("MTA-STS policy could not be had", "domain", domain, "kind", trouble.Type, "err", trouble.Err)
	} else {
		e = &entry{ID: id, Text: p.String(), Fetched: now, policy: p, next: now.Add(retryEach)}
		c.keep(ctx, domain, e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(domain, e)
	return e
}

// known is what is known of a domain, from memory or from States.
func (c *Cache) known(domain string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.domains[domain]; e != nil {
		return e
	}
	e := &entry{}
	if c.States != nil {
		b, err := c.States.State(stateName(domain))
		if err != nil {
			c.Log.Warn("MTA-STS policy not read", "domain", domain, "err", err)
		} else if len(b) > 0 {
			e = read(b)
		}
	}
	c.put(domain, e)
	return e
}

func stateName(domain string) string { return "sts/" + domain }

// read is an entry as it was kept; what cannot be read is fetched again.
func read(b []byte) *entry {
	e := &entry{}
	if json.Unmarshal(b, e) != nil {
		return &entry{}
	}
	p, err := Parse([]byte(e.Text))
	if err != nil {
		return &entry{}
	}
	e.policy = p
	return e
}

func (c *Cache) keep(ctx context.Context, domain string, e *entry) {
	if c.States == nil {
		return
	}
	b, err := json.Marshal(e)
	if err == nil {
		err = c.States.KeepState(ctx, stateName(domain), b)
	}
	if err != nil {
		c.Log.Warn("MTA-STS policy not kept; it is fetched again after a restart", "domain", domain, "err", err)
	}
}

// put holds c.mu. Without States an entry in force is never left out for another.
func (c *Cache) put(domain string, e *entry) {
	if len(c.domains) >= maxDomains && c.domains[domain] == nil {
		for k, old := range c.domains {
			if old.policy == nil || c.States != nil {
				delete(c.domains, k)
			}
			if len(c.domains) < maxDomains*9/10 {
				break
			}
		}
	}
	c.domains[domain] = e
}
