package extract

import (
	"bytes"
	"encoding/binary"
)

// beginnings are of archives that may hang behind a picture, a program, or any octets.
var beginnings = [][]byte{[]byte("PK\x03\x04"), []byte("Rar!\x1a\x07"), []byte("7z\xbc\xaf\x27\x1c"), []byte("\xfd7zXZ\x00"),
	[]byte("MSCF\x00\x00\x00\x00"), []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), []byte("%PDF-"), []byte(`{\rtf1`)}

// hidden reads the first archive or document that stands behind something else, from an
// offset on, and says where it begins: at the end, if there is none. That it is damaged is
// no finding where nothing could be opened: it may be none.
func (w *walker) hidden(a at, b []byte, from int) int { return w.hiddenOf(a, b, from, beginnings) }

// inText are beginnings that no text has.
var inText = beginnings[:6]

func (w *walker) hiddenOf(a at, b []byte, from int, beginnings [][]byte) int {
	first := len(b)
	for _, begin := range beginnings {
		for off := from; off < first; {
			i := bytes.Index(b[off:first], begin)
			if i < 0 {
				break
			}
			off += i
			if begin[0] != 'P' || localHeader(b[off:]) {
				first = off
				break
			}
			off++
		}
	}
	if first == len(b) {
		return first
	}
	held := w.held
	defer func() { w.held = held }()
	here := a.in("hidden content")
	if !w.member(here) {
		return first
	}
	gaps, members := len(w.res.Gaps), w.used.Members
	w.file(here, source{data: b[first:]})
	if w.used.Members > members {
		return first
	}
	kept := w.res.Gaps[:gaps]
	for _, g := range w.res.Gaps[gaps:] {
		if g.Reason != Damaged && g.Reason != Opaque {
			kept = append(kept, g)
		}
	}
	w.res.Gaps = kept
	return first
}

// localHeader says whether the header of a file in a zip makes sense (APPNOTE 4.3.7).
func localHeader(b []byte) bool {
	if len(b) < 30 {
		return false
	}
	version, method, name := binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[8:]), int(binary.LittleEndian.Uint16(b[26:]))
	return version&0xff <= 63 && method <= 100 && name > 0 && name < 1024 && bytes.IndexByte(b[30:min(len(b), 30+name)], 0) < 0
}
