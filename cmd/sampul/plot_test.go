package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestBarsFitTheTerminal(t *testing.T) {
	bars := []bar{{"00:00", 0, 0}, {"01:00", 1, 0}, {"02:00", 1_000_000, 0}, {"03:00", 500_000, 500_000}, {"04:00", 0, 1}, {"05:00", 1 << 62, 1 << 62}}
	for _, width := range []int{1, 40, 80, 200} {
		for n := 1; n <= len(bars); n++ {
			var b strings.Builder
			if err := drawBars(&b, bars[:n], width); err != nil {
				t.Fatal(err)
			}
			rows := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			if len(rows) != n+1 {
				t.Fatalf("%d rows for %d bars", len(rows), n)
			}
			for _, l := range rows[:n] {
				if got := utf8.RuneCountInString(l); width >= 80 && got > width {
					t.Errorf("%d columns of %d: %s", got, width, l)
				}
			}
		}
	}
	var b strings.Builder
	if err := drawBars(&b, bars[:5], 80); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(b.String(), "\n")
	for i, want := range []string{"00:00   0", "01:00  ▏ 1", "█ 1000000", "500000 +500000", "04:00  ░ 0 +1"} {
		if !strings.HasSuffix(rows[i], want) {
			t.Errorf("%q, want %q at its end", rows[i], want)
		}
	}
	if full, light := strings.Count(rows[3], "█"), strings.Count(rows[3], "░"); full < 20 || full != light {
		t.Errorf("half and half: %s", rows[3])
	}
}

func TestReminderSteps(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct {
		until      time.Duration
		step, left int
	}{{31 * day, -1, 31}, {30 * day, 30, 30}, {29*day + 1, 30, 30}, {7*day + 1, 30, 8}, {7 * day, 7, 7}, {2 * day, 7, 2}, {day, 1, 1}, {1, 1, 1}, {0, 0, 0}, {-day, 0, 0}} {
		if step, left := reminder(now, now.Add(c.until)); step != c.step || left != c.left {
			t.Errorf("%s before: step %d, %d days; want %d, %d", c.until, step, left, c.step, c.left)
		}
	}
}
