package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A BodyReader reads one body; it may be used by many goroutines, which then wait
// for each other. It keeps the frame that was read last.
type BodyReader struct {
	ref BodyRef
	seg *segment

	mu    sync.Mutex
	buf   *frameBuffers // nil: closed
	have  int64         // number of the frame in buf.plain, -1 for none
	index []byte        // where the frames are, once it was needed
}

type frameBuffers struct{ raw, packed, plain []byte }

var readBuffers = sync.Pool{New: func() any { return new(frameBuffers) }}

var errReaderClosed = errors.New("journal: the body was closed")

// OpenBody prepares to read a body; what is missing or damaged is found when it is read,
// save a segment that is gone ([ErrMissing]).
func (j *Journal) OpenBody(ref BodyRef) (*BodyReader, error) {
	if !ref.sane() {
		return nil, errBodyRef
	}
	seg, err := j.segs.get(ref.Segment)
	if err != nil {
		return nil, err
	}
	return &BodyReader{ref: ref, seg: seg, buf: readBuffers.Get().(*frameBuffers), have: -1}, nil
}

// Size of the body.
func (b *BodyReader) Size() int64 { return b.ref.Size }

// Close gives the buffers back.
func (b *BodyReader) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf != nil {
		readBuffers.Put(b.buf)
		b.buf = nil
	}
	return nil
}

// ReadAt is [io.ReaderAt].
func (b *BodyReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("journal: negative offset")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for n < len(p) && off < b.ref.Size {
		part, err := b.at(off)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], part)
		n += m
		off += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteRange writes n octets from off to w, as slices of what was unsealed. While w
// is slow, other users of this reader wait.
func (b *BodyReader) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > b.ref.Size || n > b.ref.Size-off {
		return fmt.Errorf("journal: range %d+%d of a body of %d", off, n, b.ref.Size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for n > 0 {
		part, err := b.at(off)
		if err != nil {
			return err
		}
		part = part[:min(n, int64(len(part)))]
		if _, err := w.Write(part); err != nil {
			return err
		}
		off += int64(len(part))
		n -= int64(len(part))
	}
	return nil
}

// at is what is known from off to the end of its frame.
func (b *BodyReader) at(off int64) ([]byte, error) {
	if b.buf == nil {
		return nil, errReaderClosed
	}
	number := off / frameSize
	if b.have != number {
		if err := b.load(number); err != nil {
			return nil, fmt.Errorf("frame %d of body %x in segment %d: %w", number, b.ref.ID, b.ref.Segment, err)
		}
	}
	return b.buf.plain[off-number*frameSize:], nil
}

func (b *BodyReader) load(number int64) error {
	b.have = -1
	at, stored := b.ref.First, int64(b.ref.Stored)
	flags := uint8(0)
	if number > 0 {
		if err := b.loadIndex(); err != nil {
			return err
		}
		entry := b.index[number*indexEntry:]
		at = int64(binary.BigEndian.Uint64(entry))
		stored = int64(binary.BigEndian.Uint32(entry[8:]))
	}
	if number == b.ref.frames()-1 {
		flags = flagLast
	}
	size := min(frameSize, b.ref.Size-number*frameSize)
	if at < 0 || stored > maxFrameRecord {
		return ErrDamaged
	}
	if err := b.open(at, stored, uint32(number), flags, size); err != nil {
		return err
	}
	b.have = number
	return nil
}

// loadIndex reads the record that says where the frames are.
func (b *BodyReader) loadIndex() error {
	if b.index != nil {
		return nil
	}
	var hb [headerLen]byte
	if _, err := b.seg.f.ReadAt(hb[:], b.ref.Index); err != nil && err != io.EOF {
		return err
	}
	h, err := parseHeader(hb[:])
	size := b.ref.frames() * indexEntry
	if err != nil || int64(h.Len) > size+size/6+1024 {
		return fmt.Errorf("%w: index of a body", ErrDamaged)
	}
	if err := b.open(b.ref.Index, h.stored(), indexNumber, flagIndex, size); err != nil {
		return err
	}
	b.index = append([]byte(nil), b.buf.plain...)
	return nil
}

// open reads, unseals and expands a record of this body into buf.plain.
func (b *BodyReader) open(at, stored int64, number uint32, flags uint8, size int64) error {
	buf := b.buf
	buf.raw = grown(buf.raw, int(stored))
	n, err := b.seg.f.ReadAt(buf.raw, at)
	if err != nil && err != io.EOF {
		return err
	}
	h, err := parseHeader(buf.raw[:n]) // the last record's padding may be cut: h.Len is what counts
	if err != nil || h.Type != Body || int(h.Len)+headerLen > n {
		return fmt.Errorf("%w: no frame at %d", ErrDamaged, at)
	}
	plain, err := openFrame(b.seg, &h, buf.raw[headerLen:headerLen+int(h.Len)], buf)
	if err != nil {
		return err
	}
	if plain.id != b.ref.ID || plain.number != number || h.Flags != flags || int64(len(buf.plain)) != size {
		return fmt.Errorf("%w: another frame at %d", ErrDamaged, at)
	}
	return nil
}

type frameName struct {
	id     ID
	number uint32
}

// openFrame unseals and expands the payload of a BODY record into buf.plain, and says
// which frame it is.
func openFrame(seg *segment, h *header, payload []byte, buf *frameBuffers) (name frameName, err error) {
	if len(payload) < frameStart+sealOverhead {
		return name, fmt.Errorf("%w: a frame is too short", ErrDamaged)
	}
	copy(name.id[:], payload)
	name.number = binary.BigEndian.Uint32(payload[16:])
	size := binary.BigEndian.Uint32(payload[20:])
	if size > max(frameSize, maxFrames*indexEntry) {
		return name, fmt.Errorf("%w: a frame is too long", ErrDamaged)
	}
	var aad [frameAADLen]byte
	buf.packed, err = seg.aead.Open(buf.packed[:0], nil, payload[frameStart:],
		frameAAD(aad[:], &name.id, name.number, h.Flags, h.Codec))
	if err != nil {
		return name, fmt.Errorf("%w: seal of a frame", ErrDamaged)
	}
	if h.Codec == None {
		buf.packed, buf.plain = buf.plain, buf.packed
		if len(buf.plain) != int(size) {
			return name, fmt.Errorf("%w: length of a frame", ErrDamaged)
		}
		return name, nil
	}
	buf.plain = grown(buf.plain, int(size))
	return name, h.Codec.expand(buf.plain, buf.packed)
}
