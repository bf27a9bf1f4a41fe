package extract

import (
	"bytes"
	"strings"
)

// readODF is a document of OpenDocument: content, page headers, properties.
func (p *pack) readODF() {
	if m := p.part("META-INF/manifest.xml"); bytes.Contains(m, []byte("encryption-data")) {
		p.w.gap(p.a, "odf", Locked, "a document locked by a password")
		return
	}
	p.each(func(n string) bool { return n == "content.xml" }, func(_ string, here at, b []byte) { p.w.odf(p.a, b, "content") })
	p.each(func(n string) bool { return n == "styles.xml" || n == "meta.xml" }, func(name string, here at, b []byte) { p.w.odf(here, b, name) })
	p.each(func(n string) bool {
		return strings.HasPrefix(n, "Object") && strings.HasSuffix(n, "/content.xml")
	}, func(_ string, here at, b []byte) { p.w.odf(here, b, "content") })
	for _, z := range p.files {
		if strings.HasPrefix(z.Name, "Pictures/") && !strings.HasSuffix(z.Name, "/") {
			p.w.gap(p.a.in(label(z.Name)), "picture", Unread, "pictures are not read yet")
		}
	}
}

func readFlatODF(w *walker, a at, s *source) { w.odf(a, s.data, "content") }

// An odfReader knows where in a document it is.
type odfReader struct {
	w    *walker
	out  *writer
	text []strings.Builder // of nested paragraphs
	path []string

	header, footer, master, notes, comment, box, deleted int
	meta                                                 string // element or user-defined name
	metaText                                             strings.Builder
	list, lists                                          int
	row, col, table                                      int
	page                                                 int
	styles                                               map[string]Style
	struck                                               string
	spanStyle                                            []Style
	line                                                 Style
	runs                                                 int
}

func (w *walker) odf(a at, b []byte, kind string) {
	r := &odfReader{w: w, out: w.part(a, "odf"), styles: map[string]Style{}}
	err := w.eachXML(b, xmlEvents{start: r.start, end: r.end, text: r.words})
	for len(r.text) > 0 {
		r.flush()
	}
	r.out.end()
	if err != nil {
		w.gap(a, "odf", Damaged, "it breaks off")
	}
}

func (r *odfReader) start(name string, attr func(string) string) {
	r.path = append(r.path, name)
	switch name {
	case "p", "h":
		r.text = append(r.text, strings.Builder{})
		r.line, r.runs = r.styles[attr("style-name")], 0
	case "span":
		r.spanStyle = append(r.spanStyle, r.styles[attr("style-name")])
	case "s":
		r.put(" ")
	case "tab":
		r.put("\t")
	case "line-break":
		r.put("\n")
	case "style":
		r.struck = attr("name")
	case "text-properties":
		r.properties(attr)
	case "header", "header-left", "header-first", "region-left", "region-center", "region-right":
		if strings.HasPrefix(name, "header") {
			r.header++
		}
	case "footer", "footer-left", "footer-first":
		r.footer++
	case "master-page":
		r.master++
	case "notes":
		r.notes++
	case "annotation":
		r.comment++
	case "deletion":
		r.deleted++
	case "text-box", "custom-shape":
		r.box++
	case "list":
		if r.lists == 0 {
			r.list = r.w.list()
		}
		r.lists++
	case "table":
		r.table, r.row = r.w.list(), 0
		if n := attr("name"); n != "" {
			r.out.add(Unit{Place: FileName, Where: "name of a table", Text: n})
		}
	case "table-row":
		r.row, r.col = r.row+1, 0
	case "table-cell":
		r.col++
	case "page":
		r.page++
	case "user-defined":
		r.meta = attr("name")
		r.metaText.Reset()
	case "title", "subject", "keyword", "description":
		if r.inside("meta") {
			r.meta = name
			r.metaText.Reset()
		}
	}
}

func (r *odfReader) inside(name string) bool {
	for _, n := range r.path {
		if n == name {
			return true
		}
	}
	return false
}

// properties keeps how a style looks.
func (r *odfReader) properties(attr func(string) string) {
	var st Style
	if v := attr("text-line-through-style"); v != "" && v != "none" {
		st |= Struck
	}
	if attr("text-transform") == "uppercase" {
		st |= ShownCaps
	}
	if attr("font-weight") == "bold" {
		st |= Bold
	}
	if c := strings.ToLower(attr("color")); strings.HasPrefix(c, "#ff0000") || strings.HasPrefix(c, "#c00") {
		st |= Red
	}
	if r.struck != "" {
		r.styles[r.struck] |= st
	}
}

func (r *odfReader) put(s string) {
	if n := len(r.text); n > 0 {
		r.text[n-1].WriteString(s)
	}
}

func (r *odfReader) words(t string) {
	if r.meta != "" {
		r.metaText.WriteString(t)
		return
	}
	r.put(t)
	if strings.TrimSpace(t) == "" || len(r.text) == 0 {
		return
	}
	if n := len(r.spanStyle); n > 0 {
		if r.runs == 0 {
			r.line |= r.spanStyle[n-1]
		} else {
			r.line &= r.spanStyle[n-1]
		}
	} else if r.runs > 0 {
		r.line &^= Struck
	}
	r.runs++
}

func (r *odfReader) flush() {
	n := len(r.text)
	text := r.text[n-1].String()
	r.text = r.text[:n-1]
	u := Unit{Place: Paragraph, Style: r.line, Page: r.page}
	switch {
	case r.deleted > 0:
		u.Place = Deleted
	case r.header > 0:
		u.Place = PageHeader
	case r.footer > 0:
		u.Place = PageFooter
	case r.comment > 0:
		u.Place = Comment
	case r.notes > 0:
		u.Place = Notes
	case r.master > 0:
		u.Place = Master
	case r.table > 0 && r.row > 0:
		u.Place, u.Row, u.Col, u.List = Cell, r.row, r.col, r.table
	case r.lists > 0:
		u.Place, u.List = ListItem, r.list
	case r.box > 0 && r.page == 0:
		u.Place = Stamp
	}
	u.Where = string(u.Place)
	for l := range strings.SplitSeq(text, "\n") {
		u.Text = l
		r.out.add(u)
	}
}

func (r *odfReader) end(name string) {
	if len(r.path) > 0 {
		r.path = r.path[:len(r.path)-1]
	}
	down := func(n *int) {
		if *n > 0 {
			*n--
		}
	}
	switch name {
	case "p", "h":
		if len(r.text) > 0 {
			r.flush()
		}
	case "span":
		if n := len(r.spanStyle); n > 0 {
			r.spanStyle = r.spanStyle[:n-1]
		}
	case "header", "header-left", "header-first":
		down(&r.header)
	case "footer", "footer-left", "footer-first":
		down(&r.footer)
	case "master-page":
		down(&r.master)
	case "notes":
		down(&r.notes)
	case "annotation":
		down(&r.comment)
	case "deletion":
		down(&r.deleted)
	case "text-box", "custom-shape":
		down(&r.box)
	case "list":
		down(&r.lists)
	case "table":
		r.table, r.row, r.col = 0, 0, 0
	case "style":
		r.struck = ""
	case "user-defined", "title", "subject", "keyword", "description":
		if r.meta != "" {
			r.out.add(Unit{Place: Metadata, Where: "property " + label(r.meta), Text: r.meta + ": " + r.metaText.String()})
			r.meta = ""
		}
	}
}
