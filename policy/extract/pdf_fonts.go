package extract

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

const (
	maxFonts    = 300       // of a document are looked at
	maxCodes    = 2_000_000 // in their tables, in all
	maxFontFile = 8 << 20   // octets of one
)

// A pdfHonesty looks for fonts whose tables say that letters are others than their glyphs
// are called, and writes a copy of the document in which they do not.
type pdfHonesty struct {
	v       *pdfFileView
	fonts   int
	codes   int // seen in tables
	next    int // number for a new object
	streams []string
	changed map[int]bool
}

// honest gives a copy of the file b, nil when its fonts are as they say.
func (v *pdfFileView) honest(b []byte) []byte {
	h := &pdfHonesty{v: v, changed: map[int]bool{}}
	for n := range v.objects {
		h.next = max(h.next, n+1)
	}
	first := h.next
	for _, n := range v.order {
		if o := v.objects[n]; o.dict != nil && h.look(o.dict, 0) {
			h.changed[n] = true
		}
	}
	if len(h.changed) == 0 || !v.d.more() {
		return nil
	}
	// Without a table of its own what is added makes PDFium look for all objects, of which
	// the last counts.
	out := bytes.NewBuffer(bytes.ReplaceAll(b, []byte("startxref"), []byte("startxxxx")))
	for _, n := range slices.Sorted(maps.Keys(h.changed)) {
		o := v.objects[n]
		fmt.Fprintf(out, "\n%d 0 obj\n", n)
		pdfWrite(out, o.dict)
		if o.stream != nil {
			fmt.Fprintf(out, "\nstream\n%s\nendstream", o.stream)
		}
		out.WriteString("\nendobj\n")
	}
	for i, s := range h.streams {
		fmt.Fprintf(out, "\n%d 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n", first+i, len(s), s)
	}
	for _, t := range v.trailers {
		if root, ok := t["Root"].(pdfRef); ok {
			fmt.Fprintf(out, "\ntrailer\n<< /Size %d /Root %d 0 R >>\n", h.next, int(root))
			break
		}
	}
	out.WriteString("%%EOF\n")
	return out.Bytes()
}

// look goes through an object for fonts, and says whether it changed one.
func (h *pdfHonesty) look(x pdfValue, depth int) (changed bool) {
	if depth > 12 || h.fonts > maxFonts {
		return false
	}
	switch x := x.(type) {
	case []pdfValue:
		for _, y := range x {
			switch y.(type) {
			case pdfDict, []pdfValue:
				changed = h.look(y, depth+1) || changed
			}
		}
	case pdfDict:
		if x.name("Type") == "Font" || x["BaseFont"] != nil || x["CharProcs"] != nil {
			return h.font(x)
		}
		for _, y := range x {
			switch y.(type) {
			case pdfDict, []pdfValue:
				changed = h.look(y, depth+1) || changed
			}
		}
	}
	return changed
}

// font gives a font that lies another table.
func (h *pdfHonesty) font(f pdfDict) bool {
	wide := f.name("Subtype") == "Type0"
	if f["ToUnicode"] == nil && !wide || !h.v.d.more() {
		return false
	}
	h.fonts++
	said := h.table(f["ToUnicode"])
	var called map[int]rune
	if wide {
		called = h.wideFont(f)
	} else {
		called = h.simpleFont(f)
	}
	lies := false
	for code, r := range called {
		if s, ok := said[code]; !ok && wide || ok && !pdfSameLetter(s, r) {
			lies = true
			said[code] = string(r)
		}
	}
	if !lies {
		return false
	}
	f["ToUnicode"] = pdfRef(h.next)
	h.next++
	h.streams = append(h.streams, pdfTable(said, wide))
	return true
}

func pdfSameLetter(s string, r rune) bool {
	return strings.EqualFold(strings.TrimSpace(norm.NFKC.String(s)), string(r))
}

// table reads ToUnicode: strings by code.
func (h *pdfHonesty) table(x pdfValue) map[int]string {
	out := map[int]string{}
	r, ok := x.(pdfRef)
	if !ok {
		return out
	}
	data, _ := h.v.decode(h.v.objects[int(r)])
	code := func(v pdfValue) (int, bool) {
		s, ok := v.(pdfString)
		n := 0
		for _, c := range s {
			n = n<<8 | int(c)
		}
		return n, ok && len(s) > 0 && len(s) <= 2
	}
	text := func(v pdfValue, plus int) string {
		s, _ := v.(pdfString)
		if s = slices.Clone(s); len(s) > 0 {
			if n := int(s[len(s)-1]) + plus; len(s) > 1 {
				s[len(s)-2] += byte(n >> 8)
				s[len(s)-1] = byte(n)
			} else {
				s = pdfString{byte(n >> 8), byte(n)}
			}
		}
		return pdfString("\xfe\xff" + string(s)).text()
	}
	sections(data, "beginbfchar", "endbfchar", func(p *pdfParser) {
		for p.i < len(p.b) && h.codes < maxCodes {
			h.codes++
			c, ok := code(p.value())
			if v := p.value(); ok {
				out[c] = text(v, 0)
			}
			p.blanks()
		}
	})
	sections(data, "beginbfrange", "endbfrange", func(p *pdfParser) {
		for p.i < len(p.b) && h.codes < maxCodes {
			lo, ok1 := code(p.value())
			hi, ok2 := code(p.value())
			v := p.value()
			list, isList := v.([]pdfValue)
			for c := lo; ok1 && ok2 && c <= hi && h.codes < maxCodes; c++ {
				h.codes++
				switch {
				case !isList:
					out[c] = text(v, c-lo)
				case c-lo < len(list):
					out[c] = text(list[c-lo], 0)
				}
			}
			p.blanks()
		}
	})
	return out
}

func sections(b []byte, from, to string, f func(p *pdfParser)) {
	for range 2000 {
		_, rest, ok := bytes.Cut(b, []byte(from))
		if !ok {
			return
		}
		body, rest, _ := bytes.Cut(rest, []byte(to))
		f(&pdfParser{b: body, steps: maxPDFValues})
		b = rest
	}
}

// pdfTable writes ToUnicode.
func pdfTable(m map[int]string, wide bool) string {
	var b strings.Builder
	width := 2
	if wide {
		width = 4
	}
	b.WriteString("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def 1 begincodespacerange <")
	b.WriteString(strings.Repeat("0", width) + "> <" + strings.Repeat("F", width) + "> endcodespacerange\n")
	for some := range slices.Chunk(slices.Sorted(maps.Keys(m)), 100) {
		fmt.Fprintf(&b, "%d beginbfchar\n", len(some))
		for _, c := range some {
			fmt.Fprintf(&b, "<%0*X> <", width, c)
			for _, u := range utf16.Encode([]rune(m[c])) {
				fmt.Fprintf(&b, "%04X", u)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap end end")
	return b.String()
}

// simpleFont gives the letters of a font of one octet a code, by the names of its glyphs.
func (h *pdfHonesty) simpleFont(f pdfDict) map[int]rune {
	out := map[int]rune{}
	ascii := func() {
		for c := 'A'; c <= 'z'; c++ {
			if c <= 'Z' || c >= 'a' {
				out[int(c)] = c
			}
		}
	}
	descriptor, _ := h.v.direct(f["FontDescriptor"]).(pdfDict)
	embedded := descriptor["FontFile"] != nil || descriptor["FontFile2"] != nil || descriptor["FontFile3"] != nil
	symbolic := strings.Contains(f.name("BaseFont"), "Symbol") || strings.Contains(f.name("BaseFont"), "Dingbats")
	switch enc := h.v.direct(f["Encoding"]).(type) {
	case pdfName:
		if strings.HasSuffix(string(enc), "Encoding") && enc != "MacExpertEncoding" {
			ascii()
		}
	case pdfDict:
		if base := enc.name("BaseEncoding"); base != "" && base != "MacExpertEncoding" || !embedded && !symbolic && f["CharProcs"] == nil {
			ascii()
		} else {
			h.builtIn(descriptor, out)
		}
		list, _ := h.v.direct(enc["Differences"]).([]pdfValue)
		code := 0
		for _, x := range list {
			switch x := h.v.direct(x).(type) {
			case float64:
				code = int(x)
			case pdfName:
				delete(out, code)
				if r, ok := pdfLetterOf(string(x)); ok {
					out[code] = r
				}
				code++
			}
		}
	default:
		if embedded {
			h.builtIn(descriptor, out)
		} else if !symbolic && f["CharProcs"] == nil {
			ascii()
		}
	}
	return out
}

// builtIn reads the encoding in a Type 1 font, or what the glyphs of a TrueType font are called.
func (h *pdfHonesty) builtIn(descriptor pdfDict, out map[int]rune) {
	if data := h.fontFile(descriptor, "FontFile"); data != nil {
		head, _, _ := bytes.Cut(data, []byte("eexec"))
		for _, l := range bytes.Split(head, []byte("dup "))[1:] {
			f := bytes.Fields(l[:min(len(l), 60)])
			if len(f) < 2 || f[1][0] != '/' {
				continue
			}
			if c, err := strconv.Atoi(string(f[0])); err == nil && c >= 0 && c < 256 {
				if r, ok := pdfLetterOf(string(f[1][1:])); ok {
					out[c] = r
				}
			}
		}
	}
	if data := h.fontFile(descriptor, "FontFile2"); data != nil {
		s := sfntOf(data)
		names := s.names()
		for c, g := range s.codes() {
			if r, ok := names[g]; ok {
				out[c] = r
			}
		}
	}
}

// wideFont gives the letters of a font of two octets a code that are numbers of its glyphs.
func (h *pdfHonesty) wideFont(f pdfDict) map[int]rune {
	if enc, _ := h.v.direct(f["Encoding"]).(pdfName); enc != "Identity-H" && enc != "Identity-V" {
		return nil
	}
	list, _ := h.v.direct(f["DescendantFonts"]).([]pdfValue)
	if len(list) == 0 {
		return nil
	}
	font, _ := h.v.direct(list[0]).(pdfDict)
	descriptor, _ := h.v.direct(font["FontDescriptor"]).(pdfDict)
	var glyphs map[int]rune
	if data := h.fontFile(descriptor, "FontFile2"); data != nil {
		glyphs = sfntOf(data).letters()
	} else if data := h.fontFile(descriptor, "FontFile3"); data != nil {
		if s := sfntOf(data); s["CFF "] != nil {
			data = s["CFF "]
			glyphs = s.letters()
		}
		if len(glyphs) == 0 {
			glyphs = cffLetters(data)
		}
	}
	to, is := font["CIDToGIDMap"].(pdfRef)
	if !is {
		return glyphs
	}
	out := map[int]rune{}
	m, _ := h.v.decode(h.v.objects[int(to)])
	if len(m) == 0 {
		return glyphs
	}
	for c := 0; 2*c+1 < len(m); c++ {
		if r, ok := glyphs[int(m[2*c])<<8|int(m[2*c+1])]; ok {
			out[c] = r
		}
	}
	return out
}

func (h *pdfHonesty) fontFile(descriptor pdfDict, key string) []byte {
	r, ok := descriptor[key].(pdfRef)
	if !ok {
		return nil
	}
	o := h.v.objects[int(r)]
	if len(o.stream) > maxFontFile {
		return nil
	}
	data, _ := h.v.decode(o)
	return data
}

// pdfLetterOf is the Latin letter that a glyph is called by.
func pdfLetterOf(name string) (rune, bool) {
	if i := strings.IndexByte(name, '.'); i > 0 { // A.sc
		name = name[:i]
	}
	if s, ok := strings.CutPrefix(name, "uni"); ok && len(s) == 4 {
		if v, err := strconv.ParseUint(s, 16, 16); err == nil {
			name = string(rune(v))
		}
	}
	if len(name) == 1 && (name[0] >= 'A' && name[0] <= 'Z' || name[0] >= 'a' && name[0] <= 'z') {
		return rune(name[0]), true
	}
	return 0, false
}
