package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run expects an exit code, and gives the output.
func run(t *testing.T, want int, args ...string) string {
	t.Helper()
	out, bad, exit := sampul(t, "kata laluan baik\n", args...)
	if exit != want {
		t.Fatalf("sampul %s: exit %d, want %d\n%s%s", strings.Join(args, " "), exit, want, out, bad)
	}
	return out + bad
}

func TestCommandLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := dir + ".toml"
	run(t, 0, "init", "--dir", dir, "--hostname", "mail.agensi-a.test")
	if fi, err := os.Stat(dir + ".key"); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", fi, err)
	}
	run(t, 0, "config", "check", file)
	run(t, 4, "init", "--dir", dir)
	for _, where := range [][]string{{"--dir", dir}, {"--config", file}} {
		with := func(args ...string) []string { return append(args, where...) }
		name := strings.TrimPrefix(where[0], "--")
		run(t, 0, with("agency", "add", name)...)
		run(t, 4, with("agency", "add", name)...)
		run(t, 0, with("domain", "add", name+".test", "--agency", name)...)
		run(t, 3, with("domain", "add", "lain.test", "--agency", "tiada")...)
		run(t, 0, with("account", "add", "pegawai@"+name+".test", "--password-file", "-")...)
		if out := run(t, 0, with("account", "password", "pegawai@"+name+".test")...); !strings.Contains(out, "password: ") {
			t.Errorf("no password was printed: %s", out)
		}
		run(t, 3, with("account", "password", "tiada@"+name+".test")...)
		run(t, 2, with("account", "add", "pegawai", "--no-password")...)
		run(t, 2, with("account", "add", "x@"+name+".test", "--role", "raja")...)
		run(t, 0, with("alias", "add", "aduan@"+name+".test", "pegawai@"+name+".test")...)
		var account map[string]any
		if err := json.Unmarshal([]byte(run(t, 0, with("account", "list", "--json")...)), &account); err == nil &&
			account["address"] != "pegawai@"+name+".test" {
			t.Errorf("account list: %v", account)
		}
		for _, c := range []string{"agency", "domain", "account", "alias", "incident", "queue"} {
			run(t, 0, with(c, "list")...)
		}
		run(t, 3, with("incident", "show", "I-2222-222")...)
		run(t, 0, with("store", "verify")...)
	}
	run(t, 2, "agency", "list")
	run(t, 2, "agency", "list", "--dir", dir, "--config", file)
	run(t, 2, "agency", "lst", "--dir", dir)
	run(t, 2, "agency", "add", "--dir", dir)
	run(t, 2, "no-such-command")
	run(t, 2, "agency", "list", "--no-such-flag")
	run(t, 3, "agency", "list", "--dir", filepath.Join(dir, "none"))
	run(t, 2, "demo", "--base-port", "65000")
	run(t, 2, "demo", "--resolver", "127.0.0.1")
	run(t, 0, "version", "--json")
	_, bad, _ := sampul(t, "", "agency", "add", "dir", "--dir", dir, "--json")
	var e errorLine
	if err := json.Unmarshal([]byte(bad), &e); err != nil || e.Error == nil || e.Error.Code != "exists" {
		t.Errorf("an error as JSON: %s", bad)
	}
}

// While a server runs its directory is its own: commands go by the socket, and what
// cannot is refused.
func TestCommandLineBesideAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("nama-panjang-", 9)) // longer than a socket's path may be
	r := startDemo(t, "--dir", dir)
	run(t, 0, "agency", "add", "agensi-c", "--dir", dir)
	run(t, 0, "domain", "add", "agensi-c.test", "--agency", "agensi-c", "--dir", dir)
	run(t, 0, "account", "add", "pegawai@agensi-c.test", "--password-file", "-", "--dir", dir)
	run(t, 4, "store", "verify", "--dir", dir)
	if fi, err := os.Stat(filepath.Join(dir, socketName)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", fi, err)
	}
	r.Accounts = append(r.Accounts, demoAccount{"pegawai@agensi-c.test", "kata laluan baik", ""})
	r.imap("pegawai@agensi-c.test")
	passwords := r.Accounts[0].Password
	r.terminate()
	again := startDemo(t, "--dir", dir, "--officers", "5")
	if again.Accounts[0].Password != passwords || len(again.Accounts) != 10 || again.OfficerPassword == "" {
		t.Errorf("a second start: %+v", again.demoReady)
	}
	again.imap("officer0004@agensi-a.test")
}

func TestPolicyCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := write("open.eml", letter("Rahsia kejayaan", newsletter))
	marked := write("marked.eml", withAttachment("Bahan", "bahan.zip", zipOf(t, map[string]string{"k.docx": string(docx(t, "RAHSIA BESAR"))})))
	if out := run(t, 0, "policy", "check", "--tsv", open); out != open+"\tTERBUKA\n" {
		t.Errorf("open: %q", out)
	}
	var l policyLine
	if err := json.Unmarshal([]byte(run(t, 1, "policy", "check", "--json", marked)), &l); err != nil {
		t.Fatal(err)
	}
	if l.Class != "RAHSIA BESAR" || l.Action != "reject" || len(l.Evidence) == 0 || !strings.Contains(l.Evidence[0].Part, "k.docx") {
		t.Errorf("marked: %+v", l)
	}
	run(t, 2, "policy", "check", "--direction", "sideways", open)
	run(t, 2, "policy", "check")
	run(t, 1, "policy", "check", filepath.Join(dir, "none.eml"))
}

// The check reads the files that serve would read, and names the setting of each that is
// not what it should be.
func TestConfigCheckReadsNamedFiles(t *testing.T) {
	file := pathOf(t, "sampul.toml", `
hostname = "mail.agensi-a.test"
data_dir = "data"
key_file = "key"

[tls]
cert = "tiada.pem"
key = "tiada.key"

[outbound]
trust_ca = "sampul.toml"

[[filter]]
name = "spam"
type = "rspamd"
address = "127.0.0.1:11333"
scope = ["in"]
on_error = "accept"
password_file = "tiada"

[[listener]]
kind = "mx"
address = ":25"
client_ca = "sampul.toml"
`)
	out := run(t, 1, "config", "check", file)
	for _, want := range []string{"listener 1 (mx): tls: ", "listener 1 (mx): client_ca: ", "outbound.trust_ca: ", "filter spam: password_file: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
