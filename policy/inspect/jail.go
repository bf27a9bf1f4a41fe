package inspect

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// jail gives up, for good, what a worker does not need. Its error says what could not be
// given up.
func jail(memory int64) error {
	return errors.Join(
		limit("core files", unix.RLIMIT_CORE, 0),
		limit("files", unix.RLIMIT_NOFILE, 16),
		limit("memory", unix.RLIMIT_DATA, uint64(2*memory+256<<20)),
		undumpable())
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

// undumpable keeps other processes of the same user out of the memory, and the memory out
// of core files.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("an undumpable process: %w", err)
	}
	return nil
}
