package bolt

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sampul/store"
	"sampul/store/journal"
)

// runsState is the name under which it is kept what people did to runs.
const runsState = "runs"

// maxActs is how many acts are remembered; those of runs that are paused always are.
const maxActs = 5000

// A runAct is what a person did to a run last.
type runAct struct {
	App    store.AccountID
	Tag    string
	Paused bool   `json:",omitempty"`
	Act    string `json:",omitempty"`
	By     string `json:",omitempty"`
	Why    string `json:",omitempty"`
	At     time.Time
}

// pausedWhy is why the messages of a paused run are held.
func pausedWhy(tag string) string { return "the run " + tag + " is paused" }

func (e *Engine) loadRunActs() error {
	raw, err := e.State(runsState)
	if err != nil {
		return err
	}
	var all []*runAct
	if raw != nil {
		if err := json.Unmarshal(raw, &all); err != nil {
			return fmt.Errorf("runs: %w", err)
		}
	}
	e.runs.acts = map[runKey]*runAct{}
	for _, a := range all {
		e.runs.acts[runKey{a.App, a.Tag}] = a
	}
	return nil
}

// RunPaused says whether a run is held.
func (e *Engine) RunPaused(app store.AccountID, tag string) bool {
	if tag == "" {
		return false
	}
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	a := e.runs.acts[runKey{app, tag}]
	return a != nil && a.Paused
}

// holdPaused is an entry as it is to be from its beginning: held, when its run is paused.
// Its turn is held.
func (e *Engine) holdPaused(q *entry) *entry {
	tag := q.run.String()
	if tag == "" || !e.RunPaused(q.sender, tag) {
		return q
	}
	v := verb{kind: verbHold, why: pausedWhy(tag), at: e.clock().UnixNano(), ids: []string{q.id}}
	if _, err := e.streams[q.lane].j.AppendWritten(journal.Verb, v.fields()); err != nil {
		e.log.Error("message of a paused run: the hold is not recorded", "id", q.id, "err", e.failure(err))
	}
	return q.under(&v)
}

// holdAllPaused holds again what of paused runs is not: after power loss the last holds may
// not have been written.
func (e *Engine) holdAllPaused(ctx context.Context) error {
	e.runs.mu.Lock()
	var paused []runKey
	for k, a := range e.runs.acts {
		if a.Paused {
			paused = append(paused, k)
		}
	}
	e.runs.mu.Unlock()
	for _, k := range paused {
		f := store.QueueFilter{Sender: k.app, Run: k.tag, State: store.Waiting}
		if _, err := e.QueueHold(ctx, store.System, f, pausedWhy(k.tag)); err != nil {
			return err
		}
	}
	return nil
}

// Runs are those of an application, or of all that the actor sees.
func (e *Engine) Runs(ctx context.Context, by store.Actor, app string) ([]store.Run, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	apps := map[store.AccountID]store.App{}
	if app != "" {
		a, err := e.runApp(ctx, by, app)
		if err != nil {
			return nil, err
		}
		apps[a.Account] = *a
	} else {
		all, err := e.Apps(ctx, by)
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			apps[a.Account] = a
		}
	}
	var out []store.Run
	e.runs.mu.Lock()
	seen := func(k runKey, c runCount) {
		a, ok := apps[k.app]
		if !ok {
			return
		}
		r := store.Run{App: a.Address, Agency: a.Agency, Tag: k.tag, State: store.RunDone, Accepted: c.accepted, Waiting: c.waiting(),
			Delivered: c.delivered, Bounced: c.bounced, Dropped: c.dropped}
		if c.first != 0 {
			r.First, r.Last = time.Unix(0, c.first), time.Unix(0, c.last)
		}
		if r.Waiting > 0 {
			r.State = store.RunActive
		}
		if act := e.runs.acts[k]; act != nil {
			r.Act, r.By, r.Why, r.Changed = act.Act, act.By, act.Why, act.At
			if act.Paused {
				r.State = store.RunPaused
			}
		}
		out = append(out, r)
	}
	for k, c := range e.runs.by {
		seen(k, *c)
	}
	for k, a := range e.runs.acts {
		if e.runs.by[k] == nil && a.Paused {
			seen(k, runCount{})
		}
	}
	e.runs.mu.Unlock()
	slices.SortFunc(out, func(a, b store.Run) int {
		return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.Tag, b.Tag))
	})
	return out, nil
}

// runApp finds an application for who may act on it.
func (e *Engine) runApp(ctx context.Context, by store.Actor, app string) (*store.App, error) {
	a, err := e.AppNamed(ctx, by, app)
	if err != nil {
		return nil, err
	}
	return a, permit(by, a.Agency)
}

// PauseRun holds what waits of a run, and what comes. The mark comes first: whatever is
// accepted meanwhile either sees it, or is there when the queue is gone through.
func (e *Engine) PauseRun(ctx context.Context, by store.Actor, app, tag, why string) (int, error) {
	f, err := e.actOnRun(ctx, by, app, tag, &runAct{Paused: true, Act: "pause", Why: why})
	if err != nil {
		return 0, err
	}
	f.State = store.Waiting
	return e.QueueHold(ctx, by, f, pausedWhy(tag))
}

// ResumeRun lets a run go on.
func (e *Engine) ResumeRun(ctx context.Context, by store.Actor, app, tag string) (int, error) {
	f, err := e.actOnRun(ctx, by, app, tag, &runAct{Act: "resume"})
	if err != nil {
		return 0, err
	}
	f.Why = pausedWhy(tag)
	return e.QueueRelease(ctx, by, f)
}

// DropRun takes away what waits. A run that is paused stays so.
func (e *Engine) DropRun(ctx context.Context, by store.Actor, app, tag, why string) (int, error) {
	f, err := e.actOnRun(ctx, by, app, tag, &runAct{Act: "drop", Why: why})
	if err != nil {
		return 0, err
	}
	return e.QueueDrop(ctx, by, f)
}

// actOnRun keeps what is done to a run, durably, and says which messages are of it.
func (e *Engine) actOnRun(ctx context.Context, by store.Actor, app, tag string, act *runAct) (f store.QueueFilter, err error) {
	if err := e.alive(); err != nil {
		return f, err
	}
	if tag == "" || len(tag) > store.MaxRun || len(act.Why) > 1000 {
		return f, fmt.Errorf("%w: a tag of 1 to %d octets is needed", store.ErrName, store.MaxRun)
	}
	a, err := e.runApp(ctx, by, app)
	if err != nil {
		return f, err
	}
	act.App, act.Tag, act.By, act.At = a.Account, tag, by.String(), e.clock().UTC()
	k := runKey{a.Account, tag}
	r := &e.runs
	r.acting.Lock()
	defer r.acting.Unlock()
	r.mu.Lock()
	was := r.acts[k]
	known := r.by[k] != nil || was != nil && was.Paused
	if act.Act == "drop" && was != nil {
		act.Paused = was.Paused
	}
	r.mu.Unlock()
	if !known && act.Act != "pause" {
		return f, fmt.Errorf("run %s of %s: %w", tag, app, store.ErrNotFound)
	}
	raw, err := json.Marshal(r.actsWith(k, act))
	if err == nil {
		err = e.KeepState(ctx, runsState, raw)
	}
	if err != nil {
		return f, fmt.Errorf("run %s: %w", tag, err)
	}
	r.mu.Lock()
	r.acts[k] = act
	r.mu.Unlock()
	return store.QueueFilter{Sender: a.Account, Run: tag}, nil
}

// actsWith are those to be kept, the latest first; of too many the oldest are forgotten.
func (r *runs) actsWith(k runKey, act *runAct) []*runAct {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []*runAct{act}
	for o, a := range r.acts {
		if o != k {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b *runAct) int { return b.At.Compare(a.At) })
	n := 0
	for i, a := range all {
		if i < maxActs || a.Paused {
			all[n] = a
			n++
			continue
		}
		delete(r.acts, runKey{a.App, a.Tag})
	}
	return all[:n]
}
