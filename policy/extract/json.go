package extract

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// readJSON gives each value with its key, in JSON, JSON lines and JSON with comments; what
// is none of them is read as text.
func readJSON(w *walker, a at, s *source) {
	text := strings.TrimPrefix(decode(s, 0), "\ufeff")
	if !w.json(a, text) && !w.json(a, withoutJSComments(text)) {
		w.looseJSON(a, text)
	}
	if plainToo(s) {
		w.lines(a, text)
	}
}

// jsonLevel is an object or array that is open.
type jsonLevel struct {
	object bool
	key    string
	list   int
	wait   bool   // a key comes next
	name   string // what the object calls itself
	value  string
	items  []string
}

// A jsonReader walks a document without building it.
type jsonReader struct {
	w     *walker
	a     at
	out   *writer
	stack []jsonLevel
}

// json says whether it is some.
func (w *walker) json(a at, text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	r := &jsonReader{w: w, a: a, out: w.part(a, "json")}
	for n := 0; ; n++ {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) && len(r.stack) == 0 {
			r.out.end()
			return true
		}
		if err != nil || len(r.stack) > 1000 || n&1023 == 0 && !w.tick() {
			return false
		}
		r.token(tok)
	}
}

func (r *jsonReader) top() *jsonLevel {
	if len(r.stack) == 0 {
		return nil
	}
	return &r.stack[len(r.stack)-1]
}

func (r *jsonReader) token(tok json.Token) {
	top := r.top()
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' || v == '[' {
			key := ""
			if top != nil {
				key = top.key
				top.wait = true
			}
			r.stack = append(r.stack, jsonLevel{object: v == '{', wait: true, list: r.w.list(), key: key})
			return
		}
		r.close(top)
		r.stack = r.stack[:len(r.stack)-1]
	case string:
		switch {
		case top == nil:
			r.w.lines(r.a, v)
		case top.object && top.wait:
			top.key, top.wait = v, false
		case top.object:
			top.wait = true
			r.value(top, v)
		default:
			if len(top.items) < 2 {
				top.items = append(top.items, v)
			}
			r.out.add(Unit{Place: ListItem, Where: "list " + label(top.key), Text: v, List: top.list, Style: Code})
			r.long(v, top.key)
		}
	default:
		if top != nil && top.object {
			top.wait = true
		}
	}
}

// value is one of an object.
func (r *jsonReader) value(top *jsonLevel, v string) {
	r.field(top.key, v)
	switch strings.ToLower(top.key) {
	case "name", "key", "label", "field", "nama", "medan", "property":
		top.name = v
	case "value", "text", "nilai", "val", "content", "teks":
		top.value = v
	case "subject", "title", "tajuk", "perkara":
		r.out.add(Unit{Place: Subject, Where: "key " + label(top.key), Text: v})
	}
	r.long(v, top.key)
}

func (r *jsonReader) field(key, v string) {
	for l := range strings.SplitSeq(v, "\n") {
		r.out.add(Unit{Place: Paragraph, Where: "key " + label(key), Text: key + ": " + l})
	}
}

// long reads a value that is a text of its own.
func (r *jsonReader) long(v, key string) {
	switch {
	case strings.HasPrefix(v, "data:"):
		h := htmlReader{w: r.w, at: r.a}
		h.uri(v)
		for i := range h.data {
			if here := r.a.in("key " + label(key)); r.w.member(here) {
				r.w.file(here, h.data[i])
			}
		}
	case r.w.base64Value(r.a.in("key "+label(key)), v):
	case strings.Contains(v, "</") && strings.IndexByte(v, '<') >= 0:
		r.w.html(r.a.in("key "+label(key)), v)
	case strings.Contains(v, "\n"):
		r.w.lines(r.a.in("key "+label(key)), v)
	}
}

// close tells what an object calls its value, and what an array with one value is.
func (r *jsonReader) close(l *jsonLevel) {
	switch {
	case l.object && l.name != "" && l.value != "":
		r.field(l.name, l.value)
	case l.object && l.value != "" && len(r.stack) > 1:
		r.field(r.stack[len(r.stack)-2].key, l.value)
	case !l.object && len(l.items) == 1:
		r.field(l.key, l.items[0])
	}
}

// withoutJSComments drops comments and commas before a bracket, outside strings.
func withoutJSComments(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			j := i + 1
			for j < len(s) && s[j] != '"' {
				if s[j] == '\\' {
					j++
				}
				j++
			}
			j = min(j, len(s)-1)
			b = append(b, s[i:j+1]...)
			i = j
		case c == '/' && i+1 < len(s) && s[i+1] == '/':
			for i < len(s) && s[i] != '\n' {
				i++
			}
		case c == '/' && i+1 < len(s) && s[i+1] == '*':
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return string(b)
			}
			i += n + 3
		case c == '}' || c == ']':
			b = append(bytes.TrimSuffix(bytes.TrimRight(b, " \t\r\n"), []byte(",")), c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

var jsonLine = regexp.MustCompile(`^[\s{\[,]*["']?([^"':]{1,60})["']?\s*:\s*["']?(.*?)["']?[\s,}\]]*$`)

// looseJSON reads what breaks off, line by line.
func (w *walker) looseJSON(a at, text string) {
	out := w.part(a, "json")
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) >= 4000 {
			continue
		}
		if m := jsonLine.FindStringSubmatch(line); m != nil {
			out.add(Unit{Place: Paragraph, Where: "key " + label(m[1]), Text: m[1] + ": " + m[2]})
		}
	}
	out.end()
	w.lines(a, text)
}
