// Package sts is MTA-STS (RFC 8461): what other domains say about TLS to their exchangers,
// fetched, kept and renewed, and what we say for the domains hosted here.
//
// A policy once fetched is in force until its max_age is over, whatever happens to DNS or
// the web server meanwhile: whoever can suppress those must not be able to switch it off.
// It knows nothing of SMTP; whoever delivers asks for the policy and keeps to it.
package sts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is what a policy wants done when TLS cannot be had as it says.
type Mode string

// The modes of RFC 8461 section 5.
const (
	Enforce Mode = "enforce" // do not deliver
	Testing Mode = "testing" // deliver, and report
	None    Mode = "none"    // as if there were no policy
)

// MaxSize is how long a policy may be, in octets (RFC 8461 section 3.3 leaves it to us).
const MaxSize = 64 << 10

const (
	maxAge = 31557600 // seconds; RFC 8461 section 3.2
	maxMX  = 1000
)

// ErrSyntax is a policy that is not one.
var ErrSyntax = errors.New("not an MTA-STS policy")

// A Policy is what a domain says.
type Policy struct {
	Mode   Mode
	MaxAge time.Duration
	MX     []string // patterns, lower case, in order
	Lines  []string // as they came, for reports
}

// Parse reads a policy, RFC 8461 section 3.2: fields a line, in any order, version first or
// not. Unknown fields are passed over; of a field given twice, but for mx, the first counts.
func Parse(b []byte) (*Policy, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d octets", ErrSyntax, MaxSize)
	}
	p := &Policy{}
	seen := map[string]bool{}
	text := strings.TrimSuffix(string(b), "\n")
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		if strings.Trim(l, " \t") == "" {
			continue // blank lines stand in policies of large providers
		}
		name, value, ok := strings.Cut(l, ":")
		value = strings.Trim(value, " \t")
		if !ok || !fieldName(name) {
			return nil, fmt.Errorf("%w: a line without a field name", ErrSyntax)
		}
		if seen[name] && name != "mx" {
			continue
		}
		seen[name] = true
		if err := p.field(name, value); err != nil {
			return nil, err
		}
		p.Lines = append(p.Lines, name+": "+value)
	}
	switch {
	case !seen["version"]:
		return nil, fmt.Errorf("%w: no version", ErrSyntax)
	case !seen["mode"]:
		return nil, fmt.Errorf("%w: no mode", ErrSyntax)
	case !seen["max_age"]:
		return nil, fmt.Errorf("%w: no max_age", ErrSyntax)
	case len(p.MX) == 0 && p.Mode != None:
		return nil, fmt.Errorf("%w: no mx", ErrSyntax)
	}
	return p, nil
}

func (p *Policy) field(name, value string) error {
	switch name {
	case "version":
		if value != "STSv1" {
			return fmt.Errorf("%w: version %.20q", ErrSyntax, value)
		}
	case "mode":
		p.Mode = Mode(value)
		if p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
			return fmt.Errorf("%w: mode %.20q", ErrSyntax, value)
		}
	case "max_age":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || len(value) > 10 {
			return fmt.Errorf("%w: max_age %.20q", ErrSyntax, value)
		}
		p.MaxAge = time.Duration(min(n, maxAge)) * time.Second
	case "mx":
		v := strings.ToLower(value)
		if !pattern(v) {
			return fmt.Errorf("%w: mx %.80q", ErrSyntax, value)
		}
		if len(p.MX) == maxMX {
			return fmt.Errorf("%w: more than %d mx", ErrSyntax, maxMX)
		}
		p.MX = append(p.MX, v)
	}
	return nil
}

// fieldName is sts-policy-ext-name of RFC 8461 section 3.2.
func fieldName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i, c := range []byte(s) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// pattern is a host name, or one with a star for its first label.
func pattern(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" || len(l) > 63 {
			return false
		}
		for _, c := range []byte(l) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// Match says whether the policy lists an exchanger. A star stands for exactly one label
// (RFC 8461 section 4.1).
func (p *Policy) Match(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(p.MX, func(mx string) bool {
		if rest, star := strings.CutPrefix(mx, "*."); star {
			first, after, ok := strings.Cut(host, ".")
			return ok && first != "" && after == rest
		}
		return mx == host
	})
}

// String is the policy as it is published.
func (p *Policy) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\r\nmode: %s\r\n", p.Mode)
	for _, mx := range p.MX {
		fmt.Fprintf(&b, "mx: %s\r\n", mx)
	}
	fmt.Fprintf(&b, "max_age: %d\r\n", p.MaxAge/time.Second)
	return b.String()
}

// ID reads the record at _mta-sts.DOMAIN (RFC 8461 section 3.1). ok is false unless exactly
// one of the texts is such a record.
func ID(texts []string) (id string, ok bool) {
	found := 0
	for _, t := range texts {
		rest, is := strings.CutPrefix(t, "v=STSv1")
		rest = strings.TrimLeft(rest, " \t")
		if !is || !strings.HasPrefix(rest, ";") {
			continue
		}
		found++
		id = ""
		for f := range strings.SplitSeq(rest[1:], ";") {
			k, v, _ := strings.Cut(f, "=")
			if k = strings.Trim(k, " \t"); k == "id" && id == "" {
				id = strings.Trim(v, " \t")
			}
		}
	}
	alnum := strings.IndexFunc(id, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	}) < 0
	return id, found == 1 && id != "" && len(id) <= 32 && alnum
}
