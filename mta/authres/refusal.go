package authres

import "fmt"

// Refusal is what a client hears whose message its own From domain wants rejected: 550
// 5.7.26 (RFC 7372 section 3.2). A decision that DNS prevented is no refusal: the message
// is delivered with dmarc=temperror in its field, for filters to weigh. Waiting for the
// DNS of a stranger to come back would hold up honest mail for days.
func (r *Results) Refusal() (code int, enhanced, text string, refuse bool) {
	d := &r.DMARC
	if d.Disposition != "reject" {
		return 0, "", "", false
	}
	if d.Result == PermError {
		return 550, "5.7.26", "medan From menamakan terlalu banyak alamat / the field From names too many addresses", true
	}
	return 550, "5.7.26", fmt.Sprintf("ditolak atas kehendak domain %[1]s (DMARC): SPF dan DKIM tidak mengesahkannya"+
		" / the domain %[1]s asks to reject this (DMARC): neither SPF nor DKIM confirms it", cut(d.Domain)), true
}
