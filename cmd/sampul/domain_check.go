package main

import (
	"context"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"sampul/internal/dns"
	"sampul/mta/signing"
)

// compare says what DNS has for a record: ok, missing, differs, or unknown when it did not
// answer.
func compare(ctx context.Context, r *dns.Resolver, rec dnsRecordLine) string {
	if rec.Type == "TXT" {
		return compareText(ctx, r, rec)
	}
	rrs, _, err := r.Records(ctx, rec.Name, mdns.StringToType[rec.Type])
	if err != nil {
		if rec.Type == "CNAME" {
			return compareHost(ctx, r, rec, err)
		}
		return answerOf(err)
	}
	for _, rr := range rrs {
		if plainValue(strings.TrimPrefix(rr.String(), rr.Header().String())) == plainValue(rec.Value) {
			// A second exchanger, or key, or server beside ours may be meant.
			return "ok"
		}
	}
	return "differs"
}

// compareHost lets a host have addresses of its own where we propose a CNAME: what counts
// is where it leads.
func compareHost(ctx context.Context, r *dns.Resolver, rec dnsRecordLine, err error) string {
	have, _, err2 := r.IPs(ctx, rec.Name)
	if err2 != nil {
		return answerOf(err2)
	}
	want, _, err2 := r.IPs(ctx, rec.Value)
	if err2 != nil {
		return "unknown"
	}
	for _, ip := range have {
		if !slices.Contains(want, ip) {
			return "differs"
		}
	}
	return "ok"
}

// compareText looks among the texts of a name for those with the same purpose.
func compareText(ctx context.Context, r *dns.Resolver, rec dnsRecordLine) string {
	txts, _, err := r.TXT(ctx, rec.Name)
	if err != nil {
		return answerOf(err)
	}
	if strings.Contains(rec.Name, "._domainkey.") {
		for _, txt := range txts {
			if signing.SameKey(txt, rec.Value) && len(txts) == 1 {
				return "ok"
			}
		}
		return "differs"
	}
	purpose := purposeOf(rec.Value)
	var same []string
	for _, txt := range txts {
		if purposeOf(txt) == purpose {
			same = append(same, txt)
		}
	}
	switch {
	case len(same) == 0:
		return "missing"
	case len(same) == 1 && plainText(same[0]) == plainText(rec.Value): // two are an error for all of these
		return "ok"
	}
	return "differs"
}

// purposeOf is the version that a text begins with: v=spf1, v=DMARC1.
func purposeOf(txt string) string {
	end := strings.IndexAny(txt, " ;")
	if end < 0 {
		end = len(txt)
	}
	return strings.ToLower(txt[:end])
}

// plainText makes texts comparable: blanks around semicolons mean nothing.
func plainText(txt string) string {
	var out []string
	for part := range strings.SplitSeq(txt, ";") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, ";")
}

func plainValue(v string) string { return strings.ToLower(strings.Join(strings.Fields(v), " ")) }
