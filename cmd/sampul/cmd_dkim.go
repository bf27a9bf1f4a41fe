package main

import (
	"github.com/spf13/cobra"

	"sampul/store"
)

func dkimCommand(t *target) *cobra.Command {
	var selector string
	add := &cobra.Command{Use: "add DOMAIN", Short: "Make a pair of keys for a domain, RSA and Ed25519", Args: cobra.ExactArgs(1),
		Long: `Add makes a pair of signing keys. The first pair of a domain signs at once: publish
its records, which ` + "`sampul domain dns`" + ` prints. A later pair waits until it has been
published for two days and DNS has its records, then it signs in place of the old one.`,
		RunE: func(c *cobra.Command, args []string) error {
			return listKeys(t, c, "dkim.add", keyArgs{args[0], selector})
		}}
	add.Flags().StringVar(&selector, "selector", "", "`name` of the pair, to which r and e are added; the month without it")
	ls := &cobra.Command{Use: "list [DOMAIN]", Short: "List keys and their states", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return listKeys(t, c, "dkim.list", keyArgs{Domain: firstOf(args)})
		}}
	rotate := &cobra.Command{Use: "rotate DOMAIN", Short: "Begin the change to a new pair: publish, wait, use, retire", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return listKeys(t, c, "dkim.rotate", keyArgs{Domain: args[0]})
		}}
	use := &cobra.Command{Use: "use DOMAIN", Short: "Let the published pair sign at once, and retire the old one", Args: cobra.ExactArgs(1),
		Long: `Use ends the waiting of the plan. Do it when the records are in DNS, and never were
missing there: caches remember for a while that a name has no record.`,
		RunE: func(c *cobra.Command, args []string) error {
			return listKeys(t, c, "dkim.use", keyArgs{Domain: args[0]})
		}}
	retire := &cobra.Command{Use: "retire DOMAIN [SELECTOR]", Short: "Let a key sign no more; its record stays for a week", Args: cobra.RangeArgs(1, 2),
		Long: `Retire lets the key SELECTOR sign no more. Without SELECTOR it is the old pair, in whose
place the published one signs from then on, as after ` + "`sampul dkim use`" + `. The last key of
a domain cannot be retired: mail that was signed and is no more looks forged.`,
		RunE: func(c *cobra.Command, args []string) error {
			return listKeys(t, c, "dkim.retire", keyArgs{args[0], firstOf(args[1:])})
		}}
	return group("dkim", "DKIM: keys that sign outgoing mail", add, ls, rotate, use, retire)
}

func listKeys(t *target, c *cobra.Command, name string, args keyArgs) error {
	return list(t, c, name, args, "DOMAIN\tSELECTOR\tALGORITHM\tSTATE\tSINCE", func(k store.DKIMKey) []any {
		return []any{k.Domain, k.Selector, k.Algorithm, k.State, k.Changed.Local().Format("2006-01-02 15:04")}
	})
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
