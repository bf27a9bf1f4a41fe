package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"sampul/internal/gate"
	"sampul/store"
)

// Rows whose time is over are removed, and no others.
func TestQuarantineSweep(t *testing.T) {
	var now atomic.Int64
	now.Store(1700000000)
	e := mustOpen(t, t.TempDir(), func(o *Options) { o.Clock = func() time.Time { return time.Unix(now.Load(), 0) } })
	ctx := context.Background()
	text := []byte("Subject: x\r\n\r\nisi\r\n")
	for _, id := range []string{"Q1", "Q2"} {
		q := store.Quarantined{Agency: "agensi-a"}
		if id == "Q2" {
			q.Until = time.Unix(1700000000, 0).AddDate(0, 0, 20)
		}
		err := e.Quarantine(ctx, q, &store.Envelope{QueueID: id}, bytes.NewReader(text), gate.Mint(sha256.Sum256(text), gate.Quarantine, "", "", ""))
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := func() (n int) {
		err := e.queue.read(func(tx *bbolt.Tx) error {
			n = tx.Bucket(bucketQuarantine).Stats().KeyN
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		after time.Duration // since they came
		left  int
	}{{0, 2}, {store.QuarantineDays*24*time.Hour - time.Second, 2}, {store.QuarantineDays * 24 * time.Hour, 1}, {20 * 24 * time.Hour, 0}} {
		now.Store(1700000000 + int64(tt.after/time.Second))
		if err := e.expireQuarantine(ctx); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != tt.left {
			t.Fatalf("after %v there are %d rows, want %d", tt.after, n, tt.left)
		}
	}
}
