package extract

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// An inkLine is one line of letters, with what was seen of it.
type inkLine struct {
	RecognisedLine
	where string // "of the head", "in colour", or ""
	page  image.Rectangle
	style Style
}

// line is a line that was recognised on a sheet, with what it looks like.
func (s *sheet) line(l RecognisedLine, where string) inkLine {
	out := inkLine{RecognisedLine: l, where: where, page: s.gray.Rect}
	if w := s.gray.Rect.Dx(); l.Box.Dx() < w*7/10 && abs(l.Box.Min.X+l.Box.Max.X-w) < w/12 {
		out.style |= Centred
	}
	if s.red != nil && s.isRed(l.Box) {
		out.style |= Red
	}
	return out
}

func (s *sheet) isRed(box image.Rectangle) bool {
	red, ink := 0, 0
	box = box.Intersect(s.gray.Rect)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			p := y*s.gray.Stride + x
			if s.gray.Pix[p] < strongly {
				ink++
				red += int(s.red[p])
			}
		}
	}
	return ink > 0 && red*2 > ink
}

func abs(n int) int { return max(n, -n) }

func letters(s string) int {
	n := 0
	for _, c := range s {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			n++
		}
	}
	return n
}

// bare is the letters of a line, for comparing.
func bare(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToUpper(c)
		}
		return -1
	}, s)
}

func contains(line, part string) bool { return strings.Contains(bare(line), bare(part)) }

// score is how much was read with confidence.
func score(lines []inkLine) int {
	n := 0
	for _, l := range lines {
		n += letters(l.Text) * max(0, l.Confidence-30)
	}
	return n
}

// confidence is the mean over all letters; 0 for none.
func confidence(lines []inkLine) int {
	n, sum := 0, 0
	for _, l := range lines {
		k := letters(l.Text)
		n += k
		sum += k * l.Confidence
	}
	return sum / max(n, 1)
}

// write makes units of the lines.
func (r *reading) write(p *writer) {
	usual := r.usual()
	for i, lines := range r.pages {
		count := map[string]int{}
		for _, l := range lines {
			count[l.where]++
			u := Unit{Place: OCRLine, Text: l.Text, Style: l.style, Page: r.number(i)}
			u.Where = "line " + strconv.Itoa(count[l.where])
			if l.where != "" {
				u.Where += " " + l.where
			}
			if u.Page > 0 {
				u.Where = fmt.Sprintf("page %d, %s", u.Page, u.Where)
			}
			if r.isLarge(l, usual) {
				u.Style |= Large
			}
			p.add(u)
		}
	}
}

// tall is how high a page is counted to be where heights of letters are compared: heads and
// feet are drawn with fewer dots than whole pages are.
const tall = 3600

// height is that of the letters on a page of [tall] dots.
func (l inkLine) height() int {
	return l.Height * tall / max(l.page.Dx(), l.page.Dy(), 1)
}

// isLarge says whether letters are higher than others. Where there are no others, they are
// compared with those that pages mostly have.
func (r *reading) isLarge(l inkLine, usual int) bool {
	if usual == 0 {
		usual = tall / 100
	}
	return l.height()*10 >= usual*13
}

// usual is the height of the document's letters, 0 when there is too little to tell.
func (r *reading) usual() int {
	var all []inkLine
	n := 0
	for _, lines := range r.pages {
		for _, l := range lines {
			all = append(all, l)
			n += letters(l.Text)
		}
	}
	if len(all) < 3 {
		return 0
	}
	slices.SortFunc(all, func(a, b inkLine) int { return cmp.Compare(a.height(), b.height()) })
	half := 0
	for _, l := range all {
		if half += letters(l.Text); half*2 >= n {
			return l.height()
		}
	}
	return 0
}
