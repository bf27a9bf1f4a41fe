package extract

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"sampul/internal/bombs"
)

// seeds gives f the files of a pattern, and fails if there are none.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// bounded reads any octets within a small budget: no reader panics, and none gives more
// than the budget allows.
func bounded(t *testing.T, b []byte) {
	t.Helper()
	budget := Budget{Expanded: 8 << 20, Whole: 8 << 20, Members: 200, Text: 1 << 20, Units: 20_000}
	r, err := Read(context.Background(), Document{Name: "a.bin", Data: b}, budget)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Gaps {
		if g.Why == "the reader failed on it" {
			t.Errorf("a reader panicked: %+v", g)
		}
	}
	units := 0
	for _, p := range r.Parts {
		units += len(p.Units)
	}
	if units > budget.Units || len(r.Files) > 2*budget.Members {
		t.Errorf("%d units, %d files", units, len(r.Files))
	}
}

func FuzzArchive(f *testing.F) {
	seeds(f, "testdata/archives/*")
	f.Add([]byte(iso("A.TXT", "isi")))
	f.Add(compressed([]byte("satu satu satu satu")))
	for _, b := range bombs.All() {
		switch b.Name {
		case "files.7z", "folders.7z", "dictionary.7z", "window.rar", "window.zst", "quine.zip", "quoted.zip", "sparse.tar":
			f.Add(b.Make())
		}
	}
	f.Fuzz(bounded)
}

func FuzzSigned(f *testing.F) {
	seeds(f, "testdata/mail/*")
	f.Fuzz(bounded)
}

// FuzzBlocks gives any text to what looks for files in texts.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("=ybegin line=128 size=5 name=a.txt\r\nabc=}\r\n=yend size=5\r\n"))
	f.Add([]byte(binhexed("a.txt", "isi")))
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\n\nhQEMA0x\n-----END PGP MESSAGE-----\n"))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- -isi\n-----BEGIN PGP SIGNATURE-----\n"))
	f.Add(bytes.Repeat([]byte("UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAFAAAAYi50eHQKDvXxDAEEAAD//1BLBwiTqH9x\n"), 4))
	f.Add([]byte("begin 644 a.txt\n#0V%T\n`\nend\nsatu=20dua=\ntiga=0D=0A"))
	f.Fuzz(bounded)
}

// Whatever a header of 7z says, the walk through it ends, and finds no more than it holds.
func FuzzHeader7z(f *testing.F) {
	f.Add([]byte("\x01\x04\x06\x00\x01\x09\x0a\x00\x07\x0b\x01\x00\x01\x21\x21\x01\x00\x0c\x0a\x00\x08\x0a\x01\x00\x00\x00\x00\x00\x00\x05\x01\x00"))
	f.Add([]byte("\x01\x05\xf0\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parser7z{b: b, limit: 1000}
		folders := p.header()
		if p.err == nil && len(folders) > len(b) {
			t.Errorf("%d folders in %d octets", len(folders), len(b))
		}
	})
}
