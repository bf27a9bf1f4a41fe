package mark

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sampul/policy/extract"
)

// A Finding is one piece of evidence, or a mention with the reason why it is none. It is
// plain data, and holds nothing of the text but the class word, save Quote.
type Finding struct {
	Path, Where string
	Rule        string // of classification.md 5.4
	Class       Class
	Word        string
	Weight      int  // what it counts, after negatives
	English     bool // named by an English word alone, with no field or label
	Former      bool // struck out, or called the original class: counts unless classified anew
	Why         string

	Quote  string // what stands there, 40 characters on each side; see [Settings.Quotes]
	Points string // original code points, where a disguise was undone; see [Settings.Quotes]
}

const (
	Certain  = 80 // verdict
	Suspect  = 40 // suspicion
	ends     = 5  // lines that are first or last
	nearby   = 6  // lines that are neighbours
	longUnit = 2000
)

// Found is the evidence in some parts of a message, before it is weighed together.
type Found struct {
	Findings []Finding
	Declared bool // the subject declares the message open
	Redone   []Redone
}

// Redone says that a document was classified anew (N5).
type Redone struct {
	Path  string // of the document
	Class Class
}

// Add takes in what was found in other parts.
func (f *Found) Add(other Found) {
	f.Findings = append(f.Findings, other.Findings...)
	f.Redone = append(f.Redone, other.Redone...)
	f.Declared = f.Declared || other.Declared
}

// Find looks for evidence in each part by itself, so that the parts of a message can be
// looked through in different places. A nil s is what is built in.
func Find(parts []extract.Part, s *Settings) Found {
	if s == nil {
		s = &Settings{}
	}
	var f Found
	for i := range parts {
		p := newPart(&parts[i], s)
		if p == nil {
			continue
		}
		p.find()
		f.Findings = append(f.Findings, p.found...)
		f.Declared = f.Declared || p.declared
		if p.redone != None {
			f.Redone = append(f.Redone, Redone{documentOf(p.Path), p.redone})
		}
	}
	return f
}

// Judge finds all evidence in the parts of a message, and weighs it.
func Judge(parts []extract.Part) Verdict { return Weigh(Find(parts, nil)) }

// documentOf is the document that a part belongs to: the files inside one are named .xml.
func documentOf(path string) string {
	if i := strings.LastIndex(path, " > "); i >= 0 && strings.HasSuffix(path, ".xml") {
		return path[:i]
	}
	return path
}

// A unit is one of extract's with what matching needs.
type unit struct {
	*extract.Unit
	upper, caps string
	stem        bool
	joined      int      // lines or cells that were joined to this one
	tested      bool     // mark is set
	mark        []string // groups of markUnit
	order       int      // among lines that are not empty; rows of a table count as one
	head, foot  bool     // among the first or last lines of the part or of a page
	led         bool     // lead is set
	lead        Class    // see leads
}

// leads is the class that a line names as a list does: alone, or with its meaning.
func (u *unit) leads() Class {
	if !u.led {
		u.led = true
		if u.stem && len(u.upper) <= longUnit {
			if m := leading.FindStringSubmatch(u.upper); m != nil {
				u.lead = words[m[1]]
			}
		}
	}
	return u.lead
}

// isMark gives the groups of markUnit, nil for none.
func (u *unit) isMark() []string {
	if !u.tested {
		u.tested = true
		if u.stem && len(u.upper) <= 400 && opens(u.upper) {
			u.mark = markUnit.FindStringSubmatch(u.upper)
		}
	}
	return u.mark
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
	items    map[int]int    // list: how many items
	marks    []placed       // units that are marks, once they were asked for
	asked    bool
	outer    map[int][2]Class // see outermost
	ticks    *ticks           // see choices
	msips    map[string]*msip // see known
	found    []Finding
	declared bool
	open     bool // an explicit mark of openness stands in it (N7)
	redone   Class
	original map[Class]bool // classes that are called the original ones
}

// newPart prepares a part; nil when no class word can be in it.
func newPart(in *extract.Part, set *Settings) *part {
	var look scanner
	for i := range in.Units {
		u := &in.Units[i]
		if look.text(u.Text) || u.Place == extract.OCRLine || named(u.Place) && look.apart(u.Text) ||
			len(set.Labels) > 0 && (u.Place == extract.Metadata || u.Place == extract.HeaderField) {
			look.hit = true
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
		if own.text(text) || len(text) <= candidate || named(u.Place) && own.apart(text) { // of others only the case is folded, when they are asked
			u.upper, u.caps = gathered(normal(text))
			u.joinLetters()
			u.stem = u.stem || hasStem(u.upper)
			if !u.stem && len(u.upper) <= candidate {
				u.guess()
			}
			if u.Place == extract.OCRLine {
				u.misread()
			}
		}
		p.units = append(p.units, u)
	}
	p.number()
	p.joinLines()
	return p
}

// joinLetters joins letters that stand apart, in a unit that is no longer than a mark.
func (u *unit) joinLetters() {
	if s := squeezed(u.upper); s != "" && hasStem(strings.ReplaceAll(s, " ", "")) {
		u.upper, u.caps, u.stem = strings.Replace(s, "RAHSIABESAR", "RAHSIA BESAR", 1), s, true
		return
	}
	if len(u.upper) > candidate || hasStem(u.upper) {
		return
	}
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
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
	s := leet.Replace(strings.ToUpper(strings.ReplaceAll(u.caps, "l", "I")))
	if q := squeezed(s); q != "" {
		s = q
	}
	if hasStem(s) && markUnit.MatchString(s) {
		u.upper, u.caps, u.stem = s, s, true
	}
}

// misread is for letters recognised in a picture: one letter of a class word may be wrong,
// and specks at the ends of the line may be read as letters.
func (u *unit) misread() {
	if len(u.upper) > candidate || u.isMark() != nil {
		return
	}
	u.tested = false
	words := strings.Fields(u.upper)
	for len(words) > 1 && utf8.RuneCountInString(words[0]) == 1 {
		words = words[1:]
	}
	for len(words) > 1 && utf8.RuneCountInString(words[len(words)-1]) == 1 {
		words = words[:len(words)-1]
	}
	for i, w := range words {
		core := strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if right := misreadWord(core); right != "" && !neighbours[core] {
			words[i] = right
		}
	}
	s := strings.Join(words, " ")
	if s != u.upper && markUnit.MatchString(s) {
		if strings.ToUpper(u.caps) == u.caps {
			u.caps = s
		}
		u.upper, u.stem = s, true
	}
}

// number counts lines: a row of cells is one, unless a cell has several lines. What stands
// aside, such as a signature, does not count: the line before it is the last one. It marks
// which lines are first and last, of the part and of each page.
func (p *part) number() {
	p.rows, p.cells, p.lowest, p.items = map[[2]int]int{}, map[[3]int]int{}, map[[2]int]int{}, map[int]int{}
	last, column := [2]int{-1, -1}, 0
	pages := map[int][2]int{} // its first and last line
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
		if u.List != 0 {
			p.items[u.List]++
		}
		u.order = p.lines
		if u.Page > 0 {
			pg, ok := pages[u.Page]
			if !ok {
				pg[0] = p.lines
			}
			pg[1] = p.lines
			pages[u.Page] = pg
		}
	}
	for i := range p.units {
		u := &p.units[i]
		u.head, u.foot = u.order <= ends, u.order > p.lines-ends
		if pg, ok := pages[u.Page]; ok {
			u.head, u.foot = u.head || u.order < pg[0]+ends, u.foot || u.order > pg[1]-ends
		}
	}
}

// around is the folded text of unit j.
func (p *part) around(j int) string {
	if j < 0 || j >= len(p.units) {
		return ""
	}
	u := &p.units[j]
	if u.upper == "" && len(u.Text) <= longUnit {
		u.upper, u.caps = normal(u.Text)
	}
	return u.upper
}

// joinLines joins a class word that is written over up to 12 successive lines or cells: a
// letter each, a syllable each, or two words.
func (p *part) joinLines() {
	for i := 0; i < len(p.units); i++ {
		first := p.units[i].upper
		if n := len(first); n == 0 || n > 12 || p.units[i].caps != first {
			continue
		}
		var word strings.Builder
		for j := i; j < len(p.units) && j < i+12; j++ {
			piece := strings.Trim(p.units[j].upper, " -_*.")
			if piece == "" || len(piece) > 12 || p.units[j].caps != p.units[j].upper || !allLetters(piece) {
				break
			}
			word.WriteString(piece)
			if _, ok := words[word.String()]; !ok || j == i {
				continue
			}
			if k := p.spelledBesar(word.String(), j+1); k > 0 {
				word.WriteString("BESAR")
				j = k
			}
			u := &p.units[i]
			whole := strings.Replace(word.String(), "RAHSIABESAR", "RAHSIA BESAR", 1)
			u.upper, u.caps, u.stem, u.tested, u.led = whole, whole, true, false, false
			u.joined = j - i
			for k := i + 1; k <= j; k++ {
				p.units[k].upper, p.units[k].stem, p.units[k].tested = "-", false, false
			}
			i = j
			break
		}
	}
}

// spelledBesar is the last of the units from j on over which BESAR is written, a letter or
// more each, behind RAHSIA; 0 for none.
func (p *part) spelledBesar(before string, j int) int {
	if before != "RAHSIA" {
		return 0
	}
	rest := "BESAR"
	for ; j < len(p.units) && rest != ""; j++ {
		piece := strings.Trim(p.around(j), " -_*.")
		if piece == "" || !strings.HasPrefix(rest, piece) {
			return 0
		}
		rest = rest[len(piece):]
	}
	if rest != "" {
		return 0
	}
	return j - 1
}

func allLetters(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// add keeps a finding of a rule, with the points of its name in weights.txt; 0 points are a
// mention.
func (p *part) add(u *unit, rule, word string, weight int, why string) *Finding {
	c := words[word]
	f := Finding{Path: p.Path, Where: p.where(u), Rule: rule, Class: c, Word: word, Weight: weight, Why: why,
		English: english[word] && rule != "E1" && rule != "E5",
		Former:  u.Style&extract.Struck != 0 || u.Place == extract.Deleted}
	if weight == 0 && len(p.found) >= maxMentions || weight > 0 && p.enough(c, weight) {
		return &f
	}
	if p.set.Quotes {
		f.Quote, f.Points = quote(u, word), points(u, word)
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

// where is the place of a unit, for people.
func (p *part) where(u *unit) string {
	switch u.Place {
	case extract.Paragraph, extract.ListItem, extract.Cell:
		return u.Where
	}
	if u.Where == "" || u.Where == string(u.Place) || u.Where == p.Path {
		return string(u.Place)
	}
	return string(u.Place) + ", " + u.Where
}

// quote is the class word with 40 characters on each side.
func quote(u *unit, word string) string {
	r := []rune(strings.Join(strings.Fields(u.Text), " "))
	from, to := 0, len(r)
	if i := strings.Index(strings.ToUpper(string(r)), word); i >= 0 && i <= len(string(r)) {
		at := utf8.RuneCountInString(string(r)[:i])
		from, to = max(0, at-40), min(len(r), at+len(word)+40)
	} else {
		to = min(to, 80)
	}
	s := string(r[from:to])
	if from > 0 {
		s = "…" + s
	}
	if to < len(r) {
		s += "…"
	}
	return s
}

// points are the code points of a short unit in which the class word does not stand as such.
func points(u *unit, word string) string {
	if len(u.Text) > 6*candidate || strings.Contains(strings.ToUpper(u.Text), word) {
		return ""
	}
	var b strings.Builder
	n := 0
	for _, r := range u.Text {
		if n++; n > candidate {
			break
		}
		fmt.Fprintf(&b, "U+%04X ", r)
	}
	return strings.TrimSpace(b.String())
}

func (p *part) find() {
	for i := range p.units {
		if u := &p.units[i]; u.stem && p.redone == None && maybeAgain(u.upper) && again.MatchString(u.upper) {
			p.reclassified(i)
		}
	}
	for i := range p.units {
		if u := &p.units[i]; u.stem {
			n := len(p.found)
			p.look(i, u)
			if p.set.Quotes && len(p.found) == n {
				p.running(u)
			}
		} else if u.Place == extract.Metadata || u.Place == extract.HeaderField {
			p.known(u)
		}
	}
	p.adjust()
}

// running explains a class word that no rule says anything of.
func (p *part) running(u *unit) {
	if word := highest(u.upper); word != "" {
		p.add(u, "N3", word, 0, "in running text: other words stand before or behind it")
		return
	}
	for _, s := range stems {
		if strings.Contains(u.upper, s) {
			p.add(u, "N3", s, 0, "part of another word")
			return
		}
	}
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
		p.furniture(i, u)
		return
	}
	if p.boxes(i, u) || p.tickedCell(i, u) || p.field(i, u) {
		return
	}
	if m := u.isMark(); m != nil {
		p.line(i, u, m)
		return
	}
	if p.forwarded(u) || p.tagged(i, u) || p.opposite(i, u) {
		return
	}
	p.says(i, u)
}

// adjust applies what concerns the part as a whole: N5 to old marks, N7, C1 to C3.
func (p *part) adjust() {
	best := map[Class]int{}
	for i := range p.found {
		f := &p.found[i]
		if f.Weight == 0 || f.Rule == "N5" {
			continue
		}
		soft := f.Rule == "E4" || f.Rule == "E6" || f.Rule == "E8"
		if p.original[f.Class] && f.Rule != "E1" && f.Rule != "E2" && f.Rule != "E3" && p.redone != f.Class {
			f.Former = true
		}
		if soft && f.Weight < weights["E4 both"] && p.open && f.Class != Terbuka {
			f.Weight += weights["N7"]
			f.Why += "; N7: the document is marked open"
		}
		best[f.Class] = max(best[f.Class], f.Weight)
	}
	p.corroborate(best)
}
