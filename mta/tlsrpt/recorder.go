// Package tlsrpt counts what became of TLS with other domains' exchangers and makes the
// reports of RFC 8460 of it. Counts are by day (UTC) and recipient domain, and by the
// policy under which a session was made; they outlive a restart.
package tlsrpt

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Policy is what a session was held to, as section 4.4 of the RFC writes it.
type Policy struct {
	Type    string   `json:"policy-type"` // sts, tlsa, no-policy-found
	Strings []string `json:"policy-string,omitempty"`
	Domain  string   `json:"policy-domain"`
	MXHosts []string `json:"mx-host,omitempty"`
}

// An Outcome is one session, or one host that a policy ruled out.
type Outcome struct {
	Domain string // of the recipients: whose report it is
	Policy Policy
	Result string // section 4.3, "" for success

	MXHost, MXHelo         string
	SendingIP, ReceivingIP string
	Info                   string // for people
}

// States keeps small things across restarts. State gives nil for what it does not have,
// and KeepState with no value forgets.
type States interface {
	State(name string) ([]byte, error)
	KeepState(ctx context.Context, name string, value []byte) error
}

const (
	keepDays    = 14
	maxDay      = 8 << 20 // octets of a day, about; what comes beyond has no place of its own
	maxDetails  = 50      // different failures of a policy a day; others join one like them
	maxPolicies = 20      // different policies of a domain a day
	maxInfo     = 300
	dayForm     = "2006-01-02"
)

// counts is a day of one policy.
type counts struct {
	Policy   Policy   `json:"policy"`
	Success  int64    `json:"success"`
	Failure  int64    `json:"failure"`
	Failures []detail `json:"failures,omitempty"`
}

// detail is failure-details of section 4.4.
type detail struct {
	Result      string `json:"result-type"`
	SendingIP   string `json:"sending-mta-ip,omitempty"`
	MXHost      string `json:"receiving-mx-hostname,omitempty"`
	MXHelo      string `json:"receiving-mx-helo,omitempty"`
	ReceivingIP string `json:"receiving-ip,omitempty"`
	Count       int64  `json:"failed-session-count"`
	Info        string `json:"additional-information,omitempty"`
}

type day map[string][]*counts // by domain

// A Recorder counts. A nil one does not. It may be used by many goroutines.
type Recorder struct {
	states States
	log    *slog.Logger
	clock  func() time.Time

	writing sync.Mutex

	mu    sync.Mutex
	days  map[string]day
	size  map[string]int // octets of each day, about
	dirty map[string]bool
	full  string // the day on which maxDay was reached, and that was said
}

// New makes a Recorder; states may be nil, then counts end with the process.
func New(states States, log *slog.Logger, clock func() time.Time) *Recorder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	return &Recorder{states: states, log: log, clock: clock, days: map[string]day{}, size: map[string]int{}, dirty: map[string]bool{}}
}

// Note counts one outcome. It does not wait for anything but, once a day, States.
func (r *Recorder) Note(o Outcome) {
	if r == nil || o.Domain == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.clock().UTC().Format(dayForm)
	d := r.load(name)
	domain := strings.ToLower(o.Domain)
	room := r.size[name] < maxDay
	if !room && r.full != name {
		r.full = name
		r.log.Warn("TLS results of further domains are not counted today", "domains", len(d))
	}
	c, added := d.find(domain, o.Policy, room)
	if c == nil {
		return
	}
	r.size[name] += added
	r.dirty[name] = true
	if o.Result == "" {
		c.Success++
		return
	}
	c.Failure++
	r.size[name] += c.add(detail{Result: o.Result, SendingIP: o.SendingIP, MXHost: o.MXHost, MXHelo: o.MXHelo, ReceivingIP: o.ReceivingIP,
		Info: o.Info[:min(len(o.Info), maxInfo)]}, room)
}

// find gives the counts of a policy, and how many octets new ones take. With no room, or too
// many policies, those of another policy of the domain count it; nil when it has none.
func (d day) find(domain string, p Policy, room bool) (*counts, int) {
	all := d[domain]
	for _, c := range all {
		if c.Policy.Type == p.Type && c.Policy.Domain == p.Domain && slices.Equal(c.Policy.Strings, p.Strings) && slices.Equal(c.Policy.MXHosts, p.MXHosts) {
			return c, 0
		}
	}
	switch {
	case len(all) > 0 && (!room || len(all) >= maxPolicies):
		return all[len(all)-1], 0
	case !room:
		return nil, 0
	}
	c := &counts{Policy: p}
	d[domain] = append(all, c)
	size := 200 + 2*len(domain)
	for _, s := range slices.Concat(p.Strings, p.MXHosts) {
		size += len(s) + 4
	}
	return c, size
}

// add counts a failure with those like it, and says how many octets a new one takes; the
// text for people is that of the first.
func (c *counts) add(x detail, room bool) int {
	room = room && len(c.Failures) < maxDetails
	for i := range c.Failures {
		f := &c.Failures[i]
		if f.Result == x.Result && (!room || f.SendingIP == x.SendingIP && f.MXHost == x.MXHost && f.ReceivingIP == x.ReceivingIP) {
			f.Count++
			return 0
		}
	}
	if !room && len(c.Failures) >= 2*maxDetails { // there are few result types: never
		return 0
	}
	x.Count = 1
	c.Failures = append(c.Failures, x)
	return 250 + len(x.Info) + len(x.MXHost)
}

func stateName(day string) string { return "tlsrpt/" + day }

// load is a day, from memory or from States; r.mu is held.
func (r *Recorder) load(name string) day {
	if d := r.days[name]; d != nil {
		return d
	}
	d := day{}
	if r.states != nil {
		b, err := r.states.State(stateName(name))
		if err == nil && len(b) > 0 {
			err = json.Unmarshal(b, &d)
			r.size[name] = len(b)
		}
		if err != nil {
			r.log.Warn("TLS results of a day not read", "day", name, "err", err)
		}
		if d == nil {
			d = day{}
		}
	}
	r.days[name] = d
	return d
}

// Flush writes what changed, and forgets days that are over for long. What cannot be written
// is written the next time.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil || r.states == nil {
		return nil
	}
	r.writing.Lock() // an older state must not come after a newer one
	defer r.writing.Unlock()
	for {
		name, b, err := r.changed()
		if err == nil && name == "" {
			return r.forget(ctx)
		}
		if err == nil {
			err = r.states.KeepState(ctx, stateName(name), b)
		}
		if err != nil {
			r.mu.Lock()
			r.dirty[name] = true
			r.mu.Unlock()
			return fmt.Errorf("TLS results of %s not kept: %w", name, err)
		}
	}
}

// changed is a day that is not written yet, and no more counted as such; "" for none.
func (r *Recorder) changed() (name string, b []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name = range r.dirty {
		delete(r.dirty, name)
		b, err = json.Marshal(r.days[name])
		return name, b, err
	}
	return "", nil, nil
}

// forget takes days that are over out of memory, and once a day those of long ago from States.
func (r *Recorder) forget(ctx context.Context) error {
	r.mu.Lock()
	now := r.clock().UTC()
	today := now.Format(dayForm)
	over := false
	for name := range r.days {
		if name != today && !r.dirty[name] {
			delete(r.days, name)
			delete(r.size, name)
			over = true
		}
	}
	r.mu.Unlock()
	for back := 0; over && back < 7; back++ { // days on which nothing ran leave theirs behind
		name := now.AddDate(0, 0, -keepDays-back).Format(dayForm)
		if err := r.states.KeepState(ctx, stateName(name), nil); err != nil {
			return fmt.Errorf("TLS results of %s not forgotten: %w", name, err)
		}
	}
	return nil
}

// Run flushes from time to time, and when ctx ends.
func (r *Recorder) Run(ctx context.Context) {
	t := time.NewTicker(5 * time.Minute)
	defer t.Stop()
	for {
		last := false
		select {
		case <-t.C:
		case <-ctx.Done():
			last = true
		}
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		if err := r.Flush(fctx); err != nil {
			r.log.Warn("TLS results not written", "err", err)
		}
		cancel()
		if last {
			return
		}
	}
}
