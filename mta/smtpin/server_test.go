package smtpin

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	gosasl "github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"sampul/internal/dialogue"
	"sampul/internal/gate"
	"sampul/internal/guard"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/policy"
	"sampul/store"
)

// fake is a directory of two people and one alias, and keeps what was accepted.
type fake struct {
	mu   sync.Mutex
	got  []taken
	fail error
	held string // pegawai1 is
}

type taken struct {
	env  *store.Envelope
	body string
}

var pegawai = &store.Account{ID: 1, Address: "pegawai1@agensi-a.test", Agency: "agensi-a", Kind: store.Personal}

func (f *fake) Resolve(_ context.Context, address string) (store.Resolution, error) {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if domain != "agensi-a.test" {
		return store.Resolution{}, f.fail
	}
	r := store.Resolution{Local: true, Agency: "agensi-a"}
	user, _, _ := strings.Cut(local, "+")
	switch user {
	case "pegawai1", "ketua", "postmaster":
		r.Account = pegawai
	case "pegawai2":
		r.Account = &store.Account{ID: 2, Address: address, Agency: "agensi-a"}
	}
	return r, f.fail
}

func (f *fake) Owns(_ context.Context, id store.AccountID, address string) (bool, error) {
	r, err := f.Resolve(context.Background(), address)
	return r.Account != nil && r.Account.ID == id, err
}

func (f *fake) AccountByID(_ context.Context, id store.AccountID) (*store.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != pegawai.ID {
		return nil, store.ErrNotFound
	}
	a := *pegawai
	a.Held = f.held
	return &a, nil
}

func (f *fake) Login(_ context.Context, address, password string) (*store.Account, error) {
	if address == pegawai.Address && password == "kata" {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.held != "" {
			return nil, store.ErrAccountState
		}
		return pegawai, nil
	}
	return nil, store.ErrBadPassword
}

func (f *fake) ScramKeys(context.Context, string) (*store.Account, store.Scram, error) {
	return nil, store.Scram{}, errors.New("not here")
}

func (f *fake) Ready(store.Lane) error { return nil }

func (f *fake) Accept(_ context.Context, e *store.Envelope, b store.Body, x *message.Index, p gate.Passed) error {
	raw, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil || x.Size != b.Size() || !p.Valid() {
		return errors.New("not what was judged")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, taken{e, string(raw)})
	return f.fail
}

func (f *fake) last(t *testing.T) taken {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		t.Fatal("nothing was accepted")
	}
	return f.got[len(f.got)-1]
}

// judge refuses what says so in its subject.
type judge struct{}

func (judge) Judge(_ context.Context, m *policy.Mail) (*policy.Verdict, error) {
	switch subject := m.Index.Parts[0].Get("Subject"); {
	case strings.Contains(subject, "[RAHSIA]"):
		return &policy.Verdict{Class: policy.Rahsia, Action: policy.Reject, Code: 550, Enhanced: "5.7.1", Text: "Disekat. Blocked. (I-1)"}, nil
	case strings.Contains(subject, "[ROSAK]"):
		return nil, errors.New("the engine is down")
	}
	return &policy.Verdict{Passed: gate.Mint(m.SHA256, m.Purpose, "TERBUKA", "t", "v")}, nil
}

func selfSigned(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx.agensi-a.test"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func start(t testing.TB, cfg Config, f *fake) string {
	t.Helper()
	addr, _ := startWith(t, cfg, Deps{Store: f})
	return addr
}

// startWith serves with what deps has, and fakes for the rest.
func startWith(t testing.TB, cfg Config, deps Deps) (string, *Server) {
	t.Helper()
	area, err := spool.New(t.TempDir(), 4096)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Hostname = "mx.agensi-a.test"
	if cfg.TLS == nil {
		cfg.TLS = selfSigned(t)
	}
	if deps.Judge == nil {
		deps.Judge = judge{}
	}
	deps.Spool, deps.Guard, deps.Conns = area, guard.New(time.Now), guard.NewConns(1000)
	s := New(cfg, deps)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		shut, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		s.Shutdown(shut)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), s
}

func connect(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// loopback is trusted with everything, where a folder of dialogues is about that.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestDialogues(t *testing.T) {
	for dir, mk := range map[string]func(t *testing.T) (Config, Deps){
		"mx":         func(*testing.T) (Config, Deps) { return Config{Kind: MX}, Deps{} },
		"submission": func(*testing.T) (Config, Deps) { return Config{Kind: Submission}, Deps{} },
		"lmtp":       func(*testing.T) (Config, Deps) { return Config{Kind: LMTP}, Deps{} },
		"xclient":    func(*testing.T) (Config, Deps) { return Config{Kind: MX, XClient: loopback}, Deps{} },
		"xclient-login": func(*testing.T) (Config, Deps) {
			return Config{Kind: Submission, XClient: loopback, AllowPlaintextAuth: true}, Deps{}
		},
		"trusted": func(*testing.T) (Config, Deps) { return Config{Kind: MX, Trusted: loopback}, Deps{} },
	} {
		t.Run(dir, func(t *testing.T) {
			dialogue.Play(t, "testdata/"+dir+"/*.txtar", func(t *testing.T, _ string) net.Conn {
				cfg, deps := mk(t)
				cfg.MaxSize, cfg.MaxRecipients = 20000, 3
				deps.Store = &fake{}
				addr, _ := startWith(t, cfg, deps)
				return connect(t, addr)
			})
		})
	}
}

// exchange sends raw octets after a transaction was opened up to DATA, and gives all
// that the server says until it closes.
func exchange(t *testing.T, addr, raw string) string {
	t.Helper()
	c := connect(t, addr)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

const open = "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\nRCPT TO:<pegawai1@agensi-a.test>\r\n"

// Whatever looks like an end of data to a server that is less strict is none here,
// and what follows is never read as commands (SMTP smuggling).
func TestOnlyCRLFDotCRLFEndsData(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n\x00.\r\n", "\n\r\n.\n"} {
		f := &fake{}
		addr := start(t, Config{Kind: MX, BareCR: Fix, BareLF: Fix}, f)
		out := exchange(t, addr, open+"DATA\r\nSubject: a\r\n\r\nx"+end+"MAIL FROM:<evil@luar.test>\r\nstill text\r\n.\r\nQUIT\r\n")
		if strings.Count(out, "250 2.1.0") != 1 || !strings.Contains(out, "queued as") {
			t.Fatalf("%q: %s", end, out)
		}
		got := f.last(t).body
		if !strings.Contains(got, "MAIL FROM:<evil@luar.test>\r\nstill text\r\n") {
			t.Fatalf("%q: the message is %q", end, got)
		}
		if strings.Count(got, "\r")+strings.Count(got, "\n") != 2*strings.Count(got, "\r\n") {
			t.Fatalf("%q: bare CR or LF kept: %q", end, got)
		}
		addr = start(t, Config{Kind: MX}, f)
		out = exchange(t, addr, open+"DATA\r\nSubject: a\r\n\r\nx"+end+"y\r\n.\r\nNOOP\r\nQUIT\r\n")
		if strings.Contains(end, "\x00") {
			continue
		}
		if !strings.Contains(out, "550 5.5.2") || !strings.Contains(out, "250 2.0.0 ok\r\n221") {
			t.Fatalf("%q refused on MX, in step: %s", end, out)
		}
	}
}

// A line end that was converted twice must not hang: CR CR LF . CR LF ends data.
func TestDoubleConvertedEnd(t *testing.T) {
	f := &fake{}
	addr := start(t, Config{Kind: MX, BareCR: Fix}, f)
	out := exchange(t, addr, open+"DATA\r\nSubject: a\r\r\n\r\r\nx\r\r\n.\r\nQUIT\r\n")
	if !strings.Contains(out, "queued as") {
		t.Fatal(out)
	}
}

func TestCommandsAfterQuitDoNotRun(t *testing.T) {
	f := &fake{}
	out := exchange(t, start(t, Config{Kind: MX}, f), "EHLO a.test\r\nQUIT\r\n"+open+"DATA\r\nx\r\n.\r\n")
	if !strings.HasSuffix(out, "221 2.0.0 goodbye\r\n") || len(f.got) != 0 {
		t.Fatalf("after QUIT: %s", out)
	}
}

// counted counts the writes of a connection.
type counted struct {
	net.Conn
	writes []string
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes = append(c.writes, string(p))
	return c.Conn.Write(p)
}

func TestPipelinedRepliesGoOutTogether(t *testing.T) {
	area, err := spool.New(t.TempDir(), 1024)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: &fake{}, Judge: judge{}, Spool: area})
	client, server := net.Pipe()
	cc := &counted{Conn: server}
	ended := make(chan struct{})
	go func() { s.newSession(cc).run(t.Context()); close(ended) }()
	go io.Copy(io.Discard, client)
	io.WriteString(client, open+"DATA\r\n")
	io.WriteString(client, "Subject: a\r\n\r\nx\r\n.\r\n"+open[len("EHLO luar.test\r\n"):]+"QUIT\r\n")
	<-ended
	if len(cc.writes) != 3 || strings.Count(cc.writes[1], "\r\n") < 10 || strings.Count(cc.writes[2], "\r\n") != 4 {
		t.Fatalf("%d writes: %q", len(cc.writes), cc.writes)
	}
}

func TestLongLinesPass(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	msg := "Subject: a\r\n\r\n" + long + "\r\n"
	f := &fake{}
	addr := start(t, Config{Kind: MX}, f)
	if out := exchange(t, addr, open+"DATA\r\n"+msg+".\r\nQUIT\r\n"); !strings.Contains(out, "queued as") || f.last(t).body != msg {
		t.Fatalf("DATA: %.300s", out)
	}
	if out := exchange(t, addr, open+"BDAT 500000\r\n"+msg[:500000]+"BDAT 548592 LAST\r\n"+msg[500000:]+"QUIT\r\n"); !strings.Contains(out, "queued as") || f.last(t).body != msg {
		t.Fatalf("BDAT: %.300s", out)
	}
}

// BDAT is read by count wherever a segment ends, with lines longer than a command's.
func TestBdatAcrossSegments(t *testing.T) {
	msg := "Subject: a\r\n\r\n" + strings.Repeat(strings.Repeat("y", 5000)+"\r\n.\r\n", 3)
	f := &fake{}
	c := connect(t, start(t, Config{Kind: MX}, f))
	raw := fmt.Sprintf("%sBDAT 100\r\n%sBDAT 0\r\nBDAT %d LAST\r\n%sQUIT\r\n", open, msg[:100], len(msg)-100, msg[100:])
	for i := 0; i < len(raw); i += 700 {
		io.WriteString(c, raw[i:min(len(raw), i+700)])
	}
	out, err := io.ReadAll(c)
	if err != nil || !bytes.Contains(out, []byte("queued as")) || f.last(t).body != msg {
		t.Fatalf("%v %s", err, out)
	}
}

func TestWithALibrarysClient(t *testing.T) {
	f := &fake{}
	addr := start(t, Config{Kind: Submission}, f)
	c, err := gosmtp.DialStartTLS(addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(gosasl.NewPlainClient("", pegawai.Address, "salah")); err == nil {
		t.Fatal("a wrong password logs in")
	}
	if err := c.Auth(gosasl.NewPlainClient("", pegawai.Address, "kata")); err != nil {
		t.Fatal(err)
	}
	text := "From: ketua@agensi-a.test\nSubject: a\n\n.dot\nlast"
	if err := c.SendMail("ketua@agensi-a.test", []string{"pegawai2@agensi-a.test", "b@jauh.test"}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	got := f.last(t)
	if !strings.Contains(got.body, "\r\nMessage-ID: <") && !strings.HasPrefix(got.body, "Date: ") || !strings.HasSuffix(got.body, "\r\n.dot\r\nlast\r\n") {
		t.Fatalf("the message is %q", got.body)
	}
	if r := got.env.Recipients; len(r) != 2 || r[0].Account != 2 || r[1].Account != 0 {
		t.Fatalf("recipients are %+v", r)
	}
	if !strings.Contains(string(got.env.Prefix), "with ESMTPSA (TLS 1.3") || strings.Contains(string(got.env.Prefix), "for <") {
		t.Fatalf("trace is %q", got.env.Prefix)
	}
}
