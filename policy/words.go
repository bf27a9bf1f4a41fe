package policy

import (
	"fmt"
	"strings"
)

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
	if v.by.kind != byClass {
		v.refuseFor(v.by, guidance)
		return
	}
	ev := v.reason()
	malay, eng := partOf(ev)
	number := ""
	if v.Incident != "" {
		number = " (insiden " + v.Incident + ")"
		if v.Case != "" && v.Class < Rahsia {
			number = " (insiden " + v.Incident + ", kes " + v.Case + ")"
		}
	}
	v.Code, v.Enhanced = 550, "5.7.1"
	if v.Action == SecureLink { // it may go, by another way (classification.md section 6)
		v.Enhanced = "5.7.0"
	}
	var text string
	switch {
	case v.Class >= Rahsia:
		text = fmt.Sprintf("Disekat: %s bertanda %s%s. E-mel tidak boleh membawanya. Blocked: %s is marked %s; mail must not carry it.",
			malay, v.Class, number, eng, v.Class)
	case v.Class == Uninspectable:
		text = fmt.Sprintf("Disekat: %s tidak dapat dibaca%s. Hantar salinan terbuka atau pautan selamat. Blocked: %s cannot be read; send an open copy or a secure link.",
			malay, number, eng)
	case v.Class > Terbuka && v.Direction == Out:
		text = fmt.Sprintf("Disekat: %s bertanda %s%s. Guna pautan selamat, atau minta pegawai keselamatan benarkan penerima. Blocked: %s is marked %s; use a secure link, or have a security officer allow the recipient.",
			malay, v.Class, number, eng, v.Class)
	case v.Class > Terbuka:
		text = fmt.Sprintf("Disekat: %s bertanda %s%s. Guna pautan selamat, bukan e-mel. Blocked: %s is marked %s; use a secure link, not mail.",
			malay, v.Class, number, eng, v.Class)
		if guidance != "" {
			text += " " + guidance
		}
	case v.approval:
		text = fmt.Sprintf("Disekat: %s mungkin bertanda %s%s. Jika terbuka, minta kelulusan pegawai keselamatan, kemudian hantar semula. Blocked: %s may be marked %s; if it is open, ask a security officer to approve the case, then send again.",
			malay, v.Suspicion, number, eng, v.Suspicion)
	default:
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
