package smtpout

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"sampul/internal/dns"
	"sampul/internal/tlsfiles"
	"sampul/mta/sts"
	"sampul/mta/tlsrpt"
)

// Options make a [Pool]. Only Hostname is needed for smarthosts with an address; MX
// delivery needs Resolver.
type Options struct {
	Hostname      string // for EHLO, where the hop has no other
	Resolver      *dns.Resolver
	RemotePort    int            // of exchangers, 25 when 0
	TrustCA       *x509.CertPool // CAs that count besides the system's
	AllowLoopback bool           // exchangers may have loopback addresses (demo, tests)

	// Self says whether an exchanger is this suite: its name, or an address it listens on.
	// A domain whose best exchanger we are goes round in circles.
	Self func(host string, addr netip.Addr) bool
	// SecurityFor is the setting of a domain, "" for none; asked when the hop has none.
	SecurityFor func(domain string) Security
	STS         *sts.Cache       // nil: MTA-STS is not looked at
	Report      *tlsrpt.Recorder // nil: nothing is counted

	Timeouts Timeouts // zero fields are the defaults
	MaxIdle  int      // connections kept for one destination, 20 when 0
	MaxUse   int      // messages over one connection, 100 when 0
	Log      *slog.Logger
	Clock    func() time.Time
	CertTime func() time.Time // at which certificates must be valid; nil is Clock
	Dial     DialFunc         // nil: the network
}

// Defaults: RFC 5321 section 4.5.3.2, but for Connect, where a minute of silence says all.
var defaultTimeouts = Timeouts{
	Connect: 30 * time.Second, Greeting: 5 * time.Minute, Command: 5 * time.Minute,
	Data: 3 * time.Minute, Dot: 10 * time.Minute, Idle: 10 * time.Second,
}

const (
	maxHosts     = 20               // looked up for one message in one attempt
	maxAddresses = 10               // tried for one message in one attempt
	maxSessions  = 3                // of those, with an envelope said
	maxTrying    = 5 * time.Minute  // no further address is begun after that, but for the second
	briefWait    = 30 * time.Second // for the first answers of a host, while there are others
)

// A Pool is a [Sender] with connections kept for the next message. It may be used by many
// goroutines.
type Pool struct {
	Options
	times Timeouts
	dial  DialFunc
	roots *tlsfiles.Roots
	dead  deadList

	mu     sync.Mutex
	idle   map[key][]*session
	closed bool
}

var _ Sender = (*Pool)(nil)

// New makes a Pool. Close it when no Send runs any more.
func New(o Options) *Pool {
	if o.RemotePort == 0 {
		o.RemotePort = 25
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = 20
	}
	if o.MaxUse == 0 {
		o.MaxUse = 100
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.CertTime == nil {
		o.CertTime = o.Clock
	}
	p := &Pool{Options: o, times: defaultTimeouts, dial: o.Dial, idle: map[key][]*session{}}
	if p.dial == nil {
		p.dial = dialNet
	}
	for _, t := range []struct{ to, from *time.Duration }{
		{&p.times.Connect, &o.Timeouts.Connect}, {&p.times.Greeting, &o.Timeouts.Greeting},
		{&p.times.Command, &o.Timeouts.Command}, {&p.times.Data, &o.Timeouts.Data},
		{&p.times.Dot, &o.Timeouts.Dot}, {&p.times.Idle, &o.Timeouts.Idle},
	} {
		if *t.from != 0 {
			*t.to = *t.from
		}
	}
	p.roots = tlsfiles.NewRoots(o.TrustCA)
	p.dead = deadList{clock: o.Clock, entries: map[deadKey]*deadEntry{}}
	return p
}

// A key is what two messages must share to go over one connection: where to, from where,
// and all that decides about security. The password stands in it as a hash.
type key struct {
	domain, host string
	lmtp         bool
	security     Security
	requireTLS   bool
	user         string
	secret       [32]byte
	source       netip.Addr
	helo         string
}

func (p *Pool) keyOf(h Hop, requireTLS bool) key {
	k := key{"", h.Host, h.LMTP, p.security(h), requireTLS, h.User, [32]byte{}, h.Source, h.HELO}
	if h.Host == "" { // a smarthost takes the mail of all domains over one connection
		k.domain = dns.Name(h.Domain)
	}
	if h.Secret != "" {
		k.secret = sha256.Sum256([]byte(h.Secret))
	}
	return k
}

// security is what the hop asks for, or else the setting of its domain.
func (p *Pool) security(h Hop) Security {
	s := h.Security
	if s == "" && p.SecurityFor != nil {
		s = p.SecurityFor(h.Domain)
	}
	if s == "" {
		s = Opportunistic
	}
	return s
}

// take gives an idle connection, the one used last, or nil.
func (p *Pool) take(ctx context.Context, k key) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.idle[k]
	for len(all) > 0 {
		s := all[len(all)-1]
		all = all[:len(all)-1]
		if len(all) == 0 {
			delete(p.idle, k)
		} else {
			p.idle[k] = all
		}
		if s.timer.Stop() {
			s.reused = true
			s.guard(ctx)
			return s
		}
	}
	return nil
}

// give keeps a connection for the next message, or ends it.
func (p *Pool) give(s *session) {
	s.count++
	if !s.stop() || s.count >= p.MaxUse || s.ctx.Err() != nil {
		s.close(nil)
		return
	}
	s.line.ctx = context.Background()
	p.mu.Lock()
	if p.closed || len(p.idle[s.key]) >= p.MaxIdle {
		p.mu.Unlock()
		s.close(nil)
		return
	}
	s.timer = time.AfterFunc(p.times.Idle, func() { p.expire(s) })
	p.idle[s.key] = append(p.idle[s.key], s)
	p.mu.Unlock()
}

// expire ends a connection that was idle for too long.
func (p *Pool) expire(s *session) {
	p.mu.Lock()
	all := p.idle[s.key]
	for i, o := range all {
		if o == s {
			if all = append(all[:i:i], all[i+1:]...); len(all) == 0 {
				delete(p.idle, s.key)
			} else {
				p.idle[s.key] = all
			}
			break
		}
	}
	p.mu.Unlock()
	s.close(nil)
}

// drop takes idle connections out, those that which picks, and ends them.
func (p *Pool) drop(which func(key) bool) {
	var gone []*session
	p.mu.Lock()
	for k, all := range p.idle {
		if !which(k) {
			continue
		}
		for _, s := range all {
			if s.timer.Stop() {
				gone = append(gone, s)
			}
		}
		delete(p.idle, k)
	}
	p.mu.Unlock()
	for _, s := range gone {
		s.close(nil)
	}
}

// Forget closes idle connections of a hop, and lets its addresses be tried at once.
func (p *Pool) Forget(hop Hop) {
	domain := dns.Name(hop.Domain)
	p.drop(func(k key) bool { return k.host == hop.Host && (k.host != "" || k.domain == domain) })
	p.dead.forget(destination(hop))
}

// Close ends all idle connections, and keeps none from now on.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop(func(key) bool { return true })
}

// destination names a hop for people.
func destination(h Hop) string {
	if h.Host != "" {
		return h.Host
	}
	return dns.Name(h.Domain)
}
