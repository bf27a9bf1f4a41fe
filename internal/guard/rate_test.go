package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestRatesSlide(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := NewRates[string](func() time.Time { return now }, Rate{Max: 10, Per: time.Hour})
	add := func(n int, want bool) {
		t.Helper()
		if got := r.Add("a", n); got != want {
			t.Fatalf("at %s, %d counted: within is %t, want %t", now.Sub(time.Unix(1_800_000_000, 0)), r.Count("a"), got, want)
		}
	}
	add(10, true)
	add(1, false)
	now = now.Add(90 * time.Minute) // half of the eleven are still within an hour
	if n := r.Count("a"); n != 5 {
		t.Fatalf("%d counted, want 5", n)
	}
	add(5, true)
	add(1, false)
	if !r.Add("b", 10) {
		t.Error("another key is counted with the first")
	}
	now = now.Add(3 * time.Hour)
	add(10, true)
	r.Forget("a")
	add(10, true)
	now = now.Add(-time.Hour) // a clock that was set back
	add(10, true)
	var none *Rates[string]
	if !none.Add("a", 100) || none.Count("a") != 0 || !NewRates[string](time.Now, Rate{}).Add("a", 100) || !NewRates[string](time.Now, Rate{Max: 1}).Add("a", 100) {
		t.Error("no limit limits")
	}
}

func TestRatesAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := NewRates[int](func() time.Time { return now }, Rate{Max: 1, Per: time.Hour})
	for i := range 3 * maxRates {
		r.Add(i, 1)
	}
	if len(r.seen) > maxRates {
		t.Errorf("%d keys, want at most %d", len(r.seen), maxRates)
	}
}

func TestBansGrowAndAreForgotten(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	b := NewBans(func() time.Time { return now }, time.Minute, 5*time.Minute)
	ip := netip.MustParseAddr("192.0.2.7")
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute} {
		x := b.Ban(Address(ip), fmt.Sprint(i))
		if got := x.Until.Sub(now); got != want || x.Times != i+1 {
			t.Fatalf("ban %d takes %s (%d times), want %s", i+1, got, x.Times, want)
		}
		if again := b.Ban(Address(ip), "again"); again != x {
			t.Fatalf("a ban under way became %+v", again)
		}
		if _, found := b.Find(netip.MustParseAddr("::ffff:192.0.2.7")); !found {
			t.Fatal("a ban is not found")
		}
		if _, found := b.Find(netip.MustParseAddr("192.0.2.8")); found {
			t.Fatal("the neighbour is banned")
		}
		now = now.Add(want)
		if _, found := b.Find(ip); found {
			t.Fatal("a ban does not end")
		}
	}
	now = now.Add(25 * time.Hour)
	if x := b.Ban(Network(ip), "net"); x.Times != 1 {
		t.Errorf("after a day a ban is the %dth", x.Times)
	}
	if _, found := b.Find(netip.MustParseAddr("192.0.2.200")); !found {
		t.Error("the ban of a network does not hold its addresses")
	}
	if n := b.Lift(netip.MustParsePrefix("192.0.2.7/32")); n != 1 || len(b.List()) != 0 {
		t.Errorf("%d lifted, %d left", n, len(b.List()))
	}
}

func TestLoginBansCanBeSeenAndLifted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := New(func() time.Time { return now })
	ip := netip.MustParseAddr("2001:db8::1")
	for range free {
		g.Failed(ip, "pegawai1@agensi-a.test")
	}
	if bans := g.Bans(); len(bans) != 2 || bans[0].Network != netip.MustParsePrefix("2001:db8::/64") {
		t.Fatalf("bans are %+v", bans)
	}
	if n := g.Lift(netip.MustParsePrefix("2001:db8::/32")); n != 2 || g.Wait(ip, "") != 0 {
		t.Errorf("%d lifted, wait is %s", n, g.Wait(ip, ""))
	}
}

func TestManyAddressesOfOneNetworkAreBanned(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := New(func() time.Time { return now })
	for i := range freeWide {
		if g.Wait(netip.MustParseAddr("192.0.2.250"), "x") > 0 {
			t.Fatalf("banned after %d of %d", i, freeWide)
		}
		g.Failed(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 200)}), fmt.Sprint("u", i))
	}
	if g.Wait(netip.MustParseAddr("192.0.2.250"), "x") <= 0 {
		t.Error("a network guesses freely from many addresses")
	}
	if g.Wait(netip.MustParseAddr("192.0.3.1"), "x") > 0 {
		t.Error("another network is banned")
	}
}
