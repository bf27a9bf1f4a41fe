package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"sampul/store"
)

// show prints one thing that an operation gives: as it is with --json, else by text.
func show[T any](t *target, c *cobra.Command, name string, args any, text func(T) string) error {
	return t.do(c.Context(), name, args, func(raw json.RawMessage) error {
		if t.json {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
			return err
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		_, err := fmt.Fprint(c.OutOrStdout(), text(item))
		return err
	})
}

func (t *target) showDomain(c *cobra.Command, name string) error {
	return show(t, c, "domain.show", nameArgs{name}, func(d domainView) string {
		s := fmt.Sprintf("domain     %s\nagency     %s\ncreated    %s\nroute      %s\n", d.Name, d.Agency, d.Created.Format("2006-01-02"), routeText(d.Route))
		if d.Split != nil {
			s += fmt.Sprintf("table      %d here, %d elsewhere, %d moving\n", d.Split[store.Here], d.Split[store.Elsewhere], d.Split[store.Moving])
		}
		if d.CatchAll != "" {
			s += fmt.Sprintf("catch-all  %s\n", d.CatchAll)
		}
		if d.Held != "" {
			s += fmt.Sprintf("held       %s\n", d.Held)
		}
		return s
	})
}

// asked is the reason of a hold when none was given.
const asked = "by an administrator"

func domainMore(t *target) []*cobra.Command {
	var why string
	hold := &cobra.Command{Use: "hold DOMAIN", Short: "Keep mail for a domain in the queue until it is released; nothing is refused", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "domain.hold", whyArgs{args[0], why}, "mail for "+args[0]+" stays in the queue: "+why)
		}}
	hold.Flags().StringVar(&why, "reason", asked, "why, for those who look at the queue")
	release := &cobra.Command{Use: "release DOMAIN", Short: "Let mail for a domain go on", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "domain.hold", whyArgs{Name: args[0]}, "mail for "+args[0]+" goes on at its next attempt")
		}}
	sh := &cobra.Command{Use: "show DOMAIN", Short: "Show a domain", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return t.showDomain(c, args[0]) }}
	var off bool
	all := &cobra.Command{Use: "catch-all DOMAIN (ADDRESS | --off)", Short: "Give what nobody in a domain has to an address of the same agency", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if off == (len(args) == 2) {
				return usagef("an ADDRESS, or --off")
			}
			if off {
				return t.change(c, "domain.catchall", catchAllArgs{Domain: args[0]}, "unknown addresses of "+args[0]+" are refused")
			}
			return t.change(c, "domain.catchall", catchAllArgs{args[0], args[1]}, args[1]+" gets what nobody in "+args[0]+" has")
		}}
	all.Flags().BoolVar(&off, "off", false, "unknown addresses are refused")
	return []*cobra.Command{domainRoute(t), hold, release, sh, all}
}

func agencyMore(t *target) []*cobra.Command {
	var title, source, helo, outside string
	set := &cobra.Command{Use: "set NAME", Short: "Change what an agency has set; what is not given stays", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a := agencyArgs{Name: args[0]}
			f := c.Flags()
			for name, to := range map[string]**string{"title": &a.Title, "source": &a.Source, "helo": &a.HELO} {
				if f.Changed(name) {
					v, err := f.GetString(name)
					if err != nil {
						return err
					}
					*to = &v
				}
			}
			if f.Changed("forward-outside") {
				yes := outside == "yes"
				if !yes && outside != "no" {
					return usagef("--forward-outside: yes or no, not %q", outside)
				}
				a.ForwardOutside = &yes
			}
			var err error
			if a.Policy, err = policySettings(f); err != nil {
				return err
			}
			if a == (agencyArgs{Name: args[0]}) {
				return usagef("nothing to set: see agency set --help")
			}
			a.Reason = f.Lookup("reason").Value.String()
			return t.change(c, "agency.set", a, "agency "+args[0]+" changed")
		}}
	f := set.Flags()
	f.StringVar(&title, "title", "", "full name")
	f.StringVar(&source, "source", "", "`address` of this machine that its mail goes out from, empty for the system's choice")
	f.StringVar(&helo, "helo", "", "`name` in EHLO of its mail, empty for the suite's")
	f.StringVar(&outside, "forward-outside", "", "yes or no: may officers forward automatically to addresses outside government?")
	policyFlags(f)
	sh := &cobra.Command{Use: "show NAME", Short: "Show an agency, and what it has set of policy", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "agency.show", nameArgs{args[0]}, func(a agencyView) string {
				return fmt.Sprintf("agency           %s\ntitle            %s\ncreated          %s\nsource           %s\nhelo             %s\nforward outside  %v\n",
					a.Name, a.Title, a.Created.Format("2006-01-02"), a.Source, a.HELO, a.ForwardOutside) + settingsText(a.Policy)
			})
		}}
	return []*cobra.Command{set, sh, agencyHistory(t)}
}
