package imapd

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"sampul/imapd/wire"
	"sampul/store"
)

// fetch is FETCH and UID FETCH.
func fetch(ctx context.Context, s *session, c *call) error {
	c.still = true
	f, err := s.readFetch(c)
	if err != nil {
		return err
	}
	if f.deep {
		err = f.messages(ctx)
	} else {
		err = f.states()
	}
	if err != nil {
		return err
	}
	if f.unknown {
		return refuse("UNKNOWN-CTE", "a part is encoded in a way that is not known")
	}
	if f.gone > 0 {
		return refuse("EXPUNGEISSUED", "some of the messages are expunged")
	}
	return nil
}

// A fetching is one FETCH under way.
type fetching struct {
	s     *session
	b     *selected
	items []wire.Item
	spans []span
	deep  bool // something is asked that the states do not know
	seen  bool // \Seen is set by what is read
	flags bool // asked for

	gone    int
	unknown bool
	touched []store.UID // those that \Seen was set on, as far as they are not answered
}

func (s *session) readFetch(c *call) (*fetching, error) {
	if err := s.in.SP(); err != nil {
		return nil, err
	}
	set, err := s.in.Set()
	if err != nil {
		return nil, err
	}
	if err := s.in.SP(); err != nil {
		return nil, err
	}
	f := &fetching{s: s, b: s.box}
	if f.items, err = s.in.Items(); err != nil {
		return nil, err
	}
	if err := s.in.CRLF(); err != nil {
		return nil, err
	}
	if f.spans, err = s.box.spans(set, c.uid); err != nil {
		return nil, err
	}
	hasUID := false
	for i := range f.items {
		it := &f.items[i]
		hasUID = hasUID || it.Kind == wire.ItemUID
		f.flags = f.flags || it.Kind == wire.ItemFlags
		switch it.Kind {
		case wire.ItemUID, wire.ItemFlags, wire.ItemInternalDate, wire.ItemSize:
		default:
			f.deep = true
		}
		if (it.Kind == wire.ItemSection || it.Kind == wire.ItemBinary) && !it.Peek {
			f.seen = true
		}
	}
	if c.uid && !hasUID {
		f.items = append([]wire.Item{{Kind: wire.ItemUID}}, f.items...)
	}
	return f, nil
}

// states answers from the snapshot alone.
func (f *fetching) states() error {
	for _, sp := range f.spans {
		for i := sp.from; i < sp.to; i++ {
			f.open(i)
			for n := range f.items {
				if n > 0 {
					f.s.out = append(f.s.out, ' ')
				}
				f.state(&f.items[n], i)
			}
			f.s.out = append(f.s.out, ")\r\n"...)
			if err := f.s.spill(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fetching) open(i int) {
	f.s.room()
	f.s.out = append(f.s.out, "* "...)
	f.s.out = wire.AppendUint(f.s.out, uint32(i+1))
	f.s.out = append(f.s.out, " FETCH ("...)
}

// state adds an item that the snapshot knows, and says whether it is one.
func (f *fetching) state(it *wire.Item, i int) bool {
	s, st := f.s, &f.b.snap.States[i]
	switch it.Kind {
	case wire.ItemUID:
		s.out = append(s.out, "UID "...)
		s.out = wire.AppendUint(s.out, st.UID)
	case wire.ItemFlags:
		s.out = append(s.out, "FLAGS "...)
		s.out = appendFlags(s.out, st, f.b.snap.Keywords)
	case wire.ItemInternalDate:
		s.out = append(s.out, "INTERNALDATE "...)
		s.out = wire.AppendDateTime(s.out, time.Unix(st.Internal, 0))
	case wire.ItemSize:
		s.out = append(s.out, "RFC822.SIZE "...)
		s.out = wire.AppendUint(s.out, uint64(st.Size))
	default:
		return false
	}
	return true
}

// markSeen sets \Seen before anything is read, so that each answer has the flags that
// its message then has (RFC 9051 section 6.4.5).
func (f *fetching) markSeen(ctx context.Context) error {
	var unseen []store.UID
	for _, sp := range f.spans {
		for i := sp.from; i < sp.to; i++ {
			if f.b.snap.States[i].Flags&store.FlagSeen == 0 {
				unseen = append(unseen, f.b.snap.States[i].UID)
			}
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	_, err := f.s.srv.deps.Store.StoreFlags(ctx, f.s.actor, f.b.box, unseen, store.FlagsAdd, store.FlagSeen, nil, 0)
	if err != nil {
		return err
	}
	f.touched = unseen
	return f.s.stored(f.b.spansOf(unseen), &change{op: store.FlagsAdd, flags: store.FlagSeen, silent: true})
}

// messages answers with the facts of each message, and its bytes.
func (f *fetching) messages(ctx context.Context) error {
	if f.seen && !f.b.readOnly {
		if err := f.markSeen(ctx); err != nil {
			return err
		}
	}
	uids := f.b.uids(f.spans)
	at := 0 // in uids
	err := f.s.srv.deps.Store.EachFacts(ctx, f.s.actor, f.b.box, uids, func(facts *store.Facts) error {
		for at < len(uids) && uids[at] < facts.UID {
			f.gone++
			at++
		}
		at++
		return f.message(ctx, f.b.find(facts.UID), facts)
	})
	f.gone += len(uids) - at
	return err
}

func (f *fetching) message(ctx context.Context, i int, facts *store.Facts) error {
	m := stored{s: f.s, ctx: ctx, facts: facts, box: f.b.box, body: f.b.snap.States[i].Body}
	defer m.close()
	s := f.s
	sent, mark := s.sent, len(s.out)
	f.open(i)
	for n := range f.items {
		it := &f.items[n]
		if n > 0 {
			s.out = append(s.out, ' ')
		}
		if f.state(it, i) {
			continue
		}
		switch it.Kind {
		case wire.ItemEnvelope:
			s.out = append(s.out, "ENVELOPE "...)
			s.out = append(s.out, facts.Envelope...)
		case wire.ItemStructure:
			s.out = append(s.out, "BODYSTRUCTURE "...)
			s.out = append(s.out, facts.Structure...)
		case wire.ItemBody:
			s.out = append(s.out, "BODY "...)
			s.out = appendPlainStructure(s.out, facts.Structure)
		case wire.ItemEmailID:
			s.out = appendObjectID(s.out, "EMAILID (M", facts.EmailID)
		case wire.ItemThreadID:
			s.out = appendObjectID(s.out, "THREADID (T", facts.ThreadID)
		case wire.ItemSaveDate:
			s.out = append(s.out, "SAVEDATE "...)
			s.out = wire.AppendDateTime(s.out, facts.Saved)
		default:
			if err := f.answer(&m, it); err != nil {
				if s.sent != sent { // half an answer is out
					return errors.Join(errEnd, err)
				}
				s.out = s.out[:mark]
				return err
			}
		}
	}
	for len(f.touched) > 0 && f.touched[0] < facts.UID {
		f.touched = f.touched[1:]
	}
	if !f.flags && len(f.touched) > 0 && f.touched[0] == facts.UID {
		s.out = append(s.out, ' ')
		f.state(&wire.Item{Kind: wire.ItemFlags}, i)
	}
	s.out = append(s.out, ")\r\n"...)
	return s.spill()
}

func appendObjectID(dst []byte, name string, id [16]byte) []byte {
	dst = append(dst, name...)
	dst = hex.AppendEncode(dst, id[:])
	return append(dst, ')')
}

// appendPlainStructure makes BODY of BODYSTRUCTURE: the same without extension data
// (RFC 9051 section 7.5.2).
func appendPlainStructure(dst, structure []byte) []byte {
	dst, _ = plainBody(dst, structure, 0)
	return dst
}

// plainBody copies the body at the start of b, and gives what follows it.
func plainBody(dst, b []byte, depth int) (out, rest []byte) {
	if len(b) == 0 || b[0] != '(' || depth > 200 {
		return append(dst, "NIL"...), nil
	}
	b = b[1:]
	dst = append(dst, '(')
	if len(b) > 0 && b[0] == '(' { // multipart: bodies, then its subtype
		for len(b) > 0 && b[0] == '(' {
			dst, b = plainBody(dst, b, depth+1)
		}
		dst, b = copyElement(append(dst, ' '), skipSpace(b))
	} else {
		fields := 7
		kind := b[:min(len(b), 24)]
		switch {
		case hasFold(kind, `"text" `):
			fields = 8
		case hasFold(kind, `"message" "rfc822"`), hasFold(kind, `"message" "global"`):
			fields = 10
		}
		for n := range fields {
			if n > 0 {
				dst = append(dst, ' ')
			}
			b = skipSpace(b)
			if fields == 10 && n == 8 {
				dst, b = plainBody(dst, b, depth+1)
			} else {
				dst, b = copyElement(dst, b)
			}
		}
	}
	_, b = closing(b)
	return append(dst, ')'), b
}

func hasFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if c := b[i]; c != prefix[i] && c|0x20 != prefix[i] {
			return false
		}
	}
	return true
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// copyElement copies one atom, string, literal or list.
func copyElement(dst, b []byte) (out, rest []byte) {
	n := elementLen(b)
	if n == 0 {
		return append(dst, "NIL"...), nil
	}
	return append(dst, b[:n]...), b[n:]
}

// closing passes over the rest of a list, with its parenthesis.
func closing(b []byte) (skipped int, rest []byte) {
	for len(b) > 0 {
		b = skipSpace(b)
		if len(b) > 0 && b[0] == ')' {
			return skipped, b[1:]
		}
		n := elementLen(b)
		if n == 0 {
			return skipped, nil
		}
		skipped++
		b = b[n:]
	}
	return skipped, nil
}

// elementLen is the length of the element at the start of b; 0 for none.
func elementLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '(':
			depth++
			i++
		case ')':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			i++
		case '{':
			n, j := 0, i+1
			for ; j < len(b) && b[j] >= '0' && b[j] <= '9' && n < 1<<24; j++ {
				n = n*10 + int(b[j]-'0')
			}
			i = j + len("}\r\n") + n
		case ' ':
			if depth == 0 {
				return i
			}
			i++
		default:
			i++
		}
		if depth == 0 && i > 0 && i <= len(b) && (b[i-1] == ')' || b[i-1] == '"') {
			return i
		}
	}
	return len(b)
}
