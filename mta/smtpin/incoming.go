package smtpin

import (
	"sampul/internal/message"
	"sampul/internal/spool"
)

// incoming is a message while it comes in: each octet is made right, hashed, indexed
// and kept in one go. What is too big, or cannot be kept, is read to its end all the
// same, so that the session stays in step.
type incoming struct {
	body   *body
	spool  *spool.Spool
	index  *message.Indexer
	max    int64
	size   int64
	tooBig bool
	fault  error // of the work file

	looked  bool  // hooks have seen the header
	refused error // by one of them
}

func (s *session) newIncoming(dots bool) *incoming {
	in := &incoming{
		spool: s.srv.deps.Spool.Open(),
		index: message.NewIndexer(message.DefaultLimits),
		max:   s.srv.cfg.MaxSize,
	}
	in.body = newBody(dots, in.write)
	return in
}

func (in *incoming) write(p []byte) {
	in.size += int64(len(p))
	switch {
	case in.tooBig || in.fault != nil || in.refused != nil:
	case in.size > in.max:
		in.tooBig = true
		in.spool.Close() // nothing of it is needed any more
	default:
		if _, in.fault = in.spool.Write(p); in.fault == nil {
			in.index.Write(p)
		}
	}
}

func (in *incoming) drop() { in.spool.Close() }

// check says what is wrong with the message as a sequence of octets, after its end.
func (in *incoming) check(cfg *Config) error {
	switch {
	case in.refused != nil:
		return in.refused
	case in.tooBig:
		return errTooBig
	case in.fault != nil:
		return &Reply{errWorkFile.Code, errWorkFile.Enhanced, errWorkFile.Text, in.fault}
	case in.body.bareCR && cfg.BareCR != Fix:
		return reply(550, "5.5.2", "bare CR in the message: lines end with CR LF (RFC 5321 section 2.3.8)")
	case in.body.bareLF && cfg.BareLF != Fix:
		return reply(550, "5.5.2", "bare LF in the message: lines end with CR LF (RFC 5321 section 2.3.8)")
	}
	if err := in.spool.Seal(); err != nil {
		return &Reply{errWorkFile.Code, errWorkFile.Enhanced, errWorkFile.Text, err}
	}
	return nil
}
