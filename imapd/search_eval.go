package imapd

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/mail"
	"strings"
	"time"

	"sampul/imapd/wire"
	"sampul/internal/message"
	"sampul/store"
)

// An answer to a key, which the state of a message may not be enough to give.
type answer uint8

const (
	nay answer = iota
	yes
	unknown
)

func sure(ok bool) answer {
	if ok {
		return yes
	}
	return nay
}

// An evaluator decides search keys. The dearer a key is to decide, the later it is.
type evaluator struct {
	b    *selected
	now  time.Time
	sets map[*wire.Key][]span
}

// prepare resolves the sets in k.
func (e *evaluator) prepare(k *wire.Key) error {
	if k.Op == wire.KeySeqs || k.Op == wire.KeyUIDs {
		spans, err := e.b.spans(k.Set, k.Op == wire.KeyUIDs)
		if err != nil {
			return err
		}
		if e.sets == nil {
			e.sets = map[*wire.Key][]span{}
		}
		e.sets[k] = spans
	}
	for i := range k.Sub {
		if err := e.prepare(&k.Sub[i]); err != nil {
			return err
		}
	}
	return nil
}

// state decides by what the snapshot knows of message i.
func (e *evaluator) state(k *wire.Key, i int) answer {
	st := &e.b.snap.States[i]
	switch k.Op {
	case wire.KeyAnd, wire.KeyOr:
		stop, rest := nay, yes // of And
		if k.Op == wire.KeyOr {
			stop, rest = yes, nay
		}
		for n := range k.Sub {
			switch a := e.state(&k.Sub[n], i); a {
			case stop:
				return stop
			case unknown:
				rest = unknown
			}
		}
		return rest
	case wire.KeyNot:
		return not(e.state(&k.Sub[0], i))
	case wire.KeyAll:
		return yes
	case wire.KeyNone:
		return nay
	case wire.KeySeqs, wire.KeyUIDs:
		for _, sp := range e.sets[k] {
			if i >= sp.from && i < sp.to {
				return yes
			}
		}
		return nay
	case wire.KeyFlag:
		return sure(e.hasFlag(st, k.Flag))
	case wire.KeyUnflag:
		return sure(!e.hasFlag(st, k.Flag))
	case wire.KeyLarger:
		return sure(st.Size > k.N)
	case wire.KeySmaller:
		return sure(st.Size < k.N)
	case wire.KeyOlder:
		return sure(st.Internal <= e.now.Unix()-k.N)
	case wire.KeyYounger:
		return sure(st.Internal >= e.now.Unix()-k.N)
	case wire.KeyBefore, wire.KeyOn, wire.KeySince:
		return sure(onDay(k.Op-wire.KeyBefore, time.Unix(st.Internal, 0), k.Date))
	}
	return unknown
}

func not(a answer) answer {
	switch a {
	case yes:
		return nay
	case nay:
		return yes
	}
	return unknown
}

func (e *evaluator) hasFlag(st *store.State, name string) bool {
	if strings.HasPrefix(name, `\`) {
		flags, _, err := parseFlags([]string{name})
		return err == nil && flags != 0 && st.Flags&flags != 0
	}
	for i, k := range e.b.snap.Keywords {
		if strings.EqualFold(k, name) {
			return st.Keywords&(1<<i) != 0
		}
	}
	return false
}

// onDay compares days without regard to time and zone; op is 0 before, 1 on, 2 since.
func onDay(op wire.KeyOp, t, day time.Time) bool {
	d := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch op {
	case 0:
		return d.Before(day)
	case 1:
		return d.Equal(day)
	}
	return !d.Before(day)
}

// cost of a key: 0 by state, 1 by facts and header, 2 by the body.
func cost(k *wire.Key) int {
	most := 0
	for i := range k.Sub {
		most = max(most, cost(&k.Sub[i]))
	}
	switch k.Op {
	case wire.KeyBody, wire.KeyText:
		return 2
	case wire.KeyHeader, wire.KeySentBefore, wire.KeySentOn, wire.KeySentSince, wire.KeySavedBefore,
		wire.KeySavedOn, wire.KeySavedSince, wire.KeyEmailID, wire.KeyThreadID:
		return 1
	}
	return most
}

// message decides by all that there is of message i.
func (e *evaluator) message(k *wire.Key, i int, m *stored) (answer, error) {
	switch k.Op {
	case wire.KeyAnd, wire.KeyOr:
		stop := nay
		if k.Op == wire.KeyOr {
			stop = yes
		}
		for level := range 3 {
			for n := range k.Sub {
				if cost(&k.Sub[n]) != level {
					continue
				}
				a, err := e.message(&k.Sub[n], i, m)
				if err != nil || a == stop {
					return a, err
				}
			}
		}
		return not(stop), nil
	case wire.KeyNot:
		a, err := e.message(&k.Sub[0], i, m)
		return not(a), err
	case wire.KeySavedBefore, wire.KeySavedOn, wire.KeySavedSince:
		return sure(onDay(k.Op-wire.KeySavedBefore, m.facts.Saved.Local(), k.Date)), nil
	case wire.KeyEmailID:
		return sure("M"+hex.EncodeToString(m.facts.EmailID[:]) == k.Text), nil
	case wire.KeyThreadID:
		return sure("T"+hex.EncodeToString(m.facts.ThreadID[:]) == k.Text), nil
	case wire.KeySentBefore, wire.KeySentOn, wire.KeySentSince:
		values, err := m.fields("Date")
		if err != nil || len(values) == 0 {
			return nay, err
		}
		t, err := mail.ParseDate(strings.TrimSpace(values[0]))
		if err != nil {
			return nay, nil // a date that is none matches nothing
		}
		return sure(onDay(k.Op-wire.KeySentBefore, t, k.Date)), nil
	case wire.KeyHeader:
		values, err := m.fields(k.Field)
		want := fold(k.Text)
		for _, v := range values {
			if strings.Contains(fold(v), want) {
				return yes, nil
			}
		}
		return nay, err
	case wire.KeyBody, wire.KeyText:
		ok, err := m.contains(fold(k.Text), k.Op == wire.KeyText)
		return sure(ok), err
	}
	return e.state(k, i), nil
}

// fold is how text is compared: without regard to case.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// fields are the decoded values of the header fields with this name.
func (m *stored) fields(name string) ([]string, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, part := range [][]byte{m.facts.Prefix, h} {
		one := message.FilterHeader(nil, part, []string{name}, false)
		x := message.Parse(one)
		for i := range x.Parts[0].Fields {
			if f := &x.Parts[0].Fields[i]; strings.EqualFold(f.Name, name) {
				out = append(out, message.DecodeHeader(f.Value))
			}
		}
	}
	return out, nil
}

// contains looks for folded text in the body's text, and in the header too.
func (m *stored) contains(want string, header bool) (bool, error) {
	if want == "" {
		return true, nil
	}
	if header {
		h, err := m.header()
		if err != nil {
			return false, err
		}
		if strings.Contains(fold(message.DecodeHeader(append(m.facts.Prefix[:len(m.facts.Prefix):len(m.facts.Prefix)], h...))), want) {
			return true, nil
		}
	}
	b, err := m.bytes(0, m.facts.BodySize)
	if err != nil {
		return false, err
	}
	x := message.Parse(b)
	for i := range x.Parts {
		p := &x.Parts[i]
		if i > 0 && strings.Contains(fold(message.DecodeHeader(b[p.Start:p.BodyStart])), want) {
			return true, nil
		}
		if p.Type != "text" || len(p.Children) > 0 {
			continue
		}
		text, err := io.ReadAll(message.NewTransferDecoder(p.Encoding, bytes.NewReader(b[p.BodyStart:p.End])))
		if err != nil {
			return false, err
		}
		if strings.Contains(fold(message.DecodeCharset(message.ParamValue(p.Params, "charset"), text)), want) {
			return true, nil
		}
	}
	return false, nil
}
