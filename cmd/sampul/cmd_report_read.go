package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/internal/reports"
)

// reportLine is a report and the file that it was in.
type reportLine struct {
	File string `json:"file"`
	*reports.Report
}

func reportReadCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "read FILE...", Short: "Show DMARC and TLS reports that others sent", Args: cobra.MinimumNArgs(1),
		Long: `Read shows what stands in reports about your domains: DMARC aggregate reports and TLS
reports, as mail, as an archive or bare; - is standard input. Exit code 1 when a file
holds none, or one that is broken; the others are shown all the same.`,
		Example: `  sampul report read laporan.eml
  sampul report read --json *.xml.gz`,
		RunE: func(c *cobra.Command, files []string) error {
			var errs []error
			for _, name := range files {
				all, err := readReports(c.InOrStdin(), name)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", name, err))
				}
				for _, r := range all {
					if t.json {
						err = writeLine(c.OutOrStdout(), reportLine{name, r})
					} else {
						err = showReport(c.OutOrStdout(), name, r)
					}
					if err != nil {
						return err
					}
				}
			}
			return errors.Join(errs...)
		}}
}

func readReports(stdin io.Reader, name string) ([]*reports.Report, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, reports.MaxFile+1))
	if err != nil {
		return nil, err
	}
	return reports.Read(b)
}

func showReport(out io.Writer, name string, r *reports.Report) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, f := range [][2]string{
		{"report", r.Kind + " " + r.ID}, {"file", name}, {"from", strings.TrimSpace(r.Org + " " + r.Contact)}, {"domain", r.Domain},
		{"period", r.Begin.Format(time.RFC3339) + " to " + r.End.Format(time.RFC3339)}, {"policy", r.Policy}, {"counts", countsText(r.Counts)},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", f[0], f[1])
		}
	}
	fmt.Fprintln(w)
	if r.Kind == reports.DMARC {
		fmt.Fprintln(w, "COUNT\tSOURCE\tDISPOSITION\tDKIM\tSPF\tFROM\tCHECKS")
	} else {
		fmt.Fprintln(w, "COUNT\tRESULT\tPOLICY\tHOST\tFROM\tINFO")
	}
	for _, row := range r.Rows {
		if r.Kind == reports.DMARC {
			checks := strings.Join(append(slices.Clone(row.Checks), row.Reasons...), ", ")
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Count, row.Source, row.Disposition, row.DKIM, row.SPF, row.HeaderFrom, checks)
		} else {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", row.Count, row.Result, row.Type, strings.TrimSpace(row.Host+" "+row.Receiver), row.Sender, row.Info)
		}
	}
	if r.More > 0 {
		fmt.Fprintf(w, "and %d rows more\n", r.More)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func countsText(counts map[string]int64) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return strings.Join(out, ", ")
}
