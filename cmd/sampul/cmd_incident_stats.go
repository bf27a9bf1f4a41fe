package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/store"
)

// A statLine counts incidents that have something in common.
type statLine struct {
	By         string `json:"by"` // agency, class, month, rule
	Key        string `json:"key"`
	Incidents  int    `json:"incidents"`
	Refused    int    `json:"refused"`
	FalseAlarm int    `json:"false_alarm"`
	Open       int    `json:"open"`
}

var statKeys = []string{"agency", "class", "month", "rule"}

func incidentStatsCommand(t *target) *cobra.Command {
	var p incidentPick
	var by []string
	c := &cobra.Command{Use: "stats", Short: "Count incidents by agency, class, month and rule", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := p.filter()
			if err != nil {
				return err
			}
			for _, k := range by {
				if !slices.Contains(statKeys, k) {
					return usagef("--by: agency, class, month or rule, not %q", k)
				}
			}
			lines := map[[2]string]*statLine{}
			err = t.do(c.Context(), "incident.list", f, func(raw json.RawMessage) error {
				var in store.Incident
				if err := json.Unmarshal(raw, &in); err != nil {
					return err
				}
				for _, k := range by {
					tally(lines, k, &in)
				}
				return nil
			})
			if err != nil {
				return err
			}
			return printStats(t, c, lines)
		}}
	p.flags(c)
	c.Flags().StringSliceVar(&by, "by", statKeys, "what to count by: agency, class, month, rule")
	return c
}

// tally counts an incident once under each of its keys.
func tally(lines map[[2]string]*statLine, by string, in *store.Incident) {
	var keys []string
	switch by {
	case "agency":
		keys = []string{in.Agency}
	case "class":
		keys = []string{suspected(in.Class, in.Suspicion)}
	case "month":
		keys = []string{in.Time.Local().Format("2006-01")}
	case "rule":
		for _, e := range in.Evidence {
			if !slices.Contains(keys, e.Rule) {
				keys = append(keys, e.Rule)
			}
		}
		if in.Cause != "" {
			keys = append(keys, in.Cause)
		}
	}
	for _, k := range keys {
		l := lines[[2]string{by, k}]
		if l == nil {
			l = &statLine{By: by, Key: k}
			lines[[2]string{by, k}] = l
		}
		l.Incidents++
		if in.Action != "accept" && in.Action != "tag" {
			l.Refused++
		}
		if in.FalseAlarm {
			l.FalseAlarm++
		}
		if in.State != store.IncidentClosed {
			l.Open++
		}
	}
}

func printStats(t *target, c *cobra.Command, lines map[[2]string]*statLine) error {
	var all []*statLine
	for _, l := range lines {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *statLine) int {
		return cmp.Or(slices.Index(statKeys, a.By)-slices.Index(statKeys, b.By), cmp.Compare(a.Key, b.Key))
	})
	if t.json {
		for _, l := range all {
			if err := writeLine(c.OutOrStdout(), l); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "BY\tKEY\tINCIDENTS\tREFUSED\tFALSE ALARMS\tOPEN")
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", l.By, l.Key, l.Incidents, l.Refused, l.FalseAlarm, l.Open)
	}
	return w.Flush()
}
