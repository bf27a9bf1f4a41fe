package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sampul/policy"
)

// policyLine is one file's verdict.
type policyLine struct {
	File      string           `json:"file"`
	Class     string           `json:"class"`
	Action    string           `json:"action"`
	Suspicion string           `json:"suspicion,omitempty"`
	Evidence  []policyEvidence `json:"evidence"`
	Notes     []string         `json:"notes,omitempty"`
}

type policyEvidence struct {
	Part  string `json:"part"`
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Class string `json:"class"`
	Why   string `json:"why,omitempty"`
}

// policyVerbs are the commands under policy, each in a file of its own.
var policyVerbs = []func(*target) *cobra.Command{
	policyCheckCommand,
	policyExplainCommand,
	policyCaseCommand,
	policyRuleCommand,
	policyKindCommand,
	policyAllowCommand,
	policyLabelCommand,
}

func policyCommand(t *target) *cobra.Command {
	var sub []*cobra.Command
	for _, f := range policyVerbs {
		sub = append(sub, f(t))
	}
	return group("policy", "The gate that classified mail does not pass", sub...)
}

func policyCheckCommand(t *target) *cobra.Command {
	var direction, agency string
	var tsv, noOCR bool
	check := &cobra.Command{Use: "check FILE...", Short: "Say which class is marked on messages, and what would follow", Args: cobra.MinimumNArgs(1),
		Long: `Check judges each file as the servers would judge it as a message. Nothing is stored or
recorded, and no server is needed. With --dir or --config the settings and rules of that suite
count, of the agency that --agency names; else what is built in. Exit code 1 when a file would not be delivered.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkDirection(direction, false); err != nil {
				return err
			}
			e, err := t.localEngine(c, noOCR)
			if err != nil {
				return err
			}
			defer e.close()
			var refused bool
			var errs []error
			for _, name := range args {
				v, err := e.check(c.Context(), name, agency, policy.Direction(direction))
				if err != nil {
					errs = append(errs, err)
					continue
				}
				refused = refused || v.Action > policy.Tag
				if err := printVerdict(c.OutOrStdout(), t.json, tsv, name, v); err != nil {
					return err
				}
			}
			if len(errs) == 0 && refused {
				return errFinding
			}
			return errors.Join(errs...)
		}}
	check.Flags().StringVar(&direction, "direction", "internal", "the way it takes: internal, agency, out, in-gov, in, relay")
	check.Flags().StringVar(&agency, "agency", "", "the `agency` whose settings count")
	check.Flags().BoolVar(&noOCR, "no-ocr", false, "judge as a machine without tesseract would")
	check.Flags().BoolVar(&tsv, "tsv", false, "print file and class with a tab between")
	return check
}

func printVerdict(w io.Writer, asJSON, tsv bool, name string, v *policy.Verdict) error {
	if tsv {
		_, err := fmt.Fprintf(w, "%s\t%s\n", name, v.Class)
		return err
	}
	l := policyLine{File: name, Class: v.Class.String(), Action: v.Action.String(), Evidence: []policyEvidence{}, Notes: v.Notes}
	if v.Suspicion != policy.Terbuka {
		l.Suspicion = v.Suspicion.String()
	}
	for _, ev := range v.Evidence {
		l.Evidence = append(l.Evidence, policyEvidence{ev.Path, ev.Where, ev.Rule, ev.Class.String(), ev.Why})
	}
	if asJSON {
		return writeLine(w, l)
	}
	fmt.Fprintf(w, "%s: %s, %s\n", name, l.Class, l.Action)
	for _, ev := range l.Evidence {
		fmt.Fprintf(w, "  %s in %s, %s (%s) %s\n", ev.Class, ev.Part, ev.Where, ev.Rule, ev.Why)
	}
	for _, n := range l.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
	return nil
}
