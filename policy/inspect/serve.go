package inspect

import (
	"bufio"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"runtime/debug"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// Serve is the life of a worker: it closes its jail, then reads documents that come on in,
// and says on out what marks it found. It ends with in.
func Serve(in io.Reader, out io.Writer) error { return serve(in, out, extract.Read, warmPDF) }

// warmPDF starts what PDF is read by, from code that was compiled before; without a directory
// that takes seconds. Afterwards it needs no files.
func warmPDF(cache string) error {
	return extract.WarmPDF(extract.PDFOptions{Cache: cache, Unchecked: true})
}

// maxStack ends a recursion before it takes the memory of a document.
const maxStack = 64 << 20

var errRefused = errors.New("the pictures could not be read")

type reader func(context.Context, extract.Document, extract.Budget) (*extract.Result, error)

// A server is a worker, as it sees itself.
type server struct {
	in       <-chan frame
	out      io.Writer
	read     reader
	settings *mark.Settings
	memory   *memory
	failed   bool // what it asked for could not be done
}

func serve(in io.Reader, out io.Writer, read reader, warm func(cache string) error) error {
	ignoreSignals()
	debug.SetMaxStack(maxStack)
	r := bufio.NewReaderSize(in, 64<<10)
	f, err := readFrame(r, 0)
	if err != nil {
		return err
	}
	var st start
	if f.kind != frameStart || f.decode(&st) != nil || st.Version != version {
		return errGarbage
	}
	s := &server{out: out, read: read}
	if err := warm(st.Cache); err != nil {
		return writeFrame(out, frameHello, hello{Version: version, Unready: err.Error()})
	}
	open := ""
	if s.memory, err = openMemory(st.Memory); err != nil {
		open = err.Error()
	}
	if err := jail(st.Memory); err != nil {
		open = errors.Join(err, s.memory.err).Error()
	}
	if err := writeFrame(out, frameHello, hello{Version: version, Open: open}); err != nil {
		return err
	}
	frames := make(chan frame)
	s.in = frames
	go func() {
		for {
			f, err := readFrame(r, 1<<31)
			if err != nil {
				os.Exit(0) // the suite is gone, or wants no more, whatever is read now
			}
			frames <- f
		}
	}()
	for f := range s.in {
		if err := s.answer(f); err != nil {
			return err
		}
	}
	return nil
}

// answer reads one document. Only what was found leaves the worker, never what was read.
func (s *server) answer(f frame) error {
	var r request
	if f.kind != frameRequest {
		return errGarbage
	}
	if err := f.decode(&r); err != nil {
		return err
	}
	if r.Changed {
		s.settings = r.Settings
	}
	limitCPU(r.CPU)
	s.memory.watch()
	defer s.memory.rest()
	r.Document.Data = f.data
	r.Budget.Worth = mark.Maybe
	if r.Pictures {
		r.Budget.Recognise = s.recognise
	}
	s.failed = false
	res, err := s.read(context.Background(), r.Document, r.Budget)
	if err != nil {
		return writeFrame(s.out, frameFailed, struct{}{})
	}
	rep := report(res, s.settings)
	rep.settle(r.Document.Path)
	return writeFrame(s.out, frameAnswer, answer{Report: *rep, Memory: s.memory.grown()})
}

// recognise has the suite read pictures: a worker starts no programs.
func (s *server) recognise(_ context.Context, all []*image.Gray, how extract.Recognition) ([]extract.Recognised, error) {
	var out []extract.Recognised
	for len(all) > 0 {
		p := pages{How: how}
		var data [][]byte
		for n := 0; len(all) > 0 && (n == 0 || n+len(all[0].Pix) <= manyPixels); all = all[1:] {
			b, size := packed(all[0]), all[0].Rect.Size()
			if b == nil {
				b, size = []byte{0xff}, image.Pt(1, 1) // nothing is white
			}
			n += len(b)
			data = append(data, b)
			p.Sizes = append(p.Sizes, size)
		}
		if err := writeFrame(s.out, framePages, p, data...); err != nil {
			return nil, err
		}
		f := <-s.in
		var l lines
		if f.kind != frameLines || f.decode(&l) != nil {
			return nil, errGarbage
		}
		if l.Failed || len(l.Pages) != len(p.Sizes) {
			return nil, errRefused
		}
		out = append(out, l.Pages...)
	}
	return out, nil
}

// packed is the pixels of an image without gaps between its rows.
func packed(g *image.Gray) []byte {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w <= 0 || h <= 0 {
		return nil
	}
	if g.Stride == w {
		return g.Pix[:w*h]
	}
	b := make([]byte, 0, w*h)
	for y := range h {
		b = append(b, g.Pix[y*g.Stride:y*g.Stride+w]...)
	}
	return b
}
