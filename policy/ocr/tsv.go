package ocr

import (
	"bytes"
	"cmp"
	"errors"
	"image"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sampul/policy/extract"
)

var errAnswer = errors.New("tesseract's answer cannot be understood")

// A word is one row of tesseract's table.
type word struct {
	line       [3]int // block, paragraph, line
	box        image.Rectangle
	confidence float64
	text       string
}

// parseTSV reads tesseract's table of so many pages.
func parseTSV(table []byte, pages int) ([][]extract.RecognisedLine, error) {
	words := make([][]word, pages)
	seen := 0
	for row := range bytes.Lines(table) {
		f := strings.Split(strings.TrimRight(string(row), "\r\n"), "\t")
		if len(f) < 11 || f[0] == "level" {
			continue
		}
		var n [10]int
		for i := range n {
			v, err := strconv.Atoi(f[i])
			if err != nil {
				return nil, errAnswer
			}
			n[i] = v
		}
		page := n[1] - 1
		if page < 0 || page >= pages {
			return nil, errAnswer
		}
		if n[0] == 1 {
			seen++
			continue
		}
		if n[0] != 5 || len(f) < 12 || strings.TrimSpace(f[11]) == "" {
			continue
		}
		confidence, err := strconv.ParseFloat(f[10], 64)
		if err != nil {
			return nil, errAnswer
		}
		words[page] = append(words[page], word{[3]int{n[2], n[3], n[4]}, image.Rect(n[6], n[7], n[6]+n[8], n[7]+n[9]), confidence, f[11]})
	}
	if seen != pages {
		return nil, errAnswer // it stopped before the last
	}
	out := make([][]extract.RecognisedLine, pages)
	for i := range words {
		out[i] = linesOf(words[i])
	}
	return out, nil
}

// mostRows is how many pieces are compared with each other: no page of text has more.
const mostRows = 2000

// linesOf makes lines of a page's words. What stands on one height, close together, is one
// line, also where tesseract took it for two: a word by itself would pass for a mark.
func linesOf(words []word) []extract.RecognisedLine {
	var rows [][]word
	for i, w := range words {
		if i == 0 || w.line != words[i-1].line {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], w)
	}
	boxes := make([]image.Rectangle, len(rows))
	for i, r := range rows {
		boxes[i] = bounds(r)
	}
	for i := 0; i < len(rows) && len(rows) <= mostRows; i++ {
		for j := i + 1; j < len(rows); j++ {
			if !beside(boxes[i], boxes[j]) {
				continue
			}
			rows[i] = append(rows[i], rows[j]...)
			slices.SortStableFunc(rows[i], func(a, b word) int { return cmp.Compare(a.box.Min.X, b.box.Min.X) })
			boxes[i] = boxes[i].Union(boxes[j])
			rows, boxes = slices.Delete(rows, j, j+1), slices.Delete(boxes, j, j+1)
			j = i // what was too far away before may be close now
		}
	}
	var out []extract.RecognisedLine
	for _, r := range rows {
		out = append(out, line(r))
	}
	slices.SortStableFunc(out, func(a, b extract.RecognisedLine) int { return cmp.Compare(a.Box.Min.Y, b.Box.Min.Y) })
	return out
}

func bounds(row []word) image.Rectangle {
	var b image.Rectangle
	for _, w := range row {
		b = b.Union(w.box)
	}
	return b
}

// beside says whether what stands in two boxes is pieces of one line.
func beside(p, q image.Rectangle) bool {
	high := min(p.Dy(), q.Dy())
	if high == 0 || min(p.Max.Y, q.Max.Y)-max(p.Min.Y, q.Min.Y) < high*6/10 || max(p.Dy(), q.Dy()) > 2*high {
		return false
	}
	gap := max(p.Min.X, q.Min.X) - min(p.Max.X, q.Max.X)
	return gap < high*3/2 && gap > -high
}

func line(row []word) extract.RecognisedLine {
	l := extract.RecognisedLine{Box: bounds(row)}
	var text []string
	var heights []int
	var sum, n float64
	for _, w := range row {
		text = append(text, w.text)
		k := float64(len(w.text))
		sum += k * w.confidence
		n += k
		if h := capitals(w); h > 0 {
			heights = append(heights, h)
		}
	}
	l.Text = strings.Join(text, " ")
	l.Confidence = int(min(100, max(0, sum/max(n, 1))))
	if len(heights) > 0 {
		slices.Sort(heights)
		l.Height = heights[len(heights)/2]
	} else {
		l.Height = l.Box.Dy()
	}
	return l
}

// capitals is how high capitals are in a word, by its letters: those with a tail reach
// below the line, small ones not up to the top.
func capitals(w word) int {
	tall, tail, known := false, false, false
	for _, r := range w.text {
		switch {
		case unicode.IsUpper(r) || unicode.IsDigit(r) || strings.ContainsRune("bdfhklt()|/", r):
			tall, known = true, true
		case strings.ContainsRune("gpqyj", r):
			tail, known = true, true
		case unicode.IsLetter(r):
			known = true
		}
	}
	h := w.box.Dy()
	switch {
	case !known:
		return 0
	case tall && tail:
		return h * 10 / 13
	case tall:
		return h
	case tail:
		return h // from the tail to the top of small letters: much the same
	}
	return h * 10 / 7
}
