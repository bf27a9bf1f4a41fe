package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// expand reads a stream that comes out of n octets, within the budget.
func (w *walker) expand(a at, kind string, r io.Reader, n int64) ([]byte, bool) {
	return w.expandTo(a, kind, r, n, 0)
}

// chunk is what is taken at once from a stream, between two looks at the budget.
const chunk = 64 << 10

// expandTo is expand for a stream that is said to have so many octets. They are believed
// once an eighth of them has come.
func (w *walker) expandTo(a at, kind string, r io.Reader, n, declared int64) ([]byte, bool) {
	byRatio, left, room := max(1<<20, n*w.b.Ratio), w.b.Expanded-w.used.Expanded, w.b.Whole-w.held
	limit := min(byRatio, left, room)
	var buf []byte
	var err error
	if declared > limit { // there is no need to see it
		w.overExpanded(a, kind, byRatio, left, room)
		return nil, false
	}
	for err == nil && int64(len(buf)) <= limit {
		if len(buf) == cap(buf) {
			buf = grown(buf, declared, limit)
		}
		if !w.tick() {
			return nil, false
		}
		var got int
		got, err = r.Read(buf[len(buf):min(cap(buf), len(buf)+chunk)])
		buf = buf[:len(buf)+max(got, 0)]
	}
	got := int64(len(buf))
	w.held += got
	spent := w.spend(got)
	switch {
	case !spent || got > limit:
		w.overExpanded(a, kind, byRatio, left, room)
		return nil, false
	case err == io.EOF:
		return buf, true
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		w.exceed(a, kind, "it asks for more memory than a message may")
		return nil, false
	case got == 0:
		w.gap(a, kind, Damaged, "it cannot be unpacked")
		return nil, false
	}
	w.gap(a, kind, Damaged, "it can be unpacked in part only")
	return buf, true
}

// overExpanded tells which of the limits is passed: that of the ratio, of what is left for
// the message, or of the memory for what stands in each other.
func (w *walker) overExpanded(a at, kind string, byRatio, left, room int64) {
	switch {
	case byRatio <= min(left, room):
		w.exceed(a, kind, fmt.Sprintf("it expands to more than %d times its size", w.b.Ratio))
	case left <= room:
		w.exceed(a, kind, "the message expands to more than "+size(w.b.Expanded))
	default:
		w.exceed(a, kind, "with those around it a file of more than "+size(w.b.Whole))
	}
}

// grown makes room for more: twice as much, or all that is declared.
func grown(buf []byte, declared, limit int64) []byte {
	n := int64(max(2*cap(buf), 4<<10))
	if declared > 0 && declared < limit && int64(len(buf)) >= declared/8 || declared > 0 && declared <= 64<<10 {
		n = max(declared+1, int64(len(buf))+4<<10)
	}
	n = min(n, max(limit+1, int64(len(buf))+1))
	return append(make([]byte, 0, n), buf...)
}

// A bundle is an archive while its files are read.
type bundle struct {
	w    *walker
	a    at
	kind string
	file int             // in res.Files
	dirs map[string]bool // whose names are told
}

func (w *walker) bundle(a at, kind string) *bundle {
	return &bundle{w: w, a: a, kind: kind, file: w.current, dirs: map[string]bool{}}
}

// locked tells that something in the archive is encrypted.
func (b *bundle) locked(here at, name string, n int64) {
	if b.file < len(b.w.res.Files) {
		b.w.res.Files[b.file].Locked = true
	}
	if name != "" {
		b.w.res.Files = append(b.w.res.Files, File{Path: here.path, Name: shortName(name), Kind: "", Size: n, Depth: here.depth - 1, Locked: true})
	}
	b.w.gap(here, b.kind, Locked, "it is locked by a password")
}

// names gives the name of a file and those of its folders.
func (b *bundle) names(here at, name string) {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	for i, dir := range parts[:max(0, len(parts)-1)] {
		if i < 32 && dir != "." && dir != ".." && !b.dirs[dir] && len(b.dirs) < 10_000 {
			b.dirs[dir] = true
			b.w.name(b.a.in(label(dir)), dir)
		}
	}
	b.w.name(here, name)
}

// folder gives the name of a folder.
func (b *bundle) folder(name string) { b.names(b.a, strings.TrimRight(name, `/\`)+"/") }

// begin counts a file and gives its name; false: no more of them.
func (b *bundle) begin(name string) (here at, ok bool) {
	here = b.a.in(label(name))
	if !b.w.member(here) {
		return here, false
	}
	b.names(here, name)
	return here, true
}

// read reads a file that comes out of n octets; false: no more of them.
func (b *bundle) read(here at, name string, r io.Reader, n, declared int64) bool {
	w := b.w
	held := w.held
	defer func() { w.held = held }()
	before := w.used.Expanded
	data, ok := w.expandTo(here, b.kind, r, n, declared)
	if !ok {
		return !w.over
	}
	if k := sniff(&source{name: name, data: data}); inert[k.name] {
		w.used.Expanded = before // it costs nothing to look at it
	}
	w.file(here, source{name: name, data: data})
	return w.tick()
}

// inert are kinds that have no text: what is in them is not counted.
var inert = map[string]bool{"audio": true, "video": true, "media": true, "font": true}

// add is begin and read.
func (b *bundle) add(name string, r io.Reader, n, declared int64) bool {
	here, ok := b.begin(name)
	return ok && b.read(here, name, r, n, declared)
}

// rest reads what stands behind the end of an archive, where there is something.
func (b *bundle) rest(data []byte) {
	if len(bytes.Trim(data, "\x00")) < shortest || !b.w.tick() {
		return
	}
	b.w.strings(b.a, b.kind, data)
	b.w.hidden(b.a, data, 0)
}

// inner is the name of what a compressed file holds.
func inner(name string, ends ...string) string {
	base := path.Base(name)
	for _, e := range ends {
		if rest, ok := strings.CutSuffix(strings.ToLower(base), e); ok && rest != "" {
			return base[:len(rest)]
		}
	}
	return "content"
}
