package extract

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// readXlsx is a workbook: cells of all sheets, hidden ones too, print headers, comments,
// names of sheets.
func (p *pack) readXlsx() {
	var shared []string
	p.each(func(n string) bool { return n == "xl/sharedStrings.xml" }, func(_ string, here at, b []byte) {
		shared = p.shared(here, b)
	})
	p.each(func(n string) bool { return n == "xl/workbook.xml" }, func(_ string, here at, b []byte) {
		out := p.w.part(here, "xlsx")
		err := p.w.eachXML(b, xmlEvents{
			start: func(name string, attr func(string) string) {
				if name == "sheet" {
					out.add(Unit{Place: FileName, Where: "name of a sheet", Text: attr("name")})
				}
			},
			end: func(string) {}, text: func(string) {},
		})
		out.end()
		p.damaged(here, "xlsx", err)
	})
	p.each(under("xl/worksheets/"), func(name string, here at, b []byte) { p.sheet(here, name, b, shared) })
	p.each(under("xl/chartsheets/"), func(name string, here at, b []byte) { p.sheet(here, name, b, shared) })
	for prefix, place := range map[string]Place{"xl/comments": Comment, "xl/threadedComments/": Comment, "xl/drawings/drawing": Stamp, "xl/charts/": Stamp} {
		p.each(under(prefix), func(_ string, here at, b []byte) { p.drawing(here, "xlsx", place, b) })
	}
	p.common("xlsx")
}

func (p *pack) shared(here at, b []byte) (all []string) {
	var text strings.Builder
	in, phonetic := false, false
	err := p.w.eachXML(b, xmlEvents{
		start: func(name string, _ func(string) string) {
			switch name {
			case "si":
				text.Reset()
			case "t":
				in = true
			case "rPh":
				phonetic = true
			}
		},
		end: func(name string) {
			switch name {
			case "si":
				all = append(all, text.String())
			case "t":
				in = false
			case "rPh":
				phonetic = false
			}
		},
		text: func(t string) {
			if in && !phonetic {
				text.WriteString(t)
			}
		},
	})
	p.damaged(here, "xlsx", err)
	return all
}

// headerCodes are the codes of a print header: font, size, style, colour.
var headerCodes = regexp.MustCompile(`&("[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d+|[BIUESXYGFAZTDNPOH])`)

// printHeader gives the left, middle and right of a print header.
func printHeader(s string) []string {
	s = strings.NewReplacer("&&", "\x00", "&L", "\n", "&C", "\n", "&R", "\n").Replace(s)
	s = strings.ReplaceAll(headerCodes.ReplaceAllString(s, ""), "\x00", "&")
	return strings.Split(s, "\n")
}

func (p *pack) sheet(here at, name string, b []byte, shared []string) {
	out := p.w.part(here, "xlsx")
	list, page := p.w.list(), numberIn(name)
	var ref, kind, element string
	var text strings.Builder
	cell := func() {
		value := text.String()
		text.Reset()
		if kind == "s" {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || n < 0 || n >= len(shared) {
				return
			}
			value = shared[n]
		}
		col, row := cellRef(ref)
		for l := range strings.SplitSeq(value, "\n") {
			out.add(Unit{Place: Cell, Where: "cell " + ref, Text: l, Row: row, Col: col, List: list, Page: page})
		}
	}
	err := p.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			element = n
			switch n {
			case "c":
				ref, kind = attr("r"), attr("t")
				text.Reset()
			}
		},
		end: func(n string) {
			switch n {
			case "c":
				cell()
			case "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter":
				place := PageHeader
				if strings.HasSuffix(n, "Footer") {
					place = PageFooter
				}
				for _, part := range printHeader(text.String()) {
					out.add(Unit{Place: place, Where: "print " + strings.ToLower(strings.TrimLeft(n, "odevnfirst")), Text: part, Page: page})
				}
				text.Reset()
			}
			element = ""
		},
		text: func(t string) {
			switch element {
			case "v", "t", "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter":
				text.WriteString(t)
			}
		},
	})
	out.end()
	p.damaged(here, "xlsx", err)
}

// cellRef reads "B4".
func cellRef(ref string) (col, row int) {
	i := 0
	for i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z' && i < 4 {
		col = col*26 + int(ref[i]-'A') + 1
		i++
	}
	row, err := strconv.Atoi(ref[i:])
	if err != nil {
		return 0, 0
	}
	return col, row
}

// readPptx is a presentation: slides, hidden ones too, masters, layouts, notes.
func (p *pack) readPptx() {
	for _, f := range []struct {
		prefix string
		place  Place
	}{
		{"ppt/slides/", Paragraph}, {"ppt/slideMasters/", Master}, {"ppt/slideLayouts/", Master},
		{"ppt/notesMasters/", Master}, {"ppt/handoutMasters/", Master}, {"ppt/notesSlides/", Notes},
		{"ppt/comments", Comment}, {"ppt/diagrams/data", Stamp}, {"ppt/charts/", Stamp},
	} {
		p.each(under(f.prefix), func(_ string, here at, b []byte) { p.drawing(here, "pptx", f.place, b) })
	}
	p.common("pptx")
}

// drawing gives the paragraphs of DrawingML: slides, shapes, charts, comments.
func (p *pack) drawing(here at, kind string, place Place, b []byte) {
	out := p.w.part(here, kind)
	page := 0
	if place == Paragraph {
		page = numberIn(path.Base(here.path))
	}
	var para strings.Builder
	var style Style
	in, list, row, col := false, 0, 0, 0
	title := false
	flush := func() {
		u := Unit{Place: place, Where: path.Base(here.path), Page: page, Style: style, List: list, Row: row, Col: col}
		if list > 0 && place == Paragraph {
			u.Place = Cell
		} else if title && place == Paragraph {
			u.Place = Heading
		}
		for l := range strings.SplitSeq(para.String(), "\n") {
			u.Text = l
			out.add(u)
		}
		para.Reset()
		style = 0
	}
	err := p.w.eachXML(b, xmlEvents{
		start: func(name string, attr func(string) string) {
			switch name {
			case "t", "text":
				in = true
			case "br":
				para.WriteByte('\n')
			case "rPr", "defRPr":
				if attr("b") == "1" {
					style |= Bold
				}
				if attr("cap") == "all" {
					style |= ShownCaps
				}
				if s := attr("strike"); s != "" && s != "noStrike" {
					style |= Struck
				}
			case "tbl":
				list, row = p.w.list(), 0
			case "tr":
				row, col = row+1, 0
			case "tc":
				col++
			case "ph":
				title = strings.Contains(strings.ToLower(attr("type")), "title")
			case "sp":
				title = false
			case "cm": // comments of PowerPoint 2007 hold text without paragraphs
				flush()
			}
		},
		end: func(name string) {
			switch name {
			case "t", "text":
				in = false
			case "p", "cm", "comment", "threadedComment":
				flush()
			case "tbl":
				list, row, col = 0, 0, 0
			}
		},
		text: func(t string) {
			if in {
				para.WriteString(t)
			}
		},
	})
	flush()
	out.end()
	p.damaged(here, kind, err)
}
