package bolt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
	"sampul/store/bolt"
)

// benchStore has officers to receive.
func benchStore(b *testing.B, officers int) (*bolt.Engine, []*store.Account) {
	b.Helper()
	e := open(b, b.TempDir())
	b.Cleanup(func() { e.Close() })
	ctx := context.Background()
	if err := e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}); err != nil {
		b.Fatal(err)
	}
	if err := e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}); err != nil {
		b.Fatal(err)
	}
	var list []store.Account
	for i := range officers {
		list = append(list, store.Account{Address: officer(i), Agency: "agensi-a", Kind: store.Personal})
	}
	accounts, err := e.AddAccounts(ctx, store.System, list, "")
	if err != nil {
		b.Fatal(err)
	}
	return e, accounts
}

func benchLetter(size int) ([]byte, *message.Index, gate.Passed) {
	head := "From: Orang Luar <orang@luar.test>\r\nTo: <officer0@agensi-a.test>\r\nSubject: Mesyuarat bulanan\r\n" +
		"Date: Mon, 2 Nov 2026 10:00:00 +0800\r\nMessage-ID: <satu@luar.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	var body strings.Builder
	for i := 0; body.Len() < size-len(head); i++ {
		fmt.Fprintf(&body, "Baris %d daripada surat ini, %x.\r\n", i, sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	text := []byte(head + body.String()[:size-len(head)])
	return text, message.Parse(text), gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", "")
}

// BenchmarkAccept is intake until all is filed: durable, and visible.
func BenchmarkAccept(b *testing.B) {
	for _, clients := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			e, accounts := benchStore(b, 100)
			text, x, passed := benchLetter(4096)
			prefix := []byte("Received: from luar.test by agensi-a.test with ESMTPS id Q000000;\r\n\tMon, 2 Nov 2026 10:00:00 +0800\r\n")
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range clients {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						a := accounts[int(i)%len(accounts)]
						env := &store.Envelope{QueueID: fmt.Sprint("Q", i), From: "orang@luar.test", Received: time.Unix(1700000000, 0), Prefix: prefix,
							Recipients: []store.Recipient{{Path: a.Address, Account: a.ID, Agency: a.Agency}}}
						if err := e.Accept(context.Background(), env, bytes.NewReader(text), x, passed); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			for n, _, _ := e.Lag(); n > 0; n, _, _ = e.Lag() {
				<-time.After(100 * time.Microsecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// full fills a mailbox with n messages.
func full(b *testing.B, n int) (*bolt.Engine, *store.Account, store.Mailbox) {
	b.Helper()
	e, accounts := benchStore(b, 1)
	text, x, passed := benchLetter(2048)
	var msgs []store.Append
	for range min(n, 500) {
		msgs = append(msgs, store.Append{Body: bytes.NewReader(text), Index: x, Passed: passed})
	}
	for range n / len(msgs) {
		if _, _, err := e.AppendMessages(context.Background(), store.System, accounts[0].ID, "INBOX", msgs); err != nil {
			b.Fatal(err)
		}
	}
	m, err := e.OpenMailbox(context.Background(), store.System, accounts[0].ID, "INBOX")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	return e, accounts[0], m
}

func BenchmarkOpenMailbox10000(b *testing.B) {
	e, a, m := full(b, 10000)
	m.Close()
	for b.Loop() {
		m, err := e.OpenMailbox(context.Background(), store.System, a.ID, "INBOX")
		if err != nil || len(m.Snapshot().States) != 10000 {
			b.Fatal(err)
		}
		m.Close()
	}
}

func BenchmarkEachFacts10000(b *testing.B) {
	e, _, m := full(b, 10000)
	uids := all(m)
	for b.Loop() {
		n := 0
		err := e.EachFacts(context.Background(), store.System, m, uids, func(*store.Facts) error { n++; return nil })
		if err != nil || n != 10000 {
			b.Fatal(n, err)
		}
	}
}

func all(m store.Mailbox) (uids []store.UID) {
	for _, s := range m.Snapshot().States {
		uids = append(uids, s.UID)
	}
	return uids
}

func BenchmarkStoreFlags10000(b *testing.B) {
	e, _, m := full(b, 10000)
	uids := all(m)
	op := store.FlagsAdd
	for b.Loop() {
		if _, err := e.StoreFlags(context.Background(), store.System, m, uids, op, store.FlagSeen, nil, 0); err != nil {
			b.Fatal(err)
		}
		op = store.FlagsAdd + store.FlagsRemove - op
	}
}

func BenchmarkAppend8(b *testing.B) {
	e, accounts := benchStore(b, 8)
	text, x, passed := benchLetter(10 << 10)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range 8 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				_, _, err := e.AppendMessages(context.Background(), store.System, accounts[w].ID, "INBOX",
					[]store.Append{{Body: bytes.NewReader(text), Index: x, Passed: passed}})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
