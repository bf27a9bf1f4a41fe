package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// The members of a report (RFC 8460 section 4.4).
type (
	jsonReport struct {
		Org   string `json:"organization-name"`
		Range struct {
			Start string `json:"start-datetime"`
			End   string `json:"end-datetime"`
		} `json:"date-range"`
		Contact  string       `json:"contact-info"`
		ID       string       `json:"report-id"`
		Policies jsonPolicies `json:"policies"`
	}
	jsonPolicy struct {
		Policy struct {
			Type   string `json:"policy-type"`
			Domain string `json:"policy-domain"`
		} `json:"policy"`
		Summary struct {
			Success count `json:"total-successful-session-count"`
			Failure count `json:"total-failure-session-count"`
		} `json:"summary"`
		Details jsonRaw `json:"failure-details"`
	}
	jsonDetail struct {
		Result   string `json:"result-type"`
		Sender   string `json:"sending-mta-ip"`
		Host     string `json:"receiving-mx-hostname"`
		Receiver string `json:"receiving-ip"`
		Count    count  `json:"failed-session-count"`
		Info     string `json:"additional-information"`
		Code     string `json:"failure-reason-code"`
	}
)

// jsonRaw is a part that is read later, an element at a time: lists of empty objects would
// take fifty times the memory that they have octets.
type jsonRaw []byte

// UnmarshalJSON keeps it.
func (r *jsonRaw) UnmarshalJSON(b []byte) error { *r = append((*r)[:0], b...); return nil }

type jsonPolicies = jsonRaw

// A count is a number; some senders put it in quotes.
type count int64

// UnmarshalJSON reads either form.
func (c *count) UnmarshalJSON(b []byte) error {
	*c = count(number(strings.Trim(string(b), `"`)))
	return nil
}

// eachOf hands over the elements of a list, one at a time.
func eachOf[T any](list []byte, f func(*T)) error {
	d := json.NewDecoder(bytes.NewReader(list))
	t, err := d.Token()
	if err == io.EOF || t == nil && err == nil { // missing, or null
		return nil
	}
	if t != json.Delim('[') {
		return errors.New("a list is none")
	}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		f(&v)
	}
	_, err = d.Token()
	return err
}

// parseTLS reads a TLS report.
func parseTLS(b []byte) (*Report, error) {
	var j jsonReport
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &j); err != nil {
		return nil, broken(err)
	}
	if j.Policies == nil {
		return nil, ErrNone
	}
	r := &Report{Kind: TLS, Org: text(j.Org), Contact: text(j.Contact), ID: text(j.ID), Begin: stamp(j.Range.Start), End: stamp(j.Range.End),
		Counts: map[string]int64{"success": 0, "failure": 0}, Rows: []Row{}}
	var inner error
	types := 0
	err := eachOf(j.Policies, func(p *jsonPolicy) {
		if r.Domain == "" {
			r.Domain = strings.ToLower(text(p.Policy.Domain))
		}
		kind := word(p.Policy.Type)
		if types++; types <= maxList && !strings.Contains(r.Policy, kind) {
			r.Policy = strings.TrimSpace(r.Policy + " " + kind)
		}
		r.count("success", int64(p.Summary.Success))
		r.count("failure", int64(p.Summary.Failure))
		if inner == nil {
			inner = eachOf(p.Details, func(d *jsonDetail) { r.detail(kind, d) })
		}
	})
	if err := errors.Join(err, inner); err != nil {
		return nil, broken(err)
	}
	return r, nil
}

func (r *Report) detail(kind string, d *jsonDetail) {
	row := Row{Count: int64(d.Count), Result: word(d.Result), Type: kind, Sender: text(d.Sender), Host: text(d.Host),
		Receiver: text(d.Receiver), Info: text(strings.TrimSpace(d.Info + " " + d.Code))}
	if row.Result != "success" && row.Result != "failure" { // the sums are the reporter's own
		r.count(row.Result, row.Count)
	}
	r.add(row)
}

func stamp(s string) time.Time {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
