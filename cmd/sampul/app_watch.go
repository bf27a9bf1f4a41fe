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
	seen    appsSeen
}

// appsSeen is what people were told, by address of the application.
type appsSeen struct {
	Versions map[string]int    `json:"versions"`
	Bounces  map[string]string `json:"bounces"` // the last day
}

// openApps makes what counts and watches applications.
func (s *suite) openApps() (err error) {
	w := &appWatch{s: s}
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
	if w.seen.Versions == nil {
		w.seen.Versions = map[string]int{}
	}
	if w.seen.Bounces == nil {
		w.seen.Bounces = map[string]string{}
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
		if a.Version != w.seen.Versions[a.Address] {
			if err := w.tellChanges(ctx, a); err != nil {
				return err
			}
			w.seen.Versions[a.Address], changed = a.Version, true
		}
		if err := w.remind(ctx, a); err != nil {
			return err
		}
		if day := yesterday(w.s.clock()).Format(dayForm); w.seen.Bounces[a.Address] != day {
			if err := w.bounces(ctx, a, day); err != nil {
				return err
			}
			w.seen.Bounces[a.Address], changed = day, true
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

// An appNews is what people hear of an application.
type appNews struct {
	once           string // the name under which it is said once, for so long
	kept           time.Duration
	security       bool // officers hear of it too, and at once
	malay, english string
}

// tell writes to the owner and to the agency's administrators; of what concerns security
// also to its security officers.
func (w *appWatch) tell(ctx context.Context, a *store.App, l appNews) error {
	if w.letters.Said(l.once) {
		return nil
	}
	to := []string{a.Owner}
	all, err := w.s.store.Accounts(ctx, store.Actor{Agency: a.Agency, Role: store.RoleAdmin})
	if err != nil {
		return err
	}
	for i := range all {
		if x := &all[i]; (x.Role == store.RoleAdmin || l.security && x.Role == store.RoleSecurity) && !slices.Contains(to, x.Address) {
			to = append(to, x.Address)
		}
	}
	return w.letters.Tell(ctx, notices.Event{About: a.Address, To: to, Malay: l.malay, English: l.english, Once: l.once, Kept: l.kept, Urgent: l.security})
}

// tellChanges tells each version since the last one that was told.
func (w *appWatch) tellChanges(ctx context.Context, a *store.App) error {
	history, err := w.s.store.AppHistory(ctx, store.System, a.Address)
	if err != nil {
		return err
	}
	for i := 1; i < len(history); i++ {
		if history[i].Version <= w.seen.Versions[a.Address] {
			continue
		}
		malay, english := changeText(&history[i-1], &history[i])
		if malay == "" {
			continue
		}
		once := fmt.Sprintf("version %d %d", a.Account, history[i].Version)
		if err := w.tell(ctx, a, appNews{once: once, security: history[i].State == store.AppSuspended, malay: malay, english: english}); err != nil {
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
	return w.tell(ctx, a, appNews{once: fmt.Sprintf("until %d %d %d", a.Account, a.Until.Unix(), step), kept: 3 * store.AppTerm, malay: malay, english: english})
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

// yesterday is the start of the day before.
func yesterday(now time.Time) time.Time {
	return window.Start(window.Day, window.Start(window.Day, now).Add(-time.Hour))
}

// bounces tells once a day what did not arrive the day before.
func (w *appWatch) bounces(ctx context.Context, a *store.App, day string) error {
	now := w.s.clock()
	all, err := w.s.store.Usage(ctx, store.System, a.Address, yesterday(now), window.Start(window.Day, now))
	if err != nil {
		return err
	}
	var bounced, delivered uint64
	for i := range all {
		bounced += all[i].Bounced
		delivered += all[i].Delivered
	}
	if bounced == 0 {
		return nil
	}
	return w.tell(ctx, a, appNews{once: fmt.Sprintf("bounces %d %s", a.Account, day),
		malay:   fmt.Sprintf("%s: %d penerima gagal dihantar, %d dihantar", day, bounced, delivered),
		english: fmt.Sprintf("%s: %d recipients bounced, %d delivered", day, bounced, delivered)})
}

// nearQuota tells that a quota is nearly used up. It is called under way: others do the work.
func (w *appWatch) nearQuota(app *store.App, name string, used, limit uint64) {
	a := *app
	w.s.running.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		start, kept := window.Start(name, w.s.clock()), time.Duration(0)
		switch name {
		case store.WindowMinute: // once an hour is enough
			start = window.Start(store.WindowHour, start)
		case store.WindowMonth:
			kept = 40 * 24 * time.Hour
		}
		err := w.tell(ctx, &a, appNews{once: fmt.Sprintf("quota %d %s %d", a.Account, name, start.Unix()), kept: kept,
			malay:   fmt.Sprintf("kuota %s: %d daripada %d penerima telah digunakan", windowWords[name], used, limit),
			english: fmt.Sprintf("quota of the %s: %d of %d recipients are used", name, used, limit)})
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
	err := w.tell(ctx, app, appNews{once: once, security: true,
		malay:   fmt.Sprintf("jumlah luar biasa: %d penerima dalam sejam, biasanya %d", accepted, usual),
		english: fmt.Sprintf("unusual volume: %d recipients in an hour, usually %d", accepted, usual)})
	if err != nil {
		w.s.log.Error("owner of application is not told", "app", app.Address, "err", err)
	}
}

// ownerOf is who answers for an application.
func (s *suite) ownerOf(address string) string {
	a, err := s.store.AppNamed(context.Background(), store.System, address)
	if err != nil {
		return ""
	}
	return a.Owner
}
