package bolt

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
	"sampul/store/journal"
)

// Accept takes a message: one body, one ACCEPT record, one sync, shared with whoever
// comes at the same time. What every recipient's row has in common is made here,
// once, so that filing reads no body.
func (e *Engine) Accept(ctx context.Context, env *store.Envelope, b store.Body, x *message.Index, passed gate.Passed) error {
	if err := e.alive(); err != nil {
		return err
	}
	if !passed.Valid() {
		return store.ErrGate
	}
	if len(env.Recipients) == 0 || env.Lane >= lanes {
		return fmt.Errorf("accept %s: no recipients, or lane %d", env.QueueID, env.Lane)
	}
	if err := e.reserve.check(); err != nil {
		return err
	}
	if err := e.awaitRoom(ctx, env.Lane); err != nil {
		return err
	}
	a := &accepted{env: *env, ruleSet: passed.RuleSet(), shards: make([]uint8, len(env.Recipients))}
	if a.env.Class == "" {
		a.env.Class = passed.Class()
	}
	if a.env.VerdictID == "" {
		a.env.VerdictID = passed.VerdictID()
	}
	local := false
	for i, r := range env.Recipients {
		if r.Account == 0 {
			continue
		}
		local = true
		acct, err := e.AccountByID(ctx, r.Account)
		if err != nil {
			return err
		}
		a.shards[i] = acct.Shard
	}
	var err error
	if local { // what only passes through has no row in a mailbox
		if a.facts, err = sharedFacts(b, x, a.env.Class, a.env.VerdictID, a.ruleSet, env.QueueID); err != nil {
			return err
		}
	}
	rand.Read(a.email[:])
	var en *entry
	s := e.streams[env.Lane]
	_, err = s.j.Commit(ctx, newBodyID(), b, b.Size(), journal.Accept,
		func(ref journal.BodyRef, sum [32]byte) ([]journal.Field, error) {
			if !passed.Allows(sum, gate.Mailbox) && !passed.Allows(sum, gate.OwnNotice) {
				return nil, store.ErrGate
			}
			a.ref = ref
			if en = queueEntry(a, e.agencyOf(&a.env)); en != nil {
				e.queued.expect(en)
			}
			return a.fields()
		})
	if err != nil {
		if en != nil {
			e.queued.forget(en)
		}
		return e.failure(err)
	}
	e.counts.note(&a.env)
	e.runs.note(acceptedRun(&a.env))
	if en != nil {
		e.keepBody(en, b)
		e.queued.accepted(en, e.holdPaused)
	}
	return nil
}

// keepBody lets the queue's runner read a short body without the journal.
func (e *Engine) keepBody(en *entry, b store.Body) {
	size := b.Size()
	if size > cachedBody || e.queued.watcher.Load() == nil {
		return
	}
	text := make([]byte, size)
	if n, _ := b.ReadAt(text, 0); n == len(text) {
		e.queued.bodies.put(en.id, text, time.Now())
	}
}

func newBodyID() (id journal.ID) {
	rand.Read(id[:])
	return id
}

// HasRoom says whether octets more fit into an account's quota: nil or
// [store.ErrOverQuota]. SMTP asks at RCPT; filing never does.
func (e *Engine) HasRoom(ctx context.Context, id store.AccountID, octets int64) error {
	if err := e.alive(); err != nil {
		return err
	}
	acct, err := e.AccountByID(ctx, id)
	if err != nil {
		return err
	}
	return e.checkQuota(acct, octets)
}
