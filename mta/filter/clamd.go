package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	clamdChunk = 64 << 10
	clamdReply = 4 << 10 // longest reply that is read
)

// clamd asks ClamAV's daemon with INSTREAM (clamd(8)), a connection a message. The stream
// is the message as it came; clamd opens what is packed in it. Its StreamMaxLength must
// not be below the largest message taken here: what it does not scan whole, it was not
// asked about.
type clamd struct {
	cfg  Config
	at   target
	dial DialFunc
}

func newClamd(cfg Config, opt Options) (*clamd, error) {
	at, err := parseTarget(cfg.Address)
	return &clamd{cfg: cfg, at: at, dial: opt.Dial}, err
}

// Check scans the message. A virus is refused; its name is clamd's, not the sender's.
func (c *clamd) Check(ctx context.Context, m *Mail) (*Outcome, error) {
	conn, done, err := c.at.open(ctx, c.dial)
	if err != nil {
		return nil, err
	}
	defer done()
	reply, err := instream(conn, io.NewSectionReader(m.Body, 0, m.Index.Size))
	if err != nil {
		return nil, err
	}
	virus, err := parseScan(reply)
	if err != nil || virus == "" {
		return &Outcome{}, err
	}
	return &Outcome{
		Action: Reject, Code: 554, Enhanced: "5.7.1", Reason: "virus " + virus,
		Text: fmt.Sprintf("Virus ditemui / virus found: %s (filter %s)", virus, c.cfg.Name),
	}, nil
}

// instream sends the message and reads the reply, both at once: clamd answers before the
// end when a limit is passed, and hangs up.
func instream(conn net.Conn, msg io.Reader) ([]byte, error) {
	type answer struct {
		reply []byte
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		reply, err := readReply(conn)
		conn.SetWriteDeadline(time.Unix(1, 0)) // nothing more is to be said
		got <- answer{reply, err}
	}()
	sent := sendStream(conn, msg)
	if isLocal(sent) {
		conn.Close()
		<-got
		return nil, sent
	}
	a := <-got
	switch {
	case a.err == nil:
		return a.reply, nil
	case sent != nil && !errors.Is(sent, os.ErrDeadlineExceeded): // the deadline is ours, from above
		return nil, errors.Join(sent, a.err)
	}
	return nil, a.err
}

// readError is a message that cannot be read: nobody else's fault.
type readError struct{ err error }

func (e *readError) Error() string { return "the message cannot be read: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func isLocal(err error) bool {
	_, ok := errors.AsType[*readError](err)
	return ok
}

// sendStream is the command and the chunks: each its length in four octets and then its
// octets; one of length zero ends them.
func sendStream(w io.Writer, msg io.Reader) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+clamdChunk)
	for {
		n, err := io.ReadFull(msg, buf[4:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return &readError{err}
		}
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if _, werr := w.Write(buf[:4+n]); werr != nil {
				return werr
			}
		}
		if err != nil {
			_, werr := w.Write(make([]byte, 4))
			return werr
		}
	}
}

// readReply reads up to the NUL that ends it.
func readReply(r io.Reader) ([]byte, error) {
	var got []byte
	buf := make([]byte, 512)
	for len(got) < clamdReply {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if i := bytes.IndexByte(got, 0); i >= 0 {
			return got[:i], nil
		}
		if err == io.EOF && len(got) == 0 {
			return nil, errors.New("clamd closed the connection without an answer")
		}
		if err == io.EOF {
			return nil, fmt.Errorf("clamd closed the connection within its answer %q", plain(string(got)))
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("clamd's answer has more than %d octets", clamdReply)
}

// parseScan reads the reply to a scan: "stream: OK", "stream: NAME FOUND", or an error in
// words. virus is "" for a clean message.
func parseScan(reply []byte) (virus string, err error) {
	s := strings.TrimRight(string(reply), "\r\n")
	if _, result, ok := strings.Cut(s, ": "); ok {
		if result == "OK" {
			return "", nil
		}
		if name, found := strings.CutSuffix(result, " FOUND"); found {
			if name = plain(name); name == "" {
				name = "unnamed"
			}
			return name[:min(len(name), 100)], nil
		}
	}
	if strings.Contains(s, "size limit exceeded") {
		return "", errors.New("the message is longer than clamd takes: raise StreamMaxLength in its configuration")
	}
	return "", fmt.Errorf("clamd answered %q", plain(s))
}

// probe asks for PONG and for the version.
func (c *clamd) probe(ctx context.Context) (string, error) {
	pong, err := c.command(ctx, "PING")
	if err == nil && pong != "PONG" {
		err = fmt.Errorf("clamd answered %q to PING", pong)
	}
	if err != nil {
		return "", err
	}
	return c.command(ctx, "VERSION")
}

func (c *clamd) command(ctx context.Context, name string) (string, error) {
	conn, done, err := c.at.open(ctx, c.dial)
	if err != nil {
		return "", err
	}
	defer done()
	if _, err := io.WriteString(conn, "z"+name+"\x00"); err != nil {
		return "", err
	}
	reply, err := readReply(conn)
	return plain(string(reply)), err
}

// Close has nothing to close: connections end with their message.
func (c *clamd) Close() error { return nil }
