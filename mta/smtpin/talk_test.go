package smtpin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sampul/internal/spool"
)

// talk is a client that says one line and reads one reply.
type talk struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func newTalk(t testing.TB, c net.Conn) *talk { return &talk{t, c, bufio.NewReader(c)} }

// logIn talks as pegawai1, up to MAIL.
func logIn(t testing.TB, c net.Conn) *talk {
	t.Helper()
	d := newTalk(t, c)
	d.ask("", "220")
	d.ask("EHLO klien.test", "250")
	d.ask("AUTH PLAIN AHBlZ2F3YWkxQGFnZW5zaS1hLnRlc3QAa2F0YQ==", "235")
	return d
}

// ask says a line, none for "", and gives the reply, which must begin so.
func (d *talk) ask(line, want string) []byte {
	d.t.Helper()
	if line != "" {
		if _, err := io.WriteString(d.c, line+"\r\n"); err != nil {
			d.t.Fatalf("%s: %v", line, err)
		}
	}
	var all bytes.Buffer
	for {
		got, err := d.r.ReadString('\n')
		all.WriteString(got)
		if err != nil {
			d.t.Fatalf("%s: %v after %q", line, err, all.String())
		}
		if len(got) > 3 && got[3] == '-' {
			continue
		}
		if !strings.HasPrefix(got, want) {
			d.t.Fatalf("%s: the server says %q, want %s", line, got, want)
		}
		return all.Bytes()
	}
}

func (d *talk) tls(certs ...tls.Certificate) {
	c := tls.Client(d.c, &tls.Config{InsecureSkipVerify: true, Certificates: certs})
	d.c, d.r = c, bufio.NewReader(c)
}

func area(t testing.TB) *spool.Area {
	t.Helper()
	a, err := spool.New(t.TempDir(), 4096)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pipeOf(t testing.TB, _ *Server) (client, server net.Conn) {
	t.Helper()
	client, server = net.Pipe()
	t.Cleanup(func() { client.Close() })
	return client, server
}

// locked lets several goroutines log into one buffer.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(&locked{w: w}, nil)) }

// waitReadable returns once octets have come, and leaves them.
func waitReadable(t testing.TB, c net.Conn) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
}
