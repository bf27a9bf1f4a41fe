package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/window"
	"sampul/store"
)

// bucketUsage holds what applications did: application, start of the hour.
var bucketUsage = []byte("app-usage")

// usageRow is a row of it. Accepted is what was known when it was written last: while the
// counts of the hour are there, they say it better.
type usageRow struct {
	Accepted  uint64            `json:"a,omitempty"`
	Refused   map[string]uint64 `json:"r,omitempty"`
	Delivered uint64            `json:"d,omitempty"`
	Bounced   uint64            `json:"b,omitempty"`
}

// maxReasons is how many reasons a row tells apart.
const maxReasons = 64

func usageKey(id store.AccountID, hour int64) []byte {
	return binary.BigEndian.AppendUint64(accountKey(id), uint64(hour))
}

// AddUsage adds to what is kept, and notes anew what was accepted.
func (e *Engine) AddUsage(ctx context.Context, deltas []store.AppUsage) error {
	if err := ctx.Err(); err != nil || len(deltas) == 0 {
		return err
	}
	d := e.directory
	accepted := map[store.AccountID]map[int64]uint64{}
	for i := range deltas {
		if id := deltas[i].App; accepted[id] == nil && d.App(id) != nil {
			accepted[id] = e.acceptedBy(id)
		}
	}
	err := d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		for i := range deltas {
			u := &deltas[i]
			known := accepted[u.App]
			if known == nil {
				continue
			}
			hour := window.Start(window.Hour, u.Hour.Local()).Unix()
			key := usageKey(u.App, hour)
			var row usageRow
			if sealed := tx.Bucket(bucketUsage).Get(key); sealed != nil {
				if err := d.openRow(bucketUsage, key, sealed, &row); err != nil {
					return err
				}
			}
			row.add(u)
			row.Accepted = max(row.Accepted, known[hour])
			if err := d.putRow(tx, bucketUsage, key, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("usage of applications: %w", err)
	}
	return nil
}

func (r *usageRow) add(u *store.AppUsage) {
	r.Delivered += u.Delivered
	r.Bounced += u.Bounced
	for reason, n := range u.Refused {
		if r.Refused == nil {
			r.Refused = map[string]uint64{}
		}
		if _, known := r.Refused[reason]; !known && len(r.Refused) >= maxReasons {
			reason = "other"
		}
		r.Refused[reason] += n
	}
}

// Usage is by application and hour.
func (e *Engine) Usage(ctx context.Context, by store.Actor, app string, since, until time.Time) ([]store.AppUsage, error) {
	var all []store.App
	if app == "" {
		var err error
		if all, err = e.Apps(ctx, by); err != nil {
			return nil, err
		}
	} else {
		a, err := e.AppNamed(ctx, by, app)
		if err != nil {
			return nil, err
		}
		all = []store.App{*a}
	}
	var out []store.AppUsage
	for i := range all {
		rows, err := e.usageOf(ctx, &all[i], since, until)
		if err != nil {
			return nil, fmt.Errorf("usage of %s: %w", all[i].Address, err)
		}
		out = append(out, rows...)
	}
	slices.SortFunc(out, func(a, b store.AppUsage) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Sender, b.Sender))
	})
	return out, nil
}

// usageOf is what one application did.
func (e *Engine) usageOf(ctx context.Context, a *store.App, since, until time.Time) ([]store.AppUsage, error) {
	accepted := e.acceptedBy(a.Account)
	within := func(hour int64) bool {
		at := time.Unix(hour, 0)
		return (since.IsZero() || !at.Before(since)) && (until.IsZero() || at.Before(until))
	}
	var out []store.AppUsage
	d := e.directory
	err := d.db.View(func(tx *bbolt.Tx) error {
		prefix := accountKey(a.Account)
		from := prefix
		if !since.IsZero() && since.Unix() > 0 {
			from = usageKey(a.Account, since.Unix())
		}
		c := tx.Bucket(bucketUsage).Cursor()
		for k, v := c.Seek(from); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if len(k) != 16 {
				return errRow
			}
			hour := int64(binary.BigEndian.Uint64(k[8:]))
			if !within(hour) {
				continue
			}
			var row usageRow
			if err := d.openRow(bucketUsage, k, v, &row); err != nil {
				return err
			}
			n := max(row.Accepted, accepted[hour])
			delete(accepted, hour)
			out = append(out, store.AppUsage{App: a.Account, Sender: a.Address, Agency: a.Agency, Hour: time.Unix(hour, 0),
				Accepted: n, Refused: row.Refused, Delivered: row.Delivered, Bounced: row.Bounced})
		}
		return nil
	})
	for hour, n := range accepted { // not noted yet
		if within(hour) {
			out = append(out, store.AppUsage{App: a.Account, Sender: a.Address, Agency: a.Agency, Hour: time.Unix(hour, 0), Accepted: n})
		}
	}
	return out, err
}
