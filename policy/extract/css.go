package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// A look is what a style does to text, as far as a reader would notice.
type look struct {
	style, clear Style
	hidden       bool
	ground       bool // it has a background: white letters may show
	white        bool
	reversed     bool // letters run from right to left
	backwards    bool // boxes do
	pre          bool
	inline       bool // a block stands in a line
	block        bool // an inline element has lines of its own
	before       string
	after        string
}

func (l *look) add(o look) {
	l.style = l.style&^o.clear | o.style
	l.clear |= o.clear
	l.hidden = l.hidden || o.hidden
	l.ground = l.ground || o.ground
	l.white = l.white || o.white
	l.reversed = l.reversed || o.reversed
	l.backwards = l.backwards || o.backwards
	l.pre = l.pre || o.pre
	l.inline = l.inline || o.inline
	l.block = l.block || o.block
	if o.before != "" {
		l.before = o.before
	}
	if o.after != "" {
		l.after = o.after
	}
}

// A simpleSelector is one step of a selector: an element with a class and an id.
type simpleSelector struct {
	tag     string
	classes []string
	id      string
}

// A cssRule is one selector with what it does.
type cssRule struct {
	steps  []simpleSelector // the last is the element itself, those before are around it
	look   look
	pseudo string // before, after, or ""
}

// maxRules is how many rules with an effect a document may have; of more none is less
// important, so that the last ones are left out.
const maxRules = 2000

// parseCSS reads a style sheet: the rules that change how text is read.
func parseCSS(css string) (rules []cssRule) {
	css = withoutComments(css)
	for len(css) > 0 && len(rules) < maxRules {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return rules
		}
		selector := strings.TrimSpace(css[:open])
		if i := strings.LastIndexAny(selector, ";}"); i >= 0 {
			selector = strings.TrimSpace(selector[i+1:])
		}
		css = css[open+1:]
		if strings.HasPrefix(selector, "@") && !strings.HasPrefix(selector, "@font-face") && !strings.HasPrefix(selector, "@page") {
			continue // what stands in @media and the like counts as if it were outside
		}
		end := endOfBlock(css)
		body := css[:end]
		css = css[min(end+1, len(css)):]
		l := declarations(body)
		if l == (look{}) {
			continue
		}
		for one := range strings.SplitSeq(selector, ",") {
			if r, ok := parseSelector(one); ok {
				r.look = l
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func withoutComments(css string) string {
	if !strings.Contains(css, "/*") {
		return css
	}
	var b strings.Builder
	for {
		i := strings.Index(css, "/*")
		if i < 0 {
			b.WriteString(css)
			return b.String()
		}
		b.WriteString(css[:i])
		j := strings.Index(css[i+2:], "*/")
		if j < 0 {
			return b.String()
		}
		css = css[i+2+j+2:]
	}
}

// endOfBlock is where the brace is that closes a block, quotation marks heeded.
func endOfBlock(css string) int {
	var quote byte
	for i := 0; i < len(css); i++ {
		switch c := css[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote || c == '\n' {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '}':
			return i
		}
	}
	return len(css)
}

func parseSelector(s string) (r cssRule, ok bool) {
	s = strings.TrimSpace(s)
	if i := strings.Index(s, ":"); i >= 0 {
		p := strings.ToLower(strings.Trim(s[i:], ": "))
		switch {
		case strings.HasPrefix(p, "before"), strings.HasPrefix(p, "marker"):
			r.pseudo = "before"
		case strings.HasPrefix(p, "after"):
			r.pseudo = "after"
		case strings.HasPrefix(p, "first-l"), strings.HasPrefix(p, "hover"), strings.HasPrefix(p, "active"), strings.HasPrefix(p, "visited"), strings.HasPrefix(p, "focus"):
			return r, false
		}
		s = s[:i]
	}
	for _, step := range strings.FieldsFunc(s, func(c rune) bool {
		return c == ' ' || c == '>' || c == '+' || c == '~' || c == '\n' || c == '\t' || c == '\r'
	}) {
		if i := strings.IndexByte(step, '['); i >= 0 {
			step = step[:i]
		}
		var c simpleSelector
		for len(step) > 0 {
			n := strings.IndexAny(step[1:], ".#") + 1
			if n <= 0 {
				n = len(step)
			}
			switch name := step[:n]; name[0] {
			case '.':
				c.classes = append(c.classes, name[1:])
			case '#':
				c.id = name[1:]
			case '*':
			default:
				c.tag = strings.ToLower(name)
			}
			step = step[n:]
		}
		r.steps = append(r.steps, c)
	}
	if len(r.steps) == 0 {
		r.steps = []simpleSelector{{}}
	}
	return r, len(r.steps) < 20
}

// An element as selectors see it.
type styled struct {
	tag, class, id string
}

func (c *simpleSelector) fits(e *styled) bool {
	if c.tag != "" && c.tag != e.tag || c.id != "" && c.id != e.id {
		return false
	}
	for _, want := range c.classes {
		if !hasWord(e.class, want) {
			return false
		}
	}
	return true
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// fits says whether a rule concerns an element with those around it, the outermost first.
func (r *cssRule) fits(e *styled, around func(i int) *styled, n int) bool {
	last := len(r.steps) - 1
	if !r.steps[last].fits(e) {
		return false
	}
	for want := last - 1; want >= 0; want-- {
		for n--; n >= 0 && !r.steps[want].fits(around(n)); n-- {
		}
		if n < 0 {
			return false
		}
	}
	return true
}

// declarations reads what stands between braces, or in a style attribute.
func declarations(s string) (l look) {
	rtl, override, overflow, flat := false, false, false, false
	for len(s) > 0 {
		n := endOfDeclaration(s)
		name, value, ok := strings.Cut(s[:n], ":")
		s = s[min(n+1, len(s)):]
		if !ok {
			continue
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "content" {
			l.before = cssString(value)
			l.after = l.before
			continue
		}
		value = strings.ToLower(strings.TrimSpace(strings.Replace(value, "!important", "", 1)))
		switch name {
		case "text-transform":
			l.set(ShownCaps, value == "uppercase")
		case "font-variant", "font-variant-caps":
			l.set(ShownCaps, strings.Contains(value, "caps"))
		case "font":
			l.set(ShownCaps, strings.Contains(value, "small-caps"))
			l.set(Bold, strings.Contains(value, "bold"))
			for f := range strings.FieldsSeq(value) {
				f, _, _ = strings.Cut(f, "/")
				l.size(f)
			}
		case "font-weight":
			n, _ := strconv.Atoi(value)
			l.set(Bold, strings.HasPrefix(value, "bold") || n >= 600)
		case "font-size":
			l.size(value)
		case "text-align":
			l.set(Centred, value == "center")
		case "text-decoration", "text-decoration-line":
			l.set(Struck, strings.Contains(value, "line-through"))
		case "color":
			l.set(Red, isRed(value))
			l.white = isWhite(value)
			l.hidden = l.hidden || value == "transparent"
		case "background", "background-color", "bgcolor":
			l.ground = value != "none" && value != "transparent" && value != "inherit" && !isWhite(value)
		case "display":
			l.hidden = l.hidden || value == "none"
			l.inline = strings.HasPrefix(value, "inline")
			l.block = value == "block" || value == "list-item" || value == "table" || value == "flex" || value == "grid" || value == "table-row"
		case "visibility":
			l.hidden = l.hidden || value == "hidden" || value == "collapse"
		case "opacity":
			f, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
			l.hidden = l.hidden || err == nil && f < 0.05
		case "mso-hide":
			l.hidden = l.hidden || value == "all"
		case "float":
			l.inline = l.inline || value == "left" || value == "right"
			l.backwards = l.backwards || value == "right"
		case "flex-direction", "flex-flow":
			l.backwards = l.backwards || strings.Contains(value, "reverse")
		case "direction":
			rtl = value == "rtl"
		case "unicode-bidi":
			override = strings.Contains(value, "override")
		case "overflow":
			overflow = value == "hidden"
		case "max-height", "height", "max-width", "width", "line-height":
			flat = flat || value == "0" || value == "0px" || value == "0pt"
		case "text-indent", "left", "top", "margin-left", "right":
			f, _ := measure(value)
			l.hidden = l.hidden || f <= -900
		case "white-space":
			l.pre = strings.HasPrefix(value, "pre") || value == "break-spaces"
		}
	}
	l.reversed = rtl && override
	l.hidden = l.hidden || overflow && flat
	return l
}

func (l *look) set(s Style, on bool) {
	if on {
		l.style |= s
	} else {
		l.clear |= s
	}
}

// measure reads the digits at the start of a value, and its unit.
func measure(value string) (float64, string) {
	n := 0
	for n < len(value) && (value[n] >= '0' && value[n] <= '9' || value[n] == '.' || value[n] == '-') {
		n++
	}
	f, err := strconv.ParseFloat(value[:n], 64)
	if err != nil {
		return 0, ""
	}
	return f, strings.TrimSpace(value[n:])
}

func (l *look) size(value string) {
	switch value {
	case "large", "x-large", "xx-large", "xxx-large":
		l.style |= Large
		return
	}
	f, unit := measure(value)
	if unit == "" && f != 0 || len(value) == 0 || value[0] < '0' || value[0] > '9' {
		return
	}
	switch unit {
	case "px":
		l.set(Large, f >= 20)
	case "pt":
		l.set(Large, f >= 15)
	case "em", "rem":
		l.set(Large, f >= 1.3)
	case "%":
		l.set(Large, f >= 130)
	}
	l.hidden = l.hidden || f < 2.1 && (unit == "px" || unit == "pt" || unit == "") || f < 0.2 && (unit == "em" || unit == "rem") || unit == "%" && f < 15
}

func endOfDeclaration(s string) int {
	var quote byte
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ';' && depth <= 0:
			return i
		}
	}
	return len(s)
}

// cssString joins the strings of a content property: "RAH" "SIA", \52 for R; attr(x) is
// kept for who knows the attributes.
func cssString(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == 'a' && strings.HasPrefix(v[i:], "attr(") {
			name, _, _ := strings.Cut(v[i+5:], ")")
			b.WriteString("\x00" + strings.ToLower(strings.TrimSpace(name)) + "\x00")
			i += 5 + len(name)
			continue
		}
		if c != '"' && c != '\'' {
			continue
		}
		for i++; i < len(v) && v[i] != c; i++ {
			if v[i] != '\\' || i+1 >= len(v) {
				b.WriteByte(v[i])
				continue
			}
			n := i + 1
			for n < len(v) && n < i+7 && isHex(v[n]) {
				n++
			}
			if n == i+1 {
				b.WriteByte(v[n])
				i = n
				continue
			}
			r, _ := strconv.ParseInt(v[i+1:n], 16, 32)
			b.WriteRune(rune(r))
			if n < len(v) && v[n] == ' ' {
				n++
			}
			i = n - 1
		}
		if b.Len() > 1000 {
			break
		}
	}
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// colour reads #rgb, #rrggbb and rgb().
func colour(v string) (r, g, b int, ok bool) {
	if strings.HasPrefix(v, "#") {
		v = v[1:]
		if len(v) == 3 {
			v = string([]byte{v[0], v[0], v[1], v[1], v[2], v[2]})
		}
		n, err := strconv.ParseUint(v, 16, 32)
		if err != nil || len(v) != 6 {
			return 0, 0, 0, false
		}
		return int(n >> 16), int(n >> 8 & 255), int(n & 255), true
	}
	rest, ok := strings.CutPrefix(v, "rgb")
	if !ok {
		return 0, 0, 0, false
	}
	rest = strings.Trim(strings.TrimPrefix(rest, "a"), "() ")
	parts := strings.FieldsFunc(rest, func(c rune) bool { return c == ',' || c == ' ' || c == '/' })
	if len(parts) < 3 {
		return 0, 0, 0, false
	}
	r, _ = strconv.Atoi(parts[0])
	g, _ = strconv.Atoi(parts[1])
	b, _ = strconv.Atoi(parts[2])
	return r, g, b, true
}

func isRed(v string) bool {
	switch v {
	case "red", "darkred", "crimson", "firebrick", "maroon":
		return true
	}
	r, g, b, ok := colour(v)
	return ok && r >= 0xb0 && g < 0x50 && b < 0x50
}

func isWhite(v string) bool {
	if v == "white" {
		return true
	}
	r, g, b, ok := colour(v)
	return ok && r >= 0xfa && g >= 0xfa && b >= 0xfa
}

// blocks are elements that end a line; all others join what stands on both sides.
var blocks = map[atom.Atom]bool{}

func init() {
	for _, a := range []atom.Atom{atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Body, atom.Br, atom.Caption,
		atom.Center, atom.Dd, atom.Details, atom.Dialog, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption,
		atom.Figure, atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Head, atom.Header, atom.Hr,
		atom.Html, atom.Legend, atom.Li, atom.Main, atom.Nav, atom.Ol, atom.P, atom.Pre, atom.Section, atom.Xmp, atom.Plaintext, atom.Menu, atom.Hgroup,
		atom.Summary, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Title, atom.Tr, atom.Ul, atom.Textarea, atom.Marquee, atom.Frameset, atom.Iframe, atom.Template} {
		blocks[a] = true
	}
}
