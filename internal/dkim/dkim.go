// Package dkim signs messages and checks signatures: DKIM (RFC 6376, with RFC 8301 and
// RFC 8463), and ARC (RFC 8617), which uses the same parts.
//
// A message is read once, for all its signatures together: each distinct canonical form
// and length is hashed in the same pass. Work is linear in the size of the message, blank
// lines are counted and never stored, at most [MaxSignatures] signatures are looked at and
// at most [MaxSets] ARC sets. Line ends are CRLF; a bare CR or LF is an octet like others.
//
// What is refused although the arithmetic is right: SHA-1 (RFC 8301 section 3.1), RSA keys
// under 1024 bits (section 3.2), and signatures whose l= leaves a part of the body
// unsigned, since anyone can put another message there (RFC 6376 section 8.2).
package dkim

import (
	"context"
	"time"

	"sampul/internal/dns"
)

// Limits of one message.
const (
	MaxSignatures = 8
	MaxSets       = 50      // RFC 8617 section 4.2.1
	maxHeader     = 1 << 20 // octets
)

// Result is a word of RFC 8601 section 2.7.1.
type Result string

// The words.
const (
	None      Result = "none"
	Pass      Result = "pass"
	Fail      Result = "fail"
	Policy    Result = "policy"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// A Resolver gives the texts at a name; its errors are those of package dns.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, dns.Info, error)
}

// A Verification is what came of one DKIM-Signature field.
type Verification struct {
	Result    Result
	Reason    string // why it did not pass
	Domain    string // d=, lower case
	Selector  string // s=
	Identity  string // i=, or @d
	Algorithm string // a=
	Prefix    string // of b=: eight letters, more where two signatures share them (RFC 6008)
	Testing   bool   // t=y in the key
	Bits      int    // of an RSA key
}

// A problem is why a signature does not count.
type problem struct {
	result Result
	text   string
}

func (p *problem) Error() string { return p.text }

func permerror(text string) *problem { return &problem{PermError, text} }

// Options are for [Verify].
type Options struct {
	Resolver Resolver
	Now      time.Time
}
