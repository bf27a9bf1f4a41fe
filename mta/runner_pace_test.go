package mta

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// fakeStates keeps states in memory.
type fakeStates struct {
	mu sync.Mutex
	by map[string][]byte
}

func (f *fakeStates) KeepState(_ context.Context, name string, v []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string][]byte{}
	}
	f.by[name] = v
	return nil
}

func (f *fakeStates) State(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by[name], nil
}

func bulkLetter(i int, to string) store.Envelope {
	e := letter(fmt.Sprint("B", i), to)
	e.Lane = store.LaneBulk
	return e
}

// Bulk to a new destination begins low, doubles while nobody complains, up to its limit, and
// halves when the destination asks for less. What was learned outlives the process. People's
// mail, other destinations, and hosts that a route names do not notice.
func TestBulkIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Bulk: Pace{PerMinute: 60, Start: 15, Connections: 2}}
		states := &fakeStates{}
		g := newRig(o)
		g.deps.States = states
		g.router.set("lmtp.test", route.Hop{Kind: route.ToLMTP, Host: "127.0.0.1:24", Domain: "lmtp.test"})
		var slow atomic.Bool
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if slow.Swap(false) {
				return each(m, smtpout.Result{Code: 450, Enhanced: "4.7.1", Text: "too many", Stage: "mail", Slow: true})
			}
			return each(m, delivered)
		}
		g.Start()
		for i := range 20_000 {
			g.q.add(bulkLetter(i, "a@jauh.test"), body)
		}
		g.q.add(bulkLetter(-1, "a@lain.test"), body)
		for i := range 200 {
			g.q.add(bulkLetter(100_000+i, "a@lmtp.test"), body)
		}
		sent := func() int { return g.out.count("jauh.test") }
		synctest.Wait()
		if g.out.count("lain.test") != 1 || g.out.count("127.0.0.1:24") != 200 {
			t.Errorf("others: %d, %d", g.out.count("lain.test"), g.out.count("127.0.0.1:24"))
		}
		if b := g.Backlogs()["jauh.test"]; b.Pace != 15 || b.Waiting < 19_000 {
			t.Errorf("backlog %+v", b)
		}
		in := func(d time.Duration, low, high int) {
			t.Helper()
			before := sent()
			time.Sleep(d)
			synctest.Wait()
			if n := sent() - before; n < low || n > high {
				t.Errorf("%d in %s, want %d to %d", n, d, low, high)
			}
		}
		in(10*time.Minute, 145, 155)
		for i := range 50 {
			g.q.add(letter(fmt.Sprint("P", i), "a@jauh.test"), body)
		}
		before := time.Now()
		synctest.Wait()
		for i := range 50 {
			if g.q.recipient(fmt.Sprint("P", i), "a@jauh.test") != nil || time.Since(before) != 0 {
				t.Fatalf("people's mail waits: P%d", i)
			}
		}
		time.Sleep(51 * time.Minute)
		in(10*time.Minute, 295, 305)
		time.Sleep(50 * time.Minute)
		in(10*time.Minute, 590, 610)
		time.Sleep(3 * time.Hour)
		in(10*time.Minute, 595, 605)
		slow.Store(true)
		in(10*time.Minute, 295, 320)
		g.stop(t)

		again := newRigOn(g, o, states)
		again.Start()
		defer again.stop(t)
		synctest.Wait()
		if b := again.Backlogs()["jauh.test"]; b.Pace != 30 {
			t.Errorf("after a restart: %+v", b)
		}
		if !strings.Contains(g.logged.String(), "slows down") {
			t.Error("nothing in the log")
		}
	})
}

// newRigOn is a rig on the queue and the states of another, at its end.
func newRigOn(g *rig, o Options, s PaceStates) *rig {
	n := newRig(o)
	n.q.msgs = g.q.msgs
	n.deps.States = s
	n.loadPaces()
	return n
}

// With bulk queued to a destination, and one connection there, a person's message is the
// next that goes.
func TestPersonIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{StartConcurrency: 1, MaxConcurrency: 1})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			time.Sleep(time.Second)
			return each(m, delivered)
		}
		g.Start()
		defer g.stop(t)
		for i := range 500 {
			g.q.add(bulkLetter(i, "a@jauh.test"), body)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		began := len(g.out.list())
		for i := range 3 {
			g.q.add(letter(fmt.Sprint("P", i), "a@jauh.test"), body)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		people := 0
		for _, s := range g.out.list()[began:] {
			if strings.Contains(s, "P") {
				people++
			}
		}
		if people != 3 {
			t.Errorf("%d of 3 people's messages went: %q", people, g.out.list()[began:])
		}
		if next := g.out.list()[began]; !strings.Contains(next, "P0") {
			t.Errorf("next after bulk: %q", next)
		}
		time.Sleep(20 * time.Minute)
	})
}
