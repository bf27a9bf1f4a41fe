package inspect

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
)

// real is the command of a worker as the suite starts it.
var real = []string{os.Args[0], "worker"}

// docx is a document of so many pages, with a line in its header.
func docx(t testing.TB, pages int, header string) []byte {
	t.Helper()
	const ns = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`
	var body strings.Builder
	for n := range pages * 40 {
		fmt.Fprintf(&body, `<w:p><w:r><w:t>Perenggan %d: mesyuarat akan diadakan pada hari Isnin di bilik gerakan tingkat dua.</w:t></w:r></w:p>`, n)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`},
		{"word/document.xml", "<w:document " + ns + "><w:body>" + body.String() + "</w:body></w:document>"},
		{"word/header1.xml", "<w:hdr " + ns + "><w:p><w:r><w:t>" + header + "</w:t></w:r></w:p></w:hdr>"},
	} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(f[1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The same document in this process, in a worker, and known before.
func BenchmarkDocx(b *testing.B) {
	msg, x := withZip(b, "surat.docx", docx(b, 10, "Jabatan"))
	for _, bb := range []struct {
		name string
		o    Options
		sum  [32]byte
	}{
		{"here", Options{Cached: -1}, [32]byte{}},
		{"worker", Options{Cached: -1, Workers: 1, Command: real}, [32]byte{}},
		{"document known", Options{Workers: 1, Command: real}, [32]byte{}},
		{"message known", Options{Workers: 1, Command: real}, sha256.Sum256(msg)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			i := New(bb.o)
			defer i.Close()
			if _, err := i.Message(context.Background(), x, bytes.NewReader(msg), bb.sum); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.Message(context.Background(), x, bytes.NewReader(msg), bb.sum); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A document of no work at all: what the pipes cost.
func BenchmarkWorkerTrip(b *testing.B) {
	r := newRig(b, Options{Cached: -1})
	d := order("read")
	for b.Loop() {
		if _, err := r.read(context.Background(), d); err != nil {
			b.Fatal(err)
		}
	}
}
