package bolt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

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
	s = strings.TrimPrefix(s, "I")
	if len(s) != 7 {
		return ""
	}
	return "I-" + s[:4] + "-" + s[4:]
}

// bucketIncidentIDs leads from an incident's number to its key, which is in order of time.
var bucketIncidentIDs = []byte("incident-ids")

// AddIncident gives the incident its number and keeps it. Those that come at once
// share a transaction.
func (d *directory) AddIncident(_ context.Context, in store.Incident) (string, error) {
	if in.Time.IsZero() {
		in.Time = d.clock()
	}
	in.Time = in.Time.UTC()
	if in.State == "" {
		in.State = "open"
	}
	var id string
	err := d.durably(d.db.Batch, func(tx *bbolt.Tx) error { // may run twice: it begins anew each time
		ids, err := tx.CreateBucketIfNotExists(bucketIncidentIDs)
		if err != nil {
			return err
		}
		id = newIncidentID()
		for ids.Get([]byte(id)) != nil {
			id = newIncidentID()
		}
		b := tx.Bucket(bucketIncidents)
		n, err := b.NextSequence()
		if err != nil {
			return err
		}
		row := in
		row.ID = id
		key := binary.BigEndian.AppendUint64(nil, n)
		if err := d.putRow(tx, bucketIncidents, key, row); err != nil {
			return err
		}
		return ids.Put([]byte(id), key)
	})
	if err != nil {
		return "", fmt.Errorf("incident: %w", err)
	}
	return id, nil
}

// mayRead says whose incidents an actor sees: security officers and administrators
// those of their agency.
func mayRead(by store.Actor, agency string) bool {
	switch by.Role {
	case store.RoleOperator:
		return true
	case store.RoleSecurity, store.RoleAdmin:
		return agency != "" && agency == by.Agency
	}
	return false
}

// Incidents are the newest that the actor may see, at most max.
func (d *directory) Incidents(ctx context.Context, by store.Actor, max int) ([]store.Incident, error) {
	if by.Role < store.RoleSecurity {
		return nil, store.ErrForbidden
	}
	var out []store.Incident
	err := d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketIncidents).Cursor()
		for k, v := c.Last(); k != nil && len(out) < max; k, v = c.Prev() {
			if err := ctx.Err(); err != nil {
				return err
			}
			var in store.Incident
			if err := d.openRow(bucketIncidents, k, v, &in); err != nil {
				return err
			}
			if mayRead(by, in.Agency) {
				out = append(out, in)
			}
		}
		return nil
	})
	return out, err
}

// IncidentByID finds one by its number, in any case, with dashes or without.
func (d *directory) IncidentByID(_ context.Context, by store.Actor, id string) (*store.Incident, error) {
	var in store.Incident
	err := d.db.View(func(tx *bbolt.Tx) error {
		ids := tx.Bucket(bucketIncidentIDs)
		if ids == nil {
			return store.ErrNotFound
		}
		key := ids.Get([]byte(incidentID(id)))
		if key == nil {
			return store.ErrNotFound
		}
		return d.openRow(bucketIncidents, key, tx.Bucket(bucketIncidents).Get(key), &in)
	})
	if err == nil && !mayRead(by, in.Agency) {
		err = store.ErrNotFound // whether it exists is no business of others
	}
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", id, err)
	}
	return &in, nil
}
