package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/store"
)

func incidentCommand(t *target) *cobra.Command {
	max := 1000
	ls := &cobra.Command{Use: "list", Short: "List incidents, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if max <= 0 {
				return usagef("--max: at least 1")
			}
			return list(t, c, "incident.list", listArgs{max}, "ID\tTIME\tAGENCY\tCLASS\tACTION\tDIRECTION\tLISTENER\tSENDER\tRECIPIENTS",
				func(in store.Incident) []any {
					return []any{in.ID, in.Time.Local().Format("2006-01-02 15:04:05"), in.Agency, in.Class, in.Action,
						in.Direction, in.Listener, in.Sender, strings.Join(in.Recipients, " ")}
				})
		}}
	ls.Flags().IntVar(&max, "max", max, "at most so many")
	show := &cobra.Command{Use: "show ID", Short: "Show an incident: what was found, where, never the content", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.do(c.Context(), "incident.show", idArgs{args[0]}, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var in store.Incident
				if err := json.Unmarshal(raw, &in); err != nil {
					return err
				}
				return showIncident(c, &in)
			})
		}}
	return group("incident", "Incidents: what was refused or found, without the content", ls, show)
}

func showIncident(c *cobra.Command, in *store.Incident) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, f := range [][2]string{
		{"incident", in.ID}, {"time", in.Time.Local().Format("2006-01-02 15:04:05 MST")}, {"agency", in.Agency},
		{"class", in.Class}, {"action", in.Action}, {"direction", in.Direction}, {"listener", in.Listener},
		{"client", in.Remote}, {"account", in.Account}, {"sender", in.Sender},
		{"recipients", strings.Join(in.Recipients, ", ")}, {"message-id", in.MessageID},
		{"size", fmt.Sprint(in.Size)}, {"queue id", in.QueueID}, {"rules", in.RuleSet}, {"state", in.State},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", f[0], f[1])
		}
	}
	for _, e := range in.Evidence {
		fmt.Fprintf(w, "evidence:\t%s in %s, %s, rule %s\n", e.Class, e.Path, e.Where, e.Rule)
	}
	return w.Flush()
}
