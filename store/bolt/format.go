package bolt

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sampul/internal/seal"
	"sampul/store"
)

const formatVersion = 1

// format is the FORMAT file.
type format struct {
	Version int    `json:"version"`
	Suite   string `json:"suite"`  // random: tells this store from every other
	Shards  int    `json:"shards"` // mail-NN.db
}

func (k journalKeys) Segment(salt []byte) (cipher.AEAD, error) { return k.key.AEAD(k.label, salt) }

// acquire takes the lock that one process holds.
func (e *Engine) acquire() error {
	f, err := os.OpenFile(filepath.Join(e.o.Dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return store.ErrLocked
		}
		return err
	}
	e.lock = f
	return nil
}

// openFormat checks the FORMAT file, or writes that of a new store. A directory that
// holds an index but no FORMAT is not taken for a new one.
func (e *Engine) openFormat() error {
	path := filepath.Join(e.o.Dir, "FORMAT")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(e.o.Dir, "directory.db")); err == nil {
			return fmt.Errorf("%w: FORMAT is missing", store.ErrFormat)
		}
		e.suite = rand.Text()
		if b, err = json.Marshal(format{formatVersion, e.suite, e.o.Shards}); err != nil {
			return err
		}
		return writeDurably(path, append(b, '\n'))
	}
	if err != nil {
		return err
	}
	var f format
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("%w: FORMAT: %w", store.ErrFormat, err)
	}
	if f.Version != formatVersion || f.Shards < 1 || f.Shards > 100 {
		return fmt.Errorf("%w: version %d, this program knows %d", store.ErrFormat, f.Version, formatVersion)
	}
	e.suite, e.o.Shards = f.Suite, f.Shards
	return nil
}

// IsPlain says whether nothing in a data directory is sealed.
func IsPlain(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "KEY"))
	return err == nil && string(b) == seal.PlainMarker
}

// openKey unwraps the data key; a new store gets one.
func (e *Engine) openKey() error {
	if e.o.Key != nil {
		return nil
	}
	path := filepath.Join(e.o.Dir, "KEY")
	wrapped, err := os.ReadFile(path)
	if isPlain := string(wrapped) == seal.PlainMarker; isPlain != e.o.Plain && err == nil {
		if isPlain {
			return fmt.Errorf("%w: nothing in it is sealed, it is a demonstration's (demo --plain-store)", store.ErrFormat)
		}
		return fmt.Errorf("%w: it is sealed, and cannot be made plain", store.ErrFormat)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, serr := os.Stat(filepath.Join(e.o.Dir, "directory.db")); serr == nil {
			return fmt.Errorf("%w: KEY is missing", store.ErrFormat)
		}
	}
	if e.o.Plain {
		e.o.Key = seal.Plain()
		if errors.Is(err, fs.ErrNotExist) {
			err = writeDurably(path, []byte(seal.PlainMarker))
		}
		return err
	}
	if e.o.KeyFile == "" {
		return errors.New("the store needs a key file")
	}
	kf, kerr := seal.LoadKeyFile(e.o.KeyFile)
	if kerr != nil {
		return kerr
	}
	if err == nil {
		e.o.Key, err = kf.Unwrap(wrapped)
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if e.o.Key, wrapped, err = kf.NewDataKey(); err != nil {
		return err
	}
	return writeDurably(path, wrapped)
}

// writeDurably makes a file that is there whole, or not at all.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
