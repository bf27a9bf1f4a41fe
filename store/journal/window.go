package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

const windowSize = 1 << 20

// A window shows a file piece by piece, from its start to its end.
type window struct {
	f   io.ReaderAt
	buf []byte
	at  int64 // of buf in the file
}

// peek shows n octets at off, fewer at the end of the file. They stay until the next call.
func (w *window) peek(off int64, n int) ([]byte, error) {
	if off < w.at || off+int64(n) > w.at+int64(len(w.buf)) {
		w.buf = grown(w.buf, max(n, windowSize))
		got, err := w.f.ReadAt(w.buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			w.buf = w.buf[:0]
			return nil, err
		}
		w.buf, w.at = w.buf[:got], off
	}
	b := w.buf[off-w.at:]
	return b[:min(n, len(b))], nil
}

// found is a whole record: its header is right, and its payload has the right checksum.
type found struct {
	header
	off     int64
	payload []byte // until the next record is read
}

// walk calls f with each whole record of a segment, in order, and passes over what is
// none: between two records, or after the last, there may be damage, a torn write, or
// zeros that were never written to.
func walk(seg *segment, f func(*found) error) error {
	w := window{f: seg.f}
	var rec found
	var last uint64
	for off := int64(recordsStart); ; {
		ok, err := w.record(seg, off, &rec)
		if err != nil {
			return err
		}
		if ok && rec.Seq > last {
			last = rec.Seq
			if err := f(&rec); err != nil {
				return err
			}
			off += rec.stored()
			continue
		}
		if off, err = w.search(seg, off+align); err != nil || off < 0 {
			return err
		}
	}
}

// record reads the record at off, if one is there.
func (w *window) record(seg *segment, off int64, rec *found) (bool, error) {
	b, err := w.peek(off, headerLen)
	if err != nil {
		return false, err
	}
	h, err := parseHeader(b)
	if err != nil || h.KeyID != seg.keyID || h.Epoch != seg.Epoch || h.Seq < seg.First {
		return false, nil
	}
	b, err = w.peek(off, headerLen+int(h.Len))
	if err != nil {
		return false, err
	}
	if len(b) < headerLen+int(h.Len) || crc32.Checksum(b[headerLen:], castagnoli) != h.Sum {
		return false, nil
	}
	rec.header, rec.off, rec.payload = h, off, b[headerLen:]
	return true, nil
}

// search is where the next header of the segment may begin, -1 for nowhere.
func (w *window) search(seg *segment, off int64) (int64, error) {
	var want [8]byte
	binary.BigEndian.PutUint32(want[0:], recordMagic)
	binary.BigEndian.PutUint32(want[4:], seg.keyID)
	for {
		b, err := w.peek(off, windowSize)
		if err != nil || len(b) < headerLen {
			return -1, err
		}
		for from := 0; ; {
			i := bytes.Index(b[from:], want[:])
			if i < 0 {
				break
			}
			if from += i; (off+int64(from))%align == 0 {
				return off + int64(from), nil
			}
			from++
		}
		off += int64(len(b)-headerLen+align) &^ (align - 1)
	}
}
