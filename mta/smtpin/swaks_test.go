package smtpin

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sampul/internal/peers"
)

// swaks sends one message as others do.
func swaks(t *testing.T, args ...string) (string, error) {
	t.Helper()
	peers.Need(t, "swaks")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "swaks", append([]string{"--helo", "luar.test", "--from", "a@luar.test", "--hide-informational"}, args...)...).CombinedOutput()
	return string(out), err
}

func swaksTo(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	return []string{"--server", host, "--port", port}
}

func TestSwaks(t *testing.T) {
	to := []string{"--to", "pegawai1@agensi-a.test"}
	for _, tt := range []struct {
		name string
		cfg  Config
		args []string
		want string // in the trace
	}{
		{"plain", Config{Kind: MX}, nil, "from luar.test ([127.0.0.1])"},
		{"pipelining and TLS", Config{Kind: MX}, []string{"--pipeline", "--tls"}, "with ESMTPS (TLS"},
		{"XCLIENT", Config{Kind: MX, XClient: loopback}, []string{"--xclient", "NAME=jauh.test ADDR=192.0.2.7 HELO=mx.jauh.test"}, "([192.0.2.7])"},
		{"PROXY v1", Config{Kind: MX, Proxy: loopback}, []string{"--proxy-version", "1", "--proxy-family", "TCP4", "--proxy-source", "192.0.2.7", "--proxy-source-port", "1025", "--proxy-dest", "192.0.2.8", "--proxy-dest-port", "25"}, "([192.0.2.7])"},
		{"PROXY v2", Config{Kind: MX, Proxy: loopback}, []string{"--proxy-version", "2", "--proxy-family", "AF_INET6", "--proxy-protocol", "STREAM", "--proxy-command", "PROXY",
			"--proxy-source", "2001:db8::7", "--proxy-source-port", "1025", "--proxy-dest", "2001:db8::8", "--proxy-dest-port", "25"}, "([IPv6:2001:db8::7])"},
		{"LMTP", Config{Kind: LMTP}, []string{"--protocol", "LMTP"}, "with LMTP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			d := NewDefence(DefaultDefence(), DefenceDeps{})
			addr, _ := startWith(t, tt.cfg, Deps{Store: f, Defence: d})
			out, err := swaks(t, append(append(swaksTo(addr), to...), tt.args...)...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := string(f.last(t).env.Prefix); !strings.Contains(got, tt.want) {
				t.Errorf("the trace is %q, want %s in it", got, tt.want)
			}
		})
	}
}

// LMTP on a Unix socket needs no network to be trusted.
func TestLMTPOnAUnixSocket(t *testing.T) {
	f := &fake{}
	s := New(Config{Kind: LMTP, Hostname: "mx.agensi-a.test"}, Deps{Store: f, Judge: judge{}, Spool: area(t)})
	path := filepath.Join(t.TempDir(), "lmtp")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newTalk(t, conn)
	c.ask("", "220 mx.agensi-a.test LMTP")
	c.ask("LHLO relay.test", "250")
	c.ask("MAIL FROM:<>", "250")
	c.ask("RCPT TO:<pegawai1@agensi-a.test>", "250")
	c.ask("DATA", "354")
	c.ask("Subject: a\r\n\r\n.", "250")
	c.ask("QUIT", "221")
	if got := string(f.last(t).env.Prefix); !strings.Contains(got, "from relay.test (local)") {
		t.Errorf("the trace is %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestLMTPIsNotForStrangers(t *testing.T) {
	addr := start(t, Config{Kind: LMTP, Clients: loopback[:0:0]}, &fake{})
	must(t, greeting(t, addr), "220 ")
	addr = start(t, Config{Kind: LMTP, Clients: prefixes("192.0.2.0/24")}, &fake{})
	must(t, greeting(t, addr), "554 5.7.1 ")
}
