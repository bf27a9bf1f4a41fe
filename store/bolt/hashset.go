package bolt

import (
	"hash/maphash"
	"sync"
)

// A hashSet says of a key that it was certainly never added, or that it may have been. It
// keeps 64 bits of a seeded hash a key in an open table, 9.4 to 14.1 octets each, and forgets
// nothing until the next start: a hash too many costs a lookup.
type hashSet struct {
	seed  maphash.Seed
	mu    sync.RWMutex
	n     int
	table []uint64 // 0 is free
}

// init makes room for n.
func (h *hashSet) init(n int) {
	h.seed = maphash.MakeSeed()
	h.n, h.table = 0, make([]uint64, max(64, n+n/5))
}

func (h *hashSet) hash(key []byte) uint64 { return max(1, maphash.Bytes(h.seed, key)) }

// place is where a hash stands, or would stand.
func (h *hashSet) place(v uint64) int {
	i := int(v % uint64(len(h.table)))
	for h.table[i] != 0 && h.table[i] != v {
		if i++; i == len(h.table) {
			i = 0
		}
	}
	return i
}

func (h *hashSet) has(key []byte) bool {
	v := h.hash(key)
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.table[h.place(v)] == v
}

func (h *hashSet) add(key []byte) {
	v := h.hash(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.place(v)
	if h.table[i] == v {
		return
	}
	h.table[i] = v
	if h.n++; h.n*20 < len(h.table)*17 { // up to 85 in a hundred
		return
	}
	old := h.table
	h.table = make([]uint64, len(old)+len(old)/2)
	for _, v := range old {
		if v != 0 {
			h.table[h.place(v)] = v
		}
	}
}
