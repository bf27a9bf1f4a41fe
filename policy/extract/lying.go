package extract

import (
	"crypto/sha256"
	"fmt"
	"image"
	"slices"
)

const (
	leastW, leastH = 80, 16 // smaller pictures carry no line that a person could read
	smallW, smallH = 200, 60
	mostSide       = 3600 // pixels: about 300 to an inch of A4
)

// picture reads one picture; page is that of the document on which it stands, or 0.
func (w *walker) picture(a at, p *writer, img image.Image, page int) {
	b := img.Bounds()
	long, short := max(b.Dx(), b.Dy()), min(b.Dx(), b.Dy())
	if long < leastW || short < leastH {
		return
	}
	if w.b.Recognise == nil {
		w.unseen(a, p.part.Kind, img)
		return
	}
	sh := sheetOf(img, max(1, (long+mostSide-1)/mostSide))
	if w.judged(sh) || sh.blank() {
		return
	}
	switch {
	case long <= 700:
		sh = sh.enlarged(3)
	case long <= 1400:
		sh = sh.enlarged(2)
	}
	r := &reading{w: w, a: a, kind: p.part.Kind, number: func(int) int { return page }, pages: make([][]inkLine, 1)}
	r.sheets([]lying{{sheet: sh}}, 0)
	r.write(p)
	r.note([]int{0})
	switch {
	case !r.over:
	case long < smallW || short < smallH:
		w.note(a, "a small picture was not read: there are too many")
	default:
		w.gap(a, r.kind, TooMuch, "more pictures than there is time to read letters in")
	}
}

// judged says whether the same picture was read in this message before.
func (w *walker) judged(s *sheet) bool {
	h := sha256.New()
	fmt.Fprint(h, s.gray.Rect)
	h.Write(s.gray.Pix)
	key := [32]byte(h.Sum(nil))
	if w.pictures == nil {
		w.pictures = map[[32]byte]bool{}
	}
	before := w.pictures[key]
	w.pictures[key] = true
	return before
}

// wholes reads all that stands on some pages.
func (r *reading) wholes(s scanned, pages []int, dpi int) {
	var sheets []lying
	for _, i := range pages {
		if !r.w.tick() || r.over {
			return
		}
		sh, err := r.draw(s, i, dpi)
		if err != nil {
			r.failed = append(r.failed, i)
			continue
		}
		sheets = append(sheets, lying{page: i, sheet: sh})
	}
	r.sheets(sheets, dpi)
}

// lying is a page or picture while it is found out how it lies.
type lying struct {
	page  int
	sheet *sheet
	turns []int // quarters to the right, the likeliest first
	turn  int   // the best
	best  []inkLine
	read  bool
	done  bool
}

// sheets reads pages or pictures, however they lie. Those that can hardly be read are turned
// and read again.
func (r *reading) sheets(all []lying, dpi int) {
	all = slices.DeleteFunc(all, func(l lying) bool { return l.sheet.blank() })
	for i := range all {
		all[i].turns = []int{0, 2, 1, 3}
		if sideways(all[i].sheet.gray) {
			all[i].turns = []int{1, 3, 0, 2}
		}
		all[i].turn = all[i].turns[0]
	}
	for round := range 4 {
		if !r.turn(all, func(l *lying) (int, bool) { return l.turns[round], !l.done }, Recognition{DPI: dpi, Quick: r.quick}) {
			break
		}
	}
	if r.quick {
		r.turn(all, func(l *lying) (int, bool) { return l.turn, confidence(l.best) < sureScore }, Recognition{DPI: dpi})
	}
	r.layers(all, dpi)
	for i := range all {
		l := &all[i]
		switch {
		case l.read:
			r.pages[l.page] = merged(l.best, r.pages[l.page])
		case !r.over && r.w.tick() && !slices.Contains(r.failed, l.page):
			r.failed = append(r.failed, l.page)
		}
	}
}

// turn reads what was not read well yet, turned as lie says. False when nothing is left to do.
func (r *reading) turn(all []lying, lie func(l *lying) (quarters int, again bool), how Recognition) bool {
	var turned []*sheet
	var pictures []*image.Gray
	var which []*lying
	var turns []int
	for i := range all {
		l := &all[i]
		if quarters, again := lie(l); again {
			at := l.sheet.turned(quarters)
			turns = append(turns, quarters)
			which, turned, pictures = append(which, l), append(turned, at), append(pictures, at.gray)
		}
	}
	out, ok := r.recognise(pictures, how)
	if !ok {
		return false
	}
	for i, l := range which {
		if out[i].Failed {
			continue
		}
		l.read = true
		var lines []inkLine
		for _, found := range out[i].Lines {
			lines = append(lines, turned[i].line(found, ""))
		}
		if score(lines) > score(l.best) {
			l.best, l.turn = lines, turns[i]
		}
		l.done = confidence(lines) >= goodScore
	}
	return true
}

// layers reads what cannot be read together with the rest of a page.
func (r *reading) layers(all []lying, dpi int) {
	var pictures []*image.Gray
	var views []view
	var which []*lying
	var sheets []*sheet
	for i := range all {
		l := &all[i]
		sh := l.sheet.turned(l.turn)
		for _, y := range sh.layers() {
			for _, v := range y.views() {
				which, sheets, views, pictures = append(which, l), append(sheets, sh), append(views, v), append(pictures, v.picture)
			}
		}
	}
	out, ok := r.recognise(pictures, Recognition{Sparse: true, DPI: dpi})
	if !ok {
		return
	}
	for i, l := range which {
		if out[i].Failed && !slices.Contains(r.failed, l.page) {
			r.failed = append(r.failed, l.page)
		}
		for _, found := range out[i].Lines {
			if letters(found.Text) >= 3 && found.Confidence >= goodScore-10 {
				l.best = added(l.best, sheets[i].line(views[i].back(found), views[i].name), views[i].slanted)
			}
		}
	}
}

// back is where a line that was read in a view stands on the sheet.
func (v *view) back(l RecognisedLine) RecognisedLine {
	box := v.box
	if !v.slanted {
		box = l.Box.Add(v.straight)
	}
	l.Box = image.Rect(box.Min.X*v.size, box.Min.Y*v.size, box.Max.X*v.size, box.Max.Y*v.size)
	l.Height *= v.size
	return l
}

// wellRead is the confidence of a line that was read as it stands: one that a stamp crosses
// is read with less.
const wellRead = 75

// added puts a line of a layer where it stands on the page. A word that was read in its line
// before is no line of its own, whatever its colour.
func added(lines []inkLine, l inkLine, slanted bool) []inkLine {
	for _, o := range lines {
		alike := bare(o.Text) == bare(l.Text) || o.Confidence >= wellRead && contains(o.Text, l.Text)
		if alike && (slanted || sameRow(o.Box, l.Box)) {
			return lines
		}
	}
	i := 0
	for i < len(lines) && lines[i].Box.Min.Y < l.Box.Min.Y {
		i++
	}
	return slices.Insert(lines, i, l)
}

func sameRow(a, b image.Rectangle) bool {
	both := a.Intersect(b)
	return both.Dx()*2 > min(a.Dx(), b.Dx()) && both.Dy()*2 > min(a.Dy(), b.Dy())
}

// merged are the lines of a page that was read in full, with those of its strips that are
// not among them.
func merged(whole, strips []inkLine) []inkLine {
	have := map[string]bool{}
	for _, l := range whole {
		have[bare(l.Text)] = true
	}
	var head, foot []inkLine
	for _, l := range strips {
		if have[bare(l.Text)] || l.Confidence < goodScore {
			continue
		}
		if l.where == "of the head" {
			head = append(head, l)
		} else {
			foot = append(foot, l)
		}
	}
	return slices.Concat(head, whole, foot)
}
