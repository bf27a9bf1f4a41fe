// Package seal makes and guards the keys under which data lies at rest.
//
// A key file, kept outside the data directory, wraps the data key, which stands in
// the data directory in that wrapped form alone. Everything else is derived: one
// AES-256-GCM key for each label and salt, by HKDF with SHA-256. Nonces are random
// and stand before what they sealed ([cipher.NewGCMWithRandomNonce], the form that
// FIPS 140 allows), so a key must be changed well before 2^32 seals.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Overhead is how many octets a seal adds: nonce and tag.
const Overhead = 28

const keyFileTag = "sampul-key-v1"

// ErrKey is returned when a key file does not belong to what it should open.
var ErrKey = errors.New("the key file is not the one that this data was sealed with")

// KeyFile wraps data keys.
type KeyFile struct{ key [32]byte }

// CreateKeyFile writes a new key file, readable by its owner alone. It never
// overwrites: whoever loses the old key loses all that was sealed with it.
func CreateKeyFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	var key [32]byte
	rand.Read(key[:])
	_, err = fmt.Fprintf(f, "# The key to all mail of this suite. Keep a copy in another place; without it nothing can be read.\n%s %s\n",
		keyFileTag, base64.StdEncoding.EncodeToString(key[:]))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("key file: %w", err), os.Remove(path))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// LoadKeyFile reads a key file. One that others may read is refused.
func LoadKeyFile(path string) (*KeyFile, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s can be read by others (mode %#o): chmod 600 it, and consider whether it was", path, fi.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		tag, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if tag != keyFileTag {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != 32 {
			break
		}
		return &KeyFile{key: [32]byte(raw)}, nil
	}
	return nil, fmt.Errorf("key file %s holds no line %q with a key of 32 octets", path, keyFileTag+" ...")
}

// EnsureKeyFile loads the key file, and makes it first where there is none.
func EnsureKeyFile(path string) (*KeyFile, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := CreateKeyFile(path); err != nil {
			return nil, err
		}
	}
	return LoadKeyFile(path)
}

// NewDataKey makes a data key and its wrapped form.
func (k *KeyFile) NewDataKey() (*DataKey, []byte, error) {
	d := Ephemeral()
	aead, err := gcm(k.key[:])
	if err != nil {
		return nil, nil, err
	}
	return d, aead.Seal(nil, nil, d.key[:], []byte("sampul data key 1")), nil
}

// Unwrap opens a data key. It returns [ErrKey] when another key file wrapped it.
func (k *KeyFile) Unwrap(wrapped []byte) (*DataKey, error) {
	aead, err := gcm(k.key[:])
	if err != nil {
		return nil, err
	}
	raw, err := aead.Open(nil, nil, wrapped, []byte("sampul data key 1"))
	if err != nil || len(raw) != 32 {
		return nil, ErrKey
	}
	return &DataKey{key: [32]byte(raw)}, nil
}

// DataKey is what all other keys come from.
type DataKey struct {
	key   [32]byte
	plain bool // see Plain
}

// Ephemeral makes a key that lives only in this process.
func Ephemeral() *DataKey {
	var d DataKey
	rand.Read(d.key[:])
	return &d
}

// AEAD derives the key for label and salt: AES-256-GCM with random nonces. Seal and
// Open take a nil nonce.
func (d *DataKey) AEAD(label string, salt []byte) (cipher.AEAD, error) {
	if d.plain {
		return plainAEAD{}, nil
	}
	key, err := hkdf.Key(sha256.New, d.key[:], salt, "sampul/"+label, 32)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return gcm(key)
}

// MAC is a keyed hash of data under label. Each piece is bound to its length.
func (d *DataKey) MAC(label string, data ...[]byte) [32]byte {
	h := hmac.New(sha256.New, d.key[:])
	fmt.Fprintf(h, "mac/%d/%s", len(label), label)
	for _, b := range data {
		fmt.Fprintf(h, "/%d/", len(b))
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead, nil
}

// Hides says whether what the key seals cannot be read without it.
func (d *DataKey) Hides() bool { return !d.plain }
