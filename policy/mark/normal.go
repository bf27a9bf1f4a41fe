// Package mark finds marks of classification in located text, and tells them from
// mentions of the same words (classification.md section 5). A mark is a whole unit: a
// line, a cell, a field; never a word inside a sentence.
package mark

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normal is a copy of a unit for matching: capitals, single blanks, disguises undone.
// caps is the same with the letters' case as it was written.
func normal(s string) (upper, caps string) {
	if plain(s) {
		caps = blanks(s)
		return strings.ToUpper(caps), caps
	}
	caps = blanks(undisguise(unreverse(s)))
	return strings.ToUpper(caps), caps
}

// plain says whether s is ASCII that can be matched as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c < 0x20 && c != '\t' {
			return false
		}
	}
	return true
}

func blanks(s string) string {
	if !strings.Contains(s, "  ") && strings.IndexByte(s, '\t') < 0 {
		return strings.TrimSpace(s)
	}
	return strings.Join(strings.Fields(s), " ")
}

// unreverse undoes U+202E: what stands after it is shown from right to left.
func unreverse(s string) string {
	for range 8 {
		i := strings.IndexRune(s, '\u202e')
		if i < 0 {
			return s
		}
		rest := s[i+len("\u202e"):]
		end := strings.IndexRune(rest, '\u202c')
		tail := ""
		if end >= 0 {
			rest, tail = rest[:end], rest[end:]
		}
		r := []rune(rest)
		for a, b := 0, len(r)-1; a < b; a, b = a+1, b-1 {
			r[a], r[b] = r[b], r[a]
		}
		s = s[:i] + string(r) + tail
	}
	return s
}

// undisguise makes plain letters of full-width, circled, mathematical, accented ones and
// of look-alikes in other scripts, and drops what does not show.
func undisguise(s string) string {
	var b strings.Builder
	var token []rune
	latin, foreign, all := false, false, true
	arabic := false
	flush := func() {
		for _, r := range token {
			if t, ok := twin(r); ok && (latin || all) && foreign {
				r = t
			}
			b.WriteRune(r)
		}
		token = token[:0]
		latin, foreign, all = false, false, true
	}
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r >= 0x1f1e6 && r <= 0x1f1ff: // regional indicators
			r = 'A' + r - 0x1f1e6
		case r >= 0x1f170 && r <= 0x1f189: // white letters in black boxes
			r = 'A' + r - 0x1f170
		case r >= 0x1f150 && r <= 0x1f169:
			r = 'A' + r - 0x1f150
		case unseen(r):
			continue
		case unicode.IsSpace(r), r == 0x2800:
			flush()
			b.WriteByte(' ')
			continue
		case unicode.Is(unicode.Pd, r), r == 0x2212:
			flush()
			b.WriteByte('-')
			continue
		case r >= 0x600 && r <= 0x6ff:
			arabic = true
		}
		if unicode.IsLetter(r) {
			_, is := twin(r)
			switch {
			case r < 0x250 && !is:
				latin = true
			default:
				foreign = true
				all = all && is
			}
		}
		token = append(token, r)
	}
	flush()
	if out := b.String(); !arabic {
		return out
	}
	return fromJawi(b.String())
}

// twin is the Latin letter that another looks like. Small letters that have none of their
// own have that of their capital.
func twin(r rune) (rune, bool) {
	if r < 0x80 {
		return 0, false
	}
	t, ok := twins[r]
	if !ok && r > 0x24f {
		t, ok = twins[unicode.ToUpper(r)]
	}
	return t, ok
}

// unseen says whether a sign does not show: formats, marks above and below letters, fillers,
// controls, the Arabic dash that makes words longer.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) || r == 0x0640 || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 ||
		r == utf8.RuneError || unicode.IsControl(r) && !unicode.IsSpace(r)
}

// oneForm makes one of the forms that a letter of Jawi has in several countries.
var oneForm = strings.NewReplacer("ی", "ي", "ى", "ي", "ې", "ي", "ک", "ك", "ڪ", "ك", "ݢ", "ك", "ہ", "ه", "ھ", "ه", "ە", "ه", "ة", "ه", "ۀ", "ه", "ٱ", "ا")

// fromJawi writes the class words of Jawi in Latin letters, where they are whole words.
// Letters that stand apart are joined first.
func fromJawi(s string) string {
	s = oneForm.Replace(s)
	tokens := strings.Fields(s)
	single := 0
	for _, t := range tokens {
		if utf8.RuneCountInString(t) == 1 {
			single++
		}
	}
	if single > 3 && single == len(tokens) {
		s = strings.Join(tokens, "")
	}
	var b strings.Builder
	letters := func(r rune) bool { return r >= 0x620 && r <= 0x6ff && unicode.IsLetter(r) }
	for s != "" {
		i := strings.IndexFunc(s, letters)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexFunc(s, func(r rune) bool { return !letters(r) })
		if end < 0 {
			end = len(s)
		}
		word := s[:end]
		if rest, ok := strings.CutPrefix(s[end:], " "); ok { // two words may be one class
			second := rest
			if j := strings.IndexFunc(rest, func(r rune) bool { return !letters(r) }); j >= 0 {
				second = rest[:j]
			}
			if jawi[word+" "+second] != "" {
				word, end = word+" "+second, end+1+len(second)
			}
		}
		if c := jawi[word]; c != "" {
			word = c
		}
		b.WriteString(word)
		s = s[end:]
	}
	return b.String() + s
}

// candidate is the longest unit whose letters are joined and whose digits are read as
// letters: never running text.
const candidate = 48

// leet writes letters for digits and signs.
var leet = func() *strings.Replacer {
	var pairs []string
	for _, row := range section("twins", "digits") {
		for _, s := range strings.Fields(row[1]) {
			pairs = append(pairs, s, row[0])
		}
	}
	return strings.NewReplacer(pairs...)
}()

// squeezed joins letters that stand apart by one same separator: "R A H S I A",
// "R.A.H.S.I.A"; "" when they do not.
func squeezed(s string) string {
	s = strings.Trim(s, ` -_=*#~|()[]{}<>"'.:`)
	if len(s) > candidate || len(s) < 7 {
		return ""
	}
	sep := s[1]
	if !strings.ContainsRune(" .-_*/|,+", rune(sep)) {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		b.WriteByte(s[i])
		if i++; i == len(s) {
			break
		}
		if s[i] != sep {
			return ""
		}
		if i++; i == len(s) {
			break
		}
		for i < len(s) && (s[i] == ' ' || s[i] == sep) { // a wider gap is between words
			if b.Len() > 0 && b.String()[b.Len()-1] != ' ' {
				b.WriteByte(' ')
			}
			i++
		}
	}
	return b.String()
}

// stems are what every class word has.
var stems = []string{"RAHSIA", "SULIT", "TERHAD", "TERBUKA", "SECRET", "CONFIDENTIAL", "RESTRICTED"}

func hasStem(s string) bool {
	for _, w := range stems {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
