package journal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

const (
	segmentVersion = 1
	segmentMagic   = "SAMPULJ1"
	suiteGCM       = 1 // AES-256-GCM, random nonces, HKDF with SHA-256
	saltLen        = 32
	segHeaderLen   = 96
	headerCopy     = 4096 // the header stands twice: without its salt nothing can be read
	recordsStart   = 8192
)

// A segmentHeader stands at the start of each file, and again on its second page:
//
//	0 magic   8 version   9 suite   10 stream   16 epoch   24 number   32 first
//	40 durable   48 salt   80 zero   92 CRC32C of 0 to 91
type segmentHeader struct {
	Stream  uint8
	Epoch   uint64
	Number  uint64
	First   uint64 // sequence of its first record
	Durable uint64 // what was durable before: what older segments hold beyond it is a torn tail
	Salt    [saltLen]byte
}

func (h *segmentHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = append(b, segmentVersion, suiteGCM, h.Stream, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, h.Epoch)
	b = binary.BigEndian.AppendUint64(b, h.Number)
	b = binary.BigEndian.AppendUint64(b, h.First)
	b = binary.BigEndian.AppendUint64(b, h.Durable)
	b = append(b, h.Salt[:]...)
	b = append(b, make([]byte, 12)...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseSegmentHeader(b []byte) (h segmentHeader, err error) {
	if len(b) < segHeaderLen || string(b[:8]) != segmentMagic ||
		crc32.Checksum(b[:92], castagnoli) != binary.BigEndian.Uint32(b[92:]) {
		return h, fmt.Errorf("%w: header of a segment", ErrDamaged)
	}
	if b[8] != segmentVersion || b[9] != suiteGCM {
		return h, fmt.Errorf("journal: segment of version %d, suite %d: written by a newer program", b[8], b[9])
	}
	h = segmentHeader{
		Stream: b[10],
		Epoch:  binary.BigEndian.Uint64(b[16:]), Number: binary.BigEndian.Uint64(b[24:]),
		First: binary.BigEndian.Uint64(b[32:]), Durable: binary.BigEndian.Uint64(b[40:]),
	}
	copy(h.Salt[:], b[48:])
	return h, nil
}

// A segment is one open file. Nobody changes it but the committer and the filler.
type segment struct {
	segmentHeader
	f     File
	aead  cipher.AEAD
	keyID uint32
}

// keyIDOf names the key of a segment beside each thing it sealed.
func keyIDOf(salt []byte) uint32 {
	sum := sha256.Sum256(salt)
	return binary.BigEndian.Uint32(sum[:])
}

// segments knows the files of a stream and keeps them open.
type segments struct {
	o    Options
	mu   sync.RWMutex
	list []segmentHeader // readable ones, by number
	open map[uint64]*segment
}

func (s *segments) init(o Options) {
	s.o, s.open = o, make(map[uint64]*segment)
}

func (s *segments) path(number uint64) string {
	return filepath.Join(s.o.Dir, fmt.Sprintf("%03d-%012d.journal", s.o.Stream, number))
}

// numbers lists the files of the stream, whatever they hold.
func (s *segments) numbers() ([]uint64, error) {
	names, err := s.o.FS.List(s.o.Dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		var stream uint8
		var number uint64
		if _, err := fmt.Sscanf(name, "%03d-%012d.journal", &stream, &number); err != nil ||
			stream != s.o.Stream || filepath.Base(s.path(number)) != name {
			continue
		}
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// create begins a segment. When it returns, file, header and name survive power
// loss, so that acknowledgements may be given from it. h.Salt is made here.
func (s *segments) create(h segmentHeader) (*segment, error) {
	if _, err := rand.Read(h.Salt[:]); err != nil {
		return nil, err
	}
	aead, err := s.o.Keys.Segment(h.Salt[:])
	if err != nil {
		return nil, fmt.Errorf("journal: key of a segment: %w", err)
	}
	if aead.NonceSize() != 0 || aead.Overhead() != sealOverhead {
		return nil, errors.New("journal: the AEAD does not make its own nonces")
	}
	path := s.path(h.Number)
	f, err := s.o.FS.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := s.start(f, &h); err != nil {
		f.Close()
		if noSpace(err) {
			return nil, errors.Join(ErrFull, s.o.FS.Remove(path))
		}
		return nil, err
	}
	seg := &segment{segmentHeader: h, f: f, aead: aead, keyID: keyIDOf(h.Salt[:])}
	s.mu.Lock()
	s.open[h.Number] = seg
	s.list = append(s.list, h)
	s.mu.Unlock()
	return seg, nil
}

func (s *segments) start(f File, h *segmentHeader) error {
	b := make([]byte, recordsStart)
	h.append(b[:0])
	h.append(b[headerCopy:headerCopy])
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Fdatasync(); err != nil {
		return err
	}
	return s.o.FS.SyncDir(s.o.Dir)
}

// readHeader takes whichever copy of the header is good.
func readHeader(f File) (segmentHeader, error) {
	var b [segHeaderLen]byte
	var first error
	for _, off := range []int64{0, headerCopy} {
		n, err := f.ReadAt(b[:], off)
		if n == len(b) {
			err = nil
		} else if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: a segment ends in its header", ErrDamaged)
		}
		var h segmentHeader
		if err == nil {
			if h, err = parseSegmentHeader(b[:]); err == nil {
				return h, nil
			}
		}
		if first == nil {
			first = err
		}
	}
	return segmentHeader{}, first
}

// get opens a segment for reading, or returns the open one.
func (s *segments) get(number uint64) (*segment, error) {
	s.mu.RLock()
	seg := s.open[number]
	s.mu.RUnlock()
	if seg != nil {
		return seg, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg := s.open[number]; seg != nil {
		return seg, nil
	}
	if s.open == nil {
		return nil, ErrClosed
	}
	f, err := s.o.FS.OpenFile(s.path(number), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: segment %d", ErrMissing, number)
	}
	if err != nil {
		return nil, err
	}
	seg, err = s.load(f, number)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.open[number] = seg
	return seg, nil
}

func (s *segments) load(f File, number uint64) (*segment, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	if h.Number != number || h.Stream != s.o.Stream {
		return nil, fmt.Errorf("%w: segment %d of stream %d holds %d of %d", ErrDamaged, number, s.o.Stream, h.Number, h.Stream)
	}
	aead, err := s.o.Keys.Segment(h.Salt[:])
	if err != nil {
		return nil, fmt.Errorf("journal: key of segment %d: %w", number, err)
	}
	return &segment{segmentHeader: h, f: f, aead: aead, keyID: keyIDOf(h.Salt[:])}, nil
}

// headers is a copy of the list of readable segments.
func (s *segments) headers() []segmentHeader {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.list)
}

func (s *segments) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, seg := range s.open {
		errs = append(errs, seg.f.Close())
	}
	s.open = nil
	return errors.Join(errs...)
}
