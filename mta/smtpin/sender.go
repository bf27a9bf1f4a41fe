package smtpin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"sampul/internal/message"
	"sampul/internal/spool"
)

// checkSender holds a logged-in sender to its own addresses in From and Sender.
func (s *session) checkSender(ctx context.Context, x *message.Index) error {
	seen := 0
	for _, field := range []string{"From", "Sender"} {
		for _, a := range x.Parts[0].Addresses(field) {
			if a.Group != message.NoGroup {
				continue
			}
			seen++
			if seen > 100 {
				return errNoFrom
			}
			own, err := s.srv.deps.Store.Owns(ctx, s.account.ID, a.Addr())
			if err != nil {
				return err
			}
			if !own {
				return reply(550, "5.7.1", fmt.Sprintf("the field %s names an address that is not %s or its alias", field, s.account.Address))
			}
		}
	}
	if len(x.Parts[0].Addresses("From")) == 0 {
		return errNoFrom
	}
	return nil
}

// complete adds the fields that a submitted message must have and lacks (RFC 6409
// section 8); nil when it lacks none.
func (s *session) complete(body *spool.Spool, x *message.Index) (*incoming, error) {
	var add strings.Builder
	now := s.srv.deps.Clock()
	if x.Parts[0].Get("Date") == "" {
		fmt.Fprintf(&add, "Date: %s\r\n", now.Format(time.RFC1123Z))
	}
	if x.Parts[0].Get("Message-ID") == "" {
		fmt.Fprintf(&add, "Message-ID: <%s@%s>\r\n", rand.Text(), s.srv.cfg.Hostname)
	}
	if add.Len() == 0 {
		return nil, nil
	}
	in := s.newIncoming(false)
	in.max += int64(add.Len())
	in.write([]byte(add.String()))
	return in.finish(in.copy(body, 0, body.Size()))
}

// copy writes [from, to) of a message.
func (in *incoming) copy(b *spool.Spool, from, to int64) error {
	if mem := b.Bytes(); mem != nil {
		in.write(mem[from:to])
		return nil
	}
	buf := make([]byte, 64<<10)
	for from < to {
		n, err := b.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if n == 0 && err != nil {
			return err
		}
		in.write(buf[:n])
		from += int64(n)
	}
	return nil
}

// finish seals a copy; err is what went wrong with it before.
func (in *incoming) finish(err error) (*incoming, error) {
	if in.tooBig {
		err = errors.Join(err, errTooBig)
	}
	if err = errors.Join(err, in.fault); err == nil {
		err = in.spool.Seal()
	}
	if err != nil {
		in.drop()
		return nil, err
	}
	return in, nil
}
