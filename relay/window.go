package relay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

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
		t = window.Next(store.WindowHour, t)
	}
	return t
}
