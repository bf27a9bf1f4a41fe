package bolt

import (
	"fmt"
	"strings"

	"sampul/internal/address"
	"sampul/store"
)

// splitAddress makes the canonical form of an address.
func splitAddress(s string) (local, domain string, err error) {
	if local, domain, err = address.Split(s); err != nil {
		err = fmt.Errorf("%w: %w", store.ErrName, err)
	}
	return local, domain, err
}

// canonical is splitAddress with both halves together again.
func canonical(s string) (addr, domain string, err error) {
	local, domain, err := splitAddress(s)
	if err != nil {
		return "", "", err
	}
	return local + "@" + domain, domain, nil
}

// domainName makes lower case A-labels of a domain.
func domainName(s string) (string, error) {
	d, err := address.Domain(s)
	if err != nil {
		err = fmt.Errorf("%w: %w", store.ErrName, err)
	}
	return d, err
}

// agencyName is a label: it stands in settings, logs and metrics.
func agencyName(s string) error {
	if len(s) > 40 || strings.Contains(s, ".") || !address.Plain(s) {
		return fmt.Errorf("%w: an agency is named with a-z, 0-9 and -, at most 40 of them, not %q", store.ErrName, s)
	}
	return nil
}
