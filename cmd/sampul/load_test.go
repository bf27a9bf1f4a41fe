package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What the benchmarks from the outside drive and measure a demo with: as little as can be
// between the clock and the server, since both share the machine.

// load sends n messages to address over so many connections, one message after another on
// each, and gives how long it took to the last 250. from and to make the envelope of the
// i-th, message its text, dot-stuffed and ended.
func load(b testing.TB, address string, connections, n int, envelope func(i int) (from, to string), message func(i int) []byte) time.Duration {
	b.Helper()
	return loadAs(b, nil, address, connections, n, envelope, message)
}

// loadAs is load by somebody who logs in.
func loadAs(b testing.TB, who *demoAccount, address string, connections, n int, envelope func(i int) (from, to string), message func(i int) []byte) time.Duration {
	b.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make(chan error, connections)
	began := time.Now()
	for range connections {
		workers.Go(func() {
			if err := loadOne(who, address, &next, n, envelope, message); err != nil {
				failed <- err
			}
		})
	}
	workers.Wait()
	took := time.Since(began)
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
	return took
}

func loadOne(who *demoAccount, address string, next *atomic.Int64, n int, envelope func(int) (string, string), message func(int) []byte) error {
	var c net.Conn
	var r *bufio.Reader
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for sent := 0; ; sent++ {
		i := int(next.Add(1)) - 1
		if i >= n {
			return nil
		}
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", address); err != nil {
				return err
			}
			r = bufio.NewReader(c)
			if err := expect(r, '2'); err != nil {
				return err
			}
			fmt.Fprint(c, "EHLO luar.test\r\n")
			if err := expect(r, '2'); err != nil {
				return err
			}
			if who != nil {
				fmt.Fprintf(c, "AUTH PLAIN %s\r\n", base64.StdEncoding.EncodeToString([]byte("\x00"+who.Address+"\x00"+who.Password)))
				if err := expect(r, '2'); err != nil {
					return err
				}
			}
		}
		c.SetDeadline(time.Now().Add(2 * time.Minute))
		from, to := envelope(i)
		fmt.Fprintf(c, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from, to)
		for _, want := range "223" {
			if err := expect(r, byte(want)); err != nil {
				return err
			}
		}
		if _, err := c.Write(message(i)); err != nil {
			return err
		}
		if err := expect(r, '2'); err != nil {
			return err
		}
		if sent%100 == 99 { // servers limit the messages of a connection
			c.Close()
			c = nil
		}
	}
}

// expect reads a reply, which must begin with a figure.
func expect(r *bufio.Reader, want byte) error {
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case len(line) < 4 || line[0] != want:
			return fmt.Errorf("the server said %q, not %c..", line, want)
		case line[3] == ' ':
			return nil
		}
	}
}

// A sink takes every message and counts.
type sink struct {
	address string
	got     atomic.Int64
	people  atomic.Int64 // of them those whose sender is an officer
}

func newSink(b testing.TB) *sink {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	s := &sink{address: ln.Addr().String()}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 16<<10), bufio.NewWriter(c)
	w.WriteString("220 sink.test ESMTP\r\n")
	data, person := false, false
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch {
		case data && string(line) == ".\r\n":
			data = false
			s.got.Add(1)
			if person {
				s.people.Add(1)
			}
			w.WriteString("250 2.0.0 taken\r\n")
		case data:
		case strings.HasPrefix(string(line), "EHLO"):
			w.WriteString("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
		case strings.HasPrefix(string(line), "MAIL"):
			person = strings.Contains(string(line), "<pegawai")
			w.WriteString("250 2.0.0 ok\r\n")
		case strings.HasPrefix(string(line), "DATA"):
			data = true
			w.WriteString("354 go ahead\r\n")
		case strings.HasPrefix(string(line), "QUIT"):
			w.WriteString("221 2.0.0 bye\r\n")
			w.Flush()
			return
		default:
			w.WriteString("250 2.0.0 ok\r\n")
		}
	}
}

// relay sends n messages to a domain that leads to the sink, and gives how long it took
// until all were there.
func (s *sink) relay(b testing.TB, r *running, connections, n int, to string, text []byte) time.Duration {
	b.Helper()
	want := s.got.Load() + int64(n)
	began := time.Now()
	load(b, r.MX, connections, n, func(int) (string, string) { return "pengirim@luar.test", to }, func(int) []byte { return text })
	deadline := began.Add(5 * time.Minute)
	for s.got.Load() < want {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d messages did not arrive", want-s.got.Load(), n)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// cpu is the processor time that the demo has used, user and system.
func (r *running) cpu() time.Duration {
	r.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(f[11]) // fields 14 and 15 of proc(5)
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory is the demo's in MB: all of it, where pages that it shares with others count in
// part, and what is no file's.
func (r *running) memory() (pss, anonymous float64) {
	r.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		kb, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "Pss:":
			pss = float64(kb) / 1000
		case "Anonymous:":
			anonymous = float64(kb) / 1000
		}
	}
	if pss == 0 {
		r.t.Fatal("no Pss in smaps_rollup")
	}
	return pss, anonymous
}

// freeze stops the demo's processor time, so that another can be measured; the result lets
// it go on.
func (r *running) freeze() (thaw func()) {
	r.cmd.Process.Signal(syscall.SIGSTOP)
	return func() { r.cmd.Process.Signal(syscall.SIGCONT) }
}
