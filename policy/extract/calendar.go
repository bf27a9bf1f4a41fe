package extract

import (
	"io"
	"strings"

	"sampul/internal/message"
)

// readCalendar is iCalendar and vCard: what people write in them.
func readCalendar(w *walker, a at, s *source) {
	for _, text := range readings(s) {
		w.calendar(a, text)
	}
	if plainToo(s) {
		w.lines(a, decode(s, 0))
	}
}

func (w *walker) calendar(a at, text string) {
	out := w.part(a, "calendar")
	for _, l := range unfolded(text) {
		name, value, ok := propertyLine(l)
		if !ok {
			out.add(Unit{Place: Paragraph, Where: "line", Text: l})
			continue
		}
		field, params, _ := strings.Cut(name, ";")
		if i := strings.LastIndexByte(field, '.'); i >= 0 { // of a group
			field = field[i+1:]
		}
		field, upper := strings.ToUpper(field), strings.ToUpper(params)
		raw := value
		if strings.Contains(upper, "QUOTED-PRINTABLE") {
			value = quotedText(value, params)
		}
		for _, p := range calendarParams(params) { // ALTREP, CN, X-FILENAME and the like show
			out.add(Unit{Place: Comment, Where: "parameter of " + label(field), Text: p, Style: Aside})
		}
		switch field {
		case "BEGIN", "END", "VERSION", "PRODID", "UID", "CLASS", "DTSTAMP", "RRULE", "TZID", "TZOFFSETFROM", "TZOFFSETTO", "METHOD", "STATUS":
			continue
		case "SUMMARY", "FN":
			out.add(Unit{Place: Subject, Where: field, Text: unescapeCalendar(value)})
		case "ATTACH", "PHOTO", "LOGO", "SOUND", "KEY", "IMAGE", "STYLED-DESCRIPTION":
			w.attached(a, field, params, raw)
			if field != "STYLED-DESCRIPTION" {
				continue
			}
			fallthrough
		case "X-ALT-DESC":
			w.html(a.in(field), unescapeCalendar(value))
		default:
			text := unescapeCalendar(value)
			if strings.HasPrefix(field, "X-") {
				out.add(Unit{Place: HeaderField, Where: label(field), Text: field + ": " + text})
			}
			for l := range strings.SplitSeq(text, "\n") {
				out.add(Unit{Place: Paragraph, Where: label(field), Text: l})
			}
			if parts := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' }); len(parts) > 1 && len(text) < 2000 {
				for _, p := range parts { // CATEGORIES, ORG, N
					out.add(Unit{Place: ListItem, Where: label(field), Text: p, Style: Aside})
				}
			}
		}
	}
	out.end()
}

// unfolded are the lines of a calendar: one that begins with a blank goes on (RFC 5545
// section 3.1), and one that ends with = in quoted-printable (vCard 2.1).
func unfolded(text string) (out []string) {
	soft := false
	for line := range strings.SplitSeq(lineEnds.Replace(text), "\n") {
		n := len(out)
		switch {
		case n > 0 && soft:
			out[n-1] = strings.TrimSuffix(out[n-1], "=") + strings.TrimLeft(line, " \t")
		case n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")):
			out[n-1] += line[1:]
		case strings.TrimSpace(line) != "":
			out = append(out, line)
		}
		if n = len(out); n > 0 {
			head, _, _ := strings.Cut(out[n-1], ":")
			soft = strings.HasSuffix(line, "=") && strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE")
		}
	}
	return out
}

// propertyLine parts a line at the colon that stands in no quotation marks.
func propertyLine(line string) (name, value string, ok bool) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ':' && !quoted:
			if name = line[:i]; strings.ContainsAny(strings.SplitN(name, ";", 2)[0], " \t") {
				return "", "", false
			}
			return name, line[i+1:], true
		}
	}
	return "", "", false
}

// calendarParams are the values of parameters that people may write.
func calendarParams(params string) (out []string) {
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		switch strings.ToUpper(key) {
		case "CN", "X-FILENAME", "FILENAME", "X-LABEL", "X-TITLE", "LABEL", "ALTREP":
			out = append(out, strings.Trim(value, `"`))
		}
	}
	return out
}

// attached reads a file that stands in a calendar or card.
func (w *walker) attached(a at, field, params, value string) {
	upper := strings.ToUpper(params)
	var s source
	switch {
	case strings.HasPrefix(strings.ToLower(value), "data:"):
		r := htmlReader{w: w, at: a}
		r.uri(value)
		if len(r.data) == 0 {
			return
		}
		s = r.data[0]
	case strings.Contains(upper, "BASE64") || strings.Contains(upper, "ENCODING=B"):
		s.data = looseBase64([]byte(value))
	default:
		return // an address
	}
	for p := range strings.SplitSeq(params, ";") {
		if key, v, _ := strings.Cut(p, "="); strings.HasSuffix(strings.ToUpper(key), "FILENAME") {
			s.name = strings.Trim(v, `"`)
		}
	}
	here := a.in(field)
	w.name(here, s.name)
	if len(s.data) > 0 && w.member(here) && w.spend(int64(len(s.data))) {
		w.file(here, s)
	}
}

func unescapeCalendar(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\:`, ":").Replace(s)
}

// quotedText undoes quoted-printable in a value, in the charset that its parameters name.
func quotedText(value, params string) string {
	raw, err := io.ReadAll(message.NewTransferDecoder("quoted-printable", strings.NewReader(value)))
	if err != nil {
		return value
	}
	charset := ""
	for p := range strings.SplitSeq(params, ";") {
		if key, v, _ := strings.Cut(p, "="); strings.EqualFold(key, "charset") {
			charset = v
		}
	}
	return message.DecodeCharset(charset, raw)
}
