package filter

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// funcFilter is a filter for tests of the chain.
type funcFilter func(ctx context.Context, m *Mail) (*Outcome, error)

func (f funcFilter) Check(ctx context.Context, m *Mail) (*Outcome, error) { return f(ctx, m) }
func (f funcFilter) Close() error                                         { return nil }

// funcs is a chain of functions, called f0, f1 and so on.
func funcs(t *testing.T, opt Options, onError string, list ...funcFilter) *Chain {
	t.Helper()
	c, _ := chain(t, opt)
	for i, f := range list {
		name := "f" + string(rune('0'+i))
		c.links = append(c.links, &link{
			cfg:    Config{Name: name, Type: "test", Scope: []Scope{In}, OnError: onError, Timeout: time.Minute},
			filter: f,
			status: Status{Name: name, Results: map[string]uint64{}},
		})
	}
	return c
}

func says(o Outcome) funcFilter {
	return func(context.Context, *Mail) (*Outcome, error) { return &o, nil }
}

func TestStrictestWins(t *testing.T) {
	for _, tt := range []struct {
		name string
		says []Action
		want string // the action, and whose word it was
		last int    // how many are asked
	}{
		{"nobody objects", []Action{Accept, Accept}, "accept ", 2},
		{"one", []Action{Accept, Junk, Accept}, "junk f1", 3},
		{"the first of equals", []Action{Junk, Junk}, "junk f0", 2},
		{"a stricter one later", []Action{Junk, Quarantine, Junk}, "quarantine f1", 3},
		{"discard goes on: a virus is told", []Action{Discard, Reject}, "reject f1", 2},
		{"reject ends", []Action{Reject, Tempfail}, "reject f0", 1},
		{"tempfail ends", []Action{Tempfail, Reject}, "tempfail f0", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			var list []funcFilter
			for _, a := range tt.says {
				list = append(list, func(context.Context, *Mail) (*Outcome, error) {
					asked++
					return &Outcome{Action: a, Edits: []Edit{{Name: "X-A", Value: "1"}}}, nil
				})
			}
			o := ask(t, funcs(t, Options{}, "tempfail", list...), mail(plainText))
			if got := o.Action.String() + " " + o.Filter; got != tt.want || asked != tt.last {
				t.Errorf("got %s after %d were asked, want %s after %d", got, asked, tt.want, tt.last)
			}
			if o.Action >= Tempfail == (len(o.Edits) > 0) {
				t.Errorf("%v with %d edits", o.Action, len(o.Edits))
			}
		})
	}
}

// Each filter sees what those before it changed, and all of it together is the same
// message as step by step.
func TestNextSeesChanges(t *testing.T) {
	from := "lain@luar.test"
	content := func(s string) (io.ReadCloser, int64) {
		c, _ := chain(t, Options{})
		b := &newBody{spool: c.opt.Spool.Open()}
		b.Write([]byte(s))
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
		return b, b.spool.Size()
	}
	var seen []string
	look := func(m *Mail) {
		h, err := m.header()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(m.Body, m.contentStart(), m.Index.Size-m.contentStart()))
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, strings.ReplaceAll(string(h.visible())+string(b), "\r\n", "\n")+m.From+" "+strings.Join(m.To, " "))
	}
	c := funcs(t, Options{}, "tempfail",
		func(_ context.Context, m *Mail) (*Outcome, error) {
			look(m)
			body, size := content("satu\n")
			return &Outcome{
				// A second Received on top does not uncover ours.
				Edits: []Edit{{Op: Insert, Name: "Received", Value: "x"}, {Op: Change, Name: "X-Test", Index: 1, Value: "lain"}},
				Body:  body, BodySize: size, AddTo: []string{"baru@dalam.test"}, DropTo: []string{"pegawai1@dalam.test"},
			}, nil
		},
		func(_ context.Context, m *Mail) (*Outcome, error) {
			look(m)
			body, size := content("dua\n")
			return &Outcome{Edits: []Edit{{Op: Delete, Name: "Received", Index: 1}, {Op: Delete, Name: "X-Test", Index: 2}}, Body: body, BodySize: size,
				From: &from, DropTo: []string{"baru@dalam.test"}, AddTo: []string{"pegawai1@dalam.test"}}, nil
		},
		func(_ context.Context, m *Mail) (*Outcome, error) {
			look(m)
			return &Outcome{}, nil
		})
	m := mail(plainText)
	o := ask(t, c, m)
	ar := "Authentication-Results: mx.dalam.test; spf=pass\n"
	want := []string{
		ar + plainText + "orang@luar.test pegawai1@dalam.test pegawai2@dalam.test",
		"Received: x\n" + ar + "From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test: lain\nX-Test: dua\n\nsatu\norang@luar.test pegawai2@dalam.test baru@dalam.test",
		ar + "From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test: lain\n\ndua\nlain@luar.test pegawai2@dalam.test pegawai1@dalam.test",
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("they saw\n%q\nwant\n%q", seen, want)
	}
	p, msg := applied(t, m, o)
	if p != lfPrefix || msg != "From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test: lain\n\ndua\n" {
		t.Errorf("applied at once:\n%s\n%s", p, msg)
	}
	if len(o.AddTo)+len(o.DropTo) != 0 || *o.From != from {
		t.Errorf("the envelope changes by %v, %v, %v", o.AddTo, o.DropTo, *o.From)
	}
}

func TestFaultsOfAFilter(t *testing.T) {
	for name, bad := range map[string]funcFilter{
		"panic":        func(context.Context, *Mail) (*Outcome, error) { panic("oh") },
		"error":        func(context.Context, *Mail) (*Outcome, error) { return nil, errors.New("no") },
		"bad name":     says(Outcome{Edits: []Edit{{Name: "X:"}}}),
		"bad address":  says(Outcome{AddTo: []string{"x\r\ny@z.test"}}),
		"no outcome":   func(context.Context, *Mail) (*Outcome, error) { return nil, nil },
		"out of range": says(Outcome{Edits: make([]Edit, maxEdits+1)}),
	} {
		observed := ""
		observe := func(filter, result string, _ time.Duration) { observed += filter + " " + result + "; " }
		o := ask(t, funcs(t, Options{Observe: observe}, "tempfail", bad, says(Outcome{Action: Reject})), mail(plainText))
		if o.Action != Tempfail || o.Code != 451 || o.Enhanced != "4.7.1" || !strings.Contains(o.Text, "filter f0") || observed != "f0 error; " {
			t.Errorf("%s, tempfail: got %+v, %q", name, o, observed)
		}
		observed = ""
		o = ask(t, funcs(t, Options{Observe: observe}, "accept", bad, says(Outcome{Action: Junk})), mail(plainText))
		if o.Action != Junk || observed != "f0 error-accepted; f1 junk; " {
			t.Errorf("%s, accept: got %+v, %q", name, o, observed)
		}
	}
}

// A caller that has no time left is not a filter's fault, and is no reason to pass over.
func TestCallerGone(t *testing.T) {
	gone := errors.New("the client went")
	ctx, cancel := context.WithCancelCause(context.Background())
	c := funcs(t, Options{}, "accept", func(ctx context.Context, m *Mail) (*Outcome, error) {
		cancel(gone)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if o, err := c.Run(ctx, mail(plainText)); o != nil || !errors.Is(err, gone) {
		t.Errorf("got %+v, %v", o, err)
	}
	if s := c.Status()[0]; len(s.Results) != 0 {
		t.Errorf("it was counted: %v", s.Results)
	}
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the disk is gone") }

func TestMessageCannotBeRead(t *testing.T) {
	m := mail(plainText)
	m.Body = unreadable{}
	c := funcs(t, Options{}, "accept", says(Outcome{}))
	if _, err := c.Run(context.Background(), m); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("got %v", err)
	}
}

func TestScopes(t *testing.T) {
	c := funcs(t, Options{}, "tempfail", says(Outcome{Action: Junk}), says(Outcome{Action: Quarantine}))
	c.links[0].cfg.Scope, c.links[1].cfg.Scope = []Scope{Out, Relay}, []Scope{In}
	for scope, want := range map[Scope]Action{In: Quarantine, Out: Junk, Relay: Junk} {
		m := mail(plainText)
		m.Scope = scope
		if o := ask(t, c, m); o.Action != want {
			t.Errorf("%s: got %v, want %v", scope, o.Action, want)
		}
	}
	s := c.Status()
	if s[0].Results["junk"] != 2 || s[1].Results["quarantine"] != 1 || s[0].LastOK.IsZero() || s[0].LastError != "" {
		t.Errorf("status is %+v", s)
	}
}

func TestConfig(t *testing.T) {
	good := Config{Name: "a", Type: "clamd", Address: "unix:/run/s"}
	for _, tt := range []struct {
		name, err string
		change    func(*Config)
	}{
		{"a socket", "", func(*Config) {}},
		{"a port", "", func(c *Config) { c.Address = "127.0.0.1:3310" }},
		{"a URL", "", func(c *Config) { c.Type, c.Address = "rspamd", "http://127.0.0.1:11333/" }},
		{"no name", "name", func(c *Config) { c.Name = "" }},
		{"another type", "type", func(c *Config) { c.Type = "icap" }},
		{"no address", "address", func(c *Config) { c.Address = "" }},
		{"no port", "address", func(c *Config) { c.Address = "tcp:127.0.0.1" }},
		{"a relative path", "address", func(c *Config) { c.Address = "unix:s" }},
		{"a URL for clamd", "address", func(c *Config) { c.Address = "http://127.0.0.1:3310" }},
		{"a URL without host", "address", func(c *Config) { c.Type, c.Address = "rspamd", "http:///x" }},
		{"another policy", "on_error", func(c *Config) { c.OnError = "reject" }},
		{"another scope", "scope", func(c *Config) { c.Scope = []Scope{"inside"} }},
		{"a negative time", "timeout", func(c *Config) { c.Timeout = -1 }},
		{"scores for clamd", "rspamd", func(c *Config) { c.JunkScore = 5 }},
		{"junk above reject", "junk_score", func(c *Config) {
			c.Type, c.Address, c.RejectScore, c.JunkScore = "rspamd", "127.0.0.1:11333", 5, 6
		}},
		{"no password file", "password_file", func(c *Config) {
			c.Type, c.Address, c.PasswordFile = "rspamd", "127.0.0.1:11333", "/nonexistent/p"
		}},
	} {
		cfg := good
		tt.change(&cfg)
		_, err := NewChain([]Config{cfg}, Options{})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
		}
	}
	if _, err := NewChain([]Config{good, good}, Options{}); err == nil || !strings.Contains(err.Error(), "second") {
		t.Errorf("two filters of one name: %v", err)
	}
	c, _ := chain(t, Options{}, good, Config{Name: "b", Type: "milter", Address: "unix:/run/m"})
	if a, b := c.links[0].cfg, c.links[1].cfg; a.Timeout != 30*time.Second || b.Timeout != time.Minute || a.OnError != "tempfail" || len(a.Scope) != 3 {
		t.Errorf("what was left out is %+v, %+v", a, b)
	}
}
