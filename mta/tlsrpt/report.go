package tlsrpt

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// A Report is the JSON of RFC 8460 section 4.4.
type Report struct {
	Organization string         `json:"organization-name"`
	Range        DateRange      `json:"date-range"`
	Contact      string         `json:"contact-info"`
	ID           string         `json:"report-id"`
	Policies     []PolicyReport `json:"policies"`
}

// A DateRange is a day, in UTC.
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// A PolicyReport is what became of the sessions under one policy.
type PolicyReport struct {
	Policy  Policy `json:"policy"`
	Summary struct {
		Success int64 `json:"total-successful-session-count"`
		Failure int64 `json:"total-failure-session-count"`
	} `json:"summary"`
	Failures []detail `json:"failure-details,omitempty"`
}

// Report is a day of a domain; of today, up to now. No policies says that there was no
// session. Organization and contact are ours.
func (r *Recorder) Report(domain string, at time.Time, organization, contact string) *Report {
	at = at.UTC()
	start := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	var random [8]byte
	rand.Read(random[:]) // never fails
	out := &Report{
		Organization: organization, Contact: contact,
		Range:    DateRange{start, start.Add(24*time.Hour - time.Second)},
		ID:       start.Format("20060102") + "." + domain + "." + hex.EncodeToString(random[:]),
		Policies: []PolicyReport{},
	}
	if now := r.clock().UTC().Truncate(time.Second); now.Before(out.Range.End) && !now.Before(start) {
		out.Range.End = now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.load(start.Format(dayForm))[domain] {
		p := PolicyReport{Policy: c.Policy, Failures: slices.Clone(c.Failures)}
		p.Summary.Success, p.Summary.Failure = c.Success, c.Failure
		out.Policies = append(out.Policies, p)
	}
	return out
}

// Domains are those with sessions on a day, in order.
func (r *Recorder) Domains(at time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for d := range r.load(at.UTC().Format(dayForm)) {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}
