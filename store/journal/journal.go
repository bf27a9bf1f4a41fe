// Package journal keeps accepted messages in append-only segment files.
//
// A record is typed and numbered: ACCEPT, APPEND, DONE, TRANSFER carry numbered
// fields, BODY carries the bytes of a message in frames of at most 256 KiB, each
// compressed, then sealed. [Journal.Append] returns when its record and all before
// it survive power loss; whoever arrives during a sync joins the next one.
// Sequence numbers only grow; a [Pos] and a [BodyRef] name what they name for as
// long as its segment lives, and are never given again.
//
// After any failed write or sync the journal acknowledges nothing more, retries
// nothing, and every call returns [ErrFailed]: truth is read again by the next
// [Open], by checksum. Each record says up to where the journal was durable when
// it was written, which tells damage (reported, skipped, never cut) from a torn
// tail (ignored: it was never acknowledged).
//
// Sizes and offsets are octets. A Journal may be used by many goroutines. It knows
// neither recipients nor mailboxes: package bolt files what stands here.
package journal

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// What the journal says when it refuses.
var (
	ErrFailed  = errors.New("journal: a write failed, nothing more is acknowledged until it is opened again")
	ErrClosed  = errors.New("journal: closed")
	ErrFull    = errors.New("journal: no space left on the disk") // temporary: nothing was written
	ErrDamaged = errors.New("journal: damaged")
	ErrTooBig  = errors.New("journal: record is too big")
	ErrMissing = errors.New("journal: no such record or body") // its segment may have been removed
)

// Keys derives the key of a segment from its salt: an AEAD that makes its own
// random nonces, such as [cipher.NewGCMWithRandomNonce]. Called once per segment.
type Keys interface {
	Segment(salt []byte) (cipher.AEAD, error)
}

// Options say where a journal is and how it writes. Dir and Keys are needed, the
// rest has defaults.
type Options struct {
	Dir    string
	Stream uint8 // several journals may share Dir
	Keys   Keys
	FS     FS // nil: the operating system's

	SegmentSize int64         // a segment ends soon after this many octets; 256 MiB
	Fill        int64         // zeros kept ahead of the write position; 16 MiB
	LazySync    time.Duration // longest wait of [Journal.AppendLazy] for its sync; 50 ms
	Codec       Codec         // of frames that it makes smaller; S2

	OnAlarm func(error)  // damage was found; must not call the journal
	Log     *slog.Logger // nil: nothing is logged
}

func (o *Options) defaults() error {
	if o.Dir == "" || o.Keys == nil {
		return errors.New("journal: Dir and Keys are needed")
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = 256 << 20
	}
	if o.Fill <= 0 {
		o.Fill = 16 << 20
	}
	if o.LazySync <= 0 {
		o.LazySync = 50 * time.Millisecond
	}
	if o.Codec == 0 {
		o.Codec = S2
	}
	if !o.Codec.known() {
		return fmt.Errorf("journal: unknown codec %d", o.Codec)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Journal is one stream of records. See the package's promises.
type Journal struct {
	o     Options
	epoch uint64

	mu       sync.Mutex
	room     sync.Cond // a group was taken, a rotation ended, or all is over
	seg      *segment  // being written; its number only grows
	number   uint64    // of the last segment made
	pos      int64     // where the next record goes, in seg
	limit    int64     // a record that ends beyond it is the last of seg
	seq      uint64    // last sequence given
	durable  uint64    // last sequence that survives power loss
	cur      *group    // what gathers for the next write
	spare    []byte    // a buffer to use again
	large    int       // bodies of several frames under way: they end in their segment
	rotate   bool      // seg is full
	rotating bool      // the committer is making a new segment
	reserved int64     // seg has disk space up to here
	closing  bool
	hooks    []func([]Record)
	err      error
	failed   chan struct{}

	kick chan struct{} // to the committer: there is work
	fill filler
	done sync.WaitGroup // committer and filler
	stop chan struct{}

	segs segments
}

// Open takes up the journal in o.Dir, or begins one. It reads the end of what the
// last run wrote, and begins a new segment and a new epoch.
func Open(o Options) (*Journal, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	j := &Journal{
		o:      o,
		failed: make(chan struct{}),
		kick:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
	}
	j.room.L = &j.mu
	j.segs.init(o)
	end, err := j.recover()
	if err != nil {
		j.segs.close()
		return nil, err
	}
	j.epoch = end.epoch + 1
	j.seq = end.maxSeq
	j.durable = end.last
	seg, err := j.segs.create(segmentHeader{
		Stream: o.Stream, Epoch: j.epoch, Number: end.number + 1, First: end.maxSeq + 1, Durable: end.last,
	})
	if err != nil {
		j.segs.close()
		return nil, err
	}
	j.seg, j.pos, j.number, j.limit = seg, recordsStart, seg.Number, o.SegmentSize
	j.cur = newGroup(j.pos, nil)
	j.fill.init(seg, o.Fill)
	j.done.Add(2)
	go j.commitLoop()
	go j.fillLoop()
	o.Log.Info("journal opened", "stream", o.Stream, "epoch", j.epoch, "segment", seg.Number, "last_seq", end.last)
	return j, nil
}

// Epoch is how often the journal was opened, at least: it grows with each Open.
func (j *Journal) Epoch() uint64 { return j.epoch }

// LastSeq is the last sequence that survives power loss. BODY frames count too, so
// sequences of the other records have gaps.
func (j *Journal) LastSeq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// Failed is closed after a failed write or sync; [Journal.Err] says which.
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err is nil until the journal has failed or was closed.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil && j.closing {
		return ErrClosed
	}
	return j.err
}

// OnDurable has f called with each group of records (BODY excluded) as soon as it is
// durable, in order of sequence, before those who wait for them are released. f runs
// on the committer: while it runs nothing is written. It must not call Append.
func (j *Journal) OnDurable(f func([]Record)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hooks = append(j.hooks, f)
}

// fail ends the journal's life: the first cause stays.
func (j *Journal) fail(cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = fmt.Errorf("%w: %w", ErrFailed, cause)
		close(j.failed)
		j.o.Log.Error("journal failed", "stream", j.o.Stream, "err", cause)
	}
	j.cur.finish(j.err)
	j.room.Broadcast()
	return j.err
}

func (j *Journal) alarm(err error) {
	j.o.Log.Error("journal damaged", "stream", j.o.Stream, "err", err)
	if j.o.OnAlarm != nil {
		j.o.OnAlarm(err)
	}
}

// Close writes and syncs what waits, and closes the files. What comes later gets
// [ErrClosed].
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		j.done.Wait()
		return nil
	}
	j.closing = true
	j.room.Broadcast()
	j.mu.Unlock()
	close(j.stop)
	j.done.Wait()
	j.mu.Lock()
	err := j.err
	j.mu.Unlock()
	return errors.Join(err, j.segs.close())
}

// Append writes a record and returns when it and every record before it survive
// power loss. A ctx that ends before the record has its place refuses it; later the
// outcome is awaited, since half an answer would make the caller send it twice. The
// fields must not be changed any more. [ErrFull] is temporary.
func (j *Journal) Append(ctx context.Context, t Type, fields []Field) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	rec, g, err := j.add(t, fields, waits)
	if err != nil {
		return Record{}, err
	}
	<-g.done
	return rec, g.err
}

// AppendLazy writes a record that becomes durable with the next group, or after
// [Options.LazySync] at most, and does not wait for it.
func (j *Journal) AppendLazy(t Type, fields []Field) (Record, error) {
	rec, _, err := j.add(t, fields, lazily)
	return rec, err
}

// AppendWritten writes a record that becomes durable as that of AppendLazy does, and
// returns when the operating system has it: a killed process does not lose it.
func (j *Journal) AppendWritten(t Type, fields []Field) (Record, error) {
	rec, g, err := j.add(t, fields, pushed)
	if err != nil {
		return Record{}, err
	}
	<-g.written
	return rec, g.werr
}

// Commit writes a body, then the record that mk makes to name it, and returns when
// both survive power loss. When mk refuses, its error is returned, nothing is
// acknowledged, and the body is garbage that nothing names.
func (j *Journal) Commit(ctx context.Context, id ID, r io.ReaderAt, size int64, t Type,
	mk func(ref BodyRef, sum [32]byte) ([]Field, error)) (Record, error) {
	ref, sum, err := j.WriteBody(ctx, id, r, size)
	if err != nil {
		return Record{}, err
	}
	fields, err := mk(ref, sum)
	if err != nil {
		return Record{}, err
	}
	return j.Append(ctx, t, fields)
}
