package mta

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/store"
)

// sweepEvery is how exact expiry and delay reports are.
const sweepEvery = time.Minute

// sweep enforces what depends on the age of a message, whatever state it is in: expiry,
// the report of a delay, the end of attempts that do not end by themselves.
func (r *Runner) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
		}
		r.abandon()
		found := r.look()
		next := make(chan *entry)
		var workers sync.WaitGroup
		for range min(4, len(found)) {
			workers.Go(func() {
				for e := range next {
					r.sweepEntry(e)
				}
			})
		}
	feed:
		for _, e := range found {
			select {
			case next <- e:
			case <-r.quit:
				break feed
			}
		}
		close(next)
		workers.Wait()
		r.dropIdle()
		r.keepPaces(false)
	}
}

// abandon takes recipients from attempts that did not end when their time was over, so
// that no fault below can keep a message for ever. The attempt's worker stays lost.
func (r *Runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.now() - (r.o.AttemptTime + time.Minute).Milliseconds()
	for j := range r.active {
		if j.began >= limit || len(j.mine()) == 0 {
			continue
		}
		id := j.e.id
		r.after(func() { r.log.Error("attempt does not end: given up", "id", id) })
		for _, i := range append([]uint32(nil), j.idx...) {
			r.back(j, i, r.now())
		}
		r.schedule(j.e)
	}
}

// look finds entries that the sweeper has to do with.
func (r *Runner) look() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*entry
	n, overdue := 0, 0
	for _, e := range r.entries {
		if n++; n%1000 == 0 { // let others in between
			r.mu.Unlock()
			r.mu.Lock()
		}
		now := r.now()
		hit := false
		for i := range e.rcpts {
			c := &e.rcpts[i]
			if c.state == held && now >= r.expires(e, c) {
				overdue++
			}
			hit = hit || r.expired(e, c, now) || r.late(e, c, now)
		}
		if hit {
			found = append(found, e)
		}
	}
	if day := (24 * time.Hour).Milliseconds(); overdue > 0 && r.now()-r.overdue >= day {
		r.overdue = r.now()
		r.after(func() {
			r.log.Warn("messages are held longer than their lifetime: release or drop them", "recipients", overdue)
		})
	}
	return found
}

func (r *Runner) expired(e *entry, c *rcpt, now int64) bool {
	return (c.state == waiting || c.state == ready) && now >= r.expires(e, c)
}

func (r *Runner) late(e *entry, c *rcpt, now int64) bool {
	return (c.state == waiting || c.state == ready) && !c.delayed && !e.null && now >= e.created+r.o.DelayAfter.Milliseconds()
}

// sweepEntry expires recipients of an entry, and reports the delay of others.
func (r *Runner) sweepEntry(e *entry) {
	defer func() {
		if p := recover(); p != nil {
			r.poisoned(e, fmt.Sprintf("expiry failed: %v", p), debug.Stack())
		}
	}()
	j := &job{e: e}
	var late []uint32
	until := make(map[uint32]time.Time)
	r.mu.Lock()
	now := r.now()
	for i := range e.rcpts {
		c := &e.rcpts[i]
		switch {
		case r.expired(e, c, now):
			c.state, c.job = active, j
			j.idx = append(j.idx, uint32(i))
		case r.late(e, c, now):
			late = append(late, uint32(i))
			until[uint32(i)] = time.UnixMilli(r.expires(e, c))
		}
	}
	r.mu.Unlock()
	if len(j.idx) == 0 && len(late) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, 2*time.Minute)
	defer cancel()
	env, err := r.deps.Queue.QueueEnvelope(ctx, e.id)
	if err != nil {
		r.fault(j, err)
		return
	}
	last := r.lastAnswers(ctx, e.id)
	if len(j.idx) > 0 {
		r.expire(ctx, j, env, last)
	}
	if len(late) > 0 {
		r.tellDelay(ctx, e, late, until, env, last)
	}
}

// lastAnswers is what stands in the queue for each recipient.
func (r *Runner) lastAnswers(ctx context.Context, id string) map[string]store.QueueRecipient {
	last := make(map[string]store.QueueRecipient)
	list, err := r.deps.Queue.QueueList(ctx, store.System, store.QueueFilter{IDs: []string{id}}, "", 1)
	if err != nil {
		r.log.Error("queue not read", "id", id, "err", err)
	}
	for _, q := range list {
		for _, p := range q.Recipients {
			last[p.Address] = p
		}
	}
	return last
}

func (r *Runner) expire(ctx context.Context, j *job, env *store.Envelope, last map[string]store.QueueRecipient) {
	var list []settled
	for _, i := range append([]uint32(nil), j.idx...) {
		c := &j.e.rcpts[i]
		rc := findRecipient(env, c.address, int(i))
		if rc == nil {
			r.drop(j, []target{{i: i}})
			continue
		}
		if !c.moving { // not seen by the planner yet, perhaps: moving addresses live longer
			hop, err := r.deps.Router.Next(ctx, c.address, j.e.agency)
			if moving := hop.Kind == route.Wait && hop.Moving; err != nil || moving {
				r.mu.Lock()
				c.moving = true
				wait := r.now() < r.expires(j.e, c)
				c.moving = moving
				if wait {
					r.back(j, i, r.now()+rewait.Milliseconds())
				}
				r.mu.Unlock()
				if wait {
					continue
				}
			}
		}
		q := last[c.address]
		s := settled{target: target{i: i, attempts: q.Attempts, rc: rc}, event: "expired", report: dsn.Failed, moving: c.moving,
			out: store.Outcome{Recipient: rc.Path, Done: true, NoAttempt: true, Code: q.Code, Enhanced: q.Enhanced, Text: q.Text, Remote: q.Remote, TLS: q.TLS}}
		if s.out.Enhanced == "" {
			s.out.Enhanced = "4.4.7" // RFC 3463 section 3.5: delivery time expired
		}
		if s.out.Text == "" {
			s.out.Text = fmt.Sprintf("the message waited for %s, and could not be tried", r.lifetime(j.e, c))
		}
		list = append(list, s)
	}
	r.settle(j, env, list)
}

// tellDelay reports once that a message still waits. The recipients stay where they are.
func (r *Runner) tellDelay(ctx context.Context, e *entry, late []uint32, until map[uint32]time.Time, env *store.Envelope, last map[string]store.QueueRecipient) {
	var told []Told
	var wanted []uint32
	for _, i := range late {
		c := &e.rcpts[i]
		rc := findRecipient(env, c.address, int(i))
		if rc == nil || !dsn.Wants(rc.Notify, dsn.Delayed) || r.ownReports(ctx, env, rc) != "" {
			continue
		}
		q := last[c.address]
		told = append(told, Told{Recipient: rc, Status: q.Enhanced, Code: q.Code, Text: q.Text, Remote: q.Remote,
			Until: until[i]})
		wanted = append(wanted, i)
	}
	if len(told) > 0 && r.deps.Report != nil {
		if err := r.deps.Report.Report(ctx, env, r.header(ctx, e.id), dsn.Delayed, told); err != nil {
			r.log.Error("report not posted", "id", e.id, "action", dsn.Delayed, "err", err)
			return // the next sweep tries again
		}
	}
	r.mu.Lock()
	for _, i := range late {
		e.rcpts[i].delayed = true
	}
	var outs []store.Outcome
	for _, i := range wanted {
		if c := &e.rcpts[i]; c.state == waiting || c.state == ready {
			q := last[c.address]
			outs = append(outs, store.Outcome{Recipient: c.address, NextTry: time.UnixMilli(c.next), NoAttempt: true, Delayed: true,
				Code: q.Code, Enhanced: q.Enhanced, Text: q.Text, Remote: q.Remote, TLS: q.TLS})
		}
	}
	r.mu.Unlock()
	if len(outs) == 0 {
		return
	}
	if err := r.deps.Queue.QueueDone(ctx, e.id, outs); err != nil && !errors.Is(err, store.ErrNotFound) {
		r.log.Error("outcome not recorded", "id", e.id, "err", err)
	}
	ev := store.Event{Event: "delayed", Text: "the sender was told"}
	for _, o := range outs {
		r.log.Info("delayed", "id", e.id, "to", o.Recipient, "err", o.Text)
		ev.To = append(ev.To, o.Recipient)
	}
	r.note(e, ev)
}

// dropIdle forgets destinations that nobody has used for a while.
func (r *Runner) dropIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.now() - (10 * time.Minute).Milliseconds()
	for k, d := range r.dests {
		if d.backlog() == 0 && d.active[0]+d.active[1] == 0 && d.used < limit && d.retryAt < limit {
			delete(r.dests, k)
			delete(r.dead, d)
		}
	}
}
