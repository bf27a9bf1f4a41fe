// Package peers starts other people's servers for tests: ClamAV, rspamd, milters and
// Postfix as Debian packages them, each with a configuration of its own in a directory
// that goes away, on a socket or loopback port that nobody else has.
//
// Every function ends the test's wait only when the server answers, and stops the
// server, by its process ID, when the test is over. When a test failed, what the server
// logged is shown. A test whose server is not installed skips and names it; with
// CI=true it fails. scripts/tools.sh installs them all.
package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTime = 60 * time.Second // a small machine under the whole test run
	stopTime  = 15 * time.Second
	logShown  = 16 << 10 // octets of a log shown for a failed test
)

// Need skips the test when a program is missing, or fails it when CI=true.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if path(name) != "" {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: scripts/tools.sh installs what tests need", name)
		}
		t.Skipf("%s is not installed: scripts/tools.sh installs what tests need", name)
	}
}

// path looks where Debian puts servers too: not everybody has sbin in PATH.
func path(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p
		}
	}
	return ""
}

// Dir is a directory for the time of the test. Its path is short, since the path of a
// socket ends at 107 octets, and everybody may pass through it, since servers give up
// root.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// memory is a directory in memory, where the system has one: scanners write what they
// scan, and that belongs on no disk.
func memory(t testing.TB) string {
	t.Helper()
	base := ""
	if s, err := os.Stat("/dev/shm"); err == nil && s.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Port is a loopback port that was free just now.
func Port(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// write puts a file into a directory and gives its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// owner gives files to the user that a server changes to, when the test runs as root.
func owner(t testing.TB, name string, files ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, uerr := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(u.Gid)
	if err := errors.Join(uerr, gerr); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chown(f, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// A Process is a server under way.
type Process struct {
	name string
	logs []string // files
	pid  int
	over chan struct{} // closed when it has ended
	err  error         // how, after over

	idle bool // holds nothing that it would have to put in order: killed at once
}

// start runs a server in the foreground until the test is over, or until Stop.
func start(t testing.TB, dir string, argv ...string) *Process {
	t.Helper()
	p := &Process{name: filepath.Base(argv[0]), over: make(chan struct{})}
	p.logs = []string{filepath.Join(dir, p.name+".out")}
	out, err := os.Create(p.logs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(path(argv[0]), argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	// The kernel ends the server when the thread that began it ends, so that a killed
	// test leaves nothing behind; hence a thread that lives as long as the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setsid: true}
	began := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		began <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.over)
		}
	}()
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.Log())
		}
	})
	return p
}

// Stop ends the server and waits for its end, and ends what it may have left of its own
// process group. A second Stop does nothing.
func (p *Process) Stop() {
	select {
	case <-p.over:
		return
	default:
	}
	defer p.endGroup()
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}
	if p.idle {
		signals = signals[1:]
	}
	for _, signal := range signals {
		select {
		case <-p.over:
			return
		default:
		}
		syscall.Kill(p.pid, signal)
		select {
		case <-p.over:
			return
		case <-time.After(stopTime):
		}
	}
}

// endGroup ends what the server may have left, and waits until that is gone, so that
// nothing writes into its directory any more.
func (p *Process) endGroup() {
	syscall.Kill(-p.pid, syscall.SIGKILL)
	poll(nil, func() error {
		if err := syscall.Kill(-p.pid, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("processes are left")
		}
		return nil
	})
}

// await asks until the server answers. It fails the test when the server ends, or when
// it takes too long.
func (p *Process) await(t testing.TB, ask func() error) {
	t.Helper()
	if err := poll(p.over, ask); err != nil {
		t.Fatalf("%s does not answer: %v (%v)\n%s", p.name, err, p.ended(), p.Log())
	}
}

// Log is what the server said so far, or the end of it.
func (p *Process) Log() string {
	var all []string
	for _, file := range p.logs {
		if text := tail(file); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n")
}

// ended is how it ended, nil while it runs.
func (p *Process) ended() error {
	select {
	case <-p.over:
		return p.err
	default:
		return nil
	}
}

var errEnded = errors.New("it has ended")

func poll(over <-chan struct{}, ask func() error) error {
	late := time.After(startTime)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-over:
			return errEnded
		case <-late:
			return err
		case <-time.After(20 * time.Millisecond): // between two questions
		}
	}
}

// answers says whether a server takes connections.
func answers(network, address string) func() error {
	return func() error {
		c, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// tail is the end of a log.
func tail(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if s, err := f.Stat(); err == nil && s.Size() > logShown {
		f.Seek(-logShown, io.SeekEnd)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b))
}

// run is a helper program that ends by itself.
func run(t testing.TB, argv ...string) {
	t.Helper()
	out, err := exec.Command(path(argv[0]), argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, out)
	}
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
