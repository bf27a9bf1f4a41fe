package extract

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"sampul/internal/message"
)

const (
	pgpMessage = "-----BEGIN PGP MESSAGE"
	pgpSigned  = "-----BEGIN PGP SIGNED MESSAGE-----"
)

// readPGP is text with messages of PGP in it: what is signed in clear is given without its
// frame (RFC 9580 section 7).
func readPGP(w *walker, a at, s *source) {
	text := strings.ReplaceAll(decode(s, 0), "\r\n", "\n")
	readText(w, a, &source{name: s.name, data: []byte(withoutPGP(text))})
}

// withoutPGP is a text without the frames, signatures and messages of PGP in it.
func withoutPGP(text string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, "-----BEGIN PGP ")
		if i < 0 {
			break
		}
		out.WriteString(text[:i])
		text = text[i:]
		if rest, ok := strings.CutPrefix(text, pgpSigned); ok {
			_, body, found := strings.Cut(rest, "\n\n") // behind the headers
			if !found {
				body = rest
			}
			end := strings.Index(body, "-----BEGIN PGP SIGNATURE")
			if end < 0 {
				end = len(body)
			}
			for line := range strings.SplitSeq(body[:end], "\n") {
				out.WriteString(strings.TrimPrefix(line, "- ") + "\n")
			}
			text = body[end:]
			continue
		}
		_, behind, found := strings.Cut(text, "-----END PGP ")
		if !found { // it breaks off: it is text as well
			out.WriteString(text[len("-----BEGIN PGP "):])
			return out.String()
		}
		_, text, _ = strings.Cut(behind, "\n")
	}
	out.WriteString(text)
	return out.String()
}

// armored reads the messages of PGP that stand in a text.
func (w *walker) armored(a at, b []byte) {
	for n := 0; w.tick(); n++ {
		i := bytes.Index(b, []byte(pgpMessage))
		if i < 0 {
			return
		}
		begins := beginsLine(b[:i])
		b = b[i+len(pgpMessage):]
		if !begins {
			continue
		}
		if n >= 100 {
			w.gap(a, "pgp", Locked, "more messages of PGP than are opened")
			return
		}
		block, _, _ := bytes.Cut(b, []byte("-----END"))
		if data := unarmored(block); len(data) > 2 && data[0]&0x80 != 0 {
			w.packets(a, "PGP message", data, true)
		}
	}
}

// beginsLine says whether what comes behind before begins a line, or an element of HTML.
func beginsLine(before []byte) bool {
	before = bytes.TrimRight(before, " \t")
	return len(before) == 0 || before[len(before)-1] == '\n' || before[len(before)-1] == '>'
}

// unarmored undoes base64 behind headers and before a checksum (RFC 9580 section 6).
func unarmored(b []byte) []byte {
	var body bytes.Buffer
	for i, line := range bytes.Split(b, []byte("\n")) {
		line = bytes.Trim(line, "> \t\r")
		if i > 0 && !bytes.Contains(line, []byte(": ")) && !bytes.HasPrefix(line, []byte("=")) {
			body.Write(line)
		}
	}
	out, err := io.ReadAll(message.NewTransferDecoder("base64", &body))
	if err != nil {
		return nil
	}
	return out
}

// readPackets is a file of PGP without armor.
func readPackets(w *walker, a at, s *source) {
	w.packets(a, inner(s.name, ".pgp", ".gpg"), s.data, false)
}

// packets reads what is signed or compressed, and tells what is encrypted. Keys and
// signatures hold nothing. What is said to be a message and is none is taken for one that
// can't be opened.
func (w *walker) packets(a at, name string, b []byte, sure bool) {
	file, known := w.current, !sure
	r := packet.NewReader(bytes.NewReader(b))
	for n := 0; n < 1000 && w.tick(); n++ {
		p, err := r.Next()
		if err != nil {
			if !known || !errors.Is(err, io.EOF) {
				w.gap(a, "pgp", Locked, "a message of PGP that cannot be opened")
			}
			return
		}
		switch p := p.(type) {
		case *packet.EncryptedKey, *packet.SymmetricKeyEncrypted, *packet.SymmetricallyEncrypted, *packet.AEADEncrypted:
			if file < len(w.res.Files) && w.res.Files[file].Path == a.path {
				w.res.Files[file].Locked = true
			}
			w.gap(a, "pgp", Locked, "a message encrypted by PGP")
			return
		case *packet.Compressed:
			if err := r.Push(p.Body); err != nil {
				w.gap(a, "pgp", Damaged, "it cannot be unpacked")
				return
			}
		case *packet.LiteralData:
			known = true
			if p.FileName != "" {
				name = p.FileName
			}
			if !w.bundle(a, "pgp").add(name, p.Body, int64(len(b)), 0) {
				return
			}
		default:
			known = true
		}
	}
}

// isPackets knows PGP without armor by its first packet (RFC 9580 section 4.2).
func isPackets(b []byte) bool {
	if len(b) < 20 || b[0]&0x80 == 0 {
		return false
	}
	tag, body, n := b[0]>>2&15, b, 0
	if b[0]&0x40 != 0 {
		tag = b[0] & 63
		switch c := int(b[1]); {
		case c < 192:
			n, body = c, b[2:]
		case c < 224:
			n, body = (c-192)<<8+int(b[2])+192, b[3:]
		case c < 255:
			n, body = 1<<(c&31), b[2:]
		default:
			n, body = int(b[2])<<24|int(b[3])<<16|int(b[4])<<8|int(b[5]), b[6:]
		}
	} else {
		switch b[0] & 3 {
		case 0:
			n, body = int(b[1]), b[2:]
		case 1:
			n, body = int(b[1])<<8|int(b[2]), b[3:]
		case 2:
			n, body = int(b[1])<<24|int(b[2])<<16|int(b[3])<<8|int(b[4]), b[5:]
		default:
			n, body = len(b)-1, b[1:]
		}
	}
	follows := n < len(body) && body[n]&0x80 != 0 // another packet
	switch version := body[0]; tag {
	case 1: // a key for the message
		return (version == 3 || version == 6) && n < 3000 && follows
	case 3: // one from a passphrase
		return version >= 4 && version <= 6 && n < 300 && follows
	case 4: // a signature comes
		return (version == 3 || version == 6) && n < 100 && follows
	case 2: // a signature
		return version >= 3 && version <= 6 && n < 10_000 && (n == len(body) || follows)
	case 5, 6: // keys
		return version >= 3 && version <= 6 && n < 100_000 && follows
	case 8:
		return version <= 3 && b[0]&0x40 == 0 && b[0]&3 == 3 || version > 0 && version <= 3 && n <= len(body)
	case 9:
		return false // nothing to know it by
	case 11:
		return (version == 'b' || version == 't' || version == 'u') && int(body[1])+6 < len(body) && n <= len(body)
	case 18, 20:
		return version == 1 || version == 2
	}
	return false
}
