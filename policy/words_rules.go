package policy

import (
	"fmt"
	"strings"
)

// refuseFor words the refusal of a limit or a rule, alike: what, and what to do. Where
// others would get the message, it says for whom it is not.
func (v *Verdict) refuseFor(c cause, guidance string) {
	malayFor, engFor := "", ""
	if c.recipient != "" {
		malayFor, engFor = " untuk "+short(c.recipient), " for "+short(c.recipient)
	}
	number := ""
	if v.Incident != "" {
		number = " (insiden " + v.Incident + ")"
	}
	part, eng := partOf(Evidence{Path: c.path})
	v.Code, v.Enhanced = 550, "5.7.0"
	var text string
	switch c.kind {
	case bySize:
		v.Code, v.Enhanced = 552, "5.3.4"
		has, most := mebibytes(v.attached, true), mebibytes(c.limit, false)
		text = fmt.Sprintf("Disekat: lampiran %s, had %s%s. Hantar dalam beberapa e-mel, atau pautan fail besar. Blocked: attachments of %s, the limit is %s%s; send several mails, or a link for large files.",
			has, most, malayFor+number, has, most, engFor)
	case byCount:
		text = fmt.Sprintf("Disekat: terlalu banyak lampiran, had %d%s. Gabungkan fail, atau hantar dalam beberapa e-mel. Blocked: too many attachments, the limit is %d%s; join files, or send several mails.",
			c.limit, malayFor+number, c.limit, engFor)
	case byExecutable, byDouble:
		text = fmt.Sprintf("Disekat: %s ialah program%s. Hantar dokumen, atau guna cara lain untuk program. Blocked: %s is a program%s; send a document, or pass programs another way.",
			part, malayFor+number, eng, engFor)
	case byMacros:
		text = fmt.Sprintf("Disekat: %s mengandungi makro%s. Simpan tanpa makro, kemudian hantar semula. Blocked: %s has macros%s; save it without them, then send again.",
			part, malayFor+number, eng, engFor)
	case byFault:
		v.Code, v.Enhanced = 451, "4.7.1"
		text = fmt.Sprintf("Ditangguh: peraturan %s tidak dapat dinilai%s, cuba lagi. Put off: rule %s cannot be evaluated%s, try again later.",
			c.rule.called(), malayFor, c.rule.called(), engFor)
	case byRule:
		text = v.ruleText(c, malayFor+number, engFor, guidance)
	}
	v.Text = ascii(text, maxText)
}

func (v *Verdict) ruleText(c cause, malayFor, engFor, guidance string) string {
	r := c.rule
	own := r.Text
	if own != "" {
		own = " " + own
	}
	switch v.Action {
	case Tempfail:
		v.Code, v.Enhanced = 451, "4.7.1"
		return fmt.Sprintf("Ditangguh: peraturan %s%s, cuba lagi kemudian. Put off: rule %s%s, try again later.%s",
			r.called(), malayFor, r.called(), engFor, own)
	case SecureLink:
		if own == "" && guidance != "" {
			own = " " + guidance
		}
		return fmt.Sprintf("Disekat: peraturan %s%s. Guna pautan selamat, bukan e-mel. Blocked: rule %s%s; use a secure link, not mail.%s",
			r.called(), malayFor, r.called(), engFor, own)
	}
	if own == "" {
		own = " Tanya pentadbir agensi itu; ask that agency."
	}
	return fmt.Sprintf("Disekat: peraturan %s%s. Blocked: rule %s%s.%s", r.called(), malayFor, r.called(), engFor, own)
}

// called is how a rule is named to whom it stops.
func (r *rule) called() string {
	if r.Agency == suite {
		return r.Name
	}
	return r.Name + " (" + r.Agency + ")"
}

// mebibytes is n octets as people read them. What is over a limit is rounded up, so that it
// does not look like the limit itself.
func mebibytes(n int64, up bool) string {
	const unit = 1 << 20
	tenths := n * 10 / unit
	if up && n*10%unit != 0 {
		tenths++
	}
	if n < unit && !up || tenths == 0 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", tenths/10, tenths%10), ".0") + " MiB"
}
