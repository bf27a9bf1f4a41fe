package smtpin

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"sampul/internal/dns"
)

// A List is a DNS list of addresses (RFC 5782). Its score is added when the client is on
// it; an allow list has a negative one.
type List struct {
	Zone  string
	Score float64
	Match []netip.Prefix // answers that count; 127.0.0.0/8
}

const (
	listTime  = 5 * time.Second  // for all lists together
	listFails = 3                // look-ups in a row without an answer, before a list is switched off
	listPause = 10 * time.Minute // how long it stays off
	listTest  = time.Hour        // between looks at the test points
)

// lists asks all lists at the same time.
type lists struct {
	all      []*dnsList
	resolver *dns.Resolver
}

func newLists(all []List, deps DefenceDeps) *lists {
	l := &lists{resolver: deps.Resolver}
	if !deps.Resolver.On() {
		return l
	}
	for _, x := range all {
		if len(x.Match) == 0 {
			x.Match = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		l.all = append(l.all, &dnsList{List: x, resolver: deps.Resolver, clock: deps.Clock, log: deps.Log.With("list", x.Zone)})
	}
	return l
}

// listed is a look-up under way.
type listed struct {
	done  chan struct{}
	mu    sync.Mutex
	score float64
	zones []string
}

// start asks about ip; nil when there is nobody to ask.
func (l *lists) start(ctx context.Context, ip netip.Addr) *listed {
	if len(l.all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	x := &listed{done: make(chan struct{})}
	var wg sync.WaitGroup
	for _, one := range l.all {
		wg.Go(func() {
			if one.has(ctx, ip) {
				x.mu.Lock()
				defer x.mu.Unlock()
				x.score += one.Score
				if one.Score > 0 {
					x.zones = append(x.zones, one.Zone)
				}
			}
		})
	}
	go func() {
		wg.Wait()
		cancel()
		close(x.done)
	}()
	return x
}

// wait gives the sum of the scores and the block lists that have the client.
func (x *listed) wait(ctx context.Context) (score float64, zones string) {
	if x == nil {
		return 0, ""
	}
	select {
	case <-x.done:
	case <-ctx.Done():
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.score, strings.Join(x.zones, ", ")
}

// dnsList is one list and how well it answers.
type dnsList struct {
	List
	resolver *dns.Resolver
	clock    func() time.Time
	log      *slog.Logger

	mu      sync.Mutex
	fails   int
	off     time.Time // until then it is not asked
	tested  time.Time
	testing chan struct{} // closed when the test under way is over
}

// has says whether the list has ip. A list that does not answer has nobody.
func (l *dnsList) has(ctx context.Context, ip netip.Addr) bool {
	if !l.ready(ctx) {
		return false
	}
	hit, err := l.ask(ctx, ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, errListRefuses):
		l.switchOff("it refuses our questions")
	case err != nil:
		if l.fails++; l.fails >= listFails {
			l.switchOff("it does not answer")
		}
	default:
		l.fails = 0
	}
	return hit && err == nil
}

var errListRefuses = errors.New("the list refuses to answer")

// ask makes one look-up.
func (l *dnsList) ask(ctx context.Context, ip netip.Addr) (bool, error) {
	rrs, _, err := l.resolver.Records(ctx, reversed(ip)+"."+l.Zone, mdns.TypeA)
	if errors.Is(err, dns.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	hit := false
	for _, rr := range rrs {
		a, ok := rr.(*mdns.A)
		if !ok {
			continue
		}
		answer, _ := netip.AddrFromSlice(a.A.To4())
		if refuses.Contains(answer) {
			return false, errListRefuses
		}
		hit = hit || within(l.Match, answer)
	}
	return hit, nil
}

// refuses is what large lists answer to those whom they do not serve.
var refuses = netip.MustParsePrefix("127.255.255.0/24")

// ready says whether the list is to be asked. Its test points are looked at first, and
// from time to time (RFC 5782 section 5): a list that went away often lists everybody.
func (l *dnsList) ready(ctx context.Context) bool {
	now := l.clock()
	l.mu.Lock()
	if now.Before(l.off) {
		l.mu.Unlock()
		return false
	}
	first := l.tested.IsZero()
	if !first && now.Sub(l.tested) < listTest {
		l.mu.Unlock()
		return true
	}
	wait := l.testing
	if wait == nil {
		wait = make(chan struct{})
		l.testing = wait
		go l.test(context.WithoutCancel(ctx), wait)
	}
	l.mu.Unlock()
	if !first {
		return true
	}
	select {
	case <-wait:
	case <-ctx.Done():
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.clock().Before(l.off)
}

// test asks for the addresses that every list must have and must not have.
func (l *dnsList) test(ctx context.Context, over chan struct{}) {
	defer close(over)
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	must, err := l.ask(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 2}))
	not, err2 := l.ask(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.testing = nil
	switch {
	case errors.Is(err, errListRefuses):
		l.switchOff("it refuses our questions")
	case err != nil || err2 != nil:
		l.switchOff("it does not answer")
	case !must:
		l.switchOff("its test point 127.0.0.2 is not listed")
	case not:
		l.switchOff("it lists 127.0.0.1, as lists do that list everybody")
	default:
		if !l.off.IsZero() {
			l.log.Info("DNS list is asked again")
		}
		l.tested, l.off, l.fails = l.clock(), time.Time{}, 0
	}
}

// switchOff leaves the list alone for a while; its test points come first then.
func (l *dnsList) switchOff(why string) {
	l.off, l.tested, l.fails = l.clock().Add(listPause), time.Time{}, 0
	l.log.Warn("DNS list is switched off", "why", why, "until", l.off)
}

// reversed is an address as lists have it: octets, or nibbles, from the last on.
func reversed(ip netip.Addr) string {
	ip = ip.Unmap()
	var b strings.Builder
	raw := ip.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if ip.Is4() {
			b.WriteString(strconv.Itoa(int(raw[i])))
			continue
		}
		const hex = "0123456789abcdef"
		b.WriteByte(hex[raw[i]&15])
		b.WriteByte('.')
		b.WriteByte(hex[raw[i]>>4])
	}
	return b.String()
}
