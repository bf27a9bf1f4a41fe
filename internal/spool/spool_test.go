package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// Every size around the borders reads back whole, in pieces and by its sum.
func TestReadsBack(t *testing.T) {
	const memory = 2*frame + 100
	a, err := New(t.TempDir(), memory)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, frame - 1, frame, frame + 1, memory - 1, memory, memory + 1, 3 * frame, 5*frame + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rnd.Uint32())
		}
		s := a.Open()
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(frame+frame/2))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.Seal(); err != nil {
			t.Fatal(err)
		}
		if s.Size() != int64(size) || s.Sum() != sha256.Sum256(want) {
			t.Fatalf("size %d: got size %d, or another sum", size, s.Size())
		}
		if inMemory := s.Bytes() != nil || size == 0; inMemory != (size <= memory) {
			t.Fatalf("size %d: in memory is %v", size, inMemory)
		}
		got, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("size %d: read %d octets, %v", size, len(got), err)
		}
		for range 20 {
			if size == 0 {
				break
			}
			from := rnd.IntN(size)
			p := make([]byte, rnd.IntN(size-from)+1)
			if _, err := s.ReadAt(p, int64(from)); err != nil || !bytes.Equal(p, want[from:from+len(p)]) {
				t.Fatalf("size %d: %d octets at %d differ, %v", size, len(p), from, err)
			}
		}
		s.Close()
	}
}

// What goes to the disk has no name there and is not in clear.
func TestWorkFileIsSealedAndNameless(t *testing.T) {
	dir := t.TempDir()
	a, err := New(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := a.Open()
	secret := bytes.Repeat([]byte("surat sulit "), frame/4)
	if _, err := s.Write(secret); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 0 {
		t.Fatalf("the work file has a name: %v, %v", names, err)
	}
	raw := make([]byte, s.Size())
	n, _ := s.file.ReadAt(raw, 0)
	if n == 0 || bytes.Contains(raw[:n], []byte("sulit")) {
		t.Fatalf("%d octets on the disk, the text among them in clear", n)
	}
	raw[100] ^= 1
	if _, err := s.file.WriteAt(raw[100:101], 100); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(make([]byte, 10), 0); err == nil {
		t.Fatal("a changed frame was read")
	}
}

func TestUseAfterCloseIsRefused(t *testing.T) {
	a, _ := New(t.TempDir(), 10)
	s := a.Open()
	s.Write([]byte("abc"))
	if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("read before Seal: %v", err)
	}
	s.Seal()
	s.Close()
	if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("read after Close: %v", err)
	}
	if _, err := s.Write([]byte("d")); !errors.Is(err, ErrClosed) {
		t.Fatalf("write after Close: %v", err)
	}
}
