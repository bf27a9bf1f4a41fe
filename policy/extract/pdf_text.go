package extract

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A pdfLook is how a text object of a page looks: all its letters are alike.
type pdfLook struct {
	size     float64 // of letters, in points as shown
	dx, dy   float64 // where the writing goes, on the page as it is shown
	style    Style
	unseen   bool // drawn in no colour, white or outside the page
	pale     bool // a light colour, or let through
	unmapped bool // its codes do not say which letters they are
}

// A pdfGlyph is a letter where it stands, in points from the lower left of the page as it
// is shown.
type pdfGlyph struct {
	r      rune
	x, y   float64 // of its origin
	x0, x1 float64 // along the writing, once its direction is known
	v      float64 // across it
	box    [4]float64
	look   int32
}

// A pdfFrame is a page's box and how it is turned.
type pdfFrame struct {
	left, bottom, right, top float64
	turn                     int // quarters to the right
	w, h                     float64
}

// shown is where a point of the page's own coordinates is seen.
func (f *pdfFrame) shown(x, y float64) (float64, float64) {
	switch f.turn {
	case 1:
		return y - f.bottom, f.right - x
	case 2:
		return f.right - x, f.top - y
	case 3:
		return f.top - y, x - f.left
	}
	return x - f.left, y - f.bottom
}

func (f *pdfFrame) towards(dx, dy float64) (float64, float64) {
	switch f.turn {
	case 1:
		return dy, -dx
	case 2:
		return -dx, -dy
	case 3:
		return -dy, dx
	}
	return dx, dy
}

func (e *pdfEngine) frame(page uint64) pdfFrame {
	var f pdfFrame
	if e.call("FPDF_GetPageBoundingBox", page, uint64(e.scratch)) != 0 {
		f.left, f.top, f.right, f.bottom = e.float(0), e.float(1), e.float(2), e.float(3)
	}
	f.turn = pdfInt(e.call("FPDFPage_GetRotation", page)) & 3
	f.w, f.h = f.right-f.left, f.top-f.bottom
	if f.turn&1 == 1 {
		f.w, f.h = f.h, f.w
	}
	return f
}

// A pdfTextPage is the letters of one page.
type pdfTextPage struct {
	frame  pdfFrame
	glyphs []pdfGlyph
	looks  []pdfLook
	lost   int        // letters whose codes nobody knows
	odd    []pdfImage // where they stand
}

// maxGlyphs is how many letters of one page are taken.
const maxGlyphs = 1_000_000

// letters reads the letters of a page, in the order of its content.
func (d *pdfReader) letters(page uint64, frame pdfFrame) *pdfTextPage {
	e := d.e
	t := &pdfTextPage{frame: frame}
	tp := e.long("FPDFText_LoadPage", page)
	if tp == 0 {
		return t
	}
	defer e.call("FPDFText_ClosePage", tp)
	n := pdfInt(e.call("FPDFText_CountChars", tp))
	if n > maxGlyphs {
		n, d.cut = maxGlyphs, true
	}
	t.glyphs = make([]pdfGlyph, 0, max(n, 0))
	last, look := uint64(0), int32(-1)
	high := rune(0)
	s := uint64(e.scratch)
	for i := range max(n, 0) {
		if i&1023 == 1023 && !d.more() {
			break
		}
		c := uint64(i)
		obj := e.call("FPDFText_GetTextObject", tp, c)
		r := rune(uint32(e.call("FPDFText_GetUnicode", tp, c)))
		if obj == 0 { // a blank or a line's end that PDFium put there
			continue
		}
		switch {
		case utf16.IsSurrogate(r) && r < 0xdc00:
			high = r
			continue
		case utf16.IsSurrogate(r):
			r = utf16.DecodeRune(high, r)
		}
		if obj != last {
			last, look = obj, int32(len(t.looks))
			t.looks = append(t.looks, d.look(tp, c, obj, &frame))
		}
		unknown := t.looks[look].unmapped || r < ' ' || r == unicode.ReplacementChar || r == 0xfffe || r == 0xffff || unicode.Is(unicode.Co, r)
		if unknown && r != '\t' && r != '\n' && r != '\r' {
			t.lost++
			t.boxOf(e, tp, c, &frame)
		}
		if r < ' ' || r == 0xfffe || r == 0xffff {
			continue
		}
		g := pdfGlyph{r: r, look: look}
		if e.call("FPDFText_GetCharOrigin", tp, c, s, s+8) == 0 {
			continue
		}
		g.x, g.y = frame.shown(e.double(0), e.double(1))
		if e.call("FPDFText_GetLooseCharBox", tp, c, s) != 0 {
			x0, y0 := frame.shown(e.float(0), e.float(3))
			x1, y1 := frame.shown(e.float(2), e.float(1))
			g.box = [4]float64{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
		}
		t.glyphs = append(t.glyphs, g)
	}
	return t
}

// boxOf keeps where a letter stands that nobody knows.
func (t *pdfTextPage) boxOf(e *pdfEngine, tp, c uint64, frame *pdfFrame) {
	if s := uint64(e.scratch); len(t.odd) < maxShapes && e.call("FPDFText_GetLooseCharBox", tp, c, s) != 0 {
		t.odd = append(t.odd, pdfImage{frame.rect(e.float(0), e.float(3), e.float(2), e.float(1)), 12, 0})
	}
}

// strange are the letters that nobody knows, as shapes to look at: words of them, since a
// sign alone is a bullet.
func (t *pdfTextPage) strange() []pdfImage {
	if len(t.odd) < 4 {
		return nil
	}
	return t.odd
}

// look says how the text object of letter i looks.
func (d *pdfReader) look(tp, i, obj uint64, frame *pdfFrame) pdfLook {
	e := d.e
	s := uint64(e.scratch)
	l := pdfLook{dx: 1}
	l.size = math.Float64frombits(e.call("FPDFText_GetFontSize", tp, i))
	if e.call("FPDFText_GetMatrix", tp, i, s) != 0 {
		a, b, c, dd := e.float(0), e.float(1), e.float(2), e.float(3)
		if h := math.Hypot(c, dd); h > 0 {
			l.size *= h
		}
		if h := math.Hypot(a, b); h > 0 {
			l.dx, l.dy = frame.towards(a/h, b/h)
		}
	}
	l.size = math.Abs(l.size)
	if !(l.size > 0.01 && l.size < 10_000) {
		l.size = 1
	}
	if e.call("FPDFText_GetFillColor", tp, i, s, s+4, s+8, s+12) != 0 {
		r, g, b, a := int(e.word(0)), int(e.word(1)), int(e.word(2)), int(e.word(3))
		light := (3*r + 6*g + b) / 10
		l.unseen = a < 8 || light > 248
		l.pale = light > 170 || a < 140
		if r > 140 && g < 90 && b < 90 {
			l.style |= Red
		}
	}
	switch pdfInt(e.call("FPDFTextObj_GetTextRenderMode", obj)) {
	case 3, 7:
		l.unseen = true
	}
	f := d.font(e.call("FPDFTextObj_GetFont", obj))
	if f.bold {
		l.style |= Bold
	}
	l.unmapped = e.call("FPDFText_HasUnicodeMapError", tp, i) == 1
	return l
}

type pdfFont struct{ bold bool }

// font is asked once for each font of a document.
func (d *pdfReader) font(p uint64) pdfFont {
	if f, known := d.fonts[p]; known || p == 0 {
		return f
	}
	e := d.e
	var f pdfFont
	n := min(e.call("FPDFFont_GetBaseFontName", p, uint64(e.scratch), 255), 255)
	name := strings.ToLower(string(e.read(e.scratch, uint32(n))))
	f.bold = strings.Contains(name, "bold") || strings.Contains(name, "black") || strings.Contains(name, "heavy") ||
		pdfInt(e.call("FPDFFont_GetWeight", p)) >= 600
	d.fonts[p] = f
	return f
}
