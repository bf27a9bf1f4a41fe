package relay

import (
	"fmt"
	"strconv"
	"strings"

	"sampul/store"
)

func cut(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, "=")
	return strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value), ok
}

// parseCount reads a number of recipients, or "none".
func parseCount(s string) (uint64, error) {
	if strings.EqualFold(s, "none") {
		return NoLimit, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > store.MaxQuota {
		return 0, fmt.Errorf("a number of recipients from 0 to %d, or none, not %q", store.MaxQuota, s)
	}
	return n, nil
}
