package imapd

import (
	"context"
	"errors"
	"io"

	"sampul/imapd/wire"
	"sampul/internal/message"
	"sampul/store"
)

// stored is one message while FETCH or SEARCH looks at it.
type stored struct {
	s      *session
	ctx    context.Context
	facts  *store.Facts
	box    store.Mailbox
	body   store.BodyID
	reader store.BodyReader
	layout *message.Layout
}

func (m *stored) close() {
	if m.reader != nil {
		m.reader.Close()
	}
}

func (m *stored) open() (store.BodyReader, error) {
	if m.reader == nil {
		r, err := m.s.srv.deps.Store.OpenBody(m.ctx, m.s.actor, m.box, m.body)
		if err != nil {
			return nil, err
		}
		m.reader = r
	}
	return m.reader, nil
}

func (m *stored) tree() (*message.Layout, error) {
	if m.layout == nil {
		l, err := message.ParseLayout(m.facts.Layout)
		if err != nil {
			return nil, err
		}
		m.layout = l
	}
	return m.layout, nil
}

// header is the message's own header without our trace fields, with its blank line.
func (m *stored) header() ([]byte, error) {
	if m.facts.Header != nil {
		return m.facts.Header, nil
	}
	l, err := m.tree()
	if err != nil {
		return nil, err
	}
	from, to, _ := l.Section(nil, message.SectionHeader)
	return m.bytes(from, to)
}

// bytes reads part of the body into memory.
func (m *stored) bytes(from, to int64) ([]byte, error) {
	r, err := m.open()
	if err != nil {
		return nil, err
	}
	b := make([]byte, to-from)
	if n, err := r.ReadAt(b, from); n < len(b) {
		return nil, errors.Join(errors.New("a body is shorter than its index says"), err)
	}
	return b, nil
}

// A piece is what a section holds: octets in memory, then a range of the body.
type piece struct {
	mem      []byte
	from, to int64
}

func (p *piece) size() int64 { return int64(len(p.mem)) + p.to - p.from }

// cut leaves count octets from offset.
func (p *piece) cut(offset, count int64) {
	offset = min(offset, p.size())
	inMem := min(offset, int64(len(p.mem)))
	p.mem = p.mem[inMem:]
	p.from += offset - inMem
	count = min(count, p.size())
	inMem = min(count, int64(len(p.mem)))
	p.mem = p.mem[:inMem]
	p.to = p.from + count - inMem
}

// section finds what a section names; ok is false when there is no such part.
func (m *stored) section(sec *wire.Section) (p piece, ok bool, err error) {
	if len(sec.Path) == 0 {
		return m.whole(sec)
	}
	l, err := m.tree()
	if err != nil {
		return p, false, err
	}
	kind := [...]message.SectionKind{message.SectionBody, message.SectionHeader, message.SectionHeader,
		message.SectionHeader, message.SectionText, message.SectionMIME}[sec.Part]
	if p.from, p.to, ok = l.Section(sec.Path, kind); !ok {
		return piece{}, false, nil
	}
	if sec.Part == wire.PartHeaderFields || sec.Part == wire.PartHeaderFieldsNot {
		h, err := m.bytes(p.from, p.to)
		if err != nil {
			return p, false, err
		}
		return piece{mem: message.FilterHeader(nil, h, sec.Fields, sec.Part == wire.PartHeaderFieldsNot)}, true, nil
	}
	return p, true, nil
}

// whole is a section of the message itself, whose header begins with our trace fields.
func (m *stored) whole(sec *wire.Section) (p piece, ok bool, err error) {
	switch sec.Part {
	case wire.PartAll:
		return piece{mem: m.facts.Prefix, to: m.facts.BodySize}, true, nil
	case wire.PartHeader:
		h, err := m.header()
		return piece{mem: append(m.facts.Prefix[:len(m.facts.Prefix):len(m.facts.Prefix)], h...)}, true, err
	case wire.PartHeaderFields, wire.PartHeaderFieldsNot:
		h, err := m.header()
		not := sec.Part == wire.PartHeaderFieldsNot
		b := message.FilterHeader(nil, m.facts.Prefix, sec.Fields, not)
		b = message.FilterHeader(b[:len(b)-2], h, sec.Fields, not) // one blank line is enough
		return piece{mem: b}, true, err
	case wire.PartText:
		l, err := m.tree()
		if err != nil {
			return p, false, err
		}
		p.from, p.to, ok = l.Section(nil, message.SectionText)
		return p, ok, nil
	}
	return p, false, nil
}

// answer adds BODY[...] or BINARY[...] to the output.
func (f *fetching) answer(m *stored, it *wire.Item) error {
	s := f.s
	s.out = wire.AppendSection(s.out, it)
	s.out = append(s.out, ' ')
	if it.Kind != wire.ItemSection {
		return f.binary(m, it)
	}
	p, ok, err := m.section(&it.Section)
	if err != nil {
		return err
	}
	if !ok {
		s.out = append(s.out, "NIL"...)
		return nil
	}
	if it.Partial {
		p.cut(it.Offset, it.Count)
	}
	s.out = wire.AppendLiteral(s.out, p.size())
	return m.write(s, &p)
}

// write sends a piece as it is stored.
func (m *stored) write(w io.Writer, p *piece) error {
	if len(p.mem) > 0 {
		if _, err := w.Write(p.mem); err != nil {
			return err
		}
	}
	if p.to == p.from {
		return nil
	}
	r, err := m.open()
	if err == nil {
		err = r.WriteRange(w, p.from, p.to-p.from)
	}
	if err != nil { // the literal was announced: there is no way back
		return errors.Join(errEnd, err)
	}
	return nil
}

// binary answers BINARY[] and BINARY.SIZE[] (RFC 9051 section 6.4.5.1): the part without
// its transfer encoding. It is decoded twice, once to know how long it is.
func (f *fetching) binary(m *stored, it *wire.Item) error {
	s := f.s
	l, err := m.tree()
	if err != nil {
		return err
	}
	if len(it.Section.Path) == 0 {
		p := piece{mem: m.facts.Prefix, to: m.facts.BodySize}
		if it.Kind == wire.ItemBinarySize {
			s.out = wire.AppendUint(s.out, uint64(p.size()))
			return nil
		}
		if it.Partial {
			p.cut(it.Offset, it.Count)
		}
		s.out = wire.AppendLiteral(append(s.out, '~'), p.size())
		return m.write(s, &p)
	}
	encoding, ok := l.Encoding(it.Section.Path)
	from, to, found := l.Section(it.Section.Path, message.SectionBody)
	if !ok || !found {
		if it.Kind == wire.ItemBinarySize {
			s.out = append(s.out, '0')
		} else {
			s.out = append(s.out, "NIL"...)
		}
		return nil
	}
	r, err := m.open()
	if err != nil {
		return err
	}
	switch encoding {
	case "", "7bit", "8bit", "binary", "quoted-printable", "base64":
	default:
		f.unknown = true
		s.out = append(s.out, "NIL"...)
		return nil
	}
	decoder := func() io.Reader { return message.NewTransferDecoder(encoding, io.NewSectionReader(r, from, to-from)) }
	size, err := io.Copy(io.Discard, decoder())
	if err != nil {
		return err
	}
	if it.Kind == wire.ItemBinarySize {
		s.out = wire.AppendUint(s.out, uint64(size))
		return nil
	}
	offset, count := int64(0), size
	if it.Partial {
		offset = min(it.Offset, size)
		count = min(it.Count, size-offset)
	}
	s.out = wire.AppendLiteral(append(s.out, '~'), count)
	d := decoder()
	if _, err := io.CopyN(io.Discard, d, offset); err != nil {
		return errors.Join(errEnd, err)
	}
	if _, err := io.CopyN(s, d, count); err != nil {
		return errors.Join(errEnd, err)
	}
	return nil
}
