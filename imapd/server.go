// Package imapd serves mailboxes by IMAP: IMAP4rev2 (RFC 9051) and IMAP4rev1 (RFC 3501),
// with LITERAL+ (7888), SASL-IR (4959), ID (2971), ENABLE (5161), NAMESPACE (2342), IDLE
// (2177), UIDPLUS (4315), UNSELECT (3691), LIST-EXTENDED (5258), SPECIAL-USE (6154),
// LIST-STATUS (5819), ESEARCH (4731), SEARCHRES (5182), MOVE (6851), BINARY (3516),
// MULTIAPPEND (3502), OBJECTID (8474), SAVEDATE (8514), WITHIN (5032), STATUS=SIZE (8438),
// APPENDLIMIT (7889) and UTF8=ACCEPT (6855).
//
// A session shows its client one snapshot of the selected mailbox, and moves on to a
// newer one only where the protocol allows a message number to change. Bytes are served
// as they are stored. What APPEND brings is judged by policy before it is kept.
package imapd

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
	IMAP  Kind = "imap"  // TLS by STARTTLS
	IMAPS Kind = "imaps" // TLS from the first octet (RFC 8314)
)

// Config is one listener's. Zero values mean the defaults of [New].
type Config struct {
	Kind               Kind
	Hostname           string
	TLS                *tls.Config   // nil: none is offered
	AllowPlaintextAuth bool          // for measuring on loopback alone
	MaxMessage         int64         // octets that APPEND takes; 40 MiB
	MaxConnections     int           // in all; 20,000
	MaxErrors          int           // of a connection, BAD in a row; 20
	Idle               time.Duration // between commands after login; 30 minutes, the least that RFC 9051 section 5.4 allows
	LoginTime          time.Duration // until login; 1 minute
	JudgeTime          time.Duration // for a verdict; 100 s
}

// Judge is the gate: package policy.
type Judge interface {
	Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error)
}

// Store is what of a store this room uses.
type Store interface {
	store.Mail
	Login(ctx context.Context, address, password string) (*store.Account, error)
	ScramKeys(ctx context.Context, address string) (*store.Account, store.Scram, error)
	Ready(lane store.Lane) error
}

// Deps are the rooms below. Guard and Conns may be nil: nothing is limited then.
type Deps struct {
	Store Store
	Judge Judge
	Spool *spool.Area
	Guard *guard.Guard
	Conns *guard.Conns
	Log   *slog.Logger
	Clock func() time.Time
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
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = 40 << 20
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 20_000
	}
	if cfg.MaxErrors <= 0 {
		cfg.MaxErrors = 20
	}
	if cfg.Idle <= 0 {
		cfg.Idle = 30 * time.Minute
	}
	if cfg.LoginTime <= 0 {
		cfg.LoginTime = time.Minute
	}
	if cfg.JudgeTime <= 0 {
		cfg.JudgeTime = 100 * time.Second
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	return &Server{cfg: cfg, deps: deps, sessions: map[*session]struct{}{}}
}

// Serve takes connections until ctx is over or the server is shut down.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var wait time.Duration
	for {
		conn, err := ln.Accept()
		if err == nil {
			wait = 0
			s.start(ctx, conn)
			continue
		}
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
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) start(ctx context.Context, conn net.Conn) {
	ss := s.newSession(conn)
	s.mu.Lock()
	full := len(s.sessions) >= s.cfg.MaxConnections
	taken := !full && !s.draining.Load()
	if taken {
		s.sessions[ss] = struct{}{}
		s.done.Add(1)
	}
	s.mu.Unlock()
	if !taken {
		go ss.refuse("too many connections, or the server is going down; try again later")
		return
	}
	if s.deps.Conns != nil && !s.deps.Conns.Enter(ss.ip) {
		s.leave(ss)
		go ss.refuse("too many connections from your network")
		return
	}
	go func() {
		defer s.leave(ss)
		defer func() {
			if s.deps.Conns != nil {
				s.deps.Conns.Leave(ss.ip)
			}
		}()
		ss.run(context.WithoutCancel(ctx)) // what is under way ends in its own time, see Shutdown
	}()
}

func (s *Server) leave(ss *session) {
	s.mu.Lock()
	delete(s.sessions, ss)
	s.mu.Unlock()
	s.done.Done()
}

// Shutdown ends every session with BYE: at once those that wait, the others after the
// command under way. When ctx is over, whoever is left is cut off.
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

// EndSessions ends the sessions of an account, with BYE: at once those that wait, the
// others after the command under way. It gives how many there are.
func (s *Server) EndSessions(id store.AccountID) int {
	n := 0
	s.each(func(ss *session) {
		if id != 0 && ss.owner.Load() == uint64(id) {
			ss.ended.Store(true)
			ss.wake()
			n++
		}
	})
	return n
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
