package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sampul/store"
)

// needReason refuses a change that nobody could account for later.
func needReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return usagef("--reason T: why? It is kept with the change")
	}
	return nil
}

func policyKindCommand(t *target) *cobra.Command {
	var k kindArgs
	allow := &cobra.Command{Use: "allow NAME --agency A --magic HEX --extension EXT --reason T", Args: cobra.ExactArgs(1),
		Short:   "Let a kind of file that nobody can read for marks pass inside the agency, with a tag and an incident",
		Example: `  sampul policy kind allow lukisan --agency agensi-a --magic 414331303332 --extension dwg --reason "pelan bangunan"`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmpErr(needAgency(k.Agency), needReason(k.Why)); err != nil {
				return err
			}
			if k.Magic == "" || k.Extension == "" {
				return usagef("a kind is known by both: --magic HEX and --extension EXT")
			}
			k.Name = args[0]
			return t.change(c, "kind.put", k, "files of kind "+args[0]+" pass unread inside "+k.Agency)
		}}
	f := allow.Flags()
	f.StringVar(&k.Agency, "agency", "", "the `agency`")
	f.StringVar(&k.Magic, "magic", "", "first octets of such files, in `hex`")
	f.StringVar(&k.Extension, "extension", "", "end of their names, such as dwg")
	f.StringVar(&k.Why, "reason", "", "why, for the record")

	var a ofAgencyArgs
	deny := &cobra.Command{Use: "deny NAME --agency A --reason T", Short: "Take a kind off the list", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmpErr(needAgency(a.Agency), needReason(a.Reason)); err != nil {
				return err
			}
			a.Name = args[0]
			return t.change(c, "kind.remove", a, "files of kind "+args[0]+" are refused again")
		}}
	deny.Flags().StringVar(&a.Agency, "agency", "", "the `agency`")
	deny.Flags().StringVar(&a.Reason, "reason", "", "why, for the record")

	var of ofAgencyArgs
	ls := &cobra.Command{Use: "list", Short: "List kinds that pass unread", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "kind.list", of, "AGENCY\tNAME\tMAGIC\tEXTENSION\tMADE", func(k store.PolicyKind) []any {
				return []any{k.Agency, k.Name, k.Magic, k.Extension, by(k.PolicyChange)}
			})
		}}
	ls.Flags().StringVar(&of.Agency, "agency", "", "of this `agency`")
	return group("kind", "Kinds of files that pass unread inside an agency: drawings, databases", allow, deny, ls)
}

// cmpErr is the first that is wrong.
func cmpErr(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func policyAllowCommand(t *target) *cobra.Command {
	var p permissionArgs
	var until string
	add := &cobra.Command{Use: "add ADDRESS --agency A --reason T", Short: "Let TERHAD and SULIT of an agency go to one recipient on the Internet", Args: cobra.ExactArgs(1),
		Long: `The recipient gets TERHAD and SULIT of the agency by mail, and each such message is recorded. It
is for what officers send; RAHSIA and above go to nobody.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmpErr(needAgency(p.Agency), needReason(p.Why)); err != nil {
				return err
			}
			var err error
			if p.Until, err = parseUntil(until); err != nil {
				return err
			}
			p.Address = args[0]
			return t.change(c, "allow.put", p, args[0]+" may get TERHAD and SULIT of "+p.Agency)
		}}
	f := add.Flags()
	f.StringVar(&p.Agency, "agency", "", "the `agency`")
	f.StringVar(&until, "until", "", "last `day` of the permission, such as 2027-06-30, or a time as 2027-06-30T17:00:00+08:00")
	f.StringVar(&p.Why, "reason", "", "why, for the record")

	var a ofAgencyArgs
	rm := &cobra.Command{Use: "remove ADDRESS --agency A", Short: "End a permission", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needAgency(a.Agency); err != nil {
				return err
			}
			a.Name = args[0]
			return t.change(c, "allow.remove", a, args[0]+" gets no more TERHAD and SULIT of "+a.Agency)
		}}
	ruleFlags(rm, &a.Agency, &a.Reason)

	var of ofAgencyArgs
	ls := &cobra.Command{Use: "list", Short: "List permissions, those that are over too", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "allow.list", of, "AGENCY\tADDRESS\tUNTIL\tMADE", func(p store.PolicyPermission) []any {
				return []any{p.Agency, p.Address, untilText(p.Until), by(p.PolicyChange)}
			})
		}}
	ls.Flags().StringVar(&of.Agency, "agency", "", "of this `agency`")
	return group("allow", "Recipients on the Internet who may get TERHAD and SULIT", add, rm, ls)
}

func policyLabelCommand(t *target) *cobra.Command {
	var l labelArgs
	add := &cobra.Command{Use: "add SITE GUID CLASS", Short: "Say which class a label of Microsoft's information protection means", Args: cobra.RangeArgs(3, 4),
		Long: "SITE is the GUID of the tenant that made the label, or '*' for any; GUID is the label's. CLASS is TERBUKA, TERHAD,\nSULIT, RAHSIA or RAHSIA BESAR.",
		RunE: func(c *cobra.Command, args []string) error {
			l.Site, l.GUID, l.Class = args[0], args[1], strings.Join(args[2:], " ")
			return t.change(c, "label.put", l, "label "+args[1]+" means "+strings.ToUpper(l.Class))
		}}
	add.Flags().StringVar(&l.Why, "reason", "", "why, for the record")
	var gone labelArgs
	rm := &cobra.Command{Use: "remove SITE GUID", Short: "Forget a label", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			gone.Site, gone.GUID = args[0], args[1]
			return t.change(c, "label.remove", gone, "label "+args[1]+" removed")
		}}
	rm.Flags().StringVar(&gone.Why, "reason", "", "why, for the record")
	ls := &cobra.Command{Use: "list", Short: "List labels", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "label.list", none{}, "SITE\tGUID\tCLASS\tMADE", func(l store.PolicyLabel) []any {
				return []any{l.Site, l.GUID, l.Class, by(l.PolicyChange)}
			})
		}}
	return group("label", "Labels of other systems, and the classes that they mean; for the whole suite", add, rm, ls)
}
