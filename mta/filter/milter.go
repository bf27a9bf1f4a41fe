package filter

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/d--j/go-milter"

	"sampul/internal/spool"
)

// milterFilter speaks milter protocol 6 (and 2 to 5 where the milter is older), with a
// connection a message, in the order of an SMTP session: connect, HELO, MAIL, RCPT, DATA,
// header, end of header, body, end of message.
//
// The message's recipients were accepted one by one before the milter is asked. What it
// says about one of them is therefore said about the message: were it dropped for that
// one, it would be lost without anybody being told.
type milterFilter struct {
	cfg  Config
	at   target
	dial DialFunc
	host string
	area *spool.Area
	max  int64
}

// quiet stops the library from writing to the standard logger: what it warns of is text
// of the milter.
var quiet = sync.OnceFunc(func() { milter.LogWarning = func(string, ...any) {} })

func newMilter(cfg Config, opt Options) (*milterFilter, error) {
	quiet()
	at, err := parseTarget(cfg.Address)
	return &milterFilter{cfg: cfg, at: at, dial: opt.Dial, host: opt.Hostname, area: opt.Spool, max: opt.MaxBody}, err
}

// given is a dialer that hands out one connection.
type given struct{ net.Conn }

func (g given) Dial(string, string) (net.Conn, error) { return g.Conn, nil }

// session connects and negotiates. The library's own time-outs are off: the connection
// is closed when ctx is over.
func (f *milterFilter) session(ctx context.Context, macros milter.Macros) (*session, error) {
	raw, done, err := f.at.open(ctx, f.dial)
	if err != nil {
		return nil, err
	}
	conn := &packets{Conn: raw, left: f.max + packetsExtra}
	client := milter.NewClient(f.at.network, f.at.address,
		milter.WithDialer(given{conn}),
		milter.WithReadTimeout(0), milter.WithWriteTimeout(0),
		milter.WithMacroRequest(milter.StageConnect, []string{"j", "{daemon_name}", "v", "{client_addr}", "{client_name}", "{client_port}", "{client_ptr}"}),
		milter.WithMacroRequest(milter.StageHelo, []string{"{tls_version}", "{cipher}"}),
		milter.WithMacroRequest(milter.StageMail, []string{"i", "{auth_type}", "{auth_authen}", "{mail_addr}", "{mail_host}", "{mail_mailer}"}),
		milter.WithMacroRequest(milter.StageRcpt, []string{"i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"}),
		milter.WithMacroRequest(milter.StageData, []string{"i"}),
		milter.WithMacroRequest(milter.StageEOH, []string{"i"}),
		milter.WithMacroRequest(milter.StageEOM, []string{"i"}),
	)
	s, err := client.Session(macros)
	if err != nil {
		done()
		return nil, err
	}
	return &session{s, conn, done}, nil
}

// session is a connection over which a milter is asked.
type session struct {
	*milter.ClientSession
	conn *packets
	done func()
}

// end says good-bye, as far as there is time, and closes the connection.
func (s *session) end() {
	s.ClientSession.Close()
	s.done()
}

// Check plays the session. The library panics on some nonsense: that is the milter's
// error, and the connection is closed all the same.
func (f *milterFilter) Check(ctx context.Context, m *Mail) (o *Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			o, err = nil, fmt.Errorf("the milter's answer cannot be read: %v\n%s", r, firstLines(debug.Stack()))
		}
	}()
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	macros := f.macros(m)
	s, err := f.session(ctx, macros)
	if err != nil {
		return nil, err
	}
	defer s.end()
	t := &transaction{f: f, s: s, m: m, head: h, macros: macros}
	for _, step := range []func() (*milter.Action, error){t.connect, t.helo, t.mail} {
		act, err := step()
		if o, over, err := t.verdict(act, err); over {
			return o, err
		}
	}
	if o, over, err := t.recipients(); over {
		return o, err
	}
	act, err := s.DataStart()
	if o, over, err := t.verdict(act, err); over {
		return o, err
	}
	if o, over, err := t.header(); over {
		return o, err
	}
	if o, over, err := t.body(); over {
		return o, err
	}
	changes, act, err := s.End()
	if err != nil {
		return nil, err
	}
	o, _, err = t.verdict(act, nil)
	if err != nil || o.Action >= Discard {
		return o, err
	}
	return t.changes(o, changes)
}

// transaction is one message on its way through a milter.
type transaction struct {
	f      *milterFilter
	s      *session
	m      *Mail
	head   *head
	macros *milter.MacroBag
}

// verdict is what an answer means; over is whether it ends the session. Continue at the
// end of the message is Accept.
func (t *transaction) verdict(act *milter.Action, err error) (o *Outcome, over bool, _ error) {
	if err != nil {
		return nil, true, err
	}
	switch act.Type {
	case milter.ActionContinue, milter.ActionSkip:
		return &Outcome{}, false, nil
	case milter.ActionAccept:
		return &Outcome{}, true, nil
	case milter.ActionDiscard:
		return &Outcome{Action: Discard, Reason: "milter discards"}, true, nil
	case milter.ActionReject:
		return &Outcome{Action: Reject, Reason: "milter rejects"}, true, nil
	case milter.ActionTempFail:
		return &Outcome{Action: Tempfail, Reason: "milter defers"}, true, nil
	case milter.ActionRejectWithCode:
		o := parseReplyText(act.SMTPReply)
		o.Reason = plain(act.SMTPReply)
		return o, true, nil
	}
	return nil, true, fmt.Errorf("the milter answers %v, which is not known here", act.Type)
}

func (t *transaction) connect() (*milter.Action, error) {
	host := t.m.Hostname
	if host == "" {
		host = "unknown"
	}
	ip := t.m.IP.Unmap()
	switch {
	case ip.Is4():
		return t.s.Conn(host, milter.FamilyInet, t.m.Port, ip.String())
	case ip.Is6():
		return t.s.Conn(host, milter.FamilyInet6, t.m.Port, ip.WithZone("").String())
	}
	return t.s.Conn(host, milter.FamilyUnknown, 0, "")
}

func (t *transaction) helo() (*milter.Action, error) { return t.s.Helo(t.m.HELO) }

func (t *transaction) mail() (*milter.Action, error) {
	return t.s.Mail(t.m.From, "SIZE="+strconv.FormatInt(t.m.Index.Size, 10))
}

// recipients asks about each. All are asked, so that the reply can say what it is about.
func (t *transaction) recipients() (*Outcome, bool, error) {
	var worst *Outcome
	refused := 0
	for _, to := range t.m.To {
		t.macros.Set("{rcpt_addr}", to)
		t.macros.Set("{rcpt_host}", domainOf(to))
		act, err := t.s.Rcpt(to, "")
		o, over, err := t.verdict(act, err)
		if err != nil {
			return nil, true, err
		}
		if !over {
			continue
		}
		if o.Action < Tempfail {
			return o, true, nil // accepted or discarded, the whole message
		}
		refused++
		if worst == nil || o.Action > worst.Action {
			worst = o
			o.tidyReply()
			o.Reason = "milter refuses a recipient"
			if len(t.m.To) > 1 {
				o.Text = fmt.Sprintf("<%s>: %s", to, o.Text)
			}
		}
	}
	if worst == nil {
		return nil, false, nil
	}
	if refused < len(t.m.To) {
		worst.Text += " (sent to nobody: send it again without that recipient)"
	}
	return worst, true, nil
}

// header sends what filters see. A line that is no field is passed over.
func (t *transaction) header() (*Outcome, bool, error) {
	wantSpace := t.s.ProtocolOption(milter.OptHeaderLeadingSpace)
	for i := range t.head.fields {
		f := &t.head.fields[i]
		if f.hidden || f.name == "" {
			continue
		}
		value := strings.NewReplacer("\r", "", "\x00", "").Replace(f.value())
		if !wantSpace {
			value = strings.TrimPrefix(value, " ")
		}
		act, err := t.s.HeaderField(f.name, value, nil)
		if o, over, err := t.verdict(act, err); over {
			return o, true, err
		}
		if t.s.Skip() {
			break
		}
	}
	act, err := t.s.HeaderEnd()
	return t.verdict(act, err)
}

// body sends the content in pieces of the size that every milter takes.
func (t *transaction) body() (*Outcome, bool, error) {
	r := io.NewSectionReader(t.m.Body, t.m.contentStart(), t.m.Index.Size-t.m.contentStart())
	buf := make([]byte, milter.DataSize64K)
	for first := true; ; first = false {
		n, err := io.ReadFull(r, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, true, &readError{err}
		}
		last := err != nil
		if n > 0 || first { // the library counts on one piece at least, libmilter takes no empty one
			if n == 0 && !t.s.ProtocolOption(milter.OptNoBody) {
				t.s.conn.withhold(!t.s.ProtocolOption(milter.OptNoBodyReply))
			}
			act, err := t.s.BodyChunk(buf[:n])
			if o, over, err := t.verdict(act, err); over {
				return o, true, err
			}
		}
		if last || t.s.Skip() || t.s.ProtocolOption(milter.OptNoBody) {
			return nil, false, nil
		}
	}
}

// probe connects and negotiates.
func (f *milterFilter) probe(ctx context.Context) (string, error) {
	s, err := f.session(ctx, nil)
	if err != nil {
		return "", err
	}
	s.end()
	return "milter", nil
}

// Close has nothing to close: connections end with their message.
func (f *milterFilter) Close() error { return nil }
