package mta

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
