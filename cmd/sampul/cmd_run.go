package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sampul/store"
)

func runCommand(t *target) *cobra.Command {
	c := group("run", "Runs of applications: what was sent with one tag (X-Sampul-Run)",
		runListCommand(t), runShowCommand(t),
		runVerbCommand(t, "pause", "Hold what waits of a run, and what comes of it", "held"),
		runVerbCommand(t, "resume", "Let a run that was paused go on", "released"),
		runVerbCommand(t, "drop", "Take away what waits of a run; nobody is told, and it is counted", "taken away"))
	c.Long = `An application tells by the header field X-Sampul-Run which run a message is of.
Run counts what became of its recipients, and stops what is under way. A paused run is
held over a restart; what somebody held or released by the queue's own verbs stays so.`
	return c
}

func runListCommand(t *target) *cobra.Command {
	var a runArgs
	c := &cobra.Command{Use: "list", Short: "List runs with what became of their recipients", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch a.State {
			case "", store.RunActive, store.RunPaused, store.RunDone:
			default:
				return usagef("--state: %s, %s or %s, not %q", store.RunActive, store.RunPaused, store.RunDone, a.State)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			err := t.do(c.Context(), "run.list", a, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var r store.Run
				if err := json.Unmarshal(raw, &r); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d accepted\t%d wait\t%d delivered\t%d bounced\t%d dropped\t%s\n", r.App, r.Tag, r.State,
					r.Accepted, r.Waiting, r.Delivered, r.Bounced, r.Dropped, when(r.Last))
				return err
			})
			if err != nil {
				return err
			}
			return w.Flush()
		}}
	c.Flags().StringVar(&a.App, "app", "", "`address` of the application")
	c.Flags().StringVar(&a.Agency, "agency", "", "of one `agency`")
	c.Flags().StringVar(&a.State, "state", "", "active, paused or done")
	return c
}

// when is a time for people, "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func runShowCommand(t *target) *cobra.Command {
	var a runArgs
	c := &cobra.Command{Use: "show TAG", Short: "Show a run", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.Tag = args[0]
			return t.do(c.Context(), "run.show", a, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var r store.Run
				if err := json.Unmarshal(raw, &r); err != nil {
					return err
				}
				showRun(c.OutOrStdout(), &r)
				return nil
			})
		}}
	c.Flags().StringVar(&a.App, "app", "", "`address` of the application, where several have such a run")
	return c
}

func showRun(w io.Writer, r *store.Run) {
	for _, f := range [][2]string{
		{"run", r.Tag}, {"application", r.App}, {"agency", r.Agency}, {"state", r.State},
		{"accepted", fmt.Sprint(r.Accepted)}, {"waiting", fmt.Sprint(r.Waiting)}, {"delivered", fmt.Sprint(r.Delivered)},
		{"bounced", fmt.Sprint(r.Bounced)}, {"dropped", fmt.Sprint(r.Dropped)}, {"first", when(r.First)}, {"last", when(r.Last)},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "%-14s%s\n", f[0]+":", f[1])
		}
	}
	if r.Act != "" {
		fmt.Fprintf(w, "%-14s%s by %s, %s\n", "last change:", r.Act, r.By, when(r.Changed))
	}
	if r.Why != "" {
		fmt.Fprintf(w, "%-14s%s\n", "because:", r.Why)
	}
	fmt.Fprintf(w, "%-14ssampul queue list --run %s\n", "its queue:", r.Tag)
}

func runVerbCommand(t *target, verb, short, done string) *cobra.Command {
	var a runArgs
	c := &cobra.Command{Use: verb + " TAG", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.Tag = args[0]
			return t.do(c.Context(), "run."+verb, a, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var r runChange
				if err := json.Unmarshal(raw, &r); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s of %s is %s: %d messages %s; of %d recipients %d wait, %d were dropped\n",
					r.Tag, r.App, r.State, r.Messages, done, r.Accepted, r.Waiting, r.Dropped)
				return err
			})
		}}
	c.Flags().StringVar(&a.App, "app", "", "`address` of the application, where several have such a run, or it has not begun")
	if verb != "resume" {
		c.Flags().StringVar(&a.Why, "reason", "", "why; it is shown with the run")
	}
	return c
}
