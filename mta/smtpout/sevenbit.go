package smtpout

import (
	"io"

	"sampul/internal/message"
	"sampul/internal/spool"
)

// SevenBit converts messages for hosts without 8BITMIME (RFC 6152 section 3), by way of an
// area for messages under work: a message has to be known whole before its first part can be
// written. The error is [message.ErrSigned] when there is no 7-bit form.
func SevenBit(area *spool.Area) func(r io.Reader) (io.ReadCloser, error) {
	return func(r io.Reader) (io.ReadCloser, error) {
		s := area.Open()
		x := message.NewIndexer(message.DefaultLimits)
		_, err := io.Copy(io.MultiWriter(s, x), r)
		if err == nil {
			err = s.Seal()
		}
		var out io.Reader
		if err == nil {
			out, err = message.ToSevenBit(s, x.Finish())
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		return &converted{out, s}, nil
	}
}

type converted struct {
	io.Reader
	io.Closer
}
