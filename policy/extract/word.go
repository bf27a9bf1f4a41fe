package extract

import (
	"path"
	"strconv"
	"strings"
)

// runLook is how the letters of a run look in Word.
type runLook struct {
	style, clear Style
	hidden       bool
	heading      bool
	based        string
}

func (l runLook) over(base runLook) runLook {
	l.style |= base.style &^ l.clear
	l.hidden = l.hidden || base.hidden
	l.heading = l.heading || base.heading
	return l
}

// A wordReader gathers the paragraphs of one file of a Word document.
type wordReader struct {
	out    *writer
	w      *walker
	place  Place
	where  string
	styles map[string]runLook

	para, hid, full, del strings.Builder // of the paragraph: what shows, what does not, both, what was struck out
	style                Style           // what all its runs share
	centred              Style
	runs                 int
	paraLook, run        runLook
	white, shaded        bool
	stack                []wordParagraph // around a text box
	outer                []wordPlace     // around a header in the body, in a flat document

	item     bool
	list     int
	tables   []wordTable
	box      int // depth of text boxes
	inDel    int
	ruby     int
	line     int
	page     int
	inText   bool
	inRPr    bool
	field    strings.Builder // instructions of the field
	inField  bool
	shows    bool // the field has a result
	form     wordForm
	controls []wordControl
}

// wordParagraph is an outer paragraph while a text box inside it is read.
type wordParagraph struct {
	para, hid, full string
	style           Style
	runs            int
	look            runLook
}

type wordPlace struct {
	name  string
	out   *writer
	place Place
}

type wordTable struct{ list, row, col, first int }

// wordForm is a field of a form of old.
type wordForm struct {
	box, ticked, said bool
	entries           []string
	chosen            int
}

// wordControl is a content control with its title.
type wordControl struct {
	title string
	text  strings.Builder
}

func (p *pack) word(here at, place Place, b []byte) { p.wordStyled(here, place, b, nil) }

func (r *officeReader) word(here at, place Place, b []byte) { r.wordStyled(here, place, b, r.styles) }

func (p *pack) wordStyled(here at, place Place, b []byte, styles map[string]runLook) {
	r := &wordReader{w: p.w, out: p.w.part(here, "docx"), place: place, where: path.Base(here.path), styles: styles}
	if place == Paragraph {
		r.page = 1
	}
	err := p.w.eachXML(b, xmlEvents{start: r.start, end: r.end, text: r.words})
	r.flush()
	joinRows(r.out)
	r.out.end()
	p.damaged(here, "docx", err)
}

// wordStyles reads the styles of a document.
func (p *pack) wordStyles(b []byte) map[string]runLook {
	all := map[string]runLook{}
	r := &wordReader{}
	id := ""
	err := p.w.eachXML(b, xmlEvents{
		start: func(name string, attr func(string) string) {
			switch name {
			case "style":
				id, r.run = attr("styleId"), runLook{}
			case "name":
				v := strings.ToLower(attr("val"))
				r.run.heading = strings.HasPrefix(v, "heading") || v == "title" || strings.HasPrefix(v, "tajuk")
			case "basedOn":
				r.run.based = attr("val")
			default:
				r.look(name, attr)
			}
		},
		end: func(name string) {
			if name == "style" && id != "" {
				all[id] = r.run
				id = ""
			}
		},
		text: func(string) {},
	})
	if err != nil {
		return all
	}
	for id, l := range all {
		for depth := 0; l.based != "" && depth < 10; depth++ {
			base := all[l.based]
			based := base.based
			l = l.over(base)
			l.based = based
		}
		all[id] = l
	}
	return all
}

func (r *wordReader) flush() {
	text, hid, full := r.para.String(), r.hid.String(), r.full.String()
	r.para.Reset()
	r.hid.Reset()
	r.full.Reset()
	style := r.style | r.centred
	r.style, r.runs = 0, 0
	u := Unit{Place: r.place, Style: style, List: r.list, Page: r.page}
	if n := len(r.tables); n > 0 && r.box == 0 {
		t := r.tables[n-1]
		if r.place == Paragraph {
			u.Place = Cell
		}
		u.List, u.Row, u.Col = t.list, t.row, t.col
	}
	switch {
	case r.box > 0 && (r.place == Paragraph || r.place == Hidden):
		u.Place = Stamp
	case r.paraLook.heading && u.Place == Paragraph:
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
	if strings.TrimSpace(hid) != "" {
		r.out.add(Unit{Place: Hidden, Where: "hidden text", Text: hid, Style: Aside})
		if strings.TrimSpace(text) != "" && len(full) <= 80 {
			r.out.add(Unit{Place: Hidden, Where: "hidden text", Text: full, Style: Aside})
		}
	}
	if d := strings.TrimSpace(r.del.String()); d != "" {
		r.out.add(Unit{Place: Deleted, Where: "deleted text", Text: d, Style: Struck})
	}
	r.del.Reset()
}

func on(v string) bool { return v != "0" && v != "false" && v != "none" && v != "off" }

// enter begins a part of its own for what is no body: headers in a flat document.
func (r *wordReader) enter(name string, place Place) {
	if len(r.outer) > 50 || place == r.place {
		return
	}
	r.flush()
	r.outer = append(r.outer, wordPlace{name, r.out, r.place})
	r.out, r.place, r.where = r.w.part(at{r.out.part.Path + " > " + name, 0}, "docx"), place, name
}

func (r *wordReader) leave(name string) {
	if n := len(r.outer); n > 0 && r.outer[n-1].name == name {
		r.flush()
		r.out.end()
		r.out, r.place = r.outer[n-1].out, r.outer[n-1].place
		r.outer = r.outer[:n-1]
	}
}

func (r *wordReader) put(s string) {
	if r.ruby > 0 || r.run.hidden {
		r.hid.WriteString(s)
	} else {
		r.para.WriteString(s)
	}
	r.full.WriteString(s)
	for i := range r.controls {
		if c := &r.controls[i]; c.text.Len() < 200 {
			c.text.WriteString(s)
		}
	}
}

func (r *wordReader) start(name string, attr func(string) string) {
	switch name {
	case "p":
		r.item, r.list, r.centred, r.paraLook, r.shaded = false, 0, 0, runLook{}, false
	case "hdr":
		r.enter(name, PageHeader)
	case "ftr":
		r.enter(name, PageFooter)
	case "footnote", "endnote":
		r.enter(name, Notes)
	case "txbxContent":
		r.stack = append(r.stack, wordParagraph{r.para.String(), r.hid.String(), r.full.String(), r.style, r.runs, r.paraLook})
		r.para.Reset()
		r.hid.Reset()
		r.full.Reset()
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
			r.tables[n-1].first = len(r.out.part.Units)
		}
	case "r":
		r.run = r.paraLook
		r.run.heading, r.white = false, false
	case "rPr":
		r.inRPr = true
	case "t", "delText":
		r.inText = true
	case "instrText", "delInstrText":
		r.inField = true
	case "fldChar":
		r.fieldChar(attr("fldCharType"))
	case "fldSimple":
		r.field.WriteString(attr("instr"))
	case "rt":
		r.ruby++
	case "tab", "ptab":
		if !r.inRPr {
			r.put("\t")
		}
	case "br", "cr":
		if attr("type") == "page" && r.page > 0 {
			r.flush()
			r.page++
		} else {
			r.put("\n")
		}
	case "lastRenderedPageBreak":
		if r.page > 0 && strings.TrimSpace(r.full.String()) == "" {
			r.page++
		}
	case "noBreakHyphen":
		r.put("-")
	case "sym":
		r.put(symbol(attr("font"), attr("char")))
	case "del", "moveFrom":
		if !r.inRPr {
			r.inDel++
		}
	case "textpath":
		r.aside(Watermark, attr("string"))
	case "docPr", "cNvPr", "shape", "rect", "imagedata":
		for _, key := range []string{"descr", "title", "alt"} {
			r.aside(Stamp, attr(key))
		}
	case "binData": // of a flat document
		r.inText = false
	default:
		r.forms(name, attr)
	}
}

// aside adds what is no line of the text.
func (r *wordReader) aside(place Place, text string) {
	if text != "" {
		r.out.add(Unit{Place: place, Where: string(place), Text: text, Style: Aside})
	}
}

// fieldChar begins, parts and ends a field. What it says counts where nothing else shows.
func (r *wordReader) fieldChar(kind string) {
	switch kind {
	case "begin":
		r.field.Reset()
		r.shows = false
	case "separate":
		r.shows = true
	case "end":
		if text := fieldText(r.field.String()); text != "" && !r.shows {
			r.put(text)
		}
		r.field.Reset()
		r.shows = false
	}
}

// fieldText is what a field shows without being calculated.
func fieldText(s string) string {
	words := strings.Fields(s)
	switch {
	case len(words) > 2 && strings.EqualFold(words[0], "MACROBUTTON"):
		return strings.Join(words[2:], " ")
	case len(words) > 1 && strings.EqualFold(words[0], "QUOTE"):
		return strings.Trim(strings.Join(words[1:], " "), `"`)
	case len(words) > 1 && strings.EqualFold(words[0], "EQ"):
		if i := strings.LastIndexByte(s, '('); i >= 0 {
			return strings.Trim(s[i+1:], " )")
		}
	}
	return ""
}

// symbols of the fonts of signs that are boxes, ticked or not.
var symbols = map[string]map[int64]string{
	"wingdings":   {0x6f: "☐", 0x71: "☐", 0x72: "☐", 0xa8: "☐", 0xfc: "✓", 0xfb: "✗", 0xfd: "☒", 0xfe: "☑", 0x78: "☒"},
	"wingdings 2": {0xa3: "☐", 0x2a: "☐", 0x50: "✓", 0x4f: "✗", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x30: "☐"},
}

func symbol(font, char string) string {
	n, err := strconv.ParseInt(char, 16, 32)
	if err != nil {
		return ""
	}
	if n >= 0xf000 && n <= 0xf0ff {
		n -= 0xf000
	}
	if s := symbols[strings.ToLower(font)][n]; s != "" {
		return s
	}
	return string(rune(n))
}

// forms reads boxes, lists and content controls; the rest is about looks.
func (r *wordReader) forms(name string, attr func(string) string) {
	switch name {
	case "ffData":
		r.form = wordForm{}
	case "checkBox":
		r.form.box = true
	case "checked":
		if r.form.box {
			r.form.ticked, r.form.said = on(attr("val")), true
		}
	case "default":
		if r.form.box && !r.form.said {
			r.form.ticked = on(attr("val"))
		}
	case "result":
		r.form.chosen, _ = strconv.Atoi(attr("val"))
	case "listEntry":
		if len(r.form.entries) < 1000 {
			r.form.entries = append(r.form.entries, attr("val"))
		}
	case "sdt":
		if len(r.controls) < 100 {
			r.controls = append(r.controls, wordControl{})
		}
	case "alias", "tag":
		if n := len(r.controls); n > 0 && r.controls[n-1].title == "" {
			r.controls[n-1].title = attr("val")
		}
	default:
		r.look(name, attr)
	}
}

// look reads the properties of runs and paragraphs.
func (r *wordReader) look(name string, attr func(string) string) {
	set := func(s Style) {
		if on(attr("val")) {
			r.run.style |= s
		} else {
			r.run.clear |= s
			r.run.style &^= s
		}
	}
	switch name {
	case "b":
		set(Bold)
	case "caps", "smallCaps":
		set(ShownCaps)
	case "strike", "dstrike":
		set(Struck)
	case "vanish":
		r.run.hidden = on(attr("val"))
	case "color":
		v := attr("val")
		if r.white = strings.EqualFold(v, "FFFFFF"); isRed("#" + v) {
			r.run.style |= Red
		}
		r.run.hidden = r.run.hidden || r.white && !r.shaded && r.box == 0 && len(r.tables) == 0
	case "shd", "highlight":
		if v := attr("fill") + attr("val"); v != "auto" && v != "clear" && v != "autoclear" {
			r.shaded = true
			if r.white {
				r.run.hidden = false
			}
		}
	case "sz":
		n, err := strconv.Atoi(attr("val"))
		if err == nil && n >= 30 {
			r.run.style |= Large
		}
		r.run.hidden = r.run.hidden || err == nil && n <= 4
	case "rStyle":
		r.run = r.run.over(r.styles[attr("val")])
	case "jc":
		if attr("val") == "center" {
			r.centred = Centred
		}
	case "pStyle":
		v := attr("val")
		r.paraLook = r.styles[v]
		r.paraLook.heading = r.paraLook.heading || strings.HasPrefix(v, "Heading") || v == "Title" || strings.HasPrefix(v, "Tajuk")
	case "numPr":
		r.item = true
	case "numId":
		if n, err := strconv.Atoi(attr("val")); err == nil {
			r.list = 1_000_000 + n
		}
	case "pageBreakBefore":
		if r.page > 0 && on(attr("val")) {
			r.page++
		}
	}
}

func (r *wordReader) words(t string) {
	if r.inField {
		if r.field.Len() < 4000 {
			r.field.WriteString(t)
		}
		return
	}
	if !r.inText {
		return
	}
	if r.inDel > 0 {
		r.del.WriteString(t)
		return
	}
	if r.run.style&ShownCaps != 0 {
		t = strings.ToUpper(t)
	}
	r.put(t)
	if strings.TrimSpace(t) == "" || r.run.hidden || r.ruby > 0 {
		return
	}
	if r.runs == 0 {
		r.style = r.run.style
	} else {
		r.style = r.style.with(r.run.style)
	}
	r.runs++
}

func (r *wordReader) end(name string) {
	switch name {
	case "t", "delText":
		r.inText = false
	case "instrText", "delInstrText":
		r.inField = false
	case "rPr":
		r.inRPr = false
	case "rt":
		r.ruby = max(0, r.ruby-1)
	case "del", "moveFrom":
		if !r.inRPr && r.inDel > 0 {
			r.inDel--
		}
	case "p":
		r.flush()
	case "hdr", "ftr", "footnote", "endnote":
		r.leave(name)
	case "ffData":
		r.filled()
	case "sdt":
		if n := len(r.controls); n > 0 {
			c := &r.controls[n-1]
			if text := strings.TrimSpace(c.text.String()); c.title != "" && text != "" && len(text) <= 80 {
				r.out.add(Unit{Place: Paragraph, Where: "field " + label(c.title), Text: c.title + ": " + text, Style: Aside})
			}
			r.controls = r.controls[:n-1]
		}
	case "txbxContent":
		r.flush()
		r.box--
		if n := len(r.stack); n > 0 {
			outer := r.stack[n-1]
			r.stack = r.stack[:n-1]
			r.para.WriteString(outer.para)
			r.hid.WriteString(outer.hid)
			r.full.WriteString(outer.full)
			r.style, r.runs, r.paraLook = outer.style, outer.runs, outer.look
		}
	case "tc":
		if n := len(r.tables); n > 0 && r.place == Paragraph {
			paragraphsOf(r.out.part.Units, r.tables[n-1])
		}
	case "tbl":
		if n := len(r.tables); n > 0 {
			r.tables = r.tables[:n-1]
		}
	}
}

// filled writes what a field of a form shows.
func (r *wordReader) filled() {
	f := r.form
	r.form = wordForm{}
	switch {
	case f.box && f.ticked:
		r.put("[x] ")
	case f.box:
		r.put("[ ] ")
	case f.chosen >= 0 && f.chosen < len(f.entries):
		r.put(f.entries[f.chosen])
	}
}

// paragraphsOf makes paragraphs of the lines of a cell that holds more than a few.
func paragraphsOf(units []Unit, t wordTable) {
	inside := func(u *Unit) bool { return u.Place == Cell && u.List == t.list && u.Row == t.row && u.Col == t.col }
	n := 0
	for i := min(t.first, len(units)); i < len(units); i++ {
		if inside(&units[i]) {
			n++
		}
	}
	if n < 4 {
		return
	}
	for i := t.first; i < len(units); i++ {
		if u := &units[i]; inside(u) {
			u.Place, u.List, u.Row, u.Col = Paragraph, 0, 0, 0
		}
	}
}
