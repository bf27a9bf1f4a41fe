package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"sampul/internal/dnstest"
	"sampul/internal/peers"
	"sampul/store"
)

// demoOut starts a demo whose mail goes out by the zone's records to port.
func demoOut(t *testing.T, zone *dnstest.Zone, port int, args ...string) *running {
	t.Helper()
	return startDemo(t, append([]string{"--resolver", zone.Addr, "--remote-port", fmt.Sprint(port)}, args...)...)
}

// records is a line of `domain dns`.
type dnsRecord struct {
	Name, Type, Value, Status string
	TTL                       int
}

// publish puts what `domain dns` prints for a domain into the zone.
func (r *running) publish(zone *dnstest.Zone, domain string) {
	r.t.Helper()
	n := 0
	for _, rec := range lines[dnsRecord](r, "domain", "dns", domain) {
		if rec.Type != "TXT" {
			continue
		}
		var quoted []string
		for rest := rec.Value; rest != ""; {
			cut := min(len(rest), 250)
			quoted = append(quoted, `"`+rest[:cut]+`"`)
			rest = rest[cut:]
		}
		zone.Add(fmt.Sprintf("%s. IN TXT %s", strings.TrimSuffix(rec.Name, "."), strings.Join(quoted, " ")))
		n++
	}
	if n == 0 {
		r.t.Fatalf("domain dns %s printed no TXT record", domain)
	}
}

type story struct {
	ID        string        `json:"id"`
	MessageID string        `json:"message_id"`
	Events    []store.Event `json:"events"`
}

// Two recipients of one domain go out in one transaction, to the second MX when the first
// refuses; the message arrives signed, and the trace tells the story.
func TestOneTransactionToTheSecondMXSigned(t *testing.T) {
	port := freePort(t, "127.0.1.1", "127.0.1.2")
	first, second := startRemote(t, "127.0.1.1", port, nil), startRemote(t, "127.0.1.2", port, nil)
	first.rcpt = func(string, string) error {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "not now"}
	}
	zone := dnstest.New(t, `
jauh.test. IN MX 10 mx1.jauh.test.
jauh.test. IN MX 20 mx2.jauh.test.
mx1.jauh.test. IN A 127.0.1.1
mx2.jauh.test. IN A 127.0.1.2
tiada.test. IN MX 0 .
`)
	r := demoOut(t, zone, port)
	r.do("dkim", "add", "agensi-a.test")
	r.publish(zone, "agensi-a.test")
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test", "b@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Dua penerima")); err != nil {
		t.Fatal(err)
	}
	got := second.wait(t, 1)
	if len(got) != 1 || len(got[0].to) != 2 || got[0].from != "pegawai1@agensi-a.test" || len(first.mails()) != 0 {
		t.Fatalf("second MX: %+v", got)
	}
	if n := strings.Count(got[0].data, "DKIM-Signature:"); n != 2 || strings.Contains(got[0].data, "Return-Path:") {
		t.Errorf("%d signatures, or a Return-Path:\n%s", n, got[0].data)
	}
	verifyDKIM(t, zone, got[0].data)
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
	stories := lines[story](r, "trace", "a@jauh.test")
	if len(stories) != 1 || stories[0].MessageID == "" {
		t.Fatalf("trace: %+v", stories)
	}
	var seen []string
	for _, e := range stories[0].Events {
		seen = append(seen, e.Event)
		if e.Event == "delivered" && (!strings.Contains(e.Host, "mx2.jauh.test") || e.Code != 250) {
			t.Errorf("delivered: %+v", e)
		}
	}
	if !slices.Contains(seen, "accepted") || !slices.Contains(seen, "delivered") {
		t.Errorf("events %v", seen)
	}

	// A null MX is an answer for good, at once.
	if err := r.submit("pegawai1@agensi-a.test", []string{"x@tiada.test"}, note("pegawai1@agensi-a.test", "x@tiada.test", "Tiada")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the notification", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 1 })
	dsn := r.inbox("pegawai1@agensi-a.test")[0]
	for _, want := range []string{"multipart/report", "Action: failed", "Status: 5.1.10", "x@tiada.test", "Auto-Submitted: auto-replied", "text/rfc822-headers"} {
		if !strings.Contains(dsn, want) {
			t.Errorf("no %q in\n%s", want, dsn)
		}
	}
	if strings.Contains(dsn, "Isi surat") {
		t.Error("the notification carries the body")
	}
}

// verifyDKIM asks another implementation, with the zone's records.
func verifyDKIM(t *testing.T, zone *dnstest.Zone, data string) {
	t.Helper()
	host, port, _ := strings.Cut(zone.Addr, ":")
	script := `
import sys, dkim, dns.resolver
r = dns.resolver.Resolver(configure=False); r.nameservers = [sys.argv[1]]; r.port = int(sys.argv[2])
def txt(name, timeout=5):
    try:
        a = r.resolve(name.decode() if isinstance(name, bytes) else name, 'TXT')
    except Exception:
        return None
    return b''.join(list(a)[0].strings)
d = dkim.DKIM(sys.stdin.buffer.read())
n = len([h for h, v in d.headers if h.lower() == b'dkim-signature'])
for i in range(n):
    assert d.verify(idx=i, dnsfunc=txt), i
print(n)
`
	c := exec.Command(peers.Python(t, "dkim", "dns.resolver"), "-c", script, host, port)
	c.Stdin = strings.NewReader(data)
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "2" {
		t.Errorf("another implementation: %v %s", err, out)
	}
}

// What cannot be delivered now says why, and arrives after a flush.
func TestQueueSaysWhyAndFlushes(t *testing.T) {
	port := freePort(t, "127.0.1.3")
	mx := startRemote(t, "127.0.1.3", port, nil)
	var mu sync.Mutex
	busy := true
	mx.rcpt = func(string, string) error {
		mu.Lock()
		defer mu.Unlock()
		if busy {
			return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox busy"}
		}
		return nil
	}
	zone := dnstest.New(t, "jauh.test. IN MX 10 mx.jauh.test.\nmx.jauh.test. IN A 127.0.1.3")
	dir := t.TempDir()
	r := demoOut(t, zone, port, "--dir", dir)
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Tunggu")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason", func() bool {
		q := r.queue()
		return len(q) == 1 && q[0].Recipients[0].Code == 450 && strings.Contains(q[0].Recipients[0].Text, "mailbox busy")
	})
	rc := r.queue()[0].Recipients[0]
	if rc.Attempts != 1 || rc.NextTry.IsZero() || !strings.Contains(rc.Remote, "mx.jauh.test") || rc.Enhanced != "4.2.1" {
		t.Errorf("recipient %+v", rc)
	}
	r.kill() // what the queue knows survives
	r = demoOut(t, zone, port, "--dir", dir)
	if q := r.queue(); len(q) != 1 {
		t.Fatalf("after kill -9: %+v", q)
	}
	mu.Lock()
	busy = false
	mu.Unlock()
	r.do("queue", "hold", "--from", "pegawai1@agensi-a.test", "--reason", "ujian")
	r.do("queue", "flush")
	if q := r.queue("--state", "held"); len(q) != 1 {
		t.Errorf("held: %+v", q)
	}
	r.do("queue", "release", "--from", "pegawai1@agensi-a.test")
	r.do("queue", "flush")
	mx.wait(t, 1)
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
}

// kill -9 while mail is relayed: none is lost, and what comes twice is only what the other
// side had taken when its answer to the last dot was not seen.
func TestKillNineWhileRelaying(t *testing.T) {
	total := 10000
	if testing.Short() {
		total = 1000
	}
	port := freePort(t, "127.0.0.1")
	sink := startRemote(t, "127.0.0.1", port, nil)
	dir := t.TempDir()
	r := startDemo(t, "--dir", dir)
	r.do("agency", "add", "lalu")
	r.do("domain", "add", "lalu.test", "--agency", "lalu")
	r.do("domain", "route", "lalu.test", "smarthost", sink.addr, "--tls", "none")

	acknowledged := make(map[string]bool)
	var mu sync.Mutex
	next := 0
	send := func(r *running) {
		c, err := smtp.Dial(r.MX)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			mu.Lock()
			i := next
			next++
			mu.Unlock()
			if i >= total {
				return
			}
			id := fmt.Sprintf("<lalu-%d@ujian.test>", i)
			text := strings.Replace(note("orang@luar.test", "x@lalu.test", "Lalu"), "Message-ID: <", "Message-ID: "+id+"\r\nX-Old: <", 1) + filler(3500)
			if c.SendMail("orang@luar.test", []string{"x@lalu.test"}, strings.NewReader(text)) != nil {
				return
			}
			mu.Lock()
			acknowledged[id] = true
			mu.Unlock()
		}
	}
	for round := 0; ; round++ {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { send(r) })
		}
		if round < 4 {
			eventually(t, "some mail", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return next > (round+1)*total/6
			})
			r.kill()
		}
		wg.Wait()
		if round >= 4 && next >= total {
			break
		}
		if round < 4 {
			r = startDemo(t, "--dir", dir)
		}
	}
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
	seen := map[string]int{}
	for _, m := range sink.mails() {
		_, rest, _ := strings.Cut(m.data, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		seen[id]++
	}
	lost, twice := 0, 0
	for id := range acknowledged {
		if seen[id] == 0 {
			lost++
		}
	}
	for _, n := range seen {
		twice += n - 1
	}
	t.Logf("%d acknowledged, %d lost, %d came twice", len(acknowledged), lost, twice)
	if lost > 0 {
		t.Errorf("%d of %d acknowledged messages are lost", lost, len(acknowledged))
	}
	if limit := 4 * 64; twice > limit { // kills times connections: one unanswered dot each
		t.Errorf("%d came twice, more than %d connections had a dot without an answer", twice, limit)
	}
	if len(acknowledged) < total/2 {
		t.Errorf("only %d of %d were acknowledged: this test relayed too little", len(acknowledged), total)
	}
}

// Held accounts send nothing, and what they have in the queue stays there.
func TestHeldAccount(t *testing.T) {
	port := freePort(t, "127.0.1.4")
	mx := startRemote(t, "127.0.1.4", port, nil)
	mx.rcpt = func(string, string) error {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	zone := dnstest.New(t, "jauh.test. IN MX 10 mx.jauh.test.\nmx.jauh.test. IN A 127.0.1.4")
	r := demoOut(t, zone, port)
	client := r.imap("pegawai1@agensi-a.test")
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Curi")); err != nil {
		t.Fatal(err)
	}
	r.do("account", "hold", "pegawai1@agensi-a.test", "--reason", "kata laluan dicuri")
	eventually(t, "the message held", func() bool { return len(r.queue("--state", "held")) == 1 })
	eventually(t, "the session ended", func() bool { return client.Noop().Wait() != nil })
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Lagi")); err == nil {
		t.Error("a held account could send")
	}
	r.do("account", "release", "pegawai1@agensi-a.test")
	mx.mu.Lock()
	mx.rcpt = nil
	mx.mu.Unlock()
	r.do("queue", "flush")
	mx.wait(t, 1)
}

// An account that sends more than its limit is held, and its administrator told.
func TestStolenPassword(t *testing.T) {
	r := startDemo(t, "--sent-hour", "5")
	var err error
	sent := 0
	for ; err == nil && sent < 20; sent++ {
		err = r.submit("pegawai1@agensi-a.test", []string{"pegawai2@agensi-a.test"}, note("pegawai1@agensi-a.test", "pegawai2@agensi-a.test", "Banyak"))
	}
	if err == nil || sent > 7 {
		t.Fatalf("%d messages, %v", sent, err)
	}
	t.Logf("the sixth message: %s", detail(err))
	eventually(t, "the administrator told", func() bool {
		all := r.inbox("ucadmin@agensi-a.test")
		return len(all) == 1 && strings.Contains(all[0], "pegawai1@agensi-a.test")
	})
	r.do("account", "release", "pegawai1@agensi-a.test")
}

// pathOf writes a file for a command.
func pathOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// What an officer forwards goes out with a reverse-path of ours and an ARC seal that another
// implementation believes, and its bounce comes back to who sent it.
func TestForwardIsSealed(t *testing.T) {
	python := peers.Python(t, "dkim", "dns.resolver")
	port := freePort(t, "127.0.1.5")
	mx := startRemote(t, "127.0.1.5", port, nil)
	f := newForeign(t)
	zone := dnstest.New(t, `
jabatan.gov.my. IN MX 10 mx.jabatan.gov.my.
mx.jabatan.gov.my. IN A 127.0.1.5
asal.test. IN MX 10 mx.asal.test.
mx.asal.test. IN A 127.0.1.5
asal.test. IN TXT "v=spf1 ip4:127.0.0.1 -all"
`+f.record("asal.test"))
	r := demoOut(t, zone, port)
	r.do("dkim", "add", "agensi-a.test")
	r.publish(zone, "agensi-a.test")
	r.do("account", "forward", "pegawai1@agensi-a.test", "--to", "kawan@jabatan.gov.my")
	if err := r.offer("orang@asal.test", []string{"pegawai1@agensi-a.test"}, f.sign("asal.test", note("orang@asal.test", "pegawai1@agensi-a.test", "Maju"), time.Time{})); err != nil {
		t.Fatal(err)
	}
	got := mx.wait(t, 1)[0]
	if !strings.HasPrefix(got.from, "SRS0=") || !strings.HasSuffix(got.from, "@agensi-a.test") || got.to[0] != "kawan@jabatan.gov.my" {
		t.Errorf("from %s to %v", got.from, got.to)
	}
	host, dnsPort, _ := strings.Cut(zone.Addr, ":")
	c := exec.Command(python, "-c", `
import sys, dkim, dns.resolver
r = dns.resolver.Resolver(configure=False); r.nameservers = [sys.argv[1]]; r.port = int(sys.argv[2])
def txt(name, timeout=5):
    try:
        a = r.resolve(name.decode() if isinstance(name, bytes) else name, 'TXT')
    except Exception:
        return None
    return b''.join(list(a)[0].strings)
m = sys.stdin.buffer.read()
cv, results, reason = dkim.arc_verify(m, dnsfunc=txt)
print(cv.decode(), len(results), dkim.verify(m, dnsfunc=txt))
`, host, dnsPort)
	c.Stdin = strings.NewReader(got.data)
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "pass 1 True" {
		t.Errorf("another implementation: %v %s\n%s", err, out, got.data)
	}
	// The bounce.
	if err := r.offer("", []string{got.from}, note("postmaster@jabatan.gov.my", "orang@asal.test", "Gagal")); err != nil {
		t.Fatal(err)
	}
	if back := mx.wait(t, 2)[1]; back.from != "" || back.to[0] != "orang@asal.test" {
		t.Errorf("the bounce went from <%s> to %v", back.from, back.to)
	}
}
