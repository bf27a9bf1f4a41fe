package bolt

import (
	"fmt"
	"io"
	"sync"
	"time"

	"sampul/store"
)

const (
	cachedBody   = 64 << 10 // a longer one is read from the journal
	cachedOctets = 32 << 20
	cachedAge    = 5 * time.Second // an older body goes when the next one comes
)

// bodyCache holds bodies of messages that were just accepted: most are sent on within
// the same second, and need not be unsealed for it. The first outcome of an entry drops
// its body.
type bodyCache struct {
	mu     sync.Mutex
	by     map[string][]byte
	octets int
	line   []cachedLine // in order of acceptance; some were dropped
}

type cachedLine struct {
	id string
	at time.Time
}

func (c *bodyCache) init() { c.by = make(map[string][]byte) }

// put keeps a body if it has room. b is the cache's from now on.
func (c *bodyCache) put(id string, b []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.line) > 0 {
		first := c.line[0]
		if old, ok := c.by[first.id]; ok {
			if now.Sub(first.at) < cachedAge {
				break
			}
			c.remove(first.id, old)
		}
		c.line = c.line[1:]
	}
	if c.octets+len(b) > cachedOctets {
		return
	}
	if c.by[id] == nil {
		c.by[id] = b
		c.octets += len(b)
		c.line = append(c.line, cachedLine{id, now})
	}
	if len(c.line) > 2*len(c.by)+1024 {
		kept := make([]cachedLine, 0, len(c.by))
		for _, l := range c.line {
			if c.by[l.id] != nil {
				kept = append(kept, l)
			}
		}
		c.line = kept
	}
}

func (c *bodyCache) remove(id string, b []byte) {
	delete(c.by, id)
	c.octets -= len(b)
}

func (c *bodyCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.by[id]; ok {
		c.remove(id, b)
	}
}

func (c *bodyCache) get(id string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[id]
}

// A memoryBody is a [store.BodyReader] of bytes that never change.
type memoryBody []byte

var _ store.BodyReader = memoryBody(nil)

// Size of the body.
func (b memoryBody) Size() int64 { return int64(len(b)) }

// ReadAt is [io.ReaderAt].
func (b memoryBody) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteRange writes n octets from off to w.
func (b memoryBody) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > int64(len(b)) || n > int64(len(b))-off {
		return fmt.Errorf("range %d+%d of a body of %d", off, n, len(b))
	}
	_, err := w.Write(b[off : off+n])
	return err
}

// Close does nothing.
func (b memoryBody) Close() error { return nil }
