package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is what the journal needs of a file system; tests put one in its place that
// fails, tears and forgets.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	SyncDir(dir string) error          // new names in dir survive power loss
	List(dir string) ([]string, error) // names without dir
	Remove(name string) error
}

// File is one segment.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Reserve gives the file disk space that later writes will need, without changing
	// its length; ENOSPC when there is none.
	Reserve(off, n int64) error
	Fdatasync() error // content and length survive power loss
	// Forget drops what the system holds in memory of the file, where it can: after
	// a failed sync the memory may show what the disk never got.
	Forget() error
}

type osFS struct{}

type osFile struct{ *os.File }

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Remove(name string) error { return os.Remove(filepath.Clean(name)) }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Fdatasync is not tried again on EINTR: a sync that failed once proves nothing later.
func (f osFile) Fdatasync() error {
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

func (f osFile) Reserve(off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil // the file system cannot: a full disk is then a failed write
	}
	return err
}

func (f osFile) Forget() error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
