package mark

import (
	"regexp"
	"strings"

	"sampul/policy/extract"
)

// says is E6: a statement about this document.
func (p *part) says(i int, u *unit) {
	if !ofItself(u.upper) {
		return
	}
	copula, verb, word, rest := "", "", "", ""
	var m []int
	for _, form := range []*regexp.Regexp{saysUnit, saysLabel, saysEnglish} {
		if m = form.FindStringSubmatchIndex(u.upper); m != nil {
			g := func(n int) string {
				if m[2*n] < 0 {
					return ""
				}
				return u.upper[m[2*n]:m[2*n+1]]
			}
			copula, verb, word, rest = g(1), g(2), g(3), g(4)
			if form == saysLabel {
				verb = copula
			}
			break
		}
	}
	if m == nil {
		return
	}
	before := u.upper[:m[0]]
	if at := strings.LastIndexAny(before, ".!?"); at >= 0 { // of the same sentence
		before = before[at:]
	}
	shouted := u.upper == u.caps && len(u.upper) > candidate
	inCapitals := p.written(u, word) == capitals && !shouted
	switch {
	case several(u.upper[m[0]:]):
		p.add(u, "E6", word, 0, "N1: several classes in one statement")
	case hypothesis.MatchString(before):
		p.add(u, "E6", word, 0, "N3: not a statement about this document")
	case verb == "" && disclaimer.MatchString(u.upper):
		p.add(u, "E6", word, 0, "N4: a disclaimer")
	case verb == "" && after.MatchString(rest) && !inCapitals:
		p.add(u, "E6", word, 0, "N4: the word in its everyday sense")
	case verb == "" && strings.HasPrefix(strings.TrimSpace(rest), "RASMI"):
		p.add(u, "E6", word, weights["E4 noun"], "an official secret, without its class")
	case verb == "" && p.written(u, word) != capitals:
		p.add(u, "E6", word, 0, "N3: the word in its everyday sense")
	case verb == "" && copula == "" && rest != "" && !strings.ContainsAny(rest[:1], ".,;:)!\"'"):
		p.add(u, "E6", word, 0, "N3: part of a sentence")
	case verb == "" && shouted && english[word]:
		p.add(u, "E6", word, 0, "N4: a sentence in capitals, as disclaimers are")
	default:
		f := p.add(u, "E6", word, weights["E6"], "the text says so of itself")
		p.example(i, u, f)
	}
}

// ofItself is quick: whether text may speak of the document it stands in.
func ofItself(s string) bool {
	for at := 0; ; {
		i := strings.Index(s[at:], " INI")
		if i < 0 {
			break
		}
		i += at
		before := strings.Fields(s[max(0, i-60):i])
		for _, w := range before[max(0, len(before)-2):] {
			if thingWords[strings.Trim(w, "\"'(*,.:")] {
				return true
			}
		}
		at = i + 1
	}
	return strings.Contains(s, "THIS ")
}

// thingWords are the words for what can speak of itself.
var thingWords = func() map[string]bool {
	out := map[string]bool{"EMEL": true, "E-MEL": true}
	for _, row := range section("statements", "things") {
		for _, w := range regexp.MustCompile(`[A-Z]+`).FindAllString(row[0], -1) {
			out[w] = true
		}
	}
	return out
}()

// maybeAgain is quick: whether a word of N5 may stand in text.
func maybeAgain(s string) bool {
	for _, w := range []string{"SEMULA", "DITURUN", "DINAIK", "CLASSIFIED", "GRADED", "DIBUKA", "DIISYTIHAR", "BAHARU", "BARU"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// reclassified is N5: struck out or called former, a new class, by whom and when.
func (p *part) reclassified(i int) {
	u := &p.units[i]
	now := again.FindStringSubmatch(u.upper)[1]
	if m := fromTo.FindStringSubmatch(u.upper); m != nil {
		now = m[2]
	}
	var near []string
	struck := false
	for j := max(0, i-8); j <= min(len(p.units)-1, i+8); j++ {
		near = append(near, p.around(j))
	}
	for j := range p.units {
		o := &p.units[j]
		struck = struck || o.stem && (o.Style&extract.Struck != 0 || o.Place == extract.Deleted)
	}
	text := strings.Join(near, "\n")
	if (struck || wasOnce.MatchString(text) || fromTo.MatchString(u.upper)) && dated.MatchString(text) && byWhom.MatchString(text) {
		p.redone = words[now]
		p.original = map[Class]bool{}
		for _, m := range formerly.FindAllStringSubmatch(text, 10) {
			for _, w := range m[1:] {
				if w != "" {
					p.original[words[w]] = true
				}
			}
		}
		p.add(u, "N5", now, weights["N5"], "classified anew, by whom and when is said")
	}
}

// fromTo is a change from one class to another.
var fromTo = regexp.MustCompile(`\b(?:DARIPADA|DARI|FROM)[ "']+` + class + `[ "']+(?:KEPADA|KE|MENJADI|TO)[ "']+` + class + `\b`)

// formerly names the original class.
var formerly = regexp.MustCompile(`(?:ASAL|ASALNYA|LAMA|DAHULU|ORIGINAL|ORIGINALLY|PREVIOUSLY|SEBELUM INI|DARIPADA|FROM)[^.\n]{0,30}?\b` + class + `\b|\b` + class + `\b[^.\n\pL]{0,5}(?:PERINGKAT |KELAS |KLASIFIKASI |TARAF )?(?:ASAL|LAMA|ORIGINAL)\b`)

// corroborate is C1 to C3, for classes of which some evidence was found in the part and not
// enough to be beyond doubt.
func (p *part) corroborate(best map[Class]int) {
	open := false
	for c, n := range best {
		open = open || c > Terbuka && n > 0 && n < weights["E1"]
	}
	if !open {
		return
	}
	give := func(u *unit, c Class, rule, why string) {
		if n := best[c]; n > 0 && n < weights["E1"] {
			p.found = append(p.found, Finding{Path: p.Path, Where: p.where(u), Rule: rule, Class: c, Word: c.String(), Weight: weights[rule], Why: why})
		}
	}
	all := func(u *unit, rule, why string) {
		for c := Terhad; c <= RahsiaBesar; c++ {
			give(u, c, rule, why)
		}
	}
	var number, hand, book, ref bool
	styled := map[Class]bool{}
	for i := range p.units {
		u, text := &p.units[i], p.around(i)
		if len(text) > 400 {
			continue
		}
		if !number && copyNumber.MatchString(text) {
			number = true
			all(u, "C2", "a copy number")
		}
		if !hand && byHand.MatchString(text) {
			hand = true
			all(u, "C2", "to be given by hand")
		}
		if !book && secretBook.MatchString(text) {
			book = true
			all(u, "C2", "a register of secret papers")
		}
		if m := ownRef.FindStringSubmatch(text); !ref && len(p.set.Codes) > 0 && m != nil {
			for _, code := range refLetter.FindAllStringSubmatch(m[1], 5) {
				if c := p.set.Codes[code[1]]; c > Terbuka {
					ref = true
					give(u, c, "C1", "the reference of one's own holds the letter of the class")
					break
				}
			}
		}
		if m := u.isMark(); m != nil && !styled[words[m[inClass]]] && emphasised(u.Style) {
			styled[words[m[inClass]]] = true
			give(u, words[m[inClass]], "C3", "red, bold, large or centred")
		}
	}
}

// emphasised says whether a unit is two at least of red, bold, large and centred.
func emphasised(s extract.Style) bool {
	n := 0
	for _, one := range []extract.Style{extract.Red, extract.Bold, extract.Large, extract.Centred} {
		if s&one != 0 {
			n++
		}
	}
	return n >= 2
}
