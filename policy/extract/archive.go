package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// expand reads a stream that comes out of n octets, within the budget.
func (w *walker) expand(a at, kind string, r io.Reader, n int64) ([]byte, bool) {
	limit := max(1<<20, n*w.b.Ratio)
	limit = min(limit, w.b.Expanded-w.used.Expanded)
	var buf bytes.Buffer
	got, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	if !w.spend(got) || got > limit {
		w.gap(a, kind, TooMuch, "it expands to more than can be looked at")
		return nil, false
	}
	if err != nil {
		if buf.Len() == 0 {
			w.gap(a, kind, Damaged, "it cannot be unpacked")
			return nil, false
		}
		w.gap(a, kind, Damaged, "it can be unpacked in part only")
	}
	return buf.Bytes(), true
}

// readZip is a zip, or a document that is one.
func readZip(w *walker, a at, s *source) {
	z, err := zip.NewReader(bytes.NewReader(s.data), int64(len(s.data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		w.gap(a, "zip", Damaged, "its list of files cannot be read")
		return
	}
	p := newPack(w, a, z)
	switch {
	case p.has("[Content_Types].xml") && p.has("word/"):
		p.readDocx()
	case p.has("[Content_Types].xml") && p.has("xl/"):
		p.readXlsx()
	case p.has("[Content_Types].xml") && p.has("ppt/"):
		p.readPptx()
	case p.has("content.xml") && (p.has("META-INF/manifest.xml") || p.has("mimetype")):
		p.readODF()
	default:
		p.readMembers()
	}
}

// A pack is an open zip.
type pack struct {
	w     *walker
	a     at
	files []*zip.File
	names map[string]*zip.File
}

func newPack(w *walker, a at, z *zip.Reader) *pack {
	p := &pack{w: w, a: a, files: z.File, names: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		p.names[strings.TrimPrefix(f.Name, "/")] = f
	}
	return p
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

// open expands a file.
func (p *pack) open(a at, f *zip.File) ([]byte, bool) {
	if !p.w.member(a) {
		return nil, false
	}
	if f.Flags&1 != 0 {
		p.w.gap(a, "zip", Locked, "it is locked by a password")
		return nil, false
	}
	r, err := f.Open()
	if err != nil {
		why := "it cannot be unpacked"
		if errors.Is(err, zip.ErrAlgorithm) {
			why = fmt.Sprintf("its compression method %d is not known", f.Method)
		}
		p.w.gap(a, "zip", Damaged, why)
		return nil, false
	}
	defer r.Close()
	return p.w.expand(a, "zip", r, int64(f.CompressedSize64))
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
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		here := p.a.in(label(f.Name))
		p.w.name(here, zipName(f))
		if b, ok := p.open(here, f); ok {
			p.w.file(here, source{name: f.Name, data: b})
		}
		if p.w.over || p.w.err != nil {
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

// inner is the name of what a compressed file holds.
func inner(name string, ends ...string) string {
	for _, e := range ends {
		if rest, ok := strings.CutSuffix(strings.ToLower(name), e); ok {
			return name[:len(rest)]
		}
	}
	return "content"
}

func readGzip(w *walker, a at, s *source) {
	z, err := gzip.NewReader(bytes.NewReader(s.data))
	if err != nil {
		w.gap(a, "gzip", Damaged, "it cannot be unpacked")
		return
	}
	name := z.Name
	if name == "" {
		name = inner(s.name, ".gz")
		if strings.HasSuffix(strings.ToLower(s.name), ".tgz") {
			name = "content.tar"
		}
	}
	w.single(a, "gzip", name, z, len(s.data))
}

func readBzip2(w *walker, a at, s *source) {
	w.single(a, "bzip2", inner(s.name, ".bz2"), bzip2.NewReader(bytes.NewReader(s.data)), len(s.data))
}

// single is a compressed file that holds one other.
func (w *walker) single(a at, kind, name string, r io.Reader, n int) {
	here := a.in(label(name))
	if !w.member(here) {
		return
	}
	w.name(here, name)
	if b, ok := w.expand(here, kind, r, int64(n)); ok {
		w.file(here, source{name: name, data: b})
	}
}

func readTar(w *walker, a at, s *source) {
	t := tar.NewReader(bytes.NewReader(s.data))
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			w.gap(a, "tar", Damaged, "it cannot be unpacked to its end")
			return
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		here := a.in(label(h.Name))
		if !w.member(here) {
			return
		}
		w.name(here, h.Name)
		if b, ok := w.expand(here, "tar", t, h.Size); ok {
			w.file(here, source{name: h.Name, data: b})
		}
	}
}

// readOLE is an old container: an encrypted document of a new kind, or a document of an
// old kind, which is not read yet.
func readOLE(w *walker, a at, s *source) {
	// Stream names stand in its directory in UTF-16.
	if bytes.Contains(s.data, utf16Text("EncryptedPackage")) {
		w.gap(a, "office", Locked, "a document locked by a password")
		return
	}
	kind := "ole"
	for name, stream := range map[string]string{"doc": "WordDocument", "xls": "Workbook", "ppt": "PowerPoint Document", "msg": "__properties_version1.0"} {
		if bytes.Contains(s.data, utf16Text(stream)) {
			kind = name
		}
	}
	w.gap(a, kind, Unread, "this kind of document is not read yet")
}

func utf16Text(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}
