package inspect

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// jail gives up, for good, what a worker does not need: files, the network, programs, other
// processes. Its error says what could not be given up.
func jail(memory int64) error {
	return errors.Join(
		limit("core files", unix.RLIMIT_CORE, 0),
		limit("files", unix.RLIMIT_NOFILE, 16),
		limit("written files", unix.RLIMIT_FSIZE, 0),
		// Go takes address space for its heap in large pieces, and an instance of PDFium
		// takes all that it may use at once: the watch on memory is the exact limit.
		limit("memory", unix.RLIMIT_DATA, uint64(3*memory+512<<20)),
		undumpable(),
		onlyCalls())
}

func limit(what string, resource int, most uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("a limit of %s: %w", what, err)
	}
	return nil
}

// limitCPU has the system end this process after so many seconds of CPU time in all.
func limitCPU(seconds int64) {
	// Without it the suite is alone with its watch.
	_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: uint64(seconds), Max: unix.RLIM_INFINITY})
}

// Secretive has no memory of this process, which holds what people wrote, in core files or in
// the reach of other processes of the same user.
func Secretive() error {
	return errors.Join(limit("core files", unix.RLIMIT_CORE, 0), undumpable())
}

// undumpable keeps other processes of the same user out of the memory, and the memory out
// of core files.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("an undumpable process: %w", err)
	}
	return nil
}

// calls are what a worker may still ask of the system: memory, threads, time, signals of its
// own, and the files that are open.
var calls = []string{
	"read", "write", "readv", "writev", "pread64", "pwrite64", "close", "lseek", "fstat", "fcntl",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "brk", "membarrier",
	"futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "set_tid_address",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"getpid", "gettid", "getrusage", "getrandom",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2",
	"exit", "exit_group",
}

// onlyCalls has the system refuse all calls but those.
func onlyCalls() error {
	self := uint64(os.Getpid())
	return refuse(seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: unknownCall, Names: known("clone3")}, // its flags are out of sight: who calls it falls back to clone
			{Action: seccomp.ActionAllow, Names: known(calls...), NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
				{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: self}}},
				{Name: "prlimit64", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: 0},
					{Argument: 1, Operation: seccomp.Equal, Value: unix.RLIMIT_CPU}}},
				{Name: "prctl", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: unix.PR_SET_VMA}}},
			}},
		},
	})
}

// unknownCall answers as a system that does not have the call.
const unknownCall = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)

// refuse sets a filter of system calls for the whole process.
func refuse(p seccomp.Policy) error {
	runtime.LockOSThread() // what is set on one thread is then copied to all others
	defer runtime.UnlockOSThread()
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: p}); err != nil {
		return fmt.Errorf("a filter of system calls: %w", err)
	}
	return nil
}

// known leaves out calls that this kind of machine does not have.
func known(names ...string) []string {
	info, err := arch.GetInfo("")
	if err != nil {
		return names // setting the filter says why not
	}
	var out []string
	for _, n := range names {
		if _, ok := info.SyscallNames[n]; ok {
			out = append(out, n)
		}
	}
	return out
}
