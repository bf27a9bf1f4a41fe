package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sampul/internal/dnstest"
	"sampul/store"
)

// asLines runs a command with --json and reads what it prints.
func asLines[T any](t *testing.T, exit int, args ...string) []T {
	t.Helper()
	var out []T
	for d := json.NewDecoder(strings.NewReader(run(t, exit, append(args, "--json")...))); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func states(keys []store.DKIMKey) string {
	var out []string
	for _, k := range keys {
		if k.Private != nil {
			out = append(out, "a private key was shown")
		}
		out = append(out, k.Selector+" "+k.State)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestDKIMCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	with := func(args ...string) []string { return append(args, "--dir", dir) }
	run(t, 0, with("agency", "add", "agensi-a")...)
	run(t, 0, with("domain", "add", "agensi-a.test", "--agency", "agensi-a")...)
	run(t, 3, with("dkim", "add", "tiada.test")...)
	run(t, 3, with("dkim", "rotate", "agensi-a.test")...)
	run(t, 0, with("dkim", "add", "agensi-a.test", "--selector", "satu")...)
	run(t, 4, with("dkim", "add", "agensi-a.test", "--selector", "satu")...)
	run(t, 2, with("dkim", "add", "agensi-a.test", "--selector", "s a t u")...)
	if out := run(t, 0, with("dkim", "rotate", "agensi-a.test")...); !strings.Contains(out, "published") {
		t.Errorf("rotate: %s", out)
	}
	run(t, 4, with("dkim", "rotate", "agensi-a.test")...)
	all := asLines[store.DKIMKey](t, 0, with("dkim", "list", "agensi-a.test")...)
	if len(all) != 4 || !strings.Contains(states(all), "satue active, satur active") || strings.Count(states(all), "published") != 2 {
		t.Errorf("list: %s", states(all))
	}
	after := states(asLines[store.DKIMKey](t, 0, with("dkim", "use", "agensi-a.test")...))
	if !strings.Contains(after, "satue retired, satur retired") || strings.Count(after, "active") != 2 {
		t.Errorf("use: %s", after)
	}
	run(t, 3, with("dkim", "use", "agensi-a.test")...)
	run(t, 3, with("dkim", "retire", "agensi-a.test", "tiada")...)
	run(t, 0, with("dkim", "retire", "agensi-a.test", "satur")...)
	run(t, 4, with("dkim", "retire", "agensi-a.test")...) // nothing is there to sign in place of it
	run(t, 0, with("dkim", "rotate", "agensi-a.test")...)
	after = states(asLines[store.DKIMKey](t, 0, with("dkim", "retire", "agensi-a.test")...))
	if strings.Count(after, "active") != 2 || strings.Count(after, "retired") != 4 {
		t.Errorf("retire without a selector: %s", after)
	}
	run(t, 2, with("dkim", "retire")...)
	if out := run(t, 0, with("dkim", "list")...); strings.Count(out, "agensi-a.test") != 6 {
		t.Errorf("list of all: %s", out)
	}
}

// What `domain dns` prints is what has to stand in DNS: with it there, all is ok; each
// fault is named.
func TestDomainDNS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	with := func(args ...string) []string { return append(args, "--dir", dir) }
	run(t, 0, with("agency", "add", "agensi-a")...)
	run(t, 0, with("domain", "add", "agensi-a.test", "--agency", "agensi-a")...)
	run(t, 0, with("dkim", "add", "agensi-a.test")...)
	run(t, 0, with("dkim", "rotate", "agensi-a.test")...)
	run(t, 3, with("domain", "dns", "tiada.test")...)
	run(t, 2, with("domain", "dns", "agensi-a.test", "--dmarc", "mungkin")...)
	records := asLines[dnsRecordLine](t, 0, with("domain", "dns", "agensi-a.test")...)
	kinds := map[string]int{}
	for _, r := range records {
		kinds[r.Type]++
		if r.TTL <= 0 || r.Value == "" || r.Status != "-" {
			t.Errorf("%+v", r)
		}
	}
	// SPF, DMARC, MTA-STS, TLSRPT and four keys; no TLSA without a certificate.
	if kinds["MX"] != 1 || kinds["TXT"] != 8 || kinds["SRV"] != 4 || kinds["CNAME"] != 1 {
		t.Errorf("%v", kinds)
	}
	zone := dnstest.New(t, run(t, 0, with("domain", "dns", "agensi-a.test")...)+"mail.agensi-a.test. IN A 192.0.2.1\n")
	check := func(exit int, args ...string) map[string]string {
		t.Helper()
		out := map[string]string{}
		for _, r := range asLines[dnsRecordLine](t, exit, with(append([]string{"domain", "dns", "agensi-a.test", "--resolver", zone.Addr}, args...)...)...) {
			out[r.Name+" "+r.Type+" "+purposeOf(r.Value)] = r.Status
		}
		return out
	}
	for name, status := range check(0) {
		if status != "ok" {
			t.Errorf("published, but %s: %s", name, status)
		}
	}
	for _, tt := range []struct{ name, record, want, key string }{
		{"agensi-a.test", "agensi-a.test. IN MX 10 lain.test.", "differs", "agensi-a.test MX 10"},
		{"agensi-a.test", `agensi-a.test. IN TXT "v=spf1 +all"`, "differs", "agensi-a.test TXT v=spf1"},
		{"agensi-a.test", `agensi-a.test. IN TXT "google-site=1"`, "missing", "agensi-a.test TXT v=spf1"},
		{"_dmarc.agensi-a.test", `_dmarc.agensi-a.test. IN TXT "v=DMARC1; p=none"`, "differs", "_dmarc.agensi-a.test TXT v=dmarc1"},
		{"_smtp._tls.agensi-a.test", "", "missing", "_smtp._tls.agensi-a.test TXT v=tlsrptv1"},
		{records[2].Name, records[2].Name + `. IN TXT "v=DKIM1; p="`, "differs", records[2].Name + " TXT v=dkim1"},
		{"mta-sts.agensi-a.test", "mta-sts.agensi-a.test. IN A 192.0.2.1", "ok", "mta-sts.agensi-a.test CNAME mail.agensi-a.test."},
		{"mta-sts.agensi-a.test", "mta-sts.agensi-a.test. IN A 192.0.2.7", "differs", "mta-sts.agensi-a.test CNAME mail.agensi-a.test."},
		{"_imaps._tcp.agensi-a.test", "_imaps._tcp.agensi-a.test. IN SRV 0 1 993 lain.test.", "differs", "_imaps._tcp.agensi-a.test SRV 0"},
	} {
		zone.Set(run(t, 0, with("domain", "dns", "agensi-a.test")...) + "mail.agensi-a.test. IN A 192.0.2.1\n")
		zone.Remove(tt.name)
		if tt.record != "" {
			zone.Add(tt.record)
		}
		exit := 1
		if tt.want == "ok" {
			exit = 0
		}
		if got := check(exit)[tt.key]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.record, got, tt.want)
		}
	}
	zone.Fail("*")
	for name, status := range check(1) {
		if status != "unknown" {
			t.Errorf("DNS does not answer, but %s: %s", name, status)
		}
	}
	if other := check(1, "--reports", "laporan@pusat.test", "--dmarc", "none"); other["agensi-a.test._report._dmarc.pusat.test TXT v=dmarc1"] == "" {
		t.Errorf("reports to another domain need its consent: %v", other)
	}
}

// Beside a running server the names and the certificate are the server's own.
func TestDomainDNSOfARunningServer(t *testing.T) {
	zone := dnstest.New(t, "")
	r := startDemo(t, "--resolver", zone.Addr)
	records := asLines[dnsRecordLine](t, 0, "domain", "dns", "agensi-a.test", "--dir", r.DataDir)
	i := slices.IndexFunc(records, func(l dnsRecordLine) bool { return l.Type == "TLSA" })
	if i < 0 || records[i].Name != "_25._tcp.mail.agensi-a.test" || len(records[i].Value) != len("3 1 1 ")+64 {
		t.Errorf("TLSA: %+v", records)
	}
	i = slices.IndexFunc(records, func(l dnsRecordLine) bool { return l.Name == "_imaps._tcp.agensi-a.test" })
	if i < 0 || records[i].Value != fmt.Sprintf("0 1 %d mail.agensi-a.test.", r.base+993) {
		t.Errorf("SRV: %+v", records[i])
	}
	for _, l := range asLines[dnsRecordLine](t, 1, "domain", "dns", "agensi-a.test", "--check", "--dir", r.DataDir) {
		if l.Status != "missing" {
			t.Errorf("%+v", l)
		}
	}
}
