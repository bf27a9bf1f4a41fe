package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/store"
	"sampul/store/journal"
)

// manyQueued makes a store with n entries in queue.db, as they are after a try each.
func manyQueued(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	e, err := Open(context.Background(), Options{Dir: dir, Key: testKey, Reserve: 1, Shards: 2})
	if err != nil {
		b.Fatal(err)
	}
	prefix := []byte("Received: from luar.test ([192.0.2.1]) by mail.agensi-a.test with ESMTPS id Q000000;\r\n\tMon, 2 Nov 2026 10:00:00 +0800\r\n")
	for at := 0; at < n; at += 10_000 {
		err := e.queue.update(context.Background(), func(t *txn) error {
			for i := at; i < min(n, at+10_000); i++ {
				a := &accepted{ref: journal.BodyRef{ID: newBodyID(), Segment: 1, First: 4096, Size: 4096, Stored: 4200},
					env: store.Envelope{QueueID: fmt.Sprintf("%012d", i*7919%n), From: fmt.Sprintf("pegawai%d@agensi-a.test", i%5000), Prefix: prefix,
						Received: time.Unix(1700000000, int64(i)), Class: "TERBUKA", VerdictID: "V-2222-222",
						Recipients: []store.Recipient{{Path: fmt.Sprintf("penerima%d@jauh%d.test", i, i%50), Agency: "agensi-a"}}}}
				row := rowOf(a, "")
				row.rcpts[0].tried(&store.Outcome{NextTry: time.Unix(1700003600, 0), Code: 451, Enhanced: "4.4.1", TLS: "none",
					Text: "connection timed out", Remote: fmt.Sprintf("mx.jauh%d.test[192.0.2.9]:25", i%50)})
				if err := e.putQueueRow(t, row, row.id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkQueue200000 is a start with a long queue, and what an administrator does to it.
func BenchmarkQueue200000(b *testing.B) {
	const n = 200_000
	dir := manyQueued(b, n)
	before := heap()
	var e *Engine
	took := func(what string, f func()) {
		began := time.Now()
		f()
		b.ReportMetric(time.Since(began).Seconds(), what)
	}
	for b.Loop() {
		if e != nil {
			e.Close()
		}
		var err error
		if e, err = Open(context.Background(), Options{Dir: dir, Key: testKey, Reserve: 1}); err != nil {
			b.Fatal(err)
		}
		if e.queued.len() != n {
			b.Fatalf("%d entries", e.queued.len())
		}
	}
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
	ctx := context.Background()
	count := func(want int) func(int, error) {
		return func(got int, err error) {
			if got != want || err != nil {
				b.Fatalf("%d of %d, %v", got, want, err)
			}
		}
	}
	took("s/list", func() {
		got := 0
		for after := ""; ; {
			page, err := e.QueueList(ctx, store.System, store.QueueFilter{}, after, 1000)
			if err != nil {
				b.Fatal(err)
			}
			if got += len(page); len(page) < 1000 {
				break
			}
			after = page[999].ID
		}
		count(n)(got, nil)
	})
	took("s/filter", func() {
		list, err := e.QueueList(ctx, store.System, store.QueueFilter{To: "@jauh7.test", From: "pegawai7@agensi-a.test"}, "", 1000)
		if err != nil || len(list) == 0 {
			b.Fatalf("%d, %v", len(list), err)
		}
	})
	took("s/hold", func() { count(n)(e.QueueHold(ctx, store.System, store.QueueFilter{}, "x")) })
	took("s/release", func() { count(n)(e.QueueRelease(ctx, store.System, store.QueueFilter{})) })
	took("s/drop", func() { count(n / 50)(e.QueueDrop(ctx, store.System, store.QueueFilter{To: "@jauh7.test"})) })
	took("s/close", func() { e.Close() })
}

// BenchmarkRelay is the store's part of relaying 4 KB: accepted durably, read, done.
func BenchmarkRelay(b *testing.B) {
	for _, clients := range []int{8, 32, 128} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			e, err := Open(context.Background(), Options{Dir: b.TempDir(), Key: testKey, Reserve: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			ctx := context.Background()
			text := []byte("From: <orang@luar.test>\r\nSubject: Mesyuarat\r\nMessage-ID: <satu@luar.test>\r\n\r\n")
			for i := 0; len(text) < 4000; i++ {
				text = fmt.Appendf(text, "Baris %d daripada surat ini, %x.\r\n", i, sha256.Sum256([]byte{byte(i)}))
			}
			x, passed := message.Parse(text), gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", "")
			todo := make(chan store.QueueEntry, 1<<20)
			e.QueueWatch(func(q store.QueueEntry) {
				if len(q.Recipients) > 0 {
					todo <- q
				}
			})
			var next, sent atomic.Int64
			var in, out sync.WaitGroup
			for range 20 {
				out.Go(func() {
					for q := range todo {
						var sink strings.Builder
						body, err := e.OpenQueueBody(ctx, q.ID)
						if err == nil {
							err = body.WriteRange(&sink, 0, body.Size())
						}
						if err == nil {
							_, err = e.QueueEnvelope(ctx, q.ID)
						}
						if err == nil {
							err = e.QueueDone(ctx, q.ID, []store.Outcome{{Recipient: q.Recipients[0].Address, Done: true, Code: 250}})
						}
						if err != nil {
							b.Error(err)
						}
						sent.Add(1)
					}
				})
			}
			b.ResetTimer()
			for range clients {
				in.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						env := &store.Envelope{QueueID: fmt.Sprint("Q", i), From: "orang@luar.test", Received: time.Unix(1700000000, 0),
							Prefix:     []byte("Received: from luar.test by agensi-a.test with ESMTPS id Q000000;\r\n\tMon, 2 Nov 2026 10:00:00 +0800\r\n"),
							Recipients: []store.Recipient{{Path: "a@jauh.test"}}}
						if err := e.Accept(ctx, env, bytes.NewReader(text), x, passed); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			in.Wait()
			close(todo)
			out.Wait()
			b.StopTimer()
			if sent.Load() != int64(b.N) || e.queued.len() != 0 {
				b.Fatalf("%d of %d were sent, %d are left", sent.Load(), b.N, e.queued.len())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}
