package extract

import (
	"bytes"
	"fmt"
)

// A pdfReader reads one PDF: the writing on its pages by PDFium, what hangs on it
// (properties, files, actions) by PDFium and by a look at its objects.
type pdfReader struct {
	w    *walker
	a    at
	data []byte
	e    *pdfEngine
	doc  uint64
	form uint64 // for fields; 0 when there are none

	actual uint64 // the name of ActualText, in the instance

	fonts   map[uint64]pdfFont
	pages   []*pdfPage
	others  []*pdfPage // of some of them, what is shown where something else is said
	scans   []int      // pages, from 0, that are pictures
	seen    map[[32]byte]bool
	broken  int  // pages that cannot be loaded
	empty   int  // pages on which nothing is drawn
	cut     bool // there is more than is taken
	pending []pdfFile
	fields  []Unit
	lines   int     // on all pages
	images  int     // pieces of pages that were drawn
	stamps  *writer // what they say
}

// maxPDFs is how many documents in one file, one behind another, are read.
const maxPDFs = 16

// readPDF is a PDF. Junk before it does not matter, and what stands behind its end is read
// as a document of its own.
func readPDF(w *walker, a at, s *source) {
	all := pdfsIn(s.data)
	for i, data := range all {
		here := a
		if i == maxPDFs {
			w.gap(a, "pdf", TooMuch, "too many documents behind one another")
			return
		}
		if i > 0 {
			here = a.in(fmt.Sprint("document ", i+1, " behind it"))
		}
		w.pdf(here, data)
	}
	tail := bytes.LastIndex(s.data, []byte("%%EOF"))
	switch {
	case hasZipEnd(s.data): // its files may stand anywhere in this one
		w.hiddenOf(a, s.data, 1, inText)
	case tail >= 0:
		w.hiddenOf(a, s.data[tail:], 0, inText)
	}
}

// pdfsIn cuts documents apart that stand behind one another in one file.
func pdfsIn(b []byte) [][]byte {
	start := max(bytes.Index(b, []byte("%PDF-")), 0)
	var out [][]byte
	for i := start; len(out) < maxPDFs; {
		end := bytes.Index(b[i:], []byte("%%EOF"))
		if end < 0 {
			break
		}
		i += end + 5
		next := bytes.Index(b[i:], []byte("%PDF-"))
		if next < 0 {
			break
		}
		// Within a document that holds another one there is an end of a stream between.
		if gap := b[i : i+next]; len(gap) < 64<<10 && !bytes.Contains(gap, []byte("endstream")) {
			out = append(out, b[start:i+next])
			start = i + next
		}
		i += next
	}
	return append(out, b[start:])
}

func (w *walker) pdf(a at, data []byte) {
	if int64(len(data)) > min(w.b.Whole, pdfMemory/2) {
		w.gap(a, "pdf", TooMuch, "it is larger than can be looked at")
		return
	}
	if !pdfStarted() { // what that takes is no work on the message
		w.used.CPU += w.clock.used()
		if w.err = WarmPDF(PDFOptions{}); w.err != nil {
			return
		}
		w.clock.start()
	}
	clock, left := w.clock, w.b.CPU-w.used.CPU
	ctx, cancel := pdfBounded(w.ctx, func() bool { return clock.used() > left })
	defer cancel()
	e, err := newPDFEngine(ctx)
	if err != nil {
		if w.ctx.Err() == nil {
			w.err = err
		}
		return
	}
	defer e.close()
	d := &pdfReader{w: w, a: a, data: data, e: e, fonts: map[uint64]pdfFont{}, seen: map[[32]byte]bool{}}
	d.read()
	d.failed()
}

// more says whether work goes on.
func (d *pdfReader) more() bool {
	return d.e.err == nil && d.e.ctx.Err() == nil && d.w.tick()
}

// failed tells of what stopped PDFium.
func (d *pdfReader) failed() {
	switch {
	case d.w.ctx.Err() != nil || d.w.over:
	case d.e.ctx.Err() != nil:
		d.w.gap(d.a, "pdf", TooMuch, "it takes too long to read")
	case d.e.err != nil && d.e.mod.Memory() != nil && d.e.memory() > pdfMemory*7/8:
		d.w.gap(d.a, "pdf", TooMuch, "it takes too much memory")
	case d.e.err != nil:
		d.w.gap(d.a, "pdf", Damaged, "it cannot be read to its end")
	case d.cut:
		d.w.gap(d.a, "pdf", TooMuch, "there is more on a page than can be looked at")
	case d.broken > 0:
		d.w.gap(d.a, "pdf", Damaged, fmt.Sprintf("%d of its pages cannot be read", d.broken))
	}
}

// Errors of FPDF_GetLastError.
const (
	pdfErrPassword = 4
	pdfErrSecurity = 5
)

func (d *pdfReader) read() {
	e := d.e
	if d.doc = d.open(); d.doc == 0 {
		return
	}
	if e.call("FPDF_GetFormType", d.doc) != 0 {
		if info := e.call("FPDF_FORMFILLINFO_Create"); info != 0 {
			d.form = e.call("FPDFDOC_InitFormFillEnvironment", d.doc, info)
		}
	}
	n := pdfInt(e.call("FPDF_GetPageCount", d.doc))
	for i := 0; i < n && d.more() && d.lines <= d.w.b.Units-d.w.used.Units; i++ { // write tells of the limit
		d.readPage(i)
	}
	d.objects()
	d.attachments()
	d.write(d.pages)
	d.write(d.others)
	d.attached()
	if n <= 0 && d.more() && len(d.seen) == 0 {
		d.w.gap(d.a, "pdf", Damaged, "it has no pages")
	}
	d.pictures()
}

// closed is for a document that PDFium does not open.
func (d *pdfReader) closed(code int) {
	switch {
	case d.e.err != nil:
	case code == pdfErrPassword || code == pdfErrSecurity:
		d.w.res.Files[d.w.current].Locked = true
		d.w.gap(d.a, "pdf", Locked, "a document locked by a password")
	default:
		d.w.gap(d.a, "pdf", Damaged, "it cannot be read")
	}
}

// readPage reads what stands on a page, and what is stuck on it.
func (d *pdfReader) readPage(i int) {
	e := d.e
	page := e.long("FPDF_LoadPage", d.doc, uint64(i))
	if page == 0 {
		d.broken++
		return
	}
	frame := e.frame(page)
	t := d.letters(page, frame)
	o := d.objectsOf(page, frame)
	if o.any == 0 {
		d.empty++
	}
	shown := d.again(page, t)
	notes := d.annotations(page, frame, i)
	said := t.said()
	if notes.shown {
		page = d.flattened(page, t, shown, notes, i)
	}
	t.glyphs = append(t.glyphs, notes.boxGlyphs(t)...)
	strikes := append(o.strikes, notes.strikes...)
	p := t.layOut(i+1, strikes)
	p.said = said
	if shown != nil {
		p.said = shown.said()
		d.others = append(d.others, shown.layOut(i+1, strikes))
	}
	p.aside = append(p.aside, notes.units...)
	d.pages = append(d.pages, p)
	d.lines += len(p.lines) + len(p.aside)
	o.shapes = append(o.shapes, t.strange()...)
	if d.isPicture(t, o) {
		d.scans = append(d.scans, i)
	} else if page != 0 {
		d.stuck(page, frame, o, i)
	}
	if page != 0 {
		e.call("FPDF_ClosePage", page)
	}
}
