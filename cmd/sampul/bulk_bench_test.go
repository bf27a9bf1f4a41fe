package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sampul/internal/seal"
	"sampul/relay"
	"sampul/store"
	"sampul/store/bolt"
)

// noticeText is the text of a message from somebody, as it goes over the wire.
func noticeText(from string, octets int) func(int) []byte {
	filler := strings.Repeat("satu baris notis yang biasa sahaja panjangnya\r\n", max(octets-250, 0)/47)
	return func(i int) []byte {
		return fmt.Appendf(nil, "From: <%s>\r\nTo: <penerima@agensi-a.test>\r\nSubject: notis %d\r\nDate: Wed, 25 Nov 2026 08:00:00 +0800\r\n"+
			"Message-ID: <n%d.%d@agensi-a.test>\r\nX-Sampul-Run: ukur\r\n\r\n%s.\r\n", from, i, i, time.Now().UnixNano(), filler)
	}
}

// suppressed are n addresses that an application no longer writes to.
func suppressed(b *testing.B, st store.Suppressions, app, agency string, n int) {
	b.Helper()
	all := make([]store.Suppression, n)
	for i := range all {
		all[i] = store.Suppression{Sender: app, Agency: agency, Address: fmt.Sprintf("lama%d@luar.test", i), Kind: store.SuppressHard}
	}
	if err := st.AddSuppressions(context.Background(), store.System, all); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTicket: all that the relay asks for one message of one recipient, with quotas,
// hours, networks and a list of 10,000 suppressed addresses: under 5 µs.
func BenchmarkTicket(b *testing.B) {
	dir := b.TempDir()
	key := filepath.Join(b.TempDir(), "key")
	if _, err := seal.EnsureKeyFile(key); err != nil {
		b.Fatal(err)
	}
	st, err := bolt.Open(b.Context(), bolt.Options{Dir: dir, KeyFile: key})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	d := &demoDirectory{ctx: b.Context(), st: st, now: time.Now()}
	d.agency("agensi-a.test")
	d.account(store.Account{Address: "notis@agensi-a.test", Agency: "agensi-a", Kind: store.Application}, "")
	d.application("notis@agensi-a.test", "ucadmin@agensi-a.test")
	if d.err != nil {
		b.Fatal(d.err)
	}
	app, err := st.AppNamed(b.Context(), store.System, "notis@agensi-a.test")
	if err != nil {
		b.Fatal(err)
	}
	app.Quota = map[string]uint64{store.WindowMinute: 1e9, store.WindowHour: 1e9, store.WindowDay: 1e9, store.WindowMonth: 1e9}
	app.Hours, app.Networks = "00-24", []string{"127.0.0.0/8"}
	if _, err := st.PutApp(b.Context(), store.System, *app, "ukur"); err != nil {
		b.Fatal(err)
	}
	suppressed(b, st, app.Address, "agensi-a", 10_000)
	r, err := relay.New(relay.Deps{Store: st, Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	to := make([]string, 1000)
	for i := range to {
		to[i] = fmt.Sprintf("orang%d@luar.test", i)
	}
	client := relay.Client{IP: netip.MustParseAddr("127.0.0.1")}
	header := &relay.Header{From: []string{app.Address}, Run: []string{"ukur"}, Size: 4096}
	ctx := b.Context()
	i := 0
	b.ReportAllocs()
	before := ownCPU(b)
	for b.Loop() {
		i++
		t, err := r.Begin(ctx, app.Account, client, app.Address, 4096)
		if err == nil {
			err = t.Recipient(ctx, to[i%len(to)], "", false, 1)
		}
		if err == nil {
			err = t.Message(header)
		}
		if err == nil {
			_, err = t.Accept(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
		t.Done()
	}
	b.ReportMetric(float64((ownCPU(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") // whoever else is busy
}

// ownCPU is the processor time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRelayRules: messages of one recipient (COUNT a round) through submission over 16
// connections, of an application with quotas, hours, a network and 10,000 suppressed
// addresses, and in turn of an officer, whom no rule of the relay concerns. kept/% is the
// application's share of the officer's rate, 80 at least.
func BenchmarkRelayRules(b *testing.B) {
	n := messages(b, "COUNT", 5000)
	args := []string{"--plaintext-login", "--officers", "100"}
	dir := b.TempDir()
	first := startDemo(b, append(args, "--dir", dir)...)
	app := first.app0()
	first.do("app", "set", app, "--quota", "minute=1000000000", "--quota", "hour=1000000000", "--quota", "day=1000000000", "--hours", "00-24", "--network", "127.0.0.0/8")
	first.terminate()
	t := &target{dir: dir}
	st, err := t.openStore(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	suppressed(b, st, app, "agensi-a", 10_000)
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	servers := [2]*running{startDemo(b, append(args, "--dir", b.TempDir())...), startDemo(b, append(args, "--dir", dir)...)}
	officer := servers[0].account("pegawai1@agensi-a.test")
	who := [2]demoAccount{officer, servers[1].Application}
	for b.Loop() {
		rate, cost, share := inTurn(5, n, servers, func(which, _ int) time.Duration {
			from := who[which].Address
			return loadAs(b, &who[which], servers[which].Submission, 16, n,
				func(i int) (string, string) { return from, fmt.Sprintf("officer%04d@agensi-a.test", i%100) }, noticeText(from, 4096))
		})
		b.ReportMetric(rate[0], "officer-msg/s")
		b.ReportMetric(rate[1], "application-msg/s")
		b.ReportMetric(cost[0], "officer-µs/msg")
		b.ReportMetric(cost[1], "application-µs/msg")
		b.ReportMetric(100*share, "kept/%")
	}
}

// BenchmarkPeopleDuringBulk: an officer's message at a time, from MAIL until it is in the
// mailbox of another and until a server outside has it, alone and while an application sends
// 20,000 (BULK) over 16 connections, half to mailboxes here and half to the same server
// outside; all with the driver on the same cores. p99 during the run is to be at most the
// larger of 1.5 times that without, and 250 ms more.
func BenchmarkPeopleDuringBulk(b *testing.B) {
	bulk := messages(b, "BULK", 20_000)
	s := newSink(b)
	r := demoRouted(b, map[string]string{"jauh.test": s.address}, "--plaintext-login", "--officers", "100")
	app := r.app0()
	r.do("app", "set", app, "--quota", "hour=1000000000", "--quota", "day=1000000000")
	p := newPerson(b, r, s)
	for b.Loop() {
		var here, there []float64
		for range 500 {
			here, there = append(here, p.mailbox()), append(there, p.outside())
		}
		percentiles(b, "alone-mailbox", here)
		percentiles(b, "alone-outside", there)
		done := make(chan time.Duration)
		want := s.got.Load() - s.people.Load() + int64(bulk/2)
		go func() {
			done <- loadAs(b, &r.Application, r.Submission, 16, bulk, func(i int) (string, string) {
				if i%2 == 0 {
					return app, fmt.Sprintf("p%d@jauh.test", i)
				}
				return app, fmt.Sprintf("officer%04d@agensi-a.test", i%100)
			}, noticeText(app, 4096))
		}()
		here, there = nil, nil
		var taken time.Duration
		for taken == 0 || s.got.Load()-s.people.Load() < want {
			here, there = append(here, p.mailbox()), append(there, p.outside())
			select {
			case taken = <-done:
			default:
			}
		}
		percentiles(b, "bulk-mailbox", here)
		percentiles(b, "bulk-outside", there)
		b.ReportMetric(float64(bulk)/taken.Seconds(), "bulk-msg/s")
		b.ReportMetric(float64(len(here)), "samples")
	}
}

// percentiles gives the middle, the 99th and the last of a hundred.
func percentiles(b *testing.B, name string, ms []float64) {
	slices.Sort(ms)
	b.ReportMetric(ms[len(ms)/2], name+"-p50-ms")
	b.ReportMetric(ms[len(ms)*99/100], name+"-p99-ms")
	b.ReportMetric(ms[len(ms)-1], name+"-max-ms")
	if os.Getenv("SHOW") != "" {
		b.Logf("%s: %.1f", name, ms)
	}
}

// A person writes to one in the same agency, and to one outside.
type person struct {
	b       *testing.B
	r       *running
	s       *sink
	account demoAccount
	box     *polled
	n       int
}

func newPerson(b *testing.B, r *running, s *sink) *person {
	box := newPolled(b, r.account("pegawai2@agensi-a.test"), r.IMAP)
	return &person{b: b, r: r, s: s, account: r.account("pegawai1@agensi-a.test"), box: box, n: box.count}
}

func (p *person) send(to string) {
	from := p.account.Address
	loadAs(p.b, &p.account, p.r.Submission, 1, 1, func(int) (string, string) { return from, to }, noticeText(from, 4096))
}

// until waits for a condition, and gives milliseconds since began.
func (p *person) until(began time.Time, ok func() bool) float64 {
	for !ok() {
		if time.Since(began) > time.Minute {
			p.b.Fatal("a person's message does not arrive")
		}
		time.Sleep(200 * time.Microsecond)
	}
	return float64(time.Since(began).Microseconds()) / 1000
}

func (p *person) mailbox() float64 {
	p.n++
	began := time.Now()
	p.send("pegawai2@agensi-a.test")
	return p.until(began, func() bool { return p.box.exists() >= p.n })
}

func (p *person) outside() float64 {
	want := p.s.people.Load() + 1
	began := time.Now()
	p.send("kawan@jauh.test")
	return p.until(began, func() bool { return p.s.people.Load() >= want })
}

// polled is a mailbox that is open, and asked how many messages it has.
type polled struct {
	b     *testing.B
	c     net.Conn
	r     *bufio.Reader
	count int
}

func newPolled(b *testing.B, a demoAccount, address string) *polled {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	p := &polled{b: b, c: c, r: bufio.NewReader(c)}
	if _, err := p.r.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	p.command(fmt.Sprintf("LOGIN %s %q", a.Address, a.Password))
	p.command("SELECT INBOX")
	return p
}

// command sends one, and reads until its answer.
func (p *polled) command(line string) {
	p.c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(p.c, "a %s\r\n", line)
	for {
		got, err := p.r.ReadString('\n')
		if err != nil {
			p.b.Fatal(err)
		}
		if f := strings.Fields(got); len(f) == 3 && f[0] == "*" && f[2] == "EXISTS" {
			fmt.Sscan(f[1], &p.count)
		}
		if strings.HasPrefix(got, "a ") {
			if !strings.HasPrefix(got, "a OK") {
				p.b.Fatalf("%s: %s", line, got)
			}
			return
		}
	}
}

func (p *polled) exists() int {
	p.command("NOOP")
	return p.count
}
