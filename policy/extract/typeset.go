package extract

import (
	"regexp"
	"strings"
)

var (
	texBlock   = regexp.MustCompile(`\\(?:begin|end)\s*\{[^{}]*\}(?:\[[^\]]*\])?`)
	texBreak   = regexp.MustCompile(`\\\\(?:\[[^\]]*\])?|\\(?:par|newline|linebreak|newpage|clearpage|hfill|quad|qquad|item)\b`)
	texCommand = regexp.MustCompile(`\\[A-Za-z@]+\*?(?:\[[^\]]*\])?`)
	texComment = regexp.MustCompile(`(?m)(^|[^\\])%.*$`)
	texSigns   = strings.NewReplacer("{", "", "}", "", "~", " ", "$", "", `\ `, " ", `\,`, "", `\/`, "", `\-`, "")
)

// readTeX gives the lines of a TeX document as they are set, and as they are written.
func readTeX(w *walker, a at, s *source) {
	for _, text := range readings(s) {
		shown := texComment.ReplaceAllString(text, "$1")
		shown = texBlock.ReplaceAllString(shown, "\n")
		shown = texBreak.ReplaceAllString(shown, "\n")
		shown = texSigns.Replace(texCommand.ReplaceAllString(shown, ""))
		w.lines(a, shown)
		w.lines(a, text)
	}
}

// moves are operators of PostScript that go on elsewhere on the page.
var moves = map[string]bool{"moveto": true, "rmoveto": true, "showpage": true, "translate": true, "grestore": true, "restore": true,
	"newpath": true, "m": true, "M": true, "rm": true, "td": true, "Td": true}

// readPostScript gives the texts that a document shows, a line for each place on the page,
// and all of it as it is written.
func readPostScript(w *walker, a at, s *source) {
	text := decode(s, 0)
	out := w.part(a, "postscript")
	var line strings.Builder
	flush := func() {
		if t := strings.TrimSpace(line.String()); t != "" {
			out.add(Unit{Place: Paragraph, Where: "text", Text: t})
		}
		line.Reset()
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '%':
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				n = len(text) - i
			}
			i += n
		case c == '(':
			shown, end := psString(text[i:])
			line.WriteString(shown)
			i += end
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			end := i
			for end < len(text) && (text[end]|0x20 >= 'a' && text[end]|0x20 <= 'z') {
				end++
			}
			if moves[text[i:end]] {
				flush()
			}
			i = end
		default:
			i++
		}
	}
	flush()
	out.end()
	w.lines(a, text)
}

// psString is the string in brackets that text begins with, and where it ends.
func psString(text string) (shown string, end int) {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '(':
			if depth++; depth > 1 {
				b.WriteByte(c)
			}
		case ')':
			if depth--; depth == 0 {
				return b.String(), i + 1
			}
			b.WriteByte(c)
		case '\\':
			n, value := 0, 0
			for n < 3 && i+1+n < len(text) && text[i+1+n] >= '0' && text[i+1+n] <= '7' {
				value = value*8 + int(text[i+1+n]-'0')
				n++
			}
			if n > 0 {
				b.WriteByte(byte(value))
				i += n
			} else if i+1 < len(text) {
				if i++; text[i] != '\n' && text[i] != '\r' {
					b.WriteByte(text[i])
				}
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(text)
}
