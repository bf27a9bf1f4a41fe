package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sampul/store"
)

func queueCommand(t *target) *cobra.Command {
	return group("queue", "The queue of mail for other servers",
		queueListCommand(t), queueShowCommand(t), queueHoldCommand(t),
		queueVerbCommand(t, "release", "Release what is held; it is tried now", "released"),
		queueVerbCommand(t, "retry", "Try again now; what is held stays held", "will be tried now"),
		queueDropCommand(t), queueFlushCommand(t))
}

// A queuePick is how commands say which messages they mean.
type queuePick struct {
	from, to, state, lane, agency, run string
	older                              time.Duration
	all                                bool
}

func (p *queuePick) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.from, "from", "", "`address` of the sender, @domain, or <> for notices")
	f.StringVar(&p.to, "to", "", "`address` of a recipient, or @domain")
	f.StringVar(&p.state, "state", "", "waiting or held")
	f.StringVar(&p.lane, "lane", "", "people or bulk")
	f.StringVar(&p.agency, "agency", "", "the `agency` that sends")
	f.StringVar(&p.run, "run", "", "the `tag` of a run")
	f.DurationVar(&p.older, "older-than", 0, "in the queue for longer than this, such as 90m or 48h")
}

// filter makes the filter of flags and IDs, and says whether it picks anything in particular.
func (p *queuePick) filter(ids []string) (f store.QueueFilter, some bool, err error) {
	f = store.QueueFilter{IDs: ids, From: p.from, To: p.to, State: p.state, Lane: p.lane, Agency: p.agency, Run: p.run, OlderThan: p.older}
	switch {
	case p.state != "" && p.state != store.Waiting && p.state != store.Holding:
		err = usagef("--state: %s or %s, not %q", store.Waiting, store.Holding, p.state)
	case p.lane != "" && p.lane != "people" && p.lane != "bulk":
		err = usagef("--lane: people or bulk, not %q", p.lane)
	case p.older < 0:
		err = usagef("--older-than: a length of time, not %v", p.older)
	}
	some = len(ids) > 0 || p.from != "" || p.to != "" || p.state != "" || p.lane != "" || p.agency != "" || p.run != "" || p.older != 0
	return f, some, err
}

// filterOf is filter for a verb that changes: it wants to be told what, or --all.
func (p *queuePick) filterOf(c *cobra.Command, ids []string) (store.QueueFilter, error) {
	f, some, err := p.filter(ids)
	switch {
	case err != nil:
		return f, err
	case some && p.all:
		return f, usagef("--all and a choice exclude each other")
	case !some && !p.all:
		return f, usagef("%s: say which messages, by ID or by --from, --to, --state, --lane, --agency, --run, --older-than; or --all", c.CommandPath())
	}
	return f, nil
}

func queueListCommand(t *target) *cobra.Command {
	var p queuePick
	c := &cobra.Command{Use: "list [ID...]", Short: "List messages that wait, and why",
		Example: `  sampul queue list --to @jauh.test --older-than 2h --dir D`,
		RunE: func(c *cobra.Command, ids []string) error {
			f, _, err := p.filter(ids)
			if err != nil {
				return err
			}
			now := t.now(c.Context())
			messages, held := 0, 0
			err = t.do(c.Context(), "queue.list", f, func(raw json.RawMessage) error {
				return printQueueLine(t, c.OutOrStdout(), raw, now, &messages, &held)
			})
			if err != nil || t.json {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d messages, %d of them held\n", messages, held)
			return err
		}}
	p.flags(c)
	return c
}

func printQueueLine(t *target, w io.Writer, raw json.RawMessage, now time.Time, messages, held *int) error {
	if t.json {
		_, err := fmt.Fprintf(w, "%s\n", raw)
		return err
	}
	var q queueLine
	if err := json.Unmarshal(raw, &q); err != nil {
		return err
	}
	if *messages++; q.State == store.Holding {
		*held++
	}
	_, err := fmt.Fprintf(w, "%s  %s  %s old, %d octets, %s\n", q.ID, path(q.From), span(now.Sub(q.Created)), q.Size, q.Lane)
	for i := range q.Recipients {
		if err == nil {
			_, err = fmt.Fprintf(w, "    %s: %s\n", q.Recipients[i].Address, q.Recipients[i].story(q.Why, now))
		}
	}
	return err
}

func path(from string) string { return "<" + from + ">" }

// story says why a recipient waits, when it is tried next, and what the other side said.
func (r *queueRecipient) story(why string, now time.Time) string {
	var s []string
	switch wait := r.NextTry.Sub(now); {
	case r.State == store.Holding && why != "":
		s = append(s, "held: "+why)
	case r.State == active:
		s = append(s, "being tried now")
	case r.State != store.Waiting:
		s = append(s, r.State)
	case wait > 0:
		s = append(s, "next try "+r.NextTry.Local().Format("2006-01-02 15:04:05")+" (in "+span(wait)+")")
	default:
		s = append(s, "due now")
	}
	switch r.Attempts {
	case 0:
		if r.State != active {
			s = append(s, "not tried yet")
		}
	case 1:
		s = append(s, "tried once")
	default:
		s = append(s, fmt.Sprintf("tried %d times", r.Attempts))
	}
	said := strings.TrimSpace(strings.TrimSpace(fmt.Sprintf("%s %s", number(r.Code), r.Enhanced)) + " " + r.Text)
	switch {
	case said != "" && r.Remote != "":
		s = append(s, r.Remote+": "+said)
	case said != "":
		s = append(s, said)
	case r.Remote != "":
		s = append(s, "last at "+r.Remote)
	}
	if r.TLS != "" {
		s = append(s, "TLS: "+r.TLS)
	}
	if r.Delayed {
		s = append(s, "the sender was told of the delay")
	}
	return strings.Join(s, "; ")
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// span is a length of time as a person would say it.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d/time.Second)))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

func queueShowCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show a message that waits: for whom, why, until when", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.do(c.Context(), "queue.show", idArgs{args[0]}, func(raw json.RawMessage) error {
				if t.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
					return err
				}
				var q queueLine
				if err := json.Unmarshal(raw, &q); err != nil {
					return err
				}
				showQueue(c.OutOrStdout(), &q, t.now(c.Context()))
				return nil
			})
		}}
}

func showQueue(w io.Writer, q *queueLine, now time.Time) {
	for _, f := range [][2]string{
		{"queue id", q.ID}, {"from", path(q.From)}, {"agency", q.Agency}, {"state", q.State}, {"held because", q.Why},
		{"created", q.Created.Local().Format("2006-01-02 15:04:05 MST") + ", " + span(now.Sub(q.Created)) + " ago"},
		{"lane", q.Lane.String()}, {"run", q.Run}, {"size", fmt.Sprint(q.Size)},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "%-14s%s\n", f[0]+":", f[1])
		}
	}
	for i := range q.Recipients {
		fmt.Fprintf(w, "%-14s%s\n              %s\n", "recipient:", q.Recipients[i].Address, q.Recipients[i].story(q.Why, now))
	}
	fmt.Fprintf(w, "%-14ssampul trace %s\n", "its story:", q.ID)
}

// queueChange runs a verb and says what came of it. IDs that name nothing are not found.
func queueChange(t *target, c *cobra.Command, name string, a queueVerbArgs, done string) error {
	var out struct {
		Changed int `json:"changed"`
	}
	err := t.do(c.Context(), name, a, func(raw json.RawMessage) error { return json.Unmarshal(raw, &out) })
	if err != nil {
		return err
	}
	if out.Changed == 0 && len(a.Filter.IDs) > 0 {
		return fmt.Errorf("%s: nothing to change: %w in the queue, or it is so already", strings.Join(a.Filter.IDs, " "), store.ErrNotFound)
	}
	if t.json {
		return writeLine(c.OutOrStdout(), out)
	}
	noun := "messages"
	if out.Changed == 1 {
		noun = "message"
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d %s %s\n", out.Changed, noun, done)
	return err
}

func queueHoldCommand(t *target) *cobra.Command {
	var p queuePick
	var why string
	c := &cobra.Command{Use: "hold [ID...] --reason R", Short: "Keep messages in the queue until they are released",
		Example: `  sampul queue hold 4fKx9TqLm2 --reason "asked by the UC administrator" --dir D`,
		RunE: func(c *cobra.Command, ids []string) error {
			f, err := p.filterOf(c, ids)
			if err != nil {
				return err
			}
			if strings.TrimSpace(why) == "" {
				return usagef("--reason R: whoever finds the mail held will want to know why")
			}
			return queueChange(t, c, "queue.hold", queueVerbArgs{f, why}, "held")
		}}
	p.flags(c)
	c.Flags().BoolVar(&p.all, "all", false, "all that is in the queue")
	c.Flags().StringVar(&why, "reason", "", "why; it is shown with the message")
	return c
}

func queueVerbCommand(t *target, verb, short, done string) *cobra.Command {
	var p queuePick
	c := &cobra.Command{Use: verb + " [ID...]", Short: short,
		RunE: func(c *cobra.Command, ids []string) error {
			f, err := p.filterOf(c, ids)
			if err != nil {
				return err
			}
			return queueChange(t, c, "queue."+verb, queueVerbArgs{Filter: f}, done)
		}}
	p.flags(c)
	c.Flags().BoolVar(&p.all, "all", false, "all that is in the queue")
	return c
}

func queueDropCommand(t *target) *cobra.Command {
	c := queueVerbCommand(t, "drop", "Take messages out of the queue; neither sender nor recipients are told", "dropped")
	c.Example = `  sampul queue drop --from "<>" --older-than 24h --dir D`
	return c
}

func queueFlushCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "flush", Short: "Try all that waits now; what is held stays held", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return queueChange(t, c, "queue.retry", queueVerbArgs{Filter: store.QueueFilter{State: store.Waiting}}, "will be tried now")
		}}
}
