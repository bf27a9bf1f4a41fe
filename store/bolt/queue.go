package bolt

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
	"sampul/store/journal"
)

// queueFile is queue.db: what must still be delivered elsewhere, one sealed row an
// entry.
type queueFile struct{ file }

// An entry is a queue row in memory. It is replaced, never changed.
type entry struct {
	store.QueueEntry
	Envelope *store.Envelope
	ref      journal.BodyRef
}

// queueEntry makes the entry of an accepted message, for its recipients elsewhere.
func queueEntry(a *accepted) *entry {
	env := a.env
	env.Recipients = nil
	q := &entry{ref: a.ref}
	q.QueueEntry = store.QueueEntry{ID: env.QueueID, From: env.From, Lane: env.Lane, Created: env.Received,
		Size: int64(len(env.Prefix)) + a.ref.Size, Body: a.ref.ID}
	for _, r := range a.env.Recipients {
		if r.Account != 0 {
			continue
		}
		env.Recipients = append(env.Recipients, r)
		q.Recipients = append(q.Recipients, store.QueueRecipient{Address: r.Path, State: "waiting", NextTry: env.Received})
	}
	q.Envelope = &env
	return q
}

// queueRow is an entry at rest.
type queueRow struct {
	Entry    store.QueueEntry
	Envelope *store.Envelope
	Ref      []byte
}

func (q *entry) encode() ([]byte, error) {
	ref, err := q.ref.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(queueRow{q.QueueEntry, q.Envelope, ref})
	return append([]byte{rowVersion}, b...), err
}

func decodeEntry(b []byte) (*entry, error) {
	if len(b) == 0 || b[0] != rowVersion {
		return nil, errRow
	}
	var row queueRow
	if err := json.Unmarshal(b[1:], &row); err != nil {
		return nil, errRow
	}
	ref, err := journal.ParseBodyRef(row.Ref)
	if err != nil || row.Envelope == nil {
		return nil, errRow
	}
	q := &entry{QueueEntry: row.Entry, ref: ref}
	q.Envelope, q.Body = row.Envelope, ref.ID
	return q, nil
}

// after is the entry with outcomes in it; nil when no recipient is left.
func (q *entry) after(outs []store.Outcome) *entry {
	next := *q
	next.Recipients = slices.Clone(q.Recipients)
	for _, o := range outs {
		i := slices.IndexFunc(next.Recipients, func(r store.QueueRecipient) bool { return r.Address == o.Recipient })
		if i < 0 {
			continue
		}
		if o.Done {
			next.Recipients = slices.Delete(next.Recipients, i, i+1)
			continue
		}
		r := &next.Recipients[i]
		r.Attempts++
		r.NextTry, r.Code, r.Enhanced, r.Text = o.NextTry, o.Code, o.Enhanced, o.Text
	}
	if len(next.Recipients) == 0 {
		return nil
	}
	return &next
}

// outcomes is a DONE record in memory.
type outcomes struct {
	id   string
	outs []store.Outcome
}

// Fields of a DONE record.
const (
	dnQueueID = 1
	dnOutcome = 32 // repeated
)

func (d *outcomes) fields() []journal.Field {
	fs := []journal.Field{{Num: dnQueueID, Data: []byte(d.id)}}
	for _, o := range d.outs {
		b := []byte{rowVersion}
		b = putString(b, 1, o.Recipient)
		b = putInt(b, 2, bit(o.Done, 0))
		if !o.NextTry.IsZero() {
			b = putInt(b, 3, uint64(o.NextTry.UnixNano()))
		}
		b = putInt(b, 4, uint64(o.Code))
		b = putString(b, 5, o.Enhanced)
		b = putString(b, 6, o.Text)
		fs = append(fs, journal.Field{Num: dnOutcome, Data: b})
	}
	return fs
}

func decodeDone(rec *journal.Record) (*outcomes, error) {
	d := &outcomes{}
	err := fieldsOf(rec, func(w *fieldReader) {
		switch w.num {
		case dnQueueID:
			d.id = string(w.data)
		case dnOutcome:
			var o store.Outcome
			r := readRow(w.data)
			for r.next() {
				switch r.num {
				case 1:
					o.Recipient = string(r.data)
				case 2:
					o.Done = r.int() != 0
				case 3:
					o.NextTry = time.Unix(0, int64(r.int()))
				case 4:
					o.Code = int(r.int())
				case 5:
					o.Enhanced = string(r.data)
				case 6:
					o.Text = string(r.data)
				}
			}
			if r.err != nil {
				w.err = r.err
			}
			d.outs = append(d.outs, o)
		}
	})
	return d, err
}

// fileQueue files what a record has for the queue.
func (e *Engine) fileQueue(t *txn, f *filing) error {
	switch {
	case f.accept != nil:
		return t.putEntry(queueEntry(f.accept))
	case f.done != nil:
		return t.finishEntry(f.done)
	}
	return errRow
}

func (t *txn) putEntry(q *entry) error {
	b, err := q.encode()
	if err != nil {
		return err
	}
	key := []byte(q.ID)
	sealed, err := t.file.seals.seal(nil, bucketQueue, key, b)
	if err != nil {
		return err
	}
	return t.put(bucketQueue, key, sealed)
}

func (t *txn) finishEntry(d *outcomes) error {
	key := []byte(d.id)
	sealed := t.bucket(bucketQueue).Get(key)
	if sealed == nil {
		return nil // all was done before
	}
	b, err := t.file.seals.open(nil, bucketQueue, key, sealed)
	if err != nil {
		return err
	}
	q, err := decodeEntry(b)
	if err != nil {
		return err
	}
	if q = q.after(d.outs); q == nil {
		return t.del(bucketQueue, key)
	}
	return t.putEntry(q)
}

// queued is the queue in memory: what is accepted is there at once, filed or not.
type queued struct {
	mu sync.Mutex
	by map[string]*entry
}

func (q *queued) init() { q.by = make(map[string]*entry) }

func (q *queued) add(en *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.by[en.ID] = en
}

func (q *queued) get(id string) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.by[id]
}

func (q *queued) finish(d *outcomes) {
	q.mu.Lock()
	defer q.mu.Unlock()
	en := q.by[d.id]
	if en == nil {
		return
	}
	if en = en.after(d.outs); en == nil {
		delete(q.by, d.id)
	} else {
		q.by[d.id] = en
	}
}

// load reads queue.db; replay brings what it has not.
func (q *queued) load(e *Engine) error {
	f := &e.queue.file
	return f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketQueue).ForEach(func(k, v []byte) error {
			b, err := f.seals.open(nil, bucketQueue, k, v)
			if err != nil {
				return err
			}
			en, err := decodeEntry(b)
			if err == nil {
				q.add(en)
			}
			return err
		})
	})
}

func (q *queued) replay(e *Engine, lane store.Lane, rec *journal.Record) {
	if rec.Seq <= e.queue.applier.filed0[lane] {
		return
	}
	switch rec.Type {
	case journal.Accept:
		if a, err := decodeAccept(rec); err == nil {
			if en := queueEntry(a); len(en.Recipients) > 0 {
				q.add(en)
			}
		}
	case journal.Done:
		if d, err := decodeDone(rec); err == nil {
			q.finish(d)
		}
	}
}

// QueueLen is how many messages wait.
func (e *Engine) QueueLen(context.Context) (int, error) {
	if err := e.alive(); err != nil {
		return 0, err
	}
	e.queued.mu.Lock()
	defer e.queued.mu.Unlock()
	return len(e.queued.by), nil
}

// QueueList gives entries in order of ID. It is the operator's.
func (e *Engine) QueueList(_ context.Context, by store.Actor, _ store.QueueFilter, after string, limit int) ([]store.QueueEntry, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	if by.Role != store.RoleOperator {
		return nil, store.ErrForbidden
	}
	e.queued.mu.Lock()
	var list []*entry
	for id, q := range e.queued.by {
		if id > after {
			list = append(list, q)
		}
	}
	e.queued.mu.Unlock()
	slices.SortFunc(list, func(a, b *entry) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	out := make([]store.QueueEntry, 0, min(len(list), max(limit, 0)))
	for _, q := range list[:min(len(list), max(limit, 0))] {
		en := q.QueueEntry
		en.Recipients = slices.Clone(q.Recipients)
		out = append(out, en)
	}
	return out, nil
}

// QueueDone records outcomes in the stream of the entry, so that they are filed after it.
func (e *Engine) QueueDone(_ context.Context, id string, outs []store.Outcome) error {
	if err := e.alive(); err != nil {
		return err
	}
	q := e.queued.get(id)
	if q == nil {
		return store.ErrNotFound
	}
	d := &outcomes{id, outs}
	if _, err := e.streams[q.Lane].j.AppendLazy(journal.Done, d.fields()); err != nil {
		return e.failure(err)
	}
	e.queued.finish(d)
	return nil
}

// OpenQueueBody gives the bytes of a message that waits.
func (e *Engine) OpenQueueBody(_ context.Context, id string) (store.BodyReader, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	q := e.queued.get(id)
	if q == nil {
		return nil, store.ErrNotFound
	}
	return e.openBody(bodyRow{stream: q.Lane, ref: q.ref})
}

// QueueEnvelope gives what the message came with.
func (e *Engine) QueueEnvelope(_ context.Context, id string) (*store.Envelope, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	q := e.queued.get(id)
	if q == nil {
		return nil, store.ErrNotFound
	}
	env := *q.Envelope
	return &env, nil
}
