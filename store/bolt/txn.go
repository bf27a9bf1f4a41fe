package bolt

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
	"sampul/store/journal"
)

// A txn is one transaction of a shard or the queue. Rows that many changes touch
// (accounts, mailboxes) are read once and written once, at its end; what changed in
// mailboxes is told to their views after the commit.
type txn struct {
	tx     *bbolt.Tx
	id     uint64 // of the transaction, as readers see it
	file   *file
	shard  *shard // nil for the queue
	now    time.Time
	writes int // grows with each write

	accounts  map[store.AccountID]*accountRow
	mailboxes map[uint64]*openRow
	order     []*openRow
	counts    map[counted]uint64 // of applications: of the queue alone, as runs
	runs      map[runKey]*runCount
	after     []func() // after the commit
	filed     []string // entries of the queue that have rows from now on

	key, plain []byte
	b          map[string]*bbolt.Bucket
}

// An openRow is a mailbox row under change, and what its views must hear.
type openRow struct {
	mailboxRow
	dirty    bool
	appended []store.State
	changed  map[store.UID]store.State
	removed  map[store.UID]bool
	gone     bool
}

func (t *txn) bucket(name []byte) *bbolt.Bucket {
	b := t.b[string(name)]
	if b == nil {
		if t.b == nil {
			t.b = make(map[string]*bbolt.Bucket, 8)
		}
		b = t.tx.Bucket(name)
		t.b[string(name)] = b
	}
	return b
}

func (t *txn) put(bucket, key, value []byte) error {
	t.writes++
	return t.bucket(bucket).Put(key, value)
}

func (t *txn) del(bucket, key []byte) error {
	t.writes++
	return t.bucket(bucket).Delete(key)
}

// account is the account's row; a new one when it has none yet.
func (t *txn) account(id store.AccountID) (*accountRow, error) {
	if a := t.accounts[id]; a != nil {
		return a, nil
	}
	a := &accountRow{id: id}
	if b := t.bucket(bucketCounters).Get(key8(uint64(id))); b != nil {
		var err error
		if a, err = decodeAccount(id, b); err != nil {
			return nil, err
		}
	}
	if t.accounts == nil {
		t.accounts = make(map[store.AccountID]*accountRow)
	}
	t.accounts[id] = a
	return a, nil
}

// mailbox is the row of a mailbox that lives.
func (t *txn) mailbox(id uint64) (*openRow, error) {
	if m := t.mailboxes[id]; m != nil {
		if m.deleted != 0 {
			return nil, store.ErrNotFound
		}
		return m, nil
	}
	b := t.bucket(bucketMailboxes).Get(key8(id))
	if b == nil {
		return nil, store.ErrNotFound
	}
	row, err := decodeMailbox(id, b)
	if err != nil {
		return nil, err
	}
	m := t.hold(row)
	if m.deleted != 0 {
		return nil, store.ErrNotFound
	}
	return m, nil
}

func (t *txn) hold(row *mailboxRow) *openRow {
	m := &openRow{mailboxRow: *row}
	if t.mailboxes == nil {
		t.mailboxes = make(map[uint64]*openRow)
	}
	t.mailboxes[row.id] = m
	t.order = append(t.order, m)
	return m
}

func (t *txn) name(a store.AccountID, name string) (nameRow, bool, error) {
	b := t.bucket(bucketNames).Get(nameKey(a, name))
	if b == nil {
		return nameRow{}, false, nil
	}
	n, err := decodeName(b)
	return n, err == nil, err
}

// named is the mailbox of that name, [store.ErrNotFound] when there is none.
func (t *txn) named(a store.AccountID, name string) (*openRow, error) {
	n, ok, err := t.name(a, name)
	if err != nil {
		return nil, err
	}
	if !ok || n.mailbox == 0 {
		return nil, store.ErrNotFound
	}
	return t.mailbox(n.mailbox)
}

// bump gives the next MODSEQ of an account to a mailbox.
func (t *txn) bump(a *accountRow, m *openRow) store.ModSeq {
	t.writes++
	a.modSeq++
	m.status.HighestModSeq, m.dirty = a.modSeq, true
	return a.modSeq
}

// flush writes the rows that were held.
func (t *txn) flush() error {
	for _, a := range t.accounts {
		if err := t.put(bucketCounters, key8(uint64(a.id)), a.encode()); err != nil {
			return err
		}
	}
	for _, m := range t.order {
		if !m.dirty {
			continue
		}
		if err := t.put(bucketMailboxes, key8(m.id), m.encode()); err != nil {
			return err
		}
	}
	for c, n := range t.counts {
		if err := t.put(bucketAppCounts, c.key(), key8(n)); err != nil {
			return err
		}
	}
	for k, c := range t.runs {
		key := k.bytes()
		sealed, err := t.file.seals.seal(nil, bucketRuns, key, (&runDelta{k, *c}).encode())
		if err != nil {
			return err
		}
		if err := t.put(bucketRuns, key, sealed); err != nil {
			return err
		}
	}
	return nil
}

// published tells views and waiters, after the commit.
func (t *txn) published() {
	if t.shard != nil {
		for _, m := range t.order {
			if m.dirty {
				t.shard.publish(m, t.id)
			}
		}
	}
	for _, f := range t.after {
		f()
	}
}

// A filed message is all that a row needs.
type filed struct {
	state  store.State // without UID and MODSEQ
	own    ownFacts
	shared []byte
	stream store.Lane
	ref    journal.BodyRef
}

// deliver gives a message its UID and writes its rows.
func (t *txn) deliver(a *accountRow, m *openRow, f *filed) (store.UID, error) {
	if m.status.UIDNext == 0 {
		return 0, fmt.Errorf("%w: no UID is left", store.ErrLimit)
	}
	s := f.state
	s.UID = m.status.UIDNext
	m.status.UIDNext++
	s.ModSeq = t.bump(a, m)
	f.own.created = s.ModSeq
	if err := t.addRef(s.Body, f.stream, &f.ref); err != nil {
		return 0, err
	}
	t.plain = f.own.encode(t.plain, f.shared)
	if err := t.putFacts(m.id, s.UID, t.plain); err != nil {
		return 0, err
	}
	return s.UID, t.putNew(a, m, &s)
}

func (t *txn) putFacts(mailbox uint64, uid store.UID, row []byte) error {
	t.key = messageKey(t.key, mailbox, uid)
	sealed, err := t.file.seals.seal(nil, bucketFacts, t.key, row)
	if err != nil {
		return err
	}
	return t.put(bucketFacts, t.key, sealed)
}

// putNew writes the state of a new message and counts it.
func (t *txn) putNew(a *accountRow, m *openRow, s *store.State) error {
	m.count(s, 1)
	a.used += s.Size
	m.appended = append(m.appended, *s)
	return t.putState(m.id, s)
}

func (t *txn) putState(mailbox uint64, s *store.State) error {
	return t.put(bucketStates, messageKey(nil, mailbox, s.UID), encodeState(nil, s))
}

// expunge moves a message's row to the expunged ones, with the MODSEQ given.
func (t *txn) expunge(a *accountRow, m *openRow, s *store.State, at store.ModSeq, moved bool) error {
	m.count(s, -1)
	a.used -= s.Size
	if m.removed == nil {
		m.removed = make(map[store.UID]bool)
	}
	m.removed[s.UID] = true
	if err := t.del(bucketStates, messageKey(nil, m.id, s.UID)); err != nil {
		return err
	}
	if moved {
		if err := t.del(bucketFacts, messageKey(nil, m.id, s.UID)); err != nil {
			return err
		}
	}
	return t.put(bucketExpunged, expungedKey(m.id, at, s.UID), encodeExpunged(t.now.Unix(), s, moved))
}

// change writes a message's new flags.
func (t *txn) change(m *openRow, old, s *store.State) error {
	m.count(old, -1)
	m.count(s, 1)
	if m.changed == nil {
		m.changed = make(map[store.UID]store.State)
	}
	m.changed[s.UID] = *s
	return t.putState(m.id, s)
}

// addRef names a body once more; ref is needed when the shard does not know it yet.
func (t *txn) addRef(id store.BodyID, stream store.Lane, ref *journal.BodyRef) error {
	row := bodyRow{stream: stream}
	if b := t.bucket(bucketBodies).Get(id[:]); b != nil {
		var err error
		if row, err = decodeBody(b); err != nil {
			return err
		}
	} else if ref == nil {
		return fmt.Errorf("%w: a body without a row", store.ErrDamaged)
	} else {
		row.ref = *ref
	}
	row.refs++
	b, err := row.encode()
	if err != nil {
		return err
	}
	return t.put(bucketBodies, id[:], b)
}

// states calls f for the states of uids that exist, in order of UID; uids are sorted.
func (t *txn) states(m *openRow, uids []store.UID, f func(*store.State) error) error {
	var all []store.State
	err := scanStates(t.tx, m.id, uids, func(s *store.State) error {
		all = append(all, *s) // f writes: the cursor must have ended before
		return nil
	})
	for i := range all {
		if err == nil {
			err = f(&all[i])
		}
	}
	return err
}

// scanStates walks the states of a mailbox that are among uids (sorted; nil is all).
func scanStates(tx *bbolt.Tx, mailbox uint64, uids []store.UID, f func(*store.State) error) error {
	c := tx.Bucket(bucketStates).Cursor()
	var s store.State
	return scanMessages(c, mailbox, uids, func(uid store.UID, v []byte) error {
		if err := decodeState(uid, v, &s); err != nil {
			return err
		}
		return f(&s)
	})
}
