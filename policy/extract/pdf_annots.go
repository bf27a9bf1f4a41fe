package extract

import (
	"fmt"
	"math"
	"strings"
	"unicode"
)

// Subtypes of annotations in fpdf_annot.h.
const (
	annotLink       = 2
	annotFreeText   = 3
	annotLine       = 4
	annotStrikeOut  = 12
	annotStamp      = 13
	annotInk        = 15
	annotPopup      = 16
	annotAttachment = 17
	annotWidget     = 20
	annotWatermark  = 24
)

// Kinds of fields in fpdf_formfill.h.
const (
	fieldCheckBox    = 2
	fieldRadioButton = 3
)

// pdfNotes is what is stuck on a page.
type pdfNotes struct {
	units   []pdfAside
	strikes [][4]float64
	boxes   []pdfBox
	widgets [][4]float64
	shown   bool // something may have a look of its own
}

// A pdfBox is one to tick.
type pdfBox struct {
	rect   [4]float64
	ticked bool
}

const maxAnnotations = 20_000 // of a page

// annotations reads what is stuck on a page.
func (d *pdfReader) annotations(page uint64, frame pdfFrame, i int) *pdfNotes {
	e := d.e
	n := &pdfNotes{}
	count := pdfInt(e.call("FPDFPage_GetAnnotCount", page))
	if count > maxAnnotations {
		count, d.cut = maxAnnotations, true
	}
	for j := range max(count, 0) {
		if !d.more() {
			break
		}
		if a := e.call("FPDFPage_GetAnnot", page, uint64(j)); a != 0 {
			d.annotation(n, a, frame, i)
			e.call("FPDFPage_CloseAnnot", a)
		}
	}
	return n
}

func (d *pdfReader) annotation(n *pdfNotes, a uint64, frame pdfFrame, page int) {
	e := d.e
	kind := pdfInt(e.call("FPDFAnnot_GetSubtype", a))
	switch kind {
	case annotLink, annotPopup:
	default:
		n.shown = true
	}
	place := Comment
	switch kind {
	case annotFreeText, annotStamp:
		place = Stamp
	case annotWatermark:
		place = Watermark
	}
	for _, key := range [...]string{"Contents", "Subj", "RC", "OverlayText", "T"} {
		s := d.annotString(a, key)
		if key == "RC" {
			s = pdfPlain(s)
		}
		if kind == annotWidget && key == "T" {
			continue
		}
		for _, l := range strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' }) {
			n.units = append(n.units, pdfAside{place: place, text: l})
		}
	}
	switch kind {
	case annotStamp: // one of the stamps that every viewer draws
		if s := d.annotString(a, "Name"); s != "" {
			n.units = append(n.units, pdfAside{place: Stamp, text: strings.ToUpper(pdfSpaced(s))})
		}
	case annotAttachment:
		if f := e.call("FPDFAnnot_GetFileAttachment", a); f != 0 {
			d.keep(f)
		}
	case annotStrikeOut, annotLine, annotInk:
		d.strike(n, a, kind, frame)
	case annotWidget:
		d.widget(n, a, frame, page)
	}
}

func (d *pdfReader) annotString(a uint64, key string) string {
	k := d.e.cstring(key)
	defer d.e.free(k)
	return d.e.text("FPDFAnnot_GetStringValue", []uint64{a, k})
}

// pdfSpaced puts a blank before each capital within a name: TopSecret.
func pdfSpaced(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// pdfPlain is the text of an annotation that is written in XHTML.
func pdfPlain(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		j := strings.IndexByte(s[i:], '>')
		if j < 0 {
			return b.String()
		}
		tag := s[i : i+j+1]
		if strings.HasPrefix(tag, "</p") || strings.HasPrefix(tag, "<br") {
			b.WriteByte('\n')
		}
		s = s[i+j+1:]
	}
}

func (e *pdfEngine) annotRect(a uint64, frame *pdfFrame) ([4]float64, bool) {
	if e.call("FPDFAnnot_GetRect", a, uint64(e.scratch)) == 0 {
		return [4]float64{}, false
	}
	return frame.rect(e.float(0), e.float(3), e.float(2), e.float(1)), true // left, top, right, bottom
}

// rect is a rectangle as it is shown: x0, y0, x1, y1.
func (f *pdfFrame) rect(x0, y0, x1, y1 float64) [4]float64 {
	x0, y0 = f.shown(x0, y0)
	x1, y1 = f.shown(x1, y1)
	return [4]float64{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
}

// strike keeps a line that may be drawn through writing.
func (d *pdfReader) strike(n *pdfNotes, a uint64, kind int, frame pdfFrame) {
	e := d.e
	if kind != annotStrikeOut {
		if r, ok := e.annotRect(a, &frame); ok && r[3]-r[1] < 12 {
			n.strikes = append(n.strikes, r)
		}
		return
	}
	for q := range min(e.call("FPDFAnnot_CountAttachmentPoints", a), 1000) {
		if e.call("FPDFAnnot_GetAttachmentPoints", a, q, uint64(e.scratch)) == 0 {
			continue
		}
		x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for k := range uint32(4) {
			x, y := e.float(2*k), e.float(2*k+1)
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
		}
		r := frame.rect(x0, y0, x1, y1)
		// Its box is that of the writing; the line goes through the middle of small letters.
		mid := r[1] + 0.4*(r[3]-r[1])
		n.strikes = append(n.strikes, [4]float64{r[0], mid, r[2], mid})
	}
}

// widget is a field of a form.
func (d *pdfReader) widget(n *pdfNotes, a uint64, frame pdfFrame, page int) {
	e := d.e
	rect, ok := e.annotRect(a, &frame)
	if !ok || d.form == 0 {
		return
	}
	args := []uint64{d.form, a}
	kind := pdfInt(e.call("FPDFAnnot_GetFormFieldType", args...))
	if kind == fieldCheckBox || kind == fieldRadioButton {
		state := d.annotString(a, "AS")
		n.boxes = append(n.boxes, pdfBox{rect, state != "" && state != "Off"})
		name := e.text("FPDFAnnot_GetFormFieldAlternateName", args)
		if name == "" {
			name = e.text("FPDFAnnot_GetFormFieldName", args)
		}
		tick := "[ ] "
		if n.boxes[len(n.boxes)-1].ticked {
			tick = "[x] "
		}
		if kind == fieldRadioButton {
			name = e.text("FPDFAnnot_GetFormFieldExportValue", args)
		}
		if name != "" {
			d.fields = append(d.fields, Unit{Place: Paragraph, Where: "field on page " + fmt.Sprint(page+1), Text: tick + name, Page: page + 1})
		}
		return
	}
	n.widgets = append(n.widgets, rect)
	if v := e.text("FPDFAnnot_GetFormFieldValue", args); v != "" {
		name := e.text("FPDFAnnot_GetFormFieldName", args)
		if other := e.text("FPDFAnnot_GetFormFieldAlternateName", args); other != "" {
			name = other
		}
		d.fields = append(d.fields, Unit{Place: Paragraph, Where: "field on page " + fmt.Sprint(page+1), Text: name + ": " + v, Page: page + 1})
	}
}

// boxGlyphs sets signs for boxes to tick where they are, so that they stand in line with
// what is written beside them.
func (n *pdfNotes) boxGlyphs(t *pdfTextPage) []pdfGlyph {
	var out []pdfGlyph
	for _, b := range n.boxes {
		h := min(b.rect[3]-b.rect[1], 12)
		look := int32(len(t.looks))
		t.looks = append(t.looks, pdfLook{size: h, dx: 1})
		sign := []rune("[ ]")
		if b.ticked {
			sign[1] = 'x'
		}
		step := (b.rect[2] - b.rect[0]) / 3
		for i, r := range sign {
			x := b.rect[0] + float64(i)*step
			y := b.rect[1] + 0.2*(b.rect[3]-b.rect[1])
			out = append(out, pdfGlyph{r: r, look: look, x: x, y: y, box: [4]float64{x, y, x + step, y + h}})
		}
	}
	return out
}

// flattened draws what is stuck on a page into the page, and reads the letters that are new:
// those of a form's fields belong to the page's own lines, others are stamps. It gives the
// page loaded again.
func (d *pdfReader) flattened(page uint64, t, shown *pdfTextPage, n *pdfNotes, i int) uint64 {
	e := d.e
	done := e.long("FPDFPage_Flatten", page, 0)
	if done != 1 { // 1: it was; 2: there was nothing to do
		return page
	}
	e.call("FPDF_ClosePage", page)
	if page = e.long("FPDF_LoadPage", d.doc, uint64(i)); page == 0 {
		return 0
	}
	all := d.letters(page, t.frame)
	other := d.again(page, all)
	n.news(t, t, all)
	if other != nil {
		if shown == nil {
			shown = t
		}
		n.news(t, shown, other)
	}
	return page
}

// news takes the letters of all that are not on the page as it was before: those in fields
// go to t, of the others it makes stamps.
func (n *pdfNotes) news(t, before, all *pdfTextPage) {
	type spot struct {
		r    rune
		x, y int
	}
	at := func(g pdfGlyph) spot { return spot{g.r, int(math.Round(g.x * 4)), int(math.Round(g.y * 4))} }
	old := map[spot]int{}
	for _, g := range before.glyphs {
		old[at(g)]++
	}
	stamps := &pdfTextPage{frame: t.frame, looks: all.looks}
	base := int32(len(t.looks))
	t.looks = append(t.looks, all.looks...)
	for _, g := range all.glyphs {
		if k := at(g); old[k] > 0 {
			old[k]--
			continue
		}
		switch {
		case n.inBox(g.x, g.y):
		case pdfInside(n.widgets, g.x, g.y):
			g.look += base
			t.glyphs = append(t.glyphs, g)
		default:
			stamps.glyphs = append(stamps.glyphs, g)
		}
	}
	for _, l := range stamps.layers() {
		for _, ln := range l.lines {
			for _, s := range ln.segments {
				n.units = append(n.units, pdfAside{place: Stamp, text: s.text, style: s.style})
			}
		}
	}
}

func (n *pdfNotes) inBox(x, y float64) bool {
	for _, b := range n.boxes {
		if x >= b.rect[0]-2 && x <= b.rect[2]+2 && y >= b.rect[1]-2 && y <= b.rect[3]+2 {
			return true
		}
	}
	return false
}

func pdfInside(rects [][4]float64, x, y float64) bool {
	for _, r := range rects {
		if x >= r[0]-2 && x <= r[2]+2 && y >= r[1]-2 && y <= r[3]+2 {
			return true
		}
	}
	return false
}
