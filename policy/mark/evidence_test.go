package mark

import (
	"strings"
	"testing"

	"sampul/policy/extract"
)

func units(place extract.Place, texts ...string) extract.Part {
	p := extract.Part{Path: "x"}
	for i, s := range texts {
		p.Units = append(p.Units, extract.Unit{Place: place, Where: "unit", Text: s, List: 1, Page: i + 1})
	}
	return p
}

// picture is a page of recognised lines; the first is larger than the others.
func picture(first string, more int) extract.Part {
	p := extract.Part{Path: "x", Units: []extract.Unit{{Place: extract.OCRLine, Text: first, Style: extract.Large, Page: 1}}}
	for range more {
		p.Units = append(p.Units, extract.Unit{Place: extract.OCRLine, Text: "Isi surat yang panjang lebar tentang perkara ini.", Page: 1})
	}
	return p
}

func styled(p extract.Part, i int, s extract.Style) extract.Part {
	p.Units[i].Style |= s
	return p
}

// Evidence, its corroboration and what speaks against it: the class, and the class that is
// only suspected.
func TestEvidence(t *testing.T) {
	guid := "8f1e2c3d-0000-4a4a-9b9b-123456789abc"
	site := "aaaa1111-2222-3333-4444-555566667777"
	set := &Settings{
		Labels: map[string]Class{site + "/" + guid: RahsiaBesar, "*/99999999-0000-4a4a-9b9b-123456789abc": Terhad},
		Codes:  map[string]Class{"S": Sulit, "R": Rahsia, "TD": Terhad},
	}
	filling := func(n int) (out []string) {
		for range n {
			out = append(out, "Isi surat yang panjang lebar tentang perkara ini.")
		}
		return out
	}
	lines := func(l ...string) extract.Part { return body(l...) }
	long := func(l ...string) extract.Part { return body(append(append(filling(8), l...), filling(8)...)...) }
	ocr := func(l ...string) extract.Part {
		p := picture(l[0], 10)
		for _, s := range l[1:] {
			p.Units = append(p.Units, extract.Unit{Place: extract.OCRLine, Text: s, Page: 1})
		}
		return p
	}
	for _, c := range []struct {
		name       string
		part       extract.Part
		class, sus Class
	}{
		// E1
		{"label by its GUID in a header", one(extract.HeaderField, "msip_labels: MSIP_Label_"+guid+"_Enabled=true;MSIP_Label_"+guid+"_Name=Hal dalaman;MSIP_Label_"+guid+"_SiteId="+site), RahsiaBesar, 0},
		{"the table before the name", one(extract.HeaderField, "msip_labels: MSIP_Label_"+guid+"_Enabled=true; MSIP_Label_"+guid+"_Name=Terbuka; MSIP_Label_"+guid+"_SiteId="+site), RahsiaBesar, 0},
		{"another site", one(extract.HeaderField, "msip_labels: MSIP_Label_"+guid+"_Enabled=true; MSIP_Label_"+guid+"_Name=Hal dalaman; MSIP_Label_"+guid+"_SiteId=b"+site[1:]), 0, 0},
		{"any site", one(extract.HeaderField, "msip_labels: MSIP_Label_99999999-0000-4a4a-9b9b-123456789abc_Enabled=true; MSIP_Label_99999999-0000-4a4a-9b9b-123456789abc_SiteId=x"), Terhad, 0},
		{"label that is off", one(extract.HeaderField, "msip_labels: MSIP_Label_"+guid+"_Enabled=false; MSIP_Label_"+guid+"_SiteId="+site), 0, 0},
		{"label in properties", units(extract.Metadata, "MSIP_Label_"+guid+"_Enabled: true", "MSIP_Label_"+guid+"_SiteId: "+site, "MSIP_Label_"+guid+"_Name: Hal"), RahsiaBesar, 0},
		{"label in properties, off", units(extract.Metadata, "MSIP_Label_1a_Name: Rahsia", "MSIP_Label_1a_Enabled: false"), 0, 0},
		{"label in properties by name", units(extract.Metadata, "MSIP_Label_1a_Enabled: true", "MSIP_Label_1a_Name: Rahsia"), Rahsia, 0},
		{"label below another", units(extract.Metadata, `MSIP_Label_1a_Name: Sulit\Semua kakitangan`), Sulit, 0},
		{"label folded", one(extract.HeaderField, "msip_labels: MSIP_Label_ 1a_Enabled=True; MSIP_ Label_1a_Name=Sulit; "), Sulit, 0},
		{"unknown label", one(extract.HeaderField, "msip_labels: MSIP_Label_1a_Enabled=true; MSIP_Label_1a_Name=Umum"), 0, 0},
		{"not confidential", units(extract.Metadata, "MSIP_Label_1a_Name: Non-Confidential"), 0, 0},
		{"protective marking", one(extract.HeaderField, `X-Protective-Marking: VER=2018.4, NS=gov.my, SEC=RAHSIA, EXPIRES=2030-01-01, DOWNTO=TERHAD, CAVEAT=C:a\, b`), Rahsia, 0},
		{"protective marking in properties", one(extract.Metadata, "X-Protective-Marking: SEC=RAHSIA BESAR"), RahsiaBesar, 0},
		{"protective marking of another country", one(extract.HeaderField, "X-Protective-Marking: VER=2018.4, NS=gov.au, SEC=OFFICIAL, DOWNTO=SECRET"), 0, 0},
		{"Boldon James", one(extract.Metadata, `bjDocumentLabelXML-0: <?xml version="1.0"?><sisl><element uid="id_classification_rahsia" value=""/></sisl>`), Rahsia, 0},
		{"Boldon James in words", one(extract.Metadata, "bjDocumentSecurityLabel: This item's classification is Sulit. It was created by A"), Sulit, 0},
		{"Titus", one(extract.Metadata, "TitusClassification: Terhad"), Terhad, 0},
		{"privacy flags", units(extract.HeaderField, "Sensitivity: Company-Confidential", "CLASS: CONFIDENTIAL"), 0, 0},
		{"category", one(extract.Metadata, "category: SULIT"), Sulit, 0},
		{"description", one(extract.Metadata, "description: Rahsia kejayaan"), 0, 0},

		// E3
		{"beside a department", one(extract.PageHeader, "Kementerian Contoh – SULIT – Muka 2"), Sulit, 0},
		{"in the middle, title case", one(extract.PageFooter, "Kementerian Contoh\tSulit\tMuka 2"), Sulit, 0},
		{"an edition", one(extract.PageHeader, "Majalah Contoh | Edisi | Terhad"), 0, 0},
		{"two classes", one(extract.PageHeader, "RAHSIA / SULIT"), 0, Rahsia},
		{"all classes of a template", one(extract.PageHeader, "RAHSIA BESAR / RAHSIA / SULIT / TERHAD"), 0, 0},
		{"official secrets", one(extract.PageHeader, "RAHSIA RASMI"), 0, Rahsia},
		{"firm", one(extract.PageHeader, "SYARIKAT MAJU JAYA TERHAD"), 0, 0},
		{"firm over two lines of a header", units(extract.PageHeader, "SYARIKAT MAJU JAYA", "TERHAD"), 0, 0},

		// E4, E8
		{"head of a later page", func() extract.Part {
			p := units(extract.Paragraph, filling(30)...)
			for i := range p.Units {
				p.Units[i].Page, p.Units[i].List = 1+i/10, 0
			}
			p.Units[10].Text = "RAHSIA"
			return p
		}(), Rahsia, 0},
		{"middle of a page", func() extract.Part {
			p := units(extract.Paragraph, filling(40)...)
			for i := range p.Units {
				p.Units[i].Page, p.Units[i].List = 1+i/20, 0
			}
			p.Units[10].Text = "RAHSIA"
			return p
		}(), 0, 0},
		{"misread letter", ocr("RAHSJA"), Rahsia, 0},
		{"two letters exchanged", ocr("RAHISA"), Rahsia, 0},
		{"a letter lost", ocr("RAHSI"), Rahsia, 0},
		{"a letter too many", ocr("SULLIT"), Sulit, 0},
		{"specks", ocr("| RAHSlA BESAB ."), RahsiaBesar, 0},
		{"sultan", ocr("SULTAN"), 0, 0},
		{"skin", ocr("KULIT"), 0, 0},
		{"towards", ocr("TERHADAP"), 0, 0},
		{"the end of a name of a firm", ocr("BERHAD"), 0, 0},
		{"a stamp across the page", func() extract.Part {
			p := picture("Kementerian", 30)
			p.Units[15] = extract.Unit{Place: extract.OCRLine, Text: "RAHSIA BESAR", Style: extract.Large | extract.Red, Page: 1}
			return p
		}(), RahsiaBesar, 0},
		{"a poster", extract.Part{Units: []extract.Unit{{Place: extract.OCRLine, Text: "RAHSIA", Style: extract.Large}, {Place: extract.OCRLine, Text: "PERGAULAN ALAM REMAJA", Style: extract.Large}, {Place: extract.OCRLine, Text: "Dewan, Sabtu"}}}, 0, 0},
		{"both ends of a picture", ocr("SULIT", "SULIT"), Sulit, 0},
		{"two words over two lines", lines(append([]string{"RAHSIA", "BESAR"}, filling(12)...)...), RahsiaBesar, 0},
		{"English over two lines", lines(append([]string{"TOP", "SECRET"}, filling(12)...)...), RahsiaBesar, 0},
		{"broken by a hyphen", lines(append([]string{"RAH-", "SIA"}, filling(12)...)...), Rahsia, 0},
		{"a letter a cell", func() extract.Part {
			p := table([]string{"S", "U", "L", "I", "T"})
			for _, s := range filling(12) {
				p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Text: s})
			}
			return p
		}(), Sulit, 0},
		{"tag before the first line", lines(append([]string{"[SULIT] Minit mesyuarat"}, filling(12)...)...), Sulit, 0},
		{"firm over two lines", lines(append([]string{"SYARIKAT PEMBINAAN MAJU JAYA", "TERHAD", "No. 1, Jalan Contoh"}, filling(12)...)...), 0, 0},
		{"heading of a disclaimer", lines(append(filling(12), "CONFIDENTIAL", "This message is intended for the addressee only.")...), 0, 0},
		{"a title that may be one", lines(append([]string{"SURAT SULIT"}, filling(12)...)...), 0, Sulit},
		{"a list within a marked text", lines(append(append([]string{"RAHSIA"}, filling(12)...), "RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD", "Perenggan", "RAHSIA")...), Rahsia, 0},
		{"a list twice", lines(append(append([]string{"RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"}, filling(12)...), "RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD")...), 0, 0},
		{"titles of slides", func() extract.Part {
			p := extract.Part{Path: "x"}
			for i, s := range []string{"RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"} {
				p.Units = append(p.Units, extract.Unit{Place: extract.Heading, Text: s, Page: i + 1})
				for _, f := range filling(4) {
					p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Text: f, Page: i + 1})
				}
			}
			return p
		}(), 0, 0},
		{"a mark on each slide", func() extract.Part {
			p := extract.Part{Path: "x"}
			for i := range 4 {
				for _, f := range append([]string{"TERHAD"}, filling(4)...) {
					p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Text: f, Page: i + 1})
				}
			}
			return p
		}(), Terhad, 0},
		{"boxes of a diagram", units(extract.Stamp, "RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"), 0, 0},
		{"a marked drawing", units(extract.Stamp, "RAHSIA", "Pintu 1", "Pintu 2"), Rahsia, 0},
		{"an answer", lines("Apakah lawan terbuka?", "a) rahsia", "b) mudah", "Jawapan:", "RAHSIA"), 0, 0},
		{"a perfume", lines("Senarai wangian:", "SECRET", "Mawar", "Melur"), 0, 0},

		// E5
		{"label above", long("Klasifikasi:", "Rahsia", "Tarikh:", "1 Mei"), Rahsia, 0},
		{"fields in one line", long("No. Fail: 1/2   Klasifikasi: RAHSIA   Tarikh: 1 Mei"), Rahsia, 0},
		{"columns", long("Klasifikasi        RAHSIA"), Rahsia, 0},
		{"two languages", long("Klasifikasi / Classification : SULIT / CONFIDENTIAL"), Sulit, 0},
		{"in brackets", long("KLASIFIKASI (CLASSIFICATION): RAHSIA"), Rahsia, 0},
		{"key of YAML", long("security_classification: rahsia"), Rahsia, 0},
		{"key of JSON", long(`"securityClassification": "RAHSIA BESAR",`), RahsiaBesar, 0},
		{"a pipe", long("| Peringkat Keselamatan | SULIT |"), Sulit, 0},
		{"quality of a game", long("Tahap: Sulit"), 0, 0},
		{"stock", long("Status: Terhad"), 0, 0},
		{"stock in capitals", long("STATUS: TERHAD"), 0, 0},
		{"a level in capitals", long("Tahap: RAHSIA"), Rahsia, 0},
		{"code", long(`const classification = "RAHSIA";`), 0, 0},
		{"an example", long("Contoh pengisian borang:", "Klasifikasi: RAHSIA"), 0, 0},
		{"header row above one value", table([]string{"Bil", "Dokumen", "Klasifikasi"}, []string{"1", "Minit", "RAHSIA"}), Rahsia, 0},
		{"register", table([]string{"Bil", "Dokumen", "Klasifikasi"}, []string{"1", "Minit", "RAHSIA"}, []string{"2", "Surat", "SULIT"}), 0, 0},
		{"one class in a register", table([]string{"Bil", "Dokumen", "Klasifikasi"}, []string{"1", "Minit", "RAHSIA"}, []string{"2", "Surat", "RAHSIA"}), 0, 0},
		{"a mark with its copy in a row", table([]string{"RAHSIA", "Salinan 2 daripada 5"}, []string{"Kepada", "Ketua"}), Rahsia, 0},
		{"stock list", table([]string{"Barang", "Stok"}, []string{"Kertas", "TERHAD"}), 0, 0},

		// E6
		{"statement in capitals", long("DOKUMEN INI TELAH DIKELASKAN SEBAGAI RAHSIA BESAR."), RahsiaBesar, 0},
		{"class of this paper", long("Peringkat keselamatan surat ini ialah RAHSIA."), Rahsia, 0},
		{"until", long("Dokumen ini diklasifikasikan sebagai SULIT sehingga 2030."), Sulit, 0},
		{"in English", long("This document is classified as SECRET and must not be copied."), Rahsia, 0},
		{"disclaimer in capitals", long("THIS E-MAIL IS CONFIDENTIAL AND INTENDED FOR THE RECIPIENT NAMED ABOVE."), 0, 0},
		{"disclaimer in Malay", long("E-mel ini adalah SULIT dan ditujukan kepada penerima sahaja."), 0, 0},
		{"somebody else's", long("Dokumen tersebut dikelaskan sebagai RAHSIA."), 0, 0},
		{"question", long("Adakah dokumen ini dikelaskan sebagai RAHSIA?"), 0, 0},
		{"block notice", long("E-mel anda disekat kerana lampiran 'a.docx' didapati bertanda RAHSIA."), 0, 0},
		{"reply of a server", long("550 5.7.1 Disekat: lampiran 2 bertanda RAHSIA (insiden 7K2M). Blocked: attachment 2 is marked RAHSIA."), 0, 0},

		// E9
		{"ticked by a sign", lines("☐ Terbuka", "☐ Terhad", "☑ Rahsia"), Rahsia, 0},
		{"ticked in brackets", lines("( ) Terbuka", "(/) Sulit", "( ) Rahsia"), Sulit, 0},
		{"ticked behind", lines("Terbuka [ ]", "Sulit [✓]", "Rahsia [ ]"), Sulit, 0},
		{"ticked with blanks", lines("___ Terbuka", "_X_ Rahsia"), Rahsia, 0},
		{"black and white", lines("□ Terbuka", "■ Rahsia", "□ Sulit"), Rahsia, 0},
		{"bullets", lines("● Rahsia Besar", "● Rahsia", "● Sulit"), 0, 0},
		{"a bullet in a sentence", long("● Dokumen ini dikelaskan sebagai RAHSIA."), Rahsia, 0},
		{"an ornament", letter("□ RAHSIA □", "Sekian."), Rahsia, 0},
		{"not ticked", lines("☐ RAHSIA", "☐ SULIT", "☐ TERHAD"), 0, 0},
		{"a tick in the next cell", table([]string{"RAHSIA BESAR", ""}, []string{"RAHSIA", "√"}, []string{"SULIT", ""}), Rahsia, 0},
		{"a tick below", table([]string{"RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"}, []string{"", "/", "", ""}), Rahsia, 0},
		{"rights of access", table([]string{"Peranan", "Rahsia", "Sulit", "Terhad"}, []string{"Pegawai", "/", "/", "/"}), 0, 0},

		// Corroboration, and what speaks against.
		{"corroborated", styled(lines(append(append([]string{"SULIT"}, filling(4)...), "TERHAD: untuk edaran", "Ruj. Kami: ABC(S)600-4/2/7", "Salinan 2 daripada 5", "TANGAN KE TANGAN")...), 0, extract.Red|extract.Bold), Sulit, 0},
		{"another class near", lines(append(append([]string{"SULIT", "TERHAD (lampiran)"}, filling(12)...), "x")...), 0, Sulit},
		{"corroboration alone", lines("Ruj. Kami: ABC(R)600-4/2/7", "Salinan 2 daripada 5", "TANGAN KE TANGAN", "perkara rahsia"), 0, 0},
		{"another's reference", lines("Ruj. Tuan: ABC(R)600-4/2/7", "perkara rahsia"), 0, 0},
		{"marked open", func() extract.Part {
			p := letter("SULIT", "Sekian.")
			p.Units = append(p.Units, extract.Unit{Place: extract.PageHeader, Text: "TERBUKA"})
			return p
		}(), 0, Sulit},
		{"struck out, with a note", styled(lines(append([]string{"RAHSIA", "SULIT", "Diturunkan kepada SULIT oleh Ketua Pengarah pada 1 Mei 2026"}, filling(12)...)...), 0, extract.Struck), Sulit, 0},
		{"struck out, without", styled(lines(append([]string{"RAHSIA"}, filling(12)...)...), 0, extract.Struck), Rahsia, 0},
		{"a note, and the mark not struck out", func() extract.Part {
			p := lines(append([]string{"Dikelaskan semula kepada TERBUKA oleh Ketua Pengarah pada 1 Mei 2026, RAHSIA dahulu"}, filling(12)...)...)
			p.Units = append(p.Units, extract.Unit{Place: extract.PageHeader, Text: "RAHSIA"})
			return p
		}(), Rahsia, 0},
	} {
		v := Weigh(Find([]extract.Part{c.part}, set))
		if c.class == 0 && v.Class == Terbuka {
			v.Class = 0
		}
		if v.Class != c.class || v.Suspicion != c.sus {
			t.Errorf("%s: class %q, suspicion %q; want %q, %q: %+v", c.name, v.Class, v.Suspicion, c.class, c.sus, v.Findings)
		}
	}
}

// The old class stands struck out in a page header, and the note in the text: parts of one
// document.
func TestClassifiedAnewInParts(t *testing.T) {
	header := extract.Part{Path: `attachment 1 "a.docx" > header1.xml`, Units: []extract.Unit{{Place: extract.PageHeader, Text: "RAHSIA SULIT", Style: extract.Struck}}}
	note := extract.Part{Path: `attachment 1 "a.docx"`, Units: []extract.Unit{
		{Place: extract.Paragraph, Text: "Diturunkan kepada SULIT oleh Ketua Pengarah pada 1 Mei 2026. Peringkat asal: RAHSIA."}}}
	if v := Judge([]extract.Part{header, note}); v.Class != Sulit || v.Proven {
		t.Errorf("%v: %+v", v.Class, v.Findings)
	}
	if v := Judge([]extract.Part{header}); v.Class != Rahsia {
		t.Errorf("without the note: %v: %+v", v.Class, v.Findings)
	}
	note.Path = `attachment 2 "b.docx"`
	if v := Judge([]extract.Part{header, note}); v.Class != Rahsia {
		t.Errorf("a note in another document: %v: %+v", v.Class, v.Findings)
	}
}

// Findings quote only when they are asked to.
func TestQuotes(t *testing.T) {
	p := []extract.Part{body("Rahsia kejayaan usahawan yang berjaya", "RΑHSIA")}
	if s := Find(p, nil); strings.Contains(strings.ToLower(strings.Join(quotesOf(s), "")), "usahawan") {
		t.Errorf("%+v", s)
	}
	s := Find(p, &Settings{Quotes: true})
	if all := strings.Join(quotesOf(s), "\n"); !strings.Contains(all, "usahawan") || !strings.Contains(all, "U+0391") {
		t.Errorf("%q", all)
	}
}

func quotesOf(f Found) (out []string) {
	for _, x := range f.Findings {
		out = append(out, x.Quote, x.Points)
	}
	return out
}

// Each table of the grammar can be read, and each weight that rules name is there.
func TestTables(t *testing.T) {
	for _, w := range []string{"E1", "E2", "E2 end", "E2 weak", "E3", "E3 two", "E3 phrase", "E4", "E4 both", "E4 tag", "E4 noun", "E4 cell", "E5", "E5 weak",
		"E6", "E7", "E7 weak", "E8", "E8 both", "E9", "E10", "E10 low", "E10 doubt", "N5", "C1", "C2", "C3", "N1", "N6", "N7", "cap"} {
		if weights[w] == 0 {
			t.Errorf("no weight for %s", w)
		}
	}
	for jawi, word := range jawi {
		if words[word] == None {
			t.Errorf("%s is no class: %q", jawi, word)
		}
	}
	for r, latin := range twins {
		if latin < 'A' || latin > 'Z' || r < 0x80 {
			t.Errorf("%c is no twin of %c", r, latin)
		}
	}
}
