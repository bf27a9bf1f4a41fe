// Package smtpin takes mail by SMTP: from other servers (MX, port 25) and from our
// own people and applications (submission, 587 and 465).
//
// A message is read once, while it comes in: its line ends are made right, it is
// hashed and indexed, and long ones go to a sealed work file. Then policy judges it,
// and only what passed is handed to the store. 250 means that the message survives
// power loss. Nothing is kept of what is refused.
//
// RFC 5321, with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), ENHANCEDSTATUSCODES
// (2034), STARTTLS (3207), AUTH (4954), CHUNKING (3030), SMTPUTF8 (6531), DSN (3461),
// REQUIRETLS (8689), LIMITS (9422), and XCLIENT and the PROXY protocol from those who are
// trusted with them. LMTP (2033) is for servers of ours.
package smtpin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sampul/internal/guard"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/mta/route"
	"sampul/policy"
	"sampul/store"
)

// Kind is what a listener is for.
type Kind string

const (
	MX          Kind = "mx"          // mail for local recipients, no login
	Submission  Kind = "submission"  // after STARTTLS and login (RFC 6409)
	Submissions Kind = "submissions" // TLS from the first octet (RFC 8314)
	LMTP        Kind = "lmtp"        // mail for local recipients from servers of ours (RFC 2033)
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
	MaxExpanded        int         // recipients that those of a transaction lead to; 10,000
	MaxMessages        int         // of a connection; 10,000
	MaxErrors          int         // of a connection; 20
	MaxConnections     int         // in all; 10,000
	BareCR, BareLF     LineEnds    // Refuse on MX, Fix elsewhere
	Idle               time.Duration
	MinRate            int64         // octets a second while a message comes in; 1,000
	JudgeTime          time.Duration // for all that happens between the dot and its reply; 100 s

	Trusted   []netip.Prefix // servers of ours: they may relay, and are not authenticated again
	XClient   []netip.Prefix // whose XCLIENT is believed
	Proxy     []netip.Prefix // each connection begins with a PROXY header and comes from here; empty: none does
	Clients   []netip.Prefix // LMTP: who may come; loopback and Unix sockets
	ClientCAs *x509.CertPool // certificates of clients are checked against these; nil asks for none
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
	AccountByID(ctx context.Context, id store.AccountID) (*store.Account, error)
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

	Hooks   []Hooks  // in order, after those of Defence
	Defence *Defence // of all listeners together; nil defends nothing

	Auth       Authenticator                                                  // SPF, DKIM, DMARC, ARC of mail from outside; nil checks nothing
	Router     Router                                                         // says where addresses lead; nil asks Store.Resolve
	LoopSecret []byte                                                         // SuiteSecret(route.LoopPurpose): marks what goes on elsewhere; nil marks nothing
	Relay      Relay                                                          // what applications may send; nil bounds nothing
	RunPaused  func(app store.AccountID, tag string) bool                     // whether a run of an application is held; may be nil
	Filters    Filters                                                        // other programs; nil has none
	Quarantine Quarantine                                                     // keeps what a filter wants looked at; nil refuses it
	Trace      Tracer                                                         // remembers what became of each message; may be nil
	Accepted   func(ctx context.Context, e *store.Envelope, x *message.Index) // after a message was accepted; may be nil
	// Bounce takes a message for the reverse-path of an application: nil refuses those.
	Bounce func(ctx context.Context, to *route.AppBounce, message io.Reader) error
	// SameRules says whether one verdict serves recipients of both agencies; nil: always.
	SameRules func(a, b string) bool
	// CertAccount is who may log in with a verified certificate for an address; nil for
	// nobody. Without it there is no AUTH EXTERNAL.
	CertAccount func(ctx context.Context, address string) (*store.Account, error)
}

// Server is one listener's engine.
type Server struct {
	cfg    Config
	deps   Deps
	hooks  []Hooks
	header bool // one of hooks looks at headers

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
	def(&cfg.MaxExpanded, 10000)
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
	cfg.TLS = clientTLS(cfg.TLS, cfg.Kind, cfg.ClientCAs)
	s := &Server{cfg: cfg, deps: deps, sessions: map[*session]struct{}{}}
	if deps.Defence != nil {
		s.hooks = append(s.hooks, deps.Defence.Hooks())
	}
	s.hooks = append(s.hooks, deps.Hooks...)
	s.header = s.hasHeaderHook()
	return s
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
	behind := len(s.cfg.Proxy) > 0 // who the client is comes with the PROXY header
	var r *Reply
	switch {
	case full || s.draining.Load():
		r = errShutdown
	case behind && !within(s.cfg.Proxy, ss.ip):
		r = errStranger
	case !behind:
		r = s.admit(ss)
	}
	if r != nil {
		s.refuse(ss, r)
		return
	}
	go func() {
		defer s.done.Done()
		defer func() {
			s.mu.Lock()
			delete(s.sessions, ss)
			s.mu.Unlock()
			s.leave(ss)
		}()
		if behind {
			if err := ss.proxied(); err != nil {
				ss.log.Warn("no PROXY header that can be read", "proxy", ss.ip, "err", err)
				ss.raw.Close()
				return
			}
			if r := s.admit(ss); r != nil {
				s.turnAway(ss, r)
				return
			}
		}
		ss.run(ctx)
	}()
}

// admit says nil to a client that may connect, and counts it then, until leave.
func (s *Server) admit(ss *session) *Reply {
	if s.cfg.Kind == LMTP && !s.lmtpClient(ss) {
		return errStranger
	}
	if d := s.deps.Defence; d != nil {
		if r := d.admit(ss); r != nil {
			return r
		}
	}
	if s.deps.Conns != nil && ss.ip.IsValid() {
		if !s.deps.Conns.Enter(ss.ip) {
			return errConnections
		}
		ss.entered = ss.ip
	}
	return nil
}

// leave takes admit back. XCLIENT may have changed the session's address meanwhile.
func (s *Server) leave(ss *session) {
	if ss.entered.IsValid() {
		s.deps.Conns.Leave(ss.entered)
	}
	if d := s.deps.Defence; d != nil {
		d.leave(ss)
	}
}

// lmtpClient says whether LMTP is for this client.
func (s *Server) lmtpClient(ss *session) bool {
	if !ss.ip.IsValid() {
		_, unix := ss.raw.(*net.UnixConn)
		return unix
	}
	if len(s.cfg.Clients) == 0 {
		return ss.ip.IsLoopback()
	}
	return within(s.cfg.Clients, ss.ip)
}

// refuse answers a connection that is not taken, without a goroutine of its own.
func (s *Server) refuse(ss *session, r *Reply) {
	s.mu.Lock()
	if _, counted := s.sessions[ss]; counted {
		delete(s.sessions, ss)
		s.done.Done()
	}
	s.mu.Unlock()
	s.leave(ss)
	s.turnAway(ss, r)
}

func (s *Server) turnAway(ss *session, r *Reply) {
	if s.cfg.Kind != Submissions {
		ss.raw.SetWriteDeadline(time.Now().Add(time.Second))
		ss.raw.Write([]byte(r.line()))
	}
	ss.raw.Close()
	s.deps.Log.Warn("connection refused", "listener", s.cfg.Kind, "remote", ss.ip, "reply", r.Code, "text", r.Text)
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

// EndSessions ends the sessions of an account, with 421: at once those that wait for a
// command, the others when the command under way ends. It gives how many there are.
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

// Sessions is how many there are now.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
