package route

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"sampul/internal/address"
	"sampul/store"
)

// The reverse-paths of mail that applications send elsewhere name application and recipient
// (variable envelope return path), so that a bounce tells of whom it is, whatever it says:
//
//	b0=HASH=TT=APP=local=domain@ours
//	b1=HASH=TT=APP=RECIPIENTHASH@ours        where the former would not fit
//
// TT is the day, APP the account's number, HASH keeps others from making such addresses.
// Nothing is stored.
type appBounces struct{ secret []byte }

// An AppBounce is what a reverse-path of an application names.
type AppBounce struct {
	App       store.AccountID
	Recipient string // "" where it did not fit: Matches tells
	day, hash string
	of        appBounces
}

// path is the reverse-path on domain, "" when there can be none.
func (b appBounces) path(app store.AccountID, domain, recipient string, now time.Time) string {
	if domain == "" || app == 0 || recipient == "" {
		return ""
	}
	tt, id := dayLetters(now), appLetters(app)
	local, host := cut(recipient)
	out := "b0=" + tag(b.secret, bounceHash, "app", tt, id, recipient) + "=" + tt + "=" + id + "=" + local + "=" + host
	// What follows the last = is the domain, which has none of its own.
	if _, err := address.Canonical(recipient); err == nil && len(out) <= 64 && dotAtom(out) {
		return out + "@" + domain
	}
	of := b.recipient(id, tt, recipient)
	return "b1=" + tag(b.secret, bounceHash, "app1", tt, id, of) + "=" + tt + "=" + id + "=" + of + "@" + domain
}

func (b appBounces) recipient(id, tt, recipient string) string {
	return tag(b.secret, 2*bounceHash, "app2", tt, id, recipient)
}

var errNotApp = errors.New("not a bounce address of an application")

// parse reads the local part of an address of ours.
func (b appBounces) parse(local string, now time.Time) (*AppBounce, error) {
	if len(local) < 4 || local[0]|0x20 != 'b' || local[1] != '0' && local[1] != '1' || local[2] != '=' {
		return nil, errNotApp
	}
	f := strings.SplitN(local[3:], "=", 4)
	if len(f) != 4 || len(f[0]) != bounceHash || len(f[1]) != 2 || f[3] == "" {
		return nil, errForged
	}
	out := &AppBounce{day: strings.ToLower(f[1]), of: b}
	id := strings.ToLower(f[2])
	raw, err := letters.DecodeString(id)
	if err != nil || len(raw) > 8 {
		return nil, errForged
	}
	var eight [8]byte
	copy(eight[8-len(raw):], raw)
	out.App = store.AccountID(binary.BigEndian.Uint64(eight[:]))
	if appLetters(out.App) != id {
		return nil, errForged
	}
	if local[1] == '0' {
		i := strings.LastIndexByte(f[3], '=')
		if i < 1 {
			return nil, errForged
		}
		out.Recipient = f[3][:i] + "@" + f[3][i+1:]
		if _, err := address.Canonical(out.Recipient); err != nil || !sameTag(f[0], tag(b.secret, bounceHash, "app", f[1], id, out.Recipient)) {
			return nil, errForged
		}
	} else {
		out.hash = strings.ToLower(f[3])
		if !sameTag(f[0], tag(b.secret, bounceHash, "app1", f[1], id, out.hash)) {
			return nil, errForged
		}
	}
	if old, ok := dayOld(f[1], now); !ok {
		return nil, errForged
	} else if old > srsLife {
		return nil, errExpired
	}
	return out, nil
}

// Matches says whether the message was for this address.
func (a *AppBounce) Matches(recipient string) bool {
	if a.hash == "" {
		return strings.EqualFold(a.Recipient, recipient)
	}
	return sameTag(a.hash, a.of.recipient(appLetters(a.App), a.day, recipient))
}

// appLetters is a number as short as it can be.
func appLetters(id store.AccountID) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(id))
	i := 0
	for i < 7 && raw[i] == 0 {
		i++
	}
	return letters.EncodeToString(raw[i:])
}

// dayLetters are the ten bits of a day, highest first.
func dayLetters(now time.Time) string {
	d := day(now)
	return letters.EncodeToString([]byte{byte(d >> 2), byte(d << 6)})[:2]
}

// dayOld is how many days ago letters were made; a clock may be a day behind the one that
// made them.
func dayOld(tt string, now time.Time) (int, bool) {
	made, err := letters.DecodeString(strings.ToLower(tt) + "aa")
	if err != nil {
		return 0, false
	}
	age := (day(now) - (int(made[0])<<2 | int(made[1])>>6) + srsDays) % srsDays
	if age == srsDays-1 {
		age = 0
	}
	return age, true
}

// AppPath is the reverse-path of an application's message to a recipient elsewhere, made
// where from is of a domain of ours, since bounces must come here; "" leaves from.
func (r *Routes) AppPath(ctx context.Context, app store.AccountID, from, recipient string) (string, error) {
	e, err := r.dir.Find(ctx, from)
	if err != nil || e.Domain == nil || e.Domain.Route.Kind == store.RouteReject {
		return "", err
	}
	_, domain := cut(from)
	return r.apps.path(app, domain, recipient, r.o.Clock()), nil
}

// appBounce is mail for the reverse-path of an application's message: it leads to nobody,
// and is read here.
func (w *walk) appBounce(l leg, e *store.Entry) (over bool, no *Refusal) {
	local, _ := cut(l.address)
	if l.depth > 0 || e.Account != nil || e.Alias != nil || e.Group != nil || e.Split != "" {
		return false, nil
	}
	b, err := w.r.apps.parse(local, w.now)
	switch {
	case errors.Is(err, errNotApp):
		return false, nil
	case err != nil && kindOf(e.Domain) != store.RouteLocal:
		w.stepf("app bounce", "%v; the agency's other server may have", err)
		return false, nil
	case err != nil:
		w.stepf("app bounce", "%s: %v", l.address, err)
		return true, refuse(550, "5.1.1", err.Error())
	case w.req.From != "" && !w.explain:
		w.step("app bounce", "refused: it is for bounces, which have no reverse-path")
		return true, refuse(550, "5.7.1", "this address takes bounces alone")
	}
	w.stepf("app bounce", "of a message of application %d to %s: read here, and sent to nobody", b.App, b.Recipient)
	w.d.Bounce = b
	w.kinds = append(w.kinds, "bounce of an application's message")
	return true, nil
}
