// Package reports reads what other servers report about mail: DMARC aggregate reports
// (RFC 7489 appendix C and its successor) and TLS reports (RFC 8460), out of a message, an
// archive or as they are.
//
// Reports come from strangers, compressed. What is expanded is bounded in octets, in ratio
// and in files, rows are counted without end but kept up to a number, and text for people
// has no control characters. A report that is cut or broken is an error: half its numbers
// would mislead.
package reports

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of one file.
const (
	MaxFile     = 40 << 20 // as it comes: a message
	MaxExpanded = 25 << 20 // all that is unpacked
	MaxRatio    = 400      // of what is unpacked, beyond the first megabyte
	MaxFiles    = 20       // in a message, or in an archive
	MaxRows     = 10000    // that are kept; the others are counted
	maxList     = 20       // signatures, reasons, hosts of one row
	maxText     = 512      // octets
)

// Errors. They are wrapped with what was found.
var (
	ErrNone   = errors.New("no DMARC or TLS report")
	ErrLimit  = errors.New("over the limit")
	ErrBroken = errors.New("broken report")
)

// Kinds.
const (
	DMARC = "dmarc"
	TLS   = "tls"
)

// A Report is one, of either kind.
type Report struct {
	Kind    string    `json:"kind"`
	Org     string    `json:"org"`
	Contact string    `json:"contact,omitempty"`
	ID      string    `json:"id"`
	Domain  string    `json:"domain"` // ours, that the report is about
	Begin   time.Time `json:"begin"`
	End     time.Time `json:"end"`
	Policy  string    `json:"policy,omitempty"` // as the reporter saw it
	// Counts are messages by result (dmarc: pass, fail, and by disposition: none,
	// quarantine, reject) or sessions (tls: success, failure, and by result type).
	Counts map[string]int64 `json:"counts"`
	Rows   []Row            `json:"rows"`
	More   int              `json:"more_rows,omitempty"` // counted, but not kept
}

// A Row is messages with one source and one result, or sessions that failed alike.
type Row struct {
	Count int64 `json:"count"`

	Source      string   `json:"source,omitempty"` // address
	Disposition string   `json:"disposition,omitempty"`
	DKIM        string   `json:"dkim,omitempty"` // aligned: pass or fail
	SPF         string   `json:"spf,omitempty"`
	HeaderFrom  string   `json:"header_from,omitempty"`
	From        string   `json:"envelope_from,omitempty"`
	Reasons     []string `json:"reasons,omitempty"` // why the disposition is another than the policy
	Checks      []string `json:"checks,omitempty"`  // such as "dkim=pass a.test s1", "spf=fail b.test"

	Result   string `json:"result,omitempty"` // RFC 8460 section 4.3
	Type     string `json:"policy_type,omitempty"`
	Sender   string `json:"sending_ip,omitempty"`
	Host     string `json:"receiving_host,omitempty"`
	Receiver string `json:"receiving_ip,omitempty"`
	Info     string `json:"info,omitempty"`
}

// add keeps a row, or counts that it was there.
func (r *Report) add(row Row) {
	if len(r.Rows) < MaxRows {
		r.Rows = append(r.Rows, row)
	} else {
		r.More++
	}
}

// most bounds what a stranger can make of a sum.
const most = 1 << 50

func (r *Report) count(name string, n int64) {
	if name != "" && (len(r.Counts) < 50 || r.Counts[name] != 0) {
		r.Counts[name] = min(r.Counts[name]+n, most)
	}
}

// text makes a stranger's words fit to be shown: on one line, without control characters.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 127 || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func broken(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }
