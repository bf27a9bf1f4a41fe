// Package bolt is the embedded engine: accepted messages stand in journals, and
// bbolt files index them (design section 4).
//
// Layout of the data directory: FORMAT (version and suite ID), KEY (the data key,
// wrapped), LOCK, directory.db, queue.db, mail-00.db and so on, journal/people,
// journal/bulk, trace. One process uses it at a time.
//
// What is answered OK is durable. Filing happens after acceptance, exactly once: a
// file moves its watermark in the transaction that files. Readers never wait for
// writers. After any failed commit or sync every call returns [store.ErrFailed], and
// the process must end.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/seal"
	"sampul/store"
	"sampul/store/journal"
	"sampul/store/trace"
)

// Options say where the store is. Dir and one of Key and KeyFile are needed.
type Options struct {
	Dir     string
	Key     *seal.DataKey    // nil: KeyFile opens the wrapped key in Dir
	KeyFile string           // outside Dir; see package seal
	Clock   func() time.Time // nil: time.Now
	Plain   bool             // nothing is sealed or compressed: a demonstration that can be searched
	Shards  int              // of a new store; 4
	Log     *slog.Logger     // nil: nothing is logged
	Reserve int64            // octets of the disk kept free; 0: 1 GiB or 2 %, the smaller

	TraceDays int // that package trace keeps; 0: 30

	GovDomains []string // government outside the directory, "*.gov.my" for all below it; nil is that

	JournalFS journal.FS // nil: the operating system's; tests let it fail
}

type traceLog = trace.Log

// An Engine is a [store.Store].
type Engine struct {
	*directory
	*traceLog
	o     Options
	log   *slog.Logger
	clock func() time.Time
	lock  *os.File
	suite string

	shards  []*shard
	queue   *queueFile
	streams [lanes]*stream
	all     []*applier // shards in order, then the queue
	lag     lag
	counts  appCounts
	runs    runs
	reserve reserve
	waiters waiters
	queued  queued
	holds   holds

	closing atomic.Bool
	once    sync.Once
	failed  chan struct{}
	closed  chan struct{}
	cause   error
}

var _ store.Store = (*Engine)(nil)

// Open takes up the store in o.Dir, or makes one where the directory is empty. What
// was accepted and not filed is filed now. [store.ErrLocked] when another process
// has it, [store.ErrFormat] when it is of another version.
func Open(ctx context.Context, o Options) (e *Engine, err error) {
	if o.Shards <= 0 {
		o.Shards = 4
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e = &Engine{o: o, log: o.Log, clock: o.Clock, failed: make(chan struct{}), closed: make(chan struct{})}
	e.reserve.dir, e.reserve.least = o.Dir, o.Reserve
	e.lag.eased = make(chan struct{})
	e.waiters.init()
	e.queued.init()
	e.holds.init()
	defer func() {
		if err != nil {
			e.closeFiles()
			e = nil
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return e, err
	}
	if err := e.acquire(); err != nil {
		return e, err
	}
	if err := e.openFormat(); err != nil {
		return e, err
	}
	if err := e.openKey(); err != nil {
		return e, err
	}
	if err := e.openFiles(); err != nil {
		return e, err
	}
	return e, e.begin(ctx)
}

func (e *Engine) openFiles() error {
	key := e.o.Key
	var err error
	if e.directory, err = openDirectory(filepath.Join(e.o.Dir, "directory.db"), key, e.clock, e.o.Shards, e.o.GovDomains); err != nil {
		return err
	}
	e.directory.onAccount = e.makeAccounts
	e.directory.alive, e.directory.onFail = e.alive, e.fail
	for i := range e.o.Shards {
		label := fmt.Sprintf("mail-%02d", i)
		s := &shard{index: uint8(i), log: e.log, views: make(map[uint64]*view)}
		if err := s.file.open(filepath.Join(e.o.Dir, label+".db"), label, key, shardBuckets, e, s); err != nil {
			return err
		}
		e.shards = append(e.shards, s)
		e.addApplier(&s.file, func(t *txn, f *filing) error { return e.fileInto(s, t, f) })
	}
	q := &queueFile{}
	if err := q.file.open(filepath.Join(e.o.Dir, "queue.db"), "queue", key, queueBuckets, e, nil); err != nil {
		return err
	}
	e.queue = q
	if err := e.loadAppCounts(); err != nil {
		return err
	}
	if err := e.loadRuns(); err != nil {
		return err
	}
	if err := e.loadRunActs(); err != nil {
		return err
	}
	e.addApplier(&q.file, e.fileQueue)
	a := q.applier
	a.linger = linger
	a.idle = q.file.forgetPages
	a.over = func(*filing) {}
	a.rested = func() {
		e.lag.mu.Lock()
		defer e.lag.mu.Unlock()
		e.lag.ease()
	}
	e.traceLog, err = trace.Open(trace.Options{Dir: filepath.Join(e.o.Dir, "trace"), Key: key, Days: e.o.TraceDays, Clock: e.clock, Log: e.log})
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	for l, name := range []string{"people", "bulk"} {
		j, err := e.openJournal(store.Lane(l), name)
		if err != nil {
			return err
		}
		e.streams[l] = &stream{e: e, lane: store.Lane(l), j: j, kick: make(chan struct{}, 1), done: make(chan struct{})}
	}
	return nil
}

type journalKeys struct {
	key   *seal.DataKey
	label string
}

func (e *Engine) openJournal(l store.Lane, name string) (*journal.Journal, error) {
	dir := filepath.Join(e.o.Dir, "journal", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, d := range []string{filepath.Dir(dir), e.o.Dir} { // names of new directories survive power loss
		if err := syncDir(d); err != nil {
			return nil, err
		}
	}
	return journal.Open(journal.Options{
		Dir:    dir,
		Stream: uint8(l),
		Keys:   journalKeys{e.o.Key, "journal-" + name},
		FS:     e.o.JournalFS,
		Log:    e.log,
		Codec:  e.codec(),
	})
}

// codec is how bodies are compressed.
func (e *Engine) codec() journal.Codec {
	if e.o.Key.Hides() {
		return 0 // the journal's choice
	}
	return journal.None
}

func (e *Engine) addApplier(f *file, fn func(*txn, *filing) error) {
	f.applier = &applier{f: f, log: e.log, file: fn, over: e.filed,
		refuse: func(a *appended, why error) { e.waiters.answer(a.op, appendResult{err: why}) }}
	e.all = append(e.all, f.applier)
}

func (e *Engine) appliers() []*applier { return e.all }

// begin reads watermarks, starts the appliers, and hands them what they miss.
func (e *Engine) begin(ctx context.Context) error {
	for _, a := range e.all {
		err := a.f.db.View(func(tx *bbolt.Tx) (err error) {
			a.filed, err = readMarks(tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", a.f.label, err)
		}
		a.seen = a.filed
		for l, m := range a.filed {
			a.filed0[l] = m.seq
		}
	}
	if err := e.queued.load(&e.queue.file, runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	e.queue.forgetPages()
	for _, a := range e.all {
		a.start()
	}
	for _, s := range e.streams {
		if err := s.replay(ctx); err != nil {
			for _, a := range e.all {
				a.close()
			}
			return err
		}
	}
	for _, s := range e.streams {
		go s.loop()
		s.j.OnDurable(s.durable)
		go e.watch(s.j)
	}
	go e.sweep()
	return e.holdAllPaused(ctx)
}

// watch makes the journal's failure the engine's.
func (e *Engine) watch(j *journal.Journal) {
	select {
	case <-j.Failed():
		e.fail(j.Err())
	case <-e.failed:
	case <-e.closed:
	}
}

// fail ends the engine's life; the first cause stays.
func (e *Engine) fail(cause error) {
	e.once.Do(func() {
		e.cause = fmt.Errorf("%w: %w", store.ErrFailed, cause)
		if !e.closing.Load() {
			e.log.Error("store failed", "err", cause)
		}
		close(e.failed)
		e.waiters.fail(store.ErrFailed)
	})
}

// Failed is closed when the engine has failed for good.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

// Err says why.
func (e *Engine) Err() error {
	select {
	case <-e.failed:
		return e.cause
	default:
		return nil
	}
}

// alive is asked first by whatever reads or writes.
func (e *Engine) alive() error {
	if e.closing.Load() {
		return store.ErrClosed
	}
	select {
	case <-e.failed:
		return store.ErrFailed
	default:
		return nil
	}
}

// failure translates what the journal says.
func (e *Engine) failure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFailed):
		e.fail(err)
		return store.ErrFailed
	case errors.Is(err, journal.ErrClosed):
		return store.ErrClosed
	case errors.Is(err, journal.ErrFull):
		return store.ErrDiskReserve
	}
	return err
}

// Close files what waits and closes all files.
func (e *Engine) Close() error {
	if e.closing.Swap(true) {
		return nil
	}
	for _, s := range e.streams {
		s.j.Close() // what waits becomes durable, and is handed on
		s.end()
	}
	for _, a := range e.all {
		a.close()
	}
	close(e.closed)
	e.waiters.fail(store.ErrClosed)
	return e.closeFiles()
}

func (e *Engine) closeFiles() error {
	var errs []error
	for _, s := range e.streams {
		if s != nil {
			errs = append(errs, ignoreFailed(s.j.Close()))
		}
	}
	for _, s := range e.shards {
		errs = append(errs, s.file.close())
	}
	if e.queue != nil {
		errs = append(errs, e.queue.file.close())
	}
	if e.directory != nil {
		errs = append(errs, e.directory.close())
	}
	if e.traceLog != nil {
		errs = append(errs, e.traceLog.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Close())
	}
	return errors.Join(errs...)
}

// ignoreFailed passes over what was told already, by Failed and Err.
func ignoreFailed(err error) error {
	if errors.Is(err, journal.ErrFailed) || errors.Is(err, journal.ErrClosed) {
		return nil
	}
	return err
}
