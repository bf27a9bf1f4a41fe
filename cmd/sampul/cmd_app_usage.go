package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/internal/window"
	"sampul/store"
)

// usageSpan are the flags of a span of time.
type usageSpan struct{ since, until string }

func (s *usageSpan) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.since, "since", "", "from this `time`: a day, a time (RFC 3339), or back from now such as 24h; hours count as a whole")
	c.Flags().StringVar(&s.until, "until", "", "up to this `time`")
}

func (s *usageSpan) read(now func() time.Time) (since, until time.Time, err error) {
	for _, f := range []struct {
		name, v string
		to      *time.Time
	}{{"since", s.since, &since}, {"until", s.until, &until}} {
		if f.v == "" {
			continue
		}
		if d, bad := time.ParseDuration(f.v); bad == nil && d > 0 {
			*f.to = now().Add(-d)
		} else if *f.to, err = timeOrDay(f.v); err != nil {
			return since, until, usagef("--%s: %w", f.name, err)
		}
	}
	if !since.IsZero() {
		since = window.Start(window.Hour, since.Local())
	}
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return since, until, usagef("--since must be before --until")
	}
	return since, until, nil
}

func appUsageCommand(t *target) *cobra.Command {
	var span usageSpan
	var hours bool
	c := &cobra.Command{Use: "usage ADDRESS", Short: "Tell what an application sent, what became of it, and how its quotas stand", Args: cobra.ExactArgs(1),
		Long: `Usage counts recipients. "hour" and "day" are what was accepted in the hour and on the
day that run; accepted, refused, delivered and bounced are from all that is kept, or
from --since to --until; waiting is what is in the queue now. Of each quota it tells how
much of the running window is used, and when the next one opens.`,
		Example: `  sampul app usage notifikasi@agensi-a.test --json
  sampul app usage notifikasi@agensi-a.test --hours --since 24h`,
		RunE: func(c *cobra.Command, args []string) error {
			a := usageArgs{Address: args[0]}
			var err error
			if a.Since, a.Until, err = span.read(func() time.Time { return t.now(c.Context()) }); err != nil {
				return err
			}
			if !hours {
				return show(t, c, "app.usage", a, func(u usageLine) string { return usageText(&u) })
			}
			if err := t.do(c.Context(), "app.show", nameArgs{args[0]}, func(json.RawMessage) error { return nil }); err != nil {
				return err
			}
			return list(t, c, "usage.hours", a, "HOUR\tACCEPTED\tREFUSED\tDELIVERED\tBOUNCED\tREASONS", func(u store.AppUsage) []any {
				sum := usageSum{Refused: u.Refused}
				return []any{u.Hour.Local().Format(minuteForm), u.Accepted, sum.refused(), u.Delivered, u.Bounced, reasonsText(u.Refused)}
			})
		}}
	span.flags(c)
	c.Flags().BoolVar(&hours, "hours", false, "hour by hour")
	return c
}

func reasonsText(refused map[string]uint64) string {
	var all []string
	for _, r := range slices.Sorted(maps.Keys(refused)) {
		all = append(all, fmt.Sprintf("%s=%d", r, refused[r]))
	}
	return strings.Join(all, " ")
}

func usageText(u *usageLine) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	span := "all that is kept"
	if !u.Since.IsZero() || !u.Until.IsZero() {
		span = strings.TrimSpace(fmt.Sprintf("%s to %s", timeOrDash(u.Since), timeOrDash(u.Until)))
	}
	number := func(n uint64) string { return fmt.Sprint(n) }
	fields(w, [][2]string{
		{"application", u.App}, {"agency", u.Agency}, {"state", u.State},
		{"accepted this hour", number(u.Hour)}, {"accepted today", number(u.Day)}, {"counted", span},
		{"accepted", number(u.Accepted)}, {"refused", strings.TrimSpace(number(u.refused()) + "  " + reasonsText(u.Refused))},
		{"delivered", number(u.Delivered)}, {"bounced", number(u.Bounced)}, {"waiting now", number(u.Waiting)},
	})
	for _, name := range store.Windows {
		if q, ok := u.Quota[name]; ok {
			fmt.Fprintf(w, "quota %s:\t%d of %d used, opens %s\n", name, q.Used, q.Limit, q.Opens.Format(time.RFC3339))
		}
	}
	w.Flush()
	return b.String()
}

func timeOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(minuteForm)
}
