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
	// queueHeap is what the heap may grow to between collections for the sake of a long
	// queue: a queue of 200,000 stays under 300 MB, and one of half the length, which is
	// all pointers, is not walked through every few thousand messages.
	queueHeap   = 250 << 20
	heapLooks   = time.Second
	usualGrowth = 100 // percent, as without us
	mostGrowth  = 400
)

// growth is by how many percent the heap may grow before it is collected, when so many
// octets of it are in use and so many messages wait.
func growth(live uint64, queued int) int {
	if queued < longQueue || live == 0 || live >= queueHeap {
		return usualGrowth
	}
	return int(min(max((queueHeap-live)*100/live, usualGrowth), mostGrowth))
}

// tendHeap collects garbage less often while the queue is long and there is room.
func (s *suite) tendHeap(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now, tick := usualGrowth, time.NewTicker(heapLooks)
	defer tick.Stop()
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
		if sample[0].Value.Kind() != metrics.KindUint64 {
			return // another runtime than the one this was written for
		}
		if next := growth(sample[0].Value.Uint64(), n); next != now {
			debug.SetGCPercent(next)
			now = next
		}
	}
}
