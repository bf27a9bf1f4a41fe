package dkim

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// oversigned fields are signed once more than they are there, so that none can be added
// without breaking the signature (RFC 6376 section 8.15): those that readers show, and
// those that say what the body is.
var oversigned = []string{
	"from", "to", "cc", "subject", "date", "reply-to", "message-id",
	"mime-version", "content-type", "content-transfer-encoding",
}

// alsoSigned fields are signed where they are there (RFC 6376 section 5.4.1). Trace fields
// and what servers on the way add or take out are not among them.
var alsoSigned = []string{
	"sender", "in-reply-to", "references", "content-id", "content-description", "auto-submitted",
	"list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe",
	"list-post", "list-owner", "list-archive",
}

// SignOptions are for [Sign].
type SignOptions struct {
	Now    time.Time
	Expire time.Duration // how long the signatures hold; 0 is for ever
}

// ErrHeader is for a message whose header is longer than 1 MiB, or that has no From.
var ErrHeader = errors.New("dkim: the header cannot be signed")

// Sign reads a message to its end and gives a DKIM-Signature field for each key, to be put
// before it. The message must have CRLF line ends. Fields before the author's, such as
// Received, may stand in front: they are not signed.
func Sign(r io.Reader, keys []Key, o SignOptions) ([]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var b bodyHashes
	body := b.want(relaxed, -1)
	h, err := readAll(r, &b)
	if err != nil {
		return nil, err
	}
	if len(h.byName["from"]) == 0 {
		return nil, fmt.Errorf("%w: there is no From field", ErrHeader)
	}
	names := h.toSign()
	signed := make([]byte, 0, 4096)
	h.pick(names, func(raw []byte) { signed = relaxed.appendField(signed, raw) })
	sum := body.hash.Sum(nil)
	var out []byte
	for _, k := range keys {
		w := &writer{}
		w.start("DKIM-Signature:")
		w.tag("v", "1")
		w.tag("a", k.Algorithm())
		w.tag("c", "relaxed/relaxed")
		w.tag("d", k.Domain)
		w.tag("s", k.Selector)
		w.tag("t", strconv.FormatInt(o.Now.Unix(), 10))
		if o.Expire > 0 {
			w.tag("x", strconv.FormatInt(o.Now.Add(o.Expire).Unix(), 10))
		}
		w.list("h", names)
		w.tag("bh", base64.StdEncoding.EncodeToString(sum))
		field, err := w.sign(k, signed)
		if err != nil {
			return nil, err
		}
		out = append(out, field...)
	}
	return out, nil
}

// toSign is h= for a message of ours: each field as often as it is there, the important
// ones once more.
func (h *header) toSign() []string {
	names := make([]string, 0, 32)
	for i, some := range [][]string{oversigned, alsoSigned} {
		for _, name := range some {
			for range len(h.byName[name]) + 1 - i {
				names = append(names, name)
			}
		}
	}
	return names
}

// readAll reads header and body, the body into b.
func readAll(r io.Reader, b *bodyHashes) (*header, error) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	var head []byte
	inBody := false
	for {
		n, err := r.Read(buf[:])
		p := buf[:n]
		if !inBody {
			from := max(len(head)-3, 0)
			head = append(head, p...)
			p = nil
			if end := endOfHeader(head, from); end >= 0 {
				inBody = true
				b.Write(head[end:])
				head = head[:end]
			} else if len(head) > maxHeader {
				return nil, fmt.Errorf("%w: it has more than %d octets", ErrHeader, maxHeader)
			}
		}
		b.Write(p)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("dkim: reading the message: %w", err)
		}
	}
	b.Close()
	return parseHeader(head), nil
}

// endOfHeader finds the first octet of the body, after the first blank line; what lies
// before from was looked at. Like package message it takes a bare LF for a line end here.
func endOfHeader(b []byte, from int) int {
	for i := from; ; {
		if n := blankLine(b[i:]); n > 0 && (i == 0 || b[i-1] == '\n') {
			return i + n
		}
		at := bytes.IndexByte(b[i:], '\n')
		if at < 0 {
			return -1
		}
		i += at + 1
	}
}

// blankLine is the length of the blank line that b begins with, 0 for none.
func blankLine(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("\n")):
		return 1
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 2
	}
	return 0
}

// A writer writes a field of tags in lines of at most 78 octets.
type writer struct {
	b    []byte
	line int // octets in the line
}

func (w *writer) start(name string) {
	w.b, w.line = append(w.b, name...), len(name)
}

// tag adds name=value, on a new line where it does not fit; base64 is cut.
func (w *writer) tag(name, value string) {
	w.piece(name+"="+value+";", true)
}

func (w *writer) list(name string, values []string) {
	w.piece(name+"="+values[0], true)
	for _, v := range values[1:] {
		w.piece(":"+v, false)
	}
	w.b, w.line = append(w.b, ';'), w.line+1
}

func (w *writer) piece(s string, blank bool) {
	const width = 76
	if blank {
		if w.line+1+len(s) <= width {
			w.b, w.line = append(w.b, ' '), w.line+1
		} else {
			w.fold()
		}
	} else if w.line+len(s) > width {
		w.fold()
	}
	for w.line+len(s) > width && len(s) > width-1 {
		n := width - w.line
		w.b = append(w.b, s[:n]...)
		s = s[n:]
		w.fold()
	}
	w.b, w.line = append(w.b, s...), w.line+len(s)
}

func (w *writer) fold() { w.b, w.line = append(w.b, "\r\n\t"...), 1 }

// sign ends the field with b=, the signature of what was signed before and of itself.
func (w *writer) sign(k Key, signed []byte) ([]byte, error) {
	w.piece("b=", true)
	h := sha256.New()
	h.Write(signed)
	h.Write(relaxed.appendLast(nil, w.b))
	sig, err := k.sign(h.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("dkim: signing with %s of %s: %w", k.Selector, k.Domain, err)
	}
	for s := base64.StdEncoding.EncodeToString(sig); s != ""; {
		n := min(len(s), 76-w.line)
		w.b, w.line = append(w.b, s[:n]...), w.line+n
		if s = s[n:]; s != "" {
			w.fold()
		}
	}
	return append(w.b, "\r\n"...), nil
}

// toSeal is h= of an ARC-Message-Signature: what a DKIM-Signature covers, and the
// signatures that were there (RFC 8617 section 4.1.2).
func (h *header) toSeal() []string {
	names := h.toSign()
	for range h.byName["dkim-signature"] {
		names = append(names, "dkim-signature")
	}
	return names
}
