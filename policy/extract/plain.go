package extract

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// readText gives lines. Quoted and forwarded blocks are parts of their own; a signature
// does not count among the last lines.
func readText(w *walker, a at, s *source) {
	for _, text := range readings(s) {
		w.bodyLines(a, text, s.flowed)
	}
	w.uuencoded(a, s.data)
}

// quoteDepth is how many > stand before a line.
func quoteDepth(line string) (int, string) {
	depth := 0
	for {
		rest := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(rest, ">") {
			if depth == 0 {
				return 0, line
			}
			return depth, strings.TrimPrefix(line, " ")
		}
		depth++
		line = rest[1:]
	}
}

// lineEnds are what ends a line on some system, made the same. A form feed ends a page.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n", "\v", "\n", "\f", "\n\f")

// lines reads a text as a person would.
func (w *walker) lines(a at, text string) { w.bodyLines(a, text, false) }

func (w *walker) bodyLines(a at, text string, flowed bool) {
	if strings.IndexByte(text, 0x1b) >= 0 || strings.IndexByte(text, '\b') >= 0 {
		text = shown(text)
	}
	if w.dull(text) {
		return
	}
	var all []bodyLine
	n, page := 0, 0
	if strings.IndexByte(text, '\f') >= 0 {
		page = 1
	}
	for line := range strings.SplitSeq(lineEnds.Replace(text), "\n") {
		if n++; len(all) > w.b.Units {
			break
		}
		if strings.HasPrefix(line, "\f") {
			page++
			line = line[1:]
		}
		depth, bare := quoteDepth(line)
		soft := flowed && strings.HasSuffix(bare, " ") && bare != "-- "
		bare = strings.TrimRight(bare, " \t")
		if bare == "" {
			continue
		}
		all = append(all, bodyLine{Unit: Unit{Place: Paragraph, Where: fmt.Sprint("line ", n), Text: bare, Page: page}, depth: depth, soft: soft})
	}
	w.thread(a, "text", all)
}

// shown is a text without what a terminal or printer acts upon: colours, overstriking.
func shown(text string) string {
	if strings.IndexByte(text, 0x1b) < 0 && strings.IndexByte(text, '\b') < 0 {
		return text
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == 0x1b && i+1 < len(text) && text[i+1] == '[':
			for i += 2; i < len(text) && (text[i] < 0x40 || text[i] > 0x7e); i++ {
			}
		case c == 0x1b:
		case c == '\b' && len(out) > 0:
			if i+1 < len(text) && text[i+1] == '_' { // underlined
				i++
				continue
			}
			_, n := utf8.DecodeLastRune(out)
			out = out[:len(out)-n]
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// uuencoded reads files that stand in a text as before MIME.
func (w *walker) uuencoded(a at, b []byte) {
	for n := 1; n <= 100; n++ {
		i := bytes.Index(b, []byte("begin "))
		if i < 0 {
			return
		}
		start := i == 0 || b[i-1] == '\n'
		b = b[i+6:]
		head, rest, ok := bytes.Cut(b, []byte("\n"))
		mode, name, named := strings.Cut(strings.TrimSpace(string(head)), " ")
		if !start || !ok || !named || len(mode) < 3 || len(mode) > 4 || strings.Trim(mode, "01234567") != "" {
			continue
		}
		data, used := uudecode(rest)
		if len(data) == 0 {
			continue
		}
		b = rest[used:]
		here := a.in("file " + quoted(name))
		w.name(here, name)
		if !w.member(here) || !w.spend(int64(len(data))) {
			return
		}
		w.file(here, source{name: name, data: data})
	}
}

// uudecode reads lines up to "end", or to one that is none.
func uudecode(b []byte) (out []byte, used int) {
	for used < len(b) {
		line, _, _ := bytes.Cut(b[used:], []byte("\n"))
		text := bytes.TrimRight(line, "\r")
		if len(text) == 0 || text[0] < ' ' || text[0] > '`' || string(text) == "end" {
			break
		}
		used = min(used+len(line)+1, len(b))
		n := int(text[0]-' ') & 63
		if n == 0 {
			break
		}
		for text = text[1:]; n > 0; text = text[min(4, len(text)):] {
			var q [4]byte
			for k := range q {
				if k < len(text) {
					q[k] = (text[k] - ' ') & 63
				}
			}
			three := []byte{q[0]<<2 | q[1]>>4, q[1]<<4 | q[2]>>2, q[2]<<6 | q[3]}
			out = append(out, three[:min(n, 3)]...)
			if n -= 3; len(text) == 0 {
				break
			}
		}
	}
	return out, used
}

// readEnriched is text/enriched (RFC 1896), and richtext before it: like HTML, but for
// its line ends.
func readEnriched(w *walker, a at, s *source) {
	text := strings.ReplaceAll(decode(s, 0), "\r\n", "\n")
	text = enrichedParam.ReplaceAllString(text, "")
	text = strings.NewReplacer("<<", "&lt;", "&", "&amp;", "<lt>", "&lt;", "<nl>", "<br>", "<np>", "<br>", "<paragraph>", "<p>", "<bold>", "<b>", "</bold>", "</b>",
		"<center>", "<center>", "\n\n", "<br>\n", "<nofill>", "<pre>", "</nofill>", "</pre>", "<verbatim>", "<pre>", "</verbatim>", "</pre>").Replace(text)
	w.html(a, text)
	w.lines(a, decode(s, 0))
}

var enrichedParam = regexp.MustCompile(`(?is)<param>.*?</param>`)
