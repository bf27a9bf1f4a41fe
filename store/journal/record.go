package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ID names a body: random, never reused.
type ID = [16]byte

// Type says what a record is. Types that a reader does not know are kept and handed
// on, so that an older program does not lose what a newer one wrote.
type Type uint8

const (
	Body     Type = 1 // bytes of a message; files nothing
	Accept   Type = 2 // a transaction was accepted: what SMTP waits for
	Append   Type = 3 // messages put into mailboxes by their owner, all or nothing
	Done     Type = 4 // an outcome of the queue
	Transfer Type = 5 // a move between shards
	Verb     Type = 6 // what an administrator does to entries of the queue
	Keep     Type = 7 // a body that a row elsewhere names; files nothing

	mark Type = 255 // the journal's own: says only what is durable
)

func (t Type) String() string {
	switch t {
	case Body:
		return "BODY"
	case Accept:
		return "ACCEPT"
	case Append:
		return "APPEND"
	case Done:
		return "DONE"
	case Transfer:
		return "TRANSFER"
	case Verb:
		return "VERB"
	case Keep:
		return "KEEP"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// A Field is a numbered part of a record. Numbers may repeat; the order is kept.
type Field struct {
	Num  uint16
	Data []byte
}

// A Record as it stands in the journal.
type Record struct {
	Seq, Epoch uint64
	Type       Type
	Version    uint8
	Fields     []Field
	Pos        Pos
	Durable    uint64 // what was durable when the record was written
}

// Field is the data of the first field num, nil when there is none.
func (r *Record) Field(num uint16) []byte {
	for i := range r.Fields {
		if r.Fields[i].Num == num {
			return r.Fields[i].Data
		}
	}
	return nil
}

const (
	recordVersion = 1
	headerLen     = 48
	align         = 8        // records begin at multiples of this: a scan after damage finds them
	maxPayload    = 32 << 20 // bounds what a reader takes into memory
	recordMagic   = 0x534a5231
	sealOverhead  = 28 // 12 of nonce, 16 of tag
)

// flags of a BODY record.
const (
	flagLast  = 1 << iota // last frame of its body
	flagIndex             // not a frame: where the frames of a body are
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A header stands before each record, big-endian:
//
//	 0 magic   4 key ID   8 type   9 version   10 codec   11 flags   12 length of payload
//	16 sequence   24 epoch   32 durable   40 CRC32C of payload   44 CRC32C of 0 to 43
//
// The key ID comes from the segment's random salt, which no sender of mail can know.
type header struct {
	KeyID   uint32
	Type    Type
	Version uint8
	Codec   Codec
	Flags   uint8
	Len     uint32
	Seq     uint64
	Epoch   uint64
	Durable uint64
	Sum     uint32
}

// stored is how many octets the record takes with its header and padding.
func (h *header) stored() int64 { return padded(headerLen + int64(h.Len)) }

func padded(n int64) int64 { return (n + align - 1) &^ (align - 1) }

func (h *header) put(b []byte) {
	_ = b[headerLen-1]
	binary.BigEndian.PutUint32(b[0:], recordMagic)
	binary.BigEndian.PutUint32(b[4:], h.KeyID)
	b[8], b[9], b[10], b[11] = byte(h.Type), h.Version, byte(h.Codec), h.Flags
	binary.BigEndian.PutUint32(b[12:], h.Len)
	binary.BigEndian.PutUint64(b[16:], h.Seq)
	binary.BigEndian.PutUint64(b[24:], h.Epoch)
	binary.BigEndian.PutUint64(b[32:], h.Durable)
	binary.BigEndian.PutUint32(b[40:], h.Sum)
	binary.BigEndian.PutUint32(b[44:], crc32.Checksum(b[:44], castagnoli))
}

var errHeader = errors.New("journal: not a record header")

// parseHeader reads a header; what it accepts has the right checksum and a length
// that may be read.
func parseHeader(b []byte) (h header, err error) {
	if len(b) < headerLen || binary.BigEndian.Uint32(b) != recordMagic ||
		crc32.Checksum(b[:44], castagnoli) != binary.BigEndian.Uint32(b[44:]) {
		return h, errHeader
	}
	h = header{
		KeyID: binary.BigEndian.Uint32(b[4:]),
		Type:  Type(b[8]), Version: b[9], Codec: Codec(b[10]), Flags: b[11],
		Len:     binary.BigEndian.Uint32(b[12:]),
		Seq:     binary.BigEndian.Uint64(b[16:]),
		Epoch:   binary.BigEndian.Uint64(b[24:]),
		Durable: binary.BigEndian.Uint64(b[32:]),
		Sum:     binary.BigEndian.Uint32(b[40:]),
	}
	if h.Len > maxPayload {
		return h, errHeader
	}
	return h, nil
}

// recordAAD binds a sealed record to its place: one can't be put for another.
func recordAAD(b []byte, t Type, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b[:0], byte(t)), seq)
}

func fieldsLen(fields []Field) (n int) {
	for i := range fields {
		n += 2*binary.MaxVarintLen32 + len(fields[i].Data)
	}
	return n
}

func appendFields(b []byte, fields []Field) []byte {
	for i := range fields {
		b = binary.AppendUvarint(b, uint64(fields[i].Num))
		b = binary.AppendUvarint(b, uint64(len(fields[i].Data)))
		b = append(b, fields[i].Data...)
	}
	return b
}

var errFields = fmt.Errorf("%w: fields of a record", ErrDamaged)

// parseFields reads what appendFields wrote. The data is part of b.
func parseFields(b []byte) ([]Field, error) {
	n := 0
	for rest := b; len(rest) > 0; n++ {
		var err error
		if _, rest, err = nextField(rest); err != nil {
			return nil, err
		}
	}
	fields := make([]Field, 0, n)
	for len(b) > 0 {
		f, rest, _ := nextField(b)
		fields = append(fields, f)
		b = rest
	}
	return fields, nil
}

func nextField(b []byte) (f Field, rest []byte, err error) {
	num, n := binary.Uvarint(b)
	if n <= 0 || num > 1<<16-1 {
		return f, nil, errFields
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return f, nil, errFields
	}
	b = b[n:]
	return Field{Num: uint16(num), Data: b[:size:size]}, b[size:], nil
}
