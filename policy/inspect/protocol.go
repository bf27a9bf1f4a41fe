package inspect

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// The pipes between the suite and a worker carry frames:
//
//	kind, length of head, length of data, head in JSON, data
//
// with lengths of four octets, the lowest first. The suite begins with a start frame, the
// worker answers hello; then each request has one answer, or failed, and in between the
// worker may send pages, which the suite answers with lines. Documents and pixels are data:
// they are not encoded. What a worker sends is not believed: it read what strangers wrote.
const (
	version = 1

	frameStart   = 'S' // to the worker: start
	frameHello   = 'H' // from the worker: hello
	frameRequest = 'R' // to the worker: request, the document
	frameAnswer  = 'A' // from the worker: answer
	frameFailed  = 'F' // from the worker: what it asked for could not be done
	framePages   = 'P' // from the worker: pages, their pixels
	frameLines   = 'L' // to the worker: lines

	maxHead    = 32 << 20
	maxPixels  = 192 << 20 // of one frame
	manyPixels = 32 << 20  // pages are sent in frames of about so much
)

type start struct {
	Version int
	Memory  int64
	Cache   string // directory of compiled code
}

type hello struct {
	Version int
	Open    string // what of the jail could not be closed, "" for nothing
	Unready string // why it cannot start, "" for nothing: the directory of compiled code may be of no use
}

type request struct {
	Document extract.Document // without Data
	Budget   extract.Budget
	Settings *mark.Settings `json:",omitempty"` // nil: as before
	Changed  bool           // Settings holds what is to be believed from now on
	Pictures bool           // the suite can read pictures
	CPU      int64          // seconds after which the system is to end it
}

type answer struct {
	Report Report
	Memory int64 // that the worker holds now
}

type pages struct {
	How   extract.Recognition
	Sizes []image.Point
}

type lines struct {
	Pages  []extract.Recognised
	Failed bool
}

var errGarbage = errors.New("what it said is no frame")

// A frame is what goes over a pipe at once.
type frame struct {
	kind byte
	head []byte
	data []byte
}

func (f *frame) decode(v any) error {
	if err := json.Unmarshal(f.head, v); err != nil {
		return errGarbage // the error would quote what it read
	}
	return nil
}

func writeFrame(w io.Writer, kind byte, head any, data ...[]byte) error {
	h, err := json.Marshal(head)
	if err != nil {
		return err
	}
	n := 0
	for _, d := range data {
		n += len(d)
	}
	if len(h) > maxHead || int64(n) > 1<<31 {
		return fmt.Errorf("a frame of %d and %d octets is too long", len(h), n)
	}
	b := make([]byte, 9, 9+len(h))
	b[0] = kind
	binary.LittleEndian.PutUint32(b[1:], uint32(len(h)))
	binary.LittleEndian.PutUint32(b[5:], uint32(n))
	if _, err := w.Write(append(b, h...)); err != nil {
		return err
	}
	for _, d := range data {
		if _, err := w.Write(d); err != nil {
			return err
		}
	}
	return nil
}

// readFrame reads one frame whose data is not longer than most.
func readFrame(r *bufio.Reader, most int64) (f frame, err error) {
	var b [9]byte
	if _, err = io.ReadFull(r, b[:1]); err != nil {
		return f, err
	}
	if _, err = io.ReadFull(r, b[1:]); err != nil {
		return f, io.ErrUnexpectedEOF
	}
	f.kind = b[0]
	h, d := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
	if h > maxHead || int64(d) > most {
		return f, errGarbage
	}
	if f.head, err = readOctets(r, int(h)); err != nil {
		return f, err
	}
	f.data, err = readOctets(r, int(d))
	return f, err
}

// readOctets reads n octets, and takes no more memory than has come.
func readOctets(r io.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, min(n, step))
	for got := 0; ; {
		m, err := io.ReadFull(r, b[got:])
		got += m
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		if got == n {
			return b, nil
		}
		b = append(b, make([]byte, min(n-got, len(b)))...)
	}
}

// pictures makes pages of what a worker sent.
func pictures(p *pages, data []byte) ([]*image.Gray, error) {
	all := make([]*image.Gray, 0, len(p.Sizes))
	for _, s := range p.Sizes {
		if s.X <= 0 || s.Y <= 0 || s.X > 1<<16 || s.Y > 1<<16 || s.X*s.Y > len(data) {
			return nil, errGarbage
		}
		n := s.X * s.Y
		all = append(all, &image.Gray{Pix: data[:n:n], Stride: s.X, Rect: image.Rectangle{Max: s}})
		data = data[n:]
	}
	if len(data) > 0 || len(all) == 0 {
		return nil, errGarbage
	}
	return all, nil
}
