package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// Caged is a command that runs another program, such as one that reads letters in pictures,
// after it has taken from it what it needs for no good: network, other programs and
// processes, and every way to write to a file. The program is this one with the arguments
// "worker --exec", see [Become].
func Caged(ctx context.Context, path string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, self(), append([]string{"worker", "--exec", path}, args...)...)
}

// forbidden are calls that no program in a cage may make.
var forbidden = []string{
	"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
	"fork", "vfork", "execveat", "kill", "tkill", "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
	"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "process_madvise",
	"creat", "openat2", "open_by_handle_at", "truncate", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
	"symlink", "symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "fchmodat2",
	"chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat",
	"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "memfd_create", "memfd_secret",
	"shmget", "shmat", "shmctl", "msgget", "msgsnd", "semget", "mq_open",
	"mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen", "fsmount", "fsconfig",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl",
	"setrlimit", "sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "personality", "syslog",
}

// ignoreSignals leaves it to the suite when its workers end: who stops a service signals all
// its processes, and what they read must not pass for unreadable because of that.
func ignoreSignals() { signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP) }

const writing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND

// Become is what such a command does: this process closes the cage and becomes the program,
// whose path comes first. It returns only when that cannot be.
func Become(program []string) error {
	if len(program) == 0 {
		return errors.New("which program?")
	}
	path, err := unix.BytePtrFromString(program[0])
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(program)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	ignoreSignals()
	runtime.LockOSThread()
	if err := errors.Join(
		limit("core files", unix.RLIMIT_CORE, 0),
		limit("written files", unix.RLIMIT_FSIZE, 0),
		closeCage(uint64(uintptr(unsafe.Pointer(path)))),
	); err != nil {
		// Better a program with limits, as whoever starts it gives it, than none.
		fmt.Fprintln(os.Stderr, "a cage that is not quite closed:", err)
	}
	for {
		_, _, e := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
		if e != unix.EAGAIN { // a thread was just being made
			return fmt.Errorf("%s: %w", program[0], e)
		}
	}
}

// closeCage sets the filter, which the program inherits. One program can be run: that whose
// path stands at an address of this process, which is gone with it.
func closeCage(path uint64) error {
	when := func(name string, arg uint32, op seccomp.Operation, value uint64) (out []seccomp.NameWithConditions) {
		for _, n := range known(name) {
			out = append(out, seccomp.NameWithConditions{Name: n, Conditions: seccomp.ArgumentConditions{{Argument: arg, Operation: op, Value: value}}})
		}
		return out
	}
	var some []seccomp.NameWithConditions
	some = append(some, when("execve", 0, seccomp.NotEqual, path)...)
	some = append(some, when("clone", 0, seccomp.BitsNotSet, unix.CLONE_THREAD)...)
	some = append(some, when("open", 1, seccomp.BitsSet, writing)...)
	some = append(some, when("openat", 2, seccomp.BitsSet, writing)...)
	some = append(some, when("tgkill", 0, seccomp.NotEqual, uint64(os.Getpid()))...) // it remains the same process
	some = append(some, when("prlimit64", 2, seccomp.NotEqual, 0)...)
	return refuse(seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{
			{Action: unknownCall, Names: known("clone3")},
			{Action: seccomp.ActionErrno, Names: known(forbidden...), NamesWithCondtions: some},
		},
	})
}
