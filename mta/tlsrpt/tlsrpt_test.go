package tlsrpt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

type states struct {
	mu  sync.Mutex
	m   map[string][]byte
	err error
}

func (s *states) State(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name], nil
}

func (s *states) KeepState(_ context.Context, name string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.m[name] = v; v == nil {
		delete(s.m, name)
	}
	return nil
}

var sts = Policy{Type: "sts", Strings: []string{"version: STSv1", "mode: testing"}, Domain: "jauh.test", MXHosts: []string{"*.jauh.test"}}

func failure(kind string) Outcome {
	return Outcome{Domain: "Jauh.test", Policy: sts, Result: kind, MXHost: "mx1.jauh.test", SendingIP: "192.0.2.1", ReceivingIP: "192.0.2.2", Info: "sebab"}
}

// The report is that of RFC 8460 section 4.4, field by field.
func TestReport(t *testing.T) {
	now := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	r := New(nil, nil, func() time.Time { return now })
	r.Note(Outcome{Domain: "jauh.test", Policy: sts})
	r.Note(Outcome{Domain: "jauh.test", Policy: sts})
	r.Note(failure("certificate-expired"))
	r.Note(failure("certificate-expired"))
	r.Note(failure("starttls-not-supported"))
	r.Note(Outcome{Domain: "jauh.test", Policy: Policy{Type: "no-policy-found", Domain: "jauh.test"}})
	r.Note(Outcome{Domain: "lain.test", Policy: Policy{Type: "no-policy-found", Domain: "lain.test"}})

	rep := r.Report("JAUH.test.", now.Add(24*time.Hour), "Agensi A", "postmaster@agensi-a.test")
	if len(rep.Policies) != 0 || !strings.HasPrefix(rep.ID, "20261125.jauh.test.") {
		t.Errorf("another day: %+v", rep)
	}
	rep = r.Report("JAUH.test.", now, "Agensi A", "postmaster@agensi-a.test")
	rep.ID = "1"
	got, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"organization-name":"Agensi A","date-range":{"start-datetime":"2026-11-24T00:00:00Z","end-datetime":"2026-11-24T13:00:00Z"},` +
		`"contact-info":"postmaster@agensi-a.test","report-id":"1","policies":[` +
		`{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: testing"],"policy-domain":"jauh.test","mx-host":["*.jauh.test"]},` +
		`"summary":{"total-successful-session-count":2,"total-failure-session-count":3},"failure-details":[` +
		`{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.1","receiving-mx-hostname":"mx1.jauh.test","receiving-ip":"192.0.2.2","failed-session-count":2,"additional-information":"sebab"},` +
		`{"result-type":"starttls-not-supported","sending-mta-ip":"192.0.2.1","receiving-mx-hostname":"mx1.jauh.test","receiving-ip":"192.0.2.2","failed-session-count":1,"additional-information":"sebab"}]},` +
		`{"policy":{"policy-type":"no-policy-found","policy-domain":"jauh.test"},"summary":{"total-successful-session-count":1,"total-failure-session-count":0}}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if d := r.Domains(now); strings.Join(d, " ") != "jauh.test lain.test" {
		t.Errorf("domains %q", d)
	}
}

// Counts outlive a restart, days do not mix, and old ones are forgotten.
func TestRestart(t *testing.T) {
	now := time.Date(2026, 11, 24, 23, 59, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	st := &states{m: map[string][]byte{"tlsrpt/2026-11-11": []byte("{}"), "tlsrpt/2026-11-10": []byte("{}")}}
	r := New(st, nil, clock)
	count := func(day time.Time) int64 {
		var n int64
		for _, p := range r.Report("jauh.test", day, "", "").Policies {
			n += p.Summary.Failure
		}
		return n
	}
	r.Note(failure("certificate-expired"))
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r = New(st, nil, clock)
	r.Note(failure("certificate-expired"))
	yesterday := now
	now = now.Add(2 * time.Minute)
	r.Note(failure("certificate-expired"))
	if count(yesterday) != 2 || count(now) != 1 {
		t.Errorf("%d and %d, want 2 and 1", count(yesterday), count(now))
	}
	// A write that fails loses nothing.
	st.err = errors.New("disk")
	if err := r.Flush(context.Background()); err == nil {
		t.Error("the failure was not told")
	}
	st.err = nil
	for range 2 {
		if err := r.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r = New(st, nil, clock)
	if count(yesterday) != 2 || count(now) != 1 {
		t.Errorf("after a failed write: %d and %d, want 2 and 1", count(yesterday), count(now))
	}
	if st.m["tlsrpt/2026-11-11"] != nil || st.m["tlsrpt/2026-11-10"] != nil {
		t.Error("a day of two weeks ago is still there")
	}
}

// Whatever comes, a day of a domain is bounded.
func TestBounds(t *testing.T) {
	r := New(nil, nil, nil)
	for i := range 1000 {
		o := failure("certificate-expired")
		o.MXHost = fmt.Sprint(i)
		o.Info = strings.Repeat("x", 10000)
		r.Note(o)
		o.Policy.Domain = fmt.Sprint(i)
		r.Note(o)
	}
	rep := r.Report("jauh.test", time.Now(), "", "")
	var total int64
	for _, p := range rep.Policies {
		total += p.Summary.Failure
		if len(p.Failures) > maxDetails {
			t.Errorf("%d details", len(p.Failures))
		}
	}
	if b, err := json.Marshal(rep); err != nil || len(rep.Policies) > maxPolicies || total != 2000 || len(b) > 200<<10 {
		t.Errorf("%d policies, %d failures, %d octets, %v", len(rep.Policies), total, len(b), err)
	}
	var none *Recorder
	none.Note(failure("x")) // a suite without reports
	if err := none.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}

// Old counts that cannot be read are left, and counting goes on.
func TestBadState(t *testing.T) {
	now := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	for _, b := range []string{"{", "null", "[]"} {
		r := New(&states{m: map[string][]byte{"tlsrpt/2026-11-24": []byte(b)}}, nil, func() time.Time { return now })
		r.Note(failure("certificate-expired"))
		if n := len(r.Report("jauh.test", now, "", "").Policies); n != 1 {
			t.Errorf("%s: %d policies", b, n)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	st := &states{m: map[string][]byte{}}
	r := New(st, nil, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				r.Note(failure("certificate-expired"))
				if err := r.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := r.Report("jauh.test", time.Now(), "", "").Policies[0].Summary.Failure; n != 1600 {
		t.Errorf("%d counted of 1600", n)
	}
}
