package route

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampul/store"
)

var ctx = context.Background()

func routes(f *fake, p Prober) *Routes {
	return New(Options{Directory: f, Prober: p, Postmaster: "ketua@a.test", Clock: func() time.Time { return now }})
}

// show writes a decision as a test reads it: a recipient is #ID or an address, with what
// is particular to it.
func show(d *Decision) string {
	if d.Refused != nil {
		return fmt.Sprintf("%d %s", d.Refused.Code, d.Refused.Enhanced)
	}
	var out []string
	for _, r := range d.Recipients {
		s := r.Path
		if r.Account != 0 {
			s = fmt.Sprint("#", r.Account)
		}
		if r.From != "" {
			s += "<" + r.From
		}
		if r.Via != "" {
			s += "^" + r.Via
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func hasStep(d *Decision, rule, text string) bool {
	return slices.ContainsFunc(d.Steps, func(s Step) bool { return s.Rule == rule && strings.Contains(s.Result, text) })
}

var (
	officer1 = &store.Account{ID: 1, Address: "p1@a.test", Agency: "agensi-a"}
	officerB = &store.Account{ID: 11, Address: "p1@b.test", Agency: "agensi-b"}
)

func TestRcpt(t *testing.T) {
	f := world()
	f.alias("aduan@a.test", "p1@a.test")
	f.alias("lama@a.test", "p1@a.test", now)
	f.alias("baru@a.test", "p1@a.test", now.Add(1))
	f.alias("lama@b.test", "p1@b.test", now)
	f.alias("x1@a.test", "x2@a.test")
	f.alias("x2@a.test", "x1@a.test")
	f.alias("bantuan@a.test", "aduan@a.test")
	f.alias("alih@pindah.test", "sini@pindah.test")
	f.alias("hantu@a.test", "tiada@a.test")
	f.group("ramai@pindah.test", []string{"anyone"}, "p1@a.test")
	f.group("ramai@a.test", nil, "p1@a.test")
	p := &prober{says: map[string]string{"jauh@rumah.test": "250 ok", "belum@pindah.test": "250 ok", "hilang@pindah.test": "550 5.1.1 no\r\nsuch\x01 user", "sibuk@pindah.test": "450 later"}}
	r := routes(f, p)
	for _, c := range []struct {
		name, address string
		sender        *store.Account
		inside        bool
		want          string
		rule, text    string // a step
	}{
		{"an account", "p1@a.test", nil, false, "#1", "account", "p1@a.test"},
		{"as it was written", "P1@A.TEST", nil, false, "#1", "", ""},
		{"with a tag", "p1+bil@a.test", nil, false, "#1", "subaddress", "bil"},
		{"nobody", "tiada@a.test", nil, false, "550 5.1.1", "account", "nobody"},
		{"a tag of nobody", "tiada+x@a.test", nil, false, "550 5.1.1", "", ""},
		{"nothing before the tag", "+x@a.test", nil, false, "550 5.1.1", "", ""},
		{"an address that cannot be", "a b@a.test", nil, false, "550 5.1.1", "", ""},
		{"an application", "apl@a.test", nil, false, "550 5.1.1", "account", "application"},
		{"postmaster", "PostMaster@a.test", nil, false, "#3^PostMaster@a.test", "postmaster", "ketua"},
		{"an alias", "aduan@a.test", nil, false, "#1^aduan@a.test", "alias", "p1@a.test"},
		{"an alias of an alias", "bantuan@a.test", nil, false, "#1^bantuan@a.test", "", ""},
		{"an alias with a tag", "aduan+x@a.test", nil, false, "#1^aduan+x@a.test", "subaddress", "x"},
		{"an alias at its end", "lama@a.test", nil, false, "550 5.1.1", "alias", "ended"},
		{"an ended alias with a tag", "lama+x@a.test", nil, false, "550 5.1.1", "", ""},
		{"an alias just before", "baru@a.test", nil, false, "#1^baru@a.test", "", ""},
		{"an ended alias and a catch-all", "lama@b.test", nil, false, "#10^lama@b.test", "catch-all", "semua"},
		{"aliases in a circle", "x1@a.test", nil, false, "550 5.4.6", "depth", "in a row"},
		{"an alias of nobody", "hantu@a.test", nil, false, "550 5.1.1", "", ""},
		{"a catch-all", "apa-apa@b.test", nil, false, "#10^apa-apa@b.test", "catch-all", "semua@b.test"},
		{"a tag on a group", "ramai+x@a.test", officer1, true, "550 5.1.1", "", ""},

		{"outside, a stranger", "orang@luar.test", nil, false, "550 5.7.1", "relay", "logged in"},
		{"outside, logged in", "Orang@luar.test", officer1, true, "Orang@luar.test", "route", "MX"},
		{"outside, from a server of ours", "orang@luar.test", nil, true, "orang@luar.test", "", ""},
		{"an address literal", "orang@[192.0.2.1]", officer1, true, "orang@[192.0.2.1]", "", ""},
		{"a domain below ours", "p1@sub.a.test", nil, false, "550 5.7.1", "", ""},

		{"reject", "p@tutup.test", nil, false, "550 5.7.1", "route", "ditutup"},
		{"reject without text", "p@diam.test", officer1, true, "550 5.7.1", "", ""},
		{"smarthost", "sesiapa@pintar.test", nil, false, "sesiapa@pintar.test", "route", "smarthost 10.0.0.1:25"},
		{"smarthost keeps tags", "a+b@pintar.test", nil, false, "a+b@pintar.test", "", ""},
		{"lmtp", "sesiapa@lmtp.test", nil, false, "sesiapa@lmtp.test", "route", "lmtp 10.0.0.2:24"},

		{"split: here", "sini@pindah.test", nil, false, "#20", "table", "here"},
		{"split: here with a tag", "sini+x@pindah.test", nil, false, "#20", "subaddress", "x"},
		{"split: here and nobody", "tiada@pindah.test", nil, false, "550 5.1.1", "table", "here"},
		{"split: moving", "dua@pindah.test", nil, false, "dua@pindah.test", "moving", "until"},
		{"split: moving with a tag", "dua+x@pindah.test", nil, false, "dua+x@pindah.test", "", ""},
		{"split: default elsewhere, though an account is made here", "belum@pindah.test", nil, false, "belum@pindah.test", "default", "elsewhere"},
		{"split: the other server says no", "hilang@pindah.test", nil, false, "550 5.1.1", "ask", "no such user"},
		{"split: the other server says later", "sibuk@pindah.test", nil, false, "450 4.4.1", "", ""},
		{"split: the other server is down", "mati@pindah.test", nil, false, "450 4.4.1", "ask", "does not answer"},
		{"split: default here", "ada@rumah.test", nil, false, "#22", "default", "here"},
		{"split: default here and nobody", "tiada@rumah.test", nil, false, "550 5.1.1", "", ""},
		{"split: elsewhere by the table", "jauh@rumah.test", nil, false, "jauh@rumah.test", "ask", "takes mail"},
		{"split: an alias is followed", "alih@pindah.test", nil, false, "#20^alih@pindah.test", "", ""},
		{"split: an alias with a tag", "alih+x@pindah.test", nil, false, "#20^alih+x@pindah.test", "subaddress", "x"},
		{"split: a group is followed", "ramai@pindah.test", officer1, true, "#1<" + r.bounces.path("ramai@pindah.test", "") + "^ramai@pindah.test", "", ""},

		{"held, with a mailbox", "p@tahan.test", nil, false, "p@tahan.test", "hold", "penyelenggaraan"},
		{"held, and the other server is down", "x@tahan-s.test", nil, false, "x@tahan-s.test", "hold", ""},
		{"held smarthost", "x@tahan-pk.test", nil, false, "x@tahan-pk.test", "hold", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := r.Rcpt(ctx, Request{Address: c.address, From: "orang@luar.test", Sender: c.sender, Inside: c.inside})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(d); got != c.want {
				t.Errorf("got %s, want %s\n%v", got, c.want, d.Steps)
			}
			if c.rule != "" && !hasStep(d, c.rule, c.text) {
				t.Errorf("no step %s: ...%s... in %v", c.rule, c.text, d.Steps)
			}
			if d.Final == "" || (d.Refused != nil) != strings.HasPrefix(d.Final, "refused: ") {
				t.Errorf("final %q", d.Final)
			}
		})
	}
	for _, a := range p.asked {
		if !strings.Contains(a, "from=<>") {
			t.Errorf("asked with a reverse-path: %s", a)
		}
	}
}

// Recipients of our domains carry the agency, so that policy knows the direction.
func TestRecipientsHaveTheirAgency(t *testing.T) {
	r := routes(world(), &prober{})
	for address, want := range map[string]string{"p1@b.test": "agensi-b", "x@pintar.test": "agensi-a", "dua@pindah.test": "agensi-a", "orang@luar.test": ""} {
		d, err := r.Rcpt(ctx, Request{Address: address, Sender: officer1, Inside: true})
		if err != nil || d.Recipients[0].Agency != want {
			t.Errorf("%s: %+v, %v", address, d.Recipients, err)
		}
	}
}

// A yes of the other server is believed for five minutes, a no for one, silence not at all.
func TestAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &prober{says: map[string]string{"ada@pindah.test": "250 ok", "hilang@pindah.test": "550 no"}}
		r := New(Options{Directory: world(), Prober: p})
		count := func(address string) int {
			t.Helper()
			p.asked = nil
			if _, err := r.Rcpt(ctx, Request{Address: address}); err != nil {
				t.Fatal(err)
			}
			return len(p.asked)
		}
		for _, c := range []struct {
			address string
			wait    time.Duration
			asked   int
		}{
			{"ada@pindah.test", 0, 1}, {"ADA@pindah.test", yesFor - 1, 0}, {"ada@pindah.test", 1, 1},
			{"hilang@pindah.test", 0, 1}, {"hilang@pindah.test", noFor - 1, 0}, {"hilang@pindah.test", 1, 1},
			{"mati@pindah.test", 0, 1}, {"mati@pindah.test", 0, 1},
		} {
			time.Sleep(c.wait)
			if got := count(c.address); got != c.asked {
				t.Errorf("%s after %v: asked %d times, want %d", c.address, c.wait, got, c.asked)
			}
		}
	})
}

// slow never answers.
type slow struct{}

func (slow) Probe(ctx context.Context, _ Hop, _, _ string) (int, string, string, error) {
	<-ctx.Done()
	return 0, "", "", ctx.Err()
}

func TestASilentServerIsWaitedForOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		d, err := New(Options{Directory: world(), Prober: slow{}, ProbeTime: 7 * time.Second}).Rcpt(ctx, Request{Address: "x@pindah.test"})
		if err != nil || show(d) != "450 4.4.1" || time.Since(began) != 7*time.Second {
			t.Errorf("%s after %v, %v", show(d), time.Since(began), err)
		}
	})
}

// mirror is another suite that thinks we have the address: it asks us.
type mirror struct {
	r      *Routes
	inside bool
	client netip.Addr
	asked  int
}

func (m *mirror) Probe(ctx context.Context, _ Hop, from, to string) (int, string, string, error) {
	if m.asked++; m.asked > 5 {
		return 0, "", "", fmt.Errorf("asked without end")
	}
	d, err := m.r.Rcpt(ctx, Request{Address: to, From: from, Inside: m.inside, Client: m.client})
	switch {
	case err != nil:
		return 0, "", "", err
	case d.Refused != nil:
		return d.Refused.Code, d.Refused.Enhanced, d.Refused.Text, nil
	}
	return 250, "2.1.5", "ok", nil
}

func TestTwoServersDoNotAskEachOtherWithoutEnd(t *testing.T) {
	for _, tt := range []struct {
		inside bool
		client string
		names  bool // the route names the server
		want   string
	}{
		{true, "192.0.2.9", false, "550 5.1.1"}, {false, "192.0.2.9", false, "450 4.4.1"}, {false, "10.0.0.3", false, "550 5.1.1"},
		{false, "10.0.0.3", true, "550 5.1.1"}, {false, "192.0.2.9", true, "450 4.4.1"},
	} {
		inside, want := tt.inside, tt.want
		m := &mirror{inside: inside, client: netip.MustParseAddr(tt.client)}
		f := world()
		if tt.names {
			d := f.domains["pindah.test"]
			d.Route.Host = "lain.pindah.test:25"
			f.domains["pindah.test"] = d
		}
		m.r = routes(f, m)
		m.r.o.Addresses = func(_ context.Context, host string) []netip.Addr {
			if host != "lain.pindah.test" {
				t.Errorf("addresses of %s", host)
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.3")}
		}
		d, err := m.r.Rcpt(ctx, Request{Address: "sesiapa@pindah.test", From: "orang@luar.test"})
		if err != nil || show(d) != want || m.asked != 1 {
			t.Errorf("inside %v: %s after %d questions, %v; want %s", inside, show(d), m.asked, err, want)
		}
		m.r.o.Prober = &prober{says: map[string]string{"lain@pindah.test": "250 ok"}}
		if d, err := m.r.Rcpt(ctx, Request{Address: "lain@pindah.test"}); err != nil || show(d) != "lain@pindah.test" {
			t.Errorf("a bounce for another address: %s, %v", show(d), err)
		}
	}
}

func TestExplain(t *testing.T) {
	f := world()
	f.group("ramai@a.test", []string{"anyone"}, "p1@a.test", "orang@luar.test", "tiada@a.test")
	p := &prober{}
	r := routes(f, p)
	for address, final := range map[string]string{
		"p1@a.test":       "mailbox p1@a.test",
		"x@pintar.test":   "smarthost 10.0.0.1:25",
		"x@lmtp.test":     "lmtp 10.0.0.2:24",
		"x@pindah.test":   "elsewhere 10.0.0.3:25",
		"dua@pindah.test": "queue: dua@pindah.test is moving",
		"p@tahan.test":    "queue: tahan.test is held: penyelenggaraan",
		"tiada@a.test":    "refused: nobody has this address here",
		"ramai@a.test":    "2 recipients: mailbox p1@a.test, MX of luar.test",
	} {
		d, err := r.Explain(ctx, address)
		if err != nil || d.Final != final || d.Address != address || d.Agency != "agensi-a" || len(d.Steps) == 0 {
			t.Errorf("%s: got %+v, %v; want %q", address, d, err, final)
		}
	}
	if len(p.asked) != 0 {
		t.Errorf("explaining asked %v", p.asked)
	}
}
