package signing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampul/internal/dns"
	"sampul/store"
)

// memory keeps keys as the contract of store.Signing says.
type memory struct {
	mu    sync.Mutex
	clock func() time.Time
	keys  []store.DKIMKey
	fail  string // selector whose change fails
}

func (m *memory) DKIMKeys(_ context.Context, _ store.Actor, domain string) ([]store.DKIMKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.DKIMKey
	for _, k := range m.keys {
		if domain == "" || k.Domain == domain {
			k.Private = nil
			out = append(out, k)
		}
	}
	return out, nil
}

func (m *memory) PutDKIMKey(_ context.Context, _ store.Actor, k store.DKIMKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k.Selector == m.fail {
		return errors.New("disk")
	}
	for i := range m.keys {
		if o := &m.keys[i]; o.Domain == k.Domain && o.Selector == k.Selector {
			if o.State != k.State {
				o.State, o.Changed = k.State, m.clock()
			}
			return nil
		}
	}
	k.Created, k.Changed = m.clock(), m.clock()
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) RemoveDKIMKey(_ context.Context, _ store.Actor, domain, selector string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = slices.DeleteFunc(m.keys, func(k store.DKIMKey) bool { return k.Domain == domain && k.Selector == selector })
	return nil
}

func (m *memory) SigningKeys(domain string) []store.DKIMKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.keys), func(k store.DKIMKey) bool { return k.Domain != domain || k.State != Active })
}

func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, k := range m.keys {
		out = append(out, k.Selector+" "+k.State)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// published is DNS: what was put there.
type published struct{ m sync.Map }

func (p *published) TXT(_ context.Context, name string) ([]string, dns.Info, error) {
	if txt, ok := p.m.Load(name); ok {
		return []string{"lain", txt.(string)}, dns.Info{}, nil
	}
	return nil, dns.Info{}, dns.ErrNone
}

func (p *published) publish(m *memory) {
	keys, _ := m.DKIMKeys(context.Background(), store.System, "")
	for _, k := range keys {
		p.m.Store(k.Selector+"._domainkey."+k.Domain, k.Record)
	}
}

func expect(t *testing.T, m *memory, want string) {
	t.Helper()
	if m.String() != want {
		t.Fatalf("got  %s\nwant %s", m, want)
	}
}

// The whole plan, in its time: publish, wait, use, retire.
func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)))
		ctx, stop := context.WithCancel(t.Context())
		m, zone := &memory{clock: time.Now}, &published{}
		p := &Plan{Store: m, Resolver: zone, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
		go p.Run(ctx)

		made, err := Add(ctx, m, store.System, "a.test", "", time.Now())
		if err != nil || len(made) != 2 || made[0].Private != nil || !strings.HasPrefix(made[0].Record, "v=DKIM1; k=rsa; p=") {
			t.Fatalf("%+v, %v", made, err)
		}
		expect(t, m, "202611e active, 202611r active") // the first pair signs at once
		if _, err := Rotate(ctx, m, store.System, "a.test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := Rotate(ctx, m, store.System, "a.test", time.Now()); !errors.Is(err, store.ErrExists) {
			t.Errorf("two plans at one time: %v", err)
		}
		time.Sleep(Wait + 2*every + time.Second)                                                 // after the plan has looked, not at the same instant
		expect(t, m, "202611-2e published, 202611-2r published, 202611e active, 202611r active") // DNS does not have them
		zone.publish(m)
		zone.m.Delete("202611-2e._domainkey.a.test")
		time.Sleep(every + time.Minute)
		expect(t, m, "202611-2e published, 202611-2r active, 202611e active, 202611r retired")
		zone.publish(m)
		time.Sleep(every)
		expect(t, m, "202611-2e active, 202611-2r active, 202611e retired, 202611r retired")
		time.Sleep(Keep - 2*every)
		expect(t, m, "202611-2e active, 202611-2r active, 202611e retired, 202611r retired")
		time.Sleep(2 * every)
		expect(t, m, "202611-2e active, 202611-2r active")
		stop()
		synctest.Wait()
	})
}

// Before its time nothing takes over, whatever DNS has.
func TestPlanWaits(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	m, zone := &memory{clock: func() time.Time { return now }}, &published{}
	p := &Plan{Store: m, Resolver: zone, Clock: m.clock, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	add := func(selector string) {
		t.Helper()
		if _, err := Add(ctx, m, store.System, "a.test", selector, now); err != nil {
			t.Fatal(err)
		}
		zone.publish(m)
	}
	advance := func(want string) {
		t.Helper()
		if _, err := p.Advance(ctx); err != nil {
			t.Fatal(err)
		}
		expect(t, m, want)
	}
	add("satu")
	add("dua")
	now = now.Add(Wait - time.Second)
	advance("duae published, duar published, satue active, satur active")
	now = now.Add(time.Second)
	add("tiga")
	p.Resolver = nil
	advance("duae published, duar published, satue active, satur active, tigae published, tigar published")
	p.Resolver = zone
	advance("duae active, duar active, satue retired, satur retired, tigae published, tigar published")
	add("empat")
	now = now.Add(Wait)
	// Two pairs are due: the newer one signs, and the other one does not come back.
	for range 3 {
		advance("duae retired, duar retired, empate active, empatr active, satue retired, satur retired, tigae retired, tigar retired")
	}
}

func TestUseAndRetire(t *testing.T) {
	m := &memory{clock: time.Now}
	ctx := context.Background()
	if _, err := Rotate(ctx, m, store.System, "a.test", time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a plan without keys: %v", err)
	}
	for _, s := range []string{"satu", "dua"} {
		if _, err := Add(ctx, m, store.System, "a.test", s, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Add(ctx, m, store.System, "a.test", "dua", time.Now()); !errors.Is(err, store.ErrExists) {
		t.Errorf("the same selector: %v", err)
	}
	if _, err := Use(ctx, m, store.System, "a.test"); err != nil {
		t.Fatal(err)
	}
	expect(t, m, "duae active, duar active, satue retired, satur retired")
	if _, err := Use(ctx, m, store.System, "a.test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nothing to use: %v", err)
	}
	if k, err := Retire(ctx, m, store.System, "a.test", "duar"); err != nil || k.State != Retired {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := Retire(ctx, m, store.System, "a.test", "duae"); !errors.Is(err, store.ErrExists) {
		t.Errorf("the last one that signs: %v", err)
	}
	if _, err := Retire(ctx, m, store.System, "a.test", "tiada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	expect(t, m, "duae active, duar retired, satue retired, satur retired")
}

// Half a pair is not left behind, and one domain's fault does not stop another's plan.
func TestFaults(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	m, zone := &memory{clock: func() time.Time { return now }, fail: "satue"}, &published{}
	ctx := context.Background()
	if _, err := Add(ctx, m, store.System, "a.test", "satu", now); err == nil || m.String() != "" {
		t.Errorf("%v: %s", err, m)
	}
	m.fail = ""
	for i := range 2 {
		for _, s := range []string{"x", "y"} {
			if _, err := Add(ctx, m, store.System, fmt.Sprintf("%d.test", i), fmt.Sprint(s, i), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	zone.publish(m)
	now = now.Add(Wait)
	m.fail = "y0r"
	p := &Plan{Store: m, Resolver: zone, Clock: m.clock, Log: slog.New(slog.DiscardHandler)}
	if changes, err := p.Advance(ctx); err == nil || len(changes) != 3 {
		t.Errorf("%v, %v", changes, err)
	}
	expect(t, m, "x0e retired, x0r active, x1e retired, x1r retired, y0e active, y0r published, y1e active, y1r active")
}
