package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketKept holds what other rooms keep, by name, sealed. It is made when first used.
var bucketKept = []byte("kept")

const maxStateName = 512

// KeepState replaces what is kept under a name, durably; nil forgets it.
func (d *directory) KeepState(ctx context.Context, name string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name == "" || len(name) > maxStateName || len(value) > store.MaxState {
		return fmt.Errorf("state %.40q: %w: a name of %d octets, a value of %d", name, store.ErrLimit, len(name), len(value))
	}
	key := []byte(name)
	err := d.durably(d.db.Batch, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketKept)
		if err != nil {
			return err
		}
		if value == nil {
			return b.Delete(key)
		}
		sealed, err := d.seals.seal(nil, bucketKept, key, append([]byte{rowVersion}, value...))
		if err != nil {
			return err
		}
		return b.Put(key, sealed)
	})
	if err != nil {
		return fmt.Errorf("state %s: %w", name, err)
	}
	return nil
}

// State is what is kept under a name, nil for nothing.
func (d *directory) State(name string) (value []byte, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketKept)
		if b == nil {
			return nil
		}
		sealed := b.Get([]byte(name))
		if sealed == nil {
			return nil
		}
		plain, err := d.seals.open(nil, bucketKept, []byte(name), sealed)
		if err != nil {
			return err
		}
		if plain[0] != rowVersion {
			return errRow
		}
		value = plain[1:]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", name, err)
	}
	return value, nil
}
