package dkim

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// A Chain is the ARC sets of a message and what they come to (RFC 8617 section 5.2).
type Chain struct {
	Result  Result // none, pass, fail or temperror
	Reason  string
	Sets    []Set // when Result is pass, the oldest first
	Highest int   // the highest instance that was seen, valid or not
	Closed  bool  // the newest seal says itself that the chain is broken: it ends here
}

// A Set is one hop.
type Set struct {
	Sealer string // d= of the seal
	Claims string // Authentication-Results as the sealer found them, without i=
}

// A set is one instance while it is checked.
type set struct {
	aar, ams, as int // places in the header, -1 for missing
	message      *signature
	seal         *seal
	claims       string
}

// A seal is an ARC-Seal field, read.
type seal struct {
	sig signature
	cv  string
}

// A chain is on its way.
type chain struct {
	sets    []set
	problem *problem
	closed  bool
	highest int
}

// readChain collects the sets, and begins what the newest message signature and the seals
// need. A chain whose structure is broken needs nothing.
func (c *check) readChain() *chain {
	ch := collect(c.h)
	if ch.problem != nil || len(ch.sets) == 0 {
		return ch
	}
	if ch.problem = ch.read(c.h); ch.problem != nil {
		return ch
	}
	c.begin(ch.sets[len(ch.sets)-1].message)
	for i := range ch.sets {
		c.ask(ch.sets[i].seal.sig.keyName())
	}
	return ch
}

// collect sorts the fields by instance.
func collect(h *header) *chain {
	ch := &chain{}
	bad := func(format string, args ...any) {
		if ch.problem == nil {
			ch.problem = &problem{Fail, fmt.Sprintf(format, args...)}
		}
	}
	for i := range h.fields {
		f := &h.fields[i]
		var place func(*set) *int
		switch f.name {
		case "arc-authentication-results":
			place = func(s *set) *int { return &s.aar }
		case "arc-message-signature":
			place = func(s *set) *int { return &s.ams }
		case "arc-seal":
			place = func(s *set) *int { return &s.as }
		default:
			continue
		}
		n := instance(f.name, f.value())
		if n < 1 || n > MaxSets {
			bad("an ARC field has no instance from 1 to %d", MaxSets)
			continue
		}
		ch.highest = max(ch.highest, n)
		for len(ch.sets) < n {
			ch.sets = append(ch.sets, set{aar: -1, ams: -1, as: -1})
		}
		p := place(&ch.sets[n-1])
		if *p >= 0 {
			bad("instance %d has a field twice", n)
		}
		*p = i
	}
	for i, s := range ch.sets {
		if s.aar < 0 || s.ams < 0 || s.as < 0 {
			bad("instance %d is not complete", i+1)
		}
	}
	return ch
}

// instance is i= of an ARC field, 0 for none.
func instance(name, value string) int {
	if name == "arc-authentication-results" { // i=N; and then no tags
		first, _, _ := strings.Cut(value, ";")
		k, v, _ := strings.Cut(uncomment(first), "=")
		if strings.TrimSpace(k) != "i" {
			return 0
		}
		return int(max(min(number(v), MaxSets+1), 0))
	}
	t, err := parseTags(value)
	if err != nil {
		return 0
	}
	return int(max(min(number(t["i"]), MaxSets+1), 0))
}

// uncomment takes out comments: RFC 8617 allows them around the instance of results.
func uncomment(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && depth > 0:
			i++
		case s[i] == '(':
			depth++
		case s[i] == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// read parses the fields of all sets; it gives the first thing that breaks the chain.
func (ch *chain) read(h *header) *problem {
	newest := len(ch.sets) - 1
	for i := newest; i >= 0; i-- {
		s := &ch.sets[i]
		_, s.claims, _ = strings.Cut(h.fields[s.aar].value(), ";")
		t, _ := parseTags(h.fields[s.as].value())
		s.seal = &seal{cv: strings.ToLower(t["cv"])}
		if i == newest && s.seal.cv == "fail" {
			ch.closed = true
			return &problem{Fail, fmt.Sprintf("the sealer of instance %d found the chain broken", i+1)}
		}
		if want := map[bool]string{true: "none", false: "pass"}[i == 0]; s.seal.cv != want {
			return &problem{Fail, fmt.Sprintf("cv= of instance %d is not %s", i+1, want)}
		}
		var p *problem
		if p = s.seal.parse(t); p != nil {
			return &problem{Fail, fmt.Sprintf("seal of instance %d: %s", i+1, p.text)}
		}
		if i < newest {
			continue // older message signatures need not hold: each hop may change the body
		}
		if s.message, p = parseMessage(h.fields[s.ams].value()); p != nil {
			return &problem{Fail, fmt.Sprintf("message signature of instance %d: %s", i+1, p.text)}
		}
	}
	return nil
}

func (s *seal) parse(t tags) *problem {
	if _, ok := t["h"]; ok {
		return permerror("h= must not be there")
	}
	s.sig = signature{length: -1, created: -1, expires: -1}
	s.sig.algorithm = strings.ToLower(squeeze(t["a"]))
	s.sig.domain, s.sig.selector = dnsName(t["d"]), dnsName(t["s"])
	if !hostname(s.sig.domain) || !strings.Contains(s.sig.domain, ".") || !hostname(s.sig.selector) {
		return permerror("d= or s= is missing")
	}
	var err error
	if s.sig.b, err = decode64(t["b"]); err != nil || len(s.sig.b) == 0 {
		return permerror("b= is not in base64")
	}
	return s.sig.usable()
}

// parseMessage reads an ARC-Message-Signature field (RFC 8617 section 4.1.2).
func parseMessage(value string) (*signature, *problem) {
	t, err := parseTags(value)
	if err != nil {
		return nil, permerror(err.Error())
	}
	if _, ok := t["v"]; ok {
		return nil, permerror("v= must not be there")
	}
	s, p := parseSignature(t)
	if p != nil {
		return nil, p
	}
	for _, n := range s.names {
		if n == "arc-seal" {
			return nil, permerror("it covers a seal")
		}
	}
	return s, nil
}

// checkChain comes to a result when body and keys are there.
func (c *check) checkChain(ch *chain) Chain {
	out := Chain{Result: None, Closed: ch.closed, Highest: ch.highest}
	p := ch.problem
	if p == nil && len(ch.sets) > 0 {
		p = c.holds(ch)
		out.Result = Pass
	}
	if p != nil {
		if out.Result, out.Reason = p.result, p.text; p.result != TempError {
			out.Result = Fail
		}
		return out
	}
	for _, s := range ch.sets {
		out.Sets = append(out.Sets, Set{s.seal.sig.domain, strings.TrimSpace(s.claims)})
	}
	return out
}

func (c *check) holds(ch *chain) *problem {
	newest := &ch.sets[len(ch.sets)-1]
	if _, p := c.verify(newest.message, c.h.fields[newest.ams].raw); p != nil {
		return &problem{p.result, fmt.Sprintf("message signature of instance %d: %s", len(ch.sets), p.text)}
	}
	var signed []byte // what the seal of an instance covers is what the next one begins with
	for i := range ch.sets {
		s := &ch.sets[i]
		k, p := c.key(s.seal.sig.keyName(), s.seal.sig.algorithm)
		if p == nil {
			signed = relaxed.appendField(signed, c.h.fields[s.aar].raw)
			signed = relaxed.appendField(signed, c.h.fields[s.ams].raw)
			sum := sha256.Sum256(relaxed.appendLast(signed, c.h.fields[s.as].raw))
			if !k.verify(sum[:], s.seal.sig.b) {
				p = &problem{Fail, "it does not hold"}
			}
			signed = relaxed.appendField(signed, c.h.fields[s.as].raw)
		}
		if p != nil {
			return &problem{p.result, fmt.Sprintf("seal of instance %d: %s", i+1, p.text)}
		}
	}
	return nil
}
