package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/bodgit/sevenzip"
	"github.com/ulikunitz/xz/lzma"
)

// The library takes the memory that a header asks for. Before it sees one, the header is
// walked through here, and decoders that need a dictionary are given their own limits.
var bound7z = sync.OnceFunc(func() {
	sevenzip.RegisterDecompressor([]byte{0x03, 0x01, 0x01}, func(p []byte, n uint64, in []io.ReadCloser) (io.ReadCloser, error) {
		if len(p) != 5 || len(in) != 1 {
			return nil, errors.New("no properties")
		}
		if min(uint64(binary.LittleEndian.Uint32(p[1:])), n) > smallWindow {
			return nil, errMemory
		}
		r, err := newLZMA(binary.LittleEndian.AppendUint64(bytes.Clone(p), n), in[0], smallWindow)
		return readAndClose{r, in[0]}, err
	})
	sevenzip.RegisterDecompressor([]byte{0x21}, func(p []byte, n uint64, in []io.ReadCloser) (io.ReadCloser, error) {
		if len(p) != 1 || len(in) != 1 {
			return nil, errors.New("no properties")
		}
		dict, err := lzma2Window(p[0])
		if err != nil {
			return nil, err
		}
		if dict = int64(min(uint64(dict), n)); dict > smallWindow {
			return nil, errMemory
		}
		r, err := lzma.Reader2Config{DictCap: int(max(lzma.MinDictCap, dict))}.NewReader2(in[0])
		return readAndClose{r, in[0]}, err
	})
	sevenzip.RegisterDecompressor([]byte{0x04, 0xf7, 0x11, 0x01}, func(_ []byte, _ uint64, in []io.ReadCloser) (io.ReadCloser, error) {
		if len(in) != 1 {
			return nil, errors.New("one stream is needed")
		}
		return unzstd(in[0], smallWindow), nil
	})
})

type readAndClose struct {
	io.Reader
	c io.Closer
}

func (r readAndClose) Close() error { return r.c.Close() }

func read7z(w *walker, a at, s *source) {
	bound7z()
	b := w.bundle(a, "7z")
	secret, err := check7z(s.data, w.b.Members-w.used.Members)
	switch {
	case errors.Is(err, errSecret):
		b.locked(a, "", 0)
		return
	case errors.Is(err, errMany), errors.Is(err, errMemory):
		w.exceed(a, "7z", "it holds more files, or asks for more memory, than a message may")
		return
	case err != nil:
		w.gap(a, "7z", Damaged, "its list of files cannot be read")
		return
	}
	z, err := sevenzip.NewReader(bytes.NewReader(s.data), int64(len(s.data)))
	if err != nil {
		w.gap(a, "7z", Damaged, "its list of files cannot be read")
		return
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			b.folder(f.Name)
			continue
		}
		here, ok := b.begin(f.Name)
		if !ok {
			return
		}
		if f.Stream < len(secret) && secret[f.Stream] && f.UncompressedSize > 0 {
			b.locked(here, f.Name, int64(min(f.UncompressedSize, 1<<40)))
			continue
		}
		r, err := f.Open()
		if err != nil {
			b.failed(here, f, err)
			continue
		}
		more := b.read(here, f.Name, lockedReader{r, &err}, int64(len(s.data)), int64(min(f.UncompressedSize, 1<<40)))
		r.Close()
		if errors.Is(err, errMemory) {
			b.failed(here, f, err)
		}
		if !more {
			return
		}
	}
	if end := end7z(s.data); end < len(s.data) {
		b.rest(s.data[end:])
	}
}

// lockedReader remembers why a stream ended.
type lockedReader struct {
	r   io.Reader
	err *error
}

func (l lockedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		*l.err = err
	}
	return n, err
}

// failed tells why a file can't be opened.
func (b *bundle) failed(here at, f *sevenzip.File, err error) {
	if errors.Is(err, errMemory) {
		b.w.exceed(here, "7z", "it asks for more memory than a message may")
		return
	}
	b.w.gap(here, "7z", Damaged, "it cannot be unpacked")
}

var (
	errSecret = errors.New("its list of files is encrypted")
	errMany   = errors.New("too many files")
	err7z     = errors.New("a header that makes no sense")
)

// header7z is the header that a 7z ends with; next is where it begins.
func header7z(b []byte) (next, size uint64, err error) {
	if len(b) < 32 {
		return 0, 0, err7z
	}
	next, size = binary.LittleEndian.Uint64(b[12:]), binary.LittleEndian.Uint64(b[20:])
	if n := uint64(len(b) - 32); next > n || size > n-next || size == 0 {
		return 0, 0, err7z
	}
	return 32 + next, size, nil
}

func end7z(b []byte) int {
	next, size, err := header7z(b)
	if err != nil {
		return len(b)
	}
	return int(next + size)
}

// check7z walks through the header: no number in it may be larger than what could stand in
// so many octets. It says which folders are encrypted.
func check7z(b []byte, files int) (secret []bool, err error) {
	next, size, err := header7z(b)
	if err != nil {
		return nil, err
	}
	h := b[next : next+size]
	if crc32.ChecksumIEEE(h) != binary.LittleEndian.Uint32(b[28:]) {
		return nil, err7z
	}
	if h[0] == 0x17 { // packed itself
		p := parser7z{b: h[1:], limit: uint64(files)}
		s := p.streams()
		if p.err != nil {
			return nil, p.err
		}
		if h, err = s.unpack(b[32:]); err != nil {
			return nil, err
		}
	}
	p := parser7z{b: h, limit: uint64(files)}
	for _, f := range p.header() {
		secret = append(secret, f.secret())
	}
	return secret, p.err
}

func (f *folder7z) secret() bool {
	for _, id := range f.coders {
		if string(id) == "\x06\xf1\x07\x01" {
			return true
		}
	}
	return false
}

// A parser7z reads the header of a 7z (7zFormat.txt of the 7-Zip sources). Its first error
// stays.
type parser7z struct {
	b     []byte
	limit uint64 // of files
	err   error
}

func (p *parser7z) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.b = nil
}

func (p *parser7z) octet() byte {
	if len(p.b) == 0 {
		p.fail(err7z)
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *parser7z) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.fail(err7z)
		return nil
	}
	t := p.b[:n]
	p.b = p.b[n:]
	return t
}

func (p *parser7z) number() uint64 {
	first := p.octet()
	mask, v := byte(0x80), uint64(0)
	for i := range 8 {
		if first&mask == 0 {
			return v | uint64(first&(mask-1))<<(8*i)
		}
		v |= uint64(p.octet()) << (8 * i)
		mask >>= 1
	}
	return v
}

// count is a number of things of which each has some of the octets that are left.
func (p *parser7z) count() uint64 {
	n := p.number()
	if n > p.limit && n > 64 {
		p.fail(errMany)
		return 0
	}
	return n
}

// digests passes over checksums, and says which of n there are.
func (p *parser7z) digests(n uint64) []bool {
	if p.err != nil {
		return nil
	}
	defined, have := make([]bool, n), n
	if p.octet() == 0 {
		have = 0
		for i, bits := range p.take((n + 7) / 8) {
			for k := range 8 {
				if at := uint64(i*8 + k); bits&(0x80>>k) != 0 && at < n {
					defined[at] = true
					have++
				}
			}
		}
	} else {
		for i := range defined {
			defined[i] = true
		}
	}
	p.take(4 * have)
	return defined
}

// A streams7z is what a header says of packed streams.
type streams7z struct {
	at      uint64
	packed  []uint64
	folders []folder7z
}

type folder7z struct {
	coders [][]byte // method
	props  [][]byte
	outs   uint64
	sizes  []uint64
	summed bool // it has a checksum
}

func (p *parser7z) streams() (s streams7z) {
	seen := [256]bool{}
	for p.err == nil {
		id := p.octet()
		if seen[id] { // each comes once
			p.fail(err7z)
		}
		seen[id] = true
		switch id {
		case 0x00:
			return s
		case 0x06:
			p.packInfo(&s)
		case 0x07:
			p.unpackInfo(&s)
		case 0x08:
			p.subStreams(&s)
		default:
			p.fail(err7z)
		}
	}
	return s
}

func (p *parser7z) packInfo(s *streams7z) {
	s.at = p.number()
	n := p.count()
	for p.err == nil {
		switch p.octet() {
		case 0x00:
			return
		case 0x09:
			for range n {
				if p.err != nil {
					return
				}
				s.packed = append(s.packed, p.number())
			}
		case 0x0a:
			p.digests(n)
		default:
			p.fail(err7z)
		}
	}
}

func (p *parser7z) unpackInfo(s *streams7z) {
	if p.octet() != 0x0b {
		p.fail(err7z)
	}
	n := p.count()
	if p.octet() != 0 {
		p.fail(err7z)
	}
	for range n {
		if p.err != nil {
			return
		}
		s.folders = append(s.folders, p.folder())
	}
	if p.octet() != 0x0c {
		p.fail(err7z)
	}
	for i := range s.folders {
		for range s.folders[i].outs {
			if p.err != nil {
				return
			}
			s.folders[i].sizes = append(s.folders[i].sizes, p.number())
		}
	}
	for p.err == nil {
		switch p.octet() {
		case 0x00:
			return
		case 0x0a:
			for i, yes := range p.digests(n) {
				s.folders[i].summed = yes
			}
		default:
			p.fail(err7z)
		}
	}
}

func (p *parser7z) folder() (f folder7z) {
	coders := p.number()
	if coders == 0 || coders > 32 {
		p.fail(err7z)
		return f
	}
	var ins uint64
	for range coders {
		c := p.octet()
		f.coders = append(f.coders, p.take(uint64(c&15)))
		in, out := uint64(1), uint64(1)
		if c&0x10 != 0 {
			in, out = p.number(), p.number()
		}
		if in > 32 || out > 32 {
			p.fail(err7z)
		}
		ins, f.outs = ins+in, f.outs+out
		var props []byte
		if c&0x20 != 0 {
			props = p.take(p.number())
		}
		f.props = append(f.props, props)
	}
	if p.err != nil || f.outs == 0 || ins+1 < f.outs {
		p.fail(err7z)
		return f
	}
	for range f.outs - 1 {
		p.number()
		p.number()
	}
	if packed := ins - (f.outs - 1); packed > 1 {
		for range packed {
			p.number()
		}
	}
	for _, id := range f.coders {
		if string(id) == "\x03\x04\x01" && len(f.props) == len(f.coders) { // PPMd asks for memory
			for i := range f.coders {
				if q := f.props[i]; string(f.coders[i]) == "\x03\x04\x01" && len(q) == 5 && binary.LittleEndian.Uint32(q[1:]) > smallWindow {
					p.fail(errMemory)
				}
			}
		}
	}
	return f
}

func (p *parser7z) subStreams(s *streams7z) {
	counts := make([]uint64, len(s.folders))
	total := uint64(0)
	for i := range counts {
		counts[i] = 1
	}
	id := p.octet()
	if id == 0x0d {
		for i := range counts {
			counts[i] = p.count()
		}
		id = p.octet()
	}
	for _, n := range counts {
		total += n
	}
	if total > p.limit {
		p.fail(errMany)
		return
	}
	if id == 0x09 {
		for _, n := range counts {
			for i := uint64(1); i < n && p.err == nil; i++ {
				p.number()
			}
		}
		id = p.octet()
	}
	for i, n := range counts { // what has a checksum already is not in this list
		if n == 1 && s.folders[i].summed {
			total--
		}
	}
	for ; p.err == nil && id != 0; id = p.octet() {
		if id != 0x0a {
			p.fail(err7z)
			return
		}
		p.digests(total)
	}
}

// header reads the main header: streams, then files.
func (p *parser7z) header() (folders []folder7z) {
	if p.octet() != 0x01 {
		p.fail(err7z)
	}
	for p.err == nil {
		switch p.octet() {
		case 0x00:
			return folders
		case 0x02: // properties of the archive
			for p.err == nil && p.octet() != 0 {
				p.take(p.number())
			}
		case 0x03:
			p.streams()
		case 0x04:
			folders = p.streams().folders
		case 0x05:
			p.count()
			return folders // each list of files has a length of its own, which is kept to
		default:
			p.fail(err7z)
		}
	}
	return nil
}

// unpack gives a header that is packed.
func (s *streams7z) unpack(b []byte) ([]byte, error) {
	if len(s.folders) != 1 || len(s.packed) == 0 || len(s.folders[0].sizes) == 0 || s.at > uint64(len(b)) || s.packed[0] > uint64(len(b))-s.at {
		return nil, err7z
	}
	f := s.folders[0]
	if f.secret() {
		return nil, errSecret
	}
	packed, size := b[s.at:s.at+s.packed[0]], f.sizes[len(f.sizes)-1]
	if size > 16<<20 {
		return nil, errMany
	}
	if len(f.coders) != 1 {
		return nil, err7z
	}
	var r io.Reader
	var err error
	switch {
	case string(f.coders[0]) == "\x00":
		r = bytes.NewReader(packed)
	case string(f.coders[0]) == "\x03\x01\x01" && len(f.props[0]) == 5:
		r, err = newLZMA(binary.LittleEndian.AppendUint64(bytes.Clone(f.props[0]), size), bytes.NewReader(packed), int64(size))
	case string(f.coders[0]) == "\x21":
		r, err = lzma.Reader2Config{DictCap: int(max(lzma.MinDictCap, size))}.NewReader2(bytes.NewReader(packed))
	default:
		return nil, err7z
	}
	if err != nil {
		return nil, err7z
	}
	h, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil || uint64(len(h)) < size || size == 0 {
		return nil, err7z
	}
	return h, nil
}
