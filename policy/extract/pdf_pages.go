package extract

import "fmt"

// pages writes the text of all pages, in reading order, and what stands beside it.
func (d *pdfReader) write(pages []*pdfPage) {
	again := map[string]int{}
	for _, p := range pages {
		seen := map[string]bool{}
		for i := range p.lines {
			l := &p.lines[i]
			end := 0
			switch {
			case l.y > (1-band)*p.h:
				end = 1
			case l.y < band*p.h:
				end = -1
			}
			if end == 0 {
				continue
			}
			if k := l.key(end); !seen[k] {
				seen[k] = true
				again[k]++
			}
		}
	}
	out := d.w.part(d.a, "pdf")
	for _, p := range pages {
		d.page(out, p, again)
	}
	out.end()
	aside := d.w.part(d.a, "pdf")
	for _, p := range pages {
		for _, a := range p.aside {
			aside.add(Unit{Place: a.place, Where: fmt.Sprint("page ", p.number), Text: a.text, Style: a.style, Page: p.number})
		}
	}
	for _, u := range d.fields {
		aside.add(u)
	}
	aside.end()
}

// page writes one page: header, text, footer.
func (d *pdfReader) page(out *writer, p *pdfPage, again map[string]int) {
	kind := p.furniture(again)
	var text, foot []pdfLine
	for i := range p.lines {
		switch kind[i] {
		case 1:
			d.ends(out, p, &p.lines[i], PageHeader)
		case -1:
			foot = append(foot, p.lines[i])
		default:
			p.lines[i].joinLabels()
			text = append(text, p.lines[i])
		}
	}
	n := 0
	for _, b := range p.blocks(text) {
		switch {
		case b.table:
			d.table(out, p, b.lines, n, len(text))
		case b.columns > 0:
			for side := range 2 {
				for _, l := range b.lines {
					for _, s := range l.segments {
						if (s.x0 > b.columns) == (side == 1) {
							d.segment(out, p, s, n)
						}
					}
				}
			}
		default:
			for _, s := range b.lines[0].segments {
				d.segment(out, p, s, n)
			}
			d.pair(out, p, b.lines[0], n)
		}
		n += len(b.lines)
	}
	for i := range foot {
		d.ends(out, p, &foot[i], PageFooter)
	}
}

// ends writes a line of a page's header or footer, left, middle and right apart by tabs.
func (d *pdfReader) ends(out *writer, p *pdfPage, l *pdfLine, place Place) {
	u := Unit{Place: place, Where: fmt.Sprint("page ", p.number), Page: p.number}
	for i, s := range l.segments {
		if i == 0 {
			u.Text, u.Style = s.text, p.styleOf(s)
			continue
		}
		u.Text += "\t" + s.text
		u.Style &= p.styleOf(s)
	}
	out.add(u)
}

func (d *pdfReader) segment(out *writer, p *pdfPage, s pdfSegment, line int) {
	out.add(Unit{Place: Paragraph, Where: fmt.Sprintf("page %d, line %d", p.number, line+1), Text: s.text, Style: p.styleOf(s), Page: p.number})
}

// pair writes two pieces of a line that stand near each other once more, as the cells that
// they may be: a label and its value.
func (d *pdfReader) pair(out *writer, p *pdfPage, l pdfLine, line int) {
	if len(l.segments) == 2 && l.segments[1].x0-l.segments[0].x1 < 0.3*p.w {
		d.row(out, p, l, d.w.list(), 1, []int{1, 2}, line)
	}
}

func (d *pdfReader) row(out *writer, p *pdfPage, l pdfLine, list, row int, cols []int, line int) {
	for i, s := range l.segments {
		out.add(Unit{Place: Cell, Where: fmt.Sprintf("page %d, line %d", p.number, line+1), Text: s.text, Style: p.styleOf(s), Page: p.number,
			Row: row, Col: cols[i], List: list})
	}
}

// endLines is how many lines of a page's text are near its ends.
const endLines = 5

// table writes lines of several pieces. At the head and foot of a page a short one is also
// given piece by piece: a mark may stand left of a copy number there.
func (d *pdfReader) table(out *writer, p *pdfPage, lines []pdfLine, from, all int) {
	if len(lines) < 4 {
		for i, l := range lines {
			if n := from + i; n < endLines || n >= all-endLines {
				for _, s := range l.segments {
					d.segment(out, p, s, n)
				}
			}
		}
	}
	list := d.w.list()
	cols := pdfCells(lines)
	for i, l := range lines {
		d.row(out, p, l, list, i+1, cols[i], from+i)
	}
}
