package filter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/d--j/go-milter"

	"sampul/internal/spool"
)

// macros are what Postfix gives milters, by the same names.
func (f *milterFilter) macros(m *Mail) *milter.MacroBag {
	b := milter.NewMacroBag()
	set := func(name, value string) {
		if value != "" {
			b.Set(name, value)
		}
	}
	unknown := func(s string) string {
		if s == "" {
			return "unknown"
		}
		return s
	}
	set("j", f.host)
	set("v", "Sampul")
	set("i", m.ID)
	set("{daemon_name}", m.daemon())
	if m.IP.IsValid() {
		set("{client_addr}", m.IP.Unmap().String())
	}
	set("{client_port}", strconv.Itoa(int(m.Port)))
	set("{client_name}", unknown(m.Hostname))
	set("{client_ptr}", unknown(m.Hostname))
	version, cipher := m.tls()
	set("{tls_version}", version)
	set("{cipher}", cipher)
	if m.Account != "" {
		set("{auth_authen}", m.Account)
		set("{auth_type}", "PLAIN")
		set("{auth_type}", m.AuthType)
	}
	set("{mail_addr}", m.From)
	set("{mail_host}", domainOf(m.From))
	set("{mail_mailer}", "smtp")
	set("{rcpt_mailer}", "smtp")
	return b
}

// daemon is the name of the listener, as milters are configured by it.
func (m *Mail) daemon() string {
	switch m.Scope {
	case Out:
		return "submission"
	case Relay:
		return "relay"
	}
	return "mx"
}

// tls is version and cipher apart, the version as OpenSSL writes it: TLSv1.3.
func (m *Mail) tls() (version, cipher string) {
	i := strings.LastIndexByte(m.TLS, ' ')
	if i < 0 {
		return m.TLS, ""
	}
	return strings.Replace(m.TLS[:i], "TLS ", "TLSv", 1), m.TLS[i+1:]
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// changes turns what a milter asks for at the end of the message into o.
func (t *transaction) changes(o *Outcome, list []milter.ModifyAction) (*Outcome, error) {
	var body *newBody
	for _, c := range list {
		switch c.Type {
		case milter.ActionAddRcpt:
			o.AddTo = append(o.AddTo, c.Rcpt)
		case milter.ActionDelRcpt:
			o.DropTo = append(o.DropTo, c.Rcpt)
		case milter.ActionQuarantine:
			o.Action, o.Reason = Quarantine, c.Reason
		case milter.ActionChangeFrom:
			o.From = &c.From
		case milter.ActionAddHeader:
			o.Edits = append(o.Edits, Edit{Op: Add, Name: c.HeaderName, Value: c.HeaderValue})
		case milter.ActionInsertHeader:
			o.Edits = append(o.Edits, Edit{Op: Insert, Name: c.HeaderName, Value: c.HeaderValue, Index: index(c.HeaderIndex)})
		case milter.ActionChangeHeader:
			e := Edit{Op: Change, Name: c.HeaderName, Value: c.HeaderValue, Index: index(c.HeaderIndex)}
			if c.HeaderValue == "" {
				e.Op = Delete
			}
			o.Edits = append(o.Edits, e)
		case milter.ActionReplaceBody:
			if body == nil {
				body = &newBody{spool: t.f.area.Open()}
			}
			if _, err := body.Write(c.Body); err != nil {
				return nil, errors.Join(err, body.spool.Close())
			}
		default:
			return nil, fmt.Errorf("the milter asks for change %d, which is not known here", c.Type)
		}
	}
	if body == nil {
		return o, nil
	}
	if err := body.end(); err != nil {
		return nil, errors.Join(err, body.spool.Close())
	}
	o.Body, o.BodySize = body, body.spool.Size()
	return o, nil
}

// index is a position within what an int of any machine holds.
func index(n uint32) int { return int(min(n, 1<<30)) }

// parseReplyText reads an SMTP reply of one or more lines.
func parseReplyText(s string) *Outcome {
	o := &Outcome{Action: Reject}
	var words []string
	for i, line := range strings.FieldsFunc(s, func(c rune) bool { return c == '\r' || c == '\n' }) {
		code, err := strconv.Atoi(line[:min(len(line), 3)])
		if err == nil && len(line) >= 3 {
			line = strings.TrimLeft(line[3:], "- ")
		}
		if i == 0 {
			o.Code = code
			if code/100 == 4 {
				o.Action = Tempfail
			}
		}
		if enhanced, rest, _ := strings.Cut(line, " "); validEnhanced(enhanced, o.Code/100) {
			o.Enhanced, line = enhanced, rest
		}
		words = append(words, line)
	}
	o.Text = strings.Join(words, " ")
	return o
}

const (
	packetMax    = 1<<20 + 1024 // the largest that a milter may negotiate, and some
	packetsExtra = 4 << 20      // that all packets of a session may have beside the body
)

// packets is a connection to a milter whose packets are looked at before the library
// reads them: one of length zero makes it panic, and it takes memory for whatever length
// is announced, and for however many changes come.
type packets struct {
	net.Conn
	left int64 // octets that may still come
	head [4]byte
	n    int // octets of head that are there
	need int // octets of the packet that are still to come

	withheld bool   // the next Write is for nobody
	instead  []byte // what is read in the place of an answer to it
}

// withhold keeps the next packet, which is one Write, from the milter; answered says
// that the library waits for an answer, which is continue then.
func (p *packets) withhold(answered bool) {
	p.withheld = true
	if answered {
		p.instead = []byte{0, 0, 0, 1, 'c'}
	}
}

func (p *packets) Write(b []byte) (int, error) {
	if p.withheld {
		p.withheld = false
		return len(b), nil
	}
	return p.Conn.Write(b)
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.instead) > 0 {
		n := copy(b, p.instead)
		p.instead = p.instead[n:]
		return n, nil
	}
	n, err := p.Conn.Read(b)
	if bad := p.look(b[:n]); bad != nil {
		p.Close()
		return 0, bad
	}
	return n, err
}

func (p *packets) look(b []byte) error {
	if p.left -= int64(len(b)); p.left < 0 {
		return errors.New("the milter sends more than it may")
	}
	for len(b) > 0 {
		if p.need > 0 {
			k := min(p.need, len(b))
			p.need -= k
			b = b[k:]
			continue
		}
		k := copy(p.head[p.n:], b)
		p.n += k
		b = b[k:]
		if p.n < len(p.head) {
			return nil
		}
		size := int64(p.head[0])<<24 | int64(p.head[1])<<16 | int64(p.head[2])<<8 | int64(p.head[3])
		if size == 0 || size > packetMax {
			return fmt.Errorf("the milter sends a packet of %d octets", size)
		}
		p.need, p.n = int(size), 0
	}
	return nil
}

// newBody is the content that a filter puts in the place of the old one. It makes every
// line end CRLF: a bare CR or LF was kept out at the door, and a filter lets none in.
type newBody struct {
	spool *spool.Spool
	cr    bool // the last octet was a CR that is not written yet
	line  bool // something stands on the present line
	r     *io.SectionReader
}

func (n *newBody) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+len(p)/32+2)
	for _, c := range p {
		if n.cr && c != '\n' || c == '\n' {
			out = append(out, "\r\n"...)
			n.line = false
		}
		n.cr = c == '\r'
		if c != '\r' && c != '\n' {
			out = append(out, c)
			n.line = true
		}
	}
	if _, err := n.spool.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end ends the last line; from here on it can be read.
func (n *newBody) end() error {
	if n.cr || n.line {
		if _, err := n.spool.Write([]byte("\r\n")); err != nil {
			return err
		}
	}
	if err := n.spool.Seal(); err != nil {
		return err
	}
	n.r = io.NewSectionReader(n.spool, 0, n.spool.Size())
	return nil
}

// Read reads on; ReadAt reads anywhere.
func (n *newBody) Read(p []byte) (int, error) { return n.r.Read(p) }

func (n *newBody) ReadAt(p []byte, off int64) (int, error) { return n.spool.ReadAt(p, off) }

// Close drops the content.
func (n *newBody) Close() error { return n.spool.Close() }
