package extract

import (
	"context"
	"fmt"
	"image"
	"strings"
	"testing"
	"time"
)

// pdfPicture is an image of rows of dark bars on white, as lines of writing are.
func (b *pdfBuilder) pdfPicture(w, h int) int {
	pix := []byte(strings.Repeat("\xff", w*h))
	for y := h / 8; y < h*7/8; y++ {
		for x := w / 8; x < w*7/8; x++ {
			if y/12%2 == 0 && x/7%2 == 0 {
				pix[y*w+x] = 0
			}
		}
	}
	return b.stream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode", w, h), pdfDeflated(string(pix)))
}

// pdfOutlines draws shapes with as many sides as letters have.
func pdfOutlines(n int) string {
	var b strings.Builder
	for i := range n {
		x := 100 + 20*i
		fmt.Fprintf(&b, "%d 700 m %d 720 l %d 720 l %d 712 l %d 706 l %d 700 l %d 704 l h f\n", x, x, x+8, x+14, x+9, x+14, x+6)
	}
	return b.String()
}

// Pages and parts of pages that are pictures come to the recogniser as they are shown.
func TestPDFPictures(t *testing.T) {
	drawn := func(w, h, x, y, wide, high int, more string) []byte {
		b := newPDF()
		n := b.pdfPicture(w, h)
		b.page("", "")
		return b.page(fmt.Sprintf("q %d 0 0 %d %d %d cm /X Do Q\n%s", wide, high, x, y, more), fmt.Sprintf("/Resources << /Font 3 0 R /XObject << /X %d 0 R >> >>", n)).bytes()
	}
	for name, c := range map[string]struct {
		content []byte
		want    bool
		page    int
	}{
		"a scan":                    {drawn(1200, 1600, 0, 0, 595, 842, ""), true, 2},
		"a scan with text under it": {drawn(1200, 1600, 0, 0, 595, 842, "3 Tr "+pdfLetter("")), true, 2},
		"a stamp on a letter":       {drawn(400, 120, 300, 700, 150, 45, pdfLetter("")), true, 2},
		"a dot on a letter":         {drawn(40, 12, 300, 700, 15, 5, pdfLetter("")), false, 0},
		"outlines on a letter":      {newPDF().page(pdfLetter(pdfOutlines(6)), "").bytes(), true, 1},
		"outlines alone":            {newPDF().page(pdfOutlines(6), "").bytes(), true, 1},
		"rules on a letter":         {newPDF().page(pdfLetter("72 660 m 500 660 l S 72 100 200 30 re S\n"), "").bytes(), false, 0},
	} {
		asked := 0
		budget := Budget{Recognise: func(_ context.Context, pages []*image.Gray, _ Recognition) ([]Recognised, error) {
			asked += len(pages)
			out := make([]Recognised, len(pages))
			for i, p := range pages {
				out[i].Lines = []RecognisedLine{{Text: "SULIT", Box: p.Rect, Height: 20, Confidence: 90}}
			}
			return out, nil
		}}
		r, err := Read(context.Background(), Document{Name: "a.pdf", Data: c.content}, budget)
		if err != nil {
			t.Fatal(err)
		}
		page := 0
		for _, p := range r.Parts {
			for _, u := range p.Units {
				if u.Place == OCRLine && u.Text == "SULIT" {
					page = u.Page
				}
			}
		}
		if (asked > 0) != c.want || page != c.page || len(r.Gaps) > 0 {
			t.Errorf("%s: %d pictures, page %d, %+v", name, asked, page, r.Gaps)
		}
	}
}

// A page that PDFium draws at its own pace, or that is of any size, stays within bounds.
func TestPDFBounds(t *testing.T) {
	huge := newPDF().page(pdfLetter(pdfOutlines(50)), "/MediaBox [0 0 1e9 1e9]")
	cycle := newPDF()
	cycle.pages = []string{"2 0 R", "2 0 R"}
	many := newPDF().page(pdfLetter(""), "")
	for range 1000 {
		many.pages = append(many.pages, many.pages[0])
	}
	form := newPDF()
	n := len(form.objects) + 1
	form.object(fmt.Sprintf("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >> /Length 15 >>\nstream\n/X Do /X Do    \nendstream", n))
	form.page(pdfLetter("")+"/X Do\n", fmt.Sprintf("/Resources << /Font 3 0 R /XObject << /X %d 0 R >> >>", n))
	for name, b := range map[string][]byte{"huge": huge.bytes(), "cycle": cycle.bytes(), "many pages": many.bytes(), "form in itself": form.bytes(),
		"deep": []byte("%PDF-1.7\n1 0 obj\n" + strings.Repeat("[", 100_000) + "\nendobj\n" + strings.Repeat("<</A", 100_000))} {
		r, err := Read(context.Background(), Document{Name: "a.pdf", Data: b}, Budget{Units: 300})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if len(r.Gaps) > 0 && r.Gaps[0].Why == "the reader failed on it" {
			t.Errorf("%s: %+v", name, r.Gaps)
		}
	}
}

// Work that goes on too long is stopped within PDFium.
func TestPDFTime(t *testing.T) {
	if err := WarmPDF(PDFOptions{}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(pdfLetter(""))
	for range 16 { // forms that draw forms: 4^16 of them
		b.WriteString("/X0 Do\n")
	}
	p := newPDF()
	first := len(p.objects)
	for i := range 16 {
		p.object(fmt.Sprintf("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X0 %d 0 R >> >> /Length 32 >>\nstream\n/X0 Do /X0 Do /X0 Do /X0 Do    \n\nendstream", first+i+2))
	}
	p.object("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 9 >>\nstream\n0 0 9 9 re\nendstream")
	p.page(b.String(), fmt.Sprintf("/Resources << /Font 3 0 R /XObject << /X0 %d 0 R >> >>", first+1))
	r, err := Read(context.Background(), Document{Name: "a.pdf", Data: p.bytes()}, Budget{CPU: 300 * time.Millisecond})
	if err != nil || len(r.Gaps) == 0 || r.Gaps[0].Reason != TooMuch || r.Gaps[0].Kind != "pdf" {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkPDF(b *testing.B) {
	if err := WarmPDF(PDFOptions{Unchecked: true}); err != nil {
		b.Fatal(err)
	}
	p := newPDF()
	for range 10 {
		var text strings.Builder
		for i := range 40 {
			text.WriteString(pdfWords("F1", 11, 72, 760-float64(i)*17, "Perkara ini telah dibincangkan dalam mesyuarat yang lalu, dan semua setuju."))
		}
		p.page(text.String(), "")
	}
	data := p.bytes()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := Read(context.Background(), Document{Name: "a.pdf", Data: data}, Budget{}); err != nil || len(r.Gaps) > 0 {
			b.Fatal(r, err)
		}
	}
}

// FuzzPDF gives PDFium and what looks at a file's objects any octets: they stay within the
// budget, and fail as a finding.
func FuzzPDF(f *testing.F) {
	if err := WarmPDF(PDFOptions{}); err != nil { // it takes longer than one input may
		f.Fatal(err)
	}
	plain := newPDF()
	plain.trailer = "/Info << /Title (a) >>"
	f.Add(plain.page(pdfWords("F1", 12, 72, 700, "a"), "").bytes())
	packed := newPDF()
	packed.pack = true
	n := packed.object("<< /Type /Annot /Subtype /Text /Contents (a) /Rect [1 1 9 9] >>")
	f.Add(packed.page(pdfWords("F1", 12, 72, 700, "a"), fmt.Sprintf("/Annots [%d 0 R]", n)).bytes())
	f.Add([]byte("%PDF-1.4\n1 0 obj<</Type/Metadata/Length 4>>stream\n<a>b\nendstream endobj trailer<</Info<</A(\\101)>>>>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const units = 2000
		r, err := Read(context.Background(), Document{Name: "a.pdf", Data: append([]byte("%PDF-"), b...)}, Budget{Expanded: 8 << 20, Units: units, Members: 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range r.Gaps {
			if g.Why == "the reader failed on it" {
				t.Errorf("it panicked: %+v", g)
			}
		}
		if n := len(found(r)); n > units {
			t.Errorf("%d units", n)
		}
	})
}
