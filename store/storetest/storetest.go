// Package storetest is the contract of package store as a suite: each promise is a
// sentence, and its test fails in the reader's words. Every engine passes all of it.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
)

var promises = []struct {
	name  string
	prove func(*testing.T, *rig)
}{
	{"what was accepted is filed once and byte for byte", acceptedIsFiled},
	{"what was accepted is there once after a restart", acceptedSurvives},
	{"a body is stored once for a thousand recipients", bodyOnce},
	{"the same account and mailbox get one copy", sameDestinationOnce},
	{"INBOX is made again when mail comes", inboxRemade},
	{"recipients elsewhere wait in the queue until they are done", queueKeeps},
	{"the queue survives a restart", queueSurvives},
	{"what an attempt told is kept, and what was not tried does not count", attemptsKept},
	{"recipients keep their own reverse-path and where they came from", recipientsKept},
	{"the runner hears of each entry, and of each change", watcherHears},
	{"a body that was just accepted reads the same from memory", freshBodies},
	{"a recipient of the queue is filed here once, and leaves the queue", queueFiles},
	{"what is held waits until it is released", holdsWait},
	{"a retry is now, and not for what is held", retriesNow},
	{"what is dropped is gone", dropsGo},
	{"a filter picks what it says", filtersPick},
	{"the queue is shown in order, page by page", pagesInOrder},
	{"a UC administrator reaches the queue of the own agency alone", queueOfAgency},
	{"a body that policy did not see is refused, and nothing is kept", gateRefuses},
	{"nobody reaches another's mail", noReach},
	{"UIDs only grow, and are never used twice", uidsOnlyGrow},
	{"UIDVALIDITY never comes back", validityOnlyGrows},
	{"MODSEQ grows with every change", modSeqGrows},
	{"flags and keywords are kept", flagsKept},
	{"a change after unchangedSince wins", unchangedSince},
	{"a mailbox takes 64 keywords and refuses one more", keywordLimit},
	{"APPEND of several is all or nothing", appendAtomic},
	{"APPEND replaces in the same step", appendReplaces},
	{"APPEND over quota is refused, and what fits is not", overQuota},
	{"COPY keeps identity, flags and dates", copyKeeps},
	{"MOVE is one step", moveAtomic},
	{"EXPUNGE removes what is \\Deleted", expungeRemoves},
	{"facts of a message never change", factsStay},
	{"a snapshot never changes", snapshotStays},
	{"whoever watches is woken", watchersWake},
	{"a mailbox that is deleted is gone for its sessions", deleteGone},
	{"renaming moves children, and INBOX leaves itself behind", renameMoves},
	{"names that cannot be used are refused", badNames},
	{"subscriptions outlive their mailbox", subscriptionsStay},
	{"new accounts have their mailboxes", accountMailboxes},
	{"counters are those of the rows", countersTrue},
	{"a login needs the right password, the newest or one in rotation", loginsChecked},
	{"SCRAM keys do not tell who exists", scramHidesWhoExists},
	{"an address leads to its account through aliases and subaddresses", addressesResolve},
	{"the directory changes for those who may, and never twice", directoryGuarded},
	{"accounts are made together, all or none", accountsTogether},
	{"routes, holds and catch-alls are kept, and their secrets not shown", routesKept},
	{"the table of a split domain is replaced as a whole", splitReplaced},
	{"groups are kept, and share their names with accounts and aliases", groupsKept},
	{"an alias means nobody once it has ended", aliasesEnd},
	{"forwarding outside government needs the agency's word", forwardsKept},
	{"a held account neither logs in nor loses mail", heldAccounts},
	{"signing keys sign when active, and are never shown", signingKeysGuarded},
	{"the suite's secrets stay", secretStays},
	{"incidents are kept, numbered, and shown to their agency alone", incidentsKept},
	{"what agencies say of policy holds at once, and is kept", policyKept},
	{"each version of a rule is kept, with who and why", policyVersions},
	{"policy is changed by those who may, and never to what it cannot be", policyGuarded},
	{"an incident is assigned, closed, and tells who did what", incidentsHandled},
	{"an incident shows each agency its own side alone", incidentSides},
	{"a case opens with its incident, and is decided by another than the sender", casesDecided},
	{"a case is found by any part that it rests on, and lapses", casesFound},
	{"an application is approved by another than who asked, and its terms only fall", appsApproved},
	{"an agency's defaults bind its administrator", appDefaultsBind},
	{"each acceptance of an application counts once", appCountsExact},
	{"a suppression holds for its application or agency, until it ends", suppressionsHold},
	{"suppressions are listed in pages, over applications", suppressionsInPages},
	{"a hard bounce suppresses at once, soft ones after some, and nothing replaces what holds longer", bouncesSuppress},
	{"what applications did is kept by hour, and shows each acceptance", usageKept},
	{"what may not be delivered yet waits, and a run is picked by its tag", runsWait},
	{"a run counts what became of it, and can be held and dropped", runsCount},
	{"what is in quarantine waits, whole, for its agency's administrators", quarantineKeeps},
	{"what is in quarantine is gone when its time is over, or when it is dropped", quarantineEnds},
	{"a body that was not judged for quarantine is refused", quarantineGate},
	{"small states are kept", statesKept},
	{"what became of a message is told", storiesTold},
}

// Run proves the engine that open makes. The same dir again is a restart.
func Run(t *testing.T, open func(t testing.TB, dir string) store.Store) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.prove(t, newRig(t, open))
		})
	}
}

// A rig is a store with two agencies, and what tests say often.
type rig struct {
	store.Store
	t    *testing.T
	open func(t testing.TB, dir string) store.Store
	dir  string

	satu, dua *store.Account // of agensi-a
	lain      *store.Account // of agensi-b
	seq       int
}

var ctx = context.Background()

func newRig(t *testing.T, open func(t testing.TB, dir string) store.Store) *rig {
	r := &rig{t: t, open: open, dir: t.TempDir()}
	r.Store = open(t, r.dir)
	t.Cleanup(func() { r.Close() })
	for _, a := range []string{"agensi-a", "agensi-b"} {
		r.ok(r.AddAgency(ctx, store.System, store.Agency{Name: a}))
		r.ok(r.AddDomain(ctx, store.System, store.Domain{Name: a + ".test", Agency: a}))
	}
	r.satu = r.account("pegawai1@agensi-a.test", "agensi-a", 0)
	r.dua = r.account("pegawai2@agensi-a.test", "agensi-a", 0)
	r.lain = r.account("pegawai1@agensi-b.test", "agensi-b", 0)
	return r
}

func (r *rig) account(address, agency string, quota int64) *store.Account {
	r.t.Helper()
	a, err := r.AddAccount(ctx, store.System, store.Account{Address: address, Agency: agency, Kind: store.Personal,
		Role: store.RoleOfficer, Quota: quota}, "")
	r.ok(err)
	return a
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// restart closes the store and opens it again.
func (r *rig) restart() {
	r.t.Helper()
	r.ok(r.Close())
	r.Store = r.open(r.t, r.dir)
}

func as(a *store.Account) store.Actor {
	return store.Actor{Agency: a.Agency, Account: a.ID, Role: store.RoleOfficer}
}

// A letter is a message ready to be stored.
type letter struct {
	text   []byte
	index  *message.Index
	passed gate.Passed
}

func write(subject string) letter {
	return letterOf([]byte("From: orang@luar.test\r\nSubject: " + subject + "\r\nMessage-ID: <" + rand.Text() +
		"@luar.test>\r\n\r\nIsi surat " + subject + ".\r\n"))
}

func letterOf(text []byte) letter {
	return letter{text, message.Parse(text), gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "test", "V-1")}
}

func (l letter) body() store.Body { return bytes.NewReader(l.text) }

// accept takes a letter for accounts, and waits for its filing.
func (r *rig) accept(l letter, to ...store.Recipient) *store.Envelope {
	r.t.Helper()
	e := r.envelope(to...)
	r.ok(r.Accept(ctx, e, l.body(), l.index, l.passed))
	r.settle()
	return e
}

func (r *rig) envelope(to ...store.Recipient) *store.Envelope {
	r.seq++
	return &store.Envelope{QueueID: fmt.Sprintf("Q%06d", r.seq), From: "orang@luar.test", Recipients: to,
		Prefix: []byte("Received: by agensi-a.test\r\n"), Received: time.Unix(1700000000, 0)}
}

func to(a *store.Account) store.Recipient {
	return store.Recipient{Path: a.Address, Account: a.ID, Agency: a.Agency}
}

// settle waits until all that was accepted is filed.
func (r *rig) settle() {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if n, _, _ := r.Lag(); n == 0 {
			return
		}
		select {
		case <-r.Failed():
			r.t.Fatal(r.Err())
		case <-time.After(time.Millisecond):
		}
	}
	r.t.Fatal("accepted mail is not filed after 20 s")
}

func (r *rig) mailbox(a *store.Account, name string) store.Mailbox {
	r.t.Helper()
	m, err := r.OpenMailbox(ctx, as(a), a.ID, name)
	r.ok(err)
	r.t.Cleanup(m.Close)
	return m
}

func (r *rig) append(a *store.Account, name string, flags store.Flags, ls ...letter) []store.UID {
	r.t.Helper()
	var msgs []store.Append
	for _, l := range ls {
		msgs = append(msgs, store.Append{Flags: flags, Internal: time.Unix(1600000000, 0), Body: l.body(), Index: l.index, Passed: l.passed})
	}
	_, uids, err := r.AppendMessages(ctx, as(a), a.ID, name, msgs)
	r.ok(err)
	if len(uids) != len(ls) {
		r.t.Fatalf("%d messages got %d UIDs", len(ls), len(uids))
	}
	return uids
}

// texts are the bodies of a mailbox, in order of UID.
func (r *rig) texts(a *store.Account, m store.Mailbox) (out []string) {
	r.t.Helper()
	for _, s := range m.Snapshot().States {
		b, err := r.OpenBody(ctx, as(a), m, s.Body)
		r.ok(err)
		text := make([]byte, b.Size())
		if n, err := b.ReadAt(text, 0); n < len(text) {
			r.t.Fatalf("UID %d: read %d of %d octets: %v", s.UID, n, len(text), err)
		}
		var copied strings.Builder
		r.ok(b.WriteRange(&copied, 0, b.Size()))
		if copied.String() != string(text) {
			r.t.Fatalf("UID %d: WriteRange and ReadAt differ", s.UID)
		}
		r.ok(b.Close())
		out = append(out, string(text))
	}
	return out
}

func (r *rig) wantTexts(a *store.Account, m store.Mailbox, ls ...letter) {
	r.t.Helper()
	var want []string
	for _, l := range ls {
		want = append(want, string(l.text))
	}
	if got := r.texts(a, m); !slices.Equal(got, want) {
		r.t.Fatalf("the mailbox holds %q\nwant %q", got, want)
	}
}

func uidsOf(m store.Mailbox) (uids []store.UID) {
	for _, s := range m.Snapshot().States {
		uids = append(uids, s.UID)
	}
	return uids
}

func (r *rig) facts(a *store.Account, m store.Mailbox, uid store.UID) (f store.Facts) {
	r.t.Helper()
	found := false
	r.ok(r.EachFacts(ctx, as(a), m, []store.UID{uid}, func(g *store.Facts) error {
		f, found = *g, true
		f.Prefix, f.Envelope, f.Structure = bytes.Clone(g.Prefix), bytes.Clone(g.Envelope), bytes.Clone(g.Structure)
		f.Layout, f.Header = bytes.Clone(g.Layout), bytes.Clone(g.Header)
		return nil
	}))
	if !found {
		r.t.Fatalf("UID %d has no facts", uid)
	}
	return f
}
