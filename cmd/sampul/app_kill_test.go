package main

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// An offering is messages of an application, each offered once by one of many connections.
type offering struct {
	next                         atomic.Int64
	most                         int64
	taken, refused, withoutReply atomic.Int64
}

// run offers messages until none is left, or the server has gone.
func (o *offering) run(r *running, to string) {
	c, err := smtp.DialStartTLS(r.Submission, r.tls())
	if err != nil {
		return
	}
	defer c.Close()
	if c.Auth(sasl.NewPlainClient("", r.Application.Address, r.Application.Password)) != nil {
		return
	}
	for o.next.Add(1) <= o.most {
		text, err := notify(c, r.Application.Address, to)
		var reply *smtp.SMTPError
		switch reply, _ = err.(*smtp.SMTPError); {
		case err == nil && quotaReply.MatchString(text):
			o.taken.Add(1)
		case reply != nil && reply.Code == 450:
			o.refused.Add(1)
		default:
			o.withoutReply.Add(1)
			return
		}
	}
}

// Sixteen connections offer twice what an application may send, the server is killed in
// the middle and started again: what is taken in all is what was approved.
func TestQuotaIsExactThroughAKill(t *testing.T) {
	const quota, connections = 1000, 16
	dir := t.TempDir()
	r := startDemo(t, "--dir", dir, "--now", "2026-03-31T09:10:00+08:00") // both starts are in one window
	r.do("app", "set", r.Application.Address, "--quota", "hour=1000", "--quota", "day=none")
	const to = "pegawai1@agensi-a.test"
	o := &offering{most: 2 * quota}
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() { o.run(r, to) })
	}
	eventually(t, "four hundred notices", func() bool { return o.taken.Load() >= 400 })
	r.kill()
	wg.Wait()
	before, lost := o.taken.Load(), o.withoutReply.Load()
	r = startDemo(t, "--dir", dir, "--now", "2026-03-31T09:20:00+08:00")
	for range connections {
		wg.Go(func() { o.run(r, to) })
	}
	wg.Wait()
	if lost == 0 || before >= quota {
		t.Fatalf("the kill came at the wrong moment: %d taken before it, %d without a reply", before, lost)
	}
	// A message without a reply may have been taken: it counts then, and is delivered.
	if n := o.taken.Load(); n > quota || n < quota-lost {
		t.Errorf("%d were taken, %d of them before the kill; %d had no reply", n, before, lost)
	}
	var there int
	eventually(t, "all that was taken", func() bool {
		there = len(r.inbox(to))
		return there >= quota
	})
	if there != quota {
		t.Errorf("%d are delivered", there)
	}
	if o.refused.Load() == 0 {
		t.Error("nothing was refused: the quota was never reached")
	}
}
