package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/policy"
	"sampul/policy/inspect"
	"sampul/policy/mark"
)

// policyExplainCommand is `policy explain FILE`.
func policyExplainCommand(t *target) *cobra.Command {
	var direction, agency string
	var noOCR bool
	c := &cobra.Command{Use: "explain FILE...", Short: "Show all that leads to the verdict on a message", Args: cobra.MinimumNArgs(1),
		Long: `Explain judges each file as check does, and shows the whole reasoning as a tree: what the
message is made of, each class word that was found, by which rule it counts or why it does
not, what could not be read, the points of each class, the verdict and the reply. It quotes
up to 40 characters around each word: for files of one's own, never for mail in transit.
Exit code 1 when a file would not be delivered.`,
		RunE: func(c *cobra.Command, args []string) error {
			d := policy.Direction(direction)
			if !slices.Contains(policy.Directions, d) {
				return usagef("--direction: one of %v, not %q", policy.Directions, direction)
			}
			log := newLog(c.ErrOrStderr(), config.Log{Level: "error"})
			o := inspectOptions("", log)
			o.Marks = &mark.Settings{Version: "explain", Quotes: true}
			if !noOCR {
				o.Recognise = recogniser(log)
			}
			look := inspect.New(o)
			defer look.Close()
			e := policy.New(policy.Options{Inspector: look})
			refused := false
			var errs []error
			for _, name := range args {
				x, err := explainFile(c, e, name, policy.Check{Direction: d, Agency: agency})
				if err != nil {
					errs = append(errs, err)
					continue
				}
				refused = refused || x.Verdict.Action > policy.Tag
				if t.json {
					err = writeLine(c.OutOrStdout(), explainedLine(name, x))
				} else {
					err = printExplanation(c.OutOrStdout(), name, x)
				}
				if err != nil {
					return err
				}
			}
			if len(errs) == 0 && refused {
				return errFinding
			}
			return errors.Join(errs...)
		}}
	c.Flags().StringVar(&direction, "direction", "internal", "the way it takes: internal, agency, out, in-gov, in, relay")
	c.Flags().StringVar(&agency, "agency", "", "the `agency` whose settings count")
	c.Flags().BoolVar(&noOCR, "no-ocr", false, "judge as a machine without tesseract would")
	return c
}

func explainFile(c *cobra.Command, e *policy.Engine, name string, check policy.Check) (*policy.Explanation, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	x, err := e.Explain(c.Context(), check, f, fi.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, nil
}

// printExplanation draws the tree.
func printExplanation(w io.Writer, name string, x *policy.Explanation) error {
	v := x.Verdict
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", name, v.Class)
	branches := len(x.Message.Parts)
	b.WriteString("├─ what it is made of\n")
	if branches == 0 {
		b.WriteString("│  └─ nothing in it is worth a look: no class word, nothing unread\n")
	}
	for i, p := range x.Message.Parts {
		drawPart(&b, "│  ", i == branches-1, p)
	}
	b.WriteString("├─ points (80 and more is a verdict, 40 to 79 a suspicion)\n")
	if len(x.Scores) == 0 {
		b.WriteString("│  └─ none\n")
	}
	for i, s := range x.Scores {
		fmt.Fprintf(&b, "│  %s%s: %d, by %s in %s", elbow(i == len(x.Scores)-1), s.Class, s.Points, s.Rule, s.Path)
		if s.Beside > 0 {
			fmt.Fprintf(&b, " (%d and %d beside it)", s.Strongest, s.Beside)
		}
		b.WriteByte('\n')
	}
	facts := explainedFacts(x)
	if len(v.Notes) > 0 {
		facts = append(facts, v.Notes...)
	}
	if len(facts) > 0 {
		b.WriteString("├─ notes\n")
		for i, n := range facts {
			fmt.Fprintf(&b, "│  %s%s\n", elbow(i == len(facts)-1), n)
		}
	}
	fmt.Fprintf(&b, "└─ verdict: %s", v.Class)
	if v.Suspicion != policy.Terbuka {
		fmt.Fprintf(&b, ", suspicion of %s", v.Suspicion)
	}
	fmt.Fprintf(&b, "; %s: %s", v.Direction, v.Action)
	if x.Cause != "" {
		fmt.Fprintf(&b, " (%s)", x.Cause)
	}
	b.WriteByte('\n')
	if v.Text != "" {
		fmt.Fprintf(&b, "   └─ reply: %d %s %s\n", v.Code, v.Enhanced, v.Text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// explainedFacts are what the verdict says of the message as a whole.
func explainedFacts(x *policy.Explanation) (out []string) {
	if x.Proven {
		out = append(out, "proven: nobody declares it open or releases it")
	}
	if x.English {
		out = append(out, "rests on English words alone: below RAHSIA it counts only when the sender is government")
	}
	if x.Opened {
		out = append(out, "the subject declares the message open")
	}
	return out
}

func elbow(last bool) string {
	if last {
		return "└─ "
	}
	return "├─ "
}

// drawPart draws one part, what was found in it, and the parts in it.
func drawPart(b *strings.Builder, indent string, last bool, p *policy.Explained) {
	fmt.Fprintf(b, "%s%s%s", indent, elbow(last), printable(p.Name))
	if p.Kind != "" {
		fmt.Fprintf(b, " (%s, %d octets", p.Kind, p.Size)
		if p.Macros {
			b.WriteString(", with macros")
		}
		if p.Locked {
			b.WriteString(", encrypted")
		}
		b.WriteByte(')')
	}
	b.WriteByte('\n')
	if last {
		indent += "   "
	} else {
		indent += "│  "
	}
	rows := len(p.Findings) + len(p.Gaps) + len(p.Parts)
	row := func() string { rows--; return indent + elbow(rows == 0) }
	for i := range p.Findings {
		f := &p.Findings[i]
		at := row()
		fmt.Fprintf(b, "%s%s %d: %s in %s: %s\n", at, f.Rule, f.Weight, f.Class, printable(f.Where), f.Why)
		below := indent + "│  "
		if rows == 0 {
			below = indent + "   "
		}
		if f.Quote != "" {
			fmt.Fprintf(b, "%s  “%s”\n", below, printable(f.Quote))
		}
		if f.Points != "" {
			fmt.Fprintf(b, "%s  as written: %s\n", below, f.Points)
		}
	}
	for _, g := range p.Gaps {
		fmt.Fprintf(b, "%snot read: %s\n", row(), printable(g))
	}
	for i, q := range p.Parts {
		drawPart(b, indent, i == len(p.Parts)-1, q)
	}
}

// printable is text that a terminal shows as it stands.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

// explainLine is one file's explanation in JSON.
type explainLine struct {
	File      string         `json:"file"`
	Class     string         `json:"class"`
	Suspicion string         `json:"suspicion,omitempty"`
	Direction string         `json:"direction"`
	Action    string         `json:"action"`
	Cause     string         `json:"cause,omitempty"`
	Reply     string         `json:"reply,omitempty"`
	Proven    bool           `json:"proven"`
	English   bool           `json:"english"`
	Declared  bool           `json:"declared"`
	Scores    []explainScore `json:"scores"`
	Parts     []*explainPart `json:"parts"`
	Notes     []string       `json:"notes,omitempty"`
}

type explainScore struct {
	Class         string `json:"class"`
	Points        int    `json:"points"`
	Rule          string `json:"rule"`
	Part          string `json:"part"`
	Strongest     int    `json:"strongest"`
	Corroboration int    `json:"corroboration"`
}

type explainPart struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind,omitempty"`
	Size     int64             `json:"size,omitempty"`
	Macros   bool              `json:"macros,omitempty"`
	Locked   bool              `json:"locked,omitempty"`
	Evidence []explainEvidence `json:"evidence,omitempty"`
	Gaps     []string          `json:"gaps,omitempty"`
	Parts    []*explainPart    `json:"parts,omitempty"`
}

type explainEvidence struct {
	Rule   string `json:"rule"`
	Class  string `json:"class"`
	Word   string `json:"word"`
	Weight int    `json:"weight"`
	Where  string `json:"where"`
	Why    string `json:"why"`
	Quote  string `json:"quote,omitempty"`
	Points string `json:"points,omitempty"`
}

func explainedLine(name string, x *policy.Explanation) explainLine {
	v := x.Verdict
	l := explainLine{File: name, Class: v.Class.String(), Direction: string(v.Direction), Action: v.Action.String(), Cause: x.Cause,
		Proven: x.Proven, English: x.English, Declared: x.Opened, Scores: []explainScore{}, Parts: []*explainPart{}, Notes: v.Notes}
	if v.Suspicion != policy.Terbuka {
		l.Suspicion = v.Suspicion.String()
	}
	if v.Text != "" {
		l.Reply = fmt.Sprintf("%d %s %s", v.Code, v.Enhanced, v.Text)
	}
	for _, s := range x.Scores {
		l.Scores = append(l.Scores, explainScore{s.Class.String(), s.Points, s.Rule, s.Path, s.Strongest, s.Beside})
	}
	for _, p := range x.Message.Parts {
		l.Parts = append(l.Parts, explainedPart(p))
	}
	return l
}

func explainedPart(p *policy.Explained) *explainPart {
	out := &explainPart{Name: p.Name, Kind: p.Kind, Size: p.Size, Macros: p.Macros, Locked: p.Locked, Gaps: p.Gaps}
	for _, f := range p.Findings {
		out.Evidence = append(out.Evidence, explainEvidence{f.Rule, f.Class.String(), f.Word, f.Weight, f.Where, f.Why, f.Quote, f.Points})
	}
	for _, q := range p.Parts {
		out.Parts = append(out.Parts, explainedPart(q))
	}
	return out
}
