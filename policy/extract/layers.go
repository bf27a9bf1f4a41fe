package extract

import (
	"image"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// A stamp across a page's text cannot be read together with it. What sets it apart is its
// colour, that it is paler, or that its strokes are thicker: each gives a layer, a picture
// of that ink alone. A layer is read upright and along the slant of what stands on it.

// A layer is some of the ink of a sheet.
type layer struct {
	name string
	gray *image.Gray
	size int             // pixels of the sheet, on a side, that are one of the layer
	box  image.Rectangle // of its ink, on the layer
}

const (
	paleLeast, paleMost = 14, 120 // distances from the paper of pale ink
	darkLeast           = 140     // and of dark ink
	leastInk            = 150     // pixels that a layer has at least
)

// layers are those on which something stands.
func (s *sheet) layers() []layer {
	var out []layer
	if s.hue != nil {
		out = append(out, layer{name: "in colour", gray: s.hue, size: 1})
	}
	if s.far != nil {
		size, far, light := 1, s.far, s.light
		w, h := s.gray.Rect.Dx(), s.gray.Rect.Dy()
		if max(w, h) >= 1100 { // what is meant is large: half the pixels are enough
			size = 2
			far, _, _ = halved(far, w, h)
			light, w, h = halved(light, w, h)
		}
		if g := pale(light, w, h); g != nil {
			out = append(out, layer{name: "in pale ink", gray: g, size: size})
		}
		if g := thick(far, w, h); g != nil {
			out = append(out, layer{name: "in thick strokes", gray: g, size: size})
		}
	}
	kept := out[:0]
	for _, l := range out {
		l.box = inkBox(l.gray)
		if l.box.Dx() >= 20 && l.box.Dy() >= 8 {
			kept = append(kept, l)
		}
	}
	return kept
}

func halved(pix []byte, w, h int) ([]byte, int, int) {
	hw, hh := w/2, h/2
	out := make([]byte, hw*hh)
	for y := range hh {
		a, b := pix[2*y*w:], pix[(2*y+1)*w:]
		for x := range hw {
			out[y*hw+x] = byte((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1])) / 4)
		}
	}
	return out, hw, hh
}

// A mask says of each pixel whether it is ink.
type mask struct {
	w, h int
	on   []bool
}

func bits(pix []byte, w, h int, is func(v byte) bool) mask {
	var table [256]bool
	for v := range table {
		table[v] = is(byte(v))
	}
	m := mask{w, h, make([]bool, w*h)}
	for i, v := range pix {
		m.on[i] = table[v]
	}
	return m
}

// widened is on wherever something within r pixels, up, down and to the sides, is on; with
// want false it is on wherever all is.
func (m mask) widened(r int, want bool) mask {
	return m.lines(r, want, m.w, m.h, 1, m.w).lines(r, want, m.h, m.w, m.w, 1)
}

// lines does it along one direction: count lines of n pixels, step apart.
func (m mask) lines(r int, want bool, n, count, step, next int) mask {
	out := mask{m.w, m.h, make([]bool, len(m.on))}
	for l := range count {
		base := l * next
		hits := 0 // pixels in the window that are as wanted
		for i := -r; i < n; i++ {
			if j := i + r; j < n && m.on[base+j*step] == want {
				hits++
			}
			if j := i - r - 1; j >= 0 && m.on[base+j*step] == want {
				hits--
			}
			if i >= 0 {
				out.on[base+i*step] = (hits > 0) == want
			}
		}
	}
	return out
}

// and is on where o is as well, or is not.
func (m mask) and(o mask, is bool) mask {
	for i := range m.on {
		m.on[i] = m.on[i] && o.on[i] == is
	}
	return m
}

// picture is the mask as black on white; nil when there is too little, or too much, for
// letters.
func (m mask) picture() *image.Gray {
	g := image.NewGray(image.Rect(0, 0, m.w, m.h))
	n := 0
	for i, on := range m.on {
		if g.Pix[i] = 255; on {
			g.Pix[i] = 0
			n++
		}
	}
	if n < leastInk || n > len(m.on)/4 {
		return nil
	}
	return g
}

// pale is ink that is paler than letters, in strokes that are thicker: the letters are
// painted over with what is around them.
func pale(light []byte, w, h int) *image.Gray {
	clean := inverted(lightest(inverted(lightest(light, w, h)), w, h))
	paper := percentile(clean, w, h, 0.8).around(highest)
	m := mask{w, h, make([]bool, len(clean))}
	row := make([]byte, w)
	for y := range h {
		paper.smooth(y, row)
		for x, p := range row {
			d := int(p) - int(clean[y*w+x])
			m.on[y*w+x] = d >= paleLeast && d <= paleMost
		}
	}
	return m.widened(1, false).widened(1, true).picture() // without specks
}

// lightest gives each pixel the lightest of those around it, in a square of seven: strokes
// of up to seven pixels vanish when the darkest of that follows.
func lightest(pix []byte, w, h int) []byte {
	if w < 8 || h < 8 {
		return pix
	}
	out := make([]byte, len(pix))
	line := make([]byte, w)
	for y := range h {
		in, to := pix[y*w:(y+1)*w], out[y*w:(y+1)*w]
		copy(line, in)
		for x := range w - 1 { // of two, then of four, then of seven from x on
			line[x] = max(in[x], in[x+1])
		}
		for x := range w - 3 {
			line[x] = max(line[x], line[x+2])
		}
		for x := range w - 6 {
			to[x+3] = max(line[x], line[x+3])
		}
		for x := range 3 {
			to[x], to[w-1-x] = to[3], to[w-4]
		}
	}
	down := make([]byte, len(pix))
	for y := range h {
		to := down[y*w : (y+1)*w]
		for i := max(0, y-3); i <= min(h-1, y+3); i++ {
			for x, v := range out[i*w : (i+1)*w] {
				to[x] = max(to[x], v)
			}
		}
	}
	return down
}

func inverted(pix []byte) []byte {
	out := make([]byte, len(pix))
	for i, v := range pix {
		out[i] = 255 - v
	}
	return out
}

// thick is ink in strokes that are at least twice as thick as those of most letters.
func thick(far []byte, w, h int) *image.Gray {
	dark := bits(far, w, h, func(v byte) bool { return v >= darkLeast })
	t := 2*dark.stroke() + 1
	core := dark.widened(t/2, false)
	return core.widened(t/2+1, true).and(dark, true).picture()
}

// stroke is how thick strokes mostly are: the median of the runs of ink in rows.
func (m mask) stroke() int {
	var hist [64]int
	n := 0
	for y := 0; y < m.h; y += 2 {
		run := 0
		for _, on := range append(m.on[y*m.w:(y+1)*m.w:(y+1)*m.w], false) {
			if on {
				run++
			} else if run > 0 {
				hist[min(run, 63)]++
				n++
				run = 0
			}
		}
	}
	sum := 0
	for i, k := range hist {
		if sum += k; sum*2 > n {
			return i
		}
	}
	return 1
}

func inkBox(g *image.Gray) image.Rectangle {
	var b image.Rectangle
	for y := range g.Rect.Dy() {
		row := g.Pix[y*g.Stride:][:g.Rect.Dx()]
		first, last := -1, -1
		for x, v := range row {
			if v < strongly {
				if first < 0 {
					first = x
				}
				last = x
			}
		}
		if first >= 0 {
			b = b.Union(image.Rect(first, y, last+1, y+1))
		}
	}
	return b
}

// A view is a layer as it is to be read.
type view struct {
	layer
	picture  *image.Gray
	straight image.Point // where its corner is on the layer, for a view that is not turned
	slanted  bool
}

// views are the ways in which a layer may be read: upright, and along its slant.
func (l layer) views() []view {
	margin := 12
	box := l.box.Inset(-margin).Intersect(l.gray.Rect)
	out := []view{{layer: l, picture: framed(crop(l.gray, box), margin), straight: box.Min.Sub(image.Pt(margin, margin))}}
	slant := l.slant()
	if math.Abs(slant) < 5 {
		return out
	}
	out = append(out, view{layer: l, picture: unslanted(crop(l.gray, box), slant), slanted: true})
	if math.Abs(slant) > 60 { // from top to bottom, or from bottom to top
		out = append(out, view{layer: l, picture: unslanted(crop(l.gray, box), slant+180), slanted: true})
	}
	return out
}

// framed puts white around a picture: letters at an edge are not read.
func framed(g *image.Gray, n int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Rect.Dx()+2*n, g.Rect.Dy()+2*n))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	for y := range g.Rect.Dy() {
		copy(out.Pix[(y+n)*out.Stride+n:], g.Pix[y*g.Stride:][:g.Rect.Dx()])
	}
	return out
}

// slant is the angle, in degrees to the right and down, along which ink lies in lines: then
// its shadow from that side has the sharpest peaks.
func (l layer) slant() float64 {
	var points [][2]float64
	step := max(1, l.box.Dx()*l.box.Dy()/40_000)
	i := 0
	for y := l.box.Min.Y; y < l.box.Max.Y; y++ {
		for x := l.box.Min.X; x < l.box.Max.X; x++ {
			if l.gray.Pix[y*l.gray.Stride+x] < strongly {
				if i++; i%step == 0 {
					points = append(points, [2]float64{float64(x), float64(y)})
				}
			}
		}
	}
	size := l.box.Dx() + l.box.Dy()
	bins := make([]float64, 2*size/3+2)
	best, most := 0.0, 0.0
	for a := -90.0; a < 90; a += 3 {
		sin, cos := math.Sincos(a * math.Pi / 180)
		clear(bins)
		for _, p := range points {
			d := -(p[0]-float64(l.box.Min.X))*sin + (p[1]-float64(l.box.Min.Y))*cos
			bins[int((d+float64(size))/3)%len(bins)]++
		}
		sum := 0.0
		for _, n := range bins {
			sum += n * n
		}
		if a == 0 {
			sum *= 1.1
		}
		if sum > most {
			best, most = a, sum
		}
	}
	return best
}

// unslanted turns a picture back by an angle, in degrees, around its middle.
func unslanted(g *image.Gray, angle float64) *image.Gray {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	w, h := float64(g.Rect.Dx()), float64(g.Rect.Dy())
	nw, nh := w*math.Abs(cos)+h*math.Abs(sin), w*math.Abs(sin)+h*math.Abs(cos)
	out := image.NewGray(image.Rect(0, 0, int(nw)+24, int(nh)+24))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	cx, cy := float64(out.Rect.Dx())/2, float64(out.Rect.Dy())/2
	m := f64.Aff3{cos, sin, cx - cos*w/2 - sin*h/2, -sin, cos, cy + sin*w/2 - cos*h/2}
	draw.ApproxBiLinear.Transform(out, m, g, g.Rect, draw.Src, nil)
	return out
}
