// Package authres finds out who a message really comes from: SPF (RFC 7208), reverse
// names (iprev), DKIM (RFC 6376, RFC 8463), ARC (RFC 8617) and DMARC (RFC 7489 and its
// successor, with the tree walk). It writes the Authentication-Results field (RFC 8601),
// and seals what the suite passes on.
//
// It knows neither SMTP nor what is stored: a message and its envelope go in, findings
// come out. Work is linear in the size of the message, and at most eight signatures are
// checked. A resolver that does not answer makes temperror, never a pass or a fail.
package authres

import (
	"io"
	"net/netip"

	"sampul/internal/dkim"
	"sampul/internal/message"
)

// Result is a word of RFC 8601 section 2.7.
type Result string

// The words.
const (
	None      Result = "none"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	Neutral   Result = "neutral"
	Policy    Result = "policy"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// Mail is what is looked at.
type Mail struct {
	IP    netip.Addr
	HELO  string
	From  string // reverse-path, "" for the null one
	Index *message.Index
	Body  io.ReaderAt // the message as it came, Index.Size octets
}

// SPF is RFC 7208's finding.
type SPF struct {
	Result Result
	Scope  string // mailfrom or helo
	Domain string
	Sender string // the reverse-path, or the HELO name
	Reason string
}

// A Signature is one DKIM-Signature field and what came of it.
type Signature struct {
	Result    Result
	Domain    string // d=
	Selector  string // s=
	Identity  string // i=
	Algorithm string // a=
	Prefix    string // first eight letters of b=, RFC 6008
	Testing   bool   // t=y in the key
	Reason    string // why not
	Aligned   bool   // with the domain of From
}

// ARC is the chain's finding.
type ARC struct {
	Result  Result // none, pass, fail, temperror
	Sets    int
	Sealer  string // d= of the newest seal
	Trusted bool   // the newest sealer is one whose word overrides DMARC
	Reason  string
	// Of the newest set, when Result is pass: what the sealer says that it found, as the
	// value of an Authentication-Results field.
	Claims string

	sets []dkim.Set
}

// DMARC is the policy of the From domain and what it means for this message. Of several
// domains in From it is the one that comes to the strictest end.
type DMARC struct {
	Result      Result
	Domain      string // of From
	OrgDomain   string // by the tree walk, no list of suffixes is needed
	At          string // the domain whose record applies
	Policy      string // none, quarantine, reject: what that record asks for; "" without one
	Disposition string // none, quarantine, reject: what is to be done; none for a pass
	Override    string // why Disposition is milder than Policy: "arc", "testing"
	Reason      string
}

// Results are all findings for one message.
type Results struct {
	IP       netip.Addr
	SPF      SPF
	IPRev    Result
	Hostname string // confirmed reverse name, "" for none
	DKIM     []Signature
	ARC      ARC
	DMARC    DMARC
}
