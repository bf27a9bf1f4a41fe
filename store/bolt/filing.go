package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"sampul/store"
)

// fileInto files what a record has for one shard. An error is the record's fault.
func (e *Engine) fileInto(s *shard, t *txn, f *filing) error {
	switch {
	case f.accept != nil:
		return e.fileAccept(s, t, f.accept)
	case f.append != nil:
		return e.fileAppend(t, f.append)
	}
	return fmt.Errorf("a record of %v for a shard", f.rec.Type)
}

type destination struct {
	account store.AccountID
	mailbox string
}

func (e *Engine) fileAccept(s *shard, t *txn, a *accepted) error {
	env := &a.env
	var done map[destination]bool
	if len(env.Recipients) > 1 {
		done = make(map[destination]bool, len(env.Recipients))
	}
	for i := range env.Recipients {
		r := &env.Recipients[i]
		if r.Account == 0 || a.shards[i] != s.index {
			continue
		}
		to := destination{r.Account, mailboxName(r.Mailbox)}
		if done[to] {
			continue
		}
		if done != nil {
			done[to] = true
		}
		if err := e.fileRecipient(t, a, r, to); err != nil {
			return fmt.Errorf("queue ID %s, account %d: %w", env.QueueID, r.Account, err)
		}
	}
	return nil
}

func (e *Engine) fileRecipient(t *txn, a *accepted, r *store.Recipient, to destination) error {
	if _, err := e.AccountByID(context.Background(), to.account); err != nil {
		return err
	}
	acct, err := t.account(to.account)
	if err != nil {
		return err
	}
	m, err := t.named(to.account, to.mailbox)
	if errors.Is(err, store.ErrNotFound) {
		m, err = t.make(acct, to.mailbox, "")
	}
	if errors.Is(err, store.ErrName) {
		m, err = t.make(acct, inbox, "")
	}
	if err != nil {
		return err
	}
	f := &filed{shared: a.facts, stream: a.env.Lane, ref: a.ref}
	prefix := a.env.Prefix
	if len(r.Prefix) > 0 {
		prefix = append(append(make([]byte, 0, len(r.Prefix)+len(prefix)), r.Prefix...), prefix...)
	}
	f.own = ownFacts{email: emailID(a.email, to.account), internal: a.env.Received, saved: t.now,
		prefix: prefix, agency: r.Agency}
	f.own.thread = f.own.email
	f.state = store.State{Size: int64(len(prefix)) + a.ref.Size, Body: a.ref.ID, Internal: a.env.Received.Unix()}
	_, err = t.deliver(acct, m, f)
	return err
}

// emailID differs from account to account, so that two officers can't tell by it that
// both got a message.
func emailID(base [16]byte, a store.AccountID) [16]byte {
	v := binary.BigEndian.Uint64(base[8:]) ^ uint64(a)*0x9e3779b97f4a7c15
	binary.BigEndian.PutUint64(base[8:], v)
	return base
}

// fileAppend files all messages of an APPEND, or none and says why. Nobody was told
// OK yet, so a mailbox that went meanwhile is an answer and not a fault.
func (e *Engine) fileAppend(t *txn, a *appended) error {
	var uids []store.UID
	var validity uint32
	m, bits, err := t.checkAppend(a)
	if err == nil {
		validity = m.status.UIDValidity
		uids, err = t.appendAll(a, m, bits)
		if err != nil {
			return err
		}
	} else if !refusal(err) {
		return err
	}
	t.after = append(t.after, func() { e.waiters.answer(a.op, appendResult{uids, validity, err}) })
	if err != nil && !e.waiters.has(a.op) {
		e.log.Warn("append refused after a restart", "account", a.account, "err", err)
	}
	return nil
}

func refusal(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrLimit)
}

// checkAppend finds out, before anything is written, whether all can be filed.
func (t *txn) checkAppend(a *appended) (m *openRow, bits []uint64, err error) {
	if m, err = t.mailbox(a.mailbox); err != nil {
		return nil, nil, err
	}
	words := m.keywords
	for i := range a.msgs {
		var b uint64
		if words, b, err = keywordBits(words, a.msgs[i].keywords); err != nil {
			return nil, nil, err
		}
		bits = append(bits, b)
	}
	m.keywords = words
	return m, bits, nil
}

func (t *txn) appendAll(a *appended, m *openRow, bits []uint64) (uids []store.UID, err error) {
	acct, err := t.account(a.account)
	if err != nil {
		return nil, err
	}
	for i := range a.msgs {
		msg := &a.msgs[i]
		f := &filed{shared: msg.facts, stream: store.LanePeople, ref: msg.ref}
		f.own = ownFacts{email: msg.email, thread: msg.email, internal: msg.internal, saved: a.saved, agency: a.agency}
		f.state = store.State{Flags: msg.flags, Keywords: bits[i], Size: msg.ref.Size, Body: msg.ref.ID,
			Internal: msg.internal.Unix()}
		uid, err := t.deliver(acct, m, f)
		if err != nil {
			return nil, err
		}
		uids = append(uids, uid)
		if msg.replaces == 0 {
			continue
		}
		err = t.states(m, []store.UID{msg.replaces}, func(s *store.State) error {
			return t.expunge(acct, m, s, t.bump(acct, m), false)
		})
		if err != nil {
			return nil, err
		}
	}
	return uids, nil
}
