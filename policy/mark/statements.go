package mark

import (
	"strings"

	"sampul/policy/extract"
)

// says is E6: a statement about this document.
func (p *part) says(u *unit) {
	m := saysUnit.FindStringSubmatch(u.upper)
	copula, verb, word, rest := "", "", "", ""
	at := 0
	if m != nil {
		copula, verb, word, rest = m[1], m[2], m[3], m[4]
		at = saysUnit.FindStringIndex(u.upper)[0]
	} else if m = saysEnglish.FindStringSubmatch(u.upper); m != nil {
		copula, verb, word, rest = m[1], m[2], m[3], m[4]
		at = saysEnglish.FindStringIndex(u.upper)[0]
	} else {
		return
	}
	before := u.upper[:at]
	switch {
	case several(u.upper):
		p.add(u, "E6", word, 0, "N1: several classes in one statement")
	case hypothesis.MatchString(before):
		p.add(u, "E6", word, 0, "N3: not a statement about this document")
	case after.MatchString(rest):
		p.add(u, "E6", word, 0, "N4: the word in its everyday sense")
	case verb == "" && asWritten(u.caps, word) != capitals:
		p.add(u, "E6", word, 0, "N3: the word in its everyday sense")
	case verb == "" && copula == "" && rest != "" && !strings.ContainsAny(rest[:1], ".,;:)!\"'"):
		p.add(u, "E6", word, 0, "N3: part of a sentence")
	default:
		f := p.add(u, "E6", word, wSays, "the text says so of itself")
		if u.Style&extract.Code != 0 {
			f.Weight -= 60
		}
	}
}

// boxes is E9 and N2: boxes beside classes, ticked or not.
func (p *part) boxes(u *unit) bool {
	at := boxed.FindAllStringSubmatchIndex(u.upper, 20)
	if at == nil {
		return false
	}
	all := classWord.FindAllStringIndex(u.upper, 20)
	before := at[0][0] < all0(all)
	for _, w := range all {
		word := u.upper[w[0]:w[1]]
		best, ticked := -1, false
		for _, b := range at {
			near := before && b[1] <= w[0] || !before && b[0] >= w[1]
			if !near {
				continue
			}
			d := w[0] - b[1]
			if !before {
				d = b[0] - w[1]
			}
			if best < 0 || d < best {
				best, ticked = d, b[2] >= 0
			}
		}
		switch {
		case best < 0 || best > 6:
		case ticked:
			p.add(u, "E9", word, wBox, "the box beside it is ticked")
		default:
			p.add(u, "E9", word, 0, "N2: the box beside it is not ticked")
		}
	}
	return true
}

func all0(all [][]int) int {
	if len(all) == 0 {
		return 1 << 30
	}
	return all[0][0]
}

// reclassified is N5: struck out or called former, a new class, by whom and when.
func (p *part) reclassified(i int) {
	u := &p.units[i]
	m := again.FindStringSubmatch(u.upper)
	var near []string
	for j := max(0, i-8); j <= min(len(p.units)-1, i+8); j++ {
		near = append(near, p.around(j))
	}
	text := strings.Join(near, "\n")
	if (p.struck || wasOnce.MatchString(text)) && dated.MatchString(text) && byWhom.MatchString(text) {
		p.redone = words[m[1]]
		p.add(u, "N5", m[1], 100, "classified anew, by whom and when is said")
	}
}
