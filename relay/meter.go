package relay

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// A Meter counts what one application was granted, window by window. What it grants and
// what is given back add up exactly, whoever comes at the same time.
type Meter struct {
	mu      sync.Mutex
	counts  map[windowed]uint64
	latest  time.Time // the clock never stood later: set back, it opens no window again
	tail    time.Time // where the last delayed grant stands: later ones do not overtake it
	pruned  time.Time
	second  time.Time // of burst
	inBurst uint64
}

type windowed struct {
	window string
	start  int64 // Unix seconds
}

// Limits are what a meter holds an application to.
type Limits struct {
	Quota map[string]uint64 // by window; one that is not there is not bounded
	Hours Hours
	Burst uint64 // in one second; 0 is not bounded
	Delay bool   // what is over waits for its window
}

// A Grant is what was counted. It is given back when its message is refused.
type Grant struct {
	N  uint64
	At time.Time // in whose windows it counts; later than now when it was delayed
}

// An Over says why nothing was granted.
type Over struct {
	Window string    // whose quota is used up; "" is the hours, "second" the burst
	Limit  uint64    // of the window
	Opens  time.Time // when it may be tried again; zero is never
}

func (o *Over) Error() string {
	switch {
	case o.Opens.IsZero():
		return fmt.Sprintf("more recipients than the quota of %d a %s ever allows", o.Limit, o.Window)
	case o.Window == "":
		return "outside the hours in which this application may send"
	}
	return fmt.Sprintf("quota of %d a %s is used up", o.Limit, o.Window)
}

// horizon is how far ahead a delayed message may wait.
const horizon = 62 * 24 * time.Hour

// NewMeter takes up what was granted before. latest is the latest time that the clock was
// seen at, zero for not known.
func NewMeter(counts []store.AppCount, latest time.Time) *Meter {
	m := &Meter{counts: map[windowed]uint64{}, latest: latest}
	for _, c := range counts {
		m.counts[windowed{c.Window, c.Start.Unix()}] += c.Count
		if c.Window == store.WindowMinute && c.Start.After(m.tail) {
			m.tail = c.Start
		}
	}
	return m
}

// Take grants n recipients in the windows of now, or of a later time when l delays. Its
// error is an [Over].
func (m *Meter) Take(now time.Time, n uint64, l *Limits) (Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now = m.clock(now)
	at := now
	if l.Delay && m.tail.After(at) {
		at = m.tail
	}
	for {
		over := m.room(at, n, l)
		if over == nil {
			break
		}
		if !l.Delay || over.Opens.IsZero() || over.Opens.Sub(now) > horizon {
			return Grant{}, over
		}
		at = over.Opens
	}
	if err := m.burst(now, n, l); err != nil {
		return Grant{}, err
	}
	if l.Delay && at.After(now) {
		m.tail = at
	}
	for _, w := range store.Windows {
		m.counts[windowed{w, window.Start(w, at).Unix()}] += n
	}
	return Grant{N: n, At: at}, nil
}

// clock is now, or the latest time that was seen when the clock was set back.
func (m *Meter) clock(now time.Time) time.Time {
	if now.Before(m.latest) {
		now = m.latest.In(now.Location())
	}
	m.latest = now
	if now.Sub(m.pruned) >= time.Minute {
		m.pruned = now
		for w := range m.counts {
			if w.start < window.Start(w.window, now).Unix() {
				delete(m.counts, w)
			}
		}
	}
	return now
}

// room says what stands against n more at a time: of several quotas the one that opens last.
func (m *Meter) room(at time.Time, n uint64, l *Limits) *Over {
	var over *Over
	if !l.Hours.Holds(at) {
		over = &Over{Opens: l.Hours.Next(at)}
	}
	for _, w := range store.Windows {
		limit, bounded := l.Quota[w]
		if !bounded {
			continue
		}
		if n > limit {
			return &Over{Window: w, Limit: limit}
		}
		if m.counts[windowed{w, window.Start(w, at).Unix()}] > limit-n {
			if opens := window.Next(w, at); over == nil || opens.After(over.Opens) {
				over = &Over{Window: w, Limit: limit, Opens: opens}
			}
		}
	}
	if over != nil && !l.Hours.Holds(over.Opens) {
		over.Opens = l.Hours.Next(over.Opens)
	}
	return over
}

func (m *Meter) burst(now time.Time, n uint64, l *Limits) error {
	if l.Burst == 0 {
		return nil
	}
	if second := now.Truncate(time.Second); !second.Equal(m.second) {
		m.second, m.inBurst = second, 0
	}
	if m.inBurst > 0 && m.inBurst+n > l.Burst { // one message always fits
		return &Over{Window: "second", Limit: l.Burst, Opens: m.second.Add(time.Second)}
	}
	m.inBurst += n
	return nil
}

// Give takes a grant back: its message was refused.
func (m *Meter) Give(g Grant) {
	if g.N == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range store.Windows {
		key := windowed{w, window.Start(w, g.At).Unix()}
		if c, ok := m.counts[key]; ok {
			m.counts[key] = c - min(c, g.N)
		}
	}
}

// Move has a grant count in the windows of now, where the message is accepted at last. It
// fails, and gives the grant back, when those are used up.
func (m *Meter) Move(g Grant, now time.Time, l *Limits) (Grant, error) {
	m.mu.Lock()
	same := window.Start(store.WindowMinute, m.clock(now)).Equal(window.Start(store.WindowMinute, g.At))
	m.mu.Unlock()
	if same {
		return g, nil
	}
	m.Give(g)
	free := *l
	free.Burst = 0 // it was counted
	return m.Take(now, g.N, &free)
}

// Used is what was granted in the window that holds now, and when the next one opens.
func (m *Meter) Used(name string, now time.Time) (used uint64, opens time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.latest) {
		now = m.latest.In(now.Location())
	}
	return m.counts[windowed{name, window.Start(name, now).Unix()}], window.Next(name, now)
}

// Latest is the latest time that the clock was seen at.
func (m *Meter) Latest() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest
}

// ParseQuota reads the limit of one window: "hour=1000".
func ParseQuota(s string) (name string, limit uint64, err error) {
	name, number, ok := cut(s)
	if !ok || !slices.Contains(store.Windows, name) {
		return "", 0, fmt.Errorf("a quota is minute=N, hour=N, day=N or month=N, not %q", s)
	}
	if limit, err = parseCount(number); err != nil {
		return "", 0, fmt.Errorf("quota of a %s: %w", name, err)
	}
	return name, limit, nil
}

// NoLimit is what ParseQuota gives for "hour=none".
const NoLimit = math.MaxUint64
