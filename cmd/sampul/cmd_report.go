package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/mta/tlsrpt"
	"sampul/store"
)

// reportVerbs are the commands under report, each in a file of its own.
var reportVerbs = []func(*target) *cobra.Command{relayReportCommand, tlsReportCommand, reportReadCommand}

func reportCommand(t *target) *cobra.Command {
	var sub []*cobra.Command
	for _, f := range reportVerbs {
		sub = append(sub, f(t))
	}
	return group("report", "Reports about mail of applications and between domains", sub...)
}

type tlsReportArgs struct {
	Domain string
	Day    time.Time
}

// reportTLS asks the running suite; while none runs, what it kept.
func reportTLS(ctx context.Context, st store.Store, a tlsReportArgs, emit func(any) error) error {
	if r := live(ctx); r != nil {
		return emit(r.TLSReport(a.Domain, a.Day))
	}
	return emit(tlsrpt.New(st, nil, nil).Report(a.Domain, a.Day, "Sampul", ""))
}

const dayForm = "2006-01-02"

func tlsReportCommand(t *target) *cobra.Command {
	var domain, date string
	var now bool
	cmd := &cobra.Command{Use: "tlsrpt --domain D", Short: "What became of TLS with a domain's exchangers on a day (RFC 8460)", Args: cobra.NoArgs,
		Long: `Tlsrpt makes the report that RFC 8460 describes: sessions with the exchangers of
a domain that came up as its policies want it, and those that did not, by reason.
Days are in UTC; the last that is over unless --now or --date says another.`,
		Example: `  sampul report tlsrpt --domain jauh.test --now --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			day, err := reportDay(date, now, t.now(c.Context()))
			if err != nil {
				return err
			}
			if domain == "" {
				return usagef("--domain D: whose exchangers")
			}
			return t.do(c.Context(), "report.tlsrpt", tlsReportArgs{domain, day}, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var r tlsrpt.Report
				if err := json.Unmarshal(raw, &r); err != nil {
					return err
				}
				return showTLSReport(c, domain, &r)
			})
		}}
	cmd.Flags().StringVar(&domain, "domain", "", "the `domain` of recipients")
	cmd.Flags().StringVar(&date, "date", "", "a `day`, YYYY-MM-DD")
	cmd.Flags().BoolVar(&now, "now", false, "today up to now")
	return cmd
}

// reportDay is the day that is meant.
func reportDay(date string, today bool, now time.Time) (time.Time, error) {
	switch {
	case date != "" && today:
		return time.Time{}, usagef("--now and --date exclude each other")
	case today:
		return now.UTC(), nil
	case date == "":
		return now.UTC().AddDate(0, 0, -1), nil
	}
	d, err := time.Parse(dayForm, date)
	if err != nil {
		return time.Time{}, usagef("--date: a day such as 2026-01-31, not %q", date)
	}
	return d, nil
}

func showTLSReport(c *cobra.Command, domain string, r *tlsrpt.Report) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "TLS with %s, %s to %s\n", domain, r.Range.Start.Format(time.RFC3339), r.Range.End.Format(time.RFC3339))
	if len(r.Policies) == 0 {
		fmt.Fprintln(w, "no sessions")
	}
	for _, p := range r.Policies {
		fmt.Fprintf(w, "policy %s:\t%d good\t%d failed\n", p.Policy.Type, p.Summary.Success, p.Summary.Failure)
		for _, f := range p.Failures {
			fmt.Fprintf(w, "  %s\t%d\t%s\t%s\n", f.Result, f.Count, f.MXHost, f.Info)
		}
	}
	return w.Flush()
}
