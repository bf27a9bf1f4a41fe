package bolt

import (
	"context"
	"sync"
	"time"

	"sampul/store"
)

// Bounds of what may wait to be filed. Bulk is stopped first.
const (
	lagOctets     = 16 << 20
	lagTime       = 100 * time.Millisecond
	lagOctetsBulk = lagOctets / 4
	lagTimeBulk   = lagTime / 2
	lagPatience   = 2 * time.Second // intake waits so long, then it refuses
)

// lag counts what is durable and not filed yet. What waits for the queue's file alone does
// not count: it lingers on purpose, within bounds of its own.
type lag struct {
	mu      sync.Mutex
	records int
	octets  int64
	eased   chan struct{} // closed and made anew when something was filed
	waiters int
}

func (l *lag) add(records int, octets int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records += records
	l.octets += octets
	if records < 0 {
		l.ease()
	}
}

// ease lets those who wait look again. mu is held.
func (l *lag) ease() {
	if l.waiters > 0 {
		close(l.eased)
		l.eased, l.waiters = make(chan struct{}), 0
	}
}

func (l *lag) now() (records int, octets int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records, l.octets
}

// filed is called by each file that is through with a record.
func (e *Engine) filed(f *filing) {
	if f.left.Add(-1) == 0 {
		e.lag.add(-1, -f.octets)
	}
}

// Lag is how far filing is behind acceptance.
func (e *Engine) Lag() (records int, octets int64, oldest time.Duration) {
	records, octets = e.lag.now()
	if records == 0 {
		return 0, 0, 0
	}
	now := time.Now()
	for _, s := range e.shards {
		oldest = max(oldest, s.applier.waiting(now))
	}
	return records, octets, oldest
}

func (e *Engine) behind(lane store.Lane) bool {
	_, octets, oldest := e.Lag()
	octets = max(octets, e.queue.applier.behind())
	if lane == store.LaneBulk {
		return octets > lagOctetsBulk || oldest > lagTimeBulk
	}
	return octets > lagOctets || oldest > lagTime
}

// awaitRoom lets intake wait while filing is behind, so that it never outruns it.
func (e *Engine) awaitRoom(ctx context.Context, lane store.Lane) error {
	if !e.behind(lane) {
		return nil
	}
	patience := time.NewTimer(lagPatience)
	defer patience.Stop()
	for e.behind(lane) {
		e.lag.mu.Lock()
		e.lag.waiters++
		eased := e.lag.eased
		e.lag.mu.Unlock()
		if !e.behind(lane) {
			return nil
		}
		select {
		case <-eased:
		case <-patience.C:
			return store.ErrBusy
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-e.failed:
			return store.ErrFailed
		}
	}
	return nil
}

// Ready says whether intake should go on. It waits a moment while filing is behind.
func (e *Engine) Ready(lane store.Lane) error {
	if err := e.alive(); err != nil {
		return err
	}
	if err := e.reserve.check(); err != nil {
		return err
	}
	return e.awaitRoom(context.Background(), lane)
}
