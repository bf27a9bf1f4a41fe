package extract

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"sampul/internal/message"
)

// An rtfReader reads RTF: text in groups that inherit how it looks.
type rtfReader struct {
	w    *walker
	part *writer
	b    []byte
	i    int

	state rtfState
	stack []rtfState
	text  strings.Builder
	style Style
	runs  int
	bytes []byte // of \'hh, not yet decoded
	high  rune   // first half of a surrogate pair
	line  int
	page  string
	table int
	row   int
	col   int
}

type rtfState struct {
	place Place
	style Style
	skip  bool // a destination that is not text
	uc    int  // octets that follow \u for readers that don't know it
}

func readRTF(w *walker, a at, s *source) {
	r := &rtfReader{w: w, part: w.part(a, "rtf"), b: s.data, page: "windows-1252", state: rtfState{place: Paragraph, uc: 1}}
	r.run()
	r.flush()
	r.part.end()
}

var rtfPlaces = map[string]Place{
	"header": PageHeader, "headerl": PageHeader, "headerr": PageHeader, "headerf": PageHeader,
	"footer": PageFooter, "footerl": PageFooter, "footerr": PageFooter, "footerf": PageFooter,
	"footnote": Notes, "annotation": Comment, "shptxt": Stamp, "title": Metadata, "subject": Metadata, "keywords": Metadata,
	"doccomm": Metadata, "dptxbxtext": Stamp,
}

var rtfSkipped = map[string]bool{
	"fonttbl": true, "colortbl": true, "stylesheet": true, "pict": true, "objdata": true, "themedata": true,
	"colorschememapping": true, "datastore": true, "latentstyles": true, "listtable": true, "listoverridetable": true,
	"rsidtbl": true, "generator": true, "filetbl": true, "revtbl": true, "xmlnstbl": true, "blipuid": true, "fldinst": true,
	"author": true, "operator": true, "creatim": true, "revtim": true, "sp": false,
}

func (r *rtfReader) run() {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case '{':
			r.i++
			r.decode()
			if len(r.stack) < 1000 {
				r.stack = append(r.stack, r.state)
			}
		case '}':
			r.i++
			r.decode()
			if n := len(r.stack); n > 0 {
				if r.stack[n-1].place != r.state.place {
					r.flush()
				}
				r.state = r.stack[n-1]
				r.stack = r.stack[:n-1]
			}
		case '\\':
			r.i++
			r.control()
		case '\r', '\n':
			r.i++
		default:
			r.i++
			if c < 0x80 {
				r.decode()
				r.put(string(rune(c)))
			} else {
				r.bytes = append(r.bytes, c)
			}
		}
	}
	r.decode()
}

func (r *rtfReader) put(s string) {
	if r.state.skip {
		return
	}
	r.text.WriteString(s)
	if strings.TrimSpace(s) == "" {
		return
	}
	if r.runs == 0 {
		r.style = r.state.style
	} else {
		r.style &= r.state.style
	}
	r.runs++
}

// decode makes text of the octets that were gathered.
func (r *rtfReader) decode() {
	if len(r.bytes) > 0 {
		b := r.bytes
		r.bytes = nil
		r.put(message.DecodeCharset(r.page, b))
	}
}

func (r *rtfReader) flush() {
	r.decode()
	u := Unit{Place: r.state.place, Style: r.style}
	if r.table > 0 && u.Place == Paragraph {
		u.Place, u.List, u.Row, u.Col = Cell, r.table, r.row, r.col
	}
	for l := range strings.SplitSeq(r.text.String(), "\n") {
		if strings.TrimSpace(l) == "" {
			continue
		}
		r.line++
		u.Text, u.Where = l, "paragraph "+strconv.Itoa(r.line)
		if u.Place == Metadata {
			u.Text = "title: " + l
		}
		r.part.add(u)
	}
	r.text.Reset()
	r.style, r.runs = 0, 0
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
	if word != "u" {
		r.decode()
	}
	if word == "bin" && given && n > 0 {
		r.i = min(len(r.b), r.i+n)
		return
	}
	r.word(word, n, given)
}

func (r *rtfReader) symbol(c byte) {
	switch c {
	case '\'':
		if r.i+2 <= len(r.b) {
			if v, err := strconv.ParseUint(string(r.b[r.i:r.i+2]), 16, 8); err == nil {
				r.bytes = append(r.bytes, byte(v))
			}
			r.i += 2
		}
	case '*':
		r.state.skip = true // unless a word follows that we know
	case '~':
		r.put(" ")
	case '_':
		r.put("-")
	case '\\', '{', '}':
		r.put(string(rune(c)))
	case '\n', '\r':
		r.flush()
	}
}

func (r *rtfReader) word(word string, n int, given bool) {
	off := given && n == 0
	set := func(s Style) {
		r.state.style |= s
		if off {
			r.state.style &^= s
		}
	}
	if place, ok := rtfPlaces[word]; ok {
		r.flush()
		r.state.place, r.state.skip = place, false
		return
	}
	if rtfSkipped[word] {
		r.state.skip = true
		return
	}
	switch word {
	case "par", "line", "sect", "page":
		r.flush()
	case "tab":
		r.put("\t")
	case "cell":
		r.col++
		r.flush()
	case "trowd":
		if r.table == 0 {
			r.table = r.w.list()
		}
		r.row++
		r.col = 0
	case "row":
		r.flush()
	case "pard":
		r.state.style &^= Centred
		if r.table > 0 && r.i < len(r.b) && !strings.HasPrefix(string(r.b[r.i:min(len(r.b), r.i+7)]), `\intbl`) {
			r.table, r.row = 0, 0
		}
	case "plain":
		r.state.style = 0
	case "b":
		set(Bold)
	case "caps":
		set(ShownCaps)
	case "strike", "striked":
		set(Struck)
	case "qc":
		r.state.style |= Centred
	case "deleted":
		r.state.place = Deleted
	case "uc":
		r.state.uc = max(0, min(n, 16))
	case "u":
		r.unicode(n)
	case "ansicpg":
		r.page = "windows-" + strconv.Itoa(n)
	case "emdash", "endash":
		r.put("-")
	case "bullet":
		r.put("•")
	case "shprslt": // the same again for old readers
		r.state.skip = true
	}
}

// unicode is \uN, followed by octets for readers that do not know it.
func (r *rtfReader) unicode(n int) {
	r.decode()
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
	default:
		r.put(string(c))
	}
	for range r.state.uc {
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
