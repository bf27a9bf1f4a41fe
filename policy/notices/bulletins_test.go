package notices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func (w *world) bulletins(t *testing.T) *Bulletins {
	t.Helper()
	b, err := NewBulletins(BulletinDeps{States: w, Clock: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
		Post: func(_ context.Context, to, subject, text string) error {
			if w.fail != nil {
				return w.fail
			}
			w.posted, w.texts = append(w.posted, to+": "+subject), append(w.texts, text)
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The first event is told at once, those of the next hour in one letter, also when the
// suite starts anew between them.
func TestBulletinsAreGathered(t *testing.T) {
	w := &world{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	b := w.bulletins(t)
	tell := func(malay, once string) {
		t.Helper()
		if err := b.Tell(t.Context(), Event{About: "notis@agensi-a.test", To: []string{"a@x.test", "b@x.test"}, Malay: malay, English: "en " + malay, Once: once}); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(want int) string {
		t.Helper()
		w.posted, w.texts = nil, nil
		if _, err := b.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.posted) != want {
			t.Fatalf("posted %v, want %d letters", w.posted, want)
		}
		return strings.Join(w.texts, "")
	}
	tell("kuota", "q")
	if text := turn(2); !strings.Contains(text, "09:00  kuota\n") || !strings.Contains(text, "09:00  en kuota\n") || strings.Index(text, "  kuota") > strings.Index(text, "en kuota") {
		t.Errorf("the first: %s", text)
	}
	for i := range 30 {
		tell("sama", "")
		tell(fmt.Sprintf("lain %d", i), "")
		tell("kuota", "q") // said once
	}
	turn(0)
	b = w.bulletins(t) // after a restart
	w.now = w.now.Add(time.Hour)
	text := turn(2)
	for _, want := range []string{"sama (30)\n", "lain 18\n", "... dan 11 lagi", "... and 11 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "kuota") {
		t.Errorf("said twice: %s", text)
	}
	if err := b.Tell(t.Context(), Event{About: "notis@agensi-a.test", To: []string{"a@x.test"}, Malay: "digantung", English: "suspended", Urgent: true}); err != nil {
		t.Fatal(err)
	}
	if text := turn(1); !strings.Contains(text, "digantung") { // though a letter went just now
		t.Errorf("urgent: %s", text)
	}
	tell("kuota", "q")
	w.now = w.now.Add(2 * time.Hour)
	turn(0)
	if b.Said("w") || !b.Said("q") {
		t.Error("what was said is not known")
	}
	w.now = w.now.Add(3 * 24 * time.Hour)
	tell("kuota", "q") // another one of this name
	turn(2)
	w.now = w.now.Add(2 * time.Hour)
	turn(0)
	if len(b.s.Letters) != 0 {
		t.Errorf("%d letters are left", len(b.s.Letters))
	}
}

// A letter that cannot be posted waits, with what comes meanwhile.
func TestBulletinsWait(t *testing.T) {
	w := &world{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), fail: errors.New("busy")}
	b := w.bulletins(t)
	for _, m := range []string{"satu", "dua"} {
		if err := b.Tell(t.Context(), Event{About: "x", To: []string{"a@x.test"}, Malay: m, English: m}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.turn(t.Context()); err == nil {
			t.Error("posted")
		}
	}
	w.fail = nil
	if next, err := b.turn(t.Context()); err != nil || len(w.texts) != 1 || !strings.Contains(w.texts[0], "satu") || !strings.Contains(w.texts[0], "dua") {
		t.Errorf("%v, %v, %v", next, err, w.texts)
	}
}
