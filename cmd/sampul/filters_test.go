package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sampul/internal/peers"
)

func filterFile(t *testing.T, sections ...string) string {
	t.Helper()
	return pathOf(t, "filters.toml", strings.Join(sections, "\n"))
}

func filterSection(name, kind, address, scope, onError string) string {
	return fmt.Sprintf("[[filter]]\nname = %q\ntype = %q\naddress = %q\nscope = [%s]\ntimeout = \"20s\"\non_error = %q\n", name, kind, address, scope, onError)
}

// metric says whether /metrics has a line that begins so.
func (r *running) metric(prefix string) bool {
	r.t.Helper()
	res, err := http.Get("http://" + r.HTTP + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Contains(string(b), "\n"+prefix)
}

// EICAR in a zip in a mail is refused, in and out; with clamd stopped the fail policy
// holds, and the log and the metrics say so.
func TestVirusIsRefusedInAndOut(t *testing.T) {
	clamd := peers.Clamd(t, 0)
	r := startDemo(t, "--filters", filterFile(t,
		filterSection("virus", "clamd", clamd.Unix, `"in", "out", "relay"`, "tempfail")))
	bad := withAttachment("Bahan", "bahan.zip", zipOf(t, map[string]string{"a/b.txt": peers.EICAR()}))
	good := withAttachment("Bahan", "bahan.zip", zipOf(t, map[string]string{"a/b.txt": "Senarai hadir."}))
	to := []string{"pegawai1@agensi-a.test"}
	own := strings.NewReplacer("Orang Luar <orang@luar.test>", "pegawai2@agensi-a.test").Replace
	if err := r.offer("orang@luar.test", to, good); err != nil {
		t.Error(err)
	}
	if err := r.offer("orang@luar.test", to, bad); err == nil || !strings.HasPrefix(detail(err), "554 5.7.1") {
		t.Errorf("in: %s", detail(err))
	}
	if err := r.submit("pegawai2@agensi-a.test", to, own(good)); err != nil {
		t.Error(err)
	}
	if err := r.submit("pegawai2@agensi-a.test", to, own(bad)); err == nil || !strings.HasPrefix(detail(err), "554 5.7.1") {
		t.Errorf("out: %s", detail(err))
	}
	clamd.Stop()
	if err := r.offer("orang@luar.test", to, good); err == nil || !strings.HasPrefix(detail(err), "451 4.7.1") {
		t.Errorf("clamd stopped, tempfail: %s", detail(err))
	}
	if !r.metric(`sampul_filter_results_total{filter="virus",result="error"} 1`) {
		t.Error("the metrics do not say so")
	}
	eventually(t, "two messages", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 2 })
	r.terminate()
	if !strings.Contains(r.log.String(), "virus") || !strings.Contains(r.log.String(), "level=WARN") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}

	r = startDemo(t, "--filters", filterFile(t, filterSection("virus", "clamd", clamd.Unix, `"in"`, "accept")))
	if err := r.offer("orang@luar.test", to, good); err != nil {
		t.Errorf("clamd stopped, accept: %v", err)
	}
	if !r.metric(`sampul_filter_results_total{filter="virus",result="error-accepted"} 1`) {
		t.Error("the metrics do not say so")
	}
}

// Spam is refused, or goes to Junk.
func TestSpam(t *testing.T) {
	spam := peers.Rspamd(t)
	r := startDemo(t, "--filters", filterFile(t, filterSection("spam", "rspamd", spam.Address, `"in"`, "tempfail")))
	to := []string{"pegawai1@agensi-a.test"}
	if err := r.offer("orang@luar.test", to, letter("Hebat", peers.GTUBE(peers.GTUBEReject)+"\r\n")); err == nil || !strings.HasPrefix(detail(err), "550 5.7.1") {
		t.Errorf("GTUBE: %s", detail(err))
	}
	if err := r.offer("orang@luar.test", to, letter("Hebat", peers.GTUBE(peers.GTUBEJunk)+"\r\n")); err != nil {
		t.Error(err)
	}
	eventually(t, "the message in Junk", func() bool { return len(r.messages("pegawai1@agensi-a.test", "Junk")) == 1 })
	if n := len(r.inbox("pegawai1@agensi-a.test")); n != 0 {
		t.Errorf("%d in INBOX", n)
	}
}

// A milter's header field and its quarantine arrive.
func TestMilters(t *testing.T) {
	dkim := peers.OpenDKIM(t, "agensi-a.test", "opendkim.agensi-a.test")
	virus := peers.ClamavMilter(t, peers.Clamd(t, 0), "Quarantine")
	r := startDemo(t, "--filters", filterFile(t,
		filterSection("dkim", "milter", dkim.Address, `"in", "out"`, "tempfail"),
		filterSection("karantin", "milter", virus.Address, `"in"`, "tempfail")))
	to := []string{"pegawai1@agensi-a.test"}
	if err := r.offer("orang@luar.test", to, letter("Biasa", "Isi.\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 1 })
	if m := r.inbox("pegawai1@agensi-a.test")[0]; !strings.Contains(m, "opendkim.agensi-a.test;") || !strings.Contains(m, "X-Virus-Scanned:") {
		t.Errorf("no field of a milter:\n%s", m)
	}
	bad := withAttachment("Bahan", "bahan.zip", zipOf(t, map[string]string{"a.txt": peers.EICAR()}))
	if err := r.offer("orang@luar.test", to, bad); err != nil {
		t.Fatal(err)
	}
	type quarantined struct{ ID, From, Filter string }
	held := lines[quarantined](r, "quarantine", "list")
	if len(held) != 1 || held[0].Filter != "karantin" || held[0].From != "orang@luar.test" {
		t.Fatalf("quarantine: %+v", held)
	}
	if n := len(r.inbox("pegawai1@agensi-a.test")); n != 1 {
		t.Errorf("%d messages in INBOX", n)
	}
	r.do("quarantine", "release", held[0].ID)
	eventually(t, "the message that was released", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 2 })
}
