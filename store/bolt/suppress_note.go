package bolt

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketFailing holds failures that may pass, by the key of the suppression that they may
// become.
var bucketFailing = []byte("failing")

// failing is when a recipient failed lately, in Unix seconds.
type failing struct {
	At []int64 `json:"at"`
}

// failingLife is how long failures are kept at most, beyond what the rule asks.
const failingLife = 60 * 24 * time.Hour

// NoteBounces takes what became of messages. Bounces of applications that are gone, or whose
// address is none, are passed over: nobody could correct them.
func (d *directory) NoteBounces(_ context.Context, all []store.Suppression, rule store.SoftRule) ([]store.Suppression, error) {
	now := d.clock()
	rows := make([]store.Suppression, 0, len(all))
	for _, s := range all {
		d.mu.RLock()
		a := d.people.accounts[s.App]
		d.mu.RUnlock()
		s.Address = listed(s.Address)
		if a == nil || a.Kind != store.Application || !goodAddress(s.Address) {
			continue
		}
		s.Sender, s.Agency = a.Address, a.Agency
		if s.Time.IsZero() {
			s.Time = now
		}
		s.Time = s.Time.UTC().Truncate(time.Second)
		rows = append(rows, s)
	}
	var made []store.Suppression
	err := d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		made = nil
		for i := range rows {
			s, err := d.noteBounce(tx, rows[i], rule, now)
			if err != nil {
				return err
			}
			if s != nil {
				made = append(made, *s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

var errBounceKind = errors.New("a bounce is hard or soft")

// noteBounce gives the suppression that a bounce makes, or nil.
func (d *directory) noteBounce(tx *bbolt.Tx, s store.Suppression, rule store.SoftRule, now time.Time) (*store.Suppression, error) {
	key := suppressedKey(s.Agency, s.App, s.Address)
	switch s.Kind {
	case store.SuppressHard:
	case store.SuppressSoft:
		var f failing
		if row := tx.Bucket(bucketFailing).Get(key); row != nil {
			if err := d.openRow(bucketFailing, key, row, &f); err != nil {
				return nil, err
			}
		}
		lately := make([]int64, 0, len(f.At)+1)
		for _, at := range f.At {
			if now.Sub(time.Unix(at, 0)) < rule.Within {
				lately = append(lately, at)
			}
		}
		if f.At = append(lately, now.Unix()); len(f.At) < rule.Times {
			return nil, d.putRow(tx, bucketFailing, key, &f)
		}
		s.Until = now.Add(rule.For).UTC().Truncate(time.Second)
	default:
		return nil, errBounceKind
	}
	if err := tx.Bucket(bucketFailing).Delete(key); err != nil {
		return nil, err
	}
	old, err := d.suppression(tx, key)
	if err != nil {
		return nil, err
	}
	if old != nil && (old.Until.IsZero() || !s.Until.IsZero() && !old.Until.Before(s.Until)) {
		return nil, nil
	}
	return &s, d.putSuppression(tx, &s)
}

func goodAddress(a string) bool {
	local, domain, ok := strings.Cut(a, "@")
	return ok && local != "" && domain != "" && len(a) <= 320 && printable(a)
}
