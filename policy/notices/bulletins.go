package notices

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sampul/store"
)

const (
	bulletinsKey = "bulletins"
	onceFor      = 2 * 24 * time.Hour // how long it is remembered that something was said, unless the event says longer
	maxLetters   = 5000               // that wait; more are dropped, and the log says so
)

// An Event is something that people should hear of, beside incidents: a quota that is
// nearly used up, a suspension, an end that comes near. It holds no content.
type Event struct {
	About   string        // what it is about: the address of an application
	To      []string      // who hears of it
	Malay   string        // one line
	English string        // the same in English
	Once    string        // a name under which this is said once only; "" for as often as it happens
	Urgent  bool          // it waits for nothing but other urgent ones
	Kept    time.Duration // how long Once is remembered; 0 is two days
}

// BulletinDeps are what bulletins need.
type BulletinDeps struct {
	States store.States
	// Post sends a letter. Its error is temporary: the letter is tried again.
	Post  func(ctx context.Context, to, subject, text string) error
	Clock func() time.Time
	Log   *slog.Logger
}

// Bulletins write to people about events. The first is told at once, what follows about the
// same thing within an hour makes one letter.
type Bulletins struct {
	d    BulletinDeps
	wake chan struct{}
	mu   sync.Mutex
	s    bulletins
}

// bulletins outlive a restart.
type bulletins struct {
	Letters map[string]*bulletin `json:"letters"`
	Once    map[string]time.Time `json:"once"` // until when it is remembered
}

// A bulletin is a letter that gathers lines.
type bulletin struct {
	To     string    `json:"to"`
	About  string    `json:"about"`
	Due    time.Time `json:"due"`
	Urgent bool      `json:"urgent,omitempty"`
	Lines  []said    `json:"lines,omitempty"`
	More   int       `json:"more,omitempty"` // events beyond those that are named
}

func (l *bulletin) key() string {
	key := l.To + "\x00" + l.About
	if l.Urgent {
		key += "\x00!"
	}
	return key
}

type said struct {
	Time    time.Time `json:"time"`
	Malay   string    `json:"ms"`
	English string    `json:"en"`
	Times   int       `json:"times"`
}

// NewBulletins takes up what waits; [Bulletins.Run] does the work.
func NewBulletins(d BulletinDeps) (*Bulletins, error) {
	b := &Bulletins{d: d, wake: make(chan struct{}, 1)}
	raw, err := d.States.State(bulletinsKey)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &b.s)
	}
	if err != nil {
		return nil, fmt.Errorf("bulletins: %w", err)
	}
	if b.s.Letters == nil {
		b.s.Letters = map[string]*bulletin{}
	}
	if b.s.Once == nil {
		b.s.Once = map[string]time.Time{}
	}
	return b, nil
}

// Said says whether an event was told under this name.
func (b *Bulletins) Said(once string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.s.Once[once]
	return ok
}

// Tell takes an event in, durably. It does nothing when it was said before and is to be
// said once.
func (b *Bulletins) Tell(ctx context.Context, e Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.d.Clock()
	maps.DeleteFunc(b.s.Once, func(_ string, until time.Time) bool { return now.After(until) })
	if e.Once != "" {
		if _, ok := b.s.Once[e.Once]; ok {
			return nil
		}
		b.s.Once[e.Once] = now.Add(max(e.Kept, onceFor))
	}
	for _, to := range e.To {
		b.add(to, &e, now)
	}
	if err := b.keep(ctx); err != nil {
		delete(b.s.Once, e.Once)
		return err
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

func (b *Bulletins) add(to string, e *Event, now time.Time) {
	fresh := &bulletin{To: to, About: e.About, Urgent: e.Urgent, Due: now}
	l := b.s.Letters[fresh.key()]
	if l == nil {
		if len(b.s.Letters) >= maxLetters {
			b.d.Log.Error("bulletin dropped, too many wait", "to", to, "about", e.About)
			return
		}
		l = fresh
		b.s.Letters[l.key()] = l
	}
	for i := range l.Lines {
		if s := &l.Lines[i]; s.Malay == e.Malay {
			s.Times++
			return
		}
	}
	if len(l.Lines) == numbered {
		l.More++
		return
	}
	l.Lines = append(l.Lines, said{now, e.Malay, e.English, 1})
}

// keep writes the state. b.mu is held.
func (b *Bulletins) keep(ctx context.Context) error {
	raw, err := json.Marshal(b.s)
	if err == nil {
		err = b.d.States.KeepState(ctx, bulletinsKey, raw)
	}
	if err != nil {
		return fmt.Errorf("bulletins: %w", err)
	}
	return nil
}

// Run posts what is due until ctx ends.
func (b *Bulletins) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
		next, err := b.turn(ctx)
		if err != nil && ctx.Err() == nil {
			b.d.Log.Error("bulletins wait", "err", err)
			next = b.d.Clock().Add(again)
		}
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(0, next.Sub(b.d.Clock())))
	}
}

// turn posts what is due, and says when it should be called again.
func (b *Bulletins) turn(ctx context.Context) (next time.Time, err error) {
	for _, l := range b.due() {
		if err := b.d.Post(ctx, l.To, l.subject(), l.text()); err != nil {
			return time.Time{}, fmt.Errorf("to <%s>: %w", l.To, err)
		}
		if err := b.posted(ctx, l); err != nil {
			return time.Time{}, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.s.Letters {
		if next.IsZero() || l.Due.Before(next) {
			next = l.Due
		}
	}
	return next, nil
}

// due are copies of the letters to post now. Those that gathered nothing for an hour go.
func (b *Bulletins) due() []*bulletin {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.d.Clock()
	var out []*bulletin
	for key, l := range b.s.Letters {
		switch {
		case l.Due.After(now):
		case len(l.Lines) == 0:
			delete(b.s.Letters, key)
		default:
			c := *l
			c.Lines = slices.Clone(l.Lines)
			out = append(out, &c)
		}
	}
	return out
}

// posted takes what a letter said from what waits: more may have come meanwhile.
func (b *Bulletins) posted(ctx context.Context, c *bulletin) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.s.Letters[c.key()]
	if l == nil {
		return nil
	}
	var rest []said
	for i, s := range l.Lines {
		if i < len(c.Lines) {
			s.Times -= c.Lines[i].Times
		}
		if s.Times > 0 {
			rest = append(rest, s)
		}
	}
	l.Lines, l.More, l.Due = rest, l.More-c.More, b.d.Clock().Add(hour)
	return b.keep(ctx)
}

func (l *bulletin) subject() string { return "Aplikasi / Application " + l.About }

// text is Malay first, then English.
func (l *bulletin) text() string {
	var b strings.Builder
	write := func(head, more string, line func(*said) string) {
		b.WriteString(head + "\n\n")
		for i := range l.Lines {
			s := &l.Lines[i]
			fmt.Fprintf(&b, "%s  %s", s.Time.Local().Format(timeForm), line(s))
			if s.Times > 1 {
				fmt.Fprintf(&b, " (%d)", s.Times)
			}
			b.WriteString("\n")
		}
		if l.More > 0 {
			fmt.Fprintf(&b, more, l.More)
		}
		b.WriteString("\n")
	}
	write("Perihal aplikasi "+l.About+":", "... dan %d lagi dalam tempoh ini.\n", func(s *said) string { return s.Malay })
	write("About the application "+l.About+":", "... and %d more in this time.\n", func(s *said) string { return s.English })
	return b.String()
}
