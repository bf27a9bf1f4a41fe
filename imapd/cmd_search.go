package imapd

import (
	"context"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// search is SEARCH and UID SEARCH, with ESEARCH (RFC 9051 section 6.4.4).
func search(ctx context.Context, s *session, c *call) error {
	c.still = true
	q, err := s.readSearch(c)
	if err != nil {
		return err
	}
	hits, err := q.run(ctx)
	if err != nil {
		return err
	}
	if q.save {
		s.box.saved = nil
		switch {
		case q.min || q.max:
			if len(hits) > 0 && q.min {
				s.box.saved = append(s.box.saved, s.box.snap.States[hits[0]].UID)
			}
			if n := len(hits); n > 0 && q.max && (!q.min || n > 1) {
				s.box.saved = append(s.box.saved, s.box.snap.States[hits[n-1]].UID)
			}
			if !q.all && !q.count {
				break
			}
			fallthrough
		default:
			s.box.saved = s.box.saved[:0]
			for _, i := range hits {
				s.box.saved = append(s.box.saved, s.box.snap.States[i].UID)
			}
		}
	}
	q.answer(c, hits)
	return nil
}

// A query is one SEARCH under way.
type query struct {
	s       *session
	uid     bool
	ret     bool // RETURN was given
	min     bool
	max     bool
	all     bool
	count   bool
	save    bool
	program wire.Key
}

func (s *session) readSearch(c *call) (*query, error) {
	q := &query{s: s, uid: c.uid}
	if err := s.in.SP(); err != nil {
		return nil, err
	}
	word, err := s.peekWord()
	if err != nil {
		return nil, err
	}
	if word == "RETURN" {
		if err := q.options(); err != nil {
			return nil, err
		}
		if err := s.in.SP(); err != nil {
			return nil, err
		}
		if word, err = s.peekWord(); err != nil {
			return nil, err
		}
	}
	if word == "CHARSET" {
		charset, err := s.in.AString()
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(charset, "UTF-8") && !strings.EqualFold(charset, "US-ASCII") {
			return nil, refuse("BADCHARSET (US-ASCII UTF-8)", "text is searched in UTF-8")
		}
		if err := s.in.SP(); err != nil {
			return nil, err
		}
	}
	if q.program, err = s.in.Program(); err != nil {
		return nil, err
	}
	return q, s.in.CRLF()
}

// peekWord takes RETURN or CHARSET with the space after it, if one of them comes.
func (s *session) peekWord() (string, error) { return s.in.Keyword("RETURN", "CHARSET") }

func (q *query) options() error {
	q.ret = true
	err := q.s.in.List(func() error {
		w, err := q.s.in.Word()
		if err != nil {
			return err
		}
		switch w {
		case "MIN":
			q.min = true
		case "MAX":
			q.max = true
		case "ALL":
			q.all = true
		case "COUNT":
			q.count = true
		case "SAVE":
			q.save = true
		default:
			return wire.SyntaxError("SEARCH does not return " + w)
		}
		return nil
	})
	if !q.min && !q.max && !q.all && !q.count && !q.save {
		q.all = true
	}
	return err
}

// answer says what was found; hits are places in the snapshot.
func (q *query) answer(c *call, hits []int) {
	s := q.s
	numbers := make([]uint32, len(hits))
	for n, i := range hits {
		numbers[n] = uint32(i + 1)
		if q.uid {
			numbers[n] = uint32(s.box.snap.States[i].UID)
		}
	}
	if !q.ret && !s.rev2 {
		s.puts("* SEARCH")
		for _, n := range numbers {
			s.out = append(s.out, ' ')
			s.out = wire.AppendUint(s.out, n)
		}
		s.puts("\r\n")
		return
	}
	if !q.ret {
		q.all = true
	}
	if q.save && !q.min && !q.max && !q.all && !q.count {
		return // SAVE alone is not answered
	}
	s.puts("* ESEARCH (TAG ")
	s.out = wire.AppendString(s.out, c.tag)
	s.puts(")")
	if q.uid {
		s.puts(" UID")
	}
	if n := len(numbers); n > 0 {
		if q.min {
			s.puts(" MIN ")
			s.out = wire.AppendUint(s.out, numbers[0])
		}
		if q.max {
			s.puts(" MAX ")
			s.out = wire.AppendUint(s.out, numbers[n-1])
		}
		if q.all {
			s.puts(" ALL ")
			s.out = wire.AppendSet(s.out, numbers)
		}
	}
	if q.count {
		s.puts(" COUNT ")
		s.out = wire.AppendUint(s.out, uint32(len(numbers)))
	}
	s.puts("\r\n")
}

// run finds the messages, as places in the snapshot. What the states decide is decided
// by them; headers and bodies are read only for the rest.
func (q *query) run(ctx context.Context) ([]int, error) {
	b := q.s.box
	e := evaluator{b: b, now: q.s.srv.deps.Clock()}
	if err := e.prepare(&q.program); err != nil {
		return nil, err
	}
	verdict := make([]answer, len(b.snap.States))
	var ask []store.UID
	for i := range b.snap.States {
		if verdict[i] = e.state(&q.program, i); verdict[i] == unknown {
			ask = append(ask, b.snap.States[i].UID)
		}
	}
	if len(ask) > 0 {
		err := q.s.srv.deps.Store.EachFacts(ctx, q.s.actor, b.box, ask, func(f *store.Facts) (err error) {
			i := b.find(f.UID)
			m := stored{s: q.s, ctx: ctx, facts: f, box: b.box, body: b.snap.States[i].Body}
			defer m.close()
			verdict[i], err = e.message(&q.program, i, &m)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var hits []int
	for i, v := range verdict {
		if v == yes {
			hits = append(hits, i)
		}
	}
	return hits, nil
}
