package extract

import (
	"cmp"
	"encoding/base64"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// attributes of one element, as far as they show.
type attributes struct {
	r  *htmlReader
	st *htmlState

	look          look
	class, id     string
	kind, value   string
	meta, content string
	checked       bool
	selected      bool
	rtl, quotes   bool
	moved, placed bool // of drawn text: it stands lower, at a place of its own
	x, y          float64
	others        map[string]string // for style sheets that show them
}

// take reads one attribute. What is shown beside the text becomes a line of its own.
func (a *attributes) take(key string, val []byte) {
	switch key {
	case "style":
		a.look.add(declarations(string(val)))
		a.look.before, a.look.after = "", ""
		a.r.uri(string(val))
	case "class":
		a.class = string(val)
		for c := range strings.FieldsSeq(a.class) {
			switch c {
			case "gmail_quote", "gmail_quote_container", "yahoo_quoted", "moz-forward-container", "protonmail_quote", "zmail_extra", "tutanota_quote":
				a.quotes = true
			}
		}
	case "id":
		a.id = string(val)
	case "hidden":
		a.look.hidden = true
	case "align":
		a.look.set(Centred, strings.EqualFold(string(val), "center"))
	case "color", "fill":
		v := strings.ToLower(strings.TrimSpace(string(val)))
		a.look.set(Red, isRed(v))
		a.look.white = isWhite(v) && key == "color"
	case "size":
		if n, err := strconv.Atoi(string(val)); err == nil && a.st.atom == atom.Font {
			a.look.set(Large, n >= 4)
		}
	case "bgcolor", "background":
		a.look.ground = !isWhite(strings.ToLower(string(val)))
		a.r.uri(string(val))
	case "font-variant":
		a.look.set(ShownCaps, strings.Contains(string(val), "caps"))
	case "text-decoration":
		a.look.set(Struck, strings.Contains(string(val), "line-through"))
	case "direction", "dir":
		a.rtl = strings.EqualFold(string(val), "rtl")
	case "unicode-bidi":
		a.look.reversed = strings.Contains(string(val), "override")
	case "alt":
		if t := strings.TrimSpace(string(val)); t != "" && len(a.r.alts) < 200 {
			a.r.alts = append(a.r.alts, t)
		}
	case "title", "aria-label", "placeholder", "summary", "label", "tooltip":
		if key == "placeholder" || key == "label" || len(val) < 2000 {
			a.beside(Comment, string(val))
		}
	case "string": // of a drawing by Office
		a.beside(Watermark, string(val))
	case "type":
		a.kind = strings.ToLower(string(val))
	case "value":
		a.value = string(val)
	case "name":
		a.meta = strings.ToLower(string(val))
		a.property()
	case "content":
		a.content = string(val)
		a.property()
	case "checked":
		a.checked = true
	case "selected":
		a.selected = true
	case "x":
		a.x, a.placed = coordinate(val), true
	case "y":
		a.y, a.placed, a.moved = coordinate(val), true, a.st.styled.tag == "tspan"
	case "dy":
		a.moved = math.Abs(coordinate(val)) > 0.9
		a.placed = true
	case "transform":
		if s := string(val); strings.Contains(s, "translate(") {
			_, s, _ = strings.Cut(s, "translate(")
			xs := strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == ')' })
			if len(xs) > 1 {
				a.x, a.y = a.x+coordinate([]byte(xs[0])), a.y+coordinate([]byte(xs[1]))
			}
		}
	case "srcdoc":
		if a.r.depth < 4 {
			a.r.data = append(a.r.data, source{name: "srcdoc.html", declared: "text/html", data: []byte(string(val))})
		}
	case "src", "href", "data", "poster", "srcset":
		a.r.uri(string(val))
	}
	if a.r.rules != nil && strings.HasPrefix(key, "data-") || key == "aria-label" || key == "title" || key == "alt" {
		if a.others == nil {
			a.others = map[string]string{}
		}
		a.others[key] = string(val)
	}
}

func coordinate(b []byte) float64 {
	s := strings.TrimSpace(string(b))
	s, _, _ = strings.Cut(s, " ")
	s, _, _ = strings.Cut(s, ",")
	f, _ := measure(s)
	return f
}

// beside adds what shows when one points at the element.
func (a *attributes) beside(place Place, text string) {
	if text = collapse(strings.TrimSpace(text)); text != "" {
		a.r.lines = append(a.r.lines, bodyLine{Unit: Unit{Place: place, Text: text, Style: Aside}, depth: a.st.quote})
	}
}

// property is what a page says of itself.
func (a *attributes) property() {
	if a.st.atom != atom.Meta || a.meta == "" || a.content == "" || a.meta == "viewport" || a.meta == "generator" {
		return
	}
	a.r.lines = append(a.r.lines, bodyLine{Unit: Unit{Place: Metadata, Where: "meta " + label(a.meta), Text: a.meta + ": " + collapse(a.content), Style: Aside}})
}

// resolve puts the values of attributes into what a style sheet shows.
func (a *attributes) resolve(s string) string {
	for strings.IndexByte(s, 0) >= 0 {
		before, rest, _ := strings.Cut(s, "\x00")
		name, after, _ := strings.Cut(rest, "\x00")
		s = before + a.others[name] + after
	}
	return s
}

// uri keeps what stands in data: URIs, to be read as files.
func (r *htmlReader) uri(s string) {
	for len(r.data) < 1000 {
		i := indexFold(s, "data:")
		if i == len(s) {
			return
		}
		s = s[i+5:]
		head, body, ok := strings.Cut(s, ",")
		if !ok || len(head) > 200 {
			return
		}
		if n := strings.IndexAny(body, `"')`); n >= 0 {
			body = body[:n]
		}
		s = s[len(head)+1+len(body):]
		declared, params, _ := strings.Cut(strings.ToLower(head), ";")
		data := []byte(percentDecoded(body))
		if strings.Contains(params, "base64") {
			data = looseBase64(data)
		}
		if len(data) == 0 {
			continue
		}
		if !r.w.spend(int64(len(data))) {
			r.w.exceed(r.at, "html", "more than can be looked at")
			return
		}
		_, charset, _ := strings.Cut(params, "charset=")
		charset, _, _ = strings.Cut(charset, ";")
		r.data = append(r.data, source{declared: declared, charset: charset, data: data})
	}
}

func percentDecoded(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b.WriteByte(byte(n))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// looseBase64 decodes what it can, in either alphabet.
func looseBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case c == '=':
			continue
		}
		if c == '+' || c == '/' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out, _ := base64.RawStdEncoding.AppendDecode(nil, clean)
	return out
}

// glyphs are short texts of a drawing with their places.
type glyphs []glyph

type glyph struct {
	x, y float64
	text string
}

func (g *glyphs) add(x, y float64, text string) {
	if text = strings.TrimSpace(text); text != "" && len(text) <= 5 && len(*g) < 2000 {
		*g = append(*g, glyph{x, y, text})
	}
}

// rows joins those that stand in one line, from left to right and from top to bottom.
func (g glyphs) rows() (out []string) {
	join := func(major, minor func(glyph) float64) {
		s := slices.Clone(g)
		slices.SortStableFunc(s, func(a, b glyph) int { return cmp.Or(cmp.Compare(major(a), major(b)), cmp.Compare(minor(a), minor(b))) })
		for i := 0; i < len(s); {
			j := i
			var b strings.Builder
			for ; j < len(s) && math.Abs(major(s[j])-major(s[i])) < 2; j++ {
				b.WriteString(s[j].text)
			}
			if j-i >= 2 && b.Len() <= 60 {
				out = append(out, b.String())
			}
			i = j
		}
	}
	x, y := func(a glyph) float64 { return a.x }, func(a glyph) float64 { return a.y }
	join(y, x)
	join(x, y)
	return out
}
