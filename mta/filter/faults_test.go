package filter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fault is a filter that misbehaves on its end of a connection.
type fault struct {
	name  string
	play  func(c net.Conn)
	err   string // what the log says of it; "" where sending fails as well as reading
	waits bool   // it takes the whole time
}

// drain reads whatever comes, as one that says nothing would.
func drain(c net.Conn) { io.Copy(io.Discard, c) }

// trickle sends one octet a second for ever.
func trickle(c net.Conn, octets string) {
	go drain(c)
	for i := 0; ; i++ {
		if _, err := c.Write([]byte{octets[i%len(octets)]}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// flood sends the same for ever, as fast as it is taken.
func flood(c net.Conn, s string) {
	go drain(c)
	for {
		if _, err := io.WriteString(c, s); err != nil {
			return
		}
	}
}

// send says something and then waits for the other side to hang up.
func send(c net.Conn, s string) {
	go io.WriteString(c, s)
	drain(c)
}

const refuseDial = "refuse"

var everybody = []fault{
	{"silent", drain, "no answer within", true},
	{"never reads", func(c net.Conn) { <-time.After(time.Hour) }, "no answer within", true},
	{"closes at once", func(net.Conn) {}, "", false},
	{refuseDial, nil, "connection refused", false},
}

var clamdFaults = append([]fault{
	{"slow trickle", func(c net.Conn) { trickle(c, "stream: OK ") }, "no answer within", true},
	{"garbage", func(c net.Conn) { send(c, "\xff\xfe\x00\x01") }, "clamd answered", false},
	{"huge reply", func(c net.Conn) { flood(c, "stream: OK") }, "more than 4096 octets", false},
	{"closes within its answer", func(c net.Conn) {
		go drain(c)
		io.WriteString(c, "stream: OK")
		c.Close()
	}, "within its answer", false},
	{"answers before the end", func(c net.Conn) {
		io.CopyN(io.Discard, c, 20)
		io.WriteString(c, "INSTREAM size limit exceeded. ERROR\x00")
	}, "StreamMaxLength", false},
}, everybody...)

const ok200 = "HTTP/1.1 200 OK\r\n"

// asked goes wrong once it was asked. An answer before the question would be another
// fault: HTTP's own, which may be seen or not.
func asked(play func(c net.Conn)) func(c net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			play(c)
		}
	}
}

var rspamdFaults = append([]fault{
	{"slow trickle", asked(func(c net.Conn) { trickle(c, ok200+"X-A: "+strings.Repeat("a", 1<<12)) }), "no answer within", true},
	{"trickles its answer", asked(func(c net.Conn) {
		go drain(c)
		io.WriteString(c, ok200+"Content-Length: 10000\r\n\r\n")
		trickle(c, " ")
	}), "no answer within", true},
	{"garbage", asked(func(c net.Conn) { send(c, "\xff\xfe\r\n\r\n") }), "", false},
	{"huge reply", asked(func(c net.Conn) {
		go drain(c)
		io.WriteString(c, ok200+"\r\n{")
		flood(c, strings.Repeat(" ", 4096))
	}), "more than 1048576 octets", false},
	{"endless header", asked(func(c net.Conn) {
		go drain(c)
		io.WriteString(c, ok200)
		flood(c, "X-A: "+strings.Repeat("a", 1000)+"\r\n")
	}), "", false},
	{"an error", asked(func(c net.Conn) { send(c, "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy") }), "503: busy", false},
	{"a redirect", asked(func(c net.Conn) {
		send(c, "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n")
	}), "302", false},
	{"no JSON", asked(func(c net.Conn) { send(c, ok200+"Content-Length: 6\r\n\r\n<html>") }), "no JSON object", false},
	{"a deep answer", asked(func(c net.Conn) {
		send(c, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", ok200, 1<<19, strings.Repeat("[", 1<<19)))
	}), "no JSON object", false},
	{"closes within its answer", asked(func(c net.Conn) {
		go drain(c)
		io.WriteString(c, ok200+"Content-Length: 100\r\n\r\n{\"action\":")
	}), "", false},
}, everybody...)

// negotiated is a milter that goes wrong after the negotiation.
func negotiated(play func(c net.Conn)) func(c net.Conn) {
	return func(c net.Conn) {
		if _, _, err := readPacket(c); err != nil {
			return
		}
		b := binary.BigEndian.AppendUint32([]byte("O"), 6)
		b = binary.BigEndian.AppendUint32(b, allActions)
		writePacket(c, string(binary.BigEndian.AppendUint32(b, 0)))
		play(c)
	}
}

// atEnd is a milter that goes wrong at the end of the message.
func atEnd(play func(c net.Conn)) func(c net.Conn) {
	return negotiated(func(c net.Conn) {
		for {
			code, _, err := readPacket(c)
			switch {
			case err != nil:
				return
			case code == 'E':
				play(c)
				return
			case code != 'D':
				writePacket(c, "c")
			}
		}
	})
}

// packet is one as it goes over the wire.
func packet(p string) string {
	var b bytes.Buffer
	writePacket(&b, p)
	return b.String()
}

var milterFaults = append([]fault{
	{"slow trickle", func(c net.Conn) { trickle(c, packet("O"+strings.Repeat("x", 1<<12))) }, "no answer within", true},
	{"silent after the negotiation", negotiated(drain), "no answer within", true},
	{"silent at the end", atEnd(drain), "no answer within", true},
	{"garbage", func(c net.Conn) { send(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "packet of", false},
	{"another answer than negotiation", func(c net.Conn) { send(c, packet("c")) }, "unexpected code", false},
	{"negotiates more than was offered", func(c net.Conn) {
		send(c, packet("O\x00\x00\x00\x06\xff\xff\xff\xff\x00\x00\x00\x00"))
	}, "unsupported actions", false},
	{"a packet of length zero", negotiated(func(c net.Conn) { send(c, "\x00\x00\x00\x00") }), "packet of 0 octets", false},
	{"one of length zero at the end", atEnd(func(c net.Conn) { send(c, "\x00\x00\x00\x00") }), "packet of 0 octets", false},
	{"a huge packet", negotiated(func(c net.Conn) { send(c, "\x1f\xff\xff\xff") }), "packet of 536870911 octets", false},
	{"endless progress", atEnd(func(c net.Conn) {
		go drain(c)
		for writePacket(c, "p") == nil {
			time.Sleep(time.Second)
		}
	}), "no answer within", true},
	{"endless progress at once", atEnd(func(c net.Conn) { flood(c, strings.Repeat(packet("p"), 1000)) }), "sends more than it may", false},
	{"an endless body", atEnd(func(c net.Conn) { flood(c, packet("b"+strings.Repeat("x", 1<<16-1))) }), "sends more than it may", false},
	{"endless header changes", atEnd(func(c net.Conn) { flood(c, packet("hX-A\x00"+strings.Repeat("x", 60000)+"\x00")) }), "sends more than it may", false},
	{"many header changes", atEnd(func(c net.Conn) { send(c, strings.Repeat(packet("hX-A\x001\x00"), maxEdits+1)+packet("c")) }), "too much", false},
	{"an unknown answer", atEnd(func(c net.Conn) { send(c, packet("z")) }), "unexpected code", false},
	{"a change cut short", atEnd(func(c net.Conn) { send(c, packet("m\x00")) }), "missing header index", false},
	{"a reply that is none", atEnd(func(c net.Conn) { send(c, packet("y999 x\x00")) }), "", false},
	{"a reply without text", atEnd(func(c net.Conn) { send(c, packet("y\x00")) }), "unexpected data length", false},
	{"closes at the end", atEnd(func(net.Conn) {}), "EOF", false},
}, everybody...)

// Whatever a filter does, the answer comes within its time, is that of the fail policy,
// and nothing is left behind: synctest fails when a goroutine stays.
func TestFaults(t *testing.T) {
	for kind, faults := range map[string][]fault{"clamd": clamdFaults, "rspamd": rspamdFaults, "milter": milterFaults} {
		for _, f := range faults {
			t.Run(kind+"/"+f.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const limit = 20 * time.Second
					var peers sync.WaitGroup
					dial := func(context.Context, string, string) (net.Conn, error) {
						if f.name == refuseDial {
							return nil, errors.New("connection refused")
						}
						ours, theirs := net.Pipe()
						peers.Go(func() {
							defer theirs.Close()
							f.play(theirs)
						})
						return ours, nil
					}
					c, log := chain(t, Options{Dial: dial, MaxBody: 1 << 20}, Config{Name: "rosak", Type: kind, Address: "unix:/rosak", Timeout: limit})
					began := time.Now()
					o := ask(t, c, mail("Subject: besar\n\n"+strings.Repeat("0123456\n", 50000)))
					took := time.Since(began)
					if o.Action != Tempfail || o.Code != 451 || o.Reason != "could not be asked" {
						t.Errorf("got %+v", o)
					}
					if !strings.Contains(log.String(), f.err) || strings.Contains(log.String(), "0123456") {
						t.Errorf("the log should say %q, and nothing of the message: %s", f.err, log)
					}
					if (took >= limit) != f.waits || took > limit {
						t.Errorf("it took %s of %s", took, limit)
					}
					c.Close()
					peers.Wait() // they end because our side hung up
				})
			})
		}
	}
}
