// Package inspect takes messages apart and finds the marks in them: text and HTML in this
// process, documents of binary and container formats in worker processes, which have no
// network and no files, and whose end is a finding and no end of the suite. What was found
// is kept for a while in memory, by content, so that a circular is read once.
package inspect

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sampul/internal/message"
	"sampul/policy/extract"
	"sampul/policy/mark"
)

// A Report is what was found in one message or document. It holds no text of it, and is
// plain data. Nobody changes one that was given out.
type Report struct {
	Found mark.Found
	Gaps  []extract.Gap
	Files []extract.File
	Notes []string
	Used  extract.Used
}

// Options of an inspector. The zero value reads everything in this process.
type Options struct {
	Budget    extract.Budget
	Marks     *mark.Settings // nil: what is built in
	Recognise extract.Recogniser

	Workers  int           // documents that are read at once, each in a process; 0: in this process
	Command  []string      // that runs Serve; this program with the argument "worker"
	CacheDir string        // where workers find code that was compiled before; "" for none
	Memory   int64         // octets that a worker may hold; 256 MiB
	InFlight int64         // octets of messages with documents that are at work at once; 256 MiB
	Wall     time.Duration // for one message, from when its turn comes; 90 s
	Cached   int64         // octets of reports that are kept; 32 MiB, negative for none
	Log      *slog.Logger
}

// An Inspector may be used by many goroutines.
type Inspector struct {
	o     Options
	marks atomic.Pointer[mark.Settings]
	pool  *pool               // nil: documents are read in this process
	room  *semaphore.Weighted // octets, or without workers: messages
	cache *cache
}

// New makes an inspector.
func New(o Options) *Inspector {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Memory, 256<<20)
	def(&o.InFlight, 256<<20)
	def((*int64)(&o.Wall), int64(90*time.Second))
	if o.Cached == 0 {
		o.Cached = 32 << 20
	}
	o.Budget = o.Budget.Filled()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Command == nil {
		o.Command = []string{self(), "worker"}
	}
	if o.Budget.Worth == nil {
		o.Budget.Worth = mark.Maybe
	}
	o.Budget.Recognise = o.Recognise
	i := &Inspector{o: o, cache: newCache(o.Cached)}
	i.marks.Store(o.Marks)
	if o.Workers > 0 {
		i.pool = newPool(&o)
		i.room = semaphore.NewWeighted(o.InFlight)
	} else {
		i.room = semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0))))
	}
	return i
}

// self is this program, even if its file was replaced meanwhile.
func self() string {
	const exe = "/proc/self/exe"
	if _, err := os.Stat(exe); err == nil {
		return exe
	}
	if path, err := os.Executable(); err == nil {
		return path
	}
	return exe
}

// SetMarks has other settings count from the next message on. Their version must be another,
// too. Nobody changes settings that are in use.
func (i *Inspector) SetMarks(s *mark.Settings) { i.marks.Store(s) }

// Warm starts a worker, so that the first document need not wait for one.
func (i *Inspector) Warm(ctx context.Context) error {
	if i.pool == nil {
		return nil
	}
	return i.pool.warm(ctx)
}

// Message looks through a message; sum is the SHA-256 of body, or zero when nothing is to be
// kept of it. Its error is a fault: of reading body, of the workers, or the end of ctx. What
// is wrong with the message itself stands in the report.
func (i *Inspector) Message(ctx context.Context, x *message.Index, body io.ReaderAt, sum [32]byte) (*Report, error) {
	s := i.marks.Load()
	if isPlain(x) { // never waits for documents
		rep, _, err := i.inspect(ctx, x, body, s)
		return rep, err
	}
	if sum == ([32]byte{}) {
		rep, _, err := i.inTurn(ctx, x, body, s)
		return rep, err
	}
	return i.cache.message(ctx, messageKey(sum, s), func() (*Report, bool, error) { return i.inTurn(ctx, x, body, s) })
}

// inTurn looks through a message when there is room for what it carries.
func (i *Inspector) inTurn(ctx context.Context, x *message.Index, body io.ReaderAt, s *mark.Settings) (*Report, bool, error) {
	weight := int64(1)
	if i.pool != nil {
		weight = min(max(x.Size, 64<<10), i.o.InFlight)
	}
	if err := i.room.Acquire(ctx, weight); err != nil {
		return nil, false, calledOff{context.Cause(ctx)}
	}
	defer i.room.Release(weight)
	rep, keep, err := i.inspect(ctx, x, body, s)
	if err != nil && ctx.Err() != nil {
		err = calledOff{err}
	}
	return rep, keep, err
}

// inspect looks through a message. keep says that another time would show the same.
func (i *Inspector) inspect(ctx context.Context, x *message.Index, body io.ReaderAt, s *mark.Settings) (rep *Report, keep bool, err error) {
	var apart Report
	keep = true
	b := i.o.Budget
	if i.pool != nil {
		var end time.Time
		b.Apart = func(d extract.Document) (extract.Used, error) {
			if end.IsZero() {
				end = time.Now().Add(i.o.Wall)
			}
			ctx, cancel := context.WithDeadlineCause(ctx, end, fmt.Errorf("it took longer than %s to look through the message", i.o.Wall))
			defer cancel()
			rep, lost, err := i.document(ctx, d, s)
			if err != nil {
				return d.Used, err
			}
			keep = keep && !lost
			apart.add(rep)
			return rep.Used, nil
		}
	}
	res, err := extract.Message(ctx, x, body, b)
	if err != nil {
		return nil, false, err
	}
	rep = report(res, s)
	rep.add(&apart)
	return rep, keep, nil
}

// isPlain says whether a message is text alone: it is judged at once, while documents wait
// for their turn.
func isPlain(x *message.Index) bool {
	for i := range x.Parts {
		p := &x.Parts[i]
		if p.Type != "text" && p.Type != "multipart" || p.Disposition == "attachment" {
			return false
		}
	}
	return x.Size < 1<<20
}

func report(res *extract.Result, s *mark.Settings) *Report {
	return &Report{Found: mark.Find(res.Parts, s), Gaps: res.Gaps, Files: res.Files, Notes: res.Notes, Used: res.Used}
}

// Stats are numbers of now, and since the start.
type Stats struct {
	Reading, Idle int    // workers
	Lost          uint64 // that ended while they read
	Known, New    uint64 // messages and documents that were asked for
	Kept          int64  // octets of reports
}

// Stats says how the inspector does.
func (i *Inspector) Stats() Stats {
	var s Stats
	i.cache.mu.Lock()
	s.Known, s.New, s.Kept = i.cache.hits, i.cache.misses, i.cache.size
	i.cache.mu.Unlock()
	if i.pool != nil {
		i.pool.mu.Lock()
		s.Reading, s.Idle, s.Lost = len(i.pool.busy), len(i.pool.idle), i.pool.lost
		i.pool.mu.Unlock()
	}
	return s
}

// Close ends the workers.
func (i *Inspector) Close() error {
	if i.pool != nil {
		i.pool.close()
	}
	return nil
}
