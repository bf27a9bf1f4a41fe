package bolt

import (
	"encoding/binary"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// scanMessages walks rows with keys mailbox, UID in order, those of uids (sorted;
// nil is all). Near rows are walked to, far ones sought.
func scanMessages(c *bbolt.Cursor, mailbox uint64, uids []store.UID, f func(store.UID, []byte) error) error {
	const near = 8
	at := func(k []byte) (store.UID, bool) {
		if len(k) != 12 || binary.BigEndian.Uint64(k) != mailbox {
			return 0, false
		}
		return store.UID(binary.BigEndian.Uint32(k[8:])), true
	}
	var key []byte
	if uids == nil {
		for k, v := c.Seek(messageKey(key, mailbox, 0)); ; k, v = c.Next() {
			uid, ok := at(k)
			if !ok {
				return nil
			}
			if err := f(uid, v); err != nil {
				return err
			}
		}
	}
	var k, v []byte
	started := false
	for _, want := range uids {
		if started {
			uid, ok := at(k)
			for i := 0; ok && uid < want && i < near; i++ {
				k, v = c.Next()
				uid, ok = at(k)
			}
			if !ok {
				return nil
			}
			if uid < want {
				started = false
			}
		}
		if !started {
			key = messageKey(key, mailbox, want)
			k, v = c.Seek(key)
			started = true
		}
		uid, ok := at(k)
		if !ok {
			return nil
		}
		if uid == want {
			if err := f(uid, v); err != nil {
				return err
			}
		}
	}
	return nil
}
