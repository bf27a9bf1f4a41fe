package main

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReportRead(t *testing.T) {
	dir := t.TempDir()
	dmarc := filepath.Join(dir, "agregat.xml.gz")
	f, err := os.Create(dmarc)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	z.Write([]byte(`<feedback><report_metadata><org_name>Pelapor</org_name><report_id>r-1</report_id><date_range><begin>1795392000</begin><end>1795478399</end></date_range></report_metadata>
<policy_published><domain>agensi-a.test</domain><p>reject</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>12</count><policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row></record></feedback>`))
	z.Close()
	f.Close()
	tls := filepath.Join(dir, "tls.eml")
	os.WriteFile(tls, []byte("From: a@b.test\r\nContent-Type: application/tlsrpt+json\r\n\r\n"+
		`{"organization-name":"Pelapor","report-id":"t-1","policies":[{"policy":{"policy-type":"sts","policy-domain":"agensi-a.test"},"summary":{"total-successful-session-count":5}}]}`), 0o600)
	junk := filepath.Join(dir, "surat.eml")
	os.WriteFile(junk, []byte("From: a@b.test\r\n\r\nHai\r\n"), 0o600)

	got := asLines[reportLine](t, 0, "report", "read", dmarc, tls)
	if len(got) != 2 || got[0].Counts["fail"] != 12 || got[0].Domain != "agensi-a.test" || got[0].File != dmarc || got[1].Counts["success"] != 5 {
		t.Errorf("%+v", got)
	}
	out := run(t, 0, "report", "read", dmarc)
	for _, want := range []string{"dmarc r-1", "2026-11-23T", "192.0.2.1", "fail 12, reject 12", "p=reject"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := run(t, 1, "report", "read", junk, tls); !strings.Contains(out, "no DMARC or TLS report") || !strings.Contains(out, "tls t-1") {
		t.Errorf("a file without a report, and one with: %s", out)
	}
	run(t, 2, "report", "read")
}
