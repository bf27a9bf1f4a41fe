package smtpin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sampul/mta/route"
	"sampul/relay"
	"sampul/store"
)

const (
	maxLine     = 4096  // a command with its parameters; RFC 5321 section 4.5.3.1.4 asks for 512
	maxAuthLine = 12288 // RFC 4954 section 4
)

// session is one connection. Only its own goroutine uses it, save wake.
type session struct {
	srv     *Server
	log     *slog.Logger
	number  string
	raw     net.Conn
	ip      netip.Addr // of the client, as PROXY and XCLIENT told it
	port    uint16
	peer    netip.Addr // who is connected, or was before a PROXY
	trusted bool       // ip is a server of ours
	entered netip.Addr // counted in Conns
	counted netip.Addr // in Defence
	greeted bool       // 220 was said
	net     netState   // what Defence remembers
	st      Stage

	c   *paced
	in  *bufio.Reader
	out *bufio.Writer

	waiting atomic.Bool   // for a command: may be woken to be told 421
	owner   atomic.Uint64 // account that is logged in
	ended   atomic.Bool   // that account is held: 421 comes next
	over    bool          // after QUIT, or a reply of 421: nothing more is read

	helo     string
	esmtp    bool
	tls      *tls.ConnectionState
	cert     *x509.Certificate // of the client, verified
	account  *store.Account
	mech     string
	tx       *transaction
	messages int
	errors   int
	badRcpts int
}

// transaction is one message under way, from MAIL on.
type transaction struct {
	id    string
	args  mailArgs
	given []string          // addresses of RCPT that were taken
	rcpts []store.Recipient // where they lead
	// bounce is set when the one address is the reverse-path of an application.
	bounce   *route.AppBounce
	bounceOf string // agency of its domain
	msgID    string // Message-ID, once the message is in
	seen     map[target]struct{}
	chunk    *incoming // BDAT has begun

	ticket  *relay.Ticket // of an application
	counted bool          // the relay has counted its refusal
	refused string        // why the message of an application is refused, for counting
}

func (s *Server) newSession(conn net.Conn) *session {
	ss := &session{srv: s, raw: conn, number: strconv.FormatUint(s.number.Add(1), 16)}
	ss.ip, ss.port = remote(conn.RemoteAddr())
	ss.peer, ss.trusted = ss.ip, within(s.cfg.Trusted, ss.ip)
	ss.log = s.deps.Log.With("listener", s.cfg.Kind, "session", ss.number)
	ss.wrap(conn)
	return ss
}

func (s *session) wrap(conn net.Conn) {
	s.c = &paced{Conn: conn, idle: s.srv.cfg.Idle, rate: s.srv.cfg.MinRate, stop: s.stop}
	if s.in == nil {
		s.in, s.out = readers.Get().(*bufio.Reader), writers.Get().(*bufio.Writer)
	}
	s.in.Reset(s.c) // what was read before TLS is forgotten
	s.out.Reset(s.c)
}

// Many clients send one message a connection: buffers go from one to the next.
var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxLine) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 2048) }}
)

// unwrap gives the buffers back. Nothing is read or written after it.
func (s *session) unwrap() {
	s.in.Reset(nil)
	s.out.Reset(nil)
	readers.Put(s.in)
	writers.Put(s.out)
	s.in, s.out = nil, nil
}

// stop ends reads between commands once the server goes down.
func (s *session) stop() error {
	switch {
	case !s.waiting.Load():
	case s.srv.draining.Load():
		return errShutdown
	case s.ended.Load():
		return errEnded
	}
	return nil
}

// wake makes a session that waits for a command look at the time.
func (s *session) wake() {
	if s.waiting.Load() {
		s.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// run is the whole session.
func (s *session) run(ctx context.Context) {
	defer s.unwrap()
	defer s.raw.Close()
	defer func() {
		s.reset()
		if p := recover(); p != nil { // one message must not stop the suite
			s.log.Error("session failed", "err", fmt.Sprint(p))
		}
	}()
	if err := s.hooks(ctx, onConnect); err != nil {
		s.srv.turnAway(s, asReply(err))
		return
	}
	if s.srv.cfg.Kind == Submissions && !s.handshake(ctx) {
		return
	}
	s.say(s.greeting())
	s.greeted = true
	for !s.over {
		line, err := s.readLine(maxLine)
		switch {
		case errors.Is(err, errLong):
			s.say(errLong)
		case err != nil:
			s.lost(err)
			s.over = true
		default:
			s.say(s.command(ctx, line))
		}
		if s.errors >= s.srv.cfg.MaxErrors && !s.over {
			s.say(errTooManyErrors)
		}
	}
	s.out.Flush()
}

// greeting is the first reply.
func (s *session) greeting() *Reply {
	protocol := "ESMTP"
	if s.srv.cfg.Kind == LMTP {
		protocol = "LMTP"
	}
	return reply(220, "", s.srv.cfg.Hostname+" "+protocol+" Sampul")
}

// submission says whether clients log in here.
func (s *session) submission() bool {
	return s.srv.cfg.Kind == Submission || s.srv.cfg.Kind == Submissions
}

// say queues a reply. They go out together, when nothing more can be read at once.
func (s *session) say(r *Reply) {
	if r == nil {
		return
	}
	s.out.WriteString(r.line())
	s.srv.deps.Replied(s.srv.cfg.Kind, r.Code, r.Enhanced)
	if r.Code >= 500 {
		s.errors++
	}
	if r.Code == 421 || r.Code == 221 {
		s.over = true
	}
}

// lost ends a session that cannot go on reading; where a reply may still arrive, it
// is given.
func (s *session) lost(err error) {
	switch {
	case errors.Is(err, errShutdown) || s.srv.draining.Load():
		s.say(errShutdown)
	case errors.Is(err, errEnded), s.ended.Load():
		s.say(errEnded)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return
	case isTimeout(err):
		s.say(errIdle)
		s.log.Info("session timed out", "remote", s.ip)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// readLine reads a command without its end. A longer one than max is read to its end
// and returned as errLong, so that what follows stays in step.
func (s *session) readLine(max int) (string, error) {
	if s.in.Buffered() == 0 || !s.lineBuffered() {
		if err := s.out.Flush(); err != nil {
			return "", err
		}
		s.waiting.Store(true)
		defer s.waiting.Store(false)
	}
	var long []byte
	for {
		part, err := s.in.ReadSlice('\n')
		if err == nil {
			if len(long)+len(part) > max {
				return "", errLong
			}
			line := string(long) + string(part)
			return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if len(long) <= max {
			long = append(long, part...)
		} else if s.c.since.IsZero() { // an unending line is held to the minimum rate
			s.c.begin()
			defer s.c.end()
		}
	}
}

func (s *session) lineBuffered() bool {
	b, _ := s.in.Peek(s.in.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// command runs one line.
func (s *session) command(ctx context.Context, line string) *Reply {
	verb, arg, _ := strings.Cut(line, " ")
	c, known := commands[strings.ToUpper(verb)]
	var r *Reply
	switch {
	case !known:
		r = errUnknown
	case s.srv.draining.Load() && s.tx == nil:
		r = errShutdown
	case s.ended.Load():
		r = errEnded
	case c.when&s.state() == 0:
		r = c.wrong(s)
	case s.early(strings.ToUpper(verb)):
		r = errEarly
	case c.bare && strings.TrimSpace(arg) != "":
		r = errSyntax
	default:
		r = asReply(c.run(s, ctx, arg))
	}
	if r != nil && r.Err != nil {
		s.log.Error("command failed", "command", strings.ToUpper(verb), "reply", r.Code, "err", r.Err)
	}
	return r
}

// asReply makes of what a command returned what the client hears: nil says that the
// command has answered itself.
func asReply(err error) *Reply {
	if err == nil {
		return nil
	}
	return replyFor(err)
}

func (s *session) state() state {
	switch {
	case s.tx != nil && s.tx.chunk != nil:
		return inChunks
	case s.tx != nil:
		return inMail
	case s.helo != "":
		return greeted
	default:
		return fresh
	}
}

// reset drops the transaction.
func (s *session) reset() {
	if s.tx != nil && s.tx.chunk != nil {
		s.tx.chunk.drop()
	}
	if s.tx != nil && s.tx.ticket != nil {
		s.tx.ticket.Drop(s.tx.refused)
	}
	s.tx = nil
	s.st.forget()
}

// handshake begins TLS. It tells whether the session can go on.
func (s *session) handshake(ctx context.Context) bool {
	conn := tls.Server(s.raw, s.srv.cfg.TLS)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		s.log.Info("tls failed", "remote", s.ip, "err", err)
		return false
	}
	state := conn.ConnectionState()
	s.tls = &state
	s.cert = s.verified()
	if c := s.cert; c != nil {
		s.log.Info("client certificate", "remote", s.ip, "subject", c.Subject.String(), "sha256", fingerprint(c))
	}
	s.wrap(conn)
	return true
}
