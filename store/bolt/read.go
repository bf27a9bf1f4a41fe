package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// factsBatch is how many sealed rows are copied out of a read transaction at a time.
const factsBatch = 256

// A factsReader holds the buffers of one EachFacts.
type factsReader struct {
	uids   []store.UID // of the batch
	ends   []int       // of the rows in sealed
	sealed []byte
	plain  []byte
	facts  store.Facts
}

// EachFacts calls f for each message that exists. Rows are copied out in batches: no
// transaction is open while f runs.
func (e *Engine) EachFacts(ctx context.Context, by store.Actor, m store.Mailbox, uids []store.UID, f func(*store.Facts) error) error {
	mb, _, err := e.held(ctx, by, m)
	if err != nil {
		return err
	}
	var r factsReader
	present := present(mb.Snapshot().States, ordered(uids))
	for len(present) > 0 {
		n := min(factsBatch, len(present))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.fill(mb, present[:n]); err != nil {
			return err
		}
		if err := r.each(mb, f); err != nil {
			return err
		}
		present = present[n:]
	}
	return nil
}

// present keeps those of uids that the snapshot shows. The row of an expunged message
// stays until the purge, and is not to be seen.
func present(states []store.State, uids []store.UID) []store.UID {
	out := make([]store.UID, 0, min(len(uids), len(states)))
	i := 0
	for _, uid := range uids {
		for i < len(states) && states[i].UID < uid {
			i++
		}
		if i == len(states) {
			break
		}
		if states[i].UID == uid {
			out = append(out, uid)
		}
	}
	return out
}

func (r *factsReader) fill(mb *mailbox, uids []store.UID) error {
	r.uids, r.ends, r.sealed = r.uids[:0], r.ends[:0], r.sealed[:0]
	return mb.shard.read(func(tx *bbolt.Tx) error {
		return scanMessages(tx.Bucket(bucketFacts).Cursor(), mb.id, uids, func(uid store.UID, v []byte) error {
			r.sealed = append(r.sealed, v...)
			r.uids, r.ends = append(r.uids, uid), append(r.ends, len(r.sealed))
			return nil
		})
	})
}

func (r *factsReader) each(mb *mailbox, f func(*store.Facts) error) error {
	start := 0
	var key []byte
	for i, uid := range r.uids {
		key = messageKey(key, mb.id, uid)
		plain, err := mb.shard.seals.open(r.plain[:0], bucketFacts, key, r.sealed[start:r.ends[i]])
		if err != nil {
			return fmt.Errorf("facts of UID %d: %w", uid, err)
		}
		r.plain, start = plain, r.ends[i]
		if err := decodeFacts(uid, plain, &r.facts); err != nil {
			return fmt.Errorf("facts of UID %d: %w", uid, err)
		}
		if err := f(&r.facts); err != nil {
			return err
		}
	}
	return nil
}

// OpenBody gives the bytes of a message. The ID comes from a state of m: it is random,
// and nobody learns one from another account.
func (e *Engine) OpenBody(ctx context.Context, by store.Actor, m store.Mailbox, id store.BodyID) (store.BodyReader, error) {
	mb, _, err := e.held(ctx, by, m)
	if err != nil {
		return nil, err
	}
	var row bodyRow
	err = mb.shard.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketBodies).Get(id[:])
		if b == nil {
			return store.ErrNotFound
		}
		var err error
		row, err = decodeBody(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.openBody(row)
}

func (e *Engine) openBody(row bodyRow) (store.BodyReader, error) {
	r, err := e.streams[row.stream].j.OpenBody(row.ref)
	if err != nil {
		return nil, e.failure(err)
	}
	return r, nil
}
