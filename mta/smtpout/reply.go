package smtpout

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The budget of one reply. RFC 5321 section 4.5.3.1.5 allows lines of 512 octets; real
// servers go beyond, hostile ones without end.
const (
	maxReplyLine  = 2048
	maxReplyLines = 128
	maxReplyBytes = 16 << 10
	maxReplyText  = 512 // of what is kept for people
)

// What a peer can do wrong in a reply.
var (
	errReplyLong   = errors.New("the reply has no end")
	errReplySyntax = errors.New("the reply is not SMTP")
)

// A reply is what the other side said to one command.
type reply struct {
	code     int
	enhanced string   // RFC 3463, "" where the text has none
	lines    []string // without code and line end
}

func (r *reply) ok() bool        { return r.code/100 == 2 }
func (r *reply) permanent() bool { return r.code/100 == 5 }

// slow says whether the other side asks for fewer connections: 421 is the end of this
// one, 4.7.x mostly a limit on us.
func (r *reply) slow() bool {
	return r.code == 421 || r.code/100 == 4 && strings.HasPrefix(r.enhanced, "4.7.")
}

// text is the reply in one line for people, bounded and without control characters.
func (r *reply) text() string {
	var b strings.Builder
	for i, l := range r.lines {
		if i > 0 {
			l = " " + strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(l), r.enhanced))
		} else if r.enhanced != "" {
			l = strings.TrimSpace(strings.TrimPrefix(l, r.enhanced))
		}
		b.WriteString(l)
		if b.Len() > maxReplyText {
			break
		}
	}
	return printable(b.String())
}

// printable is s in at most maxReplyText octets, with question marks for what a terminal
// or a log must not get.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
	if len(s) > maxReplyText {
		s = strings.ToValidUTF8(s[:maxReplyText-3], "") + "..."
	}
	return strings.TrimSpace(s)
}

// readReply reads one reply, RFC 5321 section 4.2. All its lines have one code: where they
// differ, we no longer know which command is answered.
func readReply(r *bufio.Reader) (*reply, error) {
	out := &reply{}
	left := maxReplyBytes
	for {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if left -= len(line); left < 0 || len(out.lines) == maxReplyLines {
			return nil, errReplyLong
		}
		code, text, more, ok := splitReply(line)
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: %q", errReplySyntax, printable(line))
		case out.code == 0:
			out.code = code
			out.enhanced = enhancedCode(code, text)
		case code != out.code:
			return nil, fmt.Errorf("%w: %d and %d in one reply", errReplySyntax, out.code, code)
		}
		out.lines = append(out.lines, text)
		if !more {
			return out, nil
		}
	}
}

// readLine is one line without its end, which may be a bare LF.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		b, err := r.ReadSlice('\n')
		if len(line)+len(b) > maxReplyLine {
			return "", errReplyLong
		}
		line = append(line, b...)
		switch {
		case err == nil:
			return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		default:
			return "", err
		}
	}
}

func splitReply(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, "", false, false
		}
		code = code*10 + int(c-'0')
	}
	if code < 200 || code > 599 {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", false, true
	}
	switch line[3] {
	case ' ':
		return code, line[4:], false, true
	case '-':
		return code, line[4:], true, true
	}
	return 0, "", false, false
}

// enhancedCode is the status at the start of text, if it is one of the code's class.
func enhancedCode(code int, text string) string {
	word, _, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(word) > 9 || len(parts[0]) != 1 || int(parts[0][0]-'0') != code/100 {
		return ""
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return ""
		}
	}
	return word
}
