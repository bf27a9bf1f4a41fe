package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sampul/internal/dkim"
	"sampul/internal/dnstest"
)

// messages is a number of messages, as wanted or by the environment: a quick look takes fewer.
func messages(b *testing.B, name string, otherwise int) int {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		b.Fatalf("%s=%s: a number of messages", name, v)
	}
	return n
}

// text of so many octets, as it goes over the wire.
func text(n int) []byte {
	head := "From: <pengirim@luar.test>\r\nTo: <penerima@jauh.test>\r\nSubject: ukuran\r\nDate: Wed, 25 Nov 2026 08:00:00 +0800\r\nMessage-ID: <1@luar.test>\r\n\r\n"
	return []byte(head + strings.Repeat("satu baris surat yang biasa sahaja panjangnya\r\n", max(n-len(head), 0)/47) + ".\r\n")
}

// demoRouted starts a demo with a domain for each address.
func demoRouted(b *testing.B, routes map[string]string, args ...string) *running {
	b.Helper()
	r := startDemo(b, append([]string{"--dir", b.TempDir()}, args...)...)
	r.do("agency", "add", "relay")
	for domain, to := range routes {
		r.do("domain", "add", domain, "--agency", "relay")
		r.do("domain", "route", domain, "smarthost", to, "--tls", "none")
	}
	return r
}

// fill queues n messages for a domain.
func fill(b *testing.B, r *running, n int, domain string) {
	b.Helper()
	small := text(1000)
	took := load(b, r.MX, 16, n, func(i int) (string, string) { return "pengirim@luar.test", fmt.Sprintf("p%d@%s", i%5000, domain) },
		func(int) []byte { return small })
	b.Logf("%d messages queued in %.1f s", n, took.Seconds())
}

// closedPort is an address that refuses.
func closedPort(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// silentPort is an address that takes connections and never says a word.
func silentPort(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// inTurn lets two servers work in turn, the other one standing still, and gives the
// median rates, and the median of the second's share of the first.
func inTurn(rounds, n int, r [2]*running, work func(which, round int) time.Duration) (rate, cost [2]float64, share float64) {
	var rates, costs [2][]float64
	var shares []float64
	for round := range rounds {
		var now [2]float64
		for k := range r {
			which := (k + round) % 2
			thaw := r[1-which].freeze()
			before := r[which].cpu()
			now[which] = float64(n) / work(which, round).Seconds()
			costs[which] = append(costs[which], float64((r[which].cpu()-before).Microseconds())/float64(n))
			thaw()
			rates[which] = append(rates[which], now[which])
		}
		shares = append(shares, now[1]/now[0])
	}
	for which := range r {
		rate[which], cost[which] = median(rates[which]), median(costs[which])
	}
	return rate, cost, median(shares)
}

// BenchmarkDeadDestination: 100,000 messages (QUEUED) for a destination that refuses or
// keeps silent, beside mail for one that lives; an empty queue does the same in turn.
// kept/% is the share of the rate that is left, 90 at least.
func BenchmarkDeadDestination(b *testing.B) {
	queued, n := messages(b, "QUEUED", 100_000), messages(b, "COUNT", 5000)
	for name, dead := range map[string]func(*testing.B) string{"refused": closedPort, "silent": silentPort} {
		b.Run(name, func(b *testing.B) {
			s := newSink(b)
			routes := map[string]string{"hidup.test": s.address, "mati.test": dead(b)}
			servers := [2]*running{demoRouted(b, routes), demoRouted(b, routes)}
			fill(b, servers[1], queued, "mati.test")
			letter := text(4096)
			for b.Loop() {
				rate, cost, share := inTurn(7, n, servers, func(which, _ int) time.Duration {
					return s.relay(b, servers[which], 16, n, "a@hidup.test", letter)
				})
				b.ReportMetric(rate[0], "empty-msg/s")
				b.ReportMetric(rate[1], "queued-msg/s")
				b.ReportMetric(cost[0], "empty-µs/msg")
				b.ReportMetric(cost[1], "queued-µs/msg")
				b.ReportMetric(100*share, "kept/%")
			}
		})
	}
}

// BenchmarkLongQueue: a queue of 200,000 (QUEUED) after a restart: until it is ready, the
// memory of the process, and what administrators' commands take.
func BenchmarkLongQueue(b *testing.B) {
	queued := messages(b, "QUEUED", 200_000)
	for b.Loop() {
		dir := b.TempDir()
		r := startDemo(b, "--dir", dir)
		memory := func(when string) {
			pss, anonymous := r.memory()
			b.ReportMetric(pss, when+"-MB")
			b.ReportMetric(anonymous, when+"-anon-MB")
		}
		r.do("agency", "add", "relay")
		to := closedPort(b)
		for i := range 40 {
			d := fmt.Sprintf("mati%d.test", i)
			r.do("domain", "add", d, "--agency", "relay")
			r.do("domain", "route", d, "smarthost", to, "--tls", "none")
		}
		for i := range 40 {
			fill(b, r, queued/40, fmt.Sprintf("mati%d.test", i))
		}
		memory("filled")
		time.Sleep(10 * time.Second) // what the burst left is given back
		memory("calm")
		r.terminate()
		began := time.Now()
		r = startDemo(b, "--dir", dir)
		b.ReportMetric(time.Since(began).Seconds(), "ready-s")
		memory("ready")
		took := func(what string, want int, args ...string) {
			began := time.Now()
			out := r.do(args...)
			b.ReportMetric(time.Since(began).Seconds(), what+"-s")
			if got := strings.Count(out, "\n"); want > 0 && got != want {
				b.Fatalf("%s: %d lines, not %d", strings.Join(args, " "), got, want)
			}
		}
		took("list", queued/40*40, "queue", "list", "--json")
		took("find", 0, "queue", "list", "--to", "p7@mati3.test", "--json")
		took("hold", 0, "queue", "hold", "--to", "@mati3.test", "--reason", "ukur")
		took("release", 0, "queue", "release", "--to", "@mati3.test")
		memory("after")
		r.terminate()
	}
}

// BenchmarkAuthenticatedIntake: letters of 4 KB signed with RSA-2048, from a domain with
// SPF and DMARC, to a mailbox: with all authentication and without. kept/% is the share
// of the rate that is left, 70 at least.
func BenchmarkAuthenticatedIntake(b *testing.B) {
	n := messages(b, "COUNT", 5000)
	zone := dnstest.New(b, `
jauh.test. IN TXT "v=spf1 ip4:127.0.0.0/8 -all"
jauh.test. IN MX 10 mx.jauh.test.
mx.jauh.test. IN A 127.0.0.1
1.0.0.127.in-addr.arpa. IN PTR mx.jauh.test.
_dmarc.jauh.test. IN TXT "v=DMARC1; p=reject"
`)
	letters := signedLetters(b, zone, 1000)
	for _, connections := range []int{8, 32} {
		b.Run(strconv.Itoa(connections), func(b *testing.B) {
			servers := [2]*running{startDemo(b, "--dir", b.TempDir()), startDemo(b, "--dir", b.TempDir(), "--resolver", zone.Addr)}
			officer := servers[0].Accounts[0].Address
			for b.Loop() {
				rate, cost, share := inTurn(7, n, servers, func(which, _ int) time.Duration {
					return load(b, servers[which].MX, connections, n, func(int) (string, string) { return "orang@jauh.test", officer },
						func(i int) []byte { return letters[i%len(letters)] })
				})
				b.ReportMetric(rate[0], "without-msg/s")
				b.ReportMetric(rate[1], "with-msg/s")
				b.ReportMetric(cost[0], "without-µs/msg")
				b.ReportMetric(cost[1], "with-µs/msg")
				b.ReportMetric(100*share, "kept/%")
			}
			if !servers[1].metric(`sampul_authentication_results_total{method="dmarc",result="pass"}`) {
				b.Fatal("no message passed DMARC: nothing was measured")
			}
		})
	}
}

// signedLetters are n different letters of 4 KB from jauh.test, as they go over the wire.
func signedLetters(b *testing.B, zone *dnstest.Zone, n int) [][]byte {
	b.Helper()
	pkcs8, err := dkim.Generate(dkim.RSA)
	if err != nil {
		b.Fatal(err)
	}
	key, err := dkim.NewKey("jauh.test", "s", pkcs8)
	if err != nil {
		b.Fatal(err)
	}
	record, err := key.Record()
	if err != nil {
		b.Fatal(err)
	}
	zone.Add(fmt.Sprintf("%s. IN TXT \"%s\" \"%s\"", key.Name(), record[:200], record[200:]))
	out := make([][]byte, n)
	for i := range out {
		letter := fmt.Sprintf("From: Orang <orang@jauh.test>\r\nTo: <pegawai1@agensi-a.test>\r\nSubject: surat %d\r\n"+
			"Date: %s\r\nMessage-ID: <%d@jauh.test>\r\n\r\n%s", i, time.Now().Format(time.RFC1123Z), i,
			strings.Repeat(fmt.Sprintf("baris surat nombor %06d yang biasa panjangnya\r\n", i), 80))
		fields, err := dkim.Sign(strings.NewReader(letter), []dkim.Key{key}, dkim.SignOptions{Now: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		out[i] = []byte(string(fields) + letter + ".\r\n")
	}
	return out
}
