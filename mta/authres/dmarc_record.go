package authres

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/net/idna"

	"sampul/internal/dns"
)

// A Record is a DMARC policy record (RFC 7489 section 6.3, and the tags of its successor).
type Record struct {
	Policy     string // p=: none, quarantine or reject; "" when it has none that is valid
	Subdomains string // sp=, "" for none
	Missing    string // np=, "" for none
	DKIMStrict bool   // adkim=s
	SPFStrict  bool   // aspf=s
	PSD        string // psd=: y, n or u
	Testing    bool   // t=y
	Reports    bool   // rua= has an address
	bad        bool   // sp= or np= is not valid
}

// ParseRecord reads a record; ok is false for a text that is none. Tags that are not
// known, pct= among them, are passed over: percentages were never applied alike, and the
// successor has t= in their place.
func ParseRecord(txt string) (r *Record, ok bool) {
	if len(txt) > 8192 {
		return nil, false
	}
	first, rest, _ := strings.Cut(txt, ";")
	name, value, _ := strings.Cut(first, "=")
	if strings.TrimSpace(name) != "v" || strings.TrimSpace(value) != "DMARC1" {
		return nil, false
	}
	r = &Record{PSD: "u"}
	seen := map[string]bool{}
	for tag := range strings.SplitSeq(rest, ";") {
		name, value, found := strings.Cut(tag, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !found || seen[name] || len(seen) > 64 {
			continue
		}
		seen[name] = true
		value = strings.TrimSpace(value)
		r.tag(name, strings.ToLower(value))
	}
	return r, true
}

func (r *Record) tag(name, value string) {
	policy := value
	switch policy {
	case "none", "quarantine", "reject":
	default:
		policy = ""
	}
	switch name {
	case "p":
		r.Policy = policy
	case "sp":
		r.Subdomains, r.bad = policy, r.bad || policy == ""
	case "np":
		r.Missing, r.bad = policy, r.bad || policy == ""
	case "adkim":
		r.DKIMStrict = value == "s"
	case "aspf":
		r.SPFStrict = value == "s"
	case "psd":
		if value == "y" || value == "n" {
			r.PSD = value
		}
	case "t":
		r.Testing = value == "y"
	case "rua":
		for uri := range strings.SplitSeq(value, ",") {
			address, ok := strings.CutPrefix(strings.TrimSpace(uri), "mailto:")
			r.Reports = r.Reports || ok && strings.Contains(address, "@")
		}
	}
}

// usable says whether the record can decide about a message. One without a valid policy
// asks for nothing, but wants reports: it counts as p=none (RFC 9989 section 4.7, RFC 7489
// section 6.6.3).
func (r *Record) usable() bool {
	if r.Policy == "" || r.bad {
		if !r.Reports {
			return false
		}
		r.Policy, r.Subdomains, r.Missing, r.bad = "none", "", "", false
	}
	return true
}

// A walk is the records from a domain up to the root: at most eight questions.
type walk struct {
	domain  string
	records map[string]*Record // by domain
	names   []string           // those with a record, the longest first
	err     error              // what made the walk end early
}

const maxWalk = 8

// treeWalk collects the records (RFC 9989 section 4.10). Names of eight labels and more are
// cut to seven after the first question, so that nobody can make us ask a hundred times.
func (c *Checker) treeWalk(ctx context.Context, domain string) *walk {
	w := &walk{domain: domain, records: map[string]*Record{}}
	labels := strings.Split(domain, ".")
	for range maxWalk {
		r, err := c.record(ctx, strings.Join(labels, "."))
		if err != nil {
			w.err = err
			return w
		}
		if r != nil {
			name := strings.Join(labels, ".")
			w.records[name] = r
			w.names = append(w.names, name)
			if r.PSD != "u" {
				return w
			}
		}
		if labels = labels[1:]; len(labels) == 0 {
			return w
		}
		if len(labels) >= maxWalk {
			labels = labels[len(labels)-(maxWalk-1):]
		}
	}
	return w
}

// record is the one record of a domain. Several are as none (RFC 7489 section 6.6.3).
func (c *Checker) record(ctx context.Context, domain string) (*Record, error) {
	txts, _, err := c.dns.TXT(ctx, "_dmarc."+domain)
	if errors.Is(err, dns.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found *Record
	for _, txt := range txts {
		if r, ok := ParseRecord(txt); ok {
			if found != nil {
				return nil, nil
			}
			found = r
		}
	}
	return found, nil
}

// org is the organizational domain: where psd=n stands, one label below psd=y, or else
// the shortest name with a record; the domain itself when there is none.
func (w *walk) org() string {
	for _, name := range w.names {
		if w.records[name].PSD == "n" {
			return name
		}
	}
	for _, name := range w.names {
		if w.records[name].PSD == "y" && name != w.domain {
			below := strings.TrimSuffix(w.domain, "."+name)
			return below[strings.LastIndexByte(below, '.')+1:] + "." + name
		}
	}
	if len(w.names) > 0 {
		return w.names[len(w.names)-1]
	}
	return w.domain
}

// policy is the record that applies: that of the domain, of the organizational domain, of
// the public suffix above it.
func (w *walk) policy() (r *Record, at string) {
	org := w.org()
	for _, name := range []string{w.domain, org} {
		if r := w.records[name]; r != nil {
			return r, name
		}
	}
	for _, name := range w.names {
		if w.records[name].PSD == "y" {
			return w.records[name], name
		}
	}
	return nil, ""
}

// below says whether domain is parent or stands below it.
func below(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// aLabels is a domain as in DNS, "" when it cannot be one.
func aLabels(s string) string {
	s = dns.Name(strings.TrimSpace(s))
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return ""
			}
			return a
		}
	}
	return s
}
