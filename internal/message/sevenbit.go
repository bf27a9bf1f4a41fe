package message

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// ErrSigned is a message that has no 7-bit form: octets above 127 stand in a part that is
// signed, which RFC 1847 section 2.1 forbids, and to encode them would break the signature.
var ErrSigned = errors.New("message: a signed part has 8-bit content")

// maxLine is the longest line of a 7bit or 8bit part, without its end (RFC 2045 section 2.7).
const maxLine = 998

// ToSevenBit is the message in seven bits, for a server without 8BITMIME (RFC 6152 section
// 3): parts with octets above 127, NUL or lines too long are encoded, text as
// quoted-printable and all else as base64, and the structure stays. r has the octets that x
// was made from. Header fields beyond ASCII stay as they are: there is no way to encode them
// without knowing what they mean.
func ToSevenBit(r io.ReaderAt, x *Index) (io.Reader, error) {
	p := &sevenBit{r: r, x: x}
	for i := range x.Parts {
		if err := p.part(i); err != nil {
			return nil, err
		}
	}
	p.copyTo(x.Size)
	return io.MultiReader(p.out...), nil
}

// sevenBit is the new message in the making: everything before pos is in out.
type sevenBit struct {
	r   io.ReaderAt
	x   *Index
	pos int64
	out []io.Reader
}

func (s *sevenBit) section(from, to int64) *io.SectionReader {
	return io.NewSectionReader(s.r, from, to-from)
}

func (s *sevenBit) copyTo(to int64) {
	if to > s.pos {
		s.out = append(s.out, s.section(s.pos, to))
		s.pos = to
	}
}

func (s *sevenBit) skipTo(to int64) { s.pos = max(s.pos, to) }

func (s *sevenBit) put(text string) { s.out = append(s.out, strings.NewReader(text)) }

// part plans one part; parts come in the order of their first octets.
func (s *sevenBit) part(i int) error {
	p := &s.x.Parts[i]
	eight := p.Encoding == "8bit" || p.Encoding == "binary"
	if len(p.Children) > 0 {
		if eight && !s.signed(i) { // the parts inside become 7bit, so this one is
			s.header(i, "")
		}
		return nil
	}
	need, err := s.scan(p)
	if err != nil {
		return err
	}
	switch {
	case s.signed(i):
		if need {
			return ErrSigned
		}
		return nil
	case !need:
		if eight {
			s.header(i, "")
		}
		return nil
	case p.Encoding == "quoted-printable": // octets that should not be there, as what they mean
		s.copyTo(p.BodyStart)
		s.encode(p, escape(true))
	case p.Encoding == "base64": // which every decoder skips
		s.copyTo(p.BodyStart)
		s.encode(p, drop8)
	case p.Type == "message" && p.Opaque != "", p.Type == "multipart":
		return nil // must not be encoded (RFC 2045 section 6.4), and was not looked into
	case p.Type == "text":
		s.header(i, "quoted-printable")
		s.encode(p, escape(false))
	default:
		s.header(i, "base64")
		s.encode(p, toBase64)
	}
	return nil
}

// signed says whether the part lies in the signed half of a multipart/signed.
func (s *sevenBit) signed(i int) bool {
	for i = s.x.Parts[i].Parent; i >= 0; i = s.x.Parts[i].Parent {
		if p := &s.x.Parts[i]; p.Type == "multipart" && p.Subtype == "signed" {
			return true
		}
	}
	return false
}

// scan says whether the part's body can't go as 7bit.
func (s *sevenBit) scan(p *Part) (bool, error) {
	in := s.section(p.BodyStart, p.End)
	buf := make([]byte, 32<<10)
	line := 0
	for {
		n, err := in.Read(buf)
		for _, c := range buf[:n] {
			line++
			switch {
			case c == '\n':
				line = 0
			case c == 0, c > 127, line > maxLine+1:
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// header writes the part's header with another encoding, "" for 7bit.
func (s *sevenBit) header(i int, encoding string) {
	p := &s.x.Parts[i]
	at := p.Start
	names := map[string]bool{}
	for _, f := range p.Fields {
		at = f.End
		name := strings.ToLower(f.Name)
		names[name] = true
		if name == "content-transfer-encoding" {
			s.copyTo(f.Start)
			s.skipTo(f.End)
		}
	}
	if encoding == "" {
		return
	}
	s.copyTo(at)
	if top := p.Parent < 0 || s.x.Parts[p.Parent].Message; top && !names["mime-version"] {
		s.put("MIME-Version: 1.0\r\n")
		if !names["content-type"] { // RFC 1428: what it is, nobody knows
			s.put("Content-Type: text/plain; charset=unknown-8bit\r\n")
		}
	}
	s.put("Content-Transfer-Encoding: " + encoding + "\r\n")
	s.copyTo(p.BodyStart)
}

func (s *sevenBit) encode(p *Part, f encoder) {
	s.out = append(s.out, &encodingReader{r: s.section(p.BodyStart, p.End), f: f, in: make([]byte, 0, 3<<10)})
	s.skipTo(p.End)
}

// An encoder encodes from in to dst, and says how much of in it used: all of it, when last
// is set.
type encoder func(dst, in []byte, last bool) ([]byte, int)

// encodingReader gives what an encoder makes of r.
type encodingReader struct {
	r   io.Reader
	f   encoder
	in  []byte
	out []byte
	err error
}

func (e *encodingReader) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		n, err := e.r.Read(e.in[len(e.in):cap(e.in)])
		e.in = e.in[:len(e.in)+n]
		if err != nil && err != io.EOF {
			return 0, err
		}
		e.err = err
		used := 0
		e.out, used = e.f(e.out[:0], e.in, err == io.EOF)
		e.in = e.in[:copy(e.in, e.in[used:])]
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

// toBase64 writes lines of 76 letters.
func toBase64(dst, in []byte, last bool) ([]byte, int) {
	used := 0
	for len(in)-used > 57 || last && used < len(in) {
		piece := in[used:min(used+57, len(in))]
		dst = base64.StdEncoding.AppendEncode(dst, piece)
		if used += len(piece); len(piece) == 57 || last {
			dst = append(dst, "\r\n"...)
		}
	}
	return dst, used
}

// drop8 leaves octets above 127 and NUL out.
func drop8(dst, in []byte, _ bool) ([]byte, int) {
	for _, c := range in {
		if c != 0 && c < 128 {
			dst = append(dst, c)
		}
	}
	return dst, len(in)
}

const upperHex = "0123456789ABCDEF"

// escape is quoted-printable (RFC 2045 section 6.7). With already set the input is
// quoted-printable, and only its wrong octets are escaped.
func escape(already bool) encoder {
	col := 0
	return func(dst, in []byte, last bool) ([]byte, int) {
		i := 0
		for i < len(in) {
			c := in[i]
			if !last && len(in)-i < 3 { // what follows decides: a blank before a line end
				break
			}
			rest := in[i:]
			if len(rest) >= 2 && c == '\r' && rest[1] == '\n' {
				dst = append(dst, "\r\n"...)
				col = 0
				i += 2
				continue
			}
			end := len(rest) == 1 && last || len(rest) >= 3 && rest[1] == '\r' && rest[2] == '\n'
			blank := c == ' ' || c == '\t'
			plain := c >= '!' && c <= '~' && (c != '=' || already) || blank && (!end || already) || already && c < 127 && c != 0
			width := 3
			if plain {
				width = 1
			}
			// 76 columns, of which a soft line break needs one unless the line ends here. What
			// came as quoted-printable has its own breaks; an escape must not be parted.
			if !already && col+width > 75 && !(end && col+width == 76) {
				dst = append(dst, "=\r\n"...)
				col = 0
			}
			if plain {
				dst = append(dst, c)
			} else {
				dst = append(dst, '=', upperHex[c>>4], upperHex[c&15])
			}
			col += width
			i++
		}
		return dst, i
	}
}
