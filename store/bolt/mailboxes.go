package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// enter checks that the actor may use the account's mail, and finds its shard.
func (e *Engine) enter(ctx context.Context, by store.Actor, id store.AccountID) (*store.Account, *shard, error) {
	if err := e.alive(); err != nil {
		return nil, nil, err
	}
	if by.Role != store.RoleOperator && (by.Account != id || id == 0) {
		return nil, nil, store.ErrForbidden
	}
	acct, err := e.AccountByID(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if by.Role != store.RoleOperator && by.Agency != acct.Agency {
		return nil, nil, store.ErrForbidden
	}
	if int(acct.Shard) >= len(e.shards) {
		return nil, nil, fmt.Errorf("%w: account %d is in shard %d", store.ErrDamaged, id, acct.Shard)
	}
	return acct, e.shards[acct.Shard], nil
}

// defaults are the mailboxes of a new account.
var defaults = []struct{ name, use string }{
	{inbox, ""}, {"Archive", `\Archive`}, {"Drafts", `\Drafts`}, {"Junk", `\Junk`}, {"Sent", `\Sent`}, {"Trash", `\Trash`},
}

// makeAccounts makes the mailboxes of new accounts, a transaction for each shard and
// some hundreds of them. Those that have theirs are passed over.
func (e *Engine) makeAccounts(ctx context.Context, accts []store.Account) error {
	const batch = 500
	byShard := make([][]store.AccountID, len(e.shards))
	for _, a := range accts {
		if a.Kind != store.Application {
			byShard[a.Shard] = append(byShard[a.Shard], a.ID)
		}
	}
	for i, ids := range byShard {
		for part := range slices.Chunk(ids, batch) {
			err := e.shards[i].update(ctx, func(t *txn) error {
				for _, id := range part {
					if err := t.makeDefaults(id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *txn) makeDefaults(id store.AccountID) error {
	a, err := t.account(id)
	if err != nil || a.uidValidity > 0 {
		return err
	}
	for _, d := range defaults {
		if _, err := t.make(a, d.name, d.use); err != nil {
			return err
		}
		if err := t.subscribe(id, d.name, true); err != nil {
			return err
		}
	}
	return nil
}

// make makes a mailbox and the parents that it lacks.
func (t *txn) make(a *accountRow, name, use string) (*openRow, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for i, c := range name {
		if c != '/' {
			continue
		}
		_, err := t.named(a.id, name[:i])
		if errors.Is(err, store.ErrNotFound) {
			_, err = t.makeOne(a, name[:i], "")
		}
		if err != nil {
			return nil, err
		}
	}
	return t.makeOne(a, name, use)
}

func (t *txn) makeOne(a *accountRow, name, use string) (*openRow, error) {
	n, _, err := t.name(a.id, name)
	if err != nil {
		return nil, err
	}
	if n.mailbox != 0 {
		return nil, store.ErrExists
	}
	t.writes++
	id, err := t.bucket(bucketMailboxes).NextSequence()
	if err != nil {
		return nil, err
	}
	a.uidValidity++
	m := t.hold(&mailboxRow{id: id, account: a.id, name: name, use: use,
		status: store.Status{UIDNext: 1, UIDValidity: a.uidValidity}})
	t.bump(a, m)
	n.mailbox = id
	return m, t.put(bucketNames, nameKey(a.id, name), n.encode())
}

func (t *txn) subscribe(id store.AccountID, name string, on bool) error {
	n, _, err := t.name(id, name)
	if err != nil {
		return err
	}
	if n.subscribed = on; !on && n.mailbox == 0 {
		return t.del(bucketNames, nameKey(id, name))
	}
	return t.put(bucketNames, nameKey(id, name), n.encode())
}

// eachName calls f for the names of an account, in order of octets.
func eachName(tx *bbolt.Tx, id store.AccountID, f func(name string, n nameRow) error) error {
	prefix := key8(uint64(id))
	c := tx.Bucket(bucketNames).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		n, err := decodeName(v)
		if err != nil {
			return err
		}
		if err := f(string(k[8:]), n); err != nil {
			return err
		}
	}
	return nil
}

// Mailboxes lists an account's mailboxes and subscriptions in order of name.
func (e *Engine) Mailboxes(ctx context.Context, by store.Actor, id store.AccountID) ([]store.MailboxInfo, error) {
	acct, s, err := e.enter(ctx, by, id)
	if err != nil {
		return nil, err
	}
	for made := false; ; made = true {
		var list []store.MailboxInfo
		err := s.read(func(tx *bbolt.Tx) error {
			return eachName(tx, id, func(name string, n nameRow) error {
				if n.mailbox == 0 {
					list = append(list, store.MailboxInfo{Name: name, Subscribed: n.subscribed})
					return nil
				}
				m, err := readMailbox(tx, n.mailbox)
				if err != nil {
					return err
				}
				list = append(list, m.info(n.subscribed))
				return nil
			})
		})
		if err != nil || len(list) > 0 || made {
			return list, err
		}
		// A crash came between the account and its mailboxes.
		if err := e.makeAccounts(ctx, []store.Account{*acct}); err != nil {
			return nil, err
		}
	}
}

// lookup finds a mailbox by name.
func (s *shard) lookup(id store.AccountID, name string) (m *mailboxRow, err error) {
	err = s.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketNames).Get(nameKey(id, name))
		if b == nil {
			return store.ErrNotFound
		}
		n, err := decodeName(b)
		if err != nil {
			return err
		}
		if n.mailbox == 0 {
			return store.ErrNotFound
		}
		m, err = readMailbox(tx, n.mailbox)
		return err
	})
	return m, err
}

// remakeInbox makes INBOX again where it is gone.
func (e *Engine) remakeInbox(ctx context.Context, s *shard, id store.AccountID) (row *mailboxRow, err error) {
	err = s.update(ctx, func(t *txn) error {
		if err := t.makeDefaults(id); err != nil {
			return err
		}
		m, err := t.named(id, inbox)
		if errors.Is(err, store.ErrNotFound) {
			var a *accountRow
			if a, err = t.account(id); err == nil {
				m, err = t.make(a, inbox, "")
			}
		}
		if err == nil {
			row = &m.mailboxRow
		}
		return err
	})
	return row, err
}

// find is lookup for a session: INBOX is always there.
func (e *Engine) find(ctx context.Context, acct *store.Account, s *shard, name string) (*mailboxRow, error) {
	name = mailboxName(name)
	m, err := s.lookup(acct.ID, name)
	if errors.Is(err, store.ErrNotFound) && name == inbox && acct.Kind != store.Application {
		return e.remakeInbox(ctx, s, acct.ID)
	}
	return m, err
}

// CreateMailbox makes a mailbox and its missing parents.
func (e *Engine) CreateMailbox(ctx context.Context, by store.Actor, id store.AccountID, name, use string) (info store.MailboxInfo, err error) {
	_, s, err := e.enter(ctx, by, id)
	if err != nil {
		return info, err
	}
	if err := checkUse(use); err != nil {
		return info, err
	}
	name = mailboxName(name)
	if err := checkName(name); err != nil {
		return info, err
	}
	err = s.update(ctx, func(t *txn) error {
		n, _, err := t.name(id, name)
		if err != nil {
			return err
		}
		if n.mailbox != 0 {
			return store.ErrExists
		}
		a, err := t.account(id)
		if err != nil {
			return err
		}
		m, err := t.make(a, name, use)
		if err == nil {
			info = m.info(n.subscribed)
		}
		return err
	})
	return info, err
}

// children are the names below name.
func (t *txn) children(id store.AccountID, name string) (names []string, err error) {
	err = eachName(t.tx, id, func(child string, n nameRow) error {
		if n.mailbox != 0 && strings.HasPrefix(child, name+"/") {
			names = append(names, child)
		}
		return nil
	})
	return names, err
}

// DeleteMailbox deletes a mailbox. Its messages wait for the purge; the subscription
// stays, as RFC 9051 section 6.3.7 wants.
func (e *Engine) DeleteMailbox(ctx context.Context, by store.Actor, id store.AccountID, name string) error {
	_, s, err := e.enter(ctx, by, id)
	if err != nil {
		return err
	}
	if name = mailboxName(name); name == inbox {
		return store.ErrForbidden
	}
	return s.update(ctx, func(t *txn) error {
		m, err := t.named(id, name)
		if err != nil {
			return err
		}
		below, err := t.children(id, name)
		if err != nil {
			return err
		}
		if len(below) > 0 {
			return store.ErrHasChildren
		}
		a, err := t.account(id)
		if err != nil {
			return err
		}
		t.bump(a, m)
		a.used -= m.status.Size
		m.deleted, m.gone = max(t.now.Unix(), 1), true
		return t.unname(id, name)
	})
}

// unname takes a name from its mailbox; a subscription stays.
func (t *txn) unname(id store.AccountID, name string) error {
	n, _, err := t.name(id, name)
	if err != nil {
		return err
	}
	if n.mailbox = 0; !n.subscribed {
		return t.del(bucketNames, nameKey(id, name))
	}
	return t.put(bucketNames, nameKey(id, name), n.encode())
}

// RenameMailbox moves a mailbox and what is below it.
func (e *Engine) RenameMailbox(ctx context.Context, by store.Actor, id store.AccountID, from, to string) error {
	_, s, err := e.enter(ctx, by, id)
	if err != nil {
		return err
	}
	from, to = mailboxName(from), mailboxName(to)
	if err := checkName(to); err != nil {
		return err
	}
	if from == to || to == inbox {
		return store.ErrExists
	}
	if from != inbox && strings.HasPrefix(to, from+"/") {
		return store.ErrName
	}
	if from == inbox {
		if _, err := e.remakeInboxIfGone(ctx, s, id); err != nil {
			return err
		}
	}
	return s.update(ctx, func(t *txn) error { return t.rename(id, from, to) })
}

func (e *Engine) remakeInboxIfGone(ctx context.Context, s *shard, id store.AccountID) (*mailboxRow, error) {
	m, err := s.lookup(id, inbox)
	if errors.Is(err, store.ErrNotFound) {
		return e.remakeInbox(ctx, s, id)
	}
	return m, err
}

func (t *txn) rename(id store.AccountID, from, to string) error {
	if _, err := t.named(id, from); err != nil {
		return err
	}
	moves := []string{from}
	if from != inbox { // RFC 9051 section 6.3.6: INBOX leaves its children where they are
		below, err := t.children(id, from)
		if err != nil {
			return err
		}
		moves = append(moves, below...)
	}
	for _, name := range moves {
		next := to + name[len(from):]
		if err := checkName(next); err != nil {
			return err
		}
		n, _, err := t.name(id, next)
		if err != nil {
			return err
		}
		if n.mailbox != 0 {
			return store.ErrExists
		}
	}
	a, err := t.account(id)
	if err != nil {
		return err
	}
	for i, c := range to {
		if c != '/' {
			continue
		}
		if _, err := t.named(id, to[:i]); errors.Is(err, store.ErrNotFound) {
			_, err = t.makeOne(a, to[:i], "")
			if err != nil {
				return err
			}
		}
	}
	for _, name := range moves {
		if err := t.renameOne(a, name, to+name[len(from):]); err != nil {
			return err
		}
	}
	if from == inbox {
		_, err = t.makeOne(a, inbox, "")
	}
	return err
}

func (t *txn) renameOne(a *accountRow, from, to string) error {
	m, err := t.named(a.id, from)
	if err != nil {
		return err
	}
	n, _, err := t.name(a.id, to)
	if err != nil {
		return err
	}
	t.bump(a, m)
	m.name = to
	// Sessions that selected INBOX must not go on in the mailbox that took its messages.
	m.gone = m.gone || from == inbox
	n.mailbox = m.id
	if err := t.unname(a.id, from); err != nil {
		return err
	}
	return t.put(bucketNames, nameKey(a.id, to), n.encode())
}

// Subscribe sets or takes a subscription; the mailbox need not exist.
func (e *Engine) Subscribe(ctx context.Context, by store.Actor, id store.AccountID, name string, on bool) error {
	_, s, err := e.enter(ctx, by, id)
	if err != nil {
		return err
	}
	name = mailboxName(name)
	if err := checkName(name); err != nil {
		return err
	}
	return s.update(ctx, func(t *txn) error { return t.subscribe(id, name, on) })
}

// OpenMailbox gives a session its hold on a mailbox.
func (e *Engine) OpenMailbox(ctx context.Context, by store.Actor, id store.AccountID, name string) (store.Mailbox, error) {
	acct, s, err := e.enter(ctx, by, id)
	if err != nil {
		return nil, err
	}
	row, err := e.find(ctx, acct, s, name)
	if err != nil {
		return nil, err
	}
	v, err := s.open(row.id, id)
	if err != nil {
		return nil, err
	}
	return &mailbox{view: v}, nil
}

// MailboxStatus is a mailbox in numbers; it reads one row.
func (e *Engine) MailboxStatus(ctx context.Context, by store.Actor, id store.AccountID, name string) (store.Status, error) {
	acct, s, err := e.enter(ctx, by, id)
	if err != nil {
		return store.Status{}, err
	}
	row, err := e.find(ctx, acct, s, name)
	if err != nil {
		return store.Status{}, err
	}
	return row.status, nil
}
