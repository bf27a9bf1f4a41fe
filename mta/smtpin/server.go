// Package smtpin takes mail by SMTP: from other servers (MX, port 25) and from our
// own people and applications (submission, 587 and 465).
//
// A message is read once, while it comes in: its line ends are made right, it is
// hashed and indexed, and long ones go to a sealed work file. Then policy judges it,
// and only what passed is handed to the store. 250 means that the message survives
// power loss. Nothing is kept of what is refused.
//
// RFC 5321, with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), ENHANCEDSTATUSCODES
// (2034), STARTTLS (3207), AUTH (4954), CHUNKING (3030), SMTPUTF8 (6531) and LIMITS (9422).
package smtpin

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sampul/internal/guard"
	"sampul/internal/spool"
	"sampul/policy"
	"sampul/store"
)

// Kind is what a listener is for.
type Kind string

const (
	MX          Kind = "mx"          // mail for local recipients, no login
	Submission  Kind = "submission"  // after STARTTLS and login (RFC 6409)
	Submissions Kind = "submissions" // TLS from the first octet (RFC 8314)
)

// Config is one listener's. Zero values mean the defaults of [New].
type Config struct {
	Kind               Kind
	Hostname           string
	Postmaster         string      // address that RCPT TO:<Postmaster> means; postmaster@ the host name
	TLS                *tls.Config // nil: no TLS is offered
	AllowPlaintextAuth bool        // for measuring on loopback alone
	MaxSize            int64       // octets of a message; 40 MiB
	MaxRecipients      int         // of a transaction; 1,000
	MaxMessages        int         // of a connection; 10,000
	MaxErrors          int         // of a connection; 20
	MaxConnections     int         // in all; 10,000
	BareCR, BareLF     LineEnds    // Refuse on MX, Fix elsewhere
	Idle               time.Duration
	MinRate            int64 // octets a second while a message comes in; 1,000
	JudgeTime          time.Duration
}

// Judge is the gate: package policy.
type Judge interface {
	Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error)
}

// Store is what of a store this room uses.
type Store interface {
	store.Intake
	Login(ctx context.Context, address, password string) (*store.Account, error)
	ScramKeys(ctx context.Context, address string) (*store.Account, store.Scram, error)
	Resolve(ctx context.Context, address string) (store.Resolution, error)
	Owns(ctx context.Context, id store.AccountID, address string) (bool, error)
}

// Deps are the rooms below. Guard and Conns may be nil: nothing is limited then.
type Deps struct {
	Store   Store
	Judge   Judge
	Spool   *spool.Area
	Guard   *guard.Guard
	Conns   *guard.Conns
	Log     *slog.Logger
	Clock   func() time.Time
	Replied func(kind Kind, code int, enhanced string) // for metrics; may be nil
}

// Server is one listener's engine.
type Server struct {
	cfg  Config
	deps Deps

	number   atomic.Uint64 // of sessions
	draining atomic.Bool
	mu       sync.Mutex
	sessions map[*session]struct{}
	done     sync.WaitGroup
}

// New makes a server.
func New(cfg Config, deps Deps) *Server {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&cfg.MaxRecipients, 1000)
	def(&cfg.MaxMessages, 10000)
	def(&cfg.MaxErrors, 20)
	def(&cfg.MaxConnections, 10000)
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = 40 << 20
	}
	if cfg.MinRate <= 0 {
		cfg.MinRate = 1000
	}
	if cfg.Idle <= 0 {
		cfg.Idle = 5 * time.Minute // RFC 5321 section 4.5.3.2.7
	}
	if cfg.JudgeTime <= 0 {
		cfg.JudgeTime = 100 * time.Second
	}
	if cfg.Postmaster == "" {
		cfg.Postmaster = "postmaster@" + cfg.Hostname
	}
	if cfg.BareCR == "" {
		cfg.BareCR = lineEndsOf(cfg.Kind)
	}
	if cfg.BareLF == "" {
		cfg.BareLF = lineEndsOf(cfg.Kind)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	if deps.Replied == nil {
		deps.Replied = func(Kind, int, string) {}
	}
	return &Server{cfg: cfg, deps: deps, sessions: map[*session]struct{}{}}
}

func lineEndsOf(k Kind) LineEnds {
	if k == MX {
		return Refuse
	}
	return Fix
}

// Serve takes connections until ctx is over or the server is shut down.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var wait time.Duration
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || s.draining.Load() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// No descriptors left, most likely. Trying again at once would take a core.
			if wait == 0 {
				s.deps.Log.Error("accept failed, waiting", "listener", s.cfg.Kind, "err", err)
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		wait = 0
		s.start(ctx, conn)
	}
}

func (s *Server) start(ctx context.Context, conn net.Conn) {
	ss := s.newSession(conn)
	s.mu.Lock()
	full := len(s.sessions) >= s.cfg.MaxConnections
	if !full && !s.draining.Load() {
		s.sessions[ss] = struct{}{}
		s.done.Add(1)
	}
	s.mu.Unlock()
	if full || s.draining.Load() || s.deps.Conns != nil && !s.deps.Conns.Enter(ss.ip) {
		s.refuse(ss, full)
		return
	}
	go func() {
		defer s.done.Done()
		defer func() {
			s.mu.Lock()
			delete(s.sessions, ss)
			s.mu.Unlock()
			if s.deps.Conns != nil {
				s.deps.Conns.Leave(ss.ip)
			}
		}()
		ss.run(ctx)
	}()
}

// refuse answers a connection that is not taken, without a goroutine of its own.
func (s *Server) refuse(ss *session, full bool) {
	s.mu.Lock()
	if _, counted := s.sessions[ss]; counted {
		delete(s.sessions, ss)
		s.done.Done()
	}
	s.mu.Unlock()
	r := errConnections
	if full || s.draining.Load() {
		r = errShutdown
	}
	if s.cfg.Kind != Submissions {
		ss.raw.SetWriteDeadline(time.Now().Add(time.Second))
		ss.raw.Write([]byte(r.line()))
	}
	ss.raw.Close()
	s.deps.Log.Warn("connection refused", "listener", s.cfg.Kind, "remote", ss.ip, "reply", r.Code)
}

// Shutdown ends sessions: those that wait for a command at once, those in a
// transaction when it ends, all when ctx is over.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.each(func(ss *session) { ss.wake() })
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		s.each(func(ss *session) { ss.raw.Close() })
		<-ended
		return ctx.Err()
	}
}

func (s *Server) each(f func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ss := range s.sessions {
		f(ss)
	}
}

func remoteIP(a net.Addr) netip.Addr {
	if ap, err := netip.ParseAddrPort(a.String()); err == nil {
		return ap.Addr().Unmap()
	}
	return netip.Addr{}
}

// Sessions is how many there are now.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
