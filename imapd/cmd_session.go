package imapd

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"sampul/imapd/wire"
	"sampul/internal/sasl"
)

// capabilities are those of this moment.
func (s *session) capabilities() string {
	const common = "IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE"
	if s.account != nil {
		return common + " NAMESPACE IDLE UIDPLUS UNSELECT CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE" +
			" ESEARCH SEARCHRES MOVE BINARY MULTIAPPEND OBJECTID SAVEDATE WITHIN STATUS=SIZE UTF8=ACCEPT APPENDLIMIT=" +
			strconv.FormatInt(s.srv.cfg.MaxMessage, 10)
	}
	out := common + " SASL-IR"
	if !s.tls && s.srv.cfg.TLS != nil {
		out += " STARTTLS"
	}
	if !s.mayLogin() {
		return out + " LOGINDISABLED"
	}
	for _, m := range sasl.Mechanisms {
		out += " AUTH=" + m
	}
	return out
}

func (s *session) mayLogin() bool { return s.tls || s.srv.cfg.AllowPlaintextAuth }

func capability(_ context.Context, s *session, _ *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	s.puts("* CAPABILITY " + s.capabilities() + "\r\n")
	return nil
}

func noop(_ context.Context, s *session, _ *call) error { return s.in.CRLF() }

func bye(_ context.Context, s *session, c *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	s.puts("* BYE goodbye\r\n")
	s.unselect()
	s.state = logout
	c.text = "done"
	return nil
}

// id is ID, RFC 2971. What clients say of themselves is of no use to us.
func id(_ context.Context, s *session, _ *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	c, err := s.in.Next()
	if err != nil {
		return err
	}
	if c == '(' {
		n := 0
		err = s.in.List(func() error {
			if n++; n > 60 {
				return wire.SyntaxError("ID has at most 30 fields")
			}
			_, _, err := s.in.NString()
			return err
		})
	} else {
		_, _, err = s.in.NString()
	}
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	s.puts("* ID (\"name\" \"Sampul\")\r\n")
	return nil
}

func startTLS(ctx context.Context, s *session, c *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	if s.tls || s.srv.cfg.TLS == nil {
		return wire.SyntaxError("TLS is not offered, or in use already")
	}
	s.tagged(c, "OK", "", "begin TLS now")
	if err := s.flush(); err != nil {
		return err
	}
	if s.in.Buffered() > 0 { // came in clear: whoever put it there is not the client
		s.log.Warn("commands in clear after STARTTLS", "remote", s.ip)
		return errEnd
	}
	if !s.handshake(ctx) {
		return errEnd
	}
	s.in.Reset(reading{s})
	return errQuiet
}

func enable(_ context.Context, s *session, _ *call) error {
	var on []string
	for {
		more, err := s.in.More()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name, err := s.in.Word()
		if err != nil {
			return err
		}
		switch name {
		case "IMAP4REV2":
			s.rev2, s.utf8 = true, true
			on = append(on, "IMAP4rev2")
		case "UTF8=ACCEPT":
			s.utf8 = true
			on = append(on, "UTF8=ACCEPT")
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	s.in.UTF8 = s.utf8
	s.puts(strings.TrimRight("* ENABLED "+strings.Join(on, " "), " ") + "\r\n")
	return nil
}

func namespace(_ context.Context, s *session, _ *call) error {
	if err := s.in.CRLF(); err != nil {
		return err
	}
	s.puts("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n")
	return nil
}

// isConnection says whether err is of the connection, not of the command.
func isConnection(err error) bool {
	var t net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrNoProgress) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errEnd) || errors.Is(err, errShutdown) ||
		errors.Is(err, wire.ErrStream) || errors.As(err, &t)
}
