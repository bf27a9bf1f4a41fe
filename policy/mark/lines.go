package mark

import (
	"regexp"
	"strings"

	"sampul/policy/extract"
)

// line is E4, E7 and E8: a mark alone on a line, in a stamp, in a line of a picture. m are
// the groups of markUnit.
func (p *part) line(i int, u *unit, m []string) {
	word := m[inClass]
	rule := "E4"
	if u.Place == extract.OCRLine {
		rule = "E8"
	}
	if several(u.upper) {
		if u.Style&extract.Struck == 0 || len(levels(u.upper)) > 2 {
			p.add(u, rule, word, 0, "N1: several classes in one line")
			return
		}
		word = highest(u.upper) // one of them is struck out: unless classified anew, the old class stands
	}
	if u.Place == extract.Strings && english[word] {
		p.add(u, rule, word, 0, "an English word among the octets of a program or an unknown file")
		return
	}
	if u.Place == extract.Stamp || u.Place == extract.Watermark {
		p.stamp(i, u, m, word)
		return
	}
	if u.Place == extract.Cell && u.joined == 0 && p.cell(i, u, word) {
		return
	}
	if p.asked4(i, u, word) {
		return
	}
	if p.enough(words[word], weights["E4 both"]) {
		return
	}
	both := p.both(i, u, words[word])
	if why := p.mention(i, u, m); why != "" && !both {
		p.add(u, rule, word, 0, why)
		return
	}
	if u.Place == extract.ListItem && p.items[u.List] > 1 && !both {
		f := p.add(u, rule, word, 0, "one item of a list")
		if (u.order == 1 || u.order == p.lines) && p.written(u, word) == capitals && !english[word] {
			f.Weight = weights["E4 cell"]
			p.lessen(i, u, f)
		}
		return
	}
	large := u.Place == extract.OCRLine && u.Style&extract.Large != 0
	anywhere := u.Place == extract.Hidden || u.Place == extract.Notes || u.Place == extract.Comment
	if !u.head && !u.foot && !anywhere && !large {
		p.add(u, rule, word, 0, "alone on a line, but neither at the head nor at the foot")
		return
	}
	f := p.add(u, rule, word, weights[rule], "alone on a line at the head or foot")
	switch {
	case both:
		f.Weight, f.Why = weights[rule+" both"], "the mark stands at both ends"
		return
	case p.written(u, word) != capitals:
		f.Weight, f.Why = 0, "not in capitals"
		return
	case m[inNoun] != "":
		f.Weight, f.Why = weights["E4 noun"], "a mark, or a title"
	case creator.MatchString(p.around(i+1)) && !officeIn(p.around(i+1)) && !strings.HasPrefix(p.around(i+1), "OLEH:"):
		f.Weight, f.Why = weights["E4 noun"], "a mark, or the title of a work"
	case large && !u.head && !u.foot:
		f.Why = "larger than the other lines"
	}
	p.lessen(i, u, f)
}

// opposite is a mark at one side of a line, with the name of an office or a date at the other:
// "JABATAN PERANGKAAN          RAHSIA".
func (p *part) opposite(i int, u *unit) bool {
	if !u.head && !u.foot || len(u.upper) > 120 || u.Place != extract.Paragraph || several(u.upper) {
		return false
	}
	sides := wide.Split(strings.ReplaceAll(strings.TrimSpace(u.Text), "\u00a0", " "), 5)
	if len(sides) < 2 {
		return false
	}
	for n, s := range sides {
		upper, caps := gathered(normal(s))
		m := markUnit.FindStringSubmatch(upper)
		if m == nil || n > 0 && n < len(sides)-1 {
			continue
		}
		word := m[inClass]
		if words[word] < Sulit || english[word] || m[inNoun] != "" || asWritten(caps, word) != capitals {
			continue
		}
		others := strings.ToUpper(strings.Join(append(append([]string{}, sides[:n]...), sides[n+1:]...), " "))
		if !officeIn(others) && !dated.MatchString(others) {
			continue
		}
		for j := max(0, i-nearby); j <= min(len(p.units)-1, i+nearby); j++ {
			if o := &p.units[j]; j != i && o.stem && o.isMark() == nil && len(levels(o.upper)) > 0 {
				return false // a register, a line each
			}
		}
		f := p.add(u, "E4", word, weights["E4"], "alone at one side of a line at the head or foot")
		p.lessen(i, u, f)
		return true
	}
	return false
}

// wide is the gap between what stands at two sides of a line.
var wide = regexp.MustCompile(`\t+|\s{4,}`)

// written is the case of the class word as it is shown.
func (p *part) written(u *unit, word string) letterCase {
	if u.Style&extract.ShownCaps != 0 {
		return capitals
	}
	written := asWritten(u.caps, word)
	if written != capitals && u.Place != extract.OCRLine && len(u.Text) <= 6*candidate &&
		!strings.Contains(strings.ToUpper(strings.Join(strings.Fields(u.Text), " ")), word) {
		return capitals // it was disguised
	}
	return written
}

// mention says why a line that has a mark's form is none; "" when it is one.
func (p *part) mention(i int, u *unit, m []string) string {
	word, c := m[inClass], words[m[inClass]]
	next := p.around(i + 1)
	switch {
	case numbered.MatchString(u.upper):
		return "N4: one of several, as in a list of secrets"
	case c < Rahsia && strings.HasPrefix(strings.TrimLeft(m[inBehind], " "), "UNTUK") && strings.HasPrefix(m[inBehind], " ") && !strings.HasPrefix(m[inBehind], "  ") && !strings.Contains(m[inBehind], "RASMI"):
		return "N4: a sentence that goes on"
	case titleGoes.MatchString(next) && len(next) <= 80 && !strings.Contains(next, ":"):
		return "N4: a title that goes on in the next line"
	case c <= Sulit && !english[word] && len(p.around(i-1)) < candidate && lineAbove.MatchString(p.around(i-1)):
		return "N4: a phrase over two lines"
	case p.bullet(i, u):
		return "one item of a list"
	case c == Terhad && p.firmAbove(i):
		return "N4: the end of a firm's name"
	case english[word] && disclaimer.MatchString(next):
		return "N4: the heading of a disclaimer"
	case u.Place == extract.OCRLine && p.poster(i, u):
		return "N3: part of a title on a poster"
	}
	return ""
}

// firmAbove says whether the line above holds the name of a firm, alone or behind "Kepada:".
func (p *part) firmAbove(i int) bool {
	s := p.around(i - 1)
	if at := strings.LastIndexByte(s, ':'); at >= 0 {
		s = s[at+1:]
	}
	return firm.MatchString(s) && !strings.ContainsAny(s, ".,;") && len(s) < 80
}

// bullet says whether a line begins with a dash or star, as its neighbours do, and does not
// end with one.
func (p *part) bullet(i int, u *unit) bool {
	s := u.upper
	if len(s) < 3 || !strings.ContainsRune("-*+", rune(s[0])) || s[1] != ' ' || s[len(s)-1] == s[0] {
		return false
	}
	return strings.HasPrefix(p.around(i-1), s[:2]) || strings.HasPrefix(p.around(i+1), s[:2])
}

// poster says whether a line of a picture is the first of a title: few lines, the next as
// large, and no words of an office.
func (p *part) poster(i int, u *unit) bool {
	if i+1 >= len(p.units) || u.Style&extract.Large == 0 || p.units[i+1].Style&extract.Large == 0 || p.units[i+1].Page != u.Page {
		return false
	}
	n := 0
	for j := max(0, i-10); j < min(len(p.units), i+10); j++ {
		if p.units[j].Page == u.Page {
			n++
		}
	}
	next := p.around(i + 1)
	return n < 8 && !hasStem(next) && !officeIn(next)
}

func officeIn(s string) bool {
	for w := range strings.FieldsSeq(s) {
		if office.MatchString(w) {
			return true
		}
	}
	return false
}

// stamp is E7: watermarks, text boxes, annotations, drawings.
func (p *part) stamp(i int, u *unit, m []string, word string) {
	f := p.add(u, "E7", word, weights["E7"], "a stamp or watermark")
	if p.written(u, word) != capitals && u.Place == extract.Stamp {
		f.Weight, f.Why = 0, "not in capitals"
		if c := words[word]; c >= Sulit && !english[word] {
			f.Weight = weights["E7 weak"]
		}
	}
	if numbered.MatchString(u.upper) {
		f.Weight, f.Why = 0, "N4: one of several, as in a list of secrets"
	}
	if m[inNoun] != "" {
		f.Weight, f.Why = weights["E4 noun"], "a mark, or a title"
	}
	p.lessen(i, u, f)
}

// cell is a mark alone in a cell: true when no more is to be said of it.
func (p *part) cell(i int, u *unit, word string) bool {
	if p.labelled(u, p.written(u, word)) {
		p.add(u, "E5", word, weights["E5"], "the cell beside or above it asks for the class")
		return true
	}
	others := 0
	if p.rows[[2]int{u.List, u.Row}] > 1 {
		for j := max(0, i-50); j <= min(len(p.units)-1, i+50); j++ {
			if o := &p.units[j]; o.List == u.List && o.Row == u.Row && o.Col != u.Col && !besideMark(p.around(j)) {
				others++
			}
		}
	}
	if others == 0 { // a row of its own
		return false
	}
	f := p.add(u, "E4", word, 0, "one cell among others")
	if !english[word] && words[word] >= Sulit && p.written(u, word) == capitals && u.Row <= ends && p.onlyInTable(u, word) {
		f.Weight, f.Why = weights["E4 cell"], "the only class in its table, near the top"
		p.lessen(i, u, f)
	}
	return true
}

// besideMark says whether a cell holds what stands beside a mark: a copy number, a page.
func besideMark(s string) bool {
	return strings.Trim(s, " -:") == "" || tailAlone.MatchString(s)
}

// onlyInTable says whether no other cell of the table names a class.
func (p *part) onlyInTable(u *unit, word string) bool {
	for j := range p.units {
		if o := &p.units[j]; o.stem && o.List == u.List && o.order != u.order && len(levels(o.upper)) > 0 {
			return false
		}
	}
	return true
}

// asked4 is a class on a line of its own below its label.
func (p *part) asked4(i int, u *unit, word string) bool {
	if i == 0 || u.Place == extract.Cell || p.units[i-1].Place != u.Place {
		return false
	}
	before := p.around(i - 1)
	m := labelUnit.FindStringSubmatch(before)
	if m == nil || m[1] == "" || !strings.HasSuffix(before, ":") && p.written(u, word) != capitals {
		return false
	}
	if leading.MatchString(p.around(i + 1)) {
		return false // a list of the classes there are
	}
	f := p.add(u, "E5", word, weights["E5"], "the line above it asks for the class")
	p.lessen(i, u, f)
	return true
}

// labelled says whether the cell to the left, or the one above a single value, is a label.
func (p *part) labelled(u *unit, written letterCase) bool {
	asks := func(j int) bool {
		m := labelUnit.FindStringSubmatch(p.around(j))
		return m != nil && (m[1] != "" || written == capitals && words[highest(u.upper)] >= Sulit)
	}
	for back := 1; back <= 2; back++ {
		j, ok := p.cells[[3]int{u.List, u.Row, u.Col - back}]
		if !ok {
			continue
		}
		if asks(j) {
			return true
		}
		if strings.Trim(p.around(j), ": ") != "" { // between them only a colon may stand
			break
		}
	}
	j, ok := p.cells[[3]int{u.List, u.Row - 1, u.Col}]
	return ok && p.lowest[[2]int{u.List, u.Col}] == u.Row && asks(j)
}

// looked is how many marks at each end of a part are compared with another.
const looked = 200

// A placed mark is a unit that is one, by its number.
type placed struct {
	unit  int
	class Class
}

// alone are the units that are marks, the first and the last of very many.
func (p *part) alone() []placed {
	if p.asked {
		return p.marks
	}
	p.asked = true
	for j := range p.units {
		if o := &p.units[j]; o.stem {
			if m := o.isMark(); m != nil && !several(o.upper) {
				p.marks = append(p.marks, placed{j, words[m[inClass]]})
			}
		}
	}
	if n := len(p.marks); n > 2*looked {
		p.marks = append(p.marks[:looked:looked], p.marks[n-looked:]...)
	}
	return p.marks
}

// outermost are the first and the last class that lines name on a page (0 for the part):
// those of a list of classes differ.
func (p *part) outermost() map[int][2]Class {
	if p.outer != nil {
		return p.outer
	}
	p.outer = map[int][2]Class{}
	note := func(page int, c Class) {
		o, ok := p.outer[page]
		if !ok {
			o[0] = c
		}
		o[1] = c
		p.outer[page] = o
	}
	for j := range p.units {
		o := &p.units[j]
		if !o.stem {
			continue
		}
		if c := o.leads(); c != None {
			note(0, c)
			if o.Page > 0 {
				note(o.Page, c)
			}
		}
	}
	return p.outer
}

// both says whether the same mark stands at the other end, or on another page, and no other
// class outside of it.
func (p *part) both(i int, u *unit, c Class) bool {
	outer := p.outermost()
	for _, m := range p.alone() {
		o := &p.units[m.unit]
		if m.unit == i || o.order == u.order || m.class != c {
			continue
		}
		if u.Page > 0 && o.Page > 0 && o.Page != u.Page && (u.head || u.foot) && (o.head || o.foot) && p.onPages(c) {
			return true
		}
		apart := o.order - u.order
		if apart < 0 {
			apart = -apart
		}
		if (u.head && o.foot || o.head && u.foot) && apart > 1 && (u.Page == o.Page || u.Page == 0) {
			if p.lines <= 2*ends && u.isMark()[inClass] != o.isMark()[inClass] {
				continue // a few lines: it takes the same word twice
			}
			if out := outer[u.Page]; out == [2]Class{c, c} {
				return true
			}
		}
	}
	return false
}

// onPages says whether no page has another class as its outermost.
func (p *part) onPages(c Class) bool {
	for page, o := range p.outermost() {
		if page > 0 && (o[0] != c || o[1] != c) {
			return false
		}
	}
	return true
}

// lessen applies N1 and N6 to a finding.
func (p *part) lessen(i int, u *unit, f *Finding) {
	if f.Weight == 0 {
		return
	}
	others, sameList := p.near(i, u, f.Class)
	switch {
	case len(others) >= 3 || len(others) == 2 && sameList:
		f.Weight, f.Why = 0, "N1: an enumeration of classes"
	case len(others) == 2:
		f.Weight += weights["N1"]
		f.Why += "; N1: another class stands near it"
	}
	p.example(i, u, f)
}

// near are the classes that lines, cells, or titles near unit i name, its own included.
func (p *part) near(i int, u *unit, own Class) (others map[Class]bool, sameList bool) {
	others = map[Class]bool{own: true}
	take := func(j int) {
		o := &p.units[j]
		if j == i || !o.stem || o.Place != u.Place {
			return
		}
		if c := o.leads(); c != None && c != own {
			others[c] = true
			sameList = sameList || u.List != 0 && o.List == u.List
		}
	}
	if u.Place != extract.Heading {
		for j := max(0, i-nearby); j <= min(len(p.units)-1, i+nearby); j++ {
			take(j)
		}
		return others, sameList
	}
	for _, step := range []int{-1, 1} { // of titles, the neighbours are titles
		for j, seen := i+step, 0; j >= 0 && j < len(p.units) && seen < nearby && j > i-500 && j < i+500; j += step {
			if p.units[j].Place == extract.Heading {
				take(j)
				seen++
			}
		}
	}
	return others, sameList
}

// example is N6: code, or introduced as an example.
func (p *part) example(i int, u *unit, f *Finding) {
	if f.Weight == 0 {
		return
	}
	if u.Style&extract.Code != 0 {
		f.Weight += weights["N6"]
		f.Why += "; N6: in code"
	}
	for j, other := i-1, 0; j >= 0 && j >= i-nearby && other < 2; j-- {
		if p.units[j].isMark() == nil { // other marks may stand between
			other++
		}
		if o := p.around(j); introduce.MatchString(o) && (strings.HasSuffix(o, ":") || strings.HasSuffix(o, "-") || p.units[j].Place == extract.Heading) {
			f.Weight += weights["N6"]
			f.Why += "; N6: introduced as an example"
			break
		}
	}
	f.Weight = max(f.Weight, 0)
}
