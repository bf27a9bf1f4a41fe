package extract

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// A slideReader reads a presentation of PowerPoint 97 to 2003 [MS-PPT]: a tree of records.
// What is live of them is named by a directory; the rest is what was before the last save.
type slideReader struct {
	c       *compound
	w       *walker
	a       at
	b       []byte
	objects map[uint32]int64 // by number: where they stand
	live    map[uint32]bool  // those that were read
	slides  int
	boxes   int // bounds the work with objects that contain each other
}

// Records [MS-PPT 2.13.24].
const (
	pptDocument   = 0x03e8
	pptSlide      = 0x03ee
	pptNotes      = 0x03f0
	pptPersist    = 0x03f3
	pptMaster     = 0x03f8
	pptTextHeader = 0x0f9f
	pptChars      = 0x0fa0
	pptBytes      = 0x0fa8
	pptString     = 0x0fba
	pptHandout    = 0x0fc9
	pptFurniture  = 0x0fd9
	pptList       = 0x0ff0
	pptEdit       = 0x0ff5
	pptObject     = 0x1011
	pptDirectory  = 0x1772
	pptTags       = 0x1388
	pptTag        = 0x1389
	pptLater      = 0x138b
	pptComment    = 0x2ee0
	pptLocked     = 0x2f14
)

func (c *compound) slides(a at, s *storage, main *stream) {
	r := &slideReader{c: c, w: c.w, a: a, b: c.read(a, main), objects: map[uint32]int64{}, live: map[uint32]bool{}}
	user := c.read(a, s.stream("Current User"))
	if len(user) >= 20 && le.Uint32(user[12:]) == 0xf3d1c4df {
		c.locked(a, "a presentation locked by a password")
		return
	}
	ok := len(user) >= 20 && r.directory(int64(le.Uint32(user[16:])))
	if c.w.res.Files[c.file].Locked {
		return
	}
	if !ok {
		r.everything()
	}
	c.w.blips(a, c.read(a, s.stream("Pictures")))
}

// record is the one at an offset.
func (r *slideReader) record(off int64) (record, bool) {
	if off < 0 || off >= int64(len(r.b)) {
		return record{}, false
	}
	rec, _, ok := nextRecord(r.b[off:])
	return rec, ok
}

// directory follows the edits, the last first, and reads what they name.
func (r *slideReader) directory(edit int64) bool {
	document := uint32(0)
	var order []uint32
	for n := 0; n < 10_000 && edit > 0 || n == 0; n++ {
		e, ok := r.record(edit)
		if !ok || e.kind != pptEdit || len(e.body) < 28 {
			return false
		}
		if len(e.body) >= 32 && le.Uint32(e.body[28:]) != 0 && n == 0 {
			if o, ok := r.lookup(e, le.Uint32(e.body[28:])); ok && o.kind == pptLocked {
				r.c.locked(r.a, "a presentation locked by a password")
				return true
			}
		}
		if document == 0 {
			document = le.Uint32(e.body[16:])
		}
		r.persist(int64(le.Uint32(e.body[12:])), func(id uint32, off int64) {
			if _, newer := r.objects[id]; !newer {
				r.objects[id] = off
				order = append(order, id)
			}
		})
		edit = int64(le.Uint32(e.body[8:]))
	}
	doc, ok := r.record(r.objects[document])
	if !ok || doc.kind != pptDocument {
		return false
	}
	r.live[document] = true
	if doc.short {
		r.w.gap(r.a, "ppt", Damaged, "it breaks off")
	}
	r.document(doc)
	slices.Sort(order)
	for _, id := range order { // what no list names: notes, handouts, objects
		r.object(id)
	}
	return true
}

// lookup finds an object by the directory of one edit.
func (r *slideReader) lookup(e record, want uint32) (found record, ok bool) {
	r.persist(int64(le.Uint32(e.body[12:])), func(id uint32, off int64) {
		if id == want {
			found, ok = r.record(off)
		}
	})
	return found, ok
}

// persist reads one directory: runs of objects, with where each stands.
func (r *slideReader) persist(off int64, each func(id uint32, off int64)) {
	d, ok := r.record(off)
	if !ok || d.kind != pptDirectory {
		return
	}
	for b := d.body; len(b) >= 4; {
		head := le.Uint32(b)
		id, n := head&0xfffff, int(head>>20)
		b = b[4:]
		for i := range n {
			if len(b) < 4 {
				return
			}
			each(id+uint32(i), int64(le.Uint32(b)))
			b = b[4:]
		}
	}
}

// everything reads the stream from its beginning, where no directory helps.
func (r *slideReader) everything() {
	read := 0
	for b := r.b; ; {
		rec, rest, ok := nextRecord(b)
		if !ok {
			break
		}
		if rec.short {
			r.w.gap(r.a, "ppt", Damaged, "it breaks off")
		}
		b = rest
		read++
		switch rec.kind {
		case pptDocument:
			r.document(rec)
		case pptLocked:
			r.c.locked(r.a, "a presentation locked by a password")
			return
		default:
			r.top(rec)
		}
	}
	if read == 0 {
		r.w.gap(r.a, "ppt", Damaged, "it breaks off")
	}
}

// document reads what concerns all slides, and the slides in their order.
func (r *slideReader) document(doc record) {
	out := r.w.part(r.a.in("all slides"), "ppt")
	for b := doc.body; ; {
		rec, rest, ok := nextRecord(b)
		if !ok {
			break
		}
		b = rest
		if rec.kind == pptList {
			r.listed(rec)
			continue
		}
		t := slideText{r: r, out: out, place: Stamp, where: "all slides"}
		t.walk(rec, 0)
		t.flush()
	}
	out.end()
}

// listed is a list of slides, masters or notes. The text of what stands in outline is here,
// after the number of its slide.
func (r *slideReader) listed(list record) {
	place, name := Paragraph, "slide"
	switch list.instance {
	case 1:
		place, name = Master, "master"
	case 2:
		place, name = Notes, "notes"
	}
	n := 0
	var t *slideText
	id := uint32(0)
	finish := func() {
		if t == nil {
			return
		}
		t.flush()
		if rec, ok := r.take(id); ok {
			t.walk(rec, 0)
			t.flush()
		}
		t.out.end()
	}
	for b := list.body; ; {
		rec, rest, ok := nextRecord(b)
		if !ok {
			break
		}
		b = rest
		if rec.kind == pptPersist && len(rec.body) >= 4 {
			finish()
			n++
			id = le.Uint32(rec.body)
			where := fmt.Sprint(name, " ", n)
			t = &slideText{r: r, out: r.w.part(r.a.in(where), "ppt"), place: place, where: where}
			if place == Paragraph {
				t.page = n
			}
			continue
		}
		if t != nil {
			t.walk(rec, 0)
		}
	}
	finish()
}

// take is an object that is to be read now, and not again.
func (r *slideReader) take(id uint32) (record, bool) {
	off, ok := r.objects[id]
	if !ok || r.live[id] {
		return record{}, false
	}
	r.live[id] = true
	rec, ok := r.record(off)
	if ok && rec.short {
		r.w.gap(r.a, "ppt", Damaged, "it breaks off")
	}
	return rec, ok
}

func (r *slideReader) object(id uint32) {
	if rec, ok := r.take(id); ok {
		r.top(rec)
	}
}

// top reads a record that stands by itself.
func (r *slideReader) top(rec record) {
	t := slideText{r: r, place: Paragraph, where: "slide"}
	switch rec.kind {
	case pptMaster:
		t.place, t.where = Master, "master"
	case pptHandout:
		t.place, t.where = Master, "handout master"
	case pptNotes:
		t.place, t.where = Notes, "notes"
	case pptSlide:
		r.slides++
		t.where = fmt.Sprint("slide outside the list ", r.slides)
	case pptObject:
		r.embedded(rec)
		return
	case pptEdit, pptDirectory:
		return
	}
	t.out = r.w.part(r.a.in(t.where), "ppt")
	t.walk(rec, 0)
	t.flush()
	t.out.end()
}

// embedded is an object of another program: a compound file, mostly compressed.
func (r *slideReader) embedded(rec record) {
	r.boxes++
	here := r.a.in(fmt.Sprint("object ", r.boxes))
	b := rec.body
	if rec.instance == 1 && len(b) > 4 {
		z, err := zlib.NewReader(bytes.NewReader(b[4:]))
		if err != nil {
			r.w.gap(here, "ppt", Damaged, "it cannot be unpacked")
			return
		}
		var ok bool
		if b, ok = r.w.expand(here, "ppt", z, int64(len(b))); !ok {
			return
		}
	}
	if len(b) == 0 || !r.w.member(here) {
		return
	}
	before := len(r.w.res.Files)
	r.w.file(here, source{name: "object", data: b})
	if before < len(r.w.res.Files) && r.w.res.Files[before].Macros { // the program code of the presentation itself
		r.c.macros()
	}
}

// A slideText gathers the text of a slide, or of what is like one.
type slideText struct {
	r     *slideReader
	out   *writer
	place Place
	where string
	page  int

	title bool
	tag   string
	in    uint16 // the record that holds strings
}

func (t *slideText) walk(rec record, depth int) {
	if depth > 64 || t.r.w.over {
		return
	}
	switch rec.kind {
	case pptTextHeader:
		kind := uint32(1)
		if len(rec.body) >= 4 {
			kind = le.Uint32(rec.body)
		}
		t.title = kind == 0 || kind == 6
		return
	case pptChars:
		t.add(utf16String(rec.body))
		return
	case pptBytes:
		u := make([]uint16, len(rec.body))
		for i, c := range rec.body {
			u[i] = uint16(c)
		}
		t.add(string(utf16.Decode(u)))
		return
	case pptString:
		t.string(rec)
		return
	case pptObject:
		t.r.embedded(rec)
		return
	case 0xf00b, 0xf121, 0xf122:
		shapeProperties(rec, func(s string) {
			t.out.add(Unit{Place: Watermark, Where: t.where, Text: s, Page: t.page})
		})
		return
	}
	// A text box holds records though its version does not say so, and so does what later
	// PowerPoints added, such as comments.
	if rec.version != 15 && rec.kind != 0xf00d && rec.kind != pptLater {
		return
	}
	was := t.in
	switch rec.kind {
	case pptFurniture, pptComment, pptTag:
		t.in, t.tag = rec.kind, ""
	}
	for b := rec.body; ; {
		one, rest, ok := nextRecord(b)
		if !ok {
			break
		}
		b = rest
		t.walk(one, depth+1)
	}
	t.in = was
	if rec.kind == 0xf00d {
		t.title = false
	}
}

// add gives the paragraphs of a text.
func (t *slideText) add(text string) {
	u := Unit{Place: t.place, Where: t.where, Page: t.page}
	if t.title && t.place == Paragraph {
		u.Place = Heading
	}
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' || r == 0x0b }) {
		u.Text = l
		t.out.add(u)
	}
}

// string is one of those that are not the text of shapes.
func (t *slideText) string(rec record) {
	text := utf16String(rec.body)
	switch t.in {
	case pptFurniture:
		place := PageHeader
		if rec.instance == 2 {
			place = PageFooter
		}
		t.out.add(Unit{Place: place, Where: t.where, Text: text, Page: t.page})
	case pptComment:
		if rec.instance == 1 {
			t.out.add(Unit{Place: Comment, Where: t.where, Text: text, Page: t.page})
		}
	case pptTag:
		if rec.instance == 0 {
			t.tag = text
		} else {
			t.out.add(Unit{Place: Metadata, Where: "tag " + label(t.tag), Text: t.tag + ": " + text})
		}
	}
}

func (t *slideText) flush() { t.title = false }
