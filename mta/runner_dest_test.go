package mta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// A destination that does not answer is probed by one message at a time. The others stay
// parked under it, each with its reason on record; when it answers again they all go.
func TestDeadDestination(t *testing.T) {
	const n = 5000
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		var alive atomic.Bool
		g.out.answer = func(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if h.Domain == "mati.test" && !alive.Load() {
				time.Sleep(30 * time.Second) // a connection that times out
				return each(m, nobody)
			}
			return each(m, delivered)
		}
		for i := range n {
			g.q.add(letter(fmt.Sprint("M", i), "a@mati.test"), body)
		}
		g.Start()
		defer g.stop(t)
		time.Sleep(31 * time.Second)
		before := time.Now()
		if b := g.Backlogs()["mati.test"]; b.Waiting < n-20 || !b.Until.After(before) || b.Last.Text != "connection refused" {
			t.Errorf("why the rest waits: %+v", b)
		}
		for i := range 100 {
			g.q.add(letter(fmt.Sprint("H", i), "a@hidup.test"), body)
		}
		synctest.Wait()
		if g.out.count("hidup.test") < 100 || time.Since(before) != 0 {
			t.Fatalf("the living one waits: %d", g.out.count("hidup.test"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if c := g.out.count("mati.test"); c > 15 {
			t.Errorf("%d attempts at a dead destination in an hour", c)
		}
		if _, most := g.out.running("mati.test"); most > 5 {
			t.Errorf("%d at a time", most)
		}
		for i := range n {
			p := g.q.recipient(fmt.Sprint("M", i), "a@mati.test")
			if p.Text != "connection refused" || p.Remote == "" || !p.NextTry.After(before) {
				t.Fatalf("M%d has %+v", i, p)
			}
			if d := g.q.count(fmt.Sprint("M", i)); d > 6 {
				t.Fatalf("M%d was recorded %d times in an hour", i, d)
			}
		}
		if num := g.Numbers(); num.Dead != 1 || num.Parked < n-20 {
			t.Errorf("numbers are %+v", num)
		}
		alive.Store(true)
		time.Sleep(17 * time.Minute) // the longest back-off
		synctest.Wait()
		if num := g.Numbers(); num.Dead != 0 || num.Parked+num.Ready != 0 {
			t.Fatalf("numbers are %+v", num)
		}
		time.Sleep(5 * time.Hour) // those that were tried themselves wait by the schedule
		synctest.Wait()
		if g.q.len() != 0 {
			t.Fatalf("%d left", g.q.len())
		}
	})
}

// An administrator's retry is tried at once, back-off or not.
func TestRetryLiftsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		var alive atomic.Bool
		g.out.answer = func(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if !alive.Load() {
				return each(m, nobody)
			}
			return each(m, delivered)
		}
		for i := range 20 {
			g.q.add(letter(fmt.Sprint("M", i), "a@mati.test"), body)
		}
		g.Start()
		defer g.stop(t)
		time.Sleep(5 * time.Second)
		if g.Numbers().Dead != 1 {
			t.Fatalf("numbers are %+v", g.Numbers())
		}
		alive.Store(true)
		before := time.Now()
		g.q.retry("M19")
		synctest.Wait()
		if g.q.recipient("M19", "a@mati.test") != nil || time.Since(before) != 0 || !slices.Contains(g.out.forgets, "mati.test") {
			t.Fatalf("forgets %q, sent %q", g.out.forgets, g.out.list())
		}
	})
}

// Concurrency follows the answers: up with success to the cap, half with each sign that
// the other side has enough.
func TestConcurrencyAdapts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		var slow atomic.Bool
		g.router.set("rumah.test", route.Hop{Kind: route.ToHost, Host: "127.0.0.1:25"})
		g.out.answer = func(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			time.Sleep(time.Second)
			if slow.Load() {
				r := later
				r.Code, r.Slow, r.Stage = 421, true, "mail"
				return each(m, r)
			}
			return each(m, delivered)
		}
		for i := range 8000 {
			g.q.add(letter(fmt.Sprint("M", i), "a@"+[]string{"jauh.test", "rumah.test"}[i%2]), body)
		}
		g.Start()
		defer g.stop(t)
		time.Sleep(500 * time.Millisecond)
		if b, _ := g.out.running("jauh.test"); b != 5 {
			t.Errorf("begins with %d", b)
		}
		time.Sleep(60 * time.Second)
		now, most := g.out.running("jauh.test")
		if _, host := g.out.running("127.0.0.1:25"); now != 20 || most != 20 || host < 40 {
			t.Errorf("grew to %d, most %d; the host to %d", now, most, host)
		}
		slow.Store(true)
		time.Sleep(2 * time.Second)
		if b, _ := g.out.running("jauh.test"); b != 10 && b != 5 {
			t.Errorf("after 421: %d", b)
		}
		time.Sleep(20 * time.Second)
		if b, _ := g.out.running("jauh.test"); b != 1 {
			t.Errorf("after many 421: %d", b)
		}
	})
}

// Bulk never delays people: neither at a destination, nor by taking all workers.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{BulkWorkers: 30})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if strings.HasPrefix(m.ID, "B") {
				time.Sleep(time.Hour)
			}
			return each(m, delivered)
		}
		g.Start()
		defer g.stop(t)
		for i := range 1000 {
			e := letter(fmt.Sprint("B", i), fmt.Sprintf("a@d%d.test", i%20))
			e.Lane = store.LaneBulk
			g.q.add(e, body)
		}
		synctest.Wait()
		if a := len(g.Active()); a != 30 {
			t.Errorf("%d of 30 bulk workers run", a)
		}
		if _, m := g.out.running("d0.test"); m > 4 {
			t.Errorf("bulk has %d of 5 connections", m)
		}
		before := time.Now()
		for i := range 100 {
			g.q.add(letter(fmt.Sprint("P", i), fmt.Sprintf("a@d%d.test", i%20)), body)
		}
		synctest.Wait()
		if c := g.out.count("P"); c != 100 || time.Since(before) != 0 {
			t.Fatalf("%d of 100 of people's mail went out after %s", c, time.Since(before))
		}
		time.Sleep(40 * time.Hour)
		synctest.Wait()
		if g.q.len() != 0 {
			t.Errorf("%d of bulk left", g.q.len())
		}
	})
}

// A window of one is no reason for people to wait until a bulk message is through.
func TestPeopleHaveAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{StartConcurrency: 1, MaxConcurrency: 1})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if m.ID == "B" {
				time.Sleep(time.Hour)
			}
			return each(m, delivered)
		}
		g.Start()
		defer g.stop(t)
		e := letter("B", "a@jauh.test")
		e.Lane = store.LaneBulk
		g.q.add(e, body)
		synctest.Wait()
		g.q.add(letter("P", "a@jauh.test"), body)
		synctest.Wait()
		if g.q.recipient("P", "a@jauh.test") != nil {
			t.Error("a person waits for bulk")
		}
		time.Sleep(2 * time.Hour)
	})
}

// Wedged in every way there is, a message still expires, and its sender is told.
func TestExpiryInEveryState(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(g *rig)
		want  string // of the text on record
	}{
		{"attempts that never end", func(g *rig) {
			g.out.answer = func(context.Context, smtpout.Hop, *smtpout.Message) []smtpout.Result {
				time.Sleep(100 * 24 * time.Hour) // does not even hear its context
				return nil
			}
		}, "could not be tried"},
		{"no worker is free", func(g *rig) { g.o.PeopleWorkers = 0 }, "could not be tried"},
		{"the destination is dead", func(g *rig) {
			g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, nobody) }
		}, "connection refused"},
		{"no route is known", func(g *rig) { g.router.fail = errors.New("the directory is away") }, "could not be tried"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{})
				tt.setup(g)
				g.Start()
				const n = 12
				for i := range n {
					g.q.add(letter(fmt.Sprint("Q", i), "a@baji.test"), body)
				}
				limit := 5 * 24 * time.Hour
				if g.router.fail != nil {
					limit = 30 * 24 * time.Hour // it may be an address that moves
				}
				time.Sleep(limit - time.Minute)
				synctest.Wait()
				if g.q.len() != n {
					t.Errorf("%d left before the lifetime ended", g.q.len())
				}
				time.Sleep(2*time.Hour + 5*time.Minute)
				synctest.Wait()
				if g.q.len() != 0 {
					t.Fatalf("%d left after the lifetime", g.q.len())
				}
				failed := 0
				for _, s := range g.said.list() {
					if strings.HasPrefix(s, "failed") {
						failed++
					}
				}
				if failed != n {
					t.Errorf("%d of %d were told", failed, n)
				}
				if l := g.q.records()[len(g.q.records())-1]; !strings.Contains(l, tt.want) {
					t.Errorf("the last record is %q", l)
				}
				time.Sleep(100 * 24 * time.Hour)
				g.stop(t)
			})
		})
	}
}

// A message that cannot be handled is held, and everything else goes on.
func TestPoisoned(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(g *rig)
	}{
		{"its body is damaged", func(g *rig) { g.q.msgs["BAD"].bad = store.ErrDamaged }},
		{"the sender panics", func(g *rig) {
			g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
				if m.ID == "BAD" {
					panic("nil somewhere")
				}
				return each(m, delivered)
			}
		}},
		{"the router panics", func(g *rig) { g.router.bad = "bad@jauh.test" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{StartConcurrency: 1, MaxConcurrency: 1})
				g.q.add(letter("BAD", "bad@jauh.test"), body)
				tt.setup(g)
				g.Start()
				defer g.stop(t)
				for i := range 50 {
					g.q.add(letter(fmt.Sprint("Q", i), "a@jauh.test"), body)
				}
				time.Sleep(20 * 24 * time.Hour)
				synctest.Wait()
				if g.q.len() != 1 || g.q.recipient("BAD", "bad@jauh.test").State != store.Holding || !strings.Contains(g.q.msgs["BAD"].entry.Why, "held by the queue") {
					t.Fatalf("%d left, BAD is %+v", g.q.len(), g.q.msgs["BAD"])
				}
				if g.out.count("BAD") > 1 || !strings.Contains(g.logged.String(), "level=ERROR") {
					t.Errorf("tried %d times; log:\n%s", g.out.count("BAD"), g.logged)
				}
			})
		})
	}
}

// A fault of ours, such as a signer that fails, is not the destination's, and passes.
func TestFaultsOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.q.add(letter("Q1", "a@jauh.test"), body)
		g.q.msgs["Q1"].bad = errors.New("too many open files")
		g.Start()
		defer g.stop(t)
		synctest.Wait()
		if g.q.len() != 1 || len(g.q.records()) != 0 {
			t.Fatalf("recorded %q", g.q.records())
		}
		g.q.mu.Lock()
		g.q.msgs["Q1"].bad = nil
		g.q.mu.Unlock()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if g.q.len() != 0 {
			t.Fatal("not tried again")
		}
	})
}

// What stops an attempt between two transactions does not have the first one made again.
func TestFaultBetweenTransactions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault error // of the body, from the second transaction on; nil panics
	}{
		{"a fault that passes", errors.New("too many open files")},
		{"a damaged body", store.ErrDamaged},
		{"a panic", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{})
				e := letter("Q1", "a@jauh.test", "b@jauh.test")
				e.Recipients[1].From = "srs@agensi-a.test" // goes out by itself
				g.q.add(e, body)
				broken := true
				g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
					g.q.mu.Lock()
					defer g.q.mu.Unlock()
					if m.To[0].Address == "b@jauh.test" && broken {
						broken = false
						panic("nil somewhere")
					}
					if broken && tt.fault != nil {
						g.q.msgs["Q1"].bad, broken = tt.fault, false
					}
					return each(m, delivered)
				}
				g.Start()
				defer g.stop(t)
				synctest.Wait()
				if g.q.recipient("Q1", "a@jauh.test") != nil || g.q.recipient("Q1", "b@jauh.test") == nil {
					t.Errorf("recorded %q", g.q.records())
				}
				g.q.mu.Lock()
				g.q.msgs["Q1"].bad = nil
				g.q.mu.Unlock()
				g.q.release("Q1")
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := g.out.count("to=a@jauh.test"); n != 1 || g.q.len() != 0 {
					t.Fatalf("sent %q, %d left", g.out.list(), g.q.len())
				}
			})
		})
	}
}

// The sender hears once of a delay, where it wants to.
func TestDelayIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.out.answer = func(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if h.Domain == "mati.test" {
				return each(m, nobody)
			}
			return each(m, later)
		}
		notify := map[string]string{"Q1": "", "Q2": "DELAY", "Q3": "FAILURE", "Q4": "NEVER"}
		for _, id := range []string{"Q1", "Q2", "Q3", "Q4"} {
			e := letter(id, "a@jauh.test")
			e.Recipients[0].Notify = notify[id]
			g.q.add(e, body)
		}
		g.q.add(letter("Q5", "a@mati.test"), body)
		null := letter("Q6", "a@jauh.test")
		null.From = ""
		g.q.add(null, body)
		g.Start()
		defer g.stop(t)
		time.Sleep(3*time.Hour + 59*time.Minute)
		if got := g.said.list(); len(got) != 0 {
			t.Errorf("told early: %q", got)
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		got := g.said.list()
		slices.Sort(got)
		if !slices.Equal(got, []string{"delayed Q1 a@jauh.test 4.3.0", "delayed Q2 a@jauh.test 4.3.0", "delayed Q5 a@mati.test 4.4.1"}) {
			t.Fatalf("told %q", got)
		}
		if p := g.q.recipient("Q1", "a@jauh.test"); !p.Delayed || p.Attempts < 6 {
			t.Errorf("on record: %+v", p)
		}
	})
}

// What goes out: signatures, fields of the recipient, our trace without Return-Path, the body.
func TestOpen(t *testing.T) {
	big := "Subject: besar\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 5000)
	for _, tt := range []struct{ name, prefix, extra, body, want string }{
		{"all of it", "Return-Path: <a@b.test>\r\nReceived: by us\r\n", "X-Own: 1\r\n", body, "DKIM: 1\r\nX-Own: 1\r\nReceived: by us\r\n" + body},
		{"a large one", "Return-Path: <a@b.test>\r\nReceived: by us\r\n", "", big, "DKIM: 1\r\nReceived: by us\r\n" + big},
		{"no Return-Path", "Received: by us\r\n", "", body, "DKIM: 1\r\nReceived: by us\r\n" + body},
		{"folded, and in between", "Received: by\r\n us\r\nreturn-path:\r\n <>\r\nX: 1\r\n", "", body, "DKIM: 1\r\nReceived: by\r\n us\r\nX: 1\r\n" + body},
		{"twice", "Return-Path: <a@b.test>\r\nReturn-Path: <c@d.test>\r\n", "", body, "DKIM: 1\r\n" + body},
		{"nothing", "", "", body, "DKIM: 1\r\n" + body},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{})
				g.out.read = true
				s := &fakeSigner{}
				g.deps.Signer = s
				g.Start()
				defer g.stop(t)
				e := letter("Q1", "a@jauh.test")
				e.Prefix, e.Recipients[0].Prefix = []byte(tt.prefix), []byte(tt.extra)
				g.q.add(e, tt.body)
				synctest.Wait()
				if got := g.out.texts["Q1"]; got != tt.want {
					t.Errorf("sent %.300q, want %.300q", got, tt.want)
				}
				if s.saw != strings.TrimPrefix(tt.want, "DKIM: 1\r\n") || s.agency != "agensi-a" {
					t.Errorf("signed %.300q for %q", s.saw, s.agency)
				}
			})
		})
	}
}

// The heap gives what is due first, whatever is put, moved and removed.
// Jobs keep their numbers whoever overtakes, and to overtake does not move all that wait.
func TestFifo(t *testing.T) {
	f := fifo{base: firstNumber}
	number := map[*job]uint64{}
	moved := 0
	var at **job
	for i := range 20_000 {
		j := &job{began: int64(i)}
		if i < 10_000 {
			f.push(j)
			number[j] = f.to() - 1
			continue
		}
		f.pushFirst(j)
		number[j] = f.from()
		if last := &f.q[len(f.q)-1]; last != at {
			moved, at = moved+1, last
		}
		if i%1000 == 0 {
			delete(number, f.pop())
		}
	}
	if moved > 40 {
		t.Errorf("moved %d times", moved)
	}
	if f.len() != len(number) {
		t.Fatalf("%d wait, want %d", f.len(), len(number))
	}
	for j, n := range number {
		if f.get(n) != j {
			t.Fatalf("another job has number %d", n)
		}
	}
	for want := f.from(); f.len() > 0; want++ {
		if j := f.pop(); number[j] != want {
			t.Fatalf("number %d comes in place of %d", number[j], want)
		}
	}
}

func TestDueHeap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h dueHeap
	all := make(map[*entry]bool)
	for range 5000 {
		switch {
		case len(all) == 0 || rnd.IntN(3) > 0:
			e := &entry{due: int64(rnd.IntN(1000))}
			h.put(e)
			all[e] = true
		default:
			for e := range all {
				if rnd.IntN(2) == 0 {
					e.due = int64(rnd.IntN(1000))
					h.put(e)
				} else {
					h.remove(e)
					delete(all, e)
				}
				break
			}
		}
	}
	last := int64(-1)
	for len(h) > 0 {
		e := h[0]
		if e.due < last || !all[e] || e.at != 1 {
			t.Fatalf("due %d after %d", e.due, last)
		}
		last = e.due
		h.remove(e)
		delete(all, e)
	}
	if len(all) != 0 {
		t.Fatalf("%d lost", len(all))
	}
}

// 200,000 messages for a dead destination take less than 100 MB of the runner's memory.
func TestMemory(t *testing.T) {
	const n = 200_000
	g := newRig(Options{})
	g.q = nil
	q := &countedQueue{n: n, due: time.Now().Add(-time.Minute)}
	g.deps.Queue = q
	g.out.answer = func(ctx context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, nobody) }
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g.Start()
	for g.Numbers().Parked < n-10 {
		runtime.Gosched()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d octets an entry", used/n)
	if used > 100<<20 {
		t.Errorf("%d MB for %d entries", used>>20, n)
	}
	g.stop(t)
}

// countedQueue has n messages for one domain.
type countedQueue struct {
	fakeQueue
	n   int
	due time.Time
}

func (q *countedQueue) QueueEach(f func(store.QueueEntry)) {
	for i := range q.n {
		f(store.QueueEntry{ID: fmt.Sprintf("%010d", i), From: "a@agensi-a.test", Created: q.due, Agency: strings.Clone("agensi-a"),
			Recipients: []store.QueueRecipient{{Address: fmt.Sprintf("orang%d@mati.test", i), State: store.Waiting, NextTry: q.due}}})
	}
}

func (q *countedQueue) QueueEnvelope(_ context.Context, id string) (*store.Envelope, error) {
	var i int
	fmt.Sscanf(id, "%d", &i)
	return &store.Envelope{QueueID: id, From: "a@agensi-a.test", Recipients: []store.Recipient{{Path: fmt.Sprintf("orang%d@mati.test", i)}}}, nil
}

func (q *countedQueue) OpenQueueBody(context.Context, string) (store.BodyReader, error) {
	return fakeBody{bytes.NewReader([]byte(body))}, nil
}

func (q *countedQueue) QueueDone(context.Context, string, []store.Outcome) error { return nil }
