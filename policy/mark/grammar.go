package mark

import (
	"regexp"
	"strings"
	"unicode"
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

func (c Class) String() string {
	return [...]string{"", "TERBUKA", "TERHAD", "SULIT", "RAHSIA", "RAHSIA BESAR"}[min(c, RahsiaBesar)]
}

// The grammar of classification.md section 5.3, on text in capitals. What its items are
// stands in grammar/*.txt.
var (
	// deco is what stands around a mark to adorn it: anything but letters, digits and the
	// signs of a question, a list, an amount or an address.
	deco    = `[^\pL\pN?&%$,;@]*`
	between = `[\s/,\-–—|:&()+*.\]\[~]+` // between the pieces of a mark

	class  = func() string { return "(" + strings.TrimPrefix(classWords(), "(?:") }()
	before = `((?:` + anyOf("around", "before") + `!?` + between + `)*)`
	nouns  = `((?:` + anyOf("around", "nouns") + ` )?)`
	behind = `((?:` + between + `(?:` + classWords() + `|` + anyOf("around", "behind") + `)[)\]]*)*)`
	label  = anyOf("fields", "strong")
	weak   = anyOf("fields", "weak")
)

// classWords are all class words, the longer before what they begin with.
func classWords() string {
	var w []string
	for _, row := range section("classes", "words") {
		w = append(w, strings.ReplaceAll(row[0], " ", " ?"))
	}
	return "(?:" + strings.Join(w, "|") + ")"
}

const (
	// Groups of markUnit.
	inBefore, inNoun, inClass, inBehind = 1, 2, 3, 4
)

var (
	markUnit = regexp.MustCompile(`^` + deco + before + nouns + class + behind + deco + `$`)

	// fieldUnit: strong label, weak label, class.
	fieldSep  = `["'*)\]\s]*[:=|>\-–—→⇒]+\s*`
	fieldUnit = regexp.MustCompile(`^` + deco + `(?:(?:` + anyLabel + `[/(\s]+)?(` + label + `)\)?|(` + weak + `))` + fieldSep +
		deco + `(?:` + before + nouns + class + behind + `)` + deco + `[,;]?$`)
	gapUnit   = regexp.MustCompile(`^` + deco + `(` + label + `)\s+` + class + deco + `$`)
	anyLabel  = `(?:` + label + `|` + weak + `)`
	labelUnit = regexp.MustCompile(`^` + deco + `(?:` + anyLabel + `[/(\s]+)?(?:(` + label + `)|` + weak + `)\s*\)?[^\pL\pN?]*$`)

	things   = anyOf("statements", "things")
	saysUnit = regexp.MustCompile(`\b` + things + `(?: [A-Z]+)? INI (?:(` + anyOf("statements", "copulas") + `) )?(?:(` + anyOf("statements", "verbs") + `) )?(?:` +
		anyOf("statements", "as") + ` )*["'(\[*]*` + class + `\b["')\]*]*(.*)$`)
	saysLabel   = regexp.MustCompile(`\b` + label + ` (?:BAGI |UNTUK )?` + things + ` INI ?(ADALAH|IALAH|MERUPAKAN|:) ?()["'(\[*]*` + class + `\b["')\]*]*(.*)$`)
	saysEnglish = regexp.MustCompile(`\bTH(?:IS|E (?:INFORMATION|CONTENTS?) (?:CONTAINED )?(?:IN|OF) THIS) ` + anyOf("statements", "english things") +
		` (IS |ARE |HAS BEEN |HAVE BEEN |WAS |SHALL BE |MUST BE )(` + anyOf("statements", "english verbs") + ` )?(?:AS )?["'(\[*]*` + class + `\b["')\]*]*(.*)$`)

	numbered  = regexp.MustCompile(`^` + deco + class + `[\s\-–—#.:]+(?:NO\.? ?)?\d{1,3}` + deco + `$`)
	classWord = regexp.MustCompile(`\b` + class + `\b`)
	limited   = regexp.MustCompile(`(?:EDARAN|SEBARAN) TERHAD`) // "limited circulation": a caveat, no class
	// leading is a line that names a class as a list does: alone, or with its meaning.
	leading   = regexp.MustCompile(`^` + deco + `(?:[0-9IVXA-Z]{1,4}[.)]\s+)?` + class + `(?:\s*[-–—:=(|,/."'\])]|\s*$|\s+(?:IALAH|ADALAH|BERMAKSUD|BERMAKNA|MEANS|IS)\b)`)
	introduce = regexp.MustCompile(`\b` + anyOf("mentions", "introduces") + `\b`)

	copyNumber = regexp.MustCompile(`\b(?:SALINAN|COPY|NASKHAH)(?: ?NO\.?| ?BIL\.?| ?KE-?)? ?:? ?\d+ ?(?:DARIPADA|DRPD|OF|/) ?\d+`)
	byHand     = regexp.MustCompile(`\b(?:TANGAN KE TANGAN|BY HAND)\b`)
	secretBook = regexp.MustCompile(`\b(?:BUKU DAFTAR|DAFTAR) (?:AM )?492`)
	ownRef     = regexp.MustCompile(`^` + deco + `(?:RUJ(?:UKAN)?\.? KAMI|(?:NO\.? )?RUJ(?:UKAN)?\.?(?: FAIL)?|OUR REF(?:ERENCE)?\.?|NO\.? FAIL)\s*[:.]+\s*(\S.*)$`)
	refLetter  = regexp.MustCompile(`[(.]([A-Z]{1,3})[).]`)

	again   = regexp.MustCompile(anyOf("statements", "again") + `[^.]*?` + class)
	dated   = regexp.MustCompile(`\d{1,2}[./ \-](?:\d{1,2}|[A-Z]{3,10})[./ \-]\d{2,4}|\d{4}-\d{2}-\d{2}`)
	byWhom  = regexp.MustCompile(`\b(?:OLEH|KUASA|KEBENARAN|SURAT|RUJ|KETUA|PENGARAH|PEGAWAI|SETIAUSAHA|BY|AUTHORITY)\b`)
	wasOnce = regexp.MustCompile(`\b(?:ASAL|ASALNYA|ORIGINAL|ORIGINALLY|LAMA|SEBELUM INI|PREVIOUSLY|DAHULU)\b`)

	hypothesis = regexp.MustCompile(`\b` + anyOf("mentions", "hypothesis") + `\b`)
	after      = regexp.MustCompile(`^\s*` + anyOf("mentions", "everyday statement") + `\b`)
	disclaimer = regexp.MustCompile(`\b` + anyOf("mentions", "disclaimer") + `\b`)
	everyday   = regexp.MustCompile(`^\W*` + anyOf("mentions", "goes on") + `\b`)
	sentence   = regexp.MustCompile(`^\W*` + anyOf("mentions", "sentence") + `\b`)
	act        = regexp.MustCompile(`^\W*` + anyOf("mentions", "act") + `\b`)
	creator    = regexp.MustCompile(`^\W*` + anyOf("mentions", "creators") + `\b`)
	lineAbove  = regexp.MustCompile(`(?:^|\s)` + anyOf("mentions", "line above") + `$`)
	titleGoes  = regexp.MustCompile(`^\W*` + anyOf("mentions", "next line") + `\b`)
	offer      = regexp.MustCompile(`^\W*` + anyOf("mentions", "offers") + `\b`)
	newsletter = regexp.MustCompile(`^\W*` + anyOf("mentions", "newsletter") + `\b`)
	office     = regexp.MustCompile(`^\W*` + anyOf("mentions", "office") + `\b`)
	firm       = regexp.MustCompile(`\b` + anyOf("mentions", "firms") + `\b`)
)

// openers are the words with which a mark can begin.
var openers = func() map[string]bool {
	out := map[string]bool{}
	for _, pattern := range []string{classWords(), anyOf("around", "before"), anyOf("around", "nouns")} {
		for _, w := range regexp.MustCompile(`[A-Z]+`).FindAllString(pattern, -1) {
			out[w] = true
		}
	}
	for w := range words {
		out[w] = true
	}
	out["DRAF"] = true
	return out
}()

// opens is quick: whether a mark can begin as text does.
func opens(s string) bool {
	i := strings.IndexFunc(s, unicode.IsLetter)
	if i < 0 {
		return false
	}
	end := i
	for end < len(s) && s[end] >= 'A' && s[end] <= 'Z' {
		end++
	}
	return openers[s[i:end]]
}

// levels are the different classes named in text, in capitals.
func levels(upper string) map[Class]bool {
	if strings.Contains(upper, "EDARAN TERHAD") || strings.Contains(upper, "SEBARAN TERHAD") {
		upper = limited.ReplaceAllString(upper, "")
	}
	out := map[Class]bool{}
	for _, w := range classWord.FindAllString(upper, 50) {
		out[words[w]] = true
	}
	return out
}

// several says whether a unit names classes of more than one level.
func several(upper string) bool { return len(levels(upper)) > 1 }

// highest is the highest class that text names, and its word.
func highest(upper string) (word string) {
	for _, w := range classWord.FindAllString(upper, 50) {
		if words[w] > words[word] {
			word = w
		}
	}
	return word
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
	n := 0 // capitals inside the word: two, and it is written so on purpose
	for j := 1; j < len(w); j++ {
		if w[j] >= 'A' && w[j] <= 'Z' && w[j-1] != ' ' {
			n++
		}
	}
	switch {
	case n > 1 || w == strings.ToUpper(w):
		return capitals
	case w[:1] == strings.ToUpper(w[:1]):
		return title
	}
	return lower
}
