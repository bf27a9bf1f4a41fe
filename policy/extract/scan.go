package extract

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// scanned is a document whose pages are pictures.
type scanned struct {
	pages  int
	number func(i int) int // of page i, counted from 0, as people count, from 1; nil: i+1
	// page draws page i, whole, at so many dots an inch. Its picture is not changed, and not
	// kept. An error says that this page cannot be read.
	page func(i int, dpi int) (image.Image, error)
}

const (
	stripDPI  = 150 // of pages whose head and foot alone are read
	wholeDPI  = 200 // of pages that are read in full
	wholes    = 6   // as many pages are read in full: the first two, the last, three others
	stripPart = 15  // percent of a page's height
	batch     = 8   // pages that are in memory together
	goodScore = 60  // confidence with which letters are read when a page lies the right way
)

// A reading is one document of pictures while its letters are looked for.
type reading struct {
	w      *walker
	a      at
	kind   string
	number func(i int) int
	pages  []pageRead
	failed []int // pages that could not be read
	over   bool  // the budget of the recogniser is spent
}

// A pageRead is what stands on one page.
type pageRead struct {
	lines []inkLine
}

// An inkLine is one line of letters, with what was seen of it.
type inkLine struct {
	RecognisedLine
	where string // "of the head", "in colour", or ""
	page  image.Rectangle
	style Style
}

// scan reads the pages of a document: head and foot of every page, and some in full
// (classification.md 5.6). Its units go to p.
func (w *walker) scan(a at, p *writer, s scanned) {
	number := s.number
	if number == nil {
		number = func(i int) int { return i + 1 }
	}
	if w.b.Recognise == nil {
		w.unseenPages(a, p.part.Kind, s, number)
		return
	}
	r := &reading{w: w, a: a, kind: p.part.Kind, number: number, pages: make([]pageRead, s.pages)}
	whole := sample(s.pages)
	if len(whole) < s.pages {
		r.strips(s, whole)
		if r.over {
			w.gap(a, r.kind, TooMuch, "more pages than there is time to read letters on")
		}
	}
	for some := range slices.Chunk(whole, batch) {
		r.wholes(s, some)
	}
	r.write(p)
	r.note(whole)
}

// sample chooses the pages that are read in full.
func sample(pages int) []int {
	if pages <= wholes {
		out := make([]int, pages)
		for i := range out {
			out[i] = i
		}
		return out
	}
	return []int{0, 1, pages / 4, pages / 2, pages * 3 / 4, pages - 1}
}

// recognise has letters recognised, as long as the budget lasts.
func (r *reading) recognise(pages []*image.Gray, how Recognition) ([]Recognised, bool) {
	w := r.w
	if len(pages) == 0 || !w.tick() {
		return nil, false
	}
	if w.used.OCR >= w.b.OCR {
		r.over = true
		return nil, false
	}
	out, err := w.b.Recognise(w.ctx, pages, how)
	if err != nil {
		w.err = err
		return nil, false
	}
	if len(out) != len(pages) {
		w.err = fmt.Errorf("of %d pictures %d came back from the recogniser", len(pages), len(out))
		return nil, false
	}
	for i := range out {
		w.used.OCR += out[i].CPU
	}
	return out, true
}

// draw draws a page, as it lies best.
func (r *reading) draw(s scanned, i, dpi int) (*sheet, error) {
	img, err := s.page(i, dpi)
	if err != nil {
		return nil, err
	}
	return sheetOf(img, 1), nil
}

// strips reads head and foot of all pages that are not read in full.
func (r *reading) strips(s scanned, whole []int) {
	var pending []int
	for i := range s.pages {
		if !slices.Contains(whole, i) {
			pending = append(pending, i)
		}
	}
	for some := range slices.Chunk(pending, batch) {
		if !r.w.tick() || r.over {
			return
		}
		r.stripsOf(s, some)
	}
}

// A strip is the head or the foot of a page.
type strip struct {
	page  int
	where string
	box   image.Rectangle // on the page as it was read
	whole image.Rectangle
	sheet *sheet
}

func (r *reading) stripsOf(s scanned, pages []int) {
	var strips []strip
	for _, i := range pages {
		sh, err := r.draw(s, i, stripDPI)
		if err != nil {
			r.failed = append(r.failed, i)
			continue
		}
		if sh.blank() {
			continue
		}
		if sideways(sh.gray) {
			sh = sh.turned(1)
		}
		strips = append(strips, stripsOn(sh, i)...)
	}
	poor := r.readStrips(strips)
	// What can hardly be read stands on its head, perhaps: head and foot change places.
	var again []strip
	for _, i := range poor {
		for _, st := range strips {
			if st.page == i {
				again = append(again, stripsOn(st.sheet.turned(2), i)...)
				break
			}
		}
	}
	if len(again) > 0 {
		r.readStrips(again)
	}
}

func stripsOn(sh *sheet, page int) []strip {
	b := sh.gray.Rect
	h := max(b.Dy()*stripPart/100, min(b.Dy(), 60))
	return []strip{
		{page, "of the head", image.Rect(0, 0, b.Max.X, h), b, sh},
		{page, "of the foot", image.Rect(0, b.Max.Y-h, b.Max.X, b.Max.Y), b, sh},
	}
}

// readStrips reads strips, and gives the pages on which something stands that was not
// read well.
func (r *reading) readStrips(strips []strip) (poor []int) {
	pictures := make([]*image.Gray, len(strips))
	for i, st := range strips {
		pictures[i] = crop(st.sheet.gray, st.box)
	}
	out, ok := r.recognise(pictures, Recognition{Sparse: true, DPI: stripDPI})
	if !ok {
		return nil
	}
	got := map[int]*pageRead{}
	failed := map[int]bool{}
	for i, st := range strips {
		if got[st.page] == nil {
			got[st.page] = &pageRead{}
		}
		failed[st.page] = failed[st.page] || out[i].Failed
		for _, l := range out[i].Lines {
			l.Box = l.Box.Add(st.box.Min)
			got[st.page].lines = append(got[st.page].lines, st.sheet.line(l, st.where))
		}
	}
	for i, st := range strips {
		if i%2 == 1 {
			continue
		}
		p := got[st.page]
		if failed[st.page] && !slices.Contains(r.failed, st.page) {
			r.failed = append(r.failed, st.page)
		}
		if score(p.lines) >= score(r.pages[st.page].lines) {
			r.pages[st.page] = *p
		}
		if confidence(p.lines) < goodScore {
			poor = append(poor, st.page)
		}
	}
	return poor
}

// wholes reads all that stands on some pages.
func (r *reading) wholes(s scanned, pages []int) {
	var sheets []lying
	for _, i := range pages {
		if !r.w.tick() || r.over {
			return
		}
		sh, err := r.draw(s, i, wholeDPI)
		if err != nil {
			r.failed = append(r.failed, i)
			continue
		}
		sheets = append(sheets, lying{page: i, sheet: sh})
	}
	r.sheets(sheets, wholeDPI)
}

// lying is a page or picture while it is found out how it lies.
type lying struct {
	page  int
	sheet *sheet
	turns []int // quarters to the right, the likeliest first
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
	}
	for round := range 4 {
		if !r.turn(all, round, dpi) {
			break
		}
	}
	r.colours(all, dpi)
	for i := range all {
		l := &all[i]
		if !l.read && !r.over && r.w.tick() {
			r.failed = append(r.failed, l.page)
		}
		r.pages[l.page].lines = append(r.pages[l.page].lines, l.best...)
	}
}

// turn reads what was not read well yet, turned as the round says. False when nothing is
// left to do.
func (r *reading) turn(all []lying, round, dpi int) bool {
	var turned []*sheet
	var pictures []*image.Gray
	var which []*lying
	for i := range all {
		if l := &all[i]; !l.done {
			at := l.sheet.turned(l.turns[round])
			which, turned, pictures = append(which, l), append(turned, at), append(pictures, at.gray)
		}
	}
	out, ok := r.recognise(pictures, Recognition{DPI: dpi})
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
			l.best = lines
		}
		l.done = confidence(lines) >= goodScore
	}
	return true
}

// colours reads coloured ink alone: a stamp across black text cannot be read otherwise.
func (r *reading) colours(all []lying, dpi int) {
	var pictures []*image.Gray
	var which []*lying
	for i := range all {
		if l := &all[i]; l.sheet.hue != nil {
			which, pictures = append(which, l), append(pictures, l.sheet.hue)
		}
	}
	out, ok := r.recognise(pictures, Recognition{Sparse: true, DPI: dpi})
	if !ok {
		return
	}
	for i, l := range which {
		for _, found := range out[i].Lines {
			l.best = added(l.best, l.sheet.line(found, "in colour"))
		}
	}
}

// added puts a line of a layer where it stands on the page, unless it was read before.
func added(lines []inkLine, l inkLine) []inkLine {
	if letters(l.Text) < 3 || l.Confidence < 30 {
		return lines
	}
	for _, o := range lines {
		both := o.Box.Intersect(l.Box)
		if both.Dx()*both.Dy()*2 > min(o.Box.Dx()*o.Box.Dy(), l.Box.Dx()*l.Box.Dy()) && bare(o.Text) == bare(l.Text) {
			return lines
		}
	}
	i := 0
	for i < len(lines) && lines[i].Box.Min.Y < l.Box.Min.Y {
		i++
	}
	return slices.Insert(lines, i, l)
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

// blank says that there is nothing on a page.
func (s *sheet) blank() bool { return s.ink*float64(len(s.gray.Pix)) < 40 }

func (s *sheet) turned(quarters int) *sheet {
	if quarters&3 == 0 {
		return s
	}
	out := &sheet{gray: turned(s.gray, quarters), ink: s.ink}
	if s.hue != nil {
		out.hue = turned(s.hue, quarters)
	}
	return out
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
				if s.red[p] {
					red++
				}
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
	for i := range r.pages {
		count := map[string]int{}
		for _, l := range r.pages[i].lines {
			count[l.where]++
			u := Unit{Place: OCRLine, Text: l.Text, Style: l.style, Page: r.number(i)}
			u.Where = "line " + strconv.Itoa(count[l.where])
			if l.where != "" {
				u.Where += " " + l.where
			}
			if u.Page > 0 {
				u.Where = fmt.Sprintf("page %d, %s", u.Page, u.Where)
			}
			high := usual
			if high == 0 {
				high = max(l.page.Dx(), l.page.Dy()) / 100
			}
			if l.Height*10 >= high*13 {
				u.Style |= Large
			}
			p.add(u)
		}
	}
}

// usual is the height of the document's letters, 0 when there is too little to tell.
func (r *reading) usual() int {
	var all []RecognisedLine
	n := 0
	for i := range r.pages {
		for _, l := range r.pages[i].lines {
			all = append(all, l.RecognisedLine)
			n += letters(l.Text)
		}
	}
	if len(all) < 3 {
		return 0
	}
	slices.SortFunc(all, func(a, b RecognisedLine) int { return cmp.Compare(a.Height, b.Height) })
	half := 0
	for _, l := range all {
		if half += letters(l.Text); half*2 >= n {
			return l.Height
		}
	}
	return 0
}

// note says what was sampled, and what could not be read.
func (r *reading) note(whole []int) {
	if len(whole) < len(r.pages) {
		var names []string
		for _, i := range whole {
			names = append(names, strconv.Itoa(r.number(i)))
		}
		r.w.note(r.a, fmt.Sprintf("%d pages are pictures: pages %s were read in full, of the others head and foot",
			len(r.pages), strings.Join(names, ", ")))
	}
	if len(r.failed) > 0 && r.w.tick() {
		why := "the letters on it cannot be recognised"
		if len(r.pages) > 1 {
			why = fmt.Sprintf("the letters on %d of its pages cannot be recognised, page %d is the first", len(r.failed), r.number(slices.Min(r.failed)))
		}
		r.w.gap(r.a, r.kind, Damaged, why)
	}
}

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
	dpi := 0
	switch {
	case long <= 700:
		sh = sh.enlarged(3)
	case long <= 1400:
		sh = sh.enlarged(2)
	}
	r := &reading{w: w, a: a, kind: p.part.Kind, number: func(int) int { return page }, pages: make([]pageRead, 1)}
	r.sheets([]lying{{page: 0, sheet: sh}}, dpi)
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

func (s *sheet) enlarged(n int) *sheet {
	out := &sheet{gray: enlarged(s.gray, n), ink: s.ink}
	if s.hue != nil {
		out.hue = enlarged(s.hue, n)
	}
	if s.red != nil {
		w := out.gray.Rect.Dx()
		out.red = make([]bool, len(out.gray.Pix))
		for p := range out.red {
			out.red[p] = s.red[p/w/n*s.gray.Stride+p%w/n]
		}
	}
	return out
}
