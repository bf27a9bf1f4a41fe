package seal

import (
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// PlainMarker is what stands instead of a wrapped data key where nothing is sealed.
const PlainMarker = "plain: nothing in this directory is sealed\n"

// Plain makes a data key whose ciphers only check what they keep and hide nothing. It is
// for a demonstration in which somebody wants to look for text on the disk.
func Plain() *DataKey {
	return &DataKey{plain: true}
}

// plainAEAD keeps the lengths of AES-GCM with random nonces: 28 octets of a checksum
// before what it is given.
type plainAEAD struct{}

const plainOverhead = 28

var errPlain = errors.New("seal: checksum of a plain record")

func (plainAEAD) NonceSize() int { return 0 }
func (plainAEAD) Overhead() int  { return plainOverhead }

func plainSum(text, aad []byte) []byte {
	h := sha256.New()
	h.Write(aad)
	h.Write([]byte{0})
	h.Write(text)
	return h.Sum(nil)[:plainOverhead]
}

func (plainAEAD) Seal(dst, _, text, aad []byte) []byte {
	sum := plainSum(text, aad)
	n := len(dst)
	dst = append(dst, text...) // it may lie over text
	dst = append(dst, sum...)
	copy(dst[n+plainOverhead:], dst[n:n+len(text)])
	copy(dst[n:], sum)
	return dst
}

func (plainAEAD) Open(dst, _, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < plainOverhead {
		return nil, errPlain
	}
	if subtle.ConstantTimeCompare(sealed[:plainOverhead], plainSum(sealed[plainOverhead:], aad)) != 1 {
		return nil, errPlain
	}
	return append(dst, sealed[plainOverhead:]...), nil
}

var _ cipher.AEAD = plainAEAD{}
