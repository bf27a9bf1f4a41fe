package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sampul/store"
)

var administrator = store.Actor{Agency: "agensi-a", Role: store.RoleAdmin, Name: "ucadmin@agensi-a.test"}

// application makes an account for a program.
func (r *rig) application(address string) store.App {
	r.t.Helper()
	_, err := r.AddAccount(ctx, store.System, store.Account{Address: address, Agency: "agensi-a", Kind: store.Application}, "")
	r.ok(err)
	return store.App{Address: address, Owner: "ucadmin@agensi-a.test", Ref: "R-1", State: store.AppRequested}
}

// take accepts a letter now.
func (r *rig) take(e *store.Envelope) {
	r.t.Helper()
	l := write("notis")
	e.Received = time.Now()
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
}

// step puts an application's next state.
func (r *rig) step(by store.Actor, a store.App, state string) (store.App, error) {
	a.State = state
	kept, err := r.PutApp(ctx, by, a, "sebab")
	if err != nil {
		return a, err
	}
	return *kept, nil
}

func appsApproved(t *testing.T, r *rig) {
	a := r.application("notis@agensi-a.test")
	if _, err := r.step(store.System, store.App{Address: "tiada@agensi-a.test", Owner: "x"}, store.AppRequested); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("without an account: %v", err)
	}
	if _, err := r.step(store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}, a, store.AppRequested); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("asked for by another agency: %v", err)
	}
	if _, err := r.step(store.System, a, store.AppActive); err == nil {
		t.Error("active without approval")
	}
	a, err := r.step(administrator, a, store.AppRequested)
	r.ok(err)
	if _, err := r.step(administrator, a, store.AppApproved); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("the administrator approved: %v", err)
	}
	own := r.application("lain@agensi-a.test")
	somebody := store.Actor{Role: store.RoleOperator, Name: "x"}
	own, err = r.step(somebody, own, store.AppRequested)
	r.ok(err)
	if _, err := r.step(somebody, own, store.AppApproved); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("who asked approved: %v", err)
	}
	a.Quota = map[string]uint64{store.WindowHour: 100}
	a.Until = time.Now().Add(store.AppTerm)
	a, err = r.step(store.System, a, store.AppApproved)
	r.ok(err)
	a, err = r.step(store.System, a, store.AppActive)
	r.ok(err)
	more := a
	more.Quota = map[string]uint64{store.WindowHour: 101}
	if _, err := r.PutApp(ctx, administrator, more, ""); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("the administrator raised a quota: %v", err)
	}
	more.Quota = map[string]uint64{store.WindowHour: 50, store.WindowDay: 80}
	a, err = r.step(administrator, more, store.AppActive)
	r.ok(err)
	if _, err := r.step(store.System, more, store.AppActive); !errors.Is(err, store.ErrExists) {
		t.Errorf("a change of what was changed meanwhile: %v", err)
	}
	a, err = r.step(security, a, store.AppSuspended)
	r.ok(err)
	r.restart()
	got := r.App(a.Account)
	if got == nil || got.State != store.AppSuspended || got.Quota[store.WindowDay] != 80 || got.Account != a.Account {
		t.Fatalf("%+v", got)
	}
	history, err := r.AppHistory(ctx, administrator, a.Address)
	r.ok(err)
	if len(history) != 5 || history[0].State != store.AppRequested || got.RequestedBy != administrator.Name || got.ApprovedBy != "operator" || history[4].By != security.String() || history[4].Reason != "sebab" {
		t.Errorf("%d versions: %+v", len(history), history)
	}
	if _, err := r.AppNamed(ctx, store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}, a.Address); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another agency sees it: %v", err)
	}
	a, err = r.step(administrator, a, store.AppEnded)
	r.ok(err)
	if _, err := r.step(store.System, a, store.AppActive); !errors.Is(err, store.ErrExists) {
		t.Errorf("it lives again: %v", err)
	}
}

func appDefaultsBind(t *testing.T, r *rig) {
	r.ok(r.SetAppDefaults(ctx, store.System, "agensi-a", store.AppTerms{Quota: map[string]uint64{store.WindowDay: 1000}, Reach: store.ReachInside}, ""))
	if err := r.SetAppDefaults(ctx, administrator, "agensi-a", store.AppTerms{Quota: map[string]uint64{store.WindowDay: 2000}, Reach: store.ReachInside}, ""); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("the administrator raised the defaults: %v", err)
	}
	r.ok(r.SetAppDefaults(ctx, administrator, "agensi-a", store.AppTerms{Quota: map[string]uint64{store.WindowDay: 500}, Reach: store.ReachAgency}, ""))
	r.restart()
	if d := r.AppDefaults("agensi-a"); d.Quota[store.WindowDay] != 500 || d.Reach != store.ReachAgency {
		t.Errorf("%+v", d)
	}
	a := r.application("notis@agensi-a.test")
	a.Quota = map[string]uint64{store.WindowDay: 600}
	if _, err := r.step(administrator, a, store.AppRequested); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("asked for more than the agency may: %v", err)
	}
	a.Quota, a.Reach = map[string]uint64{store.WindowDay: 500}, store.ReachAgency
	if _, err := r.step(administrator, a, store.AppRequested); err != nil {
		t.Error(err)
	}
}

// Each acceptance counts once, in the windows that it names, also when it was not filed
// before the end.
func appCountsExact(t *testing.T, r *rig) {
	a := r.application("notis@agensi-a.test")
	a, err := r.step(administrator, a, store.AppRequested)
	r.ok(err)
	sum := func() (n uint64, later uint64) {
		t.Helper()
		all, err := r.AppCounts(a.Account)
		r.ok(err)
		for _, c := range all {
			if c.Window == store.WindowHour {
				if c.Start.After(time.Now()) {
					later += c.Count
				} else {
					n += c.Count
				}
			}
		}
		return n, later
	}
	for i := range 30 {
		to := []store.Recipient{{Path: fmt.Sprintf("a%d@luar.test", i)}}
		if i%3 == 0 {
			to = []store.Recipient{{Path: r.satu.Address, Account: r.satu.ID}}
		}
		e := r.envelope(to...)
		e.App, e.AppCounted, e.Lane = a.Account, 2, store.LaneBulk
		if i%10 == 9 {
			e.AppAt, e.NotBefore = time.Now().Add(3*time.Hour), time.Now().Add(3*time.Hour)
		}
		r.take(e)
	}
	for _, when := range []string{"at once", "after a restart", "after another"} {
		if n, later := sum(); n != 54 || later != 6 {
			t.Errorf("%s: %d counted, %d of them later", when, n+later, later)
		}
		r.restart()
	}
}

// What may not be delivered yet waits, and a run is picked by its tag.
func runsWait(t *testing.T, r *rig) {
	later := time.Now().Add(2 * time.Hour)
	e := r.envelope(store.Recipient{Path: "a@luar.test"})
	e.Run, e.NotBefore = "mac-2026", later
	r.take(e)
	r.take(r.envelope(store.Recipient{Path: "b@luar.test"}))
	for range 2 {
		got, err := r.QueueList(ctx, store.System, store.QueueFilter{Run: "mac-2026"}, "", 10)
		r.ok(err)
		if len(got) != 1 || got[0].Run != "mac-2026" || got[0].Recipients[0].NextTry.Before(later.Add(-time.Second)) || !got[0].NotBefore.Equal(later) {
			t.Errorf("%+v", got)
		}
		if n, err := r.QueueRetry(ctx, store.System, store.QueueFilter{Run: "mac-2026"}); err != nil || n != 0 {
			t.Errorf("tried before its window: %d, %v", n, err)
		}
		if n, err := r.QueueHold(ctx, store.System, store.QueueFilter{Run: "mac-2026"}, "siasatan"); err != nil || n != 1 {
			t.Errorf("held: %d, %v", n, err)
		}
		if n, err := r.QueueRelease(ctx, store.System, store.QueueFilter{Run: "mac-2026"}); err != nil || n != 1 {
			t.Errorf("released: %d, %v", n, err)
		}
		r.restart()
	}
}
