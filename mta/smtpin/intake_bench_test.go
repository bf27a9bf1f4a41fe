package smtpin

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/guard"
	"sampul/mta/filter"
	"sampul/store"
)

// What the stages around policy and store cost by themselves: the fakes behind them take
// no time, so that differences look larger here than in a suite.
func BenchmarkIntake(b *testing.B) {
	zone := dnstest.Serve(b, "2.0.0.127.bl.test. A 127.0.0.2\n")
	o := DefaultDefence()
	many := guard.Rate{Max: 1 << 30, Per: time.Minute}
	o.Address.Connections, o.Address.Messages = many, many
	o.Network.Connections, o.Network.Messages = many, many
	o.Lists = []List{{Zone: "bl.test", Score: 5}}
	deps := func() DefenceDeps {
		return DefenceDeps{Resolver: dns.New(zone), OurDomains: func() []string { return []string{"agensi-a.test", "agensi-b.test"} }}
	}
	for _, bb := range []struct {
		name string
		deps Deps
	}{
		{"plain", Deps{Store: &fake{}}},
		{"defended", Deps{Store: &fake{}, Defence: NewDefence(o, deps()), Router: routes, LoopSecret: []byte("x"), Trace: forgetful{},
			Filters: passing{}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			f := &fake{}
			bb.deps.Store = f
			addr, _ := startWith(b, Config{Kind: MX, MaxMessages: 1 << 30}, bb.deps)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			d := &talk{b, c, bufio.NewReader(c)}
			d.ask("", "220")
			d.ask("EHLO luar.test", "250")
			msg := "From: a@luar.test\r\nSubject: a\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 50) + ".\r\n"
			b.ResetTimer()
			for range b.N {
				io.WriteString(c, "MAIL FROM:<a@luar.test>\r\nRCPT TO:<pegawai1@agensi-a.test>\r\nDATA\r\n")
				d.ask("", "250")
				d.ask("", "250")
				d.ask("", "354")
				io.WriteString(c, msg)
				d.ask("", "250")
				f.got = f.got[:0]
			}
		})
	}
}

// forgetful is a trace that keeps nothing.
type forgetful struct{}

func (forgetful) Note(store.Event) {}

// passing is filters that have nothing to say.
type passing struct{}

func (passing) Run(context.Context, *filter.Mail) (*filter.Outcome, error) {
	return &filter.Outcome{}, nil
}
