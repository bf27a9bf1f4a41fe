package route

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"sampul/internal/address"
	"sampul/store"
)

// fake is a directory that a test writes down.
type fake struct {
	agencies map[string]store.Agency
	domains  map[string]store.Domain
	accounts map[string]store.Account
	aliases  map[string]store.Alias
	groups   map[string]store.Group
	splits   map[string]string
	finds    int
}

func (f *fake) Find(_ context.Context, addr string) (e store.Entry, err error) {
	if f.finds++; f.finds > 1_000_000 {
		return e, fmt.Errorf("looked up %d addresses", f.finds)
	}
	d, ok := f.domains[address.DomainOf(addr)]
	if !ok {
		return e, nil
	}
	e.Domain = &d
	if a, ok := f.agencies[d.Agency]; ok {
		e.Agency = &a
	}
	full, err := address.Canonical(addr)
	if err != nil {
		return e, nil
	}
	e.Split = f.splits[full]
	if a, ok := f.accounts[full]; ok {
		e.Account = &a
	}
	if a, ok := f.aliases[full]; ok {
		e.Alias = &a
	}
	if g, ok := f.groups[full]; ok {
		e.Group = &g
	}
	return e, nil
}

func (f *fake) AgencyByName(name string) (store.Agency, bool) {
	a, ok := f.agencies[name]
	return a, ok
}

func (f *fake) Government(domain string) bool {
	_, ok := f.domains[domain]
	return ok || address.In(address.Government, domain)
}

func (f *fake) SuiteSecret(purpose string) []byte {
	sum := sha256.Sum256([]byte("ujian/" + purpose))
	return sum[:]
}

func (f *fake) account(id store.AccountID, addr string, forward ...string) {
	_, domain, _ := strings.Cut(addr, "@")
	f.accounts[addr] = store.Account{ID: id, Address: addr, Agency: f.domains[domain].Agency, Kind: store.Personal, Forward: forward}
}

func (f *fake) only(addr string) {
	a := f.accounts[addr]
	a.ForwardOnly = true
	f.accounts[addr] = a
}

func (f *fake) alias(addr, target string, until ...time.Time) {
	a := store.Alias{Address: addr, Target: target}
	if len(until) > 0 {
		a.Until = until[0]
	}
	f.aliases[addr] = a
}

func (f *fake) group(addr string, senders []string, members ...string) {
	_, domain, _ := strings.Cut(addr, "@")
	f.groups[addr] = store.Group{Address: addr, Agency: f.domains[domain].Agency, Members: members, Senders: senders, Owner: "ketua@a.test"}
}

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// world has two agencies with domains of every route.
func world() *fake {
	f := &fake{map[string]store.Agency{}, map[string]store.Domain{}, map[string]store.Account{}, map[string]store.Alias{}, map[string]store.Group{}, map[string]string{}, 0}
	f.agencies["agensi-a"] = store.Agency{Name: "agensi-a", Source: "127.0.0.5", HELO: "keluar.a.test"}
	f.agencies["agensi-b"] = store.Agency{Name: "agensi-b", ForwardOutside: true}
	for name, d := range map[string]store.Domain{
		"a.test":        {Agency: "agensi-a"},
		"b.test":        {Agency: "agensi-b", Route: store.Route{Kind: store.RouteLocal}, CatchAll: "semua@b.test"},
		"tutup.test":    {Agency: "agensi-a", Route: store.Route{Kind: store.RouteReject, Text: "agensi ini telah ditutup"}},
		"diam.test":     {Agency: "agensi-a", Route: store.Route{Kind: store.RouteReject}},
		"pintar.test":   {Agency: "agensi-a", Route: store.Route{Kind: store.RouteSmarthost, Host: "10.0.0.1:25", TLS: "verify", User: "u", Secret: "s"}},
		"lmtp.test":     {Agency: "agensi-a", Route: store.Route{Kind: store.RouteLMTP, Host: "10.0.0.2:24"}},
		"pindah.test":   {Agency: "agensi-a", Route: store.Route{Kind: store.RouteSplit, Host: "10.0.0.3:25", Default: store.Elsewhere}},
		"rumah.test":    {Agency: "agensi-a", Route: store.Route{Kind: store.RouteSplit, Host: "10.0.0.4:25", Default: store.Here}},
		"tahan.test":    {Agency: "agensi-a", Held: "penyelenggaraan"},
		"tahan-s.test":  {Agency: "agensi-a", Held: "penyelenggaraan", Route: store.Route{Kind: store.RouteSplit, Host: "10.0.0.6:25", Default: store.Elsewhere}},
		"tahan-pk.test": {Agency: "agensi-a", Held: "penyelenggaraan", Route: store.Route{Kind: store.RouteSmarthost, Host: "10.0.0.7:25"}},
	} {
		d.Name = name
		f.domains[name] = d
	}
	f.account(1, "p1@a.test")
	f.account(2, "p2@a.test")
	f.account(3, "ketua@a.test")
	f.account(10, "semua@b.test")
	f.account(11, "p1@b.test")
	f.account(20, "sini@pindah.test")
	f.account(21, "belum@pindah.test")
	f.account(22, "ada@rumah.test")
	f.account(23, "p@tahan.test")
	app := store.Account{ID: 30, Address: "apl@a.test", Agency: "agensi-a", Kind: store.Application}
	f.accounts[app.Address] = app
	f.splits["sini@pindah.test"], f.splits["jauh@rumah.test"] = store.Here, store.Elsewhere
	f.splits["dua@pindah.test"], f.splits["tiada@pindah.test"] = store.Moving, store.Here
	return f
}

// A prober answers from a table: address to "code text"; silence for what is not there.
type prober struct {
	says  map[string]string
	asked []string
}

func (p *prober) Probe(_ context.Context, hop Hop, from, to string) (code int, enhanced, text string, err error) {
	p.asked = append(p.asked, fmt.Sprintf("%s from=<%s> to=<%s>", hop.Host, from, to))
	said, ok := p.says[to]
	if !ok {
		return 0, "", "", fmt.Errorf("connection refused")
	}
	_, err = fmt.Sscanf(said, "%d", &code)
	_, text, _ = strings.Cut(said, " ")
	return code, "", text, err
}
