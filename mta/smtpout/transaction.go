package smtpout

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// A transaction is one message on its way over a session, to those of its recipients
// that m.To[todo[i]] names. It fills their results.
type transaction struct {
	s    *session
	m    *Message
	todo []int
	out  []Result // of all of m.To

	open      []int // recipients without an answer so far, or taken at RCPT
	heard     bool  // a reply came
	delivered bool  // somebody has it
	local     bool  // it is we who failed
}

// A command of the envelope. rcpt is the index of the recipient it names.
type command struct {
	stage, text string
	rcpt        int
}

// run makes the transaction. The fault is nil when the session is good for another.
func (t *transaction) run() *fault {
	t.open = slices.Clone(t.todo)
	cmds, f := t.commands()
	if f != nil {
		t.all(t.open, f)
		return nil
	}
	if t.s.dirty {
		cmds = slices.Insert(cmds, 0, command{StageMAIL, "RSET", -1})
	}
	t.s.dirty = true
	if t.m.Open != nil {
		cmds = append(cmds, command{StageDATA, "DATA", -1})
	}
	ready, f := t.envelope(cmds)
	switch {
	case f != nil:
		t.all(t.open, f)
	case ready && len(t.open) == 0:
		f = t.nothing()
	case ready:
		f = t.content()
	case t.m.Open == nil: // a probe
		for _, i := range t.open {
			t.out[i] = Result{Address: t.m.To[i].Address, Delivered: true, Code: 250, Enhanced: "2.1.5",
				Text: "would be taken", Remote: t.s.end.String(), TLS: t.s.tls, Stage: StageRCPT}
		}
		t.delivered = len(t.open) > 0
	}
	if f != nil && f.lost {
		return f
	}
	return nil
}

// again is who may be tried elsewhere: those refused for now, unless somebody has the
// message already. After the dot it is the message that was refused, and whether it
// arrived may not even be known.
func (t *transaction) again() (left []int) {
	if t.delivered || t.local {
		return nil
	}
	for _, i := range t.todo {
		if r := &t.out[i]; !r.Permanent && r.Stage != StageDot {
			left = append(left, i)
		}
	}
	return left
}

func (t *transaction) set(i int, f *fault) {
	f.remote, f.tls = t.s.end.String(), t.s.tls
	t.out[i] = f.result(t.m.To[i].Address)
}

func (t *transaction) all(idx []int, f *fault) {
	for _, i := range idx {
		t.set(i, f)
	}
}

// commands are MAIL and a RCPT for each recipient, or why this host can't have the message.
func (t *transaction) commands() ([]command, *fault) {
	m, ft := t.m, &t.s.features
	if ft.maxSize > 0 && m.Size > ft.maxSize {
		return nil, &fault{stage: StageMAIL, code: 552, enhanced: "5.3.4", permanent: true,
			text: "the message has " + strconv.FormatInt(m.Size, 10) + " octets, the other side takes " + strconv.FormatInt(ft.maxSize, 10)}
	}
	utf8, err := m.utf8Header()
	if err != nil {
		t.local = true
		return nil, ours(StageMAIL, err)
	}
	from, ok := downgrade(m.From)
	utf8 = utf8 || !ok
	to := make([]string, len(t.todo))
	for k, i := range t.todo {
		to[k], ok = downgrade(m.To[i].Address)
		utf8 = utf8 || !ok
	}
	if utf8 {
		if !ft.utf8 {
			return nil, &fault{stage: StageMAIL, code: 553, enhanced: "5.6.7", permanent: true,
				text: "an address or the header has letters beyond ASCII, and the other side does not take them (SMTPUTF8)"}
		}
		from = m.From
	}
	var b strings.Builder
	b.WriteString("MAIL FROM:<" + from + ">")
	if ft.size && m.Size > 0 {
		b.WriteString(" SIZE=" + strconv.FormatInt(m.Size, 10))
	}
	if ft.eightBit && m.EightBit {
		b.WriteString(" BODY=8BITMIME")
	}
	if utf8 {
		b.WriteString(" SMTPUTF8")
	}
	if t.s.end.security.requireTLS {
		b.WriteString(" REQUIRETLS")
	}
	if ft.dsn {
		param(&b, "RET", m.Ret)
		param(&b, "ENVID", m.EnvID)
	}
	out := []command{{StageMAIL, b.String(), -1}}
	for k, i := range t.todo {
		b.Reset()
		r := m.To[i]
		if utf8 {
			to[k] = r.Address
		}
		b.WriteString("RCPT TO:<" + to[k] + ">")
		if ft.dsn {
			param(&b, "NOTIFY", r.Notify)
			param(&b, "ORCPT", r.ORcpt)
		}
		out = append(out, command{StageRCPT, b.String(), i})
	}
	return out, nil
}

// utf8Header says whether the header needs SMTPUTF8 (RFC 6532): it is read only where the
// sender asked for that.
func (m *Message) utf8Header() (bool, error) {
	if !m.UTF8 || m.Open == nil {
		return false, nil
	}
	rc, err := m.Open(false)
	if err != nil {
		return false, err
	}
	defer rc.Close()
	in := bufio.NewReader(rc)
	for line := 0; ; line++ {
		c, err := in.ReadByte()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		case c >= 0x80:
			return true, nil
		case c == '\n' && line == 0:
			return false, nil // the end of the header
		case c == '\n':
			line = -1
		case c == '\r':
			line--
		}
	}
}

// param adds a parameter as it came, xtext or not; what cannot stand in a command is left out.
func param(b *strings.Builder, name, value string) {
	if value != "" && clean(value) && !strings.ContainsRune(value, ' ') {
		b.WriteString(" " + name + "=" + value)
	}
}

// downgrade is an address in ASCII, and whether there is such a form: a domain has one
// (RFC 5890), a local part has none.
func downgrade(address string) (string, bool) {
	if ascii(address) {
		return address, true
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !ascii(address[:at]) {
		return address, false
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	return address[:at+1] + domain, err == nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
