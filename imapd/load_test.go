package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"sampul/imapd"
	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
)

// fill appends n messages of about size octets, a thousand in a step.
func (s *suite) fill(n, size int) {
	s.t.Helper()
	a := s.people["pegawai1"]
	for n > 0 {
		batch := make([]store.Append, 0, 1000)
		for range min(n, 1000) {
			text := surat("Laporan bulanan bahagian", strings.Repeat("Perkara yang dibincang dalam mesyuarat itu adalah seperti berikut.\r\n", max(1, size/68)))
			b := []byte(text)
			batch = append(batch, store.Append{Body: bytes.NewReader(b), Index: message.Parse(b),
				Passed: gate.Mint(sha256.Sum256(b), gate.Mailbox, "TERBUKA", "t", "v")})
		}
		_, _, err := s.store.AppendMessages(context.Background(), store.System, a.ID, "INBOX", batch)
		s.ok(err)
		n -= len(batch)
	}
}

// drain reads to the tagged answer by looking for it at the end of what came, without
// looking into lines: the client must not be what is measured.
func drain(b testing.TB, c net.Conn, tag string) int64 {
	end := []byte("\r\n" + tag + " OK")
	buf := make([]byte, 256<<10)
	var total int64
	kept := 0
	for {
		n, err := c.Read(buf[kept:])
		if err != nil {
			b.Fatal(err)
		}
		total += int64(n)
		have := buf[:kept+n]
		if i := bytes.LastIndex(have, end); i >= 0 && have[len(have)-1] == '\n' {
			return total
		}
		kept = copy(buf, have[max(0, len(have)-200):])
	}
}

func benchFetch(b *testing.B, size int, command string) {
	s := serve(b, open(b))
	s.fill(10000, size)
	c := s.login("pegawai1")
	c.do("SELECT INBOX", "OK")
	c.SetDeadline(noDeadline)
	b.ReportAllocs()
	var octets int64
	for b.Loop() {
		c.say("b " + command + "\r\n")
		octets = drain(b, c.Conn, "b")
	}
	b.SetBytes(octets)
}

func BenchmarkFetchFlags(b *testing.B) { benchFetch(b, 100, "UID FETCH 1:* (FLAGS)") }
func BenchmarkFetchEnvelope(b *testing.B) {
	benchFetch(b, 100, "UID FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
}
func BenchmarkFetchHeaderFields(b *testing.B) {
	benchFetch(b, 100, "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject Date)])")
}
func BenchmarkFetchBodies(b *testing.B) { benchFetch(b, 10000, "UID FETCH 1:* (BODY.PEEK[])") }
func BenchmarkSearchFlags(b *testing.B) { benchFetch(b, 100, "UID SEARCH UNSEEN") }

// BenchmarkIdle reports what one idle connection holds, TLS and both its goroutines
// included; the client's half is in the number too, since both run here.
func BenchmarkIdle(b *testing.B) {
	for _, kind := range []string{"plain", "tls"} {
		b.Run(kind, func(b *testing.B) {
			cfg := open(b)
			if kind == "tls" {
				cfg = imapd.Config{Kind: imapd.IMAPS, TLS: certificate(b)}
			}
			s := serve(b, cfg)
			const n = 1000
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				conns := make([]net.Conn, n)
				for i := range conns {
					conns[i] = s.idler(kind == "tls")
				}
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&after)
				for _, c := range conns {
					c.Close()
				}
			}
			b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/n, "heap-B/conn")
			b.ReportMetric((float64(after.StackInuse)-float64(before.StackInuse))/n, "stack-B/conn")
		})
	}
}

func (s *suite) idler(secure bool) net.Conn {
	c, err := net.Dial("tcp", s.addr)
	s.ok(err)
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	r := bufio.NewReaderSize(c, 512)
	expect := func(prefix string) {
		for {
			l, err := r.ReadString('\n')
			s.ok(err)
			if strings.HasPrefix(l, prefix) {
				return
			}
		}
	}
	expect("* OK")
	for i, command := range []string{fmt.Sprintf("LOGIN pegawai1@agensi-a.test %q", password), "SELECT INBOX"} {
		_, err := io.WriteString(c, fmt.Sprintf("t%d %s\r\n", i, command))
		s.ok(err)
		expect(fmt.Sprintf("t%d OK", i))
	}
	_, err = io.WriteString(c, "i IDLE\r\n")
	s.ok(err)
	expect("+")
	return c
}
