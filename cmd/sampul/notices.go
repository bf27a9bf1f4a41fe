package main

import (
	"context"
	"errors"
	"slices"

	"sampul/policy/notices"
	"sampul/store"
)

// openNotices makes the gatherer of letters about incidents.
func (s *suite) openNotices() (*notices.Notices, error) {
	return notices.New(notices.Deps{Incidents: s.store.Incidents, States: s.store, Addressees: s.watchers, Post: s.postNotice,
		Owner: s.ownerOf, Clock: s.clock, Log: s.log})
}

// watchers are who looks after an agency's incidents: its security officers and
// administrators, and whom its settings name.
func (s *suite) watchers(ctx context.Context, agency string) ([]string, error) {
	var to []string
	if a := s.store.Policy().Agencies[agency]; a != nil {
		to = append(to, a.Settings.Officers...)
	}
	all, err := s.store.Accounts(ctx, store.Actor{Agency: agency, Role: store.RoleAdmin})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if a := &all[i]; (a.Role == store.RoleSecurity || a.Role == store.RoleAdmin) && !slices.Contains(to, a.Address) {
			to = append(to, a.Address)
		}
	}
	return to, nil
}

// postNotice sends one letter. What will not get better with time is logged alone: the
// incidents are kept, and other letters go on.
func (s *suite) postNotice(ctx context.Context, to, subject, text string) error {
	err := s.mail.poster.Notice(ctx, to, subject, text)
	if err == nil || errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrDiskReserve) || ctx.Err() != nil {
		return err
	}
	s.log.Error("notice of incidents not sent", "to", to, "err", err)
	return nil
}
