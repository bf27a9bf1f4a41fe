package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mail = good + `
[[listener]]
kind = "lmtp"
address = "unix:/run/sampul/lmtp"
xclient = ["10.0.0.0/8"]
clients = ["10.1.2.3"]

[outbound]
security = "verified"
trust_ca = "ca.pem"
lifetime = "72h"

[outbound.destinations]
"jauh.test" = "dane-only"

[defence]
threshold = 4.5
dnsbl = [{ zone = "bl.test", score = 5, match = "127.0.0.0/24" }]

[[filter]]
name = "virus"
type = "clamd"
address = "unix:/run/clamd.sock"
scope = ["in", "out", "relay"]
timeout = "30s"
on_error = "tempfail"
`

func TestMailSettings(t *testing.T) {
	c, err := load(t, mail)
	if err != nil {
		t.Fatal(err)
	}
	if c.Outbound.Destinations["jauh.test"] != "dane-only" || !filepath.IsAbs(c.Outbound.TrustCA) ||
		c.Defence.DNSBL[0].Zone != "bl.test" || c.Filters[0].Scope[2] != "relay" || c.TraceDays != 30 || len(c.Listeners[2].XCLIENT) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestBadMailSettingsSayWhere(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"10.0.0.0/8"`, `"10.0.0.0/99"`, "xclient"},
		{`security = "verified"`, `security = "strong"`, "outbound.security"},
		{`"dane-only"`, `"dane"`, "outbound.destinations.jauh.test"},
		{`lifetime = "72h"`, `lifetime = 72`, "with its unit"},
		{`kind = "lmtp"`, `kind = "imap"`, "SMTP or LMTP"},
		{"kind = \"lmtp\"\naddress = \"unix:/run/sampul/lmtp\"", "kind = \"mx\"\naddress = \":2525\"", "clients is for lmtp"},
		{`"unix:/run/sampul/lmtp"`, `":25"`, "listener 1 has this address"},
		{`zone = "bl.test"`, `zone = "bl test"`, "no zone"},
		{`trust_ca = "ca.pem"`, `trust_sealers = ["https://sealer.test"]`, "no domain"},
		{`score = 5,`, `score = 0,`, "score above 0"},
		{`match = "127.0.0.0/24"`, `match = "yes"`, "match"},
		{`name = "virus"`, `name = ""`, "filter 1"},
		{`type = "clamd"`, `type = "clam"`, "clamd, rspamd or milter"},
		{`"unix:/run/clamd.sock"`, `"run/clamd.sock"`, "address"},
		{`"unix:/run/clamd.sock"`, `"inet:3310"`, "address"},
		{`"relay"]`, `"both"]`, "scope"},
		{`on_error = "tempfail"`, ``, "on_error"},
		{`on_error = "tempfail"`, `on_error = "tempfail"` + "\njunk_score = 6", "rspamd"},
	} {
		text := strings.Replace(mail, c.from, c.to, 1)
		if text == mail {
			t.Fatalf("%q is not in the file", c.from)
		}
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}

func TestFilterFileHoldsFiltersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filters.toml")
	only := mail[strings.Index(mail, "[[filter]]"):]
	for _, c := range []struct{ text, want string }{
		{only, ""},
		{mail, "only [[filter]]"},
		{strings.Replace(only, "clamd", "x", 1), "filter 1"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadFilters(path)
		if c.want == "" && (err != nil || len(got) != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, %v; want %q", got, err, c.want)
		}
	}
}

// Addresses may be written as other servers write them.
func TestFilterAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"unix:/run/a": "unix:/run/a", "/run/a": "unix:/run/a", "local:/run/a": "unix:/run/a", "unix:///run/a": "unix:/run/a",
		"127.0.0.1:3310": "127.0.0.1:3310", "tcp:h:1": "tcp:h:1", "tcp://h:1": "tcp:h:1", "inet:h:1": "tcp:h:1", "inet:1@h": "h:1", "inet:1@::1": "[::1]:1",
	} {
		c, err := load(t, strings.Replace(mail, "unix:/run/clamd.sock", in, 1))
		if err != nil || c.Filters[0].Address != want {
			t.Errorf("%s: %+v, %v, want %s", in, c, err, want)
		}
	}
	rspamd := strings.NewReplacer("unix:/run/clamd.sock", "http://127.0.0.1:11333/x", `"clamd"`, `"rspamd"`).Replace(mail)
	if c, err := load(t, rspamd); err != nil || c.Filters[0].Address != "http://127.0.0.1:11333/x" {
		t.Errorf("a URL: %v", err)
	}
}
