package bolt

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketRuns is queue.db's: application, hash of the tag. A row is a runCount. It moves with
// the watermark, so that each record counts once.
var bucketRuns = []byte("runs")

// maxRuns is how many runs of one application are remembered; of more, the oldest that are
// over are forgotten. runLife is how long one that is over is.
const (
	maxRuns = 2000
	runLife = 400 * 24 * time.Hour
)

// A runKey names a run.
type runKey struct {
	app store.AccountID
	tag string
}

func (k runKey) bytes() []byte {
	sum := sha256.Sum256([]byte(k.tag))
	return append(accountKey(k.app), sum[:16]...)
}

// runCount is what became of a run's recipients, or what a record adds to that.
type runCount struct {
	accepted, delivered, bounced, dropped uint64
	first, last                           int64 // nanoseconds since 1970
}

func (c *runCount) add(d runCount) {
	c.accepted += d.accepted
	c.delivered += d.delivered
	c.bounced += d.bounced
	c.dropped += d.dropped
	if d.first != 0 && (c.first == 0 || d.first < c.first) {
		c.first = d.first
	}
	c.last = max(c.last, d.last)
}

func (c *runCount) waiting() uint64 {
	return c.accepted - min(c.accepted, c.delivered+c.bounced+c.dropped)
}

// A runDelta is what a record adds to a run; without a tag it is nothing.
type runDelta struct {
	runKey
	runCount
}

// acceptedRun is what an acceptance adds: what is filed here is delivered with it.
func acceptedRun(env *store.Envelope) runDelta {
	d := runDelta{runKey: runKey{env.Sender, env.Run}}
	if env.Run == "" {
		return runDelta{}
	}
	type place struct { // who gets it once, however often named
		account store.AccountID
		where   string
	}
	seen := make(map[place]struct{}, len(env.Recipients))
	for i := range env.Recipients {
		r := &env.Recipients[i]
		p := place{r.Account, r.Mailbox}
		if r.Account == 0 {
			p.where = r.Path
		}
		if _, twice := seen[p]; twice {
			continue
		}
		seen[p] = struct{}{}
		if d.accepted++; r.Account != 0 {
			d.delivered++
		}
	}
	d.first = env.Received.UnixNano()
	d.last = d.first
	return d
}

// doneRun is what outcomes of an entry add.
func (q *entry) doneRun(outs []store.Outcome) runDelta {
	if q.run.String() == "" {
		return runDelta{}
	}
	d := runDelta{runKey: runKey{q.sender, q.run.String()}}
	for i := range outs {
		switch o := &outs[i]; {
		case !o.Done || q.find(o.Recipient) < 0:
		case o.Code/100 == 2 || o.Code == 0 && o.Enhanced == "": // filed here
			d.delivered++
		default:
			d.bounced++
		}
	}
	return d
}

// finishedRun is what a recipient adds that is filed from the queue.
func (a *accepted) finishedRun() runDelta {
	if a.env.Run == "" {
		return runDelta{}
	}
	return runDelta{runKey{a.env.Sender, a.env.Run}, runCount{delivered: 1}}
}

// runs is all runs in memory: also what is durable and not filed.
type runs struct {
	acting sync.Mutex // held by whoever changes acts, until it is kept
	mu     sync.Mutex
	by     map[runKey]*runCount
	number map[store.AccountID]int
	acts   map[runKey]*runAct
}

// note adds a record's.
func (r *runs) note(d runDelta) {
	if d.tag == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.by[d.runKey]
	if c == nil {
		if r.number[d.app] >= maxRuns {
			r.forgetOld(d.app)
		}
		c = &runCount{}
		r.by[d.runKey] = c
		r.number[d.app]++
	}
	c.add(d.runCount)
}

// forgetOld makes room for runs of an application. Those of which something waits stay. mu
// is held.
func (r *runs) forgetOld(app store.AccountID) {
	var over []runKey
	for k, c := range r.by {
		if k.app == app && c.waiting() == 0 {
			over = append(over, k)
		}
	}
	slices.SortFunc(over, func(a, b runKey) int {
		return cmp.Or(cmp.Compare(r.by[a].last, r.by[b].last), strings.Compare(a.tag, b.tag))
	})
	for _, k := range over[:min(len(over), maxRuns/10)] {
		delete(r.by, k)
		r.number[app]--
	}
}

// Fields of a row of a run, and of a delta in a record.
const (
	rnApp       = 1
	rnTag       = 2
	rnAccepted  = 3
	rnDelivered = 4
	rnBounced   = 5
	rnDropped   = 6
	rnFirst     = 7
	rnLast      = 8
)

func (d *runDelta) encode() []byte {
	b := make([]byte, 0, 64+len(d.tag))
	b = append(b, rowVersion)
	b = putInt(b, rnApp, uint64(d.app))
	b = putString(b, rnTag, d.tag)
	b = putInt(b, rnAccepted, d.accepted)
	b = putInt(b, rnDelivered, d.delivered)
	b = putInt(b, rnBounced, d.bounced)
	b = putInt(b, rnDropped, d.dropped)
	b = putInt(b, rnFirst, uint64(d.first))
	return putInt(b, rnLast, uint64(d.last))
}

func decodeRun(b []byte) (d runDelta, err error) {
	r := readRow(b)
	for r.next() {
		switch r.num {
		case rnApp:
			d.app = store.AccountID(r.int())
		case rnTag:
			d.tag = string(r.data)
		case rnAccepted:
			d.accepted = r.int()
		case rnDelivered:
			d.delivered = r.int()
		case rnBounced:
			d.bounced = r.int()
		case rnDropped:
			d.dropped = r.int()
		case rnFirst:
			d.first = int64(r.int())
		case rnLast:
			d.last = int64(r.int())
		}
	}
	return d, r.err
}

// fileRun adds to the row of a run, which is written with the transaction.
func (e *Engine) fileRun(t *txn, d runDelta) error {
	if d.tag == "" {
		return nil
	}
	c := t.runs[d.runKey]
	if c == nil {
		c = &runCount{}
		key := d.bytes()
		if sealed := t.bucket(bucketRuns).Get(key); sealed != nil {
			plain, err := t.file.seals.open(nil, bucketRuns, key, sealed)
			if err != nil {
				return err
			}
			was, err := decodeRun(plain)
			if err != nil {
				return err
			}
			*c = was.runCount
		}
		if t.runs == nil {
			t.runs = map[runKey]*runCount{}
		}
		t.runs[d.runKey] = c
	}
	c.add(d.runCount)
	t.writes++
	return nil
}

// loadRuns reads what is filed, and forgets what is old.
func (e *Engine) loadRuns() error {
	e.runs.by, e.runs.number = map[runKey]*runCount{}, map[store.AccountID]int{}
	rows := map[runKey][]byte{}
	before := e.clock().Add(-runLife).UnixNano()
	err := e.queue.read(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRuns).ForEach(func(k, v []byte) error {
			plain, err := e.queue.seals.open(nil, bucketRuns, k, v)
			if err != nil {
				return err
			}
			d, err := decodeRun(plain)
			if err != nil {
				return err
			}
			rows[d.runKey] = slices.Clone(k)
			if d.last >= before || d.waiting() > 0 {
				e.runs.note(d)
			}
			return nil
		})
	})
	for k := range rows {
		if e.runs.by[k] != nil {
			delete(rows, k)
		}
	}
	if err != nil || len(rows) == 0 {
		return err
	}
	return e.queue.db.Update(func(tx *bbolt.Tx) error {
		for _, key := range rows {
			if err := tx.Bucket(bucketRuns).Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}
