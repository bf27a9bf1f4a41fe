package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/seal"
	"sampul/store"
	"sampul/store/journal"
)

var testKey = seal.Ephemeral()

func openTest(t *testing.T, dir string, change func(*Options)) (*Engine, error) {
	t.Helper()
	o := Options{Dir: dir, Key: testKey, Reserve: 1, Shards: 2}
	if change != nil {
		change(&o)
	}
	return Open(context.Background(), o)
}

func mustOpen(t *testing.T, dir string, change func(*Options)) *Engine {
	t.Helper()
	e, err := openTest(t, dir, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func testAccount(t *testing.T, e *Engine) *store.Account {
	t.Helper()
	ctx := context.Background()
	err := errors.Join(e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}),
		e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := e.AddAccount(ctx, store.System, store.Account{Address: "pegawai1@agensi-a.test", Agency: "agensi-a", Kind: store.Personal}, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func acceptTest(e *Engine, id string, a *store.Account) error {
	text := []byte("Subject: " + id + "\r\n\r\nisi\r\n")
	env := &store.Envelope{QueueID: id, Received: time.Unix(1700000000, 0),
		Recipients: []store.Recipient{{Path: a.Address, Account: a.ID, Agency: a.Agency}}}
	return e.Accept(context.Background(), env, bytes.NewReader(text), message.Parse(text),
		gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", ""))
}

func (e *Engine) settle(t *testing.T) {
	t.Helper()
	for n, _, _ := e.Lag(); n > 0; n, _, _ = e.Lag() {
		select {
		case <-e.Failed():
			t.Fatal(e.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

func count(t *testing.T, e *Engine, a *store.Account) uint32 {
	t.Helper()
	s, err := e.MailboxStatus(context.Background(), store.System, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return s.Messages
}

func TestOnlyOneProcess(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	if _, err := openTest(t, dir, nil); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second engine: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.QueueLen(context.Background()); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	mustOpen(t, dir, nil)
}

func TestFormat(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"another version": func(p string) error { return os.WriteFile(p, []byte(`{"version":99,"shards":2}`), 0o600) },
		"not a format":    func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"missing":         os.Remove,
	} {
		dir := t.TempDir()
		if err := mustOpen(t, dir, nil).Close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(dir, "FORMAT")); err != nil {
			t.Fatal(err)
		}
		if _, err := openTest(t, dir, nil); !errors.Is(err, store.ErrFormat) {
			t.Errorf("FORMAT %s: %v", name, err)
		}
	}
}

func TestShardsAreThoseOfTheStore(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, dir, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if e := mustOpen(t, dir, func(o *Options) { o.Shards = 7 }); len(e.shards) != 2 {
		t.Fatalf("%d shards, the store was made with 2", len(e.shards))
	}
}

func TestDiskReserve(t *testing.T) {
	e := mustOpen(t, t.TempDir(), nil)
	a := testAccount(t, e)
	ctx := context.Background()
	if err := acceptTest(e, "Q1", a); err != nil {
		t.Fatal(err)
	}
	e.settle(t)
	e.reserve.least, e.reserve.asked = 1<<62, time.Time{}
	if err := e.Ready(store.LanePeople); !errors.Is(err, store.ErrDiskReserve) {
		t.Fatalf("Ready: %v", err)
	}
	if err := acceptTest(e, "Q2", a); !errors.Is(err, store.ErrDiskReserve) {
		t.Fatalf("Accept: %v", err)
	}
	m, err := e.OpenMailbox(ctx, store.System, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := e.Expunge(ctx, store.System, m, []store.UID{1}, true); err != nil || len(m.Snapshot().States) != 0 {
		t.Fatalf("expunge on a full disk: %v", err)
	}
}

// A watermark that the journal does not reach means that the journal was lost or is
// another store's: to go on would skip mail.
func TestWatermarkBeyondTheJournal(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	err := e.shards[0].update(context.Background(), func(tx *txn) error {
		return tx.put(bucketMeta, markKey(store.LanePeople), mark{1 << 40, 1}.encode())
	})
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, dir, nil); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("started all the same: %v", err)
	}
}

// One record that can't be filed is parked, and all before and after it are filed.
func TestParked(t *testing.T) {
	for name, fault := range map[string]func() error{
		"error": func() error { return errors.New("cannot be filed") },
		"panic": func() error { panic("cannot be filed") },
	} {
		t.Run(name, func(t *testing.T) {
			e := mustOpen(t, t.TempDir(), nil)
			a := testAccount(t, e)
			ap := e.shards[a.Shard].applier
			file := ap.file
			ap.mu.Lock()
			ap.file = func(tx *txn, f *filing) error {
				err := file(tx, f)
				if f.accept != nil && f.accept.env.QueueID == "Q2" {
					return fault() // after it has written
				}
				return err
			}
			ap.mu.Unlock()
			for i := range 5 {
				if err := acceptTest(e, fmt.Sprint("Q", i), a); err != nil {
					t.Fatal(err)
				}
			}
			e.settle(t)
			if n := count(t, e, a); n != 4 {
				t.Fatalf("%d messages are filed, want 4", n)
			}
			var said []string
			if err := e.Verify(context.Background(), func(s string) { said = append(said, s) }); err != nil {
				t.Fatal(err)
			}
			if len(said) != 1 || !strings.Contains(said[0], "1 records could not be filed") {
				t.Fatalf("verify says %q", said)
			}
		})
	}
}

// A change that fails after it wrote leaves nothing, and takes no other with it.
func TestFailedChangeLeavesNothing(t *testing.T) {
	e := mustOpen(t, t.TempDir(), nil)
	s := e.shards[0]
	errOwn := errors.New("own fault")
	put := func(key string, err error) *change {
		return &change{done: make(chan struct{}), f: func(tx *txn) error {
			return errors.Join(tx.put(bucketMeta, []byte(key), []byte{1}), err)
		}}
	}
	q := []*change{put("satu", nil), put("dua", errOwn), put("tiga", nil)}
	all := append([]*change(nil), q...)
	if !s.commit(q) {
		t.Fatal("the engine failed")
	}
	for i, want := range []error{nil, errOwn, nil} {
		<-all[i].done
		if !errors.Is(all[i].err, want) {
			t.Errorf("change %d: %v", i, all[i].err)
		}
	}
	err := s.read(func(tx *bbolt.Tx) error {
		for key, want := range map[string]bool{"satu": true, "dua": false, "tiga": true} {
			if got := tx.Bucket(bucketMeta).Get([]byte(key)) != nil; got != want {
				t.Errorf("%s is there: %v", key, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantDead checks that nothing is answered OK any more.
func wantDead(t *testing.T, e *Engine, a *store.Account, m store.Mailbox) {
	t.Helper()
	<-e.Failed()
	ctx := context.Background()
	_, list := e.Mailboxes(ctx, store.System, a.ID)
	_, flags := e.StoreFlags(ctx, store.System, m, []store.UID{1}, store.FlagsAdd, store.FlagSeen, nil, 0)
	_, queue := e.QueueLen(ctx)
	for call, err := range map[string]error{"Accept": acceptTest(e, "Q9", a), "Ready": e.Ready(0), "Mailboxes": list,
		"StoreFlags": flags, "QueueLen": queue, "Expunge": e.Expunge(ctx, store.System, m, []store.UID{1}, true)} {
		if !errors.Is(err, store.ErrFailed) {
			t.Errorf("%s: %v, want ErrFailed", call, err)
		}
	}
	if !errors.Is(e.Err(), store.ErrFailed) {
		t.Errorf("Err: %v", e.Err())
	}
}

func TestFailedCommitEndsTheEngine(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	a := testAccount(t, e)
	if err := acceptTest(e, "Q1", a); err != nil {
		t.Fatal(err)
	}
	e.settle(t)
	m, err := e.OpenMailbox(context.Background(), store.System, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	err = e.shards[a.Shard].update(context.Background(), func(tx *txn) error {
		tx.writes++
		return tx.tx.Rollback() // the commit after it finds no transaction
	})
	if !errors.Is(err, store.ErrFailed) {
		t.Fatalf("a commit that failed said %v", err)
	}
	wantDead(t, e, a, m)
	e.Close()
	e = mustOpen(t, dir, nil)
	if n := count(t, e, a); n != 1 {
		t.Fatalf("%d messages after the next start, want 1", n)
	}
}

// A journal whose sync fails ends the engine too; the next start has all that was
// acknowledged, and nothing twice.
func TestFailedSyncEndsTheEngine(t *testing.T) {
	dir := t.TempDir()
	disk := &brokenFS{}
	e := mustOpen(t, dir, func(o *Options) { o.JournalFS = disk })
	a := testAccount(t, e)
	for i := range 3 {
		if err := acceptTest(e, fmt.Sprint("Q", i), a); err != nil {
			t.Fatal(err)
		}
	}
	m, err := e.OpenMailbox(context.Background(), store.System, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	disk.broken.Store(true)
	if err := acceptTest(e, "Q3", a); !errors.Is(err, store.ErrFailed) {
		t.Fatalf("Accept on a broken disk: %v", err)
	}
	wantDead(t, e, a, m)
	e.Close()
	e = mustOpen(t, dir, nil)
	e.settle(t)
	if n := count(t, e, a); n != 3 && n != 4 { // what was not acknowledged may be there, or not
		t.Fatalf("%d messages after the next start, want 3 or 4", n)
	}
	if err := e.Verify(context.Background(), func(s string) { t.Error(s) }); err != nil {
		t.Fatal(err)
	}
}

// Unknown fields are passed over, and damage is an error.
func TestRowsOfANewerProgram(t *testing.T) {
	m := mailboxRow{id: 7, account: 3, name: "Projek", use: `\Sent`, keywords: []string{"a", "b"}}
	m.status = store.Status{UIDNext: 9, UIDValidity: 2, HighestModSeq: 77, Messages: 4, Size: 1 << 40}
	b := putString(m.encode(), 999, "from the future")
	got, err := decodeMailbox(7, b)
	if err != nil || fmt.Sprint(*got) != fmt.Sprint(m) {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := decodeMailbox(7, b[:n]); err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if _, err := decodeMailbox(7, b[:len(b)-1]); err == nil {
		t.Fatal("a row that was cut is read")
	}
	if _, err := decodeMailbox(7, append([]byte{99}, b[1:]...)); err == nil {
		t.Fatal("a row of another version is read")
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	a := &accepted{ruleSet: "R1", facts: []byte("facts"), email: [16]byte{1}, shards: []uint8{1, 0},
		ref: journal.BodyRef{ID: journal.ID{9}, Segment: 1, First: 64, Size: 100, Stored: 200},
		env: store.Envelope{QueueID: "Q", From: "a@luar.test", Prefix: []byte("P: 1\r\n"), Received: time.Unix(0, 1234567890123),
			Lane: store.LaneBulk, App: 5, AppCounted: 6, Sender: 7, EightBit: true, RequireTLS: true, Ret: "HDRS", EnvID: "E",
			VerdictID: "V", Class: "TERHAD", Recipients: []store.Recipient{
				{Path: "p@agensi-a.test", Account: 1 << 40, Agency: "agensi-a", Mailbox: "Projek", Notify: "NEVER", ORcpt: "rfc822;x", Prefix: []byte("D: 1\r\n")},
				{Path: "q@jauh.test"}}}}
	fields, err := a.fields()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeAccept(&journal.Record{Type: journal.Accept, Fields: append(fields, journal.Field{Num: 999, Data: []byte{1}})})
	if err != nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *a) {
		t.Fatalf("got  %+v, %v\nwant %+v", got, err, a)
	}
}
