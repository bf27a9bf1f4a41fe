package inspect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// How the end of a worker is told. What it wrote before is never shown: the message of a
// panic may hold what it read.
var (
	errLost    = errors.New("the worker ended")
	errWork    = errors.New("past the limit of CPU time")
	errMemory  = errors.New("past the limit of memory")
	errUnready = errors.New("it is not ready")
	errBusy    = errors.New("too many documents wait for their pictures to be read")
)

const (
	exitMemory = 79                     // of a worker that grew too large
	grace      = 2 * time.Second        // a reader is to see itself that it has worked too much
	watch      = 100 * time.Millisecond // between looks at what a worker has used
	helloTime  = 3 * time.Minute        // on a busy machine compiling takes its time
)

// A process is a worker, as the suite sees it: it reads one document at a time.
type process struct {
	cmd      *exec.Cmd
	in       *os.File
	out      *bufio.Reader
	outFile  *os.File
	said     tail
	done     int            // documents that it has read
	settings *mark.Settings // that it knows
	knows    bool
	memory   int64

	ending sync.Once
	end    error
}

// startProcess starts a worker and waits until it is ready.
func startProcess(ctx context.Context, command []string, s start) (p *process, h hello, err error) {
	toWorker, in, err := os.Pipe()
	if err != nil {
		return nil, h, err
	}
	out, fromWorker, err := os.Pipe()
	if err != nil {
		return nil, h, errors.Join(err, toWorker.Close(), in.Close())
	}
	p = &process{in: in, out: bufio.NewReaderSize(out, 64<<10), outFile: out}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = toWorker, fromWorker, &p.said
	p.cmd.Args[0] = "sampul"                                 // whatever path leads to it
	p.cmd.Env = []string{"GOTRACEBACK=none", "GOMAXPROCS=2"} // one reads, one watches
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // keys at a terminal are for the suite
	err = p.cmd.Start()
	toWorker.Close()
	fromWorker.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, h, err
	}
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	h, err = p.greet(s)
	if err != nil {
		p.kill()
		return nil, h, errors.Join(ctx.Err(), fmt.Errorf("it did not get ready: %v", p.wait()))
	}
	if h.Unready != "" {
		p.kill()
		p.wait()
		return nil, h, fmt.Errorf("%w: %s", errUnready, h.Unready)
	}
	return p, h, nil
}

func (p *process) greet(s start) (h hello, err error) {
	s.Version = version
	if err := writeFrame(p.in, frameStart, s); err != nil {
		return h, err
	}
	f, err := readFrame(p.out, 0)
	if err != nil {
		return h, err
	}
	if f.kind != frameHello || f.decode(&h) != nil || h.Version != version {
		return h, errGarbage
	}
	return h, nil
}

// read has the worker read a document. After an error the process is gone, whatever it was.
func (p *process) read(ctx context.Context, r request, data []byte, recognise extract.Recogniser) (*Report, time.Duration, error) {
	began := p.cpu()
	limit := max(0, r.Budget.CPU-r.Document.Used.CPU) + grace
	r.CPU = int64((began+limit)/time.Second) + 2
	stopWatch := p.watch(began + limit)
	stop := context.AfterFunc(ctx, p.kill)
	a, err := p.talk(ctx, r, data, recognise)
	over := stopWatch()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		p.kill()
		end := p.wait()
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case over:
			err = errWork
		case errors.As(err, new(ownFault)):
		case errors.Is(err, errGarbage):
			err = fmt.Errorf("%w: %w", errLost, err)
		default:
			err = end
		}
		return nil, 0, err
	}
	p.done++
	p.memory = a.Memory
	return &a.Report, max(0, p.cpu()-began), nil
}

// ownFault is one that has nothing to do with the worker or the document.
type ownFault struct{ error }

func (f ownFault) Unwrap() error { return f.error }

// talk sends a request and does what the worker asks for until it answers.
func (p *process) talk(ctx context.Context, r request, data []byte, recognise extract.Recogniser) (*answer, error) {
	if err := writeFrame(p.in, frameRequest, r, data); err != nil {
		return nil, err
	}
	var fault error
	for {
		f, err := readFrame(p.out, maxPixels)
		if err != nil {
			return nil, err
		}
		switch f.kind {
		case frameAnswer:
			var a answer
			if err := f.decode(&a); err != nil || len(f.data) > 0 || !a.Report.sound(r.Document.Path) {
				return nil, errGarbage
			}
			return &a, nil
		case frameFailed:
			if fault == nil {
				return nil, errGarbage
			}
			return nil, ownFault{fault}
		case framePages:
			var asked pages
			if f.decode(&asked) != nil || recognise == nil {
				return nil, errGarbage
			}
			all, err := pictures(&asked, f.data)
			if err != nil {
				return nil, err
			}
			var l lines
			if l.Pages, err = recognise(ctx, all, asked.How); err != nil {
				fault, l = err, lines{Failed: true}
			}
			if err := writeFrame(p.in, frameLines, l); err != nil {
				return nil, err
			}
		default:
			return nil, errGarbage
		}
	}
}

// watch ends the worker once its CPU time is past most; stop says whether it did.
func (p *process) watch(most time.Duration) (stop func() bool) {
	var mu sync.Mutex
	var over, stopped bool
	var t *time.Timer
	mu.Lock()
	defer mu.Unlock()
	t = time.AfterFunc(watch, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case stopped:
		case p.cpu() > most:
			over = true
			p.kill()
		default:
			t.Reset(watch)
		}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		t.Stop()
		stopped = true
		return over
	}
}

// cpu is the CPU time that the worker has used since it began.
func (p *process) cpu() time.Duration {
	var t unix.Timespec
	// The clock of a process, as clock_getcpuclockid(3) makes it.
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid)<<3|2, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (p *process) kill() { p.cmd.Process.Kill() }

// wait waits for the end of a worker that was killed or ends by itself, and says why it ended.
func (p *process) wait() error {
	p.ending.Do(func() {
		p.in.Close()
		err := p.cmd.Wait()
		p.outFile.Close()
		p.end = p.why(err)
	})
	return p.end
}

// why words the end of a worker, with nothing in it of what it said.
func (p *process) why(err error) error {
	st := p.cmd.ProcessState
	if st == nil {
		return errLost
	}
	ws, _ := st.Sys().(syscall.WaitStatus)
	said := p.said.bytes()
	switch {
	case st.ExitCode() == exitMemory, bytes.Contains(said, []byte("runtime: out of memory")), bytes.Contains(said, []byte("cannot allocate memory")):
		return errMemory
	case ws.Signaled() && ws.Signal() == syscall.SIGXCPU, bytes.Contains(said, []byte("SIGXCPU")):
		return errWork
	case bytes.Contains(said, []byte("stack overflow")):
		return fmt.Errorf("%w: stack overflow", errLost)
	case ws.Signaled():
		return fmt.Errorf("%w by signal %d", errLost, int(ws.Signal()))
	}
	return fmt.Errorf("%w with code %d", errLost, st.ExitCode())
}

// tail keeps the beginning of what a worker says on its standard error: enough to know how
// it died.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b[:min(len(b), 4096-len(t.b))]...)
	return len(b), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b)
}
