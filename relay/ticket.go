package relay

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sampul/store"
)

// A Refusal is why something is not taken from an application.
type Refusal struct {
	Reason    string // for counting: see the constants
	Temporary bool   // the same may be taken later
	Recipient bool   // it is about one recipient: the others may go
	Text      string // Malay, then English, ASCII
}

func (r *Refusal) Error() string { return r.Text }

// Reasons of refusals, as reports count them. A quota's is "quota-" and the window.
const (
	ReasonState       = "state"
	ReasonNetwork     = "network"
	ReasonCertificate = "certificate"
	ReasonSender      = "sender"
	ReasonFrom        = "from"
	ReasonReach       = "reach"
	ReasonSize        = "size"
	ReasonHours       = "hours"
	ReasonBurst       = "burst"
	ReasonSuppressed  = "suppressed"
	ReasonRun         = "run"
	ReasonUnsubscribe = "unsubscribe"
	ReasonClass       = "class"
	ReasonOther       = "other"
)

// A Client is who sends for an application.
type Client struct {
	IP          netip.Addr
	Certificate *x509.Certificate // that TLS has proven, nil for none
}

// A Ticket is one message of an application on its way in. It is used by one goroutine,
// and ended by Done or Drop.
type Ticket struct {
	r      *Relay
	app    *store.App
	m      *metered
	grants []Grant // by recipient while they are refused one by one; one when they may wait
	n      uint64
	run    string
	over   bool
}

// Terms are how a message is taken.
type Terms struct {
	Counted   uint32
	At        time.Time // in whose windows its recipients count
	NotBefore time.Time // it waits until then; zero is not at all
	Run       string
	Note      string // for the reply: "quota hour=412 day=9412", what is used by now
}

func refuse(reason, malay, english string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Text: fmt.Sprintf(malay+". "+english+".", args...)}
}

// Begin looks at who sends, from where and as whom; size is what MAIL announces, 0 for
// nothing. Its error is a [Refusal], or a fault of the store.
func (r *Relay) Begin(ctx context.Context, id store.AccountID, c Client, from string, size int64) (*Ticket, error) {
	app := r.d.Store.App(id)
	if app == nil {
		return nil, refuse(ReasonState, "Akaun ini bukan aplikasi yang diluluskan", "This account is no approved application")
	}
	m, err := r.meter(app)
	if err != nil {
		return nil, err
	}
	now, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	t := &Ticket{r: r, app: app, m: m}
	if err := t.mayBegin(now, c, from, size); err != nil {
		return nil, t.refused(err, 1)
	}
	return t, nil
}

func (t *Ticket) mayBegin(now time.Time, c Client, from string, size int64) error {
	app := t.app
	switch {
	case app.State != store.AppActive:
		return notActive(app)
	case !app.Until.IsZero() && !now.Before(app.Until):
		return refuse(ReasonState, "Kelulusan aplikasi %[1]s tamat pada %[2]s; mohon pembaharuan", "The approval of %[1]s ended on %[2]s; ask for its renewal",
			app.Address, app.Until.In(now.Location()).Format("2006-01-02"))
	case len(t.m.nets) > 0 && !slices.ContainsFunc(t.m.nets, func(p netip.Prefix) bool { return p.Contains(c.IP.Unmap()) }):
		return refuse(ReasonNetwork, "Alamat %[1]s bukan rangkaian aplikasi ini", "The address %[1]s is not in a network of this application", c.IP)
	case len(app.Certificates) > 0 && (c.Certificate == nil || !slices.Contains(app.Certificates, KeyHash(c.Certificate))):
		return refuse(ReasonCertificate, "Sijil klien aplikasi ini diperlukan", "The client certificate of this application is needed")
	case !allowsSender(app, from):
		return refuse(ReasonSender, "Penghantar <%[1]s> tidak diluluskan untuk aplikasi ini", "The sender <%[1]s> is not approved for this application", from)
	case app.MaxSize > 0 && size > app.MaxSize:
		return refuse(ReasonSize, "Mesej %[1]d oktet melebihi had aplikasi ini, %[2]d", "A message of %[1]d octets is over this application's limit, %[2]d", size, app.MaxSize)
	case t.m.limits.Delay:
		return nil
	case !t.m.limits.Hours.Holds(now):
		return t.tooMuch(&Over{Opens: t.m.limits.Hours.Next(now)}, now)
	}
	return nil
}

// notActive words why an application that is not active sends nothing.
func notActive(app *store.App) error {
	switch app.State {
	case store.AppEnded:
		return refuse(ReasonState, "Aplikasi %[1]s telah ditamatkan (%[2]s)", "The application %[1]s has ended (%[2]s)", app.Address, because(app.Why))
	case store.AppSuspended:
		return refuse(ReasonState, "Aplikasi %[1]s digantung (%[2]s); hubungi pentadbir", "The application %[1]s is suspended (%[2]s); ask your administrator",
			app.Address, because(app.Why))
	}
	return refuse(ReasonState, "Aplikasi %[1]s belum diluluskan", "The application %[1]s is not approved yet", app.Address)
}

func because(why string) string {
	if why == "" {
		return "-"
	}
	return why
}

// refused counts a refusal on its way.
func (t *Ticket) refused(err error, recipients int) error {
	var r *Refusal
	if errors.As(err, &r) {
		t.r.d.Count(t.app, r.Reason, recipients)
	}
	return err
}

// Recipient asks for what one address leads to, n recipients. agency is whose it is, inside
// whether the domain is in the directory. Where what is over is refused, their place in the
// quotas is taken here.
func (t *Ticket) Recipient(ctx context.Context, address, agency string, inside bool, n uint64) error {
	app := t.app
	switch {
	case app.Reach == store.ReachAgency && agency != app.Agency, app.Reach == store.ReachInside && !inside:
		r := refuse(ReasonReach, "Aplikasi ini tidak boleh menulis kepada <%[1]s>", "This application may not write to <%[1]s>", address)
		r.Recipient = true
		return t.refused(r, 1)
	}
	s, err := t.r.d.Store.Suppressed(ctx, app.Account, app.Agency, address)
	if err != nil {
		return err
	}
	if s != nil {
		r := refuse(ReasonSuppressed, "Penerima ini disekat sejak %[1]s (%[2]s)", "This recipient is suppressed since %[1]s (%[2]s)",
			s.Time.Local().Format("2006-01-02"), suppressedBy(s))
		r.Recipient = true
		return t.refused(r, 1)
	}
	if t.m.limits.Delay {
		t.n += n
		return nil
	}
	now, err := t.r.now(ctx)
	if err != nil {
		return err
	}
	g, err := t.m.Take(now, n, t.m.limits)
	if err != nil {
		return t.refused(t.tooMuch(err, now), 1)
	}
	t.grants = append(t.grants, g)
	t.n += n
	return nil
}

func suppressedBy(s *store.Suppression) string {
	switch {
	case s.Code != 0:
		return strings.TrimSpace(fmt.Sprintf("%s: %d %s", s.Kind, s.Code, s.Status))
	case s.Status != "": // of a report
		return s.Kind + ": " + s.Status
	}
	return s.Kind
}

// tooMuch words what a meter refused.
func (t *Ticket) tooMuch(err error, now time.Time) error {
	var over *Over
	if !errors.As(err, &over) {
		return err
	}
	opens := over.Opens.In(now.Location()).Format(time.RFC3339)
	switch {
	case over.Opens.IsZero():
		return refuse("quota-"+over.Window, "Kuota aplikasi ini %[1]d penerima (%[2]s); mesej ini tidak akan muat",
			"The quota of this application is %[1]d recipients a %[2]s; this will never fit", over.Limit, over.Window)
	case over.Window == "":
		return &Refusal{Reason: ReasonHours, Temporary: true,
			Text: fmt.Sprintf("Di luar waktu aplikasi ini, %s; cuba semula pada %s. Outside the hours of this application; try again at %[2]s.", t.app.Hours, opens)}
	case over.Window == "second":
		return &Refusal{Reason: ReasonBurst, Temporary: true, Recipient: true,
			Text: fmt.Sprintf("Terlalu laju: %d penerima sesaat. Too fast: %[1]d recipients a second; try again at %s.", over.Limit, opens)}
	}
	return &Refusal{Reason: "quota-" + over.Window, Temporary: true, Recipient: true,
		Text: fmt.Sprintf("Kuota %d penerima (%s) habis; dibuka pada %s. Quota of %[1]d recipients a %[2]s is used up; it opens at %[3]s.", over.Limit, over.Window, opens)}
}

// A Header is what of a message's header concerns the relay.
type Header struct {
	From        []string // addresses of From
	Run         []string // values of X-Sampul-Run
	Unsubscribe []string // values of List-Unsubscribe, as they stand
	UnsubPost   []string // values of List-Unsubscribe-Post
	Size        int64    // of the whole message
}

// Message looks at the header of the message.
func (t *Ticket) Message(h *Header) error {
	app := t.app
	switch {
	case app.MaxSize > 0 && h.Size > app.MaxSize:
		return t.refused(refuse(ReasonSize, "Mesej %[1]d oktet melebihi had aplikasi ini, %[2]d", "A message of %[1]d octets is over this application's limit, %[2]d",
			h.Size, app.MaxSize), int(t.n))
	case len(h.Run) > 1 || len(h.Run) == 1 && !goodRun(h.Run[0]):
		return t.refused(refuse(ReasonRun, "X-Sampul-Run mesti satu, 1 hingga %[1]d huruf, angka, titik, sengkang atau garis bawah",
			"X-Sampul-Run must be one, of 1 to %[1]d letters, digits, dots, dashes or underscores", store.MaxRun), int(t.n))
	}
	if app.Unsubscribe {
		if r := t.oneClick(h); r != nil {
			return t.refused(r, int(t.n))
		}
	}
	for _, from := range h.From {
		if !allowsSender(app, from) {
			return t.refused(refuse(ReasonFrom, "From <%[1]s> tidak diluluskan untuk aplikasi ini", "From <%[1]s> is not approved for this application", from), int(t.n))
		}
	}
	if len(h.Run) == 1 {
		t.run = h.Run[0]
	}
	return nil
}

func goodRun(s string) bool {
	if s == "" || len(s) > store.MaxRun {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_:", c) >= 0) {
			return false
		}
	}
	return true
}

// stillActive asks again: somebody, or a rule, may have suspended it while the message came.
func (t *Ticket) stillActive() error {
	app := t.r.d.Store.App(t.app.Account)
	if app == nil || app.State != store.AppActive {
		now := *t.app
		if app != nil {
			now = *app
		}
		return notActive(&now)
	}
	return nil
}

// Accept counts the message in the windows in which it is accepted, right before it is.
func (t *Ticket) Accept(ctx context.Context) (Terms, error) {
	now, err := t.r.now(ctx)
	if err != nil {
		return Terms{}, err
	}
	if err := t.stillActive(); err != nil {
		return Terms{}, t.refused(err, int(t.n))
	}
	terms := Terms{Counted: uint32(t.n), At: now, Run: t.run}
	if t.m.limits.Delay {
		g, err := t.m.Take(now, t.n, t.m.limits)
		if err != nil {
			return Terms{}, t.refused(t.whole(t.tooMuch(err, now)), int(t.n))
		}
		t.grants = []Grant{g}
		if terms.At = g.At; g.At.After(now) {
			terms.NotBefore = g.At
		}
	} else if err := t.move(now); err != nil {
		return Terms{}, err
	}
	hour, _ := t.m.Used(store.WindowHour, terms.At)
	day, _ := t.m.Used(store.WindowDay, terms.At)
	terms.Note = fmt.Sprintf("quota hour=%d day=%d", hour, day)
	return terms, nil
}

// move has all grants count in the minute of now.
func (t *Ticket) move(now time.Time) error {
	for i, g := range t.grants {
		moved, err := t.m.Move(g, now, t.m.limits)
		if err != nil {
			t.grants = slices.Delete(t.grants, i, i+1) // it was given back
			return t.refused(t.whole(t.tooMuch(err, now)), int(t.n))
		}
		t.grants[i] = moved
	}
	return nil
}

// whole makes a refusal one of the message.
func (t *Ticket) whole(err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.Recipient = false
	}
	return err
}

// Done says that the message is accepted, durably.
func (t *Ticket) Done() {
	if t.over {
		return
	}
	t.over = true
	t.r.d.Count(t.app, "", int(t.n))
	if len(t.grants) > 0 {
		t.r.warn(t.app, t.m, t.grants[0].At)
	}
}

// Drop gives back what was granted: the message was refused, or given up. reason is
// counted when others than the relay refused it, "" when it was not refused.
func (t *Ticket) Drop(reason string) {
	if t.over {
		return
	}
	t.over = true
	for _, g := range t.grants {
		t.m.Give(g)
	}
	if reason != "" {
		t.r.d.Count(t.app, reason, max(1, int(t.n)))
	}
}
