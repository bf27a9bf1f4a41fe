package bolt

import (
	"context"
	"slices"
	"strings"

	"sampul/store"
)

// held checks that m is of this engine and the actor may use its account.
func (e *Engine) held(ctx context.Context, by store.Actor, m store.Mailbox) (*mailbox, *store.Account, error) {
	mb, ok := m.(*mailbox)
	if !ok {
		return nil, nil, store.ErrNotFound
	}
	acct, s, err := e.enter(ctx, by, mb.account)
	if err != nil {
		return nil, nil, err
	}
	if s != mb.shard {
		return nil, nil, store.ErrNotFound
	}
	return mb, acct, nil
}

// ordered is uids in order, each once.
func ordered(uids []store.UID) []store.UID {
	if !slices.IsSorted(uids) {
		uids = slices.Clone(uids)
		slices.Sort(uids)
	}
	for i := 1; i < len(uids); i++ {
		if uids[i] == uids[i-1] {
			return slices.Compact(slices.Clone(uids))
		}
	}
	return uids
}

// StoreFlags changes flags in one transaction. Messages that have them already do
// not get a new MODSEQ.
func (e *Engine) StoreFlags(ctx context.Context, by store.Actor, m store.Mailbox, uids []store.UID, op store.FlagOp,
	flags store.Flags, keywords []string, unchangedSince store.ModSeq) (modified []store.UID, err error) {
	mb, _, err := e.held(ctx, by, m)
	if err != nil {
		return nil, err
	}
	uids = ordered(uids)
	if len(uids) == 0 {
		return nil, nil
	}
	err = mb.shard.update(ctx, func(t *txn) error {
		modified = nil
		row, err := t.mailbox(mb.id)
		if err != nil {
			return err
		}
		a, err := t.account(mb.account)
		if err != nil {
			return err
		}
		words, bits, err := wordsFor(row.keywords, keywords, op)
		if err != nil {
			return err
		}
		var at store.ModSeq
		return t.states(row, uids, func(s *store.State) error {
			if unchangedSince != 0 && s.ModSeq > unchangedSince {
				modified = append(modified, s.UID)
				return nil
			}
			next := *s
			combine(&next, op, flags, bits)
			if next == *s {
				return nil
			}
			if at == 0 {
				row.keywords = words
				at = t.bump(a, row)
			}
			next.ModSeq = at
			return t.change(row, s, &next)
		})
	})
	return modified, err
}

// wordsFor is keywordBits; to take a keyword away nothing new is put into the table.
func wordsFor(table, words []string, op store.FlagOp) ([]string, uint64, error) {
	if op != store.FlagsRemove {
		return keywordBits(table, words)
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return !slices.ContainsFunc(table, func(k string) bool { return strings.EqualFold(k, w) })
	})
	return keywordBits(table, words)
}

func combine(s *store.State, op store.FlagOp, flags store.Flags, keywords uint64) {
	switch op {
	case store.FlagsSet:
		s.Flags, s.Keywords = flags, keywords
	case store.FlagsAdd:
		s.Flags |= flags
		s.Keywords |= keywords
	case store.FlagsRemove:
		s.Flags &^= flags
		s.Keywords &^= keywords
	}
}

// Expunge removes messages. It asks for no reserve of disk: it is the way out of a
// full one.
func (e *Engine) Expunge(ctx context.Context, by store.Actor, m store.Mailbox, uids []store.UID, all bool) error {
	mb, _, err := e.held(ctx, by, m)
	if err != nil {
		return err
	}
	if uids = ordered(uids); len(uids) == 0 {
		return nil
	}
	return mb.shard.update(ctx, func(t *txn) error {
		row, err := t.mailbox(mb.id)
		if err != nil {
			return err
		}
		a, err := t.account(mb.account)
		if err != nil {
			return err
		}
		var at store.ModSeq
		return t.states(row, uids, func(s *store.State) error {
			if !all && s.Flags&store.FlagDeleted == 0 {
				return nil
			}
			if at == 0 {
				at = t.bump(a, row)
			}
			return t.expunge(a, row, s, at, false)
		})
	})
}
