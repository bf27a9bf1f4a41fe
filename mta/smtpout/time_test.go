package smtpout

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Waits end, whatever the other side does not do. Time passes in no time here.
func TestWaits(t *testing.T) {
	drip := func(c *peerConn) {
		for { // octet by octet for ever: no deadline of a single read would end it
			time.Sleep(20 * time.Second)
			if _, err := io.WriteString(c, "2"); err != nil {
				return
			}
		}
	}
	for _, tt := range []struct {
		name string
		on   func(c *peerConn, l string) bool
		want string
		most time.Duration
	}{
		{"silent from the start", func(c *peerConn, l string) bool { io.Copy(io.Discard, c.in); return true }, "temporary greeting 4.4.2", 5 * time.Minute},
		{"a greeting that drips", func(c *peerConn, l string) bool { drip(c); return true }, "temporary greeting 4.4.2", 5 * time.Minute},
		{"silent after EHLO", onVerb("EHLO", func(c *peerConn) { io.Copy(io.Discard, c.in) }), "temporary ehlo 4.4.2", 5 * time.Minute},
		{"silent after MAIL", onVerb("MAIL", func(c *peerConn) { io.Copy(io.Discard, c.in) }), "temporary mail 4.4.2", 5 * time.Minute},
		{"stops reading in DATA", onVerb("DATA", func(c *peerConn) { c.say("354 go"); c.in.ReadByte(); c.say("is read by nobody") }), "temporary data 4.4.2", 5 * time.Minute},
		{"reads an octet at a time", onVerb("DATA", func(c *peerConn) {
			c.say("354 go")
			one := make([]byte, 1)
			for {
				time.Sleep(time.Second)
				if _, err := c.Conn.Read(one); err != nil {
					return
				}
			}
		}), "temporary data 4.4.2", 10 * time.Minute},
		{"takes a piece now and then", onVerb("DATA", func(c *peerConn) {
			c.say("354 go")
			for { // quick enough for each write, not for the message
				time.Sleep(100 * time.Second)
				if _, err := io.CopyN(io.Discard, c.Conn, maxWrite); err != nil {
					return
				}
			}
		}), "temporary data 4.4.2", 10 * time.Minute},
		{"silent after the dot", onVerb("DATA", func(c *peerConn) { c.say("354 go"); readBody(c.in); io.Copy(io.Discard, c.in) }), "unsure dot 4.4.2", 10 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer := &fakeMX{on: tt.on}
				p := piped(peer, Options{})
				m := letterTo("b@jauh.test")
				big := strings.Repeat("satu baris\r\n", 100000)
				m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(big)), nil }
				start := time.Now()
				got := p.Send(context.Background(), smart, m)[0]
				if got.line() != tt.want {
					t.Errorf("got %q %s, want %q", got.line(), got.Text, tt.want)
				}
				if took := time.Since(start); took > tt.most {
					t.Errorf("took %v, want at most %v", took, tt.most)
				}
				p.Close()
				time.Sleep(10 * time.Minute) // the other side sees the end too
			})
		})
	}
}

func onVerb(verb string, do func(*peerConn)) func(*peerConn, string) bool {
	return func(c *peerConn, l string) bool {
		if l == "" || !strings.HasPrefix(l, verb) {
			return false
		}
		do(c)
		c.Close()
		return true
	}
}

// A slow line is no reason to give up as long as it moves.
func TestSlowButMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &fakeMX{on: onVerb("DATA", func(c *peerConn) {
			c.say("354 go")
			var all bytes.Buffer
			for !strings.HasSuffix(all.String(), "\r\n.\r\n") {
				time.Sleep(time.Second)
				if _, err := io.CopyN(&all, c.Conn, 8<<10); err != nil {
					return
				}
			}
			c.say("250 2.0.0 ok")
		})}
		p := piped(peer, Options{})
		m := letterTo("b@jauh.test")
		big := strings.Repeat("x", (8<<20)-5) // with CRLF, dot and CRLF whole pieces of 8 KiB: 17 minutes
		m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(big)), nil }
		start := time.Now()
		if got := p.Send(context.Background(), smart, m)[0]; !got.Delivered {
			t.Errorf("got %+v after %v", got, time.Since(start))
		}
		if took := time.Since(start); took < 15*time.Minute {
			t.Errorf("took %v: this test tests nothing", took)
		}
		p.Close()
	})
}

// The end of the context ends a delivery at once.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := piped(&fakeMX{on: onVerb("EHLO", func(c *peerConn) { io.Copy(io.Discard, c.in) })}, Options{})
		ctx, stop := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { stop(errors.New("going down")) })
		start := time.Now()
		got := p.Send(ctx, smart, letterTo("b@jauh.test"))[0]
		if got.line() != "temporary ehlo 4.4.2" || !strings.Contains(got.Text, "going down") || time.Since(start) != time.Second {
			t.Errorf("got %+v after %v", got, time.Since(start))
		}
		p.Close()
	})
}

// Idle connections end by themselves, with QUIT.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &fakeMX{}
		p := piped(peer, Options{})
		p.Send(context.Background(), smart, letterTo("b@jauh.test"))
		time.Sleep(9 * time.Second)
		p.Send(context.Background(), smart, letterTo("b@jauh.test"))
		if n := peer.connections(); n != 1 {
			t.Errorf("%d connections after 9 s", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if said := peer.said(); said[len(said)-1] != "QUIT" {
			t.Errorf("the last command is %q", said[len(said)-1])
		}
		if p.Send(context.Background(), smart, letterTo("b@jauh.test")); peer.connections() != 2 {
			t.Errorf("%d connections after 20 s", peer.connections())
		}
		p.Close()
	})
}

// A smarthost has the mail of all domains over one connection, each kind of security and
// login over its own.
func TestSmarthostReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &fakeMX{}
		setting := Opportunistic
		p := piped(peer, Options{SecurityFor: func(string) Security { return setting }})
		for _, d := range []string{"jauh.test", "lain.test"} {
			p.Send(context.Background(), Hop{Domain: d, Host: smart.Host}, letterTo("b@"+d))
		}
		if n := peer.connections(); n != 1 {
			t.Errorf("%d connections for two domains", n)
		}
		setting = NoTLS
		p.Send(context.Background(), smart, letterTo("b@jauh.test"))
		if n := peer.connections(); n != 2 {
			t.Errorf("%d connections after the setting changed", n)
		}
		p.Close()
	})
}

// A connection carries so many messages and no more.
func TestMaxUse(t *testing.T) {
	peer := &fakeMX{}
	p, _ := world(t, host1, Options{MaxUse: 3}, peer)
	for range 7 {
		p.Send(context.Background(), jauh, letterTo("b@jauh.test"))
	}
	if n := peer.connections(); n != 3 {
		t.Errorf("%d connections for 7 messages, 3 each", n)
	}
}

// An address that does not answer is tried by one message now and then, and costs the
// others nothing.
func TestDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		up := false
		peer := &fakeMX{}
		p := New(Options{Hostname: "sampul.agensi-a.test", Dial: func(ctx context.Context, _, _ string, _ netip.Addr) (net.Conn, error) {
			dials++
			if up {
				client, server := net.Pipe()
				go peer.serve(server)
				return client, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		start := time.Now()
		for i := range 1000 {
			got := p.Send(context.Background(), smart, letterTo("b@jauh.test"))[0]
			if got.line() != "temporary connect 4.4.1" || got.Remote != "192.0.2.1[192.0.2.1]:25" {
				t.Fatalf("message %d: %+v", i, got)
			}
		}
		if took := time.Since(start); took != 30*time.Second || dials != 1 {
			t.Errorf("1000 messages took %v and %d dials", took, dials)
		}
		wait := 30 * time.Second
		for range 8 { // the wait grows, to ten minutes
			time.Sleep(wait)
			before := dials
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() { p.Send(context.Background(), smart, letterTo("b@jauh.test")) })
			}
			wg.Wait()
			if dials != before+1 {
				t.Errorf("%d dials after %v", dials-before, wait)
			}
			wait = min(2*wait, deadMost)
		}
		// An administrator who knows better lifts it.
		up = true
		p.Forget(smart)
		if got := p.Send(context.Background(), smart, letterTo("b@jauh.test"))[0]; !got.Delivered {
			t.Errorf("after Forget: %+v", got)
		}
		p.Close()
	})
}

// An asker in a hurry finds out for the others too, unless it gave no time at all.
func TestDeadInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		p := New(Options{Hostname: "sampul.agensi-a.test", Dial: func(ctx context.Context, _, _ string, _ netip.Addr) (net.Conn, error) {
			dials++
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		for _, wait := range []time.Duration{time.Second, 10 * time.Second, 10 * time.Second} {
			ctx, stop := context.WithTimeout(context.Background(), wait)
			if got := p.Probe(ctx, smart, "", "b@jauh.test"); got.line() != "temporary connect 4.4.1" {
				t.Errorf("got %+v", got)
			}
			stop()
		}
		if dials != 2 {
			t.Errorf("%d dials, want 2", dials)
		}
		p.Close()
	})
}

// A refused connection asks for fewer.
func TestRefusedConnection(t *testing.T) {
	p := New(Options{Hostname: "sampul.agensi-a.test", Dial: func(context.Context, string, string, netip.Addr) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}})
	got := p.Send(context.Background(), smart, letterTo("b@jauh.test"))[0]
	if !got.Slow || got.Text != "connection refused" {
		t.Errorf("got %+v", got)
	}
}

// LMTP has an answer for each recipient, RFC 2033 section 4.2.
func TestLMTP(t *testing.T) {
	for _, tt := range []struct {
		name string
		lmtp func(string) string
		on   func(*peerConn, string) bool
		want string
	}{
		{"one of two over quota", func(a string) string {
			if strings.HasPrefix(a, "c@") {
				return "452 4.2.2 full"
			}
			return "250 2.1.5 filed"
		}, nil, "delivered dot 2.1.5, temporary dot 4.2.2"},
		{"gone after the first answer", nil, onVerb("DATA", func(c *peerConn) { c.say("354 go"); readBody(c.in); c.say("250 2.1.5 filed") }),
			"delivered dot 2.1.5, unsure dot 4.4.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			peer := &fakeMX{lmtp: tt.lmtp, on: tt.on}
			sock := t.TempDir() + "/lmtp"
			ln, err := net.Listen("unix", sock)
			if err != nil {
				t.Fatal(err)
			}
			peer.accept(t, ln)
			p := New(Options{Hostname: "sampul.agensi-a.test"})
			t.Cleanup(p.Close)
			got := p.Send(context.Background(), Hop{Domain: "jauh.test", Host: "unix:" + sock, LMTP: true}, letterTo("b@jauh.test", "c@jauh.test"))
			if s := strings.Join(lines(got), ", "); s != tt.want {
				t.Fatalf("got %q, want %q", s, tt.want)
			}
			if said := peer.said(); !strings.HasPrefix(said[0], "LHLO ") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// Many messages at once neither mix nor race.
func TestManyAtOnce(t *testing.T) {
	peer := &fakeMX{}
	p, _ := world(t, host1, Options{MaxIdle: 4}, peer)
	done := make(chan Result)
	for range 200 {
		go func() { done <- p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0] }()
	}
	for range 200 {
		if r := <-done; !r.Delivered {
			t.Errorf("got %+v", r)
		}
	}
	if n := len(peer.deliveries()); n != 200 {
		t.Errorf("%d arrived", n)
	}
}

// A thousand recipients go out in flights that both sides can take.
func TestManyRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a pipe has no buffer at all: a flight too large would hang
		peer := &fakeMX{}
		p := New(Options{Hostname: "sampul.agensi-a.test", Dial: func(context.Context, string, string, netip.Addr) (net.Conn, error) {
			client, server := net.Pipe()
			go peer.serve(&buffered{Conn: server})
			return client, nil
		}})
		var to []string
		for range 1000 {
			to = append(to, "seseorang.yang.panjang.namanya@jauh.test")
		}
		for _, r := range p.Send(context.Background(), smart, letterTo(to...)) {
			if !r.Delivered {
				t.Fatalf("got %+v", r)
			}
		}
		if d := peer.deliveries(); len(d) != 1 || len(d[0].to) != 1000 {
			t.Errorf("%d messages", len(d))
		}
		p.Close()
	})
}

// buffered writes behind, like a socket with a small buffer.
type buffered struct {
	net.Conn
	out chan []byte
}

func (b *buffered) Write(p []byte) (int, error) {
	if b.out == nil {
		b.out = make(chan []byte, 200)
		go func() {
			for p := range b.out {
				b.Conn.Write(p)
			}
		}()
	}
	b.out <- bytes.Clone(p)
	return len(p), nil
}

func (b *buffered) Close() error {
	if b.out != nil {
		close(b.out)
		b.out = nil
	}
	return b.Conn.Close()
}

// A first exchanger that says nothing keeps no message from the second; one that is only
// slow is waited for when the second is no help.
func TestSilentFirst(t *testing.T) {
	mute := func(c *peerConn, _ string) bool { io.Copy(io.Discard, c.in); return true }
	late := func(c *peerConn, l string) bool {
		if l == "" {
			time.Sleep(2 * time.Minute)
		}
		return false
	}
	for _, tt := range []struct {
		name     string
		one, two *fakeMX
		want     string
		most     time.Duration
		at       []int
	}{
		{"mute", &fakeMX{on: mute}, &fakeMX{}, "delivered dot 2.0.0", time.Minute, []int{0, 1}},
		{"an address that is mute", &fakeMX{on: mute}, &fakeMX{}, "delivered dot 2.0.0", time.Minute, []int{0, 1}},
		{"mute after EHLO", &fakeMX{on: onVerb("EHLO", func(c *peerConn) { io.Copy(io.Discard, c.in) })}, &fakeMX{}, "delivered dot 2.0.0", time.Minute, []int{0, 1}},
		{"mute after MAIL", &fakeMX{on: onVerb("MAIL", func(c *peerConn) { io.Copy(io.Discard, c.in) })}, &fakeMX{}, "delivered dot 2.0.0", 6 * time.Minute, []int{0, 1}},
		{"slow, and the second is busy", &fakeMX{on: late}, &fakeMX{greeting: "421 4.3.2 busy"}, "delivered dot 2.0.0", 3 * time.Minute, []int{1, 0}},
		{"both mute", &fakeMX{on: mute}, &fakeMX{on: mute}, "temporary greeting 4.4.2", 7 * time.Minute, []int{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, two := piped(tt.one, Options{}), piped(tt.two, Options{})
				dial := p.dial
				p.dial = func(ctx context.Context, network, address string, from netip.Addr) (net.Conn, error) {
					if strings.HasPrefix(address, "192.0.2.2") {
						return two.dial(ctx, network, address, from)
					}
					return dial(ctx, network, address, from)
				}
				j := &job{p: p, ctx: context.Background(), hop: Hop{Host: "a:25"}, m: letterTo("b@jauh.test"), out: make([]Result, 1), todo: []int{0}, tried: map[string]bool{}}
				start := time.Now()
				way := &route{hosts: []string{"192.0.2.1", "192.0.2.2"}, port: 25}
				if strings.Contains(tt.name, "address") {
					way = &route{hosts: []string{"jauh.test"}, addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, port: 25}
				}
				j.walk(way)
				j.finish()
				if took := time.Since(start); j.out[0].line() != tt.want || took > tt.most {
					t.Errorf("got %q after %v, want %q within %v", j.out[0].line(), took, tt.want, tt.most)
				}
				for i, m := range []*fakeMX{tt.one, tt.two} {
					if n := len(m.deliveries()); n != tt.at[i] {
						t.Errorf("%d messages at exchanger %d", n, i+1)
					}
				}
				p.Close()
				time.Sleep(10 * time.Minute)
			})
		})
	}
}

// Who stops waits for no greeting, and for what was begun.
func TestOpeningEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		mx   *fakeMX
		want string
		took time.Duration
	}{
		{"mute", &fakeMX{on: func(c *peerConn, _ string) bool { io.Copy(io.Discard, c.in); return true }}, "temporary greeting 4.4.2", time.Second},
		{"slow with the dot", &fakeMX{on: func(c *peerConn, l string) bool {
			if l == "DATA" {
				time.Sleep(time.Minute)
			}
			return false
		}}, "delivered dot 2.0.0", time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := piped(tt.mx, Options{})
				m := letterTo("b@jauh.test")
				opening, stop := context.WithCancelCause(context.Background())
				m.Opening = opening
				time.AfterFunc(time.Second, func() { stop(errors.New("going down")) })
				start := time.Now()
				got := p.Send(context.Background(), smart, m)[0]
				if took := time.Since(start); got.line() != tt.want || took != tt.took {
					t.Errorf("got %q (%s) after %v, want %q after %v", got.line(), got.Text, took, tt.want, tt.took)
				}
				p.Close()
			})
		})
	}
}
