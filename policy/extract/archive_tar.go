package extract

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
)

// readTar is one tar, or several behind each other.
func readTar(w *walker, a at, s *source) {
	b := w.bundle(a, "tar")
	told := false
	for pos := 0; pos < len(s.data) && w.tick(); {
		n, err := b.tar(s.data[pos:])
		pos += n
		if err != nil && !told {
			told = true
			w.gap(a, "tar", Damaged, "it cannot be unpacked to its end")
		}
		next := -1
		for off := (pos + 511) / 512 * 512; off+512 <= len(s.data); off += 512 {
			if isTar(s.data[off:]) {
				next = off
				break
			}
		}
		if next < 0 {
			b.rest(s.data[min(pos, len(s.data)):])
			return
		}
		pos = next
	}
}

// tar reads up to the end of an archive, and says where that is.
func (b *bundle) tar(data []byte) (int, error) {
	in := bytes.NewReader(data)
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		pos := len(data) - in.Len()
		if errors.Is(err, io.EOF) {
			return pos, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return max(pos, 512), err
		}
		if h.Linkname != "" {
			b.names(b.a.in(label(h.Linkname)), h.Linkname)
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeXGlobalHeader:
			if !b.w.member(b.a.in(label(h.Name))) {
				return len(data), nil
			}
			if h.Typeflag == tar.TypeDir {
				b.folder(h.Name)
			} else {
				b.names(b.a.in(label(h.Name)), h.Name)
			}
			continue
		}
		if !b.add(h.Name, t, min(h.Size, int64(in.Len())+1), h.Size) {
			return len(data), nil
		}
	}
}
