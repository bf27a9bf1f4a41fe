package main

import (
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"sampul/store"
)

// attachmentOf is n octets of a file that is quickly read: nothing in it can be a mark.
func attachmentOf(n int) []byte {
	const line = "000000000000000000000000000000000000000000000000000000000000000000000000000000\n"
	return []byte(strings.Repeat(line, n/len(line)+1)[:n])
}

func mib(tenths int) int { return tenths * (1 << 20) / 10 }

// What attachments may have in all is told with its reason at every door, and a smaller
// limit of an agency holds for the next message.
func TestAttachmentLimitAtEveryDoor(t *testing.T) {
	r := startDemo(t)
	r.Accounts = append(r.Accounts, r.Application)
	const to = "pegawai1@agensi-a.test"
	text := func(from string, tenths int) string {
		return strings.Replace(withAttachment("Lampiran", "data.txt", attachmentOf(mib(tenths))), "orang@luar.test", from, 1)
	}
	doors := map[string]func(int) error{
		"mx": func(n int) error { return r.offer("orang@luar.test", []string{to}, text("orang@luar.test", n)) },
		"submission": func(n int) error {
			return r.submit("pegawai2@agensi-a.test", []string{to}, text("pegawai2@agensi-a.test", n))
		},
		"relay": func(n int) error {
			return r.submit(r.Application.Address, []string{to}, text(r.Application.Address, n))
		},
		"append": func(n int) error { return r.appendMessage(to, text("orang@luar.test", n)) },
	}
	refused := func(door string, err error, has, limit string) {
		t.Helper()
		said := detail(err)
		if err == nil || door != "append" && !strings.HasPrefix(said, "552 5.3.4 Disekat: ") || !strings.Contains(said, has) ||
			!strings.Contains(said, "the limit is "+limit) || !strings.Contains(said, "link") || len(said) > 400 {
			t.Errorf("%s: %s", door, said)
		}
	}
	for door, send := range doors {
		if err := send(249); err != nil {
			t.Errorf("24.9 MiB by %s: %v", door, err)
		}
		refused(door, send(251), "25.1 MiB", "25 MiB")
	}
	r.do("agency", "set", "agensi-a", "--attachment-max", "10MiB", "--reason", "cubaan")
	for door, send := range doors {
		refused(door, send(101), "10.1 MiB", "10 MiB")
		if err := send(99); err != nil {
			t.Errorf("9.9 MiB of 10 by %s: %v", door, err)
		}
	}
	if n := len(r.incidents()); n != 0 {
		t.Errorf("%d incidents: what is too big is no secret", n)
	}
}

// A rule is added, tried, switched on, hit, and tells its history, all while the suite runs.
func TestARuleWhileTheSuiteRuns(t *testing.T) {
	r := startDemo(t)
	const a, b = "pegawai1@agensi-a.test", "pegawai1@agensi-b.test"
	letterFrom := func(from string) string {
		return strings.Replace(letter("Jemputan", "Isi.\r\n"), "orang@luar.test", from, 1)
	}
	if err := r.offer("orang@luar.test", []string{a, b}, letterFrom("orang@luar.test")); err != nil {
		t.Fatalf("agencies without rules of their own are alike: %v", err)
	}
	r.do("policy", "rule", "add", "luar", "--agency", "agensi-a", "--when", `direction == "in" && sender_domain == "iklan.test"`, "--do", "reject",
		"--text", "Iklan tidak diterima; no advertisements.", "--off", "--reason", "aduan 12")
	file := pathOf(t, "iklan.eml", letterFrom("jualan@iklan.test"))
	if got := lines[ruleTried](r, "policy", "rule", "test", "luar", file, "--agency", "agensi-a"); len(got) != 1 || !got[0].Matched || got[0].Action != "reject" {
		t.Errorf("tried: %+v", got)
	}
	advert := func(to ...string) error { return r.offer("jualan@iklan.test", to, letterFrom("jualan@iklan.test")) }
	if err := advert(a); err != nil {
		t.Errorf("a rule that is off: %v", err)
	}
	r.do("policy", "rule", "on", "luar", "--agency", "agensi-a")
	if said := detail(advert(a)); !strings.HasPrefix(said, "550 5.7.0 Disekat: peraturan luar (agensi-a) (insiden I-") || !strings.Contains(said, "no advertisements") {
		t.Errorf("the next message: %s", said)
	}
	if err := advert(b); err != nil {
		t.Errorf("another agency: %v", err)
	}
	found := false
	for _, in := range r.incidents() {
		found = found || in.Cause == "rule agensi-a/luar" && in.Agency == "agensi-a" && in.Class == "TERBUKA"
	}
	if !found {
		t.Errorf("no incident for the rule: %+v", r.incidents())
	}

	// Now the agencies differ: one mail from outside comes in two transactions.
	c, err := smtp.Dial(r.MX)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Hello("mx.luar.test"))
	for first, second := range map[string]string{a: b, b: a} {
		must(c.Mail("jualan@iklan.test", nil))
		must(c.Rcpt(first, nil))
		if said := detail(c.Rcpt(second, nil)); !strings.HasPrefix(said, "452 4.5.3 ") {
			t.Errorf("%s after %s: %s", second, first, said)
		}
		if first == a { // more of the same agency
			must(c.Rcpt("pegawai2@agensi-a.test", nil))
		}
		w, err := c.Data()
		must(err)
		_, err = w.Write([]byte(letterFrom("jualan@iklan.test")))
		must(err)
		if err := w.Close(); (err == nil) != (first == b) {
			t.Errorf("for %s: %v", first, err)
		}
	}

	// On submission the strictest applies, and the reply names the recipient.
	r.do("policy", "rule", "add", "tutup", "--agency", "agensi-b", "--when", `direction == "agency"`, "--do", "reject")
	err = r.submit("pegawai2@agensi-a.test", []string{a, b}, letterFrom("pegawai2@agensi-a.test"))
	if said := detail(err); !strings.HasPrefix(said, "550 5.7.0 Disekat: peraturan tutup (agensi-b) untuk "+b) {
		t.Errorf("submission: %s", said)
	}

	r.do("policy", "rule", "change", "luar", "--agency", "agensi-a", "--do", "tag")
	if err := advert(a); err != nil {
		t.Errorf("tagged: %v", err)
	}
	eventually(t, "a message with the tag of the rule", func() bool {
		for _, m := range r.inbox(a) {
			if strings.Contains(m, "X-Sampul-Rule: luar\r\n") {
				return true
			}
		}
		return false
	})
	h := lines[store.PolicyRule](r, "policy", "rule", "history", "luar", "--agency", "agensi-a")
	if len(h) != 3 || !h[0].Off || h[0].Reason != "aduan 12" || h[1].Off || h[2].Do != "tag" || !strings.HasPrefix(h[2].By, "operator") {
		t.Errorf("history: %+v", h)
	}
}
