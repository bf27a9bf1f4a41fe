package extract

import (
	"regexp"
	"strings"
)

// A bodyLine is a line of a body, with how deep in quotations it stands.
type bodyLine struct {
	Unit
	depth int
	soft  bool // it goes on in the next line (RFC 3676)
}

// maxBlocks is how many quoted blocks one body may have.
const maxBlocks = 5000

// A threader sorts the lines of a body: what its writer wrote, what he quotes, what he
// forwards. Each is a part with its own first and last lines. Answers between the lines
// of a quotation do not cut it.
type threader struct {
	w      *walker
	a      at
	kind   string
	parts  []*writer
	open   []*writer // by depth; nil where a new one must begin
	signed []int     // of parts: where "-- " stood, -1 for nowhere
}

func (w *walker) thread(a at, kind string, lines []bodyLine) {
	t := &threader{w: w, a: a, kind: kind}
	for i := 0; i < len(lines); {
		i += t.line(lines, i)
	}
	for i, p := range t.parts {
		signOff(p.part.Units, t.signed[i])
		joinRows(p)
		p.end()
	}
}

// at is the part for lines of a depth.
func (t *threader) at(depth int) *writer {
	depth = min(depth, 63)
	for len(t.open) <= depth {
		t.open = append(t.open, nil)
	}
	if t.open[depth] == nil {
		if len(t.parts) >= maxBlocks {
			t.w.exceed(t.a, t.kind, "more quotations than can be looked at")
			return t.parts[len(t.parts)-1]
		}
		path := t.w.pathOf(t.a)
		if len(t.parts) > 0 {
			path += " > quoted"
		}
		t.open[depth] = t.w.part(at{path, t.a.depth}, t.kind)
		t.parts = append(t.parts, t.open[depth])
		t.signed = append(t.signed, -1)
	}
	return t.open[depth]
}

// cut lets a new part begin at a depth, and below it.
func (t *threader) cut(depth int) {
	for d := min(depth, 63); d < len(t.open); d++ {
		t.open[d] = nil
	}
}

// line takes in one line, or the lines of a block of addresses, and says how many.
func (t *threader) line(lines []bodyLine, i int) int {
	l := &lines[i]
	if isForwardLine(l.Text) {
		t.cut(l.depth)
		return 1
	}
	if n, mailed := addressBlock(lines, i); n > 0 {
		p := t.at(l.depth)
		if mailed || counted(p.part.Units) > 4 {
			if len(p.part.Units) > 0 {
				t.cut(l.depth)
				p = t.at(l.depth)
			}
		}
		for j := i; j < i+n; j++ {
			t.address(p, lines[j].Unit)
		}
		return n
	}
	p := t.at(l.depth)
	if text := strings.TrimSpace(l.Text); text == "--" {
		for k := range t.parts {
			if t.parts[k] == p {
				t.signed[k] = len(p.part.Units)
			}
		}
		return 1
	}
	if attribution.MatchString(l.Text) { // what it introduces is a quotation of its own
		t.cut(l.depth + 1)
	}
	p.add(l.Unit)
	if l.soft {
		u := l.Unit
		if u.Text = flowed(lines, i); u.Text != l.Text {
			u.Style |= Aside
			p.add(u)
		}
	}
	return 1
}

// address adds a line of a block of addresses; its subject is one.
func (t *threader) address(p *writer, u Unit) {
	u.Style |= Aside
	p.add(u)
	if name, value := forwardField(u.Text); (name == "subject" || name == "perkara" || name == "tajuk") && value != "" {
		p.add(Unit{Place: Subject, Where: "subject of a quoted message, " + u.Where, Text: value, Style: Aside})
	}
}

func counted(units []Unit) (n int) {
	for i := range units {
		if units[i].Style&Aside == 0 {
			n++
		}
	}
	return n
}

var attribution = regexp.MustCompile(`(?i)(?:\b(?:wrote|writes|menulis|berkata|schrieb|tulis)\b[^:]{0,40}|<\S+@\S+>\s*):?\s*$`)

var forwardLines = []string{"original message", "mesej asal", "forwarded message", "mesej dimajukan", "mesej yang dimajukan",
	"begin forwarded message", "e-mel asal", "emel asal", "pesan asal", "mesej yang dipanjangkan", "mesej dipanjangkan",
	"original appointment", "temu janji asal", "forwarded by", "reply message", "mesej terdahulu", "surat asal", "e-mel dimajukan",
	"emel dimajukan", "e-mel yang dimajukan", "emel yang dimajukan", "forwarded e-mail", "forwarded email", "forward message",
	"original e-mail", "original email", "isi asal", "mesej diteruskan", "pesan terusan", "pesan yang diteruskan"}

func isForwardLine(line string) bool {
	if !strings.ContainsAny(line, "-_=*:>") {
		return false
	}
	t := strings.ToLower(strings.Trim(line, " -_=*:>\t"))
	if len(t) > 60 || t == "" {
		return false
	}
	for _, f := range forwardLines {
		if t == f || f == "forwarded by" && strings.HasPrefix(t, f) {
			return true
		}
	}
	return false
}

// forwardFields are those that head a forwarded message or a memorandum: who, when, what.
var forwardFields = map[string]string{"from": "who", "dari": "who", "daripada": "who", "pengirim": "who", "sender": "who",
	"to": "whom", "kepada": "whom", "ke": "whom", "penerima": "whom", "cc": "more", "sk": "more", "s.k.": "more", "salinan": "more", "bcc": "more", "reply-to": "more",
	"sent": "sent", "dihantar": "sent", "tarikh": "when", "date": "when", "subject": "what", "perkara": "what", "tajuk": "what",
	"importance": "more", "kepentingan": "more", "attachments": "more", "lampiran": "more", "rujukan": "more", "ruj": "more"}

// forwardField is the name of such a field, in lower case, and what it says.
func forwardField(line string) (name, value string) {
	name, value, ok := strings.Cut(strings.Trim(line, "*_ \t"), ":")
	if !ok || len(name) > 20 {
		return "", ""
	}
	name = strings.ToLower(strings.Trim(name, "*_ \t"))
	if forwardFields[name] == "" {
		return "", ""
	}
	return name, strings.Trim(value, "*_ \t")
}

var clockTime = regexp.MustCompile(`\d{1,2}[:.]\d{2}`)

// addressBlock says how many lines from i on are a block of addresses; mailed that it is
// that of a message, and not of a memorandum.
func addressBlock(lines []bodyLine, i int) (n int, mailed bool) {
	if name, _ := forwardField(lines[i].Text); name == "" {
		return 0, false
	}
	seen := map[string]bool{}
	empty := false
	j := i
	for ; j < len(lines) && j < i+16 && lines[j].depth == lines[i].depth; j++ {
		name, value := forwardField(lines[j].Text)
		switch {
		case name != "":
			seen[forwardFields[name]] = true
			empty = value == ""
			mailed = mailed || strings.Contains(value, "@") || forwardFields[name] == "sent" || forwardFields[name] == "when" && clockTime.MatchString(value)
			continue
		case empty && len(lines[j].Text) < 200: // the value stands in the next line or cell
			mailed = mailed || strings.Contains(lines[j].Text, "@")
			empty = false
			continue
		}
		break
	}
	if !seen["who"] && !seen["whom"] || len(seen) < 2 {
		return 0, false
	}
	return j - i, mailed
}

// A signature or disclaimer is at most so many lines long.
const maxSignature = 18

var (
	closing = regexp.MustCompile(`(?i)^\W*(?:sekian\b.{0,40}|terima kasih\W*(?:dan\b.*)?|yang (?:benar|ikhlas|menjalankan amanah|menurut perintah)|saya (?:yang )?(?:menjalankan amanah|menurut perintah).*|` +
		`salam(?: hormat| sejahtera| takzim)?|wassalam.*|(?:best |kind |warm |with )?regards|sincerely|yours (?:faithfully|sincerely|truly)|sincerely yours|thank you|thanks|many thanks|cheers|` +
		`dihantar dari(?:pada)? .{0,40}|sent from my .{0,40}|get outlook for .*|b\.?p\.?)\W*$`)
	disclaimer = regexp.MustCompile(`(?i)^\W*(?:penafian|disclaimer|confidentiality (?:notice|statement)|notis (?:kerahsiaan|penafian|privasi)|privacy notice|important notice|notis penting|` +
		`(?:this|the) (?:e-?mail|message|communication)(?: message)?,? (?:and|including|is|may|contains?|transmission)\b|(?:e-?mel|mesej) ini,? (?:dan|serta|adalah|mengandungi|mungkin|termasuk)\b|` +
		`_{8,}|={8,}|\*{8,})`)
)

// signOff marks the lines of a signature and of a disclaimer at the end of a part.
func signOff(units []Unit, signed int) {
	from := len(units)
	if signed >= 0 && len(units)-signed <= maxSignature {
		from = signed
	}
	for i := max(0, len(units)-maxSignature); i < from; i++ {
		if u := &units[i]; i > 0 && len(u.Text) < 400 && (closing.MatchString(u.Text) || disclaimer.MatchString(u.Text)) {
			from = i
		}
	}
	for i := from; i < len(units); i++ {
		units[i].Style |= Aside
	}
}

// flowed is the paragraph that soft line ends make from line i on, where it is as short as
// a mark: "RAHSIA " and "BESAR"; "" for none.
func flowed(lines []bodyLine, i int) string {
	text := strings.TrimSpace(lines[i].Text)
	for j := i + 1; lines[j-1].soft; j++ {
		if j == len(lines) || lines[j].depth != lines[i].depth || len(text) > 60 {
			break
		}
		text += " " + strings.TrimSpace(lines[j].Text)
	}
	if len(text) > 60 {
		return ""
	}
	return text
}

// joinRows adds what a row of narrow cells shows together: "RAH" beside "SIA". No cell of
// such a row is long enough for a class of its own.
func joinRows(p *writer) {
	units := p.part.Units
	for i := 0; i < len(units); {
		u := units[i]
		j := i
		var text strings.Builder
		narrow := true
		for ; j < len(units) && units[j].Place == Cell && units[j].List == u.List && units[j].Row == u.Row; j++ {
			narrow = narrow && len(units[j].Text) <= 5 && len(strings.Fields(units[j].Text)) == 1
			text.WriteString(units[j].Text)
		}
		if j-i >= 2 && j-i <= 12 && narrow && text.Len() >= 5 && text.Len() <= 40 {
			p.add(Unit{Place: Stamp, Where: "cells of one row, " + u.Where, Text: text.String(), Style: Aside})
		}
		i = max(j, i+1)
	}
}

func (w *walker) pathOf(a at) string {
	if a.path == "" {
		return "body"
	}
	return a.path
}
