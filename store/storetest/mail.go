package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"sampul/store"
)

func noReach(t *testing.T, r *rig) {
	l := write("rahsia kejayaan")
	r.accept(l, to(r.satu))
	m := r.mailbox(r.satu, "INBOX")
	state := m.Snapshot().States[0]
	uids := []store.UID{state.UID}
	admin := store.Actor{Agency: "agensi-b", Account: r.lain.ID, Role: store.RoleAdmin}
	forged := store.Actor{Agency: "agensi-b", Account: r.satu.ID, Role: store.RoleOfficer}
	for who, by := range map[string]store.Actor{"a colleague": as(r.dua), "another agency": as(r.lain),
		"its administrator": admin, "nobody": {}, "the account under another agency": forged} {
		id := r.satu.ID
		_, list := r.Mailboxes(ctx, by, id)
		_, create := r.CreateMailbox(ctx, by, id, "X", "")
		_, open := r.OpenMailbox(ctx, by, id, "INBOX")
		_, status := r.MailboxStatus(ctx, by, id, "INBOX")
		_, _, app := r.AppendMessages(ctx, by, id, "INBOX", []store.Append{{Body: l.body(), Index: l.index, Passed: l.passed}})
		_, flags := r.StoreFlags(ctx, by, m, uids, store.FlagsAdd, store.FlagSeen, nil, 0)
		_, _, _, move := r.Copy(ctx, by, m, uids, "INBOX", false)
		_, body := r.OpenBody(ctx, by, m, state.Body)
		for call, err := range map[string]error{
			"Mailboxes": list, "CreateMailbox": create, "OpenMailbox": open, "MailboxStatus": status,
			"AppendMessages": app, "StoreFlags": flags, "Copy": move, "OpenBody": body,
			"DeleteMailbox": r.DeleteMailbox(ctx, by, id, "Sent"),
			"RenameMailbox": r.RenameMailbox(ctx, by, id, "Sent", "S"),
			"Subscribe":     r.Subscribe(ctx, by, id, "X", true),
			"Expunge":       r.Expunge(ctx, by, m, uids, true),
			"EachFacts":     r.EachFacts(ctx, by, m, uids, func(*store.Facts) error { return nil }),
		} {
			if !errors.Is(err, store.ErrForbidden) {
				t.Errorf("%s by %s: %v", call, who, err)
			}
		}
	}
	r.wantTexts(r.satu, m, l)
}

func uidsOnlyGrow(t *testing.T, r *rig) {
	m := r.mailbox(r.satu, "INBOX")
	last := store.UID(0)
	for range 3 {
		for range 2 {
			uid := r.append(r.satu, "INBOX", 0, write("satu"))[0]
			if uid <= last {
				t.Fatalf("UID %d given after %d: clients would show the wrong message", uid, last)
			}
			last = uid
		}
		r.ok(r.Expunge(ctx, as(r.satu), m, uidsOf(m), true))
		m.Close()
		r.restart()
		m = r.mailbox(r.satu, "INBOX")
		if next := m.Snapshot().UIDNext; next <= last {
			t.Fatalf("UIDNEXT is %d after UID %d", next, last)
		}
	}
}

func validityOnlyGrows(t *testing.T, r *rig) {
	var last uint32
	for range 3 {
		info, err := r.CreateMailbox(ctx, as(r.satu), r.satu.ID, "Projek", "")
		r.ok(err)
		if info.UIDValidity <= last {
			t.Fatalf("UIDVALIDITY %d given after %d", info.UIDValidity, last)
		}
		last = info.UIDValidity
		r.append(r.satu, "Projek", 0, write("x"))
		r.ok(r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "Projek"))
		r.restart()
	}
}

func modSeqGrows(t *testing.T, r *rig) {
	m := r.mailbox(r.satu, "INBOX")
	last := m.Snapshot().HighestModSeq
	step := func(what string) {
		t.Helper()
		s := m.Snapshot()
		if s.HighestModSeq <= last {
			t.Fatalf("%s: HIGHESTMODSEQ stays at %d", what, last)
		}
		last = s.HighestModSeq
	}
	uid := r.append(r.satu, "INBOX", 0, write("satu"), write("dua"))[0]
	step("append")
	r.accept(write("tiga"), to(r.satu))
	step("accept")
	_, err := r.StoreFlags(ctx, as(r.satu), m, []store.UID{uid}, store.FlagsAdd, store.FlagSeen, nil, 0)
	r.ok(err)
	step("flags")
	if s := m.Snapshot().States[0]; s.ModSeq != last {
		t.Fatalf("the changed message has MODSEQ %d, the mailbox %d", s.ModSeq, last)
	}
	_, err = r.StoreFlags(ctx, as(r.satu), m, []store.UID{uid}, store.FlagsAdd, store.FlagSeen, nil, 0)
	r.ok(err)
	if m.Snapshot().HighestModSeq != last {
		t.Fatal("a flag that was there already gave a new MODSEQ")
	}
	r.ok(r.Expunge(ctx, as(r.satu), m, []store.UID{uid}, true))
	step("expunge")
}

func flagsKept(t *testing.T, r *rig) {
	uids := r.append(r.satu, "INBOX", store.FlagDraft, write("satu"), write("dua"), write("tiga"))
	m := r.mailbox(r.satu, "INBOX")
	change := func(op store.FlagOp, f store.Flags, words ...string) {
		t.Helper()
		_, err := r.StoreFlags(ctx, as(r.satu), m, []store.UID{uids[2], uids[0], uids[0], 99}, op, f, words, 0)
		r.ok(err)
	}
	change(store.FlagsAdd, store.FlagSeen|store.FlagFlagged, "$Forwarded", "penting")
	change(store.FlagsRemove, store.FlagFlagged, "$forwarded", "tiada")
	want := func(i int, f store.Flags, words ...string) {
		t.Helper()
		s := m.Snapshot()
		var got []string
		for b, w := range s.Keywords {
			if s.States[i].Keywords&(1<<b) != 0 {
				got = append(got, w)
			}
		}
		if s.States[i].Flags != f || !slices.Equal(got, words) {
			t.Fatalf("message %d has %b %q, want %b %q", i, s.States[i].Flags, got, f, words)
		}
	}
	for range 2 {
		want(0, store.FlagDraft|store.FlagSeen, "penting")
		want(1, store.FlagDraft)
		want(2, store.FlagDraft|store.FlagSeen, "penting")
		m.Close()
		r.restart()
		m = r.mailbox(r.satu, "INBOX")
	}
	change(store.FlagsSet, store.FlagAnswered, "baharu")
	want(0, store.FlagAnswered, "baharu")
	want(1, store.FlagDraft)
}

func unchangedSince(t *testing.T, r *rig) {
	uids := r.append(r.satu, "INBOX", 0, write("satu"), write("dua"))
	m := r.mailbox(r.satu, "INBOX")
	before := m.Snapshot().HighestModSeq
	_, err := r.StoreFlags(ctx, as(r.satu), m, uids[:1], store.FlagsAdd, store.FlagSeen, nil, 0)
	r.ok(err)
	modified, err := r.StoreFlags(ctx, as(r.satu), m, uids, store.FlagsAdd, store.FlagFlagged, nil, before)
	r.ok(err)
	s := m.Snapshot().States
	if !slices.Equal(modified, uids[:1]) || s[0].Flags != store.FlagSeen || s[1].Flags != store.FlagFlagged {
		t.Fatalf("modified %v, flags %b %b", modified, s[0].Flags, s[1].Flags)
	}
}

func keywordLimit(t *testing.T, r *rig) {
	uid := r.append(r.satu, "INBOX", 0, write("satu"))
	m := r.mailbox(r.satu, "INBOX")
	add := func(w string) error {
		_, err := r.StoreFlags(ctx, as(r.satu), m, uid, store.FlagsAdd, store.FlagSeen, []string{w}, 0)
		return err
	}
	for i := range store.MaxKeywords {
		r.ok(add(fmt.Sprint("kata", i)))
	}
	_, err := r.StoreFlags(ctx, as(r.satu), m, uid, store.FlagsAdd, store.FlagFlagged, []string{"lebih"}, 0)
	if !errors.Is(err, store.ErrLimit) {
		t.Fatalf("one more: %v", err)
	}
	s := m.Snapshot()
	if len(s.Keywords) != store.MaxKeywords || s.States[0].Keywords != 1<<64-1 || s.States[0].Flags != store.FlagSeen {
		t.Fatalf("%d keywords, bits %x, flags %b", len(s.Keywords), s.States[0].Keywords, s.States[0].Flags)
	}
	l := write("dua")
	_, _, err = r.AppendMessages(ctx, as(r.satu), r.satu.ID, "INBOX",
		[]store.Append{{Body: l.body(), Index: l.index, Passed: l.passed, Keywords: []string{"lebih"}}})
	if !errors.Is(err, store.ErrLimit) || len(m.Snapshot().States) != 1 {
		t.Fatalf("APPEND with one more: %v", err)
	}
}

func appendAtomic(t *testing.T, r *rig) {
	a, b := write("satu"), write("dua")
	bad := b
	bad.passed = a.passed
	msgs := []store.Append{{Body: a.body(), Index: a.index, Passed: a.passed}, {Body: b.body(), Index: b.index, Passed: bad.passed}}
	if _, _, err := r.AppendMessages(ctx, as(r.satu), r.satu.ID, "INBOX", msgs); !errors.Is(err, store.ErrGate) {
		t.Fatal(err)
	}
	m := r.mailbox(r.satu, "INBOX")
	r.wantTexts(r.satu, m)
	if _, _, err := r.AppendMessages(ctx, as(r.satu), r.satu.ID, "Tiada", msgs[:1]); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("into a mailbox that is not there: %v", err)
	}
	uids := r.append(r.satu, "INBOX", store.FlagSeen, a, b)
	if uids[1] <= uids[0] || !slices.Equal(uids, uidsOf(m)) {
		t.Fatalf("UIDs %v, the mailbox has %v", uids, uidsOf(m))
	}
	r.wantTexts(r.satu, m, a, b)
	if s := m.Snapshot(); s.States[0].Internal != 1600000000 || s.States[1].Flags != store.FlagSeen {
		t.Fatalf("states %+v", s.States)
	}
}

func appendReplaces(t *testing.T, r *rig) {
	a, b := write("draf"), write("draf dua")
	uid := r.append(r.satu, "Drafts", store.FlagDraft, a)[0]
	_, uids, err := r.AppendMessages(ctx, as(r.satu), r.satu.ID, "Drafts",
		[]store.Append{{Body: b.body(), Index: b.index, Passed: b.passed, Replaces: uid}})
	r.ok(err)
	m := r.mailbox(r.satu, "Drafts")
	r.wantTexts(r.satu, m, b)
	if !slices.Equal(uids, uidsOf(m)) {
		t.Fatalf("UIDs %v, mailbox %v", uids, uidsOf(m))
	}
}

func overQuota(t *testing.T, r *rig) {
	l := write("satu")
	n := int64(len(l.text))
	a := r.account("sempit@agensi-a.test", "agensi-a", 2*n)
	r.append(a, "INBOX", 0, l)
	put := func(ls ...letter) error {
		var msgs []store.Append
		for _, l := range ls {
			msgs = append(msgs, store.Append{Body: l.body(), Index: l.index, Passed: l.passed})
		}
		_, _, err := r.AppendMessages(ctx, as(a), a.ID, "Sent", msgs)
		return err
	}
	if err := put(l, l); !errors.Is(err, store.ErrOverQuota) {
		t.Fatalf("two where one fits: %v", err)
	}
	r.ok(put(l))
	m := r.mailbox(a, "INBOX")
	if _, _, _, err := r.Copy(ctx, as(a), m, uidsOf(m), "Sent", false); !errors.Is(err, store.ErrOverQuota) {
		t.Fatalf("copy into a full account: %v", err)
	}
	_, _, _, err := r.Copy(ctx, as(a), m, uidsOf(m), "Trash", true)
	r.ok(err)
	m = r.mailbox(a, "Trash")
	r.ok(r.Expunge(ctx, as(a), m, uidsOf(m), true))
	r.ok(put(l))
	r.accept(l, to(a)) // filing never asks: RCPT has
	r.wantTexts(a, r.mailbox(a, "INBOX"), l)
}

func copyKeeps(t *testing.T, r *rig) {
	l := write("satu")
	uid := r.append(r.satu, "INBOX", store.FlagSeen, write("lain"), l)[1]
	m := r.mailbox(r.satu, "INBOX")
	_, err := r.StoreFlags(ctx, as(r.satu), m, []store.UID{uid}, store.FlagsAdd, 0, []string{"a", "b"}, 0)
	r.ok(err)
	r.append(r.satu, "Archive", 0, write("dahulu"))
	dst := r.mailbox(r.satu, "Archive")
	validity, from, to, err := r.Copy(ctx, as(r.satu), m, []store.UID{uid, 99}, "Archive", false)
	r.ok(err)
	if validity != dst.Snapshot().UIDValidity || !slices.Equal(from, []store.UID{uid}) || len(to) != 1 {
		t.Fatalf("COPYUID %d %v %v", validity, from, to)
	}
	old, s := m.Snapshot().States[1], dst.Snapshot().States[1]
	if s.UID != to[0] || s.Flags != old.Flags || s.Keywords != old.Keywords || s.Internal != old.Internal || s.Body != old.Body {
		t.Fatalf("the copy is %+v of %+v", s, old)
	}
	a, b := r.facts(r.satu, m, uid), r.facts(r.satu, dst, to[0])
	if a.EmailID != b.EmailID || a.ThreadID != b.ThreadID || !a.Internal.Equal(b.Internal) || b.CreatedAt <= a.CreatedAt {
		t.Fatalf("facts of the copy are %+v of %+v", b, a)
	}
	r.ok(r.Expunge(ctx, as(r.satu), m, []store.UID{uid}, true))
	if got := r.texts(r.satu, dst); got[1] != string(l.text) {
		t.Fatalf("the copy reads %q after its source went", got[1])
	}
	if _, _, _, err := r.Copy(ctx, as(r.satu), dst, to, "Tiada", false); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("copy to nowhere: %v", err)
	}
}

func moveAtomic(t *testing.T, r *rig) {
	a, b := write("satu"), write("dua")
	uids := r.append(r.satu, "INBOX", store.FlagFlagged, a, b)
	m, dst := r.mailbox(r.satu, "INBOX"), r.mailbox(r.satu, "Trash")
	_, from, to, err := r.Copy(ctx, as(r.satu), m, uids, "Trash", true)
	r.ok(err)
	if !slices.Equal(from, uids) || !slices.Equal(to, uidsOf(dst)) {
		t.Fatalf("COPYUID %v %v", from, to)
	}
	r.wantTexts(r.satu, m)
	r.wantTexts(r.satu, dst, a, b)
	_, _, _, err = r.Copy(ctx, as(r.satu), dst, to[:1], "Trash", true)
	r.ok(err) // onto itself: a new UID
	r.wantTexts(r.satu, dst, b, a)
	m.Close()
	dst.Close()
	r.restart()
	r.wantTexts(r.satu, r.mailbox(r.satu, "Trash"), b, a)
}

func expungeRemoves(t *testing.T, r *rig) {
	a, b, c := write("satu"), write("dua"), write("tiga")
	uids := r.append(r.satu, "INBOX", 0, a, b, c)
	m := r.mailbox(r.satu, "INBOX")
	_, err := r.StoreFlags(ctx, as(r.satu), m, uids[1:], store.FlagsAdd, store.FlagDeleted, nil, 0)
	r.ok(err)
	r.ok(r.Expunge(ctx, as(r.satu), m, uids[:2], false))
	r.wantTexts(r.satu, m, a, c)
	seen := 0
	r.ok(r.EachFacts(ctx, as(r.satu), m, uids, func(*store.Facts) error { seen++; return nil }))
	if seen != 2 {
		t.Fatalf("facts of %d messages, want 2", seen)
	}
	r.ok(r.Expunge(ctx, as(r.satu), m, uids[:1], true))
	r.wantTexts(r.satu, m, c)
	if s := m.Snapshot(); s.Messages != 1 || s.Deleted != 1 || s.Size != int64(len(c.text)) {
		t.Fatalf("status %+v", s.Status)
	}
}

func factsStay(t *testing.T, r *rig) {
	l := letterOf([]byte("Subject: =?utf-8?q?Mesyuarat?=\r\nFrom: a@luar.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nsatu\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>dua</b>\r\n--b--\r\n"))
	uid := r.append(r.satu, "INBOX", 0, l)[0]
	m := r.mailbox(r.satu, "INBOX")
	want := r.facts(r.satu, m, uid)
	if len(want.Envelope) == 0 || len(want.Structure) == 0 || len(want.Layout) == 0 || len(want.Header) == 0 || want.Class != "TERBUKA" {
		t.Fatalf("facts are incomplete: %+v", want)
	}
	_, err := r.StoreFlags(ctx, as(r.satu), m, []store.UID{uid}, store.FlagsAdd, store.FlagSeen, []string{"x"}, 0)
	r.ok(err)
	m.Close()
	r.restart()
	if got := r.facts(r.satu, r.mailbox(r.satu, "INBOX"), uid); !reflect.DeepEqual(got, want) {
		t.Fatalf("facts became %+v\nwere %+v", got, want)
	}
}
