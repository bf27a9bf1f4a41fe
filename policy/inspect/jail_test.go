package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sampul/policy/extract"
)

// ways out of a worker; each must fail. Those of a process that may do anything work.
var ways = map[string]func() error{
	"open a file": func() error { return opened(os.Open("/etc/passwd")) },
	"open itself": func() error { return opened(os.Open("/proc/self/exe")) },
	"write a file": func() error {
		return opened(os.OpenFile(os.TempDir()+"/sampul-escape", os.O_CREATE|os.O_WRONLY, 0o600))
	},
	"list a directory": func() error { _, err := os.ReadDir("/"); return err },
	"look at a file":   func() error { _, err := os.Stat("/etc/passwd"); return err },
	"delete a file":    func() error { return refused(unix.Unlink("/nonexistent")) },
	"run a program":    func() error { return exec.Command("/bin/true").Run() },
	"become a program": func() error { return refused(unix.Exec("/nonexistent", nil, nil)) },
	"make a process": func() error {
		pid, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if e != 0 {
			return e
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		}
		return nil
	},
	"make a process anew": func() error {
		var args [11]uint64
		_, _, e := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 3, 0) // EINVAL where it is allowed
		return refused(e)
	},
	"connect": func() error {
		c, err := net.Dial("tcp", "127.0.0.1:1")
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		return errors.Join(err, shut(c))
	},
	"resolve a name": func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		return errors.Join(err, unix.Close(fd))
	},
	"local socket": func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return errors.Join(err, unix.Close(fd))
	},
	"pair of sockets": func() error {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return err
	},
	"trace a process": func() error { return refused(unix.PtraceAttach(1 << 30)) },
	"signal others":   func() error { return refused(unix.Kill(os.Getppid(), 0)) },
	"signal a thread": func() error { return refused(unix.Tgkill(os.Getppid(), os.Getppid(), 0)) },
	"read others' memory": func() error {
		_, err := unix.ProcessVMReadv(os.Getppid(), nil, nil, 0)
		return err
	},
	"limit others":    func() error { return unix.Prlimit(os.Getppid(), unix.RLIMIT_CORE, nil, &unix.Rlimit{}) },
	"memory files":    func() error { fd, err := unix.MemfdCreate("x", 0); return errors.Join(err, unix.Close(fd)) },
	"be dumped":       func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
	"change the root": func() error { return refused(unix.Chroot("/nonexistent")) },
	"new namespaces":  func() error { return refused(unix.Unshare(0)) },
	"load BPF":        func() error { _, _, e := unix.Syscall(unix.SYS_BPF, 99, 0, 0); return refused(e) },
	"keys": func() error {
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
		return refused(err)
	},
	"io_uring":       func() error { _, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0); return refused(e) },
	"another filter": func() error { _, _, e := unix.Syscall(unix.SYS_SECCOMP, 99, 0, 0); return refused(e) },
	"higher core limit": func() error {
		return refused(unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
	},
}

func opened(f *os.File, err error) error {
	if err == nil {
		f.Close()
		os.Remove(os.TempDir() + "/sampul-escape")
	}
	return err
}

func shut(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// refused is an error only where the system refuses: other errors say that it would not.
func refused(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return err
	}
	return nil
}

// escape tries all ways out.
func escape(extract.Budget) error {
	var out []string
	for name, try := range ways {
		if err := try(); err == nil {
			out = append(out, name)
		}
	}
	orderNote = "out by: " + strings.Join(out, ", ")
	return nil
}

func TestJail(t *testing.T) {
	r := newRig(t, Options{})
	rep, err := r.read(context.Background(), order("escape"))
	if err != nil || len(rep.Notes) != 1 || rep.Notes[0] != "out by: " {
		t.Errorf("%+v, %v\n%s", rep, err, r.log)
	}
	if s := r.log.String(); s != "" {
		t.Errorf("the jail is open: %s", s)
	}
}

// readingWays are open to a program in a cage: it may look at files.
var readingWays = map[string]bool{"open a file": true, "open itself": true, "list a directory": true, "look at a file": true,
	"be dumped": true, "another filter": true, "limit others": true}

func tryWays() {
	fmt.Println("running")
	for name, try := range ways {
		if err := try(); err == nil && !readingWays[name] {
			fmt.Println("out by:", name)
		}
	}
}

func TestCage(t *testing.T) {
	out, err := Caged(context.Background(), os.Args[0], "caged").CombinedOutput()
	if err != nil || string(out) != "running\n" {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = Caged(context.Background(), "/bin/sh", "-c", "while read a b; do [ $a = SigIgn: ] && echo $b; done </proc/self/status; true").Output()
	if ignored, bad := strconv.ParseUint(strings.TrimSpace(string(out)), 16, 64); err != nil || bad != nil || ignored&(1<<14) == 0 {
		t.Errorf("SIGTERM ends it: %v, ignored %q", err, out)
	}
	c := Caged(context.Background(), "/bin/sh", "-c", "exec /bin/true")
	if out, err := c.CombinedOutput(); err == nil {
		t.Errorf("a program in a cage runs another: %s", out)
	}
	if out, err := Caged(context.Background(), "/bin/cat").Output(); err != nil || len(out) > 0 {
		t.Errorf("a program that reads and writes pipes: %v, %s", err, out)
	}
	if _, err := Caged(context.Background(), "/nonexistent").Output(); err == nil {
		t.Error("a program that is not there was run")
	}
}

// A test of ways that are closed to everybody proves nothing.
func TestWaysAreOpenElsewhere(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("some are open to root alone")
	}
	for name, try := range ways {
		switch name {
		case "higher core limit", "make a process", "be dumped", "keys":
			continue // of the worker's own limits, or of what this process should not do to itself
		}
		if err := try(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
