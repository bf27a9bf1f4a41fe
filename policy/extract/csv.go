package extract

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readCSV gives cells, whatever separates them.
func readCSV(w *walker, a at, s *source) {
	for _, text := range readings(s) {
		if !w.dull(text) {
			w.csv(a, text)
		}
	}
	if plainToo(s) {
		w.lines(a, decode(s, 0))
	}
}

func (w *walker) csv(a at, text string) {
	sep := separator(text)
	if rest, ok := strings.CutPrefix(text, "sep="); ok { // for Excel alone
		_, text, _ = strings.Cut(rest, "\n")
	}
	out := w.part(a, "csv")
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Count(line, string(sep)) > maxColumns {
			w.exceed(a, "csv", fmt.Sprintf("more than %d cells in a row", maxColumns))
			return
		}
	}
	list, row := w.list(), 0
	add := func(fields []string) {
		row++
		for col, cell := range fields {
			for l := range strings.SplitSeq(cell, "\n") {
				out.add(Unit{Place: Cell, Where: fmt.Sprintf("row %d, column %d", row, col+1),
					Text: strings.Trim(strings.TrimSpace(l), `"`), Row: row, Col: col + 1, List: list})
			}
		}
	}
	r := csv.NewReader(strings.NewReader(lineEnds.Replace(text)))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = sep, true, -1, true
	for w.tick() {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // as it stands
			for line := range strings.SplitSeq(text, "\n") {
				add(strings.Split(line, string(sep)))
			}
			break
		}
		if w.over {
			break
		}
		add(fields)
	}
	joinRows(out)
	out.end()
}

// maxColumns is more than any table has.
const maxColumns = 100_000

// separator is what parts the cells: of those in use the one that is most in the first
// lines.
func separator(text string) rune {
	if rest, ok := strings.CutPrefix(text, "sep="); ok && rest != "" && rest[0] > ' ' && rest[0] < 0x7f && rest[0] != '"' {
		return rune(rest[0])
	}
	head := text[:min(len(text), 2000)]
	sep, most := ',', 0
	for _, c := range []rune{',', ';', '\t', '|', '^', '~'} {
		if n := strings.Count(head, string(c)); n > most {
			sep, most = c, n
		}
	}
	return sep
}
