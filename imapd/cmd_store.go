package imapd

import (
	"context"
	"slices"
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
	return s.stored(spans, &change{op, flags, keywords, silent, c.uid})
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

// A change is what a command did to flags: from it follows what the client knows already.
type change struct {
	op       store.FlagOp
	flags    store.Flags
	keywords []string
	silent   bool // only what differs from what was asked is told
	uid      bool
}

// known is st as a client expects it after the change.
func (ch *change) known(st store.State, table []string) store.State {
	var bits uint64
	for i, k := range table {
		if slices.ContainsFunc(ch.keywords, func(w string) bool { return strings.EqualFold(w, k) }) {
			bits |= 1 << i
		}
	}
	switch ch.op {
	case store.FlagsSet:
		st.Flags, st.Keywords = ch.flags, bits
	case store.FlagsAdd:
		st.Flags, st.Keywords = st.Flags|ch.flags, st.Keywords|bits
	case store.FlagsRemove:
		st.Flags, st.Keywords = st.Flags&^ch.flags, st.Keywords&^bits
	}
	return st
}

// stored tells what became of the flags of the messages in spans, unless the client
// knows. Where it may not see the newest snapshot yet, since messages went meanwhile, its
// own change is shown in the one that it has.
func (s *session) stored(spans []span, ch *change) error {
	b := s.box
	old, next := b.snap, b.box.Snapshot()
	shown := next
	if lost(old.States, next.States) {
		shown = withChanges(old, next, spans)
	}
	if len(shown.Keywords) > len(old.Keywords) {
		s.flagsLine(shown)
	}
	at := 0
	for i := range old.States {
		was, is := &old.States[i], &shown.States[i]
		for at < len(spans) && i >= spans[at].to {
			at++
		}
		mine := at < len(spans) && i >= spans[at].from
		if mine && ch.silent {
			known := ch.known(*was, shown.Keywords)
			was = &known
		}
		if mine && !ch.silent || was.Flags != is.Flags || was.Keywords != is.Keywords {
			s.flagsOf(shown, i, ch.uid || !mine)
			if err := s.spill(); err != nil {
				return err
			}
		}
	}
	if n := len(shown.States); n > len(old.States) {
		s.exists(n)
	}
	b.snap = shown
	return nil
}

// withChanges is old with the messages in spans as next has them. Those that are
// expunged in next stay as they were: that is told later.
func withChanges(old, next *store.Snapshot, spans []span) *store.Snapshot {
	shown := *old
	shown.States, shown.Keywords = slices.Clone(old.States), next.Keywords
	j := 0
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			st := &shown.States[i]
			for j < len(next.States) && next.States[j].UID < st.UID {
				j++
			}
			if j < len(next.States) && next.States[j].UID == st.UID {
				*st = next.States[j]
			}
		}
	}
	return &shown
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
