package extract

import "image"

// Without a recogniser nobody knows what stands in a picture. One that looks like a page of
// a document is refused; a photograph, a logo or a drawing passes, and the verdict says so.

const (
	pageSide  = 600 // pixels: a page that can be read is larger
	pageLines = 5   // rows of letters that make a page
	unseenDPI = 75
)

// unseenPages looks at the pages of a document that nothing can read.
func (w *walker) unseenPages(a at, kind string, s scanned, number func(int) int) {
	for i := range s.pages {
		if !w.tick() {
			return
		}
		img, err := s.page(i, unseenDPI)
		if err != nil {
			w.gap(a, kind, Damaged, "one of its pages cannot be drawn")
			return
		}
		if looksLikePage(img, 1) {
			w.gap(a, kind, NoOCR, "a picture of a page, and there is no program to read it")
			return
		}
	}
	if s.pages > 0 {
		w.note(a, "its pages are pictures that were not read: there is no program that reads them")
	}
}

// unseen looks at a picture that nothing can read.
func (w *walker) unseen(a at, kind string, img image.Image) {
	b := img.Bounds()
	if long := max(b.Dx(), b.Dy()); long >= pageSide && min(b.Dx(), b.Dy()) >= smallW && looksLikePage(img, max(1, long/1000)) {
		w.gap(a, kind, NoOCR, "a picture of a page, and there is no program to read it")
		return
	}
	w.note(a, "a picture that was not read: there is no program that reads pictures")
}

// looksLikePage says whether img, each f by f pixels made one, is mostly paper with rows of
// letters on it.
func looksLikePage(img image.Image, f int) bool {
	r := rasterOf(img, f)
	if r.w < 100 || r.h < 100 || r.evenness() < 0.55 {
		return false
	}
	g := sheetOf(img, f).gray
	if sideways(g) {
		g = turned(g, 1)
	}
	rows := textRows(g)
	h := g.Rect.Dy()
	head, foot := false, false
	for _, y := range rows {
		head = head || y < h*stripPart/100
		foot = foot || y > h-h*stripPart/100
	}
	return len(rows) >= pageLines || len(rows) >= 2 && head && foot
}

// evenness is the share of pixels that have the colour of the paper, more or less.
func (r *raster) evenness() float64 {
	least := 1.0
	for _, c := range r.ch {
		var hist [256]int
		for _, v := range c {
			hist[v]++
		}
		best, sum := 0, 0
		for i := range hist { // in a window of 48 values
			sum += hist[i]
			if i >= 48 {
				sum -= hist[i-48]
			}
			best = max(best, sum)
		}
		least = min(least, float64(best)/float64(len(c)))
	}
	return least
}

// textRows gives the middle of each row of letters: a band of ink with paper above and
// below, as high as letters are, and with many gaps in it.
func textRows(g *image.Gray) []int {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	var rows []int
	start := -1
	for y := 0; y <= h; y++ {
		ink := 0
		if y < h {
			for _, v := range g.Pix[y*g.Stride:][:w] {
				if v < strongly {
					ink++
				}
			}
		}
		switch {
		case ink >= 3 && start < 0:
			start = y
		case ink < 3 && start >= 0:
			if high := y - start; high >= 4 && high <= h/8 && changes(g, start+high/2) >= 8 {
				rows = append(rows, start+high/2)
			}
			start = -1
		}
	}
	return rows
}

// changes counts how often a row goes from paper to ink.
func changes(g *image.Gray, y int) int {
	n, dark := 0, false
	for _, v := range g.Pix[y*g.Stride:][:g.Rect.Dx()] {
		if d := v < strongly; d != dark {
			dark = d
			if d {
				n++
			}
		}
	}
	return n
}
