package store

import "context"

// States keeps small things of other rooms that should survive a restart, by name:
// counts for reports, what a greylist learned, cached policies. A value is at most
// [MaxState] octets.
type States interface {
	// KeepState replaces the value, durably; nil forgets it.
	KeepState(ctx context.Context, name string, value []byte) error
	// State is the value as it was kept last, nil when there is none.
	State(name string) ([]byte, error)
}

// MaxState is how long a value of [States] may be.
const MaxState = 16 << 20
