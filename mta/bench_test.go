package mta

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sampul/mta/smtpout"
	"sampul/store"
)

// benchQueue costs next to nothing, so that the runner's own cost is seen.
type benchQueue struct {
	countedQueue
	r    *Runner
	left atomic.Int64
	end  chan struct{}
}

func (q *benchQueue) QueueEach(func(store.QueueEntry)) {}

func (q *benchQueue) QueueEnvelope(_ context.Context, id string) (*store.Envelope, error) {
	to := "orang@jauh.test"
	if id[0] == 'D' {
		to = "orang@mati.test"
	}
	return &store.Envelope{QueueID: id, From: "a@agensi-a.test", Recipients: []store.Recipient{{Path: to}}}, nil
}

func (q *benchQueue) QueueDone(_ context.Context, id string, _ []store.Outcome) error {
	if id[0] == 'D' {
		return nil
	}
	q.r.learn(store.QueueEntry{ID: id})
	if q.left.Add(-1) == 0 {
		close(q.end)
	}
	return nil
}

// BenchmarkDeliver is the cost of planning, composing and settling a message, with a
// store and a sender that cost nothing.
func BenchmarkDeliver(b *testing.B) { benchDeliver(b, 0) }

// BenchmarkDeliverBesideDead is the same with 100,000 messages parked for a destination
// that does not answer.
func BenchmarkDeliverBesideDead(b *testing.B) { benchDeliver(b, 100_000) }

func benchDeliver(b *testing.B, dead int) {
	q := &benchQueue{end: make(chan struct{})}
	out := &benchSender{}
	r := NewRunner(Options{}, Deps{Queue: q, Router: &fakeRouter{}, Sender: out})
	q.r = r
	r.Start()
	now := time.Now()
	for i := range dead {
		r.learn(store.QueueEntry{ID: fmt.Sprintf("D%09d", i), From: "a@agensi-a.test", Created: now,
			Recipients: []store.QueueRecipient{{Address: "orang@mati.test", State: store.Waiting, NextTry: now}}})
	}
	for dead > 0 && r.Numbers().Parked < dead-20 {
		time.Sleep(time.Millisecond)
	}
	q.left.Store(int64(b.N))
	ids := make([]string, b.N)
	for i := range ids {
		ids[i] = fmt.Sprintf("%010d", i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, id := range ids {
		r.learn(store.QueueEntry{ID: id, From: "a@agensi-a.test", Created: now,
			Recipients: []store.QueueRecipient{{Address: "orang@jauh.test", State: store.Waiting, NextTry: now}}})
	}
	<-q.end
	b.StopTimer()
	r.Shutdown(context.Background())
}

type benchSender struct{ fakeSender }

func (s *benchSender) Send(_ context.Context, h smtpout.Hop, m *smtpout.Message) []smtpout.Result {
	if h.Domain == "mati.test" {
		return each(m, nobody)
	}
	rc, _ := m.Open(false)
	rc.Close()
	return each(m, delivered)
}
