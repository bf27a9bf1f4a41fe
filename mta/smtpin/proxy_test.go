package smtpin

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
)

func proxyHeader(t *testing.T, version byte, src, dst string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(src)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(dst)))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Both versions of the header tell the client's address, which stands in Received; LOCAL
// and UNKNOWN keep the proxy's own.
func TestProxyHeaders(t *testing.T) {
	local, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}).Format()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, header, want string }{
		{"v1 IPv4", proxyHeader(t, 1, "192.0.2.7:1025", "198.51.100.1:25"), "([192.0.2.7])"},
		{"v1 IPv6", proxyHeader(t, 1, "[2001:db8::7]:1025", "[2001:db8::1]:25"), "([IPv6:2001:db8::7])"},
		{"v2 IPv4", proxyHeader(t, 2, "192.0.2.7:1025", "198.51.100.1:25"), "([192.0.2.7])"},
		{"v2 IPv6", proxyHeader(t, 2, "[2001:db8::7]:1025", "[2001:db8::1]:25"), "([IPv6:2001:db8::7])"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "([127.0.0.1])"},
		{"v2 local", string(local), "([127.0.0.1])"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			addr := start(t, Config{Kind: MX, Proxy: loopback}, f)
			out := exchange(t, addr, tt.header+open+"DATA\r\nSubject: a\r\n\r\n.\r\nQUIT\r\n")
			if !strings.HasPrefix(out, "220 ") || !strings.Contains(out, "queued as") {
				t.Fatal(out)
			}
			if got := string(f.last(t).env.Prefix); !strings.Contains(got, tt.want) {
				t.Fatalf("the trace is %q, want %s", got, tt.want)
			}
		})
	}
}

// A proxy that is a server of ours too does not lend its rights to whom it does not name.
func TestProxyLendsNoRights(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		may          bool
	}{
		{"named", proxyHeader(t, 1, "127.0.0.1:1025", "127.0.0.1:25"), true},
		{"unknown", "PROXY UNKNOWN\r\n", false},
	} {
		addr := start(t, Config{Kind: MX, Proxy: loopback, Trusted: loopback, XClient: loopback}, &fake{})
		out := exchange(t, addr, tt.header+"EHLO mx.luar.test\r\nMAIL FROM:<a@luar.test>\r\nRCPT TO:<x@jauh.test>\r\nQUIT\r\n")
		if relays := strings.Contains(out, "250 2.1.5"); relays != tt.may || strings.Contains(out, "XCLIENT") != tt.may {
			t.Errorf("%s: %s", tt.name, out)
		}
	}
}

func TestWithoutAProxyHeaderNothingIsSaid(t *testing.T) {
	for _, raw := range []string{"EHLO luar.test\r\n", "PROXY TCP4 a b c d\r\n", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", "\r\n\r\n\x00\r\nQUIT\n\xff\xff\xff\xff"} {
		c := connect(t, start(t, Config{Kind: MX, Proxy: loopback}, &fake{}))
		io.WriteString(c, raw)
		c.(*net.TCPConn).CloseWrite()
		if out, _ := io.ReadAll(c); len(out) != 0 {
			t.Errorf("%q: the server says %q", raw, out)
		}
	}
}

// A header from somebody else is not read: who could send one could be anybody.
func TestProxyHeadersOfStrangersAreRefused(t *testing.T) {
	addr := start(t, Config{Kind: MX, Proxy: prefixes("192.0.2.0/24")}, &fake{})
	c := connect(t, addr)
	line := make([]byte, 200)
	n, _ := c.Read(line)
	if !strings.HasPrefix(string(line[:n]), "554 5.7.1") {
		t.Fatalf("the server says %q", line[:n])
	}
}

// A proxy that says nothing is not waited for.
func TestSilentProxyIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: &fake{}})
		client, server := net.Pipe()
		defer client.Close()
		began := time.Now()
		ended := make(chan error)
		go func() { ended <- s.newSession(server).proxied() }()
		if err := <-ended; err == nil || time.Since(began) != proxyTime {
			t.Fatalf("%v after %s", err, time.Since(began))
		}
		server.Close()
	})
}

func prefixes(all ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
