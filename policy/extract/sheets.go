package extract

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A workbook is what the sheets of one have in common.
type workbook struct {
	shared []string
}

// sheetNames are those of sheets, hidden ones too, and what names stand for.
func (r *officeReader) sheetNames(here at, b []byte) {
	out := r.w.part(here, "xlsx")
	inName := false
	err := r.w.eachXML(b, xmlEvents{
		start: func(name string, attr func(string) string) {
			switch name {
			case "sheet":
				out.add(Unit{Place: FileName, Where: "name of a sheet", Text: attr("name")})
			case "definedName":
				inName = true
				if v := attr("comment"); v != "" {
					out.add(Unit{Place: Comment, Where: "name", Text: v})
				}
			}
		},
		end: func(string) { inName = false },
		text: func(t string) {
			if inName && strings.HasPrefix(t, `"`) {
				out.add(Unit{Place: Hidden, Where: "value of a name", Text: strings.Trim(t, `"`)})
			}
		},
	})
	out.end()
	r.damaged(here, "xlsx", err)
}

var quotedLiteral = regexp.MustCompile(`"((?:[^"]|"")*)"`)

// formats are formats of numbers that show words: ;;;"RAHSIA".
func (r *officeReader) formats(here at, b []byte) {
	out := r.w.part(here, "xlsx")
	err := r.w.eachXML(b, xmlEvents{
		start: func(name string, attr func(string) string) {
			if name == "numFmt" {
				for _, m := range quotedLiteral.FindAllStringSubmatch(attr("formatCode"), 20) {
					out.add(Unit{Place: Stamp, Where: "format of numbers", Text: m[1]})
				}
			}
		},
		end: func(string) {}, text: func(string) {},
	})
	out.end()
	r.damaged(here, "xlsx", err)
}

var charCall = regexp.MustCompile(`(?i)\b(?:UNI)?CHAR\((\d{1,6})\)`)

// formulaText joins the texts in a formula, for a cell whose value is not kept.
func formulaText(f string) string {
	f = charCall.ReplaceAllStringFunc(f, func(m string) string {
		n, err := strconv.Atoi(charCall.FindStringSubmatch(m)[1])
		if err != nil {
			return m
		}
		return `"` + string(rune(n)) + `"`
	})
	var b strings.Builder
	for _, m := range quotedLiteral.FindAllStringSubmatch(f, 100) {
		b.WriteString(m[1])
	}
	return b.String()
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

func (r *officeReader) sheet(here at, name string, b []byte) {
	out := r.w.part(here, "xlsx")
	list, page := r.w.list(), numberIn(name)
	var ref, kind, element string
	var text, formula strings.Builder
	cell := func() {
		value := text.String()
		text.Reset()
		if value == "" {
			value = formulaText(formula.String())
		}
		formula.Reset()
		if kind == "s" {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || n < 0 || n >= len(r.book.shared) {
				return
			}
			value = r.book.shared[n]
		}
		col, row := cellRef(ref)
		for l := range strings.SplitSeq(value, "\n") {
			out.add(Unit{Place: Cell, Where: "cell " + ref, Text: l, Row: row, Col: col, List: list, Page: page})
		}
	}
	err := r.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			element = n
			switch n {
			case "c":
				ref, kind = attr("r"), attr("t")
				text.Reset()
			case "dataValidation":
				for _, key := range []string{"prompt", "promptTitle"} {
					if v := attr(key); v != "" {
						out.add(Unit{Place: Comment, Where: "prompt", Text: v, Style: Aside})
					}
				}
			}
		},
		end: func(n string) {
			switch n {
			case "c":
				cell()
			case "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter":
				printed(out, strings.HasSuffix(n, "Footer"), text.String(), page)
				text.Reset()
			}
			element = ""
		},
		text: func(t string) {
			switch element {
			case "v", "t", "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter":
				text.WriteString(t)
			case "f":
				formula.WriteString(t)
			}
		},
	})
	joinRows(out)
	out.end()
	r.damaged(here, "xlsx", err)
}

// printed adds the parts of a print header or footer, a line each.
func printed(out *writer, foot bool, text string, page int) {
	u := Unit{Place: PageHeader, Where: "print header", Page: page}
	if foot {
		u.Place, u.Where = PageFooter, "print footer"
	}
	for _, part := range printHeader(text) {
		u.Text = part
		out.add(u)
	}
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

// drawing gives the paragraphs of DrawingML: slides, shapes, charts, comments.
func (p *pack) drawing(here at, kind string, place Place, b []byte) {
	out := p.w.part(here, kind)
	page := 0
	if place == Paragraph {
		page = numberIn(path.Base(here.path))
	}
	var para strings.Builder
	var style, run Style
	in, list, row, col := false, 0, 0, 0
	title, furniture := false, Place("")
	runs := 0
	flush := func() {
		u := Unit{Place: place, Where: path.Base(here.path), Page: page, Style: style, List: list, Row: row, Col: col}
		if list > 0 && place == Paragraph {
			u.Place = Cell
		} else if title && place == Paragraph {
			u.Place = Heading
		}
		if furniture != "" && place != Notes {
			u.Place = furniture
		}
		for l := range strings.SplitSeq(para.String(), "\n") {
			u.Text = l
			out.add(u)
		}
		para.Reset()
		style, runs = 0, 0
	}
	err := p.w.eachXML(b, xmlEvents{
		start: func(name string, attr func(string) string) {
			switch name {
			case "t", "text", "v":
				in = name != "v" || kind != "xlsx" || place != Comment
			case "cNvPr", "docPr":
				for _, key := range []string{"descr", "title"} {
					if v := attr(key); v != "" {
						out.add(Unit{Place: Stamp, Where: "description", Text: v, Page: page, Style: Aside})
					}
				}
			case "br":
				para.WriteByte('\n')
			case "r", "fld":
				run = 0
			case "rPr":
				run = runStyle(attr)
			case "tbl":
				list, row = p.w.list(), 0
			case "tr":
				row, col = row+1, 0
			case "tc":
				col++
			case "ph":
				kind := strings.ToLower(attr("type"))
				title, furniture = strings.Contains(kind, "title"), ""
				switch kind {
				case "ftr":
					furniture = PageFooter
				case "hdr":
					furniture = PageHeader
				}
			case "sp":
				title, furniture = false, ""
			case "cm": // comments of PowerPoint 2007 hold text without paragraphs
				flush()
			}
		},
		end: func(name string) {
			switch name {
			case "t", "text", "v":
				in = false
				if name == "v" { // of a chart
					flush()
				}
			case "p", "cm", "comment", "threadedComment":
				flush()
			case "tbl":
				list, row, col = 0, 0, 0
			}
		},
		text: func(t string) {
			if !in {
				return
			}
			if run&ShownCaps != 0 {
				t = strings.ToUpper(t)
			}
			para.WriteString(t)
			if strings.TrimSpace(t) == "" {
				return
			}
			if runs++; runs == 1 {
				style = run
			} else {
				style = style.with(run)
			}
		},
	})
	flush()
	joinRows(out)
	out.end()
	p.damaged(here, kind, err)
}

// runStyle reads the properties of a run of DrawingML.
func runStyle(attr func(string) string) (s Style) {
	if attr("b") == "1" {
		s |= Bold
	}
	if c := attr("cap"); c == "all" || c == "small" {
		s |= ShownCaps
	}
	if c := attr("strike"); c != "" && c != "noStrike" {
		s |= Struck
	}
	return s
}
