package bolt

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"sampul/store"
)

// splitAddress makes the canonical form of an address: local part in NFC and lower
// case (RFC 6530 section 10.1 leaves it to us), domain in A-labels.
func splitAddress(address string) (local, domain string, err error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return "", "", fmt.Errorf("%w: %q is no address", store.ErrName, address)
	}
	if domain, err = domainName(address[at+1:]); err != nil {
		return "", "", err
	}
	local = lowerLocal(address[:at])
	if len(local) > 64 || !validLocal(local) { // RFC 5321 section 4.5.3.1.1
		return "", "", fmt.Errorf("%w: %q cannot stand before the @", store.ErrName, local)
	}
	return local, domain, nil
}

func lowerLocal(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

func validLocal(s string) bool {
	if !utf8.ValidString(s) || s == "" {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 127 || unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r) {
			return false
		}
	}
	return true
}

// domainName makes lower case A-labels of a domain.
func domainName(s string) (string, error) {
	s = strings.TrimSuffix(s, ".")
	if plainDomain(s) {
		return s, nil
	}
	name, err := idna.Lookup.ToASCII(s)
	if err != nil || !plainDomain(name) {
		return "", fmt.Errorf("%w: %q is no domain", store.ErrName, s)
	}
	return name, nil
}

// plainDomain is the common case, already canonical.
func plainDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// agencyName is a label: it stands in settings, logs and metrics.
func agencyName(s string) error {
	if len(s) > 40 || strings.Contains(s, ".") || !plainDomain(s) {
		return fmt.Errorf("%w: an agency is named with a-z, 0-9 and -, at most 40 of them, not %q", store.ErrName, s)
	}
	return nil
}
