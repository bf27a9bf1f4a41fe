package bolt

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"sampul/store"
	"sampul/store/journal"
)

// queued is the queue in memory. What is accepted is there at once, filed or not; what is
// over is gone at once. Filing looks here: an entry that is over before the applier comes
// to its ACCEPT never gets a row.
type queued struct {
	order   [64]sync.Mutex // by entry: changes are recorded, seen and told in one order
	watcher atomic.Pointer[func(store.QueueEntry)]
	bodies  bodyCache

	mu      sync.Mutex
	by      map[string]*entry
	pending map[string]*entry // on their way into the journal: filing may come to them before we do
	sorted  []string          // IDs in order, some of which are over
	recent  []string          // IDs since sorted was made, without order; the same
}

func (q *queued) init() {
	q.by, q.pending = make(map[string]*entry), make(map[string]*entry)
	q.bodies.init()
}

var orderSeed = maphash.MakeSeed()

// turn is held by whoever changes an entry, from its record to telling the watcher.
func (q *queued) turn(id string) *sync.Mutex {
	return &q.order[maphash.String(orderSeed, id)%uint64(len(q.order))]
}

// everyTurn is for changes of many entries.
func (q *queued) everyTurn() (release func()) {
	for i := range q.order {
		q.order[i].Lock()
	}
	return func() {
		for i := range q.order {
			q.order[i].Unlock()
		}
	}
}

// expect announces an entry whose record is about to be written.
func (q *queued) expect(en *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending[en.id] = en
}

// forget takes the announcement back: there is no record.
func (q *queued) forget(en *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.pending, en.id)
}

// accepted shows an entry whose record is durable, as first makes it.
func (q *queued) accepted(en *entry, first func(*entry) *entry) {
	turn := q.turn(en.id)
	turn.Lock()
	defer turn.Unlock()
	q.mu.Lock()
	if p := q.pending[en.id]; p != nil { // perhaps filed meanwhile
		en = p
	}
	q.mu.Unlock()
	en = first(en)
	q.mu.Lock()
	if p := q.pending[en.id]; p != nil && p.accept == nil {
		next := *en // filed meanwhile
		next.accept = nil
		en = &next
	}
	delete(q.pending, en.id)
	q.add(en)
	q.mu.Unlock()
	q.tell(en)
}

// add puts an entry in. mu is held.
func (q *queued) add(en *entry) {
	_, there := q.by[en.id]
	q.by[en.id] = en
	if !there {
		q.recent = append(q.recent, en.id)
		q.tidy()
	}
}

func (q *queued) get(id string) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.by[id]
}

// replace puts the entry as it is now; nil is over. Its turn is held.
func (q *queued) replace(was, now *entry) {
	q.mu.Lock()
	if now == nil {
		delete(q.by, was.id)
	} else {
		if cur := q.by[was.id]; cur != nil && cur.accept == nil {
			now.accept = nil // filed meanwhile
		}
		q.by[was.id] = now
	}
	q.mu.Unlock()
	q.bodies.drop(was.id)
	if now == nil {
		q.tellGone(was)
	} else {
		q.tell(now)
	}
}

// lives says whether filing has anything to do for an entry.
func (q *queued) lives(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.by[id] != nil || q.pending[id] != nil
}

// filed lets go of what stands in queue.db from now on.
func (q *queued) filed(ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		for _, m := range []map[string]*entry{q.by, q.pending} {
			if en := m[id]; en != nil && en.accept != nil {
				next := *en
				next.accept = nil
				m[id] = &next
			}
		}
	}
}

func (q *queued) watch(f func(store.QueueEntry)) { q.watcher.Store(&f) }

func (q *queued) tell(en *entry) {
	if f := q.watcher.Load(); f != nil {
		(*f)(en.shown())
	}
}

func (q *queued) tellGone(en *entry) {
	if f := q.watcher.Load(); f != nil {
		(*f)(en.gone())
	}
}

// tidy keeps the lists of IDs from growing with what is over. mu is held.
func (q *queued) tidy() {
	if len(q.recent)+len(q.sorted) > 2*len(q.by)+8192 {
		over := func(id string) bool { return q.by[id] == nil }
		q.recent = slices.DeleteFunc(q.recent, over)
		q.sorted = slices.DeleteFunc(q.sorted, over)
	}
}

// settleOrder merges what came since. mu is held.
func (q *queued) settleOrder() {
	if len(q.recent) == 0 {
		return
	}
	slices.Sort(q.recent)
	merged := make([]string, 0, len(q.by))
	a, b := q.sorted, q.recent
	for len(a) > 0 || len(b) > 0 {
		var id string
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			id, a = a[0], a[1:]
		} else {
			id, b = b[0], b[1:]
		}
		if q.by[id] != nil && (len(merged) == 0 || merged[len(merged)-1] != id) {
			merged = append(merged, id)
		}
	}
	q.sorted, q.recent = merged, nil
}

// page gives at most n entries after an ID, in order.
func (q *queued) page(after string, n int) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settleOrder()
	at, found := slices.BinarySearch(q.sorted, after)
	if found {
		at++
	}
	out := make([]*entry, 0, min(n, len(q.sorted)-at))
	for _, id := range q.sorted[at:] {
		if len(out) == n {
			break
		}
		if en := q.by[id]; en != nil {
			out = append(out, en)
		}
	}
	return out
}

// all gives every entry, without order.
func (q *queued) all() []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*entry, 0, len(q.by))
	for _, en := range q.by {
		out = append(out, en)
	}
	return out
}

func (q *queued) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.by)
}

// rowBatch is how many sealed rows a worker takes at a time while loading.
const rowBatch = 512

// A sealedRow is a row as it lies in the file.
type sealedRow struct{ key, value []byte }

// load reads queue.db with several goroutines; replay brings what it has not.
func (q *queued) load(f *file, workers int) error {
	type batch struct {
		number int
		rows   []sealedRow
	}
	batches := make(chan batch, workers)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	done := make(map[int][]*entry)
	for range workers {
		wg.Go(func() {
			var plain []byte
			for b := range batches {
				entries, err := openEntries(f, b.rows, &plain)
				mu.Lock()
				failed = cmp.Or(failed, err)
				done[b.number] = entries
				mu.Unlock()
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(batches)
		wg.Wait()
	})
	defer end()
	err := f.db.View(func(tx *bbolt.Tx) error {
		b := batch{}
		c := tx.Bucket(bucketQueue).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if b.rows = append(b.rows, sealedRow{k, v}); len(b.rows) == rowBatch {
				batches <- b
				b = batch{number: b.number + 1}
			}
		}
		batches <- b
		end() // the rows are the transaction's
		return nil
	})
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.by = make(map[string]*entry, len(done)*rowBatch)
	for i := range len(done) {
		for _, en := range done[i] {
			q.by[en.id] = en
			q.sorted = append(q.sorted, en.id)
		}
	}
	return nil
}

func openEntries(f *file, rows []sealedRow, plain *[]byte) ([]*entry, error) {
	out := make([]*entry, 0, len(rows))
	for _, r := range rows {
		b, err := f.seals.open((*plain)[:0], bucketQueue, r.key, r.value)
		if err != nil {
			return nil, err
		}
		*plain = b
		en, err := decodeEntry(string(r.key), b)
		if err != nil {
			return nil, err
		}
		out = append(out, en)
	}
	return out, nil
}

// replay does to the memory what a record did that the file may not have yet.
func (q *queued) replay(e *Engine, lane store.Lane, rec *journal.Record) {
	if rec.Seq <= e.queue.applier.filed0[lane] {
		return
	}
	switch rec.Type {
	case journal.Accept:
		a, err := decodeAccept(rec)
		switch {
		case err != nil:
		case a.finish != "":
			e.runs.note(a.finishedRun())
			q.redo(a.env.QueueID, func(en *entry) *entry { return en.after(finished(a.finish)) })
		default:
			e.counts.note(&a.env)
			e.runs.note(acceptedRun(&a.env))
			if en := queueEntry(a, e.agencyOf(&a.env)); en != nil {
				q.mu.Lock()
				q.add(en)
				q.mu.Unlock()
			}
		}
	case journal.Done:
		if d, err := decodeDone(rec); err == nil {
			e.runs.note(d.run)
			q.redo(d.id, func(en *entry) *entry { return en.after(d.outs) })
		}
	case journal.Verb:
		if v, err := decodeVerb(rec); err == nil {
			for _, d := range v.runs {
				e.runs.note(d)
			}
			for _, id := range v.ids {
				q.redo(id, func(en *entry) *entry { return en.under(v) })
			}
		}
	}
}

func (q *queued) redo(id string, f func(*entry) *entry) {
	if en := q.get(id); en != nil {
		if now := f(en); now != en {
			q.replace(en, now)
		}
	}
}

// finished are the outcomes of a recipient that is filed here.
func finished(recipient string) []store.Outcome {
	return []store.Outcome{{Recipient: recipient, Done: true}}
}
