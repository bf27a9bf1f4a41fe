package mta

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/route"
	"sampul/mta/smtpout"
)

// Recipients that were put off together come again together, in one transaction; hosts that
// were passed over before an answer stand in the trace, before it.
func TestTogetherAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		first := smtpout.Result{Code: 421, Enhanced: "4.3.2", Text: "busy", Remote: "mx1.jauh.test[192.0.2.1]:25", Stage: "greeting"}
		n := 0
		g.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
			r := later
			if n++; n > 5 {
				r = delivered
			}
			r.Before = []smtpout.Result{first}
			return each(m, r)
		}
		g.Start()
		defer g.stop(t)
		g.q.add(letter("Q1", "a@jauh.test", "b@jauh.test", "c@jauh.test"), body)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		want := slices.Repeat([]string{"Q1 from=<pegawai1@agensi-a.test> to=a@jauh.test,b@jauh.test,c@jauh.test via jauh.test"}, 6)
		if got := g.out.list(); !slices.Equal(got, want) {
			t.Fatalf("sent %q", got)
		}
		var events []string
		for _, e := range g.traced.events {
			if e.Event == "tried" && (e.Host != first.Remote || e.Code != 421 || e.Text != "busy" || len(e.To) != 3) {
				t.Errorf("tried is %+v", e)
			}
			events = append(events, e.Event)
		}
		if got := strings.Join(events, " "); got != strings.TrimSpace(strings.Repeat("tried deferred ", 5)+"tried delivered") {
			t.Errorf("events: %s", got)
		}
	})
}

// What the queue files in a mailbox here is told, logged and traced, though the queue has
// no more of it by then.
func TestFiledIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.router.set("a@agensi-b.test", route.Hop{Kind: route.ToMailbox, Account: 7})
		g.Start()
		defer g.stop(t)
		e := letter("Q1", "a@agensi-b.test")
		e.Recipients[0].Notify = "SUCCESS"
		g.q.add(e, body)
		synctest.Wait()
		if n := len(g.traced.events); !slices.Equal(g.q.filed, []string{"Q1 a@agensi-b.test 7"}) || n == 0 || g.traced.events[n-1].Event != "filed" {
			t.Errorf("filed %q, trace %+v", g.q.filed, g.traced.events)
		}
		if !strings.Contains(g.logged.String(), "msg=filed id=Q1 to=a@agensi-b.test") {
			t.Errorf("the log does not tell it:\n%s", g.logged)
		}
		if got := g.said.list(); !slices.Contains(got, "delivered Q1 a@agensi-b.test ") {
			t.Errorf("told %q", got)
		}
	})
}
