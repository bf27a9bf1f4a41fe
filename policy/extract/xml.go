package extract

import (
	"bytes"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// xmlEvents are what a reader of a format wants to hear. text is what stands between.
type xmlEvents struct {
	start func(name string, attr func(string) string)
	end   func(name string)
	text  func(string)
}

// An xmlScanner goes through XML as leniently as the programs that show it: what is wrong
// is passed over, and nothing outside the document is ever asked for.
type xmlScanner struct {
	w        *walker
	ev       xmlEvents
	names    map[string]string
	entities map[string]string
	attrs    []byte // of the element that begins
	depth    int
	grown    int // octets that came out of entities
	steps    int
}

// Bounds on one document.
const (
	maxXMLDepth = 2000
	maxGrown    = 1 << 20
)

// eachXML plays a document to ev; names are without their namespace. What is broken is
// read up to where it breaks.
func (w *walker) eachXML(b []byte, ev xmlEvents) error {
	x := &xmlScanner{w: w, ev: ev, names: map[string]string{}}
	if err := x.run(xmlText(b), 0); err != nil {
		return err
	}
	if x.depth > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

var xmlEncoding = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}encoding\s*=\s*["']([\w.:-]+)`)

// xmlText is a document in UTF-8.
func xmlText(b []byte) []byte {
	if name, rest := byteOrder(b); name == "utf-8" {
		return rest
	} else if name != "" {
		return []byte(message.DecodeCharset(name, rest))
	}
	head := b[:min(len(b), 256)]
	if order := utf16Order(head); order != "" {
		return []byte(message.DecodeCharset(order, b))
	}
	if order := utf32Order(head); order != "" {
		return []byte(message.DecodeCharset(order, b))
	}
	if bytes.HasPrefix(b, []byte("\x4c\x6f\xa7\x94")) { // "<?xm" in EBCDIC
		return []byte(message.DecodeCharset("ibm037", b))
	}
	if m := xmlEncoding.FindSubmatch(head); m != nil {
		switch name := strings.ToLower(string(m[1])); {
		case name == "utf-8" || name == "us-ascii" || strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32"):
		default:
			return []byte(message.DecodeCharset(name, b))
		}
	}
	if !utf8.Valid(b) {
		return []byte(message.DecodeCharset("", b))
	}
	return b
}

func (x *xmlScanner) name(b []byte) string {
	if i := bytes.LastIndexByte(b, ':'); i >= 0 {
		b = b[i+1:]
	}
	if s, ok := x.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(x.names) < 4096 {
		x.names[s] = s
	}
	return s
}

// run goes through b. level counts entities in each other.
func (x *xmlScanner) run(b []byte, level int) error {
	for len(b) > 0 {
		if x.steps++; x.steps&1023 == 0 && !x.w.tick() {
			return errBudget
		}
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			i = len(b)
		}
		if i > 0 {
			if err := x.text(b[:i], level); err != nil {
				return err
			}
			b = b[i:]
			continue
		}
		n, err := x.markup(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// markup reads what begins with < and says how long it is.
func (x *xmlScanner) markup(b []byte) (int, error) {
	until := func(from int, end string) (int, error) {
		n := bytes.Index(b[from:], []byte(end))
		if n < 0 {
			return 0, io.ErrUnexpectedEOF
		}
		return from + n + len(end), nil
	}
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		return until(4, "-->")
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		n, err := until(9, "]]>")
		if err == nil {
			x.ev.text(string(b[9 : n-3]))
		}
		return n, err
	case bytes.HasPrefix(b, []byte("<!")):
		return x.doctype(b)
	case bytes.HasPrefix(b, []byte("<?")):
		return until(2, "?>")
	case len(b) < 2:
		return 0, io.ErrUnexpectedEOF
	case b[1] == '/':
		n, err := until(2, ">")
		if err == nil {
			x.depth--
			x.ev.end(x.name(bytes.TrimSpace(b[2 : n-1])))
		}
		return n, err
	case b[1] != '_' && b[1] != ':' && (b[1]|0x20 < 'a' || b[1]|0x20 > 'z') && b[1] < 0x80:
		x.ev.text("<")
		return 1, nil
	}
	end := tagEnd(b)
	if end < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	inside := b[1:end]
	empty := len(inside) > 0 && inside[len(inside)-1] == '/'
	if empty {
		inside = inside[:len(inside)-1]
	}
	n := bytes.IndexAny(inside, " \t\r\n/")
	if n < 0 {
		n = len(inside)
	}
	name := x.name(inside[:n])
	x.attrs = inside[n:]
	x.ev.start(name, x.attr)
	if empty {
		x.ev.end(name)
	} else if x.depth++; x.depth > maxXMLDepth {
		return 0, errBudget
	}
	return end + 1, nil
}

// tagEnd is where the > of an element stands, outside quotation marks.
func tagEnd(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

// eachAttr goes through the attributes of the element that begins.
func (x *xmlScanner) eachAttr(f func(name, value []byte) bool) {
	b := x.attrs
	for {
		eq := bytes.IndexByte(b, '=')
		if eq < 0 {
			return
		}
		name := bytes.TrimSpace(b[:eq])
		if i := bytes.LastIndexByte(name, ':'); i >= 0 {
			name = name[i+1:]
		}
		b = bytes.TrimLeft(b[eq+1:], " \t\r\n")
		if len(b) == 0 {
			return
		}
		var value []byte
		if q := b[0]; q == '"' || q == '\'' {
			n := bytes.IndexByte(b[1:], q)
			if n < 0 {
				return
			}
			value, b = b[1:1+n], b[n+2:]
		} else {
			n := bytes.IndexAny(b, " \t\r\n")
			if n < 0 {
				n = len(b)
			}
			value, b = b[:n], b[n:]
		}
		if !f(name, value) {
			return
		}
	}
}

// attr is the value of an attribute, "" for none. The name "*" gives all of them, a line
// each as "name: value".
func (x *xmlScanner) attr(name string) (out string) {
	if name == "*" {
		var all strings.Builder
		x.eachAttr(func(n, v []byte) bool {
			all.Write(n)
			all.WriteString(": ")
			all.WriteString(strings.ReplaceAll(x.unescape(v), "\n", " "))
			all.WriteByte('\n')
			return true
		})
		return all.String()
	}
	x.eachAttr(func(n, v []byte) bool {
		if string(n) != name {
			return true
		}
		out = x.unescape(v)
		return false
	})
	return out
}

func (x *xmlScanner) unescape(v []byte) string {
	if bytes.IndexByte(v, '&') < 0 {
		return string(v)
	}
	s := string(v)
	for name, value := range x.entities {
		if x.grown += len(value) * strings.Count(s, "&"+name+";"); x.grown < maxGrown {
			s = strings.ReplaceAll(s, "&"+name+";", value)
		}
	}
	return html.UnescapeString(s)
}

// text plays text with its entities.
func (x *xmlScanner) text(b []byte, level int) error {
	if bytes.IndexByte(b, '&') < 0 {
		x.ev.text(string(b))
		return nil
	}
	if x.entities == nil {
		x.ev.text(html.UnescapeString(string(b)))
		return nil
	}
	for {
		i := bytes.IndexByte(b, '&')
		n := bytes.IndexByte(b[max(i, 0):], ';')
		if i < 0 || n < 0 {
			x.ev.text(string(b))
			return nil
		}
		value, known := x.entities[string(b[i+1:i+n])]
		if !known {
			x.ev.text(html.UnescapeString(string(b[:i+n+1])))
			b = b[i+n+1:]
			continue
		}
		x.ev.text(string(b[:i]))
		b = b[i+n+1:]
		if x.grown += len(value); x.grown > maxGrown || level > 16 {
			return errBudget
		}
		if err := x.run([]byte(value), level+1); err != nil {
			return err
		}
	}
}

var entityDeclaration = regexp.MustCompile(`<!ENTITY\s+([\w.:-]+)\s+(?:"([^"]*)"|'([^']*)')\s*>`)

// doctype keeps the entities that a document declares in itself; all else of it, and what
// is outside, is passed over.
func (x *xmlScanner) doctype(b []byte) (int, error) {
	depth := 0
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			depth++
		case c == '>':
			if depth--; depth > 0 {
				continue
			}
			for _, m := range entityDeclaration.FindAllSubmatch(b[:i], 200) {
				if x.entities == nil {
					x.entities = map[string]string{}
				}
				x.entities[string(m[1])] = numeric(string(m[2]) + string(m[3]))
			}
			return i + 1, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// numeric resolves character references, as happens when an entity is declared.
func numeric(s string) string {
	if !strings.Contains(s, "&#") {
		return s
	}
	return reference.ReplaceAllStringFunc(s, func(m string) string {
		digits, base := m[2:len(m)-1], 10
		if digits[0]|0x20 == 'x' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 21)
		if err != nil {
			return m
		}
		return string(rune(n))
	})
}

var reference = regexp.MustCompile(`&#(?:[xX][0-9a-fA-F]{1,6}|[0-9]{1,7});`)

// readXML gives the text of each element with its name; drawings, and documents of office
// programs in one file, are read as what they are.
func readXML(w *walker, a at, s *source) {
	data := xmlText(s.data)
	head := data[:min(len(data), 4096)]
	switch {
	case bytes.Contains(head, []byte("schemas.microsoft.com/office/word/2003/wordml")), bytes.Contains(head, []byte("schemas.microsoft.com/office/2006/xmlPackage")):
		w.flatOffice(a, data)
	case bytes.Contains(head, []byte("<svg")) || bytes.Contains(head, []byte(":svg")) && bytes.Contains(head, []byte("http://www.w3.org/2000/svg")):
		w.drawing(a, data)
	case bytes.Contains(head, []byte("http://www.w3.org/1999/xhtml")):
		w.html(a, string(data))
	default:
		if err := w.anyXML(a, data); err != nil {
			w.lines(a, string(data)) // broken: what stands in it counts all the same
		}
	}
	if plainToo(s) {
		w.lines(a, string(data))
	}
}

// drawing reads SVG: as HTML does, with its own entities resolved.
func (w *walker) drawing(a at, data []byte) {
	x := &xmlScanner{w: w}
	if i := bytes.Index(data[:min(len(data), 4096)], []byte("<!DOCTYPE")); i >= 0 {
		if n, err := x.doctype(data[i:]); err == nil {
			data = append(data[:i:i], data[i+n:]...)
		}
	}
	text := string(data)
	for range 4 { // entities in each other
		for name, value := range x.entities {
			if x.grown += len(value) * strings.Count(text, "&"+name+";"); x.grown > maxGrown {
				w.gap(a, "svg", TooMuch, "its entities grow to more than can be looked at")
				return
			}
			text = strings.ReplaceAll(text, "&"+name+";", value)
		}
	}
	w.html(a, text)
}

// proseElements hold text that stands for itself, in whatever kind of XML.
var proseElements = map[string]bool{"p": true, "para": true, "text": true, "title": true, "line": true, "header": true, "footer": true, "heading": true,
	"head": true, "body": true, "description": true, "summary": true, "content": true, "span": true, "div": true, "td": true, "li": true, "h1": true, "h2": true,
	"h3": true, "perenggan": true, "teks": true, "isi": true, "tajuk": true, "subject": true, "perkara": true, "kepala": true, "kaki": true, "v": true, "t": true,
	"encoded": true, "subtitle": true, "mark": true, "stamp": true, "cop": true, "tanda": true, "watermark": true, "Data": true, "Cell": true, "message": true}

// An element of XML while it is open.
type openElement struct {
	name, called string // called: what an attribute calls it
	text         strings.Builder
	children     bool
}

func (w *walker) anyXML(a at, data []byte) error {
	out := w.part(a, "xml")
	var open []*openElement
	field := func(key, value string) {
		if key != "" && len(value) < 400 {
			out.add(Unit{Place: Paragraph, Where: "element " + label(key), Text: key + ": " + value, Style: Aside})
		}
	}
	say := func(e *openElement) {
		text := strings.TrimSpace(e.text.String())
		e.text.Reset()
		if text == "" {
			return
		}
		if strings.Contains(text, "</") && strings.IndexByte(text, '<') >= 0 { // HTML in RSS and the like
			w.html(a.in("element "+label(e.name)), text)
		}
		if w.base64Value(a.in("element "+label(e.name)), text) {
			return
		}
		for l := range strings.SplitSeq(text, "\n") {
			if e.children || proseElements[e.name] || strings.Contains(text, "\n") {
				out.add(Unit{Place: Paragraph, Where: "element " + label(e.name), Text: l})
			}
		}
		text = collapse(strings.ReplaceAll(text, "\n", " "))
		field(e.name, text)
		field(e.called, text)
		if n := len(open); n > 1 && open[n-1] == e && !e.children {
			field(open[n-2].name, text)
		}
	}
	err := w.eachXML(data, xmlEvents{
		start: func(name string, attr func(string) string) {
			if n := len(open); n > 0 {
				say(open[n-1])
				open[n-1].children = true
			}
			e := &openElement{name: name}
			for l := range strings.SplitSeq(attr("*"), "\n") {
				key, value, _ := strings.Cut(l, ": ")
				switch low := strings.ToLower(key); low {
				case "", "xmlns", "schemalocation":
					continue
				case "name", "key", "label", "type", "id", "title", "field":
					if e.called == "" {
						e.called = value
					}
				case "value", "val", "nilai", "content":
					field(name, value)
					field(e.called, value)
				}
				out.add(Unit{Place: Paragraph, Where: "attribute of " + label(name), Text: l, Style: Aside})
			}
			open = append(open, e)
		},
		end: func(string) {
			if n := len(open); n > 0 {
				say(open[n-1])
				open = open[:n-1]
			}
		},
		text: func(t string) {
			if n := len(open); n > 0 {
				open[n-1].text.WriteString(t)
			}
		},
	})
	for n := len(open); n > 0; n-- {
		say(open[n-1])
	}
	out.end()
	return err
}
