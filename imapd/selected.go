package imapd

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// selected is the mailbox that a session has open. snap is what the client knows:
// message n is snap.States[n-1].
type selected struct {
	box      store.Mailbox
	name     string
	readOnly bool
	snap     *store.Snapshot
	saved    []store.UID // of SEARCH RETURN (SAVE)
}

// A span is messages by their place in a snapshot, from to to-1.
type span struct{ from, to int }

func (s *session) unselect() {
	if s.box != nil {
		s.box.box.Close()
		s.box = nil
	}
	if s.state == selectedState {
		s.state = authenticated
	}
}

// find is where the first message with this UID or a higher one stands.
func (b *selected) find(uid store.UID) int {
	return sort.Search(len(b.snap.States), func(i int) bool { return b.snap.States[i].UID >= uid })
}

// spans resolves a set, in ascending order and without overlaps.
func (b *selected) spans(set wire.Set, uid bool) ([]span, error) {
	n := len(b.snap.States)
	if set.Saved {
		return b.spansOf(b.saved), nil
	}
	var out []span
	for _, r := range set.Ranges {
		var sp span
		if uid {
			sp = b.uidSpan(r)
		} else {
			from, to := int(r.From), int(r.To)
			if r.From == wire.Star {
				from = n
			}
			if r.To == wire.Star {
				to = n
			}
			if from > to {
				from, to = to, from
			}
			if from < 1 || to > n {
				if n == 0 && r.To == wire.Star { // 1:* of an empty mailbox is no mistake
					continue
				}
				return nil, wire.SyntaxError("there is no message " + strconv.Itoa(to))
			}
			sp = span{from - 1, to}
		}
		if sp.from < sp.to {
			out = append(out, sp)
		}
	}
	return merge(out), nil
}

func (b *selected) uidSpan(r wire.Range) span {
	n := len(b.snap.States)
	if n == 0 {
		return span{}
	}
	last := uint32(b.snap.States[n-1].UID)
	from, to := r.From, r.To
	if from == wire.Star {
		from = last
	}
	if to == wire.Star {
		to = last
	}
	if from > to {
		from, to = to, from
	}
	end := n
	if to < last {
		end = b.find(store.UID(to) + 1)
	}
	return span{b.find(store.UID(from)), end}
}

func (b *selected) spansOf(uids []store.UID) []span {
	var out []span
	for _, u := range uids {
		i := b.find(u)
		if i == len(b.snap.States) || b.snap.States[i].UID != u {
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].to == i {
			out[k].to++
		} else {
			out = append(out, span{i, i + 1})
		}
	}
	return out
}

func merge(in []span) []span {
	if len(in) < 2 {
		return in
	}
	slices.SortFunc(in, func(a, b span) int { return a.from - b.from })
	out := in[:1]
	for _, sp := range in[1:] {
		last := &out[len(out)-1]
		if sp.from <= last.to {
			last.to = max(last.to, sp.to)
		} else {
			out = append(out, sp)
		}
	}
	return out
}

func (b *selected) uids(spans []span) []store.UID {
	n := 0
	for _, sp := range spans {
		n += sp.to - sp.from
	}
	out := make([]store.UID, 0, n)
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			out = append(out, b.snap.States[i].UID)
		}
	}
	return out
}

// update shows the client the newest snapshot. Where message numbers must not change and
// some would, it waits for a later command.
func (s *session) update(numbersMayChange bool) error {
	b := s.box
	if b == nil {
		return nil
	}
	next := b.box.Snapshot()
	if next == b.snap {
		return nil
	}
	if next.Gone {
		s.puts("* BYE the selected mailbox was deleted\r\n")
		s.flush()
		return errEnd
	}
	old := b.snap.States
	if !numbersMayChange && lost(old, next.States) {
		return nil
	}
	if len(next.Keywords) != len(b.snap.Keywords) || !slices.Equal(next.Keywords, b.snap.Keywords) {
		s.flagsLine(next)
	}
	s.room()
	// Those that are gone, by the numbers that they have as the ones before them go.
	j, gone := 0, 0
	for i := range old {
		for j < len(next.States) && next.States[j].UID < old[i].UID {
			j++ // cannot happen: UIDs only grow
		}
		if j < len(next.States) && next.States[j].UID == old[i].UID {
			j++
			continue
		}
		s.out = append(s.out, "* "...)
		s.out = wire.AppendUint(s.out, uint32(i+1-gone))
		s.out = append(s.out, " EXPUNGE\r\n"...)
		gone++
	}
	known := len(old) - gone
	// Then those whose flags changed, by their new numbers.
	j = 0
	for i := range old {
		if j < known && next.States[j].UID == old[i].UID {
			if next.States[j].ModSeq != old[i].ModSeq && (next.States[j].Flags != old[i].Flags || next.States[j].Keywords != old[i].Keywords) {
				s.flagsOf(next, j, true)
			}
			j++
		}
		if err := s.spill(); err != nil {
			return err
		}
	}
	if len(next.States) != known {
		s.exists(len(next.States))
	}
	b.snap = next
	return nil
}

// lost says whether a message of old is no more in next.
func lost(old, next []store.State) bool {
	if len(next) < len(old) {
		return true
	}
	for i := range old {
		if next[i].UID != old[i].UID {
			return true
		}
	}
	return false
}

func (s *session) exists(n int) {
	s.room()
	s.out = append(s.out, "* "...)
	s.out = strconv.AppendInt(s.out, int64(n), 10)
	s.out = append(s.out, " EXISTS\r\n"...)
}

// flagsOf says what flags message i of snap has.
func (s *session) flagsOf(snap *store.Snapshot, i int, uid bool) {
	s.room()
	st := &snap.States[i]
	s.out = append(s.out, "* "...)
	s.out = wire.AppendUint(s.out, uint32(i+1))
	s.out = append(s.out, " FETCH ("...)
	if uid {
		s.out = append(s.out, "UID "...)
		s.out = wire.AppendUint(s.out, st.UID)
		s.out = append(s.out, ' ')
	}
	s.out = append(s.out, "FLAGS "...)
	s.out = appendFlags(s.out, st, snap.Keywords)
	s.out = append(s.out, ")\r\n"...)
}

var systemFlags = []struct {
	bit  store.Flags
	name string
}{
	{store.FlagAnswered, `\Answered`}, {store.FlagFlagged, `\Flagged`}, {store.FlagDeleted, `\Deleted`},
	{store.FlagSeen, `\Seen`}, {store.FlagDraft, `\Draft`},
}

// flagText is each combination of system flags, ready.
var flagText = func() (all [32]string) {
	for bits := range all {
		var names []string
		for _, f := range systemFlags {
			if store.Flags(bits)&f.bit != 0 {
				names = append(names, f.name)
			}
		}
		all[bits] = strings.Join(names, " ")
	}
	return all
}()

func appendFlags(dst []byte, st *store.State, keywords []string) []byte {
	dst = append(dst, '(')
	dst = append(dst, flagText[st.Flags&31]...)
	if st.Keywords != 0 {
		first := st.Flags&31 == 0
		for i, k := range keywords {
			if st.Keywords&(1<<i) == 0 {
				continue
			}
			if !first {
				dst = append(dst, ' ')
			}
			first = false
			dst = append(dst, k...)
		}
	}
	return append(dst, ')')
}

// flagsLine is the untagged FLAGS: what flags messages of the mailbox have.
func (s *session) flagsLine(snap *store.Snapshot) {
	s.puts("* FLAGS (" + flagText[31])
	for _, k := range snap.Keywords {
		s.puts(" " + k)
	}
	s.puts(")\r\n")
}

// parseFlags sorts what a client wrote. \Recent is the server's, and passed over.
func parseFlags(names []string) (flags store.Flags, keywords []string, err error) {
next:
	for _, n := range names {
		if !strings.HasPrefix(n, `\`) {
			keywords = append(keywords, n)
			continue
		}
		for _, f := range systemFlags {
			if strings.EqualFold(n, f.name) {
				flags |= f.bit
				continue next
			}
		}
		if !strings.EqualFold(n, `\Recent`) {
			return 0, nil, wire.SyntaxError("there is no system flag " + n)
		}
	}
	return flags, keywords, nil
}
