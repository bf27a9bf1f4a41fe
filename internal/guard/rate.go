package guard

import (
	"net/netip"
	"sync"
	"time"
)

// A Rate is at most Max in any time as long as Per. Zero values are no limit.
type Rate struct {
	Max int
	Per time.Duration
}

func (r Rate) on() bool { return r.Max > 0 && r.Per > 0 }

// Rates counts events by key over a window that slides: what was counted in the window
// before counts for the part of it that is still within Per, as if it had come evenly.
type Rates[K comparable] struct {
	rate  Rate
	clock func() time.Time
	mu    sync.Mutex
	seen  map[K]*span
}

type span struct {
	start      time.Time // of the present window
	now, prior int
}

// maxRates bounds the keys of one counter; beyond it those that came first to hand go.
const maxRates = 50000

// NewRates makes a counter that asks clock.
func NewRates[K comparable](clock func() time.Time, r Rate) *Rates[K] {
	return &Rates[K]{rate: r, clock: clock, seen: map[K]*span{}}
}

// Add counts n events of k, and says whether that is within the rate. What is over it is
// counted too: whoever goes on stays over.
func (r *Rates[K]) Add(k K, n int) bool {
	if r == nil || !r.rate.on() {
		return true
	}
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.seen[k]
	if w == nil {
		r.room(now)
		w = &span{start: now}
		r.seen[k] = w
	}
	count := w.at(now, r.rate.Per) + n
	w.now += n
	return count <= r.rate.Max
}

// Count is how many there were in the last Per.
func (r *Rates[K]) Count(k K) int {
	if r == nil || !r.rate.on() {
		return 0
	}
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.seen[k]; w != nil {
		return w.at(now, r.rate.Per)
	}
	return 0
}

// Forget takes back all that was counted of k.
func (r *Rates[K]) Forget(k K) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, k)
}

// at moves the window to now and gives the count there.
func (w *span) at(now time.Time, per time.Duration) int {
	switch age := now.Sub(w.start); {
	case age >= 2*per || age < 0:
		*w = span{start: now}
	case age >= per:
		*w = span{start: w.start.Add(per), prior: w.now}
	}
	left := per - now.Sub(w.start)
	return w.now + int(float64(w.prior)*float64(left)/float64(per))
}

func (r *Rates[K]) room(now time.Time) {
	if len(r.seen) < maxRates {
		return
	}
	for k, w := range r.seen {
		if now.Sub(w.start) > 2*r.rate.Per {
			delete(r.seen, k)
		}
	}
	for k := range r.seen {
		if len(r.seen) < maxRates*9/10 {
			return
		}
		delete(r.seen, k)
	}
}

// Address is what one customer has: an IPv4 address, or an IPv6 /64.
func Address(ip netip.Addr) netip.Prefix { return network(ip) }

// Network is what stands around it: an IPv4 /24, or an IPv6 /48.
func Network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap()
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.Prefix(bits)
	return p
}
