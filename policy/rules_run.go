package policy

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"sampul/internal/address"
)

// ruleTime is how long the rules of all agencies may take for one message.
const ruleTime = 5 * time.Second

// question is what a rule is asked about: one message, one recipient. It is an activation:
// what no rule asks for is not made.
type question struct {
	j    *judgement
	i    int   // recipient
	rule *rule // whose question it is
	now  time.Time

	made  bool
	files []ruleFile
	types []string
}

// Parent is for cel.Activation.
func (*question) Parent() cel.Activation { return nil }

// ResolveName gives a variable.
func (q *question) ResolveName(name string) (any, bool) {
	j, m := q.j, q.j.m
	switch name {
	case "class":
		return int64(j.readable()), true
	case "suspicion":
		return int64(j.v.Suspicion), true
	case "unreadable":
		return len(j.v.gaps) > 0, true
	case "declared":
		return j.v.found.Declared, true
	case "direction":
		return string(j.dirs[q.i]), true
	case "sender":
		return short256(m.Sender), true
	case "sender_domain":
		return address.DomainOf(m.Sender), true
	case "sender_agency":
		return j.from.agency, true
	case "recipient":
		return short256(j.recipient(q.i).Address), true
	case "recipient_domain":
		return address.DomainOf(j.recipient(q.i).Address), true
	case "recipient_agency":
		return j.recipient(q.i).Agency, true
	case "recipients":
		return q.recipients(), true
	case "recipient_count":
		return int64(len(q.recipients())), true
	case "size":
		return m.Index.Size, true
	case "attachments":
		q.make()
		return q.files, true
	case "attachment_size":
		return j.attached().size, true
	case "attachment_count":
		return int64(j.attached().count), true
	case "types":
		q.make()
		return q.types, true
	case "auth":
		return ruleAuth(m.Auth), true
	case "authenticated":
		return m.Account != "", true
	case "app":
		return m.App, true
	case "stored":
		return m.Append, true
	case "hour":
		return int64(q.now.Hour()), true
	case "weekday":
		return int64((q.now.Weekday()+6)%7 + 1), true
	}
	return nil, false
}

// recipients are all for a rule of the sender's agency or the suite, and else those of the
// rule's own agency: who else got a mail is not told by a rule.
func (q *question) recipients() []string {
	own := q.rule.Agency
	all := own == q.j.from.agency || own == suite
	var out []string
	for _, r := range q.j.m.Recipients {
		if len(out) < ruleRecipients && (all || r.Agency == own) {
			out = append(out, short256(r.Address))
		}
	}
	return out
}

func (q *question) make() {
	if q.made {
		return
	}
	q.made, q.files, q.types = true, []ruleFile{}, []string{}
	for _, f := range q.j.rep.Files[:min(len(q.j.rep.Files), ruleFiles)] {
		q.files = append(q.files, ruleFile{Name: clip(f.Name), Ext: extension(f.Name), Kind: f.Kind, Type: clip(f.Declared),
			Size: f.Size, Macros: f.Macros, Locked: f.Locked, Depth: int64(f.Depth)})
		if len(q.types) < 100 && !slices.Contains(q.types, f.Kind) {
			q.types = append(q.types, f.Kind)
		}
	}
}

func short256(s string) string { return strings.ToLower(clip(s)) }

func clip(s string) string { return s[:min(len(s), ruleName)] }

// applyRules asks the rules that are on. They only tighten: what the table refuses stays
// refused, and a rule that accepts changes nothing. One that fails puts the message off:
// nobody knows what it would have said.
func (j *judgement) applyRules(ctx context.Context) {
	if !j.rules.asks {
		return
	}
	var stop context.Context
	q := &question{j: j}
	for i := range j.dirs {
		for _, a := range j.rules.play(j.from.agency, j.recipient(i).Agency) {
			for _, r := range a.rules {
				if r.action == Accept {
					continue
				}
				if stop == nil {
					var cancel context.CancelFunc
					stop, cancel = context.WithTimeout(ctx, ruleTime)
					defer cancel()
					q.now = j.o.Clock()
				}
				q.i, q.rule = i, r
				j.applyRule(stop, q)
			}
		}
	}
}

// said is what a rule said, for those recipients for whom it must say the same.
type said struct {
	rule      *rule
	agency    string
	direction Direction
	i         int
}

func (j *judgement) applyRule(ctx context.Context, q *question) {
	k := said{rule: q.rule}
	if q.rule.group || q.rule.each {
		k.agency, k.direction = j.recipient(q.i).Agency, j.dirs[q.i]
	}
	if q.rule.each {
		k.i = q.i
	}
	a, known := j.said[k]
	if !known {
		if j.said == nil {
			j.said = map[said]Action{}
		}
		a = j.ask(ctx, q)
		j.said[k] = a
	}
	if a != Accept {
		c := cause{kind: byRule, agency: q.rule.Agency, rule: q.rule}
		if a == Tempfail && q.rule.action != Tempfail {
			c.kind = byFault
		}
		j.act(q.i, a, c)
	}
}

// ask runs a rule.
func (j *judgement) ask(ctx context.Context, q *question) Action {
	r := q.rule
	matched, err := r.matches(ctx, q)
	switch {
	case err != nil:
		j.o.Log.Error("a rule failed: the message is put off", "agency", r.Agency, "rule", r.Name, "version", r.Version, "id", j.m.QueueID, "err", err)
		return Tempfail
	case matched:
		return r.action
	}
	return Accept
}

func (r *rule) matches(ctx context.Context, q *question) (bool, error) {
	if r.fault != nil {
		return false, r.fault
	}
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("rules take too long: %w", err)
	}
	out, _, err := r.program.Eval(q)
	if err != nil {
		return false, err
	}
	matched, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("neither true nor false: %v", out)
	}
	return matched, nil
}

// extension is the end of a file's name, in lower case, as an operating system takes it:
// without blanks and dots behind it, and without characters that nobody sees.
func extension(name string) string {
	e := extensions(name)
	if len(e) == 0 {
		return ""
	}
	return e[len(e)-1]
}

// extensions are all of them.
func extensions(name string) []string {
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xad || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(clip(name), `\`, "/")))
	parts := strings.Split(strings.ToLower(strings.TrimRight(name, ". \u00a0")), ".")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts[1:]
}
