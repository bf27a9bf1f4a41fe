package mta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/relay"
	"sampul/store"
)

// appLetter is a message of application 7.
func appLetter(id string, to ...string) store.Envelope {
	e := letter(id, to...)
	e.App, e.Lane, e.From = 7, store.LaneBulk, "notis@agensi-a.test"
	return e
}

func appPath(_ context.Context, app store.AccountID, from, recipient string) (string, error) {
	_, domain, _ := strings.Cut(from, "@")
	return fmt.Sprintf("b0=%d=%s@%s", app, strings.ReplaceAll(recipient, "@", "="), domain), nil
}

// noted keeps bounces as lines: "x@jauh.test hard 550 5.1.1".
type noted struct {
	mu  sync.Mutex
	all []string
	err error
}

func (n *noted) later(b relay.Bounce) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf("%s %s %d %s", b.Recipient, b.Kind(), b.Code, b.Status))
}

func (n *noted) Note(_ context.Context, b relay.Bounce) error {
	n.later(b)
	return n.err
}

// An application's message to others goes out with a reverse-path a recipient; who refuses
// is noted, and reported only where that was asked for.
func TestAppBounces(t *testing.T) {
	full := smtpout.Result{Permanent: true, Code: 552, Enhanced: "5.2.2", Text: "full", Remote: "mx.test[127.0.0.1]:25", Stage: "rcpt"}
	spam := smtpout.Result{Permanent: true, Code: 550, Enhanced: "5.7.1", Text: "spam", Remote: "mx.test[127.0.0.1]:25", Stage: "dot"}
	gone := smtpout.Result{Permanent: true, Enhanced: "5.1.2", Text: "no such domain", Stage: "dns"}
	for _, tt := range []struct {
		name    string
		env     store.Envelope
		answer  smtpout.Result
		sent    []string
		bounces []string
		reports []string
	}{
		{"refused", appLetter("Q", "a@jauh.test", "b@jauh.test"), refused,
			[]string{"Q from=<b0=7=a=jauh.test@agensi-a.test> to=a@jauh.test via jauh.test", "Q from=<b0=7=b=jauh.test@agensi-a.test> to=b@jauh.test via jauh.test"},
			[]string{"a@jauh.test hard 550 5.1.1", "b@jauh.test hard 550 5.1.1"}, nil},
		{"full", appLetter("Q", "a@jauh.test"), full, []string{"Q from=<b0=7=a=jauh.test@agensi-a.test> to=a@jauh.test via jauh.test"},
			[]string{"a@jauh.test soft 552 5.2.2"}, nil},
		{"spam", appLetter("Q", "a@jauh.test"), spam, []string{"Q from=<b0=7=a=jauh.test@agensi-a.test> to=a@jauh.test via jauh.test"},
			[]string{"a@jauh.test message 550 5.7.1"}, nil},
		{"no domain", appLetter("Q", "a@jauh.test"), gone, []string{"Q from=<b0=7=a=jauh.test@agensi-a.test> to=a@jauh.test via jauh.test"},
			[]string{"a@jauh.test soft 0 5.1.2"}, nil},
		{"delivered", appLetter("Q", "a@jauh.test"), delivered, []string{"Q from=<b0=7=a=jauh.test@agensi-a.test> to=a@jauh.test via jauh.test"}, nil, nil},
		{"asked for", func() store.Envelope {
			e := appLetter("Q", "a@jauh.test", "b@jauh.test")
			e.Recipients[0].Notify, e.Recipients[1].Notify = "SUCCESS,FAILURE", "NEVER"
			return e
		}(), refused, []string{"Q from=<notis@agensi-a.test> to=a@jauh.test via jauh.test", "Q from=<b0=7=b=jauh.test@agensi-a.test> to=b@jauh.test via jauh.test"},
			[]string{"a@jauh.test hard 550 5.1.1", "b@jauh.test hard 550 5.1.1"}, []string{"failed Q a@jauh.test 5.1.1"}},
		{"by a group", func() store.Envelope {
			e := appLetter("Q", "a@jauh.test")
			e.Recipients[0].From = "kumpulan+bounces-x@agensi-a.test"
			return e
		}(), refused, []string{"Q from=<kumpulan+bounces-x@agensi-a.test> to=a@jauh.test via jauh.test"},
			[]string{"a@jauh.test hard 550 5.1.1"}, []string{"failed Q a@jauh.test 5.1.1"}},
		{"a person's", letter("Q", "a@jauh.test"), refused, []string{"Q from=<pegawai1@agensi-a.test> to=a@jauh.test via jauh.test"}, nil, []string{"failed Q a@jauh.test 5.1.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &noted{}
				g := newRig(Options{Bounced: n.later, AppPath: appPath})
				g.out.set(func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
					own := strings.HasPrefix(m.From, "b0=")
					if own != (m.To[0].Notify == "FAILURE") || own != (m.Ret == "HDRS") {
						t.Errorf("from %s with NOTIFY=%s RET=%s", m.From, m.To[0].Notify, m.Ret)
					}
					return each(m, tt.answer)
				})
				g.Start()
				defer g.stop(t)
				g.q.add(tt.env, body)
				synctest.Wait()
				sent := g.out.list()
				slices.Sort(sent)
				slices.Sort(tt.sent)
				if !slices.Equal(sent, tt.sent) {
					t.Errorf("sent %q\nwant %q", sent, tt.sent)
				}
				slices.Sort(n.all)
				if !slices.Equal(n.all, tt.bounces) || !slices.Equal(g.said.list(), tt.reports) {
					t.Errorf("bounces %q, reports %q\nwant %q, %q", n.all, g.said.list(), tt.bounces, tt.reports)
				}
			})
		})
	}
}

// Who is given up after days counts only where somebody answered, and delays are not reported.
func TestAppExpires(t *testing.T) {
	for _, tt := range []struct {
		answer smtpout.Result
		want   string
	}{{later, "a@jauh.test soft 451 4.3.0"}, {nobody, "a@jauh.test message 0 "}} {
		synctest.Test(t, func(t *testing.T) {
			n := &noted{}
			g := newRig(Options{Bounced: n.later, AppPath: appPath})
			g.out.set(func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, tt.answer) })
			g.Start()
			defer g.stop(t)
			g.q.add(appLetter("Q", "a@jauh.test"), body)
			time.Sleep(5 * 24 * time.Hour)
			synctest.Wait()
			if !slices.Equal(n.all, []string{tt.want}) || len(g.said.list()) != 0 {
				t.Errorf("%q, reports %q; want %s", n.all, g.said.list(), tt.want)
			}
		})
	}
}

// Of what a report says only that about the recipient of the reverse-path counts.
func TestTakeBounce(t *testing.T) {
	report := func(failures ...dsn.Failure) string {
		var b strings.Builder
		b.WriteString("Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; luar.test\r\n")
		for _, f := range failures {
			fmt.Fprintf(&b, "\r\nFinal-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: %s\r\n", f.Address, f.Status)
			if f.Original != "" {
				fmt.Fprintf(&b, "Original-Recipient: rfc822; %s\r\n", f.Original)
			}
		}
		return b.String() + "\r\n--b--\r\n"
	}
	r := route.New(route.Options{Directory: ours{}})
	long := strings.Repeat("nama.", 8) + "panjang@sub.luar.test"
	for _, tt := range []struct {
		to, message string
		want        string // "" is nothing
	}{
		{"orang@luar.test", report(dsn.Failure{Address: "Orang@luar.test", Status: "5.1.1"}), "orang@luar.test hard 0 5.1.1"},
		{"orang@luar.test", report(dsn.Failure{Address: "lain@luar.test", Status: "5.1.1"}), "orang@luar.test soft 0 5.1.1"},
		{"orang@luar.test", report(dsn.Failure{Address: "lain@luar.test", Status: "5.1.1"}, dsn.Failure{Address: "orang@luar.test", Status: "5.2.2"}), "orang@luar.test soft 0 5.2.2"},
		{"orang@luar.test", report(dsn.Failure{Address: "orang@luar.test", Status: "5.7.1"}), "orang@luar.test message 0 5.7.1"},
		{long, report(dsn.Failure{Address: long, Status: "5.1.1"}), long + " hard 0 5.1.1"},
		{long, report(dsn.Failure{Address: "x@luar.test", Original: long, Status: "5.1.1"}), long + " soft 0 5.1.1"},
		{long, report(dsn.Failure{Address: "x@luar.test", Status: "5.1.1"}), ""},
		{"orang@luar.test", "Subject: Saya bercuti\r\n\r\n5.1.1\r\n", ""},
		{"orang@luar.test", strings.Repeat(report(dsn.Failure{Address: "a@b.test", Status: "5.1.1"}), 1)[:40], ""},
	} {
		path, err := r.AppPath(t.Context(), 7, "notis@agensi-a.test", tt.to)
		if err != nil || path == "" {
			t.Fatal(path, err)
		}
		d, err := r.Rcpt(t.Context(), route.Request{Address: path})
		if err != nil || d.Bounce == nil {
			t.Fatalf("%s: %+v, %v", path, d, err)
		}
		n := &noted{}
		if err := TakeBounce(t.Context(), n, d.Bounce, strings.NewReader(tt.message)); err != nil {
			t.Error(err)
		}
		if got := strings.Join(n.all, "; "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.to, got, tt.want)
		}
	}
	d, err := r.Rcpt(t.Context(), route.Request{Address: pathOrPanic(r.AppPath(t.Context(), 7, "notis@agensi-a.test", "orang@luar.test"))})
	if err != nil {
		t.Fatal(err)
	}
	n := &noted{err: errors.New("rosak")}
	if err := TakeBounce(t.Context(), n, d.Bounce, strings.NewReader(report(dsn.Failure{Address: "orang@luar.test", Status: "5.1.1"}))); err == nil {
		t.Error("what was not kept was taken")
	}
}

func pathOrPanic(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// ours is a directory of one domain.
type ours struct{}

func (ours) Find(_ context.Context, addr string) (e store.Entry, err error) {
	if strings.HasSuffix(addr, "@agensi-a.test") {
		e.Domain = &store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}
	}
	return e, nil
}
func (ours) AgencyByName(string) (store.Agency, bool) { return store.Agency{}, false }
func (ours) Government(string) bool                   { return false }
func (ours) SuiteSecret(string) []byte                { return []byte("ujian") }
