package smtpin

import (
	"context"
	"strconv"
	"strings"

	"sampul/relay"
)

// data is DATA, RFC 5321 section 4.1.1.4.
func (s *session) data(ctx context.Context, _ string) error {
	if len(s.tx.given) == 0 {
		return errNoRecipients
	}
	s.say(reply(354, "", "go ahead, end with a dot"))
	in := s.newIncoming(true)
	defer in.drop()
	defer s.reset()
	s.c.begin()
	defer s.c.end()
	for !in.body.ended {
		if s.in.Buffered() == 0 {
			if err := s.out.Flush(); err != nil {
				return s.gone(err)
			}
			if _, err := s.in.Peek(1); err != nil {
				s.lost(err)
				s.over = true
				return nil
			}
		}
		p, _ := s.in.Peek(s.in.Buffered())
		s.in.Discard(in.body.feed(p))
		s.headerCame(ctx, in)
	}
	return s.each(s.received(ctx, in))
}

// received ends a message that came in whole.
func (s *session) received(ctx context.Context, in *incoming) error {
	err := in.check(&s.srv.cfg)
	if err == nil {
		err = s.deliver(ctx, in)
	}
	if err != nil && replyFor(err).Code >= 400 {
		s.note("refused", err)
		if s.tx != nil && s.tx.ticket != nil && s.tx.refused == "" && !s.tx.counted {
			s.tx.refused = relay.ReasonOther
		}
	}
	return err
}

// headerCame shows the header to hooks, once it is complete. What they refuse is read to
// its end, and kept no longer.
func (s *session) headerCame(ctx context.Context, in *incoming) {
	if !s.srv.header || in.looked || in.tooBig || in.fault != nil {
		return
	}
	s.st.Header = in.index.Header()
	if s.st.Header == nil {
		return
	}
	in.looked = true
	if err := s.hooks(ctx, onHeader); err != nil {
		in.refused = err
		in.spool.Close()
	}
}

// each answers for each recipient, where the protocol is LMTP (RFC 2033 section 4.2): the
// message was accepted for all of them, or for none.
func (s *session) each(err error) error {
	r := asReply(err)
	if s.srv.cfg.Kind != LMTP || r == nil {
		return err
	}
	for range len(s.tx.given) - 1 {
		s.say(r)
	}
	return r
}

// bdat is BDAT, RFC 3030. The octets of a chunk are read whatever is wrong, so that
// they are never taken for commands.
func (s *session) bdat(ctx context.Context, arg string) error {
	size, last, err := parseBdat(arg)
	if err != nil { // nobody knows where the next command begins
		s.over = true
		return reply(501, "5.5.4", "BDAT needs a size; closing")
	}
	switch {
	case s.tx == nil:
		return s.skipChunk(size, errOrder)
	case len(s.tx.given) == 0:
		return s.skipChunk(size, errNoRecipients)
	}
	if s.tx.chunk == nil {
		s.tx.chunk = s.newIncoming(false)
	}
	in := s.tx.chunk
	if !s.readChunk(size, func(p []byte) { in.body.feed(p); s.headerCame(ctx, in) }) {
		return nil
	}
	if !last {
		if in.tooBig {
			s.reset()
			return errTooBig
		}
		return reply(250, "2.0.0", "chunk taken")
	}
	defer s.reset()
	in.body.finish()
	return s.each(s.received(ctx, in))
}

func parseBdat(arg string) (size int64, last bool, err error) {
	words := strings.Fields(arg)
	if len(words) < 1 || len(words) > 2 || len(words[0]) > 18 {
		return 0, false, errSyntax
	}
	if len(words) == 2 {
		if !strings.EqualFold(words[1], "LAST") {
			return 0, false, errSyntax
		}
		last = true
	}
	n, err := strconv.ParseUint(words[0], 10, 63)
	return int64(n), last, err
}

// skipChunk drops a chunk and answers r.
func (s *session) skipChunk(size int64, r *Reply) error {
	if size > s.srv.cfg.MaxSize {
		s.over = true
		return r
	}
	if !s.readChunk(size, func([]byte) {}) {
		return nil
	}
	return r
}

// readChunk hands on size octets. It tells whether they all came.
func (s *session) readChunk(size int64, f func([]byte)) bool {
	s.c.begin()
	defer s.c.end()
	for size > 0 {
		if s.in.Buffered() == 0 {
			if err := s.out.Flush(); err != nil {
				s.gone(err)
				return false
			}
			if _, err := s.in.Peek(1); err != nil {
				s.lost(err)
				s.over = true
				return false
			}
		}
		n := min(size, int64(s.in.Buffered()))
		p, _ := s.in.Peek(int(n))
		f(p)
		s.in.Discard(len(p))
		size -= n
	}
	return true
}
