package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serve runs from its configuration alone, tells its numbers, and ends cleanly.
func TestServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	run(t, 0, "agency", "add", "agensi-a", "--dir", dir)
	run(t, 0, "domain", "add", "agensi-a.test", "--agency", "agensi-a", "--dir", dir)
	run(t, 0, "account", "add", "pegawai1@agensi-a.test", "--password-file", "-", "--dir", dir)
	base := freeBase(t)
	mx, web := fmt.Sprintf("127.0.0.1:%d", base+25), fmt.Sprintf("127.0.0.1:%d", base+143)
	b, err := os.ReadFile(dir + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`":25"`, fmt.Sprintf("%q", mx), "127.0.0.1:9125", web, `format = "text"`, `format = "json"`).Replace(string(b))
	if err := os.WriteFile(dir+".toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	c := exec.Command(path, "serve", "--config", dir+".toml")
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	eventually(t, "the listener", func() bool {
		conn, err := net.Dial("tcp", mx)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err := smtp.SendMail(mx, nil, "orang@luar.test", []string{"pegawai1@agensi-a.test"}, []byte(letter("Satu", "Isi.\r\n"))); err != nil {
		t.Fatal(err)
	}
	if err := smtp.SendMail(mx, nil, "orang@luar.test", []string{"pegawai1@agensi-a.test"}, []byte(letter("[RAHSIA] Dua", "Isi.\r\n"))); err == nil {
		t.Error("a marked message was taken")
	}
	get := func(path string) string {
		t.Helper()
		res, err := http.Get("http://" + web + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := get("/healthz"); got != "ok\n" {
		t.Errorf("healthz: %q", got)
	}
	numbers := get("/metrics")
	for _, want := range []string{`sampul_verdicts_total{action="reject",class="RAHSIA",direction="in",listener="mx"} 1`,
		`sampul_verdicts_total{action="accept",class="TERBUKA",direction="in",listener="mx"} 1`, "sampul_queue_messages 0", `sampul_sessions{listener="mx"}`} {
		if !strings.Contains(numbers, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{`"msg":"accepted"`, `"msg":"refused"`, `"msg":"stopped"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
}
