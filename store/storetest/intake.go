package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/store"
)

func acceptedIsFiled(t *testing.T, r *rig) {
	l := write("satu")
	e := r.envelope(to(r.satu), to(r.dua), to(r.lain))
	e.Recipients[1].Prefix = []byte("Delivered-To: pegawai2@agensi-a.test\r\n")
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	r.settle()
	for _, a := range []*store.Account{r.satu, r.dua, r.lain} {
		m := r.mailbox(a, "INBOX")
		r.wantTexts(a, m, l)
		f := r.facts(a, m, m.Snapshot().States[0].UID)
		if f.QueueID != e.QueueID || !f.Internal.Equal(e.Received) || f.BodySize != int64(len(l.text)) || f.Agency != a.Agency {
			t.Fatalf("facts are %+v", f)
		}
	}
	m := r.mailbox(r.dua, "INBOX")
	s := m.Snapshot().States[0]
	prefix := "Delivered-To: pegawai2@agensi-a.test\r\nReceived: by agensi-a.test\r\n"
	if f := r.facts(r.dua, m, s.UID); string(f.Prefix) != prefix || s.Size != int64(len(prefix)+len(l.text)) {
		t.Fatalf("prefix %q, size %d", f.Prefix, s.Size)
	}
}

func acceptedSurvives(t *testing.T, r *rig) {
	var ls []letter
	for i := range 20 {
		l := write(fmt.Sprint("surat ", i))
		e := r.envelope(to(r.satu))
		e.Lane = store.Lane(i % 2)
		r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
		if ls = append(ls, l); i%7 == 0 {
			r.restart() // mostly before it is filed
		}
	}
	for range 2 {
		r.restart()
		r.settle()
	}
	got := map[string]int{}
	for _, text := range r.texts(r.satu, r.mailbox(r.satu, "INBOX")) {
		got[text]++
	}
	for _, l := range ls {
		if got[string(l.text)] != 1 {
			t.Fatalf("a letter is there %d times", got[string(l.text)])
		}
	}
	if len(got) != len(ls) {
		t.Fatalf("%d letters, want %d", len(got), len(ls))
	}
}

// Counting engines say how many bodies they keep.
type counting interface{ BodyCount() (int, error) }

func bodyOnce(t *testing.T, r *rig) {
	c, ok := r.Store.(counting)
	if !ok {
		t.Skip("the engine does not count bodies")
	}
	var accounts []store.Account
	for i := range 1000 {
		accounts = append(accounts, store.Account{Address: fmt.Sprintf("officer%04d@agensi-a.test", i), Agency: "agensi-a", Kind: store.Personal})
	}
	made, err := r.AddAccounts(ctx, store.System, accounts, "")
	r.ok(err)
	var rs []store.Recipient
	for _, a := range made {
		rs = append(rs, to(a))
	}
	l := write("untuk semua")
	r.accept(l, rs...)
	if n, err := c.BodyCount(); n != 1 || err != nil {
		t.Fatalf("%d bodies, %v", n, err)
	}
	for _, a := range made {
		s, err := r.MailboxStatus(ctx, as(a), a.ID, "INBOX")
		if r.ok(err); s.Messages != 1 {
			t.Fatalf("%s has %d messages", a.Address, s.Messages)
		}
	}
	r.wantTexts(made[999], r.mailbox(made[999], "INBOX"), l)
}

func sameDestinationOnce(t *testing.T, r *rig) {
	a, b := to(r.satu), to(r.satu)
	b.Path = "pegawai1+projek@agensi-a.test"
	c := to(r.satu)
	c.Mailbox = "Projek/Jalan"
	l := write("sekali")
	r.accept(l, a, b, c)
	r.wantTexts(r.satu, r.mailbox(r.satu, "INBOX"), l)
	r.wantTexts(r.satu, r.mailbox(r.satu, "Projek/Jalan"), l)
}

func inboxRemade(t *testing.T, r *rig) {
	a, b := write("lama"), write("baharu")
	r.accept(a, to(r.satu))
	r.ok(r.RenameMailbox(ctx, as(r.satu), r.satu.ID, "INBOX", "Lama"))
	r.accept(b, to(r.satu))
	r.wantTexts(r.satu, r.mailbox(r.satu, "Lama"), a)
	r.wantTexts(r.satu, r.mailbox(r.satu, "INBOX"), b)
}

func queueKeeps(t *testing.T, r *rig) {
	l := write("keluar")
	e := r.accept(l, to(r.satu), store.Recipient{Path: "a@jauh.test"}, store.Recipient{Path: "b@jauh.test"})
	r.wantQueue(e.QueueID, l, "a@jauh.test", "b@jauh.test")
	next := time.Unix(1700003600, 0)
	r.ok(r.QueueDone(ctx, e.QueueID, []store.Outcome{
		{Recipient: "a@jauh.test", Done: true, Code: 250},
		{Recipient: "b@jauh.test", NextTry: next, Code: 451, Enhanced: "4.4.1", Text: "timed out"}}))
	q := r.wantQueue(e.QueueID, l, "b@jauh.test")
	if g := q.Recipients[0]; g.Attempts != 1 || !g.NextTry.Equal(next) || g.Code != 451 {
		t.Fatalf("after a try: %+v", g)
	}
	r.ok(r.QueueDone(ctx, e.QueueID, []store.Outcome{{Recipient: "b@jauh.test", Done: true}}))
	if n, err := r.QueueLen(ctx); n != 0 || err != nil {
		t.Fatalf("%d wait, %v", n, err)
	}
	if _, err := r.OpenQueueBody(ctx, e.QueueID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("body of what is done: %v", err)
	}
	r.restart()
	if n, err := r.QueueLen(ctx); n != 0 || err != nil {
		t.Fatalf("after a restart %d wait, %v", n, err)
	}
}

func queueSurvives(t *testing.T, r *rig) {
	l := write("tunggu")
	e := r.envelope(store.Recipient{Path: "a@jauh.test", Notify: "FAILURE"}, store.Recipient{Path: "b@jauh.test"})
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	r.ok(r.QueueDone(ctx, e.QueueID, []store.Outcome{{Recipient: "b@jauh.test", Done: true}}))
	for range 2 {
		r.restart()
		r.wantQueue(e.QueueID, l, "a@jauh.test")
		env, err := r.QueueEnvelope(ctx, e.QueueID)
		r.ok(err)
		if env.From != e.From || string(env.Prefix) != string(e.Prefix) {
			t.Fatalf("envelope %+v", env)
		}
	}
}

func (r *rig) wantQueue(id string, l letter, paths ...string) store.QueueEntry {
	r.t.Helper()
	list, err := r.QueueList(ctx, store.System, store.QueueFilter{}, "", 10)
	r.ok(err)
	if len(list) != 1 || list[0].ID != id {
		r.t.Fatalf("the queue has %+v", list)
	}
	var got []string
	for _, rc := range list[0].Recipients {
		got = append(got, rc.Address)
	}
	if fmt.Sprint(got) != fmt.Sprint(paths) {
		r.t.Fatalf("waiting for %q, want %q", got, paths)
	}
	b, err := r.OpenQueueBody(ctx, id)
	r.ok(err)
	defer b.Close()
	text := make([]byte, b.Size())
	if n, _ := b.ReadAt(text, 0); n < len(text) || string(text) != string(l.text) {
		r.t.Fatalf("queued body is %q", text)
	}
	return list[0]
}

func gateRefuses(t *testing.T, r *rig) {
	l, other := write("satu"), write("dua")
	for name, p := range map[string]gate.Passed{
		"zero": {}, "other bytes": other.passed,
		"other purpose": gate.Mint([32]byte{}, gate.Quarantine, "", "", ""),
	} {
		e := r.envelope(to(r.satu), store.Recipient{Path: "a@jauh.test"})
		if err := r.Accept(ctx, e, l.body(), l.index, p); !errors.Is(err, store.ErrGate) {
			t.Fatalf("%s: Accept said %v", name, err)
		}
		msgs := []store.Append{{Body: l.body(), Index: l.index, Passed: p}}
		if _, _, err := r.AppendMessages(ctx, as(r.satu), r.satu.ID, "INBOX", msgs); !errors.Is(err, store.ErrGate) {
			t.Fatalf("%s: AppendMessages said %v", name, err)
		}
	}
	r.settle()
	r.wantTexts(r.satu, r.mailbox(r.satu, "INBOX"))
	if n, _ := r.QueueLen(ctx); n != 0 {
		t.Fatalf("%d messages in the queue", n)
	}
}
