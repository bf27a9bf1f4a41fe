package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sampul/store"
)

// accountMore are the verbs that stop an account, send its mail on, and show it.
func accountMore(t *target) []*cobra.Command {
	var why string
	hold := &cobra.Command{Use: "hold ADDRESS", Short: "Stop an account: nobody logs in, its sessions end, what it sent stays in the queue; mail still arrives", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if why == "" {
				return usagef("--reason: why?")
			}
			return show(t, c, "account.hold", whyArgs{args[0], why}, func(h heldAccount) string {
				return fmt.Sprintf("account %s is held: %s\n%d messages of it in the queue are held too\n", h.Address, h.Held, h.Queued)
			})
		}}
	hold.Flags().StringVar(&why, "reason", asked, "why, for those who look at the account")
	release := &cobra.Command{Use: "release ADDRESS", Short: "Let a held account work again, and what it sent go on", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "account.hold", whyArgs{Name: args[0]}, func(h heldAccount) string {
				return fmt.Sprintf("account %s is released\n%d messages of it in the queue go on\n", h.Address, h.Queued)
			})
		}}
	sh := &cobra.Command{Use: "show ADDRESS", Short: "Show an account", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "account.show", nameArgs{args[0]}, accountText)
		}}
	return []*cobra.Command{hold, release, accountForward(t), sh}
}

func accountForward(t *target) *cobra.Command {
	var a forwardArgs
	var off bool
	c := &cobra.Command{Use: "forward ADDRESS (--to A... [--only] | --off)", Short: "Send mail of an account on automatically; outside government only where its agency allows it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if off == (len(a.To) > 0) || off && a.Only {
				return usagef("--to ADDRESS, or --off")
			}
			a.Address = args[0]
			done := "mail of " + args[0] + " is not sent on"
			if !off {
				done = "mail of " + args[0] + " goes to " + strings.Join(a.To, ", ")
				if a.Only {
					done += ", and is not kept here"
				}
			}
			return t.change(c, "account.forward", a, done)
		}}
	f := c.Flags()
	f.StringSliceVar(&a.To, "to", nil, "`address` that gets the mail too; as often as needed")
	f.BoolVar(&a.Only, "only", false, "nothing is kept here")
	f.BoolVar(&off, "off", false, "send nothing on")
	return c
}

func accountText(a store.Account) string {
	s := fmt.Sprintf("account  %s\nagency   %s\nkind     %s\ncreated  %s\n", a.Address, a.Agency, a.Kind, a.Created.Format("2006-01-02"))
	only := ""
	if a.ForwardOnly {
		only = " (and is not kept here)"
	}
	for _, line := range []struct{ name, value string }{
		{"name", a.Name}, {"forward", strings.TrimSpace(strings.Join(a.Forward, " ") + only)}, {"held", a.Held},
	} {
		if line.value != "" {
			s += fmt.Sprintf("%-8s %s\n", line.name, line.value)
		}
	}
	if a.Quota > 0 {
		s += fmt.Sprintf("%-8s %d octets\n", "quota", a.Quota)
	}
	if a.Frozen {
		s += "frozen   yes\n"
	}
	return s
}
