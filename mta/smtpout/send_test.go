package smtpout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sampul/internal/message"
	"sampul/internal/spool"
)

// line is a result in one line, for tables.
func (r Result) line() string {
	s := "temporary"
	switch {
	case r.Delivered:
		s = "delivered"
	case r.Permanent:
		s = "permanent"
	case r.Unsure:
		s = "unsure"
	}
	return s + " " + r.Stage + " " + r.Enhanced
}

func lines(rs []Result) (out []string) {
	for _, r := range rs {
		out = append(out, r.line())
	}
	return out
}

func TestSend(t *testing.T) {
	for _, tt := range []struct {
		name     string
		one, two *fakeMX
		to       []string
		want     []string
		at       []int // messages that arrived at each
	}{
		{"plain", &fakeMX{}, nil, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{1, 0}},
		{"two recipients in one transaction", &fakeMX{}, nil, []string{"b@jauh.test", "c@jauh.test"},
			[]string{"delivered dot 2.0.0", "delivered dot 2.0.0"}, []int{1, 0}},
		{"no PIPELINING", &fakeMX{ehlo: []string{"SIZE"}}, nil, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{1, 0}},
		{"HELO only", &fakeMX{hello: "502 5.5.1 what?"}, nil, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{1, 0}},
		{"EHLO for now refused: the second", &fakeMX{hello: "451 4.3.2 later"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"greeting 4xx: the second", &fakeMX{greeting: "421 4.3.2 busy"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"greeting 5xx: the second", &fakeMX{greeting: "554 5.3.2 no"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"all greetings 5xx", &fakeMX{greeting: "554 5.3.2 no"}, &fakeMX{greeting: "554 5.3.2 no"}, []string{"b@jauh.test"}, []string{"permanent greeting 5.3.2"}, nil},
		{"a greeting 5xx, another 4xx", &fakeMX{greeting: "554 5.3.2 no"}, &fakeMX{greeting: "450 4.3.2 no"}, []string{"b@jauh.test"}, []string{"temporary greeting 4.3.2"}, nil},
		{"refused for good at RCPT: final", &fakeMX{rcpt: func(string) string { return "550 5.1.1 who?" }}, &fakeMX{}, []string{"b@jauh.test"}, []string{"permanent rcpt 5.1.1"}, []int{0, 0}},
		{"RCPT 4xx for all: the second", &fakeMX{rcpt: func(string) string { return "450 4.2.0 grey" }}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"RCPT 4xx for one of two", &fakeMX{rcpt: func(a string) string {
			if a == "c@jauh.test" {
				return "452 4.5.3 too many recipients"
			}
			return ""
		}}, &fakeMX{}, []string{"b@jauh.test", "c@jauh.test"}, []string{"delivered dot 2.0.0", "temporary rcpt 4.5.3"}, []int{1, 0}},
		{"5xx for one, 4xx for one: the second gets one", &fakeMX{rcpt: func(a string) string {
			if a == "c@jauh.test" {
				return "450 4.2.0 grey"
			}
			return "550 5.1.1 who?"
		}}, &fakeMX{}, []string{"b@jauh.test", "c@jauh.test"}, []string{"permanent rcpt 5.1.1", "delivered dot 2.0.0"}, []int{0, 1}},
		{"MAIL 5xx", &fakeMX{mail: "550 5.7.1 not you"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"permanent mail 5.7.1"}, nil},
		{"MAIL 4xx twice", &fakeMX{mail: "451 4.7.1 not you"}, &fakeMX{mail: "451 4.7.1 nor here"}, []string{"b@jauh.test"}, []string{"temporary mail 4.7.1"}, nil},
		{"DATA 4xx: the second", &fakeMX{data: "451 4.3.0 no"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"dot 4xx is about the message", &fakeMX{dot: "451 4.7.0 hm"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"temporary dot 4.7.0"}, []int{0, 0}},
		{"dot 5xx", &fakeMX{dot: "554 5.7.1 spam"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"permanent dot 5.7.1"}, []int{0, 0}},
		{"reject all RCPT, and 354: the dot alone", &fakeMX{early: true, rcpt: func(string) string { return "550 5.1.1 who?" }}, nil,
			[]string{"b@jauh.test"}, []string{"permanent rcpt 5.1.1"}, []int{0, 0}},
		{"MAIL refused, and 354", &fakeMX{early: true, mail: "550 5.7.1 not you", rcpt: func(string) string { return "503 5.5.1 no MAIL" }}, nil,
			[]string{"b@jauh.test"}, []string{"permanent mail 5.7.1"}, []int{0, 0}},
		{"endless reply", &fakeMX{on: func(c *peerConn, l string) bool {
			if !strings.HasPrefix(l, "EHLO") {
				return false
			}
			for {
				if _, err := io.WriteString(c, "250-more\r\n"); err != nil {
					return true
				}
			}
		}}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"endless line", &fakeMX{on: func(c *peerConn, l string) bool {
			if l != "" {
				return false
			}
			for {
				if _, err := io.WriteString(c, "220 more and more "); err != nil {
					return true
				}
			}
		}}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"not SMTP", &fakeMX{greeting: "HTTP/1.1 400 Bad Request"}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"hangs up after the dot", &fakeMX{on: hangUp("DATA", "354 go ahead")}, &fakeMX{}, []string{"b@jauh.test"}, []string{"unsure dot 4.4.2"}, []int{0, 0}},
		{"hangs up at MAIL: the second", &fakeMX{on: hangUp("MAIL", "")}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"421 at RCPT: the second", &fakeMX{on: hangUp("RCPT", "421 4.7.0 too fast")}, &fakeMX{}, []string{"b@jauh.test"}, []string{"delivered dot 2.0.0"}, []int{0, 1}},
		{"too large", &fakeMX{ehlo: []string{"SIZE 10"}}, &fakeMX{}, []string{"b@jauh.test"}, []string{"permanent mail 5.3.4"}, []int{0, 0}},
		{"control characters in an address", &fakeMX{}, nil, []string{"b@jauh.test\r\nRSET"}, []string{"permanent rcpt 5.1.3"}, []int{0, 0}},
		{"nobody there", nil, nil, []string{"b@jauh.test"}, []string{"temporary connect 4.4.1"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := world(t, zone1, Options{}, tt.one, tt.two)
			got := p.Send(context.Background(), jauh, letterTo(tt.to...))
			if !slices.Equal(lines(got), tt.want) {
				t.Fatalf("got %q (%+v), want %q", lines(got), got, tt.want)
			}
			for i, m := range []*fakeMX{tt.one, tt.two} {
				if m == nil || tt.at == nil {
					continue
				}
				d := m.deliveries()
				if len(d) != tt.at[i] {
					t.Errorf("%d messages at exchanger %d, want %d", len(d), i+1, tt.at[i])
				}
				for _, d := range d {
					if d.body != letter {
						t.Errorf("arrived as %q, want %q", d.body, letter)
					}
				}
			}
		})
	}
}

// hangUp answers to a verb and closes.
func hangUp(verb, with string) func(*peerConn, string) bool {
	return func(c *peerConn, l string) bool {
		if !strings.HasPrefix(l, verb) {
			return false
		}
		if with != "" {
			c.say(with)
		}
		if verb == "DATA" {
			readBody(c.in)
		}
		c.Close()
		return true
	}
}

func TestDNS(t *testing.T) {
	for _, tt := range []struct {
		name, zone, domain, want, text string
		self                           string
	}{
		{"null MX", "jauh.test. MX 0 .", "jauh.test", "permanent dns 5.1.10", "null MX", ""},
		{"no MX, an address", "jauh.test. A 127.0.0.1", "jauh.test", "delivered dot 2.0.0", "", ""},
		{"no such domain", "lain.test. A 127.0.0.1", "jauh.test", "permanent dns 5.1.2", "neither an exchanger nor an address", ""},
		{"an exchanger without address", "jauh.test. MX 10 mx1.jauh.test.", "jauh.test", "permanent dns 5.4.4", "has no address", ""},
		{"the exchanger is an alias", "jauh.test. MX 10 m.jauh.test.\nm.jauh.test. CNAME n.lain.test.\nn.lain.test. A 127.0.0.1", "jauh.test", "delivered dot 2.0.0", "", ""},
		{"we are the best exchanger", "jauh.test. MX 10 kami.test.\njauh.test. MX 20 mx1.jauh.test.\nmx1.jauh.test. A 127.0.0.1", "jauh.test", "permanent dns 5.4.6", "loops back", "kami.test"},
		{"we are the backup", "jauh.test. MX 20 kami.test.\njauh.test. MX 10 mx1.jauh.test.\nmx1.jauh.test. A 127.0.0.1", "jauh.test", "delivered dot 2.0.0", "", "kami.test"},
		{"our address under another name", "jauh.test. MX 10 mx1.jauh.test.\nmx1.jauh.test. A 127.0.0.1", "jauh.test", "permanent dns 5.4.6", "loops back", "127.0.0.1"},
		{"0.0.0.0", "jauh.test. MX 10 mx1.jauh.test.\nmx1.jauh.test. A 0.0.0.0", "jauh.test", "permanent dns 5.4.4", "loopback and the like", ""},
		{"multicast", "jauh.test. A 224.0.0.1", "jauh.test", "permanent dns 5.4.4", "loopback and the like", ""},
		{"a domain beyond ASCII", "xn--h-tga.test. A 127.0.0.1", "hò.test", "delivered dot 2.0.0", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &fakeMX{}
			o := Options{Self: func(host string, a netip.Addr) bool { return host == tt.self || a.String() == tt.self }}
			p, _ := world(t, tt.zone, o, m)
			got := p.Send(context.Background(), Hop{Domain: tt.domain}, letterTo("b@"+tt.domain))[0]
			if got.line() != tt.want || !strings.Contains(got.Text, tt.text) {
				t.Fatalf("got %q %q, want %q %q", got.line(), got.Text, tt.want, tt.text)
			}
		})
	}
	t.Run("does not answer", func(t *testing.T) {
		p, z := world(t, zone1, Options{}, &fakeMX{})
		z.Fail("jauh.test")
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; got.line() != "temporary dns 4.4.3" {
			t.Fatalf("got %q", got.line())
		}
	})
	t.Run("loopback is refused", func(t *testing.T) {
		p, _ := world(t, zone1, Options{}, &fakeMX{})
		p.AllowLoopback = false
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; got.line() != "permanent dns 5.4.4" {
			t.Fatalf("got %q", got.line())
		}
		// A server of our own configuration may be here.
		host := Hop{Domain: "jauh.test", Host: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p.RemotePort)).String()}
		if got := p.Send(context.Background(), host, letterTo("b@jauh.test"))[0]; !got.Delivered {
			t.Fatalf("to a host that was set: %+v", got)
		}
	})
}

func TestIPv6(t *testing.T) {
	m := &fakeMX{}
	port := m.listen(t, "::1", 0)
	p, _ := world(t, "jauh.test. AAAA ::1", Options{})
	p.RemotePort = port
	got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]
	if !got.Delivered || !strings.HasPrefix(got.Remote, "jauh.test[::1]:") {
		t.Fatalf("got %+v", got)
	}
	// From an IPv4 address it cannot be reached, which is no reason to bounce.
	from := jauh
	from.Source = netip.MustParseAddr("127.0.0.1")
	if got := p.Send(context.Background(), from, letterTo("b@jauh.test"))[0]; got.line() != "temporary connect 4.4.4" {
		t.Fatalf("from IPv4: %+v", got)
	}
}

func TestReuse(t *testing.T) {
	m := &fakeMX{}
	p, _ := world(t, zone1, Options{}, m)
	for range 5 {
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered {
			t.Fatalf("got %+v", got)
		}
	}
	if m.connections() != 1 {
		t.Errorf("%d connections for 5 messages", m.connections())
	}
	if slices.Contains(m.said(), "RSET") {
		t.Errorf("RSET after a message that arrived: %q", m.said())
	}
	// A refused transaction is open on the other side: RSET before the next.
	m.change(func() {
		m.rcpt = func(a string) string {
			if strings.HasPrefix(a, "x") {
				return "550 5.1.1 who?"
			}
			return ""
		}
	})
	if got := p.Send(context.Background(), jauh, letterTo("x@jauh.test"))[0]; !got.Permanent {
		t.Fatalf("got %+v", got)
	}
	if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered {
		t.Fatalf("got %+v", got)
	}
	if n := len(slices.DeleteFunc(m.said(), func(l string) bool { return l != "RSET" })); n != 1 || m.connections() != 1 {
		t.Errorf("%d RSET, %d connections; want 1 and 1", n, m.connections())
	}
	// Another source or name is another connection.
	other := jauh
	other.HELO = "agensi-b.test"
	p.Send(context.Background(), other, letterTo("b@jauh.test"))
	if m.connections() != 2 {
		t.Errorf("%d connections after another EHLO name", m.connections())
	}
	// The other side closes an idle connection: nobody notices.
	p.Forget(jauh)
	p.Forget(other)
	idle := func(c *peerConn, l string) bool {
		if !strings.HasPrefix(l, "MAIL") || len(m.deliveries()) != 8 {
			return false
		}
		m.change(func() { m.on = nil })
		c.say("421 4.4.2 idle for too long")
		c.Close()
		return true
	}
	m.change(func() { m.on = idle })
	for range 2 {
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered {
			t.Fatalf("got %+v", got)
		}
	}
	if m.handler() != nil {
		t.Error("the connection was not used again: this test tests nothing")
	}
}

// A server that refuses RSET gets a new connection, and nobody a bounce.
func TestResetRefused(t *testing.T) {
	m := &fakeMX{on: refuse("RSET", "500 5.5.1 what?"), rcpt: func(a string) string {
		if strings.HasPrefix(a, "x") {
			return "550 5.1.1 who?"
		}
		return ""
	}}
	p, _ := world(t, zone1, Options{}, m)
	p.Send(context.Background(), jauh, letterTo("x@jauh.test"))
	if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered || m.connections() != 2 {
		t.Fatalf("got %+v over %d connections", got, m.connections())
	}
}

// A 354 that nobody wanted is ended, so that the next message is not taken for content.
func TestUnwanted354(t *testing.T) {
	for name, refuse := range map[string]*fakeMX{
		"all recipients refused": {early: true, rcpt: func(a string) string {
			if strings.HasPrefix(a, "x") {
				return "550 5.1.1 who?"
			}
			return ""
		}},
		"sender refused": {early: true, on: func(c *peerConn, l string) bool {
			switch {
			case strings.HasPrefix(l, "MAIL FROM:<x"):
				c.say("550 5.7.1 not you")
			case l == "RCPT TO:<x@jauh.test>":
				c.say("503 5.5.1 no sender")
			default:
				return false
			}
			return true
		}},
		"sender refused, recipient taken": {early: true, on: func(c *peerConn, l string) bool {
			if strings.HasPrefix(l, "MAIL FROM:<x") {
				c.say("550 5.7.1 not you")
				return true
			}
			return false
		}},
	} {
		connections := 1
		if name == "sender refused, recipient taken" {
			connections = 2 // whatever is sent over the first may be delivered, the dot alone too
		}
		p, _ := world(t, zone1, Options{}, refuse)
		m := letterTo("x@jauh.test")
		m.From = "x@agensi-a.test"
		if got := p.Send(context.Background(), jauh, m)[0]; !got.Permanent {
			t.Errorf("%s: %+v", name, got)
		}
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered || refuse.connections() != connections {
			t.Errorf("%s: the next message: %+v over %d connections", name, got, refuse.connections())
		}
		if d := refuse.deliveries(); len(d) != 1 || d[0].body != letter {
			t.Errorf("%s: arrived as %+v", name, d)
		}
	}
}

func TestProbe(t *testing.T) {
	m := &fakeMX{rcpt: func(a string) string {
		if a == "b@jauh.test" {
			return ""
		}
		return "550 5.1.1 who?"
	}}
	p, _ := world(t, zone1, Options{}, m)
	if r := p.Probe(context.Background(), jauh, "", "b@jauh.test"); !r.Delivered {
		t.Errorf("got %+v", r)
	}
	if r := p.Probe(context.Background(), jauh, "", "x@jauh.test"); !r.Permanent || r.Enhanced != "5.1.1" {
		t.Errorf("got %+v", r)
	}
	if slices.Contains(m.said(), "DATA") || m.connections() != 1 {
		t.Errorf("%d connections, %q", m.connections(), m.said())
	}
}

func opens(s string) func(bool) (io.ReadCloser, error) {
	return func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// What goes out depends on what the other side offers.
func TestParameters(t *testing.T) {
	all := []string{"PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN"}
	for _, tt := range []struct {
		name string
		ehlo []string
		m    func(*Message)
		want string // MAIL and RCPT, or the result
		to7  bool
	}{
		{"all offered, nothing needed", all, func(m *Message) {}, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", false},
		{"keywords in lower case", []string{"size", "8bitmime"}, func(m *Message) { m.EightBit = true }, "MAIL FROM:<a@agensi-a.test> SIZE=32 BODY=8BITMIME, RCPT TO:<b@jauh.test>", false},
		{"8-bit to a host that takes 7", []string{"SIZE"}, func(m *Message) { m.EightBit = true }, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", true},
		{"DSN", all, func(m *Message) {
			m.Ret, m.EnvID, m.To[0].Notify, m.To[0].ORcpt = "HDRS", "x+2By", "SUCCESS,FAILURE", "rfc822;b@jauh.test"
		}, "MAIL FROM:<a@agensi-a.test> SIZE=32 RET=HDRS ENVID=x+2By, RCPT TO:<b@jauh.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@jauh.test", false},
		{"DSN not offered", []string{"SIZE"}, func(m *Message) { m.Ret, m.To[0].Notify = "HDRS", "NEVER" }, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", false},
		{"a parameter that would break the line", all, func(m *Message) { m.EnvID = "x\r\nRSET" }, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", false},
		{"UTF-8 address", all, func(m *Message) { m.To[0].Address = "bò@jauh.test" }, "MAIL FROM:<a@agensi-a.test> SIZE=32 SMTPUTF8, RCPT TO:<bò@jauh.test>", false},
		{"UTF-8 address, not taken", []string{"SIZE"}, func(m *Message) { m.To[0].Address = "bò@jauh.test" }, "permanent mail 5.6.7", false},
		{"UTF-8 domain has an ASCII form", []string{"8BITMIME"}, func(m *Message) { m.To[0].Address = "b@hò.test" }, "MAIL FROM:<a@agensi-a.test>, RCPT TO:<b@xn--h-tga.test>", false},
		{"UTF-8 header, not taken", []string{"SIZE"}, func(m *Message) { m.UTF8, m.Open = true, opens("To: b\r\nSubject: sat\u00e9\r\n\r\n") }, "permanent mail 5.6.7", false},
		{"UTF-8 header", all, func(m *Message) { m.UTF8, m.Open = true, opens("Subject: sat\u00e9\r\n\r\n") }, "MAIL FROM:<a@agensi-a.test> SIZE=32 SMTPUTF8, RCPT TO:<b@jauh.test>", false},
		{"UTF-8 in the body alone", []string{"SIZE"}, func(m *Message) { m.UTF8, m.Open = true, opens("Subject: satu\r\n\r\nsat\u00e9\r\n") }, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", false},
		{"asked for, not needed", all, func(m *Message) { m.UTF8 = true }, "MAIL FROM:<a@agensi-a.test> SIZE=32, RCPT TO:<b@jauh.test>", false},
		{"the null reverse-path", all, func(m *Message) { m.From = "" }, "MAIL FROM:<> SIZE=32, RCPT TO:<b@jauh.test>", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mx := &fakeMX{ehlo: tt.ehlo}
			p, _ := world(t, zone1, Options{}, mx)
			m := letterTo("b@jauh.test")
			tt.m(m)
			to7 := false
			open := m.Open
			m.Open = func(seven bool) (io.ReadCloser, error) { to7 = seven; return open(seven) }
			r := p.Send(context.Background(), jauh, m)[0]
			got := r.line()
			if r.Delivered {
				said := slices.DeleteFunc(mx.said(), func(l string) bool { return !regexp.MustCompile("^(MAIL|RCPT)").MatchString(l) })
				got = strings.Join(said, ", ")
			}
			if got != tt.want || to7 != tt.to7 {
				t.Fatalf("got %q, seven bit %v; want %q, %v", got, to7, tt.want, tt.to7)
			}
		})
	}
}

// A message that cannot be read is never sent in part, and bounces nowhere.
func TestSourceFails(t *testing.T) {
	mx := &fakeMX{}
	p, _ := world(t, zone1, Options{}, mx, mx)
	for name, open := range map[string]func(bool) (io.ReadCloser, error){
		"open": func(bool) (io.ReadCloser, error) { return nil, errors.New("disk") },
		"read": func(bool) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("Subject: x\r\n\r\nsa"), broke{})), nil
		},
		"signed": func(bool) (io.ReadCloser, error) { return nil, fmt.Errorf("open: %w", message.ErrSigned) },
	} {
		m := letterTo("b@jauh.test")
		m.Open = open
		want := "temporary data 4.3.0"
		if name == "signed" {
			want = "permanent data 5.6.3"
		}
		if r := p.Send(context.Background(), jauh, m)[0]; r.line() != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if n := len(mx.deliveries()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// A converted message is what a host without 8BITMIME gets.
func TestSevenBit(t *testing.T) {
	area, err := spool.New(t.TempDir(), 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	convert := SevenBit(area)
	mx := &fakeMX{ehlo: []string{"SIZE"}}
	p, _ := world(t, zone1, Options{}, mx)
	m := letterTo("b@jauh.test")
	body := "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + strings.Repeat("sat\u00e9\r\n", 1000)
	m.EightBit = true
	m.Open = func(seven bool) (io.ReadCloser, error) {
		if !seven {
			t.Error("asked for eight bits")
		}
		return convert(strings.NewReader(body))
	}
	if r := p.Send(context.Background(), jauh, m)[0]; !r.Delivered {
		t.Fatalf("got %+v", r)
	}
	want := "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("sat=C3=A9\r\n", 1000)
	if got := mx.deliveries()[0].body; got != want {
		t.Errorf("arrived as %.200q", got)
	}
	signed := "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\n\r\nx\r\n--b--\r\n"
	if _, err := convert(strings.NewReader(signed)); !errors.Is(err, message.ErrSigned) {
		t.Errorf("signed: %v", err)
	}
	if _, err := convert(broke{}); err == nil || errors.Is(err, message.ErrSigned) {
		t.Errorf("unreadable: %v", err)
	}
}

type broke struct{}

func (broke) Read([]byte) (int, error) { return 0, errors.New("disk") }

// What hosts said that were passed over is told with the answer.
func TestPassedOver(t *testing.T) {
	before := func(r Result) (out []string) {
		for i := range r.Before {
			b := &r.Before[i]
			out = append(out, b.line()+" "+strings.SplitN(b.Remote, "[", 2)[0]+" "+b.Text)
		}
		return out
	}
	grey := func(string) string { return "450 4.2.0 grey" }
	for _, tt := range []struct {
		name     string
		one, two *fakeMX
		last     string
		want     []string
	}{
		{"the first takes it", &fakeMX{}, &fakeMX{}, "delivered dot 2.0.0", nil},
		{"a greeting", &fakeMX{greeting: "421 4.3.2 busy"}, &fakeMX{}, "delivered dot 2.0.0", []string{"temporary greeting 4.3.2 mx1.jauh.test busy"}},
		{"a recipient", &fakeMX{rcpt: grey}, &fakeMX{}, "delivered dot 2.0.0", []string{"temporary rcpt 4.2.0 mx1.jauh.test grey"}},
		{"both", &fakeMX{greeting: "421 4.3.2 busy"}, &fakeMX{rcpt: grey}, "temporary rcpt 4.2.0", []string{"temporary greeting 4.3.2 mx1.jauh.test busy"}},
		{"neither answers", &fakeMX{greeting: "421 4.3.2 busy"}, &fakeMX{greeting: "421 4.3.2 also busy"}, "temporary greeting 4.3.2", []string{"temporary greeting 4.3.2 mx2.jauh.test also busy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := world(t, zone1, Options{}, tt.one, tt.two)
			for _, got := range p.Send(context.Background(), jauh, letterTo("a@jauh.test", "b@jauh.test")) {
				if got.line() != tt.last || !slices.Equal(before(got), tt.want) {
					t.Errorf("got %q after %q, want %q after %q", got.line(), before(got), tt.last, tt.want)
				}
			}
		})
	}
}
