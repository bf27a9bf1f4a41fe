package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"sampul/store"
)

var demoAccounts = []store.Account{
	{Address: "pegawai1@agensi-a.test", Agency: "agensi-a", Kind: store.Personal},
	{Address: "pegawai2@agensi-a.test", Agency: "agensi-a", Kind: store.Personal},
	{Address: "pegawai1@agensi-b.test", Agency: "agensi-b", Kind: store.Personal},
	{Address: "ucadmin@agensi-a.test", Agency: "agensi-a", Kind: store.Personal, Role: store.RoleAdmin},
	{Address: "keselamatan@agensi-a.test", Agency: "agensi-a", Kind: store.Personal, Role: store.RoleSecurity},
	{Address: "aplikasi@agensi-a.test", Agency: "agensi-a", Kind: store.Application},
}

var demoAliases = map[string]string{
	"postmaster@agensi-a.test": "ucadmin@agensi-a.test",
	"abuse@agensi-a.test":      "ucadmin@agensi-a.test",
	"postmaster@agensi-b.test": "pegawai1@agensi-b.test",
	"abuse@agensi-b.test":      "pegawai1@agensi-b.test",
}

// demoSecrets are the passwords of a demo, kept so that a second start has the same.
type demoSecrets struct {
	Password map[string]string
	Officers string
}

func loadSecrets(path string) (*demoSecrets, error) {
	s := &demoSecrets{Password: map[string]string{}}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	for _, a := range demoAccounts {
		s.Password[a.Address] = newPassword()
	}
	s.Officers = newPassword()
	if b, err = json.Marshal(s); err != nil {
		return nil, err
	}
	return s, os.WriteFile(path, b, 0o600)
}

// demoDirectory adds what is not there. The first error stays.
type demoDirectory struct {
	ctx context.Context
	st  store.Store
	now time.Time
	err error
}

func (d *demoDirectory) keep(err error) {
	if d.err == nil && !errors.Is(err, store.ErrExists) {
		d.err = err
	}
}

func (d *demoDirectory) agency(domain string) {
	name := strings.TrimSuffix(domain, ".test")
	d.keep(d.st.AddAgency(d.ctx, store.System, store.Agency{Name: name}))
	d.keep(d.st.AddDomain(d.ctx, store.System, store.Domain{Name: domain, Agency: name}))
}

func (d *demoDirectory) account(a store.Account, password string) {
	_, err := d.st.AddAccount(d.ctx, store.System, a, password)
	d.keep(err)
}

// application approves one, with what the demo's may send.
func (d *demoDirectory) application(address, owner string) {
	r, err := d.st.Resolve(d.ctx, address)
	if err != nil || r.Account == nil {
		d.keep(err)
		return
	}
	if d.st.App(r.Account.ID) != nil {
		return
	}
	a := store.App{Address: address, Owner: owner, Ref: "demo", Until: d.now.Add(store.AppTerm)}
	a.Quota = map[string]uint64{store.WindowHour: 10_000, store.WindowDay: 100_000}
	for _, state := range []string{store.AppRequested, store.AppApproved, store.AppActive} {
		a.State = state
		_, err := d.st.PutApp(d.ctx, store.System, a, "demo")
		d.keep(err)
	}
}

func (d *demoDirectory) alias(address, to string) {
	d.keep(d.st.AddAlias(d.ctx, store.System, store.Alias{Address: address, Target: to}))
}

func (d *demoDirectory) officers(n int, password string) []string {
	var all []string
	var missing []store.Account
	for i := range n {
		address := fmt.Sprintf("officer%04d@agensi-a.test", i)
		all = append(all, address)
		if r, err := d.st.Resolve(d.ctx, address); err != nil || r.Account == nil {
			missing = append(missing, store.Account{Address: address, Agency: "agensi-a", Kind: store.Personal})
		}
	}
	if len(missing) > 0 {
		_, err := d.st.AddAccounts(d.ctx, store.System, missing, password)
		d.keep(err)
	}
	return all
}
