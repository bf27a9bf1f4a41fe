package extract

import (
	"image"
	"math"
)

// pdfObjects is what a page draws besides writing.
type pdfObjects struct {
	strikes  [][4]float64 // flat and thin
	images   []pdfImage
	covered  float64 // share of the page that pictures take
	outlines int     // paths
}

// A pdfImage is a picture on a page: where it is shown, and how many pixels it has.
type pdfImage struct {
	rect          [4]float64
	width, height int
}

// Kinds of page objects in fpdf_edit.h.
const (
	objectPath    = 2
	objectImage   = 3
	objectShading = 4
	objectForm    = 5
)

const (
	maxObjects = 100_000 // of a page are looked at
	maxNested  = 6       // forms in each other
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
		if h := r[3] - r[1]; h < 3 && r[2]-r[0] > 6 && len(o.strikes) < 10_000 {
			o.strikes = append(o.strikes, r)
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
		return o.covered > 0.05 || o.outlines >= manyOutlines
	}
	return false
}

// render draws a part of a page, from top to bottom of it in shares of its height, in
// shades of grey.
func (d *pdfReader) render(i int, from, to float64) (*image.Gray, error) {
	e := d.e
	page := e.long("FPDF_LoadPage", d.doc, uint64(i))
	if page == 0 {
		return nil, d.why()
	}
	defer e.call("FPDF_ClosePage", page)
	w, h := pdfFloat(e.call("FPDF_GetPageWidthF", page)), pdfFloat(e.call("FPDF_GetPageHeightF", page))
	if !(w > 0 && h > 0) {
		return nil, errPDFium
	}
	scale := min(pictureDPI/72, math.Sqrt(maxPixels/(w*h)))
	width, height := max(int(w*scale), 1), max(int(h*scale), 1)
	top := int(from * float64(height))
	rows := max(min(int(to*float64(height)), height)-top, 1)
	b := e.draw(page, 1, width, rows, 0, -top, width, height)
	if b == nil {
		return nil, d.why()
	}
	return &image.Gray{Pix: b, Stride: width, Rect: image.Rect(0, 0, width, rows)}, nil
}

const (
	pictureDPI = 200.0
	maxPixels  = 6e6 // of a page that is drawn
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

// draw draws a page of a size on a bitmap of width by rows, of 1 octet a pixel, or 4 for
// colours (blue, green, red, nothing).
func (e *pdfEngine) draw(page uint64, octets, width, rows, x, y, sizeX, sizeY int) []byte {
	format := uint64(1) // grey
	if octets == 4 {
		format = 3 // BGRx
	}
	bm := e.long("FPDFBitmap_CreateEx", uint64(width), uint64(rows), format, 0, 0)
	if bm == 0 {
		return nil
	}
	defer e.call("FPDFBitmap_Destroy", bm)
	e.call("FPDFBitmap_FillRect", bm, 0, 0, uint64(width), uint64(rows), 0xffffffff)
	const annotations, grey = 0x01, 0x08
	flags := uint64(annotations)
	if octets == 1 {
		flags |= grey
	}
	i32 := func(v int) uint64 { return uint64(uint32(int32(v))) }
	e.long("FPDF_RenderPageBitmap", bm, page, i32(x), i32(y), i32(sizeX), i32(sizeY), 0, flags)
	stride := pdfInt(e.call("FPDFBitmap_GetStride", bm))
	p := e.call("FPDFBitmap_GetBuffer", bm)
	if e.err != nil || p == 0 || stride < width*octets {
		return nil
	}
	all := e.read(uint32(p), uint32(stride*rows))
	if len(all) < stride*rows {
		return nil
	}
	out := make([]byte, width*rows*octets)
	for r := range rows {
		copy(out[r*width*octets:(r+1)*width*octets], all[r*stride:])
	}
	return out
}

// Pictures that are smaller are no stamps.
const (
	leastWidth  = 200
	leastHeight = 60
	maxStuck    = 200 // pictures of one document that are looked at
)

// stuck reads the pictures on a page of text, such as stamps: as they are shown, with what
// is drawn over them.
func (d *pdfReader) stuck(page uint64, frame pdfFrame, o *pdfObjects, i int) {
}

// pictures reads the pages that are pictures.
func (d *pdfReader) pictures() {
	if len(d.scans) > 0 && d.more() {
		d.w.gap(d.a, "pdf", Unread, "pages that are pictures are not read yet")
	}
}
