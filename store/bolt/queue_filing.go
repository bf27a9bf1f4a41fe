package bolt

import (
	"context"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// queueFile is queue.db: what must still be delivered elsewhere, one sealed row an entry,
// and what is in quarantine.
type queueFile struct {
	file
	plain []byte // of the row being filed; the applier is one goroutine
}

// fileQueue files what a record has for the queue. Nothing is written for an entry that
// is over already: most are, since the applier lets records of the queue wait a while.
// That is safe though its DONE may not be durable yet: what it tells did happen.
func (e *Engine) fileQueue(t *txn, f *filing) error {
	switch {
	case f.accept != nil && f.accept.finish != "":
		if err := e.fileRun(t, f.accept.finishedRun()); err != nil {
			return err
		}
		return e.fileOutcomes(t, f.accept.env.QueueID, func(q *entry) *entry { return q.after(finished(f.accept.finish)) })
	case f.accept != nil:
		if err := e.fileCounts(t, &f.accept.env); err != nil {
			return err
		}
		if err := e.fileRun(t, acceptedRun(&f.accept.env)); err != nil {
			return err
		}
		return e.fileEntry(t, f.accept)
	case f.done != nil:
		if err := e.fileRun(t, f.done.run); err != nil {
			return err
		}
		return e.fileOutcomes(t, f.done.id, func(q *entry) *entry { return q.after(f.done.outs) })
	case f.verb != nil:
		for _, d := range f.verb.runs {
			if err := e.fileRun(t, d); err != nil {
				return err
			}
		}
		for _, id := range f.verb.ids {
			if err := e.fileOutcomes(t, id, func(q *entry) *entry { return q.under(f.verb) }); err != nil {
				return err
			}
		}
		return nil
	}
	return errRow
}

func (e *Engine) fileEntry(t *txn, a *accepted) error {
	id := a.env.QueueID
	if !e.queued.lives(id) {
		return nil
	}
	row := rowOf(a, e.agencyOf(&a.env))
	if row == nil {
		return nil
	}
	if err := e.putQueueRow(t, row, id); err != nil {
		return err
	}
	if len(t.filed) == 0 {
		t.after = append(t.after, func() { e.queued.filed(t.filed) })
	}
	t.filed = append(t.filed, id)
	return nil
}

func (e *Engine) putQueueRow(t *txn, row *queuedRow, id string) (err error) {
	q := e.queue
	if q.plain, err = row.encode(q.plain); err != nil {
		return err
	}
	key := []byte(id)
	sealed, err := t.file.seals.seal(nil, bucketQueue, key, q.plain)
	if err != nil {
		return err
	}
	return t.put(bucketQueue, key, sealed)
}

// fileOutcomes changes a row, or removes it when nothing is left. An entry without a row
// was over before it got one.
func (e *Engine) fileOutcomes(t *txn, id string, change func(*entry) *entry) error {
	key := []byte(id)
	sealed := t.bucket(bucketQueue).Get(key)
	if sealed == nil {
		return nil
	}
	if !e.queued.lives(id) {
		return t.del(bucketQueue, key) // outcomes on their way here say why
	}
	row, err := openQueueRow(&e.queue.file, key, sealed)
	if err != nil {
		return err
	}
	q := change(&row.entry)
	if q == nil {
		return t.del(bucketQueue, key)
	}
	row.change(q)
	return e.putQueueRow(t, row, id)
}

func openQueueRow(f *file, key, sealed []byte) (*queuedRow, error) {
	b, err := f.seals.open(nil, bucketQueue, key, sealed)
	if err != nil {
		return nil, err
	}
	return decodeQueueRow(string(key), b)
}

// queueRow reads the row of an entry that is filed.
func (e *Engine) queueRow(id string) (row *queuedRow, err error) {
	err = e.queue.read(func(tx *bbolt.Tx) error {
		key := []byte(id)
		sealed := tx.Bucket(bucketQueue).Get(key)
		if sealed == nil {
			return store.ErrNotFound
		}
		row, err = openQueueRow(&e.queue.file, key, sealed)
		return err
	})
	return row, err
}

// agencyOf is the agency of the account that sent a message, "" for none.
func (e *Engine) agencyOf(env *store.Envelope) string {
	for _, id := range []store.AccountID{env.Sender, env.App} {
		if id == 0 {
			continue
		}
		if a, err := e.AccountByID(context.Background(), id); err == nil {
			return a.Agency
		}
	}
	return ""
}
