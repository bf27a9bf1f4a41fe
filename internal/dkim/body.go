package dkim

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// A canon is one of the two canonical forms (RFC 6376 section 3.4).
type canon bool

const (
	simple  canon = false
	relaxed canon = true
)

func (c canon) String() string {
	if c == relaxed {
		return "relaxed"
	}
	return "simple"
}

// A bodyCanon makes the canonical form of a body that is written to it in pieces of any
// size. Line ends that may be the last ones are counted, never stored: its state has one
// size, so no input makes it do the same work twice.
type bodyCanon struct {
	form  canon
	sink  func([]byte)
	ends  int64 // CRLFs that came and were not passed on
	cr    bool  // the last octet was a CR, of which nothing is known yet
	blank bool  // relaxed: white space came, not passed on
	some  bool  // something was passed on
	n     int   // octets in out
	out   [2048]byte
}

var lineEnds = bytes.Repeat([]byte("\r\n"), 2048)

// Write takes the next octets. It never fails.
func (b *bodyCanon) Write(p []byte) {
	if b.form == simple {
		b.simple(p)
	} else {
		b.relaxed(p)
	}
}

func (b *bodyCanon) simple(p []byte) {
	for len(p) > 0 {
		if b.cr {
			b.cr = false
			if p[0] == '\n' {
				b.ends++
				p = p[1:]
				continue
			}
			b.content(lineEnds[:1])
		}
		at := bytes.IndexByte(p, '\r')
		if at < 0 {
			b.content(p)
			return
		}
		// Up to the last line end of a run, lines go on as they are: one call for many.
		last := at
		for last+2 < len(p) && p[last+1] == '\n' && p[last+2] != '\r' {
			next := bytes.IndexByte(p[last+2:], '\r')
			if next < 0 {
				break
			}
			last += 2 + next
		}
		b.content(p[:last])
		b.cr = true
		p = p[last+1:]
	}
}

// content passes on octets that are no trailing line ends, after those that were counted.
func (b *bodyCanon) content(p []byte) {
	if len(p) == 0 {
		return
	}
	b.flushEnds()
	b.some = true
	b.sink(p)
}

func (b *bodyCanon) flushEnds() {
	for b.ends > 0 {
		n := min(b.ends, int64(len(lineEnds)/2))
		b.sink(lineEnds[:2*n])
		b.ends -= n
		b.some = true
	}
}

func (b *bodyCanon) relaxed(p []byte) {
	for i := 0; i < len(p); i++ {
		c := p[i]
		if b.cr {
			b.cr = false
			if c == '\n' {
				b.ends++
				b.blank = false
				continue
			}
			b.put('\r')
		}
		switch c {
		case ' ', '\t':
			b.blank = true
		case '\r':
			b.cr = true
		default:
			b.put(c)
			end := unchanged(p, i+1)
			b.copy(p[i+1 : end])
			i = end - 1
		}
	}
}

// unchanged is how far octets after one of content are their own canonical form: whole
// lines, mostly.
func unchanged(p []byte, i int) int {
	for i < len(p) {
		switch p[i] {
		case '\t', '\r':
			return i
		case ' ':
			if i+1 == len(p) || p[i+1] == ' ' || p[i+1] == '\t' || p[i+1] == '\r' {
				return i
			}
			i++
		}
		i++
	}
	return i
}

// copy passes on octets as they are, after one of content.
func (b *bodyCanon) copy(p []byte) {
	if b.n+len(p) > len(b.out) {
		b.flush()
		if len(p) > len(b.out) {
			b.sink(p)
			return
		}
	}
	b.n += copy(b.out[b.n:], p)
}

// put passes on one octet of content, after what was held back.
func (b *bodyCanon) put(c byte) {
	if b.ends > 0 {
		if b.ends <= 4 && b.n+10 < len(b.out) {
			for ; b.ends > 0; b.ends-- {
				b.out[b.n], b.out[b.n+1] = '\r', '\n'
				b.n += 2
			}
		} else {
			b.flush()
			b.flushEnds()
		}
	}
	if b.n+2 > len(b.out) {
		b.flush()
	}
	if b.blank {
		b.blank = false
		b.out[b.n] = ' '
		b.n++
	}
	b.out[b.n] = c
	b.n++
	b.some = true
}

func (b *bodyCanon) flush() {
	if b.n > 0 {
		b.sink(b.out[:b.n])
		b.n = 0
	}
}

// Close ends the body: with one line end, and none where a relaxed body is empty.
func (b *bodyCanon) Close() {
	if b.cr { // a CR at the very end is content
		b.cr = false
		if b.form == simple {
			b.content(lineEnds[:1])
		} else {
			b.put('\r')
		}
	}
	b.flush()
	if b.form == simple || b.some {
		b.sink(lineEnds[:2])
	}
}

// A bodyHash is the SHA-256 of a canonical body, or of its first octets.
type bodyHash struct {
	form  canon
	limit int64 // l=, -1 for all
	hash  hash.Hash
	total int64 // octets of the canonical body
}

func (h *bodyHash) write(p []byte) {
	h.total += int64(len(p))
	if h.limit >= 0 {
		before := h.total - int64(len(p))
		p = p[:min(int64(len(p)), max(h.limit-before, 0))]
	}
	h.hash.Write(p)
}

// bodyHashes are all that one pass over a body makes.
type bodyHashes struct {
	hashes []*bodyHash
	canons []*bodyCanon
}

// want gives the hash of a form and a length; the same one to all who want the same.
func (b *bodyHashes) want(form canon, limit int64) *bodyHash {
	for _, h := range b.hashes {
		if h.form == form && h.limit == limit {
			return h
		}
	}
	h := &bodyHash{form: form, limit: limit, hash: sha256.New()}
	b.hashes = append(b.hashes, h)
	for _, c := range b.canons {
		if c.form == form {
			return h
		}
	}
	b.canons = append(b.canons, &bodyCanon{form: form, sink: func(p []byte) {
		for _, h := range b.hashes {
			if h.form == form {
				h.write(p)
			}
		}
	}})
	return h
}

func (b *bodyHashes) Write(p []byte) {
	for _, c := range b.canons {
		c.Write(p)
	}
}

func (b *bodyHashes) Close() {
	for _, c := range b.canons {
		c.Close()
	}
}
