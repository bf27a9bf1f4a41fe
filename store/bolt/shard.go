package bolt

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"sampul/internal/seal"
	"sampul/store"
)

// A file is one bbolt file with its writer, keys and applier.
type file struct {
	label string
	db    *bbolt.DB
	seals *seals
	*writer
	applier *applier
}

// A shard keeps the mailboxes of some accounts.
type shard struct {
	file
	index uint8
	log   *slog.Logger

	vmu   sync.Mutex
	views map[uint64]*view
}

// mapSizes are tried in turn for the address space of a file: growing it later would
// stall readers and writers behind each open read transaction.
var mapSizes = []int{64 << 30, 8 << 30, 1 << 30, 0}

// openDB opens a bbolt file, makes its buckets, and begins an epoch of its keys.
func openDB(path, label string, key *seal.DataKey, buckets [][]byte) (db *bbolt.DB, s *seals, err error) {
	for _, size := range mapSizes {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:         time.Second,
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: size,
		})
		if err == nil || errors.Is(err, berrors.ErrTimeout) {
			break
		}
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, nil, store.ErrLocked
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", label, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		s, err = openSeals(tx, key, label)
		return err
	})
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("%s: %w", label, err)
	}
	return db, s, nil
}

func (f *file) open(path, label string, key *seal.DataKey, buckets [][]byte, e *Engine, s *shard) error {
	db, keys, err := openDB(path, label, key, buckets)
	if err != nil {
		return err
	}
	f.label, f.db, f.seals = label, db, keys
	f.writer = newWriter(db, e.fail, func(tx *bbolt.Tx) *txn {
		return &txn{tx: tx, id: uint64(tx.ID()), file: f, shard: s, now: e.clock()}
	})
	return nil
}

// read runs fn in a read transaction, which must be short.
func (f *file) read(fn func(*bbolt.Tx) error) error {
	err := f.db.View(fn)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func (f *file) close() error {
	if f.db == nil {
		return nil
	}
	f.writer.close()
	return f.db.Close()
}
