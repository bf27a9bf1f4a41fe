package extract

import (
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
)

// scanned is a document whose pages are pictures.
type scanned struct {
	pages  int
	number func(i int) int // of page i, counted from 0, as people count, from 1; nil: i+1
	// page draws page i, whole, at about so many dots an inch. Its picture is not changed, and
	// not kept. An error says that this page cannot be read.
	page func(i int, dpi int) (image.Image, error)
}

const (
	stripDPI  = 150 // of pages whose head and foot alone are read, and of others in a long document
	wholeDPI  = 200 // of pages that are read in full
	wholes    = 6   // as many pages are read in full: the first two, the last, three others
	doubtful  = 4   // and as many more, when their layers look like marks
	stripPart = 15  // percent of a page's height
	batch     = 8   // pages that are in memory together, in the size of strips
	wholeOnes = 3   // pages that are, in full size
	goodScore = 60  // confidence with which letters are read when a page lies the right way
	sureScore = 80  // confidence of a quick reading that needs no other
)

// A reading is one document of pictures while its letters are looked for.
type reading struct {
	w      *walker
	a      at
	kind   string
	number func(i int) int
	pages  [][]inkLine
	failed []int // pages that could not be read
	over   bool  // the budget of the recogniser is spent
	quick  bool  // there is much to read: what is read well in the quick way need not be read again
}

// scan reads the pages of a document: head and foot of every page, and some in full
// (classification.md 5.6). Its units go to p.
func (w *walker) scan(a at, p *writer, s scanned) {
	number := s.number
	if number == nil {
		number = func(i int) int { return i + 1 }
	}
	if w.b.Recognise == nil {
		w.unseenPages(a, p.part.Kind, s, number)
		return
	}
	r := &reading{w: w, a: a, kind: p.part.Kind, number: number, pages: make([][]inkLine, s.pages)}
	whole, dpi, together := sample(s.pages, nil), wholeDPI, wholeOnes
	if len(whole) < s.pages {
		layers := r.strips(s)
		whole, dpi, together = sample(s.pages, r.suspects(layers)), stripDPI, batch
		r.quick = true
	}
	for some := range slices.Chunk(whole, together) {
		r.wholes(s, some, dpi)
	}
	if r.over {
		w.gap(a, r.kind, TooMuch, "more pages than there is time to read letters on")
	}
	r.write(p)
	r.note(whole)
}

// sample chooses the pages that are read in full; those that are suspected come before
// others.
func sample(pages int, suspects []int) []int {
	if pages <= wholes {
		out := make([]int, pages)
		for i := range out {
			out[i] = i
		}
		return out
	}
	out := []int{0, 1, pages - 1}
	for _, i := range suspects {
		if len(out) < wholes+doubtful && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	for _, i := range []int{pages / 2, pages / 4, pages * 3 / 4} {
		if len(out) < wholes && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// An answer is what the recogniser is asked for, while it works.
type answer struct {
	asked int
	done  chan struct{}
	out   []Recognised
	err   error
}

// ask has letters recognised, as long as the budget lasts; nil when it does not. The next
// pages can be drawn meanwhile.
func (r *reading) ask(pages []*image.Gray, how Recognition) *answer {
	w := r.w
	if len(pages) == 0 || !w.tick() {
		return nil
	}
	if w.used.OCR >= w.b.OCR {
		r.over = true
		return nil
	}
	a := &answer{asked: len(pages), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.out, a.err = w.b.Recognise(w.ctx, pages, how)
	}()
	return a
}

// wait gives what was recognised.
func (r *reading) wait(a *answer) ([]Recognised, bool) {
	if a == nil {
		return nil, false
	}
	<-a.done // it ends with the context
	w := r.w
	switch {
	case a.err != nil:
		w.err = a.err
	case len(a.out) != a.asked:
		w.err = fmt.Errorf("of %d pictures %d came back from the recogniser", a.asked, len(a.out))
	default:
		for i := range a.out {
			w.used.OCR += a.out[i].CPU
		}
		return a.out, true
	}
	return nil, false
}

func (r *reading) recognise(pages []*image.Gray, how Recognition) ([]Recognised, bool) {
	return r.wait(r.ask(pages, how))
}

// draw draws a page. One with far more dots than were asked for, as those in a file of scans
// may be, is made smaller.
func (r *reading) draw(s scanned, i, dpi int) (*sheet, error) {
	img, err := s.page(i, dpi)
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	return sheetOf(img, max(1, (max(b.Dx(), b.Dy())+6*dpi)/(12*dpi))), nil
}

// A strip is the head or the foot of a page.
type strip struct {
	page  int
	where string
	box   image.Rectangle // on the sheet
	sheet *sheet
	blank bool // nothing stands on it
}

// strips reads head and foot of all pages, and gives what stands between them in layers.
func (r *reading) strips(s scanned) map[int][]view {
	layers := map[int][]view{}
	held := 0
	finish := func() {}
	defer func() { finish() }() // of the last, and of one whose loop was left
	for from := 0; from < s.pages && r.w.tick() && !r.over; from += batch {
		var strips []strip
		for i := from; i < min(from+batch, s.pages); i++ {
			sh, err := r.draw(s, i, stripDPI)
			if err != nil {
				r.failed = append(r.failed, i)
				continue
			}
			if sh.blank() {
				continue
			}
			if sideways(sh.gray) {
				sh = sh.turned(1)
			}
			strips = append(strips, stripsOn(sh, i)...)
			for _, v := range sh.between() {
				if held += len(v.picture.Pix); held <= 48<<20 {
					layers[i] = append(layers[i], v)
				}
			}
		}
		finish()
		a := r.askStrips(strips, true)
		finish = func() {
			finish = func() {}
			r.bothWays(strips, a)
		}
	}
	finish()
	return layers
}

// between are the views of layers on which something stands that is neither in the head nor
// in the foot.
func (s *sheet) between() []view {
	b := s.gray.Rect
	h := b.Dy() * stripPart / 100
	var out []view
	for _, l := range s.layers() {
		if y := l.box.Min.Y * l.size; y > b.Dy()-h || l.box.Max.Y*l.size < h {
			continue
		}
		out = append(out, l.views()...)
	}
	return out
}

// suspects are pages between whose head and foot a layer shows what may be a mark.
func (r *reading) suspects(layers map[int][]view) []int {
	var out, pages []int
	for i := range r.pages {
		if len(layers[i]) > 0 {
			pages = append(pages, i)
		}
	}
	for some := range slices.Chunk(pages, batch) {
		if r.w.used.OCR > r.w.b.OCR/2 {
			r.w.note(r.a, fmt.Sprintf("coloured and thick ink was looked at on the pages before %d", r.number(some[0])))
			break
		}
		var pictures []*image.Gray
		var of []int
		for _, i := range some {
			for _, v := range layers[i] {
				pictures, of = append(pictures, v.picture), append(of, i)
			}
		}
		found, ok := r.recognise(pictures, Recognition{Sparse: true, DPI: stripDPI})
		if !ok {
			break
		}
		for k, f := range found {
			if f.Failed && !slices.Contains(out, of[k]) {
				out = append(out, of[k])
			}
			for _, l := range f.Lines {
				if letters(l.Text) >= 4 && !r.w.dull(l.Text) && !slices.Contains(out, of[k]) {
					out = append(out, of[k])
				}
			}
		}
	}
	return out
}

// bothWays reads strips. What can hardly be read stands on its head, perhaps: then head and
// foot change places. What was not read well in the quick way is read in the other.
func (r *reading) bothWays(strips []strip, a *answer) {
	lie := map[int][]strip{} // of pages, as they lie best
	r.readStrips(strips, a, lie)
	var again []strip
	for pair := range slices.Chunk(strips, 2) {
		if r.weak(pair, goodScore) {
			again = append(again, stripsOn(pair[0].sheet.turned(2), pair[0].page)...)
		}
	}
	r.readStrips(again, r.askStrips(again, true), lie)
	again = again[:0]
	for pair := range slices.Chunk(strips, 2) {
		if best := lie[pair[0].page]; best != nil {
			pair = best
		}
		if r.weak(pair, sureScore) {
			again = append(again, pair...)
		}
	}
	r.readStrips(again, r.askStrips(again, false), lie)
}

// weak says that something stands on the strips of a page that was not read well.
func (r *reading) weak(pair []strip, least int) bool {
	return confidence(r.pages[pair[0].page]) < least && !(pair[0].blank && pair[1].blank)
}

func stripsOn(sh *sheet, page int) []strip {
	b := sh.gray.Rect
	h := max(b.Dy()*stripPart/100, min(b.Dy(), 60))
	out := []strip{
		{page: page, where: "of the head", box: image.Rect(0, 0, b.Max.X, h), sheet: sh},
		{page: page, where: "of the foot", box: image.Rect(0, b.Max.Y-h, b.Max.X, b.Max.Y), sheet: sh},
	}
	for i := range out {
		out[i].blank = sh.dark(out[i].box) < leastDark
	}
	return out
}

func (r *reading) askStrips(strips []strip, quick bool) *answer {
	var pictures []*image.Gray
	for _, st := range strips {
		if !st.blank {
			pictures = append(pictures, crop(st.sheet.gray, st.box))
		}
	}
	return r.ask(pictures, Recognition{Sparse: true, Quick: quick, DPI: stripDPI})
}

// readStrips takes the lines of pairs of strips. Those of a page that are the best so far
// stand in lie.
func (r *reading) readStrips(strips []strip, a *answer, lie map[int][]strip) {
	out, ok := r.wait(a)
	if !ok {
		return
	}
	for pair := range slices.Chunk(strips, 2) {
		page := pair[0].page
		var got []inkLine
		for _, st := range pair {
			if st.blank {
				continue
			}
			if out[0].Failed && !slices.Contains(r.failed, page) {
				r.failed = append(r.failed, page)
			}
			for _, l := range out[0].Lines {
				l.Box = l.Box.Add(st.box.Min)
				got = append(got, st.sheet.line(l, st.where))
			}
			out = out[1:]
		}
		if r.pages[page] == nil || score(got) > score(r.pages[page]) {
			r.pages[page], lie[page] = got, pair
		}
	}
}

// note says what was sampled, and what could not be read.
func (r *reading) note(whole []int) {
	if len(whole) < len(r.pages) {
		var names []string
		for _, i := range whole {
			names = append(names, strconv.Itoa(r.number(i)))
		}
		r.w.note(r.a, fmt.Sprintf("%d pages are pictures: pages %s were read in full, of the others head and foot",
			len(r.pages), strings.Join(names, ", ")))
	}
	if len(r.failed) > 0 && r.w.tick() {
		why := "the letters on it cannot be recognised"
		if len(r.pages) > 1 {
			why = fmt.Sprintf("the letters on %d of its pages cannot be recognised, page %d is the first", len(r.failed), r.number(slices.Min(r.failed)))
		}
		r.w.gap(r.a, r.kind, Damaged, why)
	}
}
