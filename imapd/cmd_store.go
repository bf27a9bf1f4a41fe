package imapd

import (
	"context"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// storeFlags is STORE and UID STORE.
func storeFlags(ctx context.Context, s *session, c *call) error {
	c.still = true
	if err := s.in.SP(); err != nil {
		return err
	}
	set, err := s.in.Set()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	op, silent, err := s.storeOp()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	names, err := s.in.Flags()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	b := s.box
	spans, err := b.spans(set, c.uid)
	if err != nil {
		return err
	}
	flags, keywords, err := parseFlags(names)
	if err != nil {
		return err
	}
	if b.readOnly {
		return store.ErrReadOnly
	}
	uids := b.uids(spans)
	if len(uids) == 0 {
		return nil
	}
	if _, err := s.srv.deps.Store.StoreFlags(ctx, s.actor, b.box, uids, op, flags, keywords, 0); err != nil {
		return err
	}
	return s.stored(spans, silent, c.uid)
}

// storeOp reads FLAGS, +FLAGS, -FLAGS, and .SILENT.
func (s *session) storeOp() (op store.FlagOp, silent bool, err error) {
	c, err := s.in.Next()
	if err != nil {
		return op, false, err
	}
	switch c {
	case '+':
		op = store.FlagsAdd
	case '-':
		op = store.FlagsRemove
	}
	if op != store.FlagsSet {
		if err := s.in.Byte(c); err != nil {
			return op, false, err
		}
	}
	name, err := s.in.Word()
	if err != nil {
		return op, false, err
	}
	name, silent = strings.CutSuffix(name, ".SILENT")
	if name != "FLAGS" {
		return op, false, wire.SyntaxError("STORE does not know " + name)
	}
	return op, silent, nil
}

// stored tells what became of the flags, unless the client knows. Where the client may
// not see the newest snapshot yet, its own change is shown in the one that it has.
func (s *session) stored(spans []span, silent, uid bool) error {
	b := s.box
	next := b.box.Snapshot()
	shown := *b.snap
	shown.States = append([]store.State(nil), b.snap.States...)
	j := 0
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			st := &shown.States[i]
			for j < len(next.States) && next.States[j].UID < st.UID {
				j++
			}
			if j == len(next.States) || next.States[j].UID != st.UID {
				continue // expunged meanwhile; told later
			}
			*st = next.States[j]
		}
	}
	if len(next.Keywords) > len(shown.Keywords) {
		shown.Keywords = next.Keywords
		s.flagsLine(&shown)
	}
	b.snap = &shown
	if silent {
		return nil
	}
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			s.flagsOf(b.snap, i, uid)
			if err := s.spill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyMessages is COPY and MOVE, and both with UID (RFC 6851).
func copyMessages(ctx context.Context, s *session, c *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	set, err := s.in.Set()
	if err != nil {
		return err
	}
	name, err := s.boxName()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	b := s.box
	spans, err := b.spans(set, c.uid)
	if err != nil {
		return err
	}
	move := strings.HasSuffix(c.name, "MOVE")
	if move && b.readOnly {
		return store.ErrReadOnly
	}
	uids := b.uids(spans)
	if len(uids) == 0 {
		c.text = "nothing to do"
		return nil
	}
	validity, from, to, err := s.srv.deps.Store.Copy(ctx, s.actor, b.box, uids, name, move)
	if err != nil {
		return tryCreate(err)
	}
	if len(from) == 0 {
		return refuse("EXPUNGEISSUED", "the messages are expunged")
	}
	var code []byte
	code = append(code, "COPYUID "...)
	code = wire.AppendUint(code, validity)
	code = wire.AppendSet(append(code, ' '), from)
	code = wire.AppendSet(append(code, ' '), to)
	if !move {
		c.code = string(code)
		return nil
	}
	// The code comes before the messages go (RFC 6851 section 4.3).
	s.puts("* OK [" + string(code) + "] moved\r\n")
	return nil
}
