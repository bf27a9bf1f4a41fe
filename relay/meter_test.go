package relay

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

var (
	kl    = time.FixedZone("+08", 8*3600)
	nine  = time.Date(2026, 3, 31, 9, 30, 15, 0, kl)
	hours = func(s string) Hours {
		h, err := ParseHours(s)
		if err != nil {
			panic(err)
		}
		return h
	}
)

func quota(name string, n uint64) *Limits {
	return &Limits{Quota: map[string]uint64{name: n}}
}

func TestHours(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 3, 1, h, 10, 0, 0, kl) }
	for _, c := range []struct {
		hours string
		in    []int
		out   []int
	}{{"08-18", []int{8, 17}, []int{7, 18, 0}}, {"22-06", []int{22, 0, 5}, []int{6, 21}}, {"", []int{0, 12, 23}, nil}, {"00-24", []int{0, 23}, nil}} {
		for _, h := range c.in {
			if !hours(c.hours).Holds(at(h)) {
				t.Errorf("%s does not hold %d", c.hours, h)
			}
		}
		for _, h := range c.out {
			if hours(c.hours).Holds(at(h)) {
				t.Errorf("%s holds %d", c.hours, h)
			}
		}
	}
	if got := hours("22-06").Next(at(10)); got.Hour() != 22 || got.Minute() != 0 {
		t.Errorf("next: %s", got)
	}
	for _, bad := range []string{"8", "08-08", "25-26", "-1-5", "a-b", "08--18", "08-25"} {
		if h, err := ParseHours(bad); err == nil {
			t.Errorf("%q is %v", bad, h)
		}
	}
}

// Sixteen at once are granted exactly the quota.
func TestExactWhoeverComes(t *testing.T) {
	m := NewMeter(nil, time.Time{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := 0
	for worker := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 500 {
				g, err := m.Take(nine, 1, quota(store.WindowHour, 1000))
				if err != nil {
					continue
				}
				if rnd.IntN(5) == 0 { // its message is refused
					m.Give(g)
					continue
				}
				mu.Lock()
				kept++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for {
		if _, err := m.Take(nine, 1, quota(store.WindowHour, 1000)); err != nil {
			break
		}
		kept++
	}
	if used, _ := m.Used(store.WindowHour, nine); kept != 1000 || used != 1000 {
		t.Errorf("%d granted, %d used", kept, used)
	}
}

func TestOver(t *testing.T) {
	m := NewMeter([]store.AppCount{{Window: store.WindowHour, Start: window.Start(store.WindowHour, nine), Count: 9},
		{Window: store.WindowDay, Start: window.Start(store.WindowDay, nine), Count: 9}}, time.Time{})
	l := &Limits{Quota: map[string]uint64{store.WindowHour: 10, store.WindowDay: 10}}
	if _, err := m.Take(nine, 1, l); err != nil {
		t.Fatal(err)
	}
	_, err := m.Take(nine, 1, l)
	var over *Over
	if !errors.As(err, &over) || over.Window != store.WindowDay || over.Opens.Format(time.RFC3339) != "2026-04-01T00:00:00+08:00" {
		t.Errorf("%+v", err)
	}
	if _, err = m.Take(nine, 11, l); !errors.As(err, &over) || !over.Opens.IsZero() {
		t.Errorf("more than ever fits: %+v", err)
	}
	if _, err = m.Take(nine, 1, quota(store.WindowMonth, 0)); !errors.As(err, &over) || !over.Opens.IsZero() {
		t.Errorf("a quota of nothing: %+v", err)
	}
	l = &Limits{Hours: hours("08-09")}
	if _, err = m.Take(nine, 1, l); !errors.As(err, &over) || over.Opens.Format(time.RFC3339) != "2026-04-01T08:00:00+08:00" {
		t.Errorf("outside the hours: %+v", err)
	}
	l = &Limits{Burst: 3}
	for i, want := range []bool{true, true, true, false} {
		if _, err := m.Take(nine, 1, l); (err == nil) != want {
			t.Errorf("burst, %d: %v", i, err)
		}
	}
	if _, err := m.Take(nine.Add(time.Second), 5, l); err != nil {
		t.Errorf("one message of five: %v", err)
	}
}

// What is delayed fills the windows to come, one after another and in order.
func TestDelay(t *testing.T) {
	m := NewMeter(nil, time.Time{})
	l := &Limits{Quota: map[string]uint64{store.WindowHour: 10}, Delay: true, Hours: hours("08-12")}
	perHour := map[string]int{}
	last := time.Time{}
	for range 45 {
		g, err := m.Take(nine, 1, l)
		if err != nil {
			t.Fatal(err)
		}
		if g.At.Before(last) {
			t.Fatalf("%s overtakes %s", g.At, last)
		}
		last = g.At
		perHour[g.At.Format("02 15")]++
	}
	for hour, n := range map[string]int{"31 09": 10, "31 10": 10, "31 11": 10, "01 08": 10, "01 09": 5} {
		if perHour[hour] != n {
			t.Errorf("%v", perHour)
			break
		}
	}
}

// The clock set back opens no window again; set forward it loses no count.
func TestClockSteps(t *testing.T) {
	m := NewMeter(nil, time.Time{})
	l := quota(store.WindowHour, 10)
	take := func(at time.Time, n int) (got int) {
		for range n {
			if _, err := m.Take(at, 1, l); err == nil {
				got++
			}
		}
		return got
	}
	later := nine.Add(3 * time.Hour)
	if got := take(nine, 7) + take(later, 20); got != 17 {
		t.Errorf("%d before and after a step forward", got)
	}
	if got := take(nine, 20); got != 0 {
		t.Errorf("%d after a step back", got)
	}
	again := NewMeter([]store.AppCount{{Window: store.WindowHour, Start: window.Start(store.WindowHour, later), Count: 10}}, m.Latest())
	m = again
	if got := take(nine, 20); got != 0 {
		t.Errorf("%d after a step back and a restart", got)
	}
	if got := take(later.Add(time.Hour), 20); got != 10 {
		t.Errorf("%d once the clock has come there", got)
	}
}

// A message that is accepted in a later window counts there.
func TestMove(t *testing.T) {
	m := NewMeter(nil, time.Time{})
	l := quota(store.WindowHour, 10)
	g, err := m.Take(nine, 4, l)
	if err != nil {
		t.Fatal(err)
	}
	next := nine.Add(time.Hour)
	if g, err = m.Move(g, next, l); err != nil || g.At != next {
		t.Fatalf("%+v, %v", g, err)
	}
	if used, _ := m.Used(store.WindowHour, next); used != 4 {
		t.Errorf("%d used in the later hour", used)
	}
	if _, err := m.Take(next, 6, l); err != nil {
		t.Error(err)
	}
	full, err := NewMeter(nil, time.Time{}).Take(nine, 3, l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Move(full, next, l); err == nil {
		t.Error("moved into a window that is used up")
	}
}

func TestParseQuota(t *testing.T) {
	for s, want := range map[string]uint64{"hour=1000": 1000, "day=0": 0, "Month=5": 5, "minute=none": NoLimit} {
		if _, n, err := ParseQuota(s); err != nil || n != want {
			t.Errorf("%s: %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "hour", "hour=", "hour=-1", "year=1", "hour=9223372036854775808", "hour=1e3", "hour=99999999999"} {
		if w, n, err := ParseQuota(s); err == nil {
			t.Errorf("%q: %s %d", s, w, n)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	m := NewMeter(nil, time.Time{})
	l := &Limits{Quota: map[string]uint64{store.WindowHour: store.MaxQuota, store.WindowDay: store.MaxQuota}, Hours: hours("00-24"), Burst: 1 << 40}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Take(nine, 1, l); err != nil {
			b.Fatal(err)
		}
	}
}
