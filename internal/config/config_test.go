package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `
hostname = "mail.agensi-a.test"
data_dir = "data"
key_file = "key"
http = "127.0.0.1:9090"
max_message = "25MiB"

[log]
format = "json"

[[listener]]
kind = "mx"
address = ":25"
idle = "2m"
bare_lf = "fix"

[[listener]]
kind = "imap"
address = "127.0.0.1:143"
plaintext_login = true
max_message = 1000000
`

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sampul.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestGoodFile(t *testing.T) {
	c, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxMessage != 25<<20 || len(c.Listeners) != 2 || c.Listeners[0].Idle != Duration(2*time.Minute) ||
		c.Listeners[1].MaxMessage != 1000000 || !c.Listeners[1].IMAP() || c.Log.Level != "info" || !filepath.IsAbs(c.KeyFile) {
		t.Errorf("%+v", c)
	}
}

func TestBadFilesSayWhere(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`idle = "2m"`, `idel = "2m"`, `line 14: unknown key "listener.idel"`},
		{`idle = "2m"`, `idle = 5`, `with its unit`},
		{`idle = "2m"`, `idle = "soon"`, `line 14`},
		{`kind = "mx"`, `kind = "smtp"`, "listener 1"},
		{`":25"`, `"25"`, "host:port"},
		{`"127.0.0.1:143"`, `":143"`, "plaintext_login"},
		{`"25MiB"`, `"25 MB"`, "size"},
		{`"25MiB"`, `"1"`, "max_message"},
		{`"127.0.0.1:9090"`, `":9090"`, "loopback"},
		{`key_file = "key"`, `key_file = "data/key"`, "takes the data"},
		{`key_file = "key"`, ``, "sampul init"},
		{`hostname = "mail.agensi-a.test"`, ``, "hostname"},
		{`kind = "mx"`, `kind = "imaps"`, "certificate"},
		{`"json"`, `"xml"`, "log.format"},
		{`bare_lf = "fix"`, `bare_lf = "keep"`, "refuse or fix"},
		{`hostname`, `hostname = =`, "line 2"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q is not in the good file", c.from)
		}
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Parse(b); err == nil {
			c.check()
		}
	})
}
