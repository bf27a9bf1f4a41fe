// Package spool keeps the bytes of a message while it is received and judged.
//
// Up to a border (256 KiB by default) they stay in memory; what is longer goes to
// a work file that has no name, sealed frame by frame with a key that lives only
// in this process. So a message that is refused was never stored: when the
// process dies, nobody can read what is left on the disk.
package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// DefaultMemory is how many octets stay in memory.
const DefaultMemory = 256 << 10

const (
	frame    = 64 << 10 // plain octets in one sealed frame
	overhead = 28       // nonce and tag of AES-GCM
)

// ErrClosed is returned by uses of a spool after Close.
var ErrClosed = errors.New("spool: closed")

// Area makes spools in one directory.
type Area struct {
	dir    string
	memory int
	aead   cipher.AEAD
	pool   sync.Pool
}

// New makes an area whose work files lie in dir ("" is the system's directory for
// temporary files) and whose spools keep up to memory octets out of them.
func New(dir string, memory int) (*Area, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if memory <= 0 {
		memory = DefaultMemory
	}
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &Area{dir: dir, memory: memory, aead: aead}, nil
}

// Spool is one message under way. Writes come first, then [Spool.Seal], then reads
// by any number of goroutines. It is a store.Body.
type Spool struct {
	area   *Area
	size   int64
	mem    []byte // all of it, or the frame that is not full yet
	file   *os.File
	frames int64 // in the file
	hash   hash.Hash
	sum    [32]byte
	sealed bool
	closed bool

	mu     sync.Mutex // guards the frame last read
	cached int64      // its number and 1, 0 for none
	plain  []byte
	cipher []byte
}

// Open begins a spool.
func (a *Area) Open() *Spool {
	s := &Spool{area: a, hash: sha256.New()}
	if b, ok := a.pool.Get().(*[]byte); ok {
		s.mem = (*b)[:0]
	}
	return s
}

// Write adds p. An error is the work file's: the disk is full, or gone.
func (s *Spool) Write(p []byte) (int, error) {
	if s.closed || s.sealed {
		return 0, ErrClosed
	}
	s.hash.Write(p)
	s.size += int64(len(p))
	if s.file == nil {
		if len(s.mem)+len(p) <= s.area.memory {
			s.mem = append(s.mem, p...)
			return len(p), nil
		}
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), frame-len(s.mem))
		s.mem = append(s.mem, rest[:n]...)
		rest = rest[n:]
		if len(s.mem) == frame {
			if err := s.flush(s.mem); err != nil {
				return 0, err
			}
			s.mem = s.mem[:0]
		}
	}
	return len(p), nil
}

// spill opens the work file and moves whole frames of what is in memory there.
func (s *Spool) spill() error {
	fd, err := unix.Open(s.area.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, 0o600)
	if err == nil {
		s.file = os.NewFile(uintptr(fd), "spool")
	} else { // a file system without O_TMPFILE
		f, cerr := os.CreateTemp(s.area.dir, "spool-*")
		if cerr != nil {
			return fmt.Errorf("spool: work file: %w", cerr)
		}
		if rerr := os.Remove(f.Name()); rerr != nil {
			f.Close()
			return fmt.Errorf("spool: work file: %w", rerr)
		}
		s.file = f
	}
	old := s.mem
	s.mem = make([]byte, 0, frame)
	for ; len(old) >= frame; old = old[frame:] {
		if err := s.flush(old[:frame]); err != nil {
			return err
		}
	}
	s.mem = append(s.mem, old...)
	return nil
}

// flush seals p as the next frame: all but the last hold frame octets, and lie one
// after another.
func (s *Spool) flush(p []byte) error {
	s.cipher = s.area.aead.Seal(s.cipher[:0], nil, p, number(s.frames))
	if _, err := s.file.Write(s.cipher); err != nil {
		return fmt.Errorf("spool: work file: %w", err)
	}
	s.frames++
	return nil
}

// number binds a frame to its place, so that frames cannot be swapped.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Seal ends writing. The SHA-256 is known from here on.
func (s *Spool) Seal() error {
	if s.closed {
		return ErrClosed
	}
	if s.sealed {
		return nil
	}
	if s.file != nil && len(s.mem) > 0 {
		if err := s.flush(s.mem); err != nil {
			return err
		}
		s.mem = s.mem[:0]
	}
	s.hash.Sum(s.sum[:0])
	s.sealed = true
	return nil
}

// Size is how many octets were written.
func (s *Spool) Size() int64 { return s.size }

// Sum is the SHA-256 of what was written, after Seal.
func (s *Spool) Sum() [32]byte { return s.sum }

// Bytes is the whole content when it is in memory, else nil. It is valid until Close.
func (s *Spool) Bytes() []byte {
	if s.file != nil {
		return nil
	}
	return s.mem
}

// ReadAt reads as io.ReaderAt says.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if s.closed || !s.sealed {
		return 0, ErrClosed
	}
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	if s.file == nil {
		n := copy(p, s.mem[off:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for done < len(p) && off < s.size {
		b, err := s.load(off / frame)
		if err != nil {
			return done, err
		}
		n := copy(p[done:], b[off%frame:])
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// load opens frame n, or takes the one that was opened last.
func (s *Spool) load(n int64) ([]byte, error) {
	if s.cached == n+1 {
		return s.plain, nil
	}
	want := min(s.size-n*frame, frame) + overhead
	if int64(cap(s.cipher)) < want {
		s.cipher = make([]byte, frame+overhead)
	}
	buf := s.cipher[:want]
	if _, err := s.file.ReadAt(buf, n*(frame+overhead)); err != nil {
		return nil, fmt.Errorf("spool: work file: %w", err)
	}
	s.cached = 0
	plain, err := s.area.aead.Open(s.plain[:0], nil, buf, number(n))
	if err != nil {
		return nil, fmt.Errorf("spool: work file was changed: %w", err)
	}
	s.plain, s.cached = plain, n+1
	return plain, nil
}

// Close drops the content. A second Close does nothing.
func (s *Spool) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file != nil {
		return s.file.Close()
	}
	if m := s.mem; cap(m) > 0 {
		clear(m)
		s.area.pool.Put(&m)
	}
	s.mem = nil
	return nil
}
