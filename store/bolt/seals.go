package bolt

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"sampul/internal/seal"
	"sampul/store"
)

// seals are the keys of one file: one an epoch, derived from the data key and a salt
// that stands in the file. Each start begins an epoch, long before 2^32 seals.
type seals struct {
	key   *seal.DataKey
	label string

	epoch uint32
	aead  cipher.AEAD
	count atomic.Uint64

	old map[uint32]cipher.AEAD // by epoch; complete after openSeals
}

// maxSeals keeps random nonces from meeting: 2^-32 for a pair at 2^32 seals.
const maxSeals = 1 << 31

const saltLen = 32

func saltKey(epoch uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte("salt"), epoch)
}

// openSeals reads the salts and begins an epoch.
func openSeals(tx *bbolt.Tx, key *seal.DataKey, label string) (*seals, error) {
	s := &seals{key: key, label: label, old: make(map[uint32]cipher.AEAD)}
	meta := tx.Bucket(bucketMeta)
	c := meta.Cursor()
	for k, v := c.Seek([]byte("salt")); len(k) == 8 && string(k[:4]) == "salt"; k, v = c.Next() {
		a, err := key.AEAD(label, v)
		if err != nil {
			return nil, err
		}
		s.epoch = binary.BigEndian.Uint32(k[4:])
		s.old[s.epoch] = a
	}
	s.epoch++
	salt := make([]byte, saltLen)
	rand.Read(salt)
	var err error
	if s.aead, err = key.AEAD(label, salt); err != nil {
		return nil, err
	}
	s.old[s.epoch] = s.aead
	return s, meta.Put(saltKey(s.epoch), salt)
}

// seal adds to dst the key's number and the sealed row; it can be opened only in its
// bucket and under its key.
func (s *seals) seal(dst, bucket, key, row []byte) ([]byte, error) {
	if s.count.Add(1) > maxSeals {
		return nil, fmt.Errorf("%w: the key of this epoch is used up, a restart begins a new one", store.ErrFailed)
	}
	if dst == nil {
		dst = make([]byte, 0, 4+len(row)+s.aead.Overhead())
	}
	var aad [64]byte
	dst = binary.BigEndian.AppendUint32(dst, s.epoch)
	return s.aead.Seal(dst, nil, row, rowAAD(aad[:0], bucket, key)), nil
}

func rowAAD(b, bucket, key []byte) []byte {
	b = append(b, bucket...)
	b = append(b, '|')
	return append(b, key...)
}

// open adds the row to dst.
func (s *seals) open(dst, bucket, key, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return dst, errRow
	}
	a := s.old[binary.BigEndian.Uint32(sealed)]
	if a == nil {
		return dst, fmt.Errorf("%w: sealed with an unknown key", errRow)
	}
	var aad [64]byte
	out, err := a.Open(dst, nil, sealed[4:], rowAAD(aad[:0], bucket, key))
	if err != nil {
		return dst, fmt.Errorf("%w: a sealed row: %w", errRow, err)
	}
	return out, nil
}
