package authres

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"sampul/internal/dkim"
	"sampul/internal/dns"
)

// checkTime is for all look-ups of one message (RFC 7208 section 4.6.4 asks for 20 s at least).
const checkTime = 20 * time.Second

// Options are for [New].
type Options struct {
	Hostname       string                   // our authserv-id
	Resolver       *dns.Resolver            // without one nothing is checked, and all is none
	TrustedSealers func(domain string) bool // whose ARC chains may override DMARC; nil is nobody
	Clock          func() time.Time
}

// A Checker checks messages. It may be used by many goroutines.
type Checker struct {
	o   Options
	dns *dns.Resolver

	spf   memory[sentBy, SPF]
	iprev memory[netip.Addr, reverse]
}

// reverse is what iprev finds.
type reverse struct {
	result Result
	name   string
}

// New makes a checker.
func New(o Options) *Checker {
	if o.TrustedSealers == nil {
		o.TrustedSealers = func(string) bool { return false }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Checker{o: o, dns: o.Resolver}
}

// Check finds out what can be known of a message. Its errors are faults of reading the
// message: what DNS or the message itself lacks is a finding.
func (c *Checker) Check(ctx context.Context, m *Mail) (*Results, error) {
	r := &Results{IP: m.IP.Unmap(), SPF: SPF{Result: None, Scope: "mailfrom", Domain: domainOf(m.From), Sender: m.From},
		IPRev: None, ARC: ARC{Result: None}, DMARC: DMARC{Result: None, Disposition: "none"}}
	if !c.dns.On() {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	from := fromDomains(m.Index)
	walks := make([]*walk, len(from.domains))
	var found *dkim.Findings
	var err error
	var wait sync.WaitGroup
	// What the cache knows is not worth a goroutine: mostly that is all of it.
	look := func(known bool, f func()) {
		if known {
			f()
		} else {
			wait.Go(f)
		}
	}
	now := c.o.Clock()
	by := sentBy{r.IP, m.HELO, m.From}
	if spf, ok := c.spf.get(by, now); ok {
		r.SPF = spf
	} else {
		look(c.dns.Knows(domainOf(m.From)), func() {
			r.SPF = c.checkSPF(ctx, m)
			if r.SPF.Result != TempError {
				c.spf.put(by, r.SPF, now)
			}
		})
	}
	if rev, ok := c.iprev.get(r.IP, now); ok {
		r.IPRev, r.Hostname = rev.result, rev.name
	} else {
		arpa, _ := mdns.ReverseAddr(r.IP.String())
		look(c.dns.Knows(arpa), func() {
			r.IPRev, r.Hostname = c.checkIPRev(ctx, m.IP)
			if r.IPRev != TempError {
				c.iprev.put(r.IP, reverse{r.IPRev, r.Hostname}, now)
			}
		})
	}
	for i, d := range from.domains {
		look(c.dns.Knows("_dmarc."+d), func() { walks[i] = c.treeWalk(ctx, d) })
	}
	found, err = dkim.Verify(ctx, dkim.Source{ReaderAt: m.Body, BodyStart: m.Index.Parts[0].BodyStart, Size: m.Index.Size},
		dkim.Options{Resolver: c.dns, Now: now})
	wait.Wait()
	if err != nil {
		return nil, fmt.Errorf("authentication results: %w", err)
	}
	r.SPF.Sender = m.From
	if r.SPF.Scope == "helo" {
		r.SPF.Sender = m.HELO
	}
	for _, v := range found.Signatures {
		r.DKIM = append(r.DKIM, Signature{Result: Result(v.Result), Domain: v.Domain, Selector: v.Selector, Identity: v.Identity,
			Algorithm: v.Algorithm, Prefix: v.Prefix, Testing: v.Testing, Reason: v.Reason})
	}
	r.ARC = c.arc(&found.Chain)
	r.DMARC = c.checkDMARC(ctx, from, walks, r)
	return r, nil
}

func (c *Checker) arc(ch *dkim.Chain) ARC {
	a := ARC{Result: Result(ch.Result), Reason: ch.Reason, Sets: max(len(ch.Sets), ch.Highest), sets: ch.Sets}
	if n := len(ch.Sets); n > 0 {
		a.Sealer, a.Claims = ch.Sets[n-1].Sealer, ch.Sets[n-1].Claims
		a.Trusted = c.o.TrustedSealers(a.Sealer)
	}
	return a
}
