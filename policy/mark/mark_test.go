package mark

import (
	"strings"
	"testing"

	"sampul/policy/extract"
)

// body is a part of lines.
func body(lines ...string) extract.Part {
	p := extract.Part{Path: "body", Kind: "text"}
	for _, l := range lines {
		p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Where: "line", Text: l})
	}
	return p
}

func one(place extract.Place, text string) extract.Part {
	return extract.Part{Path: "x", Units: []extract.Unit{{Place: place, Text: text}}}
}

// letter is a text long enough for its head and foot to be apart.
func letter(first, last string) extract.Part {
	lines := []string{first}
	for range 20 {
		lines = append(lines, "Isi surat yang panjang lebar tentang perkara ini.")
	}
	return body(append(lines, last)...)
}

func table(cells ...[]string) extract.Part {
	p := extract.Part{Path: "x"}
	for r, row := range cells {
		for c, text := range row {
			p.Units = append(p.Units, extract.Unit{Place: extract.Cell, Where: "cell", Text: text, Row: r + 1, Col: c + 1, List: 1})
		}
	}
	return p
}

func TestMarks(t *testing.T) {
	const styled = extract.ShownCaps
	for name, c := range map[string]struct {
		part extract.Part
		want Class
	}{
		"header field":                        {one(extract.HeaderField, "X-Klasifikasi: Rahsia"), Rahsia},
		"msip label":                          {one(extract.HeaderField, "msip_labels: MSIP_Label_1a-2b_Enabled=true; MSIP_Label_1a-2b_Name=Rahsia Besar; MSIP_Label_1a-2b_SiteId=3c"), RahsiaBesar},
		"protective marking":                  {one(extract.HeaderField, "X-Protective-Marking: VER=2018.4, NS=gov.my, SEC=SULIT, ORIGIN=a@b"), Sulit},
		"property":                            {one(extract.Metadata, "Klasifikasi: Terhad"), Terhad},
		"keyword":                             {one(extract.Metadata, "keywords: bajet, RAHSIA"), Rahsia},
		"tag":                                 {one(extract.Subject, "Bls: [EXTERNAL] [RAHSIA] Mesyuarat"), Rahsia},
		"tag in lower case":                   {one(extract.Subject, "[rahsia] mesyuarat"), Rahsia},
		"tag with a name":                     {one(extract.Subject, "Mesyuarat [KLASIFIKASI: RAHSIA BESAR]"), RahsiaBesar},
		"Australian tag":                      {one(extract.Subject, "Meeting [SEC=SECRET, CAVEAT=RI:NATIONAL]"), Rahsia},
		"colon":                               {one(extract.Subject, "RAHSIA: Mesyuarat Jawatankuasa"), Rahsia},
		"dash":                                {one(extract.Subject, "Re: SULIT - Laporan"), Sulit},
		"end of a subject":                    {one(extract.Subject, "Laporan siasatan (RAHSIA)"), Rahsia},
		"file name":                           {one(extract.FileName, "RAHSIA_minit mesyuarat.docx"), Rahsia},
		"file name in brackets":               {one(extract.FileName, "[SULIT] laporan.pdf"), Sulit},
		"page header":                         {one(extract.PageHeader, "Jabatan Contoh\tRAHSIA\tMuka 1"), Rahsia},
		"page footer":                         {one(extract.PageFooter, "- SULIT -"), Sulit},
		"master":                              {one(extract.Master, "*** RAHSIA BESAR ***"), RahsiaBesar},
		"watermark":                           {one(extract.Watermark, "TERHAD"), Terhad},
		"first line":                          {letter("RAHSIA", "Sekian."), Rahsia},
		"last line":                           {letter("Tuan,", "- SULIT -"), Sulit},
		"both ends, title case":               {letter("Rahsia", "Rahsia"), Rahsia},
		"with its translation":                {letter("RAHSIA / SECRET", "Sekian."), Rahsia},
		"with precedence":                     {letter("SANGAT SEGERA / RAHSIA", "Sekian."), Rahsia},
		"with a copy number":                  {letter("RAHSIA   Salinan 2 daripada 6", "Sekian."), Rahsia},
		"field":                               {body("Kepada: Ketua", "Klasifikasi : Rahsia", "Perkara: Bajet"), Rahsia},
		"field in the middle":                 {body("a", "b", "c", "d", "e", "f", "Peringkat Keselamatan: SULIT", "g", "h", "i", "j", "k", "l"), Sulit},
		"pair of cells":                       {table([]string{"Tajuk", "Laporan"}, []string{"Klasifikasi", "Terhad"}, []string{"Tarikh", "1 Mei"}), Terhad},
		"statement":                           {body("Sila ambil maklum.", "Dokumen ini dikelaskan sebagai RAHSIA dan tidak boleh disalin."), Rahsia},
		"ticked box":                          {body("[ ] TERBUKA", "[ ] TERHAD", "[x] RAHSIA", "[ ] SULIT"), Rahsia},
		"ticked on one line":                  {body("Peringkat: ☐ TERBUKA ☒ SULIT ☐ RAHSIA"), Sulit},
		"letters apart":                       {letter("R A H S I A", "Sekian."), Rahsia},
		"letters apart by dots":               {letter("R.A.H.S.I.A", "Sekian."), Rahsia},
		"a letter a line":                     {body("R", "A", "H", "S", "I", "A", "Isi surat"), Rahsia},
		"digits for letters":                  {letter("R4H51A", "Sekian."), Rahsia},
		"parted":                              {letter("RAH SIA", "Sekian."), Rahsia},
		"letters apart by dots in the middle": {letter("R·A·H·S·I·A", "Sekian."), Rahsia},
		"l for I":                             {letter("RAHSlA", "Sekian."), Rahsia},
		"a bar for I":                         {letter("RAHS|A", "Sekian."), Rahsia},
		"Cyrillic letters":                    {letter("RАHSIА", "Sekian."), Rahsia},
		"full width":                          {letter("ＲＡＨＳＩＡ", "Sekian."), Rahsia},
		"mathematical":                        {letter("𝐑𝐀𝐇𝐒𝐈𝐀", "Sekian."), Rahsia},
		"nothing between":                     {letter("RAH\u200bSI\u00adA", "Sekian."), Rahsia},
		"accents":                             {letter("RÁHSÍA", "Sekian."), Rahsia},
		"backwards":                           {letter("\u202eAISHAR\u202c", "Sekian."), Rahsia},
		"Jawi":                                {letter("رهسيا", "Sekian."), Rahsia},
		"shown as capitals":                   {extract.Part{Path: "x", Units: []extract.Unit{{Place: extract.Paragraph, Text: "rahsia", Style: styled}}}, Rahsia},
		"the higher of two":                   {letter("RAHSIA BESAR", "RAHSIA BESAR"), RahsiaBesar},
		"old class without note":              {letter("RAHSIA", "Diturunkan kepada SULIT"), Rahsia},
	} {
		if v := Judge([]extract.Part{c.part}); v.Class != c.want {
			t.Errorf("%s: class %d, want %d: %+v", name, v.Class, c.want, v.Findings)
		}
	}
}

func TestMentions(t *testing.T) {
	for name, part := range map[string]extract.Part{
		"newsletter":            body("Rahsia kejayaan usahawan", "Apakah rahsia beliau? Tempat duduk terhad!"),
		"subject":               one(extract.Subject, "Rahsia kejayaan usahawan muda"),
		"subject in capitals":   one(extract.Subject, "RAHSIA KEJAYAAN USAHAWAN MUDA"),
		"law":                   body("Akta Rahsia Rasmi 1972", "mengikut Akta Rahsia Rasmi, maklumat rahsia rasmi"),
		"company":               body("Syarikat Maju Terhad", "Bina Jaya Sdn. Bhd."),
		"difficult":             body("Soalan ini sulit untuk difahami", "Keadaan sulit"),
		"everyday statement":    body("Surat ini sulit untuk difahami kerana panjang."),
		"limited":               body("Tawaran ini terhad kepada 100 orang", "Stok terhad"),
		"list":                  body("RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"),
		"list with meanings":    body("RAHSIA BESAR - paling tinggi", "RAHSIA - tinggi", "SULIT - sederhana"),
		"several in one line":   body("RAHSIA BESAR / RAHSIA / SULIT / TERHAD"),
		"form with options":     body("Klasifikasi: Rahsia / Sulit / Terhad"),
		"unticked":              body("[ ] RAHSIA"),
		"middle of a text":      body("1", "2", "3", "4", "5", "6", "7", "RAHSIA", "8", "9", "10", "11", "12", "13", "14"),
		"a cell among others":   table([]string{"Bil", "Fail", "Peringkat"}, []string{"1", "A", "RAHSIA"}, []string{"2", "B", "SULIT"}),
		"code":                  body("const (", "RAHSIA = 3", "SULIT = 2", `"RAHSIA",`),
		"example":               body("Cop yang betul adalah seperti contoh berikut:", "RAHSIA", "Sekian", "a", "b", "c", "d"),
		"file name":             one(extract.FileName, "rahsia_kejayaan.pdf"),
		"file name in capitals": one(extract.FileName, "RAHSIA KEJAYAAN.PDF"),
		"disclaimer":            body("This e-mail is confidential and intended for the addressee only."),
		"negation":              body("Bukan semua dokumen ini dikelaskan sebagai RAHSIA."),
		"condition":             body("Jika dokumen ini dikelaskan sebagai RAHSIA, simpan di peti besi."),
		"label that is off":     one(extract.HeaderField, "msip_labels: MSIP_Label_1a_Enabled=false; MSIP_Label_1a_Name=Rahsia"),
		"privacy flag":          one(extract.HeaderField, "Sensitivity: Company-Confidential"),
		"title of a book":       one(extract.Metadata, "title: Rahsia"),
		"declared open":         one(extract.Subject, "[TERBUKA] Mesyuarat"),
		"numbered":              body("Lima rahsia usahawan", "RAHSIA 1", "Bangun awal", "RAHSIA 2", "Kerja keras"),
		"title on two lines":    body("RAHSIA", "KEJAYAAN USAHAWAN MUDA", "oleh pengarang"),
		"register":              body("Senarai fail", "Klasifikasi: Rahsia", "Fail A", "Klasifikasi: Sulit", "Fail B", "Klasifikasi: Terhad", "Fail C"),
		"santa":                 one(extract.Subject, "SECRET SANTA: draw your name"),
		"classified anew": body("RAHSIA (peringkat asal)", "Diturunkan kepada TERBUKA oleh Ketua Pengarah pada 1 Mei 2026",
			"Isi surat"),
	} {
		v := Judge([]extract.Part{part})
		if v.Class > Terbuka {
			t.Errorf("%s: class %d: %+v", name, v.Class, v.Findings)
		}
	}
}

func TestSuspicion(t *testing.T) {
	v := Judge([]extract.Part{one(extract.Subject, "Rahsia: Mesyuarat")})
	if v.Class != None || v.Suspicion != Rahsia || v.Proven {
		t.Errorf("%+v", v)
	}
	v = Judge([]extract.Part{{Path: "header", Units: []extract.Unit{{Place: extract.Subject, Where: "subject", Text: "[TERBUKA] Rahsia: Mesyuarat"}}}})
	if !v.Declared {
		t.Errorf("not declared: %+v", v)
	}
	if v = Judge([]extract.Part{one(extract.PageHeader, "RAHSIA")}); !v.Proven {
		t.Errorf("a mark in the page header can be declared away: %+v", v)
	}
	if v = Judge([]extract.Part{letter("CONFIDENTIAL", "Regards")}); v.Class != Sulit || !v.English {
		t.Errorf("an English word alone: %+v", v)
	}
}

// Nothing that a sender can pile up makes the work grow faster than the text.
func TestPiles(t *testing.T) {
	const n = 10_000
	pile := func(place extract.Place, text string, cell bool) extract.Part {
		p := extract.Part{Path: "x"}
		for i := range n {
			u := extract.Unit{Place: place, Text: text}
			if cell {
				u.Row, u.Col, u.List = 1, i+1, 1
			}
			p.Units = append(p.Units, u)
		}
		return p
	}
	for name, c := range map[string]struct {
		part extract.Part
		want Class
	}{
		"lines":   {pile(extract.Paragraph, "RAHSIA", false), Rahsia},
		"hidden":  {pile(extract.Hidden, "RAHSIA", false), Rahsia},
		"cells":   {pile(extract.Cell, "RAHSIA", true), None},
		"headers": {pile(extract.PageHeader, "RAHSIA", false), Rahsia},
		"notes":   {pile(extract.Paragraph, "Diturunkan kepada SULIT", false), None},
	} {
		v := Judge([]extract.Part{c.part})
		if v.Class != c.want || len(v.Findings) > maxMentions+200 {
			t.Errorf("%s: class %d, %d findings", name, v.Class, len(v.Findings))
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, s := range []string{"RAHSIA", "\u202eAISHAR", "R A H S I A", "[x] SULIT [ ] RAHSIA", "Klasifikasi: Terhad", "رهسيا",
		"[RAHSIA] a", "MSIP_Label_1_Name=Rahsia", "Dokumen ini adalah SULIT", "Diturunkan kepada SULIT oleh Ketua 1/2/2026"} {
		f.Add(s, uint8(0))
	}
	places := []extract.Place{extract.Paragraph, extract.Subject, extract.FileName, extract.HeaderField, extract.Metadata,
		extract.PageHeader, extract.Stamp, extract.Cell}
	f.Fuzz(func(t *testing.T, s string, place uint8) {
		p := extract.Part{Path: "x"}
		for line := range strings.SplitSeq(s, "\n") {
			p.Units = append(p.Units, extract.Unit{Place: places[int(place)%len(places)], Text: line, Row: 1, Col: len(p.Units)})
		}
		v := Judge([]extract.Part{p})
		for _, fd := range v.Findings {
			if fd.Weight < -100 || fd.Weight > 120 || fd.Rule == "" || fd.Class == None {
				t.Errorf("%+v", fd)
			}
		}
	})
}

func BenchmarkPlainLetter(b *testing.B) {
	p := letter("Tuan,", "Sekian.")
	for range 2 {
		p.Units = append(p.Units, p.Units...)
	}
	b.ReportAllocs()
	for b.Loop() {
		Judge([]extract.Part{p})
	}
}

// A cell may hold a whole letter, as in mail that is laid out by tables; and what stands
// aside is no last line.
func TestLines(t *testing.T) {
	cell := letter("RAHSIA", "isi")
	for i := range cell.Units {
		u := &cell.Units[i]
		u.Place, u.List, u.Row, u.Col = extract.Cell, 1, 1, 1
	}
	signed := letter("isi", "SULIT")
	for range 9 {
		signed.Units = append(signed.Units, extract.Unit{Place: extract.Paragraph, Text: "Pejabat", Style: extract.Aside})
	}
	for want, p := range map[Class]extract.Part{Rahsia: cell, Sulit: signed} {
		if v := Judge([]extract.Part{p}); v.Class != want {
			t.Errorf("%d: %+v", want, v)
		}
	}
	forwarded := one(extract.Subject, "[TERBUKA] Jemputan")
	forwarded.Path = "body > quoted"
	if Judge([]extract.Part{forwarded}).Declared {
		t.Error("a quoted subject declared the message open")
	}
}
