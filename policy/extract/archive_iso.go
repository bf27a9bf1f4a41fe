package extract

import (
	"bytes"
	"encoding/binary"
	"strings"

	"sampul/internal/message"
)

// sector is the usual one of CDs (ECMA-119 section 6.1).
const sector = 2048

// readISO is the image of a CD. Both lists of its files are read, that with short names and
// that with long ones (Joliet): a file may stand in one alone.
func readISO(w *walker, a at, s *source) {
	r := &isoReader{b: w.bundle(a, "iso"), data: s.data, seen: map[uint32]bool{}, told: map[string]bool{}}
	for n := 16; n < 32 && (n+1)*sector <= len(s.data); n++ {
		d := s.data[n*sector:]
		if string(d[1:6]) != "CD001" || d[0] == 255 {
			break
		}
		if d[0] == 1 || d[0] == 2 {
			r.wide = d[0] == 2 && d[88] == '%' && d[89] == '/'
			r.dirs = map[uint32]bool{}
			r.folder("", d[156:190], 0)
		}
	}
	if r.files == 0 {
		w.gap(a, "disk image", Opaque, "an image without files that can be found")
	}
	w.strings(a, "iso", s.data[:min(len(s.data), 32*sector)])
}

type isoReader struct {
	b     *bundle
	data  []byte
	wide  bool
	dirs  map[uint32]bool // read in this list
	seen  map[uint32]bool // files that are read
	told  map[string]bool
	files int
}

// folder reads a list of files, by the record that tells where it is (ECMA-119 section 9.1).
func (r *isoReader) folder(path string, rec []byte, depth int) {
	at, size := binary.LittleEndian.Uint32(rec[2:]), binary.LittleEndian.Uint32(rec[10:])
	if r.dirs[at] || depth > 64 {
		return
	}
	r.dirs[at] = true
	list := r.extent(at, size)
	for off := 0; off < len(list) && r.b.w.tick(); {
		n := int(list[off])
		if n == 0 { // records end with their sector
			off = (off/sector + 1) * sector
			continue
		}
		if n < 34 || off+n > len(list) || 33+int(list[off+32]) > n {
			r.b.w.gap(r.b.a, "iso", Damaged, "a list of files makes no sense")
			return
		}
		r.record(path, list[off:off+n], depth)
		off += n
	}
}

func (r *isoReader) record(path string, rec []byte, depth int) {
	id := rec[33 : 33+int(rec[32])]
	if len(id) == 1 && id[0] <= 1 {
		return // the folder itself, and the one above
	}
	name := string(id)
	if r.wide {
		name = message.DecodeCharset("utf-16be", id)
	}
	name = path + strings.TrimSuffix(strings.TrimSuffix(name, ";1"), ".")
	if rec[25]&2 != 0 {
		r.b.folder(name)
		r.folder(name+"/", rec, depth+1)
		return
	}
	r.files++
	at, size := binary.LittleEndian.Uint32(rec[2:]), binary.LittleEndian.Uint32(rec[10:])
	if r.seen[at] && size > 0 { // in the other list: only its name is new
		if !r.told[name] {
			r.told[name] = true
			r.b.names(r.b.a.in(label(name)), name)
		}
		return
	}
	r.seen[at], r.told[name] = true, true
	data := r.extent(at, size)
	here, ok := r.b.begin(name)
	if !ok {
		return
	}
	if uint32(len(data)) < size {
		r.b.w.gap(here, "iso", Damaged, "it breaks off")
	}
	r.b.read(here, name, bytes.NewReader(data), int64(len(data)), int64(len(data)))
}

func (r *isoReader) extent(at, size uint32) []byte {
	begin := min(uint64(at)*sector, uint64(len(r.data)))
	return r.data[begin:min(begin+uint64(size), uint64(len(r.data)))]
}
