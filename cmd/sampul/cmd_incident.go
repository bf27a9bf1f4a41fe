package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/policy"
	"sampul/store"
)

const minuteForm = "2006-01-02 15:04:05"

func incidentCommand(t *target) *cobra.Command {
	return group("incident", "Incidents: what was refused or found, without the content",
		incidentListCommand(t), incidentShowCommand(t), incidentAssignCommand(t), incidentCloseCommand(t), incidentExportCommand(t), incidentStatsCommand(t))
}

// incidentPick is how commands pick incidents.
type incidentPick struct {
	f            store.IncidentFilter
	since, until string
}

func (p *incidentPick) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.f.Agency, "agency", "", "of this `agency` alone")
	f.StringVar(&p.f.Class, "class", "", "of this class alone: TERHAD, SULIT, RAHSIA, \"RAHSIA BESAR\", UNINSPECTABLE")
	f.StringVar(&p.f.State, "state", "", "open, assigned or closed")
	f.StringVar(&p.f.Sender, "sender", "", "of this `address` alone")
	f.StringVar(&p.since, "since", "", "not older: 2006-01-02 or RFC 3339")
	f.StringVar(&p.until, "until", "", "older: 2006-01-02 or RFC 3339")
}

func (p *incidentPick) filter() (store.IncidentFilter, error) {
	if p.f.Class != "" {
		c, err := policy.ParseClass(p.f.Class)
		if err != nil {
			return p.f, usagef("--class: %w", err)
		}
		p.f.Class = c.String()
	}
	switch p.f.State {
	case "", store.IncidentOpen, store.IncidentAssigned, store.IncidentClosed:
	default:
		return p.f, usagef("--state: open, assigned or closed, not %q", p.f.State)
	}
	for _, x := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", p.since, &p.f.Since}, {"until", p.until, &p.f.Until}} {
		at, err := timeOrDay(x.text)
		if err != nil {
			return p.f, usagef("--%s: %w", x.flag, err)
		}
		*x.to = at
	}
	return p.f, nil
}

// timeOrDay reads a time, or the beginning of a day here; "" is none.
func timeOrDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(dayForm, s, time.Local); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("a day such as 2026-01-31, or a time such as 2026-01-31T08:00:00+08:00, not %q", s)
	}
	return at, nil
}

func incidentListCommand(t *target) *cobra.Command {
	var p incidentPick
	max := 1000
	c := &cobra.Command{Use: "list", Short: "List incidents, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := p.filter()
			if err != nil {
				return err
			}
			if f.Max = max; max <= 0 {
				return usagef("--max: at least 1")
			}
			return list(t, c, "incident.list", f, "ID\tTIME\tAGENCY\tCLASS\tACTION\tDIRECTION\tLISTENER\tSENDER\tRECIPIENTS\tSTATE",
				func(in store.Incident) []any {
					return []any{in.ID, in.Time.Local().Format(minuteForm), in.Agency, suspected(in.Class, in.Suspicion), in.Action,
						in.Direction, in.Listener, path(in.Sender), strings.Join(in.Recipients, " "), in.State}
				})
		}}
	p.flags(c)
	c.Flags().IntVar(&max, "max", max, "at most so many")
	return c
}

// suspected is a class as lists show it.
func suspected(class string, suspicion bool) string {
	if suspicion {
		return class + "?"
	}
	return class
}

func incidentShowCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show an incident: what was found, where, never the content", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(t, c, "incident.show", idArgs{args[0]}, incidentText)
		}}
}

func incidentAssignCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "assign ID ADDRESS", Short: "Say who looks into an incident", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "incident.change", incidentChangeArgs{ID: args[0], Assign: args[1]}, "incident "+args[0]+" assigned to "+args[1])
		}}
}

func incidentCloseCommand(t *target) *cobra.Command {
	a := incidentChangeArgs{Close: true}
	c := &cobra.Command{Use: "close ID", Short: "Close an incident", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.ID = args[0]
			return t.change(c, "incident.change", a, "incident "+args[0]+" closed")
		}}
	c.Flags().BoolVar(&a.FalseAlarm, "false-alarm", false, "there was no mark: statistics count it apart")
	c.Flags().StringVar(&a.Reason, "reason", "", "what was found out, for the record")
	return c
}

func incidentText(in store.Incident) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fields(w, [][2]string{
		{"incident", in.ID}, {"time", in.Time.Local().Format(minuteForm + " MST")}, {"agency", in.Agency},
		{"class", suspected(in.Class, in.Suspicion)}, {"severity", in.Severity}, {"action", in.Action}, {"cause", in.Cause},
		{"direction", in.Direction}, {"listener", in.Listener},
		{"client", in.Remote}, {"account", in.Account}, {"sender", in.Sender},
		{"recipients", strings.Join(in.Recipients, ", ")}, {"message-id", in.MessageID},
		{"size", fmt.Sprint(in.Size)}, {"queue id", in.QueueID}, {"rules", in.RuleSet}, {"case", in.Case}, {"state", in.State}, {"assigned to", in.Assignee},
	})
	showEvidence(w, in.Evidence)
	for _, s := range in.History {
		what := s.What
		if s.Reason != "" {
			what += ": " + s.Reason
		}
		fmt.Fprintf(w, "history:\t%s %s %s\n", s.Time.Local().Format(minuteForm), s.By, what)
	}
	w.Flush()
	return b.String()
}

// fields prints those that are not empty.
func fields(w io.Writer, all [][2]string) {
	for _, f := range all {
		if f[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", f[0], f[1])
		}
	}
}

func showEvidence(w io.Writer, all []store.IncidentEvidence) {
	for _, e := range all {
		fmt.Fprintf(w, "evidence:\t%s in %s, %s, rule %s\n", e.Class, e.Path, e.Where, e.Rule)
	}
}
