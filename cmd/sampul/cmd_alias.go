package main

import (
	"time"

	"github.com/spf13/cobra"

	"sampul/store"
)

func aliasCommand(t *target) *cobra.Command {
	var until string
	add := &cobra.Command{Use: "add ALIAS ADDRESS", Short: "Send mail for ALIAS to the account or group ADDRESS", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			end, err := parseUntil(until)
			if err != nil {
				return err
			}
			return t.change(c, "alias.add", store.Alias{Address: args[0], Target: args[1], Until: end}, "alias "+args[0]+" added")
		}}
	untilFlag(add, &until)
	ls := &cobra.Command{Use: "list", Short: "List aliases", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "alias.list", none{}, "ALIAS\tADDRESS\tAGENCY\tUNTIL", func(a store.Alias) []any {
				end := ""
				if !a.Until.IsZero() {
					end = a.Until.Local().Format("2006-01-02 15:04:05")
				}
				return []any{a.Address, a.Target, a.Agency, end}
			})
		}}
	rm := &cobra.Command{Use: "remove ALIAS", Short: "Remove an alias", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "alias.remove", nameArgs{args[0]}, "alias "+args[0]+" removed")
		}}
	return group("alias", "Aliases: further addresses of an account", add, aliasSet(t), ls, rm)
}

func aliasSet(t *target) *cobra.Command {
	var until string
	var forEver bool
	set := &cobra.Command{Use: "set ALIAS [ADDRESS]", Short: "Change where an alias leads, or when it ends", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			a := aliasArgs{Address: args[0]}
			if len(args) == 2 {
				a.Target = &args[1]
			}
			switch {
			case until != "" && forEver:
				return usagef("--until and --for-ever exclude each other")
			case until != "":
				end, err := parseUntil(until)
				if err != nil {
					return err
				}
				a.Until = &end
			case forEver:
				a.Until = &time.Time{}
			case a.Target == nil:
				return usagef("nothing to set: an ADDRESS, --until or --for-ever")
			}
			return t.change(c, "alias.set", a, "alias "+args[0]+" changed")
		}}
	untilFlag(set, &until)
	set.Flags().BoolVar(&forEver, "for-ever", false, "the alias has no end")
	return set
}

func untilFlag(c *cobra.Command, until *string) {
	c.Flags().StringVar(until, "until", "", "last `day` on which the alias leads anywhere, such as 2027-06-30, or a time as 2027-06-30T17:00:00+08:00")
}

// parseUntil reads a day, which counts in full, or an instant.
func parseUntil(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || at.IsZero() {
		return time.Time{}, usagef("--until: a day such as 2027-06-30, or a time such as 2027-06-30T17:00:00+08:00, not %q", s)
	}
	return at, nil
}
