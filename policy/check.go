package policy

import (
	"context"
	"io"
	"slices"

	"sampul/internal/message"
	"sampul/store"
)

// A Check is what is made up of a file's way, when it is judged as a message.
type Check struct {
	Direction  Direction // "": as sender and recipients have it
	Agency     string    // ours: the sender's, or with a Direction the recipients' of what comes in
	Sender     string    // "" is nobody
	Recipients []Recipient
}

// CheckFile judges a file as a message that takes one direction. Nothing is recorded, and
// nothing passes the gate.
func (e *Engine) CheckFile(ctx context.Context, d Direction, agency string, r io.ReaderAt, size int64) (*Verdict, error) {
	return e.Check(ctx, Check{Direction: d, Agency: agency}, r, size)
}

// Check is CheckFile with more said of the message.
func (e *Engine) Check(ctx context.Context, c Check, r io.ReaderAt, size int64) (*Verdict, error) {
	j, err := e.checked(ctx, c, r, size)
	if err != nil {
		return nil, err
	}
	j.decide(ctx)
	return j.v, nil
}

// TestRule says whether a rule matches a file, whether it is on or off, and what would follow
// if it were on.
func (e *Engine) TestRule(ctx context.Context, rule store.PolicyRule, c Check, r io.ReaderAt, size int64) (matched bool, v *Verdict, err error) {
	ready, err := compile(rule)
	if err != nil {
		return false, nil, err
	}
	j, err := e.checked(ctx, c, r, size)
	if err != nil {
		return false, nil, err
	}
	j.trial = &trial{rule: ready}
	j.decide(ctx)
	return j.trial.matched, j.v, j.trial.err
}

// A trial is a rule that is tried, beside those that are on.
type trial struct {
	rule    *rule
	matched bool
	err     error
}

func (j *judgement) try() {
	q := &question{j: j, rule: j.trial.rule, now: j.o.Clock()}
	for q.i = range j.dirs {
		hit, err := q.rule.matches(context.Background(), q)
		if err != nil {
			j.trial.err = err
			return
		}
		if !hit {
			continue
		}
		j.trial.matched = true
		if a := q.rule.action; a != Accept && j.tightens() {
			j.act(q.i, a, cause{kind: byRule, agency: q.rule.Agency, rule: q.rule})
		}
	}
}

// checked is a file, looked through, on its way.
func (e *Engine) checked(ctx context.Context, c Check, r io.ReaderAt, size int64) (*judgement, error) {
	x := message.NewIndexer(message.DefaultLimits)
	if _, err := io.Copy(x, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, err
	}
	m := &Mail{Sender: c.Sender, Recipients: slices.Clone(c.Recipients), Index: x.Finish()}
	j := &judgement{Engine: e, m: m, rules: e.current()}
	if c.Direction == "" {
		if m.Agency = c.Agency; m.Agency != "" {
			m.Account = c.Sender
		}
		j.dirs, j.from = e.directions(ctx, m)
		return j, j.look(ctx, m.Index, r)
	}
	d := c.Direction
	j.from = sender{inside: d == Internal || d == Across || d == Out || d == Relay, gov: d != In}
	m.App = d == Relay
	to := c.Agency
	if j.from.inside {
		j.from.agency, m.Agency, m.Account = c.Agency, c.Agency, c.Sender
	}
	if d == Across || d == Out || d == Relay {
		to = ""
	}
	if len(m.Recipients) == 0 {
		m.Recipients = []Recipient{{}}
	}
	for i := range m.Recipients {
		m.Recipients[i].Agency = to
		j.dirs = append(j.dirs, d)
	}
	return j, j.look(ctx, m.Index, r)
}
