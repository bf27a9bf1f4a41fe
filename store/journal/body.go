package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

const (
	frameSize      = 256 << 10
	maxFrames      = 1 << 16 // 16 GiB
	frameStart     = 24      // before the sealed octets: ID, number of the frame, plain length
	maxFrameRecord = headerLen + frameStart + frameSize + sealOverhead + align
	indexEntry     = 12        // offset and stored length of a frame
	indexNumber    = 1<<32 - 1 // stands for the frame's number in an index
)

// frameAAD binds sealed octets to their place in their body.
func frameAAD(b []byte, id *ID, number uint32, flags uint8, codec Codec) []byte {
	b = append(b[:0], id[:]...)
	b = binary.BigEndian.AppendUint32(b, number)
	return append(b, flags, byte(codec))
}

const frameAADLen = 16 + 4 + 2

// A framer makes the records of one body.
type framer struct {
	j      *Journal
	id     ID
	plain  []byte
	packed []byte
	record []byte
}

var framers = sync.Pool{New: func() any { return new(framer) }}

func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}

// release keeps the buffers for another body.
func (w *framer) release() {
	w.j = nil
	framers.Put(w)
}

// WriteBody takes size octets of r into the journal under a fresh id, without waiting
// for a sync: a record appended afterwards is durable only together with the body. It
// returns where the body is and its SHA-256. The body can be read when a later record
// is durable. Memory does not grow with size.
func (j *Journal) WriteBody(ctx context.Context, id ID, r io.ReaderAt, size int64) (BodyRef, [32]byte, error) {
	ref := BodyRef{ID: id, Size: size}
	var sum [32]byte
	if size < 0 || ref.frames() > maxFrames {
		return BodyRef{}, sum, ErrTooBig
	}
	if err := ctx.Err(); err != nil {
		return BodyRef{}, sum, err
	}
	w := framers.Get().(*framer)
	defer w.release()
	w.j, w.id = j, id
	var err error
	if ref.frames() == 1 {
		sum, err = w.single(r, &ref)
	} else {
		sum, err = w.several(ctx, r, &ref)
	}
	if err != nil {
		return BodyRef{}, [32]byte{}, err
	}
	return ref, sum, nil
}

func (w *framer) read(r io.ReaderAt, off, n int64) error {
	w.plain = grown(w.plain, int(n))
	if n == 0 {
		return nil
	}
	got, err := r.ReadAt(w.plain, off)
	if got == len(w.plain) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("journal: reading a body: %w", err)
}

// single writes a body of one frame. The segment may change between sealing and
// placing: then the frame is sealed again, with the key of the new one.
func (w *framer) single(r io.ReaderAt, ref *BodyRef) (sum [32]byte, err error) {
	if err := w.read(r, 0, ref.Size); err != nil {
		return sum, err
	}
	sum = sha256.Sum256(w.plain)
	for {
		seg := w.j.active()
		h := w.seal(seg, w.plain, 0, flagLast)
		pos, placed, err := w.j.addFrame(seg, &h, w.record)
		if err != nil {
			return sum, err
		}
		if placed {
			ref.Segment, ref.First, ref.Stored = pos.Segment, pos.Offset, uint32(h.stored())
			return sum, nil
		}
	}
}

// several writes frames, then an index of them. The segment does not change meanwhile.
func (w *framer) several(ctx context.Context, r io.ReaderAt, ref *BodyRef) (sum [32]byte, err error) {
	seg, err := w.j.beginLarge()
	if err != nil {
		return sum, err
	}
	defer w.j.endLarge()
	ref.Segment = seg.Number
	n := ref.frames()
	index := make([]byte, 0, n*indexEntry)
	hash := sha256.New()
	for i := range n {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		if err := w.read(r, i*frameSize, min(frameSize, ref.Size-i*frameSize)); err != nil {
			return sum, err
		}
		hash.Write(w.plain)
		flags := uint8(0)
		if i == n-1 {
			flags = flagLast
		}
		h := w.seal(seg, w.plain, uint32(i), flags)
		pos, _, err := w.j.addFrame(seg, &h, w.record)
		if err != nil {
			return sum, err
		}
		if i == 0 {
			ref.First, ref.Stored = pos.Offset, uint32(h.stored())
		}
		index = binary.BigEndian.AppendUint64(index, uint64(pos.Offset))
		index = binary.BigEndian.AppendUint32(index, uint32(h.stored()))
	}
	h := w.seal(seg, index, indexNumber, flagIndex)
	pos, _, err := w.j.addFrame(seg, &h, w.record)
	ref.Index = pos.Offset
	hash.Sum(sum[:0])
	return sum, err
}

// seal makes w.record: room for the header, then the frame.
func (w *framer) seal(seg *segment, plain []byte, number uint32, flags uint8) header {
	w.packed = grown(w.packed, len(plain)+len(plain)/6+64)
	data, codec := w.j.o.Codec.compress(w.packed, plain)
	w.record = grown(w.record, headerLen+frameStart+len(data)+sealOverhead+align)
	b := w.record[headerLen:headerLen]
	b = append(b, w.id[:]...)
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(plain)))
	var aad [frameAADLen]byte
	b = seg.aead.Seal(b, nil, data, frameAAD(aad[:], &w.id, number, flags, codec))
	w.record = w.record[:headerLen+len(b)]
	return header{Type: Body, Version: recordVersion, Codec: codec, Flags: flags,
		Len: uint32(len(b)), Sum: crc32.Checksum(b, castagnoli)}
}

func (j *Journal) active() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seg
}

// addFrame places a sealed frame, unless the segment that it was sealed for is over.
func (j *Journal) addFrame(seg *segment, h *header, record []byte) (pos Pos, placed bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.admit(int64(len(record)) + align); err != nil {
		return Pos{}, false, err
	}
	if j.seg != seg {
		return Pos{}, false, nil
	}
	pos = j.place(h)
	h.put(record)
	g := j.cur
	g.buf = append(g.buf, record...)
	g.pad()
	if len(g.buf) >= writeEarly {
		j.wake()
	}
	return pos, true, nil
}

// beginLarge keeps the segment from ending until endLarge, so that all frames of a
// body are in one. When the segment is full already it waits for the next.
func (j *Journal) beginLarge() (*segment, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		if err := j.admit(0); err != nil {
			return nil, err
		}
		if !j.rotate {
			j.large++
			return j.seg, nil
		}
		j.wake()
		j.room.Wait()
	}
}

func (j *Journal) endLarge() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.large--; j.large == 0 && j.rotate {
		j.wake()
	}
}
