package storetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/store"
)

// queue accepts a letter for recipients elsewhere.
func (r *rig) queue(id string, paths ...string) letter {
	r.t.Helper()
	l := write("keluar " + id)
	e := r.envelope()
	e.QueueID = id
	for _, p := range paths {
		e.Recipients = append(e.Recipients, store.Recipient{Path: p})
	}
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	return l
}

// queued is one entry as the operator sees it.
func (r *rig) queued(id string) store.QueueEntry {
	r.t.Helper()
	list, err := r.QueueList(ctx, store.System, store.QueueFilter{IDs: []string{id}}, "", 10)
	r.ok(err)
	if len(list) != 1 {
		r.t.Fatalf("queue ID %s: %d entries", id, len(list))
	}
	return list[0]
}

// ids are those of the queue that f picks.
func (r *rig) ids(f store.QueueFilter) (ids []string) {
	r.t.Helper()
	list, err := r.QueueList(ctx, store.System, f, "", 1000)
	r.ok(err)
	for _, q := range list {
		ids = append(ids, q.ID)
	}
	return ids
}

func attemptsKept(t *testing.T, r *rig) {
	r.queue("Q1", "a@jauh.test")
	next := time.Unix(1700000600, 0)
	tried := store.Outcome{Recipient: "a@jauh.test", NextTry: next, Code: 451, Enhanced: "4.7.1", Text: "later",
		Remote: "mx.jauh.test[192.0.2.1]:25", TLS: "TLS 1.3, DANE", Delayed: true}
	waits := store.Outcome{Recipient: "a@jauh.test", NextTry: next.Add(time.Hour), Text: "the domain is held", NoAttempt: true}
	r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{tried}))
	want := store.QueueRecipient{Address: "a@jauh.test", State: store.Waiting, NextTry: next, Attempts: 1, Code: 451, Enhanced: "4.7.1",
		Text: "later", Remote: tried.Remote, TLS: tried.TLS, Delayed: true}
	for range 2 {
		if got := r.queued("Q1").Recipients[0]; !sameRecipient(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		r.restart()
	}
	r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{waits}))
	want.NextTry, want.Text, want.Code, want.Enhanced = waits.NextTry, waits.Text, 0, ""
	for range 2 { // the delay was told, and the last attempt is as long ago as it was
		if got := r.queued("Q1").Recipients[0]; !sameRecipient(got, want) {
			t.Fatalf("after no attempt: got  %+v\nwant %+v", got, want)
		}
		r.restart()
	}
	if err := r.QueueDone(ctx, "Q2", []store.Outcome{waits}); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("an outcome of nothing: %v", err)
	}
}

func sameRecipient(a, b store.QueueRecipient) bool {
	next := a.NextTry.Equal(b.NextTry)
	a.NextTry, b.NextTry = time.Time{}, time.Time{}
	return next && a == b
}

func recipientsKept(t *testing.T, r *rig) {
	l := write("dihantar semula")
	e := r.envelope(store.Recipient{Path: "a@jauh.test", From: "SRS0=x=y=luar.test=orang@agensi-a.test", Via: "aduan@agensi-a.test",
		Agency: "agensi-a", Notify: "FAILURE", ORcpt: "rfc822;aduan@agensi-a.test", Prefix: []byte("List-Id: <aduan>\r\n")}, to(r.satu))
	e.EightBit, e.RequireTLS, e.Ret, e.EnvID, e.Sender = true, true, "HDRS", "E1", r.satu.ID
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	for range 3 {
		env, err := r.QueueEnvelope(ctx, e.QueueID)
		r.ok(err)
		if len(env.Recipients) != 1 || fmt.Sprintf("%+v", env.Recipients[0]) != fmt.Sprintf("%+v", e.Recipients[0]) {
			t.Fatalf("recipients %+v\nwant %+v", env.Recipients, e.Recipients[0])
		}
		if !env.Received.Equal(e.Received) || string(env.Prefix) != string(e.Prefix) || env.QueueID != e.QueueID || !env.EightBit ||
			env.SMTPUTF8 || !env.RequireTLS || env.Ret != "HDRS" || env.EnvID != "E1" || env.Sender != r.satu.ID || env.Class != "TERBUKA" {
			t.Fatalf("envelope %+v", env)
		}
		if q := r.queued(e.QueueID); q.Agency != "agensi-a" || q.Sender != r.satu.ID || q.Size != int64(len(e.Prefix)+len(l.text)) {
			t.Fatalf("entry %+v", q)
		}
		r.restart()
	}
}

// heard is what a watcher was told, by queue ID, as the recipients that were left.
type heard struct {
	mu  sync.Mutex
	all map[string][]string
}

func (h *heard) hear(q store.QueueEntry) {
	var left []string
	for _, r := range q.Recipients {
		left = append(left, r.Address+" "+r.State)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[q.ID] = append(h.all[q.ID], strings.Join(left, ", "))
}

func (h *heard) want(t *testing.T, id string, said ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.all[id], said) {
		t.Fatalf("of %s the watcher heard %q, want %q", id, h.all[id], said)
	}
}

func watcherHears(t *testing.T, r *rig) {
	r.queue("Q0", "a@jauh.test")
	h := &heard{all: map[string][]string{}}
	r.QueueWatch(h.hear)
	each := map[string]bool{}
	r.QueueEach(func(q store.QueueEntry) { each[q.ID] = true })
	if len(each) != 1 || !each["Q0"] {
		t.Fatalf("there are %v", each)
	}
	r.queue("Q1", "a@jauh.test", "b@jauh.test")
	r.accept(write("di sini"), to(r.satu))
	r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{{Recipient: "a@jauh.test", Done: true}}))
	_, err := r.QueueHold(ctx, store.System, store.QueueFilter{IDs: []string{"Q1"}}, "sebab")
	r.ok(err)
	_, err = r.QueueRelease(ctx, store.System, store.QueueFilter{IDs: []string{"Q1"}})
	r.ok(err)
	r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{{Recipient: "b@jauh.test", Done: true}}))
	h.want(t, "Q1", "a@jauh.test waiting, b@jauh.test waiting", "b@jauh.test waiting", "b@jauh.test held", "b@jauh.test waiting", "")
	_, err = r.QueueDrop(ctx, store.System, store.QueueFilter{IDs: []string{"Q0"}})
	r.ok(err)
	h.want(t, "Q0", "")
	if len(h.all) != 2 {
		t.Fatalf("the watcher heard of mail that was never queued: %v", h.all)
	}
}

func freshBodies(t *testing.T, r *rig) {
	r.QueueWatch(func(store.QueueEntry) {})
	l := r.queue("Q1", "a@jauh.test", "b@jauh.test")
	for range 2 {
		b, err := r.OpenQueueBody(ctx, "Q1")
		r.ok(err)
		var all, part strings.Builder
		r.ok(b.WriteRange(&all, 0, b.Size()))
		r.ok(b.WriteRange(&part, 3, 5))
		if all.String() != string(l.text) || part.String() != string(l.text[3:8]) {
			t.Fatalf("the body is %q, a part of it %q", all.String(), part.String())
		}
		tail := make([]byte, 10)
		if n, err := b.ReadAt(tail, b.Size()-4); n != 4 || err != io.EOF {
			t.Fatalf("at the end: %d, %v", n, err)
		}
		if err := b.WriteRange(io.Discard, 0, b.Size()+1); err == nil {
			t.Fatal("more than the body was written")
		}
		r.ok(b.Close())
		// The next round reads it from where it is kept.
		r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{{Recipient: "a@jauh.test", NextTry: time.Unix(1700000600, 0)}}))
	}
}

func queueFiles(t *testing.T, r *rig) {
	r.restart()
	l := write("pindah")
	e := r.envelope(store.Recipient{Path: "pegawai1@agensi-a.test", Prefix: []byte("X-Lain: 1\r\n")}, store.Recipient{Path: "b@jauh.test"})
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	r.ok(r.QueueFile(ctx, e.QueueID, "pegawai1@agensi-a.test", r.satu.ID, ""))
	for name, err := range map[string]error{
		"again":     r.QueueFile(ctx, e.QueueID, "pegawai1@agensi-a.test", r.satu.ID, ""),
		"nobody":    r.QueueFile(ctx, e.QueueID, "b@jauh.test", 1<<40, ""),
		"no entry":  r.QueueFile(ctx, "tiada", "b@jauh.test", r.satu.ID, ""),
		"not there": r.QueueFile(ctx, e.QueueID, "c@jauh.test", r.satu.ID, ""),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for range 3 {
		r.wantQueue(e.QueueID, l, "b@jauh.test")
		r.settle()
		m := r.mailbox(r.satu, "INBOX")
		r.wantTexts(r.satu, m, l)
		f := r.facts(r.satu, m, 1)
		if f.QueueID != e.QueueID || string(f.Prefix) != "X-Lain: 1\r\n"+string(e.Prefix) || !f.Internal.Equal(e.Received) ||
			f.Class != "TERBUKA" || len(f.Envelope) == 0 || f.BodySize != int64(len(l.text)) {
			t.Fatalf("facts are %+v", f)
		}
		r.restart()
	}
	r.ok(r.QueueFile(ctx, e.QueueID, "b@jauh.test", r.dua.ID, "Projek"))
	if n, _ := r.QueueLen(ctx); n != 0 {
		t.Fatalf("%d wait", n)
	}
	r.settle()
	r.wantTexts(r.dua, r.mailbox(r.dua, "Projek"), l)
}

func holdsWait(t *testing.T, r *rig) {
	for i := range 5 {
		r.queue(fmt.Sprint("Q", i), "a@jauh.test", "b@jauh.test")
	}
	f := store.QueueFilter{IDs: []string{"Q1", "Q3", "tiada"}}
	if n, err := r.QueueHold(ctx, store.System, f, "dicuri"); n != 2 || err != nil {
		t.Fatalf("%d were held, %v", n, err)
	}
	if n, _ := r.QueueHold(ctx, store.System, f, "dicuri"); n != 0 {
		t.Fatalf("%d were held twice", n)
	}
	r.ok(r.QueueDone(ctx, "Q1", []store.Outcome{{Recipient: "a@jauh.test", NextTry: time.Unix(1700000600, 0)}}))
	for range 2 {
		q := r.queued("Q1")
		if q.State != store.Holding || q.Why != "dicuri" || q.Recipients[0].State != store.Holding || q.Recipients[1].State != store.Holding {
			t.Fatalf("held: %+v", q)
		}
		if got := r.ids(store.QueueFilter{State: store.Holding}); !slices.Equal(got, []string{"Q1", "Q3"}) {
			t.Fatalf("held are %q", got)
		}
		r.restart()
	}
	before := time.Now()
	if n, err := r.QueueRelease(ctx, store.System, store.QueueFilter{State: store.Holding}); n != 2 || err != nil {
		t.Fatalf("%d were released, %v", n, err)
	}
	for range 2 {
		q := r.queued("Q1")
		if q.State != store.Waiting || q.Why != "" || q.Recipients[0].State != store.Waiting || q.Recipients[0].NextTry.Before(before.Add(-time.Second)) {
			t.Fatalf("released: %+v", q)
		}
		r.restart()
	}
}

func retriesNow(t *testing.T, r *rig) {
	far := time.Now().Add(100 * time.Hour)
	for i := range 3 {
		id := fmt.Sprint("Q", i)
		r.queue(id, "a@jauh.test")
		r.ok(r.QueueDone(ctx, id, []store.Outcome{{Recipient: "a@jauh.test", NextTry: far}}))
	}
	_, err := r.QueueHold(ctx, store.System, store.QueueFilter{IDs: []string{"Q2"}}, "x")
	r.ok(err)
	if n, err := r.QueueRetry(ctx, store.System, store.QueueFilter{}); n != 2 || err != nil {
		t.Fatalf("%d are tried now, %v", n, err)
	}
	for range 2 {
		for id, now := range map[string]bool{"Q0": true, "Q1": true, "Q2": false} {
			q := r.queued(id)
			if q.Recipients[0].NextTry.Before(far) != now || (q.State == store.Holding) == now || q.Recipients[0].Attempts != 1 {
				t.Fatalf("after a retry: %+v", q)
			}
		}
		r.restart()
	}
}

func dropsGo(t *testing.T, r *rig) {
	for i := range 4 {
		r.queue(fmt.Sprint("Q", i), "a@jauh.test")
	}
	r.restart() // the first four have rows
	r.queue("Q4", "a@jauh.test")
	if n, err := r.QueueDrop(ctx, store.System, store.QueueFilter{IDs: []string{"Q1", "Q4"}}); n != 2 || err != nil {
		t.Fatalf("%d were dropped, %v", n, err)
	}
	for range 2 {
		if got := r.ids(store.QueueFilter{}); !slices.Equal(got, []string{"Q0", "Q2", "Q3"}) {
			t.Fatalf("there are %q", got)
		}
		r.restart()
	}
	if n, err := r.QueueDrop(ctx, store.System, store.QueueFilter{}); n != 3 || err != nil {
		t.Fatalf("%d were dropped, %v", n, err)
	}
	r.restart()
	if n, _ := r.QueueLen(ctx); n != 0 {
		t.Fatalf("%d wait", n)
	}
}

func filtersPick(t *testing.T, r *rig) {
	r.queue("Q1", "a@jauh.test", "b@dekat.test")
	r.queue("Q2", "c@dekat.test")
	l := write("pukal")
	e := r.envelope(store.Recipient{Path: "a@jauh.test"})
	e.QueueID, e.From, e.Lane, e.Sender, e.Received = "Q3", "", store.LaneBulk, r.lain.ID, time.Now()
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	for _, tt := range []struct {
		name string
		f    store.QueueFilter
		want string
	}{
		{"all", store.QueueFilter{}, "Q1 Q2 Q3"},
		{"from an address", store.QueueFilter{From: "ORANG@luar.test"}, "Q1 Q2"},
		{"from a domain", store.QueueFilter{From: "@luar.test"}, "Q1 Q2"},
		{"from a part of a domain", store.QueueFilter{From: "@uar.test"}, ""},
		{"from nobody", store.QueueFilter{From: "<>"}, "Q3"},
		{"to an address", store.QueueFilter{To: "a@jauh.test"}, "Q1 Q3"},
		{"to a domain", store.QueueFilter{To: "@DEKAT.test"}, "Q1 Q2"},
		{"both", store.QueueFilter{From: "@luar.test", To: "@jauh.test"}, "Q1"},
		{"a lane", store.QueueFilter{Lane: "bulk"}, "Q3"},
		{"an agency", store.QueueFilter{Agency: "agensi-b"}, "Q3"},
		{"a sender", store.QueueFilter{Sender: r.lain.ID}, "Q3"},
		{"old", store.QueueFilter{OlderThan: time.Hour}, "Q1 Q2"},
		{"IDs", store.QueueFilter{IDs: []string{"Q3", "Q1", "Q3"}}, "Q1 Q3"},
		{"IDs and more", store.QueueFilter{IDs: []string{"Q3", "Q1"}, Lane: "people"}, "Q1"},
		{"a state", store.QueueFilter{State: store.Holding}, ""},
	} {
		if got := strings.Join(r.ids(tt.f), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func pagesInOrder(t *testing.T, r *rig) {
	var want []string
	for i := range 30 {
		id := fmt.Sprintf("Q%02d", (i*7)%30)
		r.queue(id, "a@jauh.test")
		want = append(want, id)
	}
	slices.Sort(want)
	for round := range 2 {
		var got []string
		for after := ""; ; {
			page, err := r.QueueList(ctx, store.System, store.QueueFilter{}, after, 7)
			if r.ok(err); len(page) == 0 {
				break
			}
			for _, q := range page {
				got, after = append(got, q.ID), q.ID
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pages are %q, want %q", got, want)
		}
		if round == 1 {
			return
		}
		_, err := r.QueueDrop(ctx, store.System, store.QueueFilter{IDs: []string{want[11]}})
		r.ok(err)
		want = append(slices.Delete(want, 11, 12), "Q99", "R00")
		r.queue("R00", "a@jauh.test")
		r.queue("Q99", "a@jauh.test")
	}
}

func queueOfAgency(t *testing.T, r *rig) {
	for i, a := range []*store.Account{r.satu, r.lain} {
		l := write("keluar")
		e := r.envelope(store.Recipient{Path: "a@jauh.test"})
		e.QueueID, e.Sender = fmt.Sprint("Q", i), a.ID
		r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	}
	admin := store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}
	list, err := r.QueueList(ctx, admin, store.QueueFilter{}, "", 10)
	if r.ok(err); len(list) != 1 || list[0].ID != "Q1" {
		t.Fatalf("the administrator sees %+v", list)
	}
	if n, err := r.QueueDrop(ctx, admin, store.QueueFilter{IDs: []string{"Q0", "Q1"}}); n != 1 || err != nil {
		t.Fatalf("the administrator dropped %d, %v", n, err)
	}
	if got := r.ids(store.QueueFilter{}); !slices.Equal(got, []string{"Q0"}) {
		t.Fatalf("left is %q", got)
	}
	for _, by := range []store.Actor{as(r.satu), {Agency: "agensi-a", Role: store.RoleSecurity}, {Role: store.RoleAdmin}} {
		if _, err := r.QueueList(ctx, by, store.QueueFilter{}, "", 10); !errors.Is(err, store.ErrForbidden) {
			t.Fatalf("%+v may list: %v", by, err)
		}
		if _, err := r.QueueHold(ctx, by, store.QueueFilter{}, "x"); !errors.Is(err, store.ErrForbidden) {
			t.Fatalf("%+v may hold: %v", by, err)
		}
	}

	// From outside, on its way to servers of agencies: one agency's is its own, what is for
	// several nobody drops for the others.
	for id, agencies := range map[string][2]string{"Q2": {"agensi-b", "agensi-b"}, "Q3": {"agensi-a", "agensi-b"}, "Q4": {"agensi-b", "agensi-a"}} {
		l := write("masuk")
		e := r.envelope(store.Recipient{Path: "a@jauh.test", Agency: agencies[0]}, store.Recipient{Path: "b@jauh.test", Agency: agencies[1]})
		e.QueueID = id
		r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	}
	for range 2 {
		if n, err := r.QueueHold(ctx, admin, store.QueueFilter{IDs: []string{"Q3", "Q4"}}, "x"); n != 0 || err != nil {
			t.Fatalf("the administrator held %d, %v", n, err)
		}
		list, err = r.QueueList(ctx, admin, store.QueueFilter{}, "", 10)
		if r.ok(err); len(list) != 1 || list[0].ID != "Q2" {
			t.Fatalf("the administrator sees %+v", list)
		}
		r.restart()
	}
}
