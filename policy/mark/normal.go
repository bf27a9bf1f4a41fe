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

// twins are letters of other scripts that look like Latin ones, and Latin ones in
// disguise that NFKC leaves.
var twins = map[rune]rune{
	'А': 'A', 'В': 'B', 'Е': 'E', 'К': 'K', 'М': 'M', 'Н': 'H', 'О': 'O', 'Р': 'P', 'С': 'C', 'Т': 'T', 'Х': 'X', 'У': 'Y',
	'І': 'I', 'Ј': 'J', 'Ѕ': 'S', 'Ԁ': 'D', 'Һ': 'H', 'Ү': 'Y', 'Ӏ': 'I', 'Ԍ': 'G', 'Ԛ': 'Q', 'Ԝ': 'W', 'Ꭱ': 'R', 'Ꮪ': 'S', 'Ꭺ': 'A', 'Ꮋ': 'H', 'Ꮖ': 'I',
	'а': 'A', 'в': 'B', 'е': 'E', 'к': 'K', 'м': 'M', 'н': 'H', 'о': 'O', 'р': 'P', 'с': 'C', 'т': 'T', 'х': 'X', 'у': 'Y',
	'і': 'I', 'ј': 'J', 'ѕ': 'S', 'ԁ': 'D', 'һ': 'H', 'г': 'R', 'Г': 'R', 'Я': 'R', 'я': 'R', 'ӏ': 'I', 'ԛ': 'Q', 'ԝ': 'W', 'ь': 'B', 'Ь': 'B',
	'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Ζ': 'Z', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T', 'Υ': 'Y', 'Χ': 'X', 'Ϲ': 'C',
	'α': 'A', 'β': 'B', 'ε': 'E', 'η': 'N', 'ι': 'I', 'κ': 'K', 'ν': 'V', 'ο': 'O', 'ρ': 'P', 'τ': 'T', 'υ': 'U', 'χ': 'X', 'ϲ': 'C', 'σ': 'O',
	'ᴀ': 'A', 'ʙ': 'B', 'ᴄ': 'C', 'ᴅ': 'D', 'ᴇ': 'E', 'ꜰ': 'F', 'ɢ': 'G', 'ʜ': 'H', 'ɪ': 'I', 'ᴊ': 'J', 'ᴋ': 'K', 'ʟ': 'L', 'ᴍ': 'M', 'ɴ': 'N',
	'ᴏ': 'O', 'ᴘ': 'P', 'ʀ': 'R', 'ꜱ': 'S', 'ᴛ': 'T', 'ᴜ': 'U', 'ᴠ': 'V', 'ᴡ': 'W', 'ʏ': 'Y', 'ᴢ': 'Z', 'ı': 'I', 'ɑ': 'A', 'ʃ': 'S',
}

// jawi are the classes in Jawi, the longer first.
var jawi = strings.NewReplacer(
	"رهسيا بسر", " RAHSIA BESAR ", "رهسياءبسر", " RAHSIA BESAR ", "رهسيا", " RAHSIA ",
	"سوليت", " SULIT ", "ترحد", " TERHAD ", "تربوك", " TERBUKA ",
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
	flush := func() {
		for _, r := range token {
			if t, ok := twins[r]; ok && (latin || all) && foreign {
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
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r), r == 0x0640,
			r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == utf8.RuneError:
			continue
		case unicode.IsSpace(r), unicode.Is(unicode.Zs, r), r == 0x2800:
			flush()
			b.WriteByte(' ')
			continue
		case unicode.Is(unicode.Pd, r), r == 0x2212:
			flush()
			b.WriteByte('-')
			continue
		}
		if unicode.IsLetter(r) {
			_, twin := twins[r]
			switch {
			case r < 0x250 && !twin:
				latin = true
			default:
				foreign = true
				all = all && twin
			}
		}
		token = append(token, r)
	}
	flush()
	out := b.String()
	for _, r := range out {
		if r >= 0x600 && r <= 0x6ff {
			return jawi.Replace(strings.NewReplacer("ی", "ي", "ى", "ي", "ک", "ك", "ڪ", "ك", "ه", "ه", "ة", "ه").Replace(out))
		}
	}
	return out
}

// candidate is the longest unit whose letters are joined and whose digits are read as
// letters: never running text.
const candidate = 48

var leet = strings.NewReplacer("4", "A", "@", "A", "1", "I", "!", "I", "5", "S", "$", "S", "3", "E", "7", "T", "0", "O")

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
