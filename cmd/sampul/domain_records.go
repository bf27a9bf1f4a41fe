package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"sampul/internal/config"
	"sampul/internal/dns"
	"sampul/mta/sts"
	"sampul/store"
)

// A dnsRecordLine is one record to publish: names absolute without the last dot, values as
// in master files, texts as they are.
type dnsRecordLine struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	TTL    int    `json:"ttl"`
	Value  string `json:"value"`
	Status string `json:"status"` // "-" when nobody looked; ok, missing, differs, unknown
}

const recordTTL = 3600

// domainDNS gives every record that a domain needs, and compares them with what is there.
func domainDNS(ctx context.Context, st store.Store, a dnsArgs, emit func(any) error) error {
	cfg, err := machine(ctx)
	if err != nil {
		return err
	}
	records, err := recordsOf(ctx, st, cfg, a)
	if err != nil {
		return err
	}
	var r *dns.Resolver
	if a.Check {
		// Made for this call: what was asked before may have changed, which is why one looks.
		r = dns.New(cmp.Or(a.Resolver, resolverAddress(cfg.Resolver)))
	}
	for _, rec := range records {
		if a.Check {
			rec.Status = compare(ctx, r, rec)
		}
		if err := emit(rec); err != nil {
			return err
		}
	}
	return nil
}

func recordsOf(ctx context.Context, st store.Store, cfg *config.Config, a dnsArgs) ([]dnsRecordLine, error) {
	domain, err := findDomain(ctx, st, a.Domain)
	if err != nil {
		return nil, err
	}
	keys, err := st.DKIMKeys(ctx, store.System, domain.Name)
	if err != nil {
		return nil, err
	}
	var out []dnsRecordLine
	add := func(name, typ, value string) {
		out = append(out, dnsRecordLine{name, typ, recordTTL, value, "-"})
	}
	d, host := domain.Name, dns.Name(cfg.Hostname)
	add(d, "MX", "10 "+host+".")
	spf, err := spfRecord(ctx, st, domain)
	if err != nil {
		return nil, err
	}
	add(d, "TXT", spf)
	for _, k := range keys {
		add(k.Selector+"._domainkey."+d, "TXT", k.Record)
	}
	reports := cmp.Or(a.Reports, cfg.Postmaster, "postmaster@"+d)
	add("_dmarc."+d, "TXT", "v=DMARC1; p="+cmp.Or(a.DMARC, "reject")+"; rua=mailto:"+reports)
	if _, at, ok := strings.Cut(reports, "@"); ok && dns.Name(at) != d {
		// Otherwise anybody could have reports sent to anybody (RFC 7489 section 7.1).
		add(d+"._report._dmarc."+dns.Name(at), "TXT", "v=DMARC1")
	}
	if mode := stsMode(cfg); mode != "none" {
		add("_mta-sts."+d, "TXT", sts.Record(sts.Ours([]string{cfg.Hostname}, mode)))
		add("mta-sts."+d, "CNAME", host+".")
	}
	add("_smtp._tls."+d, "TXT", "v=TLSRPTv1; rua=mailto:"+reports)
	tlsa, err := tlsaRecord(cfg)
	if err != nil {
		return nil, err
	}
	if tlsa != "" {
		add("_25._tcp."+host, "TLSA", tlsa)
	}
	for _, s := range clientServices(cfg, host) {
		add(s.name+"._tcp."+d, "SRV", s.value)
	}
	return out, nil
}

func findDomain(ctx context.Context, st store.Store, name string) (*store.Domain, error) {
	all, err := st.Domains(ctx, store.System)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == dns.Name(name) {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
}

// spfRecord names the exchanger, which is this server, and the agency's own address where
// its mail goes out from one.
func spfRecord(ctx context.Context, st store.Store, d *store.Domain) (string, error) {
	agencies, err := st.Agencies(ctx, store.System)
	if err != nil {
		return "", err
	}
	spf := "v=spf1 mx"
	for _, a := range agencies {
		if ip, err := netip.ParseAddr(a.Source); err == nil && a.Name == d.Agency {
			if ip.Unmap().Is4() {
				spf += " ip4:" + ip.Unmap().String()
			} else {
				spf += " ip6:" + ip.String()
			}
		}
	}
	return spf + " -all", nil
}

// stsMode is the mode of the MTA-STS policies that we serve.
func stsMode(cfg *config.Config) string { return cmp.Or(cfg.Outbound.MTASTS, "testing") }

// tlsaRecord is DANE's for the certificate of the exchanger (RFC 7672 section 3.1.1: 3 1 1),
// "" where there is none. It stays right when the certificate is renewed with its key.
func tlsaRecord(cfg *config.Config) (string, error) {
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		if l.Kind != "mx" {
			continue
		}
		file := l.Cert(cfg.TLS).Cert
		if file == "" {
			return "", nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("certificate of the MX listener: %w", err)
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return "", fmt.Errorf("%s: no certificate in PEM", file)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		return "3 1 1 " + hex.EncodeToString(sum[:]), nil
	}
	return "", nil
}

type service struct{ name, value string }

// clientServices are what mail programs look for (RFC 6186, RFC 8314 section 5.1), with
// the ports of this server; what it does not have is said to be absent.
func clientServices(cfg *config.Config, host string) []service {
	var out []service
	for _, s := range []struct{ name, kind string }{
		{"_imaps", "imaps"}, {"_submissions", "submissions"}, {"_imap", "imap"}, {"_submission", "submission"},
	} {
		value := "0 0 0 ."
		i := slices.IndexFunc(cfg.Listeners, func(l config.Listener) bool { return l.Kind == s.kind })
		if i >= 0 {
			if _, port, err := net.SplitHostPort(cfg.Listeners[i].Address); err == nil {
				priority := "0"
				if s.kind == "imap" || s.kind == "submission" {
					priority = "10" // TLS from the first octet is better (RFC 8314 section 3)
				}
				value = priority + " 1 " + port + " " + host + "."
			}
		}
		out = append(out, service{s.name, value})
	}
	return out
}

// answerOf says what a look-up came to when it gave nothing to compare.
func answerOf(err error) string {
	if errors.Is(err, dns.ErrNone) {
		return "missing"
	}
	return "unknown"
}
