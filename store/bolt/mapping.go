package bolt

import (
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// forgetPages lets go of the pages of a file that were read: they stay with the operating
// system, which may want them, and count no longer as this process's memory. A queue of
// 200,000 has 100 MB of them, and memory has all that is asked often. That it fails changes
// nothing that anybody could see.
func (f *file) forgetPages() {
	f.db.View(func(tx *bbolt.Tx) error { // the mapping stays where it is meanwhile
		unix.Syscall(unix.SYS_MADVISE, f.db.Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED)
		return nil
	})
}
