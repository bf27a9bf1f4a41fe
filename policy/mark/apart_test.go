package mark

import (
	"testing"

	"sampul/policy/extract"
)

// Letters that stand apart inside a longer unit are read; what a person would not read as a
// class word stays as it is.
func TestGathered(t *testing.T) {
	for in, want := range map[string]string{
		"[R-A-H-S-I-A] LAPORAN":             "[RAHSIA] LAPORAN",
		"PERINGKAT : R A H S I A B E S A R": "PERINGKAT : RAHSIA BESAR",
		"LABEL: (S)(U)(L)(I)(T), FAIL 2":    "LABEL: (SULIT), FAIL 2",
		"KELAS: T • E • R • H • A • D":      "KELAS: TERHAD",
		"[R4H51A] X":                        "[RAHSIA] X",
		"[$ECRET] X":                        "[SECRET] X",
		"KELAS: RAH-SIA BE-SAR":             "KELAS: RAHSIA BESAR",
		"S|U|L|I|T: X":                      "SULIT: X",
		"TOP SECRET: X":                     "TOP SECRET: X",
		"RAHSIA: X":                         "RAHSIA: X",
		"RAJIN AMANAH HORMAT SABAR":         "RAJIN AMANAH HORMAT SABAR",
		"BERAHSIAAN":                        "BERAHSIAAN",
		"AKRAB R A H S I":                   "AKRAB R A H S I",
		"ÉRAHSIA 1":                         "ÉRAHSIA 1",
	} {
		if got, _ := gathered(in, in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if _, caps := gathered("SU LIT BAGINYA", "su lit baginya"); caps != "su lit baginya" {
		t.Errorf("pieces of words in small letters were joined: %q", caps)
	}
}

// Marks and mentions that were met by trying other wordings.
func TestTriedForms(t *testing.T) {
	pages := func(classes ...string) (all []extract.Part) {
		for i, c := range classes {
			p := letter(c, "akhir")
			p.Path = `attachment 1 "a.pptx" > slide` + string(rune('1'+i)) + ".xml"
			all = append(all, p)
		}
		return all
	}
	parts := func(p extract.Part) []extract.Part { return []extract.Part{p} }
	first := func(lines ...string) []extract.Part {
		p := letter(lines[0], "Sekian.")
		rest := body(lines[1:]...)
		p.Units = append(p.Units[:1:1], append(rest.Units, p.Units[1:]...)...)
		return parts(p)
	}
	for _, c := range []struct {
		name  string
		parts []extract.Part
		want  Class
	}{
		{"letters apart in a tag", parts(one(extract.Subject, "Bls: [S.U.L.I.T] Laporan operasi bersepadu di sempadan negeri")), Sulit},
		{"letters apart in a long field", first("Peringkat Keselamatan : R * A * H * S * I * A * B * E * S * A * R"), RahsiaBesar},
		{"digits in a field", first("Klasifikasi: R4H51A"), Rahsia},
		{"a letter a line, two words", first("R", "A", "H", "S", "I", "A", "B", "E", "S", "A", "R"), RahsiaBesar},
		{"stars around", parts(one(extract.Subject, "*** SULIT *** Laporan siasatan")), Sulit},
		{"two strokes", parts(one(extract.Subject, "RAHSIA// Laporan operasi")), Rahsia},
		{"a field before a dash", parts(one(extract.Subject, "Peringkat: SULIT - Laporan siasatan")), Sulit},
		{"label without a colon", parts(one(extract.FileName, "[KLASIFIKASI RAHSIA] laporan.txt")), Rahsia},
		{"a header field of another name", parts(one(extract.HeaderField, "X-Darjah-Keselamatan: Sulit")), Sulit},
		{"copy number first", first("COPY NO. 3 OF 8   RAHSIA"), Rahsia},
		{"page number first", parts(one(extract.PageFooter, "Muka surat 1 RAHSIA")), Rahsia},
		{"no-break blanks in a footer", parts(one(extract.PageFooter, "Jabatan Kerja\u00a0\u00a0\u00a0\u00a0\u00a0RAHSIA")), Rahsia},
		{"for official use", first("SULIT UNTUK KEGUNAAN RASMI SAHAJA"), Sulit},
		{"answered with yes", first("RAHSIA : YA", "SULIT : TIDAK"), Rahsia},
		{"from one class to another", parts(styled(body("RAHSIA SULIT", "Dikelaskan semula daripada RAHSIA kepada SULIT oleh Ketua Setiausaha bertarikh 12 Mac 2026."), 0, extract.Struck)), Sulit},
		{"from one class to another, no date", parts(styled(body("RAHSIA SULIT", "Dikelaskan semula daripada RAHSIA kepada SULIT."), 0, extract.Struck)), Rahsia},
		{"the same mark on slides", pages("SULIT", "SULIT", "SULIT"), Sulit},
		{"two classes on slides", pages("SULIT", "RAHSIA"), Rahsia},
		{"a marked deck with a list", pages("RAHSIA", "RAHSIA", "SULIT", "TERHAD"), Rahsia},

		{"a hyphen before an office's word", parts(one(extract.Subject, "RAHSIA-Laporan operasi")), Rahsia},
		{"a field in brackets", parts(one(extract.Subject, "(Klasifikasi: Rahsia) Laporan operasi")), Rahsia},
		{"brackets in the middle", parts(one(extract.Subject, "Minit mesyuarat (RAHSIA) bil 3/2026")), Rahsia},
		{"signs around", parts(one(extract.Subject, "🔒 RAHSIA 🔒 Minit mesyuarat")), Rahsia},
		{"urgent with a sign", first("SEGERA! RAHSIA!"), Rahsia},
		{"an office at the other side", first("JABATAN PERANGKAAN                    RAHSIA"), Rahsia},
		{"contents", first("The contents of this email are classified SECRET."), Rahsia},
		{"a hyphen in a name", parts(one(extract.Subject, "RAHSIA-rahsia kecantikan")), None},
		{"brackets, of a course", parts(one(extract.Subject, "Panduan tanda minit (RAHSIA) untuk urus setia")), None},
		{"a register in columns", first("Laporan audit          SULIT", "Minit mesyuarat        TERBUKA", "Memo kewangan          TERHAD"), None},

		{"a sale", first("TERHAD! TERHAD! TERHAD!"), None},
		{"a class each slide", pages("RAHSIA BESAR", "RAHSIA", "SULIT", "TERHAD"), None},
		{"a phrase over two lines", first("EDISI", "TERHAD", "Baju kurung"), None},
		{"a firm behind whom it is for", first("Kepada: KOPERASI SERBAGUNA ANAK DESA", "TERHAD"), None},
		{"a song", first("RAHSIA", "(Lagu: A. Nasir)"), None},
		{"a file behind a link", first("Klasifikasi fail: SULIT", "Pautan: https://pautan.example.gov.my/a"), None},
		{"an example", first("Sila taip klasifikasi di pengepala, contohnya:", "RAHSIA"), None},
		{"seats", first("Terhad: YA", "Terbuka: TIDAK"), None},
		{"no answered with no", first("RAHSIA : TIDAK", "SULIT : TIDAK"), None},
	} {
		if v := Judge(c.parts); v.Class != c.want && !(c.want == None && v.Class == Terbuka) {
			t.Errorf("%s: %v, want %v: %+v", c.name, v.Class, c.want, v.Findings)
		}
	}
	if v := Judge(first("Klasifikasi fail: RAHSIA", "Pautan: https://pautan.example.gov.my/a")); v.Class != Rahsia {
		t.Errorf("no link carries RAHSIA: %v", v.Class)
	}
	if v := Judge(first("RAHSIA", "oleh Hamzah Hussein")); v.Suspicion != Rahsia {
		t.Errorf("a book, or a mark: %+v", v)
	}
}
