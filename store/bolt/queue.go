package bolt

import (
	"slices"
	"strings"
	"time"
	"unique"

	"sampul/store"
	"sampul/store/journal"
)

// An entry is a message of the queue in memory. It is replaced, never changed: whoever
// has one may read it without a lock. Two hundred thousand of them must be cheap, so
// texts that many entries share are kept once, and the envelope of what is filed stays
// in queue.db.
type entry struct {
	id      string
	from    string
	why     shared // of a hold
	agency  shared
	run     shared
	created int64 // nanoseconds since 1970
	opens   int64 // nothing is tried before, the same; 0 is at once
	size    int64
	sender  store.AccountID
	lane    store.Lane
	ref     journal.BodyRef
	rcpts   []waiting
	accept  *accepted // until it is filed
}

// waiting is a recipient that is not done.
type waiting struct {
	address                    string
	next                       int64 // nanoseconds since 1970
	remote, enhanced, text, tl shared
	attempts                   uint32
	code                       uint16
	held, delayed              bool
}

// shared is a string that is kept once for all who have it; the zero value is "".
type shared struct{ h unique.Handle[string] }

var nothing unique.Handle[string]

func share(s string) shared {
	if s == "" {
		return shared{}
	}
	return shared{unique.Make(strings.Clone(s))}
}

func (s shared) String() string {
	if s.h == nothing {
		return ""
	}
	return s.h.Value()
}

// queueEntry makes the entry of an accepted message, for its recipients elsewhere; nil
// when it has none. The same forward-path twice is one recipient.
func queueEntry(a *accepted, agency string) *entry {
	env := &a.env
	var q *entry
	for i := range env.Recipients {
		r := &env.Recipients[i]
		if r.Account != 0 {
			continue
		}
		if q == nil {
			q = &entry{id: env.QueueID, from: env.From, lane: env.Lane, created: env.Received.UnixNano(),
				size: int64(len(env.Prefix)) + a.ref.Size, sender: env.Sender, ref: a.ref, accept: a, run: share(env.Run),
				rcpts: make([]waiting, 0, len(env.Recipients)-i)}
			if agency == "" {
				agency = agencyOf(env.Recipients[i:])
			}
			q.agency = share(agency)
			if opens := due(env); opens > q.created {
				q.opens = opens
			}
		}
		if q.find(r.Path) < 0 {
			q.rcpts = append(q.rcpts, waiting{address: r.Path, next: due(env)})
		}
	}
	return q
}

// due is when a message may be delivered at the earliest.
func due(env *store.Envelope) int64 {
	if env.NotBefore.After(env.Received) {
		return env.NotBefore.UnixNano()
	}
	return env.Received.UnixNano()
}

// agencyOf is the one agency that mail from outside is for. When it is for several, none
// may stop or drop it for the others, or see whom it is for: it is the operator's.
func agencyOf(rcpts []store.Recipient) (agency string) {
	for i := range rcpts {
		switch a := rcpts[i].Agency; {
		case rcpts[i].Account != 0 || a == "" || a == agency:
		case agency != "":
			return ""
		default:
			agency = a
		}
	}
	return agency
}

func (q *entry) find(address string) int {
	for i := range q.rcpts {
		if q.rcpts[i].address == address {
			return i
		}
	}
	return -1
}

// shown is the entry as other rooms see it.
func (q *entry) shown() store.QueueEntry {
	out := store.QueueEntry{ID: q.id, From: q.from, Lane: q.lane, Created: time.Unix(0, q.created), Size: q.size,
		State: q.state(), Why: q.why.String(), Sender: q.sender, Agency: q.agency.String(), Run: q.run.String(), Body: q.ref.ID,
		Recipients: make([]store.QueueRecipient, len(q.rcpts))}
	if q.opens != 0 {
		out.NotBefore = time.Unix(0, q.opens)
	}
	for i := range q.rcpts {
		w := &q.rcpts[i]
		r := &out.Recipients[i]
		*r = store.QueueRecipient{Address: w.address, State: w.state(), NextTry: time.Unix(0, w.next), Attempts: int(w.attempts),
			Remote: w.remote.String(), Code: int(w.code), Enhanced: w.enhanced.String(), Text: w.text.String(),
			TLS: w.tl.String(), Delayed: w.delayed}
	}
	return out
}

// gone is what a watcher hears of an entry that is over.
func (q *entry) gone() store.QueueEntry {
	return store.QueueEntry{ID: q.id, From: q.from, Lane: q.lane, Created: time.Unix(0, q.created), Size: q.size,
		State: store.Waiting, Sender: q.sender, Agency: q.agency.String(), Run: q.run.String(), Body: q.ref.ID}
}

func (w *waiting) state() string {
	if w.held {
		return store.Holding
	}
	return store.Waiting
}

// state is held when every recipient is.
func (q *entry) state() string {
	if len(q.rcpts) > 0 && !slices.ContainsFunc(q.rcpts, func(w waiting) bool { return !w.held }) {
		return store.Holding
	}
	return store.Waiting
}

// after is the entry with outcomes in it; nil when no recipient is left.
func (q *entry) after(outs []store.Outcome) *entry {
	next := *q
	next.rcpts = slices.Clone(q.rcpts)
	for i := range outs {
		o := &outs[i]
		at := next.find(o.Recipient)
		if at < 0 {
			continue
		}
		if o.Done {
			next.rcpts = slices.Delete(next.rcpts, at, at+1)
			continue
		}
		next.rcpts[at].tried(o)
	}
	if len(next.rcpts) == 0 {
		return nil
	}
	return &next
}

// tried puts an outcome that is not the last into a recipient.
func (w *waiting) tried(o *store.Outcome) {
	if !o.NextTry.IsZero() {
		w.next = o.NextTry.UnixNano()
	}
	w.code, w.enhanced, w.text = uint16(o.Code), share(o.Enhanced), share(o.Text)
	w.delayed = w.delayed || o.Delayed
	if o.NoAttempt && o.Remote == "" {
		if o.TLS != "" {
			w.tl = share(o.TLS)
		}
		return // remote and TLS are those of the last attempt
	}
	w.remote, w.tl = share(o.Remote), share(o.TLS)
	if !o.NoAttempt {
		w.attempts++
	}
}

// under is the entry after a verb of an administrator: the entry itself when it changes
// nothing, nil when nothing is left.
func (q *entry) under(v *verb) *entry {
	if v.kind == verbDrop {
		return nil
	}
	next := *q
	next.rcpts = slices.Clone(q.rcpts)
	changed := false
	for i := range next.rcpts {
		w := &next.rcpts[i]
		switch {
		case v.kind == verbHold && !w.held:
			w.held, changed = true, true
		case v.kind == verbRelease && w.held:
			w.held, w.next, changed = false, max(v.at, q.opens), true
		case v.kind == verbRetry && !w.held: // also what is due: the runner may have its own reason to wait
			at := max(v.at, q.opens)
			if at > v.at && at == w.next {
				continue // it waits for its window, whoever asks
			}
			w.next, changed = at, true
		}
	}
	switch v.kind {
	case verbHold:
		changed = changed || next.why.String() != v.why
		next.why = share(v.why)
	case verbRelease:
		next.why = shared{}
	}
	if !changed {
		return q
	}
	return &next
}
