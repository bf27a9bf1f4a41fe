package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func traceCommand(t *target) *cobra.Command {
	limit := 100
	c := &cobra.Command{Use: "trace ADDRESS|QUEUE-ID|MESSAGE-ID", Short: "Tell what became of a message", Args: cobra.ExactArgs(1),
		Long: `Trace tells each step of a message's life: who sent it, what filters said, where it was
filed or delivered, each delay and what the other side answered. It knows no content and
no subject. The newest message comes first.`,
		Example: `  sampul trace pegawai1@agensi-a.test --dir D
  sampul trace "<20261102.1234@luar.test>" --json --dir D`,
		RunE: func(c *cobra.Command, args []string) error {
			if limit <= 0 {
				return usagef("--max: at least 1")
			}
			return t.do(c.Context(), "trace", traceArgs{args[0], limit}, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var s traceLine
				if err := json.Unmarshal(raw, &s); err != nil {
					return err
				}
				return tellStory(c.OutOrStdout(), &s)
			})
		}}
	c.Flags().IntVar(&limit, "max", limit, "at most so many messages")
	return c
}

// tellStory prints a line an event.
func tellStory(w io.Writer, s *traceLine) error {
	id := s.ID
	if id == "" {
		id = "without a queue ID"
	}
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(id+"  "+s.MessageID))
	for _, e := range s.Events {
		fmt.Fprintf(&b, "  %s  %-10s", e.Time.Local().Format("2006-01-02 15:04:05"), e.Event)
		if e.From != "" {
			fmt.Fprintf(&b, "  from %s", path(e.From))
		}
		if len(e.To) > 0 {
			fmt.Fprintf(&b, "  to %s", strings.Join(e.To, ", "))
		}
		if e.Host != "" {
			fmt.Fprintf(&b, "  %s", e.Host)
		}
		said := strings.TrimSpace(strings.TrimSpace(number(e.Code)+" "+e.Enhanced) + " " + e.Text)
		if said != "" {
			fmt.Fprintf(&b, "  %s", said)
		}
		fmt.Fprintln(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
