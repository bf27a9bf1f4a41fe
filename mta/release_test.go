package mta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/store"
)

// Two administrators who release one message at the same time deliver it once.
func TestReleaseOnce(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	to := w.acct["pegawai2@agensi-a.test"]
	env := store.Envelope{QueueID: "Q1", From: "orang@luar.test", Received: time.Now(), Prefix: []byte("Return-Path: <orang@luar.test>\r\n"),
		Recipients: []store.Recipient{{Path: to.Address, Account: to.ID, Agency: to.Agency}}}
	passed := gate.Mint(sha256.Sum256([]byte(text)), gate.Quarantine, "TERBUKA", "test", "V-1")
	must(t, w.e.Quarantine(ctx, store.Quarantined{Agency: to.Agency, Filter: "rspamd"}, &env, bytes.NewReader([]byte(text)), passed))
	const both = 8
	errs := make([]error, both)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() { errs[i] = w.poster.Release(ctx, store.System, w.e, "Q1") })
	}
	wait.Wait()
	released := 0
	for _, err := range errs {
		switch {
		case err == nil:
			released++
		case !errors.Is(err, store.ErrNotFound):
			t.Errorf("the others hear %v", err)
		}
	}
	if released != 1 {
		t.Errorf("released %d times", released)
	}
	// What comes after it is filed after it: were there a second one, it would be seen.
	must(t, w.poster.Notice(ctx, to.Address, "Selepas", "selepas\n"))
	w.inbox(to.Address, 2)
}

// Each agency's administrators hear of their own recipients, the sender's of all.
func TestReleasedIsToldByAgency(t *testing.T) {
	f := &fakeTrace{}
	env := letter("Q1", "a@agensi-a.test", "b@agensi-b.test", "c@agensi-a.test")
	for i, agency := range []string{"agensi-a", "agensi-b", "agensi-a"} {
		env.Recipients[i].Agency = agency
	}
	for _, sender := range []string{"", "agensi-c", "agensi-a"} {
		f.events = nil
		NewPoster(PosterDeps{Trace: f}).noteReleased(&env, sender, "")
		told := map[string]int{}
		for _, e := range f.events {
			for _, a := range e.Agencies {
				told[a] += len(e.To)
			}
		}
		want := map[string]int{"agensi-a": 2, "agensi-b": 1}
		if sender != "" {
			want[sender] = 3
		}
		if !maps.Equal(told, want) {
			t.Errorf("from %q: %+v", sender, f.events)
		}
	}
}
