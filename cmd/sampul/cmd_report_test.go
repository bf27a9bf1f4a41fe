package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"sampul/mta/tlsrpt"
)

// While no server runs, a report comes from what the last one kept.
func TestReportTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	st, err := (&target{dir: dir}).openStore(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	rec := tlsrpt.New(st, nil, nil)
	rec.Note(tlsrpt.Outcome{Domain: "jauh.test", Policy: tlsrpt.Policy{Type: "sts", Domain: "jauh.test"}, Result: "certificate-expired", MXHost: "mx1.jauh.test"})
	if err := rec.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Format(dayForm)
	for _, when := range [][]string{{"--now"}, {"--date", day}} {
		var r tlsrpt.Report
		out := run(t, 0, append([]string{"report", "tlsrpt", "--dir", dir, "--domain", "jauh.test", "--json"}, when...)...)
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Policies) != 1 || r.Policies[0].Summary.Failure != 1 {
			t.Errorf("%q: %s, %v", when, out, err)
		}
	}
	run(t, 0, "report", "tlsrpt", "--dir", dir, "--domain", "jauh.test")
	run(t, 2, "report", "tlsrpt", "--dir", dir)
	run(t, 2, "report", "tlsrpt", "--dir", dir, "--domain", "jauh.test", "--now", "--date", day)
	run(t, 2, "report", "tlsrpt", "--dir", dir, "--domain", "jauh.test", "--date", "24/11/2026")
}

type liveReports struct {
	liveSuite
	*tlsrpt.Recorder
}

func (r liveReports) TLSReport(domain string, day time.Time) *tlsrpt.Report {
	return r.Report(domain, day, "Agensi A", "postmaster@agensi-a.test")
}

// A running suite knows more than it has written so far.
func TestReportTLSRunning(t *testing.T) {
	rec := tlsrpt.New(nil, nil, nil)
	rec.Note(tlsrpt.Outcome{Domain: "jauh.test", Policy: tlsrpt.Policy{Type: "no-policy-found", Domain: "jauh.test"}})
	ctx := withLive(context.Background(), liveReports{Recorder: rec})
	err := reportTLS(ctx, nil, tlsReportArgs{"jauh.test", time.Now()}, func(v any) error {
		if r := v.(*tlsrpt.Report); len(r.Policies) != 1 || r.Organization != "Agensi A" {
			t.Errorf("got %+v", r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
