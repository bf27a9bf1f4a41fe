package extract

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"
)

// A compound is an open file of the container that old office programs write: streams in
// storages, as a file system in a file [MS-CFB].
type compound struct {
	w    *walker
	size int64
	file int // in w.res.Files
	root *storage
	kind string // of the document that it is
}

// A storage is a folder.
type storage struct {
	name    string
	streams []*stream
	kids    []*storage
	id      string // class of the object, as a GUID
}

// A stream is a file. Its name begins with a control character if it is one of the system's.
type stream struct {
	name string
	f    *mscfb.File
	read []byte // its content, once somebody asked
	was  bool
}

// Limits of a directory. The largest real ones, of messages with many attachments, have a
// few thousand entries.
const (
	maxEntries = 60_000
	freeSector = 0xfffffffa // and above: no sector
)

var (
	errNoCompound  = errors.New("its directory cannot be read")
	errHugeFolder  = errors.New("its directory is larger than can be looked at")
	errDoubleEntry = errors.New("two of its streams have the same name")
)

var le = binary.LittleEndian

// padded gives zeros where the last sector of a file is cut short, as some programs write it.
type padded struct{ b []byte }

func (p padded) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(p.b)) {
		return 0, io.EOF
	}
	n := copy(b, p.b[off:])
	clear(b[n:])
	return len(b), nil
}

// checkCompound bounds what the library would believe of a header.
func checkCompound(b []byte) error {
	if len(b) < 1536 {
		return errNoCompound
	}
	shift := le.Uint16(b[30:])
	if shift != 9 && shift != 12 {
		return errNoCompound
	}
	sectors := uint32(len(b)>>shift) + 1
	for _, off := range []int{40, 44, 64, 72} { // sectors of directory, FAT, mini FAT, DIFAT
		if le.Uint32(b[off:]) > sectors {
			return errNoCompound
		}
	}
	_, next := sectorChain(b, int(shift))
	entries := 0
	for sn := le.Uint32(b[48:]); sn < freeSector; sn = next(sn) {
		if entries += 1 << (shift - 7); entries > maxEntries {
			return errHugeFolder
		}
	}
	return nil
}

// sectorChain gives how many sectors the allocation table knows, and what follows one.
func sectorChain(b []byte, shift int) (int, func(uint32) uint32) {
	sector := func(n uint32) []byte {
		off := (int64(n) + 1) << shift
		if off >= int64(len(b)) {
			return nil
		}
		return b[off:min(int64(len(b)), off+1<<shift)]
	}
	var fat []uint32
	for off := 76; off < 512; off += 4 {
		fat = append(fat, le.Uint32(b[off:]))
	}
	per := 1 << (shift - 2)
	difat := le.Uint32(b[68:])
	for range le.Uint32(b[72:]) {
		s := sector(difat)
		if len(s) < 1<<shift {
			break
		}
		for i := range per - 1 {
			fat = append(fat, le.Uint32(s[4*i:]))
		}
		difat = le.Uint32(s[4*(per-1):])
	}
	return min(len(fat)*per, len(b)>>shift), func(n uint32) uint32 {
		i, j := int(n)/per, int(n)%per
		if i >= len(fat) {
			return freeSector
		}
		s := sector(fat[i])
		if len(s) < 4*j+4 {
			return freeSector
		}
		return le.Uint32(s[4*j:])
	}
}

// behindCompound is where what belongs to the file ends: archives may hang behind it.
func behindCompound(b []byte) int {
	shift := int(le.Uint16(b[30:]))
	n, next := sectorChain(b, shift)
	for n > 0 && next(uint32(n-1)) == 0xffffffff { // free
		n--
	}
	return min(len(b), (n+1)<<shift)
}

// openCompound reads the directory of b.
func (w *walker) openCompound(b []byte) (*compound, error) {
	if err := checkCompound(b); err != nil {
		return nil, err
	}
	r, err := mscfb.New(padded{b})
	if err != nil {
		return nil, errNoCompound
	}
	c := &compound{w: w, size: int64(len(b)), file: w.current, root: &storage{}}
	folders := map[string]*storage{"": c.root}
	folder := func(path []string) *storage {
		key := strings.Join(path, "\x00")
		if s := folders[key]; s != nil {
			return s
		}
		return c.root
	}
	for i, f := range r.File {
		name := f.Name
		if f.Initial < ' ' && f.Initial > 0 {
			name = string(rune(f.Initial)) + name
		}
		switch {
		case i == 0 || name == "" && f.FileInfo().IsDir():
			if i == 0 {
				c.root.id = f.ID()
			}
		case f.FileInfo().IsDir():
			kid := &storage{name: name, id: f.ID()}
			in := folder(f.Path)
			key := strings.Join(append(append([]string(nil), f.Path...), f.Name), "\x00")
			if folders[key] == nil {
				folders[key] = kid
				in.kids = append(in.kids, kid)
			}
		}
	}
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		name := f.Name
		if f.Initial < ' ' && f.Initial > 0 {
			name = string(rune(f.Initial)) + name
		}
		in := folder(f.Path)
		if len(in.streams) < 200 && in.stream(name) != nil {
			return nil, errDoubleEntry
		}
		in.streams = append(in.streams, &stream{name: name, f: f})
	}
	return c, nil
}

// stream finds a stream by its name, whose case does not count; nil if there is none.
func (s *storage) stream(name string) *stream {
	for _, one := range s.streams {
		if strings.EqualFold(one.name, name) {
			return one
		}
	}
	return nil
}

// kid finds a storage.
func (s *storage) kid(name string) *storage {
	for _, one := range s.kids {
		if strings.EqualFold(one.name, name) {
			return one
		}
	}
	return nil
}

// read gives all octets of a stream: what there is of it, with a gap when it breaks off.
func (c *compound) read(a at, s *stream) []byte {
	if s == nil {
		return nil
	}
	if s.f.Size <= 0 || s.was {
		return s.read
	}
	s.was = true
	n := min(s.f.Size, c.size) // no stream is longer than its file
	if !c.w.spend(n) {
		c.w.gap(a, c.name(), TooMuch, "more than can be looked at")
		return nil
	}
	b := make([]byte, 0, n)
	for int64(len(b)) < n {
		part := b[len(b):min(n, int64(len(b))+32<<10)]
		got, err := s.f.Read(part)
		b = b[:len(b)+max(0, min(got, len(part)))]
		if err != nil && !errors.Is(err, io.EOF) || got <= 0 {
			break
		}
	}
	if int64(len(b)) < s.f.Size {
		c.w.gap(a, c.name(), Damaged, "it breaks off")
	}
	s.read = b
	return b
}

func (c *compound) name() string {
	if c.kind == "" {
		return "ole"
	}
	return c.kind
}

// is says what the document is, for whoever asks about files.
func (c *compound) is(kind string) {
	if c.kind == "" {
		c.kind = kind
		c.w.res.Files[c.file].Kind = kind
	}
}

// locked says that it cannot be read without a password.
func (c *compound) locked(a at, why string) {
	c.w.res.Files[c.file].Locked = true
	c.w.gap(a, c.name(), Locked, why)
}

// macros says that there is program code in it.
func (c *compound) macros() { c.w.res.Files[c.file].Macros = true }
