package imapd_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sampul/internal/dialogue"
)

// FuzzSession sends anything at all after a login. The server must answer or hang up,
// and never panic; whatever came, the next client is served, and every line that was
// said is one that a client can read.
func FuzzSession(f *testing.F) {
	seeds := 0
	files, _ := filepath.Glob("testdata/outside/*.txtar")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var said bytes.Buffer
		for line := range strings.Lines(dialogue.Sections(b)["dialogue"]) {
			if text, ok := strings.CutPrefix(line, "C: "); ok && !strings.Contains(text, "LOGIN") {
				said.WriteString(strings.TrimSuffix(text, "\n") + "\r\n")
			}
		}
		f.Add(said.Bytes())
		seeds++
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Add([]byte("a APPEND INBOX {10+}\r\nFrom: a\r\n\r\n\r\nb SELECT INBOX\r\nc FETCH 1:* (BODY[] BINARY.SIZE[1] BODYSTRUCTURE BODY)\r\n"))
	f.Add([]byte("a IDLE\r\nDONE\r\nb XYZZY {99999999999999999999+}\r\n"))
	s := serve(f, open(f))
	s.deliver("pegawai1", "INBOX", "Return-Path: <>\r\n", surat("satu", "isi"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 100000 {
			return
		}
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			io.WriteString(conn, "l LOGIN pegawai1@agensi-a.test \""+password+"\"\r\n")
			conn.Write(in)
			conn.(*net.TCPConn).CloseWrite()
		}()
		out, err := io.ReadAll(conn)
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("hangs after %q, having said %q", in, out)
		}
		if !bytes.Contains(out, []byte("\r\nl OK ")) && err == nil {
			t.Fatalf("no login: %q", out)
		}
		if err == nil && len(out) > 0 && !bytes.HasSuffix(out, []byte("\r\n")) {
			t.Fatalf("half a line: %q", out)
		}
	})
}
