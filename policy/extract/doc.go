package extract

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// A wordFile is an old Word document [MS-DOC]. Its text is one row of characters, numbered
// from the main text through notes and headers to text boxes; pieces say where in the file
// they stand.
type wordFile struct {
	c     *compound
	a     at
	main  []byte // the stream of text
	table []byte // the stream of tables
	data  []byte // the stream of pictures and fields

	sixth bool // Word 6 or 95: 8-bit text, and all in one stream
	text  []uint16
	looks []wordLook // of each character, where any are known
	ends  map[int]wordPara
	line  int
	short bool // it breaks off
}

// Where the tables of a document are listed, by version.
func (f *wordFile) entry(n int) []byte {
	at := 0x9a + 8*n
	if f.sixth {
		at = 0x58 + 8*n
	}
	if at+8 > len(f.main) {
		return nil
	}
	off, size := int64(le.Uint32(f.main[at:])), int64(le.Uint32(f.main[at+4:]))
	if size == 0 {
		return nil
	}
	if off+size > int64(len(f.table)) {
		f.short = true
		return nil
	}
	return f.table[off : off+size]
}

// Numbers of tables [MS-DOC 2.5.6].
const (
	tableHeaders    = 11
	tableCharacters = 12
	tableParagraphs = 13
	tablePieces     = 33
	tableDrawings   = 50
)

func (c *compound) word(a at, s *storage, main *stream) {
	f := &wordFile{c: c, a: a, main: c.read(a, main), ends: map[int]wordPara{}}
	if len(f.main) < 0x160 {
		c.w.gap(a, "doc", Damaged, "it breaks off")
		c.w.strings(a, "doc", f.main)
		return
	}
	flags := le.Uint16(f.main[10:])
	if flags&0x0100 != 0 {
		c.locked(a, "a document locked by a password")
		return
	}
	switch ident, version := le.Uint16(f.main), le.Uint16(f.main[2:]); {
	case ident == 0xa5ec && version >= 0xc0, version >= 0xc0:
		name := "0Table"
		if flags&0x0200 != 0 {
			name = "1Table"
		}
		f.table = c.read(a, s.stream(name))
		f.data = c.read(a, s.stream("Data"))
	case ident == 0xa5dc || ident == 0xa5ec || version > 0x40:
		f.sixth = true
		f.table, f.data = f.main, f.main
	default:
		c.w.gap(a, "doc", Damaged, "no version of Word is known that wrote it")
		c.w.strings(a, "doc", f.main)
		return
	}
	if !f.pieces(flags) {
		return
	}
	f.stories()
	f.drawings()
}

// pieces gathers the text.
func (f *wordFile) pieces(flags uint16) bool {
	clx := f.entry(tablePieces)
	if f.sixth && flags&4 == 0 || clx == nil && f.sixth {
		f.whole()
		return true
	}
	var modify [][]byte
	for len(clx) >= 3 && clx[0] == 1 {
		n := int(le.Uint16(clx[1:]))
		if n+3 > len(clx) {
			break
		}
		modify = append(modify, clx[3:3+n])
		clx = clx[3+n:]
	}
	if len(clx) < 5 || clx[0] != 2 {
		f.c.w.gap(f.a, "doc", Damaged, "its list of pieces is not there")
		f.c.w.strings(f.a, "doc", f.main) // a mark may still be seen
		return false
	}
	list := clx[5:]
	if n := int64(le.Uint32(clx[1:])); n < int64(len(list)) {
		list = list[:n]
	} else if n > int64(len(list)) {
		f.short = true
	}
	n := (len(list) - 4) / 12
	runs := f.runs()
	paras := f.paragraphs()
	for i := range n {
		from, to := int64(le.Uint32(list[4*i:])), int64(le.Uint32(list[4*i+4:]))
		d := list[4*(n+1)+8*i:]
		if from != int64(len(f.text)) || to < from || to > int64(len(f.main))+1 {
			f.short = true
			break
		}
		f.piece(le.Uint32(d[2:]), int(to-from), le.Uint16(d[6:]), modify, runs, paras)
	}
	if f.short {
		f.c.w.gap(f.a, "doc", Damaged, "it breaks off")
	}
	return true
}

// whole is the text of Word 6 and 95 that was not saved in pieces.
func (f *wordFile) whole() {
	from, to := int64(le.Uint32(f.main[0x18:])), int64(le.Uint32(f.main[0x1c:]))
	if from > to || to > int64(len(f.main)) {
		f.c.w.gap(f.a, "doc", Damaged, "it breaks off")
		from, to = min(from, int64(len(f.main))), int64(len(f.main))
		from = min(from, to)
	}
	f.piece(uint32(from), int(to-from), 0, nil, nil, nil)
}

// piece adds characters that stand at fc.
func (f *wordFile) piece(fc uint32, n int, prm uint16, modify [][]byte, runs []wordRun, paras []wordSpan) {
	wide := fc&0x40000000 == 0 && !f.sixth
	at, width := int64(fc&0x3fffffff), int64(2)
	if !wide {
		width = 1
		if !f.sixth {
			at /= 2
		}
	}
	if at+int64(n)*width > int64(len(f.main)) {
		f.short = true
		n = max(0, int((int64(len(f.main))-at)/width))
	}
	var over wordLook
	if prm&1 != 0 && int(prm>>1) < len(modify) {
		look := wordRun{}
		look.apply(modify[prm>>1])
		over = look.look
	}
	start := len(f.text)
	for i := range n {
		off := at + int64(i)*width
		if wide {
			f.text = append(f.text, le.Uint16(f.main[off:]))
		} else {
			f.text = append(f.text, windows1252(f.main[off]))
		}
		f.looks = append(f.looks, over)
	}
	f.dress(start, n, at, width, runs, paras)
}

// windows1252 is an octet of an 8-bit piece.
func windows1252(c byte) uint16 {
	if c < 0x80 || c >= 0xa0 {
		return uint16(c)
	}
	return upper1252[c-0x80]
}

var upper1252 = [32]uint16{0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
	0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178}

// stories gives the text of each kind to a part of its own, as the reader of a page sees it.
func (f *wordFile) stories() {
	counts := 0x4c
	if f.sixth {
		counts = 0x34
	}
	next := 0
	take := func(i int) (from, to int) {
		n := int64(int32(le.Uint32(f.main[counts+4*i:])))
		from = min(next, len(f.text))
		to = int(min(int64(from)+max(n, 0), int64(len(f.text))))
		next = to
		return from, to
	}
	story := func(name string, place Place, from, to int) {
		where := f.a
		if name != "" {
			where = f.a.in(name)
		}
		out := f.c.w.part(where, "doc")
		f.emit(out, place, name, from, to)
		out.end()
	}
	from, to := take(0)
	story("", Paragraph, from, to)
	from, to = take(1)
	story("footnotes", Notes, from, to)
	from, to = take(2)
	f.headers(from, to)
	take(3)
	from, to = take(4)
	story("comments", Comment, from, to)
	from, to = take(5)
	story("endnotes", Notes, from, to)
	from, to = take(6)
	story("text boxes", Stamp, from, to)
	from, to = take(7)
	story("text boxes of headers", Stamp, from, to)
	if rest := len(f.text); next < rest { // more than is counted: the last mark of a paragraph, or what was to be hidden
		story("uncounted text", Hidden, next, rest)
	}
}

// headers are six for each section: of even, odd and first pages.
func (f *wordFile) headers(from, to int) {
	out := f.c.w.part(f.a.in("headers and footers"), "doc")
	defer out.end()
	cuts := f.entry(tableHeaders)
	at := from
	for i := 0; 4*i+8 <= len(cuts) && at < to; i++ {
		end := min(to, from+int(min(int64(le.Uint32(cuts[4*i+4:])), int64(to-from))))
		if end <= at {
			continue
		}
		place, name := PageHeader, "header"
		if k := (i - 6) % 6; i < 6 {
			place, name = Notes, "separator of notes"
		} else if k == 2 || k == 3 || k == 5 {
			place, name = PageFooter, "footer"
		}
		f.emit(out, place, name, at, end)
		at = end
	}
	f.emit(out, PageHeader, "header", at, to)
}

// A wordStory gathers the paragraphs of one.
type wordStory struct {
	f     *wordFile
	out   *writer
	place Place
	name  string

	text, hidden, deleted []uint16
	style                 Style
	runs                  int
	fields                []wordField
	list, row, col        int
}

// A wordField is a field that is open: its instruction, until its result begins.
type wordField struct {
	code   []uint16
	result bool
}

func (f *wordFile) emit(out *writer, place Place, name string, from, to int) {
	s := &wordStory{f: f, out: out, place: place, name: name}
	for i := from; i < to; i++ {
		switch c := f.text[i]; c {
		case '\r', 0x0c, 0x0e:
			s.end(f.ends[i], false)
		case 7:
			s.end(f.ends[i], true)
		case 0x13:
			if len(s.fields) < 64 {
				s.fields = append(s.fields, wordField{})
			}
		case 0x14:
			if n := len(s.fields); n > 0 {
				s.fields[n-1].result = true
			}
		case 0x15:
			s.endField()
		default:
			s.put(c, f.looks[i])
		}
	}
	s.end(wordPara{}, false)
}

// put adds a character, to what is shown or to what is not.
func (s *wordStory) put(c uint16, look wordLook) {
	switch c {
	case 0x0b:
		c = '\n'
	case 0x1e:
		c = '-'
	case '\t':
	default:
		if c < ' ' || c == 0x1f {
			return // pictures, references, soft hyphens
		}
	}
	if n := len(s.fields); n > 0 && !s.fields[n-1].result {
		if len(s.fields[n-1].code) < 4096 {
			s.fields[n-1].code = append(s.fields[n-1].code, c)
		}
		return
	}
	switch {
	case look&lookDeleted != 0:
		s.deleted = append(s.deleted, c)
		return
	case look&lookHidden != 0:
		s.hidden = append(s.hidden, c)
		return
	}
	s.text = append(s.text, shownSymbol(c))
	if c == ' ' || c == '\t' || c == '\n' || c == 0xa0 {
		return
	}
	if style := Style(look) & lookStyles; s.runs == 0 {
		s.style = style
	} else {
		s.style = s.style.with(style)
	}
	s.runs++
}

// shownSymbol is what fonts of symbols show for characters of private use: boxes that are
// ticked or not.
func shownSymbol(c uint16) uint16 {
	switch c {
	case 0xf0fe, 0xf052, 0xf053:
		return '☑'
	case 0xf0fd, 0xf054, 0xf078:
		return '☒'
	case 0xf0a8, 0xf06f, 0xf0a3, 0xf071:
		return '☐'
	case 0xf0fc:
		return '✓'
	case 0xf0b7, 0xf0a7, 0xf0d8:
		return '•'
	}
	return c
}

// endField drops an instruction whose result is shown; one without a result is not shown,
// or shows what stands in it.
func (s *wordStory) endField() {
	n := len(s.fields)
	if n == 0 {
		return
	}
	field := s.fields[n-1]
	s.fields = s.fields[:n-1]
	if field.result {
		return
	}
	code := string(utf16.Decode(field.code))
	word, rest, _ := strings.Cut(strings.TrimSpace(code), " ")
	switch strings.ToUpper(word) {
	case "MACROBUTTON", "GOTOBUTTON":
		_, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
		s.text = append(s.text, utf16.Encode([]rune(rest))...)
	default:
		s.hidden = append(s.hidden, field.code...)
	}
}

// end is the end of a paragraph, or of a cell.
func (s *wordStory) end(p wordPara, cell bool) {
	for _, field := range s.fields { // it goes on in the next paragraph, or never ends
		if !field.result {
			s.hidden = append(s.hidden, field.code...)
		}
	}
	u := Unit{Place: s.place, Style: s.style | p.style}
	inTable := cell || p.inTable
	switch {
	case !inTable:
		s.list, s.row, s.col = 0, 0, 0
	case s.list == 0:
		s.list, s.row, s.col = s.f.c.w.list(), 1, 1
	}
	if inTable && s.place == Paragraph {
		u.Place = Cell
	}
	if inTable {
		u.List = s.list
	}
	if inTable && len(s.f.ends) > 0 { // else nothing tells where rows end
		u.Row, u.Col = s.row, s.col
	}
	if u.Place == Paragraph {
		switch {
		case p.heading:
			u.Place = Heading
		case p.list > 0:
			u.Place, u.List = ListItem, 1_000_000+p.list
		}
	}
	for l := range strings.SplitSeq(string(utf16.Decode(s.text)), "\n") {
		if strings.TrimSpace(l) == "" {
			continue
		}
		s.f.line++
		u.Text, u.Where = l, "paragraph "+strconv.Itoa(s.f.line)
		if s.name != "" {
			u.Where = s.name
		}
		s.out.add(u)
	}
	if len(s.deleted) > 0 {
		s.out.add(Unit{Place: Deleted, Where: "deleted text", Text: string(utf16.Decode(s.deleted)), Style: Struck})
	}
	if len(s.hidden) > 0 {
		s.out.add(Unit{Place: Hidden, Where: "hidden text", Text: string(utf16.Decode(s.hidden))})
	}
	s.text, s.hidden, s.deleted = s.text[:0], s.hidden[:0], s.deleted[:0]
	s.style, s.runs, s.fields = 0, 0, s.fields[:0]
	switch {
	case p.rowEnd:
		s.row, s.col = s.row+1, 1
	case cell:
		s.col++
	}
}
