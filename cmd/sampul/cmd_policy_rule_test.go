package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sampul/store"
)

func TestAgencyPolicyByCommand(t *testing.T) {
	p := newPlace(t)
	p.run(0, "agency", "set", "agensi-a", "--attachment-max", "10MiB", "--macros", "reject", "--guidance", "Guna pautan.",
		"--security-officer", "pegawai1@agensi-a.test,Pegawai2@agensi-a.test", "--reason", "kotak kecil")
	p.run(0, "agency", "set", "agensi-a", "--title", "Agensi A", "--attachment-count", "5", "--attachment-max", "default")
	var v agencyView
	p.json(&v, "agency", "show", "agensi-a")
	if v.Title != "Agensi A" || v.Policy.AttachmentMax != 0 || v.Policy.AttachmentCount != 5 || v.Policy.Macros != "reject" || v.Policy.Version != 2 || len(v.Policy.Officers) != 2 {
		t.Errorf("%+v", v)
	}
	if out := p.run(0, "agency", "show", "agensi-a"); !strings.Contains(out, "attachment max   25 MiB\n") || !strings.Contains(out, "executables      reject\n") || !strings.Contains(out, "policy version   2, ") {
		t.Error(out)
	}
	if out := p.run(0, "agency", "history", "agensi-a"); !strings.Contains(out, "kotak kecil") || !strings.Contains(out, "attachment-max=10MiB") || !strings.Contains(out, "by operator") {
		t.Error(out)
	}
	p.run(0, "agency", "set", "agensi-a", "--attachment-max", "25MiB")
	for _, bad := range [][]string{{"--attachment-max", "26MiB"}, {"--attachment-max", "26214401"}, {"--attachment-max", "0"}, {"--attachment-max", "banyak"}, {"--attachment-count", "0"},
		{"--executables", "mungkin"}, {"--internet-secret", "accept"}, {"--declare", "no"}, {"--guidance", "dua\nbaris"}, {"--security-officer", "bukan"}, {"--reason", "tiada apa"}} {
		p.run(2, append([]string{"agency", "set", "agensi-a"}, bad...)...)
	}
	p.run(3, "agency", "set", "tiada", "--macros", "tag")
	p.run(3, "agency", "history", "tiada")
}

func TestRulesByCommand(t *testing.T) {
	p := newPlace(t)
	rule := func(verb string, more ...string) []string {
		return append([]string{"policy", "rule", verb, "malam", "--agency", "agensi-a"}, more...)
	}
	p.run(0, rule("add", "--when", `direction == "in" && sender_domain == "luar.test"`, "--do", "reject", "--off", "--reason", "aduan 7")...)
	p.run(4, rule("add", "--when", "true", "--do", "tag")...)
	for _, bad := range [][]string{{"--when", "klas > 3", "--do", "tag"}, {"--when", "size", "--do", "tag"}, {"--when", `direction == "outbound"`, "--do", "tag"},
		{"--when", "true", "--do", "terbang"}, {"--when", "true"}, {"--do", "tag"}, {"--when", `subject == "x"`, "--do", "reject"}} {
		out := p.run(2, append([]string{"policy", "rule", "add", "lain", "--agency", "agensi-a"}, bad...)...)
		if strings.Contains(out, "panic") {
			t.Error(out)
		}
	}
	p.run(2, "policy", "rule", "add", "lain", "--when", "true", "--do", "tag")
	p.run(3, "policy", "rule", "add", "lain", "--agency", "tiada", "--when", "true", "--do", "tag")
	p.run(3, "policy", "rule", "show", "lain", "--agency", "agensi-a")

	dir := filepath.Join(filepath.Dir(p.dir), "surat")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"a.eml": "orang@luar.test", "b.eml": "orang@lain.test", "c.eml": "pegawai2@agensi-a.test"} {
		text := "From: " + from + "\r\nTo: pegawai1@agensi-a.test\r\nSubject: Jemputan\r\n\r\nIsi.\r\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]ruleTried{}
	for line := range strings.Lines(p.run(0, "policy", "rule", "test", "malam", dir, "--agency", "agensi-a", "--json")) {
		var l ruleTried
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(l.File)] = l
	}
	for name, want := range map[string]string{"a.eml": "reject", "b.eml": "accept", "c.eml": "accept"} {
		if l := got[name]; l.Action != want || l.Matched != (want == "reject") || l.Class != "TERBUKA" {
			t.Errorf("%s: %+v", name, l)
		}
	}
	p.run(0, "policy", "check", filepath.Join(dir, "a.eml"), "--direction", "in", "--agency", "agensi-a") // it is off
	p.run(0, rule("on", "--reason", "dicuba")...)
	p.run(0, rule("change", "--when", `direction == "in"`, "--text", "Esok; tomorrow.")...)
	out := p.run(1, "policy", "check", filepath.Join(dir, "a.eml"), "--direction", "in", "--agency", "agensi-a")
	if !strings.Contains(out, "reject") || !strings.Contains(out, "rule agensi-a/malam") {
		t.Errorf("check does not know the rule: %s", out)
	}
	p.run(0, "policy", "check", filepath.Join(dir, "a.eml"), "--direction", "in", "--agency", "agensi-b")
	if out := p.run(0, "policy", "rule", "list"); !strings.Contains(out, "malam") || !strings.Contains(out, "on ") {
		t.Error(out)
	}
	p.run(0, rule("off")...)
	p.run(0, rule("remove", "--reason", "sudah")...)
	p.run(3, rule("on")...)
	var h []store.PolicyRule
	for line := range strings.Lines(p.run(0, rule("history", "--json")...)) {
		var r store.PolicyRule
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		h = append(h, r)
	}
	if len(h) != 5 || h[0].Reason != "aduan 7" || !h[0].Off || h[1].Off || h[2].When != `direction == "in"` || !h[4].Removed || !strings.HasPrefix(h[0].By, "operator") || h[0].Time.IsZero() {
		t.Errorf("%+v", h)
	}
	p.run(0, "policy", "rule", "add", "semua", "--agency", "*", "--when", "size > 0", "--do", "tag")
	if out := p.run(0, "policy", "rule", "add", "--help"); !strings.Contains(out, "attachments") || !strings.Contains(out, "TERBUKA < TERHAD") {
		t.Errorf("help does not tell the variables: %s", out)
	}
}

func TestListsOfPolicyByCommand(t *testing.T) {
	p := newPlace(t)
	p.run(0, "policy", "kind", "allow", "lukisan", "--agency", "agensi-a", "--magic", "414331303332", "--extension", "dwg", "--reason", "pelan")
	p.run(2, "policy", "kind", "allow", "lukisan", "--agency", "agensi-a", "--magic", "4143", "--extension", "dwg", "--reason", "pelan")
	p.run(2, "policy", "kind", "allow", "lukisan", "--agency", "agensi-a", "--magic", "414331303332", "--extension", "dwg")
	if out := p.run(0, "policy", "kind", "list"); !strings.Contains(out, "lukisan") || !strings.Contains(out, "pelan") {
		t.Error(out)
	}
	p.run(0, "policy", "kind", "deny", "lukisan", "--agency", "agensi-a", "--reason", "tidak perlu")
	p.run(3, "policy", "kind", "deny", "lukisan", "--agency", "agensi-a", "--reason", "lagi")
	p.run(0, "policy", "allow", "add", "Peguam@luar.test", "--agency", "agensi-a", "--until", "2030-06-30", "--reason", "kes 9")
	p.run(2, "policy", "allow", "add", "pegawai1@agensi-b.test", "--agency", "agensi-a", "--reason", "x")
	var a store.PolicyPermission
	p.json(&a, "policy", "allow", "list", "--agency", "agensi-a")
	if a.Address != "peguam@luar.test" || a.Until.IsZero() || a.Reason != "kes 9" {
		t.Errorf("%+v", a)
	}
	p.run(0, "policy", "allow", "remove", "peguam@luar.test", "--agency", "agensi-a")
	const site, guid = "1b2c3d4e-0000-4000-8000-0123456789ab", "9f8e7d6c-0000-4000-8000-ba9876543210"
	p.run(0, "policy", "label", "add", site, guid, "RAHSIA", "BESAR")
	p.run(2, "policy", "label", "add", site, "bukan", "RAHSIA")
	if out := p.run(0, "policy", "label", "list"); !strings.Contains(out, "RAHSIA BESAR") {
		t.Error(out)
	}
	p.run(0, "policy", "label", "remove", site, guid)
	p.run(3, "policy", "label", "remove", site, guid)
}
