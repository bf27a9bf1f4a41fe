package bolt

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// bucketCases holds cases by their ID.
var bucketCases = []byte("cases")

// caseIndex finds the cases of parts: each message that is to be refused asks it.
type caseIndex struct {
	mu     sync.RWMutex
	byPart map[string][]string // agency, NUL, part hash: case IDs, the oldest first
}

// casesOfPart is how many cases of one part are remembered: the newest.
const casesOfPart = 16

func (x *caseIndex) note(c *store.Case) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, part := range c.Parts {
		key := c.Agency + "\x00" + part
		all := append(x.byPart[key], c.ID)
		x.byPart[key] = all[max(0, len(all)-casesOfPart):]
	}
}

func (x *caseIndex) of(agency, part string) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.byPart[agency+"\x00"+part])
}

// loadCases makes the index of those that still mean something, and forgets the others.
func (d *directory) loadCases(tx *bbolt.Tx) error {
	d.cases.byPart = map[string][]string{}
	var all []store.Case
	var old [][]byte
	now := d.clock()
	err := eachRow(d, tx, bucketCases, func(k []byte, c store.Case) {
		if now.After(c.Until.Add(store.CaseLife)) {
			old = append(old, slices.Clone(k))
			return
		}
		all = append(all, c)
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := tx.Bucket(bucketCases).Delete(k); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b store.Case) int { return a.Time.Compare(b.Time) })
	for i := range all {
		d.cases.note(&all[i])
	}
	return nil
}

// newCase is the case of an incident.
func newCase(in *store.Incident) *store.Case {
	return &store.Case{ID: "C" + in.ID[1:], Time: in.Time, Agency: in.Agency, Incident: in.ID, Class: in.Class, Suspicion: in.Suspicion,
		Direction: in.Direction, Sender: in.Sender, Account: in.Account, Recipients: in.Recipients, Evidence: in.Evidence,
		Parts: in.Parts, State: store.CaseOpen, Until: in.Time.Add(store.CaseLife)}
}

// PartHash is keyed, so that nobody can look for a known document among the hashes.
func (d *directory) PartHash(sum [32]byte) string {
	h := hmac.New(sha256.New, d.SuiteSecret("part hashes"))
	h.Write(sum[:])
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// CasesByParts are those of an agency that rest on any of these parts.
func (d *directory) CasesByParts(_ context.Context, agency string, sums [][32]byte) ([]store.Case, error) {
	ids := map[string]bool{}
	for _, sum := range sums {
		for _, id := range d.cases.of(agency, d.PartHash(sum)) {
			ids[id] = true
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var out []store.Case
	now := d.clock()
	err := d.db.View(func(tx *bbolt.Tx) error {
		for id := range ids {
			var c store.Case
			if err := d.caseRow(tx, id, &c); err != nil {
				return err
			}
			if now.Before(c.Until) {
				out = append(out, c)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b store.Case) int { return b.Time.Compare(a.Time) })
	return out, err
}

func (d *directory) caseRow(tx *bbolt.Tx, id string, c *store.Case) error {
	key := []byte("C" + strings.TrimPrefix(incidentID(id), "I"))
	row := tx.Bucket(bucketCases).Get(key)
	if row == nil {
		return store.ErrNotFound
	}
	return d.openRow(bucketCases, key, row, c)
}

// Cases lists them, the newest first.
func (d *directory) Cases(ctx context.Context, by store.Actor, state string, max int) ([]store.Case, error) {
	if by.Role < store.RoleSecurity {
		return nil, store.ErrForbidden
	}
	var out []store.Case
	err := d.db.View(func(tx *bbolt.Tx) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return eachRow(d, tx, bucketCases, func(_ []byte, c store.Case) {
			if (state == "" || c.State == state) && mayRead(by, c.Agency) {
				out = append(out, c)
			}
		})
	})
	slices.SortFunc(out, func(a, b store.Case) int { return b.Time.Compare(a.Time) })
	if max > 0 && len(out) > max {
		out = out[:max]
	}
	return out, err
}

// CaseByID finds one by its number or its incident's.
func (d *directory) CaseByID(_ context.Context, by store.Actor, id string) (*store.Case, error) {
	var c store.Case
	err := d.db.View(func(tx *bbolt.Tx) error { return d.caseRow(tx, id, &c) })
	if err == nil && !mayRead(by, c.Agency) {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	return &c, nil
}

// DecideCase keeps an officer's word, and notes it with the incident.
func (d *directory) DecideCase(_ context.Context, by store.Actor, id string, dec store.CaseDecision) (*store.Case, error) {
	if strings.TrimSpace(dec.Reason) == "" {
		return nil, fmt.Errorf("case %s: %w: a reason is needed, it is kept with the case", id, store.ErrName)
	}
	var c store.Case
	err := d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		c = store.Case{}
		if err := d.caseRow(tx, id, &c); err != nil {
			return err
		}
		name := d.doer(by)
		switch {
		case !mayRead(by, c.Agency):
			return store.ErrNotFound
		case by.Role != store.RoleSecurity && by.Role != store.RoleOperator:
			return fmt.Errorf("%w: security officers decide cases", store.ErrForbidden)
		case c.Account != "" && strings.EqualFold(c.Account, name):
			return fmt.Errorf("%w: another officer than the sender decides", store.ErrForbidden)
		case !d.clock().Before(c.Until):
			return fmt.Errorf("%w: the case has lapsed, the message must be sent again", store.ErrNotFound)
		}
		what := "case denied"
		c.State = store.CaseDenied
		if dec.Approve {
			what, c.State = "case approved", store.CaseApproved
		}
		c.Decided, c.By, c.Reason = d.clock().UTC(), name, dec.Reason
		c.Until = c.Decided.Add(store.CaseLife)
		if err := d.putRow(tx, bucketCases, []byte(c.ID), c); err != nil {
			return err
		}
		var in store.Incident
		key, err := d.incident(tx, c.Incident, &in)
		if err != nil {
			return err
		}
		in.History = append(in.History, store.IncidentStep{Time: c.Decided, By: name, What: what, Reason: dec.Reason})
		return d.putRow(tx, bucketIncidents, key, in)
	})
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	return &c, nil
}
