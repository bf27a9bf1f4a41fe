package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		code     int
		enhanced string
		text     string
		err      error
	}{
		{"one line", "250 2.1.0 ok\r\n", 250, "2.1.0", "ok", nil},
		{"several", "550-5.7.1 tidak\r\n550 5.7.1 boleh\r\n", 550, "5.7.1", "tidak boleh", nil},
		{"no text", "250\r\n", 250, "", "", nil},
		{"bare LF", "250 ok\n", 250, "", "ok", nil},
		{"status of another class", "250 5.1.1 ok\r\n", 250, "", "5.1.1 ok", nil},
		{"no status, only a version", "220 1.2.3.4 mx\r\n", 220, "", "1.2.3.4 mx", nil},
		{"control characters", "550 a\x1b[31mb\x00\r\n", 550, "", "a?[31mb?", nil},
		{"not UTF-8", "550 \xff\r\n", 550, "", "?", nil},
		{"two codes", "250-a\r\n550 b\r\n", 0, "", "", errReplySyntax},
		{"code too low", "150 a\r\n", 0, "", "", errReplySyntax},
		{"code too high", "600 a\r\n", 0, "", "", errReplySyntax},
		{"no code", "halo\r\n", 0, "", "", errReplySyntax},
		{"code and letters", "2500 a\r\n", 0, "", "", errReplySyntax},
		{"empty line", "\r\n", 0, "", "", errReplySyntax},
		{"cut", "250 o", 0, "", "", io.ErrUnexpectedEOF},
		{"nothing", "", 0, "", "", io.EOF},
		{"most lines", strings.Repeat("250-a\r\n", maxReplyLines-1) + "250 a\r\n", 250, "", strings.TrimSpace(strings.Repeat("a ", maxReplyText/2)), nil},
		{"one line more", strings.Repeat("250-a\r\n", maxReplyLines) + "250 a\r\n", 0, "", "", errReplyLong},
		{"longest line", "250 " + strings.Repeat("a", maxReplyLine-6) + "\r\n", 250, "", strings.Repeat("a", maxReplyText-3) + "...", nil},
		{"one octet more", "250 " + strings.Repeat("a", maxReplyLine-5) + "\r\n", 0, "", "", errReplyLong},
		{"too many octets", strings.Repeat("250-"+strings.Repeat("a", 1990)+"\r\n", 10), 0, "", "", errReplyLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := readReply(bufio.NewReader(strings.NewReader(tt.in)))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			text := r.text()
			if tt.name == "most lines" {
				text, tt.text = text[:100], tt.text[:100]
			}
			if r.code != tt.code || r.enhanced != tt.enhanced || text != tt.text {
				t.Errorf("got %d %q %q, want %d %q %q", r.code, r.enhanced, text, tt.code, tt.enhanced, tt.text)
			}
		})
	}
}

// A reply costs no more than its budget, and what was read of it is read again alike.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-mx\r\n250-SIZE 10\r\n250 StartTLS\r\n", "421\n", "550-5.7.1 a\r\n550 5.7.1 b\r\n", "354 \xff\x00\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		src := bytes.NewReader(in)
		r, err := readReply(bufio.NewReaderSize(src, 16))
		if used := len(in) - src.Len(); used > maxReplyBytes+2*maxReplyLine {
			t.Fatalf("%d octets were read", used)
		}
		if err != nil {
			return
		}
		if len(r.text()) > maxReplyText || strings.ContainsAny(r.text(), "\r\n\x00\x1b") {
			t.Fatalf("text %q", r.text())
		}
		var again bytes.Buffer
		for i, l := range r.lines {
			sep := "-"
			if i == len(r.lines)-1 {
				sep = " "
			}
			again.WriteString(string([]byte{byte(r.code/100) + '0', byte(r.code/10%10) + '0', byte(r.code%10) + '0'}) + sep + l + "\n")
		}
		// A CR before the line end that the text itself has is lost with the line end's.
		if strings.Contains(strings.Join(r.lines, "\n")+"\n", "\r\n") {
			return
		}
		twice, err := readReply(bufio.NewReader(&again))
		if err != nil || !reflect.DeepEqual(twice, r) {
			t.Fatalf("%q was read as %+v, then as %+v, %v", in, r, twice, err)
		}
	})
}

func TestReadFeatures(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want features
	}{
		{"all", "mx\nPIPELINING\nSIZE 100\n8BITMIME\nSMTPUTF8\nDSN\nSTARTTLS\nREQUIRETLS\nAUTH PLAIN LOGIN",
			features{esmtp: true, startTLS: true, pipelining: true, eightBit: true, utf8: true, dsn: true, requireTLS: true, size: true, maxSize: 100, auth: []string{"PLAIN", "LOGIN"}}},
		{"mixed case", "mx\nStartTls\nauth plain\nAUTH=plain login", features{esmtp: true, startTLS: true, auth: []string{"PLAIN", "LOGIN"}}},
		{"the first line is a name", "STARTTLS", features{esmtp: true}},
		{"no limit", "mx\nSIZE", features{esmtp: true, size: true}},
		{"zero is no limit", "mx\nSIZE 0", features{esmtp: true, size: true}},
		{"size of nonsense", "mx\nSIZE x\nSIZE -5\nSIZE 99999999999999999999", features{esmtp: true, size: true}},
		{"longer words are others", "mx\nSTARTTLSX\nXDSN\n\n  ", features{esmtp: true}},
	} {
		if got := readFeatures(&reply{code: 250, lines: strings.Split(tt.in, "\n")}); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// Case changes nothing: a downgrade by StartTLS is the reason (RFC 5321 section 2.4).
func FuzzFeatures(f *testing.F) {
	f.Add("mx\nStartTLS\nSIZE 10\nAuth=Plain")
	f.Add("mx\nAUTH LOGIN\n8bitmime")
	f.Fuzz(func(t *testing.T, in string) {
		if !ascii(in) {
			return
		}
		a := readFeatures(&reply{lines: strings.Split(in, "\n")})
		b := readFeatures(&reply{lines: strings.Split(strings.ToLower(in), "\n")})
		if !reflect.DeepEqual(a, b) || len(a.auth) > 32 {
			t.Fatalf("%q: %+v and %+v", in, a, b)
		}
	})
}

func TestDots(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ".\r\n"},
		{"lines", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
		{"no last line end", "a", "a\r\n.\r\n"},
		{"a dot", ".\r\n", "..\r\n.\r\n"},
		{"dots", "..a\r\n.", "...a\r\n..\r\n.\r\n"},
		{"bare LF", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"},
		{"bare CR", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
		{"CR at the end", "a\r", "a\r\n.\r\n"},
		{"CR CR LF", "a\r\r\n.\r\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
		{"LF CR", "a\n\r.\r\n", "a\r\n\r\n..\r\n.\r\n"},
		{"smuggled end, LF.LF", "a\n.\nMAIL FROM:<x@y.test>\r\n", "a\r\n..\r\nMAIL FROM:<x@y.test>\r\n.\r\n"},
		{"smuggled end, LF.CRLF", "a\n.\r\nMAIL FROM:<x@y.test>\r\n", "a\r\n..\r\nMAIL FROM:<x@y.test>\r\n.\r\n"},
		{"smuggled end, CRLF.CR", "a\r\n.\rMAIL FROM:<x@y.test>\r\n", "a\r\n..\r\nMAIL FROM:<x@y.test>\r\n.\r\n"},
		{"smuggled end, CR.CR", "a\r.\rMAIL FROM:<x@y.test>\r\n", "a\r\n..\r\nMAIL FROM:<x@y.test>\r\n.\r\n"},
		{"NUL stays", "a\x00b\r\n", "a\x00b\r\n.\r\n"},
	} {
		for _, cut := range []int{1, 2, 3, 1000} { // writes of so many octets
			var b bytes.Buffer
			w := &dotWriter{w: &b}
			for in := []byte(tt.in); len(in) > 0; {
				n := min(cut, len(in))
				if k, err := w.Write(in[:n]); k != n || err != nil {
					t.Fatalf("%s: wrote %d of %d, %v", tt.name, k, n, err)
				}
				in = in[n:]
			}
			if err := w.end(); err != nil || b.String() != tt.want {
				t.Errorf("%s in pieces of %d: got %q, %v; want %q", tt.name, cut, b.String(), err, tt.want)
			}
		}
	}
}

// Nothing of a message can be taken for its end, by a server with whatever idea of line ends.
func FuzzDots(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\nb", "\n.\n", "\r.\r", "a\r\r\n.", ".", "\r\n..\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		var b bytes.Buffer
		w := &dotWriter{w: &b}
		n := int(cut)%len(append(in, 0)) + 1
		for rest := in; len(rest) > 0; {
			k := min(n, len(rest))
			w.Write(rest[:k])
			rest = rest[k:]
		}
		w.end()
		out := b.String()
		body, ok := strings.CutSuffix(out, ".\r\n")
		if !ok || body != "" && !strings.HasSuffix(body, "\r\n") {
			t.Fatalf("%q ends in %q", in, out)
		}
		if bare := strings.ReplaceAll(out, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
			t.Fatalf("%q has a bare CR or LF: %q", in, out)
		}
		for l := range strings.SplitSeq(body, "\r\n") {
			if l == "." {
				t.Fatalf("%q has an end inside: %q", in, out)
			}
		}
		got, err := readBody(bufio.NewReader(strings.NewReader(out)))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(string(in), "\r\n", "\n"); !strings.Contains(string(in), "\r\r") {
			want = strings.ReplaceAll(strings.ReplaceAll(want, "\r", "\n"), "\n", "\r\n")
			if want != "" && !strings.HasSuffix(want, "\r\n") {
				want += "\r\n"
			}
			if got != want {
				t.Fatalf("%q arrived as %q, want %q", in, got, want)
			}
		}
	})
}
