package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/internal/guard"
	"sampul/store"
)

var banOperations = map[string]operation{
	"ban.list": op(func(ctx context.Context, _ store.Store, _ none, emit func(any) error) error {
		l := live(ctx)
		if l == nil {
			return errNotRunning
		}
		return each(emit, l.Bans(), nil)
	}),
	"ban.lift": op(func(ctx context.Context, _ store.Store, a nameArgs, emit func(any) error) error {
		l := live(ctx)
		if l == nil {
			return errNotRunning
		}
		n, err := config.Network(a.Name)
		if err != nil {
			return usagef("%q is no address and no network such as 192.0.2.0/24", a.Name)
		}
		if lifted := l.Unban(n); lifted > 0 {
			return emit(map[string]int{"lifted": lifted})
		}
		return fmt.Errorf("a ban of %s: %w", n, store.ErrNotFound)
	}),
}

func banCommand(t *target) *cobra.Command {
	ls := &cobra.Command{Use: "list", Short: "List networks that are kept out now, and why", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "ban.list", none{}, "NETWORK\tSINCE\tUNTIL\tTIMES\tWHY", func(b guard.Ban) []any {
				const form = "2006-01-02 15:04:05"
				return []any{b.Network, b.Since.Local().Format(form), b.Until.Local().Format(form), b.Times, b.Why}
			})
		}}
	lift := &cobra.Command{Use: "lift NETWORK", Short: "Let an address or a network in again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.do(c.Context(), "ban.lift", nameArgs{Name: args[0]}, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), args[0], "may come again")
				return err
			})
		}}
	return group("ban", "Networks that are kept out: too many wrong passwords, bad recipients or offences", ls, lift)
}
