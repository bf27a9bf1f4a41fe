package dkim

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"

	"sampul/internal/dns"
)

// Findings are what one pass over a message found.
type Findings struct {
	Signatures []Verification // in the order of the fields, at most MaxSignatures
	More       int            // signatures that were not looked at
	Chain      Chain
}

// A Source is a message as it came. BodyStart is the first octet after the blank line, as
// in message.Part.
type Source struct {
	io.ReaderAt
	BodyStart, Size int64
}

// Verify checks all signatures of a message and its ARC chain. Errors are faults of
// reading it; whatever is wrong with a signature is a [Verification].
func Verify(ctx context.Context, m Source, o Options) (*Findings, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	c := &check{ctx: ctx, o: o, h: h, keys: map[string]*lookup{}}
	var sigs []*one
	f := &Findings{}
	for i := range h.fields {
		if h.fields[i].name != "dkim-signature" {
			continue
		}
		if len(sigs) == MaxSignatures {
			f.More++
			continue
		}
		s := &one{raw: h.fields[i].raw}
		s.sig, s.problem = parseDKIM(h.fields[i].value())
		if s.problem == nil {
			c.begin(s.sig)
		}
		sigs = append(sigs, s)
	}
	chain := c.readChain()
	if err := m.hash(&c.bodies); err != nil {
		return nil, err
	}
	c.wait.Wait()
	for _, s := range sigs {
		f.Signatures = append(f.Signatures, c.finish(s))
	}
	distinguish(f.Signatures, sigs)
	f.Chain = c.checkChain(chain)
	return f, nil
}

// one is a signature on its way.
type one struct {
	raw     []byte
	sig     *signature
	problem *problem
}

// A check is all that the signatures of one message share.
type check struct {
	ctx    context.Context
	o      Options
	h      *header
	bodies bodyHashes
	keys   map[string]*lookup
	wait   sync.WaitGroup
}

// A lookup is a key that is on its way from DNS.
type lookup struct {
	txts []string
	err  error
}

func (m Source) header() (*header, error) {
	n := min(max(m.BodyStart, 0), maxHeader+1<<16)
	if v, ok := m.ReaderAt.(interface{ Bytes() []byte }); ok { // in memory already
		if all := v.Bytes(); int64(len(all)) >= n {
			return parseHeader(all[:n:n]), nil
		}
	}
	b := make([]byte, n)
	if n, err := m.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("dkim: reading the header: %w", unexpected(err))
	}
	return parseHeader(b), nil
}

// hash reads the body once, for all who want it.
func (m Source) hash(b *bodyHashes) error {
	if len(b.canons) > 0 {
		buf := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(buf)
		for off := m.BodyStart; off < m.Size; {
			n, err := m.ReadAt(buf[:min(int64(len(buf)), m.Size-off)], off)
			if n == 0 {
				return fmt.Errorf("dkim: reading the body: %w", unexpected(err))
			}
			b.Write(buf[:n])
			off += int64(n)
		}
	}
	b.Close()
	return nil
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// begin asks for the key, and for the hash of the body.
func (c *check) begin(s *signature) {
	s.hash = c.bodies.want(s.bodyForm, s.length)
	c.ask(s.keyName())
}

// ask begins a look-up; each name is asked for once.
func (c *check) ask(name string) {
	if c.keys[name] != nil {
		return
	}
	l := &lookup{}
	c.keys[name] = l
	look := func() { l.txts, _, l.err = c.o.Resolver.TXT(c.ctx, name) }
	if k, ok := c.o.Resolver.(interface{ Knows(name string) bool }); ok && k.Knows(name) {
		look()
		return
	}
	c.wait.Go(look)
}

// key gives the key of a signature, once all look-ups are over.
func (c *check) key(name, algorithm string) (*KeyRecord, *problem) {
	l := c.keys[name]
	switch {
	case errors.Is(l.err, dns.ErrNone) || l.err == nil && len(l.txts) == 0:
		return nil, permerror("there is no key in DNS")
	case l.err != nil:
		return nil, &problem{TempError, "DNS did not give the key"}
	}
	var k *KeyRecord
	var err error
	for _, txt := range l.txts[:min(len(l.txts), 4)] { // there should be one
		if k, err = readKeys.parse(txt); err == nil && k.Type+"-sha256" == algorithm {
			break
		}
	}
	switch {
	case err != nil:
		return nil, permerror(err.Error())
	case k.Type+"-sha256" != algorithm:
		return nil, permerror("the key is of another type than the signature")
	case k.Type == "rsa" && k.Bits < minBits:
		return k, &problem{Policy, fmt.Sprintf("an RSA key of %d bits is no proof (RFC 8301)", k.Bits)}
	case k.Type == "rsa" && k.Bits > maxBits:
		return k, &problem{Policy, fmt.Sprintf("an RSA key of %d bits costs too much", k.Bits)}
	}
	return k, nil
}

// finish comes to a result when body and key are there.
func (c *check) finish(o *one) Verification {
	s := o.sig
	v := Verification{Domain: s.domain, Selector: s.selector, Identity: s.identity,
		Algorithm: s.algorithm, Prefix: s.bText[:min(len(s.bText), 8)], Result: Pass}
	p := o.problem
	if p == nil {
		var k *KeyRecord
		k, p = c.verify(s, o.raw)
		if k != nil {
			v.Testing, v.Bits = k.Testing, k.Bits
			_, domain, _ := cutLast(s.identity, '@')
			if p == nil && k.Strict && domain != s.domain {
				p = permerror("the key allows no subdomains in i=")
			}
		}
	}
	if p != nil {
		v.Result, v.Reason = p.result, p.text
	}
	return v
}

// verify is what DKIM-Signature and ARC-Message-Signature have in common.
func (c *check) verify(s *signature, raw []byte) (*KeyRecord, *problem) {
	k, p := c.key(s.keyName(), s.algorithm)
	if p != nil {
		return k, p
	}
	if s.expired(c.o.Now) {
		return k, &problem{Fail, "the signature has expired"}
	}
	if s.expires >= 0 && s.expires < s.created {
		return k, permerror("x= is before t=")
	}
	if subtle.ConstantTimeCompare(s.hash.hash.Sum(nil), s.bh) != 1 {
		return k, &problem{Fail, "the body was changed"}
	}
	signed := make([]byte, 0, 4096)
	c.h.pick(s.names, func(f []byte) { signed = s.headerForm.appendField(signed, f) })
	sum := sha256.Sum256(s.headerForm.appendLast(signed, raw))
	if !k.verify(sum[:], s.b) {
		return k, &problem{Fail, "the header was changed, or the key is another one"}
	}
	// Only now, so that a broken signature is called broken: what l= leaves out is
	// another's to write (RFC 6376 section 8.2).
	if s.length >= 0 && s.length < s.hash.total {
		return k, &problem{Policy, "l= leaves the end of the body unsigned"}
	}
	return k, nil
}

// appendLast adds the signature field itself: without b=, and without its line end.
func (c canon) appendLast(dst, raw []byte) []byte {
	dst = c.appendField(dst, withoutB(raw))
	return dst[:len(dst)-2]
}

// distinguish makes prefixes longer where two signatures share one (RFC 6008 section 4).
func distinguish(vs []Verification, sigs []*one) {
	for i := range vs {
		for n := 8; n < len(sigs[i].sig.bText); n++ {
			shared := false
			for j := range sigs {
				b := sigs[j].sig.bText
				shared = shared || j != i && len(b) >= n && b != sigs[i].sig.bText && b[:n] == sigs[i].sig.bText[:n]
			}
			if !shared || n > 64 {
				vs[i].Prefix = sigs[i].sig.bText[:n]
				break
			}
		}
	}
}
