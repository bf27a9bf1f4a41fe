package policy

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"sampul/internal/address"
	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/policy/inspect"
	"sampul/policy/mark"
)

// RuleSet is the version of the built-in rules; it stands beside each verdict.
const RuleSet = "builtin-3"

// Options of an engine. Without a Recorder nothing is recorded, for checks of files.
type Options struct {
	Inspector  *inspect.Inspector // nil: one that reads everything in this process
	Recorder   Recorder
	Recorded   func()   // is called after each incident; nil for nobody
	Cases      Cases    // nil: nobody lets anything pass
	Policies   Policies // nil: what is built in alone
	GovDomains []string // government outside the directory, "*.gov.my" for all below it; that is the default
	Guidance   func(agency string) string
	Clock      func() time.Time
	Log        *slog.Logger
}

// An Engine judges messages. It may be used by many goroutines.
type Engine struct {
	o    Options
	book rulebook
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Inspector == nil {
		o.Inspector = inspect.New(inspect.Options{})
	}
	if o.GovDomains == nil {
		o.GovDomains = address.Government
	}
	if o.Guidance == nil {
		o.Guidance = func(string) string { return "" }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{o: o}
}

// A judgement is one message under judgement.
type judgement struct {
	*Engine
	m    *Mail
	v    *Verdict
	rep  *inspect.Report
	from sender
	dirs []Direction // by recipient; one at least

	rules *rules
	att   *attachments
	said  map[said]Action
	trial *trial // nil for a real message
}

// Judge is the one gate. An error is a fault of the engine, or the end of ctx: the message
// must not be delivered then, and may come again.
func (e *Engine) Judge(ctx context.Context, m *Mail) (v *Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("policy: the engine failed at %s", failedAt(p))
		}
	}()
	j := &judgement{Engine: e, m: m, rules: e.current()}
	if err := j.look(ctx, m.Index, m.Body); err != nil {
		return nil, err
	}
	j.dirs, j.from = e.directions(ctx, m)
	if err := j.cases(ctx); err != nil {
		return nil, err
	}
	j.decide(ctx)
	if err := j.record(ctx); err != nil {
		return nil, fmt.Errorf("policy: incident not recorded: %w", err)
	}
	if j.v.Action <= Tag {
		j.v.Passed = gate.Mint(m.SHA256, m.Purpose, j.v.kept().String(), j.rules.version, j.v.ID)
	}
	return j.v, nil
}

// failedAt says where a panic came from, and of which type it is. Its value may hold what
// was read, which no log may hold.
func failedAt(p any) string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])]) // above are the recovering function and this one
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d (%T)", f.Function, f.Line, p)
		}
		if !more {
			return fmt.Sprintf("an unknown place (%T)", p)
		}
	}
}

// look takes the message apart and finds what is marked on it.
func (j *judgement) look(ctx context.Context, x *message.Index, body io.ReaderAt) error {
	rep, err := j.o.Inspector.Message(ctx, x, body, j.m.SHA256)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	found := mark.Weigh(rep.Found)
	v := &Verdict{ID: "V-" + rand.Text()[:12], Notes: rep.Notes, basis: basis{found: found}}
	v.Class = classOf(found.Class)
	v.Suspicion = classOf(found.Suspicion)
	for _, f := range found.Findings {
		v.Evidence = append(v.Evidence, Evidence{Path: f.Path, Where: f.Where, Rule: f.Rule, Class: classOf(f.Class),
			Word: f.Word, Weight: f.Weight, Why: f.Why})
	}
	for _, g := range rep.Gaps {
		v.gaps = append(v.gaps, g)
		v.Evidence = append(v.Evidence, Evidence{Path: g.Path, Where: g.Kind, Rule: string(g.Reason), Class: Uninspectable, Why: g.Why})
	}
	if len(v.gaps) > 0 && v.Class < Uninspectable {
		v.Class = Uninspectable
	}
	j.v, j.rep = v, rep
	return nil
}

func classOf(c mark.Class) Class {
	return [...]Class{mark.None: Terbuka, mark.Terbuka: Terbuka, mark.Terhad: Terhad, mark.Sulit: Sulit,
		mark.Rahsia: Rahsia, mark.RahsiaBesar: RahsiaBesar}[c]
}
