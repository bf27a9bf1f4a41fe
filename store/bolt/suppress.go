package bolt

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketSuppressed holds suppressions: agency, NUL, application (0 for all), address.
var bucketSuppressed = []byte("suppressed")

func suppressedKey(agency string, app store.AccountID, address string) []byte {
	k := append([]byte(agency), 0)
	k = append(k, accountKey(app)...)
	return append(k, strings.ToLower(address)...)
}

// Suppressed is the suppression that holds for an address now, nil for none. It costs two
// lookups: each RCPT of an application asks.
func (d *directory) Suppressed(_ context.Context, app store.AccountID, agency, address string) (*store.Suppression, error) {
	var out *store.Suppression
	now := d.clock()
	err := d.db.View(func(tx *bbolt.Tx) error {
		for _, id := range []store.AccountID{app, 0} {
			key := suppressedKey(agency, id, address)
			row := tx.Bucket(bucketSuppressed).Get(key)
			if row == nil {
				continue
			}
			var s store.Suppression
			if err := d.openRow(bucketSuppressed, key, row, &s); err != nil {
				return err
			}
			if s.Until.IsZero() || now.Before(s.Until) {
				s.App, out = id, &s
				return nil
			}
		}
		return nil
	})
	return out, err
}

// maxSuppressions is how many may be added in one call.
const maxSuppressions = 100_000

// AddSuppressions keeps them all, or none. One that is there is replaced.
func (d *directory) AddSuppressions(_ context.Context, by store.Actor, all []store.Suppression) error {
	if len(all) > maxSuppressions {
		return fmt.Errorf("%w: at most %d suppressions at once", store.ErrLimit, maxSuppressions)
	}
	rows := make([]store.Suppression, len(all))
	for i, s := range all {
		id, agency, err := d.whose(by, s.Sender, s.Agency)
		if err != nil {
			return err
		}
		s.App, s.Agency, s.Address = id, agency, strings.ToLower(strings.TrimSpace(s.Address))
		if local, domain, ok := strings.Cut(s.Address, "@"); !ok || local == "" || domain == "" || len(s.Address) > 320 || !printable(s.Address) {
			return fmt.Errorf("%w: line %d: an address is needed, not %q", store.ErrName, i+1, s.Address)
		}
		switch s.Kind {
		case store.SuppressHard, store.SuppressSoft, store.SuppressManual:
		case "":
			s.Kind = store.SuppressManual
		default:
			return fmt.Errorf("%w: line %d: kind: hard, soft or manual, not %q", store.ErrName, i+1, s.Kind)
		}
		if s.Time.IsZero() {
			s.Time = d.clock()
		}
		s.Time = s.Time.UTC().Truncate(time.Second)
		if s.By == "" {
			s.By = d.doer(by)
		}
		rows[i] = s
	}
	return d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		for i := range rows {
			s := &rows[i]
			if err := d.putRow(tx, bucketSuppressed, suppressedKey(s.Agency, s.App, s.Address), s); err != nil {
				return err
			}
		}
		return nil
	})
}

// whose finds the application, or the agency, whose suppressions an actor means.
func (d *directory) whose(by store.Actor, app, agency string) (store.AccountID, string, error) {
	if app == "" {
		d.mu.RLock()
		_, ok := d.people.agencies[agency]
		d.mu.RUnlock()
		if !ok {
			return 0, "", fmt.Errorf("agency %q: %w", agency, store.ErrNotFound)
		}
		return 0, agency, permit(by, agency)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.people.accounts[d.people.addresses[strings.ToLower(app)]]
	if a == nil || a.Kind != store.Application || permit(by, a.Agency) != nil {
		return 0, "", fmt.Errorf("application %s: %w", app, store.ErrNotFound)
	}
	return a.ID, a.Agency, nil
}

// RemoveSuppression lets an address be written to again.
func (d *directory) RemoveSuppression(_ context.Context, by store.Actor, app, agency, address string) error {
	id, agency, err := d.whose(by, app, agency)
	if err != nil {
		return err
	}
	return d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		key := suppressedKey(agency, id, address)
		if tx.Bucket(bucketSuppressed).Get(key) == nil {
			return fmt.Errorf("%s is not suppressed: %w", address, store.ErrNotFound)
		}
		return tx.Bucket(bucketSuppressed).Delete(key)
	})
}

// Suppressions are those that the filter picks, in order of agency, application, address.
func (d *directory) Suppressions(ctx context.Context, by store.Actor, f store.SuppressionFilter) ([]store.Suppression, error) {
	var prefix []byte
	if f.App != "" || f.Agency != "" {
		id, agency, err := d.whose(by, f.App, f.Agency)
		if err != nil {
			return nil, err
		}
		prefix = append([]byte(agency), 0)
		if f.App != "" {
			prefix = append(prefix, accountKey(id)...)
		}
	}
	var out []store.Suppression
	err := d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketSuppressed).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && k != nil && (f.Max <= 0 || len(out) < f.Max); k, v = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var s store.Suppression
			if err := d.openRow(bucketSuppressed, k, v, &s); err != nil {
				return err
			}
			if permit(by, s.Agency) == nil && suppressionPicked(&f, &s) {
				out = append(out, s)
			}
		}
		return nil
	})
	return out, err
}

func suppressionPicked(f *store.SuppressionFilter, s *store.Suppression) bool {
	return (f.Kind == "" || f.Kind == s.Kind) && (f.After == "" || s.Address > f.After) &&
		(f.Address == "" || strings.EqualFold(f.Address, s.Address) || strings.HasPrefix(f.Address, "@") && strings.HasSuffix(s.Address, strings.ToLower(f.Address)))
}
