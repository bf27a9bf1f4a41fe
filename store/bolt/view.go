package bolt

import (
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// A view holds the states of one mailbox for all its sessions. Its snapshot is
// replaced after each commit that changed the mailbox, before the change is answered.
// The shard's writer alone replaces it.
type view struct {
	shard   *shard
	id      uint64
	account store.AccountID

	info atomic.Pointer[store.MailboxInfo]
	snap atomic.Pointer[store.Snapshot]

	ready chan struct{} // closed when it is loaded, or err is set
	err   error

	// The shard's vmu guards these.
	refs    int
	loaded  bool
	seen    uint64 // transaction that the snapshot shows
	pending []viewChange
	wakes   map[int]chan<- struct{}
	next    int
}

// A viewChange waits for a view that is being loaded.
type viewChange struct {
	row *openRow
	txn uint64
}

// open gives the view of a mailbox, loaded.
func (s *shard) open(id uint64, account store.AccountID) (*view, error) {
	s.vmu.Lock()
	v := s.views[id]
	first := v == nil
	if first {
		v = &view{shard: s, id: id, account: account, ready: make(chan struct{}), wakes: make(map[int]chan<- struct{})}
		s.views[id] = v
	}
	v.refs++
	s.vmu.Unlock()
	if first {
		v.err = v.load()
		close(v.ready)
	}
	<-v.ready
	if v.err != nil {
		v.release()
		return nil, v.err
	}
	return v, nil
}

// load reads the mailbox in one scan, without making the writer wait: what it commits
// meanwhile is laid aside and applied on top.
func (v *view) load() error {
	var row *mailboxRow
	snap := &store.Snapshot{}
	var at uint64
	err := v.shard.read(func(tx *bbolt.Tx) error {
		at = uint64(tx.ID())
		var err error
		if row, err = readMailbox(tx, v.id); err != nil {
			return err
		}
		n := int(row.status.Messages)
		snap.States = make([]store.State, 0, n+n/8+16)
		return scanStates(tx, v.id, nil, func(s *store.State) error {
			snap.States = append(snap.States, *s)
			return nil
		})
	})
	if err != nil {
		return err
	}
	snap.Status, snap.Keywords = row.status, row.keywords
	info := row.info(false)
	v.shard.vmu.Lock()
	defer v.shard.vmu.Unlock()
	v.info.Store(&info)
	v.snap.Store(snap)
	v.seen, v.loaded = at, true
	for _, c := range v.pending {
		v.apply(c.row, c.txn)
	}
	v.pending = nil
	return nil
}

func readMailbox(tx *bbolt.Tx, id uint64) (*mailboxRow, error) {
	b := tx.Bucket(bucketMailboxes).Get(key8(id))
	if b == nil {
		return nil, store.ErrNotFound
	}
	row, err := decodeMailbox(id, b)
	if err == nil && row.deleted != 0 {
		err = store.ErrNotFound
	}
	return row, err
}

// release gives the view back; without sessions it is dropped.
func (v *view) release() {
	s := v.shard
	s.vmu.Lock()
	defer s.vmu.Unlock()
	if v.refs--; v.refs == 0 && s.views[v.id] == v {
		delete(s.views, v.id)
	}
}

// publish tells the view of a mailbox, if it is open, what a commit changed.
func (s *shard) publish(m *openRow, txn uint64) {
	s.vmu.Lock()
	defer s.vmu.Unlock()
	v := s.views[m.id]
	if v == nil {
		return
	}
	if !v.loaded {
		v.pending = append(v.pending, viewChange{m, txn})
	} else {
		v.apply(m, txn)
	}
	if m.gone {
		// Sessions keep what they have; whoever opens the ID again loads it anew.
		delete(s.views, m.id)
	}
}

// apply makes the next snapshot. What earlier ones show is never written: new states
// go behind the end that they know, and other changes go into a copy.
func (v *view) apply(m *openRow, txn uint64) {
	if txn <= v.seen {
		return
	}
	v.seen = txn
	old := v.snap.Load()
	next := &store.Snapshot{Status: m.status, Keywords: m.keywords, Gone: m.gone, States: old.States}
	if len(m.changed) > 0 || len(m.removed) > 0 {
		n := len(old.States) + len(m.appended)
		next.States = make([]store.State, 0, n+n/8+16)
		next.States = m.merge(next.States, old.States)
	}
	next.States = m.merge(next.States, m.appended)
	v.snap.Store(next)
	if last := v.info.Load(); last.Name != m.name {
		info := m.info(last.Subscribed)
		v.info.Store(&info)
	}
	for _, wake := range v.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// merge adds states to dst as they are after the change.
func (m *openRow) merge(dst, states []store.State) []store.State {
	for i := range states {
		s := &states[i]
		if m.removed[s.UID] {
			continue
		}
		if c, ok := m.changed[s.UID]; ok {
			s = &c
		}
		dst = append(dst, *s)
	}
	return dst
}

// A mailbox is a session's hold on a view.
type mailbox struct {
	*view
	once sync.Once
}

// Info says which mailbox it is.
func (m *mailbox) Info() store.MailboxInfo { return *m.info.Load() }

// Snapshot is the newest state.
func (m *mailbox) Snapshot() *store.Snapshot { return m.snap.Load() }

// Watch has wake told after each change, until stop is called.
func (m *mailbox) Watch(wake chan<- struct{}) (stop func()) {
	s := m.shard
	s.vmu.Lock()
	defer s.vmu.Unlock()
	n := m.next
	m.next++
	m.wakes[n] = wake
	return func() {
		s.vmu.Lock()
		defer s.vmu.Unlock()
		delete(m.wakes, n)
	}
}

// Close ends the session's hold; a second call does nothing.
func (m *mailbox) Close() { m.once.Do(m.release) }
