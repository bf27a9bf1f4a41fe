package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sampul/policy"
	"sampul/store"
)

const (
	rahsiaLimit  = 5         // different messages, unless the application has another
	rahsiaWindow = time.Hour // in which they count
)

// byRule is the suite, acting by a rule of its own.
func byRule(rule string) store.Actor { return store.Actor{Role: store.RoleOperator, Rule: rule} }

// ruleStore is what of a store an [incidentRule] uses.
type ruleStore interface {
	store.Incidents
	AppNamed(ctx context.Context, by store.Actor, address string) (*store.App, error)
	AppHistory(ctx context.Context, by store.Actor, address string) ([]store.App, error)
	PutApp(ctx context.Context, by store.Actor, a store.App, reason string) (*store.App, error)
}

// An incidentRule records incidents, and suspends an application that sends different RAHSIA
// messages again and again. It stands where each refusal is recorded, before it is answered,
// so that no connection gets around it; what it knows it reads from the incidents, so that a
// restart forgets nothing.
type incidentRule struct {
	st      ruleStore
	clock   func() time.Time
	log     *slog.Logger
	alarmed func(rule string)

	mu     sync.Mutex // messages that come at once suspend once
	loaded bool
	marked map[string][]markedMessage // by application
}

// A markedMessage is one that was refused.
type markedMessage struct {
	at     time.Time
	letter string // what tells it from others, and is the same when it is sent again
	id     string
}

// AddIncident keeps an incident, and what follows from it. Its error means that the message
// was not judged: the client comes again.
func (r *incidentRule) AddIncident(ctx context.Context, in store.Incident) (string, error) {
	id, err := r.st.AddIncident(ctx, in)
	if err != nil || !marksRahsia(&in) {
		return id, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := r.count(ctx, in.Account, id); err != nil {
		return "", fmt.Errorf("incident %s of application %s: %w", id, in.Account, err)
	}
	return id, nil
}

// marksRahsia says whether an incident is of an application whose message was refused as
// RAHSIA or above.
func marksRahsia(in *store.Incident) bool {
	return in.App && in.Account != "" && !in.Suspicion &&
		(in.Class == policy.Rahsia.String() || in.Class == policy.RahsiaBesar.String()) &&
		in.Action != policy.Accept.String() && in.Action != policy.Tag.String()
}

// count looks whether the application has had enough.
func (r *incidentRule) count(ctx context.Context, address, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := r.clock().Add(-rahsiaWindow)
	if err := r.load(ctx, since); err != nil {
		return err
	}
	in, err := r.st.IncidentByID(ctx, store.System, id)
	if err != nil {
		return err
	}
	r.note(in)
	for range 5 { // somebody may change it at the same moment
		if err = r.weigh(ctx, address, id, since); !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

// weigh suspends the application where its messages are too many. r.mu is held.
func (r *incidentRule) weigh(ctx context.Context, address, id string, since time.Time) error {
	app, err := r.st.AppNamed(ctx, store.System, address)
	if err != nil {
		return err
	}
	resumed, err := r.resumed(ctx, app)
	if err != nil {
		return err
	}
	if resumed.After(since) {
		since = resumed
	}
	r.marked[address] = slices.DeleteFunc(r.marked[address], func(m markedMessage) bool { return !m.at.After(since) })
	different := map[string]bool{}
	for _, m := range r.marked[address] {
		different[m.letter] = true
	}
	limit := cmp.Or(app.RahsiaLimit, rahsiaLimit)
	if len(different) < limit || app.State != store.AppActive {
		return nil
	}
	app.State = store.AppSuspended
	app.Why = fmt.Sprintf("%d mesej RAHSIA dalam sejam / %[1]d RAHSIA messages within an hour (insiden %s)", limit, id)
	if _, err := r.st.PutApp(ctx, byRule("rahsia"), *app, app.Why); err != nil {
		return err
	}
	r.log.Warn("application suspended", "app", address, "rule", "rahsia", "messages", len(different), "incident", id)
	r.alarmed("rahsia")
	return nil
}

// load reads the incidents of the last hour, once.
func (r *incidentRule) load(ctx context.Context, since time.Time) error {
	if r.loaded {
		return nil
	}
	all, err := r.st.Incidents(ctx, store.System, store.IncidentFilter{Since: since})
	if err != nil {
		return err
	}
	r.marked = map[string][]markedMessage{}
	for i := range all {
		if marksRahsia(&all[i]) {
			r.note(&all[i])
		}
	}
	r.loaded = true
	return nil
}

// note takes an incident in, once.
func (r *incidentRule) note(in *store.Incident) {
	if slices.ContainsFunc(r.marked[in.Account], func(m markedMessage) bool { return m.id == in.ID }) {
		return
	}
	letter := cmp.Or(in.Letter, in.ID) // where nothing tells it from others, it counts
	r.marked[in.Account] = append(r.marked[in.Account], markedMessage{in.Time, letter, in.ID})
}

// resumed is when the application was last let on after a suspension: what was before counts
// no more.
func (r *incidentRule) resumed(ctx context.Context, app *store.App) (time.Time, error) {
	history, err := r.st.AppHistory(ctx, store.System, app.Address)
	if err != nil {
		return time.Time{}, err
	}
	for i := len(history) - 1; i > 0; i-- {
		if history[i].State == store.AppActive && history[i-1].State == store.AppSuspended {
			return history[i].Time, nil
		}
	}
	return time.Time{}, nil
}
