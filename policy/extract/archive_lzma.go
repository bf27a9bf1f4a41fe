package extract

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/ulikunitz/xz/lzma"
)

var errMemory = errors.New("it asks for more memory than is given")

// readXZ is a stream of the xz format, or several.
func readXZ(w *walker, a at, s *source) {
	w.bundle(a, "xz").single(inner(s.name, ".xz", ".txz"), newXZ(bytes.NewReader(s.data), w.window(len(s.data))), len(s.data))
}

// window is the most that a decoder of n octets needs to remember: what it may give.
func (w *walker) window(n int) int64 {
	return min(smallWindow, max(1<<20, int64(n)*w.b.Ratio))
}

// An xzReader reads blocks without trusting what they ask for; their checksums are not
// looked at. See the description of the format at tukaani.org, sections 2 and 3.
type xzReader struct {
	r      *bufio.Reader
	window int64
	check  int
	block  *lzma.Reader2
	count  *counter
	err    error
	began  bool
}

type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func newXZ(r io.Reader, window int64) io.Reader {
	return &xzReader{r: bufio.NewReader(r), window: window}
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.Read(p)
		if err == io.EOF {
			x.block, err = nil, nil
			x.err = x.skip((4-x.count.n%4)%4 + int64(x.check))
		}
		if err != nil {
			x.err = err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

func (x *xzReader) skip(n int64) error {
	if _, err := io.CopyN(io.Discard, x.r, n); err != nil {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// next opens the next block, past the end of a stream where there is another.
func (x *xzReader) next() error {
	if !x.began {
		return x.stream()
	}
	size, err := x.r.ReadByte()
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if size == 0 {
		return x.index()
	}
	h := make([]byte, int(size)*4+3)
	if _, err := io.ReadFull(x.r, h); err != nil {
		return io.ErrUnexpectedEOF
	}
	dict, err := blockWindow(h[:len(h)-4])
	if err != nil {
		return err
	}
	x.count = &counter{r: x.r}
	x.block, err = lzma.Reader2Config{DictCap: int(max(lzma.MinDictCap, min(dict, x.window)))}.NewReader2(x.count)
	return err
}

// stream reads the header of a stream.
func (x *xzReader) stream() error {
	h := make([]byte, 12)
	for {
		if _, err := io.ReadFull(x.r, h[:4]); err != nil {
			if x.check == 0 && !x.began && x.block == nil && errors.Is(err, io.EOF) {
				return io.EOF
			}
			return io.EOF
		}
		if binary.LittleEndian.Uint32(h) != 0 { // zeros may stand between streams
			break
		}
	}
	if _, err := io.ReadFull(x.r, h[4:]); err != nil || string(h[:6]) != "\xfd7zXZ\x00" {
		return errors.New("no stream of xz")
	}
	x.check = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[h[7]&15]
	x.began = true
	return nil
}

// index passes over the list of blocks and the footer.
func (x *xzReader) index() error {
	c := &counter{r: x.r, n: 1}
	records, err := binary.ReadUvarint(c)
	for i := uint64(0); err == nil && i < 2*records; i++ {
		_, err = binary.ReadUvarint(c)
	}
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	x.began = false
	return x.skip((4-c.n%4)%4 + 4 + 12)
}

// blockWindow is the dictionary that the header of a block asks for.
func blockWindow(h []byte) (int64, error) {
	if len(h) < 1 {
		return 0, io.ErrUnexpectedEOF
	}
	r := bytes.NewReader(h[1:])
	if h[0]&3 != 0 {
		return 0, errors.New("more than one filter")
	}
	for _, bit := range []byte{0x40, 0x80} {
		if h[0]&bit != 0 {
			if _, err := binary.ReadUvarint(r); err != nil {
				return 0, err
			}
		}
	}
	var f [3]byte
	if _, err := io.ReadFull(r, f[:]); err != nil || f[0] != 0x21 || f[1] != 1 {
		return 0, errors.New("a filter that is not known")
	}
	return lzma2Window(f[2])
}

func lzma2Window(c byte) (int64, error) {
	switch {
	case c > 40:
		return 0, errors.New("a dictionary that is not known")
	case c == 40:
		return math.MaxUint32, nil
	}
	return int64(2|c&1) << (c/2 + 11), nil
}

// isLZMA knows files of LZMA alone by their properties: a dictionary of a usual size, and a
// length that is unknown or makes sense.
func isLZMA(b []byte) bool {
	if len(b) < 18 || b[0] != 0x5d || b[13] != 0 {
		return false
	}
	dict, n := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint64(b[5:])
	return (dict&(dict-1) == 0 || dict == math.MaxUint32) && dict >= 1<<12 && (n == math.MaxUint64 || n < 1<<38)
}

func readLZMA(w *walker, a at, s *source) {
	r, err := newLZMA(s.data[:13], bytes.NewReader(s.data[13:]), w.window(len(s.data)))
	if err != nil {
		w.gap(a, "lzma", Damaged, "it cannot be unpacked")
		return
	}
	w.bundle(a, "lzma").single(inner(s.name, ".lzma"), r, len(s.data))
}

// newLZMA reads LZMA behind a header of 13 octets, of which the dictionary is made as small
// as window.
func newLZMA(header []byte, r io.Reader, window int64) (io.Reader, error) {
	h := bytes.Clone(header)
	binary.LittleEndian.PutUint32(h[1:], uint32(min(int64(binary.LittleEndian.Uint32(h[1:])), window)))
	return lzma.NewReader(io.MultiReader(bytes.NewReader(h), r))
}

// zipLZMA is LZMA in a zip: a version, the length of properties, these (APPNOTE 5.8.8).
func zipLZMA(r io.Reader) io.Reader {
	var h [9]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || binary.LittleEndian.Uint16(h[2:]) != 5 {
		return broken{errors.New("no properties")}
	}
	header := append(h[4:9:9], bytes.Repeat([]byte{0xff}, 8)...)
	l, err := newLZMA(header, r, smallWindow)
	if err != nil {
		return broken{err}
	}
	return l
}

// readLzip is LZMA with a header and a trailer of its own.
func readLzip(w *walker, a at, s *source) {
	if len(s.data) < 26 {
		w.gap(a, "lzip", Damaged, "it breaks off")
		return
	}
	c := s.data[5]
	dict := int64(1) << (c & 31)
	dict -= dict / 16 * int64(c>>5)
	h := []byte{0x5d, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	binary.LittleEndian.PutUint32(h[1:], uint32(min(dict, math.MaxUint32)))
	r, err := newLZMA(h, bytes.NewReader(s.data[6:]), w.window(len(s.data)))
	if err != nil {
		w.gap(a, "lzip", Damaged, "it cannot be unpacked")
		return
	}
	w.bundle(a, "lzip").single(inner(s.name, ".lz"), r, len(s.data))
	if bytes.Count(s.data, []byte("LZIP\x01")) > 1 {
		w.gap(a, "lzip", Damaged, "of several members, one is unpacked")
	}
}
