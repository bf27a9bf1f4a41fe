package mta

import (
	"context"
	"time"

	"sampul/store"
)

// A parkedOne is what is recorded of a message that waits for a dead destination.
type parkedOne struct {
	e     *entry
	outs  []store.Outcome
	first bool // of its passes: the trace tells it once
}

// parkTick is how often some are recorded.
const parkTick = 100 * time.Millisecond

// recordParked records, slowly, why messages wait that nobody tries, so that listings
// tell it. The first pass over a destination begins when it dies, the next ones by the
// steps of the retry schedule: 100,000 messages cost one record each and pass.
func (r *Runner) recordParked() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		batch, wait := r.nextParked(max(r.o.ParkRate/10, 1))
		for _, p := range batch {
			r.recordOne(p)
		}
		timer.Reset(wait)
		select {
		case <-r.quit:
			return
		case <-timer.C:
		case <-r.waitParks(len(batch) == 0):
		}
	}
}

// waitParks is the wake-up, for who has nothing to do.
func (r *Runner) waitParks(idle bool) <-chan struct{} {
	if idle {
		return r.parks
	}
	return nil
}

func (r *Runner) signalParks() {
	select {
	case r.parks <- struct{}{}:
	default:
	}
}

// delivering says whether mail goes out to somebody who answers: what is recorded of the
// rest costs it a tenth of its rate, and can wait. mu is held.
func (r *Runner) delivering() bool {
	for j := range r.active {
		if j.d != nil && j.d.key.away && j.d.retryAt == 0 {
			return true
		}
	}
	return false
}

// nextParked picks up to n messages, fewer while others are delivered, and says when to
// ask again.
func (r *Runner) nextParked(n int) ([]parkedOne, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.delivering() {
		n = max(n/10, 1)
	}
	now := r.now()
	next := now + time.Hour.Milliseconds()
	var batch []parkedOne
	for d := range r.dead {
		for lane := range d.ready {
			f := &d.ready[lane]
			d.cursor[lane] = max(d.cursor[lane], f.from())
			for d.cursor[lane] < f.to() && len(batch) < n {
				j := f.get(d.cursor[lane])
				d.cursor[lane]++
				if p, ok := r.parked(d, j); ok {
					batch = append(batch, p)
				}
			}
		}
		if len(batch) == n {
			return batch, parkTick
		}
		if now >= d.passAt { // all were recorded: once more
			d.pass++
			d.passAt = now + r.wait(d.pass).Milliseconds()
			d.cursor = [2]uint64{}
			next = now
		}
		if d.backlog() > 0 {
			next = min(next, d.passAt)
		}
	}
	if len(batch) > 0 {
		return batch, parkTick
	}
	return nil, time.Duration(max(next-now, 1)) * time.Millisecond
}

// parked is the outcome of one that was not tried: what the destination said last.
func (r *Runner) parked(d *dest, j *job) (parkedOne, bool) {
	p := parkedOne{e: j.e, first: d.pass == 0}
	for _, i := range j.mine() {
		c := &j.e.rcpts[i]
		c.next = d.passAt
		c.why = textHash(d.last.Text)
		p.outs = append(p.outs, store.Outcome{Recipient: c.address, NextTry: time.UnixMilli(d.passAt), NoAttempt: true,
			Code: d.last.Code, Enhanced: d.last.Enhanced, Text: d.last.Text, Remote: d.last.Remote, TLS: d.last.TLS})
	}
	return p, len(p.outs) > 0
}

func (r *Runner) recordOne(p parkedOne) {
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	if err := r.deps.Queue.QueueDone(ctx, p.e.id, p.outs); err != nil {
		return // it is over, or the store is: the next pass sees
	}
	if p.first {
		ev := store.Event{Event: "deferred", Host: p.outs[0].Remote, Code: p.outs[0].Code, Enhanced: p.outs[0].Enhanced, Text: p.outs[0].Text}
		for _, o := range p.outs {
			ev.To = append(ev.To, o.Recipient)
		}
		r.note(p.e, ev)
	}
}
