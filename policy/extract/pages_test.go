package extract_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"sampul/internal/drawn"
	"sampul/policy/extract"
	"sampul/policy/ocr"
)

// reader is the real tesseract.
func reader(t testing.TB) extract.Recogniser {
	t.Helper()
	program, err := ocr.Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return ocr.New(ocr.Options{Program: program}).Recognise
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readFile(t testing.TB, data []byte, b extract.Budget) *extract.Result {
	t.Helper()
	r, err := extract.Read(context.Background(), extract.Document{Path: "gambar", Name: "gambar", Data: data}, b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines are what was recognised.
func lines(r *extract.Result) (out []extract.Unit) {
	for _, p := range r.Parts {
		for _, u := range p.Units {
			if u.Place == extract.OCRLine {
				out = append(out, u)
			}
		}
	}
	return out
}

// holds gives the line that is text and nothing else.
func holds(r *extract.Result, text string) (extract.Unit, bool) {
	for _, u := range lines(r) {
		if strings.Trim(strings.ToUpper(u.Text), " .:-_|*'\"") == text {
			return u, true
		}
	}
	return extract.Unit{}, false
}

var prose = []string{
	"Sukacita dimaklumkan bahawa mesyuarat jawatankuasa akan diadakan",
	"pada hari Khamis di bilik mesyuarat utama tingkat lima bangunan ini.",
	"Semua ketua bahagian diminta hadir dengan membawa laporan masing-masing",
	"untuk dibentangkan kepada pengerusi sebelum keputusan muktamad dibuat.",
	"Sebarang pertanyaan boleh diajukan kepada urus setia melalui telefon.",
	"Kerjasama daripada pihak tuan didahului dengan ucapan terima kasih.",
	"Laporan kewangan suku tahun pertama menunjukkan perbelanjaan berkurang",
	"berbanding tahun lalu kerana beberapa projek telah ditangguhkan.",
}

// letter is a page with a body, marked at head and foot.
func letter(dpi float64, paper, ink color.Color, mark string, stamp color.Color) *drawn.Page {
	p := drawn.New(dpi, paper)
	p.Text(0.12, 0.12, 11, ink, "JABATAN PENGURUSAN AM")
	for i := range 4 {
		p.Body(0.18+float64(i)*0.15, ink, prose...)
	}
	p.Stamp(0.06, 18, stamp, mark)
	p.Stamp(0.96, 18, stamp, mark)
	return p
}

func degrees(d float64) (sin, cos float64) {
	if q := math.Mod(d, 90); q == 0 {
		sin, cos := [...]float64{0, 1, 0, -1}, [...]float64{1, 0, -1, 0}
		i := int(d/90) & 3
		return sin[i], cos[i]
	}
	return math.Sincos(d * math.Pi / 180)
}

func turned(p *drawn.Page, d float64, paper color.Color) *drawn.Page {
	sin, cos := degrees(d)
	return p.Rotated(sin, cos, paper)
}

func noisy(p *drawn.Page, much int) *drawn.Page {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p.Pix {
		if i&3 != 3 {
			p.Pix[i] = byte(max(0, min(255, int(p.Pix[i])+r.IntN(2*much+1)-much)))
		}
	}
	return p
}

// shaded is paper under a lamp that stands at one side, as telephones photograph it.
func shaded(p *drawn.Page) *drawn.Page {
	w := p.Rect.Dx()
	for y := range p.Rect.Dy() {
		for x := range w {
			i := p.PixOffset(x, y)
			f := 0.35 + 0.6*float64(x)/float64(w)
			for c := range 3 {
				p.Pix[i+c] = byte(float64(p.Pix[i+c]) * f)
			}
		}
	}
	return p
}

var (
	grey   = color.RGBA{150, 150, 150, 255}
	yellow = color.RGBA{255, 240, 90, 255}
	pale   = color.RGBA{215, 215, 215, 255}
	navy   = color.RGBA{20, 30, 90, 255}
)

// Whatever the colours are and however the page lies: a person reads the mark, so must we.
func TestMarksInPictures(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many pages")
	}
	read := reader(t)
	plain := func() *drawn.Page { return letter(150, drawn.White, drawn.Black, "RAHSIA", drawn.Black) }
	red := func() *drawn.Page { return letter(150, drawn.White, drawn.Black, "RAHSIA", drawn.Red) }
	for name, data := range map[string]func() []byte{
		"plain":          func() []byte { return asPNG(t, plain()) },
		"plain 100 dpi":  func() []byte { return asPNG(t, letter(100, drawn.White, drawn.Black, "RAHSIA", drawn.Black)) },
		"plain 72 dpi":   func() []byte { return asPNG(t, letter(72, drawn.White, drawn.Black, "RAHSIA", drawn.Black)) },
		"plain 300 dpi":  func() []byte { return asJPEG(t, letter(300, drawn.White, drawn.Black, "RAHSIA", drawn.Black), 70) },
		"plain 600 dpi":  func() []byte { return asPNG(t, letter(600, drawn.White, drawn.Black, "RAHSIA", drawn.Black).Gray()) },
		"red":            func() []byte { return asJPEG(t, red(), 80) },
		"red on grey":    func() []byte { return asJPEG(t, letter(150, grey, drawn.Black, "RAHSIA", drawn.Red), 80) },
		"red on yellow":  func() []byte { return asPNG(t, letter(150, yellow, drawn.Black, "RAHSIA", drawn.Red)) },
		"white on black": func() []byte { return asPNG(t, letter(150, drawn.Black, drawn.White, "RAHSIA", drawn.White)) },
		"yellow on navy": func() []byte { return asPNG(t, letter(150, navy, drawn.White, "RAHSIA", yellow)) },
		"red on green": func() []byte {
			return asPNG(t, letter(150, color.RGBA{60, 120, 60, 255}, drawn.Black, "RAHSIA", color.RGBA{150, 60, 60, 255}))
		},
		"pale stamp":   func() []byte { return asPNG(t, letter(150, drawn.White, drawn.Black, "RAHSIA", pale)) },
		"all pale":     func() []byte { return asPNG(t, letter(150, drawn.White, pale, "RAHSIA", pale)) },
		"on its head":  func() []byte { return asPNG(t, turned(red(), 180, drawn.White)) },
		"to the right": func() []byte { return asPNG(t, turned(red(), 90, drawn.White)) },
		"to the left":  func() []byte { return asPNG(t, turned(red(), 270, drawn.White)) },
		"3 degrees":    func() []byte { return asPNG(t, turned(red(), 3, drawn.White)) },
		"-5 degrees":   func() []byte { return asPNG(t, turned(plain(), -5, drawn.White)) },
		"noise":        func() []byte { return asJPEG(t, noisy(plain(), 40), 60) },
		"under a lamp": func() []byte { return asJPEG(t, noisy(shaded(red()), 10), 70) },
		"16 bits":      func() []byte { return asPNG(t, converted(red(), image.NewRGBA64(red().Rect))) },
		"16 bits grey": func() []byte { return asPNG(t, converted(red(), image.NewGray16(red().Rect))) },
		"palette":      func() []byte { return asPNG(t, converted(red(), image.NewPaletted(red().Rect, palette.WebSafe))) },
		"transparent":  func() []byte { return asPNG(t, transparent(red())) },
		"white, transparent": func() []byte {
			return asPNG(t, transparent(letter(150, drawn.White, color.RGBA{254, 255, 255, 255}, "RAHSIA", color.RGBA{254, 254, 255, 255})))
		},
		"gif": func() []byte { return asGIF(t, red()) },
		"stamp alone": func() []byte {
			p := drawn.Sized(220, 70, 96, drawn.White)
			p.Stamp(0.7, 24, drawn.Red, "RAHSIA")
			return asPNG(t, p)
		},
		"small stamp": func() []byte {
			p := drawn.Sized(120, 30, 96, drawn.White)
			p.Stamp(0.7, 14, drawn.Red, "RAHSIA")
			return asPNG(t, p)
		},
		"stamp across text": func() []byte {
			p := drawn.New(150, drawn.White)
			for i := range 5 {
				p.Body(0.1+float64(i)*0.15, drawn.Black, prose...)
			}
			p.Stamp(0.5, 60, drawn.Red, "RAHSIA")
			return asJPEG(t, p, 85)
		},
		"grey stamp across text": func() []byte {
			p := drawn.New(150, drawn.White)
			p.Stamp(0.5, 90, color.RGBA{200, 200, 200, 255}, "RAHSIA")
			for i := range 5 {
				p.Body(0.1+float64(i)*0.15, drawn.Black, prose...)
			}
			return asJPEG(t, p, 85)
		},
		"black stamp across text": func() []byte {
			p := drawn.New(150, drawn.White)
			for i := range 5 {
				p.Body(0.1+float64(i)*0.15, drawn.Black, prose...)
			}
			p.Stamp(0.5, 60, drawn.Black, "RAHSIA")
			return asPNG(t, p.Gray())
		},
		"slanted stamp": func() []byte {
			p := drawn.New(150, drawn.White)
			for i := range 5 {
				p.Body(0.1+float64(i)*0.15, drawn.Black, prose...)
			}
			s := drawn.Sized(p.Rect.Dx(), p.Rect.Dy(), 150, color.Transparent)
			s.Stamp(0.5, 60, drawn.Red, "RAHSIA")
			sin, cos := degrees(-30)
			draw.Draw(p, p.Rect, s.Rotated(sin, cos, color.Transparent), image.Point{}, draw.Over)
			return asPNG(t, p)
		},
		"slanted grey watermark": func() []byte {
			p := drawn.New(150, drawn.White)
			s := drawn.Sized(p.Rect.Dx(), p.Rect.Dy(), 150, color.Transparent)
			s.Stamp(0.5, 100, pale, "RAHSIA")
			sin, cos := degrees(-45)
			draw.Draw(p, p.Rect, s.Rotated(sin, cos, color.Transparent), image.Point{}, draw.Over)
			for i := range 5 {
				p.Body(0.1+float64(i)*0.15, drawn.Black, prose...)
			}
			return asPNG(t, p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readFile(t, data(), extract.Budget{Recognise: read})
			u, ok := holds(r, "RAHSIA")
			if !ok {
				t.Fatalf("not found; gaps %+v, lines %+v", r.Gaps, lines(r))
			}
			t.Logf("%+v cpu %v", u, r.Used.OCR)
		})
	}
}

func converted(p *drawn.Page, to draw.Image) image.Image {
	draw.Draw(to, to.Bounds(), p, image.Point{}, draw.Src)
	return to
}

// transparent takes the paper away.
func transparent(p *drawn.Page) image.Image {
	out := image.NewNRGBA(p.Rect)
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			if c := p.RGBAAt(x, y); c != drawn.White {
				out.Set(x, y, c)
			}
		}
	}
	return out
}

func asGIF(t testing.TB, frames ...image.Image) []byte {
	t.Helper()
	g := &gif.GIF{}
	for _, f := range frames {
		p := image.NewPaletted(f.Bounds(), palette.WebSafe)
		draw.Draw(p, p.Rect, f, image.Point{}, draw.Src)
		g.Image = append(g.Image, p)
		g.Delay = append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// scan is a report of many pages as a scanner makes it; mark says what stands at the head of
// a page, numbered from 1.
func scan(n int, mark func(page int) string) []byte {
	pages := make([]*image.Gray, n)
	plain := drawn.New(300, drawn.White)
	for k := range 5 {
		plain.Body(0.1+float64(k)*0.15, drawn.Black, prose...)
	}
	unmarked := plain.Gray()
	for i := range pages {
		pages[i] = unmarked
		if m := mark(i + 1); m != "" {
			p := &drawn.Page{RGBA: image.NewRGBA(plain.Rect), DPI: 300}
			copy(p.Pix, plain.Pix)
			p.Stamp(0.05, 18, drawn.Black, m)
			pages[i] = p.Gray()
		}
	}
	return madeTIFF(pages...)
}

// One page in the middle of a long scan is marked, at its head alone.
func TestMarkOnOnePage(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many pages")
	}
	read := reader(t)
	r := readFile(t, scan(14, func(page int) string {
		if page == 9 {
			return "RAHSIA BESAR"
		}
		return ""
	}), extract.Budget{Recognise: read})
	u, ok := holds(r, "RAHSIA BESAR")
	if !ok || u.Page != 9 || u.Style&extract.Large == 0 {
		t.Fatalf("got %+v, %v; gaps %+v", u, ok, r.Gaps)
	}
	if len(r.Gaps) != 0 || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "14 pages") {
		t.Fatalf("gaps %+v, notes %q", r.Gaps, r.Notes)
	}
}

// A long scan is read quickly; what noise and a slant make hard to read is still found, on each
// page.
func TestMarksInALongScan(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many pages")
	}
	read := reader(t)
	marks := []string{"RAHSIA", "SULIT", "RAHSIA BESAR", "TERHAD"}
	pages := make([]*image.Gray, 12)
	for i := range pages {
		p := drawn.New(150, drawn.White)
		for k := range 5 {
			p.Body(0.1+float64(k)*0.15, drawn.Black, prose...)
		}
		p.Stamp(0.05, 14, drawn.Black, marks[i%4])
		pages[i] = turned(noisy(p, 30+10*(i/4)), float64(i%3)-1, drawn.White).Gray()
	}
	r := readFile(t, madeTIFF(pages...), extract.Budget{Recognise: read})
	found := map[int]bool{}
	for _, u := range lines(r) {
		if u.Page > 0 && strings.Trim(strings.ToUpper(u.Text), " .:-_|*'\"") == marks[(u.Page-1)%4] {
			found[u.Page] = true
		}
	}
	if len(found) != len(pages) || len(r.Gaps) > 0 {
		t.Errorf("found on %v; gaps %+v, lines %+v", found, r.Gaps, lines(r))
	}
}

func BenchmarkScanOf60Pages(b *testing.B) {
	read := reader(b)
	data := scan(60, func(int) string { return "" })
	for b.Loop() {
		r := readFile(b, data, extract.Budget{Recognise: read})
		if len(r.Gaps) != 0 || len(lines(r)) == 0 {
			b.Fatalf("%+v", r.Gaps)
		}
		b.ReportMetric(r.Used.OCR.Seconds(), "tesseract-s/op")
	}
}
