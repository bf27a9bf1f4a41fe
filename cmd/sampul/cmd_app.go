package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/relay"
	"sampul/store"
)

// appVerbs are commands under app that stand in files of their own.
var appVerbs = []func(*target) *cobra.Command{appUsageCommand}

func appCommand(t *target) *cobra.Command {
	sub := []*cobra.Command{appRequest(t), appApprove(t), appRenew(t), appAdd(t), appSet(t), appShow(t), appList(t), appHistory(t), appRotate(t),
		appState(t, "suspend", store.AppSuspended, "Stop an application for a time; what it sent goes on"),
		appState(t, "resume", store.AppActive, "Let a suspended application send again"),
		appState(t, "end", store.AppEnded, "End an application, for good")}
	for _, f := range appVerbs {
		sub = append(sub, f(t))
	}
	return group("app", "Applications that send mail through the relay: approved, bounded, counted", sub...)
}

func appRequest(t *target) *cobra.Command {
	a := appArgs{}
	c := &cobra.Command{Use: "request ADDRESS --owner A --ref N", Short: "Ask for an application; the operator approves it", Args: cobra.ExactArgs(1)}
	f := newAppFlags(c, &a)
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.Address = args[0]; !c.Flags().Changed("owner") {
			return usagef("--owner A: who answers for it?")
		}
		if err := f.read(c); err != nil {
			return err
		}
		return show(t, c, "app.request", a, func(app store.App) string {
			return fmt.Sprintf("application %s is requested; to approve it: sampul app approve %[1]s\n", app.Address)
		})
	}
	return c
}

func appApprove(t *target) *cobra.Command {
	a := appArgs{}
	var until, file string
	c := &cobra.Command{Use: "approve ADDRESS", Short: "Approve an application for a year; prints its first password", Args: cobra.ExactArgs(1)}
	f := newAppFlags(c, &a)
	c.Flags().StringVar(&until, "until", "", "day on which the approval ends (2006-01-02); in a year")
	c.Flags().StringVar(&file, "password-file", "", "`file` with the password, - for standard input; without it one is made and printed")
	c.RunE = func(c *cobra.Command, args []string) error {
		a.Address = args[0]
		if err := f.read(c); err != nil {
			return err
		}
		return approve(t, c, &a, until, file)
	}
	return c
}

// approve runs the operation and prints the password that was made.
func approve(t *target, c *cobra.Command, a *appArgs, until, file string) error {
	if until != "" {
		day, err := timeOrDay(until)
		if err != nil {
			return usagef("--until: %w", err)
		}
		a.Until = &day
	}
	var made bool
	var err error
	if a.Password, made, err = readPassword(c.InOrStdin(), file); err != nil {
		return err
	}
	return t.do(c.Context(), "app.approve", a, func(raw json.RawMessage) error {
		var app struct {
			store.App
			Password string `json:"password,omitempty"`
		}
		if err := json.Unmarshal(raw, &app.App); err != nil {
			return err
		}
		if made {
			app.Password = a.Password
		}
		if t.json {
			return writeLine(c.OutOrStdout(), app)
		}
		fmt.Fprintf(c.OutOrStdout(), "application %s is approved until %s\n", app.Address, app.Until.Local().Format(dayForm))
		if made {
			fmt.Fprintf(c.OutOrStdout(), "password: %s\n", a.Password)
		}
		return nil
	})
}

func appRenew(t *target) *cobra.Command {
	a := appArgs{}
	var until string
	c := &cobra.Command{Use: "renew ADDRESS", Short: "Approve an application for another year", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.Address = args[0]
			if until != "" {
				day, err := timeOrDay(until)
				if err != nil {
					return usagef("--until: %w", err)
				}
				a.Until = &day
			}
			return show(t, c, "app.renew", a, func(app store.App) string {
				return fmt.Sprintf("application %s is approved until %s\n", app.Address, app.Until.Local().Format(dayForm))
			})
		}}
	c.Flags().StringVar(&until, "until", "", "day on which the approval ends (2006-01-02); in a year")
	c.Flags().StringVar(&a.Reason, "reason", "", "why, for the history")
	return c
}

func appAdd(t *target) *cobra.Command {
	a := appArgs{}
	var until, file string
	c := &cobra.Command{Use: "add ADDRESS --owner A", Short: "Ask for an application and approve it in one step; prints its password", Args: cobra.ExactArgs(1)}
	f := newAppFlags(c, &a)
	c.Flags().StringVar(&until, "until", "", "day on which the approval ends (2006-01-02); in a year")
	c.Flags().StringVar(&file, "password-file", "", "`file` with the password, - for standard input; without it one is made and printed")
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.Address = args[0]; !c.Flags().Changed("owner") {
			return usagef("--owner A: who answers for it?")
		}
		if err := f.read(c); err != nil {
			return err
		}
		if err := t.do(c.Context(), "app.request", a, func(json.RawMessage) error { return nil }); err != nil {
			return err
		}
		a.Terms = nil
		return approve(t, c, &a, until, file)
	}
	return c
}

func appSet(t *target) *cobra.Command {
	a := appArgs{}
	c := &cobra.Command{Use: "set ADDRESS", Short: "Change what an application may do; what is not given stays", Args: cobra.ExactArgs(1),
		Example: `  sampul app set notifikasi@agensi-a.test --quota hour=1000 --quota day=20000 --hours 08-18`}
	f := newAppFlags(c, &a)
	c.RunE = func(c *cobra.Command, args []string) error {
		a.Address = args[0]
		if err := f.read(c); err != nil {
			return err
		}
		if !f.given(c) {
			return usagef("nothing to set; see sampul app set --help")
		}
		return show(t, c, "app.change", a, func(app store.App) string { return appText(&app) })
	}
	return c
}

func appShow(t *target) *cobra.Command {
	return &cobra.Command{Use: "show ADDRESS", Short: "Show an application", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "app.show", nameArgs{args[0]}, func(app store.App) string { return appText(&app) })
		}}
}

func appList(t *target) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List applications", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "app.list", none{}, "ADDRESS\tAGENCY\tSTATE\tOWNER\tUNTIL\tQUOTA\tHOURS", func(a store.App) []any {
				return []any{a.Address, a.Agency, a.State, a.Owner, dayOf(a.Until), quotaText(a.Quota), a.Hours}
			})
		}}
}

func appHistory(t *target) *cobra.Command {
	return &cobra.Command{Use: "history ADDRESS", Short: "Show every version of an application: by whom, when, why", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return list(t, c, "app.history", nameArgs{args[0]}, "VERSION\tTIME\tBY\tSTATE\tQUOTA\tREASON", func(a store.App) []any {
				return []any{a.Version, a.Time.Local().Format(minuteForm), a.By, a.State, quotaText(a.Quota), a.Reason}
			})
		}}
}

func appRotate(t *target) *cobra.Command {
	var file string
	var only bool
	c := &cobra.Command{Use: "rotate ADDRESS", Short: "Give an application another password; the old ones stay valid until --only", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := t.do(c.Context(), "app.show", nameArgs{args[0]}, func(json.RawMessage) error { return nil }); err != nil {
				return err
			}
			p, made, err := readPassword(c.InOrStdin(), file)
			if err != nil {
				return err
			}
			done := "application " + args[0] + " has another password"
			if only {
				done = "application " + args[0] + " has this password alone"
			}
			if err := t.do(c.Context(), "account.password", passwordArgs{args[0], p, !only}, func(json.RawMessage) error { return nil }); err != nil {
				return err
			}
			if t.json {
				out := map[string]string{"address": args[0]}
				if made {
					out["password"] = p
				}
				return writeLine(c.OutOrStdout(), out)
			}
			fmt.Fprintln(c.OutOrStdout(), done)
			if made {
				fmt.Fprintf(c.OutOrStdout(), "password: %s\n", p)
			}
			return nil
		}}
	c.Flags().StringVar(&file, "password-file", "", "`file` with the password, - for standard input; without it one is made and printed")
	c.Flags().BoolVar(&only, "only", false, "the old passwords are no longer valid")
	return c
}

func appState(t *target, verb, state, short string) *cobra.Command {
	a := appArgs{State: state}
	c := &cobra.Command{Use: verb + " ADDRESS --reason T", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.Address = args[0]
			if a.Reason == "" && state != store.AppActive {
				return usagef("--reason T: why? It is told to the application, and kept")
			}
			if state != store.AppActive {
				a.Why = a.Reason
			}
			return show(t, c, "app.change", a, func(app store.App) string { return fmt.Sprintf("application %s is %s\n", app.Address, app.State) })
		}}
	c.Flags().StringVar(&a.Reason, "reason", "", "why, for the history")
	return c
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(dayForm)
}

func quotaText(q map[string]uint64) string {
	var all []string
	for _, w := range store.Windows {
		if n, ok := q[w]; ok {
			all = append(all, fmt.Sprintf("%s=%d", w, n))
		}
	}
	return strings.Join(all, " ")
}

func appText(a *store.App) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	approved := ""
	if !a.Approved.IsZero() {
		approved = a.Approved.Local().Format(minuteForm) + " by " + a.ApprovedBy
	}
	fields(w, [][2]string{
		{"application", a.Address}, {"name", a.Name}, {"agency", a.Agency}, {"state", a.State}, {"why", a.Why}, {"owner", a.Owner}, {"request", a.Ref},
		{"requested", a.Requested.Local().Format(minuteForm) + " by " + a.RequestedBy}, {"approved", approved}, {"until", dayOf(a.Until)},
		{"senders", strings.Join(a.Senders, " ")}, {"reach", a.Reach}, {"networks", strings.Join(a.Networks, " ")},
		{"certificates", strings.Join(a.Certificates, " ")}, {"hours", a.Hours}, {"quota", quotaText(a.Quota)}, {"over", a.Over},
		{"burst", number(int64(a.Burst))}, {"max size", number(a.MaxSize)}, {"warn", number(int64(a.Warn))},
	})
	if a.Unsubscribe {
		fmt.Fprintln(w, "unsubscribe:\tdemanded")
	}
	w.Flush()
	return b.String()
}

// appFlags are the flags by which an application is described.
type appFlags struct {
	a                               *appArgs
	owner, ref, name                string
	senders, networks, certificates []string
	quota                           []string
	reach, hours, over              string
	maxSize                         string
	burst, warn, rahsia             int
	unsubscribe, volume             bool
}

func newAppFlags(c *cobra.Command, a *appArgs) *appFlags {
	f := &appFlags{a: a}
	fs := c.Flags()
	fs.StringVar(&f.owner, "owner", "", "`address` of who answers for it and gets its notices")
	fs.StringVar(&f.ref, "ref", "", "`number` of the request")
	fs.StringVar(&f.name, "name", "", "what it is called")
	fs.StringSliceVar(&f.senders, "sender", nil, "`address` that it may write as beside its own, @domain for all of a domain; as often as needed")
	fs.StringSliceVar(&f.networks, "network", nil, "address or `prefix` that it comes from; as often as needed, none for any")
	fs.StringSliceVar(&f.certificates, "certificate", nil, "SHA-256 of the public key of a client certificate, in hexadecimal; none for none")
	fs.StringArrayVar(&f.quota, "quota", nil, "recipients in a window: minute=N, hour=N, day=N, month=N; N may be none")
	fs.StringVar(&f.reach, "reach", "", "whom it may write to: agency, inside or internet")
	fs.StringVar(&f.hours, "hours", "", "hours of the day, such as 08-18; all for always")
	fs.StringVar(&f.over, "over", "", "what is over a quota: refuse (450) or delay until it opens")
	fs.StringVar(&f.maxSize, "max-size", "", "size of a message, such as 1MiB; default is the server's")
	fs.IntVar(&f.burst, "burst", 0, "recipients in one second; 0 is not bounded")
	fs.IntVar(&f.warn, "warn", 0, "per cent of a quota at which its owner hears of it; 80")
	fs.IntVar(&f.rahsia, "rahsia-limit", 0, "different RAHSIA messages in an hour that suspend it; 5")
	fs.BoolVar(&f.unsubscribe, "unsubscribe", false, "demand List-Unsubscribe with one click (RFC 8058)")
	fs.BoolVar(&f.volume, "volume-hold", false, "unusual volume suspends it")
	fs.StringVar(&a.Reason, "reason", "", "why, for the history")
	return f
}

var appFlagNames = []string{"owner", "ref", "name", "sender", "network", "certificate", "quota", "reach", "hours", "over", "max-size", "burst", "warn",
	"rahsia-limit", "unsubscribe", "volume-hold"}

func (f *appFlags) given(c *cobra.Command) bool {
	return slices.ContainsFunc(appFlagNames, func(n string) bool { return c.Flags().Changed(n) })
}

// read takes the flags that were given.
func (f *appFlags) read(c *cobra.Command) error {
	has := c.Flags().Changed
	text := func(name string, v string, to **string) {
		if has(name) {
			*to = &v
		}
	}
	text("owner", f.owner, &f.a.Owner)
	text("ref", f.ref, &f.a.Ref)
	text("name", f.name, &f.a.Name)
	terms := &termsArgs{}
	text("reach", f.reach, &terms.Reach)
	text("over", f.over, &terms.Over)
	text("hours", strings.TrimPrefix(f.hours, "all"), &terms.Hours)
	for _, l := range []struct {
		name string
		v    []string
		to   **[]string
	}{{"sender", f.senders, &terms.Senders}, {"network", f.networks, &terms.Networks}, {"certificate", f.certificates, &terms.Certificates}} {
		if has(l.name) {
			v := slices.DeleteFunc(slices.Clone(l.v), func(s string) bool { return s == "" || s == "none" || s == "any" })
			*l.to = &v
		}
	}
	for _, n := range []struct {
		name string
		v    int
		to   **int
	}{{"burst", f.burst, &terms.Burst}, {"warn", f.warn, &terms.Warn}, {"rahsia-limit", f.rahsia, &terms.RahsiaLimit}} {
		if has(n.name) {
			*n.to = &n.v
		}
	}
	if has("unsubscribe") {
		terms.Unsubscribe = &f.unsubscribe
	}
	if has("volume-hold") {
		terms.VolumeHold = &f.volume
	}
	if has("max-size") {
		n, err := sizeOrDefault(f.maxSize)
		if err != nil {
			return usagef("--max-size: %w", err)
		}
		terms.MaxSize = &n
	}
	for _, q := range f.quota {
		w, n, err := relay.ParseQuota(q)
		if err != nil {
			return usagef("--quota: %w", err)
		}
		if terms.Quota == nil {
			terms.Quota = map[string]uint64{}
		}
		terms.Quota[w] = n
	}
	f.a.Terms = terms
	return nil
}

// sizeOrDefault reads a size; "default" is 0.
func sizeOrDefault(s string) (int64, error) {
	if s = plainDefault(s); s == "" {
		return 0, nil
	}
	var size config.Size
	if err := size.UnmarshalText([]byte(s)); err != nil || size <= 0 {
		return 0, fmt.Errorf("a size such as 1MiB, or default, not %q", s)
	}
	return int64(size), nil
}
