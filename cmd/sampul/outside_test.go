package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// binary builds the command once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sampul-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sampul")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" { // a suite in this process starts it so
		main()
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// need skips a test whose client is missing, by name; in CI nothing may be missing.
func need(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", c)
			}
			t.Skipf("%s is missing", c)
		}
	}
}

// A running is a demo in a process of its own.
type running struct {
	t   testing.TB
	cmd *exec.Cmd
	log *bytes.Buffer
	demoReady
	base int
}

// freeBase finds a base port whose ports nobody uses.
func freeBase(t testing.TB) int {
	t.Helper()
next:
	for range 50 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := ln.Addr().(*net.TCPAddr).Port - 25
		ln.Close()
		if base < 1024 || base+993 > 65535 {
			continue
		}
		for _, p := range []int{25, 587, 465, 143, 993, 443, 80} {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+p))
			if err != nil {
				continue next
			}
			ln.Close()
		}
		return base
	}
	t.Fatal("no free ports")
	return 0
}

func startDemo(t testing.TB, args ...string) *running {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return startBinary(t, path, nil, args...)
}

func startBinary(t testing.TB, path string, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, log: &bytes.Buffer{}, base: freeBase(t)}
	r.cmd = exec.Command(path, append([]string{"demo", "--json", "--base-port", fmt.Sprint(r.base)}, args...)...)
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stderr = r.log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	if err := json.NewDecoder(out).Decode(&r.demoReady); err != nil || !r.Ready {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		t.Fatalf("demo did not get ready: %v\n%s", err, r.log)
	}
	return r
}

// kill is kill -9.
func (r *running) kill() {
	if r.cmd.ProcessState == nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	}
}

// terminate is SIGTERM; the exit must be clean.
func (r *running) terminate() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("after SIGTERM: %v\n%s", err, r.log)
	}
}

func (r *running) account(address string) demoAccount {
	r.t.Helper()
	for _, a := range append(r.Accounts, r.Application) {
		if a.Address == address {
			return a
		}
	}
	r.t.Fatalf("no account %s", address)
	return demoAccount{}
}

func (r *running) tls() *tls.Config {
	r.t.Helper()
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		r.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.t.Fatal("no CA in its file")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// imap is a logged-in client.
func (r *running) imap(address string) *imapclient.Client {
	r.t.Helper()
	c, err := imapclient.DialTLS(r.IMAPS, &imapclient.Options{TLSConfig: r.tls()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	if err := c.Login(address, r.account(address).Password).Wait(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// sampul runs the command line beside the server.
func sampul(t testing.TB, stdin string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, bad strings.Builder
	c := exec.Command(path, args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &bad
	err = c.Run()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), bad.String(), c.ProcessState.ExitCode()
}

// eventually waits for something that happens elsewhere; what it waits for is no promise
// about time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not after a minute", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
