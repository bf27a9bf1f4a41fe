package extract

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// What was met by trying files of other kinds: each gives its line at its place.
func TestTriedFiles(t *testing.T) {
	inside := base64.StdEncoding.EncodeToString([]byte("SULIT\n\n" + strings.Repeat("Isi surat yang panjang lebar.\n", 8)))
	ods := func(tables string) []byte {
		return zipped(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml",
			`<office:d xmlns:office="o" xmlns:table="b" xmlns:text="t"><office:spreadsheet>`+tables+`</office:spreadsheet></office:d>`)
	}
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string // place|text
	}{
		"tex":                      {"a.tex", []byte("\\documentclass{article}\\begin{document}\n\\begin{center}\\textbf{RAHSIA}\\end{center}\nIsi\n\\end{document}\n"), "paragraph|RAHSIA"},
		"tex comment":              {"a.tex", []byte("\\begin{document}RAH%\nSIA 10\\% x\n"), "paragraph|SIA 10\\% x"},
		"postscript":               {"a.ps", []byte("%!PS\n100 700 moveto (RAH) show % (x)\n(\\123I\\101) show 10 10 moveto (isi (dua)) show\nshowpage\n"), "paragraph|RAHSIA"},
		"brackets in it":           {"a.eps", []byte("%!PS\n100 700 moveto (isi (dua)) show\nshowpage\n"), "paragraph|isi (dua)"},
		"base64 in JSON":           {"a.json", []byte(`{"fail":"` + inside + `"}`), "paragraph|SULIT"},
		"base64 in XML":            {"a.xml", []byte(`<?xml version="1.0"?><a><fail>` + inside + `</fail></a>`), "paragraph|SULIT"},
		"XML by its end":           {"a.dat", []byte("<surat nombor='1'><klasifikasi>SULIT</klasifikasi></surat>\n"), "paragraph|klasifikasi: SULIT"},
		"names and what they mean": {"a.html", []byte("<dl><dt>Tarikh</dt><dd>satu</dd><dt>Peringkat</dt><dd>Sulit</dd></dl>"), "cell|Sulit"},
	} {
		r := read(t, c.file, c.content)
		place, text, _ := strings.Cut(c.want, "|")
		if !slices.ContainsFunc(found(r), func(f string) bool {
			return strings.HasPrefix(f, place+"|") && strings.HasSuffix(f, "|"+text)
		}) {
			t.Errorf("%s: %q not found in %q, gaps %v", name, c.want, found(r), r.Gaps)
		}
	}
	r := read(t, "a.ods", ods(`<table:table table:name="A"><table:table-row><table:table-cell><text:p>satu</text:p></table:table-cell></table:table-row></table:table>`+
		`<table:table table:name="B"><table:table-row><table:table-cell><text:p>dua</text:p></table:table-cell></table:table-row></table:table>`))
	pages := map[string]int{}
	for _, p := range r.Parts {
		for _, u := range p.Units {
			pages[u.Text] = u.Page
		}
	}
	if pages["satu"] != 1 || pages["dua"] != 2 {
		t.Errorf("sheets have pages of their own: %v", pages)
	}
}

// A line that is struck out in part counts as struck; other looks are those of all of it.
func TestStruckInPart(t *testing.T) {
	for name, content := range map[string][]byte{
		"a.html": []byte("<p><s><b>RAHSIA</b></s> <b>SULIT</b></p>"),
		"a.rtf":  []byte(`{\rtf1 {\b\strike RAHSIA} {\b SULIT}\par}`),
		"a.docx": document(t, "word/document.xml", `<w:d xmlns:w="x"><w:p><w:r><w:rPr><w:b/><w:strike/></w:rPr><w:t>RAHSIA </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>SULIT</w:t></w:r></w:p></w:d>`),
	} {
		ok := false
		for _, p := range read(t, name, content).Parts {
			for _, u := range p.Units {
				ok = ok || u.Text == "RAHSIA SULIT" && u.Style&Struck != 0 && u.Style&Bold != 0
			}
		}
		if !ok {
			t.Errorf("%s: no line that is struck out in part", name)
		}
	}
}

func TestLeftwards(t *testing.T) {
	for in, want := range map[string]string{
		"ايسهر":        "رهسيا",
		"رسب ايسهر":    "رهسيا بسر",
		"RAHSIA ايسهر": "RAHSIA رهسيا",
		"RAHSIA":       "RAHSIA",
	} {
		if got := leftwards(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Writing of one object over that of another is read by itself.
func TestCrossing(t *testing.T) {
	page := &pdfTextPage{looks: []pdfLook{{size: 10}, {size: 10}}}
	var gs []pdfGlyph
	for i, r := range "RAHSIA" {
		gs = append(gs, pdfGlyph{r: r, x0: float64(6 * i), x1: float64(6*i + 6)})
	}
	if got := page.crossing(gs, 10); got != nil {
		t.Errorf("nothing crosses: %q", got)
	}
	for i, r := range "Laporan" {
		gs = append(gs, pdfGlyph{r: r, x0: float64(6*i) + 2, x1: float64(6*i + 8), look: 1})
	}
	slices.SortStableFunc(gs, func(a, b pdfGlyph) int { return int(a.x0 - b.x0) })
	if got := page.crossing(gs, 10); !slices.Equal(got, []string{"RAHSIA", "Laporan"}) {
		t.Errorf("%q", got)
	}
}

// RTF whose text is no text is damaged, and not passed as read.
func TestGarbledRTF(t *testing.T) {
	junk := make([]byte, 4000)
	for i := range junk {
		junk[i] = byte(i * 37)
	}
	if r := read(t, "a.rtf", append([]byte(`{\rtf1 `), junk...)); len(r.Gaps) != 1 || r.Gaps[0].Reason != Damaged {
		t.Errorf("gaps %v", r.Gaps)
	}
	if r := read(t, "a.rtf", []byte(`{\rtf1\ansi isi surat\par}`)); len(r.Gaps) != 0 {
		t.Errorf("gaps %v", r.Gaps)
	}
}
