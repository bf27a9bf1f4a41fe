package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"

	"sampul/internal/drawn"
)

// A fakeReader is asked instead of tesseract.
type fakeReader struct {
	calls []Recognition
	pages []image.Rectangle
	said  func(n int) Recognised // the n-th page that was asked for
	err   error
}

func (f *fakeReader) recognise(_ context.Context, pages []*image.Gray, how Recognition) ([]Recognised, error) {
	if f.err != nil {
		return nil, f.err
	}
	f.calls = append(f.calls, how)
	var out []Recognised
	for _, p := range pages {
		r := Recognised{Lines: []RecognisedLine{{Text: "Surat biasa tentang mesyuarat", Box: image.Rect(10, 10, 200, 30), Height: 14, Confidence: 90}}}
		if f.said != nil {
			r = f.said(len(f.pages))
		}
		f.pages = append(f.pages, p.Rect)
		out = append(out, r)
	}
	return out, nil
}

func readPicture(t testing.TB, data []byte, b Budget) *Result {
	t.Helper()
	r, err := Read(context.Background(), Document{Path: "gambar", Name: "gambar", Data: data}, b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func texts(r *Result) (out []string) {
	for _, p := range r.Parts {
		for _, u := range p.Units {
			out = append(out, u.Text)
		}
	}
	return out
}

func ordinary(n int) *drawn.Page {
	p := drawn.New(100, drawn.White)
	for i := range n {
		p.Body(0.15+float64(i)*0.05, drawn.Black, "Sukacita dimaklumkan bahawa mesyuarat akan diadakan")
	}
	return p
}

// photograph is nothing but changing colours.
func photograph(w, h int) *image.RGBA {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := byte(40 + 150*x/w + r.IntN(30))
			img.SetRGBA(x, y, color.RGBA{v, byte(200 * y / h), byte(255 - v), 255})
		}
	}
	return img
}

// Without a recogniser a picture of a page is refused, another passes, and that is said.
func TestPicturesWithoutRecogniser(t *testing.T) {
	poster := drawn.New(100, drawn.White)
	poster.Stamp(0.06, 40, drawn.Red, "BAZAR AMAL")
	poster.Text(0.12, 0.15, 14, drawn.Black, "Sabtu, dewan serba guna")
	cover := drawn.New(100, drawn.White)
	cover.Stamp(0.06, 20, drawn.Red, "RAHSIA")
	cover.Stamp(0.96, 20, drawn.Red, "RAHSIA")
	dark := drawn.New(100, drawn.Black)
	for i := range 8 {
		dark.Body(0.15+float64(i)*0.05, drawn.White, "Sukacita dimaklumkan bahawa mesyuarat akan diadakan")
	}
	small := drawn.Sized(500, 400, 60, drawn.White)
	for i := range 8 {
		small.Body(0.15+float64(i)*0.08, drawn.Black, "Sukacita dimaklumkan bahawa mesyuarat")
	}
	side, _ := ordinary(12), 0
	for _, tt := range []struct {
		name string
		img  image.Image
		gap  bool
	}{
		{"page", ordinary(12), true},
		{"page on its side", side.Rotated(1, 0, drawn.White), true},
		{"page with marks alone", cover, true},
		{"white letters on black", dark, true},
		{"poster", poster, false},
		{"photograph", photograph(900, 700), false},
		{"small", small, false},
		{"blank", drawn.New(100, drawn.White), false},
	} {
		r := readPicture(t, pngOf(t, tt.img), Budget{})
		if got := len(r.Gaps) == 1 && r.Gaps[0].Reason == NoOCR; got != tt.gap || len(r.Gaps) > 1 {
			t.Errorf("%s: gaps %+v", tt.name, r.Gaps)
		}
		if !tt.gap && len(r.Notes) != 1 {
			t.Errorf("%s: notes %q", tt.name, r.Notes)
		}
	}
}

// pagesOf is a document of so many pages, each as high as its number says.
func pagesOf(n int, page func(i, dpi int) (image.Image, error)) func(w *walker) {
	return func(w *walker) {
		p := w.part(at{"imbasan", 0}, "pdf")
		w.scan(at{"imbasan", 0}, p, scanned{pages: n, page: page})
		p.end()
	}
}

func run(t *testing.T, b Budget, f func(w *walker)) *Result {
	t.Helper()
	w := &walker{ctx: context.Background(), b: b.filled()}
	f(w)
	r, err := w.result()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSampling(t *testing.T) {
	page := ordinary(12)
	page.Body(0.95, drawn.Black, "Muka surat")
	drawnPages := map[int][]int{}
	draws := func(i, dpi int) (image.Image, error) {
		drawnPages[i] = append(drawnPages[i], dpi)
		return page, nil
	}
	f := &fakeReader{}
	r := run(t, Budget{Recognise: f.recognise}, pagesOf(60, draws))
	if len(r.Gaps) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "pages 1, 2, 16, 31, 46, 60 were read in full") {
		t.Errorf("gaps %+v, notes %q", r.Gaps, r.Notes)
	}
	strips, full := 0, 0
	for _, b := range f.pages {
		if b.Dy() < 300 {
			strips++
		} else {
			full++
		}
	}
	if strips != 120 || full != 6 || len(drawnPages) != 60 {
		t.Errorf("%d strips, %d full pages of %d", strips, full, len(drawnPages))
	}
	seen := map[int]bool{}
	for _, p := range r.Parts {
		for _, u := range p.Units {
			if u.Place != OCRLine {
				t.Fatalf("%+v", u)
			}
			seen[u.Page] = true
		}
	}
	if len(seen) != 60 {
		t.Errorf("lines of %d pages", len(seen))
	}
}

// What is not read is a gap; a fault of what reads is an error, and no gap.
func TestPagesThatAreNotRead(t *testing.T) {
	page := ordinary(12)
	page.Body(0.95, drawn.Black, "Muka surat")
	plain := func(int, int) (image.Image, error) { return page, nil }
	good := Recognised{Lines: []RecognisedLine{{Text: "Surat biasa tentang mesyuarat", Box: image.Rect(10, 10, 200, 30), Height: 14, Confidence: 90}}}
	for _, tt := range []struct {
		name   string
		pages  int
		page   func(i, dpi int) (image.Image, error)
		reader fakeReader
		reason Reason
		why    string
	}{
		{"the program fails on a page", 3, plain, fakeReader{said: func(n int) Recognised {
			if n == 1 || n >= 3 {
				return Recognised{Failed: true}
			}
			return good
		}}, Damaged, "page 2 is the first"},
		{"a page that cannot be drawn", 3, func(i, dpi int) (image.Image, error) {
			if i == 2 {
				return nil, errors.New("broken")
			}
			return page, nil
		}, fakeReader{}, Damaged, "page 3 is the first"},
		{"time is up before all heads were read", 60, plain, fakeReader{said: func(int) Recognised { r := good; r.CPU = time.Second; return r }}, TooMuch, "more pages"},
	} {
		r := run(t, Budget{Recognise: tt.reader.recognise}, pagesOf(tt.pages, tt.page))
		if len(r.Gaps) != 1 || r.Gaps[0].Reason != tt.reason || !strings.Contains(r.Gaps[0].Why, tt.why) {
			t.Errorf("%s: %+v", tt.name, r.Gaps)
		}
	}
	f := fakeReader{err: errors.New("no worker is left")}
	if r, err := Read(context.Background(), Document{Data: pngOf(t, page)}, Budget{Recognise: f.recognise}); err == nil {
		t.Errorf("a fault was taken for a result: %+v", r)
	}
}

// The same picture is read once, however often it stands in a message, and tiny ones never.
func TestPicturesThatAreNotReadAgain(t *testing.T) {
	f := &fakeReader{}
	img := ordinary(12)
	run(t, Budget{Recognise: f.recognise}, func(w *walker) {
		p := w.part(at{}, "docx")
		for range 5 {
			w.picture(at{}, p, img, 0)
			w.picture(at{}, p, photograph(40, 12), 0)
		}
	})
	full := slices.DeleteFunc(f.calls, func(r Recognition) bool { return r.Sparse })
	if len(full) != 1 {
		t.Errorf("%d readings", len(full))
	}
}

func TestFormats(t *testing.T) {
	page := ordinary(12)
	frames := &gif.GIF{}
	pal := color.Palette{color.White, color.Black}
	for i := range 3 {
		p := drawn.New(60, drawn.White)
		p.Stamp(0.2+float64(i)*0.2, 30, drawn.Black, fmt.Sprint("BINGKAI ", i))
		m := image.NewPaletted(p.Rect, pal)
		draw.Draw(m, m.Rect, p, image.Point{}, draw.Src)
		frames.Image, frames.Delay = append(frames.Image, m), append(frames.Delay, 1)
	}
	var g, j, b bytes.Buffer
	if err := errors.Join(gif.EncodeAll(&g, frames), jpeg.Encode(&j, page, nil), bmp.Encode(&b, page)); err != nil {
		t.Fatal(err)
	}
	icon := drawn.Sized(200, 100, 90, drawn.White)
	icon.Stamp(0.6, 20, drawn.Black, "LOGO")
	for _, tt := range []struct {
		name  string
		data  []byte
		kind  string
		count int
	}{
		{"png", pngOf(t, page), "png", 1},
		{"jpeg", j.Bytes(), "jpeg", 1},
		{"bmp", b.Bytes(), "bmp", 1},
		{"gif of three", g.Bytes(), "gif", 3},
		{"icon", iconOf(pngOf(t, icon)), "ico", 1},
	} {
		f := &fakeReader{}
		r := readPicture(t, tt.data, Budget{Recognise: f.recognise})
		full := len(slices.DeleteFunc(f.calls, func(r Recognition) bool { return r.Sparse }))
		if len(r.Gaps) != 0 || r.Files[0].Kind != tt.kind || full != tt.count {
			t.Errorf("%s: kind %s, %d pictures read, gaps %+v", tt.name, r.Files[0].Kind, full, r.Gaps)
		}
	}
}

func iconOf(one []byte) []byte {
	b := []byte{0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(one)))
	b = binary.LittleEndian.AppendUint32(b, 22)
	return append(b, one...)
}

// What claims to be larger than memory is, costs nothing; what nobody decodes is a finding.
func TestPicturesThatCannotBeRead(t *testing.T) {
	huge := pngOf(t, image.NewGray(image.Rect(0, 0, 100, 100)))
	binary.BigEndian.PutUint32(huge[16:], 60_000)
	binary.BigEndian.PutUint32(huge[20:], 60_000)
	binary.BigEndian.PutUint32(huge[29:], crcOf(huge[12:29]))
	cut := pngOf(t, ordinary(12))
	for name, c := range map[string]struct {
		data   []byte
		reason Reason
	}{
		"huge":        {huge, TooMuch},
		"cut off":     {cut[:len(cut)/2], Damaged},
		"heic":        {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + strings.Repeat("\x00\x01", 200)), Opaque},
		"jpeg 2000":   {[]byte("\x00\x00\x00\x0cjP  \r\n\x87\n" + strings.Repeat("\x00\x01", 200)), Opaque},
		"tiff circle": {[]byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"), Damaged},
	} {
		r := readPicture(t, c.data, Budget{Recognise: (&fakeReader{}).recognise})
		if len(r.Gaps) == 0 || r.Gaps[0].Reason != c.reason {
			t.Errorf("%s: %+v", name, r.Gaps)
		}
	}
}

// fuzzed asks every reader of pictures; what comes back keeps to the budget.
func FuzzPicture(f *testing.F) {
	page := drawn.Sized(120, 60, 90, drawn.White)
	page.Stamp(0.6, 20, drawn.Black, "LOGO")
	var g, j, b bytes.Buffer
	if err := errors.Join(gif.Encode(&g, page, nil), jpeg.Encode(&j, page, nil), bmp.Encode(&b, page)); err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{pngOf(f, page), g.Bytes(), j.Bytes(), b.Bytes(), iconOf(pngOf(f, page)), exifWith("catatan"),
		[]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x63\x00\x00\x63\x00\x00"), pngWith("tEXt", "Comment\x00RAHSIA")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := readPicture(t, data, Budget{Recognise: (&fakeReader{}).recognise, Pixels: 4 << 20, Units: 1000, Text: 1 << 20})
		if r.Used.Text > 2<<20 || r.Used.Units > 1001 {
			t.Fatalf("past the budget: %+v", r.Used)
		}
	})
}
