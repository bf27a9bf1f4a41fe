package extract

import (
	"image"
	"image/color"
)

// A raster is a picture in memory as plain channels of one octet, over white: one channel
// when it is grey, else red, green and blue.
type raster struct {
	w, h int
	ch   [][]byte
}

// rasterOf reads img, each f pixels by f made one.
func rasterOf(img image.Image, f int) *raster {
	b := img.Bounds()
	n := 3
	switch img.(type) {
	case *image.Gray, *image.Gray16:
		n = 1
	}
	r := &raster{w: max(b.Dx()/f, 1), h: max(b.Dy()/f, 1)}
	if b.Empty() {
		r.w, r.h = 0, 0
	}
	for range n {
		r.ch = append(r.ch, make([]byte, r.w*r.h))
	}
	if b.Empty() {
		return r
	}
	if m, ok := img.(*image.Gray); ok {
		r.grey(m, f)
		return r
	}
	row := rowReader(img, paper(img))
	line := make([]byte, 3*b.Dx())
	sum := make([]uint32, 3*r.w)
	for y := range r.h {
		clear(sum)
		rows := min(f, b.Dy()-y*f)
		for i := range rows {
			row(b.Min.Y+y*f+i, line)
			for x := range r.w {
				for k := range min(f, b.Dx()-x*f) {
					p := 3 * (x*f + k)
					sum[3*x] += uint32(line[p])
					sum[3*x+1] += uint32(line[p+1])
					sum[3*x+2] += uint32(line[p+2])
				}
			}
		}
		for x := range r.w {
			area := uint32(rows * min(f, b.Dx()-x*f))
			for c := range n {
				r.ch[c][y*r.w+x] = byte(sum[3*x+c] / area)
			}
		}
	}
	return r
}

// grey reads a picture that has one channel.
func (r *raster) grey(m *image.Gray, f int) {
	out := r.ch[0]
	sum := make([]uint32, r.w)
	for y := range r.h {
		rows := min(f, m.Rect.Dy()-y*f)
		clear(sum)
		for i := range rows {
			line := m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y+y*f+i):][:m.Rect.Dx()]
			if f == 1 {
				copy(out[y*r.w:], line)
				continue
			}
			for x := range sum {
				for _, v := range line[x*f : min((x+1)*f, len(line))] {
					sum[x] += uint32(v)
				}
			}
		}
		for x := 0; f > 1 && x < r.w; x++ {
			out[y*r.w+x] = byte(sum[x] / uint32(rows*min(f, m.Rect.Dx()-x*f)))
		}
	}
}

// paper is what transparent pixels stand on: white, but black where what is drawn is light.
func paper(img image.Image) byte {
	var at func(x, y int) (light, alpha uint32)
	switch m := img.(type) {
	case *image.NRGBA:
		at = func(x, y int) (uint32, uint32) {
			c := m.NRGBAAt(x, y)
			return uint32(min(c.R, c.G, c.B)), uint32(c.A)
		}
	case *image.RGBA, *image.Gray, *image.Gray16, *image.YCbCr, *image.CMYK:
		return 255 // opaque, by what the decoders make
	default:
		at = func(x, y int) (uint32, uint32) {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			return uint32(min(c.R, c.G, c.B)), uint32(c.A)
		}
	}
	b := img.Bounds()
	step := max(1, min(b.Dx(), b.Dy())/200)
	var light, weight uint64
	for y := b.Min.Y; y < b.Max.Y; y += step {
		for x := b.Min.X; x < b.Max.X; x += step {
			l, a := at(x, y)
			light += uint64(l) * uint64(a)
			weight += uint64(a)
		}
	}
	n := uint64((b.Dx() + step - 1) / step * ((b.Dy() + step - 1) / step))
	if weight > 0 && weight < n*255*9/10 && light/weight > 200 {
		return 0
	}
	return 255
}

// rowReader gives a function that writes row y of img as red, green and blue over a
// background. The kinds that decoders make have a fast way.
func rowReader(img image.Image, back byte) func(y int, dst []byte) {
	b := img.Bounds()
	over := func(c, a byte) byte { return byte((uint32(c)*uint32(a) + uint32(back)*uint32(255-a)) / 255) }
	switch m := img.(type) {
	case *image.Gray:
		return func(y int, dst []byte) {
			for x, v := range m.Pix[m.PixOffset(b.Min.X, y):][:b.Dx()] {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.YCbCr:
		return func(y int, dst []byte) {
			for x := range b.Dx() {
				yi, ci := m.YOffset(b.Min.X+x, y), m.COffset(b.Min.X+x, y)
				dst[3*x], dst[3*x+1], dst[3*x+2] = color.YCbCrToRGB(m.Y[yi], m.Cb[ci], m.Cr[ci])
			}
		}
	case *image.RGBA: // the colours are multiplied by alpha already
		return func(y int, dst []byte) {
			p := m.Pix[m.PixOffset(b.Min.X, y):][:4*b.Dx()]
			for x := range b.Dx() {
				rest := byte(uint32(back) * uint32(255-p[4*x+3]) / 255)
				dst[3*x], dst[3*x+1], dst[3*x+2] = p[4*x]+rest, p[4*x+1]+rest, p[4*x+2]+rest
			}
		}
	case *image.NRGBA:
		return func(y int, dst []byte) {
			p := m.Pix[m.PixOffset(b.Min.X, y):][:4*b.Dx()]
			for x := range b.Dx() {
				a := p[4*x+3]
				dst[3*x], dst[3*x+1], dst[3*x+2] = over(p[4*x], a), over(p[4*x+1], a), over(p[4*x+2], a)
			}
		}
	case *image.Paletted:
		var table [256][3]byte
		for i, c := range m.Palette {
			if i < len(table) {
				n := color.NRGBAModel.Convert(c).(color.NRGBA)
				table[i] = [3]byte{over(n.R, n.A), over(n.G, n.A), over(n.B, n.A)}
			}
		}
		return func(y int, dst []byte) {
			for x, v := range m.Pix[m.PixOffset(b.Min.X, y):][:b.Dx()] {
				copy(dst[3*x:], table[v][:])
			}
		}
	}
	return func(y int, dst []byte) {
		for x := range b.Dx() {
			n := color.NRGBAModel.Convert(img.At(b.Min.X+x, y)).(color.NRGBA)
			dst[3*x], dst[3*x+1], dst[3*x+2] = over(n.R, n.A), over(n.G, n.A), over(n.B, n.A)
		}
	}
}
