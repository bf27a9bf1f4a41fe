package message

import (
	"encoding/base64"
	"io"
	"strings"
)

// NewTransferDecoder undoes a Content-Transfer-Encoding. Damaged input is decoded as
// far as possible: octets outside base64's alphabet are skipped, a wrong escape of
// quoted-printable stands as it came. Errors are those of r alone. An unknown
// encoding is passed on as it is (RFC 2045 section 6.4).
func NewTransferDecoder(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return &base64Reader{r: r, in: make([]byte, 8<<10)}
	case "quoted-printable":
		return &quotedReader{r: r, buf: make([]byte, 8<<10)}
	}
	return r
}

// base64Reader reads groups of four, and goes on after padding: some senders join
// several encoded pieces.
type base64Reader struct {
	r    io.Reader
	in   []byte
	quad []byte // letters that make no whole group yet
	out  []byte
	err  error
}

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.out) == 0 && b.err == nil {
		b.fill()
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	if n == 0 && len(p) > 0 {
		return 0, b.err
	}
	return n, nil
}

func (b *base64Reader) fill() {
	n, err := b.r.Read(b.in)
	letters := b.quad
	var done []byte
	for _, c := range b.in[:n] {
		if isBase64(c) {
			letters = append(letters, c)
		} else if c == '=' && len(letters)%4 != 0 {
			done = decodeLetters(done, letters)
			letters = letters[:0]
		}
	}
	whole := len(letters) / 4 * 4
	if err != nil {
		whole = len(letters)
	}
	b.out = decodeLetters(done, letters[:whole])
	b.quad = append([]byte(nil), letters[whole:]...)
	b.err = err
}

func decodeLetters(dst, letters []byte) []byte {
	if len(letters)%4 == 1 {
		letters = letters[:len(letters)-1]
	}
	dst, _ = base64.RawStdEncoding.AppendDecode(dst, letters)
	return dst
}

// quotedReader is quoted-printable (RFC 2045 section 6.7).
type quotedReader struct {
	r    io.Reader
	buf  []byte
	have []byte // octets read and not yet decoded
	err  error
}

func (q *quotedReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		used, n := unquote(p, q.have, q.err != nil)
		q.have = q.have[used:]
		if n > 0 {
			return n, nil
		}
		if q.err != nil && len(q.have) == 0 {
			return 0, q.err
		}
		if q.err == nil {
			kept := copy(q.buf, q.have)
			if kept == len(q.buf) { // a line of blanks longer than any real one
				q.buf = append(q.buf, make([]byte, len(q.buf))...)
			}
			m, err := q.r.Read(q.buf[kept:])
			q.have, q.err = q.buf[:kept+m], err
		}
	}
}

// unquote decodes from in to p: how much of in it used, how much it wrote. It
// leaves what could go on in octets that are not there yet, unless last is set.
func unquote(p, in []byte, last bool) (used, n int) {
	for used < len(in) && n < len(p) {
		c := in[used]
		if c != '=' {
			p[n] = c
			n++
			used++
			continue
		}
		rest := in[used+1:]
		switch k := softBreak(rest); {
		case k > 0:
			used += 1 + k
			continue
		case k < 0 && !last:
			return used, n
		case k < 0:
			used = len(in)
			continue
		}
		if len(rest) >= 2 {
			hi, ok1 := unhex(rest[0])
			lo, ok2 := unhex(rest[1])
			if ok1 && ok2 {
				p[n] = hi<<4 | lo
				used += 3
			} else {
				p[n] = '='
				used++
			}
			n++
			continue
		}
		if !last {
			return used, n
		}
		p[n] = '='
		n++
		used++
	}
	return used, n
}

// softBreak is the length of a line end right after the equals sign, blanks before
// it included: 0 for none, -1 when b ends before it is sure. More than a few blanks
// are not waited for.
func softBreak(b []byte) int {
	i := 0
	for i < len(b) && i < 76 && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	switch {
	case i == len(b) && i < 76, i+1 == len(b) && b[i] == '\r':
		return -1
	case i < len(b) && b[i] == '\n':
		return i + 1
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
		return i + 2
	}
	return 0
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
