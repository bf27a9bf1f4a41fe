package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// unzippers are methods beyond deflate (APPNOTE 4.4.5).
var unzippers = map[uint16]func(io.Reader) io.ReadCloser{
	12: func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) },
	14: func(r io.Reader) io.ReadCloser { return io.NopCloser(zipLZMA(r)) },
	93: func(r io.Reader) io.ReadCloser { return unzstd(r, smallWindow) },
	95: func(r io.Reader) io.ReadCloser { return io.NopCloser(newXZ(r, smallWindow)) },
}

// smallWindow is the most memory that a decoder of one member may ask for.
const smallWindow = 64 << 20

func unzstd(r io.Reader, window uint64) io.ReadCloser {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window),
		zstd.WithDecoderMaxMemory(2*window))
	if err != nil {
		return io.NopCloser(broken{err})
	}
	return d.IOReadCloser()
}

// broken is a stream that can't be read.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// readZip is a zip, or a document that is one.
func readZip(w *walker, a at, s *source) {
	b := w.bundle(a, "zip")
	if n := bytes.Count(s.data, []byte("PK\x01\x02")); n > w.b.Members-w.used.Members {
		w.exceed(a, "zip", fmt.Sprintf("more than %d files in the message", w.b.Members))
		return
	}
	z, err := zip.NewReader(bytes.NewReader(s.data), int64(len(s.data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		w.gap(a, "zip", Damaged, "its list of files cannot be read")
		b.stray(s.data, 0, int64(len(s.data)))
		return
	}
	for m, f := range unzippers {
		z.RegisterDecompressor(m, f)
	}
	spans, ok := b.spans(z, s.data)
	if !ok {
		w.exceed(a, "zip", "files of it lie over each other")
		return
	}
	p := newPack(w, a, z)
	p.b = b
	if (p.has("[Content_Types].xml") || p.has("content.xml")) && p.twice() {
		w.gap(a, "zip", Damaged, "a document with two files of the same name")
	}
	switch {
	case p.officeKind() != "":
		p.office(p.officeKind())
	case p.has("content.xml") && (p.has("META-INF/manifest.xml") || p.has("mimetype")):
		p.readODF()
	default:
		if p.has("META-INF/MANIFEST.MF") || p.has("AndroidManifest.xml") {
			w.res.Files[b.file].Kind = "executable" // jar, apk
		}
		p.readMembers()
	}
	if z.Comment != "" {
		w.lines(a, decode(&source{data: []byte(z.Comment)}, 0))
	}
	b.between(s.data, spans)
}

// A span is where in a zip something stands.
type span struct{ from, to int64 }

// spans are the places of the files that the list names, and of the list; false: two of
// them lie over each other, which only a bomb needs.
func (b *bundle) spans(z *zip.Reader, data []byte) ([]span, bool) {
	var all []span
	for _, f := range z.File {
		begin, err := f.DataOffset()
		if err != nil || begin > int64(len(data)) {
			continue
		}
		// Its local header stands before it: 30 octets, a name, more.
		at := int64(-1)
		for back := begin - 30 - int64(len(f.Name)); back >= max(0, begin-30-2*65535); back-- {
			if h := data[back:]; len(h) >= 30 && bytes.HasPrefix(h, []byte("PK\x03\x04")) &&
				back+30+int64(binary.LittleEndian.Uint16(h[26:]))+int64(binary.LittleEndian.Uint16(h[28:])) == begin {
				at = back
				break
			}
		}
		if at < 0 {
			at = begin
		} else {
			b.compare(f, data[at:])
		}
		all = append(all, span{at, begin + int64(min(f.CompressedSize64, uint64(len(data))))})
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for i := 1; i < len(all); i++ {
		if all[i].from < all[i-1].to {
			return nil, false
		}
	}
	return all, true
}

// compare looks at what the header of a file says beside the list: some readers believe the
// one, some the other.
func (b *bundle) compare(f *zip.File, h []byte) {
	name := h[30 : 30+int(binary.LittleEndian.Uint16(h[26:]))]
	if string(name) != f.Name {
		other := decode(&source{data: name}, 0)
		b.names(b.a.in(label(other)), other)
	}
	if binary.LittleEndian.Uint16(h[8:]) != f.Method || binary.LittleEndian.Uint16(h[6:])&1 != f.Flags&1 {
		b.w.gap(b.a.in(label(f.Name)), "zip", Damaged, "what is said of it in two places differs")
	}
}

// between reads what no entry of the list covers: files that only their local headers name,
// what stands before the first, and behind the end.
func (b *bundle) between(data []byte, spans []span) {
	end := int64(len(data))
	if i := bytes.LastIndex(data, []byte("PK\x05\x06")); i >= 0 {
		end = int64(i)
		if i+22 <= len(data) {
			b.rest(data[min(len(data), i+22+int(binary.LittleEndian.Uint16(data[i+20:]))):])
		}
	}
	list := end
	if i := bytes.Index(data[min(end, lastOf(spans)):end], []byte("PK\x01\x02")); i >= 0 {
		list = lastOf(spans) + int64(i)
	}
	from := int64(0)
	for _, s := range append(spans, span{list, end}) {
		if s.from > from {
			if between := data[from:s.from]; localHeader(between) && bytes.HasPrefix(between, []byte("PK\x03\x04")) {
				b.stray(data, from, s.from)
			} else if from == 0 || len(between) > 24 { // no mere descriptor
				b.rest(between)
			}
		}
		from = max(from, s.to)
	}
}

func lastOf(spans []span) int64 {
	if len(spans) == 0 {
		return 0
	}
	return spans[len(spans)-1].to
}

// stray reads files by their local headers alone (APPNOTE 4.3.7).
func (b *bundle) stray(data []byte, from, to int64) {
	for b.w.tick() {
		i := bytes.Index(data[from:to], []byte("PK\x03\x04"))
		if i < 0 {
			return
		}
		from += int64(i)
		if !localHeader(data[from:]) {
			from += 4
			continue
		}
		from += b.local(data[from:to])
	}
}

// local reads one file by its local header, and says how long it is.
func (b *bundle) local(h []byte) int64 {
	flags, method := binary.LittleEndian.Uint16(h[6:]), binary.LittleEndian.Uint16(h[8:])
	packed, whole := int64(binary.LittleEndian.Uint32(h[18:])), int64(binary.LittleEndian.Uint32(h[22:]))
	nameEnd := 30 + int(binary.LittleEndian.Uint16(h[26:]))
	begin := nameEnd + int(binary.LittleEndian.Uint16(h[28:]))
	if begin > len(h) {
		b.w.gap(b.a, "zip", Damaged, "it breaks off")
		return int64(len(h))
	}
	name := decode(&source{data: h[30:nameEnd]}, 0)
	body := h[begin:]
	unknown := flags&8 != 0 && packed == 0 || packed == 0xffffffff
	switch {
	case !unknown && packed > int64(len(body)):
		b.w.gap(b.a.in(label(name)), "zip", Damaged, "it breaks off")
	case !unknown:
		body = body[:packed]
	}
	if strings.HasSuffix(name, "/") {
		b.folder(name)
		return int64(begin + len(body))
	}
	here, ok := b.begin(name)
	if !ok {
		return int64(len(h))
	}
	if flags&1 != 0 {
		b.locked(here, name, whole)
		return int64(begin) + b.untilNext(body, unknown)
	}
	in := bytes.NewReader(body)
	var r io.Reader = in
	switch open := unzippers[method]; {
	case method == 8:
		r = flate.NewReader(in)
	case method == 0:
		r = bytes.NewReader(body[:b.untilNext(body, unknown)])
	case open != nil:
		r = open(in)
	default:
		b.w.gap(here, "zip", Damaged, fmt.Sprintf("its compression method %d is not known", method))
		return int64(begin) + b.untilNext(body, unknown)
	}
	b.read(here, name, r, int64(len(body)), 0)
	if method == 8 && unknown {
		return int64(begin + len(body) - in.Len())
	}
	return int64(begin) + b.untilNext(body, unknown)
}

// untilNext is the length of a file that does not tell it: up to its descriptor, the next
// header, or the list.
func (b *bundle) untilNext(body []byte, unknown bool) int64 {
	n := len(body)
	if unknown {
		for _, sig := range []string{"PK\x07\x08", "PK\x03\x04", "PK\x01\x02"} {
			if i := bytes.Index(body[:n], []byte(sig)); i >= 0 {
				n = i
			}
		}
	}
	return int64(n)
}

// A pack is an open zip.
type pack struct {
	w     *walker
	a     at
	b     *bundle
	files []*zip.File
	names map[string]*zip.File
}

func newPack(w *walker, a at, z *zip.Reader) *pack {
	p := &pack{w: w, a: a, b: w.bundle(a, "zip"), files: z.File, names: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		p.names[strings.TrimPrefix(f.Name, "/")] = f
		if isMacro(f.Name) {
			w.res.Files[w.current].Macros = true
		}
	}
	return p
}

// isMacro says whether a file in a document is program code of it: of OOXML, or of ODF.
func isMacro(name string) bool {
	name = strings.ToLower(strings.TrimPrefix(name, "/"))
	base := path.Base(name)
	return base == "vbaproject.bin" || strings.HasPrefix(name, "scripts/python/") && !strings.HasSuffix(name, "/") ||
		strings.HasPrefix(name, "basic/") && strings.Count(name, "/") == 2 && strings.HasSuffix(base, ".xml") && base != "script-lb.xml" && base != "dialog-lb.xml"
}

// has says whether there is a file of this name, or one in this folder.
func (p *pack) has(name string) bool {
	if _, ok := p.names[name]; ok {
		return true
	}
	if strings.HasSuffix(name, "/") {
		for n := range p.names {
			if strings.HasPrefix(n, name) {
				return true
			}
		}
	}
	return false
}

// twice says whether two different files have the same name.
func (p *pack) twice() bool {
	for _, f := range p.files {
		if other := p.names[strings.TrimPrefix(f.Name, "/")]; other != f && other.CRC32 != f.CRC32 {
			return true
		}
	}
	return false
}

// open expands a file.
func (p *pack) open(a at, f *zip.File) ([]byte, bool) {
	if !p.w.member(a) {
		return nil, false
	}
	r := p.stream(a, f)
	if r == nil {
		return nil, false
	}
	defer r.Close()
	return p.w.expandTo(a, "zip", r, int64(f.CompressedSize64), int64(min(f.UncompressedSize64, 1<<40)))
}

// stream opens a file; nil: it can't be, which is told.
func (p *pack) stream(a at, f *zip.File) io.ReadCloser {
	if f.Flags&1 != 0 || f.Flags&(1<<13) != 0 {
		p.b.locked(a, f.Name, int64(min(f.UncompressedSize64, 1<<40)))
		return nil
	}
	r, err := f.Open()
	if err != nil {
		why := "it cannot be unpacked"
		if errors.Is(err, zip.ErrAlgorithm) {
			why = fmt.Sprintf("its compression method %d is not known", f.Method)
		}
		p.w.gap(a, "zip", Damaged, why)
		return nil
	}
	return r
}

// part opens a file of a document by its name.
func (p *pack) part(name string) []byte {
	f := p.names[name]
	if f == nil {
		return nil
	}
	b, _ := p.open(p.a.in(path.Base(name)), f)
	return b
}

// readMembers reads each file by itself. Names count also where the content is locked.
func (p *pack) readMembers() {
	for _, f := range p.files {
		name := zipName(f)
		for _, other := range otherNames(f) {
			if other != name {
				p.b.names(p.a.in(label(other)), other)
			}
		}
		if f.Comment != "" {
			p.w.lines(p.a.in(label(name)), decode(&source{data: []byte(f.Comment)}, 0))
		}
		if strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			if !p.w.member(p.a.in(label(name))) {
				return
			}
			p.b.folder(name)
			continue
		}
		here, ok := p.b.begin(name)
		if !ok {
			return
		}
		r := p.stream(here, f)
		if r == nil {
			continue
		}
		more := p.b.read(here, name, r, int64(f.CompressedSize64), int64(min(f.UncompressedSize64, 1<<40)))
		r.Close()
		if !more {
			return
		}
	}
}

func zipName(f *zip.File) string {
	if f.NonUTF8 {
		return decode(&source{data: []byte(f.Name)}, 0)
	}
	return f.Name
}

// otherNames are those of the extra field for names in Unicode (APPNOTE 4.6.9).
func otherNames(f *zip.File) (names []string) {
	for x := f.Extra; len(x) >= 4; {
		id, n := binary.LittleEndian.Uint16(x), int(binary.LittleEndian.Uint16(x[2:]))
		x = x[4:]
		if n > len(x) {
			break
		}
		if id == 0x7075 && n > 5 && binary.LittleEndian.Uint32(x[1:]) == crc32.ChecksumIEEE([]byte(f.Name)) {
			names = append(names, string(x[5:n]))
		}
		x = x[n:]
	}
	return names
}
