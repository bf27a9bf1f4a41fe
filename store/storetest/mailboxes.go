package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sampul/store"
)

func snapshotStays(t *testing.T, r *rig) {
	uids := r.append(r.satu, "INBOX", 0, write("satu"), write("dua"), write("tiga"))
	m := r.mailbox(r.satu, "INBOX")
	type kept struct {
		snap  *store.Snapshot
		copy  store.Snapshot
		after string
	}
	var all []kept
	keep := func(after string) {
		s := m.Snapshot()
		c := *s
		c.States, c.Keywords = slices.Clone(s.States), slices.Clone(s.Keywords)
		all = append(all, kept{s, c, after})
	}
	keep("opening")
	for i := range 30 {
		r.append(r.satu, "INBOX", 0, write(fmt.Sprint(i)))
		keep("append")
	}
	_, err := r.StoreFlags(ctx, as(r.satu), m, uids, store.FlagsAdd, store.FlagSeen, []string{"satu"}, 0)
	r.ok(err)
	keep("flags")
	r.ok(r.Expunge(ctx, as(r.satu), m, uids[1:2], true))
	keep("expunge")
	r.append(r.satu, "INBOX", 0, write("akhir"))
	for _, k := range all {
		if len(k.snap.States) != len(k.copy.States) || len(k.copy.States) > 0 && !reflect.DeepEqual(k.snap.States, k.copy.States) ||
			!slices.Equal(k.snap.Keywords, k.copy.Keywords) || k.snap.Status != k.copy.Status {
			t.Fatalf("the snapshot after %s changed", k.after)
		}
	}
}

func watchersWake(t *testing.T, r *rig) {
	m, other := r.mailbox(r.satu, "INBOX"), r.mailbox(r.satu, "Sent")
	wake, quiet := make(chan struct{}, 1), make(chan struct{}, 1)
	stop := m.Watch(wake)
	defer other.Watch(quiet)()
	woken := func(what string) {
		t.Helper()
		select {
		case <-wake: // before the call returned
		default:
			t.Fatalf("nobody was woken by %s", what)
		}
	}
	uids := r.append(r.satu, "INBOX", 0, write("satu"))
	woken("append")
	r.accept(write("dua"), to(r.satu))
	woken("mail")
	for range 3 { // a wake that nobody takes blocks nothing
		_, err := r.StoreFlags(ctx, as(r.satu), m, uids, store.FlagsSet, store.FlagSeen, nil, 0)
		r.ok(err)
		_, err = r.StoreFlags(ctx, as(r.satu), m, uids, store.FlagsSet, 0, nil, 0)
		r.ok(err)
	}
	woken("flags")
	stop()
	r.ok(r.Expunge(ctx, as(r.satu), m, uids, true))
	select {
	case <-wake:
		t.Fatal("woken after stop")
	case <-quiet:
		t.Fatal("woken by another mailbox")
	default:
	}
}

func deleteGone(t *testing.T, r *rig) {
	_, err := r.CreateMailbox(ctx, as(r.satu), r.satu.ID, "Projek", "")
	r.ok(err)
	uids := r.append(r.satu, "Projek", 0, write("satu"))
	m := r.mailbox(r.satu, "Projek")
	wake := make(chan struct{}, 1)
	defer m.Watch(wake)()
	_, err = r.CreateMailbox(ctx, as(r.satu), r.satu.ID, "Projek/Jalan", "")
	r.ok(err)
	if err := r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "Projek"); !errors.Is(err, store.ErrHasChildren) {
		t.Fatalf("with a child: %v", err)
	}
	r.ok(r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "Projek/Jalan"))
	r.ok(r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "Projek"))
	select {
	case <-wake:
	default:
		t.Fatal("its session was not woken")
	}
	if !m.Snapshot().Gone {
		t.Fatal("its session sees it still")
	}
	if _, err := r.StoreFlags(ctx, as(r.satu), m, uids, store.FlagsAdd, store.FlagSeen, nil, 0); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("flags in what is gone: %v", err)
	}
	if _, err := r.OpenMailbox(ctx, as(r.satu), r.satu.ID, "Projek"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("opened what is gone: %v", err)
	}
	if err := r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "inbox"); !errors.Is(err, store.ErrForbidden) {
		t.Fatalf("deleting INBOX: %v", err)
	}
	if err := r.DeleteMailbox(ctx, as(r.satu), r.satu.ID, "Tiada"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("deleting what never was: %v", err)
	}
}

func (r *rig) names(a *store.Account) (names []string) {
	r.t.Helper()
	list, err := r.Mailboxes(ctx, as(a), a.ID)
	r.ok(err)
	for _, m := range list {
		if m.Exists {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

func renameMoves(t *testing.T, r *rig) {
	me, id := as(r.satu), r.satu.ID
	_, err := r.CreateMailbox(ctx, me, id, "A/B/C", "")
	r.ok(err)
	l := write("dalam")
	uids := r.append(r.satu, "A/B", 0, l)
	m := r.mailbox(r.satu, "A/B")
	validity := m.Snapshot().UIDValidity
	r.ok(r.RenameMailbox(ctx, me, id, "A", "X/Y"))
	got := strings.Join(r.names(r.satu), " ")
	if got != "Archive Drafts INBOX Junk Sent Trash X X/Y X/Y/B X/Y/B/C" {
		t.Fatalf("after the rename: %s", got)
	}
	if m.Info().Name != "X/Y/B" || m.Snapshot().Gone {
		t.Fatalf("its session sees %+v", m.Info())
	}
	n := r.mailbox(r.satu, "X/Y/B")
	r.wantTexts(r.satu, n, l)
	if n.Snapshot().UIDValidity != validity || !slices.Equal(uidsOf(n), uids) {
		t.Fatal("UIDs changed by a rename")
	}
	for _, c := range []struct {
		from, to string
		err      error
	}{{"X", "Sent", store.ErrExists}, {"Tiada", "Y", store.ErrNotFound}, {"X", "X/Z", store.ErrName}, {"X", "a//b", store.ErrName}} {
		if err := r.RenameMailbox(ctx, me, id, c.from, c.to); !errors.Is(err, c.err) {
			t.Errorf("rename %s to %s: %v, want %v", c.from, c.to, err, c.err)
		}
	}
	in := r.mailbox(r.satu, "INBOX")
	a := write("lama")
	r.append(r.satu, "INBOX", 0, a)
	r.ok(r.RenameMailbox(ctx, me, id, "inbox", "Lama"))
	if !in.Snapshot().Gone {
		t.Fatal("who selected INBOX goes on in the mailbox that took its messages")
	}
	r.wantTexts(r.satu, r.mailbox(r.satu, "Lama"), a)
	fresh := r.mailbox(r.satu, "INBOX")
	r.wantTexts(r.satu, fresh)
	if fresh.Snapshot().UIDValidity == in.Snapshot().UIDValidity {
		t.Fatal("the new INBOX has the UIDVALIDITY of the old one")
	}
}

func badNames(t *testing.T, r *rig) {
	for _, name := range []string{"/", "a/", "/a", "a//b", "a*", "a%b", "a\x00", "a\r\nb", "\xff\xfe", "a\x7f",
		strings.Repeat("x", 256), strings.Repeat("x/", 600) + "x"} {
		if _, err := r.CreateMailbox(ctx, as(r.satu), r.satu.ID, name, ""); !errors.Is(err, store.ErrName) {
			t.Errorf("create %q: %v", name, err)
		}
	}
	for _, name := range []string{"Sulit & Lain", "日本", "é", "INBOX/Projek", "a.b", strings.Repeat("x", 255)} {
		if _, err := r.CreateMailbox(ctx, as(r.satu), r.satu.ID, name, ""); err != nil {
			t.Errorf("create %q: %v", name, err)
		}
	}
	for _, name := range []string{"inbox", "Sent", "inbox/Projek"} {
		if _, err := r.CreateMailbox(ctx, as(r.satu), r.satu.ID, name, ""); !errors.Is(err, store.ErrExists) {
			t.Errorf("create %q again: %v", name, err)
		}
	}
}

func subscriptionsStay(t *testing.T, r *rig) {
	me, id := as(r.satu), r.satu.ID
	_, err := r.CreateMailbox(ctx, me, id, "Projek", `\Flagged`)
	r.ok(err)
	r.ok(r.Subscribe(ctx, me, id, "Projek", true))
	r.ok(r.Subscribe(ctx, me, id, "Belum", true))
	find := func(name string) (m store.MailboxInfo) {
		list, err := r.Mailboxes(ctx, me, id)
		r.ok(err)
		if i := slices.IndexFunc(list, func(m store.MailboxInfo) bool { return m.Name == name }); i >= 0 {
			m = list[i]
		}
		return m
	}
	if m := find("Projek"); !m.Subscribed || !m.Exists || m.Use != `\Flagged` {
		t.Fatalf("Projek is %+v", m)
	}
	r.ok(r.DeleteMailbox(ctx, me, id, "Projek"))
	r.restart()
	for _, name := range []string{"Projek", "Belum"} {
		if m := find(name); !m.Subscribed || m.Exists {
			t.Fatalf("%s is %+v", name, m)
		}
		r.ok(r.Subscribe(ctx, me, id, name, false))
		if m := find(name); m.Name != "" {
			t.Fatalf("%s is listed after both went: %+v", name, m)
		}
	}
}

func accountMailboxes(t *testing.T, r *rig) {
	list, err := r.Mailboxes(ctx, as(r.satu), r.satu.ID)
	r.ok(err)
	got := map[string]string{}
	for _, m := range list {
		if !m.Subscribed || !m.Exists {
			t.Errorf("%+v", m)
		}
		got[m.Name] = m.Use
	}
	want := map[string]string{"INBOX": "", "Drafts": `\Drafts`, "Sent": `\Sent`, "Junk": `\Junk`, "Trash": `\Trash`, "Archive": `\Archive`}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("mailboxes %v", got)
	}
}

func countersTrue(t *testing.T, r *rig) {
	uids := r.append(r.satu, "INBOX", 0, write("a"), write("b"), write("c"), write("d"))
	m := r.mailbox(r.satu, "INBOX")
	_, err := r.StoreFlags(ctx, as(r.satu), m, uids[:2], store.FlagsSet, store.FlagSeen|store.FlagDeleted, nil, 0)
	r.ok(err)
	_, err = r.StoreFlags(ctx, as(r.satu), m, uids[1:3], store.FlagsSet, store.FlagSeen, nil, 0)
	r.ok(err)
	_, _, _, err = r.Copy(ctx, as(r.satu), m, uids[2:], "Sent", true)
	r.ok(err)
	r.accept(write("e"), to(r.satu))
	for _, name := range []string{"INBOX", "Sent"} {
		m := r.mailbox(r.satu, name)
		snap := m.Snapshot()
		want := store.Status{UIDNext: snap.UIDNext, UIDValidity: snap.UIDValidity, HighestModSeq: snap.HighestModSeq}
		for _, s := range snap.States {
			want.Messages++
			want.Size += s.Size
			if s.Flags&store.FlagSeen == 0 {
				want.Unseen++
			}
			if s.Flags&store.FlagDeleted != 0 {
				want.Deleted++
				want.DeletedSize += s.Size
			}
		}
		got, err := r.MailboxStatus(ctx, as(r.satu), r.satu.ID, name)
		if r.ok(err); got != want || snap.Status != want {
			t.Fatalf("%s: status %+v, snapshot %+v, want %+v", name, got, snap.Status, want)
		}
	}
}
