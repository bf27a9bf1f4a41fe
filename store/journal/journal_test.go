package journal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

type testKeys struct{}

func (testKeys) Segment(salt []byte) (cipher.AEAD, error) {
	key := sha256.Sum256(append([]byte("test key"), salt...))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func open(t testing.TB, d *disk, change func(*Options)) *Journal {
	t.Helper()
	o := Options{Dir: "j", Keys: testKeys{}, FS: d, SegmentSize: 256 << 10, Fill: 64 << 10,
		OnAlarm: func(err error) { t.Errorf("alarm: %v", err) }}
	if change != nil {
		change(&o)
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// A load is what workers were told is durable, by the name they gave it.
type load struct {
	mu    sync.Mutex
	acked map[uint64]uint64 // name: sequence
	seqs  map[uint64]bool   // all that were ever given
}

func newLoad() *load { return &load{acked: map[uint64]uint64{}, seqs: map[uint64]bool{}} }

func nameField(name uint64) Field { return Field{1, binary.BigEndian.AppendUint64(nil, name)} }

func content(name uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, name)))
	r.Read(b[:n/2]) // half of it can be compressed
	return b
}

// run appends until the journal refuses, or n records are durable.
func (l *load) run(t *testing.T, j *Journal, worker, n int) {
	for i := range n {
		name := j.Epoch()<<32 | uint64(worker)<<16 | uint64(i)
		size := []int{10, 700, 5000, 70_000}[i%4]
		if worker == 0 && i%8 == 5 {
			size = frameSize + 1000*i // several frames
		}
		var id ID
		binary.BigEndian.PutUint64(id[:], name)
		body := content(name, size)
		var rec Record
		var err error
		if i%5 == 0 {
			rec, err = j.Append(context.Background(), Append, []Field{nameField(name)})
		} else {
			rec, err = j.Commit(context.Background(), id, bytes.NewReader(body), int64(size), Accept,
				func(ref BodyRef, sum [32]byte) ([]Field, error) {
					if sum != sha256.Sum256(body) {
						t.Error("another sum")
					}
					b, err := ref.AppendBinary(nil)
					return []Field{nameField(name), {2, b}, {2, sum[:]}}, err
				})
		}
		if err != nil {
			if !errors.Is(err, ErrFailed) && !errors.Is(err, ErrClosed) {
				t.Errorf("append: %v", err)
			}
			return
		}
		l.mu.Lock()
		l.acked[name] = rec.Seq
		if l.seqs[rec.Seq] {
			t.Errorf("sequence %d was given twice", rec.Seq)
		}
		l.seqs[rec.Seq] = true
		l.mu.Unlock()
	}
}

// check replays everything: what was acknowledged is there, once, whole, in order.
func (l *load) check(t *testing.T, j *Journal) {
	t.Helper()
	seen := map[uint64]bool{}
	last := uint64(0)
	err := j.Replay(context.Background(), 0, func(r *Record) error {
		if r.Seq <= last {
			t.Errorf("record %d after %d", r.Seq, last)
		}
		last = r.Seq
		name := binary.BigEndian.Uint64(r.Field(1))
		if seen[name] {
			t.Errorf("record %x twice", name)
		}
		seen[name] = true
		if r.Type != Accept {
			return nil
		}
		ref, err := ParseBodyRef(r.Fields[1].Data)
		if err != nil {
			return err
		}
		b, err := j.OpenBody(ref)
		if err != nil {
			return err
		}
		defer b.Close()
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil {
			return fmt.Errorf("body of %x: %w", name, err)
		}
		if sum := sha256.Sum256(got); !bytes.Equal(sum[:], r.Fields[2].Data) || !bytes.Equal(got, content(name, len(got))) {
			t.Errorf("body of %x has changed", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, seq := range l.acked {
		if !seen[name] {
			t.Errorf("lost: record %x, sequence %d of %d", name, seq, last)
		}
	}
}

func together(n int, f func(worker int)) {
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

// Power is lost again and again at a random moment: nothing acknowledged is gone.
func TestPowerLoss(t *testing.T) {
	rounds := uint64(40)
	if testing.Short() {
		rounds = 8
	}
	for seed := range rounds {
		d := newDisk(seed)
		l := newLoad()
		for range 3 {
			j := open(t, d, nil)
			l.check(t, j)
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() { l.run(t, j, w, 20+int(seed)) })
			}
			for range seed % 5 {
				if _, err := j.AppendLazy(Done, []Field{nameField(rand.Uint64())}); err != nil {
					t.Fatal(err)
				}
			}
			if seed%2 == 0 {
				wg.Wait()
			}
			d.failSyncs(errIO) // from this instant on nothing becomes durable
			wg.Wait()
			j.Close() // ends its goroutines, as the end of the process does
			d.failSyncs(nil)
			d.losePower()
		}
		l.check(t, open(t, d, nil))
		if len(l.acked) == 0 && seed%2 == 0 {
			t.Fatal("nothing was acknowledged: this test tests nothing")
		}
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	d := newDisk(1)
	j := open(t, d, nil)
	l := newLoad()
	l.run(t, j, 1, 10)
	d.failSyncs(errIO)
	if _, err := j.Append(context.Background(), Append, []Field{nameField(7)}); !errors.Is(err, ErrFailed) || !errors.Is(err, errIO) {
		t.Fatalf("after a failed sync: %v", err)
	}
	<-j.Failed()
	d.failSyncs(nil) // a sync would succeed now, and prove nothing
	if _, err := j.Append(context.Background(), Append, []Field{nameField(8)}); !errors.Is(err, ErrFailed) {
		t.Fatalf("a failed journal took a record: %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close hides the failure: %v", err)
	}
	// The process is killed, power stays: memory shows what the disk never got.
	j = open(t, d, nil)
	l.check(t, j)
	_ = j.Replay(context.Background(), 0, func(r *Record) error {
		if binary.BigEndian.Uint64(r.Field(1)) == 7 {
			t.Error("what the disk never got was read from memory")
		}
		return nil
	})
}

func TestFullDisk(t *testing.T) {
	d := newDisk(1)
	j := open(t, d, nil)
	l := newLoad()
	l.run(t, j, 1, 10)
	d.setRoom(50_000)
	var err error
	n := uint64(0)
	for ; n < 200 && err == nil; n++ {
		var rec Record
		name := 1<<60 | n
		if rec, err = j.Append(context.Background(), Append, []Field{nameField(name), {3, make([]byte, 9000)}}); err == nil {
			l.acked[name] = rec.Seq
		}
	}
	if !errors.Is(err, ErrFull) || j.Err() != nil {
		t.Fatalf("a full disk: %v after %d, journal %v", err, n, j.Err())
	}
	d.setRoom(-1)
	for err != nil { // recovers by itself: the filler tries again when asked
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		_, err = j.Append(context.Background(), Append, []Field{nameField(2 << 60)})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	l.check(t, open(t, d, nil))
}

// Damage is told, passed over, and harms nothing else.
func TestDamage(t *testing.T) {
	for _, at := range []int64{0, headerCopy, recordsStart, recordsStart + 9, recordsStart + 60, recordsStart + 100_000} {
		d := newDisk(1)
		j := open(t, d, nil)
		l := newLoad()
		l.run(t, j, 1, 30)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if !d.flip(j.segs.path(1), at) {
			t.Fatalf("no octet %d", at)
		}
		alarms := 0
		j = open(t, d, func(o *Options) { o.OnAlarm = func(error) { alarms++ } })
		reports := 0
		if err := j.Verify(context.Background(), func(err error) {
			if reports++; !errors.Is(err, ErrDamaged) {
				t.Errorf("report: %v", err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		found := 0
		if err := j.Replay(context.Background(), 0, func(*Record) error { found++; return nil }); err != nil {
			t.Fatal(err)
		}
		header := at < recordsStart // the other copy of the header is good
		if header != (reports == 0) || header != (alarms == 0) {
			t.Errorf("octet %d: %d alarms, %d reports", at, alarms, reports)
		}
		if found < 29 {
			t.Errorf("octet %d: one damaged record, %d of 30 found", at, found)
		}
	}
}

// A whole segment is gone: told as a range, the rest is read.
func TestMissingSegment(t *testing.T) {
	d := newDisk(1)
	j := open(t, d, nil)
	l := newLoad()
	l.run(t, j, 1, 120)
	if j.seg.Number < 4 {
		t.Fatalf("only %d segments", j.seg.Number)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	d.Remove(j.segs.path(2))
	var alarms []error
	j = open(t, d, func(o *Options) { o.OnAlarm = func(err error) { alarms = append(alarms, err) } })
	if err := j.Replay(context.Background(), 0, func(*Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var gap Damage
	if len(alarms) != 1 || !errors.As(alarms[0], &gap) || gap.To <= gap.From {
		t.Errorf("a missing segment: %v", alarms)
	}
}

func TestOrderOfHooks(t *testing.T) {
	d := newDisk(1)
	j := open(t, d, nil)
	var mu sync.Mutex
	var got []uint64
	j.OnDurable(func(recs []Record) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range recs {
			got = append(got, r.Seq)
		}
	})
	l := newLoad()
	together(6, func(w int) { l.run(t, j, w, 20) })
	if len(got) != 120 {
		t.Fatalf("%d records told of 120", len(got))
	}
	for i := range got[1:] {
		if got[i+1] <= got[i] {
			t.Fatalf("record %d told after %d", got[i+1], got[i])
		}
	}
}

func TestCodecs(t *testing.T) {
	for _, c := range []Codec{None, S2, Zstd} {
		d := newDisk(1)
		j := open(t, d, func(o *Options) { o.Codec = c })
		l := newLoad()
		l.run(t, j, 0, 12)
		l.check(t, j)
	}
}

func TestRefusals(t *testing.T) {
	d := newDisk(1)
	j := open(t, d, nil)
	if _, err := j.Append(context.Background(), Append, []Field{{1, make([]byte, maxPayload)}}); !errors.Is(err, ErrTooBig) {
		t.Errorf("a record past the limit: %v", err)
	}
	if _, _, err := j.WriteBody(context.Background(), ID{}, bytes.NewReader(nil), 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body shorter than said: %v", err)
	}
	if _, err := j.OpenBody(BodyRef{Segment: 99, Size: 5, Stored: 100}); !errors.Is(err, ErrMissing) {
		t.Errorf("a body in no segment: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Append(ctx, Append, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	j.Close()
	if _, err := j.Append(context.Background(), Append, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// What AppendWritten returned survives the process though nothing was synced: the next one
// finds it. A failed disk is told to whoever waits.
func TestWrittenSurvivesTheProcess(t *testing.T) {
	d := newDisk(1)
	unsynced := func(o *Options) { o.LazySync = time.Hour }
	j := open(t, d, unsynced)
	for name := range uint64(5) {
		if _, err := j.AppendWritten(Done, []Field{nameField(name)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := j.LastSeq(); n != 0 {
		t.Fatalf("%d records are durable, though nobody waited for that", n)
	}
	next := open(t, d, unsynced) // the first one was killed, as far as the disk knows
	var got []uint64
	err := next.Replay(context.Background(), 0, func(r *Record) error {
		got = append(got, binary.BigEndian.Uint64(r.Field(1)))
		return nil
	})
	if err != nil || !slices.Equal(got, []uint64{0, 1, 2, 3, 4}) {
		t.Fatalf("the next process finds %v, %v", got, err)
	}
	d.failSyncs(errors.New("input/output error"))
	if _, err := next.Append(context.Background(), Done, []Field{nameField(6)}); !errors.Is(err, ErrFailed) {
		t.Fatalf("on a failed disk: %v", err)
	}
	if _, err := next.AppendWritten(Done, []Field{nameField(7)}); !errors.Is(err, ErrFailed) {
		t.Fatalf("after that: %v", err)
	}
}
