package main

import (
	"context"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// usageArgs pick what is told of applications.
type usageArgs struct {
	Address      string
	Agency       string
	Since, Until time.Time
}

// A usageLine is what an application did, and how it stands with its quotas.
type usageLine struct {
	App    string    `json:"app"`
	Agency string    `json:"agency"`
	State  string    `json:"state"`
	At     time.Time `json:"at"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Hour   uint64    `json:"hour"` // accepted in the hour that runs
	Day    uint64    `json:"day"`  // accepted on the day that runs
	usageSum
	Waiting uint64                `json:"waiting"`
	Quota   map[string]quotaState `json:"quota"`
}

// usageSum is what was counted in a span of time, in recipients.
type usageSum struct {
	Accepted  uint64            `json:"accepted"`
	Refused   map[string]uint64 `json:"refused"`
	Delivered uint64            `json:"delivered"`
	Bounced   uint64            `json:"bounced"`
}

func (s *usageSum) add(u *store.AppUsage) {
	s.Accepted += u.Accepted
	s.Delivered += u.Delivered
	s.Bounced += u.Bounced
	for reason, n := range u.Refused {
		s.Refused[reason] += n
	}
}

func (s *usageSum) refused() (n uint64) {
	for _, k := range s.Refused {
		n += k
	}
	return n
}

// A quotaState is how much of a quota is used in the window that runs.
type quotaState struct {
	Limit uint64    `json:"limit"`
	Used  uint64    `json:"used"`
	Opens time.Time `json:"opens"` // when the next window begins
}

var usageOperations = map[string]operation{
	"app.usage": op(func(ctx context.Context, st store.Store, a usageArgs, emit func(any) error) error {
		out, err := usageOf(ctx, st, &a)
		return oneOf(emit, out, err)
	}),
	"usage.hours": op(usageHours),
}

// keepUsage has the running suite keep what it counted until now.
func keepUsage(ctx context.Context) error {
	if l := live(ctx); l != nil {
		return l.KeepUsage(ctx)
	}
	return nil
}

// usageHours gives what applications did, hour by hour.
func usageHours(ctx context.Context, st store.Store, a usageArgs, emit func(any) error) error {
	if err := keepUsage(ctx); err != nil {
		return err
	}
	all, err := st.Usage(ctx, store.System, a.Address, a.Since, a.Until)
	for i := range all {
		if a.Agency != "" && all[i].Agency != a.Agency {
			continue
		}
		if err := emit(all[i]); err != nil {
			return err
		}
	}
	return err
}

// usageOf sums up what one application did.
func usageOf(ctx context.Context, st store.Store, a *usageArgs) (*usageLine, error) {
	app, err := st.AppNamed(ctx, store.System, a.Address)
	if err != nil {
		return nil, err
	}
	if err := keepUsage(ctx); err != nil {
		return nil, err
	}
	now := clockOf(ctx)
	out := &usageLine{App: app.Address, Agency: app.Agency, State: app.State, At: now.Truncate(time.Second), Since: a.Since, Until: a.Until,
		usageSum: usageSum{Refused: map[string]uint64{}}, Quota: map[string]quotaState{}}
	all, err := st.Usage(ctx, store.System, app.Address, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	hour, day := window.Start(window.Hour, now), window.Start(window.Day, now)
	for i := range all {
		u := &all[i]
		if !u.Hour.Before(day) {
			out.Day += u.Accepted
		}
		if !u.Hour.Before(hour) {
			out.Hour += u.Accepted
		}
		if !u.Hour.Before(a.Since) && (a.Until.IsZero() || u.Hour.Before(a.Until)) {
			out.add(u)
		}
	}
	if out.Waiting, err = waitingOf(ctx, st, app.Account); err != nil {
		return nil, err
	}
	for w, limit := range app.Quota {
		used, opens, err := quotaUsed(ctx, st, app, w, now)
		if err != nil {
			return nil, err
		}
		out.Quota[w] = quotaState{limit, used, opens}
	}
	return out, nil
}

// waitingOf is how many recipients of an application wait in the queue.
func waitingOf(ctx context.Context, st store.Store, id store.AccountID) (n uint64, err error) {
	const page = 1000
	after := ""
	for {
		all, err := st.QueueList(ctx, store.System, store.QueueFilter{Sender: id}, after, page)
		if err != nil {
			return 0, err
		}
		for i := range all {
			n += uint64(len(all[i].Recipients))
			after = all[i].ID
		}
		if len(all) < page {
			return n, nil
		}
	}
}

// quotaUsed asks the running suite, or else what the store has counted.
func quotaUsed(ctx context.Context, st store.Store, app *store.App, name string, now time.Time) (used uint64, opens time.Time, err error) {
	if l := live(ctx); l != nil {
		return l.QuotaUsed(ctx, app, name)
	}
	counts, err := st.AppCounts(app.Account)
	start := window.Start(name, now)
	for i := range counts {
		if c := &counts[i]; c.Window == name && c.Start.Equal(start) {
			used += c.Count
		}
	}
	return used, window.Next(name, now), err
}

// KeepUsage keeps what applications did until now.
func (s *suite) KeepUsage(ctx context.Context) error { return s.apps.tally.Flush(ctx) }

// QuotaUsed is how much an application was granted in the window that runs.
func (s *suite) QuotaUsed(ctx context.Context, app *store.App, name string) (uint64, time.Time, error) {
	return s.relay.Used(ctx, app, name)
}
