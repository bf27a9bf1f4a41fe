package extract

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"

	"sampul/internal/message"
)

// An rtfReader reads RTF 1.9: text in groups that inherit how it looks. Some groups are
// destinations: what stands in them goes elsewhere than into the text around them.
type rtfReader struct {
	w      *walker
	a      at
	part   *writer           // the text
	beside map[Place]*writer // headers, notes and the like, each kind by itself
	b      []byte
	i      int

	state rtfState
	stack []rtfState
	deep  int // groups beyond those that are remembered

	octets []byte // of \'hh, not yet decoded
	high   rune   // first half of a surrogate pair
	line   int

	page    string // charset of the document
	fonts   map[int]rtfFont
	font    int // the one that the table describes now
	usual   int // the font of text that names none
	colours []rtfColour
	colour  rtfColour

	table, row, col int
	files           int
	html            *strings.Builder // the HTML that the document was made of; nil if it was not
	names           [2]string        // of the property, and of the shape's property, that are read
	tick            string           // a box of a form, to be put where it is shown
	result, preset  int              // of the box
}

// rtfState is what a group inherits.
type rtfState struct {
	para   *rtfPara
	style  Style
	font   int
	uc     int // octets that follow \u for readers that don't know it
	skip   bool
	star   bool // the next word names a destination that may be left out
	hidden bool
	gone   bool // deleted, with changes tracked
	upr    int  // 1: the next group is there again in Unicode
	rtf    bool // encapsulated HTML: text that is none of it

	centred, cell, heading bool // of paragraphs
	list                   int
}

// An rtfPara is a paragraph while it is read; a destination has its own.
type rtfPara struct {
	to    rtfDestination
	text  strings.Builder
	style Style // what all runs share
	runs  int

	hidden, gone strings.Builder
	data         []byte // of a picture or an object
	kind         string // of a picture
	nibble       int
}

// maxGroups is how many groups in each other keep their own look.
const maxGroups = 1000

// garbled says whether octets that should be letters and words of RTF hold many controls,
// outside the data of pictures.
func garbled(b []byte) bool {
	odd, depth := 0, 0
	for i, c := range b {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 { // what stands behind it is no part of it
			b = b[:i+1]
			break
		}
		if c < ' ' && c != '\r' && c != '\n' && c != '\t' && c != 0 {
			odd++
		}
	}
	return odd*20 > len(b) && !bytes.Contains(b, []byte(`\bin`))
}

func readRTF(w *walker, a at, s *source) {
	r := &rtfReader{w: w, a: a, part: w.part(a, "rtf"), b: s.data, page: "windows-1252", fonts: map[int]rtfFont{}, usual: -1, beside: map[Place]*writer{}}
	if !strings.HasPrefix(string(r.b[:min(len(r.b), 4)]), `{\rt`) { // a BOM, or blank lines
		r.b = []byte(strings.TrimLeft(decode(s, 0), "\ufeff \t\r\n"))
	}
	if garbled(r.b) {
		w.gap(a, "rtf", Damaged, "most of it is no text")
	}
	r.state = rtfState{para: &rtfPara{to: rtfDestination{place: Paragraph}}, uc: 1, font: -1}
	r.run()
	r.decode()
	for r.deep, r.i = 0, len(r.b); len(r.stack) > 0; { // groups that were not closed
		r.close()
	}
	r.flush()
	r.part.end()
	for _, place := range []Place{PageHeader, PageFooter, Stamp, Watermark, Notes, Comment, Hidden, Metadata} {
		if out := r.beside[place]; out != nil {
			out.end()
		}
	}
	if r.html != nil {
		w.guarded(a, kind{name: "html", read: readHTML}, &source{declared: "text/html", charset: "utf-8", data: []byte(r.html.String())})
	}
}

func (r *rtfReader) run() {
	for r.i < len(r.b) {
		if r.i&0xffff == 0 && !r.w.tick() {
			return
		}
		switch c := r.b[r.i]; c {
		case '{':
			r.i++
			r.open()
		case '}':
			r.i++
			r.close()
			if len(r.stack) == 0 && r.deep == 0 {
				r.behind()
				return
			}
		case '\\':
			r.i++
			r.control()
		case '\r', '\n':
			r.i++
		default:
			r.i++
			r.character(c)
		}
	}
}

// behind looks at what stands after the document: readers stop here, archives do not.
func (r *rtfReader) behind() {
	if rest := r.b[r.i:]; len(rest) > 16 {
		r.w.hidden(r.a, rest, 0)
	}
}

func (r *rtfReader) open() {
	r.decode()
	if len(r.stack) >= maxGroups {
		r.deep++
		return
	}
	r.stack = append(r.stack, r.state)
	r.state.star = false
	if r.state.upr == 1 {
		r.state.skip = true
		r.stack[len(r.stack)-1].upr = 2
	}
	r.state.upr = 0
}

func (r *rtfReader) close() {
	r.decode()
	if r.deep > 0 {
		r.deep--
		return
	}
	n := len(r.stack)
	if n == 0 {
		return
	}
	outer := r.stack[n-1]
	if outer.para != r.state.para {
		r.flush()
	}
	r.state = outer
	r.stack = r.stack[:n-1]
}

// character is one octet of text, or of data in hexadecimal.
func (r *rtfReader) character(c byte) {
	p := r.state.para
	if p.to.data {
		if d := unhex(c); d >= 0 && !r.state.skip {
			if p.nibble++; p.nibble&1 == 1 {
				p.data = append(p.data, byte(d<<4))
			} else {
				p.data[len(p.data)-1] |= byte(d)
			}
		}
		return
	}
	if c >= 0x80 || len(r.octets) > 0 && r.fontPage() != "symbol" && isDouble(r.fontPage()) {
		r.octets = append(r.octets, c)
		return
	}
	r.decode()
	if r.fontPage() == "symbol" {
		r.put(r.shown(c))
		return
	}
	r.put(string(rune(c)))
}

// shown is a character of a font of symbols: a letter, if it is no box or the like.
func (r *rtfReader) shown(c byte) string {
	if s := shownSymbol(0xf000 + uint16(c)); s < 0xf000 {
		return string(rune(s))
	}
	return message.DecodeCharset("windows-1252", []byte{c})
}

// decode makes text of the octets that were gathered.
func (r *rtfReader) decode() {
	if len(r.octets) == 0 {
		return
	}
	b := r.octets
	r.octets = nil
	if page := r.fontPage(); page == "symbol" {
		for _, c := range b {
			r.put(r.shown(c))
		}
	} else {
		r.put(message.DecodeCharset(page, b))
	}
}

func (r *rtfReader) put(s string) {
	p := r.state.para
	if r.html != nil && !r.state.skip && !r.state.rtf {
		r.source(p, s)
	}
	switch {
	case r.state.skip || p.to.data:
		return
	case p.to.table:
		r.entry(s)
		return
	case r.state.gone:
		p.gone.WriteString(s)
		return
	case r.state.hidden:
		p.hidden.WriteString(s)
		return
	}
	p.text.WriteString(s)
	if strings.TrimSpace(s) == "" {
		return
	}
	if p.runs == 0 {
		p.style = r.state.style
	} else {
		p.style = p.style.with(r.state.style)
	}
	p.runs++
}

var asHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// source gathers the HTML of which the document was made [MS-OXRTFEX]: tags as they are,
// and the text between them.
func (r *rtfReader) source(p *rtfPara, s string) {
	switch {
	case p.to.name == "htmltag":
		r.html.WriteString(s)
	case p.to.place == Paragraph && p.to.name == "":
		r.html.WriteString(asHTML.Replace(s))
	}
}

// flush ends a paragraph, or a destination.
func (r *rtfReader) flush() {
	r.decode()
	p := r.state.para
	if p.to.end != nil {
		p.to.end(r, p)
		p.text.Reset()
		return
	}
	u := Unit{Place: p.to.place, Style: p.style}
	if r.state.centred {
		u.Style |= Centred
	}
	if u.Place == Paragraph {
		r.placed(p, &u)
	}
	if u.Place != "" {
		for l := range strings.SplitSeq(p.text.String(), "\n") {
			if strings.TrimSpace(l) == "" {
				continue
			}
			u.Text = l
			r.add(u)
		}
		r.part.add(Unit{Place: Deleted, Where: "deleted text", Text: p.gone.String(), Style: Struck})
		r.part.add(Unit{Place: Hidden, Where: "hidden text", Text: p.hidden.String()})
	}
	p.text.Reset()
	p.gone.Reset()
	p.hidden.Reset()
	p.style, p.runs = 0, 0
}

// add puts a unit of the text into its order, and others beside it.
func (r *rtfReader) add(u Unit) {
	switch u.Place {
	case Paragraph, Cell, Heading, ListItem:
		r.line++
		u.Where = "paragraph " + strconv.Itoa(r.line)
		r.part.add(u)
		return
	}
	out := r.beside[u.Place]
	if out == nil {
		out = r.w.part(r.a.in(string(u.Place)), "rtf")
		r.beside[u.Place] = out
	}
	if u.Where == "" {
		u.Where = string(u.Place)
	}
	out.add(u)
}

// placed says which kind of paragraph it is.
func (r *rtfReader) placed(p *rtfPara, u *Unit) {
	switch {
	case r.state.cell:
		if r.table == 0 {
			r.table, r.row, r.col = r.w.list(), 1, 1
		}
		u.Place, u.List, u.Row, u.Col = Cell, r.table, r.row, r.col
		return
	case strings.TrimSpace(p.text.String()) == "":
		return
	}
	r.table = 0
	switch {
	case r.state.heading:
		u.Place = Heading
	case r.state.list > 0:
		u.Place, u.List = ListItem, 1_000_000+r.state.list
	}
}

// control reads what follows a backslash.
func (r *rtfReader) control() {
	if r.i >= len(r.b) {
		return
	}
	c := r.b[r.i]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		r.i++
		r.symbol(c)
		return
	}
	start := r.i
	for r.i < len(r.b) && r.b[r.i]|0x20 >= 'a' && r.b[r.i]|0x20 <= 'z' && r.i-start < 32 {
		r.i++
	}
	word := string(r.b[start:r.i])
	start = r.i
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' && r.i-start < 10 {
		r.i++
	}
	n, err := strconv.Atoi(string(r.b[start:r.i]))
	given := err == nil
	if r.i < len(r.b) && r.b[r.i] == ' ' {
		r.i++
	}
	r.decode()
	if word == "bin" {
		n = max(0, min(n, len(r.b)-r.i))
		if p := r.state.para; p.to.data && !r.state.skip {
			p.data = append(p.data, r.b[r.i:r.i+n]...)
		}
		r.i += n
		return
	}
	star := r.state.star
	r.state.star = false
	if !r.word(word, n, given) && star {
		r.state.skip = true // a destination that we don't know, and that may be left out
	}
}

func (r *rtfReader) symbol(c byte) {
	switch c {
	case '\'':
		if r.i+2 <= len(r.b) {
			hi, lo := unhex(r.b[r.i]), unhex(r.b[r.i+1])
			r.i += 2
			if hi < 0 || lo < 0 || r.state.para.to.data {
				return
			}
			if v := byte(hi<<4 | lo); v < 0x80 && len(r.octets) == 0 { // an ordinary character in disguise
				r.character(v)
			} else {
				r.octets = append(r.octets, v)
			}
		}
		return
	case '*':
		r.state.star = true
		return
	}
	r.decode()
	switch c {
	case '~':
		r.put("\u00a0")
	case '_':
		r.put("-")
	case '\\', '{', '}':
		r.put(string(rune(c)))
	case '\n', '\r':
		r.paragraph()
	case '\t':
		r.put("\t")
	}
}

// unicode is \uN, followed by octets for readers that do not know it.
func (r *rtfReader) unicode(n int) {
	c := rune(uint16(int16(n)))
	if n > 0x7fff {
		c = rune(n)
	}
	switch {
	case utf16.IsSurrogate(c) && r.high == 0:
		r.high = c
	case r.high != 0:
		r.put(string(utf16.DecodeRune(r.high, c)))
		r.high = 0
	case c >= 0xf000 && c <= 0xf0ff:
		r.put(string(rune(shownSymbol(uint16(c)))))
	default:
		r.put(string(c))
	}
	for skip := r.state.uc; skip > 0; skip-- {
		for r.i < len(r.b) && (r.b[r.i] == '\r' || r.b[r.i] == '\n') {
			r.i++
		}
		if r.i >= len(r.b) {
			return
		}
		switch {
		case r.b[r.i] == '\\' && r.i+3 < len(r.b) && r.b[r.i+1] == '\'':
			r.i += 4
		case r.b[r.i] == '\\' || r.b[r.i] == '{' || r.b[r.i] == '}':
			return
		default:
			r.i++
		}
	}
}
