package mark

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// gathered writes class words whose letters stand apart inside a longer unit, or that have
// digits for letters, as words: "[R-A-H-S-I-A] Laporan", "Peringkat: SU-LIT". What the word
// means there is still for the grammar to say. caps follows upper where both are as long.
func gathered(upper, caps string) (string, string) {
	if len(upper) > longUnit || !scattered(upper) {
		return upper, caps
	}
	same := len(upper) == len(caps)
	var u, c strings.Builder
	done := 0
	for i := 0; i < len(upper); {
		if !wordSign(upper[i]) || i > 0 && (wordSign(upper[i-1]) || upper[i-1] >= utf8.RuneSelf && joined(upper[:i])) {
			i++
			continue
		}
		written := ""
		if same {
			written = caps[i:]
		}
		word, end := spelledOut(upper[i:], written, false)
		if word == "" && strings.IndexByte(upper, '|') >= 0 {
			word, end = spelledOut(upper[i:], written, true)
		}
		if word == "" {
			i++
			continue
		}
		u.WriteString(upper[done:i] + word)
		if same {
			c.WriteString(caps[done:i] + word)
		}
		i += end
		done = i
	}
	if done == 0 {
		return upper, caps
	}
	u.WriteString(upper[done:])
	if !same {
		return u.String(), caps
	}
	c.WriteString(caps[done:])
	return u.String(), c.String()
}

// wordSign says whether an octet may be a letter of a class word, or stand for one.
func wordSign(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '@' || c == '$'
}

// joined says whether text ends with a letter.
func joined(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return unicode.IsLetter(r)
}

// scattered is quick: whether a class word may stand in text, its letters apart.
func scattered(s string) bool {
	state := uint8(0)
	for i := range len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			state = loose[state][c]
		}
		if state == hitState {
			return true
		}
	}
	return false
}

// widest is how many signs may stand between two letters of a word.
const widest = 6

// spelledOut reads a class word at the beginning of text, of which at least one letter
// stands apart from the next, or is written as a digit; bar: "|" is such a digit. end is
// where it ends. Pieces of several letters count only in capitals, or parted by hyphens.
func spelledOut(upper, caps string, bar bool) (word string, end int) {
	var letters []byte
	single, size, gap := 0, 0, 0 // pieces of one letter; letters of this piece; signs before it
	pieces, odd, small, hyphens := 1, false, false, true
	for i := 0; i < len(upper) && len(letters) < len("CONFIDENTIAL"); {
		ch := upper[i]
		if isLetter := wordSign(ch) || bar && ch == '|' && size > 0; !isLetter {
			r, n := utf8.DecodeRuneInString(upper[i:])
			if gap++; gap > widest || unicode.IsLetter(r) || unicode.IsDigit(r) {
				break
			}
			hyphens = hyphens && ch == '-'
			if size == 1 {
				single++
			}
			size = 0
			i += n
			continue
		}
		if gap > 0 {
			pieces++
			gap = 0
		}
		l := folded(ch)
		if ch == '|' {
			l = 'I'
		}
		if l == 0 {
			break
		}
		odd = odd || l != ch
		small = small || i < len(caps) && caps[i] != ch
		letters = append(letters, l)
		size++
		i++
		if i < len(upper) && wordSign(upper[i]) {
			continue // in the middle of a piece
		}
		name, ok := wholeWord(string(letters))
		if !ok || !odd && upper[:i] == name {
			continue
		}
		alone := single
		if size == 1 {
			alone++
		}
		if pieces == 1 || alone >= 4 && alone >= pieces-1 || pieces <= 4 && (!small || hyphens) {
			word, end = name, i
		}
	}
	return word, end
}

// wholeWord is a class word that is written without blanks, with them.
func wholeWord(s string) (string, bool) {
	if _, ok := words[s]; !ok {
		return "", false
	}
	for w := range words {
		if len(w) > len(s) && strings.ReplaceAll(w, " ", "") == s {
			return w, true
		}
	}
	return s, true
}
