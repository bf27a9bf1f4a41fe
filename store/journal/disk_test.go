package journal

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"syscall"
)

// A disk is a file system in memory that can lose power: what was not synced is then
// kept, lost, torn at sectors or reordered, as chance has it. Its syncs and writes can
// be made to fail.
type disk struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	files    map[string]*diskFile // what programs see
	names    map[string]*diskFile // what survives power loss
	syncFail error
	room     int64 // octets left; negative: no limit
}

const sector = 512

type diskFile struct {
	cached   []byte // what programs see
	durable  []byte // what survives
	pending  []diskWrite
	reserved int64
}

type diskWrite struct {
	off  int64
	data []byte
	size int64 // of a truncate; -1 for a write
}

func newDisk(seed uint64) *disk {
	return &disk{rnd: rand.New(rand.NewPCG(seed, 1)), files: map[string]*diskFile{}, names: map[string]*diskFile{}, room: -1}
}

func (w *diskWrite) apply(b []byte) []byte {
	if w.size >= 0 {
		if int64(len(b)) > w.size {
			return b[:w.size]
		}
		return append(b, make([]byte, w.size-int64(len(b)))...)
	}
	if end := w.off + int64(len(w.data)); int64(len(b)) < end {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[w.off:], w.data)
	return b
}

// losePower is power loss: each write that was not synced is kept, lost or torn.
func (d *disk) losePower() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, f := range d.files {
		if d.names[name] != f && d.rnd.IntN(2) == 0 {
			d.names[name] = f // the name came to the disk by itself
		}
	}
	d.files = map[string]*diskFile{}
	for name, f := range d.names {
		g := &diskFile{durable: slices.Clone(f.durable)}
		for _, i := range d.rnd.Perm(len(f.pending)) {
			w := f.pending[i]
			if w.size >= 0 || d.rnd.IntN(3) == 0 {
				continue
			}
			for from := 0; from < len(w.data); from += sector {
				if d.rnd.IntN(8) != 0 {
					to := min(from+sector, len(w.data))
					part := diskWrite{w.off + int64(from), w.data[from:to], -1}
					g.durable = part.apply(g.durable)
				}
			}
		}
		g.cached = slices.Clone(g.durable)
		d.files[name] = g
		d.names[name] = g
	}
}

func (d *disk) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	switch {
	case f == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case f != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case f == nil:
		f = &diskFile{}
		d.files[name] = f
	}
	return &diskHandle{d, f}, nil
}

func (d *disk) SyncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.syncFail != nil {
		return d.syncFail
	}
	for name, f := range d.files {
		d.names[name] = f
	}
	return nil
}

func (d *disk) List(dir string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	sort.Strings(names)
	return names, nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

type diskHandle struct {
	d *disk
	f *diskFile
}

func (h *diskHandle) ReadAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if off >= int64(len(h.f.cached)) {
		return 0, io.EOF
	}
	n := copy(p, h.f.cached[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *diskHandle) WriteAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.space(off + int64(len(p))); err != nil {
		return 0, err
	}
	w := diskWrite{off, slices.Clone(p), -1}
	h.f.cached = w.apply(h.f.cached)
	h.f.pending = append(h.f.pending, w)
	return len(p), nil
}

// space takes octets of the disk so that the file can be size octets long.
func (h *diskHandle) space(size int64) error {
	more := size - max(h.f.reserved, int64(len(h.f.cached)))
	if more <= 0 {
		return nil
	}
	if h.d.room >= 0 {
		if more > h.d.room {
			return syscall.ENOSPC
		}
		h.d.room -= more
	}
	h.f.reserved = size
	return nil
}

func (h *diskHandle) Reserve(off, n int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.space(off + n)
}

func (h *diskHandle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	w := diskWrite{size: size}
	if free := max(h.f.reserved, int64(len(h.f.cached))) - size; h.d.room >= 0 && free > 0 {
		h.d.room += free
	}
	h.f.reserved = size
	h.f.cached = w.apply(h.f.cached)
	h.f.pending = append(h.f.pending, w)
	return nil
}

// Fdatasync fails as Linux does: it says so once, and the pages then count as written.
func (h *diskHandle) Fdatasync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.syncFail != nil {
		h.f.pending = nil // cached shows what durable will never have
		return h.d.syncFail
	}
	for _, w := range h.f.pending {
		h.f.durable = w.apply(h.f.durable)
	}
	h.f.pending = nil
	return nil
}

func (h *diskHandle) Forget() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if len(h.f.pending) == 0 {
		h.f.cached = slices.Clone(h.f.durable)
	}
	return nil
}

func (h *diskHandle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.f.cached)), nil
}

func (h *diskHandle) Close() error { return nil }

func (d *disk) failSyncs(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncFail = err
}

func (d *disk) setRoom(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = n
}

// flip damages an octet that is durable.
func (d *disk) flip(name string, off int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil || off >= int64(len(f.durable)) {
		return false
	}
	f.durable[off] ^= 0x55
	f.cached[off] ^= 0x55
	return true
}

var errIO = errors.New("input/output error")
