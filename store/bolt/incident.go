package bolt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// letters of incident numbers: none that sound or look alike over the telephone.
const incidentLetters = "23456789CDFHJKMNPRTVWXYZ"

// newIncidentID is "I-" and seven letters, the last of which checks the others.
func newIncidentID() string {
	var raw [6]byte
	rand.Read(raw[:])
	id := make([]byte, 0, 7)
	sum := 0
	for i, b := range raw {
		n := int(b) % len(incidentLetters)
		sum += n * (i + 2)
		id = append(id, incidentLetters[n])
	}
	id = append(id, incidentLetters[sum%23])
	return "I-" + string(id[:4]) + "-" + string(id[4:])
}

// incidentID makes of what a person typed the form that is stored.
func incidentID(s string) string {
	s = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(strings.TrimSpace(s)))
	if len(s) == 8 && (s[0] == 'I' || s[0] == 'C') { // the case of it has the same letters
		s = s[1:]
	}
	if len(s) != 7 {
		return ""
	}
	return "I-" + s[:4] + "-" + s[4:]
}

// bucketIncidentIDs leads from an incident's number to its key, which is in order of time.
var bucketIncidentIDs = []byte("incident-ids")

// AddIncident gives the incident its number and keeps it, with its case. Those that come
// at once share a transaction.
func (d *directory) AddIncident(_ context.Context, in store.Incident) (string, error) {
	if in.Time.IsZero() {
		in.Time = d.clock()
	}
	in.Time = in.Time.UTC()
	if in.State == "" {
		in.State = store.IncidentOpen
	}
	for _, sum := range in.Sums {
		in.Parts = append(in.Parts, d.PartHash(sum))
	}
	if in.Whole != [32]byte{} {
		in.Letter = d.PartHash(in.Whole)
	}
	var row store.Incident
	var opened *store.Case
	err := d.durably(d.db.Batch, func(tx *bbolt.Tx) error { // may run twice: it begins anew each time
		id := newIncidentID()
		for tx.Bucket(bucketIncidentIDs).Get([]byte(id)) != nil {
			id = newIncidentID()
		}
		b := tx.Bucket(bucketIncidents)
		n, err := b.NextSequence()
		if err != nil {
			return err
		}
		row, opened = in, nil
		row.ID = id
		if in.OpenCase {
			opened = newCase(&row)
			row.Case = opened.ID
			if err := d.putRow(tx, bucketCases, []byte(opened.ID), opened); err != nil {
				return err
			}
		}
		key := binary.BigEndian.AppendUint64(nil, n)
		if err := d.putRow(tx, bucketIncidents, key, row); err != nil {
			return err
		}
		return tx.Bucket(bucketIncidentIDs).Put([]byte(id), key)
	})
	if err != nil {
		return "", fmt.Errorf("incident: %w", err)
	}
	if opened != nil {
		d.cases.note(opened)
	}
	return row.ID, nil
}

// mayRead says whose incidents and cases an actor sees: security officers and
// administrators those of their agency.
func mayRead(by store.Actor, agency string) bool {
	switch by.Role {
	case store.RoleOperator:
		return true
	case store.RoleSecurity, store.RoleAdmin:
		return agency != "" && agency == by.Agency
	}
	return false
}

// seen is what an actor sees of an incident: all of it, the own side, or nothing.
func seen(by store.Actor, in *store.Incident) bool {
	if mayRead(by, in.Agency) {
		return true
	}
	for _, s := range in.Sides {
		if mayRead(by, s.Agency) {
			in.Recipients, in.Sides = s.Recipients, []store.IncidentSide{s}
			in.Account, in.Remote, in.Assignee, in.History = "", "", "", nil
			return true
		}
	}
	return false
}

// Incidents are those that the actor may see and the filter picks.
func (d *directory) Incidents(ctx context.Context, by store.Actor, f store.IncidentFilter) ([]store.Incident, error) {
	if by.Role < store.RoleSecurity {
		return nil, store.ErrForbidden
	}
	var out []store.Incident
	err := d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketIncidents).Cursor()
		k, v := c.Last()
		next := c.Prev
		if f.After > 0 {
			k, v = c.Seek(binary.BigEndian.AppendUint64(nil, f.After+1))
			next = c.Next
		}
		for ; k != nil && (f.Max <= 0 || len(out) < f.Max); k, v = next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var in store.Incident
			if err := d.openRow(bucketIncidents, k, v, &in); err != nil {
				return err
			}
			if in.Seq = binary.BigEndian.Uint64(k); f.After == 0 && in.Time.Before(f.Since.Add(-clockSlack)) {
				break // they stand in order of time
			}
			if picks(&f, &in) && seen(by, &in) {
				out = append(out, in)
			}
		}
		return nil
	})
	return out, err
}

func picks(f *store.IncidentFilter, in *store.Incident) bool {
	return (f.Agency == "" || f.Agency == in.Agency || slices.ContainsFunc(in.Sides, func(s store.IncidentSide) bool { return s.Agency == f.Agency })) &&
		(f.Class == "" || strings.EqualFold(f.Class, in.Class)) &&
		(f.State == "" || f.State == in.State) &&
		(f.Sender == "" || strings.EqualFold(f.Sender, in.Sender) || strings.EqualFold(f.Sender, in.Account)) &&
		!in.Time.Before(f.Since) && (f.Until.IsZero() || in.Time.Before(f.Until))
}

// IncidentByID finds one by its number, in any case, with dashes or without.
func (d *directory) IncidentByID(_ context.Context, by store.Actor, id string) (*store.Incident, error) {
	var in store.Incident
	err := d.db.View(func(tx *bbolt.Tx) error {
		_, err := d.incident(tx, id, &in)
		return err
	})
	if err == nil && !seen(by, &in) {
		err = store.ErrNotFound // whether it exists is no business of others
	}
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", id, err)
	}
	return &in, nil
}

func (d *directory) incident(tx *bbolt.Tx, id string, in *store.Incident) (key []byte, err error) {
	key = tx.Bucket(bucketIncidentIDs).Get([]byte(incidentID(id)))
	if key == nil {
		return nil, store.ErrNotFound
	}
	in.Seq = binary.BigEndian.Uint64(key)
	return key, d.openRow(bucketIncidents, key, tx.Bucket(bucketIncidents).Get(key), in)
}

// ChangeIncident notes what is done about an incident.
func (d *directory) ChangeIncident(_ context.Context, by store.Actor, id string, c store.IncidentChange) (*store.Incident, error) {
	var in store.Incident
	err := d.durably(d.db.Update, func(tx *bbolt.Tx) error {
		in = store.Incident{}
		key, err := d.incident(tx, id, &in)
		if err != nil {
			return err
		}
		if !mayRead(by, in.Agency) {
			return store.ErrNotFound
		}
		if err := d.note(by, &in, c); err != nil {
			return err
		}
		return d.putRow(tx, bucketIncidents, key, in)
	})
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", id, err)
	}
	return &in, nil
}

func (d *directory) note(by store.Actor, in *store.Incident, c store.IncidentChange) error {
	step := store.IncidentStep{Time: d.clock().UTC(), By: d.doer(by), Reason: c.Reason}
	switch {
	case in.State == store.IncidentClosed:
		return fmt.Errorf("%w: it is closed", store.ErrExists)
	case c.Close:
		in.State, in.FalseAlarm, step.What = store.IncidentClosed, c.FalseAlarm, "closed"
		if c.FalseAlarm {
			step.What = "closed as a false alarm"
		}
	case c.Assign != "":
		in.State, in.Assignee, step.What = store.IncidentAssigned, c.Assign, "assigned to "+c.Assign
	default:
		return fmt.Errorf("%w: nothing to do: assign it to somebody, or close it", store.ErrName)
	}
	in.History = append(in.History, step)
	return nil
}

// doer is who an actor is, for histories.
func (d *directory) doer(by store.Actor) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.nameOf(by)
}

// clockSlack is how far incidents may stand out of the order of their times: the clock
// can be set back.
const clockSlack = 24 * time.Hour
