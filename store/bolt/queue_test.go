package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
	"sampul/store/journal"
)

func queueTest(t testing.TB, e *Engine, id string, paths ...string) {
	t.Helper()
	text := []byte("Subject: " + id + "\r\n\r\nisi\r\n")
	env := &store.Envelope{QueueID: id, From: "orang@luar.test", Received: time.Unix(1700000000, 0), Prefix: []byte("Received: x\r\n")}
	for _, p := range paths {
		env.Recipients = append(env.Recipients, store.Recipient{Path: p})
	}
	err := e.Accept(context.Background(), env, bytes.NewReader(text), message.Parse(text),
		gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", ""))
	if err != nil {
		t.Fatal(err)
	}
}

func done(t testing.TB, e *Engine, id string, outs ...store.Outcome) {
	t.Helper()
	if err := e.QueueDone(context.Background(), id, outs); err != nil {
		t.Fatal(err)
	}
}

func queueRows(t *testing.T, e *Engine) (n int) {
	t.Helper()
	err := e.queue.read(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucketQueue).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What is over before the applier comes to it is never filed, and a file that has nothing
// to write is not committed.
func TestQueueOverIsNeverFiled(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	first := e.queue.applier.filed[store.LanePeople]
	for i := range 50 {
		id := fmt.Sprint("Q", i)
		queueTest(t, e, id, "a@jauh.test", "b@jauh.test")
		done(t, e, id, store.Outcome{Recipient: "a@jauh.test", Done: true}, store.Outcome{Recipient: "b@jauh.test", NextTry: time.Now()})
		done(t, e, id, store.Outcome{Recipient: "b@jauh.test", Done: true})
	}
	var puts, over atomic.Int64
	ap := e.queue.applier
	ap.mu.Lock()
	file := ap.file
	ap.file = func(tx *txn, f *filing) error {
		before := tx.writes
		err := file(tx, f)
		puts.Add(int64(tx.writes - before))
		return err
	}
	ap.over = func(*filing) { over.Add(1) }
	ap.marked[store.LanePeople] = time.Now()
	ap.ending = true // nothing lingers any more
	ap.mu.Unlock()
	for over.Load() < 150 {
		select {
		case <-e.Failed():
			t.Fatal(e.Err())
		case <-time.After(time.Millisecond):
		}
	}
	ap.mu.Lock()
	last := ap.filed[store.LanePeople]
	ap.mu.Unlock()
	if rows := queueRows(t, e); rows != 0 || puts.Load() != 0 || last != first {
		t.Fatalf("%d rows, %d writes for what was over; the watermark went from %v to %v", rows, puts.Load(), first, last)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := mustOpen(t, dir, nil).queued.len(); n != 0 {
		t.Fatalf("%d entries came back", n)
	}
}

// An entry that was filed gives its envelope back to memory, and reads it from the file.
func TestQueueFiledIsSmall(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	queueTest(t, e, "Q1", "a@jauh.test")
	if e.queued.get("Q1").accept == nil {
		t.Fatal("an entry that is not filed has no envelope")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if q := e.queued.get("Q1"); q.accept != nil {
		t.Fatal("the envelope stays in memory though it is filed")
	}
	e = mustOpen(t, dir, nil)
	if q := e.queued.get("Q1"); q == nil || q.accept != nil {
		t.Fatalf("after a start: %+v", q)
	}
	if env, err := e.QueueEnvelope(context.Background(), "Q1"); err != nil || string(env.Prefix) != "Received: x\r\n" {
		t.Fatalf("envelope %+v, %v", env, err)
	}
}

// Rows of the first version were JSON; an upgrade reads them, and goes on with them.
func TestQueueRowOfTheFirstVersion(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, nil)
	queueTest(t, e, "Q1", "a@jauh.test", "b@jauh.test")
	ref := e.queued.get("Q1").ref
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, dir, nil)
	raw, err := ref.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{
		"Entry": map[string]any{"id": "Q1", "from": "orang@luar.test", "lane": "people", "created": time.Unix(1700000000, 0), "size": 40,
			"recipients": []map[string]any{{"address": "b@jauh.test", "state": "waiting", "next_try": time.Unix(1700000600, 0), "attempts": 3,
				"code": 451, "enhanced": "4.4.1", "text": "timed out"}}},
		"Envelope": store.Envelope{QueueID: "Q1", From: "orang@luar.test", Received: time.Unix(1700000000, 0), Prefix: []byte("P: 1\r\n"),
			Recipients: []store.Recipient{{Path: "a@jauh.test"}, {Path: "b@jauh.test", Notify: "NEVER"}}},
		"Ref": raw,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.queue.update(context.Background(), func(tx *txn) error {
		sealed, err := e.queue.seals.seal(nil, bucketQueue, []byte("Q1"), append([]byte{1}, b...))
		if err != nil {
			return err
		}
		return tx.put(bucketQueue, []byte("Q1"), sealed)
	})
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		e = mustOpen(t, dir, nil)
		q := e.queued.get("Q1").shown()
		if len(q.Recipients) != 1 || q.Recipients[0].Address != "b@jauh.test" || q.Recipients[0].Attempts != 3+round ||
			q.Recipients[0].Code != 451 || !q.Created.Equal(time.Unix(1700000000, 0)) || q.Size != 40-int64(round)*int64(40-6-len("Subject: Q1\r\n\r\nisi\r\n")) {
			t.Fatalf("round %d: %+v", round, q)
		}
		env, err := e.QueueEnvelope(context.Background(), "Q1")
		if err != nil || len(env.Recipients) != 1 || env.Recipients[0].Notify != "NEVER" || string(env.Prefix) != "P: 1\r\n" {
			t.Fatalf("round %d: envelope %+v, %v", round, env, err)
		}
		done(t, e, "Q1", store.Outcome{Recipient: "b@jauh.test", NextTry: time.Unix(1700001200, 0), Code: 451})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A row that was cut or altered is an error, never a panic and never half an entry.
func TestQueueRowDamaged(t *testing.T) {
	a := &accepted{ref: journal.BodyRef{ID: journal.ID{9}, Segment: 1, First: 64, Size: 100, Stored: 200},
		env: store.Envelope{QueueID: "Q", From: "a@luar.test", Received: time.Unix(0, 1), Prefix: []byte("P: 1\r\n"),
			Recipients: []store.Recipient{{Path: "p@jauh.test", From: "x@y.test"}, {Path: "q@jauh.test"}}}}
	row := rowOf(a, "agensi-a")
	row.rcpts[0].tried(&store.Outcome{Code: 450, Text: "later", Remote: "mx", TLS: "none", Delayed: true})
	b, err := row.encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeQueueRow("Q", append(bytes.Clone(b), putString(nil, 999, "from the future")...))
	if err != nil || fmt.Sprintf("%+v", got.env) != fmt.Sprintf("%+v", row.env) || fmt.Sprintf("%+v", got.entry.shown()) != fmt.Sprintf("%+v", row.entry.shown()) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, row)
	}
	for n := range b {
		for _, spoiled := range [][]byte{b[:n], append(append(bytes.Clone(b[:n]), b[n]^0xff), b[n+1:]...)} {
			for _, err := range []error{second(decodeQueueRow("Q", spoiled)), second(decodeEntry("Q", spoiled))} {
				if err != nil && !errors.Is(err, store.ErrDamaged) {
					t.Fatalf("at %d: %v", n, err)
				}
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Lists of IDs do not grow with what is over.
func TestQueueOrderIsBounded(t *testing.T) {
	var q queued
	q.init()
	for i := range 100_000 {
		id := fmt.Sprintf("Q%06d", (i*7919)%100_000)
		q.mu.Lock()
		q.add(&entry{id: id, rcpts: []waiting{{address: "a"}}})
		q.mu.Unlock()
		if i%10 != 0 {
			q.replace(q.get(id), nil)
		}
		if i == 50_000 {
			q.page("", 1)
		}
	}
	if n := len(q.sorted) + len(q.recent); n > 2*q.len()+8192 {
		t.Fatalf("%d IDs are kept for %d entries", n, q.len())
	}
	var last string
	n := 0
	for page := q.page("", 100); len(page) > 0; page = q.page(last, 100) {
		for _, en := range page {
			if en.id <= last {
				t.Fatalf("%s after %s", en.id, last)
			}
			last = en.id
			n++
		}
	}
	if n != q.len() {
		t.Fatalf("%d of %d entries are shown", n, q.len())
	}
}

// A cache of bodies stays within its bounds, and old ones make room.
func TestQueueBodiesBounded(t *testing.T) {
	var c bodyCache
	c.init()
	now := time.Unix(1700000000, 0)
	n := cachedOctets / cachedBody
	for i := range n + 10 {
		c.put(fmt.Sprint(i), make([]byte, cachedBody), now)
	}
	if c.octets != cachedOctets || c.get("0") == nil || c.get(fmt.Sprint(n)) != nil {
		t.Fatalf("%d octets", c.octets)
	}
	c.put("later", make([]byte, cachedBody), now.Add(2*cachedAge))
	if c.octets != cachedBody || c.get("0") != nil || c.get("later") == nil {
		t.Fatal("old bodies did not make room")
	}
	for i := range n {
		c.drop(fmt.Sprint(i))
	}
	c.drop("later")
	if c.octets != 0 || len(c.by) != 0 {
		t.Fatalf("%d octets are left", c.octets)
	}
	for i := range 10_000 {
		c.put(fmt.Sprint(i), []byte{1}, now)
		c.drop(fmt.Sprint(i))
	}
	if len(c.line) > 2048 {
		t.Fatalf("%d lines for nothing", len(c.line))
	}
}

// Verbs of a newer program are parked, not guessed at.
func TestVerbUnknown(t *testing.T) {
	v := &verb{kind: verbHold, why: "x", at: 5, ids: []string{"a", "b"}}
	got, err := decodeVerb(&journal.Record{Fields: v.fields()})
	if err != nil || fmt.Sprint(*got) != fmt.Sprint(*v) {
		t.Fatalf("%+v, %v", got, err)
	}
	v.kind = 9
	if _, err := decodeVerb(&journal.Record{Fields: v.fields()}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Fatalf("a verb that nobody knows: %v", err)
	}
}

// A queue whose file is slow stops intake before memory is full, and lets it go on.
func TestQueueIsBounded(t *testing.T) {
	e := mustOpen(t, t.TempDir(), nil)
	ap := e.queue.applier
	stuck := make(chan struct{})
	ap.mu.Lock()
	file := ap.file
	ap.file = func(tx *txn, f *filing) error {
		<-stuck
		return file(tx, f)
	}
	ap.mu.Unlock()
	text := []byte("Subject: x\r\n\r\nisi\r\n")
	passed := gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", "")
	accepted := 0
	for ; accepted < 200; accepted++ {
		env := &store.Envelope{QueueID: fmt.Sprint("Q", accepted), Received: time.Unix(1700000000, 0), Prefix: bytes.Repeat([]byte("X: 1\r\n"), 200_000),
			Recipients: []store.Recipient{{Path: "a@jauh.test"}}}
		err := e.Accept(context.Background(), env, bytes.NewReader(text), message.Parse(text), passed)
		if errors.Is(err, store.ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if accepted < 15 || accepted > 80 {
		t.Fatalf("%d messages of 1.2 MB were accepted while nothing could be filed", accepted)
	}
	close(stuck)
	if err := e.Ready(store.LanePeople); err != nil {
		t.Fatalf("the file goes on, intake does not: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if rows := e.queued.len(); rows != accepted {
		t.Fatalf("%d entries of %d", rows, accepted)
	}
}

// Bodies that were not sent on soon leave the memory with the next message; a full one
// takes no more, and what was sent on makes room.
func TestBodiesLeaveMemory(t *testing.T) {
	var c bodyCache
	c.init()
	now := time.Unix(1_800_000_000, 0)
	big := make([]byte, cachedOctets/2)
	c.put("a", big, now)
	c.put("b", big, now)
	if c.put("c", big[:1], now); c.get("a") == nil || c.get("b") == nil || c.get("c") != nil {
		t.Fatal("a full memory took one more, or lost one")
	}
	c.drop("a")
	if c.put("d", big[:2], now.Add(time.Second)); c.get("d") == nil || c.octets != len(big)+2 {
		t.Fatalf("no room after one was sent on: %d octets", c.octets)
	}
	c.put("e", big[:3], now.Add(cachedAge))
	if c.get("b") != nil || c.get("d") == nil || c.get("e") == nil || c.octets != 5 || len(c.line) != 2 {
		t.Fatalf("an old body is kept, or a young one gone: %d octets in %d lines", c.octets, len(c.line))
	}
}
