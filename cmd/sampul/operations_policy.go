package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sampul/policy"
	"sampul/store"
)

// Arguments of the operations on policy. A nil pointer leaves things as they are.
type (
	policySettingsArgs struct {
		AttachmentMax                        *int64
		AttachmentCount                      *int
		Executables, Macros, DoubleExtension *string
		InternetSecret, InternetUnread       *string
		Declare, Guidance                    *string
		Officers                             *[]string
	}
	ruleArgs struct {
		Agency, Name   string
		New            bool // it must not be there yet
		When, Do, Text *string
		Off            *bool
		Reason         string
	}
	ofAgencyArgs struct{ Agency, Name, Reason string }
	kindArgs     struct {
		store.PolicyKind
		Why string
	}
	permissionArgs struct {
		store.PolicyPermission
		Why string
	}
	labelArgs struct {
		store.PolicyLabel
		Why string
	}
)

// agencyView is an agency with what it has set of policy.
type agencyView struct {
	store.Agency
	Policy store.PolicySettings `json:"policy"`
}

// policyView is all that a check of files needs to know of a suite.
type policyView struct {
	Policy     *store.PolicySet  `json:"policy"`
	Domains    map[string]string `json:"domains"` // domain: agency
	GovDomains []string          `json:"gov_domains,omitempty"`
	Guidance   string            `json:"guidance,omitempty"`
}

var policyOperations = map[string]operation{
	"policy.get": op(getPolicy),
	"agency.history": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		if _, err := agencyOf(st, a.Name); err != nil {
			return err
		}
		all, err := st.PolicySettingsHistory(ctx, actor(ctx), a.Name)
		return each(emit, all, err)
	}),
	"rule.put":  changed(putRule),
	"rule.list": op(listPolicy(func(a *store.AgencyPolicy) []store.PolicyRule { return a.Rules })),
	"rule.show": op(func(_ context.Context, st store.Store, a ofAgencyArgs, emit func(any) error) error {
		r, err := ruleOf(st, a.Agency, a.Name)
		return oneOf(emit, r, err)
	}),
	"rule.remove": op(func(ctx context.Context, st store.Store, a ofAgencyArgs, _ func(any) error) error {
		return st.RemovePolicyRule(ctx, actor(ctx), a.Agency, a.Name, a.Reason)
	}),
	"rule.history": op(func(ctx context.Context, st store.Store, a ofAgencyArgs, emit func(any) error) error {
		all, err := st.PolicyRuleHistory(ctx, actor(ctx), a.Agency, a.Name)
		return each(emit, all, err)
	}),
	"kind.put": op(func(ctx context.Context, st store.Store, a kindArgs, emit func(any) error) error {
		k, err := st.PutPolicyKind(ctx, actor(ctx), a.PolicyKind, a.Why)
		return oneOf(emit, k, err)
	}),
	"kind.remove": op(func(ctx context.Context, st store.Store, a ofAgencyArgs, _ func(any) error) error {
		return st.RemovePolicyKind(ctx, actor(ctx), a.Agency, a.Name, a.Reason)
	}),
	"kind.list": op(listPolicy(func(a *store.AgencyPolicy) []store.PolicyKind { return a.Kinds })),
	"allow.put": op(func(ctx context.Context, st store.Store, a permissionArgs, emit func(any) error) error {
		p, err := st.PutPolicyPermission(ctx, actor(ctx), a.PolicyPermission, a.Why)
		return oneOf(emit, p, err)
	}),
	"allow.remove": op(func(ctx context.Context, st store.Store, a ofAgencyArgs, _ func(any) error) error {
		return st.RemovePolicyPermission(ctx, actor(ctx), a.Agency, a.Name, a.Reason)
	}),
	"allow.list": op(listPolicy(func(a *store.AgencyPolicy) []store.PolicyPermission { return a.Permissions })),
	"label.put": op(func(ctx context.Context, st store.Store, a labelArgs, emit func(any) error) error {
		l, err := st.PutPolicyLabel(ctx, actor(ctx), a.PolicyLabel, a.Why)
		return oneOf(emit, l, err)
	}),
	"label.remove": op(func(ctx context.Context, st store.Store, a labelArgs, _ func(any) error) error {
		return st.RemovePolicyLabel(ctx, actor(ctx), a.Site, a.GUID, a.Why)
	}),
	"label.list": op(func(_ context.Context, st store.Store, _ none, emit func(any) error) error {
		return each(emit, st.Policy().Labels, nil)
	}),
}

func getPolicy(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
	v := policyView{Policy: st.Policy(), Domains: map[string]string{}}
	domains, err := st.Domains(ctx, store.System)
	if err != nil {
		return err
	}
	for _, d := range domains {
		v.Domains[d.Name] = d.Agency
	}
	if cfg, err := machine(ctx); err == nil {
		v.GovDomains, v.Guidance = cfg.GovDomains, cfg.Guidance
	}
	return emit(v)
}

// listPolicy emits what one agency has of something, or all have.
func listPolicy[T any](of func(*store.AgencyPolicy) []T) func(context.Context, store.Store, ofAgencyArgs, func(any) error) error {
	return func(_ context.Context, st store.Store, a ofAgencyArgs, emit func(any) error) error {
		set := st.Policy()
		if a.Agency != "" {
			if err := agencyOrSuite(st, a.Agency); err != nil {
				return err
			}
			if p := set.Agencies[a.Agency]; p != nil {
				return each(emit, of(p), nil)
			}
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(set.Agencies)) {
			if err := each(emit, of(set.Agencies[name]), nil); err != nil {
				return err
			}
		}
		return nil
	}
}

func agencyOrSuite(st store.Store, name string) error {
	if name == store.Suite {
		return nil
	}
	_, err := agencyOf(st, name)
	return err
}

func ruleOf(st store.Store, agency, name string) (*store.PolicyRule, error) {
	if a := st.Policy().Agencies[agency]; a != nil {
		for i := range a.Rules {
			if a.Rules[i].Name == name {
				return &a.Rules[i], nil
			}
		}
	}
	return nil, fmt.Errorf("rule %s of %s: %w", name, agency, store.ErrNotFound)
}

// putRule adds or changes a rule, once it is one that loads.
func putRule(ctx context.Context, st store.Store, a ruleArgs, emit func(any) error) error {
	if err := agencyOrSuite(st, a.Agency); err != nil {
		return err
	}
	r := store.PolicyRule{Agency: a.Agency, Name: a.Name}
	was, err := ruleOf(st, a.Agency, a.Name)
	switch {
	case err == nil && a.New:
		return fmt.Errorf("rule %s of %s: %w: `policy rule change` makes its next version", a.Name, a.Agency, store.ErrExists)
	case err == nil:
		r = *was
	case !a.New:
		return err
	}
	set(&r.When, a.When)
	set(&r.Do, a.Do)
	set(&r.Text, a.Text)
	set(&r.Off, a.Off)
	if err := policy.CheckRule(r); err != nil {
		return usage(err)
	}
	kept, err := st.PutPolicyRule(ctx, actor(ctx), r, a.Reason)
	return oneOf(emit, kept, err)
}

// setSettings changes what an agency has set of policy.
func setSettings(ctx context.Context, st store.Store, agency string, a *policySettingsArgs, reason string) error {
	var s store.PolicySettings
	if p := st.Policy().Agencies[agency]; p != nil {
		s = p.Settings
	}
	set(&s.AttachmentMax, a.AttachmentMax)
	set(&s.AttachmentCount, a.AttachmentCount)
	set(&s.Executables, a.Executables)
	set(&s.Macros, a.Macros)
	set(&s.DoubleExtension, a.DoubleExtension)
	set(&s.InternetSecret, a.InternetSecret)
	set(&s.InternetUnread, a.InternetUnread)
	set(&s.Declare, a.Declare)
	set(&s.Guidance, a.Guidance)
	set(&s.Officers, a.Officers)
	return st.SetPolicySettings(ctx, actor(ctx), agency, s, reason)
}

// viewOf is what holds for the agency.
func viewOf(st store.Store, a store.Agency) agencyView {
	v := agencyView{Agency: a}
	if p := st.Policy().Agencies[a.Name]; p != nil {
		v.Policy = p.Settings
	}
	return v
}

// by is who made a version, and when, for lists.
func by(c store.PolicyChange) string {
	s := c.Time.Local().Format(minuteForm) + " by " + c.By
	if c.Reason != "" {
		s += ": " + c.Reason
	}
	return s
}

func untilText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(minuteForm)
}
