package smtpin

import "context"

// state is where a session stands; a command names all in which it may come.
type state uint8

const (
	fresh    state = 1 << iota // before EHLO
	greeted                    // after EHLO or HELO
	inMail                     // after MAIL
	inChunks                   // after a first BDAT that was not the last
	anywhere = fresh | greeted | inMail | inChunks
)

// entry is a command: when it may come, whether it takes no argument, and what it does.
// It returns a *Reply, as an error or as success, or any error of the rooms below.
type entry struct {
	when state
	bare bool
	run  func(s *session, ctx context.Context, arg string) error
}

// commands is all that clients can say, and when. No command checks states itself,
// save for what depends on the listener.
var commands map[string]entry

func init() { // a variable that its own functions read cannot be initialised in place
	commands = map[string]entry{
		"EHLO":     {anywhere, false, (*session).ehlo},
		"LHLO":     {anywhere, false, (*session).lhlo},
		"HELO":     {anywhere, false, (*session).heloOld},
		"MAIL":     {greeted, false, (*session).mail},
		"RCPT":     {inMail, false, (*session).rcpt},
		"DATA":     {inMail, true, (*session).data},
		"BDAT":     {greeted | inMail | inChunks, false, (*session).bdat},
		"RSET":     {anywhere, true, (*session).rset},
		"NOOP":     {anywhere, false, (*session).noop},
		"QUIT":     {anywhere, true, (*session).quit},
		"HELP":     {anywhere, false, (*session).help},
		"VRFY":     {anywhere, false, (*session).vrfy},
		"EXPN":     {anywhere, false, (*session).expn},
		"STARTTLS": {greeted, true, (*session).starttls},
		"AUTH":     {greeted, false, (*session).auth},
		"XCLIENT":  {fresh | greeted, false, (*session).xclient},
	}
}

// wrong is the reply to a command that is known and comes at the wrong time.
func (c entry) wrong(s *session) *Reply {
	if s.state() == fresh {
		return reply(503, "5.5.1", "say EHLO first")
	}
	return errOrder
}
