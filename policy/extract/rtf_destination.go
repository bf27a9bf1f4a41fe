package extract

import (
	"bytes"
	"fmt"
	"strings"
)

// An rtfDestination says where the text of a group goes.
type rtfDestination struct {
	name  string // of what is not text of the document
	place Place
	data  bool // hexadecimal
	table bool // of fonts or colours
	end   func(*rtfReader, *rtfPara)
}

// rtfDestinations are those that are read.
var rtfDestinations map[string]rtfDestination

func init() {
	rtfDestinations = map[string]rtfDestination{
		"footnote": {place: Notes}, "annotation": {place: Comment},
		"shptxt": {place: Stamp}, "dptxbxtext": {place: Stamp},
		"shprslt": {place: Hidden}, // the same again for readers that know no shapes
		"fonttbl": {name: "fonttbl", table: true}, "colortbl": {name: "colortbl", table: true},
		"sn":      {name: "sn", end: func(r *rtfReader, p *rtfPara) { r.names[1] = strings.TrimSpace(p.text.String()) }},
		"sv":      {name: "sv", end: (*rtfReader).shape},
		"objdata": {name: "objdata", data: true, end: (*rtfReader).object},
		"pict":    {name: "pict", data: true, end: (*rtfReader).picture},
		"fldinst": {name: "fldinst", end: (*rtfReader).instruction},
		"htmltag": {name: "htmltag", end: func(*rtfReader, *rtfPara) {}},
		"propname": {name: "propname", end: func(r *rtfReader, p *rtfPara) {
			r.names[0] = strings.TrimSpace(p.text.String())
		}},
		"staticval": {name: "staticval", end: (*rtfReader).property},
		"formfield": {name: "formfield", end: (*rtfReader).box},
	}
	for _, name := range []string{"header", "headerl", "headerr", "headerf"} {
		rtfDestinations[name] = rtfDestination{place: PageHeader}
	}
	for _, name := range []string{"footer", "footerl", "footerr", "footerf"} {
		rtfDestinations[name] = rtfDestination{place: PageFooter}
	}
	for word, name := range map[string]string{"title": "title", "subject": "subject", "keywords": "keywords", "doccomm": "description",
		"comment": "comments", "category": "category", "manager": "manager", "company": "company"} {
		rtfDestinations[word] = rtfDestination{name: word, end: func(r *rtfReader, p *rtfPara) { r.metadata(name, p.text.String()) }}
	}
}

// rtfSkipped are destinations that hold no text of the document.
var rtfSkipped = map[string]bool{
	"stylesheet": true, "themedata": true, "colorschememapping": true, "datastore": true, "latentstyles": true, "listtable": true,
	"listoverridetable": true, "rsidtbl": true, "generator": true, "filetbl": true, "revtbl": true, "xmlnstbl": true, "blipuid": true,
	"author": true, "operator": true, "creatim": true, "revtim": true, "printim": true, "buptim": true, "nonshppict": true,
	"listtext": true, "pntext": true, "pntxta": true, "pntxtb": true, "pgptbl": true, "listpicture": true, "atnauthor": true, "atnid": true,
	"atntime": true, "atndate": true, "atnref": true, "atnparent": true, "bkmkstart": true, "bkmkend": true, "datafield": true, "objclass": true,
	"objname": true, "fontemb": true, "falt": true, "panose": true, "defchp": true, "defpap": true, "mhtmltag": true,
}

// rtfThrough are groups whose text stays where it is; rtfSilent have no text of their own.
// What both hold is read.
var (
	rtfThrough = map[string]bool{"shppict": true, "field": true, "fldrslt": true, "object": true, "result": true, "shp": true, "picprop": true}
	rtfSilent  = map[string]bool{"shpinst": true, "sp": true, "info": true, "userprops": true, "do": true, "background": true}
)

// group begins a destination, if word names one.
func (r *rtfReader) group(word string) bool {
	d, ok := rtfDestinations[word]
	switch {
	case rtfSkipped[word]:
		r.state.skip = true
		return true
	case rtfThrough[word]:
		if word == "fldrslt" && !r.state.skip { // a box stands where the result would
			r.put(r.tick)
			r.tick = ""
		}
		return true
	case rtfSilent[word]:
		d = rtfDestination{name: word, end: func(*rtfReader, *rtfPara) {}}
	case !ok:
		return false
	}
	if len(r.stack) == 0 || r.deep > 0 {
		return true
	}
	outer := r.stack[len(r.stack)-1]
	if outer.skip && word != "objdata" {
		return true
	}
	if word == "formfield" {
		r.result, r.preset = 25, 0
	}
	if r.state.para != outer.para { // two destinations in one group
		r.flush()
	}
	r.state.para = &rtfPara{to: d}
	r.state.skip, r.state.hidden, r.state.gone = false, false, false
	r.state.centred, r.state.cell, r.state.heading, r.state.list = false, false, false, 0
	return true
}

func (r *rtfReader) metadata(name, value string) {
	if value = strings.TrimSpace(value); value != "" {
		r.add(Unit{Place: Metadata, Where: "property " + label(name), Text: name + ": " + unfold(value)})
	}
}

func (r *rtfReader) property(p *rtfPara) { r.metadata(r.names[0], p.text.String()) }

// shape is a property of a shape: of WordArt, its text.
func (r *rtfReader) shape(p *rtfPara) {
	if r.names[1] == "gtextUNICODE" {
		r.add(Unit{Place: Watermark, Where: "watermark", Text: p.text.String()})
	}
}

// instruction is of a field: what a button of a form shows stands in it.
func (r *rtfReader) instruction(p *rtfPara) {
	words := strings.Fields(p.text.String())
	if len(words) > 2 && (words[0] == "MACROBUTTON" || words[0] == "GOTOBUTTON") {
		r.add(Unit{Place: Paragraph, Text: strings.Join(words[2:], " ")})
	}
}

// box is a box in a form, ticked or not.
func (r *rtfReader) box(*rtfPara) {
	if r.tick != "" && (r.result == 1 || r.result == 25 && r.preset == 1) {
		r.tick = "[x] "
	}
}

func (r *rtfReader) startHTML(n int) {
	if n != 0 && r.html == nil {
		r.html = &strings.Builder{}
	}
}

// next is where the next picture or object stands.
func (r *rtfReader) next(what string) (at, bool) {
	r.files++
	here := r.a.in(fmt.Sprint(what, " ", r.files))
	return here, r.w.member(here)
}

// picture is one in the text.
func (r *rtfReader) picture(p *rtfPara) {
	data, name := p.data, "picture"
	p.data, p.nibble = nil, 0
	if len(data) < 16 || !r.w.spend(int64(len(data))) {
		return
	}
	switch p.kind {
	case "dibitmap":
		data, name = bitmap(data), "picture.bmp"
	case "macpict", "wbitmap", "pmmetafile":
		here, ok := r.next(name)
		if ok {
			r.w.strings(here, "picture", data)
		}
		return
	case "wmetafile":
		name = "picture.wmf"
	}
	if here, ok := r.next("picture"); ok && len(data) > 0 {
		r.w.file(here, source{name: name, data: data})
	}
}

// object is an object of another program, as OLE 1 writes it: names, then its data, which
// mostly is a compound file [MS-OLEDS 2.2.5].
func (r *rtfReader) object(p *rtfPara) {
	b := p.data
	p.data, p.nibble = nil, 0
	if len(b) < 12 || !r.w.spend(int64(len(b))) {
		return
	}
	here, ok := r.next("object")
	if !ok {
		return
	}
	class, data, ok := oleObject(b)
	switch {
	case !ok: // names or lengths that make no sense: what is in it may be found all the same
		if i := bytes.Index(b, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")); i >= 0 {
			r.w.file(here, source{name: "object", data: b[i:]})
			return
		}
		r.w.strings(here, "object", b)
	case strings.EqualFold(class, "Package"):
		name, file, ok := packed(data)
		if !ok {
			name, file = "object", data
		}
		if ok {
			r.w.name(here, name)
		}
		r.w.file(here, source{name: name, data: file})
	case len(data) > 0:
		r.w.file(here, source{name: "object", data: data})
	}
}

// oleObject reads the head of an object.
func oleObject(b []byte) (class string, data []byte, ok bool) {
	kind := le.Uint32(b[4:])
	b = b[8:]
	var names [3]string
	for i := range names {
		if len(b) < 4 {
			return "", nil, false
		}
		n := int64(le.Uint32(b))
		if b = b[4:]; n > int64(len(b)) || n > 4096 {
			return "", nil, false
		}
		names[i] = zeroEnded(string(b[:n]))
		b = b[n:]
	}
	if kind != 2 || len(b) < 4 { // a link
		return names[0], nil, kind == 1
	}
	n := int64(le.Uint32(b))
	b = b[4:]
	return names[0], b[:min(n, int64(len(b)))], true
}
