package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// blocks are elements that end a line; all others join what stands on both sides.
var blocks = map[atom.Atom]bool{}

func init() {
	for _, a := range []atom.Atom{atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Body, atom.Br, atom.Caption,
		atom.Center, atom.Dd, atom.Details, atom.Dialog, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption,
		atom.Figure, atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Head, atom.Header, atom.Hr,
		atom.Html, atom.Legend, atom.Li, atom.Main, atom.Nav, atom.Ol, atom.Option, atom.P, atom.Pre, atom.Section, atom.Select,
		atom.Summary, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Title, atom.Tr, atom.Ul} {
		blocks[a] = true
	}
}

var (
	upperRule  = regexp.MustCompile(`(?i)[.#]?([\w-]+)\s*\{[^}]*text-transform\s*:\s*uppercase`)
	cssContent = regexp.MustCompile(`(?i)[;{\s]content\s*:\s*(?:"([^"]{1,200})"|'([^']{1,200})')`)
	redColour  = regexp.MustCompile(`(?i)(^|;|\s)color\s*:\s*(red|#f00|#ff0000|#c00(000)?|darkred|crimson|rgb\(\s*2[0-5]\d\s*,\s*\d{1,2}\s*,)`)
)

// An htmlReader gathers the text between block elements.
type htmlReader struct {
	w     *walker
	part  *writer
	at    at
	text  strings.Builder
	stack []htmlState
	upper map[string]bool // classes and ids shown as capitals
	line  int
	quote int
}

// htmlState is what holds inside an element.
type htmlState struct {
	tag        atom.Atom
	name       string
	place      Place
	style      Style
	list       int
	row, col   *int
	skip, pre  bool
	quoted     bool
	hidden     bool
	cellRow    int
	cellColumn int
}

func readHTML(w *walker, a at, s *source) { w.html(a, decode(s, 0)) }

func (w *walker) html(a at, text string) {
	if w.dull(text, true) {
		return
	}
	r := &htmlReader{w: w, at: a, part: w.part(a, "html"), upper: map[string]bool{}}
	if strings.Contains(text, "{") {
		for _, m := range upperRule.FindAllStringSubmatch(text, 100) {
			r.upper[m[1]] = true
		}
	}
	for _, m := range cssContent.FindAllStringSubmatch(text, 100) { // shown, though it is no text of the document
		r.part.add(Unit{Place: Stamp, Where: "style sheet", Text: m[1] + m[2]})
	}
	r.stack = []htmlState{{place: Paragraph}}
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(8 << 20)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				w.gap(a, "html", TooMuch, "one element is longer than can be looked at")
			}
			r.flush()
			r.part.end()
			return
		case html.TextToken:
			r.words(z.Text())
		case html.StartTagToken:
			t := z.Token()
			r.open(&t, false)
		case html.SelfClosingTagToken:
			t := z.Token()
			r.open(&t, true)
		case html.EndTagToken:
			t := z.Token()
			r.close(&t)
		}
	}
}

func (r *htmlReader) top() *htmlState { return &r.stack[len(r.stack)-1] }

func (r *htmlReader) words(b []byte) {
	t := r.top()
	if t.skip {
		return
	}
	text := html.UnescapeString(string(b))
	if t.pre {
		for i, line := range strings.Split(text, "\n") {
			if i > 0 {
				r.flush()
			}
			r.text.WriteString(line)
		}
		return
	}
	r.text.WriteString(strings.Map(func(c rune) rune {
		if c == '\n' || c == '\r' || c == '\t' {
			return ' '
		}
		return c
	}, text))
}

func (r *htmlReader) flush() {
	if r.text.Len() == 0 {
		return
	}
	text := r.text.String()
	r.text.Reset()
	if strings.TrimSpace(text) == "" {
		return
	}
	t := r.top()
	place := t.place
	if t.hidden {
		place = Hidden
	}
	r.line++
	r.part.add(Unit{Place: place, Where: fmt.Sprint("line ", r.line), Text: collapse(text), Style: t.style,
		List: t.list, Row: t.cellRow, Col: t.cellColumn})
}

func collapse(s string) string {
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " ")
}

// void elements have no end.
var void = map[atom.Atom]bool{atom.Area: true, atom.Base: true, atom.Br: true, atom.Col: true, atom.Embed: true, atom.Hr: true,
	atom.Img: true, atom.Input: true, atom.Link: true, atom.Meta: true, atom.Source: true, atom.Track: true, atom.Wbr: true}

func (r *htmlReader) open(t *html.Token, selfClosed bool) {
	if blocks[t.DataAtom] || t.Data == "text" {
		r.flush()
	}
	st := *r.top()
	st.tag, st.name, st.quoted = t.DataAtom, t.Data, false
	var alt, box string
	for _, at := range t.Attr {
		switch at.Key {
		case "style":
			r.inline(&st, at.Val)
		case "class", "id":
			for _, c := range strings.Fields(at.Val) {
				if r.upper[c] {
					st.style |= ShownCaps
				}
			}
		case "hidden":
			st.hidden = true
		case "align":
			if strings.EqualFold(at.Val, "center") {
				st.style |= Centred
			}
		case "color":
			if strings.EqualFold(at.Val, "red") || strings.EqualFold(at.Val, "#ff0000") {
				st.style |= Red
			}
		case "alt":
			alt = at.Val
		case "type":
			box += strings.ToLower(at.Val)
		case "checked":
			box += "!"
		}
	}
	if r.upper[t.Data] {
		st.style |= ShownCaps
	}
	r.element(&st, t.DataAtom)
	switch t.DataAtom {
	case atom.Img:
		if alt != "" {
			r.flush()
			r.part.add(Unit{Place: Stamp, Where: "text of a picture", Text: alt})
		}
	case atom.Input: // a box in a form, ticked or not
		if strings.Contains(box, "checkbox") || strings.Contains(box, "radio") {
			if strings.Contains(box, "!") {
				r.text.WriteString("[x] ")
			} else {
				r.text.WriteString("[ ] ")
			}
		}
	}
	if !selfClosed && !void[t.DataAtom] && len(r.stack) < 500 {
		r.stack = append(r.stack, st)
	}
}

// inline reads what matters of a style attribute. Text that is not shown counts as well.
func (r *htmlReader) inline(st *htmlState, css string) {
	low := strings.ToLower(css)
	compact := strings.ReplaceAll(low, " ", "")
	if strings.Contains(compact, "text-transform:uppercase") {
		st.style |= ShownCaps
	}
	if strings.Contains(compact, "text-transform:none") {
		st.style &^= ShownCaps
	}
	if redColour.MatchString(low) {
		st.style |= Red
	}
	if strings.Contains(compact, "font-weight:bold") || strings.Contains(compact, "font-weight:700") {
		st.style |= Bold
	}
	if strings.Contains(compact, "text-align:center") {
		st.style |= Centred
	}
	if strings.Contains(compact, "line-through") {
		st.style |= Struck
	}
	if strings.Contains(compact, "display:none") || strings.Contains(compact, "visibility:hidden") ||
		strings.Contains(compact, "font-size:0") || strings.Contains(compact, "font-size:1p") {
		st.hidden = true
	}
}

func (r *htmlReader) element(st *htmlState, a atom.Atom) {
	switch a {
	case atom.Script, atom.Style, atom.Template:
		st.skip = true
	case atom.B, atom.Strong:
		st.style |= Bold
	case atom.S, atom.Strike, atom.Del:
		st.style |= Struck
	case atom.Center:
		st.style |= Centred
	case atom.Code, atom.Kbd, atom.Samp:
		st.style |= Code
	case atom.Pre:
		st.pre = true
	case atom.Title:
		st.place = Heading
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		st.place, st.style = Heading, st.style|Bold
	case atom.Ul, atom.Ol, atom.Select, atom.Dl:
		st.list = r.w.list()
	case atom.Li, atom.Option, atom.Dt, atom.Dd:
		st.place = ListItem
		if st.list == 0 {
			st.list = r.w.list()
		}
	case atom.Table:
		st.list, st.row, st.col = r.w.list(), new(int), new(int)
	case atom.Tr:
		if st.row != nil {
			*st.row++
			*st.col = 0
		}
	case atom.Td, atom.Th:
		if st.row != nil {
			*st.col++
			st.place, st.cellRow, st.cellColumn = Cell, *st.row, *st.col
		}
	case atom.Svg:
		st.place = Stamp
	case atom.Blockquote:
		st.quoted = true
		r.turn("quoted")
	}
}

// turn begins a part of its own for a quoted block, and after it.
func (r *htmlReader) turn(why string) {
	if r.quote++; r.quote > 200 {
		return
	}
	r.part.end()
	r.part = r.w.part(at{r.w.pathOf(r.at) + " > " + why, r.at.depth}, "html")
}

// close ends an element, and those that were left open in it.
func (r *htmlReader) close(t *html.Token) {
	if blocks[t.DataAtom] || t.Data == "text" {
		r.flush()
	}
	for i := len(r.stack) - 1; i > 0; i-- {
		if r.stack[i].name != t.Data {
			if r.stack[i].tag == atom.Td || r.stack[i].tag == atom.Table {
				return
			}
			continue
		}
		if r.stack[i].quoted {
			r.turn("after a quotation")
		}
		r.stack = r.stack[:i]
		return
	}
}

// readCalendar is iCalendar and vCard: what people write in them.
func readCalendar(w *walker, a at, s *source) {
	text := decode(s, 0)
	text = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
	out := w.part(a, "calendar")
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r"), ":")
		if !ok {
			continue
		}
		field, _, _ := strings.Cut(strings.ToUpper(name), ";")
		switch field {
		case "SUMMARY":
			out.add(Unit{Place: Subject, Where: "SUMMARY", Text: unescapeCalendar(value)})
		case "DESCRIPTION", "COMMENT", "LOCATION", "NOTE", "TITLE", "FN", "ORG", "CATEGORIES", "X-ALT-DESC":
			if field == "X-ALT-DESC" {
				w.html(a, unescapeCalendar(value))
				continue
			}
			for l := range strings.SplitSeq(unescapeCalendar(value), "\n") {
				out.add(Unit{Place: Paragraph, Where: field, Text: l})
			}
		default:
			if strings.HasPrefix(field, "X-") && !strings.HasPrefix(field, "X-WR") {
				out.add(Unit{Place: HeaderField, Where: field, Text: field + ": " + value})
			}
		}
	}
	out.end()
}

func unescapeCalendar(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(s)
}

// readCSV gives cells, whatever separates them.
func readCSV(w *walker, a at, s *source) {
	text := decode(s, 0)
	first, _, _ := strings.Cut(text, "\n")
	sep := ","
	for _, c := range []string{";", "\t", "|"} {
		if strings.Count(first, c) > strings.Count(first, sep) {
			sep = c
		}
	}
	out := w.part(a, "csv")
	list := w.list()
	row := 0
	for line := range strings.SplitSeq(text, "\n") {
		row++
		for col, cell := range strings.Split(strings.TrimRight(line, "\r"), sep) {
			out.add(Unit{Place: Cell, Where: fmt.Sprintf("row %d, column %d", row, col+1),
				Text: strings.Trim(strings.TrimSpace(cell), `"`), Row: row, Col: col + 1, List: list})
		}
	}
	out.end()
}

// readJSON gives each value with its key; what is no JSON is read as text.
func readJSON(w *walker, a at, s *source) {
	s.data = bytes.TrimPrefix(s.data, []byte("\xef\xbb\xbf"))
	if !w.json(a, s.data) {
		readText(w, a, s)
	}
}
