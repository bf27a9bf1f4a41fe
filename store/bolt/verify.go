package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"sampul/store"
	"sampul/store/journal"
)

// Verify reads everything and reports what is wrong, a sentence each: records of the
// journals, rows that don't open, counters and references that don't add up, bodies
// that can't be read. The store must have no other users meanwhile.
func (e *Engine) Verify(ctx context.Context, report func(string)) error {
	if err := e.alive(); err != nil {
		return err
	}
	for _, s := range e.streams {
		if err := e.verifyJournal(ctx, s, report); err != nil {
			return err
		}
	}
	for _, s := range e.shards {
		v := &checker{e: e, f: &s.file, report: report, refs: make(map[store.BodyID]uint32), used: make(map[store.AccountID]int64)}
		if err := s.read(func(tx *bbolt.Tx) error { return v.shard(ctx, tx) }); err != nil {
			return err
		}
	}
	v := &checker{e: e, f: &e.queue.file, report: report}
	return e.queue.read(func(tx *bbolt.Tx) error { return v.queue(ctx, tx) })
}

// A checker recounts one file.
type checker struct {
	e      *Engine
	f      *file
	report func(string)
	refs   map[store.BodyID]uint32
	used   map[store.AccountID]int64
	facts  int // that should be there
}

func (v *checker) say(format string, args ...any) {
	v.report(v.f.label + ": " + fmt.Sprintf(format, args...))
}

func (v *checker) shard(ctx context.Context, tx *bbolt.Tx) error {
	err := tx.Bucket(bucketMailboxes).ForEach(func(k, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := decodeMailbox(binary.BigEndian.Uint64(k), b)
		if err != nil {
			v.say("mailbox %x: %v", k, err)
			return nil
		}
		return v.mailbox(tx, m)
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketExpunged).ForEach(func(k, b []byte) error {
		if id, ok := expungedBody(b); ok {
			v.refs[id]++
			v.facts++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := tx.Bucket(bucketFacts).Stats().KeyN; n != v.facts {
		v.say("%d facts rows, should be %d", n, v.facts)
	}
	if err := v.counters(tx); err != nil {
		return err
	}
	v.parked(tx)
	return v.bodies(ctx, tx)
}

// mailbox recounts one mailbox and opens each row.
func (v *checker) mailbox(tx *bbolt.Tx, m *mailboxRow) error {
	count := mailboxRow{}
	facts := tx.Bucket(bucketFacts)
	var key, plain []byte
	var f store.Facts
	err := scanStates(tx, m.id, nil, func(s *store.State) error {
		count.count(s, 1)
		v.refs[s.Body]++
		v.facts++
		if s.UID >= m.status.UIDNext && m.status.UIDNext != 0 {
			v.say("mailbox %d: UID %d is not below UIDNEXT %d", m.id, s.UID, m.status.UIDNext)
		}
		if s.ModSeq > m.status.HighestModSeq {
			v.say("mailbox %d UID %d: MODSEQ %d is above the mailbox's %d", m.id, s.UID, s.ModSeq, m.status.HighestModSeq)
		}
		key = messageKey(key, m.id, s.UID)
		var err error
		if plain, err = v.f.seals.open(plain[:0], bucketFacts, key, facts.Get(key)); err == nil {
			err = decodeFacts(s.UID, plain, &f)
		}
		if err != nil {
			v.say("mailbox %d UID %d: %v", m.id, s.UID, err)
		} else if f.BodySize+int64(len(f.Prefix)) != s.Size {
			v.say("mailbox %d UID %d: size %d, should be %d", m.id, s.UID, s.Size, f.BodySize+int64(len(f.Prefix)))
		}
		return nil
	})
	if err != nil {
		v.say("mailbox %d: %v", m.id, err)
		return nil
	}
	want, got := count.status, m.status
	want.UIDNext, want.UIDValidity, want.HighestModSeq = got.UIDNext, got.UIDValidity, got.HighestModSeq
	if got != want {
		v.say("mailbox %d: counters are %+v, should be %+v", m.id, got, want)
	}
	if m.deleted == 0 {
		v.used[m.account] += m.status.Size
	}
	return nil
}

func (v *checker) counters(tx *bbolt.Tx) error {
	return tx.Bucket(bucketCounters).ForEach(func(k, b []byte) error {
		id := store.AccountID(binary.BigEndian.Uint64(k))
		a, err := decodeAccount(id, b)
		if err != nil {
			v.say("account %d: %v", id, err)
		} else if a.used != v.used[id] {
			v.say("account %d: %d octets are counted, should be %d", id, a.used, v.used[id])
		}
		return nil
	})
}

func (v *checker) parked(tx *bbolt.Tx) {
	if n := tx.Bucket(bucketParked).Stats().KeyN; n > 0 {
		v.say("%d records could not be filed and are parked", n)
	}
}

func (v *checker) bodies(ctx context.Context, tx *bbolt.Tx) error {
	err := tx.Bucket(bucketBodies).ForEach(func(k, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := store.BodyID(k)
		row, err := decodeBody(b)
		if err != nil {
			v.say("body %x: %v", id, err)
			return nil
		}
		if row.refs != v.refs[id] {
			v.say("body %x is named %d times, its row says %d", id, v.refs[id], row.refs)
		}
		delete(v.refs, id)
		v.body(row, fmt.Sprintf("body %x", id))
		return nil
	})
	for id, n := range v.refs {
		v.say("body %x has no row, and is named %d times", id, n)
	}
	return err
}

// body reads all of a body: each frame is opened, and so authenticated.
func (v *checker) body(row bodyRow, what string) {
	r, err := v.e.openBody(row)
	if err == nil {
		err = errors.Join(r.WriteRange(io.Discard, 0, r.Size()), r.Close())
	}
	if err != nil {
		v.say("%s: %v", what, err)
	}
}

func (v *checker) queue(ctx context.Context, tx *bbolt.Tx) error {
	v.parked(tx)
	if err := v.quarantine(tx); err != nil {
		return err
	}
	return tx.Bucket(bucketQueue).ForEach(func(k, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		plain, err := v.f.seals.open(nil, bucketQueue, k, b)
		var q *entry
		if err == nil {
			q, err = decodeEntry(string(k), plain)
		}
		if err != nil {
			v.say("queue ID %s: %v", k, err)
			return nil
		}
		v.body(bodyRow{stream: q.lane, ref: q.ref}, "queue ID "+q.id)
		return nil
	})
}

func (v *checker) quarantine(tx *bbolt.Tx) error {
	return tx.Bucket(bucketQuarantine).ForEach(func(k, b []byte) error {
		row, err := openQuarantine(v.f, k, b)
		var ref journal.BodyRef
		if err == nil {
			ref, err = journal.ParseBodyRef(row.Ref)
		}
		if err != nil {
			v.say("quarantine %s: %v", k, err)
			return nil
		}
		v.body(bodyRow{stream: row.Lane, ref: ref}, fmt.Sprintf("quarantine %s", k))
		return nil
	})
}

// BodyCount is how many bodies the mailboxes name: a message to a thousand recipients
// counts once.
func (e *Engine) BodyCount() (int, error) {
	type place struct {
		lane    store.Lane
		segment uint64
		offset  int64
	}
	seen := make(map[place]bool)
	for _, s := range e.shards {
		err := s.read(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketBodies).ForEach(func(_, b []byte) error {
				row, err := decodeBody(b)
				seen[place{row.stream, row.ref.Segment, row.ref.First}] = true
				return err
			})
		})
		if err != nil {
			return 0, err
		}
	}
	return len(seen), nil
}
