package authres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"sampul/internal/dns"
	"sampul/internal/message"
)

// What is looked at in From; no honest message has so many. More than that is refused,
// since one that was passed over may be the one that a reader shows.
const (
	maxFrom          = 5   // domains
	maxFromAddresses = 200 // all of one domain, say
)

// author is who the message says that it is from.
type author struct {
	fields  int // From fields; there must be one (RFC 5322 section 3.6)
	domains []string
	more    bool // there are more than maxFrom, or more than maxFromAddresses
	junk    bool // an address has no domain that can be looked up
}

func fromDomains(x *message.Index) author {
	var a author
	p := &x.Parts[0]
	for i := range p.Fields {
		if strings.EqualFold(p.Fields[i].Name, "From") {
			a.fields++
		}
	}
	for i, addr := range p.Addresses("From") {
		if i == maxFromAddresses {
			a.more = true
			return a
		}
		if addr.Group != message.NoGroup {
			continue
		}
		d := aLabels(domainPart(strings.Map(printable, addr.Host)))
		if !lookable(d) {
			a.junk = true
			continue
		}
		if slices.Contains(a.domains, d) {
			continue
		}
		if len(a.domains) == maxFrom {
			a.more = true
			return a
		}
		a.domains = append(a.domains, d)
	}
	return a
}

// printable leaves out control characters, as readers do that show the address.
func printable(r rune) rune {
	if r < ' ' || r == 127 {
		return -1
	}
	return r
}

// lookable says whether a domain can have a record.
func lookable(d string) bool {
	if d == "" || len(d) > 240 || !strings.Contains(d, ".") || strings.ContainsAny(d, "[]\"\\ \t\r\n\x00") {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}

// checkDMARC comes to a decision about each domain of From, and takes the strictest (RFC
// 7489 section 6.6.1). A second From field makes every one of them fail: readers show one
// or the other, and signatures cover only one.
func (c *Checker) checkDMARC(ctx context.Context, from author, walks []*walk, r *Results) DMARC {
	switch {
	case from.more:
		d := DMARC{Result: PermError, Disposition: "reject", Reason: "From names too many domains"}
		if len(from.domains) > 0 {
			d.Domain = from.domains[0]
		}
		return d
	case len(walks) == 0:
		return DMARC{Result: PermError, Disposition: "none", Reason: "From has no domain"}
	}
	var worst DMARC
	for i, w := range walks {
		d := &decision{c: c, ctx: ctx, w: w, r: r, walks: map[string]*walk{w.domain: w}}
		got := d.decide(from.fields == 1)
		if i == 0 || rank(got) > rank(worst) {
			worst = got
		}
	}
	return worst
}

// rank orders decisions: what is to be done first, then how little is known.
func rank(d DMARC) int {
	n := map[string]int{"quarantine": 20, "reject": 30}[d.Disposition]
	return n + map[Result]int{Pass: 0, None: 1, PermError: 2, Fail: 3, TempError: 4}[d.Result]
}

// A decision is about one domain.
type decision struct {
	c     *Checker
	ctx   context.Context
	w     *walk
	r     *Results
	walks map[string]*walk // of identifiers
}

func (d *decision) decide(one bool) DMARC {
	out := DMARC{Domain: d.w.domain, OrgDomain: d.w.org(), Disposition: "none", Result: None}
	record, at := d.w.policy()
	switch {
	case d.w.err != nil && d.w.records[d.w.domain] == nil:
		out.Result, out.Reason = TempError, "DNS did not give the policy"
		return out
	case record == nil:
		return out
	case !record.usable():
		out.Result, out.At, out.Reason = PermError, at, "the record has no valid policy"
		return out
	}
	out.At = at
	pass, unsure := d.identifiers(record)
	policy, err := d.policyFor(record, at)
	switch {
	case pass && one:
		out.Result, out.Policy = Pass, policy
		return out
	case err != nil:
		out.Result, out.Reason = TempError, "DNS did not say whether the domain exists"
		return out
	}
	out.Policy = policy
	if !pass && unsure {
		out.Result, out.Reason = TempError, "an aligned SPF or DKIM check has no result yet"
		return out
	}
	out.Result, out.Disposition, out.Reason = Fail, policy, "neither SPF nor DKIM passed for the domain"
	if !one {
		out.Reason = "there is more than one From field"
	}
	d.override(record, &out)
	return out
}

// override makes the end milder where the domain or somebody trusted says so.
func (d *decision) override(record *Record, out *DMARC) {
	if record.Testing && out.Disposition != "none" { // one step milder (RFC 9989 section 4.7, t=)
		out.Disposition = map[string]string{"reject": "quarantine", "quarantine": "none"}[out.Disposition]
		out.Override = "testing"
		out.Reason += "; the domain is testing its policy"
	}
	if out.Disposition != "none" && d.vouched(record) {
		out.Disposition, out.Override = "none", "arc"
		out.Reason += "; a trusted ARC sealer found that it passed"
	}
}

// vouched says whether a sealer that is trusted, with none after it that is not, found that
// DMARC passed for the domain; or, where it says nothing of DMARC, that DKIM or SPF did for
// one that is aligned.
func (d *decision) vouched(r *Record) bool {
	if d.r.ARC.Result != Pass {
		return false
	}
	for _, s := range slices.Backward(d.r.ARC.sets) {
		if !d.c.o.TrustedSealers(s.Sealer) {
			return false
		}
		if claims, err := Parse(s.Claims); err == nil && d.claimed(claims, r) {
			return true
		}
	}
	return false
}

func (d *decision) claimed(claims *Field, r *Record) bool {
	said := false
	for _, m := range claims.Methods {
		if m.Method != "dmarc" {
			continue
		}
		said = true
		if from := m.Props["header.from"]; m.Result == "pass" && (from == "" || aLabels(domainPart(from)) == d.w.domain) {
			return true
		}
	}
	for _, m := range claims.Methods {
		if said || m.Result != "pass" {
			continue
		}
		domain, strict := "", false
		switch m.Method {
		case "dkim":
			domain, strict = cmp.Or(m.Props["header.d"], m.Props["header.i"]), r.DKIMStrict
		case "spf":
			domain, strict = m.Props["smtp.mailfrom"], r.SPFStrict
		}
		if ok, err := d.aligned(aLabels(domainPart(domain)), strict); ok && err == nil {
			return true
		}
	}
	return false
}

func domainPart(s string) string { return s[strings.LastIndexByte(s, '@')+1:] }

// policyFor is what the record asks for this domain: p= for its own, sp= for those below,
// np= for those that do not exist.
func (d *decision) policyFor(r *Record, at string) (string, error) {
	if at == d.w.domain {
		return r.Policy, nil
	}
	policy := r.Policy
	if r.Subdomains != "" {
		policy = r.Subdomains
	}
	if r.Missing == "" || r.Missing == policy {
		return policy, nil
	}
	_, _, err := d.c.dns.IPs(d.ctx, d.w.domain)
	switch {
	case errors.Is(err, dns.ErrName):
		return r.Missing, nil
	case err == nil || errors.Is(err, dns.ErrNone):
		return policy, nil
	}
	return "", err
}

// identifiers looks for a check that passed for an aligned domain. It is unsure when one
// that could have has no result.
func (d *decision) identifiers(r *Record) (pass, unsure bool) {
	for i := range d.r.DKIM {
		s := &d.r.DKIM[i]
		if s.Result != Pass && s.Result != TempError {
			s.Aligned = s.Aligned || s.Domain == d.w.domain
			continue
		}
		aligned, err := d.aligned(s.Domain, r.DKIMStrict)
		s.Aligned = s.Aligned || aligned
		pass = pass || aligned && s.Result == Pass
		unsure = unsure || err != nil || aligned && s.Result == TempError
	}
	if s := &d.r.SPF; s.Result == Pass || s.Result == TempError {
		aligned, err := d.aligned(s.Domain, r.SPFStrict)
		pass = pass || aligned && s.Result == Pass
		unsure = unsure || err != nil || aligned && s.Result == TempError
	}
	return pass, unsure && !pass
}

// aligned compares an authenticated domain with that of From (RFC 9989 section 4.10): the
// same, or with the same organizational domain.
func (d *decision) aligned(domain string, strict bool) (bool, error) {
	if domain == d.w.domain {
		return true, nil
	}
	if strict || !lookable(domain) {
		return false, nil
	}
	if d.w.err != nil {
		return false, d.w.err
	}
	org := d.w.org()
	if !below(domain, org) {
		return false, nil
	}
	w := d.walks[domain]
	if w == nil {
		w = d.c.treeWalk(d.ctx, domain)
		d.walks[domain] = w
	}
	return w.err == nil && w.org() == org, w.err
}
