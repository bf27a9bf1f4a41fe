package bolt

import (
	"testing"
	"time"

	"sampul/internal/window"
	"sampul/store"
)

// A store that runs for long keeps the minutes of two hours, and every hour.
func TestMinutesAreForgotten(t *testing.T) {
	c := appCounts{by: map[store.AccountID]map[counted]uint64{}}
	at := time.Date(2026, 3, 1, 0, 0, 30, 0, time.Local)
	for range 600 {
		c.note(&store.Envelope{App: 7, AppCounted: 3, Received: at, AppAt: at.Add(30 * time.Hour)}) // delayed
		c.note(&store.Envelope{App: 7, AppCounted: 2, Received: at})
		at = at.Add(time.Minute)
	}
	n := map[int]int{}
	var hours uint64
	for w, k := range c.by[7] {
		n[w.name]++
		if w.name < len(window.All) && window.All[w.name] == window.Hour {
			hours += k
		}
	}
	if n[minutes] != 120+600 || hours != 3000 || n[acceptedElsewhere] != 10 {
		t.Errorf("kept %v, %d recipients by hour", n, hours)
	}
}
