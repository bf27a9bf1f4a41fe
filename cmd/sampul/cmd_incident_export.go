package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sampul/store"
)

func incidentExportCommand(t *target) *cobra.Command {
	var p incidentPick
	form := "csv"
	c := &cobra.Command{Use: "export", Short: "Write incidents out, for spreadsheets or a SOC", Args: cobra.NoArgs,
		Long: `Export writes incidents to standard output: csv for spreadsheets, json with one object
a line, or syslog: lines of RFC 5424 whose message is the incident as JSON. None of
them holds content or subjects.`,
		Example: `  sampul incident export --format syslog --since 2026-01-01 --config sampul.toml`,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := p.filter()
			if err != nil {
				return err
			}
			write, flush, err := incidentWriter(form, c.OutOrStdout())
			if err != nil {
				return err
			}
			err = t.do(c.Context(), "incident.list", f, func(raw json.RawMessage) error {
				var in store.Incident
				if err := json.Unmarshal(raw, &in); err != nil {
					return err
				}
				return write(&in, raw)
			})
			if err != nil {
				return err
			}
			return flush()
		}}
	p.flags(c)
	c.Flags().StringVar(&form, "format", form, "csv, json or syslog")
	return c
}

// incidentWriter writes incidents in one of the formats.
func incidentWriter(form string, out io.Writer) (write func(*store.Incident, []byte) error, flush func() error, err error) {
	none := func() error { return nil }
	switch form {
	case "json":
		return func(_ *store.Incident, raw []byte) error {
			_, err := fmt.Fprintf(out, "%s\n", raw)
			return err
		}, none, nil
	case "syslog":
		host, err := os.Hostname()
		if err != nil {
			host = "-"
		}
		return func(in *store.Incident, raw []byte) error {
			_, err := fmt.Fprintf(out, "<%d>1 %s %s sampul - incident - %s\n", 13*8+syslogSeverity[in.Severity], // facility 13: log audit
				in.Time.UTC().Format("2006-01-02T15:04:05.000Z"), host, raw)
			return err
		}, none, nil
	case "csv":
		w := csv.NewWriter(out)
		if err := w.Write(incidentColumns); err != nil {
			return nil, nil, err
		}
		return func(in *store.Incident, _ []byte) error { return w.Write(incidentRow(in)) },
			func() error { w.Flush(); return w.Error() }, nil
	}
	return nil, nil, usagef("--format: csv, json or syslog, not %q", form)
}

// syslogSeverity is by RFC 5424 table 2: alert, critical, warning, notice.
var syslogSeverity = map[string]int{"top": 1, "high": 2, "medium": 4, "low": 5}

var incidentColumns = []string{"id", "time", "agency", "class", "suspicion", "severity", "action", "cause", "direction", "listener", "client",
	"account", "sender", "recipients", "message_id", "size", "queue_id", "evidence", "rule_set", "case", "state", "assignee", "false_alarm"}

func incidentRow(in *store.Incident) []string {
	var ev []string
	for _, e := range in.Evidence {
		ev = append(ev, fmt.Sprintf("%s in %s, %s (%s)", e.Class, e.Path, e.Where, e.Rule))
	}
	row := []string{in.ID, in.Time.UTC().Format(time.RFC3339), in.Agency, in.Class, fmt.Sprint(in.Suspicion), in.Severity, in.Action, in.Cause,
		in.Direction, in.Listener, in.Remote, in.Account, in.Sender, strings.Join(in.Recipients, " "), in.MessageID, fmt.Sprint(in.Size),
		in.QueueID, strings.Join(ev, "; "), in.RuleSet, in.Case, in.State, in.Assignee, fmt.Sprint(in.FalseAlarm)}
	for i, cell := range row {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell // a spreadsheet would run it
		}
	}
	return row
}
