package mta

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sampul/mta/route"
	"sampul/store"
)

// A Pace is how fast bulk goes to one destination on the Internet (the exchangers of a
// domain). People's mail is never paced, nor what goes to a host that a route names.
type Pace struct {
	PerMinute   int           // messages a minute at most; 0 does not pace
	Connections int           // transactions with bulk at a time; 0: as many as people leave
	Start       int           // messages a minute to a destination that is new to this suite; 0: PerMinute
	Double      time.Duration // of sending without complaint, until the rate doubles (1 hour)
}

// PaceStates keeps what was learned of destinations.
type PaceStates interface {
	KeepState(ctx context.Context, name string, value []byte) error
	State(name string) ([]byte, error)
}

const (
	paceState = "bulk-pace"
	// burst is how far bulk may run ahead of its rate.
	paceBurst = 5 * time.Second
	// maxWarmed is how many destinations are remembered; of more, those not used longest are new again.
	maxWarmed = 10_000
	paceKept  = time.Minute // how often it is kept what was learned
)

// A warmth is how fast a destination is sent bulk now.
type warmth struct {
	Rate float64 // messages a minute
	Sent int     `json:",omitempty"` // since Since
	// Since is when the rate became this, Used when something was sent last; milliseconds.
	Since, Used int64

	slowed int64 // when it was halved last
	next   int64 // when the next message may go if it is not to run ahead
}

// paces is what the runner knows of destinations. Guarded by the runner's mu.
type paces struct {
	by     map[string]*warmth
	wait   map[*dest]struct{} // that hold bulk back until nextAt at the earliest
	nextAt int64              // 0 for never
	dirty  bool
	keptAt int64
}

// loadPaces reads what was learned before; without it every destination is new.
func (r *Runner) loadPaces() {
	r.pace = paces{by: map[string]*warmth{}, wait: map[*dest]struct{}{}}
	if r.deps.States == nil || r.o.Bulk.PerMinute <= 0 {
		return
	}
	raw, err := r.deps.States.State(paceState)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &r.pace.by)
	}
	if err != nil {
		r.log.Error("pace of bulk not read: all destinations are new", "err", err)
		r.pace.by = map[string]*warmth{}
	}
	for k, w := range r.pace.by {
		if w == nil || w.Rate <= 0 {
			delete(r.pace.by, k)
		}
	}
}

// paced says whether bulk to a destination has a pace.
func (r *Runner) paced(d *dest) bool {
	return r.o.Bulk.PerMinute > 0 && d.key.away && d.key.kind == route.ToMX
}

// warmth is that of a destination, brought up to now: a rate that was used doubles after a
// while without complaint.
func (r *Runner) warmth(name string, now int64) *warmth {
	o := &r.o.Bulk
	limit := float64(o.PerMinute)
	w := r.pace.by[name]
	if w == nil {
		if len(r.pace.by) >= maxWarmed {
			r.pace.forget()
		}
		w = &warmth{Rate: limit, Since: now, Used: now}
		if o.Start > 0 {
			w.Rate = min(limit, float64(o.Start))
		}
		r.pace.by[name] = w
	}
	if w.Since > now || w.next > now+time.Minute.Milliseconds() { // the clock was set back
		w.Since, w.next = now, now
	}
	if w.Rate < limit && w.Sent > 0 && now-w.Since >= o.Double.Milliseconds() {
		w.Rate, w.Since, w.Sent = w.Rate*2, now, 0
		r.pace.dirty = true
	}
	w.Rate = min(w.Rate, limit)
	return w
}

// forget makes room: a tenth, those not used longest.
func (p *paces) forget() {
	names := make([]string, 0, len(p.by))
	for n := range p.by {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.by[a].Used, p.by[b].Used), strings.Compare(a, b))
	})
	for _, n := range names[:len(names)/10+1] {
		delete(p.by, n)
	}
}

// mayBulk says whether another message of bulk may go to d now; if not, it will be asked
// again when it may.
func (r *Runner) mayBulk(d *dest, now int64) bool {
	if !r.paced(d) {
		return true
	}
	w := r.warmth(d.key.name, now)
	if w.next <= now+paceBurst.Milliseconds() {
		return true
	}
	at := w.next - paceBurst.Milliseconds()
	r.pace.wait[d] = struct{}{}
	if r.pace.nextAt == 0 || at < r.pace.nextAt {
		r.pace.nextAt = at
		r.signal()
	}
	return false
}

// tookBulk counts a message that goes now.
func (r *Runner) tookBulk(d *dest, now int64) {
	if !r.paced(d) {
		return
	}
	w := r.warmth(d.key.name, now)
	w.next = max(w.next, now) + int64(60_000/w.Rate)
	w.Sent++
	w.Used = now
	r.pace.dirty = true
}

// slowBulk halves the rate: the destination asked for less. Once for all that was under way
// together.
func (r *Runner) slowBulk(d *dest, j *job) {
	if !r.paced(d) || r.pace.by[d.key.name] == nil && j.e.lane != store.LaneBulk {
		return
	}
	now := r.now()
	w := r.warmth(d.key.name, now)
	if w.slowed != 0 && j.began <= w.slowed {
		return
	}
	w.Rate, w.Since, w.Sent, w.slowed = max(w.Rate/2, 1), now, 0, now
	w.next = max(w.next, now+int64(60_000/w.Rate))
	r.pace.dirty = true
	name, rate := d.key.name, w.Rate
	r.after(func() {
		r.log.Warn("bulk to a destination slows down: it asked for less", "destination", name, "a_minute", int(rate))
	})
}

// pacedDue lets destinations go on whose time has come. mu is held.
func (r *Runner) pacedDue(now int64) {
	if r.pace.nextAt == 0 || now < r.pace.nextAt {
		return
	}
	r.pace.nextAt = 0
	wait := r.pace.wait
	r.pace.wait = map[*dest]struct{}{}
	for d := range wait {
		r.startAll(d)
	}
}

// keepPaces keeps what was learned, at most once a minute; at the end in any case.
func (r *Runner) keepPaces(last bool) {
	if r.deps.States == nil {
		return
	}
	r.mu.Lock()
	now := r.now()
	if !r.pace.dirty || !last && now-r.pace.keptAt < paceKept.Milliseconds() {
		r.mu.Unlock()
		return
	}
	raw, err := json.Marshal(r.pace.by)
	r.pace.dirty, r.pace.keptAt = false, now
	r.mu.Unlock()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 10*time.Second)
		defer cancel()
		err = r.deps.States.KeepState(ctx, paceState, raw)
	}
	if err != nil {
		r.log.Error("pace of bulk not kept", "err", err)
	}
}
