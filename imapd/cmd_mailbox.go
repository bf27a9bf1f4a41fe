package imapd

import (
	"context"
	"fmt"
	"strings"

	"sampul/imapd/wire"
)

// mailboxID is the OBJECTID of a mailbox (RFC 8474).
func mailboxID(id uint64) string { return fmt.Sprintf("F%x", id) }

// boxName reads SP and a mailbox name.
func (s *session) boxName() (string, error) {
	if err := s.in.SP(); err != nil {
		return "", err
	}
	return s.in.Mailbox()
}

func create(ctx context.Context, s *session, c *call) error {
	name, err := s.boxName()
	if err != nil {
		return err
	}
	use := ""
	if more, err := s.in.More(); err != nil {
		return err
	} else if more {
		if use, err = s.createUse(); err != nil {
			return err
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	name = strings.TrimSuffix(name, "/") // says that others will be made below it
	info, err := s.srv.deps.Store.CreateMailbox(ctx, s.actor, s.actor.Account, name, use)
	if err != nil {
		return err
	}
	c.code = "MAILBOXID (" + mailboxID(info.ID) + ")"
	return nil
}

// createUse reads (USE (\Sent)), RFC 6154 section 3.
func (s *session) createUse() (use string, err error) {
	err = s.in.List(func() error {
		w, err := s.in.Word()
		if err != nil {
			return err
		}
		if w != "USE" {
			return wire.SyntaxError("CREATE does not know " + w)
		}
		if err := s.in.SP(); err != nil {
			return err
		}
		return s.in.List(func() error {
			f, err := s.in.Flag()
			if use != "" {
				return refuse("USEATTR", "a mailbox has one special use")
			}
			use = f
			return err
		})
	})
	return use, err
}

func deleteBox(ctx context.Context, s *session, _ *call) error {
	name, err := s.boxName()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if name == "INBOX" {
		return refuse("CANNOT", "INBOX cannot be deleted")
	}
	if s.box != nil && s.box.name == name { // whoever deletes it knows
		s.unselect()
		s.puts("* OK [CLOSED] the selected mailbox is being deleted\r\n")
	}
	return s.srv.deps.Store.DeleteMailbox(ctx, s.actor, s.actor.Account, name)
}

func rename(ctx context.Context, s *session, _ *call) error {
	from, err := s.boxName()
	if err != nil {
		return err
	}
	to, err := s.boxName()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if err := s.srv.deps.Store.RenameMailbox(ctx, s.actor, s.actor.Account, from, strings.TrimSuffix(to, "/")); err != nil {
		return err
	}
	if s.box != nil {
		s.box.name = s.box.box.Info().Name
	}
	return nil
}

func subscribe(ctx context.Context, s *session, c *call) error {
	name, err := s.boxName()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	return s.srv.deps.Store.Subscribe(ctx, s.actor, s.actor.Account, name, c.name == "SUBSCRIBE")
}
