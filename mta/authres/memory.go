package authres

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// rememberFor is how long a finding that depends on the client and its envelope alone is
	// believed: servers send many messages in a row, and DNS answers live longer than this.
	rememberFor = 10 * time.Second
	remembered  = 4096
)

// sentBy is all that SPF looks at: macros may use any of it (RFC 7208 section 7).
type sentBy struct {
	ip         netip.Addr
	helo, from string
}

// A memory keeps findings for a short while, so many at most.
type memory[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

func (m *memory[K, V]) get(k K, now time.Time) (v V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.kept[k]
	if !ok || !now.Before(e.until) {
		return v, false
	}
	return e.value, true
}

func (m *memory[K, V]) put(k K, v V, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= remembered {
		m.kept = map[K]kept[V]{}
	}
	m.kept[k] = kept[V]{v, now.Add(rememberFor)}
}
