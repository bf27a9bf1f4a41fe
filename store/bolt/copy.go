package bolt

import (
	"bytes"
	"context"

	"sampul/store"
)

// Copy files messages in another mailbox of the account in one transaction, without
// the journal: the bodies stand there already. A move removes them in the same step.
func (e *Engine) Copy(ctx context.Context, by store.Actor, m store.Mailbox, uids []store.UID, name string, move bool) (validity uint32, from, to []store.UID, err error) {
	mb, acct, err := e.held(ctx, by, m)
	if err != nil {
		return 0, nil, nil, err
	}
	if !move {
		if err := e.reserve.check(); err != nil {
			return 0, nil, nil, err
		}
	}
	dest, err := e.find(ctx, acct, mb.shard, name)
	if err != nil {
		return 0, nil, nil, err
	}
	uids = ordered(uids)
	err = mb.shard.update(ctx, func(t *txn) error {
		from, to = nil, nil
		src, err := t.mailbox(mb.id)
		if err != nil {
			return err
		}
		dst, err := t.mailbox(dest.id)
		if err != nil {
			return err
		}
		validity = dst.status.UIDValidity
		from, to, err = t.copyAll(acct, src, dst, uids, move)
		return err
	})
	return validity, from, to, err
}

func (t *txn) copyAll(acct *store.Account, src, dst *openRow, uids []store.UID, move bool) (from, to []store.UID, err error) {
	a, err := t.account(acct.ID)
	if err != nil {
		return nil, nil, err
	}
	var states []store.State
	var octets int64
	used, words := uint64(0), dst.keywords
	if len(uids) > 0 {
		err = scanStates(t.tx, src.id, uids, func(s *store.State) error {
			states = append(states, *s)
			octets += s.Size
			used |= s.Keywords
			return nil
		})
	}
	if err != nil || len(states) == 0 {
		return nil, nil, err
	}
	if !move && acct.Quota != 0 && a.used+octets > acct.Quota {
		return nil, nil, store.ErrOverQuota
	}
	// The bits of the source, in the table of the destination.
	var bits [store.MaxKeywords]uint64
	for i, w := range src.keywords {
		if used&(1<<i) == 0 {
			continue
		}
		if words, bits[i], err = keywordBits(words, []string{w}); err != nil {
			return nil, nil, err
		}
	}
	dst.keywords = words
	at := t.bump(a, dst)
	for i := range states {
		s := &states[i]
		uid, err := t.copyOne(a, src, dst, s, at, &bits, move)
		if err != nil {
			return nil, nil, err
		}
		from, to = append(from, s.UID), append(to, uid)
	}
	if !move {
		return from, to, nil
	}
	at = t.bump(a, src)
	for i := range states {
		if err := t.expunge(a, src, &states[i], at, true); err != nil {
			return nil, nil, err
		}
	}
	return from, to, nil
}

func (t *txn) copyOne(a *accountRow, src, dst *openRow, s *store.State, at store.ModSeq, bits *[store.MaxKeywords]uint64, move bool) (store.UID, error) {
	if dst.status.UIDNext == 0 {
		return 0, store.ErrLimit
	}
	next := *s
	next.UID, next.ModSeq, next.Keywords = dst.status.UIDNext, at, 0
	dst.status.UIDNext++
	for i := range bits {
		if s.Keywords&(1<<i) != 0 {
			next.Keywords |= bits[i]
		}
	}
	t.key = messageKey(t.key, src.id, s.UID)
	sealed := t.bucket(bucketFacts).Get(t.key)
	if sealed == nil {
		return 0, errRow
	}
	row, err := t.file.seals.open(nil, bucketFacts, bytes.Clone(t.key), sealed)
	if err != nil {
		return 0, err
	}
	if t.plain, err = refiled(t.plain, row, t.now, at); err != nil {
		return 0, err
	}
	if err := t.putFacts(dst.id, next.UID, t.plain); err != nil {
		return 0, err
	}
	if !move { // a moved one takes its name along
		if err := t.addRef(s.Body, 0, nil); err != nil {
			return 0, err
		}
	}
	return next.UID, t.putNew(a, dst, &next)
}
