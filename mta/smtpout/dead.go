package smtpout

import (
	"net/netip"
	"sync"
	"time"
)

// How long an address is left alone after it did not answer: the first time, and at most.
const (
	deadFirst = 30 * time.Second
	deadMost  = 10 * time.Minute
	maxDead   = 10000
)

// A deadList remembers addresses that did not answer, so that a hundred thousand messages
// for one of them do not each wait for their own time-out. When the time of an address is
// up, one message tries it; the others wait for what it finds.
type deadList struct {
	clock   func() time.Time
	mu      sync.Mutex
	entries map[deadKey]*deadEntry
}

type deadKey struct {
	address string
	source  netip.Addr
}

type deadEntry struct {
	until time.Time
	wait  time.Duration
	hops  map[string]bool // that met it, for Forget
	fault fault
}

// check is the fault of an address that is to be left alone now, or nil. Whoever gets nil
// for an entry that is there has trying long for finding out.
func (d *deadList) check(k deadKey, hop string, trying time.Duration) *fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[k]
	if e == nil {
		return nil
	}
	if len(e.hops) < 100 {
		e.hops[hop] = true
	}
	now := d.clock()
	if !now.Before(e.until) {
		e.until = now.Add(trying)
		return nil
	}
	f := e.fault
	f.text += " (a short while ago; not tried again yet)"
	return &f
}

// failed notes that the address did not answer.
func (d *deadList) failed(k deadKey, hop string, f *fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[k]
	if e == nil {
		if len(d.entries) >= maxDead {
			d.prune()
		}
		e = &deadEntry{wait: deadFirst / 2, hops: map[string]bool{}}
		d.entries[k] = e
	}
	e.wait = min(2*e.wait, deadMost)
	e.until = d.clock().Add(e.wait)
	e.hops[hop] = true
	e.fault = *f
}

func (d *deadList) prune() {
	now := d.clock()
	for k, e := range d.entries {
		if !now.Before(e.until) || len(d.entries) > maxDead*9/10 {
			delete(d.entries, k)
		}
	}
}

func (d *deadList) works(k deadKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.entries, k)
}

func (d *deadList) forget(hop string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, e := range d.entries {
		if e.hops[hop] {
			delete(d.entries, k)
		}
	}
}
