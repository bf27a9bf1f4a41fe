package bolt

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sampul/store/journal"
)

// brokenFS is the disk; once broken, no sync succeeds.
type brokenFS struct{ broken atomic.Bool }

var errDisk = errors.New("input/output error")

func (d *brokenFS) OpenFile(name string, flag int, perm fs.FileMode) (journal.File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &brokenFile{f, d}, nil
}

func (d *brokenFS) SyncDir(dir string) error {
	if d.broken.Load() {
		return errDisk
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *brokenFS) List(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d *brokenFS) Remove(name string) error { return os.Remove(name) }

type brokenFile struct {
	*os.File
	disk *brokenFS
}

func (f *brokenFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f *brokenFile) Fdatasync() error {
	if f.disk.broken.Load() {
		return errDisk
	}
	return unix.Fdatasync(int(f.Fd()))
}

func (f *brokenFile) Forget() error { return nil }

func (f *brokenFile) Reserve(int64, int64) error { return nil }
