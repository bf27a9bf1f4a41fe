package mark

import (
	"testing"

	"sampul/policy/extract"
)

// Texts of offices, shops, schools and programs that name the classes and are not marked.
func TestOpenTexts(t *testing.T) {
	f := body
	for name, p := range map[string]extract.Part{
		"minutes":          f("MINIT MESYUARAT PENGURUSAN BIL. 3/2026", "Tarikh: 1 Mei", "1. Perutusan Pengerusi", "2. Pengesahan minit", "3. Perkara berbangkit", "3.1 Dokumen RAHSIA hendaklah disimpan di peti besi.", "3.2 Semua dokumen SULIT hendaklah didaftar dalam Buku Daftar Am 492A.", "Tindakan: Pendaftar Rahsia", "Sekian"),
		"agenda":           f("AGENDA", "1. RAHSIA KEJAYAAN", "2. RAHSIA AWET MUDA", "3. SOAL JAWAB"),
		"quiz":             f("KUIZ KESELAMATAN", "1. Apakah peringkat tertinggi?", "A. RAHSIA BESAR", "B. RAHSIA", "C. SULIT", "D. TERHAD"),
		"quiz one line":    f("KUIZ", "Peringkat tertinggi ialah", "(A) RAHSIA BESAR (B) RAHSIA (C) SULIT (D) TERHAD"),
		"quiz2":            f("Apakah maksud SULIT?", "A", "B"),
		"film":             f("Filem minggu ini:", "SECRET", "TOP SECRET", "RAHSIA"),
		"films2":           f("Jadual tayangan", "8.00 malam - RAHSIA (drama)", "9.00 malam - Berita"),
		"glossary":         f("GLOSARI", "RAHSIA: perkara yang disembunyikan", "SULIT: sukar", "TERHAD: ada had"),
		"glossary1":        f("Istilah", "Rahsia - perkara yang disembunyikan daripada pengetahuan orang"),
		"english glossary": f("Glossary", "Confidential: shared in trust", "Restricted: limited access", "Secret: hidden"),
		"code":             f("enum Class {", "  RAHSIA_BESAR = 5,", "  RAHSIA = 4,", "  SULIT = 3,", "}"),
		"sql":              f("CREATE TABLE fail (klasifikasi ENUM('RAHSIA','SULIT','TERHAD'));", "INSERT INTO fail (klasifikasi) VALUES ('RAHSIA');", "SELECT * FROM fail WHERE klasifikasi = 'RAHSIA';"),
		"select":           f(`<option value="RAHSIA">RAHSIA</option>`, `<option>SULIT</option>`),
		"python":           f("CLASSES = [", "    'RAHSIA',", "    'SULIT',", "]"),
		"yaml":             f("classes:", "  - RAHSIA", "  - SULIT", "  - TERHAD"),
		"json enum":        f(`"enum": ["RAHSIA", "SULIT"],`, `"klasifikasi": {"type": "string"}`),
		"law":              f("Seksyen 2B Akta Rahsia Rasmi 1972 memperuntukkan bahawa Menteri boleh melantik pegawai awam untuk mengelaskan apa-apa suratan rasmi sebagai “Rahsia Besar”, “Rahsia”, “Sulit” atau “Terhad”, mengikut mana-mana yang berkenaan."),
		"notice":           f("E-mel anda disekat: subjek bertanda RAHSIA (insiden I-1).", "Blocked: the subject is marked RAHSIA; mail must not carry it."),
		"dsn":              f("This is the mail system at host mx.", "<a@b.test>: host mx.test[192.0.2.1] said: 550 5.7.1 Disekat: lampiran 2 bertanda RAHSIA (insiden 7K2M). Blocked: attachment 2 is marked RAHSIA. (in reply to end of DATA command)"),
		"exam talk":        f("Kertas soalan SULIT akan dihantar oleh pegawai pada hari Isnin.", "Sekian"),
		"perfume":          f("Senarai harga", "SECRET EDP 50ml RM 120", "TOP SECRET 100ml RM 200"),
		"disclaimer":       f("Salam", "Isi", "--", "CONFIDENTIALITY NOTICE: This email is confidential and may be privileged."),
		"disclaimer2":      f("Salam", "Isi", "PENAFIAN: E-mel ini dan lampirannya adalah sulit dan hanya untuk penerima yang dinamakan."),
		"company":          f("TELEKOM CONTOH BERHAD", "AMANAH RAYA TERHAD", "Jalan 1"),
		"invoice":          f("INVOIS", "Kepada: SYARIKAT PEMBEKAL JAYA TERHAD", "Jumlah: RM 20"),
		"crossword":        f("Melintang", "1. Lawan terbuka (6)", "Jawapan: RAHSIA"),
		"answer":           f("Jawapan: SULIT"),
		"song":             f("Tajuk: RAHSIA", "Penyanyi: A", "Album: B"),
		"book":             f("Judul: Rahsia", "Pengarang: A"),
		"seats":            f("Bengkel Fotografi", "TEMPAT TERHAD!", "Daftar segera"),
		"seats2":           f("Bengkel", "Bilangan peserta: TERHAD", "Yuran: RM10"),
		"seats3":           f("Bengkel", "Penyertaan - Terhad", "Yuran: RM10"),
		"offer":            f("TAWARAN ISTIMEWA", "MASA TERHAD", "Beli sekarang"),
		"open day":         f("HARI TERBUKA", "Sabtu"),
		"training":         f("Modul 2: Pengelasan dokumen", "• Rahsia Besar – kerosakan amat besar", "• Rahsia – membahayakan", "• Sulit – memudaratkan", "• Terhad – selain di atas"),
		"training one":     f("Nota kursus", "Apakah RAHSIA?", "Dokumen yang jika didedahkan tanpa kebenaran akan membahayakan keselamatan negara."),
		"register text":    f("Senarai fail dilupuskan:", "Fail A (RAHSIA)", "Fail B (SULIT)", "Fail C (TERHAD)"),
		"ref":              f("Rujukan: PM(R)10308/3/(24)", "Pekeliling Am Bil. 2 Tahun 1987"),
		"urusan":           f("URUSAN SERI PADUKA BAGINDA", "Tuan"),
		"secret ballot":    f("SECRET BALLOT", "Voting at noon"),
		"a shop":           one(extract.Subject, "The secret sale"),
		"sub1":             one(extract.Subject, "Secret: how to save"),
		"sub2":             one(extract.Subject, "Kursus pengendalian dokumen RAHSIA dan SULIT"),
		"sub3":             one(extract.Subject, "Panduan tag [RAHSIA] dan [SULIT] dalam subjek"),
		"sub4":             one(extract.Subject, "TERHAD: 50 tempat sahaja"),
		"sub5":             one(extract.Subject, "TERHAD! Tempahan kini dibuka"),
		"sub6":             one(extract.Subject, "Sulit - mencari kerja?"),
		"sub7":             one(extract.Subject, "SYARIKAT MAJU TERHAD - Invois Mei"),
		"sub8":             one(extract.Subject, "Invois Mei - SYARIKAT MAJU TERHAD"),
		"sub9":             one(extract.Subject, "Invois Mei (Syarikat Maju Terhad)"),
		"sub10":            one(extract.Subject, "Edisi Terhad (Limited)"),
		"sub11":            one(extract.Subject, "Makluman: e-mel anda disekat - bertanda RAHSIA"),
		"file1":            one(extract.FileName, "Secret Garden.epub"),
		"file2":            one(extract.FileName, "Terhad.xlsx"),
		"file3":            one(extract.FileName, "senarai_dokumen_RAHSIA_dan_SULIT.docx"),
		"file4":            one(extract.FileName, "RAHSIA KEK BATIK.pdf"),
		"file5":            one(extract.FileName, "Rahsia_Usahawan.pdf"),
		"file6":            one(extract.FileName, "Penyata Syarikat Maju Terhad.pdf"),
		"file7":            one(extract.FileName, "AKTA_RAHSIA_RASMI_1972.pdf"),
		"cells":            table([]string{"Peringkat", "Warna"}, []string{"Rahsia Besar", "Kuning"}, []string{"Rahsia", "Merah jambu"}, []string{"Sulit", "Hijau"}, []string{"Terhad", "Putih"}),
		"seats cell":       table([]string{"Kursus", "Tempat"}, []string{"A", "Terhad"}, []string{"B", "Terbuka"}),
		"kes":              table([]string{"Nama", "Tahap"}, []string{"Soalan 1", "Sulit"}),
		"status":           table([]string{"Barang", "Status"}, []string{"A", "TERHAD"}),
	} {
		v := Judge([]extract.Part{p})
		if v.Class > Terbuka || v.Suspicion > Terbuka {
			t.Errorf("%s: %v/%v %+v", name, v.Class, v.Suspicion, v.Findings)
		}
	}
}

// A mark alone on the first or last line, in the many ways in which one may be written.
func TestMarkedLines(t *testing.T) {
	f := func(first ...string) extract.Part {
		p := letter("Tuan,", "Sekian.")
		q := body(first...)
		q.Units = append(q.Units, p.Units...)
		return q
	}
	last := func(l ...string) extract.Part {
		p := letter("Tuan,", "Sekian.")
		q := body(l...)
		p.Units = append(p.Units, q.Units...)
		return p
	}
	for _, l := range []string{
		"*RAHSIA*", "# RAHSIA", "**RAHSIA**", "<RAHSIA>", "RAHSIA!!!", "=== RAHSIA ===", "RAHSIA RAHSIA RAHSIA", "« RAHSIA »",
		"[[RAHSIA]]", "~RAHSIA~", "RAHSIA\tSALINAN NO. 3 DARIPADA 8", "R\tA\tH\tS\tI\tA", "رهسيا", "رهـسـيـا", "رهسیا",
		"ﺭﻫﺴﻴﺎ", "ر ه س ي ا", "RAHSIA رهسيا", "رهسيا / RAHSIA", "Klasifikasi:RAHSIA", "Klasifikasi Surat: Rahsia.", "Taraf : RAHSIA",
		"DIKELASKAN SEBAGAI RAHSIA", "Klasifikasi dokumen ini: RAHSIA", "Surat ini ditaraf RAHSIA.", "Dokumen ini RAHSIA.",
		"SANGAT SEGERA – RAHSIA", "RAHSIA (SALINAN 3/5)", "RAHSIA – UNTUK MATA PEGAWAI MALAYSIA SAHAJA", "RAHSIA  Muka surat 2 daripada 9",
		"RAHSIA / SECRET", "SECRET (RAHSIA)", "NATO SECRET", "Security Classification: SECRET", "RAHSIA - DRAF", "DRAF / RAHSIA",
		"RaHsIa", "RАHSIА", "ꓣꓮꓧꓢꓲꓮ", "RＡHSIA", "𝕽𝖆𝖍𝖘𝖎𝖆", "ᴿᴬᴴˢᴵᴬ", "ʀᴀʜꜱɪᴀ", "R.A.H.S.I.A.", "R-A-H-S-I-A", "R_A_H_S_I_A",
		"R*A*H*S*I*A", "R/A/H/S/I/A", "( R A H S I A )", "R4HS1A", "R@HSI@", "RAHS!A", "|RAHSIA|", "RAHSIA.", "RAHSIA:",
		"KERTAS MESYUARAT INI DIKELASKAN SEBAGAI RAHSIA", "R\u00adA\u00adH\u00adS\u00adI\u00adA", "RAHSIA\u202c", "\u202eAISHAR", "\u200fRAHSIA\u200e",
		"[RAHSIA] Minit Mesyuarat", "🅡🅐🅗🅢🅘🅐", "🆁🅰🅷🆂🅸🅰", "🇷\u200b🇦\u200b🇭\u200b🇸\u200b🇮\u200b🇦", "(R)(A)(H)(S)(I)(A)", "RAHSIA 🔒", "⚠️ RAHSIA ⚠️",
		"Peringkat Keselamatan - RAHSIA", "PENGKELASAN: RAHSIA", "Tahap Keselamatan : Rahsia", "Kerahsiaan: RAHSIA",
		"Klasifikasi → RAHSIA", "KLASIFIKASI\tRAHSIA", "RAHSIA, SALINAN 2 DARIPADA 3", "Salinan No. 2 / RAHSIA", "RAHSIA 1/2026",
		"RAHSIA (sehingga 1.1.2030)", "Klasifikasi: [RAHSIA]", "Klasifikasi: **RAHSIA**", "Gred Keselamatan: RAHSIA",
		"RAH SIA", "RA HS IA",
	} {
		for n, p := range map[string]extract.Part{"first": f(l), "last": last(l)} {
			if v := Judge([]extract.Part{p}); v.Class < Rahsia {
				t.Errorf("%s %q: %v/%v %+v", n, l, v.Class, v.Suspicion, v.Findings)
			}
		}
	}
}
