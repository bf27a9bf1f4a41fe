package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sampul/imapd/wire"
	"sampul/store"
)

const (
	flushAt    = 64 << 10         // output goes out in pieces of about this size
	inCommand  = 5 * time.Minute  // for one read in the middle of a command
	writeTime  = 2 * time.Minute  // for one piece of output
	handshakes = 30 * time.Second // for TLS
)

// state is where in RFC 9051 section 3 a session is.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selectedState
	logout

	anyState = notAuthenticated | authenticated | selectedState
	loggedIn = authenticated | selectedState
)

// session is one connection. Only its own goroutine uses it, save wake, and the watcher
// of IDLE, which holds mu.
type session struct {
	srv *Server
	log *slog.Logger
	raw net.Conn // the TCP connection
	c   net.Conn // raw, or TLS on it
	ip  netip.Addr
	in  *wire.Reader

	owner   atomic.Uint64 // account that is logged in
	ended   atomic.Bool   // that account is held: BYE comes next
	waiting atomic.Bool   // between commands, or idling: may be woken to be told BYE

	mu   sync.Mutex // of what follows while IDLE runs
	out  []byte     // not yet written
	sent int        // how often something was written
	buf  *[]byte    // where out begins; nil while nothing is to be written

	began   time.Time
	state   state
	tls     bool
	errors  int
	account *store.Account
	actor   store.Actor
	box     *selected
	rev2    bool // ENABLE IMAP4rev2
	utf8    bool // ENABLE IMAP4rev2 or UTF8=ACCEPT
}

func (s *Server) newSession(conn net.Conn) *session {
	ss := &session{srv: s, raw: conn, c: conn, ip: remoteIP(conn.RemoteAddr()), began: time.Now(), state: notAuthenticated}
	ss.log = s.deps.Log.With("listener", s.cfg.Kind, "session", fmt.Sprintf("%x", s.number.Add(1)))
	ss.in = wire.NewReader(reading{ss})
	ss.in.Continue = func() error {
		ss.puts("+ go on\r\n")
		return ss.flush()
	}
	return ss
}

// refuse says why there is no session.
func (s *session) refuse(why string) {
	defer s.raw.Close()
	if s.srv.cfg.Kind == IMAPS { // nothing can be said before TLS
		return
	}
	s.raw.SetWriteDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(s.raw, "* BYE [UNAVAILABLE] "+why+"\r\n")
}

// reading is the input: what was said before is sent before more is waited for.
type reading struct{ s *session }

var errHeld = errors.New("the account is held")

var errShutdown = errors.New("the server is going down")

func (r reading) Read(p []byte) (int, error) {
	s := r.s
	if !s.waiting.Load() { // while waiting all was flushed, and the output may be another's
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	if err := s.raw.SetReadDeadline(s.deadline()); err != nil {
		return 0, err
	}
	// Asked after the deadline is set, never before: going down sets one in the past,
	// and ours must not overwrite it unseen.
	if s.waiting.Load() && s.srv.draining.Load() {
		return 0, errShutdown
	}
	if s.waiting.Load() && s.ended.Load() {
		return 0, errHeld
	}
	return s.c.Read(p)
}

// deadline is for one read. The time until login is one for all: an octet now and then
// does not keep a connection that nobody has logged in to.
func (s *session) deadline() time.Time {
	switch {
	case s.account == nil:
		return s.began.Add(s.srv.cfg.LoginTime)
	case s.waiting.Load():
		return time.Now().Add(s.srv.cfg.Idle)
	}
	return time.Now().Add(inCommand)
}

// wake makes a session that waits look at the time.
func (s *session) wake() {
	if s.waiting.Load() {
		s.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// run is the whole session.
func (s *session) run(ctx context.Context) {
	defer s.raw.Close()
	defer func() {
		if p := recover(); p != nil { // one message must not stop the suite
			s.log.Error("session failed", "err", fmt.Sprint(p))
		}
		s.unselect()
		s.in.Close()
		s.release()
	}()
	if s.srv.cfg.Kind == IMAPS && !s.handshake(ctx) {
		return
	}
	s.puts("* OK [CAPABILITY " + s.capabilities() + "] " + s.srv.cfg.Hostname + " Sampul is ready\r\n")
	for s.state != logout {
		if s.in.Buffered() == 0 {
			if s.flush() != nil {
				return
			}
			s.release()
		}
		s.waiting.Store(true)
		err := s.in.Wait()
		s.waiting.Store(false)
		if err == nil && s.ended.Load() {
			err = errHeld
		}
		if err == nil {
			err = s.command(ctx)
		}
		if err != nil {
			s.lost(err)
			return
		}
	}
	s.flush()
}

// lost ends a session that can't go on; where a word may still arrive, it is given.
func (s *session) lost(err error) {
	var t net.Error
	switch {
	case errors.Is(err, errShutdown) || s.srv.draining.Load():
		s.puts("* BYE [UNAVAILABLE] the server is going down, come back in a moment\r\n")
	case errors.Is(err, errHeld) || s.ended.Load():
		s.puts("* BYE this account is held: ask your administrator\r\n")
	case errors.Is(err, wire.ErrStream):
		s.puts("* BYE too much was sent that was refused\r\n")
	case errors.Is(err, errEnd):
	case errors.As(err, &t) && t.Timeout():
		s.puts("* BYE you were silent for too long\r\n")
		s.log.Info("session timed out", "remote", s.ip)
	default:
		return
	}
	s.flush()
}

// errEnd ends a session to which all has been said.
var errEnd = errors.New("session ended")

var outputs = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// room makes sure that there is a buffer for output.
func (s *session) room() {
	if s.buf == nil {
		s.buf = outputs.Get().(*[]byte)
		s.out = (*s.buf)[:0]
	}
}

func (s *session) puts(text string) {
	s.room()
	s.out = append(s.out, text...)
}

// spill sends what is gathered once it is much.
func (s *session) spill() error {
	if len(s.out) < flushAt {
		return nil
	}
	return s.flush()
}

func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	if err := s.raw.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	s.sent++
	_, err := s.c.Write(s.out)
	s.out = s.out[:0]
	return err
}

// release gives the output's buffer back: whoever waits holds none.
func (s *session) release() {
	if s.buf == nil || len(s.out) > 0 {
		return
	}
	if cap(s.out) <= 4*flushAt {
		*s.buf = s.out
		outputs.Put(s.buf)
	}
	s.buf, s.out = nil, nil
}

// Write is for bodies: long pieces go out as they are, after what was gathered.
func (s *session) Write(p []byte) (int, error) {
	s.room()
	if len(s.out)+len(p) < flushAt {
		s.out = append(s.out, p...)
		return len(p), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	if len(p) < 4096 {
		s.out = append(s.out, p...)
		return len(p), nil
	}
	if err := s.raw.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	s.sent++
	return s.c.Write(p)
}

// handshake begins TLS.
func (s *session) handshake(ctx context.Context) bool {
	c := tls.Server(s.raw, s.srv.cfg.TLS)
	if err := s.raw.SetDeadline(time.Now().Add(handshakes)); err != nil {
		return false
	}
	if err := c.HandshakeContext(ctx); err != nil {
		s.log.Info("TLS failed", "remote", s.ip, "err", err)
		return false
	}
	s.c, s.tls = c, true
	return true
}
