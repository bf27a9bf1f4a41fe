package storetest

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/store"
)

func (l letter) quarantine() gate.Passed {
	return gate.Mint(sha256.Sum256(l.text), gate.Quarantine, "TERBUKA", "test", "V-1")
}

// quarantine keeps a letter for an agency until a time.
func (r *rig) quarantine(agency string, until time.Time) (string, letter) {
	r.t.Helper()
	l := write("mencurigakan")
	e := r.envelope(store.Recipient{Path: "pegawai1@" + agency + ".test", Notify: "NEVER"})
	e.Lane = store.Lane(r.seq % 2)
	r.ok(r.Quarantine(ctx, store.Quarantined{Until: until, Agency: agency, From: e.From, Recipients: []string{e.Recipients[0].Path},
		Filter: "rspamd", Reason: "skor 17"}, e, l.body(), l.quarantine()))
	return e.QueueID, l
}

func (r *rig) quarantined(by store.Actor) (ids []string) {
	r.t.Helper()
	all, err := r.Quarantined(ctx, by)
	r.ok(err)
	for _, q := range all {
		ids = append(ids, q.ID)
	}
	slices.Sort(ids)
	return ids
}

func quarantineKeeps(t *testing.T, r *rig) {
	a, l := r.quarantine("agensi-a", time.Time{})
	b, _ := r.quarantine("agensi-b", time.Time{})
	admin := store.Actor{Agency: "agensi-a", Role: store.RoleAdmin}
	security := store.Actor{Agency: "agensi-b", Role: store.RoleSecurity}
	for range 2 {
		for _, tt := range []struct {
			by   store.Actor
			want []string
		}{{store.System, []string{a, b}}, {admin, []string{a}}, {security, []string{b}}} {
			if got := r.quarantined(tt.by); !slices.Equal(got, tt.want) {
				t.Fatalf("%+v sees %q, want %q", tt.by, got, tt.want)
			}
		}
		all, err := r.Quarantined(ctx, admin)
		r.ok(err)
		q := all[0]
		if q.Filter != "rspamd" || q.Reason != "skor 17" || q.From != "orang@luar.test" || q.Size <= int64(len(l.text)) ||
			q.Until.Sub(q.Time) < (store.QuarantineDays-1)*24*time.Hour || time.Since(q.Time) > time.Hour {
			t.Fatalf("in quarantine: %+v", q)
		}
		env, body, err := r.OpenQuarantined(ctx, admin, a)
		r.ok(err)
		text := make([]byte, body.Size())
		if n, _ := body.ReadAt(text, 0); n < len(text) || string(text) != string(l.text) {
			t.Fatalf("the body is %q", text)
		}
		r.ok(body.Close())
		if len(env.Recipients) != 1 || env.Recipients[0].Notify != "NEVER" || env.QueueID != a || string(env.Prefix) == "" {
			t.Fatalf("envelope %+v", env)
		}
		for name, err := range map[string]error{
			"another agency's": third(r.OpenQuarantined(ctx, admin, b)),
			"to drop":          r.DropQuarantined(ctx, admin, b),
			"not there":        r.DropQuarantined(ctx, admin, "tiada"),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := r.DropQuarantined(ctx, security, b); !errors.Is(err, store.ErrForbidden) {
			t.Fatalf("a security officer drops: %v", err)
		}
		if _, err := r.Quarantined(ctx, as(r.satu)); !errors.Is(err, store.ErrForbidden) {
			t.Fatalf("an officer looks: %v", err)
		}
		r.restart()
	}
	if n, _ := r.QueueLen(ctx); n != 0 {
		t.Fatalf("%d wait in the queue", n)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

func quarantineEnds(t *testing.T, r *rig) {
	old, _ := r.quarantine("agensi-a", time.Now().Add(-time.Second))
	dropped, _ := r.quarantine("agensi-a", time.Time{})
	stays, _ := r.quarantine("agensi-a", time.Time{})
	r.ok(r.DropQuarantined(ctx, store.System, dropped))
	for range 2 {
		if got := r.quarantined(store.System); !slices.Equal(got, []string{stays}) {
			t.Fatalf("in quarantine are %q, want %q", got, stays)
		}
		for _, id := range []string{old, dropped} {
			if _, _, err := r.OpenQuarantined(ctx, store.System, id); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("%s: %v", id, err)
			}
		}
		r.restart()
	}
}

func quarantineGate(t *testing.T, r *rig) {
	l, other := write("satu"), write("dua")
	for name, p := range map[string]gate.Passed{"zero": {}, "for a mailbox": l.passed, "other bytes": other.quarantine()} {
		e := r.envelope(to(r.satu))
		if err := r.Quarantine(ctx, store.Quarantined{Agency: "agensi-a"}, e, l.body(), p); !errors.Is(err, store.ErrGate) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := r.Accept(ctx, r.envelope(to(r.satu)), l.body(), l.index, l.quarantine()); !errors.Is(err, store.ErrGate) {
		t.Fatalf("what was judged for quarantine was accepted: %v", err)
	}
	if got := r.quarantined(store.System); len(got) != 0 {
		t.Fatalf("in quarantine are %q", got)
	}
}

func statesKept(t *testing.T, r *rig) {
	if v, err := r.State("tlsrpt/jauh.test"); v != nil || err != nil {
		t.Fatalf("before: %q, %v", v, err)
	}
	r.ok(r.KeepState(ctx, "tlsrpt/jauh.test", []byte("satu")))
	r.ok(r.KeepState(ctx, "greylist", []byte{}))
	r.ok(r.KeepState(ctx, "tlsrpt/jauh.test", []byte("dua")))
	for range 2 {
		if v, err := r.State("tlsrpt/jauh.test"); string(v) != "dua" || err != nil {
			t.Fatalf("kept: %q, %v", v, err)
		}
		if v, err := r.State("greylist"); v == nil || len(v) != 0 || err != nil {
			t.Fatalf("kept: %v, %v", v, err)
		}
		r.restart()
	}
	r.ok(r.KeepState(ctx, "tlsrpt/jauh.test", nil))
	r.ok(r.KeepState(ctx, "tiada", nil))
	if v, err := r.State("tlsrpt/jauh.test"); v != nil || err != nil {
		t.Fatalf("forgotten: %q, %v", v, err)
	}
	if err := r.KeepState(ctx, "", []byte("x")); !errors.Is(err, store.ErrLimit) {
		t.Fatalf("without a name: %v", err)
	}
	if err := r.KeepState(ctx, "x", make([]byte, store.MaxState+1)); !errors.Is(err, store.ErrLimit) {
		t.Fatalf("too long: %v", err)
	}
}

func storiesTold(t *testing.T, r *rig) {
	now := time.Now()
	r.Note(store.Event{Time: now, ID: "Q1", MessageID: "<satu@luar.test>", Agencies: []string{"agensi-a"}, Event: "accepted",
		From: "orang@luar.test", To: []string{"pegawai1@agensi-a.test", "b@jauh.test"}})
	r.Note(store.Event{Time: now.Add(time.Second), ID: "Q1", Event: "deferred", To: []string{"b@jauh.test"},
		Host: "mx.jauh.test[192.0.2.1]:25", Code: 451, Enhanced: "4.7.1", Text: "later"})
	r.Note(store.Event{Time: now.Add(time.Second), ID: "Q2", MessageID: "<dua@luar.test>", Agencies: []string{"agensi-b"}, Event: "accepted",
		From: "orang@luar.test", To: []string{"pegawai1@agensi-b.test"}})
	for range 2 {
		for key, want := range map[string]string{"Q1": "Q1", "<SATU@luar.test>": "Q1", "b@jauh.test": "Q1", "orang@luar.test": "Q2 Q1", "x@y.test": ""} {
			all, err := r.Stories(ctx, store.System, key, 10)
			r.ok(err)
			got := ""
			for _, s := range all {
				if got != "" {
					got += " "
				}
				got += s.ID
			}
			if got != want {
				t.Fatalf("%s: found %q, want %q", key, got, want)
			}
		}
		all, err := r.Stories(ctx, store.System, "Q1", 10)
		r.ok(err)
		if s := all[0]; s.MessageID != "<satu@luar.test>" || len(s.Events) != 2 || s.Events[0].Event != "accepted" || s.Events[1].Code != 451 {
			t.Fatalf("the story is %+v", s)
		}
		all, err = r.Stories(ctx, store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}, "orang@luar.test", 10)
		r.ok(err)
		if len(all) != 1 || all[0].ID != "Q2" {
			t.Fatalf("another agency's: %+v", all)
		}
		r.restart()
	}
}
