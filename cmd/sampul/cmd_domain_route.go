package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sampul/internal/address"
	"sampul/store"
)

// routeFlags are the flags of domain route, and which kinds of route know them.
var routeFlags = map[string][]store.RouteKind{
	"text":      {store.RouteReject},
	"tls":       {store.RouteSmarthost, store.RouteLMTP, store.RouteSplit},
	"auth-file": {store.RouteSmarthost, store.RouteSplit},
	"to":        {store.RouteSplit},
	"default":   {store.RouteSplit},
	"table":     {store.RouteSplit},
}

func domainRoute(t *target) *cobra.Command {
	var r store.Route
	var authFile, table, to string
	var dryRun bool
	c := &cobra.Command{
		Use:   "route DOMAIN [local | reject | smarthost HOST:PORT | lmtp HOST:PORT | split]",
		Short: "Say where mail for a domain goes; without more, show it",
		Long: `Route says where mail for a domain goes, from the next message on; what waits in the
queue takes the new way at its next attempt.

  local                     mailboxes are here
  reject --text T           nobody takes mail for it; senders hear T
  smarthost HOST:PORT       another server has them all
  lmtp HOST:PORT            alike, by LMTP
  split --to HOST:PORT --default here|elsewhere --table CSV
                            address by address, while an agency moves

The table has lines "address,where", where is here, elsewhere (the agency's other server)
or moving (mail is kept in the queue until the table says where). It replaces the one that
is there. Without --to or --default a split domain keeps what it has.

The file of --auth-file has USER:PASSWORD in its first line; it goes out over TLS alone.`,
		Example: `  sampul domain route agensi-a.test split --to 10.0.0.9:25 --default elsewhere --table pindah.csv --dry-run`,
		Args:    cobra.RangeArgs(1, 3),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && !c.Flags().Changed("dry-run") {
				return t.showDomain(c, args[0])
			}
			a := routeArgs{Domain: args[0], Route: r, Keep: true, DryRun: dryRun}
			if len(args) > 1 {
				a.Route.Kind = store.RouteKind(args[1])
			}
			a.Route.Host = to
			if err := routeHost(&a.Route, args); err != nil {
				return err
			}
			for name, kinds := range routeFlags {
				if c.Flags().Changed(name) && !slices.Contains(kinds, a.Route.Kind) {
					return usagef("a route %s has no --%s", a.Route.Kind, name)
				}
			}
			var err error
			if authFile != "" {
				if a.Route.User, a.Route.Secret, err = readAuth(authFile); err != nil {
					return err
				}
			}
			if table != "" {
				if a.Table, err = loadTable(table, args[0]); err != nil {
					return usage(err)
				}
			}
			return t.setRoute(c, a)
		},
	}
	f := c.Flags()
	f.StringVar(&r.Text, "text", "", "reject: the reason that senders hear")
	f.StringVar(&r.TLS, "tls", "", "none, may or verify; may when it is not given")
	f.StringVar(&authFile, "auth-file", "", "`file` with USER:PASSWORD")
	f.StringVar(&to, "to", "", "split: `HOST:PORT` of the agency's other server")
	f.StringVar(&r.Default, "default", "", "split: here or elsewhere, for addresses not in the table")
	f.StringVar(&table, "table", "", "split: `CSV` file with address,where")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would change")
	return c
}

// routeHost takes the server from the arguments, and refuses what no server can be.
func routeHost(r *store.Route, args []string) error {
	switch r.Kind {
	case store.RouteLocal, store.RouteReject, store.RouteSplit:
		if len(args) == 3 {
			return usagef("%s takes no %q", r.Kind, args[2])
		}
	case store.RouteSmarthost, store.RouteLMTP:
		if len(args) < 3 {
			return usagef("%s HOST:PORT: which server?", r.Kind)
		}
		r.Host = args[2]
	default:
		return usagef("a route is local, reject, smarthost, lmtp or split, not %q", r.Kind)
	}
	if !slices.Contains([]string{"", "none", "may", "verify"}, r.TLS) {
		return usagef("--tls: none, may or verify, not %q", r.TLS)
	}
	if !slices.Contains([]string{"", store.Here, store.Elsewhere}, r.Default) {
		return usagef("--default: here or elsewhere, not %q", r.Default)
	}
	if r.Host != "" {
		if host, port, err := net.SplitHostPort(r.Host); err != nil || host == "" || port == "" {
			return usagef("a server is HOST:PORT, not %q", r.Host)
		} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return usagef("a port is a number from 1 to 65535, not %q", port)
		}
	}
	return nil
}

func readAuth(file string) (user, password string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", "", usage(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	user, password, ok := strings.Cut(strings.TrimRight(line, "\r"), ":")
	if !ok || user == "" || password == "" {
		return "", "", usagef("%s: the first line is USER:PASSWORD", file)
	}
	return user, password, nil
}

func loadTable(file, domain string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table, err := readTable(f, domain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return table, nil
}

// tableErrors is how many wrong lines are told at once.
const tableErrors = 10

// readTable reads lines "address,where", and says in which line what is wrong.
func readTable(in io.Reader, domain string) (map[string]string, error) {
	domain, err := address.Domain(domain)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	table, lines := map[string]string{}, map[string]int{}
	var bad []error
	for first := true; len(bad) < tableErrors; first = false {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errors.Join(append(bad, err)...) // it names the line
		}
		line, _ := r.FieldPos(0)
		addr := strings.TrimSpace(strings.TrimPrefix(rec[0], "\ufeff"))
		if first && !strings.Contains(addr, "@") && strings.EqualFold(addr, "address") {
			continue
		}
		if len(rec) != 2 {
			bad = append(bad, fmt.Errorf("line %d: address,where is two fields, not %d", line, len(rec)))
			continue
		}
		full, err := tableAddress(addr, domain)
		where := strings.ToLower(strings.TrimSpace(rec[1]))
		switch {
		case err != nil:
			bad = append(bad, fmt.Errorf("line %d: %w", line, err))
		case where != store.Here && where != store.Elsewhere && where != store.Moving:
			bad = append(bad, fmt.Errorf("line %d: here, elsewhere or moving, not %q", line, rec[1]))
		case lines[full] != 0:
			bad = append(bad, fmt.Errorf("line %d: %s stands in line %d already", line, full, lines[full]))
		case len(table) == store.MaxSplit:
			return nil, fmt.Errorf("line %d: a table holds %d addresses at most", line, store.MaxSplit)
		default:
			table[full], lines[full] = where, line
		}
	}
	return table, errors.Join(bad...)
}

func tableAddress(addr, domain string) (string, error) {
	local, of, err := address.Split(addr)
	if err != nil {
		return "", err
	}
	if of != domain {
		return "", fmt.Errorf("%s is not in the domain %s", addr, domain)
	}
	return local + "@" + of, nil
}

func (t *target) setRoute(c *cobra.Command, a routeArgs) error {
	return t.do(c.Context(), "domain.route", a, func(raw json.RawMessage) error {
		out := c.OutOrStdout()
		if t.json {
			_, err := fmt.Fprintf(out, "%s\n", raw)
			return err
		}
		var p routePlan
		if err := json.Unmarshal(raw, &p); err != nil {
			return err
		}
		if p.DryRun {
			fmt.Fprintln(out, "nothing was changed; this would be:")
		}
		fmt.Fprintf(out, "route of %s: %s\n", p.Domain, routeText(p.Route))
		if a.Table == nil {
			return nil
		}
		fmt.Fprintf(out, "table: %d here, %d elsewhere, %d moving (%d new, %d changed, %d removed, %d as before)\n",
			p.Split[store.Here], p.Split[store.Elsewhere], p.Split[store.Moving], p.Add, p.Change, p.Remove, p.Same)
		for _, l := range p.Sample {
			fmt.Fprintf(out, "  %s: %s -> %s\n", l.Address, orNone(l.Was), orNone(l.Becomes))
		}
		if n := p.Add + p.Change + p.Remove - len(p.Sample); n > 0 {
			fmt.Fprintf(out, "  and %d more\n", n)
		}
		if p.Missing > 0 {
			fmt.Fprintf(out, "warning: %d addresses are to be here and nobody has them, such as %s: their mail is refused\n",
				p.Missing, strings.Join(p.Nobody[:min(3, len(p.Nobody))], ", "))
		}
		return nil
	})
}

func orNone(s string) string {
	if s == "" {
		return "not in the table"
	}
	return s
}

// routeText is a route for people.
func routeText(r store.Route) string {
	if r.Kind == "" {
		return string(store.RouteLocal)
	}
	s := string(r.Kind)
	for _, part := range []struct{ name, value string }{{"", r.Host}, {"tls ", r.TLS}, {"user ", r.User}, {"default ", r.Default}, {"text ", r.Text}} {
		if part.value != "" {
			s += " " + part.name + part.value
		}
	}
	return s
}
