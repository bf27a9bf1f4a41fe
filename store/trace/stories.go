package trace

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"sampul/store"
)

// Stories finds messages whose queue ID, Message-ID, or one of whose addresses is key, and
// gives all events of them that the actor may see: to the operator all, to administrators
// and security officers those that name their agency.
func (l *Log) Stories(ctx context.Context, by store.Actor, key string, limit int) ([]store.Story, error) {
	see := func(*store.Event) bool { return true }
	switch {
	case by.Role == store.RoleOperator:
	case (by.Role == store.RoleAdmin || by.Role == store.RoleSecurity) && by.Agency != "":
		see = func(e *store.Event) bool { return slices.Contains(e.Agencies, by.Agency) }
	default:
		return nil, store.ErrForbidden
	}
	key = searchKey(key)
	if key == "" || limit <= 0 {
		return nil, nil
	}
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	s := &search{l: l, see: see}
	ids, err := s.ids(ctx, key, limit)
	if err != nil {
		return nil, err
	}
	out, err := s.gather(ctx, ids)
	out = append(out, s.loose...)
	slices.SortStableFunc(out, func(a, b store.Story) int { return start(&b).Compare(start(&a)) })
	return out[:min(limit, len(out))], err
}

func start(s *store.Story) time.Time {
	if len(s.Events) == 0 {
		return time.Time{}
	}
	return s.Events[0].Time
}

// A search reads files twice: to find queue IDs, then all events of these.
type search struct {
	l     *Log
	see   func(*store.Event) bool
	loose []store.Story // events that have no queue ID: what was refused before it got one
}

// each calls f with the events of blocks that may hold one of the keys: days and blocks
// from the newest, events of a block in order; until f says no.
func (s *search) each(ctx context.Context, keys []string, f func(e *store.Event) bool) error {
	var tokens []uint64
	for _, k := range keys {
		tokens = append(tokens, s.l.tokens.of(k))
	}
	names, err := dayNames(s.l.o.Dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		more, err := s.day(ctx, name, tokens, f)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *search) day(ctx context.Context, name string, tokens []uint64, f func(*store.Event) bool) (more bool, err error) {
	d, err := readDay(s.l.o.Dir, name, s.l.o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // its time was over meanwhile
	}
	if err != nil {
		s.l.o.Log.Error("trace not read", "file", name, "err", err)
		return true, nil
	}
	defer d.close()
	places, err := d.places(tokens)
	if err != nil {
		return false, err
	}
	for _, p := range slices.Backward(places) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		events, err := d.open(p)
		if err != nil {
			return false, err
		}
		for len(events) > 0 {
			var raw []byte
			if raw, events, err = nextEvent(events); err != nil {
				break
			}
			e, err := decodeEvent(raw)
			if err != nil || !s.see(&e) {
				continue
			}
			if !f(&e) {
				return false, nil
			}
		}
	}
	return true, nil
}

// ids are the queue IDs with something that key names, at most limit, the newest.
func (s *search) ids(ctx context.Context, key string, limit int) ([]string, error) {
	newest := map[string]int64{}
	err := s.each(ctx, []string{key}, func(e *store.Event) bool {
		switch {
		case !names(e, key):
		case e.ID == "":
			s.loose = append(s.loose, store.Story{MessageID: e.MessageID, Events: []store.Event{*e}})
		default:
			newest[e.ID] = max(newest[e.ID], e.Time.UnixNano())
		}
		return len(newest)+len(s.loose) < 4*limit+1000 // blocks come from the newest: enough to choose from
	})
	if err != nil {
		return nil, err
	}
	ids := slices.SortedFunc(maps.Keys(newest), func(a, b string) int { return cmp.Compare(newest[b], newest[a]) })
	return ids[:min(limit, len(ids))], nil
}

func names(e *store.Event, key string) bool {
	return searchKey(e.ID) == key || searchKey(e.MessageID) == key || searchKey(e.From) == key ||
		slices.ContainsFunc(e.To, func(to string) bool { return searchKey(to) == key })
}

// gather makes the stories of queue IDs, in their order.
func (s *search) gather(ctx context.Context, ids []string) ([]store.Story, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	at := make(map[string]int, len(ids))
	keys := make([]string, len(ids))
	out := make([]store.Story, len(ids))
	for i, id := range ids {
		at[id], keys[i], out[i].ID = i, searchKey(id), id
	}
	err := s.each(ctx, keys, func(e *store.Event) bool {
		i, ok := at[e.ID]
		if !ok {
			return true
		}
		if out[i].Events = append(out[i].Events, *e); e.MessageID != "" {
			out[i].MessageID = e.MessageID
		}
		return true
	})
	for i := range out {
		slices.SortStableFunc(out[i].Events, func(a, b store.Event) int { return a.Time.Compare(b.Time) })
	}
	return out, err
}
