package mark

import (
	"strings"

	"sampul/policy/extract"
)

// segments are what stands left, middle and right in one line of a page header.
func segments(text string) []string {
	out := strings.FieldsFunc(text, func(r rune) bool { return r == '\t' || r == '|' || r == '\n' })
	var all []string
	for _, s := range out {
		all = append(all, strings.Split(s, "   ")...)
	}
	return append(all, text)
}

// furniture is E3: page headers and footers, masters.
func (p *part) furniture(u *unit) {
	for _, s := range segments(u.Text) {
		upper, caps := normal(s)
		one := unit{Unit: u.Unit, upper: upper, caps: caps}
		p.joinLetters(&one)
		if len(one.upper) <= candidate && !hasStem(one.upper) {
			one.guess()
		}
		m := markUnit.FindStringSubmatch(one.upper)
		if m == nil {
			m = fieldUnit.FindStringSubmatch(one.upper)
		}
		if m == nil {
			continue
		}
		if several(one.upper) {
			p.add(u, "E3", m[1], 0, "N1: several classes in one line")
			return
		}
		if u.Style&extract.Struck != 0 && p.redone != None {
			p.add(u, "E3", m[1], 0, "N5: struck out and classified anew")
			return
		}
		f := p.add(u, "E3", m[1], wFurniture, "the mark stands in the "+string(u.Place))
		p.open = p.open || f.Class == Terbuka
		return
	}
	p.says(u)
}

// line is E4 and E7: a mark alone on a line, or in a stamp.
func (p *part) line(i int, u *unit, word string) {
	written := asWritten(u.caps, word)
	if u.Style&extract.ShownCaps != 0 {
		written = capitals
	}
	switch {
	case several(u.upper):
		p.add(u, "E4", word, 0, "N1: several classes in one line")
		return
	case numbered.MatchString(u.upper):
		p.add(u, "E4", word, 0, "N4: one of several, as in a list of secrets")
		return
	case i+1 < len(p.units) && everyday.MatchString(p.around(i+1)):
		p.add(u, "E4", word, 0, "N4: a fixed phrase that goes on in the next line")
		return
	}
	switch u.Place {
	case extract.Strings:
		if english[word] {
			p.add(u, "E4", word, 0, "an English word among the octets of a program or an unknown file")
			return
		}
	case extract.Stamp, extract.Watermark:
		p.add(u, "E7", word, wStamp, "a stamp or watermark")
		return
	}
	if u.Place == extract.Cell && p.rows[[2]int{u.List, u.Row}] > 1 {
		if p.labelled(u) {
			p.add(u, "E5", word, wField, "the cell beside or above it asks for the class")
		} else {
			p.add(u, "E4", word, 0, "one cell among others")
		}
		return
	}
	if u.Place == extract.Cell && p.labelled(u) {
		p.add(u, "E5", word, wField, "the cell beside or above it asks for the class")
		return
	}
	head := u.order <= ends
	foot := u.order > p.lines-ends
	if !head && !foot && u.Place != extract.Hidden && u.Place != extract.Notes && u.Place != extract.Comment {
		p.add(u, "E4", word, 0, "alone on a line, but neither at the head nor at the foot")
		return
	}
	weight := wLine
	if head || foot || u.Page > 0 {
		weight = wLineBoth // it may be
	}
	if p.enough(words[word], weight) {
		return
	}
	f := p.add(u, "E4", word, wLine, "alone on a line at the head or foot")
	if written != capitals {
		f.Weight, f.Why = 0, "not in capitals"
	}
	if n := p.both(i, u, f.Class); n {
		f.Weight, f.Why = wLineBoth, "the mark stands at both ends"
		return
	}
	p.lessen(i, u, f)
}

// looked is how many marks at each end of a part are compared with another.
const looked = 200

// A placed mark is a unit that is one, by its number.
type placed struct {
	unit  int
	class Class
}

// register says whether fields near unit i name three classes or more: a list of
// documents, each with its own.
func (p *part) register(i int) bool {
	seen := map[Class]bool{}
	for j := max(0, i-nearby); j <= min(len(p.units)-1, i+nearby); j++ {
		if o := &p.units[j]; o.stem && o.Place == p.units[i].Place {
			if m := fieldUnit.FindStringSubmatch(o.upper); m != nil {
				seen[words[m[1]]] = true
			}
		}
	}
	return len(seen) >= 3
}

// alone are the units that are marks, the first and the last of very many.
func (p *part) alone() []placed {
	if p.asked {
		return p.marks
	}
	p.asked = true
	for j := range p.units {
		if o := &p.units[j]; o.stem && !several(o.upper) {
			if m := markUnit.FindStringSubmatch(o.upper); m != nil {
				p.marks = append(p.marks, placed{j, words[m[1]]})
			}
		}
	}
	if n := len(p.marks); n > 2*looked {
		p.marks = append(p.marks[:looked:looked], p.marks[n-looked:]...)
	}
	return p.marks
}

// both says whether the same mark stands at the other end, or on another page.
func (p *part) both(i int, u *unit, c Class) bool {
	for _, m := range p.alone() {
		o := &p.units[m.unit]
		if m.unit == i || o.order == u.order || m.class != c {
			continue
		}
		if u.Page > 0 && o.Page > 0 && o.Page != u.Page {
			return true
		}
		headU, footO := u.order <= ends, o.order > p.lines-ends
		headO, footU := o.order <= ends, u.order > p.lines-ends
		apart := o.order - u.order
		if apart < 0 {
			apart = -apart
		}
		if (headU && footO || headO && footU) && apart > 1 && p.onlyClass(c) {
			return true
		}
	}
	return false
}

// onlyClass says whether no other class stands alone on a line or begins one.
func (p *part) onlyClass(c Class) bool {
	if only, known := p.only[c]; known {
		return only
	}
	if p.only == nil {
		p.only = map[Class]bool{}
	}
	p.only[c] = true
	for j := range p.units {
		if o := &p.units[j]; o.stem {
			if m := leading.FindStringSubmatch(o.upper); m != nil && words[m[1]] != c {
				p.only[c] = false
				break
			}
		}
	}
	return p.only[c]
}

// lessen applies N1, N5 and N6 to a line.
func (p *part) lessen(i int, u *unit, f *Finding) {
	if f.Weight == 0 {
		return
	}
	others := map[Class]bool{f.Class: true}
	sameList := false
	for j := max(0, i-nearby); j <= min(len(p.units)-1, i+nearby); j++ {
		o := &p.units[j]
		if j == i || !o.stem || o.Place != u.Place {
			continue
		}
		m := leading.FindStringSubmatch(o.upper)
		if m == nil {
			continue
		}
		if c := words[m[1]]; c != f.Class {
			others[c] = true
			sameList = sameList || u.List != 0 && o.List == u.List
		}
	}
	switch {
	case len(others) >= 3 || len(others) == 2 && sameList:
		f.Weight, f.Why = 0, "N1: an enumeration of classes"
	case len(others) == 2:
		f.Weight -= 30
		f.Why += "; N1: another class stands near it"
	}
	if u.Style&extract.Code != 0 {
		f.Weight -= 60
		f.Why += "; N6: in code"
	}
	if u.Style&extract.Struck != 0 && p.redone != None {
		f.Weight, f.Why = 0, "N5: struck out and classified anew"
	}
	for j := i - 1; j >= 0 && j >= i-2; j-- {
		if o := p.around(j); introduce.MatchString(o) && (strings.HasSuffix(o, ":") || strings.HasSuffix(o, "-") || p.units[j].Place == extract.Heading) {
			f.Weight -= 60
			f.Why += "; N6: introduced as an example"
			break
		}
	}
	f.Weight = max(f.Weight, 0)
}

// labelled says whether the cell to the left, or the one above a single value, is a label.
func (p *part) labelled(u *unit) bool {
	for back := 1; back <= 2; back++ {
		j, ok := p.cells[[3]int{u.List, u.Row, u.Col - back}]
		if !ok {
			continue
		}
		if labelUnit.MatchString(p.around(j)) {
			return true
		}
		if strings.Trim(p.around(j), ": ") != "" { // between them only a colon may stand
			break
		}
	}
	j, ok := p.cells[[3]int{u.List, u.Row - 1, u.Col}]
	return ok && p.lowest[[2]int{u.List, u.Col}] == u.Row && labelUnit.MatchString(p.around(j))
}
