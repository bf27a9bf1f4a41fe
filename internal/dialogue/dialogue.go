// Package dialogue plays text conversations against a server, for tests.
//
// A file is a comment, then "-- dialogue --", then lines: "C: text" is sent with
// CRLF, "C< name" sends a file of the archive (LF made CRLF), "S: text" must be what
// the server says next, "S~ pattern" must match it whole, "S* pattern" skips lines
// until one matches. "T:" starts TLS. "E:" says that the server has closed. Files
// follow as "-- name --".
package dialogue

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Play plays every file that matches the pattern, each on a connection of its own.
// It fails when there is none.
func Play(t *testing.T, pattern string, dial func(t *testing.T, name string) net.Conn) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no dialogue matches %s (%v)", pattern, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			play(t, Sections(b), dial(t, filepath.Base(name)))
		})
	}
}

// Sections splits an archive into its named parts; what stands before is "".
func Sections(b []byte) map[string]string {
	out := map[string]string{}
	name := ""
	for line := range strings.Lines(string(b)) {
		l := strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(l, "-- ") && strings.HasSuffix(l, " --") {
			name = l[3 : len(l)-3]
			out[name] = ""
			continue
		}
		out[name] += line
	}
	return out
}

type player struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func play(t *testing.T, files map[string]string, c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	p := &player{t, c, bufio.NewReader(c)}
	said := 0
	for n, line := range strings.Split(strings.TrimRight(files["dialogue"], "\n"), "\n") {
		if line == "" {
			continue
		}
		if len(line) < 2 {
			t.Fatalf("line %d: %q is no line of a dialogue", n+1, line)
		}
		rest := strings.TrimPrefix(line[2:], " ")
		switch line[:2] {
		case "C:":
			p.send([]byte(rest + "\r\n"))
		case "C<":
			body, ok := files[rest]
			if !ok {
				t.Fatalf("line %d: no file %s", n+1, rest)
			}
			p.send(bytes.ReplaceAll([]byte(body), []byte("\n"), []byte("\r\n")))
		case "S:":
			said++
			if got := p.read(n); got != rest {
				t.Fatalf("line %d: the server says\n%q, want\n%q", n+1, got, rest)
			}
		case "S~":
			said++
			re := regexp.MustCompile("^(?:" + rest + ")$")
			if got := p.read(n); !re.MatchString(got) {
				t.Fatalf("line %d: the server says\n%q, want a match of\n%s", n+1, got, rest)
			}
		case "S*":
			said++
			re := regexp.MustCompile("^(?:" + rest + ")$")
			for !re.MatchString(p.read(n)) {
			}
		case "T:":
			tc := tls.Client(p.c, &tls.Config{InsecureSkipVerify: true})
			p.c, p.r = tc, bufio.NewReader(tc)
		case "E:":
			if b, err := p.r.ReadByte(); err != io.EOF {
				t.Fatalf("line %d: the server goes on: %q %v", n+1, b, err)
			}
		default:
			t.Fatalf("line %d: %q is no line of a dialogue", n+1, line)
		}
	}
	if said == 0 {
		t.Fatal("the dialogue expects nothing of the server")
	}
}

func (p *player) send(b []byte) {
	if _, err := p.c.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) read(n int) string {
	line, err := p.r.ReadString('\n')
	if err != nil {
		p.t.Fatalf("line %d: %v after %q", n+1, err, line)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
}
