package extract

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/goregular"
)

// saysAndShows is a document with a line set in a font of its own, /F3.
func saysAndShows(font func(b *pdfBuilder) string, line string) []byte {
	b := newPDF()
	b.objects[2] = strings.TrimSuffix(pdfFonts, ">>") + " /F3 " + font(b) + " >>"
	return b.page(pdfLetter(line), "").bytes()
}

// What is shown is found as well as what is said.
func TestPDFSaysAndShows(t *testing.T) {
	table := func(b *pdfBuilder, body string) string {
		return fmt.Sprintf("%d 0 R", b.stream("/Filter /FlateDecode", pdfDeflated("/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"+body+"\nendcmap end end")))
	}
	const minit = "6 beginbfchar <52> <004D> <41> <0049> <48> <004E> <53> <0049> <49> <0054> <61> <0061> endbfchar" // RAHSI: MINIT
	inline := func(entries string) func(b *pdfBuilder) string {
		return func(b *pdfBuilder) string {
			return "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold " + entries + " /ToUnicode " + table(b, minit) + " >>"
		}
	}
	drawn := pdfWords("F3", 14, 270, 810, "RAHSIA")
	actual := func(props string) []byte {
		return newPDF().page(pdfLetter("/Span "+props+" BDC\n"+pdfWords("F2", 14, 270, 810, "RAHSIA")+"EMC\n"), "/Resources << /Font 3 0 R /Properties << /P0 << /ActualText (MINIT) >> >> >>").bytes()
	}
	inForm := func() []byte {
		b := newPDF()
		text := "/Span << /ActualText (MINIT) >> BDC BT /F2 20 Tf 10 10 Td (RAHSIA) Tj ET EMC"
		n := b.object(pdfForm(text))
		return b.page(pdfLetter("q 1 0 0 1 200 790 cm /X Do Q\n"), fmt.Sprintf("/Resources << /Font 3 0 R /XObject << /X %d 0 R >> >>", n)).bytes()
	}
	inStamp := func() []byte {
		b := newPDF()
		n := b.object(pdfForm("/Span << /ActualText (MINIT) >> BDC BT /F2 20 Tf 10 10 Td (RAHSIA) Tj ET EMC"))
		return b.annotated(fmt.Sprintf("<< /Type /Annot /Subtype /Stamp /Rect [100 700 300 740] /AP << /N %d 0 R >> >>", n)).bytes()
	}
	differs := func(b *pdfBuilder) string {
		return "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding << /Differences [1 /R /A /H /S /I] >> /ToUnicode " +
			table(b, "1 beginbfrange <01> <05> [<004D> <0049> <004E> <0049> <0054>] endbfrange") + " >>"
	}
	codes, lies := "", ""
	glyphs := map[rune]int{}
	for g, r := range sfntOf(goregular.TTF).letters() {
		glyphs[r] = g
	}
	for i, r := range "RAHSIA" {
		codes += fmt.Sprintf("%04X", glyphs[r])
		lies += fmt.Sprintf("<%04X> <%04X> ", glyphs[r], "MINITI"[i])
	}
	wide := func(b *pdfBuilder) string {
		file := b.stream("/Filter /FlateDecode", pdfDeflated(string(goregular.TTF)))
		to := b.stream("", "1 begincodespacerange <0000> <FFFF> endcodespacerange 6 beginbfchar "+lies+" endbfchar")
		return fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Go /Encoding /Identity-H /ToUnicode %d 0 R /DescendantFonts [<< /Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+Go /CIDToGIDMap /Identity /DW 600 /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor << /Type /FontDescriptor /FontName /AAAAAA+Go /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 900 /Descent -200 /CapHeight 700 /StemV 80 /FontFile2 %d 0 R >> >>] >>", to, file)
	}
	for name, c := range map[string]struct {
		content []byte
		want    []string
	}{
		"ActualText":           {actual("<< /ActualText (MINIT) >>"), []string{"page-header|RAHSIA", "page-header|MINIT"}},
		"in a list":            {actual("/P0"), []string{"page-header|RAHSIA", "page-header|MINIT"}},
		"in a form":            {inForm(), []string{"page-header|RAHSIA"}},
		"in a stamp":           {inStamp(), []string{"stamp|RAHSIA", "stamp|MINIT"}},
		"ToUnicode":            {saysAndShows(inline("/Encoding /WinAnsiEncoding"), drawn), []string{"page-header|RAHSIA", "page-header|MINITI"}},
		"ToUnicode, no code":   {saysAndShows(inline(""), drawn), []string{"page-header|RAHSIA"}},
		"names of its letters": {saysAndShows(differs, pdfWords("F3", 14, 270, 810, "\\001\\002\\003\\004\\005\\002")), []string{"page-header|RAHSIA"}},
		"wide":                 {saysAndShows(wide, "BT /F3 14 Tf 270 810 Td <"+codes+"> Tj ET\n"), []string{"page-header|RAHSIA", "page-header|MINITI"}},
	} {
		r := read(t, "a.pdf", c.content)
		for _, want := range c.want {
			place, text, _ := strings.Cut(want, "|")
			ok := false
			for _, f := range found(r) {
				ok = ok || strings.HasPrefix(f, place+"|") && strings.HasSuffix(f, "|"+text)
			}
			if !ok || len(r.Gaps) > 0 {
				t.Errorf("%s: %q not found in %q, gaps %v", name, want, found(r), r.Gaps)
			}
		}
	}
}
