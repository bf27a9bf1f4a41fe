package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sampul/imapd"
	"sampul/internal/config"
	"sampul/internal/guard"
	"sampul/internal/metrics"
	"sampul/internal/spool"
	"sampul/internal/tlsfiles"
	"sampul/mta"
	"sampul/mta/route"
	"sampul/mta/smtpin"
	"sampul/mta/sts"
	"sampul/policy"
	"sampul/policy/inspect"
	"sampul/policy/notices"
	"sampul/relay"
	"sampul/store"
	"sampul/store/bolt"
)

const (
	inMemory   = 256 << 10 // longer messages under judgement go to a sealed work file
	drainTime  = 20 * time.Second
	perNetwork = 200
)

// A server is what a listener runs.
type server interface {
	Serve(ctx context.Context, ln net.Listener) error
	Shutdown(ctx context.Context) error
	Sessions() int
}

// A suite is everything that runs.
type suite struct {
	cfg     *config.Config
	log     *slog.Logger
	store   *bolt.Engine
	work    *spool.Area
	look    *inspect.Inspector
	judge   *judge
	metrics *metrics.Metrics
	guard   *guard.Guard
	mail    *mailRoom
	notices *notices.Notices
	relay   *relay.Relay
	apps    *appWatch

	clock      func() time.Time // of all rooms; TLS handshakes go by the machine's
	plainStore bool             // of a demo: nothing that is kept is sealed
	isDemo     bool             // no limits for a network, everything on loopback
	remotePort int              // of mail exchangers
	httpsPort  int              // of MTA-STS policies

	certs   map[config.TLS]*tlsfiles.Files
	servers []server
	bound   []net.Listener
	admin   *http.Server
	running sync.WaitGroup
	failed  chan error
	stop    context.CancelFunc
}

// judge counts verdicts on their way.
type judge struct {
	*policy.Engine
	judged func(listener, direction, class, action string)
}

// Judge is the engine's.
func (j *judge) Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error) {
	v, err := j.Engine.Judge(ctx, m)
	if err == nil && j.judged != nil {
		j.judged(m.Listener, string(v.Direction), v.Class.String(), v.Action.String())
	}
	return v, err
}

// openSuite opens the store and all that does not listen yet.
func openSuite(ctx context.Context, cfg *config.Config, log *slog.Logger, with ...func(*suite)) (*suite, error) {
	s := &suite{cfg: cfg, log: log, clock: time.Now, certs: map[config.TLS]*tlsfiles.Files{}, failed: make(chan error, 1),
		remotePort: 25, httpsPort: 443}
	for _, f := range with {
		f(s)
	}
	s.guard = guard.New(s.clock)
	var err error
	if s.work, err = spool.New(os.TempDir(), inMemory); err != nil {
		return nil, err
	}
	s.store, err = bolt.Open(ctx, bolt.Options{Dir: cfg.DataDir, KeyFile: cfg.KeyFile, Log: log, GovDomains: cfg.GovDomains, TraceDays: cfg.TraceDays,
		Plain: s.plainStore, Clock: s.clock})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.DataDir, err)
	}
	code := cfg.DataDir
	if s.isDemo { // its data are gone soon
		code = ""
	}
	look := inspectOptions(code, log)
	look.Recognise = recogniser(log)
	s.look = inspect.New(look)
	s.judge = &judge{Engine: policy.New(policy.Options{
		Inspector: s.look,
		Recorder: &incidentRule{st: s.store, clock: s.clock, log: log,
			alarmed: func(rule string) { s.metrics.Alarmed(rule) }},
		Policies:   s.store,
		Cases:      s.store,
		Recorded:   func() { s.notices.Wake() },
		GovDomains: cfg.GovDomains,
		Guidance:   func(string) string { return cfg.Guidance },
		Clock:      s.clock,
		Log:        log,
	})}
	s.metrics = metrics.New(s.gauges())
	s.judge.judged = s.metrics.Judged
	if s.notices, err = s.openNotices(); err != nil {
		return nil, errors.Join(err, s.look.Close(), s.store.Close())
	}
	if err := s.openApps(); err != nil {
		return nil, errors.Join(err, s.look.Close(), s.store.Close())
	}
	s.relay, err = relay.New(relay.Deps{Store: s.store, Clock: s.clock, Log: log, Count: s.apps.tally.Count, Warn: s.apps.nearQuota,
		Signs: func(domain string) bool { return len(s.store.SigningKeys(domain)) > 0 }})
	if err != nil {
		return nil, errors.Join(err, s.look.Close(), s.store.Close())
	}
	if err := s.openMail(); err != nil {
		return nil, errors.Join(err, s.look.Close(), s.store.Close())
	}
	return s, nil
}

func (s *suite) gauges() metrics.Gauges {
	lag := func(pick func(int, int64, time.Duration) float64) func() float64 {
		return func() float64 { return pick(s.store.Lag()) }
	}
	return metrics.Gauges{
		Sessions: func() map[string]int {
			n := map[string]int{}
			for i, srv := range s.servers {
				n[s.cfg.Listeners[i].Kind] += srv.Sessions()
			}
			return n
		},
		Workers: func() (reading, idle, lost, known, read, kept float64) {
			n := s.look.Stats()
			return float64(n.Reading), float64(n.Idle), float64(n.Lost), float64(n.Known), float64(n.New), float64(n.Kept)
		},
		LagRecords: lag(func(n int, _ int64, _ time.Duration) float64 { return float64(n) }),
		LagOctets:  lag(func(_ int, n int64, _ time.Duration) float64 { return float64(n) }),
		LagSeconds: lag(func(_ int, _ int64, d time.Duration) float64 { return d.Seconds() }),
		Queue: func() float64 {
			n, err := s.store.QueueLen(context.Background())
			if err != nil {
				return -1
			}
			return float64(n)
		},
	}
}

// start binds every address, then serves. An address that is taken stops all.
func (s *suite) start(ctx context.Context) (err error) {
	ctx, s.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			for _, ln := range s.bound {
				ln.Close()
			}
		}
	}()
	for i := range s.cfg.Listeners {
		l := &s.cfg.Listeners[i]
		srv, err := s.server(l)
		if err != nil {
			return fmt.Errorf("listener %d (%s): %w", i+1, l.Kind, err)
		}
		ln, err := listen(l.Address)
		if err != nil {
			return fmt.Errorf("listener %d (%s): %w", i+1, l.Kind, err)
		}
		s.servers = append(s.servers, srv)
		s.bound = append(s.bound, ln)
	}
	if err := s.startAdmin(); err != nil {
		return err
	}
	if s.cfg.HTTP != "" {
		ln, err := net.Listen("tcp", s.cfg.HTTP)
		if err != nil {
			return fmt.Errorf("http: %w", err)
		}
		s.run(func() error { return s.metrics.Serve(ctx, ln, s.healthy) })
	}
	s.running.Go(func() {
		if err := s.look.Warm(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("documents cannot be read, and mail that carries them has to wait", "err", err)
		}
	})
	s.startMail(ctx)
	for i, srv := range s.servers {
		ln := s.bound[i]
		s.run(func() error { return srv.Serve(ctx, ln) })
		s.log.Info("listening", "kind", s.cfg.Listeners[i].Kind, "address", ln.Addr().String())
	}
	return nil
}

// listen binds host:port, or unix:/path; a socket file that nobody answers at was left by
// a process that died.
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: another process answers there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

func (s *suite) run(f func() error) {
	s.running.Go(func() {
		if err := f(); err != nil {
			select {
			case s.failed <- err:
			default:
			}
		}
	})
}

func (s *suite) healthy() error {
	if err := s.store.Err(); err != nil {
		return err
	}
	return s.store.Ready(store.LanePeople)
}

// server makes what a listener runs.
func (s *suite) server(l *config.Listener) (server, error) {
	tc, err := s.tls(l)
	if err != nil {
		return nil, err
	}
	size := int64(s.cfg.MaxMessage)
	if l.MaxMessage > 0 {
		size = int64(l.MaxMessage)
	}
	conns := guard.NewConns(cmp.Or(l.MaxPerNetwork, perNetwork))
	if s.isDemo {
		conns = nil
	}
	switch {
	case l.Kind == "https":
		return newWebServer(tc, sts.Handler(s.stsPolicy)), nil
	case l.IMAP():
		return imapd.New(imapd.Config{
			Kind: imapd.Kind(l.Kind), Hostname: s.cfg.Hostname, TLS: tc, AllowPlaintextAuth: l.PlaintextLogin,
			MaxMessage: size, MaxConnections: l.MaxConnections, Idle: time.Duration(l.Idle),
		}, imapd.Deps{Store: s.store, Judge: s.judge, Spool: s.work, Guard: s.guard, Conns: conns, Clock: s.clock, Log: s.log}), nil
	}
	clients, err := authorities(l.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	m := s.mail
	deps := smtpin.Deps{
		Store: s.store, Judge: s.judge, Spool: s.work, Guard: s.guard, Conns: conns, Clock: s.clock, Log: s.log,
		Defence: m.defence, Router: m.router, Quarantine: s.store, Trace: s.store, Accepted: s.accepted,
		SameRules: s.judge.SameRules,
		Relay:     s.relay,
		RunPaused: s.store.RunPaused,
		Bounce: func(ctx context.Context, to *route.AppBounce, message io.Reader) error {
			return mta.TakeBounce(ctx, m.bounces, to, message)
		},
		LoopSecret: s.store.SuiteSecret(route.LoopPurpose), CertAccount: s.certAccount,
		Replied: func(k smtpin.Kind, code int, enhanced string) { s.metrics.Replied(string(k), code, enhanced) },
	}
	if m.resolver.On() {
		deps.Auth = counting{m.auth, s.metrics}
	}
	if len(s.cfg.Filters) > 0 {
		deps.Filters = m.filters
	}
	return smtpin.New(smtpin.Config{
		Kind: smtpin.Kind(l.Kind), Hostname: s.cfg.Hostname, Postmaster: s.cfg.Postmaster, TLS: tc,
		AllowPlaintextAuth: l.PlaintextLogin, MaxSize: size, MaxRecipients: l.MaxRecipients,
		MaxConnections: l.MaxConnections, BareCR: smtpin.LineEnds(l.BareCR), BareLF: smtpin.LineEnds(l.BareLF),
		Idle: time.Duration(l.Idle), MinRate: int64(l.MinRate),
		Trusted: config.Networks(s.cfg.Trusted), XClient: config.Networks(l.XCLIENT), Proxy: config.Networks(l.Proxy),
		Clients: config.Networks(l.Clients), ClientCAs: clients,
	}, deps), nil
}

func (s *suite) tls(l *config.Listener) (*tls.Config, error) {
	c := l.Cert(s.cfg.TLS)
	if c.Cert == "" {
		return nil, nil
	}
	f := s.certs[c]
	if f == nil {
		var err error
		if f, err = tlsfiles.Load(c.Cert, c.Key, time.Now, s.log); err != nil {
			return nil, err
		}
		s.certs[c] = f
	}
	return f.Config(), nil
}

// startAdmin opens the administrators' socket: the data directory is ours alone, so a
// socket that is there was left by a process that died.
func (s *suite) startAdmin() error {
	path, release, err := socketPath(s.cfg.DataDir)
	if err != nil {
		return err
	}
	defer release()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // path may be of this moment only
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	s.admin = &http.Server{Handler: adminHandler(routed{s.store, s.mail.router}, s.cfg), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return withLive(context.Background(), s) }}
	s.run(func() error {
		if err := s.admin.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

// wait serves until ctx is over or something fails for good, then drains: sessions end
// with 421 or BYE, what was accepted is filed.
func (s *suite) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping: sessions end, what was accepted is filed")
	case <-s.store.Failed():
		// A client must not hear anything more that depends on what the disk may not have.
		return &fault{1, "failed", fmt.Errorf("%w; the next start reads again what the disk has", s.store.Err())}
	case err = <-s.failed:
		s.log.Error("a listener failed", "err", err)
	}
	return errors.Join(err, s.close())
}

func (s *suite) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range s.servers {
		wg.Go(func() { srv.Shutdown(ctx) })
	}
	wg.Go(func() { s.stopMail(ctx) })
	wg.Wait()
	if s.admin != nil {
		s.admin.Shutdown(ctx)
		os.Remove(filepath.Join(s.cfg.DataDir, socketName))
	}
	if s.stop != nil {
		s.stop()
	}
	s.running.Wait()
	err := errors.Join(s.look.Close(), s.store.Close())
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}
