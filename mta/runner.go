package mta

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/relay"
	"sampul/store"
)

// Queue is what of a store the runner uses.
type Queue interface {
	store.QueueWork
	QueueDone(ctx context.Context, id string, outcomes []store.Outcome) error
	QueueEnvelope(ctx context.Context, id string) (*store.Envelope, error)
	OpenQueueBody(ctx context.Context, id string) (store.BodyReader, error)
	QueueList(ctx context.Context, by store.Actor, f store.QueueFilter, after string, max int) ([]store.QueueEntry, error)
	QueueHold(ctx context.Context, by store.Actor, f store.QueueFilter, why string) (int, error)
}

// Router says where a recipient goes, at each attempt.
type Router interface {
	Next(ctx context.Context, address, senderAgency string) (route.Hop, error)
}

// Signer makes the header fields (DKIM, ARC) that stand before a message as it goes out.
// The result ends with CRLF, or is empty.
type Signer interface {
	Sign(ctx context.Context, e *store.Envelope, senderAgency string, message io.Reader) ([]byte, error)
}

// Reporter tells senders; a [Poster] does.
type Reporter interface {
	// Report tells the senders of e, as far as they want to hear, what became of some of
	// its recipients. When it returns nil, all who are to be told will be.
	Report(ctx context.Context, e *store.Envelope, header []byte, a dsn.Action, told []Told) error
}

// Options are the runner's settings; zero values mean the defaults.
type Options struct {
	// Steps are the waits after the first, second ... attempt; the last one repeats.
	// Default 5, 10, 20, 40 minutes, then 1, 2, 3, 4 hours. Each varies by a tenth.
	Steps []time.Duration
	// How long a recipient is tried: mail of people (5 days), bulk (3 days), notices of
	// ours and other mail with a null reverse-path (2 days), addresses that move (30 days).
	Lifetime, BulkLifetime, NoticeLifetime, MovingLifetime time.Duration
	// DelayAfter is when the sender is told that a message still waits (4 hours).
	DelayAfter time.Duration

	PeopleWorkers, BulkWorkers int // transactions at a time in all (400, 150)
	// Transactions at a time to one destination: at its start (5), at most for a domain (20),
	// and at most for a host that a route names (64).
	StartConcurrency, MaxConcurrency, MaxHostConcurrency int
	MaxRecipients                                        int           // of one transaction (100)
	AttemptTime                                          time.Duration // whole transaction with all hosts that are tried (1 hour)
	// Bulk is how fast bulk goes to a destination. Zero paces nothing.
	Bulk     Pace
	ParkRate int // outcomes a second recorded for parked messages (300; a tenth while others are delivered)

	// SevenBit converts a message for a host without 8BITMIME (RFC 6152 section 3). nil sends as it is.
	SevenBit func(message io.Reader) (io.ReadCloser, error)
	// Counted is told of each recipient's event (delivered, deferred, bounced, expired, filed);
	// enhanced is its status. It must be quick. nil: nobody is told.
	Counted func(event string, lane store.Lane, enhanced string)
	// Bounced is told of each recipient of an application's message that was given up. It must
	// be quick. nil: nobody is told.
	Bounced func(relay.Bounce)
	// AppPath is the reverse-path of an application's message to one recipient elsewhere, by
	// which a bounce tells of whom it is; "" leaves the message's own. nil: always.
	AppPath func(ctx context.Context, app store.AccountID, from, recipient string) (string, error)
	// Became is told the same of each recipient of an application's message. nil: nobody is told.
	Became func(app store.AccountID, event string)
}

// Deps are the rooms below. Signer, Trace and Log may be nil.
type Deps struct {
	Queue  Queue
	Router Router
	Sender smtpout.Sender
	Report Reporter
	Signer Signer
	States PaceStates // nil: what is learned of destinations ends with the process
	Trace  interface{ Note(store.Event) }
	Log    *slog.Logger
	Clock  func() time.Time
}

// Runner is the queue's runner.
type Runner struct {
	o    Options
	deps Deps
	log  *slog.Logger

	ctx    context.Context // of attempts
	cancel context.CancelFunc
	begin  context.Context // ends when no transaction is to begin any more
	end    context.CancelCauseFunc
	quit   chan struct{}
	wake   chan struct{} // the planner has something to do
	parks  chan struct{} // so has the recorder of what is parked
	loops  sync.WaitGroup
	work   sync.WaitGroup

	mu       sync.Mutex // guards all below; never held over input or output
	stopping bool
	entries  map[string]*entry
	due      dueHeap
	fresh    []*entry
	agencies map[string]string // one copy of each name
	dests    map[destKey]*dest
	dead     map[*dest]struct{}
	pace     paces
	nextDead int64 // when the next dead destination may be probed, 0 for never
	running  [2]int
	blocked  [2][]*dest // wait for a worker of the lane
	active   map[*job]struct{}
	later    []func() // input and output that was decided on under mu; the planner does it
	overdue  int64    // when messages held past their lifetime were last told of
}

// NewRunner makes a runner; Start starts it.
func NewRunner(o Options, deps Deps) *Runner {
	dur := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	num := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if len(o.Steps) == 0 {
		o.Steps = []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute,
			time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour}
	}
	const day = 24 * time.Hour
	dur(&o.Lifetime, 5*day)
	dur(&o.BulkLifetime, 3*day)
	dur(&o.NoticeLifetime, 2*day)
	dur(&o.MovingLifetime, 30*day)
	dur(&o.DelayAfter, 4*time.Hour)
	dur(&o.AttemptTime, time.Hour)
	num(&o.PeopleWorkers, 400)
	num(&o.BulkWorkers, 150)
	num(&o.StartConcurrency, 5)
	num(&o.MaxConcurrency, 20)
	num(&o.MaxHostConcurrency, 64)
	num(&o.MaxRecipients, 100)
	num(&o.ParkRate, 300)
	dur(&o.Bulk.Double, time.Hour)
	if o.Counted == nil {
		o.Counted = func(string, store.Lane, string) {}
	}
	if o.Bounced == nil {
		o.Bounced = func(relay.Bounce) {}
	}
	if o.Became == nil {
		o.Became = func(store.AccountID, string) {}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	begin, end := context.WithCancelCause(context.Background())
	r := &Runner{
		o: o, deps: deps, log: deps.Log, ctx: ctx, cancel: cancel, begin: begin, end: end,
		quit: make(chan struct{}), wake: make(chan struct{}, 1), parks: make(chan struct{}, 1),
		entries: make(map[string]*entry), agencies: make(map[string]string),
		dests: make(map[destKey]*dest), dead: make(map[*dest]struct{}), active: make(map[*job]struct{}),
	}
	r.loadPaces()
	return r
}

// Start learns what is in the queue and begins to deliver it.
func (r *Runner) Start() {
	r.deps.Queue.QueueWatch(r.learn)
	r.deps.Queue.QueueEach(r.learn)
	for _, loop := range []func(){r.plan, r.sweep, r.recordParked} {
		r.loops.Add(1)
		go func() { defer r.loops.Done(); loop() }()
	}
}

var errStopping = errors.New("the suite is stopping")

// Shutdown begins no new attempts, ends those whose host has not heard of the message yet,
// and waits for the others; when ctx is over it
// breaks them off. What was broken off is tried again after the next start.
func (r *Runner) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	first := !r.stopping
	r.stopping = true
	r.mu.Unlock()
	if first {
		r.end(errStopping)
		close(r.quit)
	}
	ended := make(chan struct{})
	go func() { r.loops.Wait(); r.work.Wait(); r.keepPaces(true); close(ended) }()
	select {
	case <-ended:
		r.cancel()
		return nil
	case <-ctx.Done():
	}
	r.cancel()
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // whoever does not hear the end of its context
	}
	return ctx.Err()
}

// Kick has recipients of a domain looked at again, since its route, its table or its hold
// has changed; "" is all domains.
func (r *Runner) Kick(domain string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.entries {
		if n++; n%1000 == 0 { // let others in between
			r.mu.Unlock()
			r.mu.Lock()
		}
		if e.kick(domain, r.now()) {
			r.schedule(e)
		}
	}
}

// Active are the queue IDs of messages that are in delivery.
func (r *Runner) Active() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := make(map[string]bool, len(r.active))
	ids := make([]string, 0, len(r.active))
	for j := range r.active {
		if !seen[j.e.id] {
			seen[j.e.id] = true
			ids = append(ids, j.e.id)
		}
	}
	return ids
}

// Trying is whom messages are being delivered to at this moment, by queue ID.
func (r *Runner) Trying() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string][]string, len(r.active))
	for j := range r.active {
		for _, i := range j.idx {
			if j.e.rcpts[i].job != j {
				continue
			}
			out[j.e.id] = append(out[j.e.id], j.e.rcpts[i].address)
		}
	}
	return out
}

// A Backlog is why transactions with a destination wait that are due.
type Backlog struct {
	Waiting int            // transactions
	Pace    float64        // messages of bulk a minute, 0 when none of it is held back
	Until   time.Time      // no attempt before, zero while the destination answers
	Last    smtpout.Result // what it came to last, when Until is set
}

// Backlogs are those there are at this moment, by the domain of recipients; of domains that
// share a host, by one of them.
func (r *Runner) Backlogs() map[string]Backlog {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]Backlog)
	for _, d := range r.dests {
		n := d.backlog()
		if n == 0 || !d.key.away {
			continue
		}
		b := Backlog{Waiting: n}
		if _, held := r.pace.wait[d]; held {
			b.Pace = r.warmth(d.key.name, r.now()).Rate
		}
		if d.retryAt != 0 {
			b.Until, b.Last = time.UnixMilli(d.retryAt), d.last
		}
		out[d.hop.Domain] = b
	}
	return out
}

// Numbers are gauges.
type Numbers struct {
	Messages     int // that are not over
	Active       int // transactions
	Parked       int // transactions that wait for a destination which does not answer
	Ready        int // transactions that wait for their turn
	Destinations int
	Dead         int // destinations that do not answer
}

// Numbers says how things stand.
func (r *Runner) Numbers() Numbers {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := Numbers{Messages: len(r.entries), Active: len(r.active), Destinations: len(r.dests), Dead: len(r.dead)}
	for _, d := range r.dests {
		if d.retryAt != 0 {
			n.Parked += d.backlog()
		} else {
			n.Ready += d.backlog()
		}
	}
	return n
}

// now is the clock in milliseconds, which is how the plan counts.
func (r *Runner) now() int64 { return r.deps.Clock().UnixMilli() }
