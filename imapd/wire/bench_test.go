package wire

import (
	"strings"
	"testing"
)

func BenchmarkReadFetch(b *testing.B) {
	const line = "a1 UID FETCH 1:500,600,700:* (FLAGS UID BODY.PEEK[HEADER.FIELDS (From To Subject Date)])\r\n"
	src := strings.NewReader("")
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(line)
		r := NewReader(src)
		if err := r.Wait(); err != nil {
			b.Fatal(err)
		}
		for _, step := range []func() error{
			func() error { _, err := r.Tag(); return err }, r.SP,
			func() error { _, err := r.Word(); return err }, r.SP,
			func() error { _, err := r.Word(); return err }, r.SP,
			func() error { _, err := r.Set(); return err }, r.SP,
			func() error { _, err := r.Items(); return err }, r.CRLF,
		} {
			if err := step(); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}

func BenchmarkAppendSet(b *testing.B) {
	var uids []uint32
	for i := range uint32(10_000) {
		if i%10 != 3 {
			uids = append(uids, i+1)
		}
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendSet(buf[:0], uids)
	}
}
