package extract

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// A pdfSegment is a piece of a line that stands by itself: words with no wide gap between
// them.
type pdfSegment struct {
	text         string
	x0, x1, y    float64 // along the writing, and its base
	size         float64
	style        Style
	unseen, pale bool
	letters      int
}

// A pdfLine is what stands on one base line.
type pdfLine struct {
	y, size  float64
	segments []pdfSegment
	glyphs   []pdfGlyph
	crossed  []string // what is written over other writing, each by itself
}

// A pdfLayer is text that runs one way: all that is level, that goes up the side, that lies
// aslant. What is unseen is a layer of its own, so that it cannot stand between the letters
// of what is seen.
type pdfLayer struct {
	angle  int // degrees, to the left
	unseen bool
	lines  []pdfLine
}

// layers sorts the letters of a page into lines.
func (t *pdfTextPage) layers() []pdfLayer {
	type key struct {
		angle  int
		unseen bool
	}
	groups := map[key][]pdfGlyph{}
	var order []key
	for _, g := range t.glyphs {
		l := &t.looks[g.look]
		k := key{int(math.Round(math.Atan2(l.dy, l.dx)*180/math.Pi)+360) % 360, l.unseen}
		if near := (k.angle + 45) / 90 * 90; k.angle-near <= 2 && near-k.angle <= 2 {
			k.angle = near % 360
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], g)
	}
	var out []pdfLayer
	for _, k := range order {
		gs := groups[k]
		sin, cos := math.Sincos(float64(k.angle) * math.Pi / 180)
		for i := range gs {
			t.along(&gs[i], cos, sin, k.angle)
		}
		t.advance(gs, k.angle)
		out = append(out, pdfLayer{k.angle, k.unseen, t.lines(gs, k.angle%90 != 0)})
	}
	return out
}

// along turns a letter so that the writing goes to the right.
func (t *pdfTextPage) along(g *pdfGlyph, cos, sin float64, angle int) {
	u := g.x*cos + g.y*sin
	g.v = g.y*cos - g.x*sin
	size := t.looks[g.look].size
	g.x0, g.x1 = u, u+0.5*size
	if angle%90 != 0 {
		return
	}
	a, b := g.box[0]*cos+g.box[1]*sin, g.box[2]*cos+g.box[3]*sin
	if lo, hi := min(a, b), max(a, b); hi > lo && hi-lo < 4*size {
		g.x0, g.x1 = lo, hi
	}
}

// advance gives the letters of slanting writing their widths: a box around such a letter
// is wider than it, but within one object the next begins where it ends.
func (t *pdfTextPage) advance(gs []pdfGlyph, angle int) {
	if angle%90 == 0 {
		return
	}
	for i := range len(gs) - 1 {
		size := t.looks[gs[i].look].size
		if gap := gs[i+1].x0 - gs[i].x0; gs[i].look == gs[i+1].look && gap > 0 && gap < 1.2*size {
			gs[i].x1 = gs[i+1].x0
		}
	}
}

// openLines is how many lines a letter is compared with: large and small writing may cross.
const openLines = 12

// lines puts letters that stand on one base together, from the top.
func (t *pdfTextPage) lines(gs []pdfGlyph, slanted bool) []pdfLine {
	slices.SortStableFunc(gs, func(a, b pdfGlyph) int { return cmp.Compare(b.v, a.v) })
	var out []pdfLine
	for _, g := range gs {
		size := t.looks[g.look].size
		best := -1
		for i := len(out) - 1; i >= 0 && i >= len(out)-openLines; i-- {
			l := &out[i]
			small, big := min(size, l.size), max(size, l.size)
			if l.y-g.v <= 0.4*small && big <= 2.2*small {
				best = i
				break
			}
		}
		if best < 0 {
			out = append(out, pdfLine{y: g.v, size: size})
			best = len(out) - 1
		}
		l := &out[best]
		l.glyphs = append(l.glyphs, g)
		l.size = max(l.size, size)
	}
	for i := range out {
		t.split(&out[i], slanted)
	}
	return slices.DeleteFunc(out, func(l pdfLine) bool { return len(l.segments) == 0 })
}

// split makes words and segments of the letters of a line.
func (t *pdfTextPage) split(l *pdfLine, slanted bool) {
	slices.SortStableFunc(l.glyphs, func(a, b pdfGlyph) int { return cmp.Compare(a.x0, b.x0) })
	gs := l.glyphs[:0]
	for _, g := range l.glyphs {
		if n := len(gs); n > 0 && gs[n-1].r == g.r && g.x0-gs[n-1].x0 < 0.12*l.size { // printed twice to look bold
			continue
		}
		gs = append(gs, g)
	}
	l.crossed = t.crossing(gs, l.size)
	track := pdfTracking(gs, l.size)
	least := 0.2 // of the size: between words
	if slanted {
		least = 0.45 // for a letter's own width is a guess there
	}
	var s pdfSegment
	var text strings.Builder
	blank := false
	end := func() {
		s.text = strings.TrimSpace(leftwards(text.String()))
		if s.text != "" {
			l.segments = append(l.segments, s)
		}
		text.Reset()
		s, blank = pdfSegment{}, false
	}
	for _, g := range gs {
		look := &t.looks[g.look]
		if unicode.IsSpace(g.r) {
			blank = true
			continue
		}
		if s.letters > 0 {
			gap := g.x0 - s.x1
			if gap > track+1.2*l.size {
				end()
			} else if blank || gap > track+least*min(look.size, l.size) {
				text.WriteByte(' ')
			}
		}
		blank = false
		if s.letters == 0 {
			s = pdfSegment{x0: g.x0, y: l.y, style: look.style, unseen: look.unseen, pale: look.pale}
		}
		text.WriteRune(g.r)
		s.letters++
		s.x1 = max(s.x1, g.x1)
		s.size = max(s.size, look.size)
		s.style &= look.style
		s.unseen = s.unseen && look.unseen
		s.pale = s.pale && look.pale
	}
	end()
	l.glyphs = nil
}

// crossing takes writing apart that is set over other writing on one line, in the order in
// which it is drawn; nil where no two letters of different objects stand in one place.
func (t *pdfTextPage) crossing(gs []pdfGlyph, size float64) (out []string) {
	over := 0
	for i := 1; i < len(gs); i++ {
		if gs[i].look != gs[i-1].look && gs[i].x0 < gs[i-1].x1-0.25*size && !unicode.IsSpace(gs[i].r) && !unicode.IsSpace(gs[i-1].r) {
			over++
		}
	}
	if over < 3 {
		return nil
	}
	drawn := slices.Clone(gs)
	slices.SortStableFunc(drawn, func(a, b pdfGlyph) int { return cmp.Compare(a.look, b.look) })
	var b strings.Builder
	for i, g := range drawn {
		if i > 0 && g.look != drawn[i-1].look && (g.x0 < drawn[i-1].x1-0.25*size || g.x0 > drawn[i-1].x1+2*size) {
			out = append(out, b.String())
			b.Reset()
		}
		b.WriteRune(g.r)
	}
	if out = append(out, b.String()); len(out) > 50 {
		out = out[:50]
	}
	return out
}

// leftwards puts the letters of Jawi, which stand in a line from left to right, into the
// order in which they are read.
func leftwards(s string) string {
	if strings.IndexFunc(s, fromRight) < 0 {
		return s
	}
	r := []rune(s)
	for i := 0; i < len(r); {
		if !fromRight(r[i]) {
			i++
			continue
		}
		end := i + 1
		for j := end; j < len(r) && (fromRight(r[j]) || unicode.IsSpace(r[j]) || unicode.IsMark(r[j])); j++ {
			if fromRight(r[j]) {
				end = j + 1
			}
		}
		slices.Reverse(r[i:end])
		i = end
	}
	return string(r)
}

// fromRight says whether a letter is of a script that is written from the right.
func fromRight(r rune) bool {
	return r >= 0x590 && r <= 0x8ff && unicode.IsLetter(r) || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefc
}

// pdfTracking is how far apart the letters of a line are set that is spaced out: nothing when
// they stand close.
func pdfTracking(gs []pdfGlyph, size float64) float64 {
	var gaps []float64
	for i := 1; i < len(gs); i++ {
		if !unicode.IsSpace(gs[i].r) && !unicode.IsSpace(gs[i-1].r) {
			gaps = append(gaps, gs[i].x0-gs[i-1].x1)
		}
	}
	if len(gaps) < 3 {
		return 0
	}
	slices.Sort(gaps)
	if low := gaps[len(gaps)/5]; low > 0.15*size { // most of them
		if high := gaps[len(gaps)-1]; high < 1.6*gaps[0]+0.5*size { // all alike: no words
			return high
		}
		return gaps[len(gaps)/2]
	}
	return 0
}

// pdfBodySize is the size of most letters.
func pdfBodySize(layers []pdfLayer) float64 {
	count := map[int]int{}
	for _, l := range layers {
		if l.angle%90 != 0 {
			continue
		}
		for _, ln := range l.lines {
			for _, s := range ln.segments {
				count[int(s.size*2+0.5)] += s.letters
			}
		}
	}
	best, n := 22, 0
	for size, c := range count {
		if c > n || c == n && size < best {
			best, n = size, c
		}
	}
	return max(float64(best)/2, 1)
}
