package storetest

import (
	"errors"
	"testing"

	"sampul/store"
)

// runsCount adds up what became of a run, before and after restarts.
func runsCount(t *testing.T, r *rig) {
	a := r.application("notis@agensi-a.test")
	a, err := r.step(administrator, a, store.AppRequested)
	r.ok(err)
	take := func(tag string, to ...store.Recipient) string {
		e := r.envelope(to...)
		e.App, e.Sender, e.AppCounted, e.Lane, e.Run = a.Account, a.Account, uint32(len(to)), store.LaneBulk, tag
		r.take(e)
		return e.QueueID
	}
	away := func(p string) store.Recipient { return store.Recipient{Path: p} }
	done := func(id, who string, code int) {
		r.ok(r.QueueDone(ctx, id, []store.Outcome{{Recipient: who, Done: true, Code: code, Enhanced: "x"}, {Recipient: "nobody@luar.test", Done: true, Code: 250}}))
	}
	expect := func(what, tag string, want store.Run) {
		t.Helper()
		for _, when := range []string{"", ", after a restart", ", after another"} {
			all, err := r.Runs(ctx, administrator, a.Address)
			r.ok(err)
			found := false
			for _, got := range all {
				if got.Tag != tag {
					continue
				}
				found = true
				if got.State != want.State || got.Accepted != want.Accepted || got.Waiting != want.Waiting || got.Delivered != want.Delivered ||
					got.Bounced != want.Bounced || got.Dropped != want.Dropped || got.App != a.Address || want.Accepted > 0 && got.First.After(got.Last) {
					t.Errorf("%s%s: %+v", what, when, got)
				}
			}
			if !found {
				t.Errorf("%s%s: no run %s in %+v", what, when, tag, all)
			}
			r.restart()
		}
	}
	q1 := take("mac", away("a@luar.test"), away("b@luar.test"), to(r.satu))
	q2 := take("mac", away("c@luar.test"))
	q3 := take("mac", away(r.satu.Address))
	take("", away("lain@luar.test"))
	expect("accepted", "mac", store.Run{State: store.RunActive, Accepted: 5, Waiting: 4, Delivered: 1})
	done(q1, "a@luar.test", 250)
	done(q1, "b@luar.test", 550)
	r.ok(r.QueueFile(ctx, q3, r.satu.Address, r.satu.ID, ""))
	expect("outcomes", "mac", store.Run{State: store.RunActive, Accepted: 5, Waiting: 1, Delivered: 3, Bounced: 1})

	n, err := r.PauseRun(ctx, administrator, a.Address, "mac", "salah teks")
	if r.ok(err); n != 1 || !r.RunPaused(a.Account, "mac") {
		t.Errorf("%d held", n)
	}
	heard := map[string]string{}
	r.QueueWatch(func(q store.QueueEntry) { heard[q.ID] = q.State })
	q4 := take("mac", away("d@luar.test"), away("e@luar.test"))
	q5 := take("apr", away("f@luar.test"))
	r.QueueWatch(func(store.QueueEntry) {})
	if heard[q4] != store.Holding || heard[q5] != store.Waiting {
		t.Errorf("what comes of a paused run: %v", heard)
	}
	expect("paused", "mac", store.Run{State: store.RunPaused, Accepted: 7, Waiting: 3, Delivered: 3, Bounced: 1})
	held := func(want ...string) {
		t.Helper()
		all, err := r.QueueList(ctx, store.System, store.QueueFilter{State: store.Holding}, "", 10)
		r.ok(err)
		if len(all) != len(want) {
			t.Errorf("held: %+v, want %v", all, want)
		}
		for i := range min(len(all), len(want)) {
			if all[i].ID != want[i] {
				t.Errorf("held: %s, want %s", all[i].ID, want[i])
			}
		}
	}
	held(q2, q4)
	if _, err := r.QueueHold(ctx, store.System, store.QueueFilter{IDs: []string{q5}}, "siasatan"); err != nil {
		t.Error(err)
	}
	n, err = r.ResumeRun(ctx, administrator, a.Address, "mac")
	if r.ok(err); n != 2 {
		t.Errorf("%d released", n)
	}
	held(q5)
	n, err = r.DropRun(ctx, administrator, a.Address, "mac", "tak perlu lagi")
	if r.ok(err); n != 2 {
		t.Errorf("%d dropped", n)
	}
	expect("dropped", "mac", store.Run{State: store.RunDone, Accepted: 7, Delivered: 3, Bounced: 1, Dropped: 3})
	n, err = r.PauseRun(ctx, administrator, a.Address, "belum", "")
	if r.ok(err); n != 0 {
		t.Errorf("%d held of a run that has not begun", n)
	}
	expect("before its first", "belum", store.Run{State: store.RunPaused})

	other := store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}
	if all, err := r.Runs(ctx, other, ""); err != nil || len(all) != 0 {
		t.Errorf("another agency sees %+v, %v", all, err)
	}
	for _, err := range []error{changedOf(r.PauseRun(ctx, other, a.Address, "mac", "")), changedOf(r.DropRun(ctx, other, a.Address, "mac", "")),
		changedOf(r.ResumeRun(ctx, administrator, a.Address, "tiada"))} {
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrForbidden) {
			t.Errorf("%v", err)
		}
	}
}

func changedOf(_ int, err error) error { return err }
