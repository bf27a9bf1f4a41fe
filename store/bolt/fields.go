package bolt

import (
	"encoding/binary"
	"fmt"

	"sampul/store"
	"sampul/store/journal"
)

// Rows and records are a version and numbered fields, of which unknown ones are
// passed over: an older program reads what a newer one wrote. Numbers are never
// given a second meaning.

const rowVersion = 1

var errRow = fmt.Errorf("%w: a row of the index", store.ErrDamaged)

func putBytes(b []byte, num uint64, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, num)
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

func putString(b []byte, num uint64, s string) []byte {
	if s == "" {
		return b
	}
	b = binary.AppendUvarint(b, num)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// putInt writes a number; zero is what an absent field says.
func putInt(b []byte, num, v uint64) []byte {
	if v == 0 {
		return b
	}
	var tmp [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(tmp[:], v)
	b = binary.AppendUvarint(b, num)
	b = append(b, byte(n))
	return append(b, tmp[:n]...)
}

// A fieldReader walks numbered fields; the first damage ends the walk.
type fieldReader struct {
	rest []byte
	num  uint64
	data []byte
	err  error
}

// readRow begins at the version octet of a row.
func readRow(b []byte) fieldReader {
	if len(b) == 0 || b[0] != rowVersion {
		return fieldReader{err: errRow}
	}
	return fieldReader{rest: b[1:]}
}

func (r *fieldReader) next() bool {
	if r.err != nil || len(r.rest) == 0 {
		return false
	}
	num, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err = errRow
		return false
	}
	size, m := binary.Uvarint(r.rest[n:])
	if m <= 0 || size > uint64(len(r.rest)-n-m) {
		r.err = errRow
		return false
	}
	start := n + m
	end := start + int(size)
	r.num, r.data, r.rest = num, r.rest[start:end:end], r.rest[end:]
	return true
}

func (r *fieldReader) int() uint64 {
	v, n := binary.Uvarint(r.data)
	if n != len(r.data) {
		r.err = errRow
	}
	return v
}

func (r *fieldReader) id(dst *[16]byte) {
	if copy(dst[:], r.data) != 16 || len(r.data) != 16 {
		r.err = errRow
	}
}

func (r *fieldReader) ref() journal.BodyRef {
	ref, err := journal.ParseBodyRef(r.data)
	if err != nil {
		r.err = fmt.Errorf("%w: %w", errRow, err)
	}
	return ref
}

// fieldsOf is the same walk over a record of the journal.
func fieldsOf(r *journal.Record, f func(*fieldReader)) error {
	for i := range r.Fields {
		w := fieldReader{num: uint64(r.Fields[i].Num), data: r.Fields[i].Data}
		if f(&w); w.err != nil {
			return w.err
		}
	}
	return nil
}

func intField(num uint16, v uint64) journal.Field {
	return journal.Field{Num: num, Data: binary.AppendUvarint(nil, v)}
}
