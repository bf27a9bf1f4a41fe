package mta

import (
	"context"
	"errors"
	"io"
	"strings"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/relay"
	"sampul/store"
)

// ownReports says whether an application hears of this recipient by its usage and its
// suppressions alone, and not by one message each. Who asked for reports by NOTIFY gets
// them, at its own reverse-path; groups and forwards have one already.
func (r *Runner) ownReports(ctx context.Context, env *store.Envelope, rc *store.Recipient) (path string) {
	if env == nil || env.App == 0 || env.From == "" || rc.From != "" || r.o.AppPath == nil {
		return ""
	}
	if rc.Notify != "" && !strings.EqualFold(rc.Notify, "NEVER") {
		return ""
	}
	path, err := r.o.AppPath(ctx, env.App, env.From, rc.Path)
	if err != nil {
		r.log.Error("reverse-path not made", "id", env.QueueID, "to", rc.Path, "err", err)
	}
	return path
}

// reversePath is that of a recipient on its way out. own says that it is an application's,
// made for this recipient: bounces come to us.
func (r *Runner) reversePath(ctx context.Context, env *store.Envelope, rc *store.Recipient, hop *route.Hop) (from string, own bool) {
	if rc.From != "" && env.From != "" { // a null reverse-path stays null
		return rc.From, false
	}
	switch hop.Kind {
	case route.ToMX, route.ToHost, route.ToLMTP:
		if path := r.ownReports(ctx, env, rc); path != "" {
			return path, true
		}
	}
	return env.From, false
}

// keepBounces hands on who was given up, and takes back the reports that nobody wants.
func (r *Runner) keepBounces(ctx context.Context, env *store.Envelope, list []settled) {
	if env == nil || env.App == 0 {
		return
	}
	for i := range list {
		s := &list[i]
		if (s.report == dsn.Failed || s.report == dsn.Delayed) && r.ownReports(ctx, env, s.rc) != "" {
			s.report = ""
		}
		if s.event != "bounced" && s.event != "expired" {
			continue
		}
		b := relay.Bounce{App: env.App, Recipient: s.rc.Path, AtRcpt: s.atRcpt, Expired: s.event == "expired", Text: s.out.Text}
		// The other side's word, or that of DNS. What nobody answered to may be our own line's fault.
		if s.out.Remote != "" && s.out.Code != 0 || s.out.Code == 0 && s.event == "bounced" {
			b.Code, b.Status = s.out.Code, s.out.Enhanced
		}
		r.o.Bounced(b)
	}
}

// A BounceKeeper keeps what bounces tell of recipients: [relay.Bounces].
type BounceKeeper interface {
	Note(ctx context.Context, x relay.Bounce) error
}

// TakeBounce reads a message that came to the reverse-path of an application, and keeps what
// it tells of the recipient. What is no bounce is nothing; an error is a fault of ours.
func TakeBounce(ctx context.Context, k BounceKeeper, to *route.AppBounce, message io.Reader) error {
	all, err := dsn.ReadBounce(message)
	if errors.Is(err, dsn.ErrNoReport) {
		return nil
	}
	if err != nil {
		return err
	}
	b, ok := bounceOf(to, all)
	if !ok {
		return nil
	}
	return k.Note(ctx, b)
}

// bounceOf picks what is said of the recipient that the reverse-path names. A reverse-path
// that is too short to name it vouches for the one that the report does.
func bounceOf(to *route.AppBounce, all []dsn.Failure) (relay.Bounce, bool) {
	b := relay.Bounce{App: to.App, Recipient: to.Recipient, Reported: true}
	best, rank := 0, -1
	for i := range all {
		f, n := &all[i], 0
		switch {
		case to.Matches(f.Address):
			n = 3
		case to.Matches(f.Original):
			n = 2
		case f.Address == "":
			n = 1
		}
		if n > rank {
			best, rank = i, n
		}
	}
	if rank < 0 {
		return b, false
	}
	f := &all[best]
	if b.Recipient == "" {
		switch rank {
		case 3:
			b.Recipient = f.Address
		case 2:
			b.Recipient = f.Original
		default:
			return b, false
		}
	}
	b.Code, b.Status, b.Text = f.Code, f.Status, f.Text
	b.Other = f.Address != "" && !to.Matches(f.Address)
	b.AtRcpt = strings.Contains(strings.ToLower(f.Text), "rcpt to")
	return b, true
}
