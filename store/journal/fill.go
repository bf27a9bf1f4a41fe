package journal

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// fillChunk is written and synced at once: small enough not to starve a commit.
const fillChunk = 512 << 10

var zeros [fillChunk]byte

// A filler keeps zeros ahead of the write position, so that a commit changes no
// metadata of the file. It has a file handle of its own: Linux tells a failed
// write-back once to each handle, and the committer must not miss it.
type filler struct {
	filled   atomic.Int64 // the file has content up to here
	want     atomic.Int64 // and shall have up to here
	reserved atomic.Int64 // but not beyond this
	signal   chan struct{}

	mu     sync.Mutex // held while zeros are written: none go where records went
	seg    *segment   // nil: nothing is to be filled
	ahead  int64
	own    File // the filler goroutine's handle, for segment number
	number uint64
}

func (f *filler) init(seg *segment, ahead int64) {
	f.signal = make(chan struct{}, 1)
	f.ahead = ahead
	f.to(seg)
	f.wake()
}

// to has another segment filled from now on.
func (f *filler) to(seg *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seg = seg
	if seg != nil {
		f.filled.Store(recordsStart)
		f.want.Store(recordsStart + f.ahead)
		f.reserved.Store(0)
	}
}

// passing says that records are about to be written up to end.
func (f *filler) passing(end int64) {
	if end <= f.filled.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if end > f.filled.Load() {
		f.filled.Store(end)
	}
}

// advance says that the next record goes to pos.
func (f *filler) advance(pos int64) {
	f.want.Store(pos + f.ahead)
	if pos+f.ahead-f.filled.Load() >= fillChunk {
		f.wake()
	}
}

func (f *filler) wake() {
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

func (j *Journal) fillLoop() {
	defer j.done.Done()
	f := &j.fill
	defer func() {
		if f.own != nil {
			f.own.Close()
		}
	}()
	for {
		select {
		case <-f.signal:
		case <-j.failed:
			return
		case <-j.stop:
			return
		}
		for more := true; more; {
			var err error
			if more, err = j.fillSome(); err != nil {
				j.fail(fmt.Errorf("filling ahead: %w", err))
				return
			}
			select {
			case <-j.stop:
				return
			default:
			}
		}
	}
}

// fillSome writes a chunk of zeros, and syncs it, which is the pace.
func (j *Journal) fillSome() (more bool, err error) {
	f := &j.fill
	n, err := j.fillChunk()
	if n > 0 {
		if serr := f.own.Fdatasync(); serr != nil {
			return false, serr
		}
	}
	return n > 0, err
}

func (j *Journal) fillChunk() (int, error) {
	f := &j.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seg == nil {
		return 0, nil
	}
	if f.own == nil || f.number != f.seg.Number {
		if f.own != nil {
			f.own.Close()
			f.own = nil
		}
		own, err := j.o.FS.OpenFile(j.segs.path(f.seg.Number), os.O_RDWR, 0)
		if err != nil {
			return 0, err
		}
		f.own, f.number = own, f.seg.Number
	}
	at := f.filled.Load()
	n := min(fillChunk, min(f.want.Load(), f.reserved.Load(), j.o.SegmentSize+fillChunk)-at)
	if n <= 0 {
		return 0, nil
	}
	wrote, err := f.own.WriteAt(zeros[:n], at)
	f.filled.Store(at + int64(max(wrote, 0)))
	return wrote, err
}
