package dkim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SealOptions are for [Seal].
type SealOptions struct {
	Key Key
	Now time.Time
	// CV is what was found of the chain when the message came in: none, pass or fail.
	CV Result
	// Results is the value of our Authentication-Results field, from the authserv-id on.
	Results string
}

// ErrUnchecked is for a chain of which CV says nothing: sealing it would vouch for it.
var ErrUnchecked = errors.New("dkim: the ARC chain was not checked")

// Seal reads a message to its end and gives one more ARC set, to be put before it (RFC 8617
// section 5.1). It gives nothing where no set may be added: the chain was closed by an
// earlier sealer, or it is full.
func Seal(r io.Reader, o SealOptions) ([]byte, error) {
	var b bodyHashes
	body := b.want(relaxed, -1)
	h, err := readAll(r, &b)
	if err != nil {
		return nil, err
	}
	if len(h.byName["from"]) == 0 {
		return nil, fmt.Errorf("%w: there is no From field", ErrHeader)
	}
	ch := collect(h)
	if ch.problem == nil && len(ch.sets) > 0 {
		ch.problem = ch.read(h)
	}
	if ch.closed || ch.highest >= MaxSets {
		return nil, nil
	}
	cv := o.CV
	switch {
	case ch.problem != nil:
		cv = Fail
	case len(ch.sets) == 0:
		cv = None
	case cv != Pass && cv != Fail:
		return nil, ErrUnchecked
	}
	return o.set(h, ch, cv, body.hash.Sum(nil))
}

// set writes the three fields of the next instance.
func (o SealOptions) set(h *header, ch *chain, cv Result, sum []byte) ([]byte, error) {
	i := strconv.Itoa(ch.highest + 1)
	t := strconv.FormatInt(o.Now.Unix(), 10)
	aar := []byte("ARC-Authentication-Results: i=" + i + "; " + strings.TrimSpace(o.Results) + "\r\n")

	names := h.toSeal()
	signed := make([]byte, 0, 4096)
	h.pick(names, func(raw []byte) { signed = relaxed.appendField(signed, raw) })
	w := &writer{}
	w.start("ARC-Message-Signature:")
	w.tag("i", i)
	w.tag("a", o.Key.Algorithm())
	w.tag("c", "relaxed/relaxed")
	w.tag("d", o.Key.Domain)
	w.tag("s", o.Key.Selector)
	w.tag("t", t)
	w.list("h", names)
	w.tag("bh", base64.StdEncoding.EncodeToString(sum))
	ams, err := w.sign(o.Key, signed)
	if err != nil {
		return nil, err
	}

	// A seal of a broken chain covers its own set alone (RFC 8617 section 5.1.2).
	signed = signed[:0]
	if cv == Pass {
		for _, s := range ch.sets {
			for _, place := range []int{s.aar, s.ams, s.as} {
				signed = relaxed.appendField(signed, h.fields[place].raw)
			}
		}
	}
	signed = relaxed.appendField(signed, aar)
	signed = relaxed.appendField(signed, ams)
	w = &writer{}
	w.start("ARC-Seal:")
	w.tag("i", i)
	w.tag("a", o.Key.Algorithm())
	w.tag("cv", string(cv))
	w.tag("d", o.Key.Domain)
	w.tag("s", o.Key.Selector)
	w.tag("t", t)
	as, err := w.sign(o.Key, signed)
	if err != nil {
		return nil, err
	}
	return append(append(as, ams...), aar...), nil
}
