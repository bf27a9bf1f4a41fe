package inspect

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

const cacheEntries = 100_000

// A key says what a report is about, and what it depends on besides. It is never written
// anywhere: no hash of a content stands on a disk.
type key struct {
	sum      [sha256.Size]byte
	settings string // version
	document string // what a reader looks at beside the octets; "" for a message
	depth    int
}

func messageKey(sum [sha256.Size]byte, s *mark.Settings) key {
	return key{sum: sum, settings: settingsVersion(s)}
}

func documentKey(d extract.Document, s *mark.Settings) key {
	root := "in something"
	if d.Path == "" {
		root = "" // paths in it do not begin alike
	}
	return key{sha256.Sum256(d.Data), settingsVersion(s), strings.Join([]string{root, d.Name, d.Declared, d.Charset}, "\x00"), d.Depth}
}

func settingsVersion(s *mark.Settings) string {
	if s == nil {
		return ""
	}
	return "v" + s.Version
}

// A cache keeps the reports that were asked for last, in memory. It holds what was found
// and where, never text.
type cache struct {
	most int64 // octets

	mu     sync.Mutex
	size   int64
	order  *list.List // of *kept, the last used first
	by     map[key]*list.Element
	flying map[key]*flight

	hits, misses uint64
}

type kept struct {
	key  key
	path string       // of the document
	used extract.Used // by it alone
	rep  *Report
	size int64
}

// A flight is a report that is being made.
type flight struct {
	done chan struct{}
	rep  *Report
	err  error
}

func newCache(most int64) *cache {
	return &cache{most: most, order: list.New(), by: map[key]*list.Element{}, flying: map[key]*flight{}}
}

func (c *cache) get(k key) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lookup(k)
}

func (c *cache) lookup(k key) *kept {
	e := c.by[k]
	if e == nil {
		c.misses++
		return nil
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*kept)
}

func (c *cache) put(e *kept) {
	e.size = int64(len(e.key.document)+len(e.key.settings)+len(e.path)) + e.rep.size() + 300 // with what holds it here
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.by[e.key]; old != nil || e.size > c.most/8 {
		return
	}
	c.by[e.key] = c.order.PushFront(e)
	c.size += e.size
	for c.size > c.most || c.order.Len() > cacheEntries {
		last := c.order.Back()
		old := c.order.Remove(last).(*kept)
		delete(c.by, old.key)
		c.size -= old.size
	}
}

// message gives the report on a message, and makes it once however many ask at the same
// time. keep says whether it is to be kept.
func (c *cache) message(ctx context.Context, k key, look func() (rep *Report, keep bool, err error)) (*Report, error) {
	for {
		c.mu.Lock()
		if e := c.lookup(k); e != nil {
			c.mu.Unlock()
			return e.rep.copied("", ""), nil
		}
		f := c.flying[k]
		if f == nil {
			f = &flight{done: make(chan struct{}), err: errAbandoned}
			c.flying[k] = f
			c.mu.Unlock()
			return c.fly(k, f, look)
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		switch {
		case f.err == nil:
			return f.rep.copied("", ""), nil
		case !errors.Is(f.err, errAbandoned):
			return nil, f.err
		}
		// Who made it was called off: somebody who still waits makes it.
	}
}

// errAbandoned is the end of a flight that says nothing about the message.
var errAbandoned = errors.New("called off")

func (c *cache) fly(k key, f *flight, look func() (*Report, bool, error)) (*Report, error) {
	defer func() { // even after a panic
		c.mu.Lock()
		delete(c.flying, k)
		c.mu.Unlock()
		close(f.done)
	}()
	rep, keep, err := look()
	if err != nil {
		if errors.As(err, new(calledOff)) {
			f.err = errAbandoned
		} else {
			f.err = err
		}
		return nil, err
	}
	if keep {
		c.put(&kept{key: k, rep: rep})
	}
	f.rep, f.err = rep, nil
	return rep.copied("", ""), nil
}

// calledOff is the end of the context of who asked.
type calledOff struct{ error }

func (c calledOff) Unwrap() error { return c.error }

// document gives the report on a document that was read before, as it would be at d; nil
// when it was not, or when the budget that is left now would not do.
func (c *cache) document(k key, d extract.Document, b extract.Budget) *Report {
	e := c.get(k)
	if e == nil || !fits(d.Used, e.used, b) {
		return nil
	}
	rep := e.rep.copied(e.path, d.Path)
	rep.Used = d.Used
	rep.Used.Members += e.used.Members
	rep.Used.Expanded += e.used.Expanded
	rep.Used.Units += e.used.Units
	rep.Used.Text += e.used.Text
	rep.Used.OCR += e.used.OCR
	return rep
}

// keep keeps the report on a document, unless what was read before it in its message may
// have left it too little.
func (c *cache) keep(k key, d extract.Document, rep *Report) {
	if d.Used.OCR > 0 && rep.Used.OCR > d.Used.OCR { // how closely pictures are looked at depends on what is left
		return
	}
	if d.Used != (extract.Used{}) && slices.ContainsFunc(rep.Gaps, func(g extract.Gap) bool { return g.Reason == extract.TooMuch }) {
		return
	}
	u := rep.Used
	u.Members -= d.Used.Members
	u.Expanded -= d.Used.Expanded
	u.Units -= d.Used.Units
	u.Text -= d.Used.Text
	u.OCR -= d.Used.OCR
	u.CPU -= d.Used.CPU
	c.put(&kept{key: k, path: d.Path, used: u, rep: rep})
}

// fits says whether what a document used once is left.
func fits(before, used extract.Used, b extract.Budget) bool {
	return before == extract.Used{} ||
		before.Members+used.Members <= b.Members && before.Expanded+used.Expanded <= b.Expanded &&
			before.Units+used.Units <= b.Units && before.Text+used.Text <= b.Text && (used.OCR == 0 || before.OCR == 0)
}

// copied is r with paths below another top. Lists are its own, what they point to is not
// changed by anybody.
func (r *Report) copied(from, to string) *Report {
	out := *r
	out.Found.Findings = slices.Clone(r.Found.Findings)
	out.Gaps, out.Files, out.Notes = slices.Clone(r.Gaps), slices.Clone(r.Files), slices.Clone(r.Notes)
	if from == to {
		return &out
	}
	move := func(p *string) { *p = to + (*p)[len(from):] }
	for i := range out.Found.Findings {
		move(&out.Found.Findings[i].Path)
	}
	for i := range out.Gaps {
		move(&out.Gaps[i].Path)
	}
	for i := range out.Files {
		move(&out.Files[i].Path)
	}
	for i := range out.Notes {
		out.Notes[i] = strings.ReplaceAll(out.Notes[i], from, to)
	}
	return &out
}

// size is about how many octets of memory a report takes.
func (r *Report) size() int64 {
	n := int(unsafe.Sizeof(*r))
	for i := range r.Found.Findings {
		f := &r.Found.Findings[i]
		n += int(unsafe.Sizeof(*f)) + len(f.Path) + len(f.Where) + len(f.Rule) + len(f.Word) + len(f.Why)
	}
	for i := range r.Gaps {
		g := &r.Gaps[i]
		n += int(unsafe.Sizeof(*g)) + len(g.Path) + len(g.Kind) + len(g.Why)
	}
	for i := range r.Files {
		f := &r.Files[i]
		n += int(unsafe.Sizeof(*f)) + len(f.Path) + len(f.Name) + len(f.Kind) + len(f.Declared) + len(f.Head)
	}
	for _, s := range r.Notes {
		n += int(unsafe.Sizeof(s)) + len(s)
	}
	return int64(n)
}
