package inspect

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

const watchMemory = 10 * time.Millisecond

// memory watches how much of it a worker holds, and ends the worker past a limit: what
// makes a document that large is nothing that a person wrote.
type memory struct {
	most  int64    // octets beside those that the worker held before it read anything
	statm *os.File // opened before the jail closes
	err   error
	base  int64

	mu    sync.Mutex
	timer *time.Timer
	busy  bool
}

func openMemory(most int64) (*memory, error) {
	m := &memory{most: most}
	if m.statm, m.err = os.Open("/proc/self/statm"); m.err != nil {
		m.err = fmt.Errorf("memory is not watched: %w", m.err)
	}
	debug.FreeOSMemory()
	m.base = m.now()
	debug.SetMemoryLimit(m.base + most*3/4) // collects garbage rather than grow past that
	return m, m.err
}

// now is the octets that the process holds for itself, 0 if that cannot be known.
func (m *memory) now() int64 {
	if m.statm == nil {
		return 0
	}
	var b [128]byte
	n, _ := m.statm.ReadAt(b[:], 0)
	f := bytes.Fields(b[:n])
	if len(f) < 3 {
		return 0
	}
	resident, err1 := strconv.ParseInt(string(f[1]), 10, 64)
	shared, err2 := strconv.ParseInt(string(f[2]), 10, 64) // pages of the program's file
	if err1 != nil || err2 != nil {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize())
}

// grown is the octets that came with documents.
func (m *memory) grown() int64 { return m.now() - m.base }

// watch looks at the memory until rest.
func (m *memory) watch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = true
	if m.timer == nil {
		m.timer = time.AfterFunc(watchMemory, m.look)
		return
	}
	m.timer.Reset(watchMemory)
}

func (m *memory) look() {
	m.mu.Lock()
	busy := m.busy
	m.mu.Unlock()
	if !busy {
		return
	}
	if m.grown() > m.most {
		debug.FreeOSMemory() // garbage is not held against it
		if m.grown() > m.most {
			os.Exit(exitMemory)
		}
	}
	m.watch()
}

// rest ends the watch, and gives back what a large document took.
func (m *memory) rest() {
	m.mu.Lock()
	m.busy = false
	m.timer.Stop()
	m.mu.Unlock()
	if m.grown() > m.most/4 {
		debug.FreeOSMemory()
	}
}
