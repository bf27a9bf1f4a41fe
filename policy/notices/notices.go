// Package notices writes to people about incidents: to a sender who logged in, and to the
// security officers and administrators of each agency about its own side. Incidents are
// gathered by source, rule and hour, so that a thousand of them make a few letters. A
// notice never holds content, nor a Subject.
package notices

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sampul/store"
)

const (
	hour     = time.Hour
	perHour  = 20 // groups of one addressee in an hour; more are gathered together
	numbered = 20 // incidents that a notice names
	batch    = 500
	again    = time.Minute // after a fault
	stateKey = "notices"
)

// Deps are what notices need.
type Deps struct {
	Incidents func(ctx context.Context, by store.Actor, f store.IncidentFilter) ([]store.Incident, error)
	States    store.States
	// Addressees are the security officers and administrators of an agency.
	Addressees func(ctx context.Context, agency string) ([]string, error)
	// Owner answers for an application, "" for nobody known; nil where there are none.
	Owner func(application string) string
	// Post sends a letter. Its error is temporary: the letter is tried again.
	Post  func(ctx context.Context, to, subject, text string) error
	Clock func() time.Time
	Log   *slog.Logger
}

// Notices gathers incidents and posts letters about them.
type Notices struct {
	d    Deps
	wake chan struct{}
	s    state
}

// state is what outlives a restart.
type state struct {
	Cursor uint64            `json:"cursor"` // Seq of the last incident that was gathered
	Groups map[string]*group `json:"groups"`
}

// A group is what one letter tells.
type group struct {
	To      string    `json:"to"`
	Agency  string    `json:"agency,omitempty"` // whose side; "" tells a sender
	App     string    `json:"app,omitempty"`    // application whose owner is told
	Due     time.Time `json:"due"`              // when what waits is sent
	Waiting []item    `json:"waiting,omitempty"`
	More    int       `json:"more,omitempty"` // incidents beyond those named
}

// An item is what a letter says of an incident.
type item struct {
	ID, Class, Severity, Action, Direction, Where, Sender, Case string
	Recipients                                                  int
	Time                                                        time.Time
}

// New makes a gatherer; [Notices.Run] does the work.
func New(d Deps) (*Notices, error) {
	n := &Notices{d: d, wake: make(chan struct{}, 1)}
	raw, err := d.States.State(stateKey)
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &n.s); err != nil {
			return nil, fmt.Errorf("notices: %w", err)
		}
	}
	if n.s.Groups == nil {
		n.s.Groups = map[string]*group{}
	}
	return n, nil
}

// Wake says that there is a new incident. It never waits.
func (n *Notices) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run gathers and posts until ctx ends.
func (n *Notices) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		next, err := n.turn(ctx)
		if err != nil && ctx.Err() == nil {
			n.d.Log.Error("notices wait", "err", err)
			next = n.d.Clock().Add(again)
		}
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(0, next.Sub(n.d.Clock())))
	}
}

// turn takes in what is new and posts what is due. It says when it should be called again.
func (n *Notices) turn(ctx context.Context) (time.Time, error) {
	for {
		all, err := n.fresh(ctx)
		if err != nil {
			return time.Time{}, err
		}
		for i := range all {
			if err := n.take(ctx, &all[i]); err != nil {
				return time.Time{}, err
			}
			n.s.Cursor = all[i].Seq
		}
		if len(all) < batch {
			break
		}
	}
	now := n.d.Clock()
	var next time.Time
	for key, g := range n.s.Groups {
		if g.Due.After(now) {
			if next.IsZero() || g.Due.Before(next) {
				next = g.Due
			}
			continue
		}
		if len(g.Waiting) == 0 { // an hour without more of it
			delete(n.s.Groups, key)
			continue
		}
		if err := n.d.Post(ctx, g.To, g.subject(), g.text()); err != nil {
			return next, fmt.Errorf("to <%s>: %w", g.To, err)
		}
		g.Waiting, g.More, g.Due = nil, 0, now.Add(hour)
		if next.IsZero() || g.Due.Before(next) {
			next = g.Due
		}
		if err := n.keep(ctx); err != nil {
			return next, err
		}
	}
	return next, n.keep(ctx)
}

func (n *Notices) keep(ctx context.Context) error {
	raw, err := json.Marshal(n.s)
	if err != nil {
		return err
	}
	return n.d.States.KeepState(ctx, stateKey, raw)
}

// fresh are incidents that were not gathered yet, the oldest first.
func (n *Notices) fresh(ctx context.Context) ([]store.Incident, error) {
	if n.s.Cursor > 0 {
		return n.d.Incidents(ctx, store.System, store.IncidentFilter{After: n.s.Cursor, Max: batch})
	}
	all, err := n.d.Incidents(ctx, store.System, store.IncidentFilter{Max: batch - 1})
	slices.Reverse(all)
	return all, err
}

// take puts an incident into the groups of all who are to hear of it.
func (n *Notices) take(ctx context.Context, in *store.Incident) error {
	if in.Quiet || in.Listener == "notice" { // a letter about a letter would never end
		return nil
	}
	source := in.Account
	if source == "" {
		source = in.Sender
	}
	rule := in.Cause
	if rule == "" && len(in.Evidence) > 0 {
		rule = in.Evidence[0].Rule
	}
	refused := in.Account != "" && in.Action != "accept" && in.Action != "tag"
	switch {
	case refused && !in.App:
		n.add(group{To: in.Account}, rule, in, len(in.Recipients))
	case refused && n.d.Owner != nil:
		if owner := n.d.Owner(in.Account); owner != "" {
			n.add(group{To: owner, App: in.Account}, rule, in, len(in.Recipients))
		}
	}
	sides := append([]store.IncidentSide{{Agency: in.Agency, Recipients: in.Recipients}}, in.Sides...)
	for _, s := range sides {
		if s.Agency == "" {
			continue
		}
		to, err := n.d.Addressees(ctx, s.Agency)
		if err != nil {
			return err
		}
		for _, address := range to {
			n.add(group{To: address, Agency: s.Agency}, source+"\x00"+rule, in, len(s.Recipients))
		}
	}
	return nil
}

func (n *Notices) add(g group, why string, in *store.Incident, recipients int) {
	now := n.d.Clock()
	side := g.To + "\x00" + g.Agency
	if g.App != "" {
		side += "\x00app " + g.App
	}
	key := side + "\x00" + why
	have := n.s.Groups[key]
	if have == nil && n.groupsOf(g.To) >= perHour {
		key = side + "\x00*"
		have = n.s.Groups[key]
		g.Due = now.Add(hour)
	}
	if have == nil {
		if g.Agency != "" && in.Severity == "low" { // nobody need hurry
			g.Due = now.Add(hour)
		}
		have = &g
		n.s.Groups[key] = have
	}
	if len(have.Waiting) == numbered {
		have.More++
		return
	}
	it := item{ID: in.ID, Class: in.Class, Severity: in.Severity, Action: in.Action, Direction: in.Direction, Sender: in.Sender,
		Case: in.Case, Recipients: recipients, Time: in.Time}
	if in.Suspicion {
		it.Class += "?"
	}
	if len(in.Evidence) > 0 {
		it.Where = in.Evidence[0].Path
		if w := in.Evidence[0].Where; it.Where == "header" || it.Where == "" {
			it.Where = w
		}
	}
	have.Waiting = append(have.Waiting, it)
}

func (n *Notices) groupsOf(to string) int {
	k := 0
	for _, g := range n.s.Groups {
		if g.To == to {
			k++
		}
	}
	return k
}
