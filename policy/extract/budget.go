package extract

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

var errBudget = errors.New("past a limit of work")

// A clock measures the work on one message. Others work in this process at the same time:
// what counts is the shorter of the time that went by and the time that the process worked.
type clock struct {
	wall time.Time
	cpu  time.Duration
}

func (c *clock) start() { c.wall, c.cpu = time.Now(), processTime() }

func (c *clock) used() time.Duration {
	if c.wall.IsZero() {
		return 0
	}
	return min(time.Since(c.wall), processTime()-c.cpu)
}

func processTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick says whether work may go on: readers ask it in their loops. It costs some tens of
// nanoseconds.
func (w *walker) tick() bool {
	if w.over || w.err != nil || w.ctx.Err() != nil {
		return false
	}
	left := w.b.CPU - w.used.CPU
	if !w.clock.wall.IsZero() && time.Since(w.clock.wall) > left && w.clock.used() > left {
		w.exceed(at{}, "message", fmt.Sprintf("more than %v of work on the message", w.b.CPU))
		return false
	}
	return true
}

// exceed ends the work on the message: a limit is passed. Only the first is told.
func (w *walker) exceed(a at, kind, why string) {
	if !w.over {
		w.over = true
		w.gap(a, kind, TooMuch, why)
	}
}

// spend takes n octets of the budget for what is expanded.
func (w *walker) spend(n int64) bool {
	w.used.Expanded += n
	return w.used.Expanded <= w.b.Expanded
}

// member counts a file in a container.
func (w *walker) member(a at) bool {
	w.used.Members++
	switch {
	case w.used.Members > w.b.Members:
		w.exceed(a, "container", fmt.Sprintf("more than %d files in the message", w.b.Members))
	case a.depth > w.b.Depth:
		w.exceed(a, "container", fmt.Sprintf("more than %d containers in each other", w.b.Depth))
	}
	return w.tick()
}

// note tells people of what was looked at in part only.
func (w *walker) note(a at, text string) {
	if len(w.res.Notes) < 100 {
		w.res.Notes = append(w.res.Notes, w.pathOf(a)+": "+text)
	}
}

// size is a number of octets for people.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d octets", n)
}
