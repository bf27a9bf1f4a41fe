package extract

import (
	"errors"
	"io"
)

// An lzw reads what compress(1) wrote: codes of 9 to 16 bits, in groups of eight of one
// width.
type lzw struct {
	in     []byte
	pos    int // in bits
	max    uint
	block  bool // code 256 clears the table
	width  uint
	begin  int // in bits: where codes of this width began
	free   int
	prefix []uint16
	suffix []byte
	prev   int
	first  byte
	out    []byte
	err    error
}

const lzwClear = 256

func newLZW(b []byte) *lzw {
	l := &lzw{in: b, pos: 24, begin: 24, width: 9, prev: -1, prefix: make([]uint16, 1<<16), suffix: make([]byte, 1<<16)}
	if len(b) < 3 {
		l.err = io.ErrUnexpectedEOF
		return l
	}
	l.max, l.block = uint(b[2]&0x1f), b[2]&0x80 != 0
	if l.max < 9 || l.max > 16 {
		l.err = errors.New("codes of no known width")
	}
	l.clear()
	return l
}

func (l *lzw) clear() {
	l.free = 256
	if l.block {
		l.free = 257
	}
	l.prev = -1
}

// align goes to the end of a group of eight codes.
func (l *lzw) align() {
	group := int(l.width) * 8
	if n := (l.pos - l.begin) % group; n != 0 {
		l.pos += group - n
	}
	l.begin = l.pos
}

func (l *lzw) code() (int, bool) {
	c := 0
	for i := range l.width {
		bit := l.pos + int(i)
		if bit/8 >= len(l.in) {
			return 0, false
		}
		c |= int(l.in[bit/8]>>(bit%8)&1) << i
	}
	l.pos += int(l.width)
	return c, true
}

func (l *lzw) Read(p []byte) (int, error) {
	for len(l.out) == 0 && l.err == nil {
		l.step()
	}
	n := copy(p, l.out)
	l.out = l.out[n:]
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, l.err
}

// step decodes one code.
func (l *lzw) step() {
	if l.free >= 1<<l.width && l.width < l.max {
		l.align()
		l.width++
	}
	c, ok := l.code()
	switch {
	case !ok:
		l.err = io.EOF
		return
	case c == lzwClear && l.block:
		l.align()
		l.width = 9
		l.clear()
		l.free = 256 // the next code makes no entry, but takes its place
		return
	case l.prev < 0 && c > 255 || c > l.free:
		l.err = errors.New("a code that is not there")
		return
	}
	var word []byte
	at := c
	if c == l.free && l.prev >= 0 {
		word = append(word, l.first)
		at = l.prev
	}
	for at > 255 {
		word = append(word, l.suffix[at])
		at = int(l.prefix[at])
	}
	word = append(word, byte(at))
	l.first = byte(at)
	for i, j := 0, len(word)-1; i < j; i, j = i+1, j-1 {
		word[i], word[j] = word[j], word[i]
	}
	if l.prev >= 0 && l.free < 1<<l.max {
		l.prefix[l.free], l.suffix[l.free] = uint16(l.prev), l.first
		l.free++
	} else if l.prev < 0 && l.free == 256 && l.block {
		l.free = 257
	}
	l.prev = c
	l.out = word
}
