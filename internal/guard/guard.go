// Package guard slows down whoever guesses passwords, and bounds the connections of
// one address. It keeps its counts in memory, never more than some thousands.
package guard

import (
	"net/netip"
	"sync"
	"time"
)

const (
	window   = 10 * time.Minute // in which bad logins are counted
	free     = 10               // bad logins of a network that cost nothing
	freeUser = 5                // bad logins of a network for one account
	freeWide = 500              // bad logins of what stands around it: an IPv4 /24, an IPv6 /48
	firstBan = 10 * time.Second
	lastBan  = time.Hour
	maxKeys  = 10000
)

// Guard counts bad logins by network, by the wider one around it, and by network and account. An account alone
// is never banned: whoever guesses must not be able to lock its owner out.
type Guard struct {
	clock func() time.Time
	mu    sync.Mutex
	seen  map[key]*count
}

type key struct {
	net  netip.Prefix
	user string // "" for the network as a whole
}

type count struct {
	bad   int
	last  time.Time
	until time.Time // banned
	ban   time.Duration
}

// New makes a guard that asks clock.
func New(clock func() time.Time) *Guard {
	return &Guard{clock: clock, seen: map[key]*count{}}
}

// network is one IPv4 address, or the /64 that one IPv6 customer has.
func network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}

// Wait is how long logins of ip as user are refused still; 0 is go on.
func (g *Guard) Wait(ip netip.Addr, user string) time.Duration {
	now := g.clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	var wait time.Duration
	for _, k := range keys(ip, user) {
		if c := g.seen[k]; c != nil {
			wait = max(wait, c.until.Sub(now))
		}
	}
	return wait
}

func keys(ip netip.Addr, user string) [3]key {
	n := network(ip)
	return [3]key{{n, ""}, {n, "u" + user}, {Network(ip), ""}}
}

// Failed counts a bad login. Past the free ones each bans for twice as long.
func (g *Guard) Failed(ip netip.Addr, user string) {
	now := g.clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, k := range keys(ip, user) {
		c := g.seen[k]
		if c == nil {
			g.room(now)
			c = &count{}
			g.seen[k] = c
		}
		if now.Sub(c.last) > window && !now.Before(c.until) {
			*c = count{}
		}
		c.bad++
		c.last = now
		if c.bad >= [3]int{free, freeUser, freeWide}[i] {
			c.ban = min(max(2*c.ban, firstBan), lastBan)
			c.until = now.Add(c.ban)
		}
	}
}

// Succeeded forgets the bad logins of this network for the account, not those for
// others: a guesser may have one good password.
func (g *Guard) Succeeded(ip netip.Addr, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen, keys(ip, user)[1])
}

// room forgets what is over, or else some others, when there are too many.
func (g *Guard) room(now time.Time) {
	if len(g.seen) < maxKeys {
		return
	}
	for k, c := range g.seen {
		if now.Sub(c.last) > window && !now.Before(c.until) {
			delete(g.seen, k)
		}
	}
	for k := range g.seen {
		if len(g.seen) < maxKeys*9/10 {
			return
		}
		delete(g.seen, k)
	}
}

// Conns bounds the connections of each network at one time.
type Conns struct {
	max int
	mu  sync.Mutex
	now map[netip.Prefix]int
}

// NewConns allows max connections of one network.
func NewConns(max int) *Conns { return &Conns{max: max, now: map[netip.Prefix]int{}} }

// Enter says whether one more is allowed, and counts it then.
func (c *Conns) Enter(ip netip.Addr) bool {
	n := network(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[n] >= c.max {
		return false
	}
	c.now[n]++
	return true
}

// Leave takes back one Enter that was allowed.
func (c *Conns) Leave(ip netip.Addr) {
	n := network(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[n]--; c.now[n] <= 0 {
		delete(c.now, n)
	}
}
