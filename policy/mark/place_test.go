package mark

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sampul/policy/extract"
)

// A disguise changes how a mark is written, and not what a person reads.
var disguises = map[string]func(string) string{
	"none":           func(s string) string { return s },
	"dashes":         func(s string) string { return "- " + s + " -" },
	"stars":          func(s string) string { return "*** " + s + " ***" },
	"brackets":       func(s string) string { return "(" + s + ")" },
	"lenticular":     func(s string) string { return "【" + s + "】" },
	"boxes around":   func(s string) string { return "■ " + s + " ■" },
	"a siren":        func(s string) string { return "🔴 " + s + " 🔴" },
	"stop":           func(s string) string { return s + "." },
	"letters apart":  func(s string) string { return strings.Join(strings.Split(s, ""), " ") },
	"wide apart":     func(s string) string { return strings.Join(strings.Split(s, ""), "  ") },
	"dots":           func(s string) string { return strings.Join(strings.Split(strings.ReplaceAll(s, " ", ""), ""), ".") },
	"middle dots":    func(s string) string { return strings.Join(strings.Split(strings.ReplaceAll(s, " ", ""), ""), "·") },
	"underscores":    func(s string) string { return strings.Join(strings.Split(strings.ReplaceAll(s, " ", ""), ""), "_") },
	"digits":         func(s string) string { return strings.NewReplacer("A", "4", "I", "1", "E", "3").Replace(s) },
	"more digits":    func(s string) string { return strings.NewReplacer("S", "5", "O", "0", "T", "7").Replace(s) },
	"no width":       func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
	"joiners":        func(s string) string { return strings.Join(strings.Split(s, ""), "\u2060") },
	"soft hyphens":   func(s string) string { return strings.Join(strings.Split(s, ""), "\u00ad") },
	"variations":     func(s string) string { return strings.Join(strings.Split(s, ""), "\ufe0f") + "\ufe0f" },
	"tags":           func(s string) string { return strings.Join(strings.Split(s, ""), "\U000e0041") },
	"Hangul fillers": func(s string) string { return strings.Join(strings.Split(s, ""), "\u3164") },
	"braille blanks": func(s string) string { return strings.Join(strings.Split(s, ""), "\u2800") },
	"controls":       func(s string) string { return strings.Join(strings.Split(s, ""), "\x02") },
	"no break":       func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	"accents": func(s string) string {
		return strings.NewReplacer("A", "Á", "I", "ï", "E", "È", "U", "Ü").Replace(s)
	},
	"piled accents": func(s string) string { return strings.Join(strings.Split(s, ""), "\u0336\u0301") },
	"full width":    func(s string) string { return moved(s, 'Ａ') },
	"mathematical":  func(s string) string { return moved(s, '𝐀') },
	"script":        func(s string) string { return moved(s, '𝓐') },
	"circled":       func(s string) string { return moved(s, 'Ⓐ') },
	"squared":       func(s string) string { return moved(s, '🄰') },
	"black squares": func(s string) string { return moved(s, '🅰') },
	"black circles": func(s string) string { return moved(s, '🅐') },
	"parenthesised": func(s string) string { return moved(s, '🄐') },
	"regional":      func(s string) string { return moved(s, '🇦') },
	"Cyrillic": func(s string) string {
		return strings.NewReplacer("A", "А", "H", "Н", "E", "Е", "T", "Т", "O", "О").Replace(s)
	},
	"Greek": func(s string) string {
		return strings.NewReplacer("A", "Α", "H", "Η", "I", "Ι", "E", "Ε", "T", "Τ").Replace(s)
	},
	"Cherokee": func(s string) string {
		return strings.NewReplacer("A", "Ꭺ", "R", "Ꭱ", "S", "Ꮪ", "H", "Ꮋ").Replace(s)
	},
	"Lisu": func(s string) string {
		return strings.NewReplacer("A", "ꓮ", "R", "ꓣ", "S", "ꓢ", "L", "ꓡ").Replace(s)
	},
	"Armenian": func(s string) string {
		return strings.NewReplacer("S", "Տ", "U", "Ս", "O", "Օ", "L", "Լ").Replace(s)
	},
	"turned over": func(s string) string { return "\u202e" + backwards(s) + "\u202c" },
	"small L":     func(s string) string { return strings.ReplaceAll(s, "I", "l") },
	"a bar":       func(s string) string { return strings.ReplaceAll(s, "I", "|") },
	"stroked":     func(s string) string { return strings.NewReplacer("H", "Ħ", "T", "Ŧ", "O", "Ø").Replace(s) },
	"both languages": func(s string) string {
		return s + " / " + map[string]string{"RAHSIA": "SECRET", "RAHSIA BESAR": "TOP SECRET", "SULIT": "CONFIDENTIAL", "TERHAD": "RESTRICTED"}[s]
	},
	"precedence":       func(s string) string { return "SANGAT SEGERA / " + s },
	"copy number":      func(s string) string { return s + "   Salinan 2 daripada 6" },
	"page number":      func(s string) string { return s + "  Muka surat 2 daripada 9" },
	"paper code":       func(s string) string { return s + " 1103/2" },
	"draft":            func(s string) string { return s + " (DRAF)" },
	"caveat":           func(s string) string { return s + " – UNTUK MATA PEGAWAI MALAYSIA SAHAJA" },
	"until":            func(s string) string { return s + " sehingga dibentangkan di Parlimen" },
	"copy in brackets": func(s string) string { return s + " (SALINAN 3/5)" },
	"business":         func(s string) string { return "URUSAN SERI PADUKA BAGINDA – " + s },
	"hand":             func(s string) string { return s + " - TANGAN KE TANGAN" },
}

func moved(s string, a rune) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return a + r - 'A'
		}
		return r
	}, s)
}

func backwards(s string) string {
	r := []rune(s)
	for a, b := 0, len(r)-1; a < b; a, b = a+1, b-1 {
		r[a], r[b] = r[b], r[a]
	}
	return string(r)
}

// fillers are lines of letters, with the class words in their everyday sense among them.
var fillers = []string{
	"Tuan,", "Dengan hormatnya perkara di atas adalah dirujuk.", "2. Mesyuarat akan diadakan pada hari Isnin di Bilik Cempaka.",
	"Tempat duduk adalah terhad kepada 50 orang sahaja.", "Soalan ini sulit untuk dijawab tanpa maklumat lanjut.",
	"Ketua Pengarah berkongsi rahsia kejayaan beliau dengan para peserta.", "Sila rujuk Akta Rahsia Rasmi 1972 [Akta 88].",
	"Ruj. Kami: ABC.600-4/2/7 Jld. 2 (12)", "Sekian, terima kasih.", "Saya yang menjalankan amanah,", "s.k. Fail timbul",
	"1) Semua kakitangan diminta mengisi borang.", "Bil. Perkara Tarikh", "https://www.contoh.test/borang?id=12",
	"Kos ini tidak termasuk cukai. Tawaran terhad!", "Undi sulit akan dijalankan selepas ucapan perasmian.",
}

// Whatever the disguise and the place, a mark in a letter is found.
func TestMarksEverywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func(n int) (out []extract.Unit) {
		for range n {
			out = append(out, extract.Unit{Place: extract.Paragraph, Text: fillers[rng.IntN(len(fillers))]})
		}
		return out
	}
	places := map[string]func(string) extract.Part{
		"first line": func(s string) extract.Part {
			return extract.Part{Units: append([]extract.Unit{{Place: extract.Paragraph, Text: s}}, text(12)...)}
		},
		"third line": func(s string) extract.Part {
			return extract.Part{Units: append(append(text(2), extract.Unit{Place: extract.Paragraph, Text: s}), text(12)...)}
		},
		"last line": func(s string) extract.Part {
			return extract.Part{Units: append(text(12), extract.Unit{Place: extract.Paragraph, Text: s})}
		},
		"heading": func(s string) extract.Part {
			return extract.Part{Units: append([]extract.Unit{{Place: extract.Heading, Text: s}}, text(12)...)}
		},
		"page header": func(s string) extract.Part { return one(extract.PageHeader, s) },
		"page footer": func(s string) extract.Part { return one(extract.PageFooter, "Jabatan Contoh\t"+s+"\tMuka 1") },
		"master":      func(s string) extract.Part { return one(extract.Master, s) },
		"watermark":   func(s string) extract.Part { return one(extract.Watermark, s) },
		"stamp":       func(s string) extract.Part { return one(extract.Stamp, s) },
		"field": func(s string) extract.Part {
			return extract.Part{Units: append(append(text(8), extract.Unit{Place: extract.Paragraph, Text: "Klasifikasi : " + s}), text(8)...)}
		},
		"cell": func(s string) extract.Part {
			return table([]string{"Tajuk", "Laporan"}, []string{"Peringkat Keselamatan", s}, []string{"Tarikh", "1 Mei 2026"})
		},
		"first cell": func(s string) extract.Part {
			return table([]string{s}, []string{"Bil", "Nama", "Jawatan"}, []string{"1", "A", "B"})
		},
		"picture": func(s string) extract.Part {
			p := extract.Part{Units: []extract.Unit{{Place: extract.OCRLine, Text: s, Style: extract.Large, Page: 1}}}
			for _, u := range text(20) {
				u.Place, u.Page = extract.OCRLine, 1
				p.Units = append(p.Units, u)
			}
			return p
		},
		"head of page 3": func(s string) extract.Part {
			var p extract.Part
			for page := 1; page <= 5; page++ {
				if page == 3 {
					p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Text: s, Page: page})
				}
				for _, u := range text(20) {
					u.Page = page
					p.Units = append(p.Units, u)
				}
			}
			return p
		},
		"subject":   func(s string) extract.Part { return one(extract.Subject, "Bls: [EXTERNAL] ["+s+"] Mesyuarat") },
		"file name": func(s string) extract.Part { return one(extract.FileName, "["+s+"] laporan.pdf") },
		"property":  func(s string) extract.Part { return one(extract.Metadata, "Klasifikasi: "+s) },
		"header":    func(s string) extract.Part { return one(extract.HeaderField, "X-Klasifikasi: "+s) },
	}
	// What is undone only where a mark stands alone.
	alone := map[string]bool{"letters apart": true, "wide apart": true, "dots": true, "middle dots": true, "underscores": true, "digits": true,
		"more digits": true, "small L": true, "a bar": true, "parenthesised": true, "braille blanks": true, "squared": false}
	lines := map[string]bool{"first line": true, "third line": true, "last line": true, "heading": true, "page header": true, "master": true,
		"watermark": true, "stamp": true, "first cell": true, "picture": true, "head of page 3": true}
	for word, class := range map[string]Class{"RAHSIA BESAR": RahsiaBesar, "RAHSIA": Rahsia, "SULIT": Sulit, "TERHAD": Terhad} {
		if testing.Short() && class != RahsiaBesar && class != Sulit {
			continue
		}
		for place, build := range places {
			for name, d := range disguises {
				if alone[name] && !lines[place] {
					continue
				}
				if (place == "subject" || place == "file name") && strings.Contains("brackets lenticular copy in brackets precedence business turned over boxes around draft page number paper code", name) {
					continue
				}
				s := d(word)
				p := build(s)
				p.Path = "x"
				if v := Judge([]extract.Part{p}); v.Class != class {
					t.Errorf("%s, %s, %s: %q is class %v: %+v", word, place, name, s, v.Class, v.Findings)
				}
			}
		}
	}
}

// Everyday texts, in every place where they may stand, are no marks.
func TestMentionsEverywhere(t *testing.T) {
	phrases := []string{
		"Akta Rahsia Rasmi", "maklumat rahsia rasmi", "suratan rahsia rasmi", "Rahsia Rasmi", "Pendaftar Rahsia", "kerahsiaan", "dirahsiakan", "perahsia",
		"rahsia kejayaan", "rahsia dapur", "rahsia perniagaan", "rahsia umur", "rahsia kecantikan", "rahsia awet muda", "rahsia resipi",
		"rahsia nasi lemak", "kunci rahsia", "undi sulit", "penyakit sulit", "anggota sulit", "keadaan sulit", "sulit tidur", "sulit dilalui",
		"sulit untuk difahami", "bersulit", "penyulitan", "kesulitan", "masa terhad", "stok terhad", "tempat terhad", "tawaran terhad",
		"edisi terhad", "had terhad", "adalah terhad", "amat terhad", "tidak terhad", "terhad kepada 50 orang", "Syarikat Maju Terhad",
		"Bina Jaya Sdn. Bhd.", "Koperasi Pekerja Berhad", "hari terbuka", "tender dibuka", "sebut harga dibuka", "secret santa", "secret recipe",
		"top secret mission", "restricted area", "restricted parking", "confidential waste", "confidential counselling", "Rumah terbuka",
		"Rahsia Sambal Tumis Nenek", "Rahsia Kek Lapis Sarawak", "Resipi Rahsia Mak Tok", "Novel: Rahsia", "Secret Garden", "Top Secret!",
		"RAHSIA?", "Apakah rahsia anda?", "5 rahsia usahawan berjaya", "Sulit ke soalan ini?",
	}
	places := map[string]func(string) extract.Part{
		"subject":    func(s string) extract.Part { return one(extract.Subject, s) },
		"reply":      func(s string) extract.Part { return one(extract.Subject, "Bls: [EXTERNAL] "+s) },
		"file name":  func(s string) extract.Part { return one(extract.FileName, s+".pdf") },
		"underlined": func(s string) extract.Part { return one(extract.FileName, strings.ReplaceAll(s, " ", "_")+".pdf") },
		"first line": func(s string) extract.Part { return letter(s, "Sekian.") },
		"last line":  func(s string) extract.Part { return letter("Tuan,", s) },
		"both ends":  func(s string) extract.Part { return letter(s, s) },
		"heading": func(s string) extract.Part {
			p := letter("", "Sekian.")
			p.Units[0] = extract.Unit{Place: extract.Heading, Text: s}
			return p
		},
		"page header": func(s string) extract.Part { return one(extract.PageHeader, s) },
		"cell":        func(s string) extract.Part { return table([]string{"Bil", "Perkara"}, []string{"1", s}) },
		"first cell":  func(s string) extract.Part { return table([]string{s}, []string{"Bil", "Perkara"}) },
		"list item": func(s string) extract.Part {
			return extract.Part{Path: "x", Units: []extract.Unit{{Place: extract.ListItem, Text: "Mesyuarat", List: 1}, {Place: extract.ListItem, Text: s, List: 1}}}
		},
		"stamp": func(s string) extract.Part { return one(extract.Stamp, s) },
		"picture": func(s string) extract.Part {
			return extract.Part{Path: "x", Units: []extract.Unit{{Place: extract.OCRLine, Text: s, Style: extract.Large}, {Place: extract.OCRLine, Text: "Dewan serba guna"}}}
		},
	}
	for place, build := range places {
		for _, s := range phrases {
			for _, text := range []string{s, strings.ToUpper(s), strings.ToUpper(s[:1]) + s[1:]} {
				if place == "underlined" && strings.ContainsAny(s, "?!:") || strings.EqualFold(s, "top secret!") && (text == strings.ToUpper(s) || place == "page header") ||
					strings.EqualFold(s, "rahsia rasmi") && place == "page header" {
					continue
				}
				if v := Judge([]extract.Part{build(text)}); v.Class > Terbuka || v.Suspicion > Terbuka {
					t.Errorf("%s: %q is class %v, suspicion %v: %+v", place, text, v.Class, v.Suspicion, v.Findings)
				}
			}
		}
	}
}

func ExampleVerdict() {
	v := Judge([]extract.Part{{Path: "body", Units: []extract.Unit{{Place: extract.Paragraph, Where: "line 1", Text: "- R A H S I A -"}}}})
	fmt.Println(v.Class, v.Findings[0].Rule, v.Findings[0].Where)
	// Output: RAHSIA E4 line 1
}
