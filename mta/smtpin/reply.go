package smtpin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sampul/store"
)

// A Reply is what the client hears, and an error.
type Reply struct {
	Code     int    // RFC 5321 section 4.2.3
	Enhanced string // RFC 3463, such as "4.2.2"; "" where none belongs (RFC 2034 section 4)
	Text     string // for a person; quotes nothing from the message
	Err      error  // for the log alone
}

func (r *Reply) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("%d %s %s: %v", r.Code, r.Enhanced, r.Text, r.Err)
	}
	return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)
}

func (r *Reply) Unwrap() error { return r.Err }

// line is the reply on the wire, always one line and printable ASCII.
func (r *Reply) line() string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, r.Text)
	if r.Enhanced == "" {
		return fmt.Sprintf("%d %s\r\n", r.Code, text)
	}
	return fmt.Sprintf("%d %s %s\r\n", r.Code, r.Enhanced, text)
}

func reply(code int, enhanced, text string) *Reply {
	return &Reply{Code: code, Enhanced: enhanced, Text: text}
}

// Replies that several commands give.
var (
	ok                = reply(250, "2.0.0", "ok")
	errSyntax         = reply(501, "5.5.4", "syntax error in the arguments")
	errParameter      = reply(555, "5.5.4", "a parameter is not known here")
	errOrder          = reply(503, "5.5.1", "not in this order")
	errUnknown        = reply(500, "5.5.1", "command not known")
	errLong           = reply(500, "5.5.6", "line too long")
	errTooBig         = reply(552, "5.3.4", "Terlalu besar: guna pautan fail besar. The message is bigger than this server takes: send large files by a link")
	errAuthFirst      = reply(530, "5.7.0", "log in first")
	errTLSFirst       = reply(538, "5.7.11", "start TLS first")
	errRelay          = reply(550, "5.7.1", "relaying denied: the recipient is not here, and you are not logged in")
	errNobody         = reply(550, "5.1.1", "nobody has this address here")
	errFull           = reply(452, "4.5.3", "too many recipients, send the others in another transaction")
	errBounceAlone    = reply(452, "4.5.3", "an address for bounces: send to others in another transaction")
	errApart          = reply(452, "4.5.3", "another agency, with rules of its own: send to it in another transaction")
	errBadSender      = reply(501, "5.1.7", "malformed reverse-path")
	errBadRecipient   = reply(501, "5.1.3", "malformed forward-path")
	errUTF8           = reply(553, "5.6.7", "the address needs the parameter SMTPUTF8")
	errTooManyErrors  = reply(421, "4.7.0", "too many errors, closing")
	errShutdown       = reply(421, "4.3.2", "this server is going down, try again soon")
	errIdle           = reply(421, "4.4.2", "waited too long, closing")
	errLogin          = reply(535, "5.7.8", "wrong address or password")
	errHeldLogin      = reply(535, "5.7.8", "this account is held, or not active: ask your administrator")
	errHeld           = reply(550, "5.7.1", "this account is held and cannot send: ask your administrator")
	errEnded          = reply(421, "4.7.0", "this account is held: the session ends")
	errRate           = reply(421, "4.7.0", "too much from your network just now, try again later")
	errStranger       = reply(554, "5.7.1", "no service for you here")
	errEarly          = reply(503, "5.5.0", "sent before it was time: wait for the reply; closing")
	errLoginsPaused   = reply(454, "4.7.0", "too many wrong passwords from here, try again later")
	errConnections    = reply(421, "4.7.0", "too many connections from here, try again later")
	errLocal          = reply(451, "4.3.0", "local problem, try again later")
	errUndecided      = reply(451, "4.7.1", "Semakan tidak dapat dibuat, cuba lagi. The message could not be checked, try again later.")
	errLoop           = reply(554, "5.4.6", "the message has passed too many servers: it seems to go in circles")
	errNoRecipients   = reply(503, "5.5.1", "no valid recipients")
	errCancelled      = reply(501, "5.7.0", "authentication cancelled")
	errBase64         = reply(501, "5.5.2", "not base64")
	errMechanism      = reply(504, "5.5.4", "mechanism not known")
	errWorkFile       = reply(452, "4.3.1", "no room for the message just now, try again later")
	errNoFrom         = reply(550, "5.6.0", "the message has no From field that can be read")
	errNullSubmission = reply(550, "5.7.1", "a logged-in sender gives its own address, not the null reverse-path")
)

// replyFor is where errors of the rooms below become SMTP, and nowhere else. What
// it does not know is our fault, hence temporary: the sender keeps the message.
func replyFor(err error) *Reply {
	var r *Reply
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, store.ErrOverQuota):
		return &Reply{452, "4.2.2", "mailbox is full, try again later", err}
	case errors.Is(err, store.ErrBusy):
		return &Reply{452, "4.3.1", "too much mail at once, try again soon", err}
	case errors.Is(err, store.ErrDiskReserve):
		return &Reply{452, "4.3.1", "no room for mail just now, try again later", err}
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed):
		return &Reply{421, "4.3.2", "this server is going down, try again soon", err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Reply{451, "4.4.7", "took too long, try again later", err}
	default:
		return &Reply{errLocal.Code, errLocal.Enhanced, errLocal.Text, err}
	}
}
