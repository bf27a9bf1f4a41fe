package extract

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"sampul/internal/message"
)

// json walks a document without building it. false: it is none.
func (w *walker) json(a at, b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	out := w.part(a, "json")
	type level struct {
		object bool
		key    string
		list   int
		wait   bool // a key comes next
	}
	var stack []level
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			out.end()
			return true
		}
		if err != nil || len(stack) > 1000 {
			return false
		}
		var top *level
		if len(stack) > 0 {
			top = &stack[len(stack)-1]
		}
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				key := ""
				if top != nil {
					key = top.key
					top.wait = true
				}
				stack = append(stack, level{object: v == '{', wait: true, list: w.list(), key: key})
			default:
				stack = stack[:len(stack)-1]
			}
		case string:
			switch {
			case top != nil && top.object && top.wait:
				top.key, top.wait = v, false
			case top != nil && top.object:
				top.wait = true
				for l := range strings.SplitSeq(v, "\n") {
					out.add(Unit{Place: Paragraph, Where: "key " + label(top.key), Text: top.key + ": " + l})
				}
			case top != nil:
				out.add(Unit{Place: ListItem, Where: "list " + label(top.key), Text: v, List: top.list, Style: Code})
			}
		default:
			if top != nil && top.object {
				top.wait = true
			}
		}
	}
}

// decoder reads XML as it comes, without entities from outside.
func decoder(b []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(in)
		return strings.NewReader(message.DecodeCharset(charset, raw)), err
	}
	return d
}

// xmlEvents are what a reader of a format wants to hear. text is what stands between.
type xmlEvents struct {
	start func(name string, attr func(string) string)
	end   func(name string)
	text  func(string)
}

// eachXML plays a document to ev; names are without their namespace. What is broken is
// read up to where it breaks.
func (w *walker) eachXML(b []byte, ev xmlEvents) error {
	d := decoder(b)
	depth := 0
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			if depth > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth > 2000 || w.ctx.Err() != nil {
				return errBudget
			}
			ev.start(t.Name.Local, func(name string) string {
				for i := range t.Attr {
					if t.Attr[i].Name.Local == name {
						return t.Attr[i].Value
					}
				}
				return ""
			})
		case xml.EndElement:
			depth--
			ev.end(t.Name.Local)
		case xml.CharData:
			ev.text(string(t))
		}
	}
}

// readXML gives the text of each element with its name, and SVG's text as it is.
func readXML(w *walker, a at, s *source) {
	data := s.data
	if order := utf16Order(data); order != "" || bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		data = []byte(decode(s, 0))
	}
	svg := bytes.Contains(data[:min(len(data), 4096)], []byte("<svg"))
	out := w.part(a, "xml")
	var names []string
	var text strings.Builder
	flush := func() {
		if t := strings.TrimSpace(text.String()); t != "" && len(names) > 0 {
			name := names[len(names)-1]
			for l := range strings.SplitSeq(t, "\n") {
				u := Unit{Place: Paragraph, Where: "element " + label(name), Text: name + ": " + strings.TrimSpace(l)}
				if svg {
					u = Unit{Place: Stamp, Where: "drawing", Text: l}
				} else if name == "p" || name == "para" || name == "text" {
					u = Unit{Place: Paragraph, Where: "element " + name, Text: l}
				}
				out.add(u)
			}
		}
		text.Reset()
	}
	err := w.eachXML(data, xmlEvents{
		start: func(name string, attr func(string) string) {
			if !svg || name != "tspan" {
				flush()
			}
			names = append(names, name)
			for _, key := range []string{"klasifikasi", "peringkat", "classification", "class"} {
				if v := attr(key); v != "" && !svg {
					out.add(Unit{Place: Paragraph, Where: fmt.Sprintf("attribute %s of %s", key, label(name)), Text: key + ": " + v})
				}
			}
		},
		end: func(name string) {
			if !svg || name != "tspan" {
				flush()
			}
			if len(names) > 0 {
				names = names[:len(names)-1]
			}
		},
		text: func(t string) { text.WriteString(t) },
	})
	flush()
	out.end()
	if err != nil {
		readText(w, a, s) // broken: what stands in it counts all the same
	}
}
