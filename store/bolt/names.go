package bolt

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sampul/store"
)

const (
	inbox   = "INBOX"
	maxName = 1000 // octets
)

// mailboxName gives the name as it is kept: INBOX in capitals, also as a parent.
func mailboxName(name string) string {
	if name == "" {
		return inbox
	}
	if first, rest, deep := strings.Cut(name, "/"); strings.EqualFold(first, inbox) {
		if deep {
			return inbox + "/" + rest
		}
		return inbox
	}
	return name
}

// checkName refuses names that clients could not use again, or that mean something
// in LIST.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return store.ErrName
	}
	for _, level := range strings.Split(name, "/") {
		if level == "" || len(level) > 255 {
			return store.ErrName
		}
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '*' || r == '%' || r >= 0x80 && r < 0xa0 {
			return store.ErrName
		}
	}
	return nil
}

var uses = []string{"", `\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`}

func checkUse(use string) error {
	if !slices.Contains(uses, use) {
		return fmt.Errorf("%w: special use %q", store.ErrName, use)
	}
	return nil
}

// keywordBits gives the bits of words, and the table with those that were new.
// The table given is not written to: snapshots show it.
func keywordBits(table, words []string) ([]string, uint64, error) {
	var bits uint64
	for _, w := range words {
		i := slices.IndexFunc(table, func(k string) bool { return strings.EqualFold(k, w) })
		if i < 0 {
			if len(table) >= store.MaxKeywords {
				return nil, 0, fmt.Errorf("%w: %d keywords in a mailbox", store.ErrLimit, store.MaxKeywords)
			}
			i = len(table)
			table = append(slices.Clip(table), w)
		}
		bits |= 1 << i
	}
	return table, bits, nil
}
