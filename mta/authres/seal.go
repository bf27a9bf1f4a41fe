package authres

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sampul/internal/dkim"
	"sampul/internal/message"
)

// SealOptions are for [Seal].
type SealOptions struct {
	Key      dkim.Key // of the domain that passes the message on
	Hostname string   // our authserv-id
	// Prefix is what the suite put before the message when it came in. The
	// Authentication-Results field in it tells what was found then; no other field is
	// believed, whatever name it bears.
	Prefix []byte
	Now    time.Time
}

// ErrUnchecked is for a message with an ARC chain of which nothing is known: it came in
// before checks were on, or DNS did not answer then. It is passed on without a seal of
// ours, which leaves the chain to the next one; a seal would vouch for it or end it.
var ErrUnchecked = errors.New("the ARC chain was not checked when the message came in")

// Seal reads a message as it goes out, to its end, and gives one more ARC set for it (RFC
// 8617), to be put before all of it. It gives nothing, and no error, where none may be
// added: an earlier sealer found the chain broken, or it has fifty sets.
//
// The state of the chain is the one found when the message came in, as the RFC wants it:
// what was changed here since then is what this seal takes responsibility for.
func Seal(r io.Reader, o SealOptions) ([]byte, error) {
	results, cv := o.Hostname+"; none", dkim.Result("")
	if v, ok := ourResults(o.Prefix, o.Hostname); ok {
		results = v
		f, err := Parse(v)
		if err != nil {
			return nil, fmt.Errorf("our own results: %w", err)
		}
		for _, m := range f.Methods {
			if m.Method == "arc" {
				cv = dkim.Result(m.Result)
			}
		}
	}
	if cv != dkim.Pass && cv != dkim.Fail {
		cv = "" // right for a message without a chain
	}
	set, err := dkim.Seal(r, dkim.SealOptions{Key: o.Key, Now: o.Now, CV: cv, Results: results})
	if errors.Is(err, dkim.ErrUnchecked) {
		return nil, ErrUnchecked
	}
	return set, err
}

// ourResults is the value of our field in the prefix.
func ourResults(prefix []byte, hostname string) (string, bool) {
	x := message.Parse(append(bytes.Clone(prefix), "\r\n"...))
	for _, i := range ForgedResults(x, hostname) {
		return strings.TrimSpace(string(x.Parts[0].Fields[i].Value)), true
	}
	return "", false
}
