package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"time"

	mdns "github.com/miekg/dns"

	"sampul/internal/config"
	"sampul/internal/dns"
	"sampul/internal/guard"
	"sampul/internal/message"
	"sampul/internal/metrics"
	"sampul/mta"
	"sampul/mta/authres"
	"sampul/mta/filter"
	"sampul/mta/route"
	"sampul/mta/smtpin"
	"sampul/mta/smtpout"
	"sampul/mta/sts"
	"sampul/mta/tlsrpt"
	"sampul/relay"
	"sampul/store"
)

// A mailRoom is the MTA of a suite: what stands between its listeners, its store and the
// other servers of the world.
type mailRoom struct {
	resolver *dns.Resolver
	trust    *x509.CertPool // authorities besides the system's
	tls      *tlsrpt.Recorder
	pool     *smtpout.Pool
	router   *route.Routes
	poster   *mta.Poster
	runner   *mta.Runner
	bounces  *relay.Bounces
	auth     *authres.Checker
	filters  *filter.Chain
	defence  *smtpin.Defence
}

// openMail makes the MTA. Nothing runs before [suite.startMail].
func (s *suite) openMail() error {
	m := &mailRoom{resolver: dns.New(resolverAddress(s.cfg.Resolver))}
	s.mail = m
	var err error
	if m.trust, err = authorities(s.cfg.Outbound.TrustCA); err != nil {
		return fmt.Errorf("outbound.trust_ca: %w", err)
	}
	m.tls = tlsrpt.New(s.store, s.log, s.clock)
	policies := sts.New(sts.Options{Resolver: m.resolver, HTTPSPort: s.httpsPort, TrustCA: m.trust,
		AllowLoopback: s.isDemo, States: s.store, Log: s.log, Clock: s.clock})
	m.pool = smtpout.New(smtpout.Options{
		Hostname: s.cfg.Hostname, Resolver: m.resolver, RemotePort: s.remotePort, TrustCA: m.trust, CertTime: time.Now, AllowLoopback: s.isDemo,
		Self: s.itself, SecurityFor: s.securityFor, STS: policies, Report: m.tls, Log: s.log, Clock: s.clock,
		MaxIdle: 64, // as many as may be open to a host that a route names
	})
	m.router = route.New(route.Options{Directory: s.store, Prober: prober{m.pool}, Addresses: m.addresses, Postmaster: s.cfg.Postmaster, Clock: s.clock})
	m.poster = mta.NewPoster(mta.PosterDeps{Store: s.store, Judge: s.judge, Router: m.router, Spool: s.work,
		Host: s.cfg.Hostname, Trace: s.store, Log: s.log, Clock: s.clock})
	m.bounces = relay.NewBounces(relay.BouncesDeps{Store: s.store, Clock: s.clock, Log: s.log,
		Bounced: func(app *store.App, _, _ string, reported bool) {
			if reported { // others the runner has told
				s.apps.tally.Became(app.Account, "bounced", 1)
			}
		}})
	m.runner = mta.NewRunner(s.runnerOptions(), mta.Deps{
		Queue: s.store, Router: m.router, Sender: s.sender(), Report: m.poster, Trace: s.store, States: s.store, Log: s.log, Clock: s.clock,
		Signer: &signer{keys: s.store.SigningKeys, host: s.cfg.Hostname, clock: s.clock, log: s.log},
	})
	m.auth = authres.New(authres.Options{Hostname: s.cfg.Hostname, Resolver: m.resolver, TrustedSealers: s.trustedSealer, Clock: s.clock})
	if m.filters, err = filter.NewChain(s.filterConfig(), filter.Options{Hostname: s.cfg.Hostname, Log: s.log, Clock: s.clock,
		Observe: s.metrics.Filtered, Spool: s.work}); err != nil {
		return err
	}
	officers := &officerNames{accounts: s.store.Accounts, clock: s.clock}
	m.defence = smtpin.NewDefence(s.defenceOptions(), smtpin.DefenceDeps{
		Resolver: m.resolver, States: s.store, Log: s.log, Clock: s.clock, OurDomains: s.domains, Officer: officers.contains,
		HoldAccount: s.holdAccount, Notify: s.tellAdministrators,
	})
	return nil
}

// addresses are those of a host, none when DNS does not say.
func (m *mailRoom) addresses(ctx context.Context, host string) []netip.Addr {
	all, _, err := m.resolver.IPs(ctx, host)
	if err != nil {
		return nil
	}
	return all
}

// resolverAddress is the server to ask: the configured one, or the system's first.
func resolverAddress(configured string) string {
	switch configured {
	case "off":
		return ""
	case "":
		c, err := mdns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(c.Servers) == 0 {
			return ""
		}
		return net.JoinHostPort(c.Servers[0], c.Port)
	}
	return configured
}

func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: no certificate in PEM", file)
	}
	return pool, nil
}

func (s *suite) runnerOptions() mta.Options {
	o := &s.cfg.Outbound
	life := time.Duration(o.Lifetime)
	return mta.Options{
		SevenBit: smtpout.SevenBit(s.work),
		Lifetime: life, BulkLifetime: life, DelayAfter: time.Duration(o.DelayNotice),
		PeopleWorkers: o.Workers, MaxConcurrency: o.Concurrency, Bulk: bulkPace(&o.Bulk),
		Bounced: s.mail.bounces.Later, AppPath: s.mail.router.AppPath,
		Counted: func(event string, lane store.Lane, _ string) { s.metrics.Attempted(event, lane.String()) },
		Became:  func(app store.AccountID, event string) { s.apps.tally.Became(app, event, 1) },
	}
}

// bulkPace is how fast bulk goes to a destination, by default too.
func bulkPace(c *config.Bulk) mta.Pace {
	if c.Off {
		return mta.Pace{}
	}
	return mta.Pace{PerMinute: cmp.Or(c.PerMinute, 600), Connections: cmp.Or(c.Connections, 5), Start: cmp.Or(c.Start, 60),
		Double: time.Duration(c.Double)}
}

// itself says whether an exchanger is this suite.
func (s *suite) itself(host string, addr netip.Addr) bool {
	if dns.Name(host) == dns.Name(s.cfg.Hostname) {
		return true
	}
	for i, ln := range s.bound {
		if s.cfg.Listeners[i].Kind != "mx" {
			continue
		}
		at, err := netip.ParseAddrPort(ln.Addr().String())
		if err != nil || int(at.Port()) != s.remotePort {
			continue // another port of this machine is another server
		}
		if at.Addr().Unmap() == addr || at.Addr().IsUnspecified() && addr.IsLoopback() {
			return true
		}
	}
	return false
}

func (s *suite) securityFor(domain string) smtpout.Security {
	if level, ok := s.cfg.Outbound.Destinations[domain]; ok {
		return smtpout.Security(level)
	}
	return smtpout.Security(s.cfg.Outbound.Security)
}

// trustedSealer says whose ARC seal counts: government's, and those of the configuration.
func (s *suite) trustedSealer(domain string) bool {
	return slices.Contains(s.cfg.Outbound.TrustSealers, domain) || s.store.Government(domain)
}

func (s *suite) filterConfig() []filter.Config {
	var out []filter.Config
	for _, f := range s.cfg.Filters {
		c := filter.Config{Name: f.Name, Type: f.Type, Address: f.Address, Timeout: time.Duration(f.Timeout), OnError: f.OnError,
			RejectScore: f.RejectScore, JunkScore: f.JunkScore, PasswordFile: f.PasswordFile, AgencySettings: f.AgencySettings}
		for _, scope := range f.Scope {
			c.Scope = append(c.Scope, filter.Scope(scope))
		}
		out = append(out, c)
	}
	return out
}

func (s *suite) defenceOptions() smtpin.DefenceOptions {
	c := &s.cfg.Defence
	o := smtpin.DefaultDefence()
	if s.isDemo { // measured and tried from one address
		o.Address, o.Network, o.Outgoing = smtpin.Limits{}, smtpin.Limits{}, smtpin.Outgoing{}
	}
	o.Exempt = config.Networks(s.cfg.Trusted)
	o.GreetingDelay = time.Duration(c.GreetingDelay)
	o.GreetLoopback = c.GreetingDelay > 0 // whoever sets it wants to see it work on one machine
	o.Known = s.cfg.GovDomains
	set := func(to *int, v int) {
		if v > 0 {
			*to = v
		}
	}
	set(&o.Address.Connections.Max, c.Connections)
	set(&o.Address.Messages.Max, c.Messages)
	set(&o.Address.BadRecipients.Max, c.BadRecipients)
	set(&o.Outgoing.Hour, c.SentHour)
	set(&o.Outgoing.Day, c.SentDay)
	set(&o.Outgoing.RecipientsHour, c.RecipientsHour)
	set(&o.Outgoing.RecipientsDay, c.RecipientsDay)
	if c.Threshold > 0 {
		o.Threshold = c.Threshold
	}
	o.Greylist.On, o.Greylist.Wait = c.Greylist, time.Duration(c.GreylistWait)
	for i, l := range append(slices.Clone(c.DNSBL), c.DNSWL...) {
		list := smtpin.List{Zone: l.Zone, Score: l.Score}
		if i >= len(c.DNSBL) {
			list.Score = -l.Score
		}
		if l.Match != "" {
			list.Match = config.Networks([]string{l.Match})
		}
		o.Lists = append(o.Lists, list)
	}
	return o
}

// domains are those that a sender elsewhere must not imitate.
func (s *suite) domains() []string {
	all, err := s.store.Domains(context.Background(), store.System)
	if err != nil {
		return nil
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

// holdAccount stops an account whose mail passes its limits: its password may be stolen.
func (s *suite) holdAccount(ctx context.Context, id store.AccountID, why string) error {
	a, err := s.store.AccountByID(ctx, id)
	if err != nil {
		return err
	}
	if a.Held != "" {
		return smtpin.ErrAlreadyHeld
	}
	if err := s.store.HoldAccount(ctx, store.System, a.Address, why); err != nil {
		return err
	}
	_, err = stopSent(ctx, s.store, id, why)
	return err
}

// tellAdministrators writes to those of the account's agency, or else to the postmaster.
func (s *suite) tellAdministrators(ctx context.Context, a *store.Account, why string) {
	all, err := s.store.Accounts(ctx, store.Actor{Agency: a.Agency, Role: store.RoleAdmin})
	if err != nil {
		s.log.Error("administrators not told", "agency", a.Agency, "account", a.Address, "err", err)
		return
	}
	var to []string
	for _, x := range all {
		if x.Role == store.RoleAdmin {
			to = append(to, x.Address)
		}
	}
	if len(to) == 0 && s.cfg.Postmaster != "" {
		to = append(to, s.cfg.Postmaster)
	}
	text := fmt.Sprintf("Akaun %[1]s telah ditahan: %[2]s.\nTiada siapa boleh log masuk atau menghantar dengannya; mel masih diterima.\n"+
		"Selepas kata laluan ditukar: sampul account release %[1]s\n\n"+
		"The account %[1]s is held: %[2]s.\nNobody can log in or send with it; mail still arrives.\n"+
		"Once its password is changed: sampul account release %[1]s\n", a.Address, why)
	for _, address := range to {
		if err := s.mail.poster.Notice(ctx, address, "Akaun ditahan / Account held: "+a.Address, text); err != nil {
			s.log.Error("administrator not told", "to", address, "account", a.Address, "err", err)
		}
	}
}

// sender carries mail out. Without a resolver only routes that name an address go out.
func (s *suite) sender() smtpout.Sender {
	if s.cfg.Outbound.Off {
		return closedDoor{"delivery to other servers is switched off in the configuration"}
	}
	return s.mail.pool
}

// A closedDoor delivers nothing and says why.
type closedDoor struct{ why string }

// Send leaves everything in the queue.
func (c closedDoor) Send(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
	out := make([]smtpout.Result, len(m.To))
	for i := range out {
		out[i] = smtpout.Result{Address: m.To[i].Address, Code: 450, Enhanced: "4.3.2", Text: c.why, Stage: "policy"}
	}
	return out
}

// Probe asks nobody.
func (c closedDoor) Probe(context.Context, smtpout.Hop, string, string) smtpout.Result {
	return smtpout.Result{Code: 450, Enhanced: "4.3.2", Text: c.why, Stage: "policy"}
}

// Forget has nothing to forget.
func (closedDoor) Forget(smtpout.Hop) {}

// A prober asks the other server of a split domain, for the router.
type prober struct{ s smtpout.Sender }

// Probe gives the reply; an error when there was none.
func (p prober) Probe(ctx context.Context, hop route.Hop, from, to string) (code int, enhanced, text string, err error) {
	r := p.s.Probe(ctx, mta.OutHop(&hop), from, to)
	if r.Remote == "" || r.Stage != "rcpt" && !r.Delivered {
		return 0, "", "", fmt.Errorf("%s: %s", r.Stage, r.Text)
	}
	return r.Code, r.Enhanced, r.Text, nil
}

// counting counts findings on their way.
type counting struct {
	*authres.Checker
	m *metrics.Metrics
}

// Check is the checker's.
func (c counting) Check(ctx context.Context, m *authres.Mail) (*authres.Results, error) {
	r, err := c.Checker.Check(ctx, m)
	if err != nil {
		return nil, err
	}
	c.m.Authenticated("spf", string(r.SPF.Result))
	c.m.Authenticated("dmarc", string(r.DMARC.Result))
	c.m.Authenticated("arc", string(r.ARC.Result))
	for i := range r.DKIM {
		c.m.Authenticated("dkim", string(r.DKIM[i].Result))
	}
	return r, nil
}

// startMail begins to deliver, once the listeners are bound.
func (s *suite) startMail(ctx context.Context) {
	m := s.mail
	s.store.OnHold(func(a store.Account) {
		if a.Held == "" {
			return
		}
		for _, srv := range s.servers {
			if e, ok := srv.(interface{ EndSessions(store.AccountID) int }); ok {
				e.EndSessions(a.ID)
			}
		}
	})
	s.store.OnRoute(func(domain string) { go m.runner.Kick(domain) }) // it looks at every message that waits
	s.run(func() error { m.tls.Run(ctx); return nil })
	s.run(func() error { s.keyPlan().Run(ctx); return nil })
	s.run(func() error { m.defence.Run(ctx); return nil })
	s.run(func() error { s.notices.Run(ctx); return nil })
	s.run(func() error { s.apps.run(ctx); return nil })
	m.runner.Start()
	s.run(func() error { s.tendHeap(ctx); return nil })
	if n, err := s.store.QueueLen(ctx); err == nil && n > longQueue {
		debug.FreeOSMemory() // reading so many leaves as much behind as it keeps
	}
}

// stopMail ends deliveries: what is under way may finish, what is broken off is tried
// again after the next start.
func (s *suite) stopMail(ctx context.Context) {
	m := s.mail
	if err := m.runner.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("deliveries were broken off", "err", err)
	}
	m.bounces.Close()
	m.pool.Close()
	m.filters.Close()
}

// accepted tells senders who asked for it that mailboxes here have their message.
func (s *suite) accepted(ctx context.Context, e *store.Envelope, x *message.Index) {
	here := 0
	for i := range e.Recipients {
		if e.Recipients[i].Account != 0 {
			here++
		}
	}
	s.apps.tally.Became(e.App, "filed", here)
	s.mail.poster.Accepted(ctx, e, func() []byte { return headerOf(x) })
}

// headerOf writes the header anew from its index.
func headerOf(x *message.Index) []byte {
	var b []byte
	for i := range x.Parts[0].Fields {
		f := &x.Parts[0].Fields[i]
		b = append(append(b, f.Name...), ':')
		b = append(b, f.Value...)
		if len(f.Value) == 0 || f.Value[len(f.Value)-1] != '\n' {
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// TLSReport is what became of TLS with a domain's exchangers on a day, up to now.
func (s *suite) TLSReport(domain string, day time.Time) *tlsrpt.Report {
	return s.mail.tls.Report(domain, day, s.cfg.Hostname, "mailto:"+cmp.Or(s.cfg.Postmaster, "postmaster@"+s.cfg.Hostname))
}

// Release lets a message out of quarantine.
func (s *suite) Release(ctx context.Context, id string) error {
	return s.mail.poster.Release(ctx, store.System, s.store, id)
}

// Bans are the networks that are kept out now, for mail or for logins.
func (s *suite) Bans() []guard.Ban { return append(s.mail.defence.Bans(), s.guard.Bans()...) }

// Trying is what is being delivered at this moment.
func (s *suite) Trying() map[string][]string { return s.mail.runner.Trying() }

// Backlogs are why what is due waits, by domain.
func (s *suite) Backlogs() map[string]mta.Backlog { return s.mail.runner.Backlogs() }

// Unban lets a network in again.
func (s *suite) Unban(n netip.Prefix) int { return s.mail.defence.Unban(n) + s.guard.Lift(n) }

// stsPolicy is what we publish for a domain (RFC 8461 section 3.2): its exchanger is this
// server, when its mail comes here.
func (s *suite) stsPolicy(domain string) (mx []string, mode string, ok bool) {
	for _, d := range s.domains() {
		if d == domain {
			return []string{s.cfg.Hostname}, stsMode(s.cfg), true
		}
	}
	return nil, "", false
}

// outboundNote says in the log what does not leave, and why.
func (s *suite) outboundNote() {
	switch {
	case s.cfg.Outbound.Off:
		s.log.Warn("outbound.off is set: mail for other servers waits in the queue")
	case !s.mail.resolver.On():
		s.log.Warn("no DNS resolver: mail goes out to routes with an address alone, other domains wait in the queue; senders are not authenticated")
	}
}
