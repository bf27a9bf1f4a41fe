package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"sampul/store"
)

// The list of names is read once a minute, and a store that fails leaves the old one.
func TestOfficerNames(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	all, read := []store.Account{{Name: "Siti  binti Ali"}, {}}, 0
	var failing error
	o := officerNames{clock: func() time.Time { return now }, accounts: func(context.Context, store.Actor) ([]store.Account, error) {
		read++
		return all, failing
	}}
	for name, want := range map[string]bool{"siti BINTI  ali": true, "Siti": false, "": false, "  ": false} {
		if o.contains(name) != want {
			t.Errorf("%q: not %v", name, want)
		}
	}
	if read != 1 {
		t.Fatalf("accounts were read %d times", read)
	}
	all = []store.Account{{Name: "Ahmad"}}
	now = now.Add(namesFor)
	failing = errors.New("store is closed")
	if !o.contains("Siti binti Ali") {
		t.Error("a failing store took the names away")
	}
	if failing = nil; o.contains("Siti binti Ali") || !o.contains("ahmad") {
		t.Error("a minute later the old names are still used")
	}
}
