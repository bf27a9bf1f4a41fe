// Package inspect takes messages apart and finds the marks in them: text and HTML in this
// process, documents of binary and container formats in worker processes, which have no
// network and no files, and whose end is a finding and no end of the suite. What was found
// is kept for a while in memory, by content, so that a circular is read once.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
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
	Log      *slog.Logger
}

// An Inspector may be used by many goroutines.
type Inspector struct {
	o    Options
	pool *pool               // nil: documents are read in this process
	room *semaphore.Weighted // octets, or without workers: messages
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
	def((*int64)(&o.Budget.CPU), int64(30*time.Second))
	def(&o.Budget.Whole, 128<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Command == nil {
		o.Command = []string{self(), "worker"}
	}
	if o.Budget.Worth == nil {
		o.Budget.Worth = worth(o.Marks)
	}
	o.Budget.Recognise = o.Recognise
	i := &Inspector{o: o}
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

// worth says which text can hold what is looked for.
func worth(_ *mark.Settings) func(text string, html bool) bool {
	return func(text string, html bool) bool {
		if html {
			return mark.MaybeHTML(text)
		}
		return mark.Maybe(text)
	}
}

// Warm starts a worker, so that the first document need not wait for one.
func (i *Inspector) Warm(ctx context.Context) error {
	if i.pool == nil {
		return nil
	}
	return i.pool.warm(ctx)
}

// Message looks through a message. Its error is a fault: of reading body, of the workers,
// or the end of ctx. What is wrong with the message itself stands in the report.
func (i *Inspector) Message(ctx context.Context, x *message.Index, body io.ReaderAt) (*Report, error) {
	if isPlain(x) { // never waits for documents
		return i.inspect(ctx, x, body)
	}
	weight := int64(1)
	if i.pool != nil {
		weight = min(max(x.Size, 64<<10), i.o.InFlight)
	}
	if err := i.room.Acquire(ctx, weight); err != nil {
		return nil, context.Cause(ctx)
	}
	defer i.room.Release(weight)
	return i.inspect(ctx, x, body)
}

func (i *Inspector) inspect(ctx context.Context, x *message.Index, body io.ReaderAt) (*Report, error) {
	var apart Report
	b := i.o.Budget
	if i.pool != nil {
		var end time.Time
		b.Apart = func(d extract.Document) (extract.Used, error) {
			if end.IsZero() {
				end = time.Now().Add(i.o.Wall)
			}
			ctx, cancel := context.WithDeadlineCause(ctx, end, fmt.Errorf("it took longer than %s to look through the message", i.o.Wall))
			defer cancel()
			rep, err := i.document(ctx, d)
			if err != nil {
				return d.Used, err
			}
			apart.add(rep)
			return rep.Used, nil
		}
	}
	res, err := extract.Message(ctx, x, body, b)
	if err != nil {
		return nil, err
	}
	rep := report(res, i.o.Marks)
	rep.add(&apart)
	return rep, nil
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

// document has a document read by a worker. Whatever it does to the worker is a finding.
func (i *Inspector) document(ctx context.Context, d extract.Document) (*Report, error) {
	if int64(len(d.Data)) > i.o.Budget.Whole {
		return unreadable(d, extract.TooMuch, "it is larger than what can be looked at"), nil
	}
	rep, err := i.pool.read(ctx, d, i.o.Budget, i.o.Marks)
	switch {
	case err == nil:
		return rep, nil
	case errors.Is(err, errWork):
		rep = unreadable(d, extract.TooMuch, "it takes more work than is allowed to read it")
		rep.Used.CPU = i.o.Budget.CPU
		return rep, nil
	case errors.Is(err, errMemory):
		return unreadable(d, extract.TooMuch, "it takes more memory than is allowed to read it"), nil
	case errors.Is(err, errLost):
		return unreadable(d, extract.Damaged, "the reader failed on it"), nil
	}
	return nil, err
}

// unreadable is the report on a document that was not read.
func unreadable(d extract.Document, why extract.Reason, text string) *Report {
	p := d.Path
	if p == "" {
		p = "body"
	}
	return &Report{
		Gaps: []extract.Gap{{Path: p, Kind: d.Kind, Reason: why, Why: text}},
		Files: []extract.File{{Path: d.Path, Name: d.Name, Kind: d.Kind, Declared: d.Declared, Size: int64(len(d.Data)),
			Depth: d.Depth - 1, Head: d.Data[:min(len(d.Data), extract.HeadSize)]}},
		Used: d.Used,
	}
}

func report(res *extract.Result, s *mark.Settings) *Report {
	return &Report{Found: mark.Find(res.Parts, s), Gaps: res.Gaps, Files: res.Files, Notes: res.Notes, Used: res.Used}
}

// add takes in what was found in a part.
func (r *Report) add(other *Report) {
	r.Found.Add(other.Found)
	r.Gaps = append(r.Gaps, other.Gaps...)
	r.Files = append(r.Files, other.Files...)
	r.Notes = append(r.Notes, other.Notes...)
}

// sound says whether a report of a worker can be one on what stands at path.
func (r *Report) sound(path string) bool {
	for i := range r.Found.Findings {
		f := &r.Found.Findings[i]
		if f.Class > mark.RahsiaBesar || !below(f.Path, path) {
			return false
		}
	}
	for _, g := range r.Gaps {
		if !below(g.Path, path) {
			return false
		}
	}
	for _, f := range r.Files {
		if !below(f.Path, path) || len(f.Head) > extract.HeadSize {
			return false
		}
	}
	return true
}

func below(path, top string) bool {
	return len(path) >= len(top) && path[:len(top)] == top
}

// Close ends the workers.
func (i *Inspector) Close() error {
	if i.pool != nil {
		i.pool.close()
	}
	return nil
}
