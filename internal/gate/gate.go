// Package gate holds the one token that lets a body into the store. Only package
// policy mints it, after its verdict; a test in internal/rooms fails when anyone
// else does. The store hashes what it writes and refuses a body that differs.
package gate

// Purpose is what a body may be kept for.
type Purpose uint8

const (
	Mailbox    Purpose = 1 + iota // filing, and the queue, of an accepted message
	Quarantine                    // sealed, for administrators
	OwnNotice                     // mail that Sampul itself writes
)

// Passed says that policy saw exactly these bytes and let them pass. The zero
// value passes nothing.
type Passed struct {
	minted    bool
	sum       [32]byte
	purpose   Purpose
	class     string
	ruleSet   string
	verdictID string
}

// Mint is for package policy alone.
func Mint(sum [32]byte, p Purpose, class, ruleSet, verdictID string) Passed {
	return Passed{true, sum, p, class, ruleSet, verdictID}
}

// Allows says whether a body with this SHA-256 may be kept for p.
func (p Passed) Allows(sum [32]byte, purpose Purpose) bool {
	return p.minted && p.purpose == purpose && p.sum == sum
}

// Valid is false for the zero value.
func (p Passed) Valid() bool { return p.minted }

// Class, RuleSet and VerdictID are kept with the message.
func (p Passed) Class() string     { return p.class }
func (p Passed) RuleSet() string   { return p.ruleSet }
func (p Passed) VerdictID() string { return p.verdictID }
