// Package trace keeps what became of each message: a file a day of sealed, compressed
// blocks of events.
//
// A block holds what was noted within a second, or 256 KiB of it. Before it stands a
// filter (Bloom) of keyed hashes of its queue IDs, Message-IDs and addresses: a search
// opens only blocks that may have what it looks for, and the file tells nothing to those
// without the key. [Log.Note] never waits for the disk: when events come faster than they
// can be written they are dropped, and counted. A killed process loses the last second, a
// power failure a few more; a torn block is passed over. Files older than the set number
// of days are removed. Sizes are octets, days are those of UTC.
package trace

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sampul/internal/seal"
	"sampul/store"
)

// Options say where the trace is kept, and for how long. Dir and Key are needed.
type Options struct {
	Dir   string
	Key   *seal.DataKey
	Days  int              // that are kept; 30
	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

const (
	waitingEvents = 16 << 10
	blockSize     = 256 << 10 // of encoded events
	blockAge      = time.Second
	syncAge       = 5 * time.Second
	maxEvent      = 64 << 10 // a longer one loses recipients, then text
)

// A Log is a [store.Trace]. It may be used by many goroutines.
type Log struct {
	o      Options
	tokens tokens
	items  chan item
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	dropped atomic.Uint64

	// Of the writing goroutine alone.
	file   *dayFile
	block  block
	synced time.Time
	told   uint64 // of dropped, in the log
}

var _ store.Trace = (*Log)(nil)

// An item is an event, or the wish that all before it be in the file.
type item struct {
	event   store.Event
	flushed chan struct{}
}

// Open takes up the trace in o.Dir, or begins one.
func Open(o Options) (*Log, error) {
	if o.Dir == "" || o.Key == nil {
		return nil, errors.New("trace: Dir and Key are needed")
	}
	if o.Days <= 0 {
		o.Days = 30
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	l := &Log{o: o, tokens: newTokens(o.Key), items: make(chan item, waitingEvents), stop: make(chan struct{}), done: make(chan struct{})}
	l.removeOld()
	go l.loop()
	return l, nil
}

// Note keeps an event. Its time, when it has none, is now.
func (l *Log) Note(e store.Event) {
	if e.Time.IsZero() {
		e.Time = l.o.Clock()
	}
	select {
	case <-l.stop:
		return
	default:
	}
	select {
	case l.items <- item{event: e}:
	default:
		l.dropped.Add(1)
	}
}

// TraceDropped is how many events were dropped, since the start, because the disk was slow.
func (l *Log) TraceDropped() uint64 { return l.dropped.Load() }

// flush returns when all that was noted before is in the file.
func (l *Log) flush(ctx context.Context) error {
	it := item{flushed: make(chan struct{})}
	select {
	case l.items <- it:
	case <-l.done:
		return store.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-it.flushed:
		return nil
	case <-l.done:
		return store.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close writes what waits. A second call does nothing.
func (l *Log) Close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.done
	return nil
}

func (l *Log) loop() {
	defer close(l.done)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case it := <-l.items:
			first := l.block.empty()
			l.take(it)
			if first && !l.block.empty() {
				timer.Reset(blockAge)
			}
		case <-timer.C:
			l.write()
		case <-l.stop:
			for len(l.items) > 0 {
				l.take(<-l.items)
			}
			l.write()
			if l.file != nil {
				l.file.close(true)
			}
			return
		}
	}
}

func (l *Log) take(it item) {
	if it.flushed != nil {
		l.write()
		close(it.flushed)
		return
	}
	l.block.add(&it.event)
	if len(l.block.events) >= blockSize {
		l.write()
	}
}

// write takes the block to the file of the day. A disk that fails costs events, and
// nothing else: the trace is not what mail waits for.
func (l *Log) write() {
	if l.block.empty() {
		return
	}
	n := l.block.count
	now := l.o.Clock()
	if lost := l.dropped.Load(); lost > l.told {
		l.o.Log.Warn("events of the trace were dropped", "events", lost-l.told)
		l.told = lost
	}
	err := l.day(now)
	if err == nil {
		err = l.file.append(l.block.seal(l.file, &l.tokens))
	}
	l.block.reset()
	if err != nil {
		l.dropped.Add(uint64(n))
		l.told += uint64(n)
		l.o.Log.Error("trace not written", "events", n, "err", err)
		if l.file != nil {
			l.file.close(false)
			l.file = nil // the next block tries a file anew
		}
		return
	}
	if now.Sub(l.synced) > syncAge {
		l.synced = now
		l.file.sync()
	}
}

// day makes the file that of today.
func (l *Log) day(now time.Time) error {
	name := fileName(now)
	if l.file != nil && l.file.name == name {
		return nil
	}
	if l.file != nil {
		l.file.close(true)
		l.file = nil
		l.removeOld()
	}
	f, err := openDay(l.o.Dir, name, l.o.Key)
	l.file = f
	return err
}

// removeOld removes the files of days that are over.
func (l *Log) removeOld() {
	oldest := fileName(l.o.Clock().AddDate(0, 0, -l.o.Days))
	names, err := dayNames(l.o.Dir)
	if err != nil {
		l.o.Log.Error("trace not tidied", "err", err)
		return
	}
	for _, name := range names {
		if name >= oldest {
			break
		}
		if err := removeFile(l.o.Dir, name); err != nil {
			l.o.Log.Error("trace not tidied", "file", name, "err", err)
		}
	}
}
