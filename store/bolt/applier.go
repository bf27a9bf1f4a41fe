package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
	"sampul/store/journal"
)

const (
	lanes = 2

	pace      = 5 * time.Millisecond // between commits under load
	idleMark  = 10 * time.Second     // an idle file moves its watermark
	maxPeople = 1024                 // records in one commit
	maxBulk   = 64                   // few, so that people's mail overtakes

	linger       = 2 * time.Second // records of the queue wait so long: most are over by then
	lingerOctets = 16 << 20        // unless so much waits
)

// A filing is one durable record on its way into files.
type filing struct {
	lane   store.Lane
	seq    uint64
	epoch  uint64
	octets int64
	at     time.Time
	left   atomic.Int32 // files that have it to do yet

	rec    *journal.Record
	accept *accepted
	append *appended
	done   *outcomes
	verb   *verb
}

// A mark is how far a file has come in a stream.
type mark struct{ seq, epoch uint64 }

func markKey(l store.Lane) []byte { return []byte{'w', byte(l)} }

func (m mark) encode() []byte {
	return binary.BigEndian.AppendUint64(key8(m.seq), m.epoch)
}

func readMarks(tx *bbolt.Tx) (ms [lanes]mark, err error) {
	for l := range ms {
		b := tx.Bucket(bucketMeta).Get(markKey(store.Lane(l)))
		if b == nil {
			continue
		}
		if len(b) != 16 {
			return ms, fmt.Errorf("%w: watermark", errRow)
		}
		ms[l] = mark{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
	}
	return ms, nil
}

// An applier files durable records into one bbolt file, in order, and moves the
// file's watermark in the same transaction: that makes filing exactly once.
type applier struct {
	f      *file
	log    *slog.Logger
	file   func(*txn, *filing) error
	over   func(*filing)          // this file is through with it
	refuse func(*appended, error) // tells who waits for it
	linger time.Duration          // records wait so long before they are filed, for some of them become void
	rested func()                 // after each batch
	idle   func()                 // now and then

	mu     sync.Mutex
	queue  [lanes][]*filing
	seen   [lanes]mark // all up to here was handed over
	filed  [lanes]mark
	filed0 [lanes]uint64 // filed when the engine began
	oldest time.Time     // of what is being filed now
	urgent int           // records that somebody waits for
	octets int64         // of what waits
	marked [lanes]time.Time
	ending bool // nothing lingers any more

	kick chan struct{}
	stop chan struct{}
	done chan struct{}
}

func (a *applier) start() {
	a.kick, a.stop, a.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go a.loop()
}

// hand gives the applier a record, or only tells it that the stream has come so far.
func (a *applier) hand(lane store.Lane, m mark, f *filing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[lane] = m
	if f == nil {
		return
	}
	a.queue[lane] = append(a.queue[lane], f)
	a.octets += f.octets
	if f.append != nil {
		a.urgent++
	}
	if a.linger > 0 && a.urgent == 0 && a.octets <= lingerOctets {
		return // the clock will come to it
	}
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// take gives the next batch: people's mail first. The mark is where the file will be
// after it.
func (a *applier) take() (batch []*filing, lane store.Lane, m mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for lane = range store.Lane(lanes) {
		q := a.queue[lane]
		if len(q) == 0 {
			continue
		}
		n, rest := maxPeople, []*filing(nil)
		if lane == store.LaneBulk && a.linger == 0 {
			n = maxBulk
		}
		if n = min(n, a.ripe(q)); n == 0 {
			continue
		}
		m = a.seen[lane]
		if len(q) > n {
			q, rest = q[:n], q[n:]
			m = mark{q[n-1].seq, q[n-1].epoch}
		}
		a.queue[lane] = rest
		a.oldest = q[0].at
		for _, f := range q {
			a.octets -= f.octets
			if f.append != nil {
				a.urgent--
			}
		}
		return q, lane, m
	}
	a.oldest = time.Time{}
	return nil, 0, mark{}
}

// ripe is how many of q may be filed now. mu is held.
func (a *applier) ripe(q []*filing) int {
	if a.linger == 0 || a.ending || a.urgent > 0 || a.octets > lingerOctets {
		return len(q)
	}
	before := time.Now().Add(-a.linger)
	return sort.Search(len(q), func(i int) bool { return q[i].at.After(before) })
}

// behind is the octets that wait, as far as they are too many to linger.
func (a *applier) behind() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(0, a.octets-lingerOctets)
}

func (a *applier) loop() {
	defer close(a.done)
	idle := time.NewTicker(idleMark)
	defer idle.Stop()
	var ripe <-chan time.Time
	if a.linger > 0 {
		t := time.NewTicker(a.linger / 8)
		defer t.Stop()
		ripe = t.C
	}
	for {
		select {
		case <-a.stop:
			a.drain()
			a.advance()
			return
		case <-ripe:
			if a.drain() != nil {
				return
			}
		case <-idle.C:
			if a.advance() != nil {
				return
			}
			if a.idle != nil {
				a.idle()
			}
		case <-a.kick:
			if a.drain() != nil {
				return
			}
		}
	}
}

// drain files all that waits.
func (a *applier) drain() error {
	for {
		batch, lane, m := a.take()
		if len(batch) == 0 {
			return nil
		}
		began := time.Now()
		if err := a.commit(batch, lane, m); err != nil {
			return err
		}
		for _, f := range batch {
			a.over(f)
		}
		if a.rested != nil {
			a.rested()
		}
		a.rest(pace - time.Since(began))
	}
}

// rest lets records gather, so that one commit serves many; nobody waits for it.
func (a *applier) rest(d time.Duration) {
	a.mu.Lock()
	hurry := a.urgent > 0
	a.mu.Unlock()
	if d <= 0 || hurry {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			a.nudge()
			return
		case <-a.stop:
			return
		case <-a.kick:
			a.mu.Lock()
			hurry = a.urgent > 0
			a.mu.Unlock()
			if hurry {
				a.nudge()
				return
			}
		}
	}
}

func (a *applier) nudge() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// advance moves the watermarks of streams in which nothing was for this file.
func (a *applier) advance() error {
	a.mu.Lock()
	var move [lanes]mark
	work := false
	for l := range move {
		if len(a.queue[l]) == 0 && a.seen[l].seq > a.filed[l].seq {
			move[l], work = a.seen[l], true
		}
	}
	a.mu.Unlock()
	if !work {
		return nil
	}
	err := a.f.update(context.Background(), func(t *txn) error {
		for l, m := range move {
			if m.seq == 0 {
				continue
			}
			if err := t.put(bucketMeta, markKey(store.Lane(l)), m.encode()); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		a.mu.Lock()
		for l, m := range move {
			a.filed[l].seq = max(a.filed[l].seq, m.seq)
		}
		a.mu.Unlock()
	}
	return err
}

// An errFiling is the record's own fault: it is parked, and filing goes on.
type errFiling struct {
	f   *filing
	err error
}

func (e *errFiling) Error() string { return fmt.Sprintf("record %d: %v", e.f.seq, e.err) }
func (e *errFiling) Unwrap() error { return e.err }

// commit files a batch in one transaction. A record that cannot be filed is found by
// its error, and parked in the next attempt.
func (a *applier) commit(batch []*filing, lane store.Lane, m mark) error {
	parked := make(map[*filing]error)
	due := a.markDue(lane)
	marked := false
	for {
		err := a.f.update(context.Background(), func(t *txn) error {
			before := t.writes
			for _, f := range batch {
				if why := parked[f]; why != nil {
					if err := a.park(t, f, why); err != nil {
						return err
					}
				} else if err := a.one(t, f); err != nil {
					t.writes++ // whatever it did must not stay
					return &errFiling{f, err}
				}
			}
			if marked = due || t.writes != before; !marked {
				return nil // all of it was void: no commit, a restart finds it void again
			}
			return t.put(bucketMeta, markKey(lane), m.encode())
		})
		var bad *errFiling
		switch {
		case err == nil && !marked:
			return nil
		case err == nil:
			a.mu.Lock()
			a.filed[lane], a.marked[lane] = m, time.Now()
			a.mu.Unlock()
			return nil
		case errors.As(err, &bad):
			parked[bad.f] = bad.err
			a.log.Error("record parked", "file", a.f.label, "lane", lane, "seq", bad.f.seq, "err", bad.err)
		default:
			return err
		}
	}
}

// markDue says whether the watermark moves in any case: where records may be void it
// moves with those that are not, and now and then.
func (a *applier) markDue(lane store.Lane) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.linger == 0 || time.Since(a.marked[lane]) > idleMark
}

// one files a record; a panic is that record's fault.
func (a *applier) one(t *txn, f *filing) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("filing: %v\n%s", p, debug.Stack())
		}
	}()
	return a.file(t, f)
}

// park keeps what is needed to file the record by hand: its fields, sealed.
func (a *applier) park(t *txn, f *filing, why error) error {
	key := append([]byte{byte(f.lane)}, key8(f.seq)...)
	b := []byte{rowVersion}
	b = putInt(b, 1, uint64(f.rec.Type))
	b = putInt(b, 2, f.epoch)
	b = putString(b, 3, why.Error())
	for i := range f.rec.Fields {
		b = putBytes(b, 256+uint64(f.rec.Fields[i].Num), f.rec.Fields[i].Data)
	}
	sealed, err := a.f.seals.seal(nil, bucketParked, key, b)
	if err != nil {
		return err
	}
	if f.append != nil {
		t.after = append(t.after, func() { a.refuse(f.append, why) })
	}
	return t.put(bucketParked, key, sealed)
}

// waiting is the age of the oldest record that is not filed yet, from its acceptance.
func (a *applier) waiting(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.oldest
	for l := range a.queue {
		if len(a.queue[l]) > 0 && (first.IsZero() || a.queue[l][0].at.Before(first)) {
			first = a.queue[l][0].at
		}
	}
	if first.IsZero() {
		return 0
	}
	return now.Sub(first)
}

// close files what waits and ends.
func (a *applier) close() {
	a.mu.Lock()
	a.ending = true
	a.mu.Unlock()
	close(a.stop)
	<-a.done
}
