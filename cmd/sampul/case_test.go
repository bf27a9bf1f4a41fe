package main

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"sampul/store"
)

var caseNumber = regexp.MustCompile(`C-[0-9A-Z]{4}-[0-9A-Z]{3}`)

// oldPaper is an examination paper that still carries its mark.
func oldPaper(subject, question string) string {
	return "From: <pegawai1@agensi-a.test>\r\nTo: <pegawai2@agensi-a.test>\r\nSubject: " + subject +
		"\r\nMessage-ID: <kertas@ujian.test>\r\n\r\nSULIT\r\n\r\n" + question + "\r\n" + strings.Repeat("Jawab semua soalan.\r\n", 15) + "SULIT\r\n"
}

// An officer sends an old paper, is refused and told why, and once the security officer
// has let it pass it goes through: that paper, and no other.
func TestOfficerLetsACasePass(t *testing.T) {
	r := startDemo(t)
	send := func(text string) string {
		t.Helper()
		err := r.submit("pegawai1@agensi-a.test", []string{"pegawai2@agensi-a.test"}, text)
		if err == nil {
			return ""
		}
		return detail(err)
	}
	refusal := send(oldPaper("Kertas 2019", "Namakan ibu negeri."))
	number := caseNumber.FindString(refusal)
	if !strings.HasPrefix(refusal, "550 5.7.0 ") || number == "" {
		t.Fatalf("refused with %q", refusal)
	}
	for address, what := range map[string]string{"pegawai1@agensi-a.test": "E-mel anda disekat", "keselamatan@agensi-a.test": number, "ucadmin@agensi-a.test": number} {
		eventually(t, address+" hears of it", func() bool {
			all := strings.Join(r.inbox(address), "\n")
			return strings.Contains(strings.ReplaceAll(all, "=\r\n", ""), what)
		})
	}
	if open := lines[store.Case](r, "policy", "case", "list", "--state", "open"); len(open) != 1 || open[0].ID != number {
		t.Errorf("open cases: %+v", open)
	}
	if _, bad, exit := sampul(t, "", "policy", "case", "approve", number, "--dir", r.DataDir); exit != 2 || !strings.Contains(bad, "--reason") {
		t.Errorf("approved without a reason: exit %d, %s", exit, bad)
	}
	r.do("policy", "case", "approve", number, "--reason", "kertas lama, sudah terbuka")
	if again := send(oldPaper("Kertas 2019, sekali lagi", "Namakan ibu negeri.")); again != "" {
		t.Errorf("the paper that was let pass: %s", again)
	}
	eventually(t, "it arrives with the number of its case", func() bool {
		return strings.Contains(strings.Join(r.inbox("pegawai2@agensi-a.test"), "\n"), "X-Sampul-Case: "+number)
	})
	if other := send(oldPaper("Kertas 2020", "Namakan tiga sungai.")); caseNumber.FindString(other) == "" || strings.Contains(other, number) {
		t.Errorf("another paper: %s", other)
	}
	r.do("policy", "case", "deny", number, "--reason", "silap")
	if again := send(oldPaper("Kertas 2019", "Namakan ibu negeri.")); !strings.Contains(again, number) {
		t.Errorf("a case that was denied after all: %q", again)
	}
	if _, bad, exit := sampul(t, "", "policy", "case", "show", "C-2222-222", "--dir", r.DataDir); exit != 3 {
		t.Errorf("a case that is none: exit %d, %s", exit, bad)
	}
}

// Incidents are handled and handed on without the content.
func TestIncidentsAreHandled(t *testing.T) {
	r := startDemo(t)
	for _, subject := range []string{"[RAHSIA] Operasi Helang", "[RAHSIA BESAR] Operasi Helang"} {
		if err := r.submit("pegawai1@agensi-a.test", []string{"pegawai2@agensi-a.test"}, note("pegawai1@agensi-a.test", "pegawai2@agensi-a.test", subject)); err == nil {
			t.Fatalf("%s was accepted", subject)
		}
	}
	all := lines[store.Incident](r, "incident", "list")
	if len(all) != 2 || all[0].Severity != "top" || all[1].Severity != "high" || all[0].State != "open" || len(all[0].Parts) == 0 {
		t.Fatalf("%+v", all)
	}
	id := strings.ToLower(strings.ReplaceAll(all[0].ID, "-", "")) // as somebody writes it down
	r.do("incident", "assign", id, "keselamatan@agensi-a.test")
	r.do("incident", "close", id, "--false-alarm", "--reason", "latihan")
	in := lines[store.Incident](r, "incident", "show", id)
	if len(in) != 1 || in[0].State != "closed" || !in[0].FalseAlarm || in[0].Assignee != "keselamatan@agensi-a.test" || len(in[0].History) != 2 {
		t.Errorf("%+v", in)
	}
	if _, _, exit := sampul(t, "", "incident", "close", id, "--dir", r.DataDir); exit != 4 {
		t.Errorf("closed twice: exit %d", exit)
	}
	if open := lines[store.Incident](r, "incident", "list", "--state", "open", "--class", "rahsia", "--agency", "agensi-a"); len(open) != 1 || open[0].Class != "RAHSIA" {
		t.Errorf("%+v", open)
	}
	table, err := csv.NewReader(strings.NewReader(r.do("incident", "export"))).ReadAll()
	if err != nil || len(table) != 3 || table[0][0] != "id" || table[1][3] != "RAHSIA BESAR" {
		t.Errorf("csv: %v, %v", table, err)
	}
	syslog := strings.Split(strings.TrimSpace(r.do("incident", "export", "--format", "syslog")), "\n")
	if len(syslog) != 2 {
		t.Fatalf("syslog: %q", syslog)
	}
	head, body, _ := strings.Cut(syslog[0], " sampul - incident - ")
	var sent store.Incident
	if err := json.Unmarshal([]byte(body), &sent); err != nil || sent.ID != all[0].ID || !strings.HasPrefix(head, "<105>1 ") {
		t.Errorf("syslog: %s, %v", syslog[0], err)
	}
	stats := map[string]statLine{}
	for _, l := range lines[statLine](r, "incident", "stats") {
		stats[l.By+" "+l.Key] = l
	}
	if s := stats["class RAHSIA BESAR"]; s.Incidents != 1 || s.FalseAlarm != 1 || s.Open != 0 || stats["agency agensi-a"].Incidents != 2 || stats["rule E2"].Refused != 2 {
		t.Errorf("%+v", stats)
	}
	for _, form := range []string{"csv", "json", "syslog"} {
		if out := r.do("incident", "export", "--format", form); strings.Contains(out, "Helang") {
			t.Errorf("%s tells the subject: %s", form, out)
		}
	}
}
