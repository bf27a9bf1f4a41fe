package extract

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// A pdfPage is what stands on one page, laid out.
type pdfPage struct {
	number  int
	w, h    float64
	body    float64 // size of most letters
	pitch   float64 // from one line to the next
	lines   []pdfLine
	aside   []pdfAside
	strikes [][4]float64 // lines drawn through writing: x0, y0, x1, y1
	turned  bool         // most of the writing does not run level
	said    [32]byte     // a sum of its letters, see said
}

// A pdfAside is writing that is no line of the page's text: aslant, up the side, in a stamp.
type pdfAside struct {
	place Place
	text  string
	style Style
}

// layOut orders the writing of a page.
func (t *pdfTextPage) layOut(number int, strikes [][4]float64) *pdfPage {
	layers := t.layers()
	p := &pdfPage{number: number, w: t.frame.w, h: t.frame.h, body: pdfBodySize(layers), strikes: strikes}
	main := pdfMainAngle(layers)
	if main != 0 {
		p.turned = true
		p.strikes = nil
		if main%180 != 0 {
			p.w, p.h = p.h, p.w
		}
	}
	var side []pdfSegment
	for _, l := range layers {
		switch {
		case l.angle == main:
			p.lines = append(p.lines, pdfShifted(l.lines, main, t.frame)...)
		case l.angle%90 == 0:
			for _, ln := range l.lines {
				side = append(side, ln.segments...)
			}
		default:
			for _, ln := range l.lines {
				for _, s := range ln.segments {
					p.slanting(s)
				}
			}
		}
	}
	for _, s := range side {
		a := pdfAside{Stamp, s.text, p.styleOf(s)}
		if len(side) > 3 { // headings of columns, set upright
			a.place = Paragraph
		}
		p.aside = append(p.aside, a)
	}
	slices.SortStableFunc(p.lines, func(a, b pdfLine) int { return cmp.Compare(b.y, a.y) })
	for i := range p.lines {
		for _, c := range p.lines[i].crossed {
			p.aside = append(p.aside, pdfAside{place: Stamp, text: strings.TrimSpace(c)})
		}
	}
	p.towers()
	p.pale()
	p.measure()
	return p
}

// pdfMainAngle is the way that most writing runs: 0, 90, 180 or 270.
func pdfMainAngle(layers []pdfLayer) int {
	var n [4]int
	for _, l := range layers {
		if l.angle%90 == 0 {
			for _, ln := range l.lines {
				for _, s := range ln.segments {
					n[l.angle/90] += s.letters
				}
			}
		}
	}
	best := 0
	for i := range n {
		if n[i] > n[best] && n[i] > 3*n[0] {
			best = i
		}
	}
	return 90 * best
}

// pdfShifted moves turned writing so that it starts from the page's lower left.
func pdfShifted(lines []pdfLine, angle int, f pdfFrame) []pdfLine {
	var dx, dy float64
	switch angle {
	case 90: // across is -x
		dy = f.w
	case 180:
		dx, dy = f.w, f.h
	case 270:
		dx = f.h
	}
	for i := range lines {
		lines[i].y += dy
		for j := range lines[i].segments {
			s := &lines[i].segments[j]
			s.x0, s.x1, s.y = s.x0+dx, s.x1+dx, s.y+dy
		}
	}
	return lines
}

func (p *pdfPage) slanting(s pdfSegment) {
	a := pdfAside{Stamp, s.text, p.styleOf(s)}
	if s.size >= 1.5*p.body || s.size >= 20 {
		a.place = Watermark
	}
	p.aside = append(p.aside, a)
}

func (p *pdfPage) styleOf(s pdfSegment) Style {
	st := s.style
	if s.size >= 1.3*p.body {
		st |= Large
	}
	if mid := (s.x0 + s.x1) / 2; math.Abs(mid-p.w/2) < 0.03*p.w && s.x1-s.x0 < 0.6*p.w {
		st |= Centred
	}
	for _, k := range p.strikes {
		y := (k[1] + k[3]) / 2
		if over := min(k[2], s.x1) - max(k[0], s.x0); over > 0.6*(s.x1-s.x0) && y > s.y+0.1*s.size && y < s.y+0.55*s.size {
			st |= Struck
			break
		}
	}
	return st
}

// towers joins single letters that stand below each other beside other text.
func (p *pdfPage) towers() {
	var towers [][]pdfSegment
	for i := range p.lines {
		if len(p.lines[i].segments) < 2 {
			continue
		}
		for _, s := range p.lines[i].segments {
			if s.letters != 1 {
				continue
			}
			on := slices.IndexFunc(towers, func(t []pdfSegment) bool {
				last := t[len(t)-1]
				aligned := math.Abs(last.x0-s.x0) < 0.3*s.size || math.Abs(last.x0+last.x1-s.x0-s.x1) < 0.6*s.size
				return aligned && last.y-s.y < 4*s.size
			})
			if on < 0 && len(towers) < 100 {
				towers = append(towers, []pdfSegment{s})
			} else if on >= 0 {
				towers[on] = append(towers[on], s)
			}
		}
	}
	for _, t := range towers {
		if len(t) < 4 || len(t) > 12 {
			continue
		}
		var b strings.Builder
		for _, s := range t {
			b.WriteString(s.text)
		}
		p.aside = append(p.aside, pdfAside{place: Stamp, text: b.String()})
	}
}

// pale takes large light writing across the page for a watermark.
func (p *pdfPage) pale() {
	for i := range p.lines {
		l := &p.lines[i]
		l.segments = slices.DeleteFunc(l.segments, func(s pdfSegment) bool {
			water := s.pale && !s.unseen && s.size >= 30 && s.size >= 2*p.body
			if water {
				p.aside = append(p.aside, pdfAside{Watermark, s.text, p.styleOf(s)})
			}
			return water
		})
	}
	p.lines = slices.DeleteFunc(p.lines, func(l pdfLine) bool { return len(l.segments) == 0 })
}

// measure finds how far lines are apart.
func (p *pdfPage) measure() {
	var gaps []float64
	for i := 1; i < len(p.lines); i++ {
		if d := p.lines[i-1].y - p.lines[i].y; d > 0.5*p.body {
			gaps = append(gaps, d)
		}
	}
	p.pitch = 1.3 * p.body
	if len(gaps) > 0 {
		slices.Sort(gaps)
		p.pitch = max(p.pitch, min(gaps[len(gaps)/2], 2*p.body))
	}
}

// Bands of a page in which its header and footer stand.
const (
	band     = 0.12  // where lines count that come again on other pages
	edgeBand = 0.065 // where a line counts that stands apart from the text
)

// furniture says which lines are the page's header (+1) and footer (-1). again are lines
// that stand in the bands of two pages or more.
func (p *pdfPage) furniture(again map[string]int) []int {
	out := make([]int, len(p.lines))
	for i := range p.lines {
		l := &p.lines[i]
		near := func(share float64) int {
			switch {
			case l.y > (1-share)*p.h:
				return 1
			case l.y < share*p.h:
				return -1
			}
			return 0
		}
		if n := near(band); n != 0 && again[l.key(n)] > 1 {
			out[i] = n
			continue
		}
		switch n := near(edgeBand); {
		case n > 0 && i < 3 && (i+1 >= len(p.lines) || l.y-p.lines[i+1].y > 1.4*p.pitch || i+2 < len(p.lines) && p.lines[i+1].y > (1-edgeBand)*p.h && p.lines[i+1].y-p.lines[i+2].y > 1.4*p.pitch):
			out[i] = n
		case n < 0 && i >= len(p.lines)-3 && (i == 0 || p.lines[i-1].y-l.y > 1.4*p.pitch || i > 1 && p.lines[i-1].y < edgeBand*p.h && p.lines[i-2].y-p.lines[i-1].y > 1.4*p.pitch):
			out[i] = n
		}
	}
	return out
}

// key is a line as it comes again on another page, where only numbers differ.
func (l *pdfLine) key(end int) string {
	var b strings.Builder
	if end > 0 {
		b.WriteByte('+')
	}
	for _, s := range l.segments {
		for _, r := range s.text {
			if unicode.IsDigit(r) {
				r = '#'
			}
			b.WriteRune(r)
		}
		b.WriteByte('|')
	}
	return strings.ReplaceAll(b.String(), "##", "#")
}

// joinLabels makes one segment of a label and the value that stands a colon apart.
func (l *pdfLine) joinLabels() {
	out := l.segments[:0]
	for _, s := range l.segments {
		if n := len(out); n > 0 && (strings.HasSuffix(out[n-1].text, ":") || strings.HasPrefix(s.text, ":")) {
			o := &out[n-1]
			o.text += " " + s.text
			o.x1, o.size, o.letters = s.x1, max(o.size, s.size), o.letters+s.letters
			o.style &= s.style
			o.unseen = o.unseen && s.unseen
			continue
		}
		out = append(out, s)
	}
	l.segments = out
}

// A pdfBlock is lines that belong together: text, columns, or a table.
type pdfBlock struct {
	lines   []pdfLine
	table   bool
	columns float64 // where the gap between two columns is; 0 for none
}

// blocks cuts the lines of a page's text where tables and columns begin and end.
func (p *pdfPage) blocks(lines []pdfLine) []pdfBlock {
	var out []pdfBlock
	for i := 0; i < len(lines); {
		if n, gutter := p.columns(lines[i:]); n > 0 {
			out = append(out, pdfBlock{lines: lines[i : i+n], columns: gutter})
			i += n
			continue
		}
		j := i
		for j < len(lines) && len(lines[j].segments) > 1 && (j == i || lines[j-1].y-lines[j].y < 2.2*p.pitch) {
			j++
		}
		if j-i >= 2 {
			out = append(out, pdfBlock{lines: lines[i:j], table: true})
			i = j
			continue
		}
		out = append(out, pdfBlock{lines: lines[i : i+1]})
		i++
	}
	return out
}

// columns says how many lines from here on run in two columns, and where the gap is.
func (p *pdfPage) columns(lines []pdfLine) (int, float64) {
	lo, hi := 0.0, p.w
	n, both := 0, 0
	var left, right int
	for _, l := range lines {
		a, b := lo, hi
		if len(l.segments) == 1 {
			s := l.segments[0]
			if mid := (lo + hi) / 2; both == 0 || s.x0 < mid && s.x1 > mid {
				break
			} else if s.x0 >= mid {
				b = min(b, s.x0)
			} else {
				a = max(a, s.x1)
			}
		} else if len(l.segments) == 2 {
			a, b = max(a, l.segments[0].x1), min(b, l.segments[1].x0)
		} else {
			break
		}
		if b-a < 0.8*p.body {
			break
		}
		lo, hi = a, b
		n++
		if len(l.segments) == 2 {
			both++
			left += l.segments[0].letters
			right += l.segments[1].letters
		}
	}
	if both < 4 || left < 18*both || right < 18*both { // as short as the cells of a table
		return 0, 0
	}
	return n, (lo + hi) / 2
}

// pdfCells numbers the columns of a table: segments that stand below each other.
func pdfCells(lines []pdfLine) [][]int {
	type span struct{ lo, hi float64 }
	var spans []span
	for _, l := range lines {
		for _, s := range l.segments {
			spans = append(spans, span{s.x0, s.x1})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	var cols []span
	for _, s := range spans {
		if n := len(cols); n > 0 && s.lo < cols[n-1].hi {
			cols[n-1].hi = max(cols[n-1].hi, s.hi)
			continue
		}
		cols = append(cols, s)
	}
	out := make([][]int, len(lines))
	for i, l := range lines {
		used := 0
		for j, s := range l.segments {
			c := slices.IndexFunc(cols, func(c span) bool { return s.x0 < c.hi && s.x1 > c.lo }) + 1
			if c <= used || len(cols) < 2 {
				c = max(used, j) + 1
			}
			used = c
			out[i] = append(out[i], c)
		}
	}
	return out
}
