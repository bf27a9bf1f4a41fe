package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sampul/internal/window"
	"sampul/policy/notices"
	"sampul/relay"
	"sampul/store"
)

const (
	appWatchKey   = "app-watch"
	appWatchEvery = 2 * time.Second
)

// remindDays are how long before its end an application's owner is reminded.
var remindDays = []int{30, 7, 1}

// An appWatch tells owners and administrators what becomes of their applications: whoever
// changed them, also while the suite did not run.
type appWatch struct {
	s       *suite
	letters *notices.Bulletins
	tally   *relay.Tally
	seen    map[string]int // versions of which people were told, by address
}

// openApps makes what counts and watches applications.
func (s *suite) openApps() (err error) {
	w := &appWatch{s: s, seen: map[string]int{}}
	w.letters, err = notices.NewBulletins(notices.BulletinDeps{States: s.store, Post: s.postNotice, Clock: s.clock, Log: s.log})
	if err != nil {
		return err
	}
	raw, err := s.store.State(appWatchKey)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &w.seen)
	}
	if err != nil {
		return fmt.Errorf("watch of applications: %w", err)
	}
	w.tally = relay.NewTally(relay.TallyDeps{Store: s.store, Clock: s.clock, Log: s.log, Observe: s.metrics.Relayed, Unusual: w.unusual})
	s.apps = w
	return nil
}

// run works until ctx ends.
func (w *appWatch) run(ctx context.Context) {
	w.s.run(func() error { w.letters.Run(ctx); return nil })
	w.s.run(func() error { w.tally.Run(ctx); return nil })
	tick := time.NewTicker(appWatchEvery)
	defer tick.Stop()
	for {
		if err := w.turn(ctx); err != nil && ctx.Err() == nil {
			w.s.log.Error("owners of applications are not told", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *appWatch) turn(ctx context.Context) error {
	all, err := w.s.store.Apps(ctx, store.System)
	if err != nil {
		return err
	}
	changed := false
	for i := range all {
		a := &all[i]
		if a.Version != w.seen[a.Address] {
			if err := w.tellChanges(ctx, a); err != nil {
				return err
			}
			w.seen[a.Address], changed = a.Version, true
		}
		if err := w.remind(ctx, a); err != nil {
			return err
		}
		if err := w.bounces(ctx, a); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	raw, err := json.Marshal(w.seen)
	if err != nil {
		return err
	}
	return w.s.store.KeepState(ctx, appWatchKey, raw)
}

// tell writes to the owner and to the agency's administrators; of what concerns security
// also to its security officers.
func (w *appWatch) tell(ctx context.Context, a *store.App, once string, security bool, malay, english string) error {
	if once != "" && w.letters.Said(once) {
		return nil
	}
	to := []string{a.Owner}
	all, err := w.s.store.Accounts(ctx, store.Actor{Agency: a.Agency, Role: store.RoleAdmin})
	if err != nil {
		return err
	}
	for i := range all {
		if x := &all[i]; (x.Role == store.RoleAdmin || security && x.Role == store.RoleSecurity) && !slices.Contains(to, x.Address) {
			to = append(to, x.Address)
		}
	}
	return w.letters.Tell(ctx, notices.Event{About: a.Address, To: to, Malay: malay, English: english, Once: once, Urgent: security})
}

// tellChanges tells each version since the last one that was told.
func (w *appWatch) tellChanges(ctx context.Context, a *store.App) error {
	history, err := w.s.store.AppHistory(ctx, store.System, a.Address)
	if err != nil {
		return err
	}
	for i := 1; i < len(history); i++ {
		if history[i].Version <= w.seen[a.Address] {
			continue
		}
		malay, english := changeText(&history[i-1], &history[i])
		if malay == "" {
			continue
		}
		once := fmt.Sprintf("version %d %d", a.Account, history[i].Version)
		if err := w.tell(ctx, a, once, history[i].State == store.AppSuspended, malay, english); err != nil {
			return err
		}
	}
	return nil
}

// changeText words what people should hear of a change, "" for nothing.
func changeText(was, now *store.App) (malay, english string) {
	until := now.Until.Local().Format(dayForm)
	switch {
	case was.State != store.AppSuspended && now.State == store.AppSuspended:
		return fmt.Sprintf("digantung oleh %s: %s", now.By, cmp.Or(now.Why, "-")), fmt.Sprintf("suspended by %s: %s", now.By, cmp.Or(now.Why, "-"))
	case was.State == store.AppSuspended && now.State == store.AppActive:
		return "dibenarkan semula oleh " + now.By, "resumed by " + now.By
	case was.State != store.AppEnded && now.State == store.AppEnded:
		return fmt.Sprintf("ditamatkan oleh %s: %s", now.By, cmp.Or(now.Why, "-")), fmt.Sprintf("ended by %s: %s", now.By, cmp.Or(now.Why, "-"))
	case !was.Until.IsZero() && now.Until.After(was.Until):
		return "diperbaharui hingga " + until, "renewed until " + until
	}
	return "", ""
}

// remind tells that the approval ends soon, or has ended: each step once for each end.
func (w *appWatch) remind(ctx context.Context, a *store.App) error {
	if a.Until.IsZero() || a.State != store.AppActive && a.State != store.AppSuspended && a.State != store.AppApproved {
		return nil
	}
	step, left := reminder(w.s.clock(), a.Until)
	if step < 0 {
		return nil
	}
	until := a.Until.Local().Format(minuteForm)
	malay := fmt.Sprintf("kelulusan tamat dalam %d hari, pada %s; mohon pembaharuan sebelum itu", left, until)
	english := fmt.Sprintf("the approval ends in %d days, on %s; ask for its renewal before", left, until)
	if step == 0 {
		malay = fmt.Sprintf("kelulusan telah tamat pada %s; tiada lagi mel diterima hingga ia diperbaharui", until)
		english = fmt.Sprintf("the approval ended on %s; no more mail is taken until it is renewed", until)
	}
	return w.tell(ctx, a, fmt.Sprintf("until %d %d %d", a.Account, a.Until.Unix(), step), false, malay, english)
}

// reminder is which of the steps before an end has come: 30, 7 or 1 days, 0 when it has
// ended, -1 for none; and how many days are left, begun ones counted.
func reminder(now, until time.Time) (step, left int) {
	if !now.Before(until) {
		return 0, 0
	}
	const day = 24 * time.Hour
	left = int((until.Sub(now) + day - 1) / day)
	step = -1
	for _, d := range remindDays { // the longest first
		if left <= d {
			step = d
		}
	}
	return step, left
}

// bounces tells once a day what did not arrive the day before.
func (w *appWatch) bounces(ctx context.Context, a *store.App) error {
	today := window.Start(window.Day, w.s.clock())
	yesterday := window.Start(window.Day, today.Add(-time.Hour))
	once := fmt.Sprintf("bounces %d %s", a.Account, yesterday.Format(dayForm))
	if w.letters.Said(once) {
		return nil
	}
	all, err := w.s.store.Usage(ctx, store.System, a.Address, yesterday, today)
	if err != nil {
		return err
	}
	var bounced, delivered uint64
	for i := range all {
		bounced += all[i].Bounced
		delivered += all[i].Delivered
	}
	if bounced == 0 {
		return w.letters.Tell(ctx, notices.Event{Once: once}) // looked at
	}
	day := yesterday.Format(dayForm)
	return w.tell(ctx, a, once, false,
		fmt.Sprintf("%s: %d penerima gagal dihantar, %d dihantar", day, bounced, delivered),
		fmt.Sprintf("%s: %d recipients bounced, %d delivered", day, bounced, delivered))
}

// nearQuota tells that a quota is nearly used up. It is called under way: others do the work.
func (w *appWatch) nearQuota(app *store.App, name string, used, limit uint64) {
	a := *app
	w.s.running.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		start := window.Start(name, w.s.clock())
		err := w.tell(ctx, &a, fmt.Sprintf("quota %d %s %d", a.Account, name, start.Unix()), false,
			fmt.Sprintf("kuota %s: %d daripada %d penerima telah digunakan", windowWords[name], used, limit),
			fmt.Sprintf("quota of the %s: %d of %d recipients are used", name, used, limit))
		if err != nil {
			w.s.log.Error("owner of application is not told", "app", a.Address, "window", name, "err", err)
		}
	})
}

var windowWords = map[string]string{store.WindowMinute: "minit", store.WindowHour: "jam", store.WindowDay: "hari", store.WindowMonth: "bulan"}

// unusual raises an alarm about far more mail than usual, and suspends the application where
// its terms say so. The history of the application tells either.
func (w *appWatch) unusual(ctx context.Context, app *store.App, hour time.Time, accepted, usual uint64) {
	once := fmt.Sprintf("volume %d %d", app.Account, hour.Unix())
	if w.letters.Said(once) { // before a restart
		return
	}
	w.s.log.Warn("unusual volume", "app", app.Address, "hour", hour.Format(time.RFC3339), "accepted", accepted, "usual", usual)
	w.s.metrics.Alarmed("volume")
	a := *app
	why := fmt.Sprintf("jumlah luar biasa / unusual volume: %d penerima dalam sejam, biasanya / recipients in an hour, usually %d", accepted, usual)
	if a.VolumeHold && a.State == store.AppActive {
		a.State, a.Why = store.AppSuspended, why
	}
	if _, err := w.s.store.PutApp(ctx, byRule("volume"), a, why); err != nil {
		w.s.log.Error("unusual volume is not noted", "app", app.Address, "err", err)
	}
	if a.State == store.AppSuspended { // people hear of that
		if err := w.letters.Tell(ctx, notices.Event{Once: once}); err != nil {
			w.s.log.Error("alarm is not noted", "app", app.Address, "err", err)
		}
		return
	}
	err := w.tell(ctx, app, once, true,
		fmt.Sprintf("jumlah luar biasa: %d penerima dalam sejam, biasanya %d", accepted, usual),
		fmt.Sprintf("unusual volume: %d recipients in an hour, usually %d", accepted, usual))
	if err != nil {
		w.s.log.Error("owner of application is not told", "app", app.Address, "err", err)
	}
}

// now is the suite's clock.
func (s *suite) now() time.Time { return time.Now() }

// ownerOf is who answers for an application.
func (s *suite) ownerOf(address string) string {
	a, err := s.store.AppNamed(context.Background(), store.System, address)
	if err != nil {
		return ""
	}
	return a.Owner
}
