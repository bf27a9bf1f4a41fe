package smtpin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampul/internal/spool"
)

// pipe is a connection to a server inside a bubble of made-up time.
func pipe(t *testing.T, f *fake) (net.Conn, *bufio.Reader, *Server) {
	t.Helper()
	area, err := spool.New(t.TempDir(), 4096)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: f, Judge: judge{}, Spool: area})
	client, server := net.Pipe()
	s.start(t.Context(), server)
	r := bufio.NewReader(client)
	t.Cleanup(func() {
		client.Close()
		s.Shutdown(context.Background())
	})
	return client, r, s
}

func say(t *testing.T, c net.Conn, r *bufio.Reader, line, want string) {
	t.Helper()
	if line != "" {
		if _, err := io.WriteString(c, line+"\r\n"); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for {
		got, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if len(got) > 3 && got[3] == '-' {
			continue
		}
		if !strings.HasPrefix(got, want) {
			t.Fatalf("%s: %q, want %s", line, got, want)
		}
		return
	}
}

func toData(t *testing.T, c net.Conn, r *bufio.Reader) {
	t.Helper()
	say(t, c, r, "", "220")
	say(t, c, r, "EHLO luar.test", "250")
	say(t, c, r, "MAIL FROM:<a@luar.test>", "250")
	say(t, c, r, "RCPT TO:<pegawai1@agensi-a.test>", "250")
	say(t, c, r, "DATA", "354")
}

// 34 MB at 64 kB a second takes nine minutes, and is taken.
func TestSteadySlowMessageIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c, r, _ := pipe(t, f)
		toData(t, c, r)
		if _, err := io.WriteString(c, "Subject: besar\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		second := bytes.Repeat([]byte(strings.Repeat("x", 998)+"\r\n"), 64)
		size := 0
		for size < 34_000_000 {
			if _, err := c.Write(second); err != nil {
				t.Fatalf("after %d octets: %v", size, err)
			}
			size += len(second)
			time.Sleep(time.Second)
		}
		say(t, c, r, ".", "250")
		if got := len(f.last(t).body); got < size {
			t.Errorf("%d octets of %d", got, size)
		}
	})
}

// One octet a second holds a session for ever, if only pauses are bounded.
func TestTrickleIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c, r, _ := pipe(t, f)
		toData(t, c, r)
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		say(t, c, r, "", "421 4.4.2")
		if held := time.Since(began); held > 2*time.Minute {
			t.Errorf("a trickle held the session for %v", held)
		}
		if len(f.got) != 0 {
			t.Error("half a message was accepted")
		}
		c.Close()
		wg.Wait()
	})
}

func TestSilenceIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := pipe(t, &fake{})
		say(t, c, r, "", "220")
		began := time.Now()
		say(t, c, r, "", "421 4.4.2")
		if held := time.Since(began); held < 5*time.Minute {
			t.Errorf("ended after %v: RFC 5321 section 4.5.3.2.7 gives five minutes", held)
		}
	})
}

// A message under way is taken before the server goes down; whoever waits hears 421.
func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c, r, s := pipe(t, f)
		toData(t, c, r)
		io.WriteString(c, "Subject: terakhir\r\n\r\n")
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		synctest.Wait()
		select {
		case <-down:
			t.Fatal("down while a message was under way")
		default:
		}
		say(t, c, r, "isi\r\n.", "250")
		say(t, c, r, "", "421 4.3.2")
		if err := <-down; err != nil {
			t.Error(err)
		}
		f.last(t)
	})
}

// What comes in clear after STARTTLS is not read as if it had come through TLS.
func TestNothingIsInjectedBeforeTLS(t *testing.T) {
	addr := start(t, Config{Kind: MX}, &fake{})
	c := connect(t, addr)
	r := bufio.NewReader(c)
	say(t, c, r, "", "220")
	say(t, c, r, "EHLO luar.test", "250")
	if _, err := io.WriteString(c, "STARTTLS\r\nNOOP\r\nNOOP\r\n"); err != nil {
		t.Fatal(err)
	}
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "220") { // refused outright is as good
		return
	}
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		return // so is a session that ends
	}
	tr := bufio.NewReader(tc)
	say(t, tc, tr, "HELP", "214")
}
