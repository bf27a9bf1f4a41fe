package sts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/tlsfiles"
)

// states keeps in memory what a real one keeps on disk.
type states struct {
	mu  sync.Mutex
	m   map[string][]byte
	err error
}

func (s *states) State(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name], s.err
}

func (s *states) KeepState(_ context.Context, name string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[name] = v
	return s.err
}

// web is a policy server that a test changes, with its DNS and the clock.
type web struct {
	zone   *dnstest.Zone
	opts   Options
	mu     sync.Mutex
	answer http.HandlerFunc
	hits   int
	now    time.Time
}

const enforce = "version: STSv1\nmode: enforce\nmx: mx1.jauh.test\nmax_age: 604800\n"

func newWeb(t *testing.T, names ...string) *web {
	t.Helper()
	if names == nil {
		names = []string{"mta-sts.jauh.test"}
	}
	w := &web{now: time.Now()}
	w.serve(enforce)
	ca, cert, key, err := tlsfiles.Authority(t.TempDir(), time.Now(), names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no CA")
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.hits++
		answer := w.answer
		w.mu.Unlock()
		answer(rw, r)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w.zone = dnstest.New(t, "mta-sts.jauh.test. A 127.0.0.1\n_mta-sts.jauh.test. TXT \"v=STSv1; id=1;\"")
	w.opts = Options{
		Resolver: dns.New(w.zone.Addr), HTTPSPort: srv.Listener.Addr().(*net.TCPAddr).Port, TrustCA: pool, AllowLoopback: true,
		States: &states{}, Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
	}
	return w
}

func (w *web) set(f http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func (w *web) serve(policy string) {
	w.set(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == "" || r.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(rw, policy)
	})
}

func (w *web) fetched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits
}

func (w *web) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// id publishes another ID, or none.
func (w *web) id(id string) {
	w.zone.Remove("_mta-sts.jauh.test")
	if id != "" {
		w.zone.Add("_mta-sts.jauh.test. TXT \"v=STSv1; id=" + id + ";\"")
	}
	w.opts.Resolver.Forget()
}

func get(c *Cache) string {
	p, trouble := c.Get(context.Background(), "Jauh.test.")
	switch {
	case trouble != nil:
		return trouble.Type
	case p == nil:
		return ""
	}
	return string(p.Mode)
}

func TestFetch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"good", nil, "enforce"},
		{"404", http.NotFound, FetchError},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" {
				w.Header().Set("Content-Type", "text/plain")
				io.WriteString(w, enforce)
				return
			}
			http.Redirect(w, r, r.URL.Path+"?2", http.StatusFound)
		}, FetchError},
		{"HTML", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, enforce)
		}, InvalidError},
		{"not a policy", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "hai")
		}, InvalidError},
		{"too long", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, enforce+"x: "+strings.Repeat("a", MaxSize))
		}, InvalidError},
		{"cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, enforce)
		}, FetchError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWeb(t)
			if tt.answer != nil {
				w.set(tt.answer)
			}
			if got := get(New(w.opts)); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		w := newWeb(t, "jauh.test")
		if got := get(New(w.opts)); got != WebPKIError {
			t.Fatalf("got %q", got)
		}
	})
	t.Run("unknown CA", func(t *testing.T) {
		w := newWeb(t)
		w.opts.TrustCA = nil
		if got := get(New(w.opts)); got != WebPKIError {
			t.Fatalf("got %q", got)
		}
	})
	t.Run("on this machine", func(t *testing.T) {
		w := newWeb(t)
		w.opts.AllowLoopback = false
		if got := get(New(w.opts)); got != FetchError || w.fetched() != 0 {
			t.Fatalf("got %q, %d fetches", got, w.fetched())
		}
	})
	t.Run("nothing announced", func(t *testing.T) {
		w := newWeb(t)
		w.id("")
		if got := get(New(w.opts)); got != "" || w.fetched() != 0 {
			t.Fatalf("got %q, %d fetches", got, w.fetched())
		}
	})
}

// A policy in force stays until its age is over, whatever becomes of DNS and the server,
// and across restarts; a new ID brings a new one.
func TestLife(t *testing.T) {
	w := newWeb(t)
	c := New(w.opts)
	step := func(what, want string, fetches int) {
		t.Helper()
		if got := get(c); got != want || w.fetched() != fetches {
			t.Fatalf("%s: %q after %d fetches, want %q after %d", what, got, w.fetched(), want, fetches)
		}
	}
	step("first", "enforce", 1)
	step("again", "enforce", 1)
	c = New(w.opts)
	step("after a restart", "enforce", 1)
	w.set(http.NotFound)
	w.id("2")
	step("a new ID, and no policy there", "enforce", 2)
	step("not asked again at once", "enforce", 2)
	w.pass(6 * time.Minute)
	step("but later", "enforce", 3)
	w.id("")
	step("the record is gone", "enforce", 3)
	w.zone.Fail("_mta-sts.jauh.test")
	w.opts.Resolver.Forget()
	step("DNS does not answer", "enforce", 3)
	w.zone.Works("_mta-sts.jauh.test")
	w.id("3")
	w.serve(strings.Replace(enforce, "enforce", "testing", 1))
	w.pass(6 * time.Minute)
	step("a new policy", "testing", 4)
	w.set(http.NotFound)
	w.id("4")
	w.pass(8 * 24 * time.Hour)
	step("its age is over", FetchError, 5)
	step("and it is not asked again at once", FetchError, 5)
	w.id("")
	step("nothing is announced any more", "", 5)
}

// A policy is renewed before its end, behind the back of whoever asks.
func TestRefresh(t *testing.T) {
	w := newWeb(t)
	c := New(w.opts)
	get(c)
	fetched := make(chan bool, 1)
	w.set(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		io.WriteString(rw, enforce)
		fetched <- true
	})
	w.pass(23 * time.Hour)
	if get(c); len(fetched) > 0 || w.fetched() != 1 {
		t.Fatal("renewed within a day")
	}
	w.pass(2 * time.Hour)
	if got := get(c); got != "enforce" {
		t.Fatalf("got %q", got)
	}
	<-fetched
}

// One fetch serves all who wait for it.
func TestOneFetch(t *testing.T) {
	w := newWeb(t)
	c := New(w.opts)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := get(c); got != "enforce" {
				t.Errorf("got %q", got)
			}
		})
	}
	wg.Wait()
	if n := w.fetched(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// What was kept and cannot be read, or cannot be kept at all, costs a fetch and no more.
func TestBadStates(t *testing.T) {
	for _, b := range []string{"{", `{"Text":"hai"}`, "null", `{"ID":"1","Text":"version: STSv1\nmode: enforce\nmx: a\nmax_age: 1","Fetched":"2001-01-01T00:00:00Z"}`} {
		w := newWeb(t)
		w.opts.States = &states{m: map[string][]byte{"sts/jauh.test": []byte(b)}}
		if got := get(New(w.opts)); got != "enforce" || w.fetched() != 1 {
			t.Errorf("%s: got %q after %d fetches", b, got, w.fetched())
		}
	}
	w := newWeb(t)
	w.opts.States = &states{err: errors.New("disk")}
	if got := get(New(w.opts)); got != "enforce" {
		t.Errorf("got %q", got)
	}
}

// Many domains take bounded memory.
func TestManyDomains(t *testing.T) {
	zone := dnstest.New(t, "x.test. A 127.0.0.1")
	c := New(Options{Resolver: dns.New(zone.Addr)})
	c.mu.Lock()
	for i := range maxDomains + 5000 {
		c.put(fmt.Sprintf("d%d.test", i), &entry{})
	}
	n := len(c.domains)
	c.mu.Unlock()
	if n > maxDomains {
		t.Errorf("%d domains in memory", n)
	}
}

func TestHandler(t *testing.T) {
	h := Handler(func(d string) ([]string, string, bool) {
		return []string{"mx.agensi-a.test"}, "testing", d == "agensi-a.test"
	})
	for _, tt := range []struct {
		method, url string
		code        int
	}{
		{"GET", "https://mta-sts.agensi-a.test/.well-known/mta-sts.txt", 200},
		{"HEAD", "https://MTA-STS.agensi-a.test:8443/.well-known/mta-sts.txt", 200},
		{"POST", "https://mta-sts.agensi-a.test/.well-known/mta-sts.txt", 405},
		{"GET", "https://mta-sts.agensi-a.test/", 404},
		{"GET", "https://mta-sts.lain.test/.well-known/mta-sts.txt", 404},
		{"GET", "https://agensi-a.test/.well-known/mta-sts.txt", 404},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.url, nil))
		if rec.Code != tt.code {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.url, rec.Code, tt.code)
		}
		if tt.code == 200 && tt.method == "GET" {
			p, err := Parse(rec.Body.Bytes())
			if err != nil || p.Mode != Testing || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("%v, %v", p, err)
			}
		}
	}
}
