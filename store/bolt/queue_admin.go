package bolt

import (
	"context"
	"slices"
	"strings"

	"sampul/store"
	"sampul/store/journal"
)

// pageSize is how many entries are looked at, or changed in one record, at a time.
const pageSize = 1000

// A picker is a [store.QueueFilter] made ready, within what the actor may see.
type picker struct {
	f      store.QueueFilter
	agency string // of a UC administrator, "" for the operator
	before int64  // created before it, 0 for any
}

func (e *Engine) picker(by store.Actor, f store.QueueFilter) (*picker, error) {
	p := &picker{f: f}
	switch {
	case by.Role == store.RoleOperator:
	case by.Role == store.RoleAdmin && by.Agency != "":
		p.agency = by.Agency
	default:
		return nil, store.ErrForbidden
	}
	if f.OlderThan > 0 {
		p.before = e.clock().Add(-f.OlderThan).UnixNano()
	}
	return p, nil
}

// picks says whether the filter means an entry. IDs are looked at by the caller.
func (p *picker) picks(q *entry) bool {
	f := &p.f
	switch {
	case p.agency != "" && q.agency.String() != p.agency,
		f.Agency != "" && q.agency.String() != f.Agency,
		f.Lane != "" && q.lane.String() != f.Lane,
		f.State != "" && q.state() != f.State,
		f.Sender != 0 && q.sender != f.Sender,
		f.Run != "" && q.run.String() != f.Run,
		f.Why != "" && q.why.String() != f.Why,
		p.before != 0 && q.created > p.before,
		f.From != "" && !addressLike(q.from, f.From):
		return false
	}
	if f.To == "" {
		return true
	}
	for i := range q.rcpts {
		if addressLike(q.rcpts[i].address, f.To) {
			return true
		}
	}
	return false
}

// addressLike compares an address with one, with the @domain of one, or with <>.
func addressLike(address, want string) bool {
	switch {
	case want == "<>":
		return address == ""
	case strings.HasPrefix(want, "@"):
		at := strings.LastIndexByte(address, '@')
		return at >= 0 && strings.EqualFold(address[at:], want)
	}
	return strings.EqualFold(address, want)
}

// each calls f with pages of the entries that are picked, in order of ID, until f says no.
func (e *Engine) eachPicked(ctx context.Context, p *picker, after string, f func([]*entry) bool) error {
	var page []*entry
	if len(p.f.IDs) > 0 {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(p.f.IDs))) {
			if id <= after {
				continue
			}
			if en := e.queued.get(id); en != nil && p.picks(en) {
				page = append(page, en)
			}
		}
		f(page)
		return nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		all := e.queued.page(after, pageSize)
		page = page[:0]
		for _, en := range all {
			if p.picks(en) {
				page = append(page, en)
			}
		}
		if len(page) > 0 && !f(page) || len(all) < pageSize {
			return nil
		}
		after = all[len(all)-1].id
	}
}

// QueueList gives entries in order of ID.
func (e *Engine) QueueList(ctx context.Context, by store.Actor, f store.QueueFilter, after string, limit int) ([]store.QueueEntry, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	p, err := e.picker(by, f)
	if err != nil {
		return nil, err
	}
	out := make([]store.QueueEntry, 0, min(max(limit, 0), pageSize))
	if limit <= 0 {
		return out, nil
	}
	err = e.eachPicked(ctx, p, after, func(page []*entry) bool {
		for _, en := range page {
			if len(out) == limit {
				return false
			}
			out = append(out, en.shown())
		}
		return len(out) < limit
	})
	return out, err
}

// QueueHold keeps what is picked in the queue until it is released.
func (e *Engine) QueueHold(ctx context.Context, by store.Actor, f store.QueueFilter, why string) (int, error) {
	return e.queueVerb(ctx, by, f, verbHold, why)
}

// QueueRelease undoes holds; what was held is tried now.
func (e *Engine) QueueRelease(ctx context.Context, by store.Actor, f store.QueueFilter) (int, error) {
	return e.queueVerb(ctx, by, f, verbRelease, "")
}

// QueueRetry has what waits tried now; what is held stays.
func (e *Engine) QueueRetry(ctx context.Context, by store.Actor, f store.QueueFilter) (int, error) {
	return e.queueVerb(ctx, by, f, verbRetry, "")
}

// QueueDrop takes entries away. Nobody is told.
func (e *Engine) QueueDrop(ctx context.Context, by store.Actor, f store.QueueFilter) (int, error) {
	return e.queueVerb(ctx, by, f, verbDrop, "")
}

// queueVerb goes through the queue once. Each page is one record a lane; the last sync
// makes all of them durable.
func (e *Engine) queueVerb(ctx context.Context, by store.Actor, f store.QueueFilter, kind uint64, why string) (n int, err error) {
	if err := e.alive(); err != nil {
		return 0, err
	}
	p, err := e.picker(by, f)
	if err != nil {
		return 0, err
	}
	v := verb{kind: kind, why: why, at: e.clock().UnixNano()}
	var failed error
	err = e.eachPicked(ctx, p, "", func(page []*entry) bool {
		var changed int
		changed, failed = e.verbOn(p, v, page)
		n += changed
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if n == 0 || failed != nil {
		return n, err
	}
	for _, s := range e.streams {
		if _, e2 := s.j.Append(context.Background(), journal.Verb, (&verb{kind: kind}).fields()); e2 != nil && err == nil {
			err = e.failure(e2)
		}
	}
	return n, err
}

// verbOn does a verb to the entries of a page, as they are now.
func (e *Engine) verbOn(p *picker, v verb, page []*entry) (n int, err error) {
	defer e.queued.everyTurn()()
	type change struct{ was, now *entry }
	var changes [lanes][]change
	for _, en := range page {
		q := e.queued.get(en.id)
		if q == nil || !p.picks(q) {
			continue
		}
		if now := q.under(&v); now != q {
			changes[q.lane] = append(changes[q.lane], change{q, now})
		}
	}
	for l, cs := range changes {
		if len(cs) == 0 {
			continue
		}
		v.ids = make([]string, len(cs))
		v.runs = nil
		for i, c := range cs {
			v.ids[i] = c.was.id
			if c.now == nil {
				v.dropped(c.was)
			}
		}
		if _, err := e.streams[l].j.AppendWritten(journal.Verb, v.fields()); err != nil {
			return n, e.failure(err)
		}
		for _, d := range v.runs {
			e.runs.note(d)
		}
		for _, c := range cs {
			e.queued.replace(c.was, c.now)
		}
		n += len(cs)
	}
	return n, nil
}
