package mark

import (
	"path"
	"strings"
	"unicode"

	"sampul/policy/extract"
)

// A Finding is one piece of evidence, or a mention with the reason why it is none.
type Finding struct {
	Path, Where string
	Rule        string // of classification.md 5.4
	Class       Class
	Word        string
	Weight      int  // what it counts, after negatives
	English     bool // named by an English word alone, with no field or label
	Why         string
}

// Weights of evidence (section 5.4).
const (
	wLabel     = 100 // E1
	wTag       = 100 // E2
	wFurniture = 100 // E3
	wLine      = 80  // E4
	wLineBoth  = 100 // E4 at both ends, or on two pages
	wField     = 90  // E5
	wSays      = 80  // E6
	wStamp     = 90  // E7
	wBox       = 90  // E9
	wColon     = 80  // E10
	wColonLow  = 50  // E10 in title case

	Certain  = 80 // verdict
	Suspect  = 40 // suspicion
	ends     = 5  // lines that are first or last
	nearby   = 6  // lines that are neighbours
	longUnit = 2000
)

// A Verdict is what all evidence together says.
type Verdict struct {
	Class     Class // None when nothing is certain
	Suspicion Class // the highest class with 40 to 79 points
	Proven    bool  // by E1 to E3, or a mark at both ends: nobody declares it away
	English   bool  // the class rests on English words alone
	Declared  bool  // the subject declares the message open
	Findings  []Finding
}

// Found is the evidence in some parts of a message, before it is weighed together.
type Found struct {
	Findings []Finding
	Declared bool // the subject declares the message open
}

// Add takes in what was found in other parts.
func (f *Found) Add(other Found) {
	f.Findings = append(f.Findings, other.Findings...)
	f.Declared = f.Declared || other.Declared
}

// Find looks for evidence in each part by itself, so that the parts of a message can be
// looked through in different places. A nil s is what is built in.
func Find(parts []extract.Part, s *Settings) Found {
	var f Found
	for i := range parts {
		p := newPart(&parts[i], s)
		if p == nil {
			continue
		}
		p.find()
		f.Findings = append(f.Findings, p.found...)
		f.Declared = f.Declared || p.declared
	}
	return f
}

// Weigh says what all evidence of a message together shows.
func Weigh(f Found) Verdict {
	v := Verdict{Findings: f.Findings, Declared: f.Declared}
	v.weigh()
	return v
}

// Judge finds all evidence in the parts of a message, and weighs it.
func Judge(parts []extract.Part) Verdict { return Weigh(Find(parts, nil)) }

func (v *Verdict) weigh() {
	var score, native [RahsiaBesar + 1]int
	for _, f := range v.Findings {
		score[f.Class] = max(score[f.Class], f.Weight)
		if !f.English {
			native[f.Class] = max(native[f.Class], f.Weight)
		}
		if f.Class >= Rahsia && (f.Weight >= wLabel) {
			v.Proven = true
		}
	}
	for c := RahsiaBesar; c > Terbuka; c-- {
		switch {
		case score[c] >= Certain && v.Class == None:
			v.Class = c
			v.English = native[c] < Certain
		case score[c] >= Suspect && score[c] < Certain && v.Suspicion == None && v.Class < c:
			v.Suspicion = c
		}
	}
}

// A unit is one of extract's with what matching needs.
type unit struct {
	*extract.Unit
	upper, caps string
	stem        bool
	order       int // among lines that are not empty; rows of a table count as one
}

// A part is one part while evidence is looked for in it.
type part struct {
	*extract.Part
	set      *Settings
	units    []unit
	lines    int            // how many there are of unit.order
	rows     map[[2]int]int // list, row: how many of its cells say something
	cells    map[[3]int]int // list, row, column: unit
	lowest   map[[2]int]int // list, column: its last row
	marks    []placed       // units that are marks, once they were asked for
	asked    bool
	only     map[Class]bool // see onlyClass
	struck   bool           // something is struck out
	found    []Finding
	declared bool
	open     bool // an explicit mark of openness stands in it (N7)
	redone   Class
}

// newPart prepares a part; nil when no class word can be in it.
func newPart(in *extract.Part, set *Settings) *part {
	var look scanner
	for i := range in.Units {
		if look.text(in.Units[i].Text) {
			break
		}
	}
	if !look.hit {
		return nil
	}
	p := &part{Part: in, set: set}
	p.units = make([]unit, 0, len(in.Units))
	for i := range in.Units {
		u := unit{Unit: &in.Units[i]}
		text := u.Text
		if len(text) > longUnit {
			text = text[:longUnit]
		}
		var own scanner
		if own.text(text) || len(text) <= candidate { // of others only the case is folded, when they are asked
			u.upper, u.caps = normal(text)
			p.joinLetters(&u)
			u.stem = u.stem || hasStem(u.upper)
			if !u.stem && len(u.upper) <= candidate {
				u.guess()
			}
		}
		p.units = append(p.units, u)
	}
	p.number()
	p.tower()
	return p
}

// joinLetters joins letters that stand apart, in a unit that is no longer than a mark.
func (p *part) joinLetters(u *unit) {
	if s := squeezed(u.upper); s != "" && hasStem(strings.ReplaceAll(s, " ", "")) {
		u.upper, u.caps, u.stem = strings.Replace(s, "RAHSIABESAR", "RAHSIA BESAR", 1), s, true
		return
	}
	if len(u.upper) > candidate || hasStem(u.upper) {
		return
	}
	letters := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r // another letter: no mark
		}
		return -1
	}, u.caps)
	if _, ok := words[letters]; ok { // in capitals, and nothing else
		u.upper, u.caps, u.stem = strings.Replace(letters, "RAHSIABESAR", "RAHSIA BESAR", 1), letters, true
	}
}

// guess reads digits and signs as letters in a unit that is as short as a mark.
func (u *unit) guess() {
	if !strings.ContainsAny(u.caps, "41530@$!7|l") {
		return
	}
	s := leet.Replace(strings.ToUpper(strings.NewReplacer("l", "I", "|", "I").Replace(u.caps)))
	if q := squeezed(s); q != "" {
		s = q
	}
	if hasStem(s) && markUnit.MatchString(s) {
		u.upper, u.caps, u.stem = s, s, true
	}
}

// number counts lines: a row of cells is one, unless a cell has several lines. What stands
// aside, such as a signature, does not count: the line before it is the last one.
func (p *part) number() {
	p.rows, p.cells, p.lowest = map[[2]int]int{}, map[[3]int]int{}, map[[2]int]int{}
	last, column := [2]int{-1, -1}, 0
	for i := range p.units {
		u := &p.units[i]
		switch {
		case u.Style&extract.Aside != 0:
		case u.Place == extract.Cell && u.Row > 0:
			row := [2]int{u.List, u.Row}
			if row != last || u.Col == column {
				p.lines++
			}
			last, column = row, u.Col
			if _, again := p.cells[[3]int{u.List, u.Row, u.Col}]; !again {
				p.rows[row]++
				p.cells[[3]int{u.List, u.Row, u.Col}] = i
			}
			p.lowest[[2]int{u.List, u.Col}] = max(p.lowest[[2]int{u.List, u.Col}], u.Row)
		default:
			p.lines++
			last = [2]int{-1, -1}
		}
		u.order = p.lines
	}
}

// around is the folded text of unit j.
func (p *part) around(j int) string {
	u := &p.units[j]
	if u.upper == "" && len(u.Text) <= longUnit {
		u.upper, u.caps = normal(u.Text)
	}
	return u.upper
}

// tower joins 4 to 12 successive lines of one letter each.
func (p *part) tower() {
	for i := 0; i < len(p.units); i++ {
		j := i
		var word strings.Builder
		for j < len(p.units) && len(p.units[j].upper) == 1 {
			word.WriteString(p.units[j].upper)
			j++
		}
		if n := j - i; n >= 4 && n <= 12 && hasStem(word.String()) {
			u := &p.units[i]
			u.upper, u.caps, u.stem = word.String(), word.String(), true
		}
		if j > i {
			i = j - 1
		}
	}
}

func (p *part) add(u *unit, rule string, word string, weight int, why string) *Finding {
	c := words[word]
	if c == 0 {
		c = words[strings.ReplaceAll(word, " ", "")]
	}
	f := Finding{Path: p.Path, Where: where(u), Rule: rule, Class: c, Word: word, Weight: weight, Why: why,
		English: english[word] && rule != "E1" && rule != "E5"}
	if weight == 0 && len(p.found) >= maxMentions || weight > 0 && p.enough(c, weight) {
		return &f
	}
	p.found = append(p.found, f)
	return &p.found[len(p.found)-1]
}

// maxMentions is how many mentions of a part are kept.
const maxMentions = 1000

// enough says that a part has shown its class so often, with such a weight, that one
// more changes nothing.
func (p *part) enough(c Class, weight int) bool {
	n := 0
	for i := range p.found {
		if p.found[i].Class == c && p.found[i].Weight >= weight {
			if n++; n >= 20 {
				return true
			}
		}
	}
	return false
}

func where(u *unit) string {
	switch u.Place {
	case extract.Paragraph, extract.ListItem, extract.Cell:
		return u.Where
	}
	if u.Where == "" || u.Where == string(u.Place) {
		return string(u.Place)
	}
	return string(u.Place) + ", " + u.Where
}

func (p *part) find() {
	for i := range p.units {
		u := &p.units[i]
		p.struck = p.struck || u.stem && (u.Style&extract.Struck != 0 || u.Place == extract.Deleted)
	}
	for i := range p.units {
		if u := &p.units[i]; u.stem && p.redone == None && again.MatchString(u.upper) {
			p.reclassified(i)
		}
	}
	for i := range p.units {
		if u := &p.units[i]; u.stem {
			p.look(i, u)
		}
	}
	p.adjust()
}

// look asks each rule about one unit.
func (p *part) look(i int, u *unit) {
	switch u.Place {
	case extract.Subject:
		p.subject(u)
		return
	case extract.FileName:
		p.fileName(u)
		return
	case extract.HeaderField, extract.Metadata:
		p.label(u)
		return
	case extract.PageHeader, extract.PageFooter, extract.Master:
		p.furniture(u)
		return
	}
	if p.boxes(u) {
		return
	}
	if m := fieldUnit.FindStringSubmatch(u.upper); m != nil {
		switch {
		case several(u.upper):
			p.add(u, "E5", m[1], 0, "N1: the field offers several classes")
		case p.register(i):
			p.add(u, "E5", m[1], 0, "N1: a list of documents, each with its class")
		default:
			p.add(u, "E5", m[1], wField, "a field names the class")
		}
		return
	}
	if m := markUnit.FindStringSubmatch(u.upper); m != nil {
		p.line(i, u, m[1])
		return
	}
	p.says(u)
}

// several says whether a unit names classes of more than one level.
func several(upper string) bool { return len(classes(upper)) > 1 }

// adjust applies what concerns the part as a whole: N5 to old marks, N7, C1 to C3.
func (p *part) adjust() {
	for i := range p.found {
		f := &p.found[i]
		if f.Weight == 0 || f.Rule == "N5" {
			continue
		}
		if p.redone != None && f.Class != p.redone {
			f.Weight, f.Why = 0, "N5: the old class; it was classified anew"
			continue
		}
		soft := f.Rule == "E4" && f.Weight < wLineBoth || f.Rule == "E6" || f.Rule == "E8"
		if soft && p.open && f.Class != Terbuka {
			f.Weight -= 30
			f.Why += "; N7: the document is marked open"
		}
		if f.Weight > 0 && f.Weight < Certain && p.copied() {
			f.Weight += 10
			f.Why += "; C2: a copy number stands near it"
		}
	}
}

// copied says whether the part is numbered as a copy, or goes by hand (C2).
func (p *part) copied() bool {
	for i := range p.units {
		if copyOf.MatchString(p.around(i)) {
			return true
		}
	}
	return false
}

func trimExt(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }
