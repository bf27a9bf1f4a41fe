package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
)

// each opens the files of a document that match, in the order of their numbers.
func (p *pack) each(match func(name string) bool, f func(name string, here at, b []byte)) {
	var found []*zip.File
	for _, z := range p.files {
		if match(memberName(z)) && !strings.HasSuffix(z.Name, "/") {
			found = append(found, z)
		}
	}
	slices.SortStableFunc(found, func(a, b *zip.File) int {
		return cmp.Or(cmp.Compare(numberIn(a.Name), numberIn(b.Name)), strings.Compare(a.Name, b.Name))
	})
	for _, z := range found {
		if p.w.over || p.w.err != nil {
			return
		}
		here := p.a.in(label(z.Name))
		held := p.w.held
		if b, ok := p.open(here, z); ok {
			f(memberName(z), here, b)
		}
		p.w.held = held
	}
}

// memberName is the name of a file of a document, as its relations write it.
func memberName(z *zip.File) string {
	return strings.TrimLeft(strings.ReplaceAll(z.Name, `\`, "/"), "/")
}

// numberIn is the number at the end of a name: 12 of slide12.xml.
func numberIn(name string) int {
	name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	i := len(name)
	for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(name[i:])
	if err != nil {
		return 0
	}
	return n
}

// damaged tells that a file of a document breaks off.
func (p *pack) damaged(here at, kind string, err error) {
	if err != nil {
		p.w.gap(here, kind, Damaged, "it breaks off")
	}
}

// officeKind says which document of Office a pack is, by its folders or by the types of
// its files; "" for none.
func (p *pack) officeKind() string {
	var types []byte
	for _, f := range p.files {
		if strings.EqualFold(memberName(f), "[Content_Types].xml") {
			held := p.w.held
			types, _ = p.open(p.a.in("types"), f)
			p.w.held = held
			break
		}
	}
	if types == nil {
		return ""
	}
	for _, k := range []struct{ folder, word, kind string }{
		{"word/", "wordprocessingml", "docx"}, {"xl/", "spreadsheetml", "xlsx"}, {"ppt/", "presentationml", "pptx"}, {"Documents/", "fixedpage", "xps"},
		{"visio/", "ms-visio", "vsdx"},
	} {
		if p.has(k.folder) || bytes.Contains(types, []byte(k.word)) {
			return k.kind
		}
	}
	return ""
}

// An officeReader reads a document of Office. What each file in it is, its outermost
// element says, wherever it stands and whatever it is called: prefixes and folders are
// free, and so is the namespace (ECMA-376, transitional and strict).
type officeReader struct {
	*pack
	kind   string
	styles map[string]runLook // of Word, by name
	book   *workbook
}

// mute are outermost elements of files that hold nothing that is shown.
var mute = map[string]bool{"Types": true, "Relationships": true, "theme": true, "fonts": true, "webSettings": true, "presentationPr": true, "viewPr": true,
	"tblStyleLst": true, "calcChain": true, "colorsDef": true, "styleDef": true, "layoutDef": true, "chartStyle": true, "colorStyle": true, "themeOverride": true,
	"styles": true, "sst": true, "datastoreItem": true}

func (p *pack) office(kind string) {
	r := &officeReader{pack: p, kind: kind, book: &workbook{}}
	if f := p.b.file; f < len(p.w.res.Files) {
		p.w.res.Files[f].Kind = kind
	}
	// What others refer to comes first.
	p.each(func(n string) bool {
		base := strings.ToLower(path.Base(n))
		return strings.HasPrefix(base, "styles") || strings.HasPrefix(base, "sharedstrings")
	}, func(_ string, here at, b []byte) {
		switch root, _ := rootElement(b); {
		case root == "styles":
			r.styles = p.wordStyles(b)
		case root == "sst":
			r.book.shared = p.shared(here, b)
		case strings.HasSuffix(here.path, ".bin"):
			r.book.shared = r.binaryStrings(b)
		}
	})
	p.each(func(n string) bool { return strings.Contains(path.Base(n), "ocument") && isXMLName(n) }, r.member)
	p.each(func(n string) bool { return !(strings.Contains(path.Base(n), "ocument") && isXMLName(n)) }, r.member)
}

func isXMLName(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".xml" || ext == ".vml" || ext == ".rels"
}

// member reads one file of the document.
func (r *officeReader) member(name string, here at, b []byte) {
	low := strings.ToLower(name)
	base := path.Base(low)
	switch {
	case base == "vbaproject.bin":
		if f := r.b.file; f < len(r.w.res.Files) {
			r.w.res.Files[f].Macros = true
		}
		return
	case strings.HasPrefix(base, "printersettings") && strings.HasSuffix(base, ".bin"), strings.HasSuffix(base, ".odttf"), strings.HasSuffix(base, ".fntdata"),
		strings.HasSuffix(base, ".rels"), base == "[content_types].xml":
		return
	case strings.HasSuffix(base, ".bin") && strings.HasPrefix(low, "xl/") && !strings.Contains(low, "embeddings/") && !strings.Contains(low, "activex/"):
		r.binaryPart(name, here, b)
		return
	}
	if root, space := rootElement(b); root != "" && !strings.EqualFold(root, "html") && root != "svg" && !strings.HasPrefix(path.Ext(base), ".htm") {
		r.xml(name, here, b, root, space)
		return
	}
	r.w.file(here, source{name: name, data: b})
}

// rootElement is the name of the outermost element of XML, and its namespace; "" when it
// is none.
func rootElement(b []byte) (name, space string) {
	head := b[:min(len(b), 4096)]
	if len(head) > 3 && (head[0] != '<' || head[1] == 0) {
		head = xmlText(head[:len(head)&^3])
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 || head[0] != '<' {
		return "", ""
	}
	for len(head) > 1 && head[0] == '<' && (head[1] == '?' || head[1] == '!') {
		end := ">"
		if bytes.HasPrefix(head, []byte("<!--")) {
			end = "-->"
		}
		_, rest, ok := bytes.Cut(head, []byte(end))
		if !ok {
			return "", ""
		}
		head = bytes.TrimLeft(rest, " \t\r\n")
	}
	if len(head) < 2 || head[0] != '<' {
		return "", ""
	}
	n := bytes.IndexAny(head[1:], " \t\r\n/>")
	if n <= 0 {
		return "", ""
	}
	full := string(head[1 : 1+n])
	prefix, local, prefixed := strings.Cut(full, ":")
	want := []byte("xmlns=")
	if prefixed {
		want = []byte("xmlns:" + prefix + "=")
	} else {
		local = full
	}
	if i := bytes.Index(head, want); i >= 0 && i+len(want) < len(head) {
		rest := head[i+len(want):]
		if end := bytes.IndexByte(rest[1:], rest[0]); end >= 0 {
			space = string(rest[1 : 1+end])
		}
	}
	return local, space
}

// xml reads a file by its outermost element.
func (r *officeReader) xml(name string, here at, b []byte, root, space string) {
	if mute[root] {
		return
	}
	wordy := strings.Contains(space, "wordprocessingml") || strings.Contains(space, "wordml")
	dir, _, _ := strings.Cut(name, "/")
	switch root {
	case "document", "wordDocument", "package":
		if wordy || dir == "word" || root != "document" {
			r.word(r.a, Paragraph, b)
			return
		}
	case "hdr":
		r.word(here, PageHeader, b)
		return
	case "ftr":
		r.word(here, PageFooter, b)
		return
	case "footnotes", "endnotes":
		r.word(here, Notes, b)
		return
	case "glossaryDocument":
		r.word(here, Hidden, b)
		return
	case "comments":
		if wordy || dir == "word" {
			r.word(here, Comment, b)
			return
		}
		r.drawing(here, r.kind, Comment, b)
		return
	case "xml": // drawings of old (VML)
		r.word(here, Stamp, b)
		return
	case "numbering":
		r.values(here, b, "lvlText", "val", Stamp)
		return
	case "settings":
		r.variables(here, b)
		return
	case "worksheet", "chartsheet", "dialogsheet", "macrosheet":
		r.sheet(here, name, b)
		return
	case "workbook":
		r.sheetNames(here, b)
		return
	case "styleSheet":
		r.formats(here, b)
		return
	case "externalLink", "table", "pivotCacheDefinition", "pivotCacheRecords", "pivotTableDefinition", "connections", "slicerCacheDefinition", "queryTable":
		r.values(here, b, "", "v", Cell)
		return
	case "Properties", "coreProperties", "labelList", "tagLst", "core-properties":
		r.properties(here, b)
		return
	case "cmLst", "ThreadedComments", "cmAuthorLst", "commentList":
		r.drawing(here, r.kind, Comment, b)
		return
	case "sld":
		place := Paragraph
		switch {
		case strings.Contains(name, "Master") || strings.Contains(name, "Layout"):
			place = Master
		case strings.Contains(name, "notes"):
			place = Notes
		}
		r.drawing(here, r.kind, place, b)
		return
	case "sldMaster", "sldLayout", "notesMaster", "handoutMaster":
		r.drawing(here, r.kind, Master, b)
		return
	case "notes":
		r.drawing(here, r.kind, Notes, b)
		return
	case "FixedPage": // of XPS
		r.values(here, b, "Glyphs", "UnicodeString", Paragraph)
		return
	case "chartSpace", "dataModel", "drawing", "wsDr", "userShapes", "chart":
		r.drawing(here, r.kind, Stamp, b)
		return
	}
	if strings.HasPrefix(name, "docProps/") || strings.HasPrefix(name, "docMetadata/") {
		r.properties(here, b)
		return
	}
	if dir == "word" {
		r.word(here, Paragraph, b)
		return
	}
	r.drawing(here, r.kind, Stamp, b)
	if err := r.w.anyXML(here, b); err != nil {
		r.w.lines(here, string(xmlText(b)))
	}
}

// values gives an attribute of the elements of one name; of all for "".
func (r *officeReader) values(here at, b []byte, element, key string, place Place) {
	out := r.w.part(here, r.kind)
	list := r.w.list()
	row := 0
	err := r.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			if element != "" && n != element {
				return
			}
			if v := attr(key); v != "" {
				row++
				out.add(Unit{Place: place, Where: here.path[strings.LastIndexByte(here.path, ' ')+1:], Text: v, List: list})
			}
		},
		end: func(string) {},
		text: func(t string) {
			if element == "" {
				out.add(Unit{Place: place, Where: "value", Text: t, List: list})
			}
		},
	})
	out.end()
	r.damaged(here, r.kind, err)
}

// variables are what a document of Word keeps for its fields.
func (r *officeReader) variables(here at, b []byte) {
	out := r.w.part(here, "properties")
	err := r.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			if n == "docVar" {
				out.add(Unit{Place: Metadata, Where: "variable", Text: attr("name") + ": " + attr("val")})
			}
		},
		end: func(string) {}, text: func(string) {},
	})
	out.end()
	r.damaged(here, r.kind, err)
}

// properties gives "name: value" of each property and label.
func (p *pack) properties(here at, b []byte) {
	out := p.w.part(here, "properties")
	var name, custom string
	var text strings.Builder
	var labels, dead []string // of Microsoft's information protection, together
	err := p.w.eachXML(b, xmlEvents{
		start: func(n string, attr func(string) string) {
			name = n
			text.Reset()
			switch n {
			case "property":
				custom = attr("name")
			case "tag":
				out.add(Unit{Place: Metadata, Where: "tag", Text: attr("name") + ": " + attr("val")})
			case "label": // docMetadata/LabelInfo.xml
				enabled, id := attr("enabled"), strings.Trim(attr("id"), "{}")
				if v := attr("name"); v != "" && enabled != "0" {
					out.add(Unit{Place: Metadata, Where: "sensitivity label", Text: "label: " + v})
				}
				if id != "" && enabled != "0" {
					out.add(Unit{Place: Metadata, Where: "sensitivity label", Text: "msip_labels: MSIP_Label_" + id + "_Enabled=true; MSIP_Label_" + id + "_SiteId=" +
						strings.Trim(attr("siteId"), "{}") + "; MSIP_Label_" + id + "_Name=" + attr("name")})
				}
			}
		},
		end: func(n string) {
			value := strings.TrimSpace(text.String())
			text.Reset()
			if value == "" || n != name {
				return
			}
			key := n
			if custom != "" {
				key = custom
			}
			if low := strings.ToLower(key); strings.HasPrefix(low, "msip_label_") {
				labels = append(labels, key+"="+strings.ReplaceAll(value, ";", " "))
				if strings.HasSuffix(low, "_enabled") && !strings.EqualFold(value, "true") && value != "1" {
					dead = append(dead, strings.TrimSuffix(low, "_enabled"))
				}
			} else {
				out.add(Unit{Place: Metadata, Where: "property " + label(key), Text: key + ": " + value})
			}
			if n == "property" {
				custom = ""
			}
		},
		text: func(t string) { text.WriteString(t) },
	})
	if len(labels) > 0 {
		out.add(Unit{Place: Metadata, Where: "sensitivity label", Text: "msip_labels: " + strings.Join(labels, "; ")})
	}
	for _, l := range labels { // each by itself too, when its label holds
		key, value, _ := strings.Cut(l, "=")
		if !slices.ContainsFunc(dead, func(d string) bool { return strings.HasPrefix(strings.ToLower(key), d) }) {
			out.add(Unit{Place: Metadata, Where: "property " + label(key), Text: key + ": " + value})
		}
	}
	out.end()
	p.damaged(here, "properties", err)
}
