package smtpin

import "bytes"

// LineEnds says what becomes of a bare CR or LF in a message. Neither is ever kept:
// passed on, it would end a message early at servers that are less strict.
type LineEnds string

const (
	Refuse LineEnds = "refuse"
	Fix    LineEnds = "fix" // made CRLF, before anything is judged
)

// body turns what comes after DATA, or in chunks of BDAT, into the message. Only
// CRLF . CRLF ends DATA (RFC 5321 section 4.1.1.4). Its output never holds a bare CR
// or LF, however the input is cut.
type body struct {
	dots   bool // DATA: leading dots are undone, and a lone one is the end
	out    func([]byte)
	state  bodyState
	ended  bool // the end of DATA was seen
	bareCR bool
	bareLF bool
	empty  bool // nothing written since the last CRLF
}

type bodyState uint8

const (
	lineStart  bodyState = iota // after CRLF, or at the very start
	looseStart                  // after a bare LF
	dot                         // a dot at lineStart
	looseDot                    // a dot at looseStart
	dotCR                       // dot CR at lineStart
	text                        // within a line
	cr                          // after CR
)

var crlf = []byte("\r\n")

func newBody(dots bool, out func([]byte)) *body { return &body{dots: dots, out: out, empty: true} }

// feed takes octets and tells how many it used: fewer than all at the end of DATA.
func (b *body) feed(p []byte) int {
	used := 0
	for used < len(p) && !b.ended {
		c := p[used]
		switch b.state {
		case lineStart, looseStart:
			switch {
			case !b.dots || c != '.':
				b.state = text
			case b.state == lineStart:
				b.state = dot
				used++
			default:
				b.state = looseDot
				used++
			}
		case dot: // the dot is gone, whatever follows
			if c == '\r' {
				b.state = dotCR
				used++
			} else {
				b.state = text
			}
		case looseDot: // after a bare LF only a doubled dot is taken for stuffing
			if c != '.' {
				b.write([]byte{'.'})
			}
			b.state = text
		case dotCR:
			if c == '\n' {
				b.ended = true
				used++
			} else {
				b.lone('\r')
				b.state = text
			}
		case text:
			used += b.line(p[used:])
		case cr:
			if c == '\n' {
				b.out(crlf)
				b.state, b.empty = lineStart, true
				used++
			} else {
				b.lone('\r')
				b.state = text
			}
		}
	}
	return used
}

// line takes what stands before the next CR or LF, and that octet.
func (b *body) line(p []byte) int {
	n := 0
	for {
		end := bytes.IndexByte(p[n:], '\n')
		if end < 0 {
			break
		}
		// The common case, whole lines that end in CRLF, goes on in one stretch.
		stop := n + end
		if stop == 0 || p[stop-1] != '\r' || bytes.IndexByte(p[n:stop-1], '\r') >= 0 {
			break
		}
		n = stop + 1
		if n == len(p) || b.dots && p[n] == '.' {
			b.write(p[:n])
			b.state, b.empty = lineStart, true
			return n
		}
	}
	if n > 0 {
		b.write(p[:n])
		b.empty = true
	}
	rest := p[n:]
	i := bytes.IndexAny(rest, "\r\n")
	if i < 0 {
		b.write(rest)
		return len(p)
	}
	b.write(rest[:i])
	if rest[i] == '\r' {
		b.state = cr
	} else {
		b.lone('\n')
		b.state = looseStart
	}
	return n + i + 1
}

func (b *body) write(p []byte) {
	if len(p) > 0 {
		b.out(p)
		b.empty = false
	}
}

// lone notes a bare CR or LF, and makes CRLF of it.
func (b *body) lone(c byte) {
	if c == '\r' {
		b.bareCR = true
	} else {
		b.bareLF = true
	}
	b.out(crlf)
	b.empty = true
}

// finish ends a message that came in chunks: its last line gets its end.
func (b *body) finish() {
	if b.state == cr {
		b.lone('\r')
	}
	if !b.empty {
		b.out(crlf)
	}
}
