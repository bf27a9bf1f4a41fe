package extract

import (
	"image"
	"testing"
)

// Heads and feet are drawn with fewer dots than pages that are read in full: letters are
// compared by their share of the page.
func TestLargeOnSheetsOfOtherSizes(t *testing.T) {
	whole, strip := image.Rect(0, 0, 2480, 3508), image.Rect(0, 0, 1240, 1754)
	body := inkLine{RecognisedLine: RecognisedLine{Text: "laporan kemajuan projek", Height: 40}, page: whole}
	mark := inkLine{RecognisedLine: RecognisedLine{Text: "RAHSIA", Height: 30}, page: strip}
	small := inkLine{RecognisedLine: RecognisedLine{Text: "halaman", Height: 20}, page: strip}
	r := &reading{pages: [][]inkLine{{body, body, body}, {mark, small}}}
	usual := r.usual()
	if !r.isLarge(mark, usual) || r.isLarge(small, usual) || r.isLarge(body, usual) {
		t.Fatalf("usual %d: the mark %v, a small line %v, the text %v", usual, r.isLarge(mark, usual), r.isLarge(small, usual), r.isLarge(body, usual))
	}
}
