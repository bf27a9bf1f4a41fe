package bolt

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// A writer is the one goroutine that writes a bbolt file. Changes that arrive while
// a commit runs share the next one.
type writer struct {
	db    *bbolt.DB
	fatal func(error)
	begin func(*bbolt.Tx) *txn

	mu     sync.Mutex
	queue  []*change
	closed bool
	kick   chan struct{}
	done   chan struct{}
}

// A change is run inside a transaction, perhaps more than once: it sets its results
// anew each time.
type change struct {
	f    func(*txn) error
	err  error
	done chan struct{}
}

func newWriter(db *bbolt.DB, fatal func(error), begin func(*bbolt.Tx) *txn) *writer {
	w := &writer{db: db, fatal: fatal, begin: begin, kick: make(chan struct{}, 1), done: make(chan struct{})}
	go w.loop()
	return w
}

// update runs f in a transaction and returns when that is durable. When f returns an
// error nothing of it stays. A ctx that ends later than its call is not heeded:
// half an answer would make the caller do it twice.
func (w *writer) update(ctx context.Context, f func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{f: f, done: make(chan struct{})}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return store.ErrClosed
	}
	w.queue = append(w.queue, c)
	select {
	case w.kick <- struct{}{}:
	default:
	}
	w.mu.Unlock()
	<-c.done
	return c.err
}

// close lets what waits be written, and ends the goroutine.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.kick)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) take() []*change {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue
	w.queue = nil
	return q
}

func (w *writer) loop() {
	defer close(w.done)
	alive := true
	for open := true; open; {
		_, open = <-w.kick
		for q := w.take(); len(q) > 0; q = w.take() {
			if alive {
				alive = w.commit(q)
			} else {
				w.failed(q, store.ErrFailed)
			}
		}
	}
}

// commit writes q in one transaction. A change that fails after it has written takes
// the transaction with it: the others run again in a new one. False is the end of
// the engine: what the disk has is known only after a new start.
func (w *writer) commit(q []*change) bool {
	for len(q) > 0 {
		tx, err := w.db.Begin(true)
		if err != nil {
			return w.failed(q, err)
		}
		t := w.begin(tx)
		bad := t.runAll(q)
		switch {
		case bad >= 0:
			err = tx.Rollback()
		case t.writes == 0:
			err = tx.Rollback()
		default:
			err = w.seal(t)
		}
		if err != nil {
			return w.failed(q, err)
		}
		if bad < 0 {
			t.published()
			finish(q)
			return true
		}
		// Nobody else was told anything yet: the others begin anew.
		finish(q[bad : bad+1])
		q = slices.Delete(q, bad, bad+1)
	}
	return true
}

func (w *writer) failed(q []*change, err error) bool {
	w.fatal(err)
	for _, c := range q {
		c.err = store.ErrFailed
	}
	finish(q)
	return false
}

func finish(q []*change) {
	for _, c := range q {
		close(c.done)
	}
}

// runAll runs changes up to the first that failed after it had written.
func (t *txn) runAll(q []*change) (bad int) {
	for i, c := range q {
		before := t.writes
		if c.err = run(c.f, t); c.err != nil && t.writes != before {
			return i
		}
	}
	return -1
}

// seal writes what the changes gathered and commits.
func (w *writer) seal(t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("index: %v\n%s", p, debug.Stack())
		}
	}()
	if err := t.flush(); err != nil {
		return err
	}
	return t.tx.Commit()
}

// run calls f. A panic in it is an error like others, and counts as having written.
func run(f func(*txn) error, t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.writes++
			err = fmt.Errorf("index: %v\n%s", p, debug.Stack())
		}
	}()
	return f(t)
}
