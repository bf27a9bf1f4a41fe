package bolt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"sampul/internal/gate"
	"sampul/store"
	"sampul/store/journal"
)

// AppendMessages writes the bodies and one APPEND record, and waits for its filing,
// since the answer holds UIDs.
func (e *Engine) AppendMessages(ctx context.Context, by store.Actor, id store.AccountID, name string, msgs []store.Append) (uint32, []store.UID, error) {
	acct, s, err := e.enter(ctx, by, id)
	if err != nil {
		return 0, nil, err
	}
	if err := e.reserve.check(); err != nil {
		return 0, nil, err
	}
	row, err := s.lookup(id, mailboxName(name))
	if errors.Is(err, store.ErrNotFound) && mailboxName(name) == inbox {
		row, err = e.remakeInbox(ctx, s, id)
	}
	if err != nil {
		return 0, nil, err
	}
	if len(msgs) == 0 {
		return row.status.UIDValidity, nil, nil
	}
	var octets int64
	words := row.keywords
	for i := range msgs {
		octets += msgs[i].Body.Size()
		if words, _, err = keywordBits(words, msgs[i].Keywords); err != nil {
			return 0, nil, err
		}
	}
	release, err := e.holdQuota(acct, octets)
	if err != nil {
		return 0, nil, err
	}
	defer release()
	if err := e.awaitRoom(ctx, store.LanePeople); err != nil {
		return 0, nil, err
	}
	a := &appended{account: id, mailbox: row.id, saved: e.clock(), shard: s.index, agency: acct.Agency}
	rand.Read(a.op[:])
	for i := range msgs {
		if err := e.writeAppend(ctx, a, &msgs[i]); err != nil {
			return 0, nil, err
		}
	}
	return e.appendRecord(ctx, a)
}

// writeAppend writes one body, and adds its message to the record.
func (e *Engine) writeAppend(ctx context.Context, a *appended, msg *store.Append) error {
	p := msg.Passed
	if !p.Valid() {
		return store.ErrGate
	}
	m := appendedMessage{flags: msg.Flags, keywords: msg.Keywords, internal: msg.Internal, replaces: msg.Replaces}
	if m.internal.IsZero() {
		m.internal = a.saved
	}
	rand.Read(m.email[:])
	var err error
	if m.facts, err = sharedFacts(msg.Body, msg.Index, p.Class(), p.VerdictID(), p.RuleSet(), ""); err != nil {
		return err
	}
	ref, sum, err := e.streams[store.LanePeople].j.WriteBody(ctx, newBodyID(), msg.Body, msg.Body.Size())
	if err != nil {
		return e.failure(err)
	}
	if !p.Allows(sum, gate.Mailbox) {
		return store.ErrGate
	}
	m.ref = ref
	a.msgs = append(a.msgs, m)
	return nil
}

func (e *Engine) appendRecord(ctx context.Context, a *appended) (uint32, []store.UID, error) {
	fields, err := a.fields()
	if err != nil {
		return 0, nil, err
	}
	w := e.waiters.add(a.op)
	if _, err := e.streams[store.LanePeople].j.Append(ctx, journal.Append, fields); err != nil {
		e.waiters.answer(a.op, appendResult{err: err}) // drops it
		return 0, nil, e.failure(err)
	}
	// From here on it will be filed: the outcome is awaited, whatever ctx says.
	r := <-w
	if r.err != nil && !refusal(r.err) {
		if errors.Is(r.err, store.ErrFailed) || errors.Is(r.err, store.ErrClosed) {
			return 0, nil, r.err
		}
		return 0, nil, fmt.Errorf("append: %w", r.err)
	}
	return r.validity, r.uids, r.err
}

type appendResult struct {
	uids     []store.UID
	validity uint32
	err      error
}

// waiters are appends that wait for their filing, by operation.
type waiters struct {
	mu   sync.Mutex
	by   map[[16]byte]chan appendResult
	over error
}

func (w *waiters) init() { w.by = make(map[[16]byte]chan appendResult) }

func (w *waiters) add(op [16]byte) <-chan appendResult {
	c := make(chan appendResult, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over != nil {
		c <- appendResult{err: w.over}
	} else {
		w.by[op] = c
	}
	return c
}

func (w *waiters) has(op [16]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by[op] != nil
}

// answer tells the waiter; later answers, such as that of fail, find nobody.
func (w *waiters) answer(op [16]byte, r appendResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.by[op]; c != nil {
		delete(w.by, op)
		c <- r
	}
}

// fail answers all who wait, now and later.
func (w *waiters) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over == nil {
		w.over = err
	}
	for op, c := range w.by {
		delete(w.by, op)
		c <- appendResult{err: err}
	}
}
