package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/smtp"
	"strings"
	"sync"
	"testing"
	"time"
)

// acknowledged is what a crowd of senders heard 250 for.
type acknowledged struct {
	mu  sync.Mutex
	all map[string][32]byte // Message-ID: sum of what was sent
}

// send sends messages until the server goes away.
func (a *acknowledged) send(r *running, round, worker int) {
	c, err := smtp.Dial(r.MX)
	if err != nil {
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		id := fmt.Sprintf("<%d.%d.%d@luar.test>", round, worker, i)
		size := 100 + rand.IntN(4000)
		if i%20 == 7 {
			size = 400_000 // goes by a work file, in several frames
		}
		text := "From: orang@luar.test\r\nSubject: beban\r\nMessage-ID: " + id + "\r\n\r\n" + filler(size)
		if c.Mail("orang@luar.test") != nil || c.Rcpt("pegawai1@agensi-a.test") != nil {
			return
		}
		w, err := c.Data()
		if err != nil {
			return
		}
		if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
			return
		}
		a.mu.Lock()
		a.all[id] = sha256.Sum256([]byte(text))
		a.mu.Unlock()
	}
}

func filler(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x\r\n", rand.Uint64())
	}
	return b.String()
}

// check compares INBOX with what was acknowledged.
func (a *acknowledged) check(r *running) {
	r.t.Helper()
	seen := map[string]int{}
	for _, m := range r.inbox("pegawai1@agensi-a.test") {
		at := strings.Index(m, "From: orang@luar.test")
		if at < 0 {
			r.t.Errorf("a message without its header: %.200q", m)
			continue
		}
		text := m[at:]
		_, rest, _ := strings.Cut(text, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		seen[id]++
		if sum, ok := a.all[id]; ok && sum != sha256.Sum256([]byte(text)) {
			r.t.Errorf("%s was altered", id)
		}
	}
	lost := 0
	for id := range a.all {
		if seen[id] == 0 {
			lost++
		}
	}
	if lost > 0 {
		r.t.Errorf("%d of %d acknowledged messages are lost", lost, len(a.all))
	}
	for id, n := range seen {
		if n > 1 {
			r.t.Errorf("%s is there %d times", id, n)
		}
	}
}

// kill -9 in the middle of a load, again and again: nothing acknowledged is lost, doubled
// or altered.
func TestKillNine(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	a := &acknowledged{all: map[string][32]byte{}}
	for round := range rounds {
		r := startDemo(t, "--dir", dir)
		before := len(a.all)
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() { a.send(r, round, w) })
		}
		eventually(t, "some mail", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return len(a.all) > before+20
		})
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // anywhere
		r.kill()
		wg.Wait()
	}
	r := startDemo(t, "--dir", dir)
	eventually(t, "everything filed", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) >= len(a.all) })
	a.check(r)
	t.Logf("%d rounds, %d messages acknowledged", rounds, len(a.all))
	r.terminate()
	if out, bad, exit := sampul(t, "", "store", "verify", "--dir", dir); exit != 0 {
		t.Errorf("store verify: exit %d\n%s%s", exit, out, bad)
	}
}
