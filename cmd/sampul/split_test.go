package main

import (
	"fmt"
	"strings"
	"testing"

	"sampul/internal/peers"
)

// person adds an account with a password that is known.
func (r *running) person(address string) {
	r.t.Helper()
	const password = "kata-laluan-ujian"
	_, bad, exit := sampul(r.t, password+"\n", "account", "add", address, "--password-file", "-", "--dir", r.DataDir)
	if exit != 0 {
		r.t.Fatalf("account add: exit %d: %s", exit, bad)
	}
	r.Accounts = append(r.Accounts, demoAccount{Address: address, Password: password})
}

// Two addresses live here, two on a Postfix: each writes to each, in both directions, and
// all twelve letters arrive once.
func TestSplit(t *testing.T) {
	r := startDemo(t)
	pf := peers.Postfix(t, peers.PostfixOptions{Domains: []string{"belah.test"}, Users: []string{"p1@belah.test", "p2@belah.test"}, Relay: true,
		Transport: map[string]string{"s1@belah.test": "smtp:[127.0.0.1]:" + portOf(r.MX), "s2@belah.test": "smtp:[127.0.0.1]:" + portOf(r.MX)}})
	r.do("agency", "add", "belah")
	r.do("domain", "add", "belah.test", "--agency", "belah")
	r.person("s1@belah.test")
	r.person("s2@belah.test")
	table := pathOf(t, "split.csv", "address,where\ns1@belah.test,here\ns2@belah.test,here\np1@belah.test,elsewhere\np2@belah.test,elsewhere\n")
	r.do("domain", "route", "belah.test", "split", "--to", pf.Address, "--default", "elsewhere", "--table", table)
	all := []string{"s1@belah.test", "s2@belah.test", "p1@belah.test", "p2@belah.test"}
	for _, from := range all {
		for _, to := range all {
			if from == to {
				continue
			}
			text := note(from, to, from+" kepada "+to)
			if from[0] == 'p' {
				pf.Send(t, from, []string{to}, text)
			} else if err := r.submit(from, []string{to}, text); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
		}
	}
	for _, to := range all {
		var got []string
		if to[0] == 'p' {
			got = pf.Mail(t, to, 3)
		} else {
			eventually(t, "three letters for "+to, func() bool { return len(r.inbox(to)) >= 3 })
			got = r.inbox(to)
		}
		if len(got) != 3 {
			t.Errorf("%s has %d letters", to, len(got))
		}
		for _, from := range all {
			n := 0
			for _, m := range got {
				if strings.Contains(m, "Subject: "+from+" kepada "+to) {
					n++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[from == to]; n != want {
				t.Errorf("%s has %d letters of %s", to, n, from)
			}
		}
	}
	if q := r.queue(); len(q) != 0 {
		t.Errorf("left in the queue: %+v", q)
	}

	// Nobody there has the address: said at RCPT, since the other server was asked.
	if err := r.submit("s1@belah.test", []string{"tiada@belah.test"}, note("s1@belah.test", "tiada@belah.test", "Tiada")); err == nil || !strings.HasPrefix(detail(err), "550 5.1.1") {
		t.Errorf("an unknown address: %s", detail(err))
	}
	pf.Stop()
	if err := r.offer("orang@luar.test", []string{"p3@belah.test"}, note("orang@luar.test", "p3@belah.test", "Mati")); err == nil || !strings.HasPrefix(detail(err), "450 4.4.1") {
		t.Errorf("the other server down: %s", detail(err))
	}
}

// Both sides point at each other for an address that nobody has: one notification, and no
// more than five hops.
func TestSplitLoop(t *testing.T) {
	r := startDemo(t)
	us := "smtp:[127.0.0.1]:" + portOf(r.MX)
	pf := peers.Postfix(t, peers.PostfixOptions{Domains: []string{"surat.test"}, Users: []string{"p1@surat.test"}, RelayDomains: []string{"gelung.test"}, Relay: true,
		Transport: map[string]string{"gelung.test": us, "agensi-a.test": us}})
	r.do("agency", "add", "gelung")
	r.do("domain", "add", "gelung.test", "--agency", "gelung")
	r.do("domain", "route", "gelung.test", "split", "--to", pf.Address, "--default", "elsewhere", "--table", pathOf(t, "t.csv", "address,where\n"))
	// From here: refused at once, or bounced once.
	err := r.submit("pegawai1@agensi-a.test", []string{"hantu@gelung.test"}, note("pegawai1@agensi-a.test", "hantu@gelung.test", "Gelung"))
	if err == nil {
		eventually(t, "the notification", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) >= 1 })
		m := r.inbox("pegawai1@agensi-a.test")[0]
		if !strings.Contains(m, "5.4.6") {
			t.Errorf("the notification does not speak of a loop:\n%s", m)
		}
	} else if detail(err)[0] != '5' {
		t.Errorf("from here: %s", detail(err))
	}
	// From there.
	pf.Send(t, "p1@surat.test", []string{"hantu@gelung.test"}, note("p1@surat.test", "hantu@gelung.test", "Gelung"))
	m := pf.Mail(t, "p1@surat.test", 1)[0]
	_, returned, _ := strings.Cut(m, "message/rfc822")
	if returned == "" {
		_, returned, _ = strings.Cut(m, "text/rfc822-headers")
	}
	if hops := strings.Count(returned, "\nReceived:"); hops > 5 {
		t.Errorf("%d hops:\n%s", hops, returned)
	}
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
	if n := len(r.inbox("pegawai1@agensi-a.test")); n > 1 {
		t.Errorf("%d notifications", n)
	}
	if got := pf.Mail(t, "p1@surat.test", 1); len(got) != 1 {
		t.Errorf("%d notifications there", len(got))
	}
}

// Addresses that move wait in the queue until the table says where they live.
func TestMoving(t *testing.T) {
	r := startDemo(t)
	port := freePort(t, "127.0.0.1")
	other := startRemote(t, "127.0.0.1", port, nil)
	r.do("agency", "add", "pindah")
	r.do("domain", "add", "pindah.test", "--agency", "pindah")
	r.person("a@pindah.test")
	table := func(a, b string) {
		r.do("domain", "route", "pindah.test", "split", "--to", other.addr, "--default", "here", "--table",
			pathOf(t, "t.csv", fmt.Sprintf("a@pindah.test,%s\nb@pindah.test,%s\n", a, b)))
	}
	table("moving", "moving")
	if err := r.offer("orang@luar.test", []string{"a@pindah.test", "b@pindah.test"}, note("orang@luar.test", "a@pindah.test", "Pindah")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason", func() bool {
		q := r.queue()
		return len(q) == 1 && len(q[0].Recipients) == 2 && strings.Contains(q[0].Recipients[0].Text, "moving")
	})
	table("here", "elsewhere")
	eventually(t, "the letter here", func() bool { return len(r.inbox("a@pindah.test")) == 1 })
	if got := other.wait(t, 1); len(got) != 1 || got[0].to[0] != "b@pindah.test" {
		t.Errorf("there: %+v", got)
	}
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// A loop through an alias of ours, and through an account that sends on: one notification
// each, and no more than five hops.
func TestSplitLoopByAlias(t *testing.T) {
	r := startDemo(t)
	us := "smtp:[127.0.0.1]:" + portOf(r.MX)
	pf := peers.Postfix(t, peers.PostfixOptions{Domains: []string{"surat.test"}, Users: []string{"p1@surat.test"}, RelayDomains: []string{"gelung.test"}, Relay: true,
		Transport: map[string]string{"gelung.test": us, "agensi-a.test": us}})
	for name, addr := range map[string]string{"gelung": pf.Address, "surat": pf.Address} {
		r.do("agency", "add", name)
		r.do("domain", "add", name+".test", "--agency", name)
		r.do("domain", "route", name+".test", "split", "--to", addr, "--default", "elsewhere", "--table", pathOf(t, name, "address,where\n"))
	}
	r.do("alias", "add", "jalan@agensi-a.test", "hantu@gelung.test")
	r.do("account", "forward", "pegawai2@agensi-a.test", "--to", "hantu2@gelung.test", "--only")
	for i, to := range []string{"jalan@agensi-a.test", "pegawai2@agensi-a.test"} {
		pf.Send(t, "p1@surat.test", []string{to}, note("p1@surat.test", to, "Gelung lagi"))
		m := pf.Mail(t, "p1@surat.test", i+1)[i]
		_, returned, _ := strings.Cut(m, "rfc822")
		if hops := strings.Count(returned, "\nReceived:"); returned == "" || hops > 5 {
			t.Errorf("%s: %d hops:\n%s", to, hops, m)
		}
	}
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
	if got := pf.Mail(t, "p1@surat.test", 2); len(got) != 2 {
		t.Errorf("%d notifications", len(got))
	}
}
