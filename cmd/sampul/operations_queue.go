package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sampul/mta"
	"sampul/store"
)

// Arguments of the operations on the queue and the trace.
type (
	queueVerbArgs struct {
		Filter store.QueueFilter
		Why    string
	}
	traceArgs struct {
		Key string
		Max int
	}
)

// A queueLine is an entry of the queue as --json shows it: all keys are always there.
type queueLine struct {
	ID         string           `json:"id"`
	From       string           `json:"from"`
	Lane       store.Lane       `json:"lane"`
	Created    time.Time        `json:"created"`
	Size       int64            `json:"size"`
	State      string           `json:"state"`
	Why        string           `json:"why,omitempty"` // of a hold
	Agency     string           `json:"agency,omitempty"`
	Run        string           `json:"run,omitempty"`       // tag of the run it is of
	NotBefore  time.Time        `json:"not_before,omitzero"` // it waits for its quota window until then
	Recipients []queueRecipient `json:"recipients"`
}

type queueRecipient struct {
	Address  string    `json:"address"`
	State    string    `json:"state"`
	NextTry  time.Time `json:"next_try"`
	Attempts int       `json:"attempts"`
	Remote   string    `json:"remote"`
	Code     int       `json:"code"`
	Enhanced string    `json:"enhanced"`
	Text     string    `json:"text"`
	TLS      string    `json:"tls"`
	Delayed  bool      `json:"delayed,omitempty"`
}

// active is the state of what is being delivered at this moment.
const active = "active"

// A moment is what the running suite knows that its store does not.
type moment struct {
	trying   map[string][]string // recipients that are being delivered to, by queue ID
	backlogs map[string]mta.Backlog
	time     time.Time
}

// now is the moment, empty while no suite runs.
func now(ctx context.Context) moment {
	if l := live(ctx); l != nil {
		return moment{l.Trying(), l.Backlogs(), l.Now()}
	}
	return moment{time: time.Now()}
}

// explain says why a recipient that is due waits, where nothing is recorded yet.
func (m moment) explain(q *store.QueueEntry, r *store.QueueRecipient) {
	if r.State != store.Waiting || r.Text != "" || r.Code != 0 {
		return
	}
	if q.NotBefore.After(m.time) {
		r.Text = "waits for its quota window until " + q.NotBefore.In(m.time.Location()).Format(time.RFC3339)
		return
	}
	b, ok := m.backlogs[r.Address[strings.LastIndexByte(r.Address, '@')+1:]]
	switch {
	case !ok:
	case b.Until.IsZero() && b.Pace > 0 && q.Lane == store.LaneBulk:
		r.Text = fmt.Sprintf("waits for its turn: bulk goes to this destination at %.0f messages a minute", b.Pace)
	case b.Until.IsZero():
		r.Text = fmt.Sprintf("waits for its turn: %d transactions wait for connections to this destination", b.Waiting)
	default:
		r.NextTry, r.Remote, r.Code, r.Enhanced, r.Text, r.TLS = b.Until, b.Last.Remote, b.Last.Code, b.Last.Enhanced, b.Last.Text, b.Last.TLS
	}
}

// lineOf shows an entry at a moment.
func lineOf(q *store.QueueEntry, m moment) queueLine {
	l := queueLine{q.ID, q.From, q.Lane, q.Created, q.Size, q.State, q.Why, q.Agency, q.Run, q.NotBefore, make([]queueRecipient, 0, len(q.Recipients))}
	for _, r := range q.Recipients {
		if slices.Contains(m.trying[q.ID], r.Address) {
			r.State, l.State = active, active
		}
		m.explain(q, &r)
		l.Recipients = append(l.Recipients, queueRecipient{r.Address, r.State, r.NextTry, r.Attempts, r.Remote, r.Code, r.Enhanced,
			r.Text, r.TLS, r.Delayed})
	}
	return l
}

// A traceLine is a story as --json shows it.
type traceLine struct {
	ID        string       `json:"id"`
	MessageID string       `json:"message_id"`
	Events    []traceEvent `json:"events"`
}

type traceEvent struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"`
	Host     string    `json:"host"`
	Code     int       `json:"code"`
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text"`
	From     string    `json:"from,omitempty"`
	To       []string  `json:"to,omitempty"`
}

func storyOf(s *store.Story) traceLine {
	l := traceLine{s.ID, s.MessageID, make([]traceEvent, 0, len(s.Events))}
	for _, e := range s.Events {
		l.Events = append(l.Events, traceEvent{e.Time, e.Event, e.Host, e.Code, e.Enhanced, e.Text, e.From, e.To})
	}
	return l
}

var queueOperations = map[string]operation{
	"queue.list": op(queueList),
	"queue.show": op(func(ctx context.Context, st store.Store, a idArgs, emit func(any) error) error {
		list, err := st.QueueList(ctx, store.System, store.QueueFilter{IDs: []string{a.ID}}, "", 1)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("queue ID %s: %w; `sampul trace %[1]s` tells what became of it", a.ID, store.ErrNotFound)
		}
		return emit(lineOf(&list[0], now(ctx)))
	}),
	"queue.hold": op(func(ctx context.Context, st store.Store, a queueVerbArgs, emit func(any) error) error {
		if strings.TrimSpace(a.Why) == "" {
			return usagef("--reason: whoever finds the mail held will want to know why")
		}
		n, err := st.QueueHold(ctx, store.System, a.Filter, a.Why)
		return emitChanged(emit, n, err)
	}),
	"queue.release": queueVerb(store.Store.QueueRelease),
	"queue.retry":   queueVerb(store.Store.QueueRetry),
	"queue.drop":    queueVerb(store.Store.QueueDrop),
	"trace": op(func(ctx context.Context, st store.Store, a traceArgs, emit func(any) error) error {
		stories, err := st.Stories(ctx, store.System, a.Key, a.Max)
		if err != nil {
			return err
		}
		if len(stories) == 0 {
			return fmt.Errorf("%s: %w in the trace; it keeps a set number of days, and wants a whole address, Message-ID or queue ID",
				a.Key, store.ErrNotFound)
		}
		for i := range stories {
			if err := emit(storyOf(&stories[i])); err != nil {
				return err
			}
		}
		return nil
	}),
	"quarantine.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Quarantined)(ctx)
	}),
	"quarantine.release": op(func(ctx context.Context, _ store.Store, a idArgs, _ func(any) error) error {
		if l := live(ctx); l != nil {
			return l.Release(ctx, a.ID)
		}
		return errNotRunning
	}),
	"quarantine.drop": op(func(ctx context.Context, st store.Store, a idArgs, _ func(any) error) error {
		return st.DropQuarantined(ctx, store.System, a.ID)
	}),
}

// queueList gives the queue page by page, so that its length costs no memory.
func queueList(ctx context.Context, st store.Store, f store.QueueFilter, emit func(any) error) error {
	const page = 1000
	for after := ""; ; {
		m := now(ctx)
		entries, err := st.QueueList(ctx, store.System, f, after, page)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := emit(lineOf(&entries[i], m)); err != nil {
				return err
			}
			after = entries[i].ID
		}
		if len(entries) < page {
			return nil
		}
	}
}

func queueVerb(do func(store.Store, context.Context, store.Actor, store.QueueFilter) (int, error)) operation {
	return op(func(ctx context.Context, st store.Store, a queueVerbArgs, emit func(any) error) error {
		n, err := do(st, ctx, store.System, a.Filter)
		return emitChanged(emit, n, err)
	})
}

// emitChanged says how many entries changed, also when not all did.
func emitChanged(emit func(any) error, n int, err error) error {
	if err != nil && n > 0 {
		return fmt.Errorf("after %d messages: %w", n, err)
	}
	if err != nil {
		return err
	}
	return emit(map[string]int{"changed": n})
}
