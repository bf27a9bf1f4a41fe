package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/internal/window"
	"sampul/store"
)

// A relayLine is what applications did that have something in common.
type relayLine struct {
	App    string    `json:"app,omitempty"`
	Agency string    `json:"agency,omitempty"`
	Hour   time.Time `json:"hour,omitzero"`
	Day    string    `json:"day,omitempty"`
	usageSum
	RefusedAll uint64 `json:"refused_all"` // by all reasons together
}

// relayKeys are what lines may be made by.
var relayKeys = []string{"app", "agency", "hour", "day"}

func relayReportCommand(t *target) *cobra.Command {
	var span usageSpan
	var a usageArgs
	var by []string
	var asCSV, plot bool
	c := &cobra.Command{Use: "relay", Short: "What applications sent, and what became of it, in recipients", Args: cobra.NoArgs,
		Long: `Relay sums up what applications did: accepted, refused by reason, delivered, bounced;
by application, agency, hour or day, or by several of them. It tells the last seven days
unless --since says otherwise. --plot draws a bar for each hour, of the last day unless
--since says otherwise, or for each day with --by day: what was accepted, and in a
lighter shade what was refused.`,
		Example: `  sampul report relay --by agency,day --since 2026-01-01
  sampul report relay --by hour --csv
  sampul report relay --plot`,
		RunE: func(c *cobra.Command, _ []string) error {
			if asCSV && t.json || plot && (asCSV || t.json) {
				return usagef("--csv, --json and --plot exclude each other")
			}
			for _, k := range by {
				if !slices.Contains(relayKeys, k) {
					return usagef("--by: app, agency, hour or day, not %q", k)
				}
			}
			now := t.now(c.Context())
			var err error
			if a.Since, a.Until, err = span.read(func() time.Time { return now }); err != nil {
				return err
			}
			if plot && !c.Flags().Changed("by") {
				by = []string{"hour"}
			}
			if plot && !slices.Equal(by, []string{"hour"}) && !slices.Equal(by, []string{"day"}) {
				return usagef("--plot goes with --by hour or --by day")
			}
			if a.Since.IsZero() {
				a.Since = window.Start(window.Day, now).AddDate(0, 0, -6)
				if plot && by[0] == "hour" {
					a.Since = window.Start(window.Hour, now).Add(-23 * time.Hour)
				}
			}
			lines := map[relayKey]*relayLine{}
			err = t.do(c.Context(), "usage.hours", a, func(raw json.RawMessage) error {
				var u store.AppUsage
				if err := json.Unmarshal(raw, &u); err != nil {
					return err
				}
				sumRelay(lines, by, &u)
				return nil
			})
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			switch all := sortedRelay(lines); {
			case plot:
				return plotRelay(out, by[0], all, a.Since, cmp.Or(a.Until, now))
			case asCSV:
				return csvRelay(out, by, all)
			case t.json:
				for _, l := range all {
					if err := writeLine(out, l); err != nil {
						return err
					}
				}
				return nil
			default:
				return tableRelay(out, by, all)
			}
		}}
	span.flags(c)
	c.Flags().StringVar(&a.Agency, "agency", "", "applications of this `agency` alone")
	c.Flags().StringVar(&a.Address, "app", "", "the application with this `address` alone")
	c.Flags().StringSliceVar(&by, "by", []string{"app"}, "what to sum up by: app, agency, hour, day; several, separated by commas")
	c.Flags().BoolVar(&asCSV, "csv", false, "as a table for spreadsheets (RFC 4180)")
	c.Flags().BoolVar(&plot, "plot", false, "draw it")
	return c
}

// relayKey is what tells one line from others.
type relayKey struct{ app, agency, hour, day string }

// sumRelay adds an hour of an application to its line.
func sumRelay(lines map[relayKey]*relayLine, by []string, u *store.AppUsage) {
	at := u.Hour.Local()
	l := relayLine{}
	for _, k := range by {
		switch k {
		case "app":
			l.App, l.Agency = u.Sender, u.Agency
		case "agency":
			l.Agency = u.Agency
		case "hour":
			l.Hour = at
		case "day":
			l.Day = at.Format(dayForm)
		}
	}
	key := relayKey{app: l.App, agency: l.Agency, day: l.Day}
	if !l.Hour.IsZero() {
		key.hour = at.UTC().Format(time.RFC3339)
	}
	have := lines[key]
	if have == nil {
		have = &l
		have.Refused = map[string]uint64{}
		lines[key] = have
	}
	have.add(u)
	have.RefusedAll = have.refused()
}

func sortedRelay(lines map[relayKey]*relayLine) []*relayLine {
	return slices.SortedFunc(maps.Values(lines), func(a, b *relayLine) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Agency, b.Agency), cmp.Compare(a.App, b.App))
	})
}

// columns are the keys of a line, with the agency of an application.
func (l *relayLine) columns(by []string) (names, cells []string) {
	for _, k := range relayKeys {
		if !slices.Contains(by, k) && (k != "agency" || !slices.Contains(by, "app")) {
			continue
		}
		names = append(names, k)
		switch k {
		case "app":
			cells = append(cells, l.App)
		case "agency":
			cells = append(cells, l.Agency)
		case "hour":
			cells = append(cells, l.Hour.Format(time.RFC3339))
		case "day":
			cells = append(cells, l.Day)
		}
	}
	return names, cells
}

func csvRelay(out io.Writer, by []string, all []*relayLine) error {
	w := csv.NewWriter(out)
	head, _ := (&relayLine{}).columns(by)
	if err := w.Write(append(head, "accepted", "refused", "delivered", "bounced", "reasons")); err != nil {
		return err
	}
	for _, l := range all {
		_, cells := l.columns(by)
		for _, n := range []uint64{l.Accepted, l.RefusedAll, l.Delivered, l.Bounced} {
			cells = append(cells, fmt.Sprint(n))
		}
		if err := w.Write(append(cells, reasonsText(l.Refused))); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func tableRelay(out io.Writer, by []string, all []*relayLine) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	head, _ := (&relayLine{}).columns(by)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(head, "\t"))+"\tACCEPTED\tREFUSED\tDELIVERED\tBOUNCED\tREASONS")
	for _, l := range all {
		_, cells := l.columns(by)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", strings.Join(cells, "\t"), l.Accepted, l.RefusedAll, l.Delivered, l.Bounced, reasonsText(l.Refused))
	}
	return w.Flush()
}
