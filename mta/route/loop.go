package route

import (
	"crypto/rand"
	"strings"

	"sampul/internal/address"
)

// LoopName is the header field by which a message that comes back is recognised.
const LoopName = "X-Sampul-Loop"

// LoopPurpose is what the suite's secret for it is asked for.
const LoopPurpose = "loop"

const (
	loopHash   = 12
	loopFields = 64 // looked at; a message that passed here more often is over the Received limit too
)

// LoopField is a header field for a message that goes on to other servers for these
// addresses (split, smarthost, forwarded), with its CRLF. It holds keyed hashes under a
// salt of its own: nobody else learns whom it was for, or that two messages went the
// same way. secret is SuiteSecret(LoopPurpose).
func LoopField(secret []byte, addresses []string) []byte {
	salt := strings.ToLower(rand.Text())[:8]
	var b strings.Builder
	b.WriteString(LoopName + ": " + salt)
	for i, a := range addresses {
		if i%5 == 4 { // lines stay short
			b.WriteString("\r\n\t")
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(loopTag(secret, salt, a))
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

func loopTag(secret []byte, salt, addr string) string {
	if full, err := address.Canonical(addr); err == nil {
		addr = full
	}
	return tag(secret, loopHash, salt, addr)
}

// Looped says whether a message with these values of LoopName went out from here for the
// address before.
func Looped(secret []byte, fields []string, addr string) bool {
	for _, f := range fields[:min(len(fields), loopFields)] {
		words := strings.Fields(f)
		if len(words) < 2 {
			continue
		}
		want := loopTag(secret, words[0], addr)
		for _, w := range words[1:] {
			if sameTag(w, want) {
				return true
			}
		}
	}
	return false
}
