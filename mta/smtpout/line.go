package smtpout

import (
	"bufio"
	"context"
	"net"
	"strings"
	"time"
)

const (
	// minRate is what the other side must take of a message, in octets a second and in the
	// long run: 34 MB in 2.4 hours, and a peer that takes one octet a minute is left.
	minRate = 4 << 10
	// maxWrite is what one write gives to the connection, so that its deadline means something.
	maxWrite = 32 << 10
)

// A line is a connection with a deadline for each write and each reply. The context of the
// transaction ends both.
type line struct {
	nc  net.Conn // the present one: TLS after STARTTLS
	in  *bufio.Reader
	out *bufio.Writer
	ctx context.Context

	write time.Duration // for one write
	since time.Time     // start of a message, zero between messages
	sent  int64         // octets since then
}

func newLine(ctx context.Context, nc net.Conn, write time.Duration) *line {
	l := &line{ctx: ctx, write: write}
	l.use(nc)
	return l
}

// use goes on with another connection. Nothing of what the old one had is read.
func (l *line) use(nc net.Conn) {
	l.nc = nc
	l.in = bufio.NewReaderSize(nc, 4<<10)
	l.out = bufio.NewWriterSize(writerFunc(l.put), maxWrite)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// put writes p in pieces, each with its deadline.
func (l *line) put(p []byte) (n int, err error) {
	for n < len(p) {
		by := time.Now().Add(l.write)
		if !l.since.IsZero() {
			floor := l.since.Add(l.write + time.Duration(l.sent)*time.Second/minRate)
			if floor.Before(by) {
				by = floor
			}
		}
		if err := l.nc.SetWriteDeadline(by); err != nil {
			return n, err
		}
		// Asked after the deadline is set, never before: the end of the context sets one in
		// the past, and ours must not overwrite it unseen.
		if l.ctx.Err() != nil {
			return n, context.Cause(l.ctx)
		}
		k, err := l.nc.Write(p[n:min(len(p), n+maxWrite)])
		n += k
		l.sent += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// read is the next reply, whole within the time given: one that drips does not stretch it.
func (l *line) read(within time.Duration) (*reply, error) {
	if err := l.nc.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	return readReply(l.in)
}

// say puts a command into the next flight.
func (l *line) say(words ...string) {
	for _, w := range words {
		l.out.WriteString(w)
	}
	l.out.WriteString("\r\n")
}

// ask sends one command and reads its reply.
func (l *line) ask(within time.Duration, words ...string) (*reply, error) {
	l.say(words...)
	if err := l.out.Flush(); err != nil {
		return nil, err
	}
	return l.read(within)
}

// clean says whether s can stand in a command: no line end, no other control character.
func clean(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}
