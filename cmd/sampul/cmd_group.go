package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sampul/store"
)

func groupCommand(t *target) *cobra.Command {
	var g store.Group
	add := &cobra.Command{Use: "add ADDRESS --owner O [--member M]...", Short: "Add a group, which sends its mail to its members", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if g.Address = args[0]; g.Owner == "" {
				return usagef("--owner O: who gets bounces?")
			}
			return t.change(c, "group.add", g, "group "+args[0]+" added")
		}}
	groupFlags(add, &g)
	ls := &cobra.Command{Use: "list", Short: "List groups", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "group.list", none{}, "GROUP\tMEMBERS\tSENDERS\tOWNER\tAGENCY", func(g store.Group) []any {
				return []any{g.Address, len(g.Members), sendersText(g), g.Owner, g.Agency}
			})
		}}
	sh := &cobra.Command{Use: "show ADDRESS", Short: "Show a group with its members", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "group.show", nameArgs{args[0]}, func(g store.Group) string {
				return fmt.Sprintf("group    %s\nagency   %s\nowner    %s\nsenders  %s\nverp     %v\nmembers  %s\n",
					g.Address, g.Agency, g.Owner, sendersText(g), g.VERP, strings.Join(g.Members, "\n         "))
			})
		}}
	rm := &cobra.Command{Use: "remove ADDRESS", Short: "Remove a group; its members stay", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "group.remove", nameArgs{args[0]}, "group "+args[0]+" removed")
		}}
	return group("group", "Groups: addresses that send mail to their members", add, groupSet(t), ls, sh, rm, groupMember(t))
}

func groupFlags(c *cobra.Command, g *store.Group) {
	f := c.Flags()
	f.StringSliceVar(&g.Members, "member", nil, "`address` of a member, of another group too; as often as needed")
	f.StringSliceVar(&g.Senders, "senders", nil, "who may send: anyone, inside, agency, members, or addresses; inside")
	f.StringVar(&g.Owner, "owner", "", "`address` that gets bounces")
	f.BoolVar(&g.VERP, "verp", false, "each member outside has a reverse-path of its own, so that a bounce names it")
}

func groupSet(t *target) *cobra.Command {
	var g store.Group
	c := &cobra.Command{Use: "set ADDRESS", Short: "Change a group; what is not given stays", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a := groupArgs{Address: args[0]}
			n := 0
			for name, to := range map[string]func(){
				"member": func() { a.Members = &g.Members }, "senders": func() { a.Senders = &g.Senders },
				"owner": func() { a.Owner = &g.Owner }, "verp": func() { a.VERP = &g.VERP },
			} {
				if c.Flags().Changed(name) {
					to()
					n++
				}
			}
			if n == 0 {
				return usagef("nothing to set: --member, --senders, --owner or --verp")
			}
			return t.change(c, "group.set", a, "group "+args[0]+" changed")
		}}
	groupFlags(c, &g)
	return c
}

func groupMember(t *target) *cobra.Command {
	verb := func(use, short, done string, fill func(*groupArgs, []string)) *cobra.Command {
		return &cobra.Command{Use: use + " GROUP ADDRESS...", Short: short, Args: cobra.MinimumNArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				a := groupArgs{Address: args[0]}
				fill(&a, args[1:])
				return t.change(c, "group.set", a, fmt.Sprintf("group %s: %d %s", args[0], len(args)-1, done))
			}}
	}
	return group("member", "Members of a group",
		verb("add", "Add members", "added", func(a *groupArgs, m []string) { a.Add = m }),
		verb("remove", "Remove members", "removed", func(a *groupArgs, m []string) { a.Remove = m }))
}

func sendersText(g store.Group) string {
	if len(g.Senders) == 0 {
		return store.SendersInside
	}
	return strings.Join(g.Senders, " ")
}
