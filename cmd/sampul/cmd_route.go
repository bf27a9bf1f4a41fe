package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/mta/route"
)

func routeCommand(t *target) *cobra.Command {
	explain := &cobra.Command{Use: "explain ADDRESS", Short: "Say where mail for an address goes, and by which rules", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "route.explain", nameArgs{args[0]}, func(d route.Decision) string {
				var b strings.Builder
				tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
				for _, s := range d.Steps {
					fmt.Fprintf(tw, "%s\t%s\n", s.Rule, s.Result)
				}
				tw.Flush()
				fmt.Fprintf(&b, "\n%s: %s\n", d.Address, d.Final)
				return b.String()
			})
		}}
	return group("route", "Where mail goes", explain)
}
