package bolt

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sampul/store"
)

// reserve watches the free space of the disk. bbolt copies on write, so even deletes
// need some: intake stops while there is enough left for them.
type reserve struct {
	dir   string
	least int64 // 0: the smaller of 1 GiB and 2 % of the disk

	mu    sync.Mutex
	asked time.Time
	err   error
}

const reserveAge = time.Second

func (r *reserve) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.asked) > reserveAge {
		r.asked, r.err = now, r.ask()
	}
	return r.err
}

func (r *reserve) ask() error {
	var st unix.Statfs_t
	if err := unix.Statfs(r.dir, &st); err != nil {
		return err
	}
	least := r.least
	if least == 0 {
		least = min(1<<30, int64(st.Blocks)*st.Bsize/50)
	}
	if int64(st.Bavail)*st.Bsize < least {
		return store.ErrDiskReserve
	}
	return nil
}
