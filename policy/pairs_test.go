package policy

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
	"testing"
)

// A pair is a phrase in which a class word is an everyday word, with the class that the same
// word would be as a mark.
type pair struct {
	phrase string
	class  Class
}

// pairs are the phrases of classification.md section 5.5.
var pairs = []pair{
	{"Akta Rahsia Rasmi 1972", Rahsia}, {"maklumat rahsia rasmi", Rahsia}, {"suratan rahsia rasmi", Rahsia}, {"Pendaftar Rahsia", Rahsia},
	{"kerahsiaan pesakit", Rahsia}, {"perkara yang dirahsiakan", Rahsia}, {"perahsia", Rahsia}, {"rahsia kejayaan", Rahsia},
	{"rahsia dapur", Rahsia}, {"rahsia perniagaan", Rahsia}, {"rahsia umur panjang", Rahsia}, {"rahsia kecantikan", Rahsia},
	{"rahsia awet muda", Rahsia}, {"rahsia resipi ibu", Rahsia}, {"rahsia nasi lemak", Rahsia}, {"kunci rahsia", Rahsia},
	{"rahsia besar nasi lemak", RahsiaBesar}, {"satu rahsia besar", RahsiaBesar},
	{"undi sulit", Sulit}, {"penyakit sulit", Sulit}, {"anggota sulit", Sulit}, {"keadaan sulit", Sulit}, {"sulit tidur", Sulit},
	{"sulit dilalui", Sulit}, {"sulit untuk difahami", Sulit}, {"bersulit", Sulit}, {"penyulitan data", Sulit}, {"kesulitan amat dikesali", Sulit},
	{"masa terhad", Terhad}, {"stok terhad", Terhad}, {"tempat terhad", Terhad}, {"tawaran terhad", Terhad}, {"edisi terhad", Terhad},
	{"had terhad", Terhad}, {"tempat adalah terhad", Terhad}, {"masa amat terhad", Terhad}, {"tidak terhad", Terhad},
	{"terhad kepada 50 orang", Terhad}, {"Syarikat Maju Jaya Terhad", Terhad}, {"Koperasi Pekerja Berhad", Terhad}, {"Bina Jaya Sdn. Bhd.", Terhad},
	{"hari terbuka", Terhad}, {"sebut harga dibuka", Sulit}, {"tender dibuka", Terhad},
	{"secret santa", Rahsia}, {"secret recipe", Rahsia}, {"top secret mission", RahsiaBesar}, {"restricted area", Terhad},
	{"restricted parking", Terhad}, {"confidential waste", Sulit}, {"confidential counselling", Sulit},
}

// carriers make a message of a text at one place. A mark is written as officers write it
// there.
var carriers = map[string]struct {
	mark  func(class string) string
	build func(text string) string
}{
	"subject":       {bracketed, func(s string) string { return plainMail(s+" minggu hadapan", body("")) }},
	"reply":         {bracketed, func(s string) string { return plainMail("Bls: [EXTERNAL] "+s+" minggu hadapan", body("")) }},
	"subject alone": {itself, func(s string) string { return plainMail(s, body("")) }},
	"first line":    {itself, func(s string) string { return plainMail("Jemputan", body(s)) }},
	"first line of HTML": {itself, func(s string) string {
		return htmlMail("<p>" + html.EscapeString(s) + "</p>" + paragraphs)
	}},
	"first line of a document": {itself, func(s string) string { return attached("kertas.docx", docx(docxLine(s, "")+docxFilling)) }},
	"heading": {itself, func(s string) string {
		return htmlMail("<h1>" + html.EscapeString(s) + "</h1>" + paragraphs)
	}},
	"heading of a document": {itself, func(s string) string { return attached("kertas.docx", docx(docxLine(s, "Heading1")+docxFilling)) }},
	"file name":             {leading, func(s string) string { return attached(s+".pdf", []byte("isi\n")) }},
	"file name with underscores": {leading, func(s string) string {
		return attached(strings.ReplaceAll(s, " ", "_")+".docx", docx(docxFilling))
	}},
	"cell": {itself, func(s string) string {
		return htmlMail(paragraphs + "<table><tr><td>Tajuk</td><td>Laporan</td></tr><tr><td>Klasifikasi</td><td>" + html.EscapeString(s) + "</td></tr></table>" + paragraphs)
	}},
	"first cell": {itself, func(s string) string {
		return attached("daftar.xlsx", xlsx([][]string{{s}, {"Bil", "Perkara"}, {"1", "Mesyuarat"}, {"2", "Kursus"}}))
	}},
	"cell of a workbook": {itself, func(s string) string {
		return attached("daftar.xlsx", xlsx([][]string{{"Tajuk", "Laporan"}, {"Peringkat Keselamatan", s}, {"Tarikh", "1 Mei"}}))
	}},
	"cell of a document": {itself, func(s string) string {
		return attached("borang.docx", docx(docxFilling+docxTable([][]string{{"Tajuk", "Laporan"}, {"Taraf Keselamatan", s}})+docxFilling))
	}},
	"cell of a list": {itself, func(s string) string {
		return attached("daftar.xlsx", xlsx([][]string{{"Klasifikasi: " + s}, {"Bil", "Perkara"}, {"1", "Mesyuarat"}}))
	}},
}

func itself(class string) string    { return class }
func bracketed(class string) string { return "[" + class + "]" }
func leading(class string) string   { return class + "_minit mesyuarat" }

func body(first string) string {
	return first + "\n" + strings.Repeat("Dengan hormatnya perkara di atas adalah dirujuk.\n", 12) + "Sekian, terima kasih.\n"
}

var paragraphs = strings.Repeat("<p>Dengan hormatnya perkara di atas adalah dirujuk.</p>", 12)

func plainMail(subject, text string) string {
	return "Subject: " + subject + "\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + text
}

func htmlMail(text string) string {
	return "Subject: Jemputan\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<html><body>" + text + "</body></html>\n"
}

func attached(name string, data []byte) string {
	const edge = "batas"
	encoded := base64.StdEncoding.EncodeToString(data)
	var lines strings.Builder
	for len(encoded) > 76 {
		lines.WriteString(encoded[:76] + "\n")
		encoded = encoded[76:]
	}
	lines.WriteString(encoded + "\n")
	return "Subject: Jemputan\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=" + edge + "\n\n--" + edge +
		"\nContent-Type: text/plain\n\n" + body("") + "--" + edge + "\nContent-Type: application/octet-stream; name=\"" + name +
		"\"\nContent-Disposition: attachment; filename=\"" + name + "\"\nContent-Transfer-Encoding: base64\n\n" + lines.String() + "--" + edge + "--\n"
}

func zipOf(files ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, _ := z.Create(files[i])
		_, _ = w.Write([]byte(files[i+1]))
	}
	_ = z.Close()
	return b.Bytes()
}

func docxLine(s, style string) string {
	if style != "" {
		style = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
	}
	return "<w:p>" + style + "<w:r><w:t>" + html.EscapeString(s) + "</w:t></w:r></w:p>"
}

var docxFilling = strings.Repeat(docxLine("Dengan hormatnya perkara di atas adalah dirujuk.", ""), 12)

func docxTable(rows [][]string) string {
	var b strings.Builder
	b.WriteString("<w:tbl>")
	for _, r := range rows {
		b.WriteString("<w:tr>")
		for _, c := range r {
			b.WriteString("<w:tc>" + docxLine(c, "") + "</w:tc>")
		}
		b.WriteString("</w:tr>")
	}
	return b.String() + "</w:tbl>"
}

func docx(content string) []byte {
	return zipOf("[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"word/document.xml", `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`+content+`</w:body></w:document>`)
}

func xlsx(rows [][]string) []byte {
	var b strings.Builder
	for r, row := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, r+1)
		for c, text := range row {
			fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+c, r+1, html.EscapeString(text))
		}
		b.WriteString("</row>")
	}
	return zipOf("[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"xl/workbook.xml", `<?xml version="1.0"?><workbook xmlns:r="r"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/worksheets/sheet1.xml", `<?xml version="1.0"?><worksheet><sheetData>`+b.String()+`</sheetData></worksheet>`)
}

// Each everyday phrase is delivered at each place, in small letters and in capitals, and its
// twin, a mark of the same class at the same place, is refused.
func TestPairs(t *testing.T) {
	e := New(Options{Recorder: &recorder{}})
	judge := func(text string, d Direction) *Verdict {
		v, err := e.Judge(context.Background(), way(mailOf(text), d))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	n := 0
	for place, c := range carriers {
		for _, p := range pairs {
			texts := []string{p.phrase, strings.ToUpper(p.phrase[:1]) + p.phrase[1:], strings.ToUpper(p.phrase)}
			for _, s := range texts {
				for _, d := range []Direction{Internal, In, Out} {
					if v := judge(c.build(s), d); v.Action != Accept {
						t.Errorf("%s, %s: %q is %s, %s: %+v", place, d, s, v.Class, v.Action, v.Evidence)
					}
				}
			}
			for _, d := range []Direction{Internal, Across, Out, InGov} {
				s := c.mark(p.class.String())
				if v := judge(c.build(s), d); v.Action < SecureLink || v.Class != p.class {
					t.Errorf("%s, %s: the mark %q is %s, %s: %+v", place, d, s, v.Class, v.Action, v.Evidence)
				}
			}
			n++
		}
	}
	if n < 100 {
		t.Errorf("%d pairs", n)
	}
}

// What mail programs, gateways and people put around a tag hides nothing.
func TestTaggedSubjects(t *testing.T) {
	e := New(Options{Recorder: &recorder{}})
	for subject, want := range map[string]Class{
		"Bls: [RAHSIA] Mesyuarat":                       Rahsia,
		"[EXTERNAL] [RAHSIA] Mesyuarat":                 Rahsia,
		"FW: Re[2]: [EXTERNAL] Bls: [RAHSIA] Mesyuarat": Rahsia,
		"RE: FW: RAHSIA: Mesyuarat":                     Rahsia,
		"Mesyuarat (RAHSIA)":                            Rahsia,
		"(RAHSIA) Mesyuarat":                            Rahsia,
		"RAHSIA | Mesyuarat":                            Rahsia,
		"RAHSIA / Mesyuarat":                            Rahsia,
		"RAHSIA – Mesyuarat":                            Rahsia,
		"RAHSIA :: Mesyuarat":                           Rahsia,
		"RAHSIA >> Mesyuarat":                           Rahsia,
		"【RAHSIA】Mesyuarat":                             Rahsia,
		"<RAHSIA> Mesyuarat":                            Rahsia,
		"{RAHSIA} Mesyuarat":                            Rahsia,
		"#RAHSIA Mesyuarat":                             Rahsia,
		"Mesyuarat #RAHSIA":                             Rahsia,
		"Mesyuarat [RAHSIA]":                            Rahsia,
		"Mesyuarat - RAHSIA":                            Rahsia,
		"［ＲＡＨＳＩＡ］ Mesyuarat":                            Rahsia,
		"[R A H S I A]":                                 Rahsia,
		"[KLASIFIKASI: RAHSIA BESAR] Mesyuarat":         RahsiaBesar,
		"RAHSIA BESAR: Mesyuarat":                       RahsiaBesar,
		"[RAHSIA BESAR - SALINAN 1] Mesyuarat":          RahsiaBesar,
		"[SEGERA/RAHSIA] Mesyuarat":                     Rahsia,
		"SANGAT SEGERA / RAHSIA: Mesyuarat":             Rahsia,
		"RAHSIA / SECRET: Mesyuarat":                    Rahsia,
		"SULIT & PERSENDIRIAN: Tawaran":                 Sulit,
		"PRIVATE & CONFIDENTIAL: Letter of offer":       Sulit,
		"[SEC=SULIT] Mesyuarat":                         Sulit,
		"Klasifikasi: SULIT":                            Sulit,
		"SULIT: untuk tindakan segera":                  Sulit,
		"RAHSIA - UNTUK PERHATIAN KETUA SETIAUSAHA":     Rahsia,
		"RAHSIA": Rahsia,
	} {
		v, err := e.Judge(context.Background(), way(mailOf(plainMail(subject, body(""))), Internal))
		if err != nil || v.Class != want || v.Action < SecureLink {
			t.Errorf("%q is %v, %v, want %v: %+v, %v", subject, v.Class, v.Action, want, v.Evidence, err)
		}
		if strings.Contains(subject, "R A H") {
			continue // letters that stand apart are joined where they are alone
		}
		// The same, forwarded in the text.
		quoted := "Untuk makluman.\n\n-----Original Message-----\nFrom: A\nSent: 1 Mei 2026\nTo: B\nSubject: " + subject + "\n\n" + body("Tuan,")
		v, err = e.Judge(context.Background(), way(mailOf(plainMail("FW: Mesyuarat", quoted)), Internal))
		if err != nil || v.Class != want {
			t.Errorf("forwarded, %q is %v, %v: %+v, %v", subject, v.Class, v.Action, v.Evidence, err)
		}
	}
}

// A marked letter that was forwarded, or replied to, in the text.
func TestForwardedLetters(t *testing.T) {
	e := New(Options{Recorder: &recorder{}})
	letter := body("RAHSIA") + "\nRAHSIA\n"
	for name, text := range map[string]string{
		"Outlook":  "Untuk makluman.\n\n-----Original Message-----\nFrom: A\nSent: 1 Mei 2026\nTo: B\nSubject: Surat\n\n" + letter,
		"Malay":    "Untuk makluman.\n\nDari: A\nTarikh: 1 Mei 2026\nKepada: B\nPerkara: Surat\n\n" + letter,
		"quoted":   "Baik.\n\nPada 1 Mei 2026, A menulis:\n> " + strings.ReplaceAll(letter, "\n", "\n> "),
		"tag":      "Untuk makluman.\n\nBegin forwarded message:\n\nFrom: A\nSubject: Bls: [RAHSIA] Mesyuarat\nTo: B\n\n" + body("Tuan,"),
		"perkara":  "Untuk makluman.\n\nDaripada: A\nKepada: B\nPerkara: RAHSIA: Mesyuarat\n\n" + body("Tuan,"),
		"one line": "Untuk makluman.\n\n> RAHSIA\n",
	} {
		v, err := e.Judge(context.Background(), way(mailOf(plainMail("FW: Surat", text)), Internal))
		if err != nil || v.Class != Rahsia || v.Action != Reject {
			t.Errorf("%s: %v, %v: %+v, %v", name, v.Class, v.Action, v.Evidence, err)
		}
	}
}

// Letters that banks and lawyers head in English arrive; the same from government do not.
func TestEnglishHeads(t *testing.T) {
	e := New(Options{Recorder: &recorder{}})
	for _, head := range []string{"PRIVATE & CONFIDENTIAL", "PRIVATE AND CONFIDENTIAL", "STRICTLY PRIVATE & CONFIDENTIAL", "CONFIDENTIAL", "STRICTLY CONFIDENTIAL",
		"PERSONAL AND CONFIDENTIAL", "RESTRICTED", "- CONFIDENTIAL -", "CONFIDENTIAL (FOR ADDRESSEE ONLY)", "Private & Confidential\nCONFIDENTIAL", "HIGHLY CONFIDENTIAL",
		"WITHOUT PREJUDICE / CONFIDENTIAL"} {
		for d, want := range map[Direction]bool{In: true, InGov: false, Internal: false, Out: false} {
			for _, text := range []string{plainMail("Letter of offer", body(head)), attached("letter.docx", docx(docxLine(strings.Split(head, "\n")[0], "")+docxFilling))} {
				v, err := e.Judge(context.Background(), way(mailOf(text), d))
				if strings.Contains(head, "\n") && strings.Contains(text, "letter.docx") {
					continue
				}
				if err != nil || (v.Action == Accept) != want {
					t.Errorf("%s, %q: %v, %v: %+v, %v", d, head, v.Class, v.Action, v.Evidence, err)
				}
			}
		}
	}
}

func TestSteps(t *testing.T) {
	got := steps(`attachment 2 "a > b.zip" > kertas.docx > header1.xml`)
	if len(got) != 3 || got[0] != `attachment 2 "a > b.zip"` || got[2] != "header1.xml" {
		t.Errorf("%q", got)
	}
}
