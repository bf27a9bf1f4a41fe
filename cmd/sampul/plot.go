package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sampul/internal/window"
)

const (
	plainWidth = 80  // columns, where nobody says how many there are
	maxBars    = 800 // of one plot
)

// widthOf is how many columns a terminal has; COLUMNS says it for what is none.
func widthOf(out io.Writer) int {
	if f, ok := out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return min(n, 1000)
	}
	return plainWidth
}

// A bar is a line of a plot: what was accepted, and what was refused.
type bar struct {
	label             string
	accepted, refused uint64
}

// plotRelay draws a bar for each hour or day, also for those in which nothing happened.
func plotRelay(out io.Writer, by string, all []*relayLine, since, until time.Time) error {
	form := "2006-01-02 15:00"
	if by == "day" {
		form = dayForm
	}
	sums := map[string]*relayLine{}
	for _, l := range all {
		if by == "day" {
			sums[l.Day] = l
		} else {
			sums[l.Hour.Format(form)] = l
		}
	}
	var bars []bar
	for at := window.Start(by, since.Local()); at.Before(until); at = window.Next(by, at) {
		if len(bars) == maxBars {
			return usagef("--plot: more than %d bars; draw a shorter time, or --by day", maxBars)
		}
		b := bar{label: at.Format(form)}
		if l := sums[b.label]; l != nil {
			b.accepted, b.refused = l.Accepted, l.RefusedAll
		}
		bars = append(bars, b)
	}
	return drawBars(out, bars, widthOf(out))
}

// drawBars draws bars of at most width columns, the longest as long as there is room.
func drawBars(out io.Writer, bars []bar, width int) error {
	var most uint64
	label, number := 0, 0
	numbers := make([]string, len(bars))
	for i, b := range bars {
		most = max(most, b.accepted+b.refused)
		numbers[i] = fmt.Sprint(b.accepted)
		if b.refused > 0 {
			numbers[i] += fmt.Sprintf(" +%d", b.refused)
		}
		label, number = max(label, len(b.label)), max(number, len(numbers[i]))
	}
	room := max(8, width-label-number-3)
	for i, b := range bars {
		full, rest := eighths(b.accepted, most, room)
		line := strings.Repeat("█", full) + rest
		used := full
		if rest != "" {
			used++
		}
		if light, _ := eighths(b.refused, most, room); b.refused > 0 {
			line += strings.Repeat("░", min(max(1, light), max(0, room-used)))
		}
		if _, err := fmt.Fprintf(out, "%-*s  %s\n", label, b.label, strings.TrimRight(strings.TrimRight(line, " ")+" "+numbers[i], " ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "█ accepted  ░ refused (+)")
	return err
}

var parts = [8]string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// eighths is how long a bar is: full columns, and a part of one. Whatever is not nothing is
// seen.
func eighths(n, most uint64, room int) (full int, rest string) {
	if n == 0 || most == 0 {
		return 0, ""
	}
	eights := int(float64(n) / float64(most) * float64(room) * 8)
	eights = max(1, min(eights, room*8))
	return eights / 8, parts[eights%8]
}
