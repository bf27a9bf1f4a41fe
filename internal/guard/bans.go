package guard

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Ban keeps a network out for a while.
type Ban struct {
	Network netip.Prefix `json:"network"`
	Why     string       `json:"why"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	Times   int          `json:"times"` // how often it was banned, this time included
}

// Bans are networks that are kept out. Each ban of one network is twice as long as the one
// before; a day after the last one all is forgotten.
type Bans struct {
	clock       func() time.Time
	first, last time.Duration
	mu          sync.Mutex
	by          map[netip.Prefix]*Ban
}

// memory is how long a ban that is over makes the next one longer.
const memory = 24 * time.Hour

// maxBans bounds the networks that are remembered.
const maxBans = 20000

// NewBans makes an empty list; bans take from first to last.
func NewBans(clock func() time.Time, first, last time.Duration) *Bans {
	return &Bans{clock: clock, first: first, last: last, by: map[netip.Prefix]*Ban{}}
}

// Ban keeps n out from now on. A ban under way stays as it is.
func (b *Bans) Ban(n netip.Prefix, why string) Ban {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.by[n]
	if x == nil {
		b.room(now)
		x = &Ban{Network: n}
		b.by[n] = x
	}
	if now.Before(x.Until) {
		return *x
	}
	if now.Sub(x.Until) > memory {
		x.Times = 0
	}
	x.Times++
	x.Why, x.Since = why, now
	x.Until = now.Add(min(b.first<<min(x.Times-1, 20), b.last))
	return *x
}

// Find gives the ban that an address is under.
func (b *Bans) Find(ip netip.Addr) (Ban, bool) {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.by) == 0 {
		return Ban{}, false
	}
	for _, n := range [2]netip.Prefix{network(ip), Network(ip)} {
		if x := b.by[n]; x != nil && now.Before(x.Until) {
			return *x, true
		}
	}
	return Ban{}, false
}

// List gives the bans under way, the newest first.
func (b *Bans) List() []Ban {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Ban
	for _, x := range b.by {
		if now.Before(x.Until) {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, c Ban) int { return c.Since.Compare(a.Since) })
	return out
}

// Lift ends and forgets the bans of all networks that n holds or that hold n. It gives
// how many were under way.
func (b *Bans) Lift(n netip.Prefix) int {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	lifted := 0
	for k, x := range b.by {
		if k.Overlaps(n) {
			if now.Before(x.Until) {
				lifted++
			}
			delete(b.by, k)
		}
	}
	return lifted
}

func (b *Bans) room(now time.Time) {
	if len(b.by) < maxBans {
		return
	}
	for k, x := range b.by {
		if now.Sub(x.Until) > memory || len(b.by) > maxBans*9/10 {
			delete(b.by, k)
		}
	}
}

// Bans gives the logins that are refused still, by network: for one account where User is
// given in Why, else for all.
func (g *Guard) Bans() []Ban {
	now := g.clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Ban
	for k, c := range g.seen {
		if now.Before(c.until) {
			why := "bad logins"
			if k.user != "" {
				why += " as " + k.user[1:]
			}
			out = append(out, Ban{Network: k.net, Why: why, Since: c.last, Until: c.until, Times: c.bad})
		}
	}
	slices.SortFunc(out, func(a, c Ban) int { return c.Since.Compare(a.Since) })
	return out
}

// Lift forgets the bad logins of all networks that n holds or that hold n.
func (g *Guard) Lift(n netip.Prefix) int {
	now := g.clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	lifted := 0
	for k, c := range g.seen {
		if k.net.Overlaps(n) {
			if now.Before(c.until) {
				lifted++
			}
			delete(g.seen, k)
		}
	}
	return lifted
}

// Open counts what is open at one time by key, each up to a number of its own.
type Open[K comparable] struct {
	mu  sync.Mutex
	now map[K]int
}

// Enter counts one more of k unless there are max; 0 is no limit, and not counted.
func (o *Open[K]) Enter(k K, max int) bool {
	if max <= 0 {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = map[K]int{}
	}
	if o.now[k] >= max {
		return false
	}
	o.now[k]++
	return true
}

// Leave takes back one Enter that was allowed under max.
func (o *Open[K]) Leave(k K, max int) {
	if max <= 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now[k]--; o.now[k] <= 0 {
		delete(o.now, k)
	}
}
