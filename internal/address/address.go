// Package address makes the canonical form of mail addresses and domains, in which
// the directory keeps them and by which they are compared.
package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// ErrInvalid is returned for what can be no address, or no domain.
var ErrInvalid = errors.New("invalid")

// Split makes the canonical form of an address: local part in NFC and lower case (RFC
// 6530 section 10.1 leaves it to the receiving side), domain in A-labels.
func Split(address string) (local, domain string, err error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || !utf8.ValidString(address) {
		return "", "", fmt.Errorf("%w: %q is no address", ErrInvalid, address)
	}
	if domain, err = Domain(address[at+1:]); err != nil {
		return "", "", err
	}
	local = lower(address[:at])
	if len(local) > 64 || !validLocal(local) { // RFC 5321 section 4.5.3.1.1
		return "", "", fmt.Errorf("%w: %q cannot stand before the @", ErrInvalid, local)
	}
	return local, domain, nil
}

// Canonical is Split with both halves together again.
func Canonical(address string) (string, error) {
	local, domain, err := Split(address)
	if err != nil {
		return "", err
	}
	return local + "@" + domain, nil
}

// DomainOf is the domain of an address in its canonical form, also where the local part
// cannot be; as it stands where it is no domain; "" where there is none.
func DomainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	if d, err := Domain(address[at+1:]); err == nil {
		return d
	}
	return strings.ToLower(address[at+1:])
}

func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

func validLocal(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 127 || unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r) {
			return false
		}
	}
	return true
}

// Domain makes lower case A-labels of a domain.
func Domain(s string) (string, error) {
	s = strings.TrimSuffix(s, ".")
	if Plain(s) {
		return s, nil
	}
	name, err := idna.Lookup.ToASCII(s)
	if err != nil || !Plain(name) {
		return "", fmt.Errorf("%w: %q is no domain", ErrInvalid, s)
	}
	return name, nil
}

// Plain says whether s is a domain in its canonical form already.
func Plain(s string) bool {
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

// Government are the domains of government outside the directory when nobody says otherwise.
var Government = []string{"*.gov.my"}

// In says whether a domain is in a list, in which "*.gov.my" stands for all below gov.my.
func In(list []string, domain string) bool {
	domain = strings.ToLower(domain)
	for _, g := range list {
		if rest, ok := strings.CutPrefix(strings.ToLower(g), "*"); ok && strings.HasSuffix(domain, rest) || strings.EqualFold(g, domain) {
			return true
		}
	}
	return false
}
