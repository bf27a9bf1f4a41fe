package extract

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"

	"golang.org/x/image/tiff"
)

// tiffPages is how many pages of a TIFF are known; more are a gap.
const tiffPages = 5000

// readTIFF reads the pages of a scan. Each has a directory, and they form a chain.
func readTIFF(w *walker, a at, s *source) {
	p := w.part(a, "tiff")
	defer p.end()
	t, off, ok := openTIFF(s.data)
	var pages []tiffPage
	seen := map[uint32]bool{}
	for ok && off != 0 && !seen[off] && w.tick() {
		if len(pages) == tiffPages {
			w.gap(a, "tiff", TooMuch, "more pages than can be looked at")
			break
		}
		seen[off] = true
		var tags []tiffTag
		at := off
		if tags, off, ok = t.directory(off); ok {
			w.tiffText(p, t, tags, true)
			pages = append(pages, t.page(at, tags))
		}
	}
	if !ok || len(pages) == 0 {
		w.gap(a, "tiff", Damaged, "the picture cannot be read to its end")
	}
	if len(pages) == 1 {
		if img := w.decodeTIFF(a, pages[0]); img != nil {
			w.picture(a, p, img, 0)
		}
		return
	}
	w.scan(a, p, scanned{pages: len(pages), page: func(i, dpi int) (image.Image, error) {
		img := w.decodeTIFF(a, pages[i])
		if img == nil {
			return image.NewGray(image.Rectangle{}), nil // the gap is told, or it is a page's small picture
		}
		return img, nil
	}})
}

// A tiffPage is one directory with what is needed to find out how to decode it.
type tiffPage struct {
	t           tiffFile
	off         uint32
	tags        map[uint16]tiffTag
	compression uint32
	tall        int // how many times a row is to be drawn: faxes have half the rows
}

func (t tiffFile) page(off uint32, tags []tiffTag) tiffPage {
	p := tiffPage{t: t, off: off, tags: map[uint16]tiffTag{}, tall: 1}
	for _, f := range tags {
		p.tags[f.tag] = f
	}
	p.compression, _ = t.number(p.tags[259], 0)
	x, y := p.ratio(282), p.ratio(283)
	if x > 0 && y > 0 && x > y*3/2 && x < y*5 {
		p.tall = int(x/y + 0.5)
	}
	return p
}

func (p tiffPage) ratio(tag uint16) float64 {
	f := p.tags[tag]
	if f.kind != 5 || len(f.value) < 8 {
		return 0
	}
	n, d := p.t.order.Uint32(f.value), p.t.order.Uint32(f.value[4:])
	return float64(n) / float64(max(d, 1))
}

func (p tiffPage) number(tag uint16, def uint32) uint32 {
	if n, ok := p.t.number(p.tags[tag], 0); ok {
		return n
	}
	return def
}

// reader is the file as if this page were its first: the decoder knows no others.
func (p tiffPage) reader() io.Reader {
	head := bytes.Clone(p.t.b[:8])
	p.t.order.PutUint32(head[4:], p.off)
	return &patched{bytes.NewReader(p.t.b), head}
}

// patched is a file with another beginning.
type patched struct {
	*bytes.Reader
	head []byte
}

func (p *patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.Reader.ReadAt(b, off)
	if off < int64(len(p.head)) {
		copy(b[:n], p.head[off:])
	}
	return n, err
}

const (
	tiffJPEG    = 7
	tiffOldJPEG = 6
)

// decodeTIFF decodes one page; nil when it is too small, or a gap was told.
func (w *walker) decodeTIFF(a at, p tiffPage) image.Image {
	d := codec{config: tiff.DecodeConfig, decode: tiff.Decode}
	if p.compression == tiffJPEG {
		d = codec{config: p.jpegConfig, decode: p.jpegDecode}
	}
	img := w.decodePicture(a, "tiff", d, p.reader)
	if img == nil || p.tall == 1 {
		return img
	}
	b := img.Bounds()
	if int64(b.Dx())*int64(b.Dy())*int64(p.tall) > w.b.Pixels {
		return img
	}
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()*p.tall))
	for y := range out.Rect.Dy() {
		draw.Draw(out, image.Rect(0, y, b.Dx(), y+1), img, image.Pt(b.Min.X, b.Min.Y+y/p.tall), draw.Src)
	}
	return out
}

var errTIFF = errors.New("not a picture in JPEG")

// jpegConfig is the size of a page in JPEG strips or tiles (TIFF Technical Note 2).
func (p tiffPage) jpegConfig(io.Reader) (image.Config, error) {
	c := image.Config{Width: int(p.number(256, 0)), Height: int(p.number(257, 0)), ColorModel: color.RGBAModel}
	if p.number(277, 1) == 1 {
		c.ColorModel = color.GrayModel
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > 1<<20 || c.Height > 1<<20 {
		return c, errTIFF
	}
	return c, nil
}

// jpegDecode puts the strips or tiles together. Each is a JPEG whose tables stand in a field
// of the page.
func (p tiffPage) jpegDecode(io.Reader) (image.Image, error) {
	c, err := p.jpegConfig(nil)
	if err != nil {
		return nil, err
	}
	w, h := c.Width, min(int(p.number(278, uint32(c.Height))), c.Height)
	offsets, counts := p.tags[273], p.tags[279]
	if _, tiled := p.tags[324]; tiled {
		w, h, offsets, counts = int(p.number(322, 0)), int(p.number(323, 0)), p.tags[324], p.tags[325]
	}
	if w <= 0 || h <= 0 || w > 1<<20 || p.number(284, 1) != 1 {
		return nil, errTIFF
	}
	var out draw.Image = image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	if c.ColorModel == color.GrayModel {
		out = image.NewGray(out.Bounds())
	}
	across := (c.Width + w - 1) / w
	for i := range across * ((c.Height + h - 1) / h) {
		off, ok1 := p.t.number(offsets, i)
		n, ok2 := p.t.number(counts, i)
		if !ok1 || !ok2 || int64(off)+int64(n) > int64(len(p.t.b)) {
			return nil, errTIFF
		}
		block, err := p.jpegBlock(p.t.b[off:off+n], w, h)
		if err != nil {
			return nil, err
		}
		at := image.Pt(i%across*w, i/across*h)
		draw.Draw(out, image.Rectangle{at, at.Add(image.Pt(w, h))}, block, block.Bounds().Min, draw.Src)
	}
	return out, nil
}

// jpegBlock decodes one strip or tile, no larger than it may be.
func (p tiffPage) jpegBlock(b []byte, w, h int) (image.Image, error) {
	if tables := p.tags[347].value; len(tables) > 4 && len(b) > 2 {
		// Both begin with a marker of their own, and the tables end with one.
		joined := append(bytes.Clone(tables[:len(tables)-2]), b[2:]...)
		b = joined
	}
	if p.number(262, 0) == 2 { // stored as red, green, blue: an Adobe segment says so
		b = append([]byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"), b[2:]...)
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if c.Width > w+16 || c.Height > h+16 {
		return nil, errTIFF
	}
	return jpeg.Decode(bytes.NewReader(b))
}
