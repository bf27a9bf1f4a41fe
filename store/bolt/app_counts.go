package bolt

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/window"
	"sampul/store"
)

// bucketAppCounts is queue.db's: application, number of the window, its start: how many
// recipients were granted. It moves with the watermark, so that each ACCEPT counts once.
var bucketAppCounts = []byte("app-counts")

// countsLife is how long counts of windows are kept, by window.
var countsLife = map[string]time.Duration{window.Minute: 2 * time.Hour, window.Hour: 40 * 24 * time.Hour,
	window.Day: 400 * 24 * time.Hour, window.Month: 1200 * 24 * time.Hour}

// counted is a window of an application.
type counted struct {
	app   store.AccountID
	name  int // in window.All, or one of those below
	start int64
}

// What was accepted in one hour and counts in another, since it waits until a quota opens:
// hours by their 250, and by what they were granted.
const (
	acceptedElsewhere = 4 + iota
	grantedElsewhere
	countKinds
)

// life is how long a count is kept.
func (c counted) life() time.Duration {
	if c.name >= acceptedElsewhere {
		return countsLife[window.Hour]
	}
	return countsLife[window.All[c.name]]
}

func (c counted) key() []byte {
	b := append(accountKey(c.app), byte(c.name))
	return binary.BigEndian.AppendUint64(b, uint64(c.start))
}

// appCounts is what was granted, in memory: also what is durable and not filed.
type appCounts struct {
	mu sync.Mutex
	by map[store.AccountID]map[counted]uint64
}

// of is what one application was granted. c.mu is held.
func (c *appCounts) of(app store.AccountID) map[counted]uint64 {
	all := c.by[app]
	if all == nil {
		all = map[counted]uint64{}
		c.by[app] = all
	}
	return all
}

// windowsOf are the windows in which an acceptance counts.
func windowsOf(env *store.Envelope) []counted {
	at := env.AppAt
	if at.IsZero() {
		at = env.Received
	}
	at = at.Local()
	all := make([]counted, 0, countKinds)
	for i, name := range window.All {
		all = append(all, counted{env.App, i, window.Start(name, at).Unix()})
	}
	granted, accepted := window.Start(window.Hour, at), window.Start(window.Hour, env.Received.Local())
	if !granted.Equal(accepted) {
		all = append(all, counted{env.App, acceptedElsewhere, accepted.Unix()}, counted{env.App, grantedElsewhere, granted.Unix()})
	}
	return all
}

func counts(env *store.Envelope) bool { return env.App != 0 && env.AppCounted > 0 }

// note adds an acceptance.
func (c *appCounts) note(env *store.Envelope) {
	if !counts(env) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.of(env.App)
	for _, w := range windowsOf(env) {
		if w.name == minutes && all[w] == 0 { // a new minute: the oldest may go
			maps.DeleteFunc(all, func(old counted, _ uint64) bool { return old.name == minutes && old.start < minutesUntil(env) })
		}
		all[w] += uint64(env.AppCounted)
	}
}

// minutes is the place of minutes among the windows: there are so many that those that are
// over are forgotten while the store runs, others when it is opened.
const minutes = 0

// minutesUntil is before what start minutes are forgotten, once a message was accepted.
func minutesUntil(env *store.Envelope) int64 {
	return env.Received.Add(-countsLife[window.Minute]).Unix()
}

// loadAppCounts reads what is filed, and forgets what is old.
func (e *Engine) loadAppCounts() error {
	e.counts.by = map[store.AccountID]map[counted]uint64{}
	var old [][]byte
	now := e.clock()
	err := e.queue.read(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketAppCounts).ForEach(func(k, v []byte) error {
			if len(k) != 17 || len(v) != 8 || int(k[8]) >= countKinds {
				return errRow
			}
			c := counted{store.AccountID(binary.BigEndian.Uint64(k)), int(k[8]), int64(binary.BigEndian.Uint64(k[9:]))}
			if now.Sub(time.Unix(c.start, 0)) > c.life() {
				old = append(old, slices.Clone(k))
				return nil
			}
			e.counts.of(c.app)[c] = binary.BigEndian.Uint64(v)
			return nil
		})
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return e.queue.db.Update(func(tx *bbolt.Tx) error {
		for _, k := range old {
			if err := tx.Bucket(bucketAppCounts).Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// fileCounts adds an acceptance to what is filed. A transaction reads and writes each
// window once, however many messages it files.
func (e *Engine) fileCounts(t *txn, env *store.Envelope) error {
	if !counts(env) {
		return nil
	}
	for _, w := range windowsOf(env) {
		n, ok := t.counts[w]
		if !ok {
			if v := t.bucket(bucketAppCounts).Get(w.key()); len(v) == 8 {
				n = binary.BigEndian.Uint64(v)
			} else if w.name == minutes {
				if err := e.forgetMinutes(t, env); err != nil {
					return err
				}
			}
		}
		if t.counts == nil {
			t.counts = make(map[counted]uint64, countKinds)
		}
		t.counts[w] = n + uint64(env.AppCounted)
	}
	t.writes++
	return nil
}

// forgetMinutes takes away the minutes of an application that are over for long.
func (e *Engine) forgetMinutes(t *txn, env *store.Envelope) error {
	first := counted{env.App, minutes, 0}.key()
	last := counted{env.App, minutes, minutesUntil(env)}.key()
	var old [][]byte
	c := t.bucket(bucketAppCounts).Cursor()
	for k, _ := c.Seek(first); k != nil && bytes.Compare(k, last) < 0; k, _ = c.Next() {
		old = append(old, slices.Clone(k))
	}
	for _, k := range old {
		if err := t.del(bucketAppCounts, k); err != nil {
			return err
		}
	}
	return nil
}

// AppCounts is what an application was granted, window by window.
func (e *Engine) AppCounts(id store.AccountID) ([]store.AppCount, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	var out []store.AppCount
	for c, n := range e.counts.by[id] {
		if c.name < len(window.All) {
			out = append(out, store.AppCount{Window: window.All[c.name], Start: time.Unix(c.start, 0), Count: n})
		}
	}
	slices.SortFunc(out, func(a, b store.AppCount) int { return a.Start.Compare(b.Start) })
	return out, nil
}

// acceptedBy is how many recipients of applications were accepted, by hour of their 250.
func (e *Engine) acceptedBy(id store.AccountID) map[int64]uint64 {
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	out := map[int64]uint64{}
	for c, n := range e.counts.by[id] {
		switch {
		case c.name == acceptedElsewhere, c.name < len(window.All) && window.All[c.name] == window.Hour:
			out[c.start] += n
		case c.name == grantedElsewhere:
			out[c.start] -= n // wraps, until what it is a part of is added
		}
	}
	for h, n := range out {
		if n == 0 {
			delete(out, h)
		}
	}
	return out
}
