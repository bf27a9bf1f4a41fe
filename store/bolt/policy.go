package bolt

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// Kinds of rows in the bucket of policy.
const (
	policySettings byte = iota + 1
	policyRule
	policyKind
	policyPermission
	policyLabel
)

// A policyID names one thing of policy through all its versions.
type policyID struct {
	kind         byte
	agency, name string
}

// prefix is what the keys of all its versions begin with; the version follows, so that they
// stand in order.
func (id policyID) prefix() []byte {
	return append(append([]byte{id.kind}, id.agency...), "\x00"+id.name+"\x00"...)
}

func policyIDOf(key []byte) (policyID, error) {
	if len(key) > 5 {
		if parts := strings.Split(string(key[1:len(key)-4]), "\x00"); len(parts) == 3 && parts[2] == "" {
			return policyID{key[0], parts[0], parts[1]}, nil
		}
	}
	return policyID{}, fmt.Errorf("%w: a key of policy", errRow)
}

// policies is the newest version of each thing, also of what is removed, and what holds.
type policies struct {
	newest map[policyID]any // *store.PolicyRule and its like
	set    *store.PolicySet
}

// changeIn is the change that made one version of something.
func changeIn(item any) *store.PolicyChange {
	switch v := item.(type) {
	case *store.PolicySettings:
		return &v.PolicyChange
	case *store.PolicyRule:
		return &v.PolicyChange
	case *store.PolicyKind:
		return &v.PolicyChange
	case *store.PolicyPermission:
		return &v.PolicyChange
	case *store.PolicyLabel:
		return &v.PolicyChange
	}
	return nil
}

func newPolicyItem(kind byte) any {
	switch kind {
	case policySettings:
		return new(store.PolicySettings)
	case policyRule:
		return new(store.PolicyRule)
	case policyKind:
		return new(store.PolicyKind)
	case policyPermission:
		return new(store.PolicyPermission)
	case policyLabel:
		return new(store.PolicyLabel)
	}
	return nil
}

// loadPolicy reads the newest versions.
func (d *directory) loadPolicy(tx *bbolt.Tx, p *people) error {
	p.policy.newest = map[policyID]any{}
	var bad error // a rule that is not read would let pass what it stops
	err := eachRow(d, tx, bucketPolicy, func(k []byte, raw json.RawMessage) {
		id, err := policyIDOf(k)
		item := newPolicyItem(id.kind)
		if err == nil && item == nil {
			err = fmt.Errorf("%w: policy of an unknown kind", errRow)
		}
		if err == nil {
			err = json.Unmarshal(raw, item)
		}
		if err != nil {
			bad = err
			return
		}
		p.policy.newest[id] = item // keys come in order of version
	})
	p.policy.gather()
	return cmp.Or(err, bad)
}

// gather makes what holds of the newest versions.
func (p *policies) gather() {
	set := &store.PolicySet{Agencies: map[string]*store.AgencyPolicy{}}
	for id, item := range p.newest {
		c := changeIn(item)
		set.Seq = max(set.Seq, c.Seq)
		if id.kind == policyLabel {
			set.LabelsSeq = max(set.LabelsSeq, c.Seq)
			if !c.Removed {
				set.Labels = append(set.Labels, *item.(*store.PolicyLabel))
			}
			continue
		}
		a := set.Agencies[id.agency]
		if a == nil {
			a = &store.AgencyPolicy{}
			set.Agencies[id.agency] = a
		}
		a.Seq = max(a.Seq, c.Seq)
		if c.Removed {
			continue
		}
		switch v := item.(type) {
		case *store.PolicySettings:
			a.Settings = *v
		case *store.PolicyRule:
			a.Rules = append(a.Rules, *v)
		case *store.PolicyKind:
			a.Kinds = append(a.Kinds, *v)
		case *store.PolicyPermission:
			a.Permissions = append(a.Permissions, *v)
		}
	}
	for _, a := range set.Agencies {
		slices.SortFunc(a.Rules, func(x, y store.PolicyRule) int { return strings.Compare(x.Name, y.Name) })
		slices.SortFunc(a.Kinds, func(x, y store.PolicyKind) int { return strings.Compare(x.Name, y.Name) })
		slices.SortFunc(a.Permissions, func(x, y store.PolicyPermission) int { return strings.Compare(x.Address, y.Address) })
	}
	slices.SortFunc(set.Labels, func(x, y store.PolicyLabel) int {
		return cmp.Or(strings.Compare(x.Site, y.Site), strings.Compare(x.GUID, y.GUID))
	})
	p.set = set
}

// Policy is what holds now.
func (d *directory) Policy() *store.PolicySet {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.people.policy.set
}

// permitPolicy says whether the actor may read and change policy of the agency.
func permitPolicy(by store.Actor, agency string) error {
	if by.Role == store.RoleSecurity && agency != "" && by.Agency == agency {
		return nil
	}
	return permit(by, agency)
}

// keepPolicy keeps a new version of something, checked before. One that is Removed takes it away.
func (d *directory) keepPolicy(by store.Actor, id policyID, item any, reason string, most int) error {
	if err := permitPolicy(by, id.agency); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); len(reason) > 400 || !printable(reason) {
		return fmt.Errorf("%w: a reason is one line of at most 400 octets", store.ErrName)
	}
	d.change.Lock()
	defer d.change.Unlock()
	p := &d.people.policy
	if _, ok := d.people.agencies[id.agency]; !ok && id.agency != store.Suite {
		return fmt.Errorf("agency %s: %w", id.agency, store.ErrNotFound)
	}
	c := changeIn(item)
	last := store.PolicyChange{Removed: true}
	if was := p.newest[id]; was != nil {
		last = *changeIn(was)
	}
	switch {
	case c.Removed && last.Removed:
		return fmt.Errorf("%s: %w", id.name, store.ErrNotFound)
	case !c.Removed && last.Removed && p.count(id.kind, id.agency) >= most:
		return fmt.Errorf("%w: at most %d of these are kept", store.ErrLimit, most)
	}
	*c = store.PolicyChange{Version: last.Version + 1, Seq: p.set.Seq + 1, Time: d.clock().UTC(), By: d.nameOf(by), Reason: reason, Removed: c.Removed}
	key := binary.BigEndian.AppendUint32(id.prefix(), uint32(c.Version))
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketPolicy, key, item) },
		func(q *people) {
			q.policy.newest[id] = item
			q.policy.gather()
		})
}

// count is how many of a kind an agency has.
func (p *policies) count(kind byte, agency string) (n int) {
	for id, item := range p.newest {
		if id.kind == kind && id.agency == agency && !changeIn(item).Removed {
			n++
		}
	}
	return n
}

// nameOf is who an actor is, for histories. The caller holds d.change.
func (d *directory) nameOf(by store.Actor) string {
	if a := d.people.accounts[by.Account]; a != nil && by.Name == "" {
		return a.Address
	}
	return by.String()
}

// SetPolicySettings replaces the settings of an agency.
func (d *directory) SetPolicySettings(_ context.Context, by store.Actor, agency string, s store.PolicySettings, reason string) error {
	if err := checkSettings(&s); err != nil {
		return err
	}
	s.PolicyChange = store.PolicyChange{}
	return d.keepPolicy(by, policyID{policySettings, agency, ""}, &s, reason, 1)
}

// PutPolicyRule adds a rule, or makes its next version.
func (d *directory) PutPolicyRule(_ context.Context, by store.Actor, r store.PolicyRule, reason string) (*store.PolicyRule, error) {
	if err := checkRule(&r); err != nil {
		return nil, err
	}
	r.PolicyChange = store.PolicyChange{}
	err := d.keepPolicy(by, policyID{policyRule, r.Agency, r.Name}, &r, reason, store.MaxRules)
	return copyOf(r), err
}

// RemovePolicyRule takes a rule away; its history stays.
func (d *directory) RemovePolicyRule(_ context.Context, by store.Actor, agency, name, reason string) error {
	return d.keepPolicy(by, policyID{policyRule, agency, name}, &store.PolicyRule{Agency: agency, Name: name,
		PolicyChange: store.PolicyChange{Removed: true}}, reason, 0)
}

// PutPolicyKind lets a kind of file pass unread inside its agency.
func (d *directory) PutPolicyKind(_ context.Context, by store.Actor, k store.PolicyKind, reason string) (*store.PolicyKind, error) {
	if err := checkKind(&k); err != nil {
		return nil, err
	}
	k.PolicyChange = store.PolicyChange{}
	err := d.keepPolicy(by, policyID{policyKind, k.Agency, k.Name}, &k, reason, store.MaxKinds)
	return copyOf(k), err
}

// RemovePolicyKind ends that.
func (d *directory) RemovePolicyKind(_ context.Context, by store.Actor, agency, name, reason string) error {
	return d.keepPolicy(by, policyID{policyKind, agency, name}, &store.PolicyKind{Agency: agency, Name: name,
		PolicyChange: store.PolicyChange{Removed: true}}, reason, 0)
}

// PutPolicyPermission names a recipient to whom TERHAD and SULIT may go.
func (d *directory) PutPolicyPermission(_ context.Context, by store.Actor, p store.PolicyPermission, reason string) (*store.PolicyPermission, error) {
	full, domain, err := canonical(p.Address)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	_, inside := d.people.domains[domain]
	d.mu.RUnlock()
	if inside {
		return nil, fmt.Errorf("%w: %s is in the directory, and a permission is for recipients on the Internet", store.ErrName, full)
	}
	p.Address, p.PolicyChange = full, store.PolicyChange{}
	if p.Agency == store.Suite {
		return nil, fmt.Errorf("%w: a permission is one agency's", store.ErrName)
	}
	err = d.keepPolicy(by, policyID{policyPermission, p.Agency, full}, &p, reason, store.MaxPermissions)
	return copyOf(p), err
}

// RemovePolicyPermission ends that.
func (d *directory) RemovePolicyPermission(_ context.Context, by store.Actor, agency, addr, reason string) error {
	full, _, err := canonical(addr)
	if err != nil {
		return err
	}
	return d.keepPolicy(by, policyID{policyPermission, agency, full}, &store.PolicyPermission{Agency: agency, Address: full,
		PolicyChange: store.PolicyChange{Removed: true}}, reason, 0)
}

// PutPolicyLabel says what a label means. Labels are the suite's.
func (d *directory) PutPolicyLabel(_ context.Context, by store.Actor, l store.PolicyLabel, reason string) (*store.PolicyLabel, error) {
	if err := checkLabel(&l); err != nil {
		return nil, err
	}
	l.PolicyChange = store.PolicyChange{}
	err := d.keepPolicy(by, policyID{policyLabel, store.Suite, l.Site + "/" + l.GUID}, &l, reason, store.MaxLabels)
	return copyOf(l), err
}

// RemovePolicyLabel takes that back.
func (d *directory) RemovePolicyLabel(_ context.Context, by store.Actor, site, guid, reason string) error {
	l := store.PolicyLabel{Site: site, GUID: guid, Class: "TERBUKA"}
	if err := checkLabel(&l); err != nil {
		return err
	}
	l.Class, l.Removed = "", true
	return d.keepPolicy(by, policyID{policyLabel, store.Suite, l.Site + "/" + l.GUID}, &l, reason, 0)
}

// PolicySettingsHistory is all versions of an agency's settings.
func (d *directory) PolicySettingsHistory(ctx context.Context, by store.Actor, agency string) ([]store.PolicySettings, error) {
	return policyHistory[store.PolicySettings](ctx, d, by, policyID{policySettings, agency, ""})
}

// PolicyRuleHistory is all versions of a rule.
func (d *directory) PolicyRuleHistory(ctx context.Context, by store.Actor, agency, name string) ([]store.PolicyRule, error) {
	out, err := policyHistory[store.PolicyRule](ctx, d, by, policyID{policyRule, agency, name})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("rule %s of %s: %w", name, agency, store.ErrNotFound)
	}
	return out, err
}

func policyHistory[T any](ctx context.Context, d *directory, by store.Actor, id policyID) (out []T, err error) {
	if err := permitPolicy(by, id.agency); err != nil {
		return nil, err
	}
	prefix := id.prefix()
	err = d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketPolicy).Cursor()
		for k, v := c.Seek(prefix); len(k) == len(prefix)+4 && string(k[:len(prefix)]) == string(prefix); k, v = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var row T
			if err := d.openRow(bucketPolicy, k, v, &row); err != nil {
				return err
			}
			out = append(out, row)
		}
		return nil
	})
	return out, err
}
