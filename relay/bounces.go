package relay

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"sampul/store"
)

// A Bounce is the end of one recipient of an application's message, elsewhere and for good.
type Bounce struct {
	App       store.AccountID
	Recipient string
	Code      int    // SMTP reply, 0 for none
	Status    string // RFC 3463, "" for none
	Text      string // what the other side said
	AtRcpt    bool   // it was said of the address, at RCPT, and not of the message
	Other     bool   // a report names another address, to which the other side sent it on
	Expired   bool   // it was tried until its time was over
	Reported  bool   // it came back as a message
}

// Kinds of bounces, as they are counted.
const (
	BounceHard    = store.SuppressHard // the address does not exist: suppressed at once
	BounceSoft    = store.SuppressSoft // it may pass: suppressed when it happens often
	BounceMessage = "message"          // it says nothing of the address: never suppressed
)

// Kind says what a bounce means for its recipient. Only what surely is about the address is
// hard. What is said of the message, of its sender or of policy says nothing of the address.
func (b *Bounce) Kind() string {
	kind := kindOf(b)
	if kind == BounceHard && b.Other { // one dead member of somebody's list is not the list
		return BounceSoft
	}
	return kind
}

func kindOf(b *Bounce) string {
	class, subject, detail, ok := status(b.Status)
	text := strings.ToLower(b.Text)
	if !ok {
		switch {
		case b.Code >= 550 && b.Code <= 553 && unknown(text):
			return BounceHard
		case b.Code >= 400 && says(text, fullWords), b.Expired && b.Code != 0:
			return BounceSoft
		}
		return BounceMessage
	}
	passing := class == "4" || b.Expired || b.Code >= 400 && b.Code < 500
	switch subject {
	case "1": // addressing status
		switch detail {
		case "7", "8": // the sender's address
			return BounceMessage
		case "1", "3", "6", "10":
			if passing {
				return BounceSoft
			}
			return BounceHard
		case "0":
			if !passing && unknown(text) {
				return BounceHard
			}
		}
		return BounceSoft
	case "2": // mailbox status
		switch detail {
		case "1":
			if passing {
				return BounceSoft
			}
			return BounceHard
		case "3", "4": // the message is too long; a list did not expand
			return BounceMessage
		}
		return BounceSoft
	case "4": // network and routing status
		if !passing && b.AtRcpt && unknown(text) { // some hosts say 5.4.1 of unknown users
			return BounceHard
		}
		return BounceSoft
	case "7": // policy
		if detail == "13" && !passing { // RFC 5248: user account disabled
			return BounceHard
		}
		return BounceMessage
	case "0", "5":
		if !passing && b.Code >= 550 && unknown(text) {
			return BounceHard
		}
	}
	if passing && subject != "6" && !(subject == "3" && detail == "4") { // 5.3.4: the message is too big
		return BounceSoft
	}
	return BounceMessage
}

func status(s string) (class, subject, detail string, ok bool) {
	f := strings.Split(s, ".")
	if len(f) != 3 || f[0] != "4" && f[0] != "5" || f[1] == "" || f[2] == "" {
		return "", "", "", false
	}
	return f[0], f[1], f[2], true
}

// unknownWords are how servers without a status of their own say that nobody has an address.
var unknownWords = []string{
	"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "no such address", "unknown recipient",
	"recipient unknown", "recipient not found", "user not found", "mailbox not found", "user does not exist", "recipient does not exist",
	"mailbox does not exist", "address does not exist", "account does not exist", "tried to reach does not exist", "user doesn't exist",
	"unknown or illegal alias", "not a valid mailbox", "invalid mailbox", "unknown mailbox", "unknown address", "address unknown",
	"this user doesn't have", "no mailbox here", "account has been disabled", "account is disabled", "mailbox is disabled", "mailbox disabled",
	"account that you tried to reach is disabled", "recipientnotfound", "as(201806281)",
}

var fullWords = []string{"mailbox full", "mailbox is full", "over quota", "quota exceeded", "exceeded storage", "out of storage", "overquota", "storage quota"}

// unknown says whether a server says that nobody has the address of the recipient.
func unknown(text string) bool {
	return says(text, unknownWords) && !strings.Contains(text, "sender") && !strings.Contains(text, "mail from")
}

func says(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// DefaultSoftRule is three failures in a week, for a week.
var DefaultSoftRule = store.SoftRule{Times: 3, Within: 7 * 24 * time.Hour, For: 7 * 24 * time.Hour}

// HardLife is how long a hard bounce suppresses: a year, so that an address that is given
// out again is reached again, and the list does not grow for ever.
const HardLife = 365 * 24 * time.Hour

// BouncesDeps are what the keeper of bounces needs. Bounced and Log may be nil.
type BouncesDeps struct {
	Store interface {
		App(id store.AccountID) *store.App
		NoteBounces(ctx context.Context, all []store.Suppression, rule store.SoftRule) ([]store.Suppression, error)
	}
	Clock func() time.Time
	Log   *slog.Logger
	// Bounced hears of each bounce, once, before it is kept; kind is one of the constants,
	// and reported says that it came back as a message, after the other side had taken what
	// was sent. It must be quick.
	Bounced func(app *store.App, recipient, kind string, reported bool)
	Rule    store.SoftRule // zero is DefaultSoftRule
}

// Bounces keeps what bounces tell of recipients. Those that come together are written
// together.
type Bounces struct {
	d    BouncesDeps
	work sync.WaitGroup

	mu      sync.Mutex
	waiting []waitingBounce
	writing bool
	closed  bool
}

type waitingBounce struct {
	s    store.Suppression
	done chan<- error // nil: nobody waits
}

const (
	maxWaiting = 100_000 // bounces that may wait to be written
	maxWrite   = 1000    // of one write
)

var errBouncesFull = errors.New("relay: too many bounces wait to be kept")

// NewBounces makes a keeper.
func NewBounces(d BouncesDeps) *Bounces {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Bounced == nil {
		d.Bounced = func(*store.App, string, string, bool) {}
	}
	if d.Rule.Times == 0 {
		d.Rule = DefaultSoftRule
	}
	return &Bounces{d: d}
}

// Note takes a bounce, and returns when what follows of it is kept.
func (b *Bounces) Note(ctx context.Context, x Bounce) error {
	done := make(chan error, 1)
	if !b.add(&x, done) {
		return nil
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Later takes a bounce that is kept soon: lost by a crash, the next message tells it again.
func (b *Bounces) Later(x Bounce) { b.add(&x, nil) }

// add says whether there is something to wait for.
func (b *Bounces) add(x *Bounce, done chan<- error) bool {
	app := b.d.Store.App(x.App)
	if app == nil {
		return false
	}
	kind := x.Kind()
	b.d.Log.Info("bounce", "app", app.Address, "to", x.Recipient, "kind", kind, "code", x.Code, "dsn", x.Status)
	b.d.Bounced(app, x.Recipient, kind, x.Reported)
	if kind == BounceMessage {
		return false
	}
	now := b.d.Clock()
	s := store.Suppression{App: x.App, Agency: app.Agency, Address: x.Recipient, Kind: kind, Reason: plain(x.Text), Code: x.Code, Status: x.Status, Time: now, By: "bounce"}
	if kind == BounceHard {
		s.Until = now.Add(HardLife).UTC().Truncate(time.Second)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.waiting) >= maxWaiting {
		b.d.Log.Warn("bounce not kept", "app", app.Address, "to", x.Recipient)
		if done != nil {
			done <- errBouncesFull
		}
		return true
	}
	b.waiting = append(b.waiting, waitingBounce{s, done})
	if !b.writing {
		b.writing = true
		b.work.Go(b.write)
	}
	return true
}

// write keeps what waits, until nothing does.
func (b *Bounces) write() {
	for {
		b.mu.Lock()
		batch := b.waiting[:min(len(b.waiting), maxWrite)]
		if b.waiting = b.waiting[len(batch):]; len(batch) == 0 {
			b.waiting, b.writing = nil, false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		all := make([]store.Suppression, len(batch))
		for i := range batch {
			all[i] = batch[i].s
		}
		made, err := b.d.Store.NoteBounces(context.Background(), all, b.d.Rule)
		if err != nil {
			b.d.Log.Error("bounces not kept", "count", len(all), "err", err)
		}
		for i := range made {
			m := &made[i]
			b.d.Log.Info("suppressed", "app", m.Sender, "to", m.Address, "kind", m.Kind, "code", m.Code, "dsn", m.Status, "until", m.Until)
		}
		for i := range batch {
			if batch[i].done != nil {
				batch[i].done <- err
			}
		}
	}
}

// Close takes no more, and returns when all is kept.
func (b *Bounces) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.work.Wait()
}

// maxReason is how much of what the other side said is kept.
const maxReason = 300

// plain is one printable line of a text from outside.
func plain(s string) string {
	if len(s) > 4*maxReason {
		s = s[:4*maxReason]
	}
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)), " ")
	if r := []rune(s); len(r) > maxReason {
		s = string(r[:maxReason])
	}
	return s
}
