package imapd_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"sampul/imapd"
)

// What comes as the content of a literal is never run as a command, whatever is wrong
// with the command around it. Each row is sent whole, then a NOOP; "evil" must not be
// answered, and the NOOP must be, unless the server has said BYE.
func TestContentIsNeverACommand(t *testing.T) {
	evil := "\r\nevil CREATE evil\r\n"
	n := len(evil)
	big := strings.Repeat(evil, 120000/n)
	for _, tt := range []struct{ name, said string }{
		{"no such mailbox", fmt.Sprintf("a APPEND tiada {%d+}\r\n%s\r\n", n, evil)},
		{"too big", fmt.Sprintf("a APPEND INBOX {%d+}\r\n%s\r\n", len(big), big)},
		{"too big, binary", fmt.Sprintf("a APPEND INBOX ~{%d+}\r\n%s\r\n", len(big), big)},
		{"bad flag", fmt.Sprintf("a APPEND INBOX (\\) {%d+}\r\n%s\r\n", n, evil)},
		{"bad date", fmt.Sprintf("a APPEND INBOX \"32-Foo-2024\" {%d+}\r\n%s\r\n", n, evil)},
		{"unknown command", fmt.Sprintf("a XYZZY {%d+}\r\n%s\r\n", n, evil)},
		{"wrong state", fmt.Sprintf("a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n", n, evil, n, evil)},
		{"no mailbox selected", fmt.Sprintf("a SEARCH SUBJECT {%d+}\r\n%s TEXT {%d+}\r\n%s\r\n", n, evil, n, evil)},
		{"garbage after a literal", fmt.Sprintf("a STATUS {5+}\r\nINBOX garbage {%d+}\r\n%s\r\n", n, evil)},
		{"a string that is too long", fmt.Sprintf("a CREATE {%d+}\r\n%s\r\n", len(big), big)},
		{"judged and refused", fmt.Sprintf("a APPEND INBOX {%d+}\r\n%s\r\n", 28+n, "Subject: [RAHSIA] rapat\r\n\r\n?"+evil)},
		{"the judge fails", fmt.Sprintf("a APPEND INBOX {%d+}\r\n%s\r\n", 28+n, "Subject: [ROSAK] rapat x\r\n\r\n"+evil)},
		{"junk after the message", fmt.Sprintf("a APPEND INBOX {%d+}\r\n%s junk {%d+}\r\n%s\r\n", n, evil, n, evil)},
		{"a list that does not end", fmt.Sprintf("a LIST (((((((((( {%d+}\r\n%s\r\n", n, evil)},
		{"bad name", fmt.Sprintf("a CREATE &&& {%d+}\r\n%s\r\n", n, evil)},
		{"empty literal", "a CREATE {0+}\r\n\r\n"},
		{"a number too large", "a APPEND INBOX {99999999999999999999+}\r\n" + evil},
		{"half a head before a head", fmt.Sprintf("a CREATE {00{%d+}\r\n%s\r\n", n, evil)},
		{"4 GiB announced", "a APPEND INBOX {4294967296+}\r\n" + evil},
		{"tag missing", fmt.Sprintf("{%d+}\r\n%s\r\n", n, evil)},
		{"line too long", "a CREATE " + strings.Repeat("x", 200000) + fmt.Sprintf(" {%d+}\r\n%s\r\n", n, evil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, open(t))
			c := s.login("pegawai1")
			c.say(tt.said)
			c.say("z NOOP\r\nz2 LOGOUT\r\n")
			b, err := io.ReadAll(c.r)
			out := string(b)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatalf("%v after %q", err, out)
			}
			if strings.Contains(out, "evil ") && !strings.Contains(out, "a BAD") {
				t.Fatalf("content is answered: %q", out)
			}
			if strings.Contains(out, "\r\nevil ") || strings.HasPrefix(out, "evil ") {
				t.Fatalf("content was run: %q", out)
			}
			if !strings.Contains(out, "z OK") && !strings.Contains(out, "* BYE") && err == nil {
				t.Fatalf("neither the next command nor BYE: %q", out)
			}
			hasNot(t, s.login("pegawai1").do("LIST \"\" *", "OK"), `.*evil.*`)
		})
	}
}

// A literal that waits to be asked is refused before it is sent.
func TestLiteralRefusedBeforeItIsSent(t *testing.T) {
	s := serve(t, open(t))
	c := s.login("pegawai1")
	c.do("APPEND tiada {20}", "NO [TRYCREATE]")
	for _, command := range []string{"APPEND INBOX {100001}", "APPEND INBOX {4294967295}", "CREATE {1000000}"} {
		said := c.do(command, "")
		if l := said[len(said)-1]; !strings.HasPrefix(l, "NO [") && !strings.HasPrefix(l, "BAD") {
			t.Fatalf("%s: %q", command, l)
		}
	}
	said := c.do("APPEND INBOX {100001}", "NO [")
	if l := said[len(said)-1]; !strings.Contains(l, "[TOOBIG]") && !strings.Contains(l, "[LIMIT]") {
		t.Fatalf("too big: %q", l)
	}
	c.do("NOOP", "OK")
	m := surat("satu", "isi")
	c.say(fmt.Sprintf("y APPEND INBOX {%d}\r\n", len(m)))
	if l := c.line(); !strings.HasPrefix(l, "+ ") {
		t.Fatalf("APPEND: %q", l)
	}
	c.say(m + "\r\n")
	c.until("y", "APPEND", "OK [APPENDUID ")
}

// The words of a refusal reach the client with the number of the incident, and nothing
// is kept (design section 5).
func TestAppendIsJudged(t *testing.T) {
	s := serve(t, open(t))
	c := s.login("pegawai1")
	m := surat("[RAHSIA] Mesyuarat", "isi")
	said := c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m), "NO [")
	if l := said[len(said)-1]; !strings.Contains(l, "tidak boleh") || !strings.Contains(l, "I-7") {
		t.Fatalf("refusal: %q", l)
	}
	m = surat("[ROSAK]", "isi")
	c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m), "NO [")
	has(t, c.do("STATUS INBOX (MESSAGES)", "OK"), `\* STATUS INBOX \(MESSAGES 0\)`)
}

// Message bytes come back as they went in, at every size around the spool's border.
func TestBytesComeBack(t *testing.T) {
	s := serve(t, imapd.Config{Kind: imapd.IMAP, AllowPlaintextAuth: true, MaxMessage: 4 << 20})
	c := s.login("pegawai1")
	c.do("SELECT INBOX", "OK")
	for i, size := range []int{0, 1, 4000, 65536, 300000, 2 << 20} {
		m := surat("satu", strings.Repeat(strings.Repeat("y", 70)+"\r\n", size/72))
		c.add("INBOX", m)
		c.say(fmt.Sprintf("q FETCH %d BODY.PEEK[]\r\n", i+1))
		head := c.line()
		if want := fmt.Sprintf("* %d FETCH (BODY[] {%d}", i+1, len(m)); head != want {
			t.Fatalf("%q, want %q", head, want)
		}
		got := make([]byte, len(m))
		if _, err := io.ReadFull(c.r, got); err != nil || string(got) != m {
			t.Fatalf("%d octets: %v, other bytes", len(m), err)
		}
		if l := c.line(); l != ")" {
			t.Fatalf("after the literal: %q", l)
		}
		c.until("q", "FETCH", "OK")
	}
}
