package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"sampul/store"
)

// namesFor is how long the list of our officers' names is used before it is read again.
const namesFor = time.Minute

// officerNames are the names of everybody here, to be looked up for each message from
// outside: reading all accounts each time would cost more than all the rest.
type officerNames struct {
	accounts func(context.Context, store.Actor) ([]store.Account, error)
	clock    func() time.Time

	mu   sync.Mutex
	read time.Time
	has  map[string]bool
}

// oneName is a name as it is compared.
func oneName(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// contains says whether one of our officers is called so, for mail that pretends to be from one.
func (o *officerNames) contains(name string) bool {
	name = oneName(name)
	if name == "" {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.clock(); o.has == nil || now.Sub(o.read) >= namesFor {
		all, err := o.accounts(context.Background(), store.System)
		if err != nil {
			return o.has[name]
		}
		o.read, o.has = now, make(map[string]bool, len(all))
		for i := range all {
			if n := oneName(all[i].Name); n != "" {
				o.has[n] = true
			}
		}
	}
	return o.has[name]
}
