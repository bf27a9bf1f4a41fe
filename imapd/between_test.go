package imapd_test

import (
	"fmt"
	"strings"
	"testing"

	"sampul/imapd"
)

func open(t testing.TB) imapd.Config {
	return imapd.Config{Kind: imapd.IMAP, AllowPlaintextAuth: true, MaxMessage: 100000}
}

// RFC 9051 section 7.5.1: message numbers do not change under FETCH, STORE and SEARCH.
func TestExpungeOfAnotherWaitsForItsMoment(t *testing.T) {
	s := serve(t, open(t))
	a, b := s.login("pegawai1"), s.login("pegawai1")
	for i := range 4 {
		a.add("INBOX", surat(fmt.Sprint("surat ", i), "isi"))
	}
	a.do("SELECT INBOX", "OK")
	b.do("SELECT INBOX", "OK")
	b.do(`STORE 2 +FLAGS.SILENT (\Deleted)`, "OK")
	b.do("EXPUNGE", "OK")
	b.add("INBOX", surat("surat 5", "isi"))

	for _, command := range []string{"FETCH 1:4 (FLAGS UID)", "SEARCH ALL", `STORE 4 +FLAGS (\Flagged)`} {
		said := a.do(command, "")
		hasNot(t, said, `\* \d+ EXPUNGE`)
	}
	// The number 4 means what it meant: UID 4, which has the flag now.
	has(t, b.do("UID FETCH 4 FLAGS", "OK"), `\* 3 FETCH \(.*\\Flagged.*\)`)
	said := a.do("NOOP", "OK")
	has(t, said, `\* 2 EXPUNGE`)
	has(t, said, `\* 4 EXISTS`)
	has(t, a.do("UID FETCH 1:* (UID)", "OK"), `\* 4 FETCH \(UID 5\)`)
}

func TestStoreTellsTheOthers(t *testing.T) {
	s := serve(t, open(t))
	a, b := s.login("pegawai1"), s.login("pegawai1")
	a.add("INBOX", surat("satu", "isi"))
	a.do("SELECT INBOX", "OK")
	b.do("SELECT INBOX", "OK")
	hasNot(t, a.do(`STORE 1 +FLAGS.SILENT (\Seen $Penting)`, "OK"), `\* 1 FETCH.*`)
	said := b.do("NOOP", "OK")
	has(t, said, `\* FLAGS \(.*\$Penting.*\)`)
	has(t, said, `\* 1 FETCH \(.*FLAGS \(\\Seen \$Penting\).*\)`)
	hasNot(t, a.do("NOOP", "OK"), `\* 1 FETCH.*`)
}

// A silent STORE leaves out what the client knows, not what another session did.
func TestSilentStoreTellsOfOthersChanges(t *testing.T) {
	s := serve(t, open(t))
	a, b := s.login("pegawai1"), s.login("pegawai1")
	a.add("INBOX", surat("satu", "isi"))
	a.do("SELECT INBOX", "OK")
	b.do("SELECT INBOX", "OK")
	b.do(`STORE 1 +FLAGS (\Flagged)`, "OK")
	said := a.do(`STORE 1 +FLAGS.SILENT (\Seen)`, "OK")
	said = append(said, a.do("NOOP", "OK")...)
	has(t, said, `\* 1 FETCH \(.*\\Flagged \\Seen.*\)`)
}

func TestIdleTells(t *testing.T) {
	s := serve(t, open(t))
	a, b := s.login("pegawai1"), s.login("pegawai1")
	b.add("INBOX", surat("satu", "isi"))
	a.do("SELECT INBOX", "OK")
	b.do("SELECT INBOX", "OK")
	a.say("i1 IDLE\r\n")
	if l := a.line(); !strings.HasPrefix(l, "+ ") {
		t.Fatalf("IDLE: %q", l)
	}
	b.add("INBOX", surat("dua", "isi"))
	if l := a.line(); l != "* 2 EXISTS" {
		t.Fatalf("after APPEND elsewhere: %q", l)
	}
	b.do(`STORE 1 +FLAGS (\Deleted)`, "OK")
	if l := a.line(); !strings.Contains(l, `\Deleted`) || !strings.HasPrefix(l, "* 1 FETCH ") {
		t.Fatalf("after STORE elsewhere: %q", l)
	}
	b.do("EXPUNGE", "OK")
	if l := a.line(); l != "* 1 EXPUNGE" {
		t.Fatalf("after EXPUNGE elsewhere: %q", l)
	}
	s.deliver("pegawai1", "INBOX", "Return-Path: <>\r\n", surat("tiga", "isi"))
	if l := a.line(); l != "* 2 EXISTS" {
		t.Fatalf("after delivery: %q", l)
	}
	a.say("DONE\r\n")
	a.until("i1", "IDLE", "OK")
	has(t, a.do("FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject Return-Path)]", "OK"), "Subject: tiga")
}

// Whoever idles without a mailbox, or sends a command instead of DONE, stays in step.
func TestIdleEnds(t *testing.T) {
	s := serve(t, open(t))
	c := s.login("pegawai1")
	c.say("i1 IDLE\r\nDONE\r\ni2 NOOP\r\n")
	c.until("i1", "IDLE", "OK")
	c.until("i2", "NOOP", "OK")
	c.say("i3 IDLE\r\n")
	c.line()
	c.say("i4 NOOP\r\n")
	l := c.line()
	if !strings.HasPrefix(l, "i3 BAD") && !strings.HasPrefix(l, "* BYE") {
		t.Fatalf("a command where DONE belongs: %q", l)
	}
}

func TestSelectedMailboxGoes(t *testing.T) {
	s := serve(t, open(t))
	a, b := s.login("pegawai1"), s.login("pegawai1")
	a.do("CREATE sementara", "OK")
	a.do("SELECT sementara", "OK")
	b.do("DELETE sementara", "OK")
	a.say("x NOOP\r\n")
	// RFC 2180 section 3.3: end it with BYE, or go on without a mailbox. Never a panic.
	if l := a.line(); !strings.HasPrefix(l, "* BYE") && !strings.HasPrefix(l, "* OK [CLOSED]") && !strings.HasPrefix(l, "x ") {
		t.Fatalf("NOOP in a mailbox that is gone: %q", l)
	}
}

// MOVE tells of the copies before anything goes (RFC 6851 section 4.3).
func TestMoveInOrder(t *testing.T) {
	s := serve(t, open(t))
	c := s.login("pegawai1")
	for i := range 3 {
		c.add("INBOX", surat(fmt.Sprint("surat ", i), "isi"))
	}
	c.do("SELECT INBOX", "OK")
	said := c.do("UID MOVE 1:2 Archive", "OK")
	has(t, said, `\* OK \[COPYUID \d+ 1:2 1:2\].*`)
	code := 0
	for i, l := range said {
		if strings.Contains(l, "COPYUID") {
			code = i
		} else if strings.HasSuffix(l, "EXPUNGE") && i < code {
			t.Fatalf("EXPUNGE before COPYUID in %q", said)
		}
	}
	has(t, said, `\* 1 EXPUNGE`)
	has(t, c.do("STATUS Archive (MESSAGES SIZE)", "OK"), `\* STATUS Archive \(MESSAGES 2 SIZE \d+\)`)
	c.do("COPY 1 tiada", "NO [TRYCREATE]")
	has(t, c.do("COPY 1 Archive", "OK"), `OK \[COPYUID \d+ 3 3\].*`)
}

// What is APPENDed to the mailbox that is open is shown before the answer.
func TestAppendToTheOpenMailbox(t *testing.T) {
	s := serve(t, open(t))
	c := s.login("pegawai1")
	c.do("SELECT INBOX", "OK")
	m := surat("satu", "isi")
	said := c.do(fmt.Sprintf("APPEND INBOX (\\Seen $x) \"01-Feb-2024 10:00:00 +0800\" {%d+}\r\n%s", len(m), m), "OK [APPENDUID")
	has(t, said, `\* 1 EXISTS`)
	has(t, c.do("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)", "OK"),
		fmt.Sprintf(`\* 1 FETCH \(FLAGS \(\\Seen \$x\) INTERNALDATE "01-Feb-2024 02:00:00 \+0000" RFC822.SIZE %d\)`, len(m)))
}
