package main

import (
	"context"
	"encoding/json"
	"net"
	"time"
)

// clockFrom is a clock that starts at a time in RFC 3339 and goes on from there; "" is the
// machine's. Windows of quotas begin on the local clock, hence this process keeps the zone
// of the time. It is called once, before anything runs.
func clockFrom(start string) (func() time.Time, error) {
	if start == "" {
		return time.Now, nil
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return nil, usagef("--now: a time such as 2026-03-31T09:59:50+08:00, not %q", start)
	}
	if y := at.Year(); y < 1980 || y > 2200 {
		return nil, usagef("--now: a year from 1980 to 2200, not %d", y)
	}
	_, zone := at.Zone()
	if _, here := at.Local().Zone(); here != zone {
		time.Local = at.Location()
	}
	begin := time.Now()
	return func() time.Time { return at.Add(time.Since(begin)).Local() }, nil
}

// clockOf is the time on the clock of the suite that runs, else the machine's.
func clockOf(ctx context.Context) time.Time {
	if l := live(ctx); l != nil {
		return l.Now()
	}
	return time.Now()
}

// now is the suite's clock, for what is told relative to it.
func (t *target) now(ctx context.Context) time.Time {
	var at time.Time
	if !t.runs() {
		return time.Now()
	}
	err := t.do(ctx, "clock", none{}, func(raw json.RawMessage) error { return json.Unmarshal(raw, &at) })
	if err != nil || at.IsZero() {
		return time.Now()
	}
	return at
}

// runs says whether a suite answers in the data directory.
func (t *target) runs() bool {
	dir, _, err := t.place()
	if err != nil {
		return false
	}
	path, release, err := socketPath(dir)
	if err != nil {
		return false
	}
	defer release()
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Now is the suite's clock.
func (s *suite) Now() time.Time { return s.clock() }
