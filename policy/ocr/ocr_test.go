package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"sampul/internal/drawn"
	"sampul/policy/extract"
)

// there is tesseract, or the test does not run.
func there(t testing.TB) Program {
	t.Helper()
	p, err := Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return p
}

// strip is a picture of one line.
func strip(text string) *image.Gray {
	p := drawn.Sized(900, 120, 150, drawn.White)
	p.Stamp(0.6, 24, drawn.Black, text)
	return p.Gray()
}

func TestFind(t *testing.T) {
	p := there(t)
	if p.Path == "" || p.Version == "" || len(p.Languages) == 0 {
		t.Fatalf("%+v", p)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(); !errors.Is(err, ErrMissing) {
		t.Fatalf("without the program: %v", err)
	}
}

// Pages keep their order however many processes share them, and an empty one stays empty.
func TestPagesKeepTheirOrder(t *testing.T) {
	p := New(Options{Program: there(t), Processes: 2})
	var pages []*image.Gray
	for i := range 7 {
		pages = append(pages, strip(fmt.Sprintf("HALAMAN %d", 10+i)))
	}
	pages[3] = drawn.Sized(901, 121, 150, drawn.White).Gray() // of an odd number of octets
	out, err := p.Recognise(context.Background(), pages, extract.Recognition{Sparse: true, DPI: 150})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range out {
		want := fmt.Sprintf("HALAMAN %d", 10+i)
		switch {
		case i == 3:
			if r.Failed || len(r.Lines) != 0 {
				t.Errorf("the empty page: %+v", r)
			}
		case len(r.Lines) != 1 || r.Lines[0].Text != want || r.Failed || r.CPU <= 0:
			t.Errorf("page %d: %+v, want %s", i, r, want)
		default: // 24 points at 150 dpi are 50 pixels, capitals about 36
			if h := r.Lines[0].Height; h < 30 || h > 44 {
				t.Errorf("page %d: capitals of %d pixels", i, h)
			}
		}
	}
}

// A process that dies takes no page with it: each is tried by itself, and what fails then
// was not read. None of that is an error.
func TestProcessesThatDie(t *testing.T) {
	program := there(t)
	var starts atomic.Int32
	pages := []*image.Gray{strip("SATU"), strip("DUA"), strip("TIGA")}
	p := New(Options{Program: program, Processes: 1, Command: func(ctx context.Context, path string, args ...string) *exec.Cmd {
		if n := starts.Add(1); n == 1 || n == 3 { // all together, then the second alone
			return exec.CommandContext(ctx, "/bin/sh", "-c", "exit 3")
		}
		return exec.CommandContext(ctx, path, args...)
	}})
	out, err := p.Recognise(context.Background(), pages, extract.Recognition{Sparse: true, DPI: 150})
	if err != nil {
		t.Fatal(err)
	}
	if starts.Load() != 4 {
		t.Errorf("%d processes, want 4", starts.Load())
	}
	for i, want := range []string{"SATU", "", "TIGA"} {
		if got := out[i]; (want == "") != got.Failed || want != "" && (len(got.Lines) != 1 || got.Lines[0].Text != want) {
			t.Errorf("page %d: %+v", i, got)
		}
	}
}

// A process without memory fails on its page, and no more.
func TestMemoryIsBounded(t *testing.T) {
	p := New(Options{Program: there(t), Memory: 1 << 20})
	out, err := p.Recognise(context.Background(), []*image.Gray{strip("SATU")}, extract.Recognition{})
	if err != nil || !out[0].Failed {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := New(Options{Program: there(t), Command: func(ctx context.Context, path string, args ...string) *exec.Cmd {
		cancel() // while it starts
		return exec.CommandContext(ctx, "/bin/cat")
	}})
	if _, err := p.Recognise(ctx, []*image.Gray{strip("SATU")}, extract.Recognition{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A machine that is too busy is a fault: the pages are neither read nor unreadable.
func TestTooBusy(t *testing.T) {
	p := New(Options{Program: there(t), Wall: 1, Command: func(ctx context.Context, _ string, _ ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "/usr/bin/tail", "-f", "/dev/null") // it ends when it is ended
	}})
	if out, err := p.Recognise(context.Background(), []*image.Gray{strip("SATU")}, extract.Recognition{}); !errors.Is(err, errSlow) {
		t.Fatalf("%+v, %v", out, err)
	}
}
