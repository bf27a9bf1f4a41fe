package mark

import (
	"regexp"
	"strings"
)

// A Class of official secrets, or Terbuka for an explicit mark of openness.
type Class uint8

const (
	None Class = iota
	Terbuka
	Terhad
	Sulit
	Rahsia
	RahsiaBesar
)

// words are the class words, in Malay and English.
var words = map[string]Class{
	"RAHSIA BESAR": RahsiaBesar, "RAHSIABESAR": RahsiaBesar, "TOP SECRET": RahsiaBesar, "TOPSECRET": RahsiaBesar,
	"RAHSIA": Rahsia, "SECRET": Rahsia, "SULIT": Sulit, "CONFIDENTIAL": Sulit,
	"TERHAD": Terhad, "RESTRICTED": Terhad, "TERBUKA": Terbuka,
}

var english = map[string]bool{"TOP SECRET": true, "TOPSECRET": true, "SECRET": true, "CONFIDENTIAL": true, "RESTRICTED": true}

// The grammar of classification.md section 5.3, on text in capitals.
const (
	deco  = `[\s\-*=_#>~|()\[\]{}<>"'.:•·●▪■◆★!/\\+^«»“”‘’]*`
	class = `(RAHSIA ?BESAR|TOP ?SECRET|RAHSIA|SULIT|TERHAD|TERBUKA|SECRET|CONFIDENTIAL|RESTRICTED)`
	prec  = `(?:(?:SANGAT SEGERA|AMAT SEGERA|SEGERA|KILAT|URGENT|IMMEDIATE|URUSAN (?:SERI PADUKA BAGINDA|KERAJAAN)|DOKUMEN|KERTAS|SURAT)[/,\s\-–—]+)*`
	tails = `(?:[/(\s,\-–—|]+(?:` +
		`RAHSIA ?BESAR|TOP ?SECRET|RAHSIA|SULIT|TERHAD|TERBUKA|SECRET|CONFIDENTIAL|RESTRICTED|` +
		`DRAF|DRAFT|RASMI|TANGAN KE TANGAN|BY HAND|` +
		`(?:SALINAN|COPY)(?: ?NO\.?| ?BIL\.?)? ?:? ?\d+ ?(?:DARIPADA|DRPD|OF|/) ?\d+|` +
		`(?:PAGE|MUKA SURAT|M/S|MS|HALAMAN|HLM\.?)[.:]? ?\d+(?: ?(?:DARIPADA|OF|/) ?\d+)?|` +
		`[A-Z]{0,4}\d{1,5}(?:[/-]\d{1,5}){0,3}(?: ?(?:DARIPADA|OF|/) ?\d+)?` +
		`)\)?)*`
	label = `(?:KLASIFIKASI(?: (?:KESELAMATAN|DOKUMEN|MAKLUMAT|SURAT|FAIL|E-?MEL))*|PENGELASAN(?: (?:KESELAMATAN|DOKUMEN))*|` +
		`PERINGKAT(?: (?:KESELAMATAN|DOKUMEN|PENGELASAN|KERAHSIAAN|KLASIFIKASI))*|(?:DARJAH|TARAF|TAHAP|KATEGORI|KELAS)(?: (?:KESELAMATAN|PENGELASAN|KERAHSIAAN|KLASIFIKASI))+|` +
		`(?:SECURITY |DOCUMENT )*CLASSIFICATION(?: LEVEL)?|SECURITY (?:LEVEL|MARKING|GRADING)|PROTECTIVE MARKING|SEC)`
)

var (
	markUnit  = regexp.MustCompile(`^` + deco + prec + class + tails + deco + `$`)
	fieldUnit = regexp.MustCompile(`^` + deco + label + `\s*[:=|\-–—]+\s*` + deco + prec + class + tails + deco + `$`)
	labelUnit = regexp.MustCompile(`^` + deco + label + deco + `$`)
	saysUnit  = regexp.MustCompile(`\b(?:DOKUMEN|SURAT|KERTAS(?: KERJA| KABINET)?|E-?MEL|MESEJ|MEMO|LAPORAN|MINIT(?: MESYUARAT)?|FAIL|LAMPIRAN|NOTA|SLAID|TAKLIMAT|HELAIAN|MAKLUMAT)` +
		`(?: [A-Z]+)? INI (?:(ADALAH|TELAH|IALAH|MERUPAKAN|HENDAKLAH) )?(?:(DIKELASKAN|DIPERINGKATKAN|DITARAFKAN|DIGREDKAN|DIKATEGORIKAN|BERTARAF|BERPERINGKAT|BERKLASIFIKASI|BERTANDA) )?` +
		`(?:(?:SEBAGAI|PADA|DI|DENGAN|PERINGKAT|KLASIFIKASI|TARAF|DOKUMEN|MAKLUMAT) )*["'(\[]?` + class + `["')\]]?(.*)$`)
	saysEnglish = regexp.MustCompile(`THIS (?:DOCUMENT|LETTER|PAPER|E-?MAIL|MESSAGE|MEMO|REPORT|FILE|ATTACHMENT) (IS |HAS BEEN |WAS )(CLASSIFIED|GRADED|MARKED)? ?(?:AS )?["'(\[]?` + class + `["')\]]?(.*)$`)

	replyPrefix = regexp.MustCompile(`^(?:(?:RE|FW|FWD|BLS|BALAS|AW|WG|TR|SV|MAJU|PANJANG)(?:\[\d+\])?\s*:\s*)+`)
	tagBracket  = regexp.MustCompile(`\[\s*(?:(?:` + label + `|KLAS|MARKING)\s*[:=]\s*)?` + class + `\b([^\]]*)\]`)
	tagStart    = regexp.MustCompile(`^\s*[(*"'\-]*` + class + `[)*"']*\s*(:|\s[-–—|/]\s|\|)\s*(\S.*)$`)
	tagEnd      = regexp.MustCompile(`[\s_\-.](?:\(` + class + `\)|\{` + class + `\}|[-–—|/]\s*` + class + `)\s*$`)
	nameStart   = regexp.MustCompile(`^[\s(\[*_\-]*` + class + `([)\]*]*\s*[_\-–—.]+\s*|[)\]]\s*|\s+)(\S.*)?$`)

	boxed = regexp.MustCompile(`(\[\s*[X/V√✓✔*]\s*\]|\(\s*[X/V√✓✔*]\s*\)|☒|☑|✓|✔|√|■|⊠|🗹|🗷|●|◉)|(\[\s*[_.]?\s*\]|\(\s*\)|☐|□|○|◯|▢)`)

	numbered  = regexp.MustCompile(`^` + deco + class + `[\s\-–—]+\d{1,3}` + deco + `$`)
	classWord = regexp.MustCompile(`\b` + class + `\b`)
	leading   = regexp.MustCompile(`^` + deco + `(?:[0-9IVXA-Z]{1,4}[.)]\s+)?` + class + `\b`)
	copyOf    = regexp.MustCompile(`(?:SALINAN|COPY)(?: ?NO\.?)? ?\d+ (?:DARIPADA|OF) \d+|TANGAN KE TANGAN|BUKU DAFTAR (?:AM )?492`)
	introduce = regexp.MustCompile(`\b(?:CONTOH|MISALNYA|EXAMPLE|SAMPLE|TEMPLAT|TEMPLATE|ISTILAH|GLOSARI|SEPERTI|BERIKUT|IAITU|LATIHAN|FORMAT|KOD WARNA|PILIHAN|SENARAI)\b`)

	again   = regexp.MustCompile(`(?:DIKELASKAN SEMULA|DITURUNKAN (?:KELAS |TARAF |PERINGKAT )?|DINAIKKAN (?:KELAS |TARAF |PERINGKAT )?|PENGELASAN SEMULA|RECLASSIFIED|DOWNGRADED|UPGRADED|DECLASSIFIED|DIBUKA KELAS|DIISYTIHAR TERBUKA|PERINGKAT BAHARU|KLASIFIKASI BAHARU|KELAS BAHARU)[^.]*?` + class)
	dated   = regexp.MustCompile(`\d{1,2}[./ \-](?:\d{1,2}|[A-Z]{3,10})[./ \-]\d{2,4}|\d{4}-\d{2}-\d{2}`)
	byWhom  = regexp.MustCompile(`\b(?:OLEH|KUASA|KEBENARAN|SURAT|RUJ|KETUA|PENGARAH|PEGAWAI|SETIAUSAHA|BY|AUTHORITY)\b`)
	wasOnce = regexp.MustCompile(`\b(?:ASAL|ORIGINAL|LAMA|SEBELUM INI|PREVIOUSLY|DAHULU)\b`)
)

// hypotheses are words before a statement that make it none.
var hypothesis = regexp.MustCompile(`\b(?:JIKA|SEKIRANYA|APABILA|SAMA ADA|KALAU|BUKAN|TIDAK|IF|WHETHER|NOT|WHEN|UNLESS|CONTOH|APAKAH|ADAKAH|MENGAPA|KENAPA)\b`)

// after says which words after a statement make it one about something else: "sulit untuk
// difahami", "terhad kepada", "confidential and intended for".
var after = regexp.MustCompile(`^\s*(?:UNTUK|KEPADA|DI(?:LALUI|FAHAMI|BACA)|DAN HANYA|AND|OR|TO|FOR|ATAU|KERANA|SEHINGGA|BAGI|INFORMATION|BILANGAN|MASA|SAHAJA)\b`)

// everyday phrases, for tags and file names alone (section 5.5): kept short, since whoever
// knows the list can hide behind it.
var everyday = regexp.MustCompile(`^(?:KEJAYAAN|DAPUR|PERNIAGAAN|UMUR|KECANTIKAN|AWET|RESIPI|RESEPI|MASAKAN|NASI|CINTA|BAHAGIA|KEBAHAGIAAN|HATI|ALAM|HIDUP|KURUS|LANGSING|SIHAT|KESIHATAN|SUKSES|SANTA|RECIPE|GARDEN|MISSION|PARKING|AREA|TIDUR|WASTE|COUNSELLING|RASMI|KEPADA|UNTUK|MASA|STOK)\b`)

// classes are the different classes named in text, in capitals.
func classes(upper string) map[Class]bool {
	out := map[Class]bool{}
	for _, w := range classWord.FindAllString(upper, 50) {
		out[words[w]] = true
	}
	return out
}

// asWritten is how the class word stands in the original: capitals, a capital first, or
// neither.
type letterCase uint8

const (
	lower letterCase = iota
	title
	capitals
)

func asWritten(caps, word string) letterCase {
	i := strings.Index(strings.ToUpper(caps), word)
	if i < 0 || i+len(word) > len(caps) {
		return capitals // joined or disguised letters: there is no doubt about the intent
	}
	w := caps[i : i+len(word)]
	switch {
	case w == strings.ToUpper(w):
		return capitals
	case w[:1] == strings.ToUpper(w[:1]):
		return title
	}
	return lower
}
