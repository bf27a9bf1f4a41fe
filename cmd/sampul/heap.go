package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// longQueue is how many messages in the queue are many.
	longQueue = 20_000
	// What the heap may grow to between collections for the sake of a long queue, which is
	// all pointers: one of 100,000 is not walked through every few thousand messages that
	// pass by, and one of 200,000 stays under 300 MB.
	longHeap    = 400 << 20
	longestHeap = 250 << 20
	longest     = 150_000
	heapLooks   = time.Second
	usualGrowth = 100 // percent, as without us
	mostGrowth  = 400
)

// growth is by how many percent the heap may grow before it is collected, when so many
// octets of it are in use and so many messages wait.
func growth(live uint64, queued int) int {
	room := uint64(longHeap)
	if queued >= longest {
		room = longestHeap
	}
	if queued < longQueue || live == 0 || live >= room {
		return usualGrowth
	}
	return int(min(max((room-live)*100/live, usualGrowth), mostGrowth))
}

// What the runtime is asked.
const (
	liveBytes  = "/gc/heap/live:bytes"   // after the last collection
	allocBytes = "/gc/heap/allocs:bytes" // since the start
	usedBytes  = "/memory/classes/heap/objects:bytes"
	freeBytes  = "/memory/classes/heap/free:bytes" // taken from the system, and not used
)

// When nothing much happens, what a burst has left is given back to the system.
const (
	calm      = 8 << 20  // octets allocated in one look
	calmLooks = 3        // in a row
	worthIt   = 16 << 20 // octets that can be given back
)

// tendHeap collects garbage less often while the queue is long and there is room, and gives
// memory back after a burst.
func (s *suite) tendHeap(ctx context.Context) {
	sample := []metrics.Sample{{Name: liveBytes}, {Name: allocBytes}, {Name: usedBytes}, {Name: freeBytes}}
	now, tick := usualGrowth, time.NewTicker(heapLooks)
	defer tick.Stop()
	var before uint64
	quiet := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n, err := s.store.QueueLen(ctx)
		if err != nil {
			return
		}
		metrics.Read(sample)
		var v [4]uint64
		for i := range sample {
			if sample[i].Value.Kind() != metrics.KindUint64 {
				return // another runtime than the one this was written for
			}
			v[i] = sample[i].Value.Uint64()
		}
		live, allocated, used, free := v[0], v[1], v[2], v[3]
		if next := growth(live, n); next != now {
			debug.SetGCPercent(next)
			now = next
		}
		if quiet++; allocated-before > calm {
			quiet = 0
		}
		before = allocated
		if quiet%60 == calmLooks && used+free > live+worthIt {
			debug.FreeOSMemory()
		}
	}
}
