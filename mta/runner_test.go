package mta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// What is accepted goes out without a poll: the clock has not moved.
func TestDeliversAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.q.add(letter("Q0", "lama@jauh.test"), body) // was there before
		g.Start()
		defer g.stop(t)
		began := time.Now()
		synctest.Wait()
		g.q.add(letter("Q1", "orang@jauh.test"), body)
		synctest.Wait()
		if g.q.len() != 0 || time.Since(began) != 0 {
			t.Fatalf("%d messages left after %s: %v", g.q.len(), time.Since(began), g.q.records())
		}
		for _, want := range []string{"msg=delivered id=Q1 to=orang@jauh.test relay=mx.test[127.0.0.1]:25 dsn=2.0.0 tls=none attempt=1"} {
			if !strings.Contains(g.logged.String(), want) {
				t.Errorf("log has no %q:\n%s", want, g.logged)
			}
		}
		if len(g.traced.events) != 2 || g.traced.events[1].Event != "delivered" || g.traced.events[1].To[0] != "orang@jauh.test" {
			t.Errorf("trace is %+v", g.traced.events)
		}
		if n := g.Numbers(); n.Messages != 0 || n.Active != 0 {
			t.Errorf("numbers are %+v", n)
		}
	})
}

// Recipients go out together when they share hop and reverse-path.
func TestTransactions(t *testing.T) {
	hundred := make([]string, 101)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("o%d@jauh.test", i)
	}
	host := route.Hop{Kind: route.ToHost, Host: "10.0.0.1:25"}
	with := func(e store.Envelope, f func(e *store.Envelope)) store.Envelope { f(&e); return e }
	for _, tt := range []struct {
		name string
		env  store.Envelope
		want []string
	}{
		{"one domain", letter("Q", "a@jauh.test", "b@jauh.test"), []string{"Q from=<pegawai1@agensi-a.test> to=a@jauh.test,b@jauh.test via jauh.test"}},
		{"two domains", letter("Q", "a@jauh.test", "b@lain.test"), []string{
			"Q from=<pegawai1@agensi-a.test> to=a@jauh.test via jauh.test", "Q from=<pegawai1@agensi-a.test> to=b@lain.test via lain.test"}},
		{"two domains, one host", letter("Q", "a@satu.test", "b@dua.test"), []string{"Q from=<pegawai1@agensi-a.test> to=a@satu.test,b@dua.test via 10.0.0.1:25"}},
		{"another reverse-path", with(letter("Q", "a@jauh.test", "b@jauh.test"), func(e *store.Envelope) { e.Recipients[1].From = "srs@agensi-a.test" }), []string{
			"Q from=<pegawai1@agensi-a.test> to=a@jauh.test via jauh.test", "Q from=<srs@agensi-a.test> to=b@jauh.test via jauh.test"}},
		{"a null reverse-path stays", with(letter("Q", "a@jauh.test"), func(e *store.Envelope) { e.From = ""; e.Recipients[0].From = "srs@agensi-a.test" }), []string{
			"Q from=<> to=a@jauh.test via jauh.test"}},
		{"fields of its own", with(letter("Q", "a@jauh.test", "b@jauh.test"), func(e *store.Envelope) { e.Recipients[1].Prefix = []byte("X: 1\r\n") }), []string{
			"Q from=<pegawai1@agensi-a.test> to=a@jauh.test via jauh.test", "Q from=<pegawai1@agensi-a.test> to=b@jauh.test via jauh.test"}},
		{"a hundred and one", letter("Q", hundred...), []string{
			"Q from=<pegawai1@agensi-a.test> to=" + strings.Join(hundred[:100], ",") + " via jauh.test", "Q from=<pegawai1@agensi-a.test> to=o100@jauh.test via jauh.test"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{})
				g.router.set("satu.test", host)
				g.router.set("dua.test", host)
				g.Start()
				defer g.stop(t)
				g.q.add(tt.env, body)
				synctest.Wait()
				got := slices.Sorted(slices.Values(g.out.list()))
				want := slices.Sorted(slices.Values(tt.want))
				if !slices.Equal(got, want) || g.q.len() != 0 {
					t.Fatalf("sent %q, want %q; %d left", got, want, g.q.len())
				}
			})
		})
	}
}

// Each agency's administrators hear of their own recipients alone.
func TestTraceByAgency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		e := letter("Q1", "a@agensi-a.test", "b@agensi-b.test", "c@agensi-a.test")
		for i, agency := range []string{"agensi-a", "agensi-b", "agensi-a"} {
			e.Recipients[i].Agency = agency
			g.router.set(domainOf(e.Recipients[i].Path), route.Hop{Kind: route.ToHost, Host: "10.0.0.1:25"})
		}
		g.q.add(e, body)
		g.q.msgs["Q1"].entry.Agency = "" // it came from outside, for several
		g.Start()
		defer g.stop(t)
		synctest.Wait()
		told := map[string][]string{}
		for _, e := range g.traced.events {
			for _, a := range e.Agencies {
				told[a] = append(told[a], e.To...)
			}
		}
		if a, b := told["agensi-a"], told["agensi-b"]; !slices.Equal(a, []string{"a@agensi-a.test", "c@agensi-a.test"}) ||
			!slices.Equal(b, []string{"b@agensi-b.test"}) || len(g.out.list()) != 1 {
			t.Errorf("told %q, sent %q", told, g.out.list())
		}
	})
}

// A recipient that is refused for a while is tried by the schedule until it expires; then
// its sender is told, once, before the outcome is recorded.
func TestScheduleAndExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, later) }
		g.Start()
		defer g.stop(t)
		began := time.Now()
		g.q.add(letter("Q1", "orang@jauh.test"), body)
		time.Sleep(5*24*time.Hour - time.Minute)
		synctest.Wait()
		if g.q.len() != 1 {
			t.Fatalf("gone before its lifetime ended: %v", g.q.records())
		}
		steps := []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 4 * time.Hour}
		last := began
		times := g.out.when()
		for i, step := range steps {
			got := times[i].Sub(last)
			if got < step*9/10-time.Second || got > step*11/10+time.Second {
				t.Errorf("attempt %d came after %s, want %s", i, got, step)
			}
			last = times[i]
		}
		if n := len(times); n < 33 || n > 39 {
			t.Errorf("%d attempts in 5 days", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if g.q.len() != 0 {
			t.Fatalf("still there after its lifetime")
		}
		if got := g.said.list(); !slices.Equal(got, []string{"delayed Q1 orang@jauh.test 4.3.0", "failed Q1 orang@jauh.test 4.3.0"}) {
			t.Errorf("told %q", got)
		}
	})
}

func TestOutcomes(t *testing.T) {
	unsure := smtpout.Result{Text: "", Stage: "dot", Unsure: true, Remote: "mx.test[127.0.0.1]:25"}
	noDSN := delivered
	noDSN.DSN = false
	for _, tt := range []struct {
		name   string
		res    smtpout.Result
		notify string
		hop    route.HopKind
		done   bool
		told   []string
	}{
		{"delivered", delivered, "", route.ToMX, true, nil},
		{"delivered, success wanted, the other side tells", delivered, "SUCCESS", route.ToMX, true, nil},
		{"delivered, success wanted, the other side cannot tell", noDSN, "SUCCESS", route.ToMX, true, []string{"relayed Q1 a@jauh.test 2.0.0"}},
		{"delivered by LMTP", noDSN, "SUCCESS", route.ToLMTP, true, []string{"delivered Q1 a@jauh.test 2.0.0"}},
		{"refused", refused, "", route.ToMX, true, []string{"failed Q1 a@jauh.test 5.1.1"}},
		{"refused, nothing wanted", refused, "NEVER", route.ToMX, true, nil},
		{"refused, success wanted", refused, "SUCCESS", route.ToMX, true, nil},
		{"unsure is tried again", unsure, "", route.ToMX, false, nil},
		{"later", later, "", route.ToMX, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(Options{})
				g.router.set("jauh.test", route.Hop{Kind: tt.hop, Domain: "jauh.test", Host: "h:24"})
				g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, tt.res) }
				g.Start()
				defer g.stop(t)
				e := letter("Q1", "a@jauh.test")
				e.Recipients[0].Notify = tt.notify
				g.q.add(e, body)
				synctest.Wait()
				if (g.q.len() == 0) != tt.done || !slices.Equal(g.said.list(), tt.told) {
					t.Fatalf("done %v, told %q, want %v, %q", g.q.len() == 0, g.said.list(), tt.done, tt.told)
				}
			})
		})
	}
}

// One refused of two: the other one is delivered, and only the first is told of.
func TestEachRecipientHasItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			out := each(m, delivered)
			out[0] = refused
			if len(out) > 2 {
				out[2] = later
			}
			return out
		}
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@jauh.test", "b@jauh.test", "c@jauh.test"), body)
		synctest.Wait()
		want := []string{"Q1 a@jauh.test 550 no such user done", "Q1 b@jauh.test 250 ok done", "Q1 c@jauh.test 451 try later"}
		if !slices.Equal(g.q.records(), want) || g.q.count("Q1") != 1 {
			t.Fatalf("recorded %q in %d records", g.q.records(), g.q.count("Q1"))
		}
		g.out.set(nil)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if g.out.list()[len(g.out.list())-1] != "Q1 from=<pegawai1@agensi-a.test> to=c@jauh.test via jauh.test" || g.q.len() != 0 {
			t.Fatalf("sent %q", g.out.list())
		}
	})
}

// A report that cannot be posted keeps the recipient in the queue: it is never lost. What
// was delivered is over all the same.
func TestReportBeforeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if m.To[0].Address == "a@jauh.test" {
				return each(m, refused)
			}
			r := delivered
			r.DSN = false
			return each(m, r)
		}
		g.said.fail = errors.New("the disk is full")
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@jauh.test"), body)
		e := letter("Q2", "b@jauh.test")
		e.Recipients[0].Notify = "SUCCESS"
		g.q.add(e, body)
		synctest.Wait()
		if g.q.recipient("Q1", "a@jauh.test") == nil || g.q.recipient("Q2", "b@jauh.test") != nil {
			t.Fatalf("recorded %q", g.q.records())
		}
		g.said.mu.Lock()
		g.said.fail = nil
		g.said.mu.Unlock()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if got := g.said.list(); g.q.len() != 0 || !slices.Equal(got, []string{"failed Q1 a@jauh.test 5.1.1"}) {
			t.Fatalf("%d left, told %q", g.q.len(), got)
		}
	})
}

// News that is older than the last outcome does not bring a recipient back.
func TestOldNewsDoNotDeliverTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.Start()
		defer g.stop(t)
		g.q.watch = nil // the engine is slow to tell
		e := letter("Q1", "a@jauh.test", "b@lain.test")
		g.q.add(e, body)
		old := g.q.msgs["Q1"].entry
		g.out.answer = func(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if h.Domain == "lain.test" {
				return each(m, later)
			}
			return each(m, delivered)
		}
		g.learn(old)
		synctest.Wait()
		g.learn(old)
		synctest.Wait()
		if len(g.out.list()) != 2 {
			t.Fatalf("sent %q", g.out.list())
		}
	})
}

// What an administrator holds is not tried, also when it was ready; release lets it go on.
func TestHoldAndRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{StartConcurrency: 1, MaxConcurrency: 1})
		gate := make(chan struct{})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			<-gate
			return each(m, delivered)
		}
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@jauh.test"), body)
		g.q.add(letter("Q2", "b@jauh.test"), body)
		synctest.Wait()
		if got := g.Active(); !slices.Equal(got, []string{"Q1"}) {
			t.Fatalf("active: %q", got)
		}
		if got := g.Trying(); len(got) != 1 || !slices.Equal(got["Q1"], []string{"a@jauh.test"}) {
			t.Fatalf("trying: %q", got)
		}
		g.q.QueueHold(context.Background(), store.System, store.QueueFilter{IDs: []string{"Q1", "Q2"}}, "asked for")
		close(gate)
		time.Sleep(10 * 24 * time.Hour) // held ones do not expire
		synctest.Wait()
		if len(g.out.list()) != 1 || g.q.recipient("Q1", "a@jauh.test") != nil || g.q.recipient("Q2", "b@jauh.test") == nil {
			t.Fatalf("sent %q, recorded %q", g.out.list(), g.q.records())
		}
		if !strings.Contains(g.logged.String(), "held longer than their lifetime") {
			t.Errorf("that it is held for long is not told:\n%s", g.logged)
		}
		g.q.release("Q2")
		synctest.Wait()
		if len(g.out.list()) != 2 || g.q.len() != 0 {
			t.Fatalf("sent %q", g.out.list())
		}
	})
}

// What is dropped while it waits, or while it is in delivery, is not tried again.
func TestDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		gate := make(chan struct{})
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			<-gate
			return each(m, later)
		}
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@jauh.test"), body)
		synctest.Wait()
		g.q.drop("Q1")
		close(gate)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(g.out.list()) != 1 || g.Numbers().Messages != 0 {
			t.Fatalf("sent %q, numbers %+v", g.out.list(), g.Numbers())
		}
	})
}

// Mail that moves waits with a reason, recorded once; a kick looks again at once.
func TestWaitsAndKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.router.set("a@pindah.test", route.Hop{Kind: route.Wait, Why: "the address moves", Moving: true})
		g.router.set("b@pindah.test", route.Hop{Kind: route.Wait, Why: "the address moves", Moving: true})
		g.router.set("c@pindah.test", route.Hop{Kind: route.Wait, Why: "the address moves", Moving: true})
		g.router.set("tahan.test", route.Hop{Kind: route.Wait, Why: "domain is held"})
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@pindah.test", "b@pindah.test"), body)
		g.q.add(letter("Q2", "x@tahan.test"), body)
		g.q.add(letter("Q3", "c@pindah.test"), body)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if p := g.q.recipient("Q1", "a@pindah.test"); p == nil || p.Attempts != 0 || p.Text != "the address moves" || g.q.count("Q1") != 1 {
			t.Fatalf("recipient %+v, %d records", p, g.q.count("Q1"))
		}
		before := time.Now()
		g.router.set("a@pindah.test", route.Hop{Kind: route.ToMailbox, Account: 7})
		g.router.set("b@pindah.test", route.Hop{Kind: route.ToNobody, Refused: &route.Refusal{Code: 550, Enhanced: "5.1.1", Text: "nobody"}})
		g.Kick("PINDAH.test")
		synctest.Wait()
		if time.Since(before) != 0 || !slices.Equal(g.q.filed, []string{"Q1 a@pindah.test 7"}) ||
			!slices.Contains(g.said.list(), "failed Q1 b@pindah.test 5.1.1") || g.q.recipient("Q1", "b@pindah.test") != nil {
			t.Fatalf("filed %q, told %q", g.q.filed, g.said.list())
		}
		time.Sleep(6 * 24 * time.Hour)
		synctest.Wait()
		if g.q.recipient("Q2", "x@tahan.test") != nil || g.q.recipient("Q3", "c@pindah.test") == nil {
			t.Fatalf("a held domain's mail lives as long as any, a moving address's longer: %q", g.q.records())
		}
		time.Sleep(25 * 24 * time.Hour)
		synctest.Wait()
		if g.q.len() != 0 || len(g.out.list()) != 0 {
			t.Fatalf("%d left, sent %q", g.q.len(), g.out.list())
		}
	})
}

// Without a kick a changed route is seen within a minute.
func TestRouteIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.router.set("tahan.test", route.Hop{Kind: route.Wait, Why: "domain is held"})
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q2", "x@tahan.test"), body)
		time.Sleep(10 * time.Minute)
		g.router.set("tahan.test", route.Hop{Kind: route.ToMX, Domain: "tahan.test"})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if g.q.len() != 0 {
			t.Fatalf("not delivered: %q", g.q.records())
		}
	})
}

// Shutdown begins nothing new, waits, then breaks off; what was broken off stays as it was.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{StartConcurrency: 1, MaxConcurrency: 1})
		g.out.answer = func(ctx context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			if h.Domain == "lambat.test" {
				<-ctx.Done()
				r := nobody
				r.Text = "broken off"
				return each(m, r)
			}
			time.Sleep(10 * time.Second)
			return each(m, delivered)
		}
		g.Start()
		g.q.add(letter("Q1", "a@jauh.test"), body)
		g.q.add(letter("Q2", "b@jauh.test"), body)
		g.q.add(letter("Q3", "c@lambat.test"), body)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := g.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("shutdown: %v", err)
		}
		if len(g.out.list()) != 2 || !slices.Equal(g.q.records(), []string{"Q1 a@jauh.test 250 ok done"}) {
			t.Fatalf("sent %q, recorded %q", g.out.list(), g.q.records())
		}
	})
}
