package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// TestMain lets this program be the worker of its own tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			if len(os.Args) > 3 && os.Args[2] == "--exec" {
				fmt.Fprintln(os.Stderr, Become(os.Args[3:]))
				os.Exit(99)
			}
			serve(os.Stdin, os.Stdout, extract.Read, warmNothing)
			os.Exit(0)
		case "whole worker":
			Serve(os.Stdin, os.Stdout)
			os.Exit(0)
		case "obedient":
			serve(os.Stdin, os.Stdout, obey, warmNothing)
			os.Exit(0)
		case "garbage":
			os.Stdout.Write(bytes.Repeat([]byte(canary), 100))
			os.Exit(0)
		case "caged":
			tryWays()
			os.Exit(0)
		case "suite":
			beSuite()
		}
	}
	os.Exit(m.Run())
}

// warmNothing spares tests the seconds that compiling takes.
func warmNothing(cache string) error {
	if cache == "/nonexistent" {
		return os.ErrNotExist
	}
	return nil
}

// canary stands in documents, and nowhere else.
const canary = "PERINCIAN-HELANG"

// orders are what a document can do to the worker that reads it.
var orders = map[string]func(b extract.Budget) error{
	"panic":    func(extract.Budget) error { panic(canary) },
	"recurse":  func(extract.Budget) error { return recurse(0) },
	"grow":     grow,
	"loop":     func(extract.Budget) error { return loop() },
	"wait":     func(extract.Budget) error { select {} },
	"exit":     func(extract.Budget) error { os.Exit(7); return nil },
	"shout":    func(extract.Budget) error { fmt.Print(canary); return nil },
	"kill":     func(extract.Budget) error { return unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGKILL) },
	"once":     once,
	"lie":      func(extract.Budget) error { return nil }, // its report is about another document
	"pictures": askPictures,
	"read":     func(extract.Budget) error { return nil },
	"waste":    waste,
	"stop":     func(extract.Budget) error { return unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTERM) },
	"escape":   escape,
}

var orderNote string // what the last order has to say

// obey does what stands in a document.
func obey(_ context.Context, d extract.Document, b extract.Budget) (*extract.Result, error) {
	order, _, _ := strings.Cut(string(d.Data), " ")
	f := orders[order]
	if f == nil {
		return nil, errors.New("no such order")
	}
	orderNote = fmt.Sprint("worker ", os.Getpid())
	if err := f(b); err != nil {
		return nil, err
	}
	path := d.Path
	if order == "lie" {
		path = "attachment 99"
	}
	return &extract.Result{Used: d.Used, Notes: []string{orderNote}, Files: []extract.File{{Path: path, Name: d.Name, Kind: "order"}},
		Parts: []extract.Part{{Path: path, Kind: "text", Units: []extract.Unit{
			{Place: extract.PageHeader, Where: "header", Text: "SULIT"}, {Place: extract.Paragraph, Text: canary}}}}}, nil
}

func recurse(n int) error {
	var room [1024]byte
	room[n%1024] = 1
	//lint:ignore SA5007 a stack that overflows is what is tried
	if err := recurse(n + int(room[n%1024])); err != nil {
		return fmt.Errorf("%d: %w", n, err)
	}
	return nil
}

func grow(extract.Budget) error {
	var all [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
		runtime.KeepAlive(all)
	}
}

// waste makes much garbage, and holds little of it.
func waste(extract.Budget) error {
	for range 60 {
		b := bytes.Repeat([]byte{1}, 4<<20)
		runtime.KeepAlive(b)
	}
	return nil
}

func loop() error {
	for n := 0; ; n++ {
		if n < 0 {
			return nil
		}
	}
}

var readBefore bool

// once ends a worker that has read something before.
func once(extract.Budget) error {
	if readBefore {
		os.Exit(7)
	}
	return nil
}

func init() {
	orders["read"] = func(extract.Budget) error { readBefore = true; return nil }
}

func askPictures(b extract.Budget) error {
	all := []*image.Gray{image.NewGray(image.Rect(0, 0, 30, 20)), image.NewGray(image.Rect(0, 0, 50, 10)).SubImage(image.Rect(10, 2, 17, 9)).(*image.Gray)}
	all[1].Pix[all[1].Stride] = 77
	out, err := b.Recognise(context.Background(), all, extract.Recognition{Sparse: true, DPI: 300})
	if err != nil {
		return err
	}
	orderNote = fmt.Sprint(out)
	return nil
}

var orderNumber atomic.Int64

// rig is an inspector with workers that obey, and its log.
type rig struct {
	*Inspector
	log *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{log: &syncBuffer{}}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Command == nil {
		o.Command = []string{os.Args[0], "obedient"}
	}
	o.Log = slog.New(slog.NewTextHandler(r.log, nil))
	r.Inspector = New(o)
	t.Cleanup(func() {
		r.Close()
		if strings.Contains(r.log.String(), canary) {
			t.Errorf("the log tells what stood in the document:\n%s", r.log)
		}
	})
	return r
}

func (r *rig) read(ctx context.Context, d extract.Document) (*Report, error) {
	rep, _, err := r.document(ctx, d, nil)
	return rep, err
}

// order is a document that has orders for its worker. Each is another, so that none is known.
func order(what string) extract.Document {
	return extract.Document{Path: "attachment 1 \"" + canary + "\"", Depth: 1, Name: canary + ".bin", Kind: "order", Data: fmt.Appendf(nil, "%s %d", what, orderNumber.Add(1))}
}

// Whatever a document does to the worker that reads it, it is a finding, and the next
// document is read.
func TestWhatDocumentsDoToWorkers(t *testing.T) {
	r := newRig(t, Options{Memory: 128 << 20, Budget: extract.Budget{CPU: 100 * time.Millisecond}})
	for _, tt := range []struct {
		order  string
		reason extract.Reason // "" for read
		log    string
	}{
		{"read", "", ""},
		{"panic", extract.Damaged, "code 2"},
		{"recurse", extract.Damaged, "the worker ended"}, // with code 66 under the race detector,
		{"exit", extract.Damaged, "code 7"},
		{"kill", extract.Damaged, "signal 9"},
		{"shout", extract.Damaged, "no frame"},
		{"lie", extract.Damaged, "no frame"},
		{"grow", extract.TooMuch, "memory"},
		{"loop", extract.TooMuch, "CPU"},
		{"once", "", "code 7"},
		{"waste", "", ""},
		{"stop", "", ""},
	} {
		t.Run(tt.order, func(t *testing.T) {
			if _, err := r.read(context.Background(), order("read")); err != nil { // the worker is not fresh
				t.Fatal(err)
			}
			said := len(r.log.String())
			rep, err := r.read(context.Background(), order(tt.order))
			if err != nil {
				t.Fatal(err)
			}
			if tt.reason == "" {
				if len(rep.Gaps) > 0 || len(rep.Found.Findings) == 0 || rep.Found.Findings[0].Class != mark.Sulit {
					t.Errorf("got %+v", rep)
				}
			} else if len(rep.Gaps) != 1 || rep.Gaps[0].Reason != tt.reason || len(rep.Files) != 1 {
				t.Errorf("got %+v, want a gap: %s", rep, tt.reason)
			}
			if log := r.log.String()[said:]; (log == "") != (tt.log == "") || !strings.Contains(log, tt.log) {
				t.Errorf("logged %q, want %q", log, tt.log)
			}
			if s := fmt.Sprintf("%+v", rep.Found); strings.Contains(s, canary+" ") {
				t.Errorf("text leaves the worker: %s", s)
			}
		})
	}
	if rep, err := r.read(context.Background(), order("read")); err != nil || len(rep.Gaps) > 0 {
		t.Errorf("after all that: %+v, %v", rep, err)
	}
	// Six documents end two workers each, or one and a fresh one; a loop one, and what a fresh worker reads one.
	if s := r.Stats(); s.Reading != 0 || s.Idle != 1 || s.Lost != 6*2+2+1+1 || s.Kept == 0 {
		t.Errorf("%+v", s)
	}
}

// A worker is used again, until it has read much.
func TestWorkersAreUsedAgain(t *testing.T) {
	r := newRig(t, Options{})
	read := func() string {
		rep, err := r.read(context.Background(), order("read"))
		if err != nil {
			t.Fatal(err)
		}
		return rep.Notes[0]
	}
	first := read()
	if second := read(); second != first {
		t.Errorf("%s, then %s", first, second)
	}
	r.pool.idle[0].done = manyDocuments
	if last := read(); last != first {
		t.Errorf("%s, then %s", first, last)
	}
	if other := read(); other == first {
		t.Errorf("%s still after %d documents", other, manyDocuments)
	}
}

func TestNoWorker(t *testing.T) {
	for _, command := range [][]string{{"/nonexistent/sampul", "worker"}, {os.Args[0], "garbage"}, {"/bin/true"}} {
		r := newRig(t, Options{Command: command})
		if rep, err := r.read(context.Background(), order("read")); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %+v, %v", command, rep, err)
		}
		if err := r.Warm(context.Background()); err == nil {
			t.Errorf("%s is ready", command)
		}
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t, Options{Workers: 1})
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the client went away")
	waiting := make(chan error, 1)
	done := make(chan error, 1)
	go func() {
		_, err := r.read(ctx, order("wait"))
		done <- err
	}()
	r.untilAtWork(t, done)
	go func() { // the only core is taken
		_, err := r.read(ctx, order("read"))
		waiting <- err
	}()
	cancel(why)
	for _, c := range []chan error{done, waiting} {
		if err := <-c; !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	}
	if rep, err := r.read(context.Background(), order("read")); err != nil || len(rep.Gaps) > 0 {
		t.Errorf("the next: %+v, %v", rep, err)
	}
	if s := r.log.String(); s != "" {
		t.Errorf("a cancelled message is nothing to log: %s", s)
	}
}

// untilAtWork waits until a worker reads a document that does not end by itself.
func (r *rig) untilAtWork(t *testing.T, done chan error) {
	t.Helper()
	for {
		r.pool.mu.Lock()
		busy := len(r.pool.busy) > 0
		r.pool.mu.Unlock()
		if busy {
			return
		}
		select {
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		default:
			runtime.Gosched()
		}
	}
}

// The wall clock is no finding about the document.
func TestWallTimeIsAFault(t *testing.T) {
	r := newRig(t, Options{})
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if rep, err := r.read(ctx, order("read")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestClose(t *testing.T) {
	r := newRig(t, Options{})
	if _, err := r.read(context.Background(), order("exit")); err != nil { // both ways to lose a worker
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.read(context.Background(), order("wait"))
		done <- err
	}()
	r.untilAtWork(t, done)
	r.Close()
	if err := <-done; !errors.Is(err, errClosed) {
		t.Errorf("at work: %v", err)
	}
	if _, err := r.read(context.Background(), order("read")); !errors.Is(err, errClosed) {
		t.Errorf("later: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	r := newRig(t, Options{Workers: 2})
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			what := "read"
			if n%10 == 9 {
				what = "exit"
			}
			rep, err := r.read(context.Background(), order(what))
			if err != nil || (len(rep.Gaps) == 0) != (what == "read") {
				t.Errorf("%s: %+v, %v", what, rep, err)
			}
		})
	}
	wg.Wait()
	if n := len(r.pool.idle); n > 2 || len(r.pool.busy) > 0 {
		t.Errorf("%d workers idle, %d busy", n, len(r.pool.busy))
	}
}

// Workers end with the suite, whatever they read.
func TestSuiteDies(t *testing.T) {
	for _, what := range []string{"read", "wait", "loop"} {
		c := exec.Command(os.Args[0], "suite", what)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscan(out, &pid); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		c.Process.Kill()
		c.Wait()
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n != 1 || err != nil {
				t.Errorf("%s: the worker outlives the suite: %v", what, err)
				unix.Kill(pid, unix.SIGKILL)
			}
			break
		}
	}
}

// beSuite is a suite that has a worker do something, and waits to be killed.
func beSuite() {
	i := New(Options{Workers: 1, Command: []string{os.Args[0], "obedient"}})
	ctx := context.Background()
	if err := i.Warm(ctx); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(i.pool.idle[0].cmd.Process.Pid)
	i.document(ctx, order(os.Args[2]), nil)
	select {}
}

// Pictures are read by the suite, while the worker waits.
func TestPictures(t *testing.T) {
	fail := false
	r := newRig(t, Options{Recognise: func(_ context.Context, all []*image.Gray, how extract.Recognition) ([]extract.Recognised, error) {
		if fail {
			return nil, errors.New("there is no tesseract")
		}
		if len(all) != 2 || !how.Sparse || how.DPI != 300 || all[0].Rect != image.Rect(0, 0, 30, 20) || all[1].Rect != image.Rect(0, 0, 7, 7) || all[1].Pix[7] != 77 {
			t.Errorf("%v %v", all, how)
		}
		return []extract.Recognised{{Lines: []extract.RecognisedLine{{Text: "RAHSIA", Box: image.Rect(1, 2, 3, 4), Height: 9, Confidence: 93}}}, {Failed: true}}, nil
	}})
	rep, err := r.read(context.Background(), order("pictures"))
	if want := "[{[{RAHSIA (1,2)-(3,4) 9 93}] false 0s} {[] true 0s}]"; err != nil || len(rep.Notes) != 1 || rep.Notes[0] != want {
		t.Errorf("%+v, %v; want %s", rep, err, want)
	}
	fail = true
	if rep, err := r.read(context.Background(), order("pictures")); err == nil || !strings.Contains(err.Error(), "tesseract") {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A directory that is of no use makes workers slow, and is no reason not to start them.
func TestCompiledCodeIsOfNoUse(t *testing.T) {
	r := newRig(t, Options{CacheDir: "/nonexistent"})
	for range 3 {
		if rep, err := r.read(context.Background(), order("read")); err != nil || len(rep.Gaps) > 0 {
			t.Errorf("%+v, %v", rep, err)
		}
		for _, w := range r.pool.idle {
			w.done = manyDocuments // it makes room for a new one
		}
	}
	if n := strings.Count(r.log.String(), "/nonexistent"); n != 1 {
		t.Errorf("logged %d times: %s", n, r.log)
	}
}

// A whole worker keeps compiled code where it is told to, and reads PDF in its jail, which
// then has no files.
func TestPDF(t *testing.T) {
	if testing.Short() {
		t.Skip("compiling takes seconds")
	}
	dir := t.TempDir()
	pdf, err := os.ReadFile("testdata/rahsia.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := newRig(t, Options{Command: []string{os.Args[0], "whole worker"}, CacheDir: dir})
		rep, err := r.read(context.Background(), extract.Document{Path: "attachment 1", Depth: 1, Kind: "pdf", Data: pdf})
		if err != nil || mark.Weigh(rep.Found).Class != mark.Rahsia {
			t.Errorf("%+v, %v", rep, err)
		}
		r.Close()
		if kept, err := os.ReadDir(dir); err != nil || len(kept) != 1 {
			t.Errorf("kept: %v, %v", kept, err)
		}
		if s := r.log.String(); s != "" {
			t.Errorf("%s", s)
		}
	}
}

// Pictures that take long, of as many documents as may wait for that, keep no letter from
// being read; one more is a fault, and comes again.
func TestScansDoNotBlockLetters(t *testing.T) {
	ctx := context.Background()
	arrived, release := make(chan bool), make(chan bool)
	r := newRig(t, Options{Workers: 1, Recognise: func(_ context.Context, all []*image.Gray, _ extract.Recognition) ([]extract.Recognised, error) {
		arrived <- true
		<-release
		return make([]extract.Recognised, len(all)), nil
	}})
	done := make(chan error, scansPerCore)
	for range scansPerCore {
		go func() {
			_, err := r.read(ctx, order("pictures"))
			done <- err
		}()
		<-arrived
	}
	if rep, err := r.read(ctx, order("read")); err != nil || len(rep.Gaps) > 0 {
		t.Errorf("a letter: %+v, %v", rep, err)
	}
	if _, err := r.read(ctx, order("pictures")); !errors.Is(err, errBusy) {
		t.Errorf("one more: %v", err)
	}
	close(release)
	for range scansPerCore {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s := r.Stats(); s.Reading != 0 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
}
