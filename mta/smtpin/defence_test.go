package smtpin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/guard"
	"sampul/store"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestTalkersBeforeTheGreeting(t *testing.T) {
	for name, delay := range map[string]time.Duration{"looked at once": 0, "waited for": 30 * time.Second} {
		d := NewDefence(DefenceOptions{Greeting: true, GreetLoopback: true, GreetingDelay: delay}, DefenceDeps{})
		s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: &fake{}, Judge: judge{}, Spool: area(t), Defence: d})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c := connect(t, ln.Addr().String())
		if _, err := io.WriteString(c, "EHLO luar.test\r\n"); err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).CloseWrite() // what was sent has come, once its end has
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server.SetReadDeadline(time.Now().Add(time.Minute))
		waitReadable(t, server)
		go s.start(t.Context(), server)
		out, _ := io.ReadAll(c)
		if string(out) != "554 5.5.0 you spoke before the greeting\r\n" {
			t.Errorf("%s: the server says %q", name, out)
		}
		ln.Close()
	}
}

// Who sent good mail is not made to wait: 220 comes at once, and what was not waited for
// is not missed.
func TestKnownNetworksDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDefence(DefenceOptions{Greeting: true, GreetingDelay: 5 * time.Second}, DefenceDeps{})
		s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: &fake{}, Judge: judge{}, Spool: area(t), Defence: d})
		for _, want := range []time.Duration{5 * time.Second, 0} {
			client, server := net.Pipe()
			ss := s.newSession(server)
			ss.ip = netip.MustParseAddr("192.0.2.7")
			ended := make(chan struct{})
			go func() { ss.run(t.Context()); close(ended) }()
			began := time.Now()
			c := newTalk(t, client)
			c.ask("", "220")
			if got := time.Since(began); got != want {
				t.Errorf("220 came after %s, want %s", got, want)
			}
			for _, say := range [][2]string{{"EHLO luar.test", "250"}, {"MAIL FROM:<a@luar.test>", "250"}, {"RCPT TO:<pegawai1@agensi-a.test>", "250"}, {"DATA", "354"}, {"Subject: a\r\n\r\n.", "250"}, {"QUIT", "221"}} {
				c.ask(say[0], say[1])
			}
			client.Close()
			<-ended
		}
	})
}

func TestLoopbackMayTalkEarlyByDefault(t *testing.T) {
	d := NewDefence(DefenceOptions{Greeting: true}, DefenceDeps{})
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	must(t, send(t, addr, "Subject: a\r\n\r\n"), "queued as")
}

// Commands that are sent ahead where they may not be end the session, before what follows
// DATA could be run as commands; those that may be sent ahead are welcome.
func TestUnauthorisedPipelining(t *testing.T) {
	for _, tt := range []struct{ name, first, rest, want string }{
		{"before EHLO was answered", "", "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\n", "503 5.5.0 "},
		{"after HELO", "HELO luar.test\r\n", "MAIL FROM:<a@luar.test>\r\nRCPT TO:<pegawai1@agensi-a.test>\r\n", "503 5.5.0 "},
		{"message behind DATA", "EHLO luar.test\r\n", open[len("EHLO luar.test\r\n"):] + "DATA\r\nSubject: a\r\n\r\n.\r\n", "\r\n503 5.5.0 "},
		{"a group that may be", "EHLO luar.test\r\n", open[len("EHLO luar.test\r\n"):] + "RSET\r\nQUIT\r\n", "\r\n221 "},
		{"QUIT ends all", "HELO luar.test\r\n", "QUIT\r\nNOOP\r\n", "221 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			d := NewDefence(DefenceOptions{Pipelining: true, Address: Limits{Offences: guard.Rate{Max: 0, Per: time.Hour}}}, DefenceDeps{})
			addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Defence: d})
			c := newTalk(t, connect(t, addr))
			c.ask("", "220")
			if tt.first != "" {
				c.ask(strings.TrimSuffix(tt.first, "\r\n"), "250")
			}
			if _, err := io.WriteString(c.c, tt.rest); err != nil {
				t.Fatal(err)
			}
			out, err := io.ReadAll(c.r)
			if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), tt.want) || len(f.got) != 0 {
				t.Fatalf("the server says %q, want %q", out, tt.want)
			}
		})
	}
}

func TestBadRecipientsBanForLongerEachTime(t *testing.T) {
	at := newClock()
	d := NewDefence(DefenceOptions{Address: Limits{BadRecipients: guard.Rate{Max: 2, Per: time.Hour}}}, DefenceDeps{Clock: at.Now})
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	probe := "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\n" + strings.Repeat("RCPT TO:<tiada@agensi-a.test>\r\n", 5) + "QUIT\r\n"
	for _, long := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		out := exchange(t, addr, probe)
		if got := strings.Count(out, "550 5.1.1"); got > 2 || !strings.Contains(out, "421 4.7.0 too many errors") {
			t.Fatalf("%d of 5 were answered: %s", got, out)
		}
		bans := d.Bans()
		if len(bans) != 1 || bans[0].Until.Sub(bans[0].Since) != long || bans[0].Network != netip.MustParsePrefix("127.0.0.1/32") {
			t.Fatalf("bans are %+v, want one of %s", bans, long)
		}
		must(t, greeting(t, addr), "421 4.7.0 your network is refused for a while: too many recipients that nobody has")
		at.pass(long + time.Second)
	}
	if len(d.Bans()) != 0 {
		t.Error("a ban that is over is listed")
	}
	exchange(t, addr, probe)
	if n := d.Unban(netip.MustParsePrefix("127.0.0.0/8")); n != 1 {
		t.Errorf("%d bans lifted, want 1", n)
	}
	must(t, greeting(t, addr), "220 ")
}

// greeting is the first line that a server says.
func greeting(t *testing.T, addr string) string {
	t.Helper()
	c := newTalk(t, connect(t, addr))
	line, err := c.r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestConnectionsAndMessagesOfOneAddressAreBounded(t *testing.T) {
	at := newClock()
	d := NewDefence(DefenceOptions{Address: Limits{Open: 2, Messages: guard.Rate{Max: 2, Per: time.Hour}}}, DefenceDeps{Clock: at.Now})
	addr, s := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	one, two := newTalk(t, connect(t, addr)), newTalk(t, connect(t, addr))
	one.ask("", "220")
	two.ask("", "220")
	must(t, greeting(t, addr), "421 4.7.0 too many connections")
	one.ask("QUIT", "221")
	two.ask("QUIT", "221")
	for s.Sessions() > 0 {
		runtime.Gosched()
	}
	out := exchange(t, addr, open+"DATA\r\nSubject: a\r\n\r\n.\r\n"+strings.TrimPrefix(open, "EHLO luar.test\r\n")+"DATA\r\nSubject: a\r\n\r\n.\r\nMAIL FROM:<a@luar.test>\r\nQUIT\r\n")
	if strings.Count(out, "queued as") != 2 || !strings.Contains(out, "\r\n421 4.7.0 too much from your network") {
		t.Fatal(out)
	}
	d = NewDefence(DefenceOptions{Network: Limits{Connections: guard.Rate{Max: 3, Per: time.Minute}}}, DefenceDeps{Clock: at.Now})
	addr, _ = startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	for i := range 4 {
		want := "220 "
		if i == 3 {
			want = "421 4.7.0 too much from your network"
		}
		must(t, greeting(t, addr), want)
	}
	at.pass(2 * time.Minute)
	must(t, greeting(t, addr), "220 ")
}

func TestServersOfOursHaveNoLimits(t *testing.T) {
	none := Limits{Open: 1, Connections: guard.Rate{Max: 1, Per: time.Hour}, BadRecipients: guard.Rate{Max: 1, Per: time.Hour}}
	d := NewDefence(DefenceOptions{Address: none}, DefenceDeps{})
	addr, _ := startWith(t, Config{Kind: MX, Trusted: loopback}, Deps{Store: &fake{}, Defence: d})
	for range 3 {
		must(t, exchange(t, addr, "EHLO luar.test\r\nMAIL FROM:<>\r\n"+strings.Repeat("RCPT TO:<tiada@agensi-a.test>\r\n", 3)+"QUIT\r\n"), "\r\n221 ")
	}
}

// lists are on 127.0.0.2, which every list has for tests, so clients come from there.
const listZone = `
2.0.0.127.bl.test. A 127.0.0.2
2.0.0.127.mild.test. A 127.0.0.4
2.0.0.127.wl.test. A 127.0.0.10
7.2.0.192.bl.test. A 127.0.0.2
7.2.0.192.mild.test. A 127.0.0.4
8.2.0.192.bl.test. A 127.0.0.2
8.2.0.192.wl.test. A 127.0.0.10
9.2.0.192.bl.test. A 127.0.0.99
2.0.0.127.all.test. A 127.0.0.2
1.0.0.127.all.test. A 127.0.0.2
10.2.0.192.all.test. A 127.0.0.2
10.2.0.192.dead.test. A 127.0.0.2
2.0.0.127.refuse.test. A 127.255.255.254
`

func TestListsByScore(t *testing.T) {
	z := dnstest.New(t, listZone)
	d := NewDefence(DefenceOptions{Threshold: 5, Lists: []List{
		{Zone: "bl.test", Score: 4, Match: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/31")}},
		{Zone: "mild.test", Score: 2},
		{Zone: "wl.test", Score: -3},
		{Zone: "all.test", Score: 9},
		{Zone: "dead.test", Score: 9},
		{Zone: "refuse.test", Score: 9},
	}}, DefenceDeps{Resolver: dns.New(z.Addr)})
	addr, _ := startWith(t, Config{Kind: MX, XClient: loopback}, Deps{Store: &fake{}, Defence: d})
	for ip, want := range map[string]string{
		"192.0.2.7":   "\r\n554 5.7.1 the client [192.0.2.7] is listed by ", // 4 and 2
		"192.0.2.8":   "\r\n250 2.1.5 ok",                                   // 4, and 3 off
		"192.0.2.9":   "\r\n250 2.1.5 ok",                                   // an answer that does not count
		"192.0.2.10":  "\r\n250 2.1.5 ok",                                   // lists that are off: one lists everybody, one has no test point
		"192.0.2.200": "\r\n250 2.1.5 ok",
	} {
		out := exchange(t, addr, "EHLO p.test\r\nXCLIENT ADDR="+ip+"\r\n"+open+"QUIT\r\n")
		if !strings.Contains(out, want) {
			t.Errorf("%s: the server says %q, want %q", ip, out, want)
		}
		if ip == "192.0.2.7" && (!strings.Contains(out, "bl.test") || !strings.Contains(out, "mild.test")) {
			t.Errorf("the reply does not name the lists: %q", out)
		}
	}
}

// A client on loopback is looked up like any other.
func TestLoopbackIsLookedUp(t *testing.T) {
	z := dnstest.New(t, listZone)
	d := NewDefence(DefenceOptions{Lists: []List{{Zone: "bl.test", Score: 5}}}, DefenceDeps{Resolver: dns.New(z.Addr)})
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := from.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, open+"QUIT\r\n")
	out, _ := io.ReadAll(c)
	must(t, string(out), "\r\n554 5.7.1 the client [127.0.0.2] is listed by bl.test")
}

func TestDeadListsAreSwitchedOffAndComeBack(t *testing.T) {
	at := newClock()
	z := dnstest.New(t, listZone)
	r := dns.New(z.Addr)
	var log bytes.Buffer
	l := newLists([]List{{Zone: "bl.test", Score: 5}}, DefenceDeps{Resolver: r, Clock: at.Now, Log: logTo(&log)})
	ask := func(ip string) float64 {
		score, _ := l.start(t.Context(), netip.MustParseAddr(ip)).wait(t.Context())
		return score
	}
	if ask("192.0.2.7") != 5 {
		t.Fatal("a listed client is not found")
	}
	for i := range listFails {
		name := fmt.Sprintf("%d.2.0.192.bl.test", 20+i)
		z.Fail(name)
		ask(fmt.Sprintf("192.0.2.%d", 20+i))
	}
	r.Forget()
	if ask("192.0.2.7") != 0 || !strings.Contains(log.String(), "it does not answer") {
		t.Fatalf("a dead list is asked on: %s", log.String())
	}
	at.pass(listPause + time.Second)
	if ask("192.0.2.7") != 5 || !strings.Contains(log.String(), "asked again") {
		t.Fatalf("a list does not come back: %s", log.String())
	}
}

func TestReversed(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1":        "1.2.0.192",
		"::ffff:192.0.2.1": "1.2.0.192",
		"2001:db8::1":      "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
	} {
		if got := reversed(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}

// states is what survives a restart.
type states map[string][]byte

func (s states) KeepState(_ context.Context, name string, b []byte) error { s[name] = b; return nil }
func (s states) State(name string) ([]byte, error)                        { return s[name], nil }

func TestGreylist(t *testing.T) {
	at, kept := newClock(), states{}
	mk := func() *greylist {
		return newGreylist(Greylist{On: true, Passes: 2}, DefenceDeps{Clock: at.Now, States: kept, Log: logTo(io.Discard)})
	}
	g := mk()
	a, b, far := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.99"), netip.MustParseAddr("198.51.100.1")
	steps := []struct {
		name   string
		after  time.Duration
		ip     netip.Addr
		to     string
		passes bool
	}{
		{"new", 0, a, "x@agensi-a.test", false},
		{"too soon", 4 * time.Minute, a, "x@agensi-a.test", false},
		{"another host of the network, in time", time.Minute, b, "x@agensi-a.test", true},
		{"known", 0, a, "x@agensi-a.test", true},
		{"another recipient", 0, a, "y@agensi-a.test", false},
		{"another network", 0, far, "x@agensi-a.test", false},
		{"second pass", 5 * time.Minute, a, "y@agensi-a.test", true},
		{"the network is known after two", 0, b, "z@agensi-a.test", true},
		{"after the window it is new again", 49 * time.Hour, far, "x@agensi-a.test", false},
	}
	for i, s := range steps {
		at.pass(s.after)
		if i == 5 {
			g.keep(t.Context())
			g = mk() // a restart
		}
		if got := g.seen(s.ip, "luar.test", s.to) == 0; got != s.passes {
			t.Errorf("%s: passes %t, want %t", s.name, got, s.passes)
		}
	}
	at.pass(37 * 24 * time.Hour)
	if g.seen(b, "luar.test", "z@agensi-a.test") == 0 {
		t.Error("a network is known for ever")
	}
}

func TestGreylistedClientsComeAgain(t *testing.T) {
	at := newClock()
	d := NewDefence(DefenceOptions{Greylist: Greylist{On: true}}, DefenceDeps{Clock: at.Now})
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Defence: d})
	must(t, exchange(t, addr, open+"QUIT\r\n"), "\r\n451 4.7.1 ")
	at.pass(5 * time.Minute)
	must(t, exchange(t, addr, open+"QUIT\r\n"), "\r\n250 2.1.5 ok")
}

// Whoever an allow list knows is not asked to come again.
func TestAllowListsSpareTheGreylist(t *testing.T) {
	z := dnstest.New(t, listZone+"9.2.0.192.wl.test. A 127.0.0.10\n")
	d := NewDefence(DefenceOptions{Greylist: Greylist{On: true}, Lists: []List{{Zone: "wl.test", Score: -3}}}, DefenceDeps{Resolver: dns.New(z.Addr)})
	addr, _ := startWith(t, Config{Kind: MX, XClient: loopback}, Deps{Store: &fake{}, Defence: d})
	for ip, want := range map[string]string{"192.0.2.9": "\r\n250 2.1.5 ok", "192.0.2.7": "\r\n451 4.7.1 "} {
		must(t, exchange(t, addr, "EHLO p.test\r\nXCLIENT ADDR="+ip+"\r\n"+open+"QUIT\r\n"), want)
	}
}

func TestAcquaintancesAreBounded(t *testing.T) {
	g := newOutgoing(Outgoing{RecipientsHour: 1}, DefenceDeps{Clock: newClock().Now, Log: logTo(io.Discard)})
	for i := range 3 * maxKnown {
		if !g.isNew(1, fmt.Sprint(i)) || g.isNew(1, fmt.Sprint(i)) {
			t.Fatalf("address %d is not new once", i)
		}
	}
	if n := len(g.knows[1].known); n != maxKnown || g.all != maxKnown {
		t.Errorf("%d addresses are known (%d counted), want %d", n, g.all, maxKnown)
	}
	g.all = maxAll
	g.isNew(2, "x")
	if len(g.knows) != 1 || g.knows[2] == nil {
		t.Errorf("with too many in all, %d accounts are known", len(g.knows))
	}
}

// told keeps what was done about accounts.
type told struct {
	held, notified []string
	fail           error
}

func (x *told) deps(at *clock) DefenceDeps {
	return DefenceDeps{
		Clock: at.Now,
		HoldAccount: func(_ context.Context, id store.AccountID, why string) error {
			x.held = append(x.held, fmt.Sprintf("%d %s", id, why))
			return x.fail
		},
		Notify: func(_ context.Context, a *store.Account, why string) {
			x.notified = append(x.notified, a.Address+" "+why)
		},
	}
}

func TestAccountsThatSendTooMuchAreHeld(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Outgoing
		why  string
	}{
		{"messages in an hour", Outgoing{Hour: 2}, "more than 2 messages in an hour"},
		{"messages in a day", Outgoing{Day: 2}, "more than 2 messages in a day"},
		{"new recipients in an hour", Outgoing{RecipientsHour: 2}, "more than 2 new recipients in an hour"},
		{"new recipients in a day", Outgoing{RecipientsDay: 2}, "more than 2 new recipients in a day"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, x, f := newClock(), &told{}, &fake{}
			d := NewDefence(DefenceOptions{Outgoing: tt.o}, x.deps(at))
			addr, _ := startWith(t, Config{Kind: Submission, AllowPlaintextAuth: true}, Deps{Store: f, Defence: d})
			c := logIn(t, connect(t, addr))
			for i := range 2 {
				c.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
				c.ask(fmt.Sprintf("RCPT TO:<b%d@jauh.test>", i), "250")
				c.ask("RCPT TO:<b0@jauh.test>", "250") // is new once
				c.ask("DATA", "354")
				c.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "250")
			}
			c.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
			if tt.o.RecipientsHour+tt.o.RecipientsDay > 0 {
				c.ask("RCPT TO:<b3@jauh.test>", "550 5.7.1 this account is held, ask your administrator: "+tt.why)
			} else {
				c.ask("RCPT TO:<b3@jauh.test>", "250")
				c.ask("DATA", "354")
				c.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "550 5.7.1 this account is held, ask your administrator: "+tt.why)
			}
			if len(f.got) != 2 || !slices.Equal(x.held, []string{"1 " + tt.why}) || !slices.Equal(x.notified, []string{"pegawai1@agensi-a.test " + tt.why}) {
				t.Errorf("%d accepted, held %q, told %q", len(f.got), x.held, x.notified)
			}
		})
	}
}

func TestOutgoingLimitsSlideAndSpareApplications(t *testing.T) {
	at, x := newClock(), &told{fail: errors.New("the store is busy")}
	g := newOutgoing(Outgoing{Hour: 10}, DefenceDeps{Clock: at.Now, HoldAccount: x.deps(at).HoldAccount, Log: logTo(io.Discard)})
	officer, app := &store.Account{ID: 1, Kind: store.Personal}, &store.Account{ID: 2, Kind: store.Application}
	for i := range 100 {
		if err := g.message(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		if err := g.message(t.Context(), officer); i < 10 && err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		at.pass(8 * time.Minute)
	}
	if len(x.held) != 0 {
		t.Errorf("eight an hour, one after another, are held: %q", x.held[0])
	}
	var err error
	for range 11 {
		err = g.message(t.Context(), officer)
	}
	if r := replyFor(err); r.Code != 450 || r.Err == nil {
		t.Errorf("an account that cannot be held now hears %v", err)
	}
}

// Many sessions of one account pass its limit at one time: it is held, and told, once.
func TestAccountsAreHeldOnce(t *testing.T) {
	x := &told{}
	deps := x.deps(newClock())
	deps.Log = logTo(io.Discard)
	hold := deps.HoldAccount
	deps.HoldAccount = func(ctx context.Context, id store.AccountID, why string) error {
		if len(x.held) > 0 {
			return ErrAlreadyHeld
		}
		return hold(ctx, id, why)
	}
	g := newOutgoing(Outgoing{Hour: 1}, deps)
	var wg sync.WaitGroup
	var refused atomic.Int32
	for range 20 {
		wg.Go(func() {
			if err := g.cross(t.Context(), pegawai, "more than 1 message in an hour"); replyFor(err).Code == 550 {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if refused.Load() != 20 || len(x.held) != 1 || len(x.notified) != 1 {
		t.Errorf("%d refused, held %q, told %q", refused.Load(), x.held, x.notified)
	}
}
