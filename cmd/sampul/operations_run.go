package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sampul/store"
)

// runArgs name runs; App may be "" where the tag says it all.
type runArgs struct {
	App, Agency, Tag, State, Why string
}

// A runChange is what a verb came to.
type runChange struct {
	store.Run
	Messages int `json:"changed_messages"` // messages that were held, released or taken away
}

var runOperations = map[string]operation{
	"run.list": op(func(ctx context.Context, st store.Store, a runArgs, emit func(any) error) error {
		all, err := st.Runs(ctx, store.System, a.App)
		all = slices.DeleteFunc(all, func(r store.Run) bool {
			return a.Agency != "" && r.Agency != a.Agency || a.State != "" && r.State != a.State || a.Tag != "" && r.Tag != a.Tag
		})
		return each(emit, all, err)
	}),
	"run.show": op(func(ctx context.Context, st store.Store, a runArgs, emit func(any) error) error {
		r, err := oneRun(ctx, st, a)
		return oneOf(emit, r, err)
	}),
	"run.pause": runVerb(true, func(ctx context.Context, st store.Store, a runArgs) (int, error) {
		return st.PauseRun(ctx, store.System, a.App, a.Tag, a.Why)
	}),
	"run.resume": runVerb(false, func(ctx context.Context, st store.Store, a runArgs) (int, error) {
		return st.ResumeRun(ctx, store.System, a.App, a.Tag)
	}),
	"run.drop": runVerb(false, func(ctx context.Context, st store.Store, a runArgs) (int, error) {
		return st.DropRun(ctx, store.System, a.App, a.Tag, a.Why)
	}),
}

// oneRun finds the run that is meant.
func oneRun(ctx context.Context, st store.Store, a runArgs) (*store.Run, error) {
	all, err := st.Runs(ctx, store.System, a.App)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r store.Run) bool { return r.Tag != a.Tag })
	switch len(all) {
	case 0:
		return nil, fmt.Errorf("run %s: %w", a.Tag, store.ErrNotFound)
	case 1:
		return &all[0], nil
	}
	var apps []string
	for _, r := range all {
		apps = append(apps, r.App)
	}
	return nil, usagef("run %s: several applications have one, say --app ADDRESS: %s", a.Tag, strings.Join(apps, ", "))
}

// runVerb does something to a run, and tells how it stands then. A run that has not begun
// can be named by its application alone.
func runVerb(unborn bool, do func(context.Context, store.Store, runArgs) (int, error)) operation {
	return op(func(ctx context.Context, st store.Store, a runArgs, emit func(any) error) error {
		if !unborn || a.App == "" {
			r, err := oneRun(ctx, st, a)
			if err != nil {
				return err
			}
			a.App = r.App
		}
		n, err := do(ctx, st, a)
		if err != nil {
			return err
		}
		r, err := oneRun(ctx, st, a)
		if err != nil {
			return err
		}
		return emit(runChange{*r, n})
	})
}
