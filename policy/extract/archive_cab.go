package extract

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readCab is a cabinet ([MS-CAB]): folders of blocks, stored or of MSZIP; LZX and Quantum
// are not unpacked.
func readCab(w *walker, a at, s *source) {
	b := w.bundle(a, "cab")
	c, err := parseCab(s.data)
	if err != nil {
		w.gap(a, "cab", Damaged, "its list of files cannot be read")
		return
	}
	if len(c.files) > w.b.Members-w.used.Members {
		w.exceed(a, "cab", fmt.Sprintf("more than %d files in the message", w.b.Members))
		return
	}
	if c.flags&3 != 0 {
		w.gap(a, "cab", Damaged, "it goes on in another file")
	}
	folder := -1
	var r io.Reader
	var pos int64
	for _, f := range c.files {
		here, ok := b.begin(f.name)
		if !ok {
			return
		}
		if f.folder >= len(c.folders) {
			continue // in another file, which is told
		}
		if kind := c.folders[f.folder].method & 15; kind > 1 {
			w.gap(here, "cab", Opaque, "this way of compressing is not undone")
			continue
		}
		if f.folder != folder || f.off < pos {
			folder, pos = f.folder, 0
			r = c.open(folder)
		}
		// What stands between files is nobody's.
		for skip := f.off - pos; skip > 0 && w.tick(); {
			n, err := io.CopyN(io.Discard, r, min(skip, chunk))
			skip, pos = skip-n, pos+n
			w.spend(n)
			if err != nil {
				break
			}
		}
		pos += f.size
		if !b.read(here, f.name, io.LimitReader(r, f.size), int64(len(s.data)), f.size) {
			return
		}
	}
	if c.size < len(s.data) {
		b.rest(s.data[c.size:])
	}
}

type cabinet struct {
	data    []byte
	size    int
	flags   uint16
	reserve int // octets of each block that belong to nobody
	folders []cabFolder
	files   []cabFile
}

type cabFolder struct {
	off    int
	blocks int
	method uint16
}

type cabFile struct {
	name      string
	size, off int64
	folder    int
}

var errCab = errors.New("a cabinet that makes no sense")

func parseCab(b []byte) (*cabinet, error) {
	if len(b) < 36 {
		return nil, errCab
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	c := &cabinet{data: b, size: int(u32(b[8:])), flags: u16(b[30:])}
	folders, files, at := int(u16(b[26:])), int(u16(b[28:])), 36
	extra := 0
	if c.flags&4 != 0 {
		if len(b) < 40 {
			return nil, errCab
		}
		extra, c.reserve = int(b[38]), int(b[39])
		at = 40 + int(u16(b[36:]))
	}
	texts := 0
	if c.flags&1 != 0 {
		texts += 2
	}
	if c.flags&2 != 0 {
		texts += 2
	}
	for range texts {
		if at > len(b) || bytes.IndexByte(b[at:], 0) < 0 {
			return nil, errCab
		}
		at += bytes.IndexByte(b[at:], 0) + 1
	}
	for range folders {
		if at+8+extra > len(b) {
			return nil, errCab
		}
		c.folders = append(c.folders, cabFolder{int(u32(b[at:])), int(u16(b[at+4:])), u16(b[at+6:])})
		at += 8 + extra
	}
	at = int(u32(b[16:]))
	for range files {
		if at+17 > len(b) {
			return nil, errCab
		}
		end := bytes.IndexByte(b[at+16:], 0)
		if end < 0 {
			return nil, errCab
		}
		c.files = append(c.files, cabFile{name: decode(&source{data: b[at+16 : at+16+end]}, 0), size: int64(u32(b[at:])),
			off: int64(u32(b[at+4:])), folder: int(u16(b[at+8:]))})
		at += 16 + end + 1
	}
	return c, nil
}

func (c *cabinet) open(folder int) io.Reader {
	f := c.folders[folder]
	return &cabReader{c: c, f: f, at: f.off}
}

// A cabReader is the content of a folder: each block of MSZIP knows the 32 KiB before it.
type cabReader struct {
	c     *cabinet
	f     cabFolder
	at    int
	last  []byte
	block []byte
}

func (r *cabReader) Read(p []byte) (int, error) {
	for len(r.block) == 0 {
		if r.f.blocks == 0 {
			return 0, io.EOF
		}
		r.f.blocks--
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

func (r *cabReader) next() error {
	b := r.c.data
	if r.at < 0 || r.at+8+r.c.reserve > len(b) {
		return io.ErrUnexpectedEOF
	}
	packed, whole := int(binary.LittleEndian.Uint16(b[r.at+4:])), int(binary.LittleEndian.Uint16(b[r.at+6:]))
	begin := r.at + 8 + r.c.reserve
	if begin+packed > len(b) {
		return io.ErrUnexpectedEOF
	}
	data := b[begin : begin+packed]
	r.at = begin + packed
	if r.f.method&15 == 0 {
		r.block = data
		return nil
	}
	if !bytes.HasPrefix(data, []byte("CK")) {
		return errCab
	}
	out := make([]byte, whole)
	n, err := io.ReadFull(flate.NewReaderDict(bytes.NewReader(data[2:]), r.last), out)
	if err != nil {
		return errCab
	}
	r.block = out[:n]
	r.last = append(r.last, r.block...)
	if len(r.last) > 32<<10 {
		r.last = bytes.Clone(r.last[len(r.last)-32<<10:])
	}
	return nil
}
