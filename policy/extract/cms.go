package extract

import (
	"bytes"
	"compress/zlib"
	"crypto/x509"
	"io"
	"strings"

	"sampul/internal/message"
)

// Types of the Cryptographic Message Syntax, as octets of their identifiers (RFC 5652).
const (
	cmsArc        = "\x2a\x86\x48\x86\xf7\x0d\x01\x07"
	cmsSigned     = cmsArc + "\x02"
	cmsDigested   = cmsArc + "\x05"
	cmsAuth       = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01"
	cmsCompressed = cmsAuth + "\x09"
)

// A ber is one element of BER, with an end or without (X.690 section 8).
type ber struct {
	tag  byte
	body []byte // for an element without an end: all that follows
	rest []byte // what stands behind it; of one without an end, nothing is known
	open bool   // without an end
}

func parseBER(b []byte) (e ber, ok bool) {
	if len(b) < 2 || b[0]&31 == 31 {
		return e, false
	}
	e.tag = b[0]
	n := int(b[1])
	b = b[2:]
	switch {
	case n == 0x80:
		e.open, e.body = true, b
		return e, e.tag&0x20 != 0
	case n > 0x84:
		return e, false
	case n > 0x80:
		octets := n & 15
		if len(b) < octets {
			return e, false
		}
		n = 0
		for _, c := range b[:octets] {
			n = n<<8 | int(c)
		}
		b = b[octets:]
	}
	n = min(n, len(b)) // what breaks off is read as far as it goes
	e.body, e.rest = b[:n], b[n:]
	return e, true
}

// skipBER is what stands behind the first element of b.
func skipBER(b []byte, depth int) ([]byte, bool) {
	e, ok := parseBER(b)
	if !ok || depth > 64 {
		return nil, false
	}
	if !e.open {
		return e.rest, true
	}
	for rest := e.body; ; {
		if len(rest) < 2 {
			return nil, false
		}
		if rest[0] == 0 && rest[1] == 0 {
			return rest[2:], true
		}
		if rest, ok = skipBER(rest, depth+1); !ok {
			return nil, false
		}
	}
}

// octetsBER joins the pieces of an octet string.
func octetsBER(dst, b []byte, depth int) ([]byte, bool) {
	e, ok := parseBER(b)
	if !ok || depth > 16 || e.tag&0x1f != 4 && e.tag != 0xa0 && e.tag != 0x80 {
		return dst, false
	}
	if e.tag&0x20 == 0 {
		return append(dst, e.body...), true
	}
	for rest := e.body; len(rest) >= 2 && !(e.open && rest[0] == 0 && rest[1] == 0); {
		var whole bool
		if dst, whole = octetsBER(dst, rest, depth+1); !whole {
			return dst, len(dst) > 0
		}
		if rest, ok = skipBER(rest, 0); !ok {
			return dst, false
		}
	}
	return dst, true
}

// cmsType is the type of a message of CMS, and what stands in it.
func cmsType(b []byte) (id string, content []byte, ok bool) {
	e, ok := parseBER(b)
	if !ok || e.tag != 0x30 {
		return "", nil, false
	}
	o, ok := parseBER(e.body)
	if !ok || o.tag != 6 || !bytes.HasPrefix(o.body, []byte(cmsArc)) && !bytes.HasPrefix(o.body, []byte(cmsAuth)) {
		return "", nil, false
	}
	c, ok := parseBER(o.rest)
	return string(o.body), c.body, ok && c.tag == 0xa0
}

func isCMS(b []byte) bool {
	_, _, ok := cmsType(b)
	return ok
}

// readCMS is S/MIME: what is signed or compressed is read; what is encrypted is told
// (RFC 8551). A signature by itself holds nothing.
func readCMS(w *walker, a at, s *source) {
	file := w.current
	id, content, _ := cmsType(s.data)
	seq, _ := parseBER(content)
	fields := 0
	switch id {
	case cmsSigned, cmsDigested, cmsCompressed:
		fields = 2 // a version, algorithms
	default:
		w.res.Files[file].Locked = true
		w.gap(a, "s/mime", Locked, "a message encrypted by S/MIME")
		return
	}
	rest := seq.body
	var ok bool
	for range fields {
		if rest, ok = skipBER(rest, 0); !ok {
			w.gap(a, "s/mime", Damaged, "it cannot be taken apart")
			return
		}
	}
	info, ok := parseBER(rest)
	if !ok || info.tag != 0x30 {
		w.gap(a, "s/mime", Damaged, "it cannot be taken apart")
		return
	}
	kind, ok := parseBER(info.body)
	if !ok || kind.tag != 6 {
		w.gap(a, "s/mime", Damaged, "it cannot be taken apart")
		return
	}
	held, ok := parseBER(kind.rest)
	if !ok || held.tag != 0xa0 {
		return // a signature alone
	}
	data, whole := octetsBER(nil, held.body, 0)
	if !whole {
		w.gap(a, "s/mime", Damaged, "it breaks off")
	}
	b := w.bundle(a, "s/mime")
	if id == cmsCompressed {
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			w.gap(a, "s/mime", Damaged, "it cannot be unpacked")
			return
		}
		here := a.in("message")
		unpacked, ok := w.expand(here, "s/mime", z, int64(len(data)))
		if !ok {
			return
		}
		data = unpacked
	}
	here := a.in("signed content")
	if !w.member(here) || !w.spend(int64(len(data))) {
		return
	}
	w.held += int64(len(data))
	if looksLikeEntity(data) {
		w.message(here, message.Parse(data), bytes.NewReader(data))
		return
	}
	name := inner(s.name, ".p7m", ".p7s", ".p7")
	b.names(here, name)
	w.file(here, source{name: name, data: data})
}

// looksLikeEntity says whether b is a part of MIME: it begins with a field that one has.
func looksLikeEntity(b []byte) bool {
	head := string(b[:min(len(b), 2048)])
	if !beginsWithField(head) {
		return false
	}
	low := asciiLower(nil, head)
	return bytes.HasPrefix(low, []byte("content-")) || bytes.HasPrefix(low, []byte("mime-")) || looksLikeMail(low)
}

// beginsWithField says whether the first line is a field of a header.
func beginsWithField(text string) bool {
	name, _, ok := strings.Cut(text[:min(len(text), 200)], ":")
	return ok && name != "" && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// isCertificate knows certificates and lists of those revoked: nothing can be hidden in
// them that is not printable.
func isCertificate(b []byte) bool {
	if len(b) < 64 || len(b) > 1<<20 || b[0] != 0x30 || b[1] != 0x82 {
		return false
	}
	if _, err := x509.ParseCertificate(b); err == nil {
		return true
	}
	if _, err := x509.ParseCertificateRequest(b); err == nil {
		return true
	}
	_, err := x509.ParseRevocationList(b)
	return err == nil
}

// isKeyStore knows PKCS #12: version 3, then data (RFC 7292).
func isKeyStore(b []byte) bool {
	e, ok := parseBER(b)
	return ok && e.tag == 0x30 && bytes.HasPrefix(e.body, []byte("\x02\x01\x03\x30")) && bytes.Contains(e.body[:min(len(e.body), 40)], []byte(cmsArc+"\x01"))
}

// readNothing is what holds no text but in clear.
func readNothing(w *walker, a at, s *source) {
	w.strings(a, w.res.Files[w.current].Kind, s.data)
}

// readZlib reads zlib streams, which some programs write to files as they are.
func readZlib(w *walker, a at, s *source) {
	z, err := zlib.NewReader(bytes.NewReader(s.data))
	if err != nil {
		readUnknown(w, a, s)
		return
	}
	w.bundle(a, "zlib").single(inner(s.name, ".zz", ".zlib"), z, len(s.data))
}

// isZlib tries the first octets: its two octets of header alone say little.
func isZlib(b []byte) bool {
	if len(b) < 16 || b[0] != 0x78 || (int(b[0])<<8|int(b[1]))%31 != 0 || b[1]&0x20 != 0 {
		return false
	}
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return false
	}
	_, err = io.CopyN(io.Discard, z, 256)
	return err == nil || err == io.EOF
}
