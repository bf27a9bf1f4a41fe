package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// A session is one connection to another server, from its greeting to QUIT. One
// transaction at a time uses it.
type session struct {
	*line
	pool     *Pool
	hop      Hop
	end      *endpoint
	key      key
	features features
	tls      string // for [Result.TLS]
	secured  bool   // TLS is on
	verified bool   // and the other side proved to be who it should be
	count    int    // messages so far
	dirty    bool   // a transaction was begun and not ended: RSET before the next
	reused   bool
	timer    *time.Timer
	stop     func() bool // takes the connection out of the hands of the context
}

// open connects, greets, secures and logs in. The fault names the endpoint.
func (p *Pool) open(ctx context.Context, hop Hop, end *endpoint) (*session, *fault) {
	s := &session{pool: p, hop: hop, end: end, key: p.keyOf(hop, end.security.requireTLS), tls: "none"}
	f := s.connect(ctx)
	if f == nil {
		f = s.handshake()
	}
	if f == nil {
		return s, nil
	}
	if s.line != nil {
		s.close(f)
	}
	f.remote, f.tls = end.String(), s.told()
	return nil, f
}

// told is what is said of TLS: what there is, or what a policy wanted and did not get.
func (s *session) told() string {
	if d := s.end.security; d.need >= tlsMust && !s.secured && d.why != "" {
		return "required by " + d.why
	}
	return s.tls
}

func (s *session) connect(ctx context.Context) *fault {
	dctx, cancel := context.WithTimeout(ctx, s.pool.times.Connect)
	defer cancel()
	network, address := s.end.network()
	nc, err := s.pool.dial(dctx, network, address, s.hop.Source)
	if err != nil {
		if dctx.Err() != nil && ctx.Err() == nil {
			err = context.DeadlineExceeded
		}
		return broken(ctx, StageConnect, err)
	}
	s.line = newLine(ctx, nc, s.pool.times.Data)
	s.guard(ctx)
	return nil
}

// guard lets ctx end what waits on the connection.
func (s *session) guard(ctx context.Context) {
	s.line.ctx = ctx
	nc := s.nc
	s.stop = context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
}

// handshake is all from the greeting to the point where MAIL may come.
func (s *session) handshake() *fault {
	r, err := s.read(s.patience(s.pool.times.Greeting))
	if err != nil {
		return broken(s.ctx, StageGreeting, err)
	}
	if r.code != 220 {
		return said(StageGreeting, r)
	}
	if f := s.hello(); f != nil {
		return f
	}
	if f := s.secure(); f != nil {
		return f
	}
	if s.end.security.requireTLS && !s.features.requireTLS {
		return &fault{stage: StagePolicy, code: 550, enhanced: "5.7.30", permanent: true,
			text: "the message requires TLS on all its way (REQUIRETLS), which this server does not offer"}
	}
	return s.login()
}

// patience is how long the first answers are waited for.
func (s *session) patience(most time.Duration) time.Duration {
	if s.end.brief {
		return min(most, briefWait)
	}
	return most
}

// hello says EHLO; HELO only where EHLO is refused for good (RFC 5321 section 3.2).
func (s *session) hello() *fault {
	verb := "EHLO "
	if s.hop.LMTP {
		verb = "LHLO "
	}
	name := s.hop.HELO
	if name == "" {
		name = s.pool.Hostname
	}
	r, err := s.ask(s.patience(s.pool.times.Command), verb, name)
	if err != nil {
		return broken(s.ctx, StageEHLO, err)
	}
	if r.ok() {
		s.features = readFeatures(r)
		return nil
	}
	s.features = features{}
	if !r.permanent() || s.hop.LMTP || s.secured || r.code == 521 || r.code == 554 {
		return said(StageEHLO, r)
	}
	if r, err = s.ask(s.pool.times.Command, "HELO ", name); err != nil {
		return broken(s.ctx, StageEHLO, err)
	}
	if !r.ok() {
		return said(StageEHLO, r)
	}
	return nil
}

// secure starts TLS as the endpoint's demand has it.
func (s *session) secure() *fault {
	d := &s.end.security
	if d.need == tlsNever {
		return nil
	}
	if !s.features.startTLS {
		f := &fault{stage: StageSTARTTLS, code: 451, enhanced: "4.7.4", tlsType: "starttls-not-supported",
			text: "the other side does not offer TLS"}
		if d.need > tlsMay {
			f.text = "TLS is required by " + d.why + ", and the other side does not offer it"
		}
		s.pool.report(s, f, nil)
		if d.need == tlsMay {
			return nil
		}
		return d.refuse(f)
	}
	r, err := s.ask(s.pool.times.Command, "STARTTLS")
	if err != nil {
		f := broken(s.ctx, StageSTARTTLS, err)
		f.tlsType = "validation-failure"
		s.pool.report(s, f, nil)
		return f
	}
	if r.code != 220 {
		f := said(StageSTARTTLS, r)
		f.permanent = false
		f.enhanced = "4.7.4"
		f.tlsType = "starttls-not-supported"
		s.pool.report(s, f, nil)
		if d.need == tlsMay {
			return nil // on the same connection, in clear text
		}
		return d.refuse(f)
	}
	f := s.startTLS()
	if f != nil {
		return d.refuse(f)
	}
	return s.hello()
}

func (s *session) startTLS() *fault {
	d := &s.end.security
	if s.in.Buffered() > 0 { // RFC 3207 section 4.2: nothing from before TLS may count after it
		f := &fault{stage: StageSTARTTLS, code: 451, enhanced: "4.7.0", tlsType: "validation-failure",
			text: "octets came in clear text behind the answer to STARTTLS; somebody may be putting words into the connection"}
		s.pool.report(s, f, nil)
		return f
	}
	seen := &verdict{}
	tc := tls.Client(s.nc, d.config(s.pool, s.end.host, seen))
	ctx, cancel := context.WithTimeout(s.ctx, s.pool.times.Greeting)
	defer cancel()
	if err := s.nc.SetDeadline(time.Now().Add(s.pool.times.Greeting)); err != nil {
		return broken(s.ctx, StageSTARTTLS, err)
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		f := broken(s.ctx, StageSTARTTLS, err)
		f.enhanced, f.tlsType = "4.7.5", seen.tlsType
		if f.tlsType == "" {
			f.tlsType = "validation-failure"
		}
		if seen.err != nil {
			f.cert = true
			f.text = "certificate: " + printable(seen.err.Error())
		} else if !isTimeout(err) && s.ctx.Err() == nil {
			f.text = "TLS failed: " + plain(err)
		}
		if d.why != "" {
			f.text += " (" + d.why + ")"
		}
		s.pool.report(s, f, seen)
		return f
	}
	s.use(tc)
	s.secured, s.verified = true, d.need == tlsVerify
	s.tls = tls.VersionName(tc.ConnectionState().Version) + ", " + d.proof()
	s.pool.report(s, nil, seen)
	return nil
}

// close ends the connection, with QUIT where the other side still listens.
func (s *session) close(f *fault) {
	if s.stop != nil {
		s.stop()
	}
	if f == nil || !f.lost {
		s.say("QUIT")
		// Nobody waits for the answer: it changes nothing.
		s.write = time.Second
		s.out.Flush()
	}
	s.nc.Close()
}

// remoteIP is the address of the other side, "" for a socket in the file system.
func (s *session) addresses() (local, remote string) {
	if s.line == nil {
		return "", ""
	}
	host := func(a net.Addr) string {
		if t, ok := a.(*net.TCPAddr); ok {
			return t.AddrPort().Addr().Unmap().String()
		}
		return ""
	}
	return host(s.nc.LocalAddr()), host(s.nc.RemoteAddr())
}

var errNoMechanism = errors.New("the other side offers neither PLAIN nor LOGIN")

// login is AUTH (RFC 4954), over TLS only. What goes wrong is temporary: a password that
// was changed must not bounce a day's mail.
func (s *session) login() *fault {
	if s.hop.User == "" {
		return nil
	}
	bad := func(text string) *fault {
		return &fault{stage: StageAUTH, code: 451, enhanced: "4.7.0", text: text}
	}
	if !s.secured {
		return bad("login as " + s.hop.User + " is only sent over TLS, and there is none here")
	}
	mech, err := mechanism(s.features.auth, s.hop.User, s.hop.Secret)
	if err != nil {
		return bad(err.Error())
	}
	r, err := s.auth(mech)
	if err != nil {
		return broken(s.ctx, StageAUTH, err)
	}
	if !r.ok() {
		f := said(StageAUTH, r)
		f.permanent = false
		f.enhanced = "4" + f.enhanced[1:]
		f.text = fmt.Sprintf("login as %s was refused: %d %s", s.hop.User, f.code, f.text)
		return f
	}
	return nil
}
