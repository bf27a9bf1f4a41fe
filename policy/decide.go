package policy

import (
	"fmt"
	"strings"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// basis is what a verdict rests on; it stays in this room.
type basis struct {
	found    mark.Verdict
	gaps     []extract.Gap
	declared bool // a suspicion that the sender declared away
}

// decide applies the table of classes and directions (classification.md section 6).
func (e *Engine) decide(v *Verdict, m *Mail, dirs []Direction, from sender) {
	if v.Class != Terbuka && v.Class < Uninspectable && v.found.English && !from.gov {
		// Banks and lawyers head their letters so: no official mark (section 6).
		v.Class = Terbuka
	}
	for i, d := range dirs {
		a := v.action(d)
		v.Actions = append(v.Actions, a)
		if i == 0 || a > v.Action {
			v.Action, v.Direction = a, d
		}
	}
	if v.Action == Tag {
		v.TagHeaders = v.tag()
	}
	if v.Action >= SecureLink {
		v.refuse(e.o.Guidance(agencyOf(m, from)))
	}
}

// action is one cell of the table.
func (v *Verdict) action(d Direction) Action {
	outside := d == In || d == InGov
	switch {
	case v.Class >= Rahsia:
		return Reject
	case v.Class == Uninspectable:
		if d == In && v.onList() {
			return Tag
		}
		return Reject
	case v.Class > Terbuka:
		switch d {
		case Internal, Across:
			return SecureLink
		case In:
			return Tag
		}
		return Reject
	case v.Suspicion > Terbuka && v.found.Declared && !v.found.Proven && d != Relay:
		v.declared = true
		return Accept
	case v.Suspicion > Terbuka:
		if outside {
			return Tag
		}
		return Reject
	}
	return Accept
}

// onList says whether all that cannot be read is of the kinds that citizens and banks
// send: encrypted mail.
func (v *Verdict) onList() bool {
	for _, g := range v.gaps {
		if g.Reason != extract.Locked || g.Kind != "pgp" && g.Kind != "s/mime" && g.Kind != "pdf" {
			return false
		}
	}
	return true
}

// notable says whether an incident is to be recorded.
func (v *Verdict) notable() bool { return v.Action != Accept || v.declared }

func (v *Verdict) tag() []byte {
	class := v.Class
	if class == Terbuka {
		return fmt.Appendf(nil, "X-Sampul-Suspicion: %s\r\n", v.Suspicion)
	}
	return fmt.Appendf(nil, "X-Sampul-Class: %s\r\n", class)
}

// reason is the evidence that decided.
func (v *Verdict) reason() Evidence {
	want := v.Class
	if want == Terbuka {
		want = v.Suspicion
	}
	var best Evidence
	for _, ev := range v.Evidence {
		if ev.Class == want && (ev.Class == Uninspectable || ev.Weight > best.Weight) {
			best = ev
			if ev.Class == Uninspectable {
				break
			}
		}
	}
	return best
}

// maxText is what fits, with code and number, into one reply of 400 octets.
const maxText = 380

// refuse words the refusal: Malay first, then English, ASCII, with the incident's number.
// It says where the mark stands and what to do, never what stands around it.
func (v *Verdict) refuse(guidance string) {
	ev := v.reason()
	malay, eng := partOf(ev)
	number := ""
	if v.Incident != "" {
		number = " (insiden " + v.Incident + ")"
	}
	v.Code, v.Enhanced = 550, "5.7.1"
	var text string
	switch {
	case v.Class >= Rahsia:
		text = fmt.Sprintf("Disekat: %s bertanda %s%s. E-mel tidak boleh membawanya. Blocked: %s is marked %s; mail must not carry it.",
			malay, v.Class, number, eng, v.Class)
	case v.Class == Uninspectable:
		v.Enhanced = "5.7.0"
		text = fmt.Sprintf("Disekat: %s tidak dapat dibaca%s. Hantar salinan terbuka atau pautan selamat. Blocked: %s cannot be read; send an open copy or a secure link.",
			malay, number, eng)
	case v.Class > Terbuka:
		v.Enhanced = "5.7.0"
		text = fmt.Sprintf("Disekat: %s bertanda %s%s. Guna pautan selamat, bukan e-mel. Blocked: %s is marked %s; use a secure link, not mail.",
			malay, v.Class, number, eng, v.Class)
		if guidance != "" {
			text += " " + guidance
		}
	default:
		v.Enhanced = "5.7.0"
		text = fmt.Sprintf("Disekat: %s mungkin bertanda %s%s. Jika terbuka, hantar semula dengan [TERBUKA] dalam subjek. Blocked: %s may be marked %s; if it is open, send again with [TERBUKA] in the subject.",
			malay, v.Suspicion, number, eng, v.Suspicion)
	}
	v.Text = ascii(text, maxText)
}

// partOf names what carries the mark, for people.
func partOf(ev Evidence) (malay, english string) {
	p := ev.Path
	switch {
	case ev.Where == "subject":
		return "subjek", "the subject"
	case p == "" || p == "body" || strings.HasPrefix(p, "body >"):
		return "kandungan", "the text"
	case p == "header":
		return "pengepala", "a header field"
	}
	p = short(p)
	return strings.Replace(p, "attachment", "lampiran", 1), p
}

// short keeps the beginning and the end of a path through containers.
func short(p string) string {
	p = ascii(strings.NewReplacer(`"`, "", "<", "", ">", "/", `\`, "").Replace(p), 4000)
	if len(p) > 70 {
		return p[:35] + "..." + p[len(p)-30:]
	}
	return p
}

// ascii makes one line of printable ASCII of s, n octets at most.
func ascii(s string, n int) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			r = '?'
		}
		b = append(b, byte(r))
	}
	if len(b) > n {
		b = append(b[:n-3], "..."...)
	}
	return string(b)
}
