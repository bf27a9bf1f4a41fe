package ocr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
)

// table makes tesseract's answer: words are "page block line left top width height confidence text".
func table(pages int, words ...string) []byte {
	var b strings.Builder
	b.WriteString("level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n")
	for p := 1; p <= pages; p++ {
		fmt.Fprintf(&b, "1\t%d\t0\t0\t0\t0\t0\t0\t1000\t1000\t-1\t\n", p)
		for _, w := range words {
			f := strings.Fields(w)
			if f[0] == fmt.Sprint(p) {
				fmt.Fprintf(&b, "5\t%s\t%s\t1\t%s\t1\t%s\t%s\n", f[0], f[1], f[2], strings.Join(f[3:8], "\t"), strings.Join(f[8:], " "))
			}
		}
	}
	return []byte(b.String())
}

func TestLinesOfATable(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string
		want  string
	}{
		{"two words of a line", []string{"1 1 1 10 10 50 20 90 RAHSIA", "1 1 1 70 10 50 20 80 BESAR"}, "RAHSIA BESAR"},
		{"two blocks beside each other are one line", []string{"1 2 1 70 10 50 20 80 kepada", "1 1 1 10 12 50 18 90 TERHAD"}, "TERHAD kepada"},
		{"far apart they are two", []string{"1 1 1 10 10 50 20 80 Ruj", "1 2 1 500 11 50 20 90 RAHSIA"}, "Ruj / RAHSIA"},
		{"below each other they are two", []string{"1 2 1 10 40 50 20 80 bawah", "1 1 1 10 10 50 20 90 atas"}, "atas / bawah"},
		{"a large word does not swallow a small one", []string{"1 1 1 10 10 90 60 80 RAHSIA", "1 2 1 110 40 50 12 90 dapur"}, "RAHSIA / dapur"},
		{"blank words are none", []string{"1 1 1 10 10 50 20 90 a", "1 1 1 70 10 50 20 95"}, "a"},
	} {
		got, err := parseTSV(table(1, tt.words...), 1)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var text []string
		for _, l := range got[0] {
			text = append(text, l.Text)
		}
		if s := strings.Join(text, " / "); s != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, s, tt.want)
		}
	}
	for name, bad := range map[string][]byte{"half of the pages": table(1), "a page too many": table(3), "no numbers": []byte("5\ta\tb\tc\td\te\tf\tg\th\ti\tj\tk\n")} {
		if _, err := parseTSV(bad, 2); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHeightOfCapitals(t *testing.T) {
	for text, want := range map[string]int{"RAHSIA": 26, "dapur": 20, "sana": 37, "page": 26, "hal": 26, "---": 0} {
		if got := capitals(word{box: image.Rect(0, 0, 90, 26), text: text}); got != want {
			t.Errorf("%s of 26 pixels: capitals of %d, want %d", text, got, want)
		}
	}
}

// What is written must be a TIFF to others too, of odd sizes as well.
func TestWriteTIFF(t *testing.T) {
	var pages []*image.Gray
	for i := range 3 {
		g := image.NewGray(image.Rect(0, 0, 7+i, 3+2*i))
		for k := range g.Pix {
			g.Pix[k] = byte(k * (i + 3))
		}
		pages = append(pages, g)
	}
	var b bytes.Buffer
	if err := writeTIFF(&b, pages, 150); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	off := binary.LittleEndian.Uint32(file[4:])
	for i, want := range pages {
		if off&1 != 0 {
			t.Fatalf("the directory of page %d begins at the odd offset %d", i, off)
		}
		one := append([]byte("II*\x00"), binary.LittleEndian.AppendUint32(nil, off)...)
		img, err := tiff.Decode(bytes.NewReader(append(one, file[8:]...)))
		if err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
		if got := img.(*image.Gray); !bytes.Equal(got.Pix, want.Pix) || got.Rect != want.Rect {
			t.Fatalf("page %d is not what was written", i)
		}
		off = binary.LittleEndian.Uint32(file[int(off)+2+12*fields:])
	}
	if off != 0 {
		t.Fatal("the last page has a next one")
	}
}

func FuzzTSV(f *testing.F) {
	f.Add(table(2, "1 1 1 10 10 50 20 90 RAHSIA", "2 1 1 70 10 50 20 80 BESAR"), 2)
	f.Fuzz(func(t *testing.T, b []byte, pages int) {
		pages = max(0, pages&7)
		out, err := parseTSV(b, pages)
		if err != nil {
			return
		}
		words := 0
		for _, lines := range out {
			for _, l := range lines {
				words += len(strings.Fields(l.Text))
				if l.Confidence < 0 || l.Confidence > 100 {
					t.Fatalf("confidence %d", l.Confidence)
				}
			}
		}
		if len(out) != pages || words > len(b) {
			t.Fatalf("%d pages of %d, %d words of %d octets", len(out), pages, words, len(b))
		}
	})
}
