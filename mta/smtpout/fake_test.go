package smtpout

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
)

// A fakeMX is a server that does what a test says. Zero fields do what a decent one does.
type fakeMX struct {
	greeting string
	ehlo     []string // keywords; nil is the usual
	hello    string   // reply to EHLO instead
	mail     string
	rcpt     func(address string) string
	data     string
	dot      string                              // reply to the dot
	lmtp     func(address string) string         // one reply for each recipient
	tls      *tls.Config                         // with STARTTLS among the keywords
	on       func(c *peerConn, line string) bool // true: it was handled
	early    bool                                // 354 even without recipients

	mu    sync.Mutex
	lines []string // commands as they came
	got   []delivery
	conns int
}

type delivery struct {
	from string
	to   []string
	body string
	mail string // the whole MAIL command
	tls  bool
}

type peerConn struct {
	net.Conn
	in  *bufio.Reader
	tls bool
}

func (c *peerConn) say(line string) { io.WriteString(c, line+"\r\n") }

func (m *fakeMX) note(l string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, l)
}

func (m *fakeMX) handler() func(*peerConn, string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on
}

// change does f while nobody looks.
func (m *fakeMX) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// said are the commands that came, in order.
func (m *fakeMX) said() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lines)
}

func (m *fakeMX) deliveries() []delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

func (m *fakeMX) connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (m *fakeMX) serve(nc net.Conn) {
	defer nc.Close()
	m.mu.Lock()
	m.conns++
	m.mu.Unlock()
	c := &peerConn{Conn: nc, in: bufio.NewReader(nc)}
	if on := m.handler(); on != nil && on(c, "") {
		return
	}
	c.say(or(m.greeting, "220 mx.jauh.test ESMTP"))
	var d delivery
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		l = strings.TrimRight(l, "\r\n")
		m.note(l)
		if on := m.handler(); on != nil && on(c, l) {
			continue
		}
		verb, arg, _ := strings.Cut(l, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "LHLO":
			m.sayHello(c)
		case "STARTTLS":
			c.say("220 go ahead")
			t := tls.Server(c.Conn, m.tls)
			if t.Handshake() != nil {
				return
			}
			c = &peerConn{Conn: t, in: bufio.NewReader(t), tls: true}
		case "MAIL":
			d = delivery{from: path(arg), mail: l, tls: c.tls}
			c.say(or(m.mail, "250 2.1.0 ok"))
		case "RCPT":
			a, reply := path(arg), "250 2.1.5 ok"
			m.mu.Lock()
			rcpt := m.rcpt
			m.mu.Unlock()
			if rcpt != nil {
				reply = or(rcpt(a), reply)
			}
			if strings.HasPrefix(reply, "2") {
				d.to = append(d.to, a)
			}
			c.say(reply)
		case "DATA":
			reply := or(m.data, "354 go ahead")
			if len(d.to) == 0 && !m.early {
				reply = "503 5.5.1 no recipients"
			}
			c.say(reply)
			if !strings.HasPrefix(reply, "354") {
				continue
			}
			body, err := readBody(c.in)
			if err != nil {
				return
			}
			m.finish(c, d, body)
			d = delivery{}
		case "RSET":
			d = delivery{}
			c.say("250 2.0.0 ok")
		case "QUIT":
			c.say("221 2.0.0 bye")
			return
		default:
			c.say("250 2.0.0 ok")
		}
	}
}

func (m *fakeMX) sayHello(c *peerConn) {
	if m.hello != "" {
		c.say(m.hello)
		return
	}
	words := m.ehlo
	if words == nil {
		words = []string{"PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"}
		if m.tls != nil && !c.tls {
			words = append(words, "STARTTLS")
		}
	}
	words = append([]string{"mx.jauh.test"}, words...)
	for i, w := range words {
		sep := "-"
		if i == len(words)-1 {
			sep = " "
		}
		c.say("250" + sep + w)
	}
}

func (m *fakeMX) finish(c *peerConn, d delivery, body string) {
	if len(d.to) == 0 {
		c.say("554 5.5.1 no valid recipients")
		return
	}
	d.body = body
	replies := []string{or(m.dot, "250 2.0.0 taken as X1")}
	if m.lmtp != nil {
		replies = nil
		for _, a := range d.to {
			replies = append(replies, m.lmtp(a))
		}
	}
	if slices.ContainsFunc(replies, func(r string) bool { return strings.HasPrefix(r, "2") }) {
		m.mu.Lock()
		m.got = append(m.got, d)
		m.mu.Unlock()
	}
	for _, r := range replies {
		c.say(r)
	}
}

// readBody undoes the dots, and knows no line end but CRLF.
func readBody(r *bufio.Reader) (string, error) {
	var b bytes.Buffer
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		for !strings.HasSuffix(l, "\r\n") {
			more, err := r.ReadString('\n')
			if err != nil {
				return "", err
			}
			l += more
		}
		if l == ".\r\n" {
			return b.String(), nil
		}
		b.WriteString(strings.TrimPrefix(l, "."))
	}
}

func path(arg string) string {
	_, after, _ := strings.Cut(arg, "<")
	i := strings.LastIndexByte(after, '>')
	if i < 0 {
		return ""
	}
	return after[:i]
}

// listen serves m on an address of loopback until the test ends; port 0 is any.
func (m *fakeMX) listen(t testing.TB, ip string, port int) int {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		if ip == "::1" {
			t.Skipf("no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	m.accept(t, ln)
	return ln.Addr().(*net.TCPAddr).Port
}

func (m *fakeMX) accept(t testing.TB, ln net.Listener) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// listeners are on 127.0.0.1, 127.0.0.2 and so on, all on one port.
func listeners(t testing.TB, n int) (out []net.Listener) {
	t.Helper()
	var err error
	for range 20 {
		port := 0
		for i := range n {
			var ln net.Listener
			if ln, err = net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", i+1, port)); err != nil {
				break // somebody has the port there: another one
			}
			out = append(out, ln)
			port = ln.Addr().(*net.TCPAddr).Port
		}
		if len(out) == n {
			return out
		}
		for _, ln := range out {
			ln.Close()
		}
		out = nil
	}
	t.Fatalf("no port is free on %d addresses of loopback: %v", n, err)
	return nil
}

// world is a pool with its DNS and exchangers at 127.0.0.1, 127.0.0.2 and so on, all on one
// port.
func world(t testing.TB, zone string, o Options, mx ...*fakeMX) (*Pool, *dnstest.Zone) {
	t.Helper()
	z := dnstest.New(t, zone)
	port := 0
	for i, ln := range listeners(t, len(mx)) {
		if m := mx[i]; m != nil {
			m.accept(t, ln)
			port = ln.Addr().(*net.TCPAddr).Port
		} else {
			ln.Close()
		}
	}
	if port == 0 { // nobody there: a port that was free a moment ago
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port = ln.Addr().(*net.TCPAddr).Port
		ln.Close()
	}
	o.Hostname, o.Resolver, o.RemotePort, o.AllowLoopback = "sampul.agensi-a.test", dns.New(z.Addr), port, true
	p := New(o)
	t.Cleanup(p.Close)
	return p, z
}

const zone1 = `
jauh.test. MX 10 mx1.jauh.test.
jauh.test. MX 20 mx2.jauh.test.
mx1.jauh.test. A 127.0.0.1
mx2.jauh.test. A 127.0.0.2
`

const letter = "Subject: satu\r\n\r\n.titik\r\nbaris\r\n"

func letterTo(to ...string) *Message {
	m := &Message{ID: "4fKx", From: "a@agensi-a.test", Size: int64(len(letter))}
	for _, a := range to {
		m.To = append(m.To, Rcpt{Address: a})
	}
	m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(letter)), nil }
	return m
}

// piped is a pool whose every connection is a pipe to m: for tests in which time passes.
func piped(m *fakeMX, o Options) *Pool {
	o.Hostname = "sampul.agensi-a.test"
	o.Dial = func(context.Context, string, string, netip.Addr) (net.Conn, error) {
		client, server := net.Pipe()
		go m.serve(server)
		return client, nil
	}
	return New(o)
}

var jauh = Hop{Domain: "jauh.test"}

// smart is a hop to a fixed address, for pools of pipes.
var smart = Hop{Domain: "jauh.test", Host: "192.0.2.1:25"}
