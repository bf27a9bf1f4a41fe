package mark

import (
	"regexp"
	"strings"
	"unicode"

	"sampul/policy/extract"
)

var (
	// gaps part the fields of one line.
	gaps = regexp.MustCompile(`\t+|\s{2,}|\s*[|;]\s*|,\s+`)
	// assignment is a line of source code.
	assignment = regexp.MustCompile(`=\s*["'].*["'];?\s*$|;\s*$`)
)

// field is E5: "Klasifikasi : RAHSIA", alone on a line or beside other fields, or as a key of
// JSON, XML or YAML.
func (p *part) field(i int, u *unit) bool {
	if !strings.ContainsAny(u.upper, ":=|>-→⇒") && !strings.ContainsAny(u.Text, "\t;,") && !strings.Contains(u.Text, "  ") {
		return false
	}
	m, text := p.fieldIn(u.upper, u.caps)
	if m == nil && strings.ContainsAny(u.Text, "\t|;,") || m == nil && strings.Contains(u.Text, "  ") {
		for _, s := range gaps.Split(strings.ReplaceAll(u.Text, "\u00a0", " "), 12) {
			upper, caps := gathered(normal(s))
			if m, text = p.fieldIn(upper, caps); m != nil {
				break
			}
		}
		if m == nil { // a label and, far from it, the class
			if g := gapUnit.FindStringSubmatch(u.upper); g != nil && gaps.MatchString(strings.TrimSpace(u.Text)) {
				m, text = []string{"", g[1], "", "", "", g[2], ""}, g[2]
			}
		}
	}
	if m == nil {
		return false
	}
	word := m[inClass+2]
	strong := m[1] != ""
	switch {
	case several(text):
		p.add(u, "E5", word, 0, "N1: the field offers several classes")
		return true
	case p.register(i):
		p.add(u, "E5", word, 0, "N1: a list of documents, each with its class")
		return true
	}
	if words[word] <= Sulit && p.behindLink(i) {
		p.add(u, "E5", word, 0, "N3: the class of a file that is fetched by a link")
		return true
	}
	f := p.add(u, "E5", word, weights["E5"], "a field names the class")
	if u.Style&extract.Struck != 0 || wasOnce.MatchString(u.upper) {
		f.Former = true
	}
	if !strong && p.written(u, word) != capitals {
		f.Weight = 0
		f.Why = "N3: a field of a common name, and no capitals"
		if c := words[word]; c >= Rahsia && !english[word] {
			f.Weight, f.Why = weights["E5 weak"], "a field of a common name, not in capitals"
		}
	}
	if !strong && words[word] <= Terhad || !strong && english[word] {
		f.Weight, f.Why = 0, "N4: a field of a common name"
	}
	if assignment.MatchString(u.upper) {
		f.Weight += weights["N6"]
		f.Why += "; N6: in code"
	}
	p.example(i, u, f)
	return true
}

// linkField is a field that holds the address of a file.
var linkField = regexp.MustCompile(`^\W*(?:PAUTAN|LINK|MUAT TURUN|DOWNLOAD|URL)\b[^:]*:\s*HTTPS://`)

// behindLink says whether a field near unit i holds the address where a file is fetched, as
// in notices of the link service.
func (p *part) behindLink(i int) bool {
	for j := max(0, i-nearby); j <= min(len(p.units)-1, i+nearby); j++ {
		if linkField.MatchString(p.around(j)) {
			return true
		}
	}
	return false
}

// fieldIn matches a field; keys written as one word are taken apart first. text is what was
// matched.
func (p *part) fieldIn(upper, caps string) (m []string, text string) {
	if !strings.ContainsAny(upper, ":=|>-→⇒") || !classWord.MatchString(upper) {
		return nil, ""
	}
	if m := fieldUnit.FindStringSubmatch(upper); m != nil {
		return m, upper
	}
	key, value, ok := strings.Cut(caps, ":")
	if !ok {
		key, value, ok = strings.Cut(caps, "=")
	}
	if ok && len(key) < 60 && key != "" {
		if s := strings.ToUpper(spelled(key)) + ":" + strings.ToUpper(value); s != upper {
			return fieldUnit.FindStringSubmatch(s), s
		}
	}
	return nil, ""
}

// spelled parts the words of a key: security_classification, securityClassification.
func spelled(key string) string {
	var b strings.Builder
	before := ' '
	for _, r := range key {
		switch {
		case r == '_' || r == '-' || r == '.':
			r = ' '
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// register says whether fields near unit i name three classes or more: a list of
// documents, each with its own.
func (p *part) register(i int) bool {
	seen := map[Class]bool{}
	for j := max(0, i-2*nearby); j <= min(len(p.units)-1, i+2*nearby); j++ {
		if o := &p.units[j]; o.stem && o.Place == p.units[i].Place {
			if m := fieldUnit.FindStringSubmatch(o.upper); m != nil {
				seen[words[m[inClass+2]]] = true
			}
		}
	}
	return len(seen) >= 3
}

// furniture is E3: page headers and footers, masters.
func (p *part) furniture(i int, u *unit) {
	if p.boxes(i, u) {
		return
	}
	apart := strings.ContainsAny(u.Text, "\t\n") || strings.Contains(strings.ReplaceAll(u.Text, "\u00a0", " "), "   ")
	for n, s := range segments(u) {
		m := s.isMark()
		word := ""
		if m != nil {
			word = m[inClass]
		} else if m = fieldUnit.FindStringSubmatch(s.upper); m != nil && (m[1] != "" || asWritten(s.caps, m[inClass+2]) == capitals) {
			word = m[inClass+2]
		} else {
			continue
		}
		if words[word] == Terhad && firm.MatchString(p.around(i-1)) {
			p.add(u, "E3", word, 0, "N4: the end of a firm's name")
			return
		}
		if n > 0 && !apart && (words[word] < Rahsia || english[word]) && p.written(&s, word) != capitals {
			continue // "Edisi | Terhad": part of a line, and no capitals
		}
		switch n := len(levels(s.upper)); {
		case n > 2:
			p.add(u, "E3", word, 0, "N1: several classes in one line")
		case n == 2 && u.Style&extract.Struck != 0:
			f := p.add(u, "E3", highest(s.upper), weights["E3"], "one of two marks is struck out; the old class stands, unless classified anew")
			f.Former = true
		case n == 2:
			p.add(u, "E3", highest(s.upper), weights["E3 two"], "two classes in the "+string(u.Place))
		default:
			f := p.add(u, "E3", word, weights["E3"], "the mark stands in the "+string(u.Place))
			p.open = p.open || f.Class == Terbuka
		}
		return
	}
	if rest, ok := strings.CutPrefix(strings.Trim(u.upper, " -*"), "RAHSIA "); ok && rest == "RASMI" {
		p.add(u, "E3", "RAHSIA", weights["E3 phrase"], "official secrets, without their class")
		return
	}
	p.says(i, u)
}

// sides part what stands left, middle and right in one line of a page header.
var sides = regexp.MustCompile(`[\t\n|•·]+|\s{3,}|\s[-–—/]{1,2}\s`)

// segments are the whole line, and what stands left, middle and right in it.
func segments(u *unit) []unit {
	out := []unit{*u}
	pieces := sides.Split(strings.ReplaceAll(u.Text, "\u00a0", " "), 20)
	if len(pieces) < 2 {
		return out
	}
	for _, s := range pieces {
		one := unit{Unit: u.Unit}
		one.upper, one.caps = gathered(normal(s))
		one.joinLetters()
		one.stem = one.stem || hasStem(one.upper)
		if !one.stem && len(one.upper) <= candidate {
			one.guess()
		}
		if one.stem {
			out = append(out, one)
		}
	}
	return out
}
