package policy

import (
	"context"
	"io"
	"strings"

	"sampul/policy/mark"
)

// An Explanation is the whole reasoning behind a verdict, for a person: what the message is
// made of, what was found where and why it counts or does not, and what follows. With an
// inspector whose marks are quoted it quotes the file, and must not be kept.
type Explanation struct {
	Verdict *Verdict
	Message *Explained // the message itself; its parts are below it
	Scores  []Score    // by class, the highest first
	Proven  bool       // nobody declares or releases it
	English bool       // the class rests on English words alone
	Opened  bool       // the subject declares the message open
	Gov     bool       // the sender is government
	Cause   string     // the rule, limit or permission that decided; "" is the class
}

// Explained is one part of a message with what was found in it.
type Explained struct {
	Name     string // of the last step of the path
	Kind     string // of a file, by content
	Size     int64
	Macros   bool
	Locked   bool
	Findings []mark.Finding
	Gaps     []string
	Parts    []*Explained
}

// A Score is what is for one class.
type Score struct {
	Class     Class
	Points    int
	Path      string // where its strongest evidence stands
	Rule      string
	Strongest int
	Beside    int // corroboration
}

// Explain judges a file as Check does, and tells all that led to the verdict.
func (e *Engine) Explain(ctx context.Context, c Check, r io.ReaderAt, size int64) (*Explanation, error) {
	j, err := e.checked(ctx, c, r, size)
	if err != nil {
		return nil, err
	}
	j.decide(ctx)
	found := &j.v.found
	x := &Explanation{Verdict: j.v, Message: &Explained{Name: "message"}, Proven: found.Proven, English: found.English,
		Opened: found.Declared, Gov: j.from.gov, Cause: j.v.by.String()}
	for _, f := range j.rep.Files {
		p := x.Message.at(f.Path)
		p.Kind, p.Size, p.Macros, p.Locked = f.Kind, f.Size, f.Macros, f.Locked
	}
	for _, f := range found.Findings {
		p := x.Message.at(f.Path)
		p.Findings = append(p.Findings, f)
	}
	for _, g := range j.rep.Gaps {
		p := x.Message.at(g.Path)
		p.Gaps = append(p.Gaps, g.Kind+", "+string(g.Reason)+": "+g.Why)
	}
	for c := mark.RahsiaBesar; c > mark.None; c-- {
		if s, ok := found.Scores[c]; ok {
			x.Scores = append(x.Scores, Score{classOf(c), s.Points, s.Path, s.Rule, s.Strongest, s.Beside})
		}
	}
	return x, nil
}

// at is the part at a path; it is made where it is not yet.
func (x *Explained) at(path string) *Explained {
	for _, step := range steps(path) {
		var next *Explained
		for _, p := range x.Parts {
			if p.Name == step {
				next = p
			}
		}
		if next == nil {
			next = &Explained{Name: step}
			x.Parts = append(x.Parts, next)
		}
		x = next
	}
	return x
}

// steps parts a path through containers; a name in quotation marks stays whole.
func steps(path string) []string {
	if path == "" {
		return nil
	}
	var out []string
	from, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && quoted:
			i++
		case path[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(path[i:], " > "):
			out = append(out, path[from:i])
			from = i + len(" > ")
			i = from - 1
		}
	}
	return append(out, path[from:])
}
