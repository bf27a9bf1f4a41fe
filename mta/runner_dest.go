package mta

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// Back-off of a destination that does not answer.
const (
	deadAfter    = 3 // failures one after another
	firstBackoff = time.Minute
	maxBackoff   = 15 * time.Minute
)

// destKey names a destination: a domain for MX, HOST:PORT for a smarthost or LMTP. The
// zero key is for what needs no other server: filing, bounces, waiting.
type destKey struct {
	kind route.HopKind
	name string
	away bool
}

func keyOf(h *route.Hop) destKey {
	switch h.Kind {
	case route.ToMX:
		return destKey{h.Kind, h.Domain, true}
	case route.ToHost, route.ToLMTP:
		return destKey{h.Kind, h.Host, true}
	default:
		return destKey{}
	}
}

// A dest is a destination: what waits for it, and how it does.
type dest struct {
	key    destKey
	hop    smtpout.Hop // one that leads there
	ready  [2]fifo     // by lane
	active [2]int
	used   int64

	window float64 // transactions at a time
	halved int64
	fails  int // one after another

	retryAt int64 // no attempt before; 0 while it answers
	backoff time.Duration
	probe   *job // the one attempt while it does not
	last    smtpout.Result

	cursor [2]uint64 // what is parked is recorded up to here
	pass   int       // over all that is parked
	passAt int64     // when the next may begin
	listed [2]bool   // stands in Runner.blocked
}

func (d *dest) backlog() int { return d.ready[0].len() + d.ready[1].len() }

// firstNumber leaves room for jobs that overtake.
const firstNumber = 1 << 48

// A fifo holds jobs in order. Each has a number that stays.
type fifo struct {
	q    []*job
	head int
	base uint64 // number of q[0]
}

func (f *fifo) len() int     { return len(f.q) - f.head }
func (f *fifo) push(j *job)  { f.q = append(f.q, j) }
func (f *fifo) from() uint64 { return f.base + uint64(f.head) }
func (f *fifo) to() uint64   { return f.base + uint64(len(f.q)) }

func (f *fifo) get(n uint64) *job { return f.q[n-f.base] }

// pushFirst lets j overtake. It makes room for many at a time: all that waits for a
// destination may be asked to be tried now, one after another.
func (f *fifo) pushFirst(j *job) {
	if f.head == 0 {
		room := max(len(f.q)/2, 64)
		q := make([]*job, room+len(f.q))
		copy(q[room:], f.q)
		f.q, f.head, f.base = q, room, f.base-uint64(room)
	}
	f.head--
	f.q[f.head] = j
}

func (f *fifo) pop() *job {
	j := f.q[f.head]
	f.q[f.head] = nil
	f.head++
	switch {
	case f.head == len(f.q):
		f.base += uint64(len(f.q))
		f.head = 0
		if f.q = f.q[:0]; cap(f.q) > 4096 {
			f.q = nil
		}
	case f.head > 1024 && f.head > len(f.q)/2:
		n := copy(f.q, f.q[f.head:])
		clear(f.q[n:])
		f.q = f.q[:n]
		f.base += uint64(f.head)
		f.head = 0
	}
	return j
}

// dest is the destination for a hop, made when it is new. mu is held.
func (r *Runner) dest(h *route.Hop) *dest {
	k := keyOf(h)
	d := r.dests[k]
	if d == nil {
		d = &dest{key: k, window: float64(r.o.StartConcurrency), ready: [2]fifo{{base: firstNumber}, {base: firstNumber}}}
		r.dests[k] = d
	}
	if k.away {
		d.hop = OutHop(h)
	}
	d.used = r.now()
	return d
}

// OutHop is the hop in smtpout's words.
func OutHop(h *route.Hop) smtpout.Hop {
	o := smtpout.Hop{Domain: h.Domain, LMTP: h.Kind == route.ToLMTP, User: h.User, Secret: h.Secret, HELO: h.HELO}
	if h.Kind != route.ToMX {
		o.Host = h.Host
	}
	switch h.TLS {
	case "none":
		o.Security = smtpout.NoTLS
	case "verify":
		o.Security = smtpout.Verified
	}
	if h.Source != "" {
		o.Source, _ = netip.ParseAddr(h.Source) // checked when it was set; else the system's choice
	}
	return o
}

func (r *Runner) maxWindow(d *dest) float64 {
	if d.key.kind == route.ToMX || !d.key.away {
		return float64(r.o.MaxConcurrency)
	}
	return float64(r.o.MaxHostConcurrency)
}

// push queues a job at its destination, and starts what may start.
func (r *Runner) push(d *dest, j *job, first bool) {
	j.d = d
	if first {
		d.ready[j.e.lane].pushFirst(j)
	} else {
		d.ready[j.e.lane].push(j)
	}
	r.startAll(d)
	if d.retryAt != 0 && d.probe == nil && (r.nextDead == 0 || d.retryAt < r.nextDead) {
		r.nextDead = d.retryAt
		r.signal()
	}
	if d.retryAt != 0 {
		r.signalParks()
	}
}

// startAll starts workers for a destination, as many as may run now.
func (r *Runner) startAll(d *dest) {
	for {
		j := r.take(d)
		if j == nil {
			return
		}
		r.work.Add(1)
		go r.worker(d, j)
	}
}

// take gives the next job of a destination to a worker, or nil when none may start.
// People come first, and bulk never has the last connection of a destination.
func (r *Runner) take(d *dest) *job {
	if r.stopping {
		return nil
	}
	limit, busy := max(int(d.window), 1), d.active[0]+d.active[1]
	probing := d.retryAt != 0
	if probing && (d.probe != nil || r.now() < d.retryAt) {
		return nil
	}
	for lane := store.LanePeople; lane <= store.LaneBulk; lane++ {
		free := busy < limit || lane == store.LanePeople && d.active[0] == 0
		if lane == store.LaneBulk {
			free = free && d.active[1] < max(limit-1, 1)
			if n := r.o.Bulk.Connections; n > 0 && r.paced(d) {
				free = free && d.active[1] < n
			}
			if d.ready[lane].len() > 0 && (free || probing) && !r.mayBulk(d, r.now()) {
				continue
			}
		}
		if !free && !probing {
			continue
		}
		for d.ready[lane].len() > 0 {
			if r.running[lane] >= r.workers(lane) {
				if !d.listed[lane] {
					d.listed[lane] = true
					r.blocked[lane] = append(r.blocked[lane], d)
				}
				break
			}
			j := d.ready[lane].pop()
			if len(j.mine()) == 0 {
				continue // held, over, or gone another way meanwhile
			}
			for _, i := range j.idx {
				j.e.rcpts[i].state = active
			}
			j.began = r.now()
			if lane == store.LaneBulk {
				r.tookBulk(d, j.began)
			}
			d.active[lane]++
			r.running[lane]++
			r.active[j] = struct{}{}
			if probing {
				d.probe = j
			}
			return j
		}
	}
	return nil
}

func (r *Runner) workers(l store.Lane) int {
	if l == store.LaneBulk {
		return r.o.BulkWorkers
	}
	return r.o.PeopleWorkers
}

// worker carries a job, and then the next one to the same destination, while there is one:
// the connection is still open. Every so often destinations that wait for a worker go first.
func (r *Runner) worker(d *dest, j *job) {
	defer r.work.Done()
	for turn := 1; j != nil; turn++ {
		v := r.attempt(j)
		lane := j.e.lane
		r.mu.Lock()
		r.release(d, j, v)
		if turn%16 == 0 {
			r.unblock(lane)
		}
		j = r.take(d)
		r.unblock(lane)
		r.startAll(d)
		r.mu.Unlock()
	}
}

// unblock lets destinations go on that wait for a worker of the lane.
func (r *Runner) unblock(lane store.Lane) {
	for len(r.blocked[lane]) > 0 && r.running[lane] < r.workers(lane) {
		d := r.blocked[lane][0]
		r.blocked[lane][0] = nil
		r.blocked[lane] = r.blocked[lane][1:]
		d.listed[lane] = false
		r.startAll(d)
	}
}

// after has the planner do what must not be done under mu.
func (r *Runner) after(f func()) {
	r.later = append(r.later, f)
	r.signal()
}

// A verdict is what an attempt says of the destination.
type verdict uint8

const (
	noWord  verdict = iota // nothing was asked there
	answers                // it spoke with us about a message
	slower                 // it asks for fewer connections
	silent                 // nobody there spoke with us about a message
)

// release ends a job's turn and draws conclusions about the destination.
func (r *Runner) release(d *dest, j *job, v said) {
	delete(r.active, j)
	d.active[j.e.lane]--
	r.running[j.e.lane]--
	now := r.now()
	d.used = now
	probe := d.probe == j
	if probe {
		d.probe = nil
	}
	switch v.verdict {
	case noWord:
		if probe { // it told nothing: the next one may
			r.nextDead = now
			r.signal()
		}
	case answers:
		d.fails = 0
		if d.retryAt != 0 {
			r.revive(d)
		}
		d.window = min(d.window+1/d.window, r.maxWindow(d))
	case slower:
		d.fails = 0
		if d.retryAt != 0 {
			r.revive(d)
		}
		r.halve(d, j)
		r.slowBulk(d, j)
	case silent:
		d.fails++
		d.last = v.last
		r.halve(d, j)
		switch {
		case d.retryAt == 0 && d.fails >= deadAfter:
			r.die(d)
		case probe:
			r.pause(d, min(2*d.backoff, maxBackoff))
		}
	}
}

// halve takes half of the window, once for all attempts that were under way together.
func (r *Runner) halve(d *dest, j *job) {
	if j.began >= d.halved {
		d.window = max(d.window/2, 1)
		d.halved = r.now()
	}
}

// die parks what waits for a destination.
func (r *Runner) die(d *dest) {
	r.dead[d] = struct{}{}
	d.window = 1
	d.cursor = [2]uint64{d.ready[0].from(), d.ready[1].from()}
	d.pass, d.passAt = 0, r.now()+r.wait(0).Milliseconds()
	r.pause(d, firstBackoff)
	name, backlog, last := d.key.name, d.backlog(), d.last
	r.after(func() {
		r.log.Warn("destination does not answer", "destination", name, "waiting", backlog,
			"relay", last.Remote, "stage", last.Stage, "next_s", int(firstBackoff.Seconds()), "err", last.Text)
	})
	r.signalParks()
}

// pause sets when the next probe may go.
func (r *Runner) pause(d *dest, backoff time.Duration) {
	d.backoff = backoff
	d.retryAt = r.now() + vary(backoff).Milliseconds()
	if r.nextDead == 0 || d.retryAt < r.nextDead {
		r.nextDead = d.retryAt
		r.signal()
	}
}

// revive lets a destination go on.
func (r *Runner) revive(d *dest) {
	delete(r.dead, d)
	d.retryAt, d.backoff, d.probe, d.fails = 0, 0, nil, 0
	d.window = max(d.window, min(2, float64(r.o.StartConcurrency)))
	name, backlog := d.key.name, d.backlog()
	r.after(func() { r.log.Info("destination answers again", "destination", name, "waiting", backlog) })
}

// lift ends a back-off because somebody asked for an attempt now.
func (r *Runner) lift(d *dest) {
	if d.retryAt == 0 {
		return
	}
	delete(r.dead, d)
	d.retryAt, d.backoff, d.probe, d.fails = 0, 0, nil, 0
	d.window = max(d.window, float64(r.o.StartConcurrency))
	hop := d.hop
	r.after(func() { r.deps.Sender.Forget(hop) })
}

// probes starts one attempt at each dead destination whose time has come, and notes when
// the next one's is.
func (r *Runner) probes(now int64) {
	if r.nextDead == 0 || now < r.nextDead {
		return
	}
	r.nextDead = 0
	for d := range r.dead {
		if d.retryAt <= now {
			r.startAll(d)
		}
		if d.probe == nil && d.backlog() > 0 && d.retryAt > now && (r.nextDead == 0 || d.retryAt < r.nextDead) {
			r.nextDead = d.retryAt
		}
	}
}

// vary changes d by up to a tenth, so that what failed together does not come back together.
func vary(d time.Duration) time.Duration {
	return d + time.Duration(spread()*float64(d))
}

// spread is up to a tenth, either way.
func spread() float64 { return (rand.Float64() - 0.5) * 0.2 }

// wait is how long after attempt n (from 0) the next one comes.
func (r *Runner) wait(n int) time.Duration {
	return r.o.Steps[min(n, len(r.o.Steps)-1)]
}
