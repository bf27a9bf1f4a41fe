package mta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"sampul/internal/message"
	"sampul/store"
)

// maxSmall is up to which size a message is read once and kept during its attempt.
const maxSmall = 256 << 10

// bigRead is how much of a larger one is read at a time: a frame of the journal.
const bigRead = 256 << 10

var smallBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// A parcel is a message as it goes out to some of its recipients: fields for them alone,
// our trace without Return-Path, the body; and before all that, signatures.
type parcel struct {
	r      *Runner
	ctx    context.Context
	env    *store.Envelope
	agency string
	prefix []byte
	body   store.BodyReader

	small  *[]byte // all of it, when it is small
	signed [2][]byte
	known  [2]bool
	err    error // the first fault of ours: it is not the destination's
}

// newParcel opens a message. Close it.
func (r *Runner) newParcel(ctx context.Context, env *store.Envelope, agency string, extra []byte) (*parcel, error) {
	body, err := r.deps.Queue.OpenQueueBody(ctx, env.QueueID)
	if err != nil {
		return nil, err
	}
	p := &parcel{r: r, ctx: ctx, env: env, agency: agency, body: body}
	own := withoutReturnPath(env.Prefix)
	if len(extra) > 0 {
		p.prefix = append(append(make([]byte, 0, len(extra)+len(own)), withoutReturnPath(extra)...), own...)
	} else {
		p.prefix = own
	}
	if p.size() > maxSmall {
		return p, nil
	}
	p.small = smallBuffers.Get().(*[]byte)
	b := append((*p.small)[:0], p.prefix...)
	from, n := len(b), int(body.Size())
	b = append(b, make([]byte, n)...)
	*p.small = b
	if got, err := body.ReadAt(b[from:], 0); got < n {
		p.close()
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %d of %d octets", store.ErrDamaged, got, n)
		}
		return nil, err
	}
	return p, nil
}

func (p *parcel) size() int64 { return int64(len(p.prefix)) + p.body.Size() }

func (p *parcel) close() {
	p.body.Close()
	if p.small != nil {
		smallBuffers.Put(p.small)
		p.small = nil
	}
}

// withoutReturnPath takes away the field that final delivery alone writes (RFC 5321
// section 4.4).
func withoutReturnPath(prefix []byte) []byte {
	if i := bytes.Index(prefix, []byte("\r\n")); i > 0 && hasName(prefix, "Return-Path:") &&
		(i+2 == len(prefix) || prefix[i+2] != ' ' && prefix[i+2] != '\t') && !bytes.Contains(bytes.ToLower(prefix[i:]), []byte("\nreturn-path")) {
		return prefix[i+2:]
	}
	out := message.FilterHeader(nil, prefix, []string{"Return-Path"}, true)
	return out[:len(out)-2] // without the blank line
}

func hasName(b []byte, name string) bool {
	return len(b) >= len(name) && bytes.EqualFold(b[:len(name)], []byte(name))
}

// raw is the message before it is converted and signed.
func (p *parcel) raw() io.Reader {
	if p.small != nil {
		return bytes.NewReader(*p.small)
	}
	return io.MultiReader(bytes.NewReader(p.prefix), &bigReader{r: io.NewSectionReader(p.body, 0, p.body.Size())})
}

// bigReader reads in large pieces, since each read opens whole frames.
type bigReader struct {
	r    io.Reader
	buf  []byte
	rest []byte
	err  error
}

func (b *bigReader) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.buf == nil {
			b.buf = make([]byte, bigRead)
		}
		var n int
		n, b.err = io.ReadFull(b.r, b.buf)
		if errors.Is(b.err, io.ErrUnexpectedEOF) {
			b.err = io.EOF
		}
		if b.rest = b.buf[:n]; n == 0 {
			return 0, b.err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// open is smtpout.Message's Open. What fails here is our fault, and remembered as such, but
// for a message that has no 7-bit form: that is answered as the other side's limit.
func (p *parcel) open(sevenBit bool) (io.ReadCloser, error) {
	rc, err := p.opened(sevenBit)
	if err != nil && p.err == nil && !errors.Is(err, message.ErrSigned) {
		p.err = err
	}
	return rc, err
}

func (p *parcel) opened(sevenBit bool) (io.ReadCloser, error) {
	which := 0
	if sevenBit && p.r.o.SevenBit != nil {
		which = 1
	}
	if !p.known[which] && p.r.deps.Signer != nil {
		m, err := p.converted(which)
		if err != nil {
			return nil, err
		}
		p.signed[which], err = p.r.deps.Signer.Sign(p.ctx, p.env, p.agency, m)
		m.Close()
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		p.known[which] = true
	}
	m, err := p.converted(which)
	if err != nil {
		return nil, err
	}
	return &watched{io.MultiReader(bytes.NewReader(p.signed[which]), m), m, p}, nil
}

func (p *parcel) converted(which int) (io.ReadCloser, error) {
	if which == 0 {
		return io.NopCloser(p.raw()), nil
	}
	return p.r.o.SevenBit(p.raw())
}

// watched remembers a fault while the message is read.
type watched struct {
	io.Reader
	c io.Closer
	p *parcel
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if err != nil && err != io.EOF && w.p.err == nil {
		w.p.err = err
	}
	return n, err
}

func (w *watched) Close() error { return w.c.Close() }
