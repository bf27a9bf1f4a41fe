package extract

import (
	"bytes"
	"path"
	"strconv"
	"strings"
)

// readODF is a document of OpenDocument: content, page headers, properties, and whatever
// else is inside.
func (p *pack) readODF() {
	file := p.b.file
	set := func(f func(*File)) {
		if file < len(p.w.res.Files) {
			f(&p.w.res.Files[file])
		}
	}
	held := p.w.held
	manifest := p.part("META-INF/manifest.xml")
	p.w.held = held
	if bytes.Contains(xmlText(manifest), []byte("encryption-data")) {
		set(func(f *File) { f.Locked = true })
		p.w.gap(p.a, "odf", Locked, "a document locked by a password")
		return
	}
	kind := "odf"
	if m := p.part("mimetype"); bytes.HasPrefix(m, []byte("application/vnd.oasis.opendocument.")) {
		kind = map[string]string{"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odg"}[strings.TrimSpace(string(m[len("application/vnd.oasis.opendocument."):]))]
		if kind == "" {
			kind = "odf"
		}
	}
	set(func(f *File) { f.Kind = kind })
	p.w.held = held
	styles := map[string]odfLook{}
	for _, pass := range []string{"styles.xml", "content.xml", ""} {
		p.each(func(n string) bool {
			base := path.Base(n)
			return pass != "" && base == pass || pass == "" && base != "styles.xml" && base != "content.xml"
		}, func(name string, here at, b []byte) {
			switch base := path.Base(name); {
			case base == "settings.xml" || base == "manifest.rdf" || base == "mimetype" || strings.HasPrefix(name, "META-INF/") ||
				strings.HasPrefix(name, "Thumbnails/") || strings.HasPrefix(name, "Configurations") || strings.HasPrefix(name, "Fonts/") || base == "layout-cache":
			case strings.HasPrefix(name, "Basic/") || strings.HasPrefix(name, "Scripts/"):
				set(func(f *File) { f.Macros = true })
			case name == "content.xml":
				p.w.odfStyled(p.a, b, styles)
			case base == "content.xml" || base == "styles.xml" || base == "meta.xml":
				p.w.odfStyled(here, b, styles)
			default:
				p.w.file(here, source{name: name, data: b})
			}
		})
	}
}

func readFlatODF(w *walker, a at, s *source) { w.odfStyled(a, s.data, map[string]odfLook{}) }

// odfLook is what a style does to letters.
type odfLook struct {
	style  Style
	hidden bool
	parent string
}

// odfParagraph is one while it is read; others may stand in it.
type odfParagraph struct {
	text, hid, full strings.Builder
	base            odfLook
	style           Style
	runs            int
	heading         bool
}

// An odfReader knows where in a document it is.
type odfReader struct {
	w      *walker
	at     at
	out    *writer
	text   []*odfParagraph
	in     map[string]int // how many elements of a name are open
	places []int          // how deep hidden sections are, as depths
	depth  int

	meta     string // element or user-defined name
	metaText strings.Builder
	about    string // title or desc of a drawing
	binary   bool
	list     int
	tables   []wordTable
	page     int
	styles   map[string]odfLook
	style    string
	spans    []odfLook
	line     int
}

func (w *walker) odfStyled(a at, b []byte, styles map[string]odfLook) {
	r := &odfReader{w: w, at: a, out: w.part(a, "odf"), styles: styles, in: map[string]int{}}
	err := w.eachXML(b, xmlEvents{start: r.start, end: r.end, text: r.words})
	for len(r.text) > 0 {
		r.flush()
	}
	joinRows(r.out)
	r.out.end()
	if err != nil {
		w.gap(a, "odf", Damaged, "it breaks off")
	}
}

// look is that of a style with those it is based on.
func (r *odfReader) look(name string) (l odfLook) {
	for range 10 {
		s, ok := r.styles[name]
		if !ok {
			return l
		}
		l.style |= s.style
		l.hidden = l.hidden || s.hidden
		name = s.parent
	}
	return l
}

func (r *odfReader) start(name string, attr func(string) string) {
	r.in[name]++
	r.depth++
	switch name {
	case "p", "h":
		p := &odfParagraph{base: r.look(attr("style-name")), heading: name == "h"}
		p.base.hidden = p.base.hidden || attr("is-hidden") == "true"
		r.text = append(r.text, p)
	case "span", "a":
		r.spans = append(r.spans, r.look(attr("style-name")))
	case "s":
		r.put(" ")
	case "tab":
		r.put("\t")
	case "line-break":
		r.put("\n")
	case "style":
		r.style = attr("name")
		if r.style != "" {
			l := r.styles[r.style]
			l.parent = attr("parent-style-name")
			r.styles[r.style] = l
		}
	case "text-properties":
		r.properties(attr)
	case "paragraph-properties":
		if attr("text-align") == "center" && r.style != "" {
			l := r.styles[r.style]
			l.style |= Centred
			r.styles[r.style] = l
		}
	case "section":
		if attr("display") == "none" || attr("display") == "condition" {
			r.places = append(r.places, r.depth)
		}
	case "list":
		if r.in["list"] == 1 {
			r.list = r.w.list()
		}
	case "list-level-style-number", "list-level-style-bullet":
		r.aside(Stamp, "list", attr("num-prefix")+attr("bullet-char")+attr("num-suffix"))
	case "table":
		if attr("name") != "" || attr("style-name") != "" || r.in["table"] > 0 {
			r.aside(FileName, "name of a table", attr("name"))
			r.tables = append(r.tables, wordTable{list: r.w.list()})
			if r.in["spreadsheet"] > 0 && r.in["table"] == 1 { // each sheet has its own first and last rows
				r.page++
			}
		}
	case "table-row":
		if n := len(r.tables); n > 0 {
			r.tables[n-1].row++
			r.tables[n-1].col = 0
		}
	case "table-cell", "covered-table-cell":
		if n := len(r.tables); n > 0 {
			r.tables[n-1].col++
			r.tables[n-1].first = len(r.out.part.Units)
			if k, err := strconv.Atoi(attr("number-columns-repeated")); err == nil && k > 1 && k < 20_000 {
				defer func() { r.tables[n-1].col += k - 1 }()
			}
		}
	case "page":
		r.page++
		r.aside(Comment, "name of a page", attr("name"))
	case "binary-data":
		r.binary = true
		r.metaText.Reset()
	case "user-defined":
		r.meta = attr("name")
		r.metaText.Reset()
	case "title", "subject", "keyword", "description", "desc":
		if r.in["meta"] > 0 {
			r.meta = name
		} else {
			r.about = name
		}
		r.metaText.Reset()
	case "hidden-text", "conditional-text":
		for _, key := range []string{"string-value", "string-value-if-true", "string-value-if-false"} {
			r.aside(Hidden, name, attr(key))
		}
	default:
		r.form(name, attr)
	}
}

// aside adds what is no line of the text.
func (r *odfReader) aside(place Place, where, text string) {
	r.out.add(Unit{Place: place, Where: where, Text: text, Style: Aside, Page: r.page})
}

// form reads the controls of a form.
func (r *odfReader) form(name string, attr func(string) string) {
	switch name {
	case "checkbox", "radio", "option":
		text := attr("label")
		if text == "" {
			text = attr("value")
		}
		box := "[ ] "
		if v := attr("current-state") + attr("current-selected"); v == "checked" || v == "true" || v == "" && attr("state")+attr("selected") != "" && attr("state") != "unchecked" && attr("selected") != "false" {
			box = "[x] "
		}
		if text != "" {
			r.aside(Paragraph, "form", box+text)
		}
	case "textarea", "combobox", "formatted-text", "fixed-text", "button", "frame", "listbox":
		r.aside(Paragraph, "form", attr("current-value"))
		r.aside(Paragraph, "form", attr("label"))
		r.aside(Comment, "form", attr("title"))
	}
}

// properties keeps how a style looks.
func (r *odfReader) properties(attr func(string) string) {
	if r.style == "" {
		return
	}
	l := r.styles[r.style]
	if v := attr("text-line-through-style"); v != "" && v != "none" {
		l.style |= Struck
	}
	if attr("text-transform") == "uppercase" || attr("font-variant") == "small-caps" {
		l.style |= ShownCaps
	}
	if attr("font-weight") == "bold" {
		l.style |= Bold
	}
	c := strings.ToLower(attr("color"))
	if isRed(c) {
		l.style |= Red
	}
	if f, unit := measure(attr("font-size")); unit == "pt" {
		if f >= 15 {
			l.style |= Large
		}
		l.hidden = l.hidden || f < 2.1
	}
	l.hidden = l.hidden || attr("display") == "none"
	r.styles[r.style] = l
}

func (r *odfReader) hidden() bool { return len(r.places) > 0 }

func (r *odfReader) put(s string) {
	n := len(r.text)
	if n == 0 {
		return
	}
	p := r.text[n-1]
	l := p.base
	for _, span := range r.spans {
		l.style |= span.style
		l.hidden = l.hidden || span.hidden
	}
	if l.style&ShownCaps != 0 {
		s = strings.ToUpper(s)
	}
	p.full.WriteString(s)
	if l.hidden {
		p.hid.WriteString(s)
		return
	}
	p.text.WriteString(s)
	if strings.TrimSpace(s) == "" {
		return
	}
	if p.runs == 0 {
		p.style = l.style
	} else {
		p.style = p.style.with(l.style)
	}
	p.runs++
}

func (r *odfReader) words(t string) {
	switch {
	case r.meta != "" || r.about != "" || r.binary:
		r.metaText.WriteString(t)
	case len(r.text) > 0:
		if r.in["ruby-text"] > 0 {
			return
		}
		r.put(t)
	case r.in["text"] > 0: // of a format of numbers
		r.aside(Stamp, "format of numbers", t)
	case r.in["header-decl"] > 0:
		r.out.add(Unit{Place: PageHeader, Where: "header", Text: t})
	case r.in["footer-decl"] > 0:
		r.out.add(Unit{Place: PageFooter, Where: "footer", Text: t})
	}
}

// any says whether one of these elements is open.
func (r *odfReader) any(names ...string) bool {
	for _, n := range names {
		if r.in[n] > 0 {
			return true
		}
	}
	return false
}

func (r *odfReader) flush() {
	n := len(r.text)
	p := r.text[n-1]
	r.text = r.text[:n-1]
	u := Unit{Place: Paragraph, Style: p.style | p.base.style&Centred, Page: r.page}
	switch {
	case r.hidden():
		u.Place = Hidden
	case r.any("deletion"):
		u.Place, u.Style = Deleted, u.Style|Struck
	case r.any("header", "header-left", "header-first"):
		u.Place = PageHeader
	case r.any("footer", "footer-left", "footer-first"):
		u.Place = PageFooter
	case r.any("annotation"):
		u.Place = Comment
	case r.any("notes", "note", "note-body"):
		u.Place = Notes
	case r.any("master-page"):
		u.Place = Master
	case len(r.tables) > 0 && r.tables[len(r.tables)-1].row > 0:
		t := r.tables[len(r.tables)-1]
		u.Place, u.Row, u.Col, u.List = Cell, t.row, t.col, t.list
	case r.any("list"):
		u.Place, u.List = ListItem, r.list
	case r.any("text-box", "custom-shape") && (r.page == 0 || r.in["spreadsheet"] > 0):
		u.Place = Stamp
	case p.heading:
		u.Place = Heading
	}
	r.line++
	u.Where = string(u.Place)
	if u.Place == Paragraph {
		u.Where = "paragraph " + strconv.Itoa(r.line)
	}
	for l := range strings.SplitSeq(p.text.String(), "\n") {
		u.Text = l
		r.out.add(u)
	}
	if hid := p.hid.String(); strings.TrimSpace(hid) != "" {
		r.aside(Hidden, "hidden text", hid)
		if full := p.full.String(); strings.TrimSpace(p.text.String()) != "" && len(full) <= 80 {
			r.aside(Hidden, "hidden text", full)
		}
	}
}

func (r *odfReader) end(name string) {
	if r.in[name] > 0 {
		r.in[name]--
	}
	if n := len(r.places); n > 0 && r.places[n-1] == r.depth {
		r.places = r.places[:n-1]
	}
	r.depth--
	switch name {
	case "p", "h":
		if len(r.text) > 0 {
			r.flush()
		}
	case "span", "a":
		if n := len(r.spans); n > 0 {
			r.spans = r.spans[:n-1]
		}
	case "table-cell":
		if n := len(r.tables); n > 0 {
			paragraphsOf(r.out.part.Units, r.tables[n-1])
		}
	case "table":
		if n := len(r.tables); n > 0 {
			r.tables = r.tables[:n-1]
		}
	case "style":
		r.style = ""
	case "binary-data":
		r.binary = false
		data := looseBase64([]byte(r.metaText.String()))
		r.metaText.Reset()
		if here := r.at.in("data"); len(data) > 0 && r.w.member(here) && r.w.spend(int64(len(data))) {
			r.w.file(here, source{data: data})
		}
	case "user-defined", "title", "subject", "keyword", "description", "desc":
		switch {
		case r.meta != "":
			r.out.add(Unit{Place: Metadata, Where: "property " + label(r.meta), Text: r.meta + ": " + r.metaText.String()})
		case r.about != "":
			r.aside(Stamp, "description", r.metaText.String())
		}
		r.meta, r.about = "", ""
	}
}
