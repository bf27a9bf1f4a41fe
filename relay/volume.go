package relay

import (
	"context"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// What is unusual: an hour with more than so many times what the application sends at this
// hour of the day, when enough is known of it and enough is sent to matter.
const (
	volumeTimes = 3
	volumeDays  = 5     // of the past in which it sent anything
	volumeLeast = 1_000 // recipients in the hour
	volumePast  = 28    // days that are looked at
)

// volume is what is known of an application in one hour.
type volume struct {
	hour  time.Time
	usual uint64
	known bool // enough days
	told  bool
}

// Usual is how many recipients an application is accepted for in this hour of the day: the
// mean over the days before in which it sent anything. known is false while they are too few.
func Usual(past []store.AppUsage, hour time.Time) (usual uint64, known bool) {
	today := window.Start(window.Day, hour)
	days := map[int64]bool{}
	var sum uint64
	for i := range past {
		u := &past[i]
		at := u.Hour.In(hour.Location())
		day := window.Start(window.Day, at)
		if u.Accepted == 0 || !day.Before(today) {
			continue
		}
		days[day.Unix()] = true
		if at.Hour() == hour.Hour() {
			sum += u.Accepted
		}
	}
	if len(days) < volumeDays {
		return 0, false
	}
	return sum / uint64(len(days)), true
}

// Unusual says whether an hour is far beyond what is usual.
func Unusual(accepted, usual uint64) bool {
	return accepted >= volumeLeast && accepted/volumeTimes >= usual && accepted > usual*volumeTimes
}

// watch looks at the hour of those that were counted just now.
func (t *Tally) watch(ctx context.Context, kept []store.AppUsage) error {
	if t.d.Unusual == nil {
		return nil
	}
	hour := window.Start(window.Hour, t.d.Clock())
	for i := range kept {
		app := t.d.Store.App(kept[i].App)
		if app == nil || !kept[i].Hour.Equal(hour) {
			continue
		}
		v, err := t.volumeOf(ctx, app, hour)
		if err != nil {
			return err
		}
		if !v.known || v.told {
			continue
		}
		now, err := t.d.Store.Usage(ctx, store.System, app.Address, hour, time.Time{})
		if err != nil {
			return err
		}
		if len(now) > 0 && now[0].Hour.Equal(hour) && Unusual(now[0].Accepted, v.usual) {
			v.told = true
			t.d.Unusual(ctx, app, hour, now[0].Accepted, v.usual)
		}
	}
	return nil
}

// volumeOf reads the past once an hour.
func (t *Tally) volumeOf(ctx context.Context, app *store.App, hour time.Time) (*volume, error) {
	v := t.volume[app.Account]
	if v != nil && v.hour.Equal(hour) {
		return v, nil
	}
	past, err := t.d.Store.Usage(ctx, store.System, app.Address, window.Start(window.Day, hour).AddDate(0, 0, -volumePast), hour)
	if err != nil {
		return nil, err
	}
	v = &volume{hour: hour}
	v.usual, v.known = Usual(past, hour)
	t.volume[app.Account] = v
	return v, nil
}
