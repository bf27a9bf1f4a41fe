package extract

import (
	"crypto/sha256"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The letters of a page may be said to be others than those that are shown: by ActualText,
// which takes the place of what it is put around (ISO 32000 section 14.9.4), or by a table
// of a font that says which letters its codes are, ToUnicode (section 9.10.3). Both have
// their use, so that both count: what is said, and what is shown. A page of which they
// differ is read twice.
//
// What an earlier revision of the document shows is not read: whoever opens the file
// sees the last one.

// said is a sum of the letters of a page, in one form, in the order of its content.
func (t *pdfTextPage) said() [sha256.Size]byte {
	h := sha256.New()
	var b []byte
	for i, g := range t.glyphs {
		if r := g.r; r > ' ' && r != '-' && r != 0xad && r != 0xa0 { // hyphens are what it is used for mostly
			b = utf8.AppendRune(b, r)
		}
		if len(b) > 4000 || i == len(t.glyphs)-1 {
			h.Write(norm.NFKC.Bytes(b))
			b = b[:0]
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// again reads a page once more without ActualText; nil when that shows nothing else.
func (d *pdfReader) again(page uint64, t *pdfTextPage) *pdfTextPage {
	if d.unmark(page) == 0 {
		return nil
	}
	o := d.letters(page, t.frame)
	if o.said() == t.said() {
		return nil
	}
	return o
}

// unmark takes ActualText away from the writing of a page, and says how often it was there.
func (d *pdfReader) unmark(page uint64) int {
	left, n := maxObjects, 0
	for i := range max(pdfInt(d.e.call("FPDFPage_CountObjects", page)), 0) {
		if left <= 0 || i&255 == 255 && !d.more() {
			break
		}
		left--
		if obj := d.e.call("FPDFPage_GetObject", page, uint64(i)); obj != 0 {
			n += d.unmarkObject(obj, 0, &left)
		}
	}
	return n
}

func (d *pdfReader) unmarkObject(obj uint64, depth int, left *int) (n int) {
	e := d.e
	switch pdfInt(e.call("FPDFPageObj_GetType", obj)) {
	case objectForm:
		if depth >= maxNested {
			return 0
		}
		for i := range max(pdfInt(e.call("FPDFFormObj_CountObjects", obj)), 0) {
			if *left--; *left <= 0 || !d.more() {
				return n
			}
			if sub := e.call("FPDFFormObj_GetObject", obj, uint64(i)); sub != 0 {
				n += d.unmarkObject(sub, depth+1, left)
			}
		}
	case objectText:
		if d.actual == 0 {
			d.actual = e.cstring("ActualText")
		}
		for i := pdfInt(e.call("FPDFPageObj_CountMarks", obj)) - 1; i >= 0 && e.err == nil; i-- {
			mark := e.call("FPDFPageObj_GetMark", obj, uint64(i))
			if mark == 0 || pdfInt(e.call("FPDFPageObjMark_GetParamValueType", mark, d.actual)) <= 0 {
				continue
			}
			n++
			e.call("FPDFPageObj_RemoveMark", obj, mark)
		}
	}
	return n
}

// honest reads the pages of a copy of the document whose fonts say of their codes what
// their glyphs are called.
func (d *pdfReader) honest(data []byte) {
	e := d.e
	p := e.put(data)
	if p == 0 || !d.more() {
		return
	}
	doc := e.long("FPDF_LoadMemDocument", p, uint64(len(data)), 0)
	if doc == 0 {
		return
	}
	for _, first := range d.pages {
		if !d.more() {
			return
		}
		page := e.long("FPDF_LoadPage", doc, uint64(first.number-1))
		if page == 0 {
			continue
		}
		d.unmark(page)
		if t := d.letters(page, e.frame(page)); t.said() != first.said {
			d.others = append(d.others, t.layOut(first.number, first.strikes))
		}
		e.call("FPDF_ClosePage", page)
	}
}
