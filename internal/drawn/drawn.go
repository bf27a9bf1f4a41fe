// Package drawn draws pages of text, for tests of what reads pictures. Only tests use it.
package drawn

import (
	"image"
	"image/color"
	"image/draw"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/f64"
	"golang.org/x/image/math/fixed"

	xdraw "golang.org/x/image/draw"
)

// Colours that stamps and paper have.
var (
	Black = color.RGBA{0, 0, 0, 255}
	White = color.RGBA{255, 255, 255, 255}
	Red   = color.RGBA{190, 20, 30, 255}
)

var fonts = sync.OnceValues(func() (regular, bold *opentype.Font) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err)
	}
	bold, err = opentype.Parse(gobold.TTF)
	if err != nil {
		panic(err)
	}
	return regular, bold
})

// A Page is a sheet of paper at some number of dots an inch.
type Page struct {
	*image.RGBA
	DPI float64
}

// New makes a page of A4.
func New(dpi float64, paper color.Color) *Page {
	return Sized(int(8.27*dpi), int(11.69*dpi), dpi, paper)
}

// Sized makes a picture of so many pixels.
func Sized(w, h int, dpi float64, paper color.Color) *Page {
	p := &Page{image.NewRGBA(image.Rect(0, 0, w, h)), dpi}
	draw.Draw(p, p.Rect, image.NewUniform(paper), image.Point{}, draw.Src)
	return p
}

func (p *Page) face(points float64, heavy bool) font.Face {
	f, bold := fonts()
	if heavy {
		f = bold
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: points, DPI: p.DPI, Hinting: font.HintingNone})
	if err != nil {
		panic(err)
	}
	return face
}

// Text writes one line; x and y are of its beginning on the base line, in shares of the
// page's width and height.
func (p *Page) Text(x, y, points float64, c color.Color, text string) {
	d := font.Drawer{Dst: p, Src: image.NewUniform(c), Face: p.face(points, false),
		Dot: fixed.P(int(x*float64(p.Rect.Dx())), int(y*float64(p.Rect.Dy())))}
	d.DrawString(text)
}

// Stamp writes bold letters in the middle of the width.
func (p *Page) Stamp(y, points float64, c color.Color, text string) {
	d := font.Drawer{Dst: p, Src: image.NewUniform(c), Face: p.face(points, true)}
	d.Dot = fixed.Point26_6{X: (fixed.I(p.Rect.Dx()) - d.MeasureString(text)) / 2, Y: fixed.I(int(y * float64(p.Rect.Dy())))}
	d.DrawString(text)
}

// Body writes lines of 11 points from y on, as much as lines has.
func (p *Page) Body(y float64, c color.Color, lines ...string) {
	for i, l := range lines {
		p.Text(0.12, y+float64(i)*0.0165, 11, c, l)
	}
}

// Gray is the page without colours.
func (p *Page) Gray() *image.Gray {
	out := image.NewGray(p.Rect)
	draw.Draw(out, out.Rect, p, image.Point{}, draw.Src)
	return out
}

// Rotated is the page turned to the right around its middle, on paper of a colour; by whole
// quarters its sides change places.
func (p *Page) Rotated(sin, cos float64, paper color.Color) *Page {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	if cos == 0 {
		w, h = h, w
	}
	out := Sized(w, h, p.DPI, paper)
	cx, cy := float64(p.Rect.Dx())/2, float64(p.Rect.Dy())/2
	m := f64.Aff3{cos, -sin, float64(w)/2 - cos*cx + sin*cy, sin, cos, float64(h)/2 - sin*cx - cos*cy}
	xdraw.BiLinear.Transform(out, m, p, p.Rect, draw.Over, nil)
	return out
}
