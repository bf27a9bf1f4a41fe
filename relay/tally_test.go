package relay

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// A ledger keeps usage in memory, as a store does.
type ledger struct {
	mu       sync.Mutex
	app      store.App
	fail     error
	accepted map[int64]uint64 // by hour: what the store has counted itself
	rows     map[int64]*store.AppUsage
}

func (l *ledger) Apps(context.Context, store.Actor) ([]store.App, error) {
	return []store.App{l.app}, nil
}

func (l *ledger) App(id store.AccountID) *store.App {
	if id != l.app.Account {
		return nil
	}
	return &l.app
}

func (l *ledger) AppCounts(store.AccountID) (out []store.AppCount, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h, n := range l.accepted {
		out = append(out, store.AppCount{Window: store.WindowHour, Start: time.Unix(h, 0), Count: n})
	}
	return out, nil
}

func (l *ledger) AddUsage(_ context.Context, deltas []store.AppUsage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for _, d := range deltas {
		h := d.Hour.Unix()
		if l.rows[h] == nil {
			l.rows[h] = &store.AppUsage{App: d.App, Hour: d.Hour, Refused: map[string]uint64{}}
		}
		u := l.rows[h]
		u.Accepted = l.accepted[h]
		u.Delivered += d.Delivered
		u.Bounced += d.Bounced
		for reason, n := range d.Refused {
			u.Refused[reason] += n
		}
	}
	return nil
}

func (l *ledger) Usage(_ context.Context, _ store.Actor, _ string, since, until time.Time) (out []store.AppUsage, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h, n := range l.accepted {
		if at := time.Unix(h, 0); !at.Before(since) && (until.IsZero() || at.Before(until)) {
			out = append(out, store.AppUsage{App: l.app.Account, Hour: at, Accepted: n})
		}
	}
	return out, nil
}

func (l *ledger) accept(at time.Time, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[window.Start(window.Hour, at).Unix()] += n
}

func newLedger() *ledger {
	return &ledger{app: store.App{Account: 7, Address: "notis@agensi-a.test"}, accepted: map[int64]uint64{}, rows: map[int64]*store.AppUsage{}}
}

// What was counted is kept, also when the store fails for a while, and at the end.
func TestTallyLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		seen := map[string]int{}
		l.accept(time.Now(), 5) // before a crash
		tally := NewTally(TallyDeps{Store: l, Clock: time.Now, Observe: func(what string, n int) { seen[what] += n }})
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { tally.Run(ctx); close(over) }()
		count := func() {
			l.accept(time.Now(), 2)
			tally.Count(&l.app, "", 2)
			tally.Count(&l.app, "class", 3)
			tally.Count(&l.app, "class", 0)
			tally.Became(7, "filed", 1)
			tally.Became(7, "expired", 1)
			tally.Became(7, "deferred", 1)
			tally.Became(0, "delivered", 1) // of a person
		}
		first := window.Start(window.Hour, time.Now()).Unix()
		count()
		time.Sleep(flushEvery)
		synctest.Wait()
		row := func(h int64) store.AppUsage {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.rows[h] == nil {
				return store.AppUsage{}
			}
			return *l.rows[h]
		}
		if u := row(first); u.Accepted != 7 || u.Refused["class"] != 3 || u.Delivered != 1 || u.Bounced != 1 {
			t.Errorf("after a flush: %+v", u)
		}
		l.mu.Lock()
		l.fail = errors.New("no room")
		l.mu.Unlock()
		count()
		time.Sleep(5 * flushEvery)
		count()
		synctest.Wait()
		l.mu.Lock()
		l.fail = nil
		l.mu.Unlock()
		time.Sleep(time.Hour)
		count() // in the next hour
		cancel()
		<-over
		if u := row(first); u.Accepted != 11 || u.Refused["class"] != 9 || u.Delivered != 3 || u.Bounced != 3 {
			t.Errorf("after the store failed: %+v", u)
		}
		if u := row(first + 3600); u.Accepted != 2 || u.Refused["class"] != 3 {
			t.Errorf("kept at the end: %+v", u)
		}
		if want := map[string]int{"accepted": 8, "refused": 12, "delivered": 4, "bounced": 4}; !maps.Equal(seen, want) {
			t.Errorf("observed %v, want %v", seen, want)
		}
	})
}

func TestUnusual(t *testing.T) {
	for _, c := range []struct {
		accepted, usual uint64
		want            bool
	}{{1000, 0, true}, {999, 0, false}, {3000, 1000, false}, {3001, 1000, true}, {2999, 1000, false}, {1 << 63, 1 << 62, false}, {5, 1, false}} {
		if got := Unusual(c.accepted, c.usual); got != c.want {
			t.Errorf("%d, usually %d: %t", c.accepted, c.usual, got)
		}
	}
	days := func(n int, accepted uint64) (past []store.AppUsage) {
		for d := 1; d <= n; d++ {
			at := window.Start(window.Hour, nine).AddDate(0, 0, -d)
			past = append(past, store.AppUsage{Hour: at, Accepted: accepted}, store.AppUsage{Hour: at.Add(3 * time.Hour), Accepted: 5000})
		}
		return append(past, store.AppUsage{Hour: nine.Add(-time.Hour), Accepted: 9999}, store.AppUsage{Hour: nine.AddDate(0, 0, -9), Refused: map[string]uint64{"class": 1}})
	}
	if _, known := Usual(days(4, 100), nine); known {
		t.Error("four days were enough")
	}
	if n, known := Usual(days(5, 100), nine); !known || n != 100 {
		t.Errorf("%d, %t", n, known)
	}
	if n, known := Usual(days(6, 0), nine); !known || n != 0 {
		t.Errorf("an hour in which it never sends: %d, %t", n, known)
	}
}

// An hour far beyond the usual raises one alarm.
func TestUnusualVolumeIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		for d := 1; d <= 5; d++ {
			l.accept(time.Now().AddDate(0, 0, -d), 1000)
		}
		var told []uint64
		tally := NewTally(TallyDeps{Store: l, Clock: time.Now, Unusual: func(_ context.Context, _ *store.App, _ time.Time, accepted, usual uint64) {
			told = append(told, accepted, usual)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { tally.Run(ctx); close(over) }()
		for range 5 {
			l.accept(time.Now(), 1000)
			tally.Count(&l.app, "", 1000)
			time.Sleep(flushEvery)
			synctest.Wait()
		}
		cancel()
		<-over
		if len(told) != 2 || told[0] != 4000 || told[1] != 1000 {
			t.Errorf("told %v", told)
		}
	})
}
