package relay

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// Store is what of a store this room uses.
type Store interface {
	App(id store.AccountID) *store.App
	AppCounts(id store.AccountID) ([]store.AppCount, error)
	Suppressed(ctx context.Context, app store.AccountID, agency, address string) (*store.Suppression, error)
	KeepState(ctx context.Context, name string, value []byte) error
	State(name string) ([]byte, error)
}

// Deps are what a relay needs. Count, Warn and Log may be nil.
type Deps struct {
	Store Store
	Clock func() time.Time
	Log   *slog.Logger
	// Count hears of each recipient that was accepted ("" as reason) or refused.
	Count func(app *store.App, reason string, recipients int)
	// Signs says whether mail from a domain goes out with a DKIM signature. nil: always.
	Signs func(domain string) bool
	// Warn hears once a window that an application comes near a quota. It must be quick.
	Warn func(app *store.App, window string, used, limit uint64)
}

// A Relay holds all applications to what was approved.
type Relay struct {
	d      Deps
	mu     sync.Mutex
	meters map[store.AccountID]*metered
	latest time.Time // of the clock, over all that was ever seen
	kept   time.Time // as it is kept
}

// metered is an application's meter, with what is derived from a version of its terms.
type metered struct {
	*Meter
	mu     sync.Mutex
	seq    uint64 // of the terms
	limits *Limits
	nets   []netip.Prefix
	warned map[string]int64 // by window: the start of which the owner was warned
}

const clockState = "relay-clock"

// New makes a relay.
func New(d Deps) (*Relay, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Count == nil {
		d.Count = func(*store.App, string, int) {}
	}
	if d.Warn == nil {
		d.Warn = func(*store.App, string, uint64, uint64) {}
	}
	if d.Signs == nil {
		d.Signs = func(string) bool { return true }
	}
	r := &Relay{d: d, meters: map[store.AccountID]*metered{}}
	raw, err := d.Store.State(clockState)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &r.latest)
	}
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r.kept = r.latest
	return r, nil
}

// now is the clock, which is never earlier than it was: an hour that was over stays so.
// Once in a minute that is kept, so that a restart does not forget it.
func (r *Relay) now(ctx context.Context) (time.Time, error) {
	now := r.d.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.latest) {
		return r.latest.In(now.Location()), nil
	}
	r.latest = now
	if now.Sub(r.kept) < time.Minute {
		return now, nil
	}
	raw, err := json.Marshal(now)
	if err == nil {
		err = r.d.Store.KeepState(ctx, clockState, raw)
	}
	if err != nil {
		return now, fmt.Errorf("relay: the clock is not kept: %w", err)
	}
	r.kept = now
	return now, nil
}

// meter is the one of an application, brought up to its terms.
func (r *Relay) meter(app *store.App) (*metered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.meters[app.Account]
	if m == nil {
		counts, err := r.d.Store.AppCounts(app.Account)
		if err != nil {
			return nil, fmt.Errorf("relay: %s: %w", app.Address, err)
		}
		m = &metered{Meter: NewMeter(counts, r.latest), warned: map[string]int64{}}
		r.meters[app.Account] = m
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limits == nil || m.seq != app.Seq {
		l, nets, err := compile(&app.AppTerms)
		if err != nil {
			return nil, fmt.Errorf("relay: terms of %s: %w", app.Address, err)
		}
		m.limits, m.nets, m.seq = l, nets, app.Seq
	}
	return m, nil
}

// compile makes of terms what is asked for each message. It is also how terms are checked.
func compile(t *store.AppTerms) (*Limits, []netip.Prefix, error) {
	h, err := ParseHours(t.Hours)
	if err != nil {
		return nil, nil, err
	}
	var nets []netip.Prefix
	for _, s := range t.Networks {
		p, err := ParseNetwork(s)
		if err != nil {
			return nil, nil, err
		}
		nets = append(nets, p)
	}
	return &Limits{Quota: t.Quota, Hours: h, Burst: uint64(max(0, t.Burst)), Delay: t.Over == store.OverDelay}, nets, nil
}

// CheckTerms says what is wrong with the terms of an application, for people.
func CheckTerms(t *store.AppTerms) error {
	for w, n := range t.Quota {
		if !slices.Contains(store.Windows, w) || n > store.MaxQuota {
			return fmt.Errorf("quota %s=%d: minute, hour, day or month, and at most %d", w, n, store.MaxQuota)
		}
	}
	switch {
	case t.Over != "" && t.Over != store.OverRefuse && t.Over != store.OverDelay:
		return fmt.Errorf("over: refuse or delay, not %q", t.Over)
	case t.Reach != "" && t.Reach != store.ReachAgency && t.Reach != store.ReachInside && t.Reach != store.ReachInternet:
		return fmt.Errorf("reach: agency, inside or internet, not %q", t.Reach)
	case t.MaxSize < 0 || t.Burst < 0 || t.RahsiaLimit < 0:
		return fmt.Errorf("sizes and limits are not negative")
	case t.Warn < 0 || t.Warn > 100:
		return fmt.Errorf("warn: per cent of a quota, from 1 to 100, not %d", t.Warn)
	}
	for _, c := range t.Certificates {
		if b, err := hex.DecodeString(c); err != nil || len(b) != sha256.Size {
			return fmt.Errorf("certificate: the SHA-256 of its public key in hexadecimal, not %q", c)
		}
	}
	_, _, err := compile(t)
	return err
}

// ParseNetwork reads an address or a prefix.
func ParseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("network: an address or a prefix such as 10.1.0.0/16, not %q", s)
	}
	return p.Masked(), nil
}

// KeyHash is how a client certificate stands in an application's terms.
func KeyHash(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Used is what an application was granted in the window that holds now.
func (r *Relay) Used(ctx context.Context, app *store.App, name string) (used uint64, opens time.Time, err error) {
	m, err := r.meter(app)
	if err != nil {
		return 0, time.Time{}, err
	}
	now, err := r.now(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	used, opens = m.Used(name, now)
	return used, opens, nil
}

// warn tells the owner, once in a window, that a quota is nearly used up.
func (r *Relay) warn(app *store.App, m *metered, at time.Time) {
	share := uint64(app.Warn)
	if share == 0 {
		share = 80
	}
	for w, limit := range m.limits.Quota {
		used, _ := m.Used(w, at)
		if limit == 0 || used*100 < limit*share {
			continue
		}
		start := window.Start(w, at).Unix()
		m.mu.Lock()
		told := m.warned[w] == start
		m.warned[w] = start
		m.mu.Unlock()
		if !told {
			r.d.Warn(app, w, used, limit)
		}
	}
}

// allowsSender says whether an application may call itself so.
func allowsSender(app *store.App, address string) bool {
	address = strings.ToLower(address)
	if address == strings.ToLower(app.Address) {
		return true
	}
	for _, s := range app.Senders {
		s = strings.ToLower(s)
		if s == address || strings.HasPrefix(s, "@") && strings.HasSuffix(address, s) {
			return true
		}
	}
	return false
}
