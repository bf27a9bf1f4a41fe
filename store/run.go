package store

import (
	"context"
	"time"
)

// States of a run.
const (
	RunActive = "active" // some of it waits
	RunPaused = "paused" // what waits of it, and what comes, is held
	RunDone   = "done"   // nothing of it waits
)

// A Run is what an application sent with one tag (X-Sampul-Run). Counts are recipients, and
// add up: accepted are those that wait, were delivered, bounced, or dropped.
type Run struct {
	App       string    `json:"app"` // address of the application
	Agency    string    `json:"agency"`
	Tag       string    `json:"run"`
	State     string    `json:"state"`
	Accepted  uint64    `json:"accepted"`
	Waiting   uint64    `json:"waiting"`
	Delivered uint64    `json:"delivered"`
	Bounced   uint64    `json:"bounced"` // or expired
	Dropped   uint64    `json:"dropped"`
	First     time.Time `json:"first,omitzero"` // when the first of it was accepted
	Last      time.Time `json:"last,omitzero"`

	Act     string    `json:"act,omitempty"` // what a person did to it last: pause, resume, drop
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Changed time.Time `json:"changed,omitzero"`
}

// Runs counts runs, exactly, also over a crash, and holds them. An administrator sees those
// of the own agency; a run of an application that another agency has is not found.
type Runs interface {
	// RunPaused is from memory: every message of a run asks.
	RunPaused(app AccountID, tag string) bool
	// Runs are those of an application, or of all when app is "", by application and tag.
	Runs(ctx context.Context, by Actor, app string) ([]Run, error)
	// PauseRun holds what waits of a run, and what is accepted of it from now on; it may be
	// one that has not begun. It returns how many messages are held now.
	PauseRun(ctx context.Context, by Actor, app, tag, why string) (int, error)
	// ResumeRun undoes it. What somebody held for another reason stays.
	ResumeRun(ctx context.Context, by Actor, app, tag string) (int, error)
	// DropRun takes away what waits of a run; nobody is told, and it is counted.
	DropRun(ctx context.Context, by Actor, app, tag, why string) (int, error)
}
