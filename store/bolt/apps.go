package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketApps holds applications in all versions, "a", account, version; and what agencies
// allow theirs, "d", agency, NUL, version.
var bucketApps = []byte("apps")

// apps are the newest versions.
type apps struct {
	by       map[store.AccountID]*store.App
	defaults map[string]*appDefaults
	seq      uint64 // of the last change
}

// appDefaults is a version of what an agency allows its applications.
type appDefaults struct {
	store.AppTerms
	store.PolicyChange
}

func appKey(id store.AccountID, version int) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{'a'}, accountKey(id)...), uint32(version))
}

func appDefaultsKey(agency string, version int) []byte {
	return binary.BigEndian.AppendUint32([]byte("d"+agency+"\x00"), uint32(version))
}

// loadApps reads the newest versions.
func (d *directory) loadApps(tx *bbolt.Tx, p *people) error {
	p.apps = apps{by: map[store.AccountID]*store.App{}, defaults: map[string]*appDefaults{}}
	var bad error
	err := eachRow(d, tx, bucketApps, func(k []byte, raw json.RawMessage) {
		switch {
		case len(k) == 13 && k[0] == 'a':
			a := &store.App{}
			if bad = cmp.Or(bad, json.Unmarshal(raw, a)); bad == nil {
				a.Account = store.AccountID(binary.BigEndian.Uint64(k[1:]))
				p.apps.by[a.Account] = a // keys come in order of version
				p.apps.seq = max(p.apps.seq, a.Seq)
			}
		case len(k) > 6 && k[0] == 'd':
			t := &appDefaults{}
			if bad = cmp.Or(bad, json.Unmarshal(raw, t)); bad == nil {
				p.apps.defaults[string(bytes.TrimSuffix(k[1:len(k)-4], []byte{0}))] = t
				p.apps.seq = max(p.apps.seq, t.Seq)
			}
		default:
			bad = cmp.Or(bad, fmt.Errorf("%w: a key of an application", errRow))
		}
	})
	return cmp.Or(err, bad)
}

// App is an application as it is approved now, nil for none.
func (d *directory) App(id store.AccountID) *store.App {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.people.apps.by[id]
}

// mayWatch says whose applications an actor sees.
func mayWatch(by store.Actor, agency string) bool {
	return by.Role == store.RoleOperator || (by.Role == store.RoleAdmin || by.Role == store.RoleSecurity) && by.Agency == agency
}

// Apps are those that the actor may see, by address.
func (d *directory) Apps(_ context.Context, by store.Actor) ([]store.App, error) {
	if by.Role < store.RoleSecurity {
		return nil, store.ErrForbidden
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []store.App
	for _, a := range d.people.apps.by {
		if mayWatch(by, a.Agency) {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b store.App) int { return strings.Compare(a.Address, b.Address) })
	return out, nil
}

// AppNamed finds one by its address.
func (d *directory) AppNamed(_ context.Context, by store.Actor, address string) (*store.App, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.people.apps.by[d.people.addresses[strings.ToLower(address)]]
	if a == nil || !mayWatch(by, a.Agency) {
		return nil, fmt.Errorf("application %s: %w", address, store.ErrNotFound)
	}
	out := *a
	return &out, nil
}

// appSteps are the steps between states, and the least role that may take each.
var appSteps = map[[2]string]store.Role{
	{"", store.AppRequested}:                 store.RoleAdmin,
	{store.AppRequested, store.AppApproved}:  store.RoleOperator,
	{store.AppRequested, store.AppEnded}:     store.RoleAdmin,
	{store.AppApproved, store.AppActive}:     store.RoleAdmin,
	{store.AppApproved, store.AppEnded}:      store.RoleAdmin,
	{store.AppActive, store.AppSuspended}:    store.RoleSecurity,
	{store.AppApproved, store.AppSuspended}:  store.RoleSecurity,
	{store.AppSuspended, store.AppActive}:    store.RoleSecurity,
	{store.AppActive, store.AppEnded}:        store.RoleAdmin,
	{store.AppSuspended, store.AppEnded}:     store.RoleAdmin,
	{store.AppRequested, store.AppRequested}: store.RoleAdmin,
	{store.AppApproved, store.AppApproved}:   store.RoleAdmin,
	{store.AppActive, store.AppActive}:       store.RoleAdmin,
	{store.AppSuspended, store.AppSuspended}: store.RoleAdmin,
}

// PutApp keeps the next version of an application, when the step from the one before is
// allowed.
func (d *directory) PutApp(_ context.Context, by store.Actor, a store.App, reason string) (*store.App, error) {
	d.change.Lock()
	defer d.change.Unlock()
	was, err := d.appStep(by, &a)
	if err != nil {
		return nil, fmt.Errorf("application %s: %w", a.Address, err)
	}
	if reason = strings.TrimSpace(reason); len(reason) > 400 || !printable(reason) {
		return nil, fmt.Errorf("%w: a reason is one line of at most 400 octets", store.ErrName)
	}
	a.PolicyChange = store.PolicyChange{Version: was.Version + 1, Seq: d.people.apps.seq + 1, Time: d.clock().UTC(), By: d.nameOf(by), Reason: reason}
	err = d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketApps, appKey(a.Account, a.Version), a) },
		func(p *people) {
			kept := a
			p.apps.by[a.Account] = &kept
			p.apps.seq = a.Seq
		})
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// appStep checks a next version against the last one. d.change is held.
func (d *directory) appStep(by store.Actor, a *store.App) (was store.App, err error) {
	p := &d.people
	acct := p.accounts[p.addresses[strings.ToLower(a.Address)]]
	if acct == nil || acct.Kind != store.Application {
		return was, fmt.Errorf("%w: there is no account of kind application", store.ErrNotFound)
	}
	if old := p.apps.by[acct.ID]; old != nil {
		was = *old
	}
	a.Account, a.Address, a.Agency = acct.ID, acct.Address, acct.Agency
	role, known := appSteps[[2]string{was.State, a.State}]
	switch {
	case was.State == store.AppEnded:
		return was, fmt.Errorf("%w: it has ended, for good", store.ErrExists)
	case !known:
		return was, fmt.Errorf("%w: it is %s, and cannot become %s", store.ErrExists, cmp.Or(was.State, "not there"), a.State)
	case by.Role < role || by.Role < store.RoleOperator && by.Agency != a.Agency:
		return was, store.ErrForbidden
	case a.Version != 0 && a.Version != was.Version: // a rule may have suspended it since it was read
		return was, fmt.Errorf("%w: somebody has changed it meanwhile; look at it again", store.ErrExists)
	case a.Owner == "":
		return was, fmt.Errorf("%w: an owner is needed, who answers for it", store.ErrName)
	}
	a.Requested, a.RequestedBy, a.Approved, a.ApprovedBy = was.Requested, was.RequestedBy, was.Approved, was.ApprovedBy
	switch now, name := d.clock().UTC(), d.nameOf(by); {
	case was.State == "":
		a.Requested, a.RequestedBy = now, name
	case was.State == store.AppRequested && a.State == store.AppApproved:
		if by.Name != "" && name == was.RequestedBy {
			return was, fmt.Errorf("%w: another than who asked for it approves", store.ErrForbidden)
		}
		a.Approved, a.ApprovedBy = now, name
	}
	if by.Role < store.RoleOperator && was.State != "" {
		if !a.Until.Equal(was.Until) || a.Ref != was.Ref {
			return was, fmt.Errorf("%w: only the operator renews", store.ErrForbidden)
		}
		if what := raised(&was.AppTerms, &a.AppTerms); what != "" {
			return was, fmt.Errorf("%w: only the operator raises %s", store.ErrForbidden, what)
		}
	}
	if by.Role < store.RoleOperator && was.State == "" {
		if t := p.apps.defaults[a.Agency]; t != nil {
			if what := raised(&t.AppTerms, &a.AppTerms); what != "" {
				return was, fmt.Errorf("%w: %s is more than the agency's applications may have", store.ErrForbidden, what)
			}
		}
	}
	return was, nil
}

var reachOrder = map[string]int{store.ReachAgency: 1, store.ReachInside: 2, store.ReachInternet: 3, "": 3}

// raised names what of new terms allows more than old ones, "" for nothing.
func raised(old, now *store.AppTerms) string {
	for w, limit := range old.Quota {
		if n, ok := now.Quota[w]; !ok || n > limit {
			return "the quota of a " + w
		}
	}
	within := func(old, now []string) bool {
		return len(old) == 0 || len(now) > 0 && !slices.ContainsFunc(now, func(s string) bool { return !slices.Contains(old, s) })
	}
	switch {
	case old.MaxSize > 0 && (now.MaxSize == 0 || now.MaxSize > old.MaxSize):
		return "the size of messages"
	case old.Burst > 0 && (now.Burst == 0 || now.Burst > old.Burst):
		return "the burst"
	case reachOrder[now.Reach] > reachOrder[old.Reach]:
		return "whom it may write to"
	case old.Hours != "" && now.Hours != old.Hours:
		return "the hours"
	case !within(old.Networks, now.Networks):
		return "its networks"
	case !within(old.Certificates, now.Certificates):
		return "its certificates"
	case slices.ContainsFunc(now.Senders, func(s string) bool { return !slices.Contains(old.Senders, s) }):
		return "its senders"
	case old.Unsubscribe && !now.Unsubscribe, old.VolumeHold && !now.VolumeHold,
		now.RahsiaLimit > cmp.Or(old.RahsiaLimit, 5):
		return "what is demanded of it"
	}
	return ""
}

// AppHistory is all versions of an application.
func (d *directory) AppHistory(ctx context.Context, by store.Actor, address string) ([]store.App, error) {
	a, err := d.AppNamed(ctx, by, address)
	if err != nil {
		return nil, err
	}
	var out []store.App
	err = d.db.View(func(tx *bbolt.Tx) error {
		prefix := appKey(a.Account, 0)[:9]
		c := tx.Bucket(bucketApps).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			var row store.App
			if err := d.openRow(bucketApps, k, v, &row); err != nil {
				return err
			}
			row.Account = a.Account
			out = append(out, row)
		}
		return nil
	})
	return out, err
}

// AppDefaults are what applications of an agency get, and the most that its administrator
// may give them.
func (d *directory) AppDefaults(agency string) store.AppTerms {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.people.apps.defaults[agency]
	if t == nil {
		return store.AppTerms{}
	}
	out := t.AppTerms
	out.Quota = maps.Clone(out.Quota)
	return out
}

// SetAppDefaults replaces them.
func (d *directory) SetAppDefaults(_ context.Context, by store.Actor, agency string, t store.AppTerms, reason string) error {
	if err := permit(by, agency); err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	if _, ok := d.people.agencies[agency]; !ok {
		return fmt.Errorf("agency %s: %w", agency, store.ErrNotFound)
	}
	version := 0
	if was := d.people.apps.defaults[agency]; was != nil {
		version = was.Version
		if what := raised(&was.AppTerms, &t); what != "" && by.Role < store.RoleOperator {
			return fmt.Errorf("%w: only the operator raises %s", store.ErrForbidden, what)
		}
	}
	row := appDefaults{AppTerms: t, PolicyChange: store.PolicyChange{Version: version + 1, Seq: d.people.apps.seq + 1, Time: d.clock().UTC(),
		By: d.nameOf(by), Reason: reason}}
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketApps, appDefaultsKey(agency, row.Version), row) },
		func(p *people) {
			p.apps.defaults[agency] = &row
			p.apps.seq = row.Seq
		})
}
