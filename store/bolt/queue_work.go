package bolt

import (
	"context"
	"crypto/rand"
	"fmt"

	"sampul/internal/message"
	"sampul/store"
	"sampul/store/journal"
)

// QueueLen is how many messages wait.
func (e *Engine) QueueLen(context.Context) (int, error) {
	if err := e.alive(); err != nil {
		return 0, err
	}
	return e.queued.len(), nil
}

// QueueEach calls f for each entry there is.
func (e *Engine) QueueEach(f func(store.QueueEntry)) {
	for _, en := range e.queued.all() {
		f(en.shown())
	}
}

// QueueWatch calls f for each entry that is accepted or changed from now on.
func (e *Engine) QueueWatch(f func(store.QueueEntry)) { e.queued.watch(f) }

// QueueDone records outcomes in the stream of the entry, so that they are filed after it.
func (e *Engine) QueueDone(_ context.Context, id string, outs []store.Outcome) error {
	if err := e.alive(); err != nil {
		return err
	}
	turn := e.queued.turn(id)
	turn.Lock()
	defer turn.Unlock()
	q := e.queued.get(id)
	if q == nil {
		return store.ErrNotFound
	}
	d := &outcomes{id, outs, q.doneRun(outs)}
	if _, err := e.streams[q.lane].j.AppendWritten(journal.Done, d.fields()); err != nil {
		return e.failure(err)
	}
	e.runs.note(d.run)
	e.queued.replace(q, q.after(outs))
	return nil
}

// OpenQueueBody gives the bytes of a message that waits.
func (e *Engine) OpenQueueBody(_ context.Context, id string) (store.BodyReader, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	if b := e.queued.bodies.get(id); b != nil {
		return memoryBody(b), nil
	}
	q := e.queued.get(id)
	if q == nil {
		return nil, store.ErrNotFound
	}
	return e.openBody(bodyRow{stream: q.lane, ref: q.ref})
}

// QueueEnvelope gives what the message came with, for the recipients that still wait.
func (e *Engine) QueueEnvelope(_ context.Context, id string) (*store.Envelope, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	q := e.queued.get(id)
	if q == nil {
		return nil, store.ErrNotFound
	}
	return e.envelope(q)
}

func (e *Engine) envelope(q *entry) (*store.Envelope, error) {
	if q.accept != nil {
		env := q.accept.env
		env.Recipients = remaining(q, env.Recipients)
		return &env, nil
	}
	row, err := e.queueRow(q.id)
	if err != nil {
		return nil, err
	}
	row.env.Recipients = remaining(q, row.env.Recipients) // the row may be behind
	return &row.env, nil
}

// QueueFile writes one record that both files the message and ends its recipient: whoever
// files it files both, or neither. The body stays where it is.
func (e *Engine) QueueFile(ctx context.Context, id, recipient string, to store.AccountID, mailbox string) error {
	if err := e.alive(); err != nil {
		return err
	}
	acct, err := e.AccountByID(ctx, to)
	if err != nil {
		return err
	}
	q := e.queued.get(id)
	if q == nil {
		return store.ErrNotFound
	}
	if err := e.awaitRoom(ctx, q.lane); err != nil {
		return err
	}
	turn := e.queued.turn(id)
	turn.Lock()
	defer turn.Unlock()
	if q = e.queued.get(id); q == nil || q.find(recipient) < 0 {
		return store.ErrNotFound
	}
	a, err := e.filedHere(q, recipient, acct, mailbox)
	if err != nil {
		return fmt.Errorf("queue ID %s: %w", id, err)
	}
	fields, err := a.fields()
	if err != nil {
		return err
	}
	if _, err := e.streams[q.lane].j.Append(ctx, journal.Accept, fields); err != nil {
		return e.failure(err)
	}
	e.runs.note(q.doneRun(finished(recipient)))
	e.queued.replace(q, q.after(finished(recipient)))
	return nil
}

// filedHere makes the record: an ACCEPT for one recipient, with the body that is there.
func (e *Engine) filedHere(q *entry, recipient string, acct *store.Account, mailbox string) (*accepted, error) {
	env, err := e.envelope(q)
	if err != nil {
		return nil, err
	}
	x, body, err := e.index(q)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	r := env.Recipients[q.find(recipient)]
	r.Account, r.Agency, r.Mailbox = acct.ID, acct.Agency, mailbox
	a := &accepted{env: *env, ref: q.ref, shards: []uint8{acct.Shard}, finish: recipient}
	a.env.Recipients = []store.Recipient{r}
	rand.Read(a.email[:])
	a.facts, err = sharedFacts(body, x, env.Class, env.VerdictID, "", env.QueueID)
	return a, err
}

// index reads a queued body once.
func (e *Engine) index(q *entry) (*message.Index, store.BodyReader, error) {
	body, err := e.openBody(bodyRow{stream: q.lane, ref: q.ref})
	if err != nil {
		return nil, nil, err
	}
	x := message.NewIndexer(message.DefaultLimits)
	if err := body.WriteRange(x, 0, body.Size()); err != nil {
		body.Close()
		return nil, nil, err
	}
	return x.Finish(), body, nil
}
