package relay

import (
	"net/url"
	"strings"
)

// oneClick says what of RFC 8058 section 3.1 a message does not keep to: one field of each
// name, one HTTPS URI and none of HTTP, and a DKIM signature that covers both fields, which
// ours does.
func (t *Ticket) oneClick(h *Header) *Refusal {
	no := func(malay, english string, args ...any) *Refusal {
		return refuse(ReasonUnsubscribe, "Mesej pukal perlu nyahlanggan satu klik (RFC 8058): "+malay, "Bulk needs one-click unsubscription (RFC 8058): "+english, args...)
	}
	switch {
	case len(h.Unsubscribe) != 1:
		return no("perlu satu List-Unsubscribe, bukan %[1]d", "one List-Unsubscribe, not %[1]d", len(h.Unsubscribe))
	case len(h.UnsubPost) != 1:
		return no("perlu satu List-Unsubscribe-Post, bukan %[1]d", "one List-Unsubscribe-Post, not %[1]d", len(h.UnsubPost))
	case !strings.EqualFold(unfolded(h.UnsubPost[0]), "List-Unsubscribe=One-Click"):
		return no("nilai List-Unsubscribe-Post mesti List-Unsubscribe=One-Click", "List-Unsubscribe-Post must say List-Unsubscribe=One-Click")
	}
	uris, ok := unsubscribeURIs(h.Unsubscribe[0])
	https := 0
	for _, s := range uris {
		u, err := url.Parse(s)
		if ok = ok && err == nil && u.Scheme != ""; !ok {
			break
		}
		switch {
		case strings.EqualFold(u.Scheme, "https") && u.Host != "":
			https++
		case strings.EqualFold(u.Scheme, "http"), strings.EqualFold(u.Scheme, "https"):
			ok = false
		}
	}
	if !ok || https != 1 {
		return no("List-Unsubscribe mesti satu URI https dalam < >, selain mailto", "List-Unsubscribe must have one https URI in < >, beside mailto")
	}
	for _, from := range h.From[:min(1, len(h.From))] {
		if _, domain, _ := strings.Cut(from, "@"); !t.r.d.Signs(strings.ToLower(domain)) {
			return no("domain %[1]s tiada kunci DKIM", "the domain %[1]s has no DKIM key that signs", domain)
		}
	}
	return nil
}

// unfolded is a value without its line ends and white space.
func unfolded(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
}

// maxURIs is how many a field may have.
const maxURIs = 20

// unsubscribeURIs reads <URI>, <URI> (RFC 2369 section 2): white space inside the brackets
// is taken out, comments between are passed over, and commas may be part of a URI.
func unsubscribeURIs(s string) (uris []string, ok bool) {
	depth := 0
	for s != "" {
		switch c := s[0]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0 || strings.IndexByte(" \t\r\n,", c) >= 0:
		case c == '<':
			end := strings.IndexByte(s, '>')
			if end < 0 || len(uris) == maxURIs {
				return nil, false
			}
			uris = append(uris, unfolded(s[1:end]))
			s = s[end:]
		default:
			return nil, false
		}
		s = s[1:]
	}
	return uris, depth == 0 && len(uris) > 0
}
