package dkim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// A signature is a DKIM-Signature or ARC-Message-Signature field, read.
type signature struct {
	algorithm        string
	b, bh            []byte
	bText            string
	headerForm       canon
	bodyForm         canon
	domain, selector string // as in DNS: lower case, A-labels
	identity         string
	names            []string // h=
	length           int64    // l=, -1 without
	created, expires int64    // seconds, -1 without
	hash             *bodyHash
}

// parseSignature reads what DKIM and ARC have in common. What could be read is there even
// when there is a problem: results tell whose signature it was.
func parseSignature(t tags) (*signature, *problem) {
	s := &signature{length: -1, created: -1, expires: -1}
	s.algorithm = strings.ToLower(squeeze(t["a"]))
	s.domain, s.selector = dnsName(t["d"]), dnsName(t["s"])
	s.bText = squeeze(t["b"])
	for _, name := range []string{"a", "b", "bh", "d", "h", "s"} {
		if t[name] == "" {
			return s, permerror("tag " + name + "= is missing")
		}
	}
	if !hostname(s.domain) || !strings.Contains(s.domain, ".") {
		return s, permerror("d= is no domain")
	}
	if !hostname(s.selector) {
		return s, permerror("s= is no selector")
	}
	var err error
	if s.b, err = decode64(s.bText); err != nil {
		return s, permerror("b= is not in base64")
	}
	if s.bh, err = decode64(t["bh"]); err != nil {
		return s, permerror("bh= is not in base64")
	}
	s.names = list(strings.ToLower(t["h"]))
	if !slices.Contains(s.names, "from") {
		return s, permerror("the signature does not cover From")
	}
	return s, s.parseRest(t)
}

func (s *signature) parseRest(t tags) *problem {
	if c, ok := t["c"]; ok {
		head, body, both := strings.Cut(strings.ToLower(squeeze(c)), "/")
		if !both {
			body = "simple"
		}
		for i, form := range []string{head, body} {
			if form != "simple" && form != "relaxed" {
				return permerror("c= names an unknown canonical form")
			}
			*[]*canon{&s.headerForm, &s.bodyForm}[i] = canon(form == "relaxed")
		}
	}
	if q, ok := t["q"]; ok && !slices.Contains(list(strings.ToLower(squeeze(q))), "dns/txt") {
		return permerror("q= names no known way to the key")
	}
	for _, n := range []struct {
		tag string
		to  *int64
	}{{"l", &s.length}, {"t", &s.created}, {"x", &s.expires}} {
		if v, ok := t[n.tag]; ok {
			if *n.to = number(v); *n.to < 0 {
				return permerror(n.tag + "= is no number")
			}
		}
	}
	return s.usable()
}

// usable is about the algorithm.
func (s *signature) usable() *problem {
	switch s.algorithm {
	case RSA, Ed25519:
		return nil
	case "rsa-sha1":
		return &problem{Policy, "rsa-sha1 is no proof any more (RFC 8301)"}
	}
	return permerror("a= names an unknown algorithm")
}

func (s *signature) expired(now time.Time) bool { return s.expires >= 0 && now.Unix() > s.expires }

// keyName is where the key of the signature stands.
func (s *signature) keyName() string { return s.selector + "._domainkey." + s.domain }

// number is a decimal number; of those that are too long the largest, -1 for none at all.
func number(s string) int64 {
	if s = squeeze(s); s == "" || len(s) > 76 {
		return -1
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1
	}
	return n
}

// dnsName is a name as DNS knows it: U-labels become A-labels (RFC 8616 section 5).
func dnsName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(squeeze(s), "."))
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return ""
			}
			return a
		}
	}
	return s
}

// hostname says whether s can be a name in DNS; underscores are seen in selectors.
func hostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			switch c := label[i]; {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}

// parseDKIM reads a DKIM-Signature field.
func parseDKIM(value string) (*signature, *problem) {
	t, err := parseTags(value)
	if err != nil {
		return &signature{}, permerror("DKIM-Signature: " + err.Error())
	}
	s, p := parseSignature(t)
	s.identity = "@" + s.domain
	if i, ok := t["i"]; ok {
		local, domain, at := cutLast(squeeze(i), '@')
		domain = dnsName(domain)
		s.identity = local + "@" + domain
		if p == nil && (!at || domain != s.domain && !strings.HasSuffix(domain, "."+s.domain)) {
			return s, permerror("i= is not below d=")
		}
	}
	if v, ok := t["v"]; p == nil && (!ok || v != "1") {
		return s, permerror("v= is not 1")
	}
	return s, p
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
