package window

import (
	"testing"
	"time"
	_ "time/tzdata" // whatever the machine has
)

var nine = time.Date(2026, 3, 31, 9, 30, 15, 0, time.FixedZone("+08", 8*3600))

func TestWindows(t *testing.T) {
	for name, want := range map[string][2]string{
		Minute: {"2026-03-31T09:30:00+08:00", "2026-03-31T09:31:00+08:00"},
		Hour:   {"2026-03-31T09:00:00+08:00", "2026-03-31T10:00:00+08:00"},
		Day:    {"2026-03-31T00:00:00+08:00", "2026-04-01T00:00:00+08:00"},
		Month:  {"2026-03-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00"},
	} {
		if got := [2]string{Start(name, nine).Format(time.RFC3339), Next(name, nine).Format(time.RFC3339)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Where an hour comes twice it is one window, and each window ends.
func TestWindowsWhereTheClockIsSetBack(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC).In(berlin) // 02:30 the first time
	second := first.Add(time.Hour)
	if !Start(Hour, first).Equal(Start(Hour, second)) {
		t.Errorf("%s and %s are different windows", first, second)
	}
	for at := first.Add(-3 * time.Hour); at.Before(second.Add(3 * time.Hour)); at = at.Add(7 * time.Minute) {
		for _, w := range All {
			if !Next(w, at).After(at) || Start(w, at).After(at) {
				t.Fatalf("%s at %s: from %s to %s", w, at, Start(w, at), Next(w, at))
			}
		}
	}
}
