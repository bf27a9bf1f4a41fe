package journal

import (
	"encoding/binary"
	"errors"
)

// A Pos names a record of its stream for as long as the record lives.
type Pos struct {
	Segment uint64
	Offset  int64
}

// PosLen is the length of a Pos as [AppendPos] writes it.
const PosLen = 16

var errPos = errors.New("journal: not a position")

// AppendPos adds p to b, in a form that sorts as records do.
func AppendPos(b []byte, p Pos) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Segment)
	return binary.BigEndian.AppendUint64(b, uint64(p.Offset))
}

// ParsePos reads a Pos that fills b.
func ParsePos(b []byte) (Pos, error) {
	if len(b) != PosLen || b[8]&0x80 != 0 {
		return Pos{}, errPos
	}
	return Pos{binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// A BodyRef is all that is needed to read a body. All its frames are in one segment.
type BodyRef struct {
	ID      ID
	Segment uint64
	First   int64  // offset of the first frame's record
	Size    int64  // of the body as it came
	Stored  uint32 // first frame's record, header included: read in one go
	Index   int64  // offset of the record that says where the frames are; 0 with one frame
}

// BodyRefLen is the length of a BodyRef as AppendBinary writes it.
const BodyRefLen = 1 + 16 + 8 + 8 + 8 + 4 + 8

var errBodyRef = errors.New("journal: not a body reference")

// AppendBinary adds the reference to b.
func (r BodyRef) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = append(b, r.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Segment)
	b = binary.BigEndian.AppendUint64(b, uint64(r.First))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Size))
	b = binary.BigEndian.AppendUint32(b, r.Stored)
	return binary.BigEndian.AppendUint64(b, uint64(r.Index)), nil
}

// ParseBodyRef reads a reference that fills b.
func ParseBodyRef(b []byte) (r BodyRef, err error) {
	if len(b) != BodyRefLen || b[0] != 1 {
		return r, errBodyRef
	}
	copy(r.ID[:], b[1:])
	r.Segment = binary.BigEndian.Uint64(b[17:])
	r.First = int64(binary.BigEndian.Uint64(b[25:]))
	r.Size = int64(binary.BigEndian.Uint64(b[33:]))
	r.Stored = binary.BigEndian.Uint32(b[41:])
	r.Index = int64(binary.BigEndian.Uint64(b[45:]))
	if !r.sane() {
		return BodyRef{}, errBodyRef
	}
	return r, nil
}

// sane keeps references from making a reader take much memory.
func (r *BodyRef) sane() bool {
	return r.First >= 0 && r.Index >= 0 && r.Size >= 0 && r.frames() <= maxFrames &&
		int64(r.Stored) <= maxFrameRecord && (r.Index > 0) == (r.frames() > 1)
}

func (r *BodyRef) frames() int64 { return max(1, (r.Size+frameSize-1)/frameSize) }
