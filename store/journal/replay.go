package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// An ending is what the last run left.
type ending struct {
	epoch  uint64 // of the last run
	number uint64 // of the last file, readable or not
	last   uint64 // sequence up to where records count
	maxSeq uint64 // highest that may have been given, in the torn tail too
}

// unreadableSeqs is more than one segment can hold: sequences of a file whose header
// is lost are passed over, never given again.
const unreadableSeqs = 1 << 24

// recover lists the segments and finds the end of the last one.
func (j *Journal) recover() (end ending, err error) {
	numbers, err := j.segs.numbers()
	if err != nil {
		return end, fmt.Errorf("journal: %w", err)
	}
	lost := false
	for i, n := range numbers {
		end.number = n
		if i >= len(numbers)-2 { // a rotation under way touches two
			if err := j.segs.settle(n); err != nil {
				return end, err
			}
		}
		seg, err := j.segs.get(n)
		switch {
		case err == nil:
			j.segs.list = append(j.segs.list, seg.segmentHeader)
			lost = false
		case !errors.Is(err, ErrDamaged):
			return end, err
		case !j.segs.empty(n):
			lost = true
			j.alarm(fmt.Errorf("segment %d cannot be read: %w", n, err))
		}
	}
	if len(j.segs.list) == 0 {
		if lost {
			end.maxSeq = unreadableSeqs
		}
		return end, nil
	}
	h := j.segs.list[len(j.segs.list)-1]
	seg, err := j.segs.get(h.Number)
	if err != nil {
		return end, err
	}
	end.epoch = h.Epoch
	end.last, end.maxSeq, err = endOf(seg)
	if lost {
		end.maxSeq += unreadableSeqs
	}
	return end, err
}

// settle makes sure that what is read of a file is what the disk has: what a killed
// process wrote is synced, what a failed sync left in memory is forgotten.
func (s *segments) settle(number uint64) error {
	f, err := s.o.FS.OpenFile(s.path(number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Fdatasync(); err != nil {
		return err
	}
	return f.Forget()
}

// empty is whether an unreadable file never got a record: its making was interrupted.
func (s *segments) empty(number uint64) bool {
	f, err := s.o.FS.OpenFile(s.path(number), os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [headerLen]byte
	_, err = f.ReadAt(b[:], recordsStart)
	return (err == nil || errors.Is(err, io.EOF)) && b == [headerLen]byte{}
}

// endOf tells damage from a torn tail: a hole that a later record calls durable is
// damage, and what follows counts; any other hole is where the tail begins.
func endOf(seg *segment) (last, maxSeq uint64, err error) {
	type run struct{ from, to uint64 }
	var runs []run
	durable := seg.Durable
	maxSeq = seg.First - 1
	err = walk(seg, func(rec *found) error {
		durable = max(durable, rec.Durable)
		if n := len(runs); n > 0 && runs[n-1].to+1 == rec.Seq {
			runs[n-1].to = rec.Seq
		} else {
			runs = append(runs, run{rec.Seq, rec.Seq})
		}
		maxSeq = rec.Seq
		return nil
	})
	last = seg.Durable
	next := seg.First
	for _, r := range runs {
		if r.from != next && durable < r.from-1 {
			return max(last, durable), maxSeq, err
		}
		last, next = r.to, r.to+1
	}
	return max(last, durable), maxSeq, err
}

// A Damage is a range of records that were durable and cannot be read any more. It
// is an [ErrDamaged].
type Damage struct {
	Stream   uint8
	From, To uint64 // sequences
}

func (d Damage) Error() string {
	return fmt.Sprintf("journal: damaged: records %d to %d of stream %d were durable and cannot be read", d.From, d.To, d.Stream)
}

// Is makes a Damage an [ErrDamaged].
func (d Damage) Is(err error) bool { return err == ErrDamaged }

// Replay calls f with each durable record after a sequence, BODY excluded, in order,
// up to what is durable when it is called. Damage is told to [Options.OnAlarm] and
// passed over. The record and its fields are f's to keep. An error of f ends it.
func (j *Journal) Replay(ctx context.Context, after uint64, f func(*Record) error) error {
	return j.read(ctx, after, j.alarm, func(seg *segment, rec *found) error {
		if rec.Type == Body || rec.Type == mark {
			return nil
		}
		r, err := rec.open(seg)
		if err != nil {
			j.alarm(err)
			return nil
		}
		return f(&r)
	})
}

// Verify reads all that is durable, opens every seal, and reports what is damaged.
// Its error is that of reading, or of ctx.
func (j *Journal) Verify(ctx context.Context, report func(error)) error {
	var buf frameBuffers
	return j.read(ctx, 0, report, func(seg *segment, rec *found) error {
		var err error
		if rec.Type == Body {
			_, err = openFrame(seg, &rec.header, rec.payload, &buf)
		} else {
			_, err = rec.open(seg)
		}
		if err != nil {
			report(fmt.Errorf("segment %d, octet %d: %w", seg.Number, rec.off, err))
		}
		return nil
	})
}

// open unseals a record that is no frame.
func (rec *found) open(seg *segment) (Record, error) {
	var aad [9]byte
	plain, err := seg.aead.Open(nil, nil, rec.payload, recordAAD(aad[:], rec.Type, rec.Seq))
	if err != nil {
		return Record{}, fmt.Errorf("seal of record %d: %w", rec.Seq, Damage{seg.Stream, rec.Seq, rec.Seq})
	}
	fields, err := parseFields(plain)
	if err != nil {
		return Record{}, fmt.Errorf("record %d: %w", rec.Seq, err)
	}
	return Record{
		Seq: rec.Seq, Epoch: rec.Epoch, Type: rec.Type, Version: rec.Version, Fields: fields,
		Pos: Pos{seg.Number, rec.off}, Durable: rec.Durable,
	}, nil
}

var errEnough = errors.New("all that is durable was read")

// read calls f with whole records after a sequence that count, and tells damage.
func (j *Journal) read(ctx context.Context, after uint64, damage func(error), f func(*segment, *found) error) error {
	durable := j.LastSeq()
	headers := j.segs.headers()
	next := after + 1 // what is to come
	for i, h := range headers {
		upto, limit := durable, durable
		if i+1 < len(headers) {
			upto = min(headers[i+1].Durable, durable)
			limit = min(headers[i+1].First-1, durable)
		}
		if limit < next {
			continue
		}
		seg, err := j.segs.get(h.Number)
		if err != nil {
			return err
		}
		if i == 0 { // what older segments held was removed on purpose
			next = max(next, h.First)
		}
		err = walk(seg, func(rec *found) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if rec.Seq > upto {
				return errEnough
			}
			if rec.Seq < next {
				return nil
			}
			if rec.Seq > next {
				damage(Damage{j.o.Stream, next, rec.Seq - 1})
			}
			next = rec.Seq + 1
			return f(seg, rec)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if next <= upto {
			damage(Damage{j.o.Stream, next, upto})
		}
		next = max(next, limit+1)
	}
	return nil
}
