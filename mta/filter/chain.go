package filter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"sampul/internal/spool"
)

// Options are what filters need of the suite.
type Options struct {
	Hostname string                                          // of this server
	Log      *slog.Logger                                    // slog.Default()
	Observe  func(filter, result string, took time.Duration) // metrics; results are those of [Status]
	Clock    func() time.Time                                // time.Now
	Spool    *spool.Area                                     // for bodies that a filter replaces
	MaxBody  int64                                           // of such a body, in octets; 64 MiB
	Dial     DialFunc                                        // net.Dialer
}

// Chain is the filters of the configuration, in its order. It may be used by many
// goroutines.
type Chain struct {
	opt   Options
	links []*link
}

// link is one filter and what is known of it.
type link struct {
	cfg    Config
	filter Filter

	mu     sync.Mutex
	status Status
}

// Status is what became of the messages that one filter was asked about.
type Status struct {
	Name, Type, Address string
	Scope               []Scope
	OnError             string
	// Results counts by result: the name of an [Action]; "error" where the filter could not
	// be asked and the message waits for that; "error-accepted" where it went on unasked.
	Results   map[string]uint64
	LastOK    time.Time // zero: never
	LastError string
	LastErrAt time.Time
}

// NewChain checks the configuration and makes the filters. It connects to none.
func NewChain(cfgs []Config, opt Options) (*Chain, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	c := &Chain{opt: opt}
	var errs []error
	names := map[string]bool{}
	for i, cfg := range cfgs {
		l, err := c.link(cfg)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("filter %d (%s): %w", i+1, cfg.Name, err))
		case names[cfg.Name]:
			errs = append(errs, fmt.Errorf("filter %d: a second one is called %q", i+1, cfg.Name))
		default:
			c.links = append(c.links, l)
		}
		names[cfg.Name] = true
	}
	return c, errors.Join(errs...)
}

func (o *Options) complete() (err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Spool == nil {
		o.Spool, err = spool.New("", 0)
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return err
}

// link checks one filter's configuration and fills what it leaves out.
func (c *Chain) link(cfg Config) (*link, error) {
	if !validName(cfg.Name) {
		return nil, errors.New("name: a short name without spaces is needed")
	}
	if cfg.OnError == "" {
		cfg.OnError = "tempfail"
	}
	if cfg.OnError != "tempfail" && cfg.OnError != "accept" {
		return nil, fmt.Errorf("on_error: tempfail or accept, not %q", cfg.OnError)
	}
	if len(cfg.Scope) == 0 {
		cfg.Scope = []Scope{In, Out, Relay}
	}
	for _, s := range cfg.Scope {
		if s != In && s != Out && s != Relay {
			return nil, fmt.Errorf("scope: in, out or relay, not %q", s)
		}
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("timeout: a time is needed, such as 30s")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
		if cfg.Type == "milter" {
			cfg.Timeout = time.Minute
		}
	}
	f, err := c.make(cfg)
	if err != nil {
		return nil, err
	}
	return &link{cfg: cfg, filter: f, status: Status{
		Name: cfg.Name, Type: cfg.Type, Address: cfg.Address, Scope: cfg.Scope, OnError: cfg.OnError,
		Results: map[string]uint64{},
	}}, nil
}

func (c *Chain) make(cfg Config) (Filter, error) {
	if cfg.Type != "rspamd" && (cfg.RejectScore != 0 || cfg.JunkScore != 0 || cfg.PasswordFile != "" || cfg.AgencySettings) {
		return nil, errors.New("scores, password and settings are rspamd's alone")
	}
	switch cfg.Type {
	case "clamd":
		return newClamd(cfg, c.opt)
	case "rspamd":
		return newRspamd(cfg, c.opt)
	case "milter":
		return newMilter(cfg, c.opt)
	}
	return nil, fmt.Errorf("type: clamd, rspamd or milter, not %q", cfg.Type)
}

// Run asks the filters of the message's scope. The strictest action wins; Reject and
// Tempfail end the chain, and nothing of a message that is not taken is changed. The
// caller closes the outcome. An error is that of ctx, or of reading the message: it says
// nothing about the message, which the caller answers with a temporary code.
func (c *Chain) Run(ctx context.Context, m *Mail) (*Outcome, error) {
	total, work := &Outcome{}, *m
	work.head = nil
	for _, l := range c.links {
		if !slices.Contains(l.cfg.Scope, m.Scope) {
			continue
		}
		o, err := c.consult(ctx, l, &work)
		if err != nil {
			total.Close()
			return nil, err
		}
		if o == nil {
			continue // passed over
		}
		if o.Action >= Tempfail {
			total.Close()
			return o, nil
		}
		if o.Changed {
			next, err := work.after(o)
			if err != nil {
				o.Close()
				total.Close()
				return nil, err
			}
			work = *next
		}
		total.add(o)
	}
	return total, nil
}

// consult asks one filter and counts what it says. Its outcome is nil when the filter is
// passed over.
func (c *Chain) consult(ctx context.Context, l *link, m *Mail) (*Outcome, error) {
	if _, err := m.header(); err != nil {
		return nil, err
	}
	began := c.opt.Clock()
	o, err := l.ask(ctx, m)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // not the filter's fault
	}
	took := c.opt.Clock().Sub(began)
	if err == nil {
		l.note(c.opt.Clock(), o.Action.String(), nil)
		c.opt.Observe(l.cfg.Name, o.Action.String(), took)
		if m.Log != nil && (o.Action != Accept || o.Changed) {
			m.Log("filtered", "filter", l.cfg.Name, "action", o.Action.String(), "reason", o.Reason, "changed", o.Changed)
		}
		return o, nil
	}
	result := "error"
	if l.cfg.OnError == "accept" {
		result = "error-accepted"
	}
	l.note(c.opt.Clock(), result, err)
	c.opt.Observe(l.cfg.Name, result, took)
	c.opt.Log.Warn("filter could not be asked", "id", m.ID, "filter", l.cfg.Name, "type", l.cfg.Type,
		"address", l.cfg.Address, "on_error", l.cfg.OnError, "took_ms", took.Milliseconds(), "err", err)
	if l.cfg.OnError == "accept" {
		return nil, nil
	}
	return &Outcome{
		Action: Tempfail, Code: 451, Enhanced: "4.7.1", Filter: l.cfg.Name, Reason: "could not be asked",
		Text: "Semakan tidak dapat dibuat sekarang, cuba lagi / the message could not be checked just now, try again later (filter " + l.cfg.Name + ")",
	}, nil
}

// ask has the filter look at m within its time. What it panics about is its error.
func (l *link) ask(ctx context.Context, m *Mail) (o *Outcome, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, fmt.Errorf("no answer within %s", l.cfg.Timeout))
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			o, err = nil, fmt.Errorf("panic: %v\n%s", r, firstLines(debug.Stack()))
		}
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}()
	// A copy: what a filter would change in its Mail, the next one does not see.
	view := *m
	o, err = l.filter.Check(ctx, &view)
	if err != nil {
		o.Close()
		return nil, err
	}
	if err := o.tidy(m); err != nil {
		o.Close()
		return nil, err
	}
	if o.Action >= Tempfail {
		o.Close()
		o.Edits, o.Body, o.BodySize, o.From, o.AddTo, o.DropTo, o.Changed = nil, nil, 0, nil, nil, nil, false
	}
	if o.Action != Accept {
		o.Filter = l.cfg.Name
	}
	return o, nil
}

// firstLines is enough of a stack to find the fault.
func firstLines(stack []byte) []byte { return stack[:min(len(stack), 2000)] }

// add puts what one filter said to what those before it did.
func (o *Outcome) add(next *Outcome) {
	if next.Action > o.Action {
		o.Action, o.Filter, o.Reason = next.Action, next.Filter, next.Reason
	}
	o.Edits = append(o.Edits, next.Edits...)
	if next.Body != nil {
		o.Close()
		o.Body, o.BodySize = next.Body, next.BodySize
	}
	if next.From != nil {
		o.From = next.From
	}
	// A recipient that was added and is dropped again, or the other way round, is as it was.
	for _, a := range next.AddTo {
		if i := slices.Index(o.DropTo, a); i >= 0 {
			o.DropTo = slices.Delete(o.DropTo, i, i+1)
		} else {
			o.AddTo = append(o.AddTo, a)
		}
	}
	for _, a := range next.DropTo {
		if i := slices.Index(o.AddTo, a); i >= 0 {
			o.AddTo = slices.Delete(o.AddTo, i, i+1)
		} else {
			o.DropTo = append(o.DropTo, a)
		}
	}
	o.Changed = o.Changed || next.Changed
}

func (l *link) note(now time.Time, result string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Results[result]++
	if err != nil {
		l.status.LastError, l.status.LastErrAt = err.Error(), now
	} else {
		l.status.LastOK = now
	}
}

// Status says what became of the messages so far, filter by filter.
func (c *Chain) Status() []Status {
	out := make([]Status, 0, len(c.links))
	for _, l := range c.links {
		l.mu.Lock()
		s := l.status
		s.Results = make(map[string]uint64, len(l.status.Results))
		for k, v := range l.status.Results {
			s.Results[k] = v
		}
		l.mu.Unlock()
		out = append(out, s)
	}
	return out
}

// Health is whether a filter answers.
type Health struct {
	Name, Type, Address string
	Version             string // as it says
	Err                 error  // nil: it answers
}

// prober is a filter that can be asked how it is.
type prober interface {
	probe(ctx context.Context) (version string, err error)
}

// Probe asks every filter whether it is there, without a message.
func (c *Chain) Probe(ctx context.Context) []Health {
	out := make([]Health, len(c.links))
	var wg sync.WaitGroup
	for i, l := range c.links {
		out[i] = Health{Name: l.cfg.Name, Type: l.cfg.Type, Address: l.cfg.Address}
		p, ok := l.filter.(prober)
		if !ok {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, min(l.cfg.Timeout, 10*time.Second))
			defer cancel()
			defer func() {
				if r := recover(); r != nil {
					out[i].Err = fmt.Errorf("panic: %v", r)
				}
			}()
			out[i].Version, out[i].Err = p.probe(ctx)
		})
	}
	wg.Wait()
	return out
}

// Close lets go of what the filters hold.
func (c *Chain) Close() error {
	var errs []error
	for _, l := range c.links {
		errs = append(errs, l.filter.Close())
	}
	return errors.Join(errs...)
}
