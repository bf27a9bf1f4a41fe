package extract

import (
	"cmp"
	"image"
	"math"
	"slices"
)

// pdfObjects is what a page draws besides writing.
type pdfObjects struct {
	strikes  [][4]float64 // flat and thin
	images   []pdfImage
	shapes   []pdfImage // that may be letters; their width is how many pieces they are of
	covered  float64    // share of the page that pictures take
	outlines int        // paths
	any      int        // all that is drawn, writing as well
}

// A pdfImage is a picture on a page: where it is shown, and how many pixels it has.
type pdfImage struct {
	rect          [4]float64
	width, height int
}

// Kinds of page objects in fpdf_edit.h.
const (
	objectText    = 1
	objectPath    = 2
	objectImage   = 3
	objectShading = 4
	objectForm    = 5
)

const (
	maxObjects = 100_000 // of a page are looked at
	maxNested  = 6       // forms in each other
	maxShapes  = 600     // of a page that may be letters
)

// pdfMatrix is a, b, c, d, e, f as PDF has them.
type pdfMatrix [6]float64

func (m pdfMatrix) times(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// over is the box around a rectangle once it is moved.
func (m pdfMatrix) over(x0, y0, x1, y1 float64) (float64, float64, float64, float64) {
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range [4][2]float64{{x0, y0}, {x1, y0}, {x0, y1}, {x1, y1}} {
		x, y := p[0]*m[0]+p[1]*m[2]+m[4], p[0]*m[1]+p[1]*m[3]+m[5]
		minX, minY, maxX, maxY = min(minX, x), min(minY, y), max(maxX, x), max(maxY, y)
	}
	return minX, minY, maxX, maxY
}

// objectsOf looks at what a page draws.
func (d *pdfReader) objectsOf(page uint64, frame pdfFrame) *pdfObjects {
	o := &pdfObjects{}
	left := maxObjects
	n := pdfInt(d.e.call("FPDFPage_CountObjects", page))
	for i := range max(n, 0) {
		if left <= 0 || i&255 == 255 && !d.more() {
			break
		}
		left--
		if obj := d.e.call("FPDFPage_GetObject", page, uint64(i)); obj != 0 {
			d.object(o, obj, page, frame, pdfMatrix{1, 0, 0, 1, 0, 0}, 0, &left)
		}
	}
	o.any = max(n, 0)
	o.covered = min(o.covered/max(frame.w*frame.h, 1), 1)
	return o
}

func (d *pdfReader) object(o *pdfObjects, obj, page uint64, frame pdfFrame, m pdfMatrix, depth int, left *int) {
	e := d.e
	s := uint64(e.scratch)
	kind := pdfInt(e.call("FPDFPageObj_GetType", obj))
	if kind == objectForm {
		if depth >= maxNested || e.call("FPDFPageObj_GetMatrix", obj, s) == 0 {
			return
		}
		inner := pdfMatrix{e.float(0), e.float(1), e.float(2), e.float(3), e.float(4), e.float(5)}.times(m)
		for i := range max(pdfInt(e.call("FPDFFormObj_CountObjects", obj)), 0) {
			if *left--; *left <= 0 || !d.more() {
				return
			}
			if sub := e.call("FPDFFormObj_GetObject", obj, uint64(i)); sub != 0 {
				d.object(o, sub, page, frame, inner, depth+1, left)
			}
		}
		return
	}
	if kind != objectPath && kind != objectImage && kind != objectShading || e.call("FPDFPageObj_GetBounds", obj, s, s+4, s+8, s+12) == 0 {
		return
	}
	x0, y0, x1, y1 := m.over(e.float(0), e.float(1), e.float(2), e.float(3))
	r := frame.rect(x0, y0, x1, y1)
	switch kind {
	case objectPath:
		o.outlines++
		w, h := r[2]-r[0], r[3]-r[1]
		if h < 3 && w > 6 && len(o.strikes) < 10_000 {
			o.strikes = append(o.strikes, r)
		}
		if h >= leastHeight && h < 150 && w > 1 && w < frame.w && len(o.shapes) < maxShapes {
			if n := pdfInt(e.call("FPDFPath_CountSegments", obj)); n >= 4 && n != 5 { // five make a rectangle
				o.shapes = append(o.shapes, pdfImage{r, n, 0})
			}
		}
	case objectShading:
		o.outlines++
	case objectImage:
		w := max(min(r[2], frame.w)-max(r[0], 0), 0)
		h := max(min(r[3], frame.h)-max(r[1], 0), 0)
		o.covered += w * h
		if len(o.images) < 1000 && e.call("FPDFImageObj_GetImagePixelSize", obj, s, s+4) != 0 {
			o.images = append(o.images, pdfImage{r, int(e.word(0)), int(e.word(1))})
		}
	}
}

const (
	fewLetters   = 40  // fewer on a page, and what it says may stand in its pictures
	manyOutlines = 40  // paths that may be letters
	pageCovered  = 0.5 // by pictures: it is one
)

// isPicture says whether a page must be looked at, since its letters do not tell all: it is
// a scan, its letters are drawn as outlines, or their codes mean nothing.
func (d *pdfReader) isPicture(t *pdfTextPage, o *pdfObjects) bool {
	seen := 0
	for i := range t.glyphs {
		if l := &t.looks[t.glyphs[i].look]; !l.unseen && !l.unmapped {
			seen++
		}
	}
	switch {
	case o.covered >= pageCovered:
		return true
	case t.lost > 8 && t.lost > len(t.glyphs)/4:
		return true
	case seen < fewLetters:
		return o.covered > 0.05 || o.outlines >= manyOutlines || len(o.regions(t.frame)) > 0
	}
	return false
}

// render draws a page.
func (d *pdfReader) render(i, dpi int) (image.Image, error) {
	page := d.e.long("FPDF_LoadPage", d.doc, uint64(i))
	if page == 0 {
		return nil, d.why()
	}
	defer d.e.call("FPDF_ClosePage", page)
	frame := d.e.frame(page)
	return d.area(page, frame, [4]float64{0, 0, frame.w, frame.h}, float64(dpi)/72)
}

// area draws a part of a page, pixels to a point of it.
func (d *pdfReader) area(page uint64, frame pdfFrame, r [4]float64, scale float64) (image.Image, error) {
	e := d.e
	w, h := r[2]-r[0], r[3]-r[1]
	if !(w > 0 && h > 0) {
		return nil, errPDFium
	}
	scale = min(scale, math.Sqrt(maxPixels/(w*h)))
	width, height := max(int(w*scale), 1), max(int(h*scale), 1)
	if width > 1<<15 || height > 1<<15 {
		return nil, errPDFium
	}
	const bgrx = 3
	bm := e.long("FPDFBitmap_CreateEx", uint64(width), uint64(height), bgrx, 0, 0)
	if bm == 0 {
		return nil, d.why()
	}
	defer e.call("FPDFBitmap_Destroy", bm)
	e.call("FPDFBitmap_FillRect", bm, 0, 0, uint64(width), uint64(height), 0xffffffff)
	i32 := func(v float64) uint64 { return uint64(uint32(int32(v))) }
	const annotations, redFirst = 0x01, 0x10
	e.long("FPDF_RenderPageBitmap", bm, page, i32(-r[0]*scale), i32((r[3]-frame.h)*scale), i32(frame.w*scale), i32(frame.h*scale), 0, annotations|redFirst)
	stride := pdfInt(e.call("FPDFBitmap_GetStride", bm))
	p := e.call("FPDFBitmap_GetBuffer", bm)
	if e.err != nil || p == 0 || stride < 4*width {
		return nil, d.why()
	}
	all := e.read(uint32(p), uint32(stride*height))
	if len(all) < stride*height {
		return nil, d.why()
	}
	if grey := pdfGrey(all, width, height, stride); grey != nil {
		return grey, nil
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		copy(img.Pix[y*img.Stride:(y+1)*img.Stride], all[y*stride:])
	}
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	return img, nil
}

// pdfGrey is a drawn page on which nothing has a colour, as most scans are; else nil.
func pdfGrey(all []byte, width, height, stride int) image.Image {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		row, out := all[y*stride:][:4*width], img.Pix[y*img.Stride:][:width]
		for x := range out {
			p := row[4*x : 4*x+3]
			if p[0] != p[1] || p[1] != p[2] {
				return nil
			}
			out[x] = p[0]
		}
	}
	return img
}

const (
	pictureDPI = 200.0
	maxPixels  = 6e6 // of what is drawn at a time
	maxStuck   = 300 // pieces of a document's pages that are drawn
)

func (d *pdfReader) why() error {
	if err := d.e.ctx.Err(); err != nil {
		return err
	}
	if d.e.err != nil {
		return d.e.err
	}
	return errPDFium
}

// stuck reads pictures on a page of text, such as stamps, and what looks like letters and
// is none that PDFium knows: as they are shown, with what is drawn over them.
func (d *pdfReader) stuck(page uint64, frame pdfFrame, o *pdfObjects, i int) {
	for _, r := range o.regions(frame) {
		if !d.more() {
			return
		}
		if d.images++; d.images > maxStuck {
			d.cut = true
			return
		}
		img, err := d.area(page, frame, r, pictureDPI/72)
		if err != nil {
			d.cut = d.cut || d.e.err == nil
			return
		}
		if d.stamps == nil {
			d.stamps = d.w.part(d.a, "pdf")
		}
		d.w.picture(d.a, d.stamps, img, i+1)
	}
}

// pictures reads the pages that are pictures.
func (d *pdfReader) pictures() {
	if d.stamps != nil {
		d.stamps.end()
	}
	if len(d.scans) == 0 || !d.more() {
		return
	}
	out := d.w.part(d.a, "pdf")
	d.w.scan(d.a, out, scanned{
		pages:  len(d.scans),
		number: func(i int) int { return d.scans[i] + 1 },
		page:   func(i, dpi int) (image.Image, error) { return d.render(d.scans[i], dpi) },
	})
	out.end()
}

// Pieces of a page that are smaller carry no mark.
const (
	leastWidth  = 28.0 // points
	leastHeight = 6.0
	leastPixels = 200 // of a picture, across
	leastRows   = 60
)

// regions are the parts of a page that must be looked at: pictures, those that touch as
// one, and rows of shapes that may be letters.
func (o *pdfObjects) regions(frame pdfFrame) [][4]float64 {
	var out [][4]float64
	for _, g := range pdfTouching(o.images, 2, 2) {
		dots := 0.0 // to a point
		for _, m := range g {
			dots = max(dots, float64(m.width)/max(m.rect[2]-m.rect[0], 1))
		}
		r := pdfAround(g)
		if w, h := r[2]-r[0], r[3]-r[1]; max(w, h)*dots >= leastPixels && min(w, h)*dots >= leastRows {
			out = append(out, r)
		}
	}
	for _, g := range pdfTouching(o.shapes, 14, 3) {
		n := 0
		for _, m := range g {
			n += m.width // pieces of its outline
		}
		if r := pdfAround(g); n >= 30 && r[2]-r[0] >= leastWidth && r[3]-r[1] >= leastHeight {
			out = append(out, r)
		}
	}
	for i, r := range out {
		out[i] = [4]float64{max(r[0]-8, 0), max(r[1]-8, 0), min(r[2]+8, frame.w), min(r[3]+8, frame.h)}
	}
	return slices.DeleteFunc(out, func(r [4]float64) bool { return r[0] >= r[2] || r[1] >= r[3] })
}

// pdfTouching gathers what is no further apart than dx and dy.
func pdfTouching(all []pdfImage, dx, dy float64) [][]pdfImage {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b pdfImage) int {
		return cmp.Or(cmp.Compare(math.Round(b.rect[1]/4), math.Round(a.rect[1]/4)), cmp.Compare(a.rect[0], b.rect[0]))
	})
	var groups [][]pdfImage
	var boxes [][4]float64
	for _, m := range all {
		to := -1
		for k := 0; k < len(boxes); k++ {
			b := boxes[k]
			if m.rect[0] > b[2]+dx || m.rect[2] < b[0]-dx || m.rect[1] > b[3]+dy || m.rect[3] < b[1]-dy {
				continue
			}
			if to < 0 {
				to = k
				groups[k] = append(groups[k], m)
			} else { // it joins two
				groups[to] = append(groups[to], groups[k]...)
				groups, boxes = slices.Delete(groups, k, k+1), slices.Delete(boxes, k, k+1)
				k--
			}
			boxes[to] = pdfAround(groups[to])
		}
		if to < 0 {
			groups, boxes = append(groups, []pdfImage{m}), append(boxes, m.rect)
		}
	}
	return groups
}

func pdfAround(g []pdfImage) [4]float64 {
	r := g[0].rect
	for _, m := range g[1:] {
		r = [4]float64{min(r[0], m.rect[0]), min(r[1], m.rect[1]), max(r[2], m.rect[2]), max(r[3], m.rect[3])}
	}
	return r
}
