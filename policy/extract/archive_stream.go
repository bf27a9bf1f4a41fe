package extract

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"
	"strings"

	"github.com/pierrec/lz4/v4"
)

// single is a compressed file that holds one other. It says how much of r was used.
func (b *bundle) single(name string, r io.Reader, n int) {
	b.add(name, r, int64(n), 0)
}

// readGzip is one member or several, which together are one file (RFC 1952 section 2.2).
func readGzip(w *walker, a at, s *source) {
	b := w.bundle(a, "gzip")
	g := &gzipMembers{in: bytes.NewReader(s.data)}
	var err error
	if g.z, err = gzip.NewReader(g.in); err != nil {
		w.gap(a, "gzip", Damaged, "it cannot be unpacked")
		return
	}
	g.z.Multistream(false)
	name := g.z.Name
	if name == "" {
		name = inner(s.name, ".gz", ".gzip")
		if strings.HasSuffix(strings.ToLower(s.name), ".tgz") {
			name = "content.tar"
		}
	}
	g.said = map[string]bool{name: true}
	g.tell = func(said string) { b.names(a.in(label(said)), said) }
	g.header()
	b.single(name, g, len(s.data))
	if g.rest >= 0 {
		b.rest(s.data[g.rest:])
	}
}

// gzipMembers is the content of all members.
type gzipMembers struct {
	in   *bytes.Reader
	z    *gzip.Reader
	said map[string]bool
	tell func(string)
	rest int // where something else begins; 0 before the end
}

// header gives the names and comments that members have.
func (g *gzipMembers) header() {
	for _, said := range []string{g.z.Name, g.z.Comment} {
		if said != "" && !g.said[said] && len(g.said) < 1000 {
			g.said[said] = true
			g.tell(said)
		}
	}
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if n > 0 || err == nil || err != io.EOF {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		g.rest = int(g.in.Size()) - g.in.Len()
		if err := g.z.Reset(g.in); err != nil {
			return 0, io.EOF // what stands there is no member
		}
		g.z.Multistream(false)
		g.header()
	}
}

func readBzip2(w *walker, a at, s *source) {
	name := inner(s.name, ".bz2", ".bz")
	if strings.HasSuffix(strings.ToLower(s.name), ".tbz2") || strings.HasSuffix(strings.ToLower(s.name), ".tbz") {
		name = "content.tar"
	}
	w.bundle(a, "bzip2").single(name, bzip2.NewReader(bytes.NewReader(s.data)), len(s.data))
}

func readZstd(w *walker, a at, s *source) {
	r := unzstd(bytes.NewReader(s.data), smallWindow)
	defer r.Close()
	w.bundle(a, "zstd").single(inner(s.name, ".zst", ".zstd"), r, len(s.data))
}

func readLZ4(w *walker, a at, s *source) {
	w.bundle(a, "lz4").single(inner(s.name, ".lz4"), lz4.NewReader(bytes.NewReader(s.data)), len(s.data))
}

func readCompress(w *walker, a at, s *source) {
	w.bundle(a, "compress").single(inner(s.name, ".z"), newLZW(s.data), len(s.data))
}
