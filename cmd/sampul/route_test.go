package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/mta/route"
	"sampul/store"
	"sampul/store/bolt"
)

// A place is a suite that a test gives commands to.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) *place {
	p := &place{t, filepath.Join(t.TempDir(), "data")}
	p.run(0, "init", "--hostname", "mail.agensi-a.test")
	for _, a := range []string{"agensi-a", "agensi-b"} {
		p.run(0, "agency", "add", a)
		p.run(0, "domain", "add", a+".test", "--agency", a)
		for _, u := range []string{"pegawai1@", "pegawai2@"} {
			p.run(0, "account", "add", u+a+".test", "--no-password")
		}
	}
	return p
}

func (p *place) run(want int, args ...string) string {
	p.t.Helper()
	return run(p.t, want, append(args, "--dir", p.dir)...)
}

// json gives what a command prints with --json, read into v.
func (p *place) json(v any, args ...string) {
	p.t.Helper()
	out := p.run(0, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		p.t.Fatalf("%v: %v: %s", args, err, out)
	}
}

func (p *place) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(filepath.Dir(p.dir), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *place) final(address, want string) {
	p.t.Helper()
	var d route.Decision
	p.json(&d, "route", "explain", address)
	if d.Final != want || d.Address != address || len(d.Steps) == 0 {
		p.t.Errorf("%s: %q, want %q; %v", address, d.Final, want, d.Steps)
	}
}

func TestRoutesByCommand(t *testing.T) {
	p := newPlace(t)
	p.final("pegawai1@agensi-a.test", "mailbox pegawai1@agensi-a.test")
	p.final("orang@luar.test", "MX of luar.test")
	p.run(2, "route", "explain", "orang")
	p.run(0, "domain", "route", "agensi-a.test", "reject", "--text", "sudah ditutup")
	p.final("pegawai1@agensi-a.test", "refused: sudah ditutup")
	auth := p.file("auth", "suite:kunci rahsia\n")
	p.run(0, "domain", "route", "agensi-a.test", "smarthost", "10.0.0.1:25", "--tls", "verify", "--auth-file", auth)
	p.final("sesiapa@agensi-a.test", "smarthost 10.0.0.1:25")
	for _, c := range [][]string{{"domain", "show", "agensi-a.test"}, {"domain", "list"}, {"domain", "route", "agensi-a.test"}} {
		for _, more := range [][]string{nil, {"--json"}} {
			if out := p.run(0, append(c, more...)...); strings.Contains(out, "kunci") || !strings.Contains(out, "10.0.0.1:25") {
				t.Errorf("%v shows the secret, or no route: %s", c, out)
			}
		}
	}
	p.run(0, "domain", "route", "agensi-a.test", "lmtp", "10.0.0.2:24")
	p.final("sesiapa@agensi-a.test", "lmtp 10.0.0.2:24")
	for _, bad := range [][]string{
		{"agensi-a.test", "terbang"}, {"agensi-a.test", "smarthost"}, {"agensi-a.test", "lmtp", "10.0.0.1"}, {"agensi-a.test", "local", "10.0.0.1:25"},
		{"agensi-a.test", "local", "--text", "x"}, {"agensi-a.test", "split"}, {"agensi-a.test", "smarthost", "h:25", "--tls", "tentu"},
		{"agensi-a.test", "smarthost", "h:25", "--auth-file", p.file("bad", "x\n")}, {"agensi-a.test", "smarthost", "h:25", "--tls", "none", "--auth-file", auth},
	} {
		p.run(2, append([]string{"domain", "route"}, bad...)...)
	}
	p.run(2, "domain", "route", "agensi-a.test", "split", "--to", "h:25", "--default", "tengah", "--dry-run")
	p.run(2, "domain", "route", "agensi-a.test", "split", "--to", "h:70000", "--dry-run")
	p.run(0, "domain", "route", "agensi-a.test", "split", "--to", "10.0.0.9:25", "--default", "elsewhere")
	if out := p.run(0, "domain", "route", "agensi-a.test", "lmtp", "10.0.0.2:24"); out != "route of agensi-a.test: lmtp 10.0.0.2:24\n" {
		t.Errorf("what the split domain had is said to stay: %s", out)
	}
	p.run(3, "domain", "route", "tiada.test", "local")
	p.run(3, "domain", "show", "tiada.test")
	p.final("sesiapa@agensi-a.test", "lmtp 10.0.0.2:24")
	p.run(0, "domain", "route", "agensi-a.test", "local")

	p.run(0, "domain", "hold", "agensi-a.test", "--reason", "pindah pejabat")
	p.final("pegawai1@agensi-a.test", "queue: agensi-a.test is held: pindah pejabat")
	p.run(0, "domain", "release", "agensi-a.test")
	p.run(0, "domain", "catch-all", "agensi-a.test", "pegawai2@agensi-a.test")
	p.final("sesiapa@agensi-a.test", "mailbox pegawai2@agensi-a.test")
	p.run(0, "domain", "catch-all", "agensi-a.test", "--off")
	p.final("sesiapa@agensi-a.test", "refused: nobody has this address here")
	p.run(3, "domain", "catch-all", "agensi-a.test", "tiada@agensi-a.test")
	p.run(2, "domain", "catch-all", "agensi-a.test")
	p.run(2, "domain", "catch-all", "agensi-a.test", "pegawai2@agensi-a.test", "--off")
}

func TestSplitByCommand(t *testing.T) {
	p := newPlace(t)
	table := p.file("pindah.csv", "\ufeffaddress,where\r\nPegawai1@agensi-a.test, here\r\npegawai2@agensi-a.test,elsewhere\r\nketiga@agensi-a.test,moving\r\nkeempat@agensi-a.test,here\r\n")
	split := []string{"domain", "route", "agensi-a.test", "split", "--to", "10.0.0.9:25", "--default", "elsewhere", "--table", table}
	var plan routePlan
	p.json(&plan, append(split, "--dry-run")...)
	if !plan.DryRun || plan.Add != 4 || plan.Missing != 1 || len(plan.Sample) != 4 || plan.Nobody[0] != "keempat@agensi-a.test" || plan.Split["here"] != 2 {
		t.Errorf("plan: %+v", plan)
	}
	p.final("pegawai2@agensi-a.test", "mailbox pegawai2@agensi-a.test") // nothing was changed
	if out := p.run(0, append(split, "--dry-run")...); !strings.Contains(out, "nothing was changed") || !strings.Contains(out, "ketiga@agensi-a.test: not in the table -> moving") {
		t.Errorf("plan for people: %s", out)
	}
	p.run(0, split...)
	p.final("pegawai1@agensi-a.test", "mailbox pegawai1@agensi-a.test")
	p.final("pegawai2@agensi-a.test", "elsewhere 10.0.0.9:25")
	p.final("lain@agensi-a.test", "elsewhere 10.0.0.9:25")
	p.final("ketiga@agensi-a.test", "queue: ketiga@agensi-a.test is moving")
	p.final("keempat@agensi-a.test", "refused: nobody has this address here")
	next := p.file("kemudian.csv", "pegawai2@agensi-a.test,here\nketiga@agensi-a.test,moving\n")
	p.json(&plan, "domain", "route", "agensi-a.test", "split", "--table", next)
	if plan.Change != 1 || plan.Remove != 2 || plan.Same != 1 || plan.Route.Host != "10.0.0.9:25" {
		t.Errorf("second table: %+v", plan)
	}
	p.final("pegawai2@agensi-a.test", "mailbox pegawai2@agensi-a.test")
	var d domainView
	p.json(&d, "domain", "show", "agensi-a.test")
	if d.Split["here"] != 1 || d.Split["moving"] != 1 || d.Route.Default != "elsewhere" || d.Agency != "agensi-a" {
		t.Errorf("domain: %+v", d)
	}
	bad := p.file("salah.csv", "address,where\na@agensi-a.test,here\nb@lain.test,here\nc@agensi-a.test,bulan\nd@agensi-a.test\nA@agensi-a.test,moving\nbukan,here\n")
	out := p.run(2, "domain", "route", "agensi-a.test", "split", "--table", bad)
	for _, line := range []string{"line 3: b@lain.test is not in the domain", `line 4: here, elsewhere or moving, not "bulan"`, "line 5: address,where is two fields", "line 6: a@agensi-a.test stands in line 2", `line 7: `} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not told: %s", line, out)
		}
	}
	p.run(2, "domain", "route", "agensi-a.test", "split", "--table", filepath.Join(p.dir, "none.csv"))
	p.final("pegawai2@agensi-a.test", "mailbox pegawai2@agensi-a.test") // the good table stands
}

// A table of a hundred thousand goes over the socket of a running server.
func TestALargeTableWhileItRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	r := startDemo(t, "--dir", dir)
	var b strings.Builder
	for i := range store.MaxSplit {
		fmt.Fprintf(&b, "pegawai.yang.panjang.namanya.%06d@agensi-a.test,elsewhere\n", i)
	}
	file := filepath.Join(t.TempDir(), "besar.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 0, "domain", "route", "agensi-a.test", "split", "--to", "127.0.0.1:2525", "--default", "here", "--table", file, "--dir", dir)
	if out := run(t, 0, "route", "explain", "pegawai.yang.panjang.namanya.099999@agensi-a.test", "--dir", dir); !strings.Contains(out, "elsewhere 127.0.0.1:2525") {
		t.Errorf("explain: %s", out)
	}
	if out := run(t, 0, "route", "explain", r.Accounts[0].Address, "--dir", dir); !strings.Contains(out, "mailbox "+r.Accounts[0].Address) {
		t.Errorf("explain: %s", out)
	}
	run(t, 0, "domain", "add", "agensi-c.test", "--agency", "agensi-a", "--dir", dir)
	if out := run(t, 0, "route", "explain", "postmaster@agensi-c.test", "--dir", dir); !strings.Contains(out, "the suite's postmaster is postmaster@agensi-a.test") {
		t.Errorf("the running router is not asked: %s", out)
	}
	b.WriteString("satu-lagi@agensi-a.test,here\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, 2, "domain", "route", "agensi-a.test", "split", "--table", file, "--dir", dir); !strings.Contains(out, "line 100001") {
		t.Errorf("one too many: %s", out)
	}
}

func TestAliasesByCommand(t *testing.T) {
	p := newPlace(t)
	today := time.Now().Format("2006-01-02")
	p.run(0, "alias", "add", "aduan@agensi-a.test", "pegawai1@agensi-a.test", "--until", today) // the last day counts
	p.final("aduan@agensi-a.test", "mailbox pegawai1@agensi-a.test")
	p.run(0, "alias", "set", "aduan@agensi-a.test", "--until", "2020-01-01")
	p.final("aduan@agensi-a.test", "refused: nobody has this address here")
	p.run(0, "alias", "set", "aduan@agensi-a.test", "pegawai2@agensi-a.test", "--for-ever")
	p.final("aduan@agensi-a.test", "mailbox pegawai2@agensi-a.test")
	var a store.Alias
	p.json(&a, "alias", "list")
	if a.Target != "pegawai2@agensi-a.test" || !a.Until.IsZero() {
		t.Errorf("alias: %+v", a)
	}
	p.run(2, "alias", "set", "aduan@agensi-a.test")
	p.run(2, "alias", "set", "aduan@agensi-a.test", "--until", "esok")
	p.run(2, "alias", "set", "aduan@agensi-a.test", "--until", "2030-01-01", "--for-ever")
	p.run(3, "alias", "set", "tiada@agensi-a.test", "--for-ever")
	p.run(0, "alias", "remove", "aduan@agensi-a.test")
	p.run(3, "alias", "remove", "aduan@agensi-a.test")
	p.final("aduan@agensi-a.test", "refused: nobody has this address here")
}

func TestGroupsByCommand(t *testing.T) {
	p := newPlace(t)
	p.run(2, "group", "add", "ramai@agensi-a.test", "--member", "pegawai1@agensi-a.test")
	p.run(0, "group", "add", "ramai@agensi-a.test", "--member", "pegawai1@agensi-a.test,orang@luar.test", "--owner", "pegawai2@agensi-a.test", "--senders", "anyone", "--verp")
	p.final("ramai@agensi-a.test", "2 recipients: mailbox pegawai1@agensi-a.test, MX of luar.test")
	p.run(0, "group", "member", "add", "ramai@agensi-a.test", "pegawai2@agensi-a.test", "PEGAWAI1@agensi-b.test")
	p.run(0, "group", "member", "remove", "ramai@agensi-a.test", "Orang@luar.test")
	p.run(3, "group", "member", "remove", "ramai@agensi-a.test", "orang@luar.test")
	p.run(2, "group", "member", "add", "ramai@agensi-a.test", "bukan alamat")
	p.run(0, "group", "set", "ramai@agensi-a.test", "--senders", "members", "--verp=false")
	var g store.Group
	p.json(&g, "group", "show", "ramai@agensi-a.test")
	if strings.Join(g.Members, " ") != "pegawai1@agensi-a.test pegawai2@agensi-a.test pegawai1@agensi-b.test" || g.VERP || g.Senders[0] != "members" || g.Owner != "pegawai2@agensi-a.test" {
		t.Errorf("group: %+v", g)
	}
	p.final("ramai@agensi-a.test", "3 recipients: mailbox pegawai1@agensi-a.test, mailbox pegawai2@agensi-a.test, mailbox pegawai1@agensi-b.test") // for members: a step says who may send
	p.run(4, "group", "add", "pegawai1@agensi-a.test", "--owner", "pegawai2@agensi-a.test")
	p.run(2, "group", "set", "ramai@agensi-a.test")
	if out := p.run(0, "group", "list"); !strings.Contains(out, "ramai@agensi-a.test  3        members") {
		t.Errorf("list: %s", out)
	}
	p.run(0, "group", "show", "ramai@agensi-a.test")
	p.run(0, "group", "remove", "ramai@agensi-a.test")
	p.run(3, "group", "show", "ramai@agensi-a.test")
}

func TestAccountsByCommand(t *testing.T) {
	p := newPlace(t)
	one, two := "pegawai1@agensi-a.test", "pegawai2@agensi-a.test"
	p.run(0, "account", "forward", one, "--to", two, "--only")
	p.final(one, "mailbox "+two)
	p.run(3, "account", "forward", one, "--to", "saya@luar.test")
	p.run(2, "agency", "set", "agensi-a", "--forward-outside", "mungkin")
	p.run(2, "agency", "set", "agensi-a")
	p.run(0, "agency", "set", "agensi-a", "--forward-outside", "yes", "--source", "127.0.0.1", "--helo", "keluar.agensi-a.test")
	p.run(0, "account", "forward", one, "--to", "saya@luar.test")
	p.final(one, "2 recipients: MX of luar.test, mailbox "+one)
	p.run(0, "agency", "set", "agensi-a", "--forward-outside", "no", "--helo", "")
	p.final(one, "mailbox "+one) // the agency has withdrawn it
	var agency store.Agency
	p.json(&agency, "agency", "show", "agensi-a")
	if agency.Source != "127.0.0.1" || agency.HELO != "" || agency.ForwardOutside {
		t.Errorf("agency: %+v", agency)
	}
	p.run(3, "agency", "show", "tiada")
	p.run(2, "agency", "set", "agensi-a", "--source", "sini")
	p.run(2, "account", "forward", one)
	p.run(2, "account", "forward", one, "--to", two, "--off")
	p.run(0, "account", "forward", one, "--off")
	p.run(0, "account", "hold", one)
	var a store.Account
	p.json(&a, "account", "show", one)
	if a.Held == "" || len(a.Forward) != 0 {
		t.Errorf("account: %+v", a)
	}
	p.run(0, "account", "hold", one, "--reason", "kata laluan dicuri")
	if out := p.run(0, "account", "show", one); !strings.Contains(out, "held     kata laluan dicuri") {
		t.Errorf("show: %s", out)
	}
	p.run(0, "account", "release", one)
	a = store.Account{}
	p.json(&a, "account", "show", one)
	if a.Held != "" {
		t.Errorf("released: %+v", a)
	}
	p.run(3, "account", "hold", "tiada@agensi-a.test")
	p.run(3, "account", "show", "tiada@agensi-a.test")
}

// send puts messages of an account into the queue, under these IDs.
func (p *place) send(address string, ids ...string) {
	p.t.Helper()
	e, err := bolt.Open(p.t.Context(), bolt.Options{Dir: p.dir, KeyFile: p.dir + ".key"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer e.Close()
	found, err := e.Find(p.t.Context(), address)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, id := range ids {
		text := []byte("From: " + address + "\r\nSubject: " + id + "\r\n\r\nIsi.\r\n")
		env := &store.Envelope{QueueID: id, From: address, Sender: found.Account.ID, Received: time.Now(), Recipients: []store.Recipient{{Path: "orang@luar.test"}}}
		passed := gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "test", "V-1")
		if err := e.Accept(p.t.Context(), env, bytes.NewReader(text), message.Parse(text), passed); err != nil {
			p.t.Fatal(err)
		}
	}
}

// states are those of the queue's entries by ID.
func (p *place) states() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(p.run(0, "queue", "list", "--json")) {
		var e store.QueueEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		out[e.ID] = e.State
	}
	return out
}

// What an account sent stops with it, and goes on with it; what was held for another
// reason, or sent by others, stays as it is.
func TestQueuedMailOfAHeldAccount(t *testing.T) {
	p := newPlace(t)
	one, two := "pegawai1@agensi-a.test", "pegawai2@agensi-a.test"
	p.send(one, "satu1", "satu2", "ditahan")
	p.send(two, "dua")
	p.hold("ditahan", "siasatan")
	p.run(0, "account", "hold", one, "--reason", "kata laluan dicuri")
	if got, want := p.states(), map[string]string{"satu1": store.Holding, "satu2": store.Holding, "ditahan": store.Holding, "dua": store.Waiting}; !maps.Equal(got, want) {
		t.Errorf("held: %v, want %v", got, want)
	}
	p.run(0, "account", "hold", one, "--reason", "masih")
	var h heldAccount
	p.json(&h, "account", "release", one)
	if h.Queued != 2 || h.Held != "" || h.Address != one {
		t.Errorf("release: %+v", h)
	}
	if got, want := p.states(), map[string]string{"satu1": store.Waiting, "satu2": store.Waiting, "ditahan": store.Holding, "dua": store.Waiting}; !maps.Equal(got, want) {
		t.Errorf("released: %v, want %v", got, want)
	}
}

// hold holds one message, as an administrator does.
func (p *place) hold(id, why string) {
	p.t.Helper()
	e, err := bolt.Open(p.t.Context(), bolt.Options{Dir: p.dir, KeyFile: p.dir + ".key"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer e.Close()
	if n, err := e.QueueHold(p.t.Context(), store.System, store.QueueFilter{IDs: []string{id}}, why); n != 1 || err != nil {
		p.t.Fatal(n, err)
	}
}
