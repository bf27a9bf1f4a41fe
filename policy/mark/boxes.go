package mark

import (
	"regexp"
	"strings"

	"sampul/policy/extract"
)

var (
	// boxed: a tick that is nothing else, an empty box that is nothing else, a sign that may be
	// a tick or a bullet, and one that may be an empty box or a bullet.
	boxed = regexp.MustCompile(`([\[({<]\s*[X/V√✓✔*•●]\s*[\])}>]|☒|☑|✅|🗹|🗷|⊠|⦿|◉|_+[XV/√✓]_+)` +
		`|(\[\s*[_.]?\s*\]|\(\s*[_.]?\s*\)|☐|_{3,}|❏|❐|⬜)|([✓✔√■●◆⚫⬛])|([□○◯▢▫⚪◇])`)
	// tickAlone is all that a cell for ticks holds.
	tickAlone = regexp.MustCompile(`^[\[({]?\s*(?:[X/V√✓✔☑☒✅🗹●■*]|YA|YES)\s*[\])}]?$`)
	tailAlone = regexp.MustCompile(`^` + deco + anyOf("around", "behind") + deco + `$`)
	// answered is a class with yes or no.
	answered  = regexp.MustCompile(`^` + deco + class + `\s*[:=]\s*(?:(YA|YES|√|✓|✔|/|X)|TIDAK|NO|TIADA)\s*[.;]?$`)
	classCell = regexp.MustCompile(`^` + deco + class + deco + `$`)
)

// A choice is a class with a box beside it.
type choice struct {
	word   string
	ticked bool
	sure   bool // the sign can be nothing but a box
	answer bool // yes or no, where others have a box
}

// ticks are the choices of a part.
type ticks struct {
	of       map[int][]choice // by unit
	ticked   map[Class]bool
	offered  map[Class]bool
	anyEmpty bool
}

// choices gathers the boxes beside classes, of the whole part.
func (p *part) choices() *ticks {
	if p.ticks != nil {
		return p.ticks
	}
	t := &ticks{of: map[int][]choice{}, ticked: map[Class]bool{}, offered: map[Class]bool{}}
	p.ticks = t
	for i := range p.units {
		u := &p.units[i]
		if !u.stem || len(u.upper) > 600 || u.Place == extract.Subject || u.Place == extract.FileName {
			continue
		}
		for _, c := range choicesIn(u.upper) {
			t.of[i] = append(t.of[i], c)
			t.offered[words[c.word]] = true
			if c.ticked {
				t.ticked[words[c.word]] = true
			} else {
				t.anyEmpty = true
			}
		}
	}
	return t
}

// choicesIn finds the classes of one line that have a box close by.
func choicesIn(upper string) (out []choice) {
	if !strings.ContainsAny(upper, "[({<_:=") && isASCII(upper) {
		return nil
	}
	if m := answered.FindStringSubmatch(upper); m != nil {
		return []choice{{word: m[1], ticked: m[2] != "", answer: true}}
	}
	at := boxed.FindAllStringSubmatchIndex(upper, 20)
	if at == nil {
		return nil
	}
	all := classWord.FindAllStringIndex(upper, 20)
	if len(all) == 0 {
		return nil
	}
	before := at[0][0] < all[0][0]
	for _, w := range all {
		best := -1
		var c choice
		for _, b := range at {
			if before && b[1] > w[0] || !before && b[0] < w[1] {
				continue
			}
			between, d := "", 0
			if before {
				between = upper[b[1]:w[0]]
			} else {
				between = upper[w[1]:b[0]]
			}
			if d = len(between); best >= 0 && d >= best || strings.IndexFunc(between, isWordRune) >= 0 {
				continue
			}
			best = d
			c = choice{word: upper[w[0]:w[1]], ticked: b[2] >= 0 || b[6] >= 0, sure: b[2] >= 0 || b[4] >= 0}
		}
		if best >= 0 && best <= 8 {
			out = append(out, c)
		}
	}
	return out
}

func isWordRune(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// boxes is E9 and N2: boxes beside classes, ticked or not. false: what looks like a box
// is an ornament.
func (p *part) boxes(i int, u *unit) bool {
	t := p.choices()
	mine := t.of[i]
	if len(mine) == 0 {
		return false
	}
	handled := false
	for _, c := range mine {
		if !c.sure && len(t.offered) < 2 {
			continue // a bullet, or an ornament
		}
		if !c.sure && !t.anyEmpty && len(t.ticked) > 1 {
			continue // a list with bullets
		}
		if c.answer && !t.offered[Sulit] && !t.offered[Rahsia] && !t.offered[RahsiaBesar] {
			continue // "Terhad: ya, terbuka: tidak", of seats
		}
		handled = true
		switch {
		case !c.ticked:
			p.add(u, "E9", c.word, 0, "N2: the box beside it is not ticked")
		case len(t.ticked) > 2:
			p.add(u, "E9", c.word, 0, "N1: several boxes are ticked")
		default:
			f := p.add(u, "E9", c.word, weights["E9"], "the box beside it is ticked")
			if len(t.ticked) > 1 {
				f.Weight += weights["N1"]
				f.Why += "; N1: another one is, too"
			}
			p.example(i, u, f)
		}
	}
	return handled
}

// tickedCell is E9 in tables: classes in a row or column, a tick in the cell beside or below
// one of them.
func (p *part) tickedCell(i int, u *unit) bool {
	if u.Place != extract.Cell || u.Row == 0 || len(u.upper) > candidate {
		return false
	}
	m := classCell.FindStringSubmatch(u.upper)
	if m == nil {
		return false
	}
	ticked := func(row, col int) bool {
		j, ok := p.cells[[3]int{u.List, row, col}]
		return ok && tickAlone.MatchString(p.around(j))
	}
	isClass := func(row, col int) (Class, bool) {
		j, ok := p.cells[[3]int{u.List, row, col}]
		if !ok {
			return None, false
		}
		m := classCell.FindStringSubmatch(p.around(j))
		if m == nil {
			return None, false
		}
		return words[m[1]], true
	}
	// dr, dc lead to the next class; tr, tc from a class to its tick.
	for _, d := range [][4]int{{1, 0, 0, 1}, {1, 0, 0, -1}, {0, 1, 1, 0}, {0, 2, 0, 1}} {
		others, others1 := 0, 0
		for step := -8; step <= 8; step++ {
			c, ok := isClass(u.Row+step*d[0], u.Col+step*d[1])
			if step == 0 || !ok || c == words[m[1]] {
				continue
			}
			others++
			if ticked(u.Row+step*d[0]+d[2], u.Col+step*d[1]+d[3]) {
				others1++
			}
		}
		if others == 0 {
			continue
		}
		mine := ticked(u.Row+d[2], u.Col+d[3])
		switch {
		case mine && others1 == 0:
			f := p.add(u, "E9", m[1], weights["E9"], "the cell beside it is ticked")
			p.example(i, u, f)
			return true
		case mine || others1 > 0:
			p.add(u, "E9", m[1], 0, "N2: the cell beside it is not ticked, or not it alone")
			return true
		}
	}
	return false
}
