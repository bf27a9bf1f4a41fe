package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

const (
	flushEvery = 3 * time.Second
	flushTime  = 20 * time.Second // for one flush
	recounted  = 48               // hours of an application that are noted anew at the start
)

// TallyStore is what of a store a tally uses.
type TallyStore interface {
	Apps(ctx context.Context, by store.Actor) ([]store.App, error)
	App(id store.AccountID) *store.App
	AppCounts(id store.AccountID) ([]store.AppCount, error)
	AddUsage(ctx context.Context, deltas []store.AppUsage) error
	Usage(ctx context.Context, by store.Actor, app string, since, until time.Time) ([]store.AppUsage, error)
}

// TallyDeps are what a tally needs. Observe, Unusual and Log may be nil.
type TallyDeps struct {
	Store TallyStore
	Clock func() time.Time
	Log   *slog.Logger
	// Observe hears of all that is counted: accepted, refused, delivered, bounced.
	Observe func(result string, recipients int)
	// Unusual hears of an application that sends far more than it does at this hour; once
	// an hour in the life of the process.
	Unusual func(ctx context.Context, app *store.App, hour time.Time, accepted, usual uint64)
}

// A Tally gathers what applications did, and keeps it every few seconds: a crash loses what
// was refused, delivered and bounced since then. What was accepted the store counts itself.
type Tally struct {
	d       TallyDeps
	mu      sync.Mutex
	pending map[tallied]*store.AppUsage
	flush   sync.Mutex // one at a time
	volume  map[store.AccountID]*volume
}

type tallied struct {
	app  store.AccountID
	hour int64
}

// NewTally makes a tally; [Tally.Run] keeps what it gathers.
func NewTally(d TallyDeps) *Tally {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Observe == nil {
		d.Observe = func(string, int) {}
	}
	return &Tally{d: d, pending: map[tallied]*store.AppUsage{}, volume: map[store.AccountID]*volume{}}
}

// at is the row of an application in this hour. t.mu is held.
func (t *Tally) at(id store.AccountID) *store.AppUsage {
	return row(t.pending, id, window.Start(window.Hour, t.d.Clock()))
}

func row(all map[tallied]*store.AppUsage, id store.AccountID, hour time.Time) *store.AppUsage {
	key := tallied{id, hour.Unix()}
	u := all[key]
	if u == nil {
		u = &store.AppUsage{App: id, Hour: hour}
		all[key] = u
	}
	return u
}

// Count is for [Deps]: recipients were accepted ("" as reason) or refused.
func (t *Tally) Count(app *store.App, reason string, n int) {
	if n <= 0 {
		return
	}
	t.mu.Lock()
	u := t.at(app.Account) // for what was accepted the row is enough: it is counted anew
	result := "accepted"
	if reason != "" {
		if u.Refused == nil {
			u.Refused = map[string]uint64{}
		}
		u.Refused[reason] += uint64(n)
		result = "refused"
	}
	t.mu.Unlock()
	t.d.Observe(result, n)
}

// Became counts what became of recipients: delivered or filed here, bounced or expired.
// Other events are not over yet.
func (t *Tally) Became(id store.AccountID, event string, n int) {
	if id == 0 || n <= 0 {
		return
	}
	t.mu.Lock()
	switch event {
	case "delivered", "filed":
		t.at(id).Delivered += uint64(n)
		event = "delivered"
	case "bounced", "expired":
		t.at(id).Bounced += uint64(n)
		event = "bounced"
	default:
		event = ""
	}
	t.mu.Unlock()
	if event != "" {
		t.d.Observe(event, n)
	}
}

// Flush keeps what was gathered, durably. What cannot be kept is tried again.
func (t *Tally) Flush(ctx context.Context) error {
	_, err := t.keep(ctx)
	return err
}

func (t *Tally) keep(ctx context.Context) ([]store.AppUsage, error) {
	t.flush.Lock()
	defer t.flush.Unlock()
	t.mu.Lock()
	taken := t.pending
	t.pending = map[tallied]*store.AppUsage{}
	t.mu.Unlock()
	if len(taken) == 0 {
		return nil, nil
	}
	all := make([]store.AppUsage, 0, len(taken))
	for _, u := range taken {
		all = append(all, *u)
	}
	if err := t.d.Store.AddUsage(ctx, all); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, u := range taken {
			have := row(t.pending, u.App, u.Hour)
			have.Delivered += u.Delivered
			have.Bounced += u.Bounced
			for reason, n := range u.Refused {
				if have.Refused == nil {
					have.Refused = map[string]uint64{}
				}
				have.Refused[reason] += n
			}
		}
		return nil, err
	}
	return all, nil
}

// Run keeps what is gathered until ctx ends, and what there is then.
func (t *Tally) Run(ctx context.Context) {
	if err := t.recount(ctx); err != nil && ctx.Err() == nil {
		t.d.Log.Error("usage of applications not recounted", "err", err)
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
		t.turn(context.WithoutCancel(ctx))
	}
}

func (t *Tally) turn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	kept, err := t.keep(ctx)
	if err == nil {
		err = t.watch(ctx, kept)
	}
	if err != nil {
		t.d.Log.Error("usage of applications not kept", "err", err)
	}
}

// recount has the store note again what was accepted lately: a crash came before the last
// flush, perhaps.
func (t *Tally) recount(ctx context.Context) error {
	apps, err := t.d.Store.Apps(ctx, store.System)
	if err != nil {
		return err
	}
	for i := range apps {
		counts, err := t.d.Store.AppCounts(apps[i].Account)
		if err != nil {
			return err
		}
		n := 0
		t.mu.Lock()
		for k := len(counts) - 1; k >= 0 && n < recounted; k-- { // in order of time
			if c := &counts[k]; c.Window == store.WindowHour && !c.Start.After(t.d.Clock()) {
				row(t.pending, apps[i].Account, c.Start)
				n++
			}
		}
		t.mu.Unlock()
	}
	return nil
}
