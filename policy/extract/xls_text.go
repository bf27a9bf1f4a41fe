package extract

import (
	"bytes"
	"unicode/utf16"
)

// segments are the octets of a record and of those that continue it. A string that goes on
// in the next one begins there with an octet that says how wide its characters are.
type segments struct {
	cur  []byte
	rest [][]byte
}

func (s *segments) next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.cur, s.rest = s.rest[0], s.rest[1:]
	return true
}

// done says that nothing is left.
func (s *segments) done() bool {
	for len(s.cur) == 0 {
		if !s.next() {
			return true
		}
	}
	return false
}

// take gives n octets, or as many as there are.
func (s *segments) take(n int) []byte {
	if n <= len(s.cur) {
		out := s.cur[:n]
		s.cur = s.cur[n:]
		return out
	}
	var out []byte
	for n > len(out) && !s.done() {
		k := min(n-len(out), len(s.cur))
		out = append(out, s.cur[:k]...)
		s.cur = s.cur[k:]
	}
	return out
}

// fixed gives n octets, of which those that are missing are zero.
func (s *segments) fixed(n int) []byte {
	b := s.take(n)
	if len(b) < n {
		b = append(append(make([]byte, 0, n), b...), make([]byte, n-len(b))...)
	}
	return b
}

func (s *segments) all() []byte {
	if len(s.rest) == 0 {
		return s.cur
	}
	return append(s.cur[:len(s.cur):len(s.cur)], bytes.Join(s.rest, nil)...)
}

// count is the length of a string.
func (s *segments) count(long bool) int {
	if long {
		return int(le.Uint16(s.fixed(2)))
	}
	return int(s.fixed(1)[0])
}

// unicode is a string of n characters with its flags before it [MS-XLS 2.5.293].
func (s *segments) unicode(n int) string {
	if s.done() {
		return ""
	}
	flags := s.fixed(1)[0]
	runs, other := 0, 0
	if flags&8 != 0 {
		runs = int(le.Uint16(s.fixed(2)))
	}
	if flags&4 != 0 {
		other = int(int32(le.Uint32(s.fixed(4))))
	}
	text := s.characters(n, flags&1 != 0)
	s.take(4 * runs)
	s.take(max(other, 0))
	return text
}

// characters reads n of them. Those in a further segment have its first octet before them.
func (s *segments) characters(n int, wide bool) string {
	out := make([]uint16, 0, min(n, 1024))
	for n > 0 {
		switch {
		case len(s.cur) == 0:
			if s.done() {
				return string(utf16.Decode(out))
			}
			wide = s.cur[0]&1 != 0
			s.cur = s.cur[1:]
			continue
		case !wide:
			out = append(out, uint16(s.cur[0]))
			s.cur = s.cur[1:]
		case len(s.cur) >= 2:
			out = append(out, le.Uint16(s.cur))
			s.cur = s.cur[2:]
		default:
			s.cur = nil
		}
		n--
	}
	return string(utf16.Decode(out))
}
