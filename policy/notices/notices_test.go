package notices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

// world is a store, a clock and a post office.
type world struct {
	now       time.Time
	incidents []store.Incident
	state     []byte
	posted    []string // "to: subject"
	texts     []string
	fail      error
}

func (w *world) KeepState(_ context.Context, _ string, v []byte) error { w.state = v; return nil }
func (w *world) State(string) ([]byte, error)                          { return w.state, nil }

func (w *world) open(t *testing.T) *Notices {
	t.Helper()
	n, err := New(Deps{
		Incidents: func(_ context.Context, _ store.Actor, f store.IncidentFilter) ([]store.Incident, error) {
			var out []store.Incident
			for _, in := range w.incidents {
				if in.Seq > f.After {
					out = append(out, in)
				}
			}
			if f.After == 0 {
				for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
					out[i], out[j] = out[j], out[i]
				}
			}
			if f.Max > 0 && len(out) > f.Max {
				out = out[:f.Max]
			}
			return out, nil
		},
		States: w, Clock: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
		Addressees: func(_ context.Context, agency string) ([]string, error) {
			return []string{"keselamatan@" + agency + ".test"}, nil
		},
		Post: func(_ context.Context, to, subject, text string) error {
			if w.fail != nil {
				return w.fail
			}
			w.posted, w.texts = append(w.posted, to+": "+subject), append(w.texts, text)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) happen(in store.Incident) {
	in.Seq = uint64(len(w.incidents) + 1)
	in.ID, in.Time = fmt.Sprintf("I-%04d-ABC", in.Seq), w.now
	if in.Agency == "" {
		in.Agency = "agensi-a"
	}
	in.Evidence = []store.IncidentEvidence{{Path: "attachment 1", Where: "page-header", Rule: "E3", Class: in.Class}}
	w.incidents = append(w.incidents, in)
}

func (w *world) turn(t *testing.T, n *Notices, want ...string) {
	t.Helper()
	w.posted = nil
	if _, err := n.turn(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(w.posted) != len(want) {
		t.Fatalf("posted %q, want %q", w.posted, want)
	}
	all := strings.Join(w.posted, "\n")
	for _, p := range want {
		if !strings.Contains(all, p) {
			t.Errorf("posted %q, want %q", w.posted, want)
		}
	}
}

var officer = store.Incident{Class: "RAHSIA", Severity: "high", Action: "reject", Direction: "internal", Account: "satu@agensi-a.test",
	Sender: "satu@agensi-a.test", Recipients: []string{"dua@agensi-a.test"}}

// The first is told at once, those that follow in the hour together.
func TestGathered(t *testing.T) {
	w := &world{now: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)}
	n := w.open(t)
	w.turn(t, n)
	w.happen(officer)
	w.turn(t, n, "satu@agensi-a.test: E-mel anda disekat", "keselamatan@agensi-a.test: Insiden / Incident I-0001-ABC")
	for range 30 {
		w.happen(officer)
	}
	w.turn(t, n)
	w.now = w.now.Add(59 * time.Minute)
	w.turn(t, n)
	w.now = w.now.Add(time.Minute)
	w.turn(t, n, "satu@agensi-a.test: 30 e-mel anda", "keselamatan@agensi-a.test: 30 insiden")
	if !strings.Contains(w.texts[len(w.texts)-1], "10 lagi") {
		t.Errorf("the letter: %s", w.texts[len(w.texts)-1])
	}
	w.now = w.now.Add(2 * time.Hour)
	w.turn(t, n)
	if len(n.s.Groups) != 0 {
		t.Errorf("%d groups are kept for nothing", len(n.s.Groups))
	}
	w.happen(officer)
	w.turn(t, n, "satu@", "keselamatan@")
}

// Who did not log in has heard the refusal; what anybody may cause is told to nobody; and
// what need not hurry waits for the hour.
func TestWhoIsTold(t *testing.T) {
	w := &world{now: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)}
	n := w.open(t)
	outside := officer
	outside.Account, outside.Sender, outside.Direction = "", "orang@luar.test", "in"
	w.happen(outside)
	w.turn(t, n, "keselamatan@agensi-a.test")
	quiet := outside
	quiet.Quiet = true
	w.happen(quiet)
	w.turn(t, n)
	app := officer
	app.App = true
	app.Account = "app@agensi-a.test"
	w.happen(app)
	w.turn(t, n, "keselamatan@agensi-a.test")
	low := outside
	low.Severity, low.Action, low.Sender, low.Class = "low", "tag", "bank@luar.test", "SULIT"
	w.happen(low)
	w.turn(t, n)
	w.now = w.now.Add(time.Hour)
	w.turn(t, n, "keselamatan@agensi-a.test")
	both := officer
	both.Sides = []store.IncidentSide{{Agency: "agensi-b", Recipients: []string{"x@agensi-b.test"}}}
	w.happen(both)
	w.turn(t, n, "satu@agensi-a.test", "keselamatan@agensi-a.test", "keselamatan@agensi-b.test")
}

// A flood of different sources makes few letters.
func TestFlood(t *testing.T) {
	w := &world{now: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)}
	n := w.open(t)
	for i := range 300 {
		in := officer
		in.Account, in.Sender = "", fmt.Sprintf("a%d@luar.test", i)
		w.happen(in)
	}
	w.posted = nil
	if _, err := n.turn(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(w.posted) != perHour {
		t.Errorf("%d letters", len(w.posted))
	}
	w.now = w.now.Add(time.Hour)
	w.turn(t, n, "280 insiden")
}

// Nothing is told twice after a restart, and nothing is forgotten when the post fails.
func TestRestart(t *testing.T) {
	w := &world{now: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)}
	w.happen(officer)
	n := w.open(t)
	w.fail = errors.New("no room")
	if _, err := n.turn(context.Background()); err == nil {
		t.Fatal("a fault of the post is hidden")
	}
	w.fail = nil
	w.turn(t, n, "satu@", "keselamatan@")
	w.happen(officer)
	w.turn(t, n)
	n = w.open(t)
	w.turn(t, n)
	w.now = w.now.Add(time.Hour)
	w.turn(t, n, "satu@", "keselamatan@")
}

// A letter is a mention: no line of it is a mark or a field.
func TestLettersHoldNoMark(t *testing.T) {
	for _, class := range []string{"RAHSIA", "RAHSIA BESAR", "SULIT", "TERHAD", "UNINSPECTABLE", "RAHSIA?"} {
		for _, agency := range []string{"", "agensi-a"} {
			g := group{To: "a@b.test", Agency: agency, Waiting: []item{{ID: "I-1", Class: class, Where: "subject", Action: "reject"}}}
			for line := range strings.Lines(g.text()) {
				if c, _ := strings.CutSuffix(class, "?"); strings.HasPrefix(strings.TrimSpace(line), c) {
					t.Errorf("%s", line)
				}
			}
		}
	}
}
