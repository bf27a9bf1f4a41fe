package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sampul/store"
)

func quarantineCommand(t *target) *cobra.Command {
	ls := &cobra.Command{Use: "list", Short: "List messages in quarantine, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "quarantine.list", none{}, "ID\tTIME\tUNTIL\tAGENCY\tSIZE\tFROM\tRECIPIENTS\tFILTER\tREASON",
				func(q store.Quarantined) []any {
					return []any{q.ID, q.Time.Local().Format("2006-01-02 15:04:05"), q.Until.Local().Format("2006-01-02"), q.Agency, q.Size,
						path(q.From), strings.Join(q.Recipients, " "), q.Filter, q.Reason}
				})
		}}
	release := &cobra.Command{Use: "release ID", Short: "Deliver a message after all, once policy has judged it again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "quarantine.release", idArgs{args[0]}, args[0]+" released")
		}}
	drop := &cobra.Command{Use: "drop ID", Short: "Remove a message from quarantine; nobody is told", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "quarantine.drop", idArgs{args[0]}, args[0]+" dropped")
		}}
	return group("quarantine", "Messages that a filter wants a person to look at", ls, release, drop)
}
