package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/policy"
	"sampul/store"
)

const allAgencies = "`agency`, or '*' for all of the suite"

func policyRuleCommand(t *target) *cobra.Command {
	return group("rule", "Rules of agencies: conditions on messages, and what follows",
		ruleAdd(t), ruleChange(t), ruleList(t), ruleShow(t), ruleTest(t), ruleSwitch(t, "on", "Switch a rule on: it holds for the next message", false),
		ruleSwitch(t, "off", "Switch a rule off; it stays", true), ruleRemove(t), ruleHistory(t))
}

// variablesText explains what conditions may ask.
func variablesText() string {
	var b strings.Builder
	b.WriteString(`A condition is an expression in CEL that is true or false. Rules only tighten: what the table
of classes refuses stays refused, and RAHSIA and above are no rule's business. A rule is asked
about mail from the agency and about mail to it, for each recipient. One that fails while it
runs puts the message off with 451, so that nothing passes that it was to stop.

Actions: accept (nothing follows; it documents), tag (delivered, with X-Sampul-Rule for the
agency's own recipients), secure-link (refused, pointing to the link service), reject, tempfail.

Variables:
`)
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, v := range policy.RuleVariables() {
		fmt.Fprintf(w, "  %s\t%s\n", v[0], v[1])
	}
	w.Flush()
	return b.String()
}

func ruleFlags(c *cobra.Command, agency, reason *string) {
	c.Flags().StringVar(agency, "agency", "", allAgencies)
	c.Flags().StringVar(reason, "reason", "", "why, for the history")
}

// needAgency refuses a command that does not say whose.
func needAgency(agency string) error {
	if agency == "" {
		return usagef("--agency A: whose is it? '*' is for all of the suite")
	}
	return nil
}

func ruleAdd(t *target) *cobra.Command {
	a := ruleArgs{New: true}
	var when, do, text string
	var off bool
	c := &cobra.Command{Use: "add NAME --agency A --when CEL --do ACTION", Short: "Add a rule", Args: cobra.ExactArgs(1), Long: variablesText(),
		Example: `  sampul policy rule add malam --agency agensi-a --when 'direction == "out" && (hour >= 20 || hour < 6)' --do reject --off
  sampul policy rule add asing --agency agensi-a --when 'direction == "in" && auth.dmarc != "pass" && attachments.exists(a, a.macros)' --do reject`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			if when == "" || do == "" {
				return usagef("a rule needs --when CEL and --do ACTION")
			}
			a.Name, a.When, a.Do, a.Text, a.Off = args[0], &when, &do, &text, &off
			state := "on: it holds for the next message"
			if off {
				state = "off: try it with `policy rule test`, then `policy rule on`"
			}
			return t.change(c, "rule.put", a, "rule "+args[0]+" added, "+state)
		}}
	ruleFlags(c, &a.Agency, &a.Reason)
	f := c.Flags()
	f.StringVar(&when, "when", "", "the `condition`, in CEL")
	f.StringVar(&do, "do", "", "accept, tag, secure-link, reject or tempfail")
	f.StringVar(&text, "text", "", "what the reply says besides; ASCII")
	f.BoolVar(&off, "off", false, "add it switched off")
	return c
}

func ruleChange(t *target) *cobra.Command {
	a := ruleArgs{}
	c := &cobra.Command{Use: "change NAME --agency A", Short: "Make the next version of a rule; what is not given stays", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			f := c.Flags()
			for name, to := range map[string]**string{"when": &a.When, "do": &a.Do, "text": &a.Text} {
				if f.Changed(name) {
					v := f.Lookup(name).Value.String()
					*to = &v
				}
			}
			if a.When == nil && a.Do == nil && a.Text == nil {
				return usagef("nothing to change: --when, --do or --text")
			}
			return t.change(c, "rule.put", a, "rule "+args[0]+" changed")
		}}
	ruleFlags(c, &a.Agency, &a.Reason)
	c.Flags().String("when", "", "the `condition`, in CEL")
	c.Flags().String("do", "", "accept, tag, secure-link, reject or tempfail")
	c.Flags().String("text", "", "what the reply says besides; ASCII")
	return c
}

func ruleSwitch(t *target, verb, short string, off bool) *cobra.Command {
	a := ruleArgs{Off: &off}
	c := &cobra.Command{Use: verb + " NAME --agency A", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			return t.change(c, "rule.put", a, "rule "+args[0]+" is "+verb)
		}}
	ruleFlags(c, &a.Agency, &a.Reason)
	return c
}

func ruleRemove(t *target) *cobra.Command {
	var a ofAgencyArgs
	c := &cobra.Command{Use: "remove NAME --agency A", Short: "Remove a rule; its history stays", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			return t.change(c, "rule.remove", a, "rule "+args[0]+" removed")
		}}
	ruleFlags(c, &a.Agency, &a.Reason)
	return c
}

func stateOf(r store.PolicyRule) string {
	switch {
	case r.Removed:
		return "removed"
	case r.Off:
		return "off"
	}
	return "on"
}

func ruleList(t *target) *cobra.Command {
	var a ofAgencyArgs
	c := &cobra.Command{Use: "list", Short: "List rules", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "rule.list", a, "AGENCY\tNAME\tSTATE\tVERSION\tDO\tWHEN", func(r store.PolicyRule) []any {
				return []any{r.Agency, r.Name, stateOf(r), r.Version, r.Do, oneLine(r.When)}
			})
		}}
	c.Flags().StringVar(&a.Agency, "agency", "", "of this "+allAgencies)
	return c
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func ruleShow(t *target) *cobra.Command {
	var a ofAgencyArgs
	c := &cobra.Command{Use: "show NAME --agency A", Short: "Show a rule", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			return show(t, c, "rule.show", a, func(r store.PolicyRule) string {
				return fmt.Sprintf("rule     %s\nagency   %s\nstate    %s\nwhen     %s\ndo       %s\ntext     %s\nversion  %d, %s\n",
					r.Name, r.Agency, stateOf(r), oneLine(r.When), r.Do, r.Text, r.Version, by(r.PolicyChange))
			})
		}}
	c.Flags().StringVar(&a.Agency, "agency", "", allAgencies)
	return c
}

func ruleHistory(t *target) *cobra.Command {
	var a ofAgencyArgs
	c := &cobra.Command{Use: "history NAME --agency A", Short: "Show every version of a rule, by whom, when and why; of a removed one too", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			return list(t, c, "rule.history", a, "VERSION\tMADE\tSTATE\tDO\tWHEN", func(r store.PolicyRule) []any {
				return []any{r.Version, by(r.PolicyChange), stateOf(r), r.Do, oneLine(r.When)}
			})
		}}
	c.Flags().StringVar(&a.Agency, "agency", "", allAgencies)
	return c
}

// ruleTried is what a rule would do to one message.
type ruleTried struct {
	File    string `json:"file"`
	Matched bool   `json:"matched"`
	Action  string `json:"action"` // with the rule on
	Class   string `json:"class"`
	Error   string `json:"error,omitempty"`
}

func ruleTest(t *target) *cobra.Command {
	var a ofAgencyArgs
	var direction string
	c := &cobra.Command{Use: "test NAME DIR... --agency A", Short: "Say what a rule would do to messages, on or off; nothing happens to them", Args: cobra.MinimumNArgs(2),
		Long: `Test judges each file of the directories, or each file that is named, as a message, with the
settings and rules of the suite, and this rule as if it were on. Sender and recipients are those
of its header (From, To, Cc); the direction follows from them, unless --direction says it.
What rules ask of the session is as of mail without one: nothing is authenticated.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			if err := checkDirection(direction, true); err != nil {
				return err
			}
			a.Name = args[0]
			var rule store.PolicyRule
			if err := t.do(c.Context(), "rule.show", a, func(raw json.RawMessage) error { return json.Unmarshal(raw, &rule) }); err != nil {
				return err
			}
			files, err := messageFiles(args[1:])
			if err != nil {
				return err
			}
			e, err := t.localEngine(c, false)
			if err != nil {
				return err
			}
			defer e.close()
			return tryRule(c, t.json, e, rule, policy.Direction(direction), files)
		}}
	c.Flags().StringVar(&a.Agency, "agency", "", allAgencies)
	c.Flags().StringVar(&direction, "direction", "", "the way that all of them take: internal, agency, out, in-gov, in, relay")
	return c
}

func tryRule(c *cobra.Command, asJSON bool, e *localEngine, rule store.PolicyRule, d policy.Direction, files []string) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "FILE\tMATCHED\tACTION\tCLASS")
	}
	failed := false
	for _, name := range files {
		l := ruleTried{File: name}
		err := e.file(name, rule.Agency, d, func(k policy.Check, f *messageFile) error {
			matched, v, err := e.TestRule(c.Context(), rule, k, f, f.size)
			if v != nil {
				l.Matched, l.Action, l.Class = matched, v.Action.String(), v.Class.String()
			}
			return err
		})
		matched := "no"
		if l.Matched {
			matched = "yes"
		}
		if err != nil {
			failed = true
			l.Error, matched = err.Error(), "error: "+oneLine(err.Error())
		}
		if asJSON {
			if err := writeLine(c.OutOrStdout(), l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, matched, l.Action, l.Class)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed {
		return errFinding
	}
	return nil
}
