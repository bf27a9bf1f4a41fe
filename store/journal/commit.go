package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	writeEarly = 1 << 20 // a group this long is written though nobody waits for it
	maxGroup   = 8 << 20 // whoever comes to a longer one waits until it is taken
	keepBuffer = 2 << 20 // longer buffers are not kept for the next group
)

// A group is what one write takes to the disk, and one sync makes durable.
type group struct {
	at   int64 // where buf goes in the segment
	buf  []byte
	recs []Record // in order; without BODY
	last uint64   // highest sequence
	wait bool     // somebody waits for it
	lazy bool     // it is to be synced soon
	push bool     // it is to be written at once, synced or not
	over bool

	done    chan struct{} // closed when it is durable, or err is set
	written chan struct{} // closed when the operating system has it, or err is set
	told    bool          // written is closed
	err     error
	werr    error // of the write
}

// How eager an addition to the journal is.
type eagerness uint8

const (
	lazily eagerness = iota // with the next sync
	pushed                  // written at once, with the next sync
	waits                   // somebody waits for the sync
)

func newGroup(at int64, buf []byte) *group {
	return &group{at: at, buf: buf[:0], done: make(chan struct{}), written: make(chan struct{})}
}

// tell releases those who wait for the write alone. It is called as finish is.
func (g *group) tell(err error) {
	if !g.told {
		g.told, g.werr = true, err
		close(g.written)
	}
}

// finish releases those who wait. The journal's mutex is held, or the group is out
// of everyone else's reach.
func (g *group) finish(err error) {
	if !g.over {
		g.over, g.err = true, err
		close(g.done)
		g.tell(err)
	}
}

var plains = sync.Pool{New: func() any { return new([]byte) }}

// add seals a record into the current group and gives it its sequence and place.
func (j *Journal) add(t Type, fields []Field, how eagerness) (Record, *group, error) {
	if fieldsLen(fields) > maxPayload-sealOverhead {
		return Record{}, nil, ErrTooBig
	}
	plain := plains.Get().(*[]byte)
	defer plains.Put(plain)
	*plain = appendFields((*plain)[:0], fields)

	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.admit(int64(len(*plain)) + headerLen + sealOverhead + align); err != nil {
		return Record{}, nil, err
	}
	rec := j.put(t, *plain)
	rec.Fields = fields
	g := j.cur
	if t != mark {
		g.recs = append(g.recs, rec)
	}
	switch how {
	case waits:
		g.wait = true
	case pushed:
		g.lazy, g.push = true, true
	default:
		g.lazy = true
	}
	j.wake()
	return rec, g, nil
}

// put places a sealed record at the end of the current group.
func (j *Journal) put(t Type, plain []byte) Record {
	var aad [9]byte
	g := j.cur
	start := len(g.buf)
	g.buf = slices.Grow(g.buf, headerLen+len(plain)+sealOverhead+align)
	g.buf = j.seg.aead.Seal(g.buf[:start+headerLen], nil, plain, recordAAD(aad[:], t, j.seq+1))
	payload := g.buf[start+headerLen:]
	h := header{Type: t, Version: recordVersion, Len: uint32(len(payload)), Sum: crc32.Checksum(payload, castagnoli)}
	pos := j.place(&h)
	h.put(g.buf[start:])
	g.pad()
	return Record{Seq: h.Seq, Epoch: h.Epoch, Type: t, Version: h.Version, Pos: pos, Durable: h.Durable}
}

// place gives the next sequence and place to a record of h.Len octets.
func (j *Journal) place(h *header) Pos {
	pos := Pos{j.seg.Number, j.pos}
	j.seq++
	h.KeyID, h.Seq, h.Epoch, h.Durable = j.seg.keyID, j.seq, j.epoch, j.durable
	j.cur.last = j.seq
	j.pos += h.stored()
	if j.pos >= j.limit {
		j.rotate = true
	}
	return pos
}

func (g *group) pad() {
	var zero [align]byte
	g.buf = append(g.buf, zero[:padded(int64(len(g.buf)))-int64(len(g.buf))]...)
}

// admit waits until need octets have room, or says why they never will.
func (j *Journal) admit(need int64) error {
	for {
		switch {
		case j.err != nil:
			return j.err
		case j.closing:
			return ErrClosed
		case !j.rotating && len(j.cur.buf) < maxGroup:
			return j.reserve(need)
		}
		j.room.Wait()
	}
}

// reserve makes sure that the disk has space for what is about to be given a place: a
// write that meets the end of the disk could only be a failure.
func (j *Journal) reserve(need int64) error {
	if j.pos+need+j.o.Fill/2 <= j.reserved {
		return nil
	}
	var err error
	for _, n := range []int64{need + j.o.Fill, need} {
		if j.pos+n <= j.reserved {
			return nil
		}
		if err = j.seg.f.Reserve(j.pos, n); err == nil {
			j.reserved = j.pos + n
			j.fill.reserved.Store(j.reserved)
			return nil
		}
	}
	if noSpace(err) {
		return ErrFull
	}
	return fmt.Errorf("journal: reserving space: %w", err)
}

// wake tells the committer that there may be work. Called with the mutex held.
func (j *Journal) wake() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// A committer is the one goroutine that writes and syncs.
type committer struct {
	j       *Journal
	written uint64   // highest sequence given to the file
	recs    []Record // written, not yet durable
	lazy    bool     // some of them, or of the current group, are to be synced soon
}

func (j *Journal) commitLoop() {
	defer j.done.Done()
	c := committer{j: j}
	soon := time.NewTimer(time.Hour)
	soon.Stop()
	armed := false
	for {
		due := false
		select {
		case <-j.kick:
		case <-soon.C:
			due, armed = true, false
		case <-j.stop:
			c.end()
			return
		}
		for {
			worked, err := c.step(due)
			if err != nil {
				return
			}
			if !worked {
				break
			}
			due = false
		}
		if c.lazy && !armed {
			soon.Reset(j.o.LazySync)
			armed = true
		}
	}
}

// step takes the current group to the disk when there is a reason to. due says that
// lazy records have waited long enough.
func (c *committer) step(due bool) (worked bool, err error) {
	j := c.j
	j.mu.Lock()
	if j.err != nil {
		defer j.mu.Unlock()
		return false, j.err
	}
	g := j.cur
	c.lazy = c.lazy || g.lazy
	rotate := j.rotate && j.large == 0
	sync := g.wait || rotate || due && c.lazy
	if !sync && !g.push && len(g.buf) < writeEarly {
		j.mu.Unlock()
		return false, nil
	}
	j.rotating = rotate
	j.cur = newGroup(j.pos, j.spare)
	j.spare = nil
	seg := j.seg
	j.room.Broadcast()
	j.mu.Unlock()

	if err = c.write(seg, g); err == nil && g.push {
		g.tell(nil)
	}
	if err == nil && sync {
		err = c.sync(seg, g)
	}
	if err == nil && rotate {
		err = c.rotate(seg)
	}
	if err != nil {
		err = j.fail(err)
		g.finish(err)
		return false, err
	}
	if !g.wait {
		g.finish(nil)
	}
	return true, nil
}

func (c *committer) write(seg *segment, g *group) error {
	if len(g.buf) == 0 {
		return nil
	}
	c.j.fill.passing(g.at + int64(len(g.buf)))
	if _, err := seg.f.WriteAt(g.buf, g.at); err != nil {
		return err
	}
	c.written = g.last
	c.recs = append(c.recs, g.recs...)
	return nil
}

// sync makes durable all that was written, tells the hooks, then those who wait.
func (c *committer) sync(seg *segment, g *group) error {
	j := c.j
	if err := seg.f.Fdatasync(); err != nil {
		return err
	}
	recs := c.recs
	c.recs, c.lazy = nil, false
	j.mu.Lock()
	if j.err != nil { // the filler met an error meanwhile
		defer j.mu.Unlock()
		return j.err
	}
	j.durable = max(j.durable, c.written)
	hooks := j.hooks
	if cap(g.buf) <= keepBuffer {
		j.spare = g.buf
	}
	pos := j.pos
	j.mu.Unlock()
	if len(recs) > 0 {
		for _, f := range hooks {
			f(recs)
		}
	}
	g.finish(nil)
	j.fill.advance(pos)
	return nil
}

// rotate begins the next segment. All of seg is durable, nothing gathers, and nobody
// is let in meanwhile.
func (c *committer) rotate(seg *segment) error {
	j := c.j
	j.mu.Lock()
	end, first := j.pos, j.seq+1
	j.number++
	number := j.number
	j.mu.Unlock()
	next, err := j.segs.create(segmentHeader{
		Stream: j.o.Stream, Epoch: j.epoch, Number: number, First: first, Durable: first - 1,
	})
	full := errors.Is(err, ErrFull)
	if err != nil && !full {
		return err
	}
	j.mu.Lock()
	j.rotating, j.rotate = false, false
	if full { // go on in the space that seg has; try again later
		j.limit = end + j.o.SegmentSize/8
	} else {
		j.seg, j.pos, j.limit, j.reserved = next, recordsStart, j.o.SegmentSize, 0
		j.cur.at = j.pos
		j.fill.to(next)
	}
	j.room.Broadcast()
	j.mu.Unlock()
	if full {
		return nil
	}
	j.fill.wake()
	if err := seg.f.Truncate(end); err != nil { // zeros that were never written to
		return err
	}
	return seg.f.Fdatasync()
}

// end takes what is left to the disk, and says in a last record that it is durable:
// damage in the last group can then be told from a torn tail.
func (c *committer) end() {
	j := c.j
	for worked, err := true, error(nil); worked; {
		j.mu.Lock()
		j.cur.lazy = j.cur.lazy || len(j.cur.buf) > 0 || c.written > j.durable
		j.mu.Unlock()
		if worked, err = c.step(true); err != nil {
			return
		}
	}
	j.mu.Lock()
	j.put(mark, nil)
	g, seg, end := j.cur, j.seg, j.pos
	j.mu.Unlock()
	err := c.write(seg, g)
	if err == nil {
		j.fill.to(nil) // the filler writes no more
		err = seg.f.Truncate(end)
	}
	if err == nil {
		err = seg.f.Fdatasync()
	}
	if err != nil {
		j.fail(err)
	}
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
