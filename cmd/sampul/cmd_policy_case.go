package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/store"
)

func policyCaseCommand(t *target) *cobra.Command {
	a := caseListArgs{Max: 1000}
	ls := &cobra.Command{Use: "list", Short: "List cases, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch a.State {
			case "", store.CaseOpen, store.CaseApproved, store.CaseDenied:
			default:
				return usagef("--state: open, approved or denied, not %q", a.State)
			}
			return list(t, c, "case.list", a, "ID\tTIME\tAGENCY\tCLASS\tDIRECTION\tSENDER\tRECIPIENTS\tSTATE\tUNTIL",
				func(k store.Case) []any {
					return []any{k.ID, k.Time.Local().Format(minuteForm), k.Agency, suspected(k.Class, k.Suspicion), k.Direction,
						path(k.Sender), strings.Join(k.Recipients, " "), k.State, k.Until.Local().Format(dayForm)}
				})
		}}
	ls.Flags().StringVar(&a.State, "state", "", "open, approved or denied; all")
	ls.Flags().IntVar(&a.Max, "max", a.Max, "at most so many")
	show := &cobra.Command{Use: "show ID", Short: "Show a case: what was refused and why, never the content", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "case.show", idArgs{args[0]}, caseText)
		}}
	return group("case", "Refused messages that an officer may let pass when they are sent again", ls, show,
		decideCommand(t, "approve", true, "Let the message pass, with a tag, when it is sent again within 30 days"),
		decideCommand(t, "deny", false, "Leave the message refused"))
}

func decideCommand(t *target, verb string, approve bool, short string) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: verb + " ID --reason T", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usagef("--reason T: why? It is kept with the case")
			}
			done := "case " + args[0] + " denied"
			if approve {
				done = "case " + args[0] + " approved: the message passes when it is sent again"
			}
			return t.change(c, "case.decide", caseDecideArgs{args[0], approve, reason}, done)
		}}
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return c
}

func caseText(k store.Case) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	decided := ""
	if !k.Decided.IsZero() {
		decided = fmt.Sprintf("%s by %s: %s", k.Decided.Local().Format(minuteForm), k.By, k.Reason)
	}
	fields(w, [][2]string{
		{"case", k.ID}, {"incident", k.Incident}, {"time", k.Time.Local().Format(minuteForm)}, {"agency", k.Agency},
		{"class", suspected(k.Class, k.Suspicion)}, {"direction", k.Direction}, {"account", k.Account}, {"sender", k.Sender},
		{"recipients", strings.Join(k.Recipients, ", ")}, {"state", k.State}, {"decided", decided},
		{"until", k.Until.Local().Format(minuteForm)}, {"parts", fmt.Sprint(len(k.Parts))},
	})
	showEvidence(w, k.Evidence)
	w.Flush()
	return b.String()
}
