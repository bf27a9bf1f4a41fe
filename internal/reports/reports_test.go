package reports

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

const aggregate = `<?xml version="1.0" encoding="UTF-8" ?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <org_name>Pelapor   Besar</org_name><email>dmarc@pelapor.test</email><report_id>r-1</report_id>
    <date_range><begin>1795392000</begin><end>1795478399</end></date_range>
  </report_metadata>
  <policy_published><domain>Agensi-A.test</domain><adkim>r</adkim><aspf>s</aspf><p>reject</p><sp>none</sp><pct>100</pct></policy_published>
  <record>
    <row><source_ip>192.0.2.1</source_ip><count>12</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>agensi-a.test</header_from><envelope_from>lantun.test</envelope_from></identifiers>
    <auth_results><dkim><domain>agensi-a.test</domain><selector>202611r</selector><result>pass</result></dkim>
      <spf><domain>lantun.test</domain><result>pass</result></spf></auth_results>
  </record>
  <record>
    <row><source_ip>2001:db8::9</source_ip><count> 3 </count>
      <policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>local_policy</type><comment>arc=pass</comment></reason></policy_evaluated></row>
    <identifiers><header_from>agensi-a.test</header_from></identifiers>
    <auth_results><spf><domain>jahat.test</domain><result>softfail</result></spf></auth_results>
  </record>
</feedback>
`

const tlsReport = `{"organization-name":"Pelapor","date-range":{"start-datetime":"2026-11-23T00:00:00Z","end-datetime":"2026-11-23T23:59:59Z"},
"contact-info":"tls@pelapor.test","report-id":"t-1","policies":[
{"policy":{"policy-type":"sts","policy-string":["version: STSv1"],"policy-domain":"agensi-a.test","mx-host":["mail.agensi-a.test"]},
 "summary":{"total-successful-session-count":5326,"total-failure-session-count":303},
 "failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"2001:db8::1","receiving-mx-hostname":"mail.agensi-a.test","failed-session-count":100},
  {"result-type":"starttls-not-supported","sending-mta-ip":"2001:db8::2","receiving-ip":"203.0.113.56","failed-session-count":"203","additional-information":"lihat"}]},
{"policy":{"policy-type":"tlsa","policy-domain":"agensi-a.test"},"summary":{"total-successful-session-count":1,"total-failure-session-count":0},"failure-details":null}]}`

func gz(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.Bytes()
}

func zipped_(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mailed(typ string, b []byte) []byte {
	return []byte("From: dmarc@pelapor.test\r\nSubject: Report Domain: agensi-a.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: text/plain\r\n\r\n<p>Ini laporan.\r\n--x\r\nContent-Type: text/html\r\n\r\n<html><p>Ini laporan.\r\n--x\r\nContent-Type: image/svg+xml\r\n\r\n<svg/>\r\n" +
		"--x\r\nContent-Type: " + typ + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b) + "\r\n--x--\r\n")
}

func TestRead(t *testing.T) {
	latin := strings.Replace(strings.Replace(aggregate, "UTF-8", "ISO-8859-1", 1), "Besar", "Besar \xe9", 1)
	for _, tt := range []struct {
		name  string
		in    []byte
		kinds string
	}{
		{"bare XML", []byte(aggregate), "dmarc"},
		{"with a mark before it", []byte("\ufeff" + aggregate), "dmarc"},
		{"gzip", gz(aggregate), "dmarc"},
		{"zip", zipped_(t, map[string]string{"a!b!1!2.xml": aggregate}), "dmarc"},
		{"two in a zip", zipped_(t, map[string]string{"a.xml": aggregate, "b.xml": aggregate}), "dmarc dmarc"},
		{"mail with gzip", mailed("application/gzip", gz(aggregate)), "dmarc"},
		{"mail with zip", mailed("application/zip", zipped_(t, map[string]string{"a.xml": aggregate})), "dmarc"},
		{"mail with XML", mailed("text/xml", []byte(aggregate)), "dmarc"},
		{"octets without a name", mailed("application/octet-stream", gz(aggregate)), "dmarc"},
		{"mail that is the report", append([]byte("From: a@b.test\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"), base64.StdEncoding.EncodeToString(gz(aggregate))...), "dmarc"},
		{"another charset", []byte(latin), "dmarc"},
		{"bare JSON", []byte(tlsReport), "tls"},
		{"gzipped JSON", gz(tlsReport), "tls"},
		{"mail with gzipped JSON", mailed("application/tlsrpt+gzip", gz(tlsReport)), "tls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, r := range got {
				kinds = append(kinds, r.Kind)
				if r.Domain != "agensi-a.test" || r.Begin.IsZero() || !r.End.After(r.Begin) || len(r.Rows) != 2 {
					t.Errorf("%+v", r)
				}
			}
			if strings.Join(kinds, " ") != tt.kinds {
				t.Errorf("got %v, want %s", kinds, tt.kinds)
			}
		})
	}
}

func TestDMARC(t *testing.T) {
	got, err := Read([]byte(aggregate))
	if err != nil {
		t.Fatal(err)
	}
	r := got[0]
	if r.Org != "Pelapor Besar" || r.ID != "r-1" || r.Policy != "p=reject sp=none adkim=r aspf=s" || !r.Begin.Equal(time.Unix(1795392000, 0)) {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(r.Counts) != "map[fail:3 none:12 pass:12 reject:3]" {
		t.Errorf("counts: %v", r.Counts)
	}
	if row := r.Rows[0]; row.Source != "192.0.2.1" || row.From != "lantun.test" || strings.Join(row.Checks, ", ") != "dkim=pass agensi-a.test 202611r, spf=pass lantun.test" {
		t.Errorf("%+v", row)
	}
	if row := r.Rows[1]; row.Count != 3 || strings.Join(row.Reasons, ",") != "local_policy arc=pass" || row.Disposition != "reject" {
		t.Errorf("%+v", row)
	}
}

func TestTLS(t *testing.T) {
	got, err := Read([]byte(tlsReport))
	if err != nil {
		t.Fatal(err)
	}
	r := got[0]
	if fmt.Sprint(r.Counts) != "map[certificate-expired:100 failure:303 starttls-not-supported:203 success:5327]" || r.Policy != "sts tlsa" {
		t.Errorf("%+v", r)
	}
	if row := r.Rows[1]; row.Count != 203 || row.Type != "sts" || row.Receiver != "203.0.113.56" || row.Info != "lihat" {
		t.Errorf("%+v", row)
	}
}

func TestRefused(t *testing.T) {
	many := map[string]string{}
	for i := range MaxFiles + 1 {
		many[fmt.Sprint(i)] = aggregate
	}
	bomb := "<feedback>" + strings.Repeat(" ", MaxExpanded) + "</feedback>"
	for _, tt := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, ErrNone},
		{"a letter", []byte("From: a@b.test\r\n\r\nHai"), ErrNone},
		{"another XML", []byte("<svg/>"), ErrNone},
		{"another JSON", []byte("{}"), ErrNone},
		{"expands beyond the limit", gz(bomb), ErrLimit},
		{"expands beyond its ratio", gz("<feedback>" + strings.Repeat(" ", 5<<20) + "</feedback>"), ErrLimit},
		{"the same in a zip", zipped_(t, map[string]string{"a": bomb}), ErrLimit},
		{"the same in a mail", mailed("application/gzip", gz(bomb)), ErrLimit},
		{"many files", zipped_(t, many), ErrLimit},
		{"an archive in an archive", gz(string(gz(aggregate))), ErrNone},
		{"too long", make([]byte, MaxFile+1), ErrLimit},
		{"cut gzip", gz(aggregate)[:200], ErrBroken},
		{"cut zip", zipped_(t, map[string]string{"a": aggregate})[:200], ErrBroken},
		{"cut XML", []byte(aggregate[:len(aggregate)-30]), ErrBroken},
		{"cut JSON", []byte(tlsReport[:200]), ErrBroken},
		{"XML without metadata", []byte("<feedback><record/></feedback>"), ErrBroken},
		{"JSON with a wrong list", []byte(`{"policies":{"a":1}}`), ErrBroken},
		{"deep XML", []byte("<feedback><report_metadata>" + strings.Repeat("<a>", 100000)), ErrBroken},
		{"deep JSON", []byte(`{"policies":` + strings.Repeat("[", 100000)), ErrBroken},
		{"entities", []byte(`<!DOCTYPE x [<!ENTITY a "aaaa">]><feedback>&a;</feedback>`), ErrBroken},
	} {
		if got, err := Read(tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %d reports, %v, want %v", tt.name, len(got), err, tt.want)
		}
	}
}

// Lists without end are counted and not kept.
func TestManyRowsTakeLittleMemory(t *testing.T) {
	head, rest, _ := strings.Cut(aggregate, "<record>")
	record := "<record>" + rest[:strings.Index(rest, "</record>")] + "</record>"
	const more = 500
	got, err := Read([]byte(head + strings.Repeat(record, MaxRows+more) + "</feedback>"))
	if err != nil || len(got[0].Rows) != MaxRows || got[0].More != more || got[0].Counts["pass"] != 12*(MaxRows+more) {
		t.Fatalf("%v: %d rows, %d more, %v", err, len(got[0].Rows), got[0].More, got[0].Counts)
	}
	for name, in := range map[string]string{
		"signatures": head + "<record><auth_results>" + strings.Repeat("<dkim/>", 1<<20) + "</auth_results></record></feedback>",
		"details":    `{"policies":[{"failure-details":[` + strings.Repeat("{},", 2<<20) + "{}]}]}",
		"policies":   `{"policies":[` + strings.Repeat("{},", 2<<20) + "{}]}",
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		got, err := Read([]byte(in))
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 32<<20 {
			t.Errorf("%s: %d octets kept of %d read", name, kept, len(in))
		}
		runtime.KeepAlive(got)
	}
}

// What a stranger wrote is shown on one line and cannot steer a terminal.
func TestTextIsPlain(t *testing.T) {
	in := strings.Replace(aggregate, "Pelapor   Besar", "A&#10;B &#x9b;31m \u202e"+strings.Repeat("x", 2000), 1)
	got, err := Read([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if org := got[0].Org; strings.ContainsAny(org, "\n\u009b\u202e") || len(org) > maxText || !strings.HasPrefix(org, "A B 31m xxx") {
		t.Errorf("%q", org)
	}
	if n := number("99999999999999999999"); n != 0 {
		t.Errorf("number: %d", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(aggregate))
	f.Add([]byte(tlsReport))
	f.Add(gz(aggregate))
	f.Add(zipped_(f, map[string]string{"a.xml": aggregate}))
	f.Add(mailed("application/gzip", gz(tlsReport)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(b)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%d reports, %v", len(got), err)
		}
		for _, r := range got {
			if len(r.Rows) > MaxRows || r.Kind != DMARC && r.Kind != TLS || strings.ContainsAny(r.Org+r.ID+r.Domain, "\r\n\x1b") {
				t.Fatalf("%+v", r)
			}
			for _, n := range r.Counts {
				if n < 0 {
					t.Fatalf("%v", r.Counts)
				}
			}
		}
	})
}
