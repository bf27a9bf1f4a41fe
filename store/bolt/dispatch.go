package bolt

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sampul/store"
	"sampul/store/journal"
)

// A stream is one journal and the way of its records to the appliers.
type stream struct {
	e    *Engine
	lane store.Lane
	j    *journal.Journal

	mu    sync.Mutex
	next  []journal.Record
	ended bool
	kick  chan struct{}
	done  chan struct{}
}

// durable is called by the journal's committer: it must be quick.
func (s *stream) durable(recs []journal.Record) {
	var octets int64
	for i := range recs {
		octets += recordSize(&recs[i])
	}
	s.e.lag.add(len(recs), octets)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.next = append(s.next, recs...)
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func recordSize(r *journal.Record) (n int64) {
	for i := range r.Fields {
		n += int64(len(r.Fields[i].Data))
	}
	return n
}

func (s *stream) loop() {
	defer close(s.done)
	for range s.kick {
		s.mu.Lock()
		recs := s.next
		s.next = nil
		s.mu.Unlock()
		at := time.Now()
		for i := range recs {
			s.dispatch(&recs[i], at)
		}
	}
}

// end lets what is durable be handed on, and ends the goroutine.
func (s *stream) end() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	close(s.kick)
	s.mu.Unlock()
	<-s.done
}

// replay hands on what the files do not have yet.
func (s *stream) replay(ctx context.Context) error {
	after := uint64(1<<64 - 1)
	last := s.j.LastSeq()
	for _, a := range s.e.appliers() {
		m := a.filed[s.lane]
		if m.seq > last {
			return fmt.Errorf("%w: %s has filed record %d of stream %d, but the journal ends at %d",
				store.ErrDamaged, a.f.label, m.seq, s.lane, last)
		}
		after = min(after, m.seq)
	}
	at := time.Now()
	return s.j.Replay(ctx, after, func(r *journal.Record) error {
		rec := *r
		s.e.lag.add(1, recordSize(&rec))
		s.e.queued.replay(s.e, s.lane, &rec)
		s.dispatch(&rec, at)
		return nil
	})
}

// dispatch decodes a record once and hands it to the files that it concerns. What
// cannot be decoded is parked in the queue's file.
func (s *stream) dispatch(rec *journal.Record, at time.Time) {
	f := &filing{lane: s.lane, seq: rec.Seq, epoch: rec.Epoch, octets: recordSize(rec), at: at, rec: rec}
	all := s.e.appliers()
	queue := len(all) - 1
	want := make([]bool, len(all))
	var err error
	switch rec.Type {
	case journal.Accept:
		if f.accept, err = decodeAccept(rec); err == nil {
			want[queue] = f.accept.finish != "" || counts(&f.accept.env)
			for i, r := range f.accept.env.Recipients {
				to := queue
				if r.Account != 0 {
					to = int(f.accept.shards[i])
				}
				want[min(to, queue)] = true
			}
		}
	case journal.Append:
		if f.append, err = decodeAppend(rec); err == nil {
			want[min(int(f.append.shard), queue)] = true
		}
	case journal.Done:
		f.done, err = decodeDone(rec)
		want[queue] = true
	case journal.Verb:
		f.verb, err = decodeVerb(rec)
		want[queue] = true
	case journal.Keep:
	default:
		err = fmt.Errorf("a record of %v", rec.Type)
	}
	if err != nil {
		f.accept, f.append, f.done, f.verb = nil, nil, nil, nil
		want[queue] = true
	}
	n := int32(0)
	for i, a := range all {
		want[i] = want[i] && a.filed0[s.lane] < f.seq
		if want[i] && i != queue { // the queue takes its time, and bounds itself
			n++
		}
	}
	f.left.Store(max(n, 1))
	m := mark{f.seq, f.epoch}
	for i, a := range all {
		if want[i] {
			a.hand(s.lane, m, f)
		} else {
			a.hand(s.lane, m, nil)
		}
	}
	if n == 0 {
		s.e.filed(f)
	}
}
