package relay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sampul/store"
)

// startOf is the beginning of the window that holds t, on t's clock. Where the clock is
// set back in autumn, the hour that comes twice is one window.
func startOf(window string, t time.Time) time.Time {
	y, m, d := t.Date()
	switch window {
	case store.WindowMinute:
		return t.Add(-sinceMinute(t))
	case store.WindowHour:
		s := t.Add(-sinceMinute(t) - time.Duration(t.Minute())*time.Minute)
		if before := s.Add(-time.Hour); before.Hour() == s.Hour() {
			s = before
		}
		return s
	case store.WindowDay:
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, t.Location())
}

func sinceMinute(t time.Time) time.Duration {
	return time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

// nextOf is when the window after the one that holds t begins.
func nextOf(window string, t time.Time) time.Time {
	s := startOf(window, t)
	y, m, d := s.Date()
	var next time.Time
	switch window {
	case store.WindowMinute:
		next = s.Add(time.Minute)
	case store.WindowHour:
		next = s.Add(time.Hour)
	case store.WindowDay:
		next = time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
	default:
		next = time.Date(y, m+1, 1, 0, 0, 0, 0, t.Location())
	}
	for !next.After(t) { // the clock was set back within it
		next = next.Add(time.Hour)
	}
	return next
}

// Hours are the hours of a day in which an application may send; the zero value is all.
type Hours struct{ from, to int } // to is not in it; from > to goes over midnight

// ParseHours reads "08-18", or "" for all.
func ParseHours(s string) (Hours, error) {
	if s == "" {
		return Hours{}, nil
	}
	a, b, ok := strings.Cut(s, "-")
	from, err1 := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || from < 0 || from > 23 || to < 0 || to > 24 || from == to || strings.HasPrefix(b, "-") {
		return Hours{}, fmt.Errorf("hours are two full hours of a day, such as 08-18, or 22-06 over midnight, not %q", s)
	}
	return Hours{from, to}, nil
}

// Holds says whether t is in the hours.
func (h Hours) Holds(t time.Time) bool {
	n := t.Hour()
	switch {
	case h.from == h.to:
		return true
	case h.from < h.to:
		return n >= h.from && n < h.to
	}
	return n >= h.from || n < h.to
}

// Next is t, or when the hours begin next.
func (h Hours) Next(t time.Time) time.Time {
	for !h.Holds(t) {
		t = nextOf(store.WindowHour, t)
	}
	return t
}
