package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sampul/store"
)

func suppressionCommand(t *target) *cobra.Command {
	return group("suppression", "Recipients that applications no longer write to: bounced, or named by somebody",
		suppressionList(t), suppressionAdd(t), suppressionRemove(t), suppressionImport(t), suppressionExport(t))
}

// whose adds the flags that say whose suppressions are meant.
func (a *suppressArgs) whose(c *cobra.Command) {
	c.Flags().StringVar(&a.App, "app", "", "address of the application")
	c.Flags().StringVar(&a.Agency, "agency", "", "all applications of the agency")
}

// one says whether they mean one list.
func (a *suppressArgs) one() error {
	if (a.App == "") == (a.Agency == "") {
		return usagef("--app A or --agency A: whose suppressions?")
	}
	return nil
}

// listed checks what picks from lists.
func (a *suppressArgs) listed() error {
	switch {
	case a.App != "" && a.Agency != "":
		return usagef("--app A or --agency A, not both")
	case a.Max < 0:
		return usagef("--max: a number of lines, not %d", a.Max)
	}
	return usage(checkKind(a.Kind))
}

func checkKind(kind string) error {
	switch kind {
	case "", store.SuppressHard, store.SuppressSoft, store.SuppressManual:
		return nil
	}
	return fmt.Errorf("kind: hard, soft or manual, not %q", kind)
}

func (a *suppressArgs) pick(c *cobra.Command) {
	a.whose(c)
	c.Flags().StringVar(&a.Kind, "kind", "", "only hard, soft or manual ones")
	c.Flags().StringVar(&a.Address, "address", "", "only this address, or all of @domain")
	c.Flags().IntVar(&a.Max, "max", 0, "at most so many; 0 is all")
}

func suppressionList(t *target) *cobra.Command {
	var a suppressArgs
	var asCSV bool
	c := &cobra.Command{Use: "list [--app A | --agency A]", Short: "List suppressed recipients: why, since when, until when", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.listed(); err != nil {
				return err
			}
			if asCSV {
				return exportSuppressions(t, c, &a)
			}
			return list(t, c, "suppression.list", a, "ADDRESS\tAPPLICATION\tKIND\tSINCE\tUNTIL\tREPLY\tBY\tREASON", func(s store.Suppression) []any {
				who := s.Sender
				if who == "" {
					who = "all of " + s.Agency
				}
				return []any{s.Address, who, s.Kind, s.Time.Local().Format(minuteForm), endOf(s.Until, time.Now()), replyOf(&s), s.By, s.Reason}
			})
		}}
	a.pick(c)
	c.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	return c
}

func endOf(until, now time.Time) string {
	switch {
	case until.IsZero():
		return "never"
	case !now.Before(until):
		return "ended " + until.Local().Format(dayForm)
	}
	return until.Local().Format(minuteForm)
}

func replyOf(s *store.Suppression) string {
	if s.Code == 0 {
		return s.Status
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", s.Code, s.Status))
}

func suppressionAdd(t *target) *cobra.Command {
	var a suppressArgs
	var s store.Suppression
	var until string
	c := &cobra.Command{Use: "add ADDRESS... --app A | --agency A", Short: "Suppress recipients: the next RCPT is refused", Args: cobra.MinimumNArgs(1),
		Example: `  sampul suppression add orang@luar.test --app notifikasi@agensi-a.test --reason "asked by phone" --until 2027-01-01`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := a.one(); err != nil {
				return err
			}
			if s.Until, err = endAt(until, time.Now()); err == nil {
				err = checkKind(s.Kind)
			}
			if err != nil {
				return usage(err)
			}
			for _, address := range args {
				s.Address = address
				a.All = append(a.All, s)
			}
			return addSuppressions(t, c, &a)
		}}
	a.whose(c)
	suppressFlags(c, &s, &until)
	return c
}

// suppressFlags are how what is added is kept, where a line says nothing else.
func suppressFlags(c *cobra.Command, s *store.Suppression, until *string) {
	c.Flags().StringVar(&s.Kind, "kind", "", "hard, soft or manual (manual)")
	c.Flags().StringVar(&s.Reason, "reason", "", "why, for people")
	c.Flags().StringVar(until, "until", "", "when it ends (2006-01-02, or a time); never")
}

// endAt is the end of a suppression, which lies ahead.
func endAt(s string, now time.Time) (time.Time, error) {
	at, err := timeOrDay(s)
	if err != nil {
		return at, fmt.Errorf("until: %w", err)
	}
	if s != "" && !at.After(now) {
		return at, fmt.Errorf("until: %s has passed", s)
	}
	return at, nil
}

// addSuppressions adds what one call takes, and says so.
func addSuppressions(t *target, c *cobra.Command, a *suppressArgs) error {
	if err := t.do(c.Context(), "suppression.add", a, func(json.RawMessage) error { return nil }); err != nil {
		return err
	}
	return added(t, c, len(a.All))
}

func added(t *target, c *cobra.Command, n int) error {
	if t.json {
		return writeLine(c.OutOrStdout(), map[string]int{"added": n})
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%d suppressed\n", n)
	return err
}

func suppressionRemove(t *target) *cobra.Command {
	var a suppressArgs
	c := &cobra.Command{Use: "remove ADDRESS... --app A | --agency A", Short: "Let applications write to recipients again", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.one(); err != nil {
				return err
			}
			for i, address := range args {
				a.Address = address
				if err := t.do(c.Context(), "suppression.remove", a, func(json.RawMessage) error { return nil }); err != nil {
					if i > 0 {
						return fmt.Errorf("%w (the %d before it are removed)", err, i)
					}
					return err
				}
			}
			if t.json {
				return writeLine(c.OutOrStdout(), map[string]int{"removed": len(args)})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%d may be written to again\n", len(args))
			return err
		}}
	a.whose(c)
	return c
}

func suppressionImport(t *target) *cobra.Command {
	var a suppressArgs
	var s store.Suppression
	var until string
	c := &cobra.Command{Use: "import FILE --app A | --agency A", Short: "Suppress the recipients in a CSV file", Args: cobra.ExactArgs(1),
		Long: `Import reads CSV: address, and if wanted kind, reason and until, in this order or as the
first line names them; what export writes can be read. - is standard input. A file with a
bad line changes nothing. One that is there already is replaced.`,
		Example: `  sampul suppression import berhenti.csv --app notifikasi@agensi-a.test --reason "asked to stop"`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := a.one(); err != nil {
				return err
			}
			if s.Until, err = endAt(until, time.Now()); err == nil {
				err = checkKind(s.Kind)
			}
			if err != nil {
				return usage(err)
			}
			var in io.Reader = c.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return usage(err)
				}
				defer f.Close()
				in = f
			}
			all, err := readSuppressions(in, s, time.Now())
			if err != nil {
				return usagef("%s: %w; nothing was changed", args[0], err)
			}
			return importSuppressions(t, c, &a, all)
		}}
	a.whose(c)
	suppressFlags(c, &s, &until)
	return c
}

// importSuppressions adds them in as few calls as can be. Each call adds all or nothing.
func importSuppressions(t *target, c *cobra.Command, a *suppressArgs, all []store.Suppression) error {
	in := 0
	for rest := all; len(rest) > 0; {
		n := oneCall(rest)
		a.All, rest = rest[:n], rest[n:]
		if err := t.do(c.Context(), "suppression.add", a, func(json.RawMessage) error { return nil }); err != nil {
			if in > 0 {
				return fmt.Errorf("%d of %d lines are in; import the file again, what is there is replaced: %w", in, len(all), err)
			}
			return errors.Join(err, errors.New("nothing was changed"))
		}
		if in += n; len(rest) > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "%d of %d are in\n", in, len(all))
		}
	}
	return added(t, c, in)
}

// oneCall is how many fit into one call, by number and by octets.
func oneCall(all []store.Suppression) int {
	size := 0
	for i := range all {
		if size += 2*len(all[i].Address) + 6*len(all[i].Reason) + 300; i == store.MaxSuppressions || i > 0 && size > maxArgs {
			return i
		}
	}
	return len(all)
}

func suppressionExport(t *target) *cobra.Command {
	var a suppressArgs
	c := &cobra.Command{Use: "export [--app A | --agency A]", Short: "Write suppressed recipients as CSV that import reads, or as JSON", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.listed(); err != nil {
				return err
			}
			return exportSuppressions(t, c, &a)
		}}
	a.pick(c)
	return c
}

// exportSuppressions writes them as they come.
func exportSuppressions(t *target, c *cobra.Command, a *suppressArgs) error {
	if t.json {
		return list(t, c, "suppression.list", a, "", func(store.Suppression) []any { return nil })
	}
	w := newSuppressionWriter(c.OutOrStdout())
	if err := t.do(c.Context(), "suppression.list", a, func(raw json.RawMessage) error {
		var s store.Suppression
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		return w.write(&s)
	}); err != nil {
		return err
	}
	return w.close()
}
