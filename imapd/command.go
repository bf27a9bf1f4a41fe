package imapd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sampul/imapd/wire"
	"sampul/store"
)

// A call is one command under way.
type call struct {
	tag, name string
	uid       bool   // UID FETCH and its like
	code      string // response code of the tagged OK
	text      string // its text; "done"
	still     bool   // message numbers must not change now (FETCH, STORE, SEARCH)
}

// A handler reads the arguments of its command, with the CRLF, then runs it.
type handler struct {
	in  state
	run func(ctx context.Context, s *session, c *call) error
	uid bool // may stand after UID
}

// commands are all that there are; each has a file of its own or shares one with its like.
var commands map[string]handler

func init() {
	commands = map[string]handler{
		"CAPABILITY":   {in: anyState, run: capability},
		"NOOP":         {in: anyState, run: noop},
		"CHECK":        {in: selectedState, run: noop},
		"LOGOUT":       {in: anyState, run: bye},
		"ID":           {in: anyState, run: id},
		"STARTTLS":     {in: notAuthenticated, run: startTLS},
		"AUTHENTICATE": {in: notAuthenticated, run: authenticate},
		"LOGIN":        {in: notAuthenticated, run: login},
		"ENABLE":       {in: authenticated, run: enable},
		"SELECT":       {in: loggedIn, run: selectBox},
		"EXAMINE":      {in: loggedIn, run: selectBox},
		"CREATE":       {in: loggedIn, run: create},
		"DELETE":       {in: loggedIn, run: deleteBox},
		"RENAME":       {in: loggedIn, run: rename},
		"SUBSCRIBE":    {in: loggedIn, run: subscribe},
		"UNSUBSCRIBE":  {in: loggedIn, run: subscribe},
		"LIST":         {in: loggedIn, run: list},
		"LSUB":         {in: loggedIn, run: lsub},
		"NAMESPACE":    {in: loggedIn, run: namespace},
		"STATUS":       {in: loggedIn, run: status},
		"APPEND":       {in: loggedIn, run: appendMessages},
		"IDLE":         {in: loggedIn, run: idle},
		"CLOSE":        {in: selectedState, run: closeBox},
		"UNSELECT":     {in: selectedState, run: closeBox},
		"EXPUNGE":      {in: selectedState, run: expunge, uid: true},
		"SEARCH":       {in: selectedState, run: search, uid: true},
		"FETCH":        {in: selectedState, run: fetch, uid: true},
		"STORE":        {in: selectedState, run: storeFlags, uid: true},
		"COPY":         {in: selectedState, run: copyMessages, uid: true},
		"MOVE":         {in: selectedState, run: copyMessages, uid: true},
	}
}

// command reads and runs one command. An error ends the session.
func (s *session) command(ctx context.Context) error {
	c := &call{text: "done"}
	h, err := s.begin(c)
	if err == nil {
		err = h.run(ctx, s, c)
	}
	switch {
	case err == nil:
		s.errors = 0
		if s.state&selectedState != 0 {
			if err := s.update(!c.still || c.uid); err != nil {
				return err
			}
		}
		s.tagged(c, "OK", c.code, c.text)
		return s.spill()
	case errors.Is(err, errQuiet):
		return nil
	case wire.IsSyntax(err):
		return s.bad(c, err)
	}
	n := s.refusal(c, err)
	if n == nil {
		return err
	}
	if err := s.in.SkipLine(); err != nil {
		return err
	}
	if s.state&selectedState != 0 {
		if err := s.update(!c.still || c.uid); err != nil {
			return err
		}
	}
	s.tagged(c, n.kind, n.code, n.text)
	return s.spill()
}

// errQuiet says that the command has answered by itself.
var errQuiet = errors.New("answered already")

// begin reads tag and name.
func (s *session) begin(c *call) (handler, error) {
	var h handler
	tag, err := s.in.Tag()
	if err != nil {
		return h, err
	}
	if err := s.in.SP(); err != nil {
		return h, err
	}
	c.tag = tag
	name, err := s.in.Word()
	if err != nil {
		return h, err
	}
	c.name = name
	if name == "UID" {
		if err := s.in.SP(); err != nil {
			return h, err
		}
		if name, err = s.in.Word(); err != nil {
			return h, err
		}
		c.name, c.uid = "UID "+name, true
	}
	h, ok := commands[name]
	switch {
	case !ok || c.uid && !h.uid:
		return h, wire.SyntaxError("there is no command " + c.name)
	case h.in&s.state == 0:
		return h, wire.SyntaxError(c.name + " is not possible now: " + map[state]string{
			notAuthenticated: "log in first", authenticated: "no mailbox is selected", selectedState: "a mailbox is selected",
		}[s.state])
	}
	return h, nil
}

// bad answers a command that could not be read, and passes over the rest of it.
func (s *session) bad(c *call, err error) error {
	if err := s.in.SkipLine(); err != nil {
		return err
	}
	var limit wire.LimitError
	if errors.As(err, &limit) {
		s.tagged(c, "NO", "LIMIT", limit.Error())
	} else {
		s.tagged(c, "BAD", "", err.Error())
	}
	if s.errors++; s.errors >= s.srv.cfg.MaxErrors {
		s.puts("* BYE too many commands that make no sense\r\n")
		s.log.Info("too many bad commands", "remote", s.ip)
		s.flush()
		return errEnd
	}
	return s.spill()
}

func (s *session) tagged(c *call, kind, code, text string) {
	tag := c.tag
	if tag == "" {
		tag = "*"
	}
	s.room()
	s.out = append(s.out, tag...)
	s.out = append(s.out, ' ')
	s.out = append(s.out, kind...)
	if code != "" {
		s.out = append(s.out, " ["...)
		s.out = append(s.out, code...)
		s.out = append(s.out, ']')
	}
	s.out = append(s.out, ' ')
	s.out = append(s.out, oneLine(text)...)
	s.out = append(s.out, "\r\n"...)
}

// oneLine keeps what a client sent out of the structure of an answer.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}

// A no is a refusal with its response code (RFC 5530).
type no struct{ kind, code, text string }

func (n *no) Error() string { return n.text }

func refuse(code, format string, args ...any) error {
	return &no{"NO", code, fmt.Sprintf(format, args...)}
}

// refusal translates what a store says; nil is the end of the session.
func (s *session) refusal(c *call, err error) *no {
	var n *no
	if errors.As(err, &n) {
		return n
	}
	for _, t := range []struct {
		is         error
		code, text string
	}{
		{store.ErrNotFound, "NONEXISTENT", "there is no such mailbox"},
		{store.ErrExists, "ALREADYEXISTS", "there is such a mailbox already"},
		{store.ErrForbidden, "NOPERM", "not permitted"},
		{store.ErrOverQuota, "OVERQUOTA", "the quota of this account is used up"},
		{store.ErrDiskReserve, "UNAVAILABLE", "the server's disk is nearly full: deleting is possible, adding is not"},
		{store.ErrBusy, "INUSE", "too much waits to be filed, try again"},
		{store.ErrName, "CANNOT", "this name cannot be used"},
		{store.ErrReadOnly, "NOPERM", "the mailbox is open read-only"},
		{store.ErrHasChildren, "HASCHILDREN", "the mailbox has others below it"},
		{store.ErrLimit, "LIMIT", "a limit is reached, such as that of different keywords in a mailbox"},
		{store.ErrGate, "SERVERBUG", "not what was judged"},
	} {
		if errors.Is(err, t.is) {
			return &no{"NO", t.code, t.text}
		}
	}
	if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
		s.puts("* BYE [UNAVAILABLE] the store has stopped\r\n")
		s.flush()
		return nil
	}
	if isConnection(err) {
		return nil
	}
	s.log.Error("command failed", "command", c.name, "err", err)
	return &no{"NO", "SERVERBUG", "this failed on the server's side; it is in its log"}
}
