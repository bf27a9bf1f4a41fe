package main

import (
	"bufio"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sendMany sends n short messages from one account to another in one session, and gives
// how many were taken and what ended it.
func (r *running) sendMany(from, to string, n int) (taken int, err error) {
	r.t.Helper()
	c, err := smtp.Dial(r.Submission)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(r.tls()); err != nil {
		r.t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", from, r.account(from).Password, "127.0.0.1")); err != nil {
		r.t.Fatal(err)
	}
	for ; taken < n; taken++ {
		if err := c.Mail(from); err != nil {
			return taken, err
		}
		if err := c.Rcpt(to); err != nil {
			return taken, err
		}
		w, err := c.Data()
		if err != nil {
			return taken, err
		}
		fmt.Fprintf(w, "From: %s\r\nTo: %s\r\nSubject: Nombor %d\r\n\r\nHalo\r\n", from, to, taken)
		if err := w.Close(); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// A demo has no sending limits, since it is measured, unless one is asked for.
func TestDemoHoldsWhoSendsTooMuch(t *testing.T) {
	const from, to = "pegawai1@agensi-a.test", "pegawai2@agensi-a.test"
	if n, err := startDemo(t).sendMany(from, to, 310); n != 310 || err != nil {
		t.Errorf("without limits %d were taken, then %v", n, err)
	}
	r := startDemo(t, "--sent-hour", "30")
	n, err := r.sendMany(from, to, 310)
	if n != 30 || err == nil || !strings.Contains(err.Error(), "held") {
		t.Errorf("%d were taken, then %v", n, err)
	}
	if out, _, _ := sampul(t, "", "account", "show", from, "--dir", r.DataDir); !strings.Contains(out, "more than 30 messages in an hour") {
		t.Errorf("account show: %s", out)
	}
}

// Where the configuration asks for it, loopback too is caught that talks too early.
func TestEarlyTalkersOnLoopback(t *testing.T) {
	for delay, want := range map[string]string{"": "220 ", "greeting_delay = \"30s\"": "554 5.5.0 "} {
		at := serveMX(t, "[defence]\n"+delay)
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "EHLO luar.test\r\n")
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, want) {
			t.Errorf("%q: %q, %v; want %s", delay, line, err, want)
		}
	}
}

// serveMX runs serve with a listener on loopback and what else the configuration says,
// and gives the listener's address once it is bound.
func serveMX(t *testing.T, more string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	base := freeBase(t)
	mx := fmt.Sprintf("127.0.0.1:%d", base+25)
	b, err := os.ReadFile(dir + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`":25"`, fmt.Sprintf("%q", mx), "127.0.0.1:9125", fmt.Sprintf("127.0.0.1:%d", base+143)).Replace(string(b))
	if err := os.WriteFile(dir+".toml", []byte(text+"\n"+more+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "serve", "--config", dir+".toml")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	eventually(t, "the listener", func() bool {
		conn, err := net.Dial("tcp", mx)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return mx
}
