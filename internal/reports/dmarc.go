package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"sampul/internal/message"
)

// The elements of a report that are shown. Namespaces differ by sender and are not looked
// at; unknown elements are passed over.
type (
	xmlMeta struct {
		Org   string `xml:"org_name"`
		Email string `xml:"email"`
		ID    string `xml:"report_id"`
		Range struct {
			Begin string `xml:"begin"`
			End   string `xml:"end"`
		} `xml:"date_range"`
	}
	xmlPolicy struct {
		Domain string `xml:"domain"`
		ADKIM  string `xml:"adkim"`
		ASPF   string `xml:"aspf"`
		P      string `xml:"p"`
		SP     string `xml:"sp"`
		NP     string `xml:"np"`
		Test   string `xml:"testing"`
	}
	xmlRecord struct {
		Row struct {
			Source    string `xml:"source_ip"`
			Count     string `xml:"count"`
			Evaluated struct {
				Disposition string         `xml:"disposition"`
				DKIM        string         `xml:"dkim"`
				SPF         string         `xml:"spf"`
				Reasons     few[xmlReason] `xml:"reason"`
			} `xml:"policy_evaluated"`
		} `xml:"row"`
		Identifiers struct {
			From     string `xml:"header_from"`
			Envelope string `xml:"envelope_from"`
		} `xml:"identifiers"`
		Auth struct {
			DKIM few[xmlAuth] `xml:"dkim"`
			SPF  few[xmlAuth] `xml:"spf"`
		} `xml:"auth_results"`
	}
	xmlReason struct {
		Type    string `xml:"type"`
		Comment string `xml:"comment"`
	}
	xmlAuth struct {
		Domain   string `xml:"domain"`
		Selector string `xml:"selector"`
		Result   string `xml:"result"`
	}
)

// few keeps the first elements of a list and passes over the rest: a record of nothing but
// signatures costs no memory.
type few[T any] []T

// UnmarshalXML takes one more element.
func (f *few[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if len(*f) >= maxList {
		return d.Skip()
	}
	var v T
	if err := d.DecodeElement(&v, &start); err != nil {
		return err
	}
	*f = append(*f, v)
	return nil
}

// parseDMARC reads an aggregate report, a record at a time.
func parseDMARC(b []byte) (*Report, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		all, err := io.ReadAll(r) // no more than b has
		return strings.NewReader(message.DecodeCharset(charset, all)), err
	}
	r := &Report{Kind: DMARC, Counts: map[string]int64{}, Rows: []Row{}}
	root, parts := false, 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if !root {
			if start.Name.Local != "feedback" {
				return nil, ErrNone
			}
			root = true
			continue
		}
		n, err := r.element(d, start)
		if err != nil {
			return nil, broken(err)
		}
		parts |= n
	}
	if parts != 3 {
		return nil, broken(errors.New("it has no metadata, or no policy"))
	}
	return r, nil
}

// element reads one child of feedback, and says which of the two that must be there it was.
func (r *Report) element(d *xml.Decoder, start xml.StartElement) (int, error) {
	switch start.Name.Local {
	case "report_metadata":
		var m xmlMeta
		err := d.DecodeElement(&m, &start)
		r.Org, r.Contact, r.ID = text(m.Org), text(m.Email), text(m.ID)
		r.Begin, r.End = unix(m.Range.Begin), unix(m.Range.End)
		return 1, err
	case "policy_published":
		var p xmlPolicy
		err := d.DecodeElement(&p, &start)
		r.Domain = strings.ToLower(text(p.Domain))
		var policy []string
		for _, f := range [][2]string{{"p", p.P}, {"sp", p.SP}, {"np", p.NP}, {"adkim", p.ADKIM}, {"aspf", p.ASPF}, {"t", p.Test}} {
			if v := text(f[1]); v != "" {
				policy = append(policy, f[0]+"="+v)
			}
		}
		r.Policy = strings.Join(policy, " ")
		return 2, err
	case "record":
		var rec xmlRecord
		if err := d.DecodeElement(&rec, &start); err != nil {
			return 0, err
		}
		r.record(&rec)
		return 0, nil
	}
	return 0, d.Skip()
}

func (r *Report) record(x *xmlRecord) {
	e := &x.Row.Evaluated
	row := Row{
		Count: number(x.Row.Count), Source: text(x.Row.Source), Disposition: word(e.Disposition), DKIM: word(e.DKIM), SPF: word(e.SPF),
		HeaderFrom: text(x.Identifiers.From), From: text(x.Identifiers.Envelope),
	}
	if row.DKIM == "pass" || row.SPF == "pass" {
		r.count("pass", row.Count)
	} else {
		r.count("fail", row.Count)
	}
	switch row.Disposition {
	case "none", "quarantine", "reject":
		r.count(row.Disposition, row.Count)
	}
	for _, reason := range e.Reasons {
		row.Reasons = append(row.Reasons, text(reason.Type+" "+reason.Comment))
	}
	for _, a := range x.Auth.DKIM {
		row.Checks = append(row.Checks, text("dkim="+a.Result+" "+a.Domain+" "+a.Selector))
	}
	for _, a := range x.Auth.SPF {
		row.Checks = append(row.Checks, text("spf="+a.Result+" "+a.Domain))
	}
	r.add(row)
}

func word(s string) string { return strings.ToLower(text(s)) }

// number is a count, 0 for none that makes sense.
func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, most)
}

// unix is a time in seconds, zero for none that makes sense.
func unix(s string) time.Time {
	n := number(s)
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
