// Package wire is the syntax of IMAP (RFC 9051 section 9, and RFC 3501 where it is
// wider): a reader of what clients send and writers of what servers answer. It knows
// no mailboxes.
//
// A [Reader] reads one command after another. What it refuses is a [SyntaxError]; then
// [Reader.SkipLine] passes over the rest of the command, its literals too, so that
// content is never read as commands.
package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	bufferSize = 4096
	maxLine    = 64 << 10 // octets of one command without its literals
	maxString  = 64 << 10 // octets of a literal that is an argument
	maxSkip    = 64 << 20 // octets of refused literals that are read and thrown away
	maxDepth   = 64       // of parentheses
	maxItems   = 20_000   // of a list or set
)

// A SyntaxError is a command that cannot be read: it is answered BAD.
type SyntaxError string

func (e SyntaxError) Error() string { return string(e) }

// A LimitError is an argument that is longer than it may be: it is answered NO [LIMIT]
// or NO [TOOBIG].
type LimitError string

func (e LimitError) Error() string { return string(e) }

// ErrStream ends a session: what follows in the stream cannot be told from commands.
var ErrStream = errors.New("imap: the rest of the stream cannot be understood")

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// A Reader reads commands. Between commands it holds no buffer.
type Reader struct {
	src  io.Reader
	buf  *[]byte
	r, w int
	one  [1]byte // filled while waiting
	line int     // octets of this command
	// tail is the end of the line as read so far: a literal may be announced there.
	tail    [24]byte
	tailLen int
	pending int64 // octets of a literal that was announced and not read
	waits   bool  // and that the client sends only when asked

	// Continue asks the client to send a literal. nil: none are taken.
	Continue func() error
	// UTF8 is set once mailbox names are UTF-8 (ENABLE).
	UTF8 bool
}

// NewReader reads from src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Reset goes on with another stream (TLS); what was read ahead is forgotten.
func (r *Reader) Reset(src io.Reader) {
	r.release()
	*r = Reader{src: src, Continue: r.Continue, UTF8: r.UTF8}
}

func (r *Reader) release() {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
	r.r, r.w = 0, 0
}

// Close gives the buffer back.
func (r *Reader) Close() { r.release() }

// Buffered is how many octets were read ahead.
func (r *Reader) Buffered() int { return r.w - r.r }

// Wait returns when the next command begins to come. Meanwhile it holds no buffer.
func (r *Reader) Wait() error {
	r.line, r.tailLen, r.pending, r.waits = 0, 0, 0, false
	if r.r < r.w {
		return nil
	}
	r.release()
	for {
		n, err := r.src.Read(r.one[:])
		if n == 1 {
			r.buf = buffers.Get().(*[]byte)
			(*r.buf)[0] = r.one[0]
			r.r, r.w = 0, 1
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Reader) fill() error {
	if r.buf == nil {
		r.buf = buffers.Get().(*[]byte)
	}
	r.r, r.w = 0, 0
	for range 100 {
		n, err := r.src.Read(*r.buf)
		if n > 0 {
			r.w = n
			return nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return io.ErrNoProgress
}

// peek shows the next octet.
func (r *Reader) peek() (byte, error) {
	if r.r == r.w {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	return (*r.buf)[r.r], nil
}

// next takes an octet of the line.
func (r *Reader) next() (byte, error) {
	c, err := r.peek()
	if err != nil {
		return 0, err
	}
	if r.line++; r.line > maxLine {
		return 0, LimitError("the command is too long")
	}
	r.take(c)
	return c, nil
}

// take moves past c, and remembers the end of the line.
func (r *Reader) take(c byte) {
	r.r++
	if r.tailLen == len(r.tail) {
		copy(r.tail[:], r.tail[1:])
		r.tailLen--
	}
	r.tail[r.tailLen] = c
	r.tailLen++
}

// SkipLine passes over the rest of a command that was refused. Literals that the client
// sends without being asked are read and thrown away, up to a limit; beyond it, and when
// the client may be waiting to be asked, see [ErrStream].
func (r *Reader) SkipLine() error {
	skipped := int64(0)
	for {
		if r.pending > 0 {
			if r.waits {
				r.pending, r.waits = 0, false
				return r.unasked()
			}
			if skipped += r.pending; skipped > maxSkip {
				return ErrStream
			}
			if err := r.discard(r.pending); err != nil {
				return err
			}
			r.pending, r.tailLen = 0, 0
		}
		if err := r.skipToEnd(&skipped); err != nil {
			return err
		}
		n, waits, ok := announced(r.tail[:r.tailLen])
		if !ok {
			return nil
		}
		if waits {
			return r.unasked()
		}
		r.pending, r.waits, r.tailLen = n, false, 0
	}
}

// unasked ends the refusal of a literal that waits to be asked for: the client hears NO
// or BAD instead. One that has sent on already did not wait, and what came is content.
func (r *Reader) unasked() error {
	if r.Buffered() > 0 {
		return ErrStream
	}
	return nil
}

// skipToEnd moves past the end of the line.
func (r *Reader) skipToEnd(skipped *int64) error {
	if r.tailLen > 0 && r.tail[r.tailLen-1] == '\n' {
		return nil
	}
	for {
		c, err := r.peek()
		if err != nil {
			return err
		}
		r.take(c)
		if c == '\n' {
			return nil
		}
		if *skipped++; *skipped > maxSkip {
			return ErrStream
		}
	}
}

func (r *Reader) discard(n int64) error {
	for n > 0 {
		if r.r == r.w {
			if err := r.fill(); err != nil {
				return err
			}
		}
		m := min(n, int64(r.w-r.r))
		r.r += int(m)
		n -= m
	}
	return nil
}

// announced says whether a line ends with the announcement of a literal. A number that
// is too long to be read is more than will be skipped.
func announced(line []byte) (n int64, waits, ok bool) {
	end := len(line)
	if end > 0 && line[end-1] == '\n' {
		end--
	}
	if end > 0 && line[end-1] == '\r' {
		end--
	}
	if end == 0 || line[end-1] != '}' {
		return 0, false, false
	}
	end--
	waits = true
	if end > 0 && line[end-1] == '+' {
		waits = false
		end--
	}
	i := end
	for i > 0 && line[i-1] >= '0' && line[i-1] <= '9' {
		i--
	}
	if i == end || i > 0 && line[i-1] != '{' {
		return 0, false, false
	}
	if i == 0 || end-i > 18 {
		return maxSkip + 1, waits, true
	}
	for _, c := range line[i:end] {
		n = n*10 + int64(c-'0')
	}
	return n, waits, true
}

// A Literal is a string that comes as a number of octets.
type Literal struct {
	Size   int64
	Binary bool // literal8 (RFC 9051 section 4.3.1)

	r    *Reader
	left int64
}

// Announcement reads {n}, {n+} or ~{n} with its CRLF. The octets are still to come:
// [Reader.Accept] takes them, [Reader.SkipLine] refuses them.
func (r *Reader) Announcement() (*Literal, error) {
	l := &Literal{r: r}
	c, err := r.next()
	if err != nil {
		return nil, err
	}
	if c == '~' {
		l.Binary = true
		if c, err = r.next(); err != nil {
			return nil, err
		}
	}
	if c != '{' {
		return nil, SyntaxError("a literal is expected")
	}
	if l.Size, err = r.number(1 << 62); err != nil {
		return nil, err
	}
	waits := true
	if c, err = r.next(); err == nil && c == '+' {
		waits = false
		c, err = r.next()
	}
	if err != nil {
		return nil, err
	}
	if c != '}' {
		return nil, SyntaxError("a literal is announced as {n} or {n+}")
	}
	if err := r.CRLF(); err != nil {
		return nil, err
	}
	r.pending, r.waits, l.left = l.Size, waits, l.Size
	return l, nil
}

// Accept asks for the octets, where the client waits to be asked.
func (r *Reader) Accept(l *Literal) error {
	if r.waits {
		if r.Continue == nil {
			return SyntaxError("no literal is taken here")
		}
		if err := r.Continue(); err != nil {
			return err
		}
	}
	r.pending, r.waits, r.tailLen = 0, false, 0
	return nil
}

// Read gives the octets, after Accept. A literal that is not read to its end must be
// passed over by [Literal.Discard].
func (l *Literal) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	r := l.r
	if r.r == r.w {
		// Long ones come straight into p.
		if int64(len(p)) > l.left {
			p = p[:l.left]
		}
		if len(p) >= bufferSize {
			n, err := r.src.Read(p)
			l.left -= int64(n)
			if err != nil && errors.Is(err, io.EOF) && l.left > 0 {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, (*r.buf)[r.r:r.w])
	if int64(n) > l.left {
		n = int(l.left)
	}
	r.r += n
	l.left -= int64(n)
	return n, nil
}

// Discard passes over what is left.
func (l *Literal) Discard() error {
	n := l.left
	l.left = 0
	return l.r.discard(n)
}

// literal reads a whole literal that is an argument.
func (r *Reader) literal() ([]byte, error) {
	l, err := r.Announcement()
	if err != nil {
		return nil, err
	}
	if l.Size > maxString {
		return nil, LimitError(fmt.Sprintf("an argument of %d octets is too long", l.Size))
	}
	if err := r.Accept(l); err != nil {
		return nil, err
	}
	b := make([]byte, l.Size)
	if _, err := io.ReadFull(l, b); err != nil {
		return nil, err
	}
	if r.line += len(b); r.line > maxLine+maxString {
		return nil, LimitError("the command is too long")
	}
	return b, nil
}

// fillMore reads on behind what is in the buffer.
func (r *Reader) fillMore() error {
	if r.buf == nil || r.r == r.w {
		return r.fill()
	}
	copy(*r.buf, (*r.buf)[r.r:r.w])
	r.r, r.w = 0, r.w-r.r
	n, err := r.src.Read((*r.buf)[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}
