package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sampul/internal/peers"
	"sampul/store"
)

var importNow = time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC)

func TestReadSuppressions(t *testing.T) {
	like := store.Suppression{Reason: "minta berhenti"}
	for _, c := range []struct{ name, csv, want, bad string }{
		{"addresses", "a@luar.test\nB@Luar.test\n", "a@luar.test  minta berhenti 0001; B@Luar.test  minta berhenti 0001", ""},
		{"all of it", "a@luar.test,hard,tiada,2027-01-01\r\n", "a@luar.test hard tiada 2027", ""},
		{"names", "\ufeffreason,Address,app\nx,a@luar.test,lain@a.test\n", "a@luar.test  x 0001", ""},
		{"guarded", "'+a@luar.test,,'=cmd\n''=b@luar.test,,\n'c@luar.test,,\n", "+a@luar.test  =cmd 0001; '=b@luar.test  minta berhenti 0001; 'c@luar.test  minta berhenti 0001", ""},
		{"ended", "a@luar.test,,,2020-01-01\nb@luar.test\n", "b@luar.test  minta berhenti 0001", ""},
		{"nothing", "", "", ""},
		{"quoted line end", "a@luar.test,,\"dua\nbaris\"\n", "", "line 1: a reason is one line"},
		{"no address", "a@luar.test\nbukan\n", "", `line 2: an address is needed, not "bukan"`},
		{"kind", "a@luar.test,keras\n", "", "line 1: kind: hard, soft or manual"},
		{"until", "a@luar.test,,,esok\n", "", "line 1: a day such as"},
		{"several", "a@luar.test,x\nb@luar.test\n@\n", "", "line 3: an address"},
		{"columns", "address,nama\na@luar.test,x\n", "", `line 1: no column is called "nama"`},
		{"twice", "address,address\n", "", "two columns are called address"},
		{"fields", "a@luar.test,,,,,,\n", "", "line 1: 7 fields"},
		{"quotes", "a@luar.test\n\"b\n", "", "parse error on line 2"},
		{"long reason", "a@luar.test,," + strings.Repeat("x", 1001) + "\n", "", "line 1: a reason"},
		{"code", "address,code\na@luar.test,9\n", "", "line 2: code"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := readSuppressions(strings.NewReader(c.csv), like, importNow)
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Fatalf("%v, %v; want %q", all, err, c.bad)
				}
				return
			}
			var got []string
			for _, s := range all {
				got = append(got, fmt.Sprintf("%s %s %s %s", s.Address, s.Kind, s.Reason, s.Until.Format("2006")))
			}
			if s := strings.Join(got, "; "); err != nil || s != c.want {
				t.Errorf("%s, %v\nwant %s", s, err, c.want)
			}
		})
	}
}

// What is written is read as the same, and no cell is a formula.
func FuzzSuppressionCSV(f *testing.F) {
	f.Add("orang@luar.test", "=HYPERLINK(1)", int64(0), 550)
	f.Add("'+a@luar.test", "-1, \"dua\"", int64(1900000000), 0)
	f.Fuzz(func(t *testing.T, address, reason string, until int64, code int) {
		s := store.Suppression{Address: address, Kind: store.SuppressHard, Reason: reason, Status: "5.1.1", Time: importNow}
		if until > importNow.Unix() && until < 1<<35 {
			s.Until = time.Unix(until, 0).UTC()
		}
		if code >= 200 && code < 600 {
			s.Code = code
		}
		var b strings.Builder
		w := newSuppressionWriter(&b)
		if err := w.write(&s); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		for _, mark := range spreadsheet {
			if strings.Contains(b.String(), "\n"+string(mark)) && !strings.Contains(reason+address, "\n") {
				t.Fatalf("a cell is a formula:\n%s", b.String())
			}
		}
		all, err := readSuppressions(strings.NewReader(b.String()), store.Suppression{}, importNow)
		if err != nil { // refused is fine; read wrongly is not
			return
		}
		if s.Reason != strings.TrimSpace(s.Reason) || s.Address != strings.TrimSpace(s.Address) {
			return
		}
		if len(all) != 1 || !reflect.DeepEqual(all[0], s) {
			t.Fatalf("%+v was read as %+v", s, all)
		}
	})
}

// suppressed are those of the demo's application.
func (r *running) suppressed() map[string]store.Suppression {
	r.t.Helper()
	out := map[string]store.Suppression{}
	for _, s := range lines[store.Suppression](r, "suppression", "list", "--app", r.app0()) {
		out[s.Address] = s
	}
	return out
}

// elsewhere sends mail of a domain to a Postfix, which bounces to us.
func (r *running) elsewhere(domain string, o peers.PostfixOptions) *peers.PostfixServer {
	r.t.Helper()
	o.Domains, o.Relay = []string{domain}, true
	o.Transport = map[string]string{"agensi-a.test": "smtp:[127.0.0.1]:" + portOf(r.MX)}
	pf := peers.Postfix(r.t, o)
	name, _, _ := strings.Cut(domain, ".")
	r.do("agency", "add", name)
	r.do("domain", "add", domain, "--agency", name)
	r.do("domain", "route", domain, "smarthost", pf.Address)
	return pf
}

// A bounce from a Postfix suppresses the recipient for that application, whether it refuses
// at RCPT or sends a report later; the next attempt is answered at once; removal opens it.
func TestBounceSuppresses(t *testing.T) {
	r := startDemo(t)
	r.elsewhere("jauh.test", peers.PostfixOptions{Users: []string{"ada@jauh.test"}})
	late := r.elsewhere("lewat.test", peers.PostfixOptions{Users: []string{"ada@lewat.test"},
		Main: map[string]string{"smtpd_reject_unlisted_recipient": "no", "virtual_alias_maps": "inline:{samaran@lewat.test=hilang@lewat.test}"}})
	c := r.app()
	app := r.Application.Address
	for _, to := range []string{"tiada@jauh.test", "tiada@lewat.test"} {
		if text, err := notify(c, app, to); err != nil {
			t.Fatalf("%s: %s %v", to, text, err)
		}
		eventually(t, to+" is suppressed", func() bool { return r.suppressed()[to].Kind == store.SuppressHard })
		s := r.suppressed()[to]
		if s.Status != "5.1.1" || s.Sender != app || time.Until(s.Until) < 364*24*time.Hour || s.Reason == "" {
			t.Errorf("%+v", s)
		}
		if _, err := notify(c, app, to); err == nil || !strings.HasPrefix(detail(err), "550 5.7.1 Penerima ini disekat sejak ") || !strings.Contains(detail(err), "5.1.1") {
			t.Errorf("again to %s: %s", to, detail(err))
		}
		if out := r.do("suppression", "export", "--app", app); !strings.Contains(out, "\n"+to+",hard,") {
			t.Errorf("export has no %s:\n%s", to, out)
		}
		r.do("suppression", "remove", to, "--app", app)
		if _, err := notify(c, app, to); err != nil {
			t.Errorf("after its removal %s: %s", to, detail(err))
		}
	}
	if _, err := notify(c, app, "ada@lewat.test"); err != nil {
		t.Fatal(err)
	}
	m := late.Mail(t, "ada@lewat.test", 1)[0]
	path, _, _ := strings.Cut(strings.TrimPrefix(m, "Return-Path: <"), ">")
	if !strings.HasPrefix(path, "b0=") || !strings.HasSuffix(path, "=ada=lewat.test@agensi-a.test") {
		t.Errorf("the reverse-path is %q", path)
	}
	forgeries(t, r, path)

	// An alias there leads to nobody: that may be one of many, so that it counts, and holds for a week.
	for i := range 3 {
		if _, err := notify(c, app, "samaran@lewat.test"); err != nil {
			t.Fatalf("%d: %s", i, detail(err))
		}
	}
	eventually(t, "the alias is suppressed", func() bool { return r.suppressed()["samaran@lewat.test"].Kind == store.SuppressSoft })
	if n := len(r.inbox("ucadmin@agensi-a.test")); n != 0 {
		t.Errorf("%d reports, one a message", n)
	}
}

// forgeries try to have ada suppressed by what is no bounce of ours.
func forgeries(t *testing.T, r *running, path string) {
	t.Helper()
	report := func(to string) string {
		return strings.ReplaceAll("From: MAILER-DAEMON@luar.test\nTo: <"+to+">\nSubject: Undelivered\nMIME-Version: 1.0\n"+
			"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"+
			"Reporting-MTA: dns; luar.test\n\nFinal-Recipient: rfc822; ada@lewat.test\nAction: failed\nStatus: 5.1.1\n\n--b--\n", "\n", "\r\n")
	}
	wrong := "b0=a" + path[4:]
	if path[3] == 'a' {
		wrong = "b0=b" + path[4:]
	}
	for _, f := range []struct{ from, to, want string }{
		{"orang@luar.test", path, "550 5.7.1"},
		{"", wrong, "550 5.1.1"},
		{"", strings.Replace(path, "ada", "dia", 1), "550 5.1.1"},
	} {
		if err := r.offer(f.from, []string{f.to}, report(f.to)); err == nil || !strings.HasPrefix(detail(err), f.want) {
			t.Errorf("<%s> to %s: %s, want %s", f.from, f.to, detail(err), f.want)
		}
	}
	if err := r.offer("", []string{path, "pegawai1@agensi-a.test"}, report(path)); err == nil || !strings.HasPrefix(detail(err), "452 4.5.3") {
		t.Errorf("with another recipient: %s", detail(err))
	}
	if err := r.offer("", []string{path}, "From: ada@lewat.test\r\nSubject: Saya bercuti\r\n\r\n550 5.1.1\r\n"); err != nil {
		t.Errorf("an answer of somebody who is away: %s", detail(err))
	}
	if _, bad := r.suppressed()["ada@lewat.test"]; bad {
		t.Error("a forgery suppresses")
	}
	if err := r.offer("", []string{path}, report(path)); err != nil { // the real thing is taken
		t.Errorf("a bounce: %s", detail(err))
	}
	if s := r.suppressed()["ada@lewat.test"]; s.Kind != store.SuppressHard {
		t.Errorf("a bounce that was taken suppresses at once: %+v", s)
	}
}

// Lists go in and out by CSV and JSON.
func TestSuppressionCommands(t *testing.T) {
	r := startDemo(t)
	app := r.app0()
	var b strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&b, "orang%04d@luar.test,%s,=1+1\n", i, []string{"manual", "hard"}[i%2])
	}
	r.do("suppression", "import", pathOf(t, "a.csv", b.String()), "--app", app, "--until", "2099-01-01")
	r.do("suppression", "add", "semua@luar.test", "--agency", "agensi-a", "--reason", "minta")
	first := r.do("suppression", "export", "--app", app)
	if n := strings.Count(first, "\n"); n != 2501 || !strings.Contains(first, ",'=1+1,2099-01-01T") {
		t.Errorf("%d lines:\n%.300s", n, first)
	}
	if all := lines[store.Suppression](r, "suppression", "export"); len(all) != 2501 || all[0].Address != "semua@luar.test" || all[0].Sender != "" || all[2500].By == "" {
		t.Errorf("%d in JSON: %+v", len(all), all[0])
	}
	r.do("suppression", "remove", "orang0000@luar.test", "orang0001@luar.test", "--app", app)
	if n := len(lines[store.Suppression](r, "suppression", "list", "--agency", "agensi-a", "--kind", "hard")); n != 1249 {
		t.Errorf("%d hard ones", n)
	}
	if n := len(lines[store.Suppression](r, "suppression", "list", "--max", "1200")); n != 1200 {
		t.Errorf("%d of 1200", n)
	}
	r.do("suppression", "import", pathOf(t, "b.csv", first), "--app", app)
	if again := r.do("suppression", "list", "--csv", "--app", app); again != first {
		t.Errorf("after a round trip %d octets, not %d", len(again), len(first))
	}
	if out := r.do("suppression", "list", "--address", "orang0007@luar.test"); !strings.Contains(out, app) || strings.Count(out, "\n") != 2 {
		t.Errorf("table:\n%s", out)
	}
	c := r.app()
	for _, to := range []string{"orang0007@luar.test", "SEMUA@luar.test"} {
		if _, err := notify(c, app, to); err == nil || !strings.Contains(detail(err), "550 5.7.1 Penerima ini disekat") {
			t.Errorf("%s: %s", to, detail(err))
		}
	}
	for _, bad := range []struct {
		args []string
		exit int
	}{
		{[]string{"import", pathOf(t, "c.csv", "baharu@luar.test\nbukan\n"), "--app", app}, 2},
		{[]string{"import", "/tiada/fail.csv", "--app", app}, 2},
		{[]string{"add", "x@luar.test"}, 2},
		{[]string{"add", "x@luar.test", "--app", app, "--agency", "agensi-a"}, 2},
		{[]string{"add", "x@luar.test", "--app", app, "--until", "2020-01-01"}, 2},
		{[]string{"add", "x@luar.test", "--app", app, "--kind", "keras"}, 2},
		{[]string{"add", "x@luar.test", "--app", "pegawai1@agensi-a.test"}, 3},
		{[]string{"remove", "tiada@luar.test", "--app", app}, 3},
		{[]string{"list", "--agency", "tiada"}, 3},
		{[]string{"list", "--max", "-1"}, 2},
	} {
		if _, text, exit := sampul(t, "", append(append([]string{"suppression"}, bad.args...), "--dir", r.DataDir)...); exit != bad.exit {
			t.Errorf("%v: exit %d: %s", bad.args, exit, text)
		}
	}
	if n := len(lines[store.Suppression](r, "suppression", "list", "--address", "baharu@luar.test")); n != 0 {
		t.Error("half of a file is in")
	}
}

// An application that must offer one-click unsubscription does so by RFC 8058, and what
// leaves is signed over both fields.
func TestOneClickDemanded(t *testing.T) {
	r := startDemo(t)
	pf := r.elsewhere("jauh.test", peers.PostfixOptions{Users: []string{"ada@jauh.test"}})
	r.do("app", "set", r.app0(), "--unsubscribe")
	c := r.app()
	send := func(fields string) error {
		if err := c.Mail(r.app0(), nil); err != nil {
			return err
		}
		if err := c.Rcpt("ada@jauh.test", nil); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, fields+note(r.app0(), "ada@jauh.test", "Buletin")); err != nil {
			return err
		}
		return w.Close()
	}
	const good = "List-Unsubscribe: <mailto:henti@agensi-a.test>,\r\n <https://agensi-a.test/henti?n=1,2>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
	if len(lines[store.DKIMKey](r, "dkim", "list", "agensi-a.test")) == 0 {
		if err := send(good); err == nil || !strings.Contains(detail(err), "has no DKIM key that signs") {
			t.Errorf("without a key: %s", detail(err))
		}
		r.do("dkim", "add", "agensi-a.test")
	}
	for _, bad := range []string{"", "List-Unsubscribe: <https://agensi-a.test/h>\r\n", good + "List-Unsubscribe: <https://agensi-a.test/h>\r\n"} {
		if err := send(bad); err == nil || !strings.HasPrefix(detail(err), "550 5.7.1 Mesej pukal perlu nyahlanggan satu klik") {
			t.Errorf("%q: %s", bad, detail(err))
		}
	}
	if err := send(good); err != nil {
		t.Fatal(detail(err))
	}
	m := pf.Mail(t, "ada@jauh.test", 1)[0]
	_, signature, _ := strings.Cut(m, "DKIM-Signature:")
	signed := strings.Join(strings.Fields(signature), "")
	signed, _, _ = strings.Cut(signed, "bh=")
	if !strings.Contains(signed, ":list-unsubscribe:list-unsubscribe-post") {
		t.Errorf("both fields are not signed:\n%s", m)
	}
}
