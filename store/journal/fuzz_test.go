package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
)

// FuzzSegment reads a segment that chance has written to: it ends, without a panic and
// without an allocation past the limits, and tells the damage.
func FuzzSegment(f *testing.F) {
	f.Add(int64(recordsStart), []byte{0})
	f.Add(int64(recordsStart+12), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(int64(0), bytes.Repeat([]byte{1}, recordsStart))
	f.Add(int64(recordsStart+300), []byte(recordsMagicText))
	f.Fuzz(func(t *testing.T, at int64, b []byte) {
		d := newDisk(1)
		j := open(t, d, nil)
		l := newLoad()
		l.run(t, j, 1, 6)
		path := j.segs.path(1)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		file := d.files[path]
		for i, c := range b {
			if off := at + int64(i); off >= 0 && off < int64(len(file.durable)) {
				file.durable[off] ^= c
			}
		}
		file.cached = bytes.Clone(file.durable)
		j, err := Open(Options{Dir: "j", Keys: testKeys{}, FS: d, SegmentSize: 256 << 10, Fill: 64 << 10})
		if err != nil {
			return
		}
		defer j.Close()
		last := uint64(0)
		err = j.Replay(context.Background(), 0, func(r *Record) error {
			if r.Seq <= last {
				t.Errorf("record %d after %d", r.Seq, last)
			}
			last = r.Seq
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Verify(context.Background(), func(error) {}); err != nil {
			t.Fatal(err)
		}
	})
}

const recordsMagicText = "SJR1SJR1SJR1SJR1SJR1SJR1SJR1SJR1"

// FuzzFields reads what appendFields did not write.
func FuzzFields(f *testing.F) {
	f.Add(appendFields(nil, []Field{{1, []byte("a")}, {65535, nil}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, err := parseFields(b)
		if err != nil {
			return
		}
		again, err := parseFields(appendFields(nil, fields))
		if err != nil || len(again) != len(fields) {
			t.Fatalf("%d fields, again %d, %v", len(fields), len(again), err)
		}
	})
}

// FuzzRef reads references that nobody wrote.
func FuzzRef(f *testing.F) {
	ref := BodyRef{Segment: 1, First: recordsStart, Size: 10, Stored: 100}
	b, _ := ref.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		ref, err := ParseBodyRef(b)
		if err != nil {
			return
		}
		if again, _ := ref.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatal("another reference came back")
		}
	})
}

func BenchmarkCommit4K(b *testing.B) {
	j, err := Open(Options{Dir: b.TempDir(), Keys: testKeys{}})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	body := content(1, 4096)
	b.SetBytes(4096)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := j.Commit(context.Background(), ID{1}, bytes.NewReader(body), int64(len(body)), Accept,
				func(ref BodyRef, sum [32]byte) ([]Field, error) {
					r, err := ref.AppendBinary(nil)
					return []Field{{1, r}}, err
				})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCommit1M(b *testing.B) {
	j, err := Open(Options{Dir: b.TempDir(), Keys: testKeys{}})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	body := content(1, 1<<20)
	b.SetBytes(1 << 20)
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := j.Commit(context.Background(), ID{1}, bytes.NewReader(body), int64(len(body)), Accept,
				func(ref BodyRef, sum [32]byte) ([]Field, error) {
					r, err := ref.AppendBinary(nil)
					return []Field{{1, r}}, err
				})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkReadBody10K(b *testing.B) {
	j, err := Open(Options{Dir: b.TempDir(), Keys: testKeys{}})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	body := content(1, 10<<10)
	var ref BodyRef
	_, err = j.Commit(context.Background(), ID{1}, bytes.NewReader(body), int64(len(body)), Accept,
		func(r BodyRef, sum [32]byte) ([]Field, error) {
			ref = r
			if sum != sha256.Sum256(body) {
				b.Error("another sum")
			}
			return nil, nil
		})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := j.OpenBody(ref)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.WriteRange(discard{}, 0, r.Size()); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
