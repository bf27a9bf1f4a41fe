package inspect

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

const (
	manyDocuments = 500 // after which a worker makes room for a new one
	readPerCore   = 2   // workers, of which one reads: the other writes its answer, or begins
	scansPerCore  = 6   // workers that wait for their pictures to be read
)

var errClosed = errors.New("the workers are stopping")

// A pool is the workers. At most n of them use a core at once; one that waits for its
// pictures to be read lets another go on, so that scans do not stand in the way of letters.
type pool struct {
	command   []string
	start     start
	n         int
	recognise extract.Recogniser
	log       *slog.Logger

	cores    *semaphore.Weighted // workers that read
	readers  *semaphore.Weighted // workers that read, or wait for a core
	pictures *semaphore.Weighted // workers whose pictures are read: they are no readers any more

	mu     sync.Mutex
	idle   []*process
	busy   map[*process]bool
	closed bool
	lost   uint64
	temp   string // directory of compiled code, for want of another

	first    *semaphore.Weighted // who starts the first worker
	compiled atomic.Bool         // one was started
	noCache  atomic.Bool         // the directory of compiled code is of no use
	open     sync.Once           // what the jail leaves open is said once
}

func newPool(o *Options) *pool {
	n := int64(o.Workers)
	return &pool{command: o.Command, start: start{Memory: o.Memory, Cache: o.CacheDir}, n: o.Workers,
		recognise: o.Recognise, log: o.Log, busy: map[*process]bool{}, first: semaphore.NewWeighted(1),
		cores: semaphore.NewWeighted(n), readers: semaphore.NewWeighted(readPerCore * n), pictures: semaphore.NewWeighted(scansPerCore * n)}
}

// read has a document read by a worker. A document on which two workers end has been read
// as far as it can be: the error is errLost then, or one of the limits. Any other error is
// a fault.
func (p *pool) read(ctx context.Context, d extract.Document, b extract.Budget, s *mark.Settings) (*Report, error) {
	t := &turn{pool: p}
	defer t.end()
	if err := p.readers.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	t.reader = true
	if err := p.cores.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	t.onCore = true
	for try := 1; ; try++ {
		w, err := p.get(ctx, try > 1)
		if err != nil {
			return nil, err
		}
		fresh := w.done == 0
		rep, used, err := t.read(ctx, w, d, b, s)
		p.put(w, err == nil)
		if err == nil {
			rep.Used.CPU = d.Used.CPU + used
			return rep, nil
		}
		if p.isClosed() { // its end says nothing about the document
			return nil, errClosed
		}
		lost := errors.Is(err, errLost) || errors.Is(err, errMemory) && !fresh
		if lost || errors.Is(err, errMemory) || errors.Is(err, errWork) {
			p.mu.Lock()
			p.lost++
			p.mu.Unlock()
			p.log.Warn("a worker ended while it read a document", "kind", d.Kind, "size", len(d.Data), "why", err, "try", try)
		}
		if !lost || try == 2 {
			return nil, err
		}
	}
}

// A turn is one document's time with the workers.
type turn struct {
	*pool
	onCore   bool
	reader   bool
	pictures bool
}

func (t *turn) end() {
	if t.onCore {
		t.cores.Release(1)
	}
	if t.reader {
		t.readers.Release(1)
	}
	if t.pictures {
		t.pool.pictures.Release(1)
	}
}

func (t *turn) read(ctx context.Context, w *process, d extract.Document, b extract.Budget, s *mark.Settings) (*Report, time.Duration, error) {
	data := d.Data
	d.Data = nil
	r := request{Document: d, Budget: b}
	if !w.knows || w.settings != s {
		r.Changed, r.Settings = true, s
	}
	var recognise extract.Recogniser
	if t.recognise != nil {
		recognise, r.Pictures = t.recogniseAside, true
	}
	rep, used, err := w.read(ctx, r, data, recognise)
	if err == nil {
		w.knows, w.settings = true, s
	}
	return rep, used, err
}

// recogniseAside has pictures read while another worker uses the core.
func (t *turn) recogniseAside(ctx context.Context, all []*image.Gray, how extract.Recognition) ([]extract.Recognised, error) {
	if !t.pictures {
		if !t.pool.pictures.TryAcquire(1) {
			return nil, errBusy
		}
		t.pictures, t.reader = true, false
		t.readers.Release(1)
	}
	t.cores.Release(1)
	t.onCore = false
	out, err := t.recognise(ctx, all, how)
	if again := t.cores.Acquire(ctx, 1); again != nil {
		return nil, context.Cause(ctx)
	}
	t.onCore = true
	return out, err
}

// get gives a worker that is ready; a fresh one if wanted.
func (p *pool) get(ctx context.Context, fresh bool) (*process, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if n := len(p.idle); n > 0 && !fresh {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.busy[w] = true
		p.mu.Unlock()
		return w, nil
	}
	p.mu.Unlock()
	w, err := p.startOne(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("a worker cannot be started: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		w.kill()
		w.wait()
		return nil, errClosed
	}
	p.busy[w] = true
	return w, nil
}

// startOne starts a worker. The first one compiles what the others then find, so that they
// wait for it.
func (p *pool) startOne(ctx context.Context) (w *process, err error) {
	if !p.compiled.Load() {
		if err := p.first.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer p.first.Release(1)
	}
	st := p.start
	if st.Cache == "" || p.noCache.Load() {
		if st.Cache, err = p.ownCache(); err != nil {
			return nil, err
		}
	}
	w, h, err := startProcess(ctx, p.command, st)
	if errors.Is(err, errUnready) && st.Cache == p.start.Cache {
		p.noCache.Store(true)
		p.log.Warn("compiled code is not kept from one start to the next", "dir", st.Cache, "err", err)
		if st.Cache, err = p.ownCache(); err != nil {
			return nil, err
		}
		w, h, err = startProcess(ctx, p.command, st)
	}
	if err != nil {
		return nil, err
	}
	p.compiled.Store(true)
	if h.Open != "" {
		p.open.Do(func() {
			p.log.Warn("documents are read with less of a jail than this system should give", "missing", h.Open)
		})
	}
	return w, nil
}

// ownCache is a directory of compiled code that goes with this pool.
func (p *pool) ownCache() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return "", errClosed
	}
	if p.temp == "" {
		dir, err := os.MkdirTemp("", "sampul-compiled-")
		if err != nil {
			return "", err
		}
		p.temp = dir
	}
	return p.temp, nil
}

// put takes a worker back. One that has read much, or grew, makes room for a new one.
func (p *pool) put(w *process, alive bool) {
	p.mu.Lock()
	delete(p.busy, w)
	keep := alive && !p.closed && w.done < manyDocuments && w.memory < p.start.Memory/2 && len(p.idle) < p.n
	if keep {
		p.idle = append(p.idle, w)
	}
	p.mu.Unlock()
	if !keep {
		w.kill()
		w.wait()
	}
}

// warm starts a worker before anybody waits for it.
func (p *pool) warm(ctx context.Context) error {
	w, err := p.get(ctx, false)
	if err != nil {
		return err
	}
	p.put(w, true)
	return nil
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close ends all workers; who waits for one hears of it.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for w := range p.busy {
		w.kill() // whoever uses it waits for its end
	}
	p.mu.Unlock()
	for _, w := range idle {
		w.kill()
		w.wait()
	}
	if p.temp != "" {
		os.RemoveAll(p.temp)
	}
}
