package imapd

import (
	"context"
	"errors"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// selectBox is SELECT and EXAMINE. Whatever was open is closed, also when this fails.
func selectBox(ctx context.Context, s *session, c *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	name, err := s.in.Mailbox()
	if err != nil {
		return err
	}
	if more, err := s.in.More(); err != nil {
		return err
	} else if more { // select-param: none is known
		if err := s.in.List(func() error { _, err := s.in.Atom(); return err }); err != nil {
			return err
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if s.box != nil {
		s.unselect()
		s.puts("* OK [CLOSED] the previous mailbox is closed\r\n")
	}
	box, err := s.srv.deps.Store.OpenMailbox(ctx, s.actor, s.actor.Account, name)
	if err != nil {
		return err
	}
	b := &selected{box: box, name: name, readOnly: c.name == "EXAMINE", snap: box.Snapshot()}
	if b.snap.Gone {
		box.Close()
		return store.ErrNotFound
	}
	s.box, s.state = b, selectedState
	s.describe(b)
	c.code = "READ-WRITE"
	if b.readOnly {
		c.code = "READ-ONLY"
	}
	return nil
}

// describe says what SELECT says of a mailbox.
func (s *session) describe(b *selected) {
	snap := b.snap
	s.flagsLine(snap)
	if b.readOnly {
		s.puts("* OK [PERMANENTFLAGS ()] nothing can be changed\r\n")
	} else {
		s.puts("* OK [PERMANENTFLAGS (" + flagText[31])
		for _, k := range snap.Keywords {
			s.puts(" " + k)
		}
		if len(snap.Keywords) < store.MaxKeywords {
			s.puts(` \*`)
		}
		s.puts(")] flags that stay\r\n")
	}
	s.exists(len(snap.States))
	if !s.rev2 {
		s.puts("* 0 RECENT\r\n")
		for i := range snap.States {
			if snap.States[i].Flags&store.FlagSeen == 0 {
				s.puts("* OK [UNSEEN ")
				s.out = wire.AppendUint(s.out, uint32(i+1))
				s.puts("] first unseen\r\n")
				break
			}
		}
	}
	s.puts("* OK [UIDVALIDITY ")
	s.out = wire.AppendUint(s.out, snap.UIDValidity)
	s.puts("] UIDs are valid\r\n* OK [UIDNEXT ")
	s.out = wire.AppendUint(s.out, snap.UIDNext)
	s.puts("] next UID\r\n* OK [MAILBOXID (" + mailboxID(b.box.Info().ID) + ")] its name for ever\r\n")
	if s.rev2 {
		s.puts("* LIST () \"/\" ")
		s.out = wire.AppendMailbox(s.out, b.name, s.utf8)
		s.puts("\r\n")
	}
}

// closeBox is CLOSE, which expunges, and UNSELECT, which does not.
func closeBox(ctx context.Context, s *session, c *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	b := s.box
	if c.name == "CLOSE" && !b.readOnly {
		if gone := deleted(b.box.Snapshot(), nil); len(gone) > 0 {
			if err := s.srv.deps.Store.Expunge(ctx, s.actor, b.box, gone, false); err != nil {
				return err
			}
		}
	}
	s.unselect()
	return nil
}

// deleted are the messages with \Deleted, of those in only when that is not nil.
func deleted(snap *store.Snapshot, only map[store.UID]bool) (uids []store.UID) {
	for i := range snap.States {
		st := &snap.States[i]
		if st.Flags&store.FlagDeleted != 0 && (only == nil || only[st.UID]) {
			uids = append(uids, st.UID)
		}
	}
	return uids
}

// expunge is EXPUNGE and UID EXPUNGE.
func expunge(ctx context.Context, s *session, c *call) error {
	b := s.box
	var only map[store.UID]bool
	if c.uid {
		if err := s.in.SP(); err != nil {
			return err
		}
		set, err := s.in.Set()
		if err != nil {
			return err
		}
		spans, err := b.spans(set, true)
		if err != nil {
			return err
		}
		only = map[store.UID]bool{}
		for _, u := range b.uids(spans) {
			only[u] = true
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if b.readOnly {
		return store.ErrReadOnly
	}
	// A message that this session has not seen yet is not expunged by it.
	shown := only
	if shown == nil {
		shown = make(map[store.UID]bool, len(b.snap.States))
		for i := range b.snap.States {
			shown[b.snap.States[i].UID] = true
		}
	}
	gone := deleted(b.box.Snapshot(), shown)
	if len(gone) == 0 {
		return nil
	}
	return s.srv.deps.Store.Expunge(ctx, s.actor, b.box, gone, false)
}

// status is STATUS.
func status(ctx context.Context, s *session, _ *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	name, err := s.in.Mailbox()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	items, err := s.statusItems()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	return s.statusOf(ctx, name, items)
}

var statusNames = map[string]bool{
	"MESSAGES": true, "UIDNEXT": true, "UIDVALIDITY": true, "UNSEEN": true, "DELETED": true, "SIZE": true,
	"RECENT": true, "MAILBOXID": true, "APPENDLIMIT": true, "DELETED-STORAGE": true,
}

func (s *session) statusItems() (items []string, err error) {
	err = s.in.List(func() error {
		w, err := s.in.Word()
		if err == nil && !statusNames[w] {
			err = wire.SyntaxError("STATUS does not know " + w)
		}
		items = append(items, w)
		return err
	})
	if err == nil && len(items) == 0 {
		err = wire.SyntaxError("STATUS asks for nothing")
	}
	return items, err
}

// statusOf says the untagged STATUS of a mailbox.
func (s *session) statusOf(ctx context.Context, name string, items []string) error {
	st, err := s.srv.deps.Store.MailboxStatus(ctx, s.actor, s.actor.Account, name)
	if err != nil {
		return err
	}
	s.puts("* STATUS ")
	s.out = wire.AppendMailbox(s.out, name, s.utf8)
	for i, it := range items {
		if i == 0 {
			s.puts(" (")
		} else {
			s.puts(" ")
		}
		s.puts(it + " ")
		switch it {
		case "MESSAGES":
			s.out = wire.AppendUint(s.out, st.Messages)
		case "UIDNEXT":
			s.out = wire.AppendUint(s.out, st.UIDNext)
		case "UIDVALIDITY":
			s.out = wire.AppendUint(s.out, st.UIDValidity)
		case "UNSEEN":
			s.out = wire.AppendUint(s.out, st.Unseen)
		case "DELETED":
			s.out = wire.AppendUint(s.out, st.Deleted)
		case "SIZE":
			s.out = wire.AppendUint(s.out, uint64(st.Size))
		case "DELETED-STORAGE":
			s.out = wire.AppendUint(s.out, uint64(st.DeletedSize))
		case "RECENT":
			s.puts("0")
		case "APPENDLIMIT":
			s.out = wire.AppendUint(s.out, uint64(s.srv.cfg.MaxMessage))
		case "MAILBOXID":
			box, err := s.srv.deps.Store.OpenMailbox(ctx, s.actor, s.actor.Account, name)
			if err != nil {
				return err
			}
			s.puts("(" + mailboxID(box.Info().ID) + ")")
			box.Close()
		}
	}
	s.puts(")\r\n")
	return nil
}

// idle is IDLE, RFC 2177: until DONE, changes are told as they happen.
func idle(ctx context.Context, s *session, c *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if s.box != nil {
		if err := s.update(true); err != nil {
			return err
		}
	}
	s.puts("+ idling\r\n")
	if err := s.flush(); err != nil {
		return err
	}
	s.release()
	stop := s.watch()
	s.waiting.Store(true)
	err := s.in.Wait()
	s.waiting.Store(false)
	if werr := stop(); err == nil {
		err = werr
	}
	if err != nil {
		return err
	}
	line, err := s.in.Line(1000)
	if err != nil {
		return err
	}
	if !strings.EqualFold(line, "DONE") {
		return wire.SyntaxError("DONE is expected")
	}
	return nil
}

// watch tells changes of the selected mailbox until stop is called, which gives the error
// that ended it. Between changes its goroutine has nothing but its stack.
func (s *session) watch() (stop func() error) {
	if s.box == nil {
		return func() error { return nil }
	}
	wake := make(chan struct{}, 1)
	end := make(chan struct{})
	over := make(chan error, 1)
	unwatch := s.box.box.Watch(wake)
	go func() {
		for {
			select {
			case <-end:
				over <- nil
				return
			case <-wake:
			}
			s.mu.Lock()
			err := s.update(true)
			if err == nil {
				err = s.flush()
			}
			s.release()
			s.mu.Unlock()
			if err != nil {
				s.raw.Close() // the reader hears of it
				over <- errors.Join(errEnd, err)
				return
			}
		}
	}()
	wake <- struct{}{} // what changed before Watch
	return func() error {
		unwatch()
		close(end)
		return <-over
	}
}
