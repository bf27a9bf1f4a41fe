package authres

import (
	"fmt"
	"strings"
)

// Header is the Authentication-Results field (RFC 8601), its line end included; hostname
// is our authserv-id. Whatever others wrote is quoted, cut and made ASCII.
func (r *Results) Header(hostname string) []byte {
	w := &fieldWriter{b: make([]byte, 0, 1024)}
	w.write("Authentication-Results: " + value(hostname))
	r.spf(w)
	r.iprev(w)
	if len(r.DKIM) == 0 {
		w.method("dkim", None, "", "")
	}
	for i := range r.DKIM {
		s := &r.DKIM[i]
		comment := ""
		if s.Testing {
			comment = "test key"
		}
		w.method("dkim", s.Result, s.Reason, comment)
		w.prop("header.d", s.Domain)
		w.prop("header.i", s.Identity)
		w.prop("header.s", s.Selector)
		w.prop("header.a", s.Algorithm)
		w.prop("header.b", s.Prefix)
	}
	r.dmarc(w)
	r.arc(w)
	return append(w.b, "\r\n"...)
}

func (r *Results) spf(w *fieldWriter) {
	reason := r.SPF.Reason
	switch r.SPF.Result {
	case Pass, None, Neutral, SoftFail:
		reason = ""
	}
	w.method("spf", r.SPF.Result, reason, "")
	if r.SPF.Scope == "helo" {
		w.prop("smtp.helo", r.SPF.Sender)
	} else {
		w.prop("smtp.mailfrom", r.SPF.Sender)
	}
}

func (r *Results) iprev(w *fieldWriter) {
	w.method("iprev", r.IPRev, "", r.Hostname)
	if r.IP.IsValid() {
		w.prop("policy.iprev", r.IP.String())
	}
}

func (r *Results) dmarc(w *fieldWriter) {
	d := &r.DMARC
	comment := ""
	if d.Policy != "" {
		comment = fmt.Sprintf("p=%s dis=%s", d.Policy, d.Disposition)
		if d.Override != "" {
			comment += " override=" + d.Override
		}
	}
	w.method("dmarc", d.Result, d.Reason, comment)
	w.prop("header.from", d.Domain)
	w.prop("policy.dmarc", d.Policy)
}

func (r *Results) arc(w *fieldWriter) {
	comment := ""
	if r.ARC.Sets > 0 {
		comment = fmt.Sprintf("i=%d", r.ARC.Sets)
		if r.ARC.Sealer != "" {
			comment += " d=" + r.ARC.Sealer
		}
		if r.ARC.Trusted {
			comment += " trusted"
		}
	}
	w.method("arc", r.ARC.Result, r.ARC.Reason, comment)
}

var (
	inComment = strings.NewReplacer("(", "", ")", "", `\`, "")
	inQuotes  = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

// A fieldWriter writes a line for each method.
type fieldWriter struct {
	b    []byte
	line int
}

func (w *fieldWriter) write(s string) { w.b = append(w.b, s...) }

func (w *fieldWriter) method(name string, r Result, reason, comment string) {
	if r == "" {
		r = None
	}
	w.write(";\r\n\t")
	w.line = 1
	w.add(name + "=" + string(r))
	if comment = strings.Map(plain, inComment.Replace(comment)); comment != "" {
		w.add("(" + cut(comment) + ")")
	}
	if reason = strings.Map(plain, reason); reason != "" {
		w.add("reason=" + quoted(cut(reason)))
	}
}

// prop adds a property; one without a value is left out.
func (w *fieldWriter) prop(name, v string) {
	if v = strings.Map(plain, v); v != "" {
		w.add(name + "=" + value(cut(v)))
	}
}

func (w *fieldWriter) add(s string) {
	switch {
	case w.line == 1:
	case w.line+1+len(s) > 76:
		w.write("\r\n\t ")
		w.line = 2
	default:
		w.write(" ")
		w.line++
	}
	w.write(s)
	w.line += len(s)
}

// cut bounds what others wrote: an address has 254 octets (RFC 5321 section 4.5.3.1.3).
func cut(s string) string { return s[:min(len(s), 254)] }

// plain leaves out what may not stand in a header field.
func plain(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// value is a pvalue: a token or an address as it is, anything else quoted.
func value(s string) string {
	if local, domain, ok := strings.Cut(s, "@"); ok && (local == "" || token(local)) && token(domain) || token(s) {
		return s
	}
	return quoted(s)
}

// token is RFC 2045's: no blanks and none of the tspecials.
func token(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("()<>@,;:\\\"/[]?=", c) >= 0 {
			return false
		}
	}
	return s != ""
}

func quoted(s string) string {
	return `"` + inQuotes.Replace(s) + `"`
}
