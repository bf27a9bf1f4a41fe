package smtpout

import (
	"slices"
	"strconv"
	"strings"
)

// features is what the other side offered in its answer to EHLO (RFC 5321 section 4.1.1.1).
type features struct {
	esmtp      bool // EHLO was taken
	startTLS   bool
	pipelining bool
	eightBit   bool
	utf8       bool
	dsn        bool
	requireTLS bool
	size       bool
	maxSize    int64 // 0: none told
	auth       []string
}

// readFeatures folds keywords to upper case, as RFC 5321 section 2.4 wants it: a client
// that does not see "StartTLS" sends in clear text.
func readFeatures(r *reply) features {
	f := features{esmtp: true}
	for _, l := range r.lines[min(1, len(r.lines)):] {
		words := strings.Fields(strings.ToUpper(l))
		if len(words) == 0 {
			continue
		}
		key, args := words[0], words[1:]
		if k, first, ok := strings.Cut(key, "="); ok && k == "AUTH" { // from before RFC 2554
			key, args = k, append([]string{first}, args...)
		}
		switch key {
		case "STARTTLS":
			f.startTLS = true
		case "PIPELINING":
			f.pipelining = true
		case "8BITMIME":
			f.eightBit = true
		case "SMTPUTF8":
			f.utf8 = true
		case "DSN":
			f.dsn = true
		case "REQUIRETLS":
			f.requireTLS = true
		case "SIZE":
			f.size = true
			if len(args) > 0 {
				if n, err := strconv.ParseInt(args[0], 10, 64); err == nil && n > 0 {
					f.maxSize = n
				}
			}
		case "AUTH":
			for _, a := range args {
				if !slices.Contains(f.auth, a) && len(f.auth) < 32 {
					f.auth = append(f.auth, a)
				}
			}
		}
	}
	return f
}
