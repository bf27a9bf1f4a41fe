package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func domainDNSCommand(t *target) *cobra.Command {
	var a dnsArgs
	cmd := &cobra.Command{Use: "dns DOMAIN", Short: "Print every DNS record to publish for a domain, or compare them with what is there", Args: cobra.ExactArgs(1),
		Long: `Dns prints the records in the form of a zone file. With --check each gets a status:
ok, missing, differs (something else is there), or unknown (DNS did not answer); the exit
code is 1 unless all are ok.`,
		Example: `  sampul domain dns agensi-a.test
  sampul domain dns agensi-a.test --check --json`,
		RunE: func(c *cobra.Command, args []string) error {
			a.Domain = args[0]
			switch a.DMARC {
			case "none", "quarantine", "reject":
			default:
				return usagef("--dmarc: none, quarantine or reject, not %q", a.DMARC)
			}
			if a.Resolver != "" {
				a.Check = true
			}
			bad := false
			err := t.do(c.Context(), "domain.dns", a, func(raw json.RawMessage) error {
				var rec dnsRecordLine
				if err := json.Unmarshal(raw, &rec); err != nil {
					return err
				}
				bad = bad || a.Check && rec.Status != "ok"
				line := string(raw)
				if !t.json {
					line = rec.zoneLine()
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), line)
				return err
			})
			if err == nil && bad {
				return errFinding
			}
			return err
		}}
	f := cmd.Flags()
	f.BoolVar(&a.Check, "check", false, "compare with what DNS has")
	f.StringVar(&a.Resolver, "resolver", "", "compare with what the DNS server at `HOST:PORT` has; the configured one without it")
	f.StringVar(&a.Reports, "reports", "", "`address` that gets DMARC and TLS reports; the postmaster without it")
	f.StringVar(&a.DMARC, "dmarc", "reject", "the `policy` of DMARC: none, quarantine or reject")
	return cmd
}

// zoneLine is the record as in a zone file, its status in a comment.
func (r *dnsRecordLine) zoneLine() string {
	value := r.Value
	if r.Type == "TXT" {
		value = quotedText(value)
	}
	line := fmt.Sprintf("%s. %d IN %s %s", r.Name, r.TTL, r.Type, value)
	if r.Status != "-" {
		line += " ; " + r.Status
	}
	return line
}

// quotedText cuts a text into strings of at most 255 octets (RFC 1035 section 3.3).
func quotedText(s string) string {
	var parts []string
	for {
		n := min(len(s), 255)
		parts = append(parts, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:n])+`"`)
		if s = s[n:]; s == "" {
			return strings.Join(parts, " ")
		}
	}
}
