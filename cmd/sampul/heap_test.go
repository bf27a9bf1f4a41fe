package main

import "testing"

// The heap grows more only for a long queue, and never beyond what a queue of its length may use.
func TestGrowth(t *testing.T) {
	for _, tt := range []struct {
		name   string
		live   uint64
		queued int
		want   int
	}{
		{"a short queue", 10 << 20, longQueue - 1, usualGrowth},
		{"nothing is known yet", 0, longQueue, usualGrowth},
		{"a small heap", 20 << 20, longQueue, mostGrowth},
		{"a quarter of the room", 100 << 20, 100_000, 300},
		{"the longest queue", 100 << 20, longest, 150},
		{"two thirds", 160 << 20, 200_000, usualGrowth},
		{"more than the room", 900 << 20, 2_000_000, usualGrowth},
	} {
		if got := growth(tt.live, tt.queued); got != tt.want {
			t.Errorf("%s: %d percent, not %d", tt.name, got, tt.want)
		}
	}
}
