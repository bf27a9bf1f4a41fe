package ocr

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sampul/policy/extract"
)

// Options of a pool.
type Options struct {
	Program   Program
	Processes int           // at work together, over all messages; a process a core
	Memory    int64         // octets a process may hold; 1 GiB
	CPU       time.Duration // a page, in whole seconds; 10 s
	Wall      time.Duration // a page, after which the machine is too busy; 40 s

	// Command makes the command that runs the program with arguments, such as one that puts
	// it into a cage first. It sets neither pipes nor environment. Nil: the program itself.
	Command func(ctx context.Context, path string, args ...string) *exec.Cmd
}

// A Pool runs processes for pages, as many as there are cores. It may be used by many
// goroutines; its Recognise is an [extract.Recogniser].
type Pool struct {
	o    Options
	turn chan struct{}
}

// New makes a pool. It starts nothing.
func New(o Options) *Pool {
	if o.Processes <= 0 {
		o.Processes = max(1, runtime.GOMAXPROCS(0))
	}
	if o.Memory <= 0 {
		o.Memory = 1 << 30
	}
	if o.CPU <= 0 {
		o.CPU = 10 * time.Second
	}
	if o.Wall <= 0 {
		o.Wall = 40 * time.Second
	}
	if o.Command == nil {
		o.Command = exec.CommandContext
	}
	return &Pool{o: o, turn: make(chan struct{}, o.Processes)}
}

// perProcess is how many pages one process gets: starting it takes as long as a strip does,
// and when it dies its pages are tried one by one.
const perProcess = 16

// Recognise reads pages, in parallel. That a machine is too busy to read them in time is an
// error: what is found never depends on that.
func (p *Pool) Recognise(ctx context.Context, pages []*image.Gray, how extract.Recognition) ([]extract.Recognised, error) {
	out := make([]extract.Recognised, len(pages))
	jobs := p.share(pages)
	slow := make([]error, len(jobs))
	var wait sync.WaitGroup
	for i, job := range jobs {
		wait.Go(func() { slow[i] = p.work(ctx, pages, job, how, out) })
	}
	wait.Wait()
	if err := cmp.Or(ctx.Err(), errors.Join(slow...)); err != nil {
		return nil, err
	}
	return out, nil
}

// share deals pages out to processes: each gets as much as the others, and neighbours.
func (p *Pool) share(pages []*image.Gray) [][]int {
	if len(pages) == 0 {
		return nil
	}
	n := max(min(p.o.Processes, len(pages)), (len(pages)+perProcess-1)/perProcess)
	jobs := make([][]int, n)
	for i := range pages {
		j := i * n / len(pages)
		jobs[j] = append(jobs[j], i)
	}
	return jobs
}

// work reads some pages with one process; when it fails on several, each by itself.
func (p *Pool) work(ctx context.Context, pages []*image.Gray, job []int, how extract.Recognition, out []extract.Recognised) error {
	some := make([]*image.Gray, len(job))
	for i, n := range job {
		some[i] = pages[n]
	}
	read, cpu, err := p.run(ctx, some, how)
	for i, n := range job {
		out[n].CPU += cpu / time.Duration(len(job))
		if err == nil {
			out[n].Lines = read[i]
		}
	}
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, errSlow):
		return err
	case len(job) == 1:
		out[job[0]].Failed = true
	default:
		for _, n := range job {
			if err := p.work(ctx, pages, []int{n}, how, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxText is how much text a process may give, an answer to so many pages.
const maxText = 16 << 20

var (
	errTooMuch = errors.New("tesseract says more than can be on pages")
	errSlow    = errors.New("it takes too long: the machine is too busy")
)

// run has one process read pages. An error is one of the process, or the end of ctx.
func (p *Pool) run(ctx context.Context, pages []*image.Gray, how extract.Recognition) (_ [][]extract.RecognisedLine, cpu time.Duration, err error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.Wall*time.Duration(len(pages)), errSlow)
	defer cancel()
	defer func() {
		if err != nil && context.Cause(ctx) == errSlow {
			err = errSlow
		}
	}()
	cmd := p.o.Command(ctx, p.o.Program.Path, p.arguments(how)...)
	cage(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	var text, complaint bytes.Buffer
	cmd.Stdout = &capped{&text, maxText}
	cmd.Stderr = &capped{&complaint, 4096}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	// Nothing of the message is given to it before it has its limits.
	err = p.limit(cmd.Process.Pid, len(pages))
	if err == nil {
		err = writeTIFF(in, pages, how.DPI)
	}
	err = errors.Join(err, in.Close())
	if werr := cmd.Wait(); werr != nil {
		err = werr // it says more than the broken pipe does
	}
	cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil {
		return nil, cpu, fmt.Errorf("tesseract: %w", err)
	}
	lines, err := parseTSV(text.Bytes(), len(pages))
	return lines, cpu, err
}

func (p *Pool) arguments(how extract.Recognition) []string {
	mode := "3" // pages in blocks and columns
	if how.Sparse {
		mode = "11" // lines anywhere
	}
	dpi := how.DPI
	if dpi <= 0 {
		dpi = 200
	}
	languages := strings.Join(p.o.Program.Languages, "+")
	if how.Quick && slices.Contains(p.o.Program.Languages, quick) {
		languages = quick
	}
	return []string{"stdin", "stdout", "-l", languages, "--oem", "1", "--psm", mode, "--dpi", strconv.Itoa(dpi),
		"-c", "tessedit_create_tsv=1"}
}

// cage gives the process its own group, an empty environment and the end of ours as its
// own.
func cage(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.Env = []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C"}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}

// limit bounds a process that reads pages.
func (p *Pool) limit(pid, pages int) error {
	seconds := uint64((p.o.CPU + time.Second - 1) / time.Second * time.Duration(pages))
	for resource, n := range map[int]uint64{
		unix.RLIMIT_DATA: uint64(p.o.Memory), unix.RLIMIT_CPU: seconds, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: 64,
	} {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	return nil
}

// capped takes so many octets, then fails.
type capped struct {
	w    io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	if len(p) > c.left {
		return 0, errTooMuch
	}
	c.left -= len(p)
	return c.w.Write(p)
}
