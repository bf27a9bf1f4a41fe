package main

import (
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"sampul/internal/dnstest"
	"sampul/store"
)

// usage is what `app usage` tells of the demo's application.
func (r *running) usage(args ...string) usageLine {
	r.t.Helper()
	all := lines[usageLine](r, append([]string{"app", "usage", r.Application.Address}, args...)...)
	if len(all) != 1 {
		r.t.Fatalf("%d lines of usage", len(all))
	}
	return all[0]
}

// approved is the demo's application as it stands.
func (r *running) approved() store.App {
	r.t.Helper()
	return lines[store.App](r, "app", "show", r.Application.Address)[0]
}

// What became of each recipient is told, over a restart, and while nothing runs.
func TestUsageIsTold(t *testing.T) {
	if time.Now().Minute() >= 55 { // the hour would end too soon for its window to hold: there it is half past
		t.Setenv("TZ", "Asia/Kolkata")
	}
	r := startDemo(t, "--dir", t.TempDir())
	c := r.app()
	address := r.Application.Address
	r.do("app", "set", address, "--quota", "hour=5", "--quota", "day=100")
	for range 3 {
		if _, err := notify(c, address, "pegawai1@agensi-a.test"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // no DNS: it waits
		if _, err := notify(c, address, "orang@jauh.test"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := notify(c, address, "pegawai1@agensi-a.test"); err == nil {
		t.Error("sent more than the quota")
	}
	if _, err := notify(c, "lain@agensi-a.test", "pegawai1@agensi-a.test"); err == nil {
		t.Error("sent as somebody else")
	}
	check := func(when string) {
		t.Helper()
		u := r.usage()
		q := u.Quota["hour"]
		if u.Accepted != 5 || u.Hour != 5 || u.Day != 5 || u.Delivered != 3 || u.Waiting != 2 || u.Bounced != 0 ||
			u.Refused["quota-hour"] != 1 || u.Refused["sender"] != 1 || q.Limit != 5 || q.Used != 5 || !q.Opens.After(u.At) || u.Quota["day"].Used != 5 {
			t.Errorf("%s: %+v", when, u)
		}
	}
	check("at once")
	r.terminate()
	check("while nothing runs")
	if text := r.do("app", "usage", address, "--hours"); !strings.Contains(text, "quota-hour=1 sender=1") {
		t.Errorf("by hour: %s", text)
	}
	if u := r.usage("--until", "2020-01-01"); u.Accepted != 0 || u.Day != 5 {
		t.Errorf("of long ago: %+v", u)
	}
	if _, text, exit := sampul(t, "", "app", "usage", address, "--since", "2020-01-02", "--until", "2020-01-01", "--dir", r.DataDir); exit != 2 {
		t.Errorf("a span that ends before it begins: exit %d: %s", exit, text)
	}
	if _, _, exit := sampul(t, "", "app", "usage", "tiada@agensi-a.test", "--hours", "--dir", r.DataDir); exit != 3 {
		t.Errorf("an application that is none: exit %d", exit)
	}
	checkReport(t, r, address)
}

// checkReport: the report sums up the same by agency and day, as a table for spreadsheets, and as a plot.
func checkReport(t *testing.T, r *running, address string) {
	t.Helper()
	table, err := csv.NewReader(strings.NewReader(r.do("report", "relay", "--csv"))).ReadAll()
	if err != nil || len(table) != 2 || strings.Join(table[1], ",") != address+",agensi-a,5,2,3,0,quota-hour=1 sender=1" {
		t.Errorf("csv: %v, %v", table, err)
	}
	all := lines[relayLine](r, "report", "relay", "--by", "agency,day")
	if len(all) != 1 || all[0].Agency != "agensi-a" || all[0].Day == "" || all[0].Accepted != 5 || all[0].RefusedAll != 2 || all[0].App != "" {
		t.Errorf("by agency and day: %+v", all)
	}
	if other := lines[relayLine](r, "report", "relay", "--agency", "agensi-b"); len(other) != 0 {
		t.Errorf("of another agency: %+v", other)
	}
	plot := strings.Split(strings.TrimSpace(r.do("report", "relay", "--plot")), "\n")
	if len(plot) != 25 || !strings.Contains(plot[23], "█") || !strings.HasSuffix(plot[23], " 5 +2") || strings.ContainsRune(plot[0], '\x1b') {
		t.Errorf("plot:\n%s", strings.Join(plot, "\n"))
	}
	for _, bad := range [][]string{{"--by", "class"}, {"--plot", "--csv"}, {"--plot", "--by", "app"}, {"--plot", "--since", "1990-01-01"}} {
		if _, text, exit := sampul(t, "", append([]string{"report", "relay", "--dir", r.DataDir}, bad...)...); exit != 2 {
			t.Errorf("%v: exit %d: %s", bad, exit, text)
		}
	}
}

// marked sends a message that is marked RAHSIA, and gives its refusal.
func (r *running) marked(body string) string {
	r.t.Helper()
	c := r.app()
	defer c.Close()
	address := r.Application.Address
	if err := c.Mail(address, nil); err != nil {
		return detail(err)
	}
	if err := c.Rcpt("pegawai1@agensi-a.test", nil); err != nil {
		return detail(err)
	}
	w, err := c.Data()
	if err != nil {
		return detail(err)
	}
	fmt.Fprintf(w, "From: <%s>\r\nTo: <pegawai1@agensi-a.test>\r\nSubject: [RAHSIA] Notis\r\nMessage-ID: <%s@ujian.test>\r\n\r\n%[2]s\r\n", address, body)
	if err := w.Close(); err != nil {
		return detail(err)
	}
	return ""
}

// Four marked messages are refused and the application goes on; the fifth suspends it, over
// a restart, and an officer resumes it. The same message again is no other one.
func TestFiveMarkedMessagesSuspend(t *testing.T) {
	dir := t.TempDir()
	r := startDemo(t, "--dir", dir)
	address := r.Application.Address
	open := r.app()
	goes := func(when string) {
		t.Helper()
		if _, err := notify(r.app(), address, "pegawai1@agensi-a.test"); err != nil {
			t.Errorf("%s: %s", when, detail(err))
		}
	}
	for i := range 4 {
		for range 2 { // it tries again
			if text := r.marked(fmt.Sprintf("satu-%d", i)); !strings.Contains(text, "550 5.7.1 ") || !strings.Contains(text, "RAHSIA") {
				t.Fatalf("message %d: %s\n%s", i, text, r.log)
			}
		}
		if i == 1 {
			r.terminate()
			r = startDemo(t, "--dir", dir)
			open = r.app()
		}
		goes(fmt.Sprintf("after %d", i+1))
	}
	if a := r.approved(); a.State != store.AppActive {
		t.Fatalf("%s after four", a.State)
	}
	if err := open.Mail(address, nil); err != nil { // its message is under way when the fifth comes
		t.Fatal(err)
	}
	if err := open.Rcpt("pegawai2@agensi-a.test", nil); err != nil {
		t.Fatal(err)
	}
	var together sync.WaitGroup
	for i := range 6 {
		together.Go(func() { r.marked(fmt.Sprintf("lain-%d", i)) })
	}
	together.Wait()
	a := r.approved()
	if a.State != store.AppSuspended || !strings.Contains(a.Why, "5 mesej RAHSIA dalam sejam / 5 RAHSIA messages within an hour (insiden I-") {
		t.Fatalf("after the fifth: %s, %s", a.State, a.Why)
	}
	w, err := open.Data()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, note(address, "pegawai2@agensi-a.test", "Notis"))
	if err := w.Close(); err == nil || !strings.Contains(detail(err), "550 5.7.1 Aplikasi "+address+" digantung (5 mesej RAHSIA") {
		t.Errorf("a message under way: %v", err)
	}
	if err := open.Mail(address, nil); err == nil || !strings.Contains(detail(err), "digantung (5 mesej RAHSIA") {
		t.Errorf("a session that was open: %v", err)
	}
	for _, who := range []string{"ucadmin@agensi-a.test", "keselamatan@agensi-a.test"} {
		eventually(t, who+" hears of it", func() bool {
			return strings.Contains(strings.ReplaceAll(strings.Join(r.inbox(who), "\n"), "=\r\n", ""), "digantung oleh sampul (rule rahsia): 5 mesej RAHSIA")
		})
	}
	r.do("app", "resume", address, "--reason", "sudah dibaiki")
	goes("resumed")
	if text := r.marked("selepas"); !strings.Contains(text, "RAHSIA") || strings.Contains(text, "digantung") {
		t.Errorf("after its resumption: %s", text)
	}
	goes("one marked message after its resumption")
	history := lines[store.App](r, "app", "history", address)
	suspended := 0
	for i, v := range history {
		if v.State != store.AppSuspended {
			continue
		}
		suspended++
		if next := history[i+1]; v.By != "sampul (rule rahsia)" || next.State != store.AppActive || next.By == "" || next.By == "operator" || next.Reason != "sudah dibaiki" {
			t.Errorf("history: %+v, then %+v", v, next)
		}
	}
	if suspended != 1 {
		t.Errorf("suspended %d times", suspended)
	}
	if n := r.usage().Refused["class"]; n < 10 {
		t.Errorf("%d refused by class", n)
	}
}

// A thousand refusals make a few letters: to the owner about the application, and not to
// the application.
func TestNoticesOfApplicationsAreGathered(t *testing.T) {
	r := startDemo(t)
	address := r.Application.Address
	r.do("app", "set", address, "--owner", "pegawai2@agensi-a.test", "--rahsia-limit", "1000", "--quota", "hour=10")
	c := r.app()
	for i := range 30 {
		r.marked(fmt.Sprintf("banyak-%d", i))
	}
	for range 9 {
		if _, err := notify(c, address, "pegawai1@agensi-a.test"); err != nil {
			t.Fatal(err)
		}
	}
	letters := func() (refused, quota int) {
		for _, m := range r.inbox("pegawai2@agensi-a.test") {
			m = strings.ReplaceAll(m, "=\r\n", "")
			if strings.Contains(m, "E-mel yang dihantar oleh aplikasi "+address) {
				refused++
			}
			if strings.Contains(m, "kuota jam: ") && strings.Contains(m, "quota of the hour: ") {
				quota++
			}
			if strings.Contains(m, "banyak-") {
				t.Errorf("content in a notice: %s", m)
			}
		}
		return refused, quota
	}
	eventually(t, "the owner hears of both", func() bool { a, b := letters(); return a > 0 && b > 0 })
	if a, b := letters(); a > 2 || b != 1 {
		t.Errorf("%d letters about refusals, %d about the quota", a, b)
	}
}

// The owner is reminded before the approval ends, and hears when it has.
func TestEndIsNear(t *testing.T) {
	dir := t.TempDir()
	r := startDemo(t, "--dir", dir)
	address := r.Application.Address
	r.do("app", "set", address, "--owner", "pegawai2@agensi-a.test")
	r.do("app", "renew", address, "--until", time.Now().AddDate(2, 0, 0).Format(dayForm))
	hears := func(what string) {
		t.Helper()
		eventually(t, "the owner hears: "+what, func() bool {
			return strings.Contains(strings.ReplaceAll(strings.Join(r.inbox("pegawai2@agensi-a.test"), "\n"), "=\r\n", ""), what)
		})
	}
	hears("diperbaharui hingga ")
	r.terminate()
	r = startDemo(t, "--dir", dir, "--now", time.Now().AddDate(2, 0, -20).Format(time.RFC3339))
	hears("the approval ends in 20 days")
	r.terminate()
	r = startDemo(t, "--dir", dir, "--now", time.Now().AddDate(2, 0, 3).Format(time.RFC3339))
	hears("the approval ended on ")
	if _, err := notify(r.app(), address, "pegawai1@agensi-a.test"); err == nil || !strings.Contains(detail(err), "tamat pada") {
		t.Errorf("after its end: %v", err)
	}
}

// Of recipients elsewhere it is told who got it and who did not.
func TestUsageTellsBounces(t *testing.T) {
	port := freePort(t, "127.0.1.1")
	there := startRemote(t, "127.0.1.1", port, nil)
	there.rcpt = func(_, to string) error {
		if strings.HasPrefix(to, "tiada@") {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody"}
		}
		return nil
	}
	r := demoOut(t, dnstest.New(t, "jauh.test. IN MX 10 mx1.jauh.test.\nmx1.jauh.test. IN A 127.0.1.1\n"), port)
	c := r.app()
	for _, to := range []string{"orang@jauh.test", "tiada@jauh.test", "pegawai1@agensi-a.test"} {
		if _, err := notify(c, r.Application.Address, to); err != nil {
			t.Fatal(err)
		}
	}
	var u usageLine
	eventually(t, "all are settled", func() bool { u = r.usage(); return u.Waiting == 0 && u.Delivered+u.Bounced == 3 })
	if u.Accepted != 3 || u.Delivered != 2 || u.Bounced != 1 {
		t.Errorf("%+v", u)
	}
	if !r.metric(`sampul_relay_recipients_total{result="bounced"} 1`) {
		t.Error("the metric does not tell the bounce")
	}
}

// What is delayed was accepted now, waits, and counts against the hour in which it goes.
func TestUsageOfDelayed(t *testing.T) {
	r := startDemo(t, "--now", "2026-03-31T09:10:00+08:00")
	r.do("app", "set", r.Application.Address, "--quota", "hour=3", "--over", "delay")
	c := r.app()
	for range 5 {
		if _, err := notify(c, r.Application.Address, "pegawai1@agensi-a.test"); err != nil {
			t.Fatal(err)
		}
	}
	u := r.usage()
	if q := u.Quota["hour"]; u.Hour != 5 || u.Day != 5 || u.Accepted != 5 || u.Delivered != 3 || u.Waiting != 2 || q.Used != 3 || q.Opens.Format(time.RFC3339) != "2026-03-31T10:00:00+08:00" {
		t.Errorf("%+v", u)
	}
}

// Far more than usual raises an alarm, and suspends where the application's terms say so.
func TestUnusualVolumeSuspends(t *testing.T) {
	dir := t.TempDir()
	send := func(r *running, n int) {
		t.Helper()
		c := r.app()
		if err := c.Mail(r.Application.Address, nil); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := c.Rcpt(fmt.Sprintf("orang%d@jauh.test", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, note(r.Application.Address, "orang0@jauh.test", "Notis"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for day := range 5 {
		r := startDemo(t, "--dir", dir, "--now", fmt.Sprintf("2026-03-0%dT09:10:00+08:00", day+1))
		if day == 0 {
			r.do("app", "set", r.Application.Address, "--volume-hold", "--quota", "hour=none")
		}
		send(r, 10)
		r.terminate()
	}
	r := startDemo(t, "--dir", dir, "--now", "2026-03-06T09:10:00+08:00")
	for range 11 {
		send(r, 90)
	}
	if a := r.approved(); a.State != store.AppActive {
		t.Fatalf("%s at 990 recipients", a.State)
	}
	send(r, 90)
	eventually(t, "it is suspended", func() bool { return r.approved().State == store.AppSuspended })
	if a := r.approved(); a.By != "sampul (rule volume)" || !strings.Contains(a.Why, "unusual volume: 1080 ") || !strings.Contains(a.Why, "usually 10") {
		t.Errorf("by %s: %s", a.By, a.Why)
	}
	if !r.metric(`sampul_relay_alarms_total{rule="volume"} 1`) {
		t.Error("the metric does not tell the alarm")
	}
	eventually(t, "the owner hears of it", func() bool {
		return strings.Contains(strings.ReplaceAll(strings.Join(r.inbox("ucadmin@agensi-a.test"), "\n"), "=\r\n", ""), "digantung oleh sampul (rule volume): jumlah luar biasa / unusual volume: 1080 ")
	})
	r.do("app", "resume", r.Application.Address)
	send(r, 10) // an officer has looked: once an hour is enough
	if u := r.usage(); u.Hour != 1090 || r.approved().State != store.AppActive {
		t.Errorf("resumed: %s, %+v", r.approved().State, u)
	}
}

// No acceptance that was answered is missing after a kill.
func TestUsageSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	r := startDemo(t, "--dir", dir)
	c := r.app()
	const n = 25
	for range n {
		if _, err := notify(c, r.Application.Address, "pegawai1@agensi-a.test"); err != nil {
			t.Fatal(err)
		}
	}
	r.kill()
	if u := r.usage(); u.Accepted != n { // from the directory itself
		t.Errorf("%d accepted, want %d", u.Accepted, n)
	}
	r = startDemo(t, "--dir", dir)
	if u := r.usage(); u.Accepted != n || u.Day > n {
		t.Errorf("%d accepted after a start, want %d", u.Accepted, n)
	}
}
