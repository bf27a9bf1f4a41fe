package mta

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"sampul/mta/route"
	"sampul/store"
)

// planBatch is how many entries are planned before the clock is looked at again.
const planBatch = 256

// plan moves what is due under its destination, until the runner stops.
func (r *Runner) plan() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		r.mu.Lock()
		now := r.now()
		for len(r.due) > 0 && r.due[0].due <= now {
			r.schedule(r.due[0])
		}
		r.probes(now)
		r.pacedDue(now)
		n := min(len(r.fresh), planBatch)
		batch := append([]*entry(nil), r.fresh[:n]...)
		clear(r.fresh[:n])
		if r.fresh = r.fresh[n:]; len(r.fresh) == 0 {
			r.fresh = nil
		}
		later := r.later
		r.later = nil
		wait := r.nextWake(now)
		r.mu.Unlock()

		for _, f := range later {
			f()
		}
		r.planAll(batch)
		if n > 0 {
			select {
			case <-r.quit:
				return
			default:
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-r.quit:
			return
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// planAll asks for the routes of a batch under one deadline: the router has its answers in
// memory, or nearly so.
func (r *Runner) planAll(batch []*entry) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	for _, e := range batch {
		r.planEntry(ctx, e)
	}
}

// nextWake is how long nothing is due.
func (r *Runner) nextWake(now int64) time.Duration {
	next := now + time.Hour.Milliseconds()
	if len(r.due) > 0 {
		next = min(next, r.due[0].due)
	}
	if r.nextDead != 0 {
		next = min(next, r.nextDead)
	}
	if r.pace.nextAt != 0 {
		next = min(next, r.pace.nextAt)
	}
	return time.Duration(max(next-now, 1)) * time.Millisecond
}

// A placed recipient and the hop that it takes.
type placed struct {
	i   uint32
	hop route.Hop
	err error
}

// planEntry asks where the recipients that are due go, and puts them there.
func (r *Runner) planEntry(ctx context.Context, e *entry) {
	var buf [1]placed
	list := buf[:0]
	r.mu.Lock()
	e.fresh = false
	now := r.now()
	if !e.over {
		for i := range e.rcpts {
			if c := &e.rcpts[i]; c.state == waiting && c.next <= now {
				list = append(list, placed{i: uint32(i)})
			}
		}
	}
	r.mu.Unlock()
	if len(list) == 0 {
		r.mu.Lock()
		r.schedule(e)
		r.mu.Unlock()
		return
	}
	defer func() {
		if p := recover(); p != nil {
			r.poisoned(e, fmt.Sprintf("planning failed: %v", p), debug.Stack())
		}
	}()
	for k := range list {
		// Addresses never change, so that they may be read without the lock.
		list[k].hop, list[k].err = r.deps.Router.Next(ctx, e.rcpts[list[k].i].address, e.agency)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !e.over {
		r.place(e, list)
		r.schedule(e)
	}
}

// place makes jobs of recipients that share a destination. mu is held.
func (r *Runner) place(e *entry, list []placed) {
	now := r.now()
	var jobs []*job
	for k := range list {
		p := &list[k]
		c := &e.rcpts[p.i]
		if c.state != waiting {
			continue
		}
		if p.err != nil {
			c.next = now + time.Minute.Milliseconds()
			id, to, err := e.id, c.address, p.err
			r.after(func() { r.log.Error("route not known", "id", id, "to", to, "next_s", 60, "err", err) })
			continue
		}
		c.moving = p.hop.Kind == route.Wait && p.hop.Moving
		if p.hop.Kind == route.Wait && c.why == textHash(p.hop.Why) {
			c.next = now + rewait.Milliseconds() // told already
			continue
		}
		d := r.dest(&p.hop)
		if c.kicked {
			r.lift(d)
		}
		var j *job
		for _, o := range jobs {
			if o.d == d && len(o.idx) < r.o.MaxRecipients {
				j = o
			}
		}
		if j == nil {
			j = &job{e: e, d: d}
			j.idx = j.one[:0]
			jobs = append(jobs, j)
		}
		j.idx = append(j.idx, p.i)
		c.state, c.job = ready, j
	}
	for _, j := range jobs {
		first := false
		for _, i := range j.idx {
			first = first || e.rcpts[i].kicked
			e.rcpts[i].kicked = false
		}
		r.push(j.d, j, first)
	}
}

// rewait is how often it is asked again where a recipient goes that must wait.
const rewait = time.Minute

// poisoned holds a message that cannot be handled, so that everything else goes on.
func (r *Runner) poisoned(e *entry, why string, stack []byte) {
	r.log.Error("message held: it cannot be handled", "id", e.id, "err", why, "stack", string(stack))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Minute)
	defer cancel()
	why = "held by the queue: " + why + "; see the log, then release or drop it"
	if _, err := r.deps.Queue.QueueHold(ctx, store.System, store.QueueFilter{IDs: []string{e.id}}, why); err != nil {
		r.log.Error("message not held", "id", e.id, "err", err)
	}
	r.note(e, store.Event{Event: "held", Text: why})
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range e.rcpts {
		// The watcher tells of the hold; until then, and should it fail, nothing is tried.
		if c := &e.rcpts[i]; c.state != done {
			c.job, c.next = nil, r.now()+time.Hour.Milliseconds()
			if c.state = waiting; c.held {
				c.state = held
			}
		}
	}
	r.schedule(e)
}
