package extract

import (
	"archive/zip"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
)

// each opens the files of a document that match, in the order of their numbers.
func (p *pack) each(match func(name string) bool, f func(name string, here at, b []byte)) {
	var found []*zip.File
	for _, z := range p.files {
		if match(strings.TrimPrefix(z.Name, "/")) && !strings.HasSuffix(z.Name, "/") {
			found = append(found, z)
		}
	}
	slices.SortStableFunc(found, func(a, b *zip.File) int {
		return cmp.Or(cmp.Compare(numberIn(a.Name), numberIn(b.Name)), strings.Compare(a.Name, b.Name))
	})
	for _, z := range found {
		if p.w.over || p.w.err != nil {
			return
		}
		here := p.a.in(path.Base(z.Name))
		if b, ok := p.open(here, z); ok {
			f(strings.TrimPrefix(z.Name, "/"), here, b)
		}
	}
}

// numberIn is the number at the end of a name: 12 of slide12.xml.
func numberIn(name string) int {
	name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	i := len(name)
	for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(name[i:])
	if err != nil {
		return 0
	}
	return n
}

func under(prefix string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".xml") }
}

// damaged tells that a file of a document breaks off.
func (p *pack) damaged(here at, kind string, err error) {
	if err != nil {
		p.w.gap(here, kind, Damaged, "it breaks off")
	}
}

// common reads what every kind of office document has: properties, labels, what is
// embedded, pictures.
func (p *pack) common(kind string) {
	p.each(func(n string) bool { return strings.HasPrefix(n, "docProps/") || strings.HasPrefix(n, "docMetadata/") },
		func(name string, here at, b []byte) { p.properties(here, b) })
	p.each(func(n string) bool { return strings.HasPrefix(n, "customXml/item") && strings.HasSuffix(n, ".xml") },
		func(name string, here at, b []byte) {
			p.w.file(here, source{name: name, declared: "text/xml", data: b})
		})
	p.each(func(n string) bool { return strings.HasSuffix(n, ".vml") }, func(_ string, here at, b []byte) { p.word(here, Stamp, b) })
	// Whatever else is inside: embedded documents, chunks of HTML or RTF, workbooks in binary.
	p.each(foreign, func(name string, here at, b []byte) { p.w.file(here, source{name: name, data: b}) })
	for _, z := range p.files {
		if strings.Contains(z.Name, "/media/") {
			p.w.gap(p.a.in(path.Base(z.Name)), "picture", Unread, "pictures are not read yet")
		}
	}
}

// foreign says whether a file in a document is in no format of the document itself.
func foreign(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".rels", ".vml", ".odttf", ".fntdata", "":
		return false
	}
	return !strings.Contains(name, "/media/") && !strings.HasPrefix(name, "docProps/") &&
		!strings.HasPrefix(path.Base(name), "printerSettings") && path.Base(name) != "vbaProject.bin"
}

// properties gives "name: value" of each property and label.
func (p *pack) properties(here at, b []byte) {
	out := p.w.part(here, "properties")
	var name, custom string
	var text strings.Builder
	err := p.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			name = n
			text.Reset()
			if n == "property" {
				custom = attr("name")
			}
			if n == "label" { // docMetadata/LabelInfo.xml
				if v := attr("name"); v != "" {
					out.add(Unit{Place: Metadata, Where: "sensitivity label", Text: "label: " + v})
				}
			}
		},
		end: func(n string) {
			value := strings.TrimSpace(text.String())
			text.Reset()
			if value == "" || n != name {
				return
			}
			key := n
			if custom != "" {
				key = custom
			}
			out.add(Unit{Place: Metadata, Where: "property " + label(key), Text: key + ": " + value})
			if n == "property" {
				custom = ""
			}
		},
		text: func(t string) { text.WriteString(t) },
	})
	out.end()
	p.damaged(here, "properties", err)
}

func (p *pack) readDocx() {
	p.each(func(n string) bool { return n == "word/document.xml" || n == "word/document2.xml" },
		func(_ string, here at, b []byte) { p.word(at{p.a.path, p.a.depth}, Paragraph, b) })
	for prefix, place := range map[string]Place{
		"word/header": PageHeader, "word/footer": PageFooter, "word/footnotes": Notes, "word/endnotes": Notes,
		"word/comments": Comment, "word/glossary/document": Hidden,
	} {
		p.each(under(prefix), func(_ string, here at, b []byte) { p.word(here, place, b) })
	}
	p.common("docx")
}

// A wordReader gathers the paragraphs of one file of a Word document.
type wordReader struct {
	out   *writer
	w     *walker
	place Place
	where string

	para  strings.Builder
	del   strings.Builder
	style Style // of the runs so far: what all of them share
	runs  int
	run   Style
	skip  bool // hidden text
	stack []wordParagraph

	heading, item bool
	list          int
	tables        []wordTable
	box           int // depth of text boxes
	inDel         int
	line          int
	inText        bool
	inRPr         bool
}

// wordParagraph is an outer paragraph while a text box inside it is read.
type wordParagraph struct {
	text  string
	style Style
	runs  int
}

type wordTable struct{ list, row, col int }

func (p *pack) word(here at, place Place, b []byte) {
	r := &wordReader{w: p.w, out: p.w.part(here, "docx"), place: place, where: path.Base(here.path)}
	err := p.w.eachXML(b, xmlEvents{start: r.start, end: r.end, text: r.words})
	r.flush()
	r.out.end()
	p.damaged(here, "docx", err)
}

func (r *wordReader) flush() {
	text := r.para.String()
	r.para.Reset()
	style := r.style
	r.style, r.runs = 0, 0
	u := Unit{Place: r.place, Style: style, List: r.list}
	if n := len(r.tables); n > 0 && r.box == 0 {
		t := r.tables[n-1]
		if r.place == Paragraph {
			u.Place = Cell
		}
		u.List, u.Row, u.Col = t.list, t.row, t.col
	}
	switch {
	case r.box > 0 && r.place == Paragraph:
		u.Place = Stamp
	case r.heading && u.Place == Paragraph:
		u.Place = Heading
	case r.item && u.Place == Paragraph:
		u.Place = ListItem
	}
	for l := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(l) == "" {
			continue
		}
		r.line++
		u.Text, u.Where = l, "paragraph "+strconv.Itoa(r.line)
		if r.place != Paragraph {
			u.Where = r.where
		}
		r.out.add(u)
	}
	if d := strings.TrimSpace(r.del.String()); d != "" {
		r.out.add(Unit{Place: Deleted, Where: "deleted text", Text: d, Style: Struck})
	}
	r.del.Reset()
}

func on(v string) bool { return v != "0" && v != "false" && v != "none" && v != "off" }

func (r *wordReader) start(name string, attr func(string) string) {
	switch name {
	case "p":
		r.heading, r.item, r.list = false, false, 0
	case "txbxContent":
		r.stack = append(r.stack, wordParagraph{r.para.String(), r.style, r.runs})
		r.para.Reset()
		r.style, r.runs = 0, 0
		r.box++
	case "tbl":
		r.tables = append(r.tables, wordTable{list: r.w.list()})
	case "tr":
		if n := len(r.tables); n > 0 {
			r.tables[n-1].row++
			r.tables[n-1].col = 0
		}
	case "tc":
		if n := len(r.tables); n > 0 {
			r.tables[n-1].col++
		}
	case "r":
		r.run, r.skip = 0, false
	case "rPr":
		r.inRPr = true
	case "t", "delText":
		r.inText = true
	case "tab", "ptab":
		if !r.inRPr {
			r.para.WriteByte('\t')
		}
	case "br", "cr":
		r.para.WriteByte('\n')
	case "noBreakHyphen":
		r.para.WriteByte('-')
	case "del", "moveFrom":
		if !r.inRPr {
			r.inDel++
		}
	case "textpath":
		if s := attr("string"); s != "" {
			r.out.add(Unit{Place: Watermark, Where: "watermark", Text: s})
		}
	case "checkBox", "checkbox", "checked":
		r.tick(name, attr)
	default:
		r.look(name, attr)
	}
}

// tick is a box in a form.
func (r *wordReader) tick(name string, attr func(string) string) {
	if name == "checked" && on(attr("val")) {
		r.para.WriteString("[x] ")
	}
}

// look reads the properties of runs and paragraphs.
func (r *wordReader) look(name string, attr func(string) string) {
	v := attr("val")
	switch name {
	case "b":
		if on(v) {
			r.run |= Bold
		}
	case "caps":
		if on(v) {
			r.run |= ShownCaps
		}
	case "strike", "dstrike":
		if on(v) {
			r.run |= Struck
		}
	case "color":
		if len(v) == 6 && v[0] >= 'B' && v[2] < '5' && v[4] < '5' {
			r.run |= Red
		}
	case "sz":
		if n, err := strconv.Atoi(v); err == nil && n >= 30 {
			r.run |= Large
		}
	case "jc":
		if v == "center" {
			r.style |= Centred
		}
	case "pStyle":
		r.heading = strings.HasPrefix(v, "Heading") || v == "Title" || strings.HasPrefix(v, "Tajuk")
	case "numPr":
		r.item = true
	case "numId":
		if n, err := strconv.Atoi(v); err == nil {
			r.list = 1_000_000 + n
		}
	case "docPart", "docPr":
	}
}

func (r *wordReader) words(t string) {
	if !r.inText {
		return
	}
	if r.inDel > 0 {
		r.del.WriteString(t)
		return
	}
	r.para.WriteString(t)
	if strings.TrimSpace(t) == "" {
		return
	}
	keep := r.style & Centred
	if r.runs == 0 {
		r.style = keep | r.run
	} else {
		r.style = keep | r.style&r.run
	}
	r.runs++
}

func (r *wordReader) end(name string) {
	switch name {
	case "t", "delText":
		r.inText = false
	case "rPr":
		r.inRPr = false
	case "del", "moveFrom":
		if !r.inRPr && r.inDel > 0 {
			r.inDel--
		}
	case "p":
		r.flush()
	case "txbxContent":
		r.flush()
		r.box--
		if n := len(r.stack); n > 0 {
			outer := r.stack[n-1]
			r.stack = r.stack[:n-1]
			r.para.WriteString(outer.text)
			r.style, r.runs = outer.style, outer.runs
		}
	case "tbl":
		if n := len(r.tables); n > 0 {
			r.tables = r.tables[:n-1]
		}
	}
}
