package extract

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"sampul/internal/message"
)

// A workbookReader reads a workbook of Excel 2 to 2003 [MS-XLS]: records of a type and a
// length one after another, of which a long one is continued in others.
type workbookReader struct {
	w    *walker
	a    at
	kind string
	c    *compound // nil for one that stands by itself
	b    []byte
	i    int

	version int // 2 to 5, and 8
	page    string
	strings []string
	sheets  map[int]string // by where they begin
	number  int            // of the sheet that is read
	list    int
	out     *writer
	nested  int // streams in streams: charts in sheets

	drawing, group []byte
	comment        bool // the next text is a comment's
	row, col       int  // of the formula whose text follows
	short          bool
}

// Records [MS-XLS 2.3].
const (
	xlsFormula      = 0x0006
	xlsEnd          = 0x000a
	xlsHeader       = 0x0014
	xlsFooter       = 0x0015
	xlsNote         = 0x001c
	xlsLocked       = 0x002f
	xlsContinue     = 0x003c
	xlsPage         = 0x0042
	xlsObject       = 0x005d
	xlsSheet        = 0x0085
	xlsNumbers      = 0x00bd
	xlsRich         = 0x00d6
	xlsGroup        = 0x00eb
	xlsDrawing      = 0x00ec
	xlsStrings      = 0x00fc
	xlsShared       = 0x00fd
	xlsText         = 0x01b6
	xlsLabel        = 0x0204
	xlsNumber       = 0x0203
	xlsResult       = 0x0207
	xlsRK           = 0x027e
	xlsMoreHeaders  = 0x089c
	xlsHeaderImages = 0x0866
	xlsBegin        = 0x0809
	xlsSeries       = 0x100d
)

func (c *compound) workbook(a at, main *stream) {
	r := &workbookReader{w: c.w, a: a, kind: "xls", c: c, b: c.read(a, main)}
	r.run()
}

// readBIFF is a workbook of Excel 2 to 4, or a stream of a later one, without a container.
func readBIFF(w *walker, a at, s *source) {
	r := &workbookReader{w: w, a: a, kind: "xls", b: s.data}
	r.run()
}

func (r *workbookReader) run() {
	r.page, r.sheets, r.version = "windows-1252", map[int]string{}, 8
	r.out = r.w.part(r.a, r.kind)
	records := 0
	for r.i+4 <= len(r.b) {
		begin := r.i
		kind, n := le.Uint16(r.b[r.i:]), int(le.Uint16(r.b[r.i+2:]))
		if kind == 0 && n == 0 { // what fills up the last sector
			break
		}
		r.i += 4
		if r.i+n > len(r.b) {
			r.short = true
			n = len(r.b) - r.i
		}
		body := r.b[r.i : r.i+n]
		r.i += n
		if kind == xlsLocked && r.version >= 5 {
			if !r.unlock(body) {
				r.locked()
				return
			}
			continue
		}
		r.record(kind, body, begin)
		if records++; records&0xff == 0 && !r.w.tick() {
			break
		}
	}
	if r.i == 0 {
		r.short = true
	}
	r.endSheet()
	shapeText(r.group, 0, r.watermark)
	r.out.end()
	r.w.blips(r.a, r.group)
	if r.short {
		r.w.gap(r.a, r.kind, Damaged, "it breaks off")
	}
}

func (r *workbookReader) locked() {
	r.out.end()
	if r.c != nil {
		r.c.locked(r.a, "a workbook locked by a password")
		return
	}
	r.w.gap(r.a, r.kind, Locked, "a workbook locked by a password")
}

// more are the records that continue this one.
func (r *workbookReader) more(body []byte) *segments {
	s := &segments{cur: body}
	for r.i+4 <= len(r.b) && le.Uint16(r.b[r.i:]) == xlsContinue {
		n := int(le.Uint16(r.b[r.i+2:]))
		r.i += 4
		if r.i+n > len(r.b) {
			r.short = true
			n = len(r.b) - r.i
		}
		s.rest = append(s.rest, r.b[r.i:r.i+n])
		r.i += n
	}
	return s
}

func (r *workbookReader) record(kind uint16, b []byte, begin int) {
	switch kind {
	case xlsBegin, 0x0009, 0x0209, 0x0409:
		r.begin(kind, b, begin)
	case xlsEnd:
		if r.nested > 0 {
			r.nested--
		}
	case xlsPage:
		if len(b) >= 2 {
			r.page = codePage(int(le.Uint16(b)))
		}
	case xlsSheet:
		r.sheet(b)
	case xlsStrings:
		r.table(r.more(b))
	case xlsHeader, xlsFooter:
		place := PageHeader
		if kind == xlsFooter {
			place = PageFooter
		}
		r.header(place, r.text(r.more(b), r.version == 8))
	case xlsMoreHeaders:
		r.moreHeaders(r.more(b))
	case xlsHeaderImages:
		s := r.more(b)
		r.w.blips(r.a, s.all())
	case xlsGroup:
		r.group = append(r.group, r.more(b).all()...)
	case xlsDrawing:
		r.drawing = append(r.drawing, b...)
	case xlsObject:
		r.object(b)
	case xlsText:
		r.box(r.more(b))
	case xlsNote:
		r.note(b)
	case xlsSeries:
		if len(b) > 2 {
			r.out.add(Unit{Place: Stamp, Where: "text of a chart", Text: r.text(&segments{cur: b[2:]}, false)})
		}
	default:
		r.cells(kind, b)
	}
}

// begin is the beginning of the workbook's own records, a sheet or a chart.
func (r *workbookReader) begin(kind uint16, b []byte, at int) {
	switch {
	case kind != xlsBegin:
		r.version = int(kind>>8) + 2
		if kind == 0x0009 {
			r.version = 2
		}
	case len(b) >= 2 && le.Uint16(b) < 0x0600:
		r.version = 5
	}
	name, known := r.sheets[at]
	if r.nested++; !known && r.nested > 1 && at > 0 {
		return
	}
	r.nested = 1
	r.endSheet()
	if at == 0 && kind == xlsBegin {
		return
	}
	r.number++
	r.list = r.w.list()
	if name == "" {
		name = fmt.Sprint(r.number)
	}
	r.out = r.w.part(r.a.in("sheet "+quoted(name)), r.kind)
}

func (r *workbookReader) endSheet() {
	shapeText(r.drawing, 0, r.watermark)
	r.drawing = r.drawing[:0]
	r.out.end()
	r.out = r.w.part(r.a, r.kind)
}

func (r *workbookReader) watermark(text string) {
	r.out.add(Unit{Place: Watermark, Where: "watermark", Text: text, Page: r.number})
}

// sheet names one; a hidden one is read as any other.
func (r *workbookReader) sheet(b []byte) {
	if len(b) < 8 {
		return
	}
	if b[5] == 1 && r.c != nil { // macros of Excel 4
		r.c.macros()
	}
	name := r.text(&segments{cur: b[6:]}, false)
	r.out.add(Unit{Place: FileName, Where: "name of a sheet", Text: name})
	if len(r.sheets) < 10_000 {
		r.sheets[int(le.Uint32(b))] = name
	}
}

// text is a string with a length before it: of one octet, or of two.
func (r *workbookReader) text(s *segments, long bool) string {
	n := s.count(long)
	if r.version == 8 {
		return s.unicode(n)
	}
	return message.DecodeCharset(r.page, s.take(n))
}

// table is the list of strings that cells share.
func (r *workbookReader) table(s *segments) {
	s.take(4)
	n := le.Uint32(s.fixed(4))
	for range n {
		if s.done() {
			break
		}
		if len(r.strings) > r.w.b.Units {
			break
		}
		r.strings = append(r.strings, s.unicode(s.count(true)))
	}
}

func (r *workbookReader) header(place Place, text string) {
	for _, part := range printHeader(text) {
		r.out.add(Unit{Place: place, Where: "print " + strings.TrimPrefix(string(place), "page-"), Text: part, Page: r.number})
	}
}

// moreHeaders are those of even and first pages.
func (r *workbookReader) moreHeaders(s *segments) {
	s.take(12 + 16 + 2)
	var have [4]int
	for i := range have {
		have[i] = int(le.Uint16(s.fixed(2)))
	}
	for i, n := range have {
		if n == 0 {
			continue
		}
		place := PageHeader
		if i&1 == 1 {
			place = PageFooter
		}
		r.header(place, s.unicode(s.count(true)))
	}
}

func (r *workbookReader) cell(row, col int, text string) {
	where := "cell " + columnName(col) + strconv.Itoa(row+1)
	for l := range strings.SplitSeq(text, "\n") {
		r.out.add(Unit{Place: Cell, Where: where, Text: l, Row: row + 1, Col: col + 1, List: r.list, Page: r.number})
	}
}

func columnName(col int) string {
	name := ""
	for col++; col > 0; col = (col - 1) / 26 {
		name = string(rune('A'+(col-1)%26)) + name
	}
	return name
}

// cells reads the records of cells.
func (r *workbookReader) cells(kind uint16, b []byte) {
	if len(b) < 6 {
		return
	}
	row, col := int(le.Uint16(b)), int(le.Uint16(b[2:]))
	switch kind {
	case xlsShared:
		if len(b) >= 10 {
			if n := int64(le.Uint32(b[6:])); n < int64(len(r.strings)) {
				r.cell(row, col, r.strings[n])
			}
		}
	case xlsLabel, xlsRich:
		r.cell(row, col, r.text(r.more(b[6:]), true))
	case 0x0004: // of Excel 2
		if len(b) > 7 {
			r.cell(row, col, r.text(&segments{cur: b[7:]}, false))
		}
	case xlsFormula, 0x0206, 0x0406:
		r.row, r.col = row, col
	case xlsResult:
		r.cell(r.row, r.col, r.text(r.more(b), true))
	case 0x0007:
		r.cell(r.row, r.col, r.text(&segments{cur: b}, false))
	case xlsNumber:
		if len(b) >= 14 {
			r.cell(row, col, number(math.Float64frombits(le.Uint64(b[6:]))))
		}
	case xlsRK:
		if len(b) >= 10 {
			r.cell(row, col, number(shortNumber(le.Uint32(b[6:]))))
		}
	case xlsNumbers:
		for b = b[4:]; len(b) >= 8; b = b[6:] {
			r.cell(row, col, number(shortNumber(le.Uint32(b[2:]))))
			col++
		}
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 15, 64) }

// shortNumber is a number in 30 bits, perhaps in hundredths.
func shortNumber(v uint32) float64 {
	f := math.Float64frombits(uint64(v&^3) << 32)
	if v&2 != 0 {
		f = float64(int32(v) >> 2)
	}
	if v&1 != 0 {
		f /= 100
	}
	return f
}

// object begins a shape on a sheet: whether what it says is a comment.
func (r *workbookReader) object(b []byte) {
	if r.version == 8 {
		r.comment = len(b) >= 6 && le.Uint16(b) == 0x15 && le.Uint16(b[4:]) == 0x19
		return
	}
	r.w.strings(r.a, r.kind, b)
}

// box is the text of a shape: it stands in the records that follow.
func (r *workbookReader) box(s *segments) {
	if len(s.cur) < 12 {
		return
	}
	n := int(le.Uint16(s.cur[10:]))
	place, where := Stamp, "text box"
	if r.comment {
		place, where = Comment, "comment"
	}
	r.comment = false
	text := (&segments{cur: nil, rest: s.rest}).characters(n, false)
	for l := range strings.SplitSeq(text, "\n") {
		r.out.add(Unit{Place: place, Where: where, Text: l, Page: r.number})
	}
}

// note is a comment of before Excel 97, which is its text.
func (r *workbookReader) note(b []byte) {
	if r.version == 8 || len(b) < 6 {
		return
	}
	r.out.add(Unit{Place: Comment, Where: "comment", Text: message.DecodeCharset(r.page, b[6:]), Page: r.number})
}
