package storetest

import (
	"errors"
	"testing"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

func usageKept(t *testing.T, r *rig) {
	a := r.application("notis@agensi-a.test")
	a, err := r.step(administrator, a, store.AppRequested)
	r.ok(err)
	hour := window.Start(window.Hour, time.Now())
	before := hour.Add(-3 * time.Hour)
	take := func(later time.Duration) {
		e := r.envelope(store.Recipient{Path: "a@luar.test"}, store.Recipient{Path: "b@luar.test"})
		e.App, e.AppCounted, e.Lane = a.Account, 2, store.LaneBulk
		if later > 0 {
			e.AppAt, e.NotBefore = time.Now().Add(later), time.Now().Add(later)
		}
		r.take(e)
	}
	take(0)
	take(5 * time.Hour) // it counts against a later quota, and was accepted now
	delta := func(h time.Time) store.AppUsage {
		return store.AppUsage{App: a.Account, Hour: h, Accepted: 70, Refused: map[string]uint64{"class": 1, "quota-hour": 2}, Delivered: 3, Bounced: 1}
	}
	r.ok(r.AddUsage(ctx, []store.AppUsage{delta(hour), delta(before), {App: 999_999, Hour: hour, Delivered: 1}}))
	r.ok(r.AddUsage(ctx, []store.AppUsage{delta(hour.Add(20 * time.Minute))}))
	take(0) // since the last note
	sum := func() (n uint64) {
		t.Helper()
		got, err := r.Usage(ctx, administrator, a.Address, before, time.Time{})
		r.ok(err)
		for _, u := range got {
			if u.Sender != a.Address || u.Agency != "agensi-a" {
				t.Errorf("%+v", u)
			}
			n += u.Accepted
		}
		if len(got) < 2 || !got[0].Hour.Equal(before) || got[0].Refused["quota-hour"] != 2 || got[0].Delivered != 3 || got[0].Accepted != 0 {
			t.Errorf("%+v", got)
			return n
		}
		if h := got[1]; !h.Hour.Equal(hour) || h.Refused["quota-hour"] != 4 || h.Refused["class"] != 2 || h.Delivered != 6 || h.Bounced != 2 {
			t.Errorf("%+v", h)
		}
		return n
	}
	for _, when := range []string{"at once", "after a restart", "after another"} {
		if n := sum(); n != 6 {
			t.Errorf("%s: %d were accepted, want 6", when, n)
		}
		r.restart()
	}
	if got, err := r.Usage(ctx, store.System, "", before, hour); err != nil || len(got) != 1 || got[0].Bounced != 1 {
		t.Errorf("of the hour before: %+v, %v", got, err)
	}
	other := store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}
	if _, err := r.Usage(ctx, other, a.Address, time.Time{}, time.Time{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another agency reads it: %v", err)
	}
	if got, err := r.Usage(ctx, other, "", time.Time{}, time.Time{}); err != nil || len(got) != 0 {
		t.Errorf("another agency sees %+v, %v", got, err)
	}
}
