package extract

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"sampul/internal/bombs"
	"sampul/internal/message"
)

// What is built to take all memory is refused for the limit that it passes, or read, and
// takes no more than is given. Memory is what counts here; time follows from the limits.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	refused := map[string]string{ // for what
		"flat.zip": "128 MiB", "flat-text.zip": "200 times", "many-large.zip": "200 times", "nested.zip": "200 times",
		"deep.zip": "16 containers", "quine.zip": "16 containers", "overlapping.zip": "10000 files", "quoted.zip": "over each other",
		"entries.zip": "10000 files", "zeros.gz": "128 MiB", "zeros.tar.gz": "128 MiB", "gzip-in-gzip.gz": "16 containers",
		"zeros.bz2": "200 times", "zeros.xz": "200 times", "zeros.zst": "200 times", "zeros.7z": "200 times",
		"entries.tar.gz": "10000 files", "sparse.tar": "200 times", "sparse-many.tar": "200 times", "dictionary.xz": "200 times",
		"files.7z": "more files", "folders.7z": "more files", "window.zst": "more memory", "window.rar": "more memory",
		"lines.txt": "500000 lines", "cells.csv": "cells in a row", "quotes.txt": "500000 lines",
		"paragraphs.docx": "200 times", "strings.xlsx": "200 times", "embedded.docx": "16 containers",
		"multipart-deep": "depth", "multipart-wide": "parts", "message-deep": "depth", "mbox": "10000 files", "fields": "header",
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(192 << 20)) // as a worker has it
	for _, b := range bombs.All() {
		m := b.Mail("orang@luar.test", "pegawai@agensi.test")
		x := message.Parse(m)
		debug.FreeOSMemory()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Message(context.Background(), x, bytes.NewReader(m), Budget{})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", b.Name, err)
			continue
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 1000 {
			t.Errorf("%s: %d MiB were taken, one after the other", b.Name, n)
		}
		if n := (after.HeapSys - after.HeapReleased) >> 20; n > 320 {
			t.Errorf("%s: %d MiB were held", b.Name, n)
		}
		delete(refused, limitPassed(r, refused[b.Name], b.Name))
	}
	for name, why := range refused {
		t.Errorf("%s: not refused for %q", name, why)
	}
}

// limitPassed is name if a limit is told in those words.
func limitPassed(r *Result, words, name string) string {
	for _, g := range r.Gaps {
		if words != "" && g.Reason == TooMuch && strings.Contains(g.Why, words) {
			return name
		}
	}
	return ""
}

// Time is that of the process: a budget that is gone at once ends the work.
func TestNoTime(t *testing.T) {
	r, err := Read(context.Background(), Document{Name: "a.zip", Data: zipped(t, "a.txt", strings.Repeat("isi\n", 100_000), "b.txt", "isi")},
		Budget{CPU: time.Nanosecond})
	if err != nil || len(r.Gaps) != 1 || r.Gaps[0].Reason != TooMuch || !strings.Contains(r.Gaps[0].Why, "1ns of work") {
		t.Errorf("%v, %v", r, err)
	}
}
