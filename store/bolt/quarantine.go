package bolt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/gate"
	"sampul/store"
	"sampul/store/journal"
)

// bucketQuarantine is queue.db's: queue ID to a sealed row.
var bucketQuarantine = []byte("quarantine")

// sweepTime is how often the engine looks for what has waited long enough.
const sweepTime = 10 * time.Minute

// A quarantineRow is a row: a version, then this as JSON.
type quarantineRow struct {
	Message  store.Quarantined
	Envelope store.Envelope
	Lane     store.Lane // stream that the body is in
	Ref      []byte
}

// Quarantine writes the body with a KEEP record, which makes it durable and files nothing,
// then the row: a crash between the two leaves a body that nothing names, and the client
// without an answer.
func (e *Engine) Quarantine(ctx context.Context, q store.Quarantined, env *store.Envelope, b store.Body, passed gate.Passed) error {
	if err := e.alive(); err != nil {
		return err
	}
	if !passed.Valid() {
		return store.ErrGate
	}
	if env.QueueID == "" || env.Lane >= lanes {
		return fmt.Errorf("quarantine: no queue ID, or lane %d", env.Lane)
	}
	if err := e.reserve.check(); err != nil {
		return err
	}
	q.ID, q.Size = env.QueueID, int64(len(env.Prefix))+b.Size()
	if q.Time.IsZero() {
		q.Time = e.clock()
	}
	if q.Until.IsZero() {
		q.Until = q.Time.AddDate(0, 0, store.QuarantineDays)
	}
	row := quarantineRow{Message: q, Envelope: *env, Lane: env.Lane}
	_, err := e.streams[env.Lane].j.Commit(ctx, newBodyID(), b, b.Size(), journal.Keep,
		func(ref journal.BodyRef, sum [32]byte) (_ []journal.Field, err error) {
			if !passed.Allows(sum, gate.Quarantine) {
				return nil, store.ErrGate
			}
			if row.Ref, err = ref.AppendBinary(nil); err != nil {
				return nil, err
			}
			return []journal.Field{{Num: acQueueID, Data: []byte(env.QueueID)}, {Num: acBody, Data: row.Ref}}, nil
		})
	if err != nil {
		return e.failure(err)
	}
	plain, err := json.Marshal(row)
	if err != nil {
		return err
	}
	key := []byte(q.ID)
	return e.queue.update(context.Background(), func(t *txn) error {
		sealed, err := t.file.seals.seal(nil, bucketQuarantine, key, append([]byte{rowVersion}, plain...))
		if err != nil {
			return err
		}
		return t.put(bucketQuarantine, key, sealed)
	})
}

func openQuarantine(f *file, key, sealed []byte) (*quarantineRow, error) {
	b, err := f.seals.open(nil, bucketQuarantine, key, sealed)
	if err != nil {
		return nil, err
	}
	row := &quarantineRow{}
	if len(b) == 0 || b[0] != rowVersion || json.Unmarshal(b[1:], row) != nil || row.Lane >= lanes {
		return nil, fmt.Errorf("%w: quarantine", errRow)
	}
	return row, nil
}

// reaches says whether an actor may see what is of an agency, or change it.
func reaches(by store.Actor, agency string, change bool) bool {
	switch by.Role {
	case store.RoleOperator:
		return true
	case store.RoleAdmin:
		return agency != "" && agency == by.Agency
	case store.RoleSecurity:
		return !change && agency != "" && agency == by.Agency
	}
	return false
}

// Quarantined are those that the actor may see, the newest first.
func (e *Engine) Quarantined(ctx context.Context, by store.Actor) (out []store.Quarantined, err error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	if by.Role < store.RoleSecurity {
		return nil, store.ErrForbidden
	}
	now := e.clock()
	err = e.eachQuarantined(ctx, func(row *quarantineRow) {
		if reaches(by, row.Message.Agency, false) && row.Message.Until.After(now) {
			out = append(out, row.Message)
		}
	})
	slices.SortStableFunc(out, func(a, b store.Quarantined) int { return b.Time.Compare(a.Time) })
	return out, err
}

func (e *Engine) eachQuarantined(ctx context.Context, f func(*quarantineRow)) error {
	return e.queue.read(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketQuarantine).ForEach(func(k, v []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := openQuarantine(&e.queue.file, k, v)
			if err == nil {
				f(row)
			}
			return err
		})
	})
}

// quarantined is one row; whether it exists is no business of those it does not concern.
func (e *Engine) quarantined(by store.Actor, id string, change bool) (row *quarantineRow, err error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	err = e.queue.read(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(bucketQuarantine).Get([]byte(id))
		if sealed == nil {
			return store.ErrNotFound
		}
		row, err = openQuarantine(&e.queue.file, []byte(id), sealed)
		return err
	})
	switch {
	case err == nil && !reaches(by, row.Message.Agency, false):
		err = store.ErrNotFound
	case err == nil && change && !reaches(by, row.Message.Agency, true):
		err = store.ErrForbidden
	case err == nil && !row.Message.Until.After(e.clock()):
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("quarantine %s: %w", id, err)
	}
	return row, nil
}

// OpenQuarantined gives envelope and body.
func (e *Engine) OpenQuarantined(_ context.Context, by store.Actor, id string) (*store.Envelope, store.BodyReader, error) {
	row, err := e.quarantined(by, id, true)
	if err != nil {
		return nil, nil, err
	}
	ref, err := journal.ParseBodyRef(row.Ref)
	if err != nil {
		return nil, nil, fmt.Errorf("quarantine %s: %w: %w", id, errRow, err)
	}
	body, err := e.openBody(bodyRow{stream: row.Lane, ref: ref})
	if err != nil {
		return nil, nil, err
	}
	return &row.Envelope, body, nil
}

// DropQuarantined removes a message.
func (e *Engine) DropQuarantined(ctx context.Context, by store.Actor, id string) error {
	if _, err := e.quarantined(by, id, true); err != nil {
		return err
	}
	return e.dropQuarantined(ctx, []string{id})
}

func (e *Engine) dropQuarantined(ctx context.Context, ids []string) error {
	return e.queue.update(ctx, func(t *txn) error {
		for _, id := range ids {
			if err := t.del(bucketQuarantine, []byte(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep removes what has waited long enough, now and then.
func (e *Engine) sweep() {
	t := time.NewTicker(sweepTime)
	defer t.Stop()
	for {
		if err := e.expireQuarantine(context.Background()); err != nil && e.alive() == nil {
			e.log.Error("quarantine not tidied", "err", err)
		}
		select {
		case <-t.C:
		case <-e.failed:
			return
		case <-e.closed:
			return
		}
	}
}

func (e *Engine) expireQuarantine(ctx context.Context) error {
	now := e.clock()
	var over []string
	err := e.eachQuarantined(ctx, func(row *quarantineRow) {
		if !row.Message.Until.After(now) {
			over = append(over, row.Message.ID)
		}
	})
	if err != nil || len(over) == 0 {
		return err
	}
	e.log.Info("quarantine is over", "messages", len(over))
	return e.dropQuarantined(ctx, over)
}
