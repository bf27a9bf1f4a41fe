package extract

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A pdfBuilder writes a PDF: objects by number, from 1. Number 1 is the catalog, 2 the list
// of pages, 3 the fonts.
type pdfBuilder struct {
	objects []string
	pages   []string
	catalog string // more entries of it
	trailer string
	pack    bool // objects without streams go into an object stream
}

const pdfFonts = "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> /F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >> >>"

func newPDF() *pdfBuilder { return &pdfBuilder{objects: []string{"", "", pdfFonts}} }

func (b *pdfBuilder) object(s string) int {
	b.objects = append(b.objects, s)
	return len(b.objects)
}

func (b *pdfBuilder) stream(dict, data string) int {
	return b.object(fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data))
}

func pdfDeflated(s string) string {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write([]byte(s))
	w.Close()
	return z.String()
}

// page adds a page of A4; more are entries of it, such as "/Annots [...]".
func (b *pdfBuilder) page(content, more string) *pdfBuilder {
	c := b.stream("/Filter /FlateDecode", pdfDeflated(content))
	more += " "
	if !strings.Contains(more, "/Resources") {
		more += "/Resources << /Font 3 0 R >> "
	}
	if !strings.Contains(more, "/MediaBox") {
		more += "/MediaBox [0 0 595 842] "
	}
	n := b.object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Contents %d 0 R %s>>", c, more))
	b.pages = append(b.pages, fmt.Sprint(n, " 0 R"))
	return b
}

func (b *pdfBuilder) bytes() []byte {
	b.objects[0] = "<< /Type /Catalog /Pages 2 0 R " + b.catalog + " >>"
	b.objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(b.pages), strings.Join(b.pages, " "))
	var out bytes.Buffer
	out.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(b.objects)+2)
	var packed, index strings.Builder
	inside := map[int]int{}
	for i, o := range b.objects {
		if b.pack && !strings.HasSuffix(o, "endstream") {
			fmt.Fprintf(&index, "%d %d ", i+1, packed.Len())
			packed.WriteString(o + "\n")
			inside[i+1] = len(inside)
			continue
		}
		offsets[i+1] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	if b.pack {
		return b.packed(&out, offsets, index.String(), packed.String(), inside)
	}
	at := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(b.objects)+1)
	for i := range b.objects {
		fmt.Fprintf(&out, "%010d 00000 n \n", offsets[i+1])
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(b.objects)+1, b.trailer, at)
	return out.Bytes()
}

// packed ends the file with an object stream and a cross-reference stream.
func (b *pdfBuilder) packed(out *bytes.Buffer, offsets []int, index, objects string, inside map[int]int) []byte {
	n := len(b.objects) + 1
	offsets[n] = out.Len()
	z := pdfDeflated(index + objects)
	fmt.Fprintf(out, "%d 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n", n, len(inside), len(index), len(z), z)
	at := out.Len()
	var table bytes.Buffer
	table.Write([]byte{0, 0, 0, 0, 0})
	for i := 1; i <= n; i++ {
		if k, ok := inside[i]; ok {
			table.Write([]byte{2, byte(n >> 8), byte(n), 0, byte(k)})
			continue
		}
		o := offsets[i]
		table.Write([]byte{1, byte(o >> 16), byte(o >> 8), byte(o), 0})
	}
	fmt.Fprintf(out, "%d 0 obj\n<< /Type /XRef /Size %d /W [1 3 1] /Index [0 %d] /Root 1 0 R %s /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		n+1, n+1, n+1, b.trailer, table.Len(), table.String(), at)
	return out.Bytes()
}

// pdfWords is text in a font and size at a place.
func pdfWords(font string, size, x, y float64, text string) string {
	return fmt.Sprintf("BT /%s %g Tf 1 0 0 1 %g %g Tm (%s) Tj ET\n", font, size, x, y, text)
}

// pdfLetter is a page of a letter, with more before it.
func pdfLetter(more string) string {
	var b strings.Builder
	b.WriteString(more)
	b.WriteString(pdfWords("F2", 12, 200, 740, "JABATAN UKUR PESISIR"))
	for i := range 12 {
		b.WriteString(pdfWords("F1", 11, 72, 640-float64(i)*16, fmt.Sprintf("%d. Perkara ini telah dibincangkan dalam mesyuarat yang lalu.", i+1)))
	}
	return b.String()
}

// annotation is a page with something stuck on it.
func (b *pdfBuilder) annotated(annot string) *pdfBuilder {
	n := b.object(annot)
	return b.page(pdfLetter(""), fmt.Sprintf("/Annots [%d 0 R]", n))
}

func pdfForm(text string) string {
	return fmt.Sprintf("<< /Type /XObject /Subtype /Form /BBox [0 0 200 40] /Resources << /Font 3 0 R >> /Length %d >>\nstream\n%s\nendstream", len(text), text)
}

func TestPDF(t *testing.T) {
	letters := func(texts ...string) string { // each where it is said: "x y letter"
		var b strings.Builder
		for _, s := range texts {
			var x, y float64
			var r string
			fmt.Sscan(s, &x, &y, &r)
			b.WriteString(pdfWords("F1", 12, x, y, r))
		}
		return b.String()
	}
	withLook := func(annot, text string) []byte {
		b := newPDF()
		n := b.object(pdfForm(text))
		return b.annotated(fmt.Sprintf(annot, n)).bytes()
	}
	field := func(dict string) []byte {
		b := newPDF()
		if strings.Contains(dict, "%d") {
			n := b.object(pdfForm(""))
			dict = fmt.Sprintf(dict, n, n)
		}
		n := b.object(dict)
		b.catalog = fmt.Sprintf("/AcroForm << /Fields [%d 0 R] /DR << /Font 3 0 R >> >>", n)
		return b.page(pdfLetter(pdfWords("F1", 12, 100, 700, "SULIT")), fmt.Sprintf("/Annots [%d 0 R]", n)).bytes()
	}
	carrying := func(make func(b *pdfBuilder) string) []byte {
		b := newPDF()
		b.catalog = make(b)
		return b.page(pdfLetter(""), "").bytes()
	}
	info := newPDF()
	info.trailer = "/Info << /Title (Minit) /MSIP_Label_1_Name <feff0053> /Klasifikasi (SU\\114IT) >>"
	packed := newPDF()
	packed.pack = true
	n := packed.object("<< /Keywords (SULIT) >>")
	packed.trailer = fmt.Sprintf("/Info %d 0 R", n)
	packed.page(pdfLetter(pdfWords("F2", 14, 270, 810, "SULIT")), "")
	twice := newPDF().page(pdfLetter(pdfWords("F1", 10, 72, 790, "TERHAD")), "").page(pdfLetter(pdfWords("F1", 10, 72, 790, "TERHAD")), "")
	plain := newPDF().page(pdfLetter(""), "").bytes()
	marked := newPDF().page(pdfLetter(pdfWords("F2", 14, 270, 810, "SULIT")), "").bytes()
	for name, c := range map[string]struct {
		content []byte
		want    string // place|text
	}{
		"header":       {marked, "page-header|SULIT"},
		"footer":       {newPDF().page(pdfLetter(pdfWords("F2", 14, 270, 30, "SULIT")), "").bytes(), "page-footer|SULIT"},
		"on two pages": {twice.bytes(), "page-header|TERHAD"},
		"kerning":      {newPDF().page(pdfLetter("BT /F1 12 Tf 72 700 Td [(R) 20 (AH) -30 (S) 10 (IA)] TJ ET\n"), "").bytes(), "paragraph|RAHSIA"},
		"one by one":   {newPDF().page(pdfLetter(letters("72 700 R", "81 700 A", "98 700 S", "89 700 H", "106 700 I", "110 700 A")), "").bytes(), "paragraph|RAHSIA"},
		"spaced out":   {newPDF().page(pdfLetter("BT /F1 12 Tf 9 Tc 72 700 Td (RAHSIA) Tj ET\n"), "").bytes(), "paragraph|RAHSIA"},
		"tower":        {newPDF().page(pdfLetter(letters("30 640 R", "30 624 A", "30 608 H", "30 592 S", "30 576 I", "30 560 A")), "").bytes(), "stamp|RAHSIA"},
		"slanting":     {newPDF().page(pdfLetter("BT /F2 72 Tf 0.7 0.7 -0.7 0.7 150 250 Tm (RAH) Tj (SIA) Tj ET\n"), "").bytes(), "watermark|RAHSIA"},
		"pale":         {newPDF().page(pdfLetter("0.9 g "+pdfWords("F2", 72, 120, 300, "SULIT")+"0 g "), "").bytes(), "watermark|SULIT"},
		"up the side":  {newPDF().page(pdfLetter("BT /F2 14 Tf 0 1 -1 0 30 300 Tm (SULIT) Tj ET\n"), "").bytes(), "stamp|SULIT"},
		"turned page":  {newPDF().page("BT /F2 14 Tf 0 1 -1 0 30 300 Tm (SULIT) Tj 0 -99 Td (Perkara ini telah dibincangkan) Tj ET\n", "/Rotate 90").bytes(), "page-header|SULIT"},
		"invisible":    {newPDF().page(pdfLetter("BT /F1 12 Tf 3 Tr 72 700 Td (SULIT) Tj ET 0 Tr\n"), "").bytes(), "paragraph|SULIT"},
		"white, under": {newPDF().page(pdfLetter("1 g "+pdfWords("F1", 12, 72, 700, "SULIT")+"0 g "+pdfWords("F1", 12, 72, 700, "Perkara")), "").bytes(), "paragraph|SULIT"},
		"off the page": {newPDF().page(pdfLetter(pdfWords("F1", 12, 900, 700, "SULIT")), "").bytes(), "paragraph|SULIT"},
		"label":        {newPDF().page(pdfLetter(pdfWords("F1", 12, 72, 700, "Klasifikasi")+pdfWords("F1", 12, 200, 700, ": SULIT")), "").bytes(), "paragraph|Klasifikasi : SULIT"},
		"beside":       {newPDF().page(pdfLetter(pdfWords("F1", 12, 72, 700, "SULIT")+pdfWords("F1", 12, 400, 700, "Salinan 1")), "").bytes(), "paragraph|SULIT"},
		"table": {newPDF().page(pdfLetter(pdfWords("F1", 12, 72, 700, "Satu")+pdfWords("F1", 12, 200, 700, "Dua")+pdfWords("F1", 12, 72, 686, "Tiga")+pdfWords("F1", 12, 200, 686, "SULIT")), "").bytes(),
			"cell|SULIT"},
		"stamp":           {newPDF().annotated("<< /Type /Annot /Subtype /Stamp /Rect [100 700 300 740] /Contents (SULIT) >>").bytes(), "stamp|SULIT"},
		"look of a stamp": {withLook("<< /Type /Annot /Subtype /Stamp /Rect [100 700 300 740] /AP << /N %d 0 R >> >>", "BT /F2 20 Tf 10 10 Td (SUL) Tj (IT) Tj ET"), "stamp|SULIT"},
		"viewer's stamp":  {newPDF().annotated("<< /Type /Annot /Subtype /Stamp /Rect [100 700 300 740] /Name /TopSecret >>").bytes(), "stamp|TOP SECRET"},
		"free text":       {newPDF().annotated("<< /Type /Annot /Subtype /FreeText /Rect [100 700 300 740] /DA (/F1 12 Tf) /Contents (SULIT) >>").bytes(), "stamp|SULIT"},
		"comment":         {newPDF().annotated("<< /Type /Annot /Subtype /Text /Rect [100 700 120 720] /Contents (satu\\rSULIT) >>").bytes(), "comment|SULIT"},
		"field": {field("<< /Type /Annot /Subtype /Widget /Rect [300 700 400 720] /FT /Tx /T (Klasifikasi) /V (SULIT) /DA (/F1 12 Tf) >>"),
			"paragraph|Klasifikasi: SULIT"},
		"ticked": {field("<< /Type /Annot /Subtype /Widget /Rect [80 698 92 710] /FT /Btn /T (a) /V /Yes /AS /Yes /AP << /N << /Yes %d 0 R /Off %d 0 R >> >> >>"),
			"paragraph|[x] SULIT"},
		"not ticked": {field("<< /Type /Annot /Subtype /Widget /Rect [80 698 92 710] /FT /Btn /T (a) /V /Off /AS /Off /AP << /N << /Yes %d 0 R /Off %d 0 R >> >> >>"),
			"paragraph|[ ] SULIT"},
		"info":             {info.page(pdfLetter(""), "").bytes(), "metadata|Klasifikasi: SULIT"},
		"packed":           {packed.bytes(), "page-header|SULIT"},
		"packed info":      {packed.bytes(), "metadata|Keywords: SULIT"},
		"packed, no table": {bytes.Replace(packed.bytes(), []byte("startxref"), []byte("startxxxx"), 1), "page-header|SULIT"},
		"XMP": {carrying(func(b *pdfBuilder) string {
			return fmt.Sprintf("/Metadata %d 0 R", b.stream("/Type /Metadata /Subtype /XML", `<?xpacket?><x:xmpmeta xmlns:x="a"><rdf:RDF xmlns:rdf="r"><rdf:Description rdf:about="" xmlns:p="p" p:Klasifikasi="SULIT"><d:title xmlns:d="d"><rdf:Alt><rdf:li xml:lang="x">Surat</rdf:li></rdf:Alt></d:title></rdf:Description></rdf:RDF></x:xmpmeta>`))
		}), "metadata|Klasifikasi: SULIT"},
		"layer": {carrying(func(b *pdfBuilder) string {
			n := b.object("<< /Type /OCG /Name (SULIT) >>")
			return fmt.Sprintf("/OCProperties << /OCGs [%d 0 R] /D << >> >>", n)
		}), "metadata|layer: SULIT"},
		"bookmark": {carrying(func(b *pdfBuilder) string {
			n := b.object("<< >>")
			m := b.object(fmt.Sprintf("<< /Title (SULIT) /Parent %d 0 R >>", n))
			b.objects[n-1] = fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count 1 >>", m, m)
			return fmt.Sprintf("/Outlines %d 0 R", n)
		}), "list-item|SULIT"},
		"page's name": {carrying(func(b *pdfBuilder) string { return "/PageLabels << /Nums [0 << /S /D /P (SULIT-) >>] >>" }), "metadata|page: SULIT-1"},
		"file": {carrying(func(b *pdfBuilder) string {
			n := b.stream("/Type /EmbeddedFile /Filter /FlateDecode", pdfDeflated("satu\nSULIT\n"))
			return fmt.Sprintf("/Names << /EmbeddedFiles << /Names [(a) << /Type /Filespec /F (minit.txt) /EF << /F %d 0 R >> >>] >> >>", n)
		}), "paragraph|SULIT"},
		"file on a page": {func() []byte {
			b := newPDF()
			n := b.stream("/Type /EmbeddedFile", "satu\nSULIT\n")
			return b.annotated(fmt.Sprintf("<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS << /Type /Filespec /F (minit.txt) /EF << /F %d 0 R >> >> >>", n)).bytes()
		}(), "paragraph|SULIT"},
		"file in no list": {carrying(func(b *pdfBuilder) string {
			b.stream("/Type /EmbeddedFile", "satu\nSULIT\n")
			return ""
		}), "paragraph|SULIT"},
		"name of a file": {carrying(func(b *pdfBuilder) string {
			n := b.stream("/Type /EmbeddedFile", "isi")
			return fmt.Sprintf("/Names << /EmbeddedFiles << /Names [(a) << /Type /Filespec /UF (SULIT - minit.txt) /EF << /F %d 0 R >> >>] >> >>", n)
		}), "file-name|SULIT - minit.txt"},
		"XFA": {carrying(func(b *pdfBuilder) string {
			n := b.stream("", `<xfa:datasets xmlns:xfa="x"><xfa:data><klasifikasi>SULIT</klasifikasi></xfa:data></xfa:datasets>`)
			return fmt.Sprintf("/AcroForm << /Fields [] /XFA [(datasets) %d 0 R] >>", n)
		}), "paragraph|klasifikasi: SULIT"},
		"junk before it":  {append(bytes.Repeat([]byte("junk "), 150), marked...), "page-header|SULIT"},
		"two in a file":   {append(slices.Clone(plain), marked...), "page-header|SULIT"},
		"the other first": {append(slices.Clone(marked), plain...), "page-header|SULIT"},
		"zip behind it":   {append(slices.Clone(plain), zipped(t, "c.txt", "SULIT")...), "paragraph|SULIT"},
		"no table":        {bytes.Replace(marked, []byte("startxref"), []byte("startxxxx"), 1), "page-header|SULIT"},
		"no end":          {marked[:bytes.Index(marked, []byte("xref"))], "page-header|SULIT"},
		"packed, no end":  {packed.bytes()[:bytes.Index(packed.bytes(), []byte("/Type /XRef"))-9], "page-header|SULIT"},
		"owner password":  {fixture(t, "pdf/owner-password.pdf"), "paragraph|Subuh 5.58 pagi."},
		"subset fonts":    {fixture(t, "pdf/libreoffice.pdf"), "page-header|SULIT"},
	} {
		r := read(t, "a.pdf", c.content)
		place, text, _ := strings.Cut(c.want, "|")
		ok := false
		for _, f := range found(r) {
			ok = ok || strings.HasPrefix(f, place+"|") && strings.HasSuffix(f, "|"+text)
		}
		if !ok || len(r.Gaps) > 0 {
			t.Errorf("%s: %q not found in %q, gaps %v", name, c.want, found(r), r.Gaps)
		}
	}
}

func TestPDFGaps(t *testing.T) {
	marked := newPDF().page(pdfLetter(""), "").bytes()
	cut := marked[:bytes.Index(marked, []byte("xref"))]
	flate := newPDF().page(pdfLetter(""), "").page(pdfLetter(""), "").bytes()
	from := bytes.Index(flate, []byte("\nstream\n")) + 8
	for name, c := range map[string]struct {
		content []byte
		reason  Reason
	}{
		"no pages left":            {cut[:bytes.Index(cut, []byte("/Type /Page "))-20], Damaged},
		"no catalog":               {bytes.Replace(cut, []byte("/Catalog"), []byte("/Cutalog"), 1), Damaged},
		"content that is no Flate": {bytes.Replace(flate, []byte("\nstream\nx"), []byte("\nstream\ny"), 1), Damaged},
		"content that breaks off":  {bytes.Replace(flate, flate[from+30:from+60], bytes.Repeat([]byte{0xff}, 30), 1), Damaged},
		"content of no known kind": {bytes.Replace(flate, []byte("/FlateDecode"), []byte("/FlapeDecode"), 1), Damaged},
		"locked":                   {fixture(t, "pdf/user-password.pdf"), Locked},
		"a line alone":             {[]byte("%PDF-1.7\n"), Damaged},
		"no pages":                 {newPDF().bytes(), Damaged},
		"half":                     {marked[:120], Damaged},
		"bomb": {func() []byte {
			b := newPDF()
			z := pdfDeflated(pdfDeflated(strings.Repeat("\x00", 64<<20)))
			n := b.stream("/Type /EmbeddedFile /Filter [/FlateDecode /FlateDecode]", z)
			b.catalog = fmt.Sprintf("/Names << /EmbeddedFiles << /Names [(a) << /Type /Filespec /F (a.txt) /EF << /F %d 0 R >> >>] >> >>", n)
			return b.page(pdfLetter(""), "").bytes()
		}(), TooMuch},
	} {
		r, err := Read(context.Background(), Document{Name: "a.pdf", Data: c.content}, Budget{Expanded: 32 << 20})
		if err != nil || len(r.Gaps) == 0 || r.Gaps[0].Reason != c.reason {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if locked := r != nil && r.Files[0].Locked; locked != (c.reason == Locked) {
			t.Errorf("%s: locked %v", name, locked)
		}
	}
}

// What runs by itself is a fact for rules.
func TestPDFActions(t *testing.T) {
	for name, c := range map[string]struct {
		catalog string
		macros  bool
	}{
		"none":   {"", false},
		"script": {"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>", true},
		"launch": {"/OpenAction << /S /Launch /F (a.exe) >>", true},
		"link":   {"/OpenAction << /S /URI /URI (https://luar.test) >>", false},
	} {
		b := newPDF()
		b.catalog = c.catalog
		r := read(t, "a.pdf", b.page(pdfLetter(""), "").bytes())
		if r.Files[0].Macros != c.macros {
			t.Errorf("%s: %+v", name, r.Files[0])
		}
	}
}

// How lines look, and on which page they stand.
func TestPDFStyles(t *testing.T) {
	r := read(t, "a.pdf", fixture(t, "pdf/libreoffice.pdf")) // header and footer in bold red, a word struck out
	struck, heads := false, 0
	for _, p := range r.Parts {
		for _, u := range p.Units {
			struck = struck || u.Text == "TERHAD" && u.Style == Struck
			if u.Text == "SULIT" && u.Style == Bold|Red|Centred && (u.Place == PageHeader || u.Place == PageFooter) {
				heads += u.Page
			}
		}
	}
	if !struck || heads != 1+1+2+2 {
		t.Errorf("struck %v, heads %d: %+v", struck, heads, r.Parts)
	}
}
