package mta

import (
	"hash/fnv"
	"strings"
	"time"

	"sampul/store"
)

// An entry is a message in the plan: as little as is needed to know when to do what. Some
// 250 octets for one recipient; everything else is asked of the store at the attempt.
type entry struct {
	id      string
	agency  string // of the sender
	rcpts   []rcpt // as they were at first: those that are done stay, so that places do not change
	created int64  // milliseconds, as all times here; of what waits on purpose, when it may be tried first
	opens   int64  // nothing is tried before, 0 for at once
	due     int64  // in the heap: the earliest next of those that wait
	at      int32  // place in the heap and 1, 0 for none
	lane    store.Lane
	null    bool // null reverse-path
	fresh   bool // stands on the list of fresh ones
	over    bool
}

type rcpt struct {
	address  string
	job      *job // it is ready or active in
	next     int64
	why      uint32 // hash of the text that was recorded last
	attempts uint16
	state    state
	held     bool // what the store says: it counts when an attempt ends
	delayed  bool // the sender was told, or does not want to hear
	kicked   bool // by a person: no back-off holds it
	moving   bool
}

type state uint8

const (
	waiting state = iota // for next
	ready                // for a worker
	active               // in an attempt, or its end is being recorded
	held
	done
)

// A job is recipients of one message that go one way: one transaction, mostly.
type job struct {
	e     *entry
	d     *dest // nil: the sweeper's
	idx   []uint32
	one   [1]uint32
	began int64    // when it became active
	retry struct { // set with the first recipient that is tried again, for all of them
		now    int64
		spread float64
	}
}

// mine are the recipients of j that are still its own.
func (j *job) mine() []uint32 {
	n := 0
	for _, i := range j.idx {
		if j.e.rcpts[i].job == j {
			j.idx[n] = i
			n++
		}
	}
	j.idx = j.idx[:n]
	return j.idx
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func textHash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// learn takes what the store tells of a message: it is new, or changed, or over.
func (r *Runner) learn(q store.QueueEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[q.ID]
	switch {
	case len(q.Recipients) == 0:
		if e != nil {
			r.forget(e)
		}
		return
	case e == nil:
		e = r.newEntry(q)
		r.entries[q.ID] = e
	default:
		r.merge(e, q)
	}
	r.schedule(e)
}

func (r *Runner) newEntry(q store.QueueEntry) *entry {
	agency, ok := r.agencies[q.Agency]
	if !ok {
		agency = q.Agency
		r.agencies[agency] = agency
	}
	e := &entry{id: q.ID, agency: agency, created: milli(q.Created), lane: min(q.Lane, store.LaneBulk), null: q.From == "",
		rcpts: make([]rcpt, len(q.Recipients))}
	if e.opens = milli(q.NotBefore); e.opens > e.created {
		e.created = e.opens // its lifetime, and what is told of delays, count from there
	}
	for i, p := range q.Recipients {
		e.rcpts[i] = rcpt{address: p.Address, next: milli(p.NextTry), attempts: clampAttempts(p.Attempts), delayed: p.Delayed}
		c := &e.rcpts[i]
		if p.Text != "" {
			c.why = textHash(p.Text)
		}
		if p.State == store.Holding {
			c.held, c.state = true, held
		}
	}
	return e
}

func clampAttempts(n int) uint16 { return uint16(min(max(n, 0), 1<<16-1)) }

// merge brings news of the store into an entry. What this runner knows better, since it
// did it a moment ago, stays: news may be older than the last outcome.
func (r *Runner) merge(e *entry, q store.QueueEntry) {
	find := func(address string, i int) *store.QueueRecipient {
		for n := range q.Recipients {
			// Mostly nobody has gone: the place is the same, or a little lower.
			if p := &q.Recipients[(i+n)%len(q.Recipients)]; p.Address == address {
				return p
			}
		}
		return nil
	}
	now := r.now()
	for i := range e.rcpts {
		c := &e.rcpts[i]
		if c.state == done {
			continue
		}
		p := find(c.address, i)
		if p == nil {
			c.state, c.job = done, nil
			continue
		}
		c.delayed = c.delayed || p.Delayed
		if c.held = p.State == store.Holding; c.held {
			if c.state == waiting || c.state == ready {
				c.state, c.job = held, nil
			}
			continue
		}
		next := milli(p.NextTry)
		if c.state == held {
			c.state, c.next = waiting, next
		}
		if p.Attempts < int(c.attempts) {
			continue
		}
		c.attempts = clampAttempts(p.Attempts)
		if p.Text != "" {
			c.why = textHash(p.Text)
		}
		if next < c.next && next <= now && c.state != active { // somebody wants it tried now
			c.kicked = true
			if c.state == ready {
				c.state, c.job = waiting, nil
			}
		}
		if c.state == waiting {
			c.next = next
		}
	}
}

// forget drops an entry from the plan.
func (r *Runner) forget(e *entry) {
	for i := range e.rcpts {
		e.rcpts[i].state, e.rcpts[i].job = done, nil
	}
	e.over = true
	r.due.remove(e)
	delete(r.entries, e.id)
}

// schedule puts an entry where it belongs: on the list of fresh ones when a recipient is
// due, else into the heap of those that wait.
func (r *Runner) schedule(e *entry) {
	if e.over || e.fresh {
		return
	}
	first := int64(0)
	some := false
	for i := range e.rcpts {
		if c := &e.rcpts[i]; c.state == waiting && (!some || c.next < first) {
			first, some = c.next, true
		}
	}
	switch {
	case !some:
		r.due.remove(e)
	case first <= r.now():
		r.due.remove(e)
		e.fresh = true
		r.fresh = append(r.fresh, e)
		r.signal()
	default:
		e.due = first
		if r.due.put(e) {
			r.signal()
		}
	}
}

func (r *Runner) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// kick makes recipients of a domain due. Those under a destination leave it.
func (e *entry) kick(domain string, now int64) bool {
	any := false
	if e.opens > now {
		return false // it waits on purpose, wherever it goes
	}
	for i := range e.rcpts {
		c := &e.rcpts[i]
		if c.state != waiting && c.state != ready || domain != "" && !strings.EqualFold(domainOf(c.address), domain) {
			continue
		}
		c.state, c.job, c.next, c.kicked, any = waiting, nil, now, true, true
	}
	return any
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// lifetime is how long a recipient is tried.
func (r *Runner) lifetime(e *entry, c *rcpt) time.Duration {
	switch {
	case c.moving:
		return r.o.MovingLifetime
	case e.null:
		return r.o.NoticeLifetime
	case e.lane == store.LaneBulk:
		return r.o.BulkLifetime
	default:
		return r.o.Lifetime
	}
}

func (r *Runner) expires(e *entry, c *rcpt) int64 {
	return e.created + r.lifetime(e, c).Milliseconds()
}
