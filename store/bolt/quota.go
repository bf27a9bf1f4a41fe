package bolt

import (
	"sync"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// holds are octets promised to appends that are not filed yet, so that many at once
// can't pass the quota together.
type holds struct {
	mu sync.Mutex
	by map[store.AccountID]int64
}

func (h *holds) init() { h.by = make(map[store.AccountID]int64) }

func (h *holds) add(id store.AccountID, octets int64) (before int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before = h.by[id]
	if h.by[id] += octets; h.by[id] == 0 {
		delete(h.by, id)
	}
	return before
}

// used is what the account's mailboxes hold.
func (s *shard) used(id store.AccountID) (n int64, err error) {
	err = s.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketCounters).Get(key8(uint64(id)))
		if b == nil {
			return nil
		}
		a, err := decodeAccount(id, b)
		if err == nil {
			n = a.used
		}
		return err
	})
	return n, err
}

func (e *Engine) checkQuota(acct *store.Account, octets int64) error {
	release, err := e.holdQuota(acct, octets)
	if err == nil {
		release()
	}
	return err
}

// holdQuota promises octets to an append; release ends the promise, when they are
// filed or not to be.
func (e *Engine) holdQuota(acct *store.Account, octets int64) (release func(), err error) {
	if acct.Quota == 0 {
		return func() {}, nil
	}
	before := e.holds.add(acct.ID, octets)
	release = func() { e.holds.add(acct.ID, -octets) }
	used, err := e.shards[acct.Shard].used(acct.ID)
	if err == nil && used+before+octets > acct.Quota {
		err = store.ErrOverQuota
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}
