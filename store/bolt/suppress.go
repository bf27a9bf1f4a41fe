package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/address"
	"sampul/store"
)

// bucketSuppressed holds suppressions: agency, NUL, application (0 for all), address.
var bucketSuppressed = []byte("suppressed")

// The address is as listed gives it.
func suppressedKey(agency string, app store.AccountID, addr string) []byte {
	k := make([]byte, 0, len(agency)+9+len(addr))
	k = append(append(k, agency...), 0)
	k = binary.BigEndian.AppendUint64(k, uint64(app))
	return append(k, addr...)
}

// listed is how an address stands in a list, in whatever case and form of its domain it
// is asked for.
func listed(addr string) string {
	if full, err := address.Canonical(addr); err == nil {
		return full
	}
	return strings.ToLower(strings.TrimSpace(addr))
}

// Suppressed is the suppression that holds for an address now, nil for none. Each RCPT of an
// application asks: it is answered from memory, but for those that are or were suppressed.
func (d *directory) Suppressed(_ context.Context, app store.AccountID, agency, addr string) (*store.Suppression, error) {
	addr = listed(addr)
	keys := make([][]byte, 0, 2)
	for _, id := range [2]store.AccountID{app, 0} {
		if key := suppressedKey(agency, id, addr); d.suppressed.has(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var out *store.Suppression
	now := d.clock()
	err := d.db.View(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			s, err := d.suppression(tx, key)
			if err != nil {
				return err
			}
			if s != nil && (s.Until.IsZero() || now.Before(s.Until)) {
				out = s
				return nil
			}
		}
		return nil
	})
	return out, err
}

// suppression reads one, nil for none.
func (d *directory) suppression(tx *bbolt.Tx, key []byte) (*store.Suppression, error) {
	row := tx.Bucket(bucketSuppressed).Get(key)
	if row == nil {
		return nil, nil
	}
	var s store.Suppression
	if err := d.openRow(bucketSuppressed, key, row, &s); err != nil {
		return nil, err
	}
	s.App = appOfKey(key)
	return &s, nil
}

// appOfKey is the application of a key.
func appOfKey(key []byte) store.AccountID {
	if i := bytes.IndexByte(key, 0); i >= 0 && len(key) >= i+9 {
		return store.AccountID(binary.BigEndian.Uint64(key[i+1:]))
	}
	return 0
}

// loadSuppressed fills the set, and forgets failures of long ago.
func (d *directory) loadSuppressed(tx *bbolt.Tx) error {
	n := 0
	c := tx.Bucket(bucketSuppressed).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	d.suppressed.init(n)
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		d.suppressed.add(k)
	}
	var old [][]byte
	before := d.clock().Add(-failingLife).Unix()
	err := eachRow(d, tx, bucketFailing, func(k []byte, f failing) {
		if len(f.At) == 0 || f.At[len(f.At)-1] < before {
			old = append(old, bytes.Clone(k))
		}
	})
	for _, k := range old {
		if err == nil {
			err = tx.Bucket(bucketFailing).Delete(k)
		}
	}
	return err
}

// AddSuppressions keeps them all, or none. One that is there is replaced.
func (d *directory) AddSuppressions(_ context.Context, by store.Actor, all []store.Suppression) error {
	if len(all) > store.MaxSuppressions {
		return fmt.Errorf("%w: at most %d suppressions at once", store.ErrLimit, store.MaxSuppressions)
	}
	rows := make([]store.Suppression, len(all))
	for i, s := range all {
		id, agency, err := d.whose(by, s.Sender, s.Agency)
		if err != nil {
			return err
		}
		s.App, s.Agency, s.Address = id, agency, listed(s.Address)
		if !goodAddress(s.Address) {
			return fmt.Errorf("%w: line %d: an address is needed, not %q", store.ErrName, i+1, s.Address)
		}
		if len(s.Reason) > store.MaxSuppressReason || !printable(s.Reason) {
			return fmt.Errorf("%w: line %d: a reason is one line of at most %d octets", store.ErrName, i+1, store.MaxSuppressReason)
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
			if err := d.putSuppression(tx, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// putSuppression keeps one, in the set first: a hash too many does no harm.
func (d *directory) putSuppression(tx *bbolt.Tx, s *store.Suppression) error {
	key := suppressedKey(s.Agency, s.App, s.Address)
	d.suppressed.add(key)
	return d.putRow(tx, bucketSuppressed, key, s)
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
		key := suppressedKey(agency, id, listed(address))
		if tx.Bucket(bucketSuppressed).Get(key) == nil {
			return fmt.Errorf("%s is not suppressed: %w", address, store.ErrNotFound)
		}
		if err := tx.Bucket(bucketFailing).Delete(key); err != nil {
			return err
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
	from := prefix
	if f.After != "" {
		after, err := keyOfPosition(f.After)
		if err != nil {
			return nil, err
		}
		if bytes.Compare(after, from) > 0 {
			from = after
		}
	}
	var out []store.Suppression
	err := d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketSuppressed).Cursor()
		for k, v := c.Seek(from); bytes.HasPrefix(k, prefix) && k != nil && (f.Max <= 0 || len(out) < f.Max); k, v = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var s store.Suppression
			if err := d.openRow(bucketSuppressed, k, v, &s); err != nil {
				return err
			}
			if s.App = appOfKey(k); permit(by, s.Agency) == nil && suppressionPicked(&f, &s) {
				out = append(out, s)
			}
		}
		return nil
	})
	return out, err
}

// keyOfPosition is the first key after a position.
func keyOfPosition(p string) ([]byte, error) {
	f := strings.SplitN(p, " ", 3)
	if len(f) == 3 {
		if id, err := strconv.ParseUint(f[1], 16, 64); err == nil {
			return append(suppressedKey(f[0], store.AccountID(id), f[2]), 0), nil
		}
	}
	return nil, fmt.Errorf("%w: %q is no position in the list of suppressions", store.ErrName, p)
}

func suppressionPicked(f *store.SuppressionFilter, s *store.Suppression) bool {
	return (f.Kind == "" || f.Kind == s.Kind) &&
		(f.Address == "" || strings.EqualFold(f.Address, s.Address) || strings.HasPrefix(f.Address, "@") && strings.HasSuffix(s.Address, strings.ToLower(f.Address)))
}
