// Package window says where windows of time begin on the local clock: minutes, hours,
// days and months, in which quotas and counts are kept.
package window

import "time"

// Windows, from the shortest.
const (
	Minute = "minute"
	Hour   = "hour"
	Day    = "day"
	Month  = "month"
)

// All are the windows, in order.
var All = []string{Minute, Hour, Day, Month}

// Start is the beginning of the window that holds t, on t's clock. Where the clock is
// set back in autumn, the hour that comes twice is one window.
func Start(name string, t time.Time) time.Time {
	y, m, d := t.Date()
	switch name {
	case Minute:
		return t.Add(-sinceMinute(t))
	case Hour:
		s := t.Add(-sinceMinute(t) - time.Duration(t.Minute())*time.Minute)
		if before := s.Add(-time.Hour); before.Hour() == s.Hour() {
			s = before
		}
		return s
	case Day:
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, t.Location())
}

func sinceMinute(t time.Time) time.Duration {
	return time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

// Next is when the window after the one that holds t begins.
func Next(name string, t time.Time) time.Time {
	s := Start(name, t)
	y, m, d := s.Date()
	var next time.Time
	switch name {
	case Minute:
		next = s.Add(time.Minute)
	case Hour:
		next = s.Add(time.Hour)
	case Day:
		next = time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
	default:
		next = time.Date(y, m+1, 1, 0, 0, 0, 0, t.Location())
	}
	for !next.After(t) { // the clock was set back within it
		next = next.Add(time.Hour)
	}
	return next
}
