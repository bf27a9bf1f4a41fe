package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestBansGrowAndExpire(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := New(func() time.Time { return now })
	bad, other := netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("127.0.0.6")
	for i := range freeUser - 1 {
		g.Failed(bad, "a@b.test")
		if w := g.Wait(bad, "a@b.test"); w != 0 {
			t.Fatalf("bad login %d costs %v already", i+1, w)
		}
	}
	g.Failed(bad, "a@b.test")
	if w := g.Wait(bad, "a@b.test"); w != firstBan {
		t.Fatalf("first ban is %v, want %v", w, firstBan)
	}
	if w := g.Wait(other, "a@b.test"); w != 0 {
		t.Fatalf("the owner is locked out elsewhere: %v", w)
	}
	now = now.Add(firstBan)
	if w := g.Wait(bad, "a@b.test"); w > 0 {
		t.Fatalf("the ban did not expire: %v", w)
	}
	g.Failed(bad, "a@b.test")
	if w := g.Wait(bad, "a@b.test"); w != 2*firstBan {
		t.Fatalf("second ban is %v, want %v", w, 2*firstBan)
	}
	for i := range free {
		g.Failed(bad, fmt.Sprint("someone", i))
	}
	if w := g.Wait(bad, "fresh@b.test"); w <= 0 {
		t.Fatal("a network that tries many accounts is not banned")
	}
	now = now.Add(2 * time.Hour)
	g.Failed(bad, "a@b.test")
	if w := g.Wait(bad, "a@b.test"); w > 0 {
		t.Fatalf("old sins count still: %v", w)
	}
}

func TestIPv6CountsBySubnet(t *testing.T) {
	g := New(time.Now)
	for i := range freeUser {
		g.Failed(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1)), "a")
	}
	if g.Wait(netip.MustParseAddr("2001:db8::99"), "a") <= 0 {
		t.Fatal("a /64 with many addresses guesses freely")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	g := New(time.Now)
	for i := range 3 * maxKeys {
		g.Failed(netip.AddrFrom4([4]byte{127, byte(i >> 16), byte(i >> 8), byte(i)}), "a")
	}
	if len(g.seen) > maxKeys+1 {
		t.Fatalf("%d counts are kept, the most is %d", len(g.seen), maxKeys)
	}
}

func TestConns(t *testing.T) {
	c := NewConns(2)
	a, b := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	for i, want := range []bool{true, true, false} {
		if c.Enter(a) != want {
			t.Fatalf("connection %d of one address, at most two: %v", i+1, !want)
		}
	}
	if !c.Enter(b) {
		t.Fatal("another address must not suffer")
	}
	c.Leave(a)
	if !c.Enter(a) {
		t.Fatal("a place that was left is not free")
	}
}
