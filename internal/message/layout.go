package message

import (
	"encoding/binary"
	"errors"
)

// layoutVersion is the first octet of a stored layout.
const layoutVersion = 1

// ErrLayout is returned for a layout that cannot be read.
var ErrLayout = errors.New("message: damaged layout")

// Layout is what serving parts of a stored message needs: the tree and the offsets.
type Layout struct {
	Size  int64
	Parts []LayoutPart
}

// LayoutPart is one part, as in [Part].
type LayoutPart struct {
	Parent                int32
	Multipart, Message    bool
	Start, BodyStart, End int64
	Encoding              string // lower case
	children              []int32
}

// encodings that have a number of their own in a stored layout.
var encodings = [...]string{"", "7bit", "8bit", "binary", "quoted-printable", "base64"}

// AppendLayout adds the binary form of the layout: integers that are mostly small,
// since each offset counts from the one before.
func (x *Index) AppendLayout(dst []byte) []byte {
	dst = append(dst, layoutVersion)
	dst = binary.AppendUvarint(dst, uint64(x.Size))
	dst = binary.AppendUvarint(dst, uint64(len(x.Parts)))
	for i := range x.Parts {
		p := &x.Parts[i]
		var flags uint64
		if p.Type == "multipart" && len(p.Children) > 0 {
			flags |= 1
		}
		if p.Message {
			flags |= 2
		}
		code := 0
		for n, e := range encodings {
			if e == p.Encoding {
				code = n
			}
		}
		dst = binary.AppendUvarint(dst, uint64(p.Parent+1))
		dst = binary.AppendUvarint(dst, flags|uint64(code)<<2)
		if code == 0 {
			e := p.Encoding[:min(len(p.Encoding), 64)]
			dst = binary.AppendUvarint(dst, uint64(len(e)))
			dst = append(dst, e...)
		}
		dst = binary.AppendUvarint(dst, uint64(p.Start))
		dst = binary.AppendUvarint(dst, uint64(p.BodyStart-p.Start))
		dst = binary.AppendUvarint(dst, uint64(p.End-p.BodyStart))
	}
	return dst
}

// ParseLayout reads what AppendLayout wrote. It takes no more memory than the
// length of b allows for.
func ParseLayout(b []byte) (*Layout, error) {
	r := layoutReader{b: b}
	if r.octet() != layoutVersion {
		return nil, ErrLayout
	}
	l := &Layout{Size: int64(r.uint())}
	n := r.uint()
	if r.bad || n == 0 || n > uint64(len(b)) {
		return nil, ErrLayout
	}
	l.Parts = make([]LayoutPart, n)
	for i := range l.Parts {
		p := &l.Parts[i]
		p.Parent = int32(r.uint()) - 1
		bits := r.uint()
		p.Multipart, p.Message = bits&1 != 0, bits&2 != 0
		if code := bits >> 2; code == 0 {
			p.Encoding = string(r.bytes(r.uint()))
		} else if code < uint64(len(encodings)) {
			p.Encoding = encodings[code]
		} else {
			return nil, ErrLayout
		}
		p.Start = int64(r.uint())
		p.BodyStart = p.Start + int64(r.uint())
		p.End = p.BodyStart + int64(r.uint())
		if r.bad || int(p.Parent) >= i || (p.Parent < 0) != (i == 0) ||
			p.Start < 0 || p.BodyStart < p.Start || p.End < p.BodyStart || p.End > l.Size {
			return nil, ErrLayout
		}
		if p.Parent >= 0 {
			up := &l.Parts[p.Parent]
			up.children = append(up.children, int32(i))
		}
	}
	return l, nil
}

type layoutReader struct {
	b   []byte
	bad bool
}

func (r *layoutReader) octet() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// uint reads a number; all that stand in a layout are below 2^62.
func (r *layoutReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v >= 1<<62 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *layoutReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// SectionKind is the last word of an IMAP section (RFC 9051 section 6.4.5.1).
type SectionKind uint8

const (
	SectionBody   SectionKind = iota // the part, or the whole message for an empty path
	SectionHeader                    // HEADER: of the message, or of a message/rfc822 part
	SectionText                      // TEXT: its body
	SectionMIME                      // MIME: the part's own header
)

// Section says which octets of the body a section names; ok is false when there is
// no such part.
func (l *Layout) Section(path []int, kind SectionKind) (start, end int64, ok bool) {
	if len(path) == 0 {
		p := &l.Parts[0]
		switch kind {
		case SectionBody:
			return 0, l.Size, true
		case SectionHeader:
			return p.Start, p.BodyStart, true
		case SectionText:
			return p.BodyStart, p.End, true
		}
		return 0, 0, false
	}
	p, ok := l.part(path)
	if !ok {
		return 0, 0, false
	}
	switch kind {
	case SectionBody:
		return p.BodyStart, p.End, true
	case SectionMIME:
		return p.Start, p.BodyStart, true
	}
	if !p.Message || len(p.children) == 0 {
		return 0, 0, false
	}
	inner := &l.Parts[p.children[0]]
	if kind == SectionHeader {
		return inner.Start, inner.BodyStart, true
	}
	return inner.BodyStart, inner.End, true
}

// Encoding is the transfer encoding of the part at path. A multipart has none.
func (l *Layout) Encoding(path []int) (string, bool) {
	if len(path) == 0 {
		return "7bit", true
	}
	p, ok := l.part(path)
	if !ok {
		return "", false
	}
	return p.Encoding, true
}

// part follows part numbers: those of a multipart count its parts; a message that
// is no multipart has one part, 1; a message/rfc822 part is passed through.
func (l *Layout) part(path []int) (*LayoutPart, bool) {
	p := &l.Parts[0]
	atMessage := true // p is a message as a whole: number 1 can be its own body
	for _, n := range path {
		if p.Message && !atMessage {
			if len(p.children) == 0 {
				return nil, false
			}
			p = &l.Parts[p.children[0]]
			atMessage = true
		}
		switch {
		case n < 1:
			return nil, false
		case p.Multipart:
			if n > len(p.children) {
				return nil, false
			}
			p = &l.Parts[p.children[n-1]]
		case atMessage && n == 1:
		default:
			return nil, false
		}
		atMessage = false
	}
	return p, true
}
