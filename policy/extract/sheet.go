package extract

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// A sheet is a picture made ready for reading: dark letters on white paper, whatever the
// colours were.
type sheet struct {
	gray  *image.Gray
	hue   *image.Gray // coloured ink alone, on white; nil when there is none, or all is coloured
	red   []byte      // by pixel of gray, 1 for red, where hue is there
	far   []byte      // by pixel of gray: how far it is from the paper
	light []byte      // by pixel of gray: its darkest channel
	ink   float64     // share of gray that is dark
}

const (
	tile     = 64  // pixels on a side, for which the colour of the paper is found
	faint    = 28  // difference from the paper that is ink at all
	strongly = 110 // gray below it is dark
	coloured = 48  // difference between channels that is a colour
)

// sheetOf makes img ready, each f by f pixels made one.
func sheetOf(img image.Image, f int) *sheet {
	r := rasterOf(img, f)
	s := &sheet{gray: image.NewGray(image.Rect(0, 0, r.w, r.h))}
	if r.w == 0 || r.h == 0 {
		return s
	}
	back := r.background()
	far := make([]byte, r.w*r.h) // from the paper
	var hue []byte
	if len(r.ch) == 3 {
		hue = make([]byte, r.w*r.h)
		s.red = make([]byte, r.w*r.h)
	}
	r.distances(back, far, hue, s.red)
	stretch(far, s.gray)
	s.far, s.light = far, r.ch[0]
	for _, c := range r.ch[1:] { // the channels are not needed any more
		for i, v := range c {
			s.light[i] = min(s.light[i], v)
		}
	}
	dark := 0
	for _, v := range s.gray.Pix {
		if v < strongly {
			dark++
		}
	}
	s.ink = float64(dark) / float64(len(far))
	s.colours(hue)
	return s
}

// colours keeps the layer of coloured ink when there is some, on paper that is not all
// coloured as a photograph is.
func (s *sheet) colours(hue []byte) {
	n := 0
	for _, v := range hue {
		if v >= coloured {
			n++
		}
	}
	if share := float64(n) / float64(max(len(hue), 1)); n < 200 || share < 0.0002 || share > 0.25 {
		s.red = nil
		return
	}
	s.hue = image.NewGray(s.gray.Rect)
	for i, v := range hue {
		s.hue.Pix[i] = 255 - byte(min(255, 3*max(0, int(v)-24)))
	}
}

// A grid has a value for each tile of a picture.
type grid struct {
	w, h int
	v    []byte
}

func newGrid(w, h int) grid {
	g := grid{w: (w + tile - 1) / tile, h: (h + tile - 1) / tile}
	g.v = make([]byte, g.w*g.h)
	return g
}

// percentile gives for each tile the value below which share of its pixels are.
func percentile(pix []byte, w, h int, share float64) grid {
	g := newGrid(w, h)
	for ty := range g.h {
		for tx := range g.w {
			var hist [256]int
			n := 0
			for y := ty * tile; y < min(h, (ty+1)*tile); y++ {
				for _, v := range pix[y*w+tx*tile : y*w+min(w, (tx+1)*tile)] {
					hist[v]++
					n++
				}
			}
			want, sum, i := int(share*float64(n)), 0, 0
			for ; i < 255; i++ {
				if sum += hist[i]; sum > want {
					break
				}
			}
			g.v[ty*g.w+tx] = byte(i)
		}
	}
	return g
}

// around gives for each tile what choose makes of it and its neighbours.
func (g grid) around(choose func(near []byte) byte) grid {
	out := grid{g.w, g.h, make([]byte, len(g.v))}
	near := make([]byte, 0, 9)
	for y := range g.h {
		for x := range g.w {
			near = near[:0]
			for j := max(0, y-1); j <= min(g.h-1, y+1); j++ {
				for i := max(0, x-1); i <= min(g.w-1, x+1); i++ {
					near = append(near, g.v[j*g.w+i])
				}
			}
			out.v[y*g.w+x] = choose(near)
		}
	}
	return out
}

// smooth writes the values of row y of the picture: between tiles that differ little they
// go over into each other, so that a shadow makes no edges.
func (g grid) smooth(y int, dst []byte) {
	y0, y1, fy := neighbours(y, g.h)
	x0, x1, fx := 0, 0, 0
	for x := range dst {
		if fx++; x < tile/2 {
			fx = 0
		} else if fx >= tile || x == tile/2 {
			x0, x1, fx = neighbours(x, g.w)
		}
		a, b := int(g.v[y0*g.w+x0]), int(g.v[y0*g.w+x1])
		c, d := int(g.v[y1*g.w+x0]), int(g.v[y1*g.w+x1])
		if max(a, b, c, d)-min(a, b, c, d) > 40 {
			dst[x] = g.v[min(y/tile, g.h-1)*g.w+min(x/tile, g.w-1)]
			continue
		}
		top, low := a*(tile-fx)+b*fx, c*(tile-fx)+d*fx
		dst[x] = byte((top*(tile-fy) + low*fy) / (tile * tile))
	}
}

// neighbours are the tiles between whose middles pixel i stands, and how far.
func neighbours(i, n int) (lo, hi, f int) {
	i -= tile / 2
	if i < 0 {
		return 0, 0, 0
	}
	lo = min(i/tile, n-1)
	return lo, min(lo+1, n-1), i % tile
}

func median(near []byte) byte {
	var sorted [9]byte
	n := copy(sorted[:], near)
	for i := 1; i < n; i++ {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[n/2]
}

func highest(near []byte) byte {
	var v byte
	for _, n := range near {
		v = max(v, n)
	}
	return v
}

// background is the colour of the paper, by channel and tile: what most pixels there are.
func (r *raster) background() []grid {
	var out []grid
	for _, c := range r.ch {
		out = append(out, percentile(c, r.w, r.h, 0.5).around(median))
	}
	return out
}

// distances says of each pixel how far it is from the paper in any channel, and how far in
// colour alone.
func (r *raster) distances(back []grid, far, hue, red []byte) {
	rows := make([][]byte, len(r.ch))
	for c := range rows {
		rows[c] = make([]byte, r.w)
	}
	for y := range r.h {
		for c := range rows {
			back[c].smooth(y, rows[c])
		}
		for x := range r.w {
			p := y*r.w + x
			if hue == nil {
				d := int(r.ch[0][p]) - int(rows[0][x])
				far[p] = byte(max(d, -d))
				continue
			}
			dr, dg, db := int(r.ch[0][p])-int(rows[0][x]), int(r.ch[1][p])-int(rows[1][x]), int(r.ch[2][p])-int(rows[2][x])
			far[p] = byte(max(dr, -dr, dg, -dg, db, -db))
			hue[p] = byte(min(255, max(dr, dg, db)-min(dr, dg, db)))
			if dr-dg > coloured && dr-db > coloured/2 {
				red[p] = 1
			}
		}
	}
}

// stretch makes ink black, also where all ink nearby is pale.
func stretch(far []byte, out *image.Gray) {
	w, h := out.Rect.Dx(), out.Rect.Dy()
	most := percentile(far, w, h, 0.98).around(highest)
	row := make([]byte, w)
	for y := range h {
		most.smooth(y, row)
		for x, m := range row {
			p := y*w + x
			out.Pix[p] = 255 - byte(min(255, int(far[p])*255/max(int(m), faint)))
		}
	}
}

// crop is a part of a picture as one of its own.
func crop(g *image.Gray, r image.Rectangle) *image.Gray {
	r = r.Intersect(g.Rect)
	out := image.NewGray(image.Rect(0, 0, r.Dx(), r.Dy()))
	for y := range r.Dy() {
		copy(out.Pix[y*out.Stride:][:r.Dx()], g.Pix[g.PixOffset(r.Min.X, r.Min.Y+y):])
	}
	return out
}

// enlarged makes a small picture n times as wide and high.
func enlarged(g *image.Gray, n int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Rect.Dx()*n, g.Rect.Dy()*n))
	draw.BiLinear.Scale(out, out.Rect, g, g.Rect, draw.Src, nil)
	return out
}

const leastDark = 40 // pixels that letters have at least

// blank says that there is nothing on a page.
func (s *sheet) blank() bool { return s.ink*float64(len(s.gray.Pix)) < leastDark }

// dark is how many pixels are in a part of a sheet.
func (s *sheet) dark(box image.Rectangle) (n int) {
	box = box.Intersect(s.gray.Rect)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for _, v := range s.gray.Pix[y*s.gray.Stride+box.Min.X : y*s.gray.Stride+box.Max.X] {
			if v < strongly {
				n++
			}
		}
	}
	return n
}

// turned is the sheet turned by quarters to the right.
func (s *sheet) turned(quarters int) *sheet {
	if quarters &= 3; quarters == 0 {
		return s
	}
	out := &sheet{gray: turned(s.gray, quarters), ink: s.ink}
	if s.hue != nil {
		out.hue = turned(s.hue, quarters)
	}
	plane := func(pix []byte) []byte {
		if pix == nil {
			return nil
		}
		return turned(&image.Gray{Pix: pix, Stride: s.gray.Rect.Dx(), Rect: s.gray.Rect}, quarters).Pix
	}
	out.far, out.light, out.red = plane(s.far), plane(s.light), plane(s.red)
	return out
}

// enlarged makes a small sheet n times as wide and high.
func (s *sheet) enlarged(n int) *sheet {
	out := &sheet{gray: enlarged(s.gray, n), ink: s.ink}
	if s.hue != nil {
		out.hue = enlarged(s.hue, n)
	}
	plane := func(pix []byte) []byte {
		if pix == nil {
			return nil
		}
		w := out.gray.Rect.Dx()
		wide := make([]byte, len(out.gray.Pix))
		for p := range wide {
			wide[p] = pix[p/w/n*s.gray.Rect.Dx()+p%w/n]
		}
		return wide
	}
	out.far, out.light, out.red = plane(s.far), plane(s.light), plane(s.red)
	return out
}

// turned is g turned by quarters to the right.
func turned(g *image.Gray, quarters int) *image.Gray {
	if quarters&3 == 0 {
		return g
	}
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, h, w))
	if quarters&3 == 2 {
		out = image.NewGray(image.Rect(0, 0, w, h))
	}
	for y := range h {
		row := g.Pix[y*g.Stride:][:w]
		switch quarters & 3 {
		case 1:
			for x, v := range row {
				out.Pix[x*h+h-1-y] = v
			}
		case 2:
			for x, v := range row {
				out.Pix[(h-1-y)*w+w-1-x] = v
			}
		case 3:
			for x, v := range row {
				out.Pix[(w-1-x)*h+y] = v
			}
		}
	}
	return out
}

// sideways says whether the lines of a page run from top to bottom: then its columns
// change between ink and paper more than its rows do.
func sideways(g *image.Gray) bool {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	rows, cols := make([]float64, h), make([]float64, w)
	for y := range h {
		for x := range w {
			if g.Pix[y*g.Stride+x] < strongly {
				rows[y]++
				cols[x]++
			}
		}
	}
	return restless(cols, h) > 1.5*restless(rows, w)
}

func restless(profile []float64, length int) float64 {
	var sum float64
	for i := 1; i < len(profile); i++ {
		d := (profile[i] - profile[i-1]) / float64(max(length, 1))
		sum += d * d
	}
	return math.Sqrt(sum)
}
