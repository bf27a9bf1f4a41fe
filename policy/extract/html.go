package extract

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// An htmlReader gathers the text between block elements, as it is shown.
type htmlReader struct {
	w     *walker
	at    at
	lines []bodyLine

	text   strings.Builder // of the line so far, as it shows
	hid    strings.Builder // of it, what does not show
	full   strings.Builder // both
	pieces []string        // of a line whose boxes run backwards
	style  Style           // what all letters of the line share
	runs   int
	turned int // elements around that turn letters round

	stack  []htmlState
	rules  map[string][]cssRule // by what the element must have: .class, #id or its name
	alts   []string             // of pictures in one line
	choice string               // what stood before a list to choose from, and what is chosen
	drawn  glyphs
	data   []source // in data: URIs
	depth  int      // of readers in each other
	tokens int
}

// htmlState is what holds inside an element.
type htmlState struct {
	styled
	atom     atom.Atom
	place    Place
	style    Style
	list     int
	row, col *int
	cellRow  int
	cellCol  int
	first    int // of a cell: its first line
	quote    int
	skip     bool
	pre      bool
	hidden   bool
	ground   bool
	turns    bool // turns letters round
	back     bool
	block    bool
	chosen   bool
	x, y     float64
	after    string
}

func readHTML(w *walker, a at, s *source) {
	if s.charset == "" {
		s.charset = metaCharset(s.data)
		s.text = ""
	}
	for _, text := range readings(s) {
		w.html(a, text)
	}
	if plainToo(s) {
		w.lines(a, decode(s, 0))
	}
}

// plainToo says whether a text that looks like something else is shown as it is.
func plainToo(s *source) bool {
	if declared, _, _ := strings.Cut(s.declared, ";"); strings.EqualFold(declared, "text/plain") {
		return true
	}
	switch strings.ToLower(s.name[strings.LastIndexByte(s.name, '.')+1:]) {
	case "txt", "text", "log", "md", "asc":
		return true
	}
	return false
}

var charsetName = regexp.MustCompile(`(?i)<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)`)

// metaCharset is what a page without other news of it says of its charset.
func metaCharset(b []byte) string {
	m := charsetName.FindSubmatch(b[:min(len(b), 2048)])
	if m == nil || bytes.HasPrefix(bytes.ToLower(m[1]), []byte("utf-16")) { // it could not be read if it were
		return ""
	}
	return string(m[1])
}

// html reads a page; what is enclosed in it comes after it.
func (w *walker) html(a at, text string) {
	r := &htmlReader{w: w, at: a}
	r.sheets(text)
	r.stack = append(make([]htmlState, 0, 32), htmlState{place: Paragraph})
	r.run(text)
	var all strings.Builder
	for i := range r.lines {
		all.WriteString(r.lines[i].Text)
		all.WriteByte('\n')
	}
	if !w.dull(all.String()) {
		for i := range r.lines {
			if r.lines[i].Where == "" {
				r.lines[i].Where = "line " + strconv.Itoa(i+1)
			}
		}
		w.thread(a, "html", r.lines)
	}
	for i := range r.data {
		here := a.in("data " + strconv.Itoa(i+1))
		if !w.member(here) {
			return
		}
		w.file(here, r.data[i])
	}
}

// sheets reads the style sheets in a page.
func (r *htmlReader) sheets(text string) {
	for rest := text; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			return
		}
		rest = rest[i+1:]
		if len(rest) < 6 || !strings.EqualFold(rest[:5], "style") || !strings.ContainsRune("> \t\r\n/", rune(rest[5])) {
			continue
		}
		_, css, ok := strings.Cut(rest, ">")
		if !ok {
			return
		}
		end := indexFold(css, "</style")
		for _, rule := range parseCSS(css[:end]) {
			for _, s := range []string{rule.look.before} {
				if s != "" && !strings.Contains(s, "\x00") { // shown, though it is no text of the document
					r.lines = append(r.lines, bodyLine{Unit: Unit{Place: Stamp, Where: "style sheet", Text: s, Style: Aside}})
				}
			}
			if r.rules == nil {
				r.rules = map[string][]cssRule{}
			}
			last := rule.steps[len(rule.steps)-1]
			key := last.tag
			if last.id != "" {
				key = "#" + last.id
			}
			if len(last.classes) > 0 {
				key = "." + last.classes[0]
			}
			r.rules[key] = append(r.rules[key], rule)
		}
		rest = css[end:]
	}
}

// indexFold is where ASCII letters stand in s, in either case; len(s) for nowhere.
func indexFold(s, what string) int {
	for i := 0; i+len(what) <= len(s); i++ {
		if s[i] == what[0] && strings.EqualFold(s[i:i+len(what)], what) {
			return i
		}
	}
	return len(s)
}

func (r *htmlReader) run(text string) {
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(8 << 20)
	z.AllowCDATA(true)
	for {
		if r.tokens++; r.tokens&1023 == 0 && (!r.w.tick() || len(r.lines) > r.w.b.Units) {
			break
		}
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				r.w.gap(r.at, "html", TooMuch, "one element is longer than can be looked at")
			}
			r.flush()
			r.drawing()
			return
		case html.TextToken:
			r.words(z.Raw())
		case html.StartTagToken:
			r.open(z, false)
		case html.SelfClosingTagToken:
			r.open(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.close(localName(name))
		case html.CommentToken:
			r.comment(z.Text())
		}
	}
	r.flush()
}

// localName is a name without the prefix of its namespace.
func localName(name []byte) string {
	if i := bytes.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	if a := atom.Lookup(name); a != 0 {
		return a.String()
	}
	return string(name)
}

func (r *htmlReader) top() *htmlState { return &r.stack[len(r.stack)-1] }

// comment shows nothing, save for what Outlook alone is told.
func (r *htmlReader) comment(b []byte) {
	b = bytes.TrimSpace(b)
	if !bytes.HasPrefix(b, []byte("[if")) || r.top().skip || r.depth > 3 {
		return
	}
	_, b, _ = bytes.Cut(b, []byte("]>"))
	if i := bytes.LastIndex(b, []byte("<![")); i >= 0 {
		b = b[:i]
	}
	if bytes.IndexByte(b, '<') < 0 {
		r.put(html.UnescapeString(string(b)), true)
		return
	}
	in := &htmlReader{w: r.w, at: r.at, rules: r.rules, depth: r.depth + 1}
	in.stack = []htmlState{{place: Paragraph, quote: r.top().quote}}
	in.run(string(b))
	r.lines = append(r.lines, in.lines...)
	r.data = append(r.data, in.data...)
}

// words takes in text as it stands in the source.
func (r *htmlReader) words(raw []byte) {
	t := r.top()
	if t.skip {
		return
	}
	text := string(raw)
	if t.atom != atom.Xmp && t.atom != atom.Plaintext && strings.IndexByte(text, '&') >= 0 {
		text = html.UnescapeString(text)
	}
	if t.pre {
		for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
			if i > 0 {
				r.flush()
			}
			r.put(line, t.hidden)
		}
		return
	}
	if strings.ContainsAny(text, "\n\r\t\f") {
		text = strings.Map(func(c rune) rune {
			if c == '\n' || c == '\r' || c == '\t' || c == '\f' {
				return ' '
			}
			return c
		}, text)
	}
	r.put(text, t.hidden)
}

// put adds a run of text to the line.
func (r *htmlReader) put(text string, hidden bool) {
	if text == "" {
		return
	}
	t := r.top()
	if t.style&ShownCaps != 0 {
		text = strings.ToUpper(text)
	}
	r.full.WriteString(text)
	if hidden {
		r.hid.WriteString(text)
		return
	}
	if r.text.Len() == 0 && r.turned > 0 {
		r.text.WriteRune('\u202e')
	}
	r.text.WriteString(text)
	if strings.TrimSpace(text) == "" {
		return
	}
	if t.back && len(r.pieces) < 64 {
		r.pieces = append(r.pieces, text)
	}
	if r.runs == 0 {
		r.style = t.style
	} else {
		r.style = r.style.with(t.style)
	}
	r.runs++
}

// flush ends a line.
func (r *htmlReader) flush() {
	if r.full.Len() == 0 && len(r.alts) == 0 {
		return
	}
	t := r.top()
	l := bodyLine{Unit: Unit{Place: t.place, Style: r.style, List: t.list, Row: t.cellRow, Col: t.cellCol}, depth: t.quote}
	if t.place != Cell {
		l.Row, l.Col = 0, 0
	}
	shown, hid := collapse(r.text.String()), collapse(r.hid.String())
	if shown != "" {
		l.Text = shown
		r.lines = append(r.lines, l)
	}
	aside := func(place Place, text string) {
		r.lines = append(r.lines, bodyLine{Unit: Unit{Place: place, Text: text, Style: Aside | l.Style&Struck}, depth: t.quote})
	}
	if hid != "" {
		aside(Hidden, hid)
		if full := collapse(r.full.String()); shown != "" && len(full) <= 80 {
			aside(Hidden, full)
		}
	}
	if n := len(r.pieces); n > 1 {
		var b strings.Builder
		for i := n - 1; i >= 0; i-- {
			b.WriteString(r.pieces[i])
		}
		if b.Len() <= 60 {
			aside(Stamp, b.String())
		}
	}
	for _, alt := range r.alts {
		aside(Stamp, alt)
	}
	if all := strings.Join(r.alts, ""); len(r.alts) > 1 && len(all) <= 60 {
		aside(Stamp, all)
	}
	if len(r.alts) > 0 && shown != "" && len(r.alts)+len(shown) < 60 { // letters and pictures of letters
		aside(Stamp, shown+strings.Join(r.alts, ""))
	}
	r.text.Reset()
	r.hid.Reset()
	r.full.Reset()
	r.pieces, r.alts, r.runs, r.style = r.pieces[:0], r.alts[:0], 0, 0
}

func collapse(s string) string {
	s = strings.Trim(s, " ")
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " ")
}

// void elements have no end.
var void = map[atom.Atom]bool{atom.Area: true, atom.Base: true, atom.Br: true, atom.Col: true, atom.Embed: true, atom.Hr: true,
	atom.Img: true, atom.Input: true, atom.Link: true, atom.Meta: true, atom.Source: true, atom.Track: true, atom.Wbr: true, atom.Frame: true}

// deepest is how many elements in each other are told apart, as in browsers.
const deepest = 512

func (r *htmlReader) open(z *html.Tokenizer, selfClosed bool) {
	name, more := z.TagName()
	local := localName(name)
	tag := atom.Lookup([]byte(local))
	r.implied(tag)
	st := *r.top()
	st.styled, st.atom = styled{tag: local}, tag
	st.after, st.turns, st.chosen, st.block, st.x, st.y = "", false, false, false, 0, 0
	el := attributes{r: r, st: &st}
	for more {
		var key, val []byte
		key, val, more = z.TagAttr()
		el.take(localName(key), val)
	}
	st.class, st.id = el.class, el.id
	l := el.look
	r.match(&st, &l, &el)
	block := blocks[tag] && !l.inline || l.block || local == "text" || local == "page" || local == "flowpara" ||
		local == "tspan" && el.moved && el.placed
	if block {
		r.flush()
	}
	st.block = block
	st.apply(&l)
	r.element(tag, local, &st, &el)
	switch tag {
	case atom.Noscript, atom.Noframes, atom.Noembed, atom.Iframe:
		z.NextIsNotRawText()
	}
	if void[tag] || selfClosed && tag == 0 || selfClosed && st.place == Stamp {
		if l.before != "" {
			r.put(el.resolve(l.before), st.hidden)
		}
		if block {
			r.flush()
		}
		return
	}
	if len(r.stack) >= deepest {
		return
	}
	if st.turns {
		if r.turned++; r.text.Len() > 0 {
			r.text.WriteRune('\u202e')
		}
	}
	r.stack = append(r.stack, st)
	if l.before != "" {
		r.put(el.resolve(l.before), st.hidden)
	}
	r.top().after = el.resolve(l.after)
}

func (st *htmlState) apply(l *look) {
	st.style = st.style&^l.clear | l.style
	st.ground = st.ground || l.ground
	st.hidden = st.hidden || l.hidden || l.white && !st.ground
	st.turns = l.reversed
	st.back = st.back || l.backwards
	st.pre = st.pre || l.pre
}

// match applies the rules of style sheets.
func (r *htmlReader) match(st *htmlState, l *look, el *attributes) {
	if r.rules == nil {
		return
	}
	inline := *l
	*l = look{}
	use := func(key string) {
		rules := r.rules[key]
		for i := range rules {
			rule := &rules[i]
			if !rule.fits(&st.styled, func(i int) *styled { return &r.stack[i].styled }, len(r.stack)) {
				continue
			}
			switch rule.pseudo {
			case "before":
				l.before = rule.look.before
			case "after":
				l.after = rule.look.after
			default:
				o := rule.look
				o.before, o.after = "", ""
				l.add(o)
			}
		}
	}
	use("")
	use(st.tag)
	for c := range strings.FieldsSeq(st.class) {
		use("." + c)
	}
	if st.id != "" {
		use("#" + st.id)
	}
	l.add(inline)
}

// implied ends elements that the start of another ends.
func (r *htmlReader) implied(tag atom.Atom) {
	var ends, within []atom.Atom
	switch tag {
	case atom.Td, atom.Th:
		ends, within = []atom.Atom{atom.Td, atom.Th}, []atom.Atom{atom.Table, atom.Tr}
	case atom.Tr, atom.Tbody, atom.Tfoot:
		ends, within = []atom.Atom{atom.Tr}, []atom.Atom{atom.Table}
	case atom.Li:
		ends, within = []atom.Atom{atom.Li}, []atom.Atom{atom.Ul, atom.Ol, atom.Menu}
	case atom.Option, atom.Optgroup:
		ends, within = []atom.Atom{atom.Option}, []atom.Atom{atom.Select}
	case atom.Dd, atom.Dt:
		ends, within = []atom.Atom{atom.Dd, atom.Dt}, []atom.Atom{atom.Dl}
	case atom.P:
		ends, within = []atom.Atom{atom.P}, []atom.Atom{atom.Table, atom.Td, atom.Div, atom.Blockquote, atom.Li}
	default:
		return
	}
	for i := len(r.stack) - 1; i > 0; i-- {
		at := r.stack[i].atom
		for _, w := range within {
			if at == w {
				return
			}
		}
		for _, e := range ends {
			if at == e {
				r.pop(i)
				return
			}
		}
	}
}

// element is what each element means.
func (r *htmlReader) element(tag atom.Atom, local string, st *htmlState, el *attributes) {
	switch tag {
	case atom.Script, atom.Style:
		st.skip = true
	case atom.Template, atom.Datalist, atom.Rt, atom.Rp:
		st.hidden = true
	case atom.B, atom.Strong:
		st.style |= Bold
	case atom.S, atom.Strike, atom.Del:
		st.style |= Struck
	case atom.Big:
		st.style |= Large
	case atom.Center:
		st.style |= Centred
	case atom.Code, atom.Kbd, atom.Samp:
		st.style |= Code
	case atom.Pre, atom.Textarea, atom.Xmp, atom.Plaintext, atom.Listing:
		st.pre = true
	case atom.Title:
		if st.place != Stamp {
			st.place = Heading
		}
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		st.place, st.style = Heading, st.style|Bold
	case atom.Ul, atom.Ol:
		st.list = r.w.list()
	case atom.Dl: // names and what they mean stand beside each other, as in a table
		st.list, st.row, st.col = r.w.list(), new(int), new(int)
	case atom.Select:
		st.list = r.w.list()
		r.choice = r.text.String()
		r.text.Reset()
		r.full.Reset()
	case atom.Option:
		r.flush()
		st.place, st.block, st.chosen = ListItem, true, el.selected
	case atom.Dt, atom.Dd:
		if st.row == nil {
			st.list, st.row, st.col = r.w.list(), new(int), new(int)
		}
		if tag == atom.Dt {
			*st.row++
			*st.col = 0
		}
		*st.col++
		st.place, st.cellRow, st.cellCol = Cell, max(*st.row, 1), *st.col
	case atom.Li:
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
			st.place, st.cellRow, st.cellCol, st.first = Cell, *st.row, *st.col, len(r.lines)
		}
	case atom.Svg:
		st.place = Stamp
	case atom.Q:
		r.put(`"`, st.hidden)
		st.after = `"`
	case atom.Blockquote:
		st.quote++
	case atom.Bdo:
		st.turns = st.turns || el.rtl
	case atom.Input:
		r.input(st, el)
	}
	if el.quotes {
		st.quote++
	}
	st.x, st.y = el.x, el.y
	if local == "xml" { // settings of Office
		st.skip = true
	}
}

// input shows a box to tick, or the value that stands in it.
func (r *htmlReader) input(st *htmlState, el *attributes) {
	switch el.kind {
	case "checkbox", "radio":
		if el.checked {
			r.put(" [x] ", st.hidden)
		} else {
			r.put(" [ ] ", st.hidden)
		}
	case "hidden":
		r.put(" "+el.value+" ", true)
	case "password", "image", "file":
	default:
		r.put(" "+el.value+" ", st.hidden)
	}
}

// close ends an element, and those that were left open in it.
func (r *htmlReader) close(name string) {
	for i := len(r.stack) - 1; i > 0; i-- {
		if r.stack[i].tag == name {
			r.pop(i)
			return
		}
		if name != "table" && name != "tr" && name != "td" && name != "th" && (r.stack[i].atom == atom.Td || r.stack[i].atom == atom.Th || r.stack[i].atom == atom.Table) {
			break
		}
	}
	if a := atom.Lookup([]byte(name)); a == atom.P || a == atom.Br { // shown as an empty line
		r.flush()
	}
}

// pop ends element i and those in it.
func (r *htmlReader) pop(i int) {
	for n := len(r.stack) - 1; n >= i; n-- {
		st := &r.stack[n]
		if st.after != "" {
			r.put(st.after, st.hidden)
		}
		if st.place == Stamp && (st.tag == "text" || st.tag == "tspan") {
			r.drawn.add(st.x, st.y, r.text.String())
		}
		if st.chosen {
			r.choice += " " + r.text.String()
		}
		if st.block {
			r.flush()
		}
		if st.turns {
			if r.turned--; r.text.Len() > 0 {
				r.text.WriteRune('\u202c')
			}
		}
		switch st.atom {
		case atom.Td, atom.Th:
			r.page(st)
		case atom.Select:
			r.flush()
			r.text.WriteString(r.choice + " ")
			r.full.WriteString(r.choice + " ")
			r.choice = ""
		case atom.Svg:
			r.drawing()
		}
		r.stack = r.stack[:n]
	}
}

// page makes paragraphs of the lines of a cell that holds more than a few: it is there for
// the looks of the page.
func (r *htmlReader) page(st *htmlState) {
	n := 0
	for i := st.first; i < len(r.lines); i++ {
		if u := &r.lines[i].Unit; u.Place == Cell && u.List == st.list && u.Row == st.cellRow && u.Col == st.cellCol {
			n++
		}
	}
	if n < 4 {
		return
	}
	for i := st.first; i < len(r.lines); i++ {
		if u := &r.lines[i].Unit; u.Place == Cell && u.List == st.list && u.Row == st.cellRow && u.Col == st.cellCol {
			u.Place, u.List, u.Row, u.Col = Paragraph, 0, 0, 0
		}
	}
}

// drawing adds what letters of a drawing show together that were put there one by one.
func (r *htmlReader) drawing() {
	for _, text := range r.drawn.rows() {
		r.lines = append(r.lines, bodyLine{Unit: Unit{Place: Stamp, Text: text, Style: Aside}})
	}
	r.drawn = nil
}
