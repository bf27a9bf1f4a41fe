package smtpin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/mta/authres"
	"sampul/mta/filter"
	"sampul/mta/route"
	"sampul/policy"
	"sampul/store"
)

// send delivers one message to pegawai1 and gives all that the server said.
func send(t *testing.T, addr, msg string) string {
	t.Helper()
	return exchange(t, addr, open+"DATA\r\n"+msg+".\r\nQUIT\r\n")
}

func must(t *testing.T, out, want string) {
	t.Helper()
	if !strings.Contains(out, want) {
		t.Fatalf("the server says\n%s, want %q in it", out, want)
	}
}

// knows is an authenticator whose findings stand.
type knows struct {
	res  authres.Results
	fail error
	seen []authres.Mail
}

func (k *knows) Check(_ context.Context, m *authres.Mail) (*authres.Results, error) {
	k.seen = append(k.seen, *m)
	res := k.res
	return &res, k.fail
}

func TestAuthenticationResultsAreOurs(t *testing.T) {
	f, k := &fake{}, &knows{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Auth: k})
	msg := "Subject: a\r\nAuthentication-Results: mx.agensi-a.test; dmarc=pass\r\n (forged)\r\nX-A: b\r\nAuthentication-Results: jauh.test; spf=pass\r\n\r\nisi\r\n"
	must(t, send(t, addr, msg), "queued as")
	got := f.last(t)
	if want := "Subject: a\r\nX-A: b\r\nAuthentication-Results: jauh.test; spf=pass\r\n\r\nisi\r\n"; got.body != want {
		t.Errorf("the message is %q, want %q", got.body, want)
	}
	prefix := string(got.env.Prefix)
	if received, results := strings.Index(prefix, "Received:"), strings.Index(prefix, "Authentication-Results: mx.agensi-a.test;"); received < 0 || results < received {
		t.Errorf("the prefix is %q", prefix)
	}
	if len(k.seen) != 1 || k.seen[0].HELO != "luar.test" || k.seen[0].From != "a@luar.test" || !k.seen[0].IP.IsLoopback() || k.seen[0].Index.Size != int64(len(msg)) {
		t.Errorf("asked about %+v", k.seen)
	}
}

// Without a resolver nothing is checked, but nobody may speak in our name all the same.
func TestForgedResultsGoWithoutChecks(t *testing.T) {
	const forged, rest = "Authentication-Results: mx.agensi-a.test; dmarc=pass\r\n", "Subject: a\r\n\r\nisi\r\n"
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"from outside", Config{Kind: MX}, rest},
		{"from a server of ours", Config{Kind: MX, Trusted: loopback}, forged + rest},
	} {
		f := &fake{}
		addr, _ := startWith(t, tt.cfg, Deps{Store: f})
		must(t, send(t, addr, forged+rest), "queued as")
		if got := f.last(t).body; got != tt.want {
			t.Errorf("%s: the message is %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Notices come from postmaster at the name of the server: answers arrive.
func TestPostmasterOfTheServer(t *testing.T) {
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: MX, Postmaster: "pegawai1@agensi-a.test"}, Deps{Store: f})
	const before, after = "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\nRCPT TO:<", ">\r\nDATA\r\nSubject: a\r\n\r\n.\r\nQUIT\r\n"
	must(t, exchange(t, addr, before+"PostMaster@mx.agensi-a.test"+after), "queued as")
	if r := f.last(t).env.Recipients; len(r) != 1 || r[0].Path != "pegawai1@agensi-a.test" {
		t.Errorf("recipients are %+v", r)
	}
	must(t, exchange(t, addr, before+"lain@mx.agensi-a.test"+after), "\r\n550 5.7.1 ")
}

func TestDMARCRejects(t *testing.T) {
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Auth: &knows{res: authres.Results{DMARC: authres.DMARC{Domain: "bank.test", Policy: "reject", Disposition: "reject"}}}})
	must(t, send(t, addr, "Subject: a\r\n\r\n"), "\r\n550 5.7.26 ")
	if len(f.got) != 0 {
		t.Error("a message that was refused is kept")
	}
}

func TestDMARCQuarantineGoesToJunk(t *testing.T) {
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Auth: &knows{res: authres.Results{DMARC: authres.DMARC{Disposition: "quarantine"}}}})
	must(t, send(t, addr, "Subject: a\r\n\r\n"), "queued as")
	if r := f.last(t).env.Recipients; len(r) != 1 || r[0].Mailbox != "Junk" {
		t.Errorf("recipients are %+v", r)
	}
}

func TestServersOfOursAreNotAuthenticatedAgain(t *testing.T) {
	k := &knows{fail: errors.New("asked")}
	for name, cfg := range map[string]Config{"trusted": {Kind: MX, Trusted: loopback}} {
		addr, _ := startWith(t, cfg, Deps{Store: &fake{}, Auth: k})
		if out := send(t, addr, "Subject: a\r\n\r\n"); !strings.Contains(out, "queued as") || len(k.seen) != 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Auth: k})
	must(t, send(t, addr, "Subject: a\r\n\r\n"), "\r\n451 4.7.0 ")
}

// maps is a router whose answers stand; addresses that it does not have are refused.
type maps map[string][]store.Recipient

func (m maps) Rcpt(_ context.Context, r route.Request) (*route.Decision, error) {
	d := &route.Decision{Address: r.Address, Agency: "agensi-a", Recipients: m[r.Address]}
	switch {
	case r.Address == "rosak@agensi-a.test":
		return nil, errors.New("the router is broken")
	case d.Recipients == nil || r.Address == "dalam@agensi-a.test" && !r.Inside:
		d.Refused = &route.Refusal{Code: 550, Enhanced: "5.1.1", Text: "nobody here"}
	}
	return d, nil
}

var routes = maps{
	"kumpulan@agensi-a.test": {
		{Path: "pegawai1@agensi-a.test", Account: 1, Agency: "agensi-a", Via: "kumpulan@agensi-a.test", From: "pemilik@agensi-a.test"},
		{Path: "b@jauh.test", Via: "kumpulan@agensi-a.test", From: "pemilik@agensi-a.test"},
	},
	"pegawai1@agensi-a.test": {{Path: "pegawai1@agensi-a.test", Account: 1, Agency: "agensi-a"}},
	"alias@agensi-a.test":    {{Path: "pegawai1@agensi-a.test", Account: 1, Agency: "agensi-a", Via: "alias@agensi-a.test"}},
	"sana@agensi-a.test":     {{Path: "sana@agensi-a.test", Agency: "agensi-a"}},
	"b@JAUH.test":            {{Path: "b@JAUH.test"}},
	"dalam@agensi-a.test":    {{Path: "dalam@agensi-a.test", Account: 3, Agency: "agensi-a"}},
}

// looks is a judge that keeps what it was shown.
type looks struct {
	judge
	seen []policy.Mail
}

func (l *looks) Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error) {
	l.seen = append(l.seen, *m)
	return l.judge.Judge(ctx, m)
}

func TestRouterSaysWhereItGoes(t *testing.T) {
	f, j := &fake{}, &looks{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Router: routes, Judge: j})
	out := exchange(t, addr, "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\n"+
		"RCPT TO:<kumpulan@agensi-a.test> NOTIFY=SUCCESS\r\nRCPT TO:<alias@agensi-a.test>\r\nRCPT TO:<b@JAUH.test>\r\n"+
		"RCPT TO:<sana@agensi-a.test> NOTIFY=SUCCESS ORCPT=rfc822;x@y.test\r\nRCPT TO:<tiada@agensi-a.test>\r\nRCPT TO:<rosak@agensi-a.test>\r\n"+
		"DATA\r\nSubject: a\r\n\r\n.\r\nQUIT\r\n")
	must(t, out, "\r\n550 5.1.1 nobody here\r\n451 4.3.0 ")
	must(t, out, "queued as")
	var got []string
	for _, r := range f.last(t).env.Recipients {
		got = append(got, fmt.Sprintf("%s account=%d from=%s notify=%s orcpt=%s", r.Path, r.Account, r.From, r.Notify, r.ORcpt))
	}
	want := []string{
		"pegawai1@agensi-a.test account=1 from=pemilik@agensi-a.test notify= orcpt=",
		"b@jauh.test account=0 from=pemilik@agensi-a.test notify= orcpt=",
		"sana@agensi-a.test account=0 from= notify=SUCCESS orcpt=rfc822;x@y.test",
	}
	if !slices.Equal(got, want) {
		t.Errorf("recipients are\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r := j.seen[0].Recipients; len(r) != 3 || r[2].Agency != "agensi-a" {
		t.Errorf("policy sees %+v: elsewhere in a domain of ours is no recipient outside", r)
	}
}

func TestExpansionsHaveALimitOfTheirOwn(t *testing.T) {
	for limit, want := range map[int]string{
		1: "\r\n250 2.1.5 ok\r\n550 5.2.4 ", // never, however often it comes
		2: "\r\n250 2.1.5 ok\r\n452 4.5.3 ",
		3: "\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n",
	} {
		addr, _ := startWith(t, Config{Kind: MX, MaxExpanded: limit}, Deps{Store: &fake{}, Router: routes})
		out := exchange(t, addr, "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\nRCPT TO:<sana@agensi-a.test>\r\nRCPT TO:<kumpulan@agensi-a.test>\r\nQUIT\r\n")
		if !strings.Contains(out, want) {
			t.Errorf("with a limit of %d the server says %q", limit, out)
		}
	}
}

// chain is filters whose outcome stands.
type chain struct {
	out  func() *filter.Outcome
	fail error
	seen []filter.Mail
}

func (c *chain) Run(_ context.Context, m *filter.Mail) (*filter.Outcome, error) {
	c.seen = append(c.seen, *m)
	if c.fail != nil {
		return nil, c.fail
	}
	return c.out(), nil
}

// notes keeps events, and what was put into quarantine.
type notes struct {
	events []store.Event
	held   []store.Quarantined
	body   string
	passed gate.Passed
}

func (n *notes) Note(e store.Event) { n.events = append(n.events, e) }

func (n *notes) Quarantine(_ context.Context, q store.Quarantined, e *store.Envelope, b store.Body, p gate.Passed) error {
	raw, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	n.held, n.body, n.passed = append(n.held, q), string(raw), p
	return err
}

func (n *notes) String() string {
	var b strings.Builder
	for _, e := range n.events {
		fmt.Fprintf(&b, "%s from=%s to=%v agencies=%v %d %s; ", e.Event, e.From, e.To, e.Agencies, e.Code, e.Text)
	}
	return b.String()
}

func TestFilterActions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		out   filter.Outcome
		fail  error
		reply string
		event string // the last
		kept  bool
		where string
	}{
		{"nothing", filter.Outcome{}, nil, "\r\n250 2.0.0 queued as ", "filed", true, ""},
		{"junk", filter.Outcome{Action: filter.Junk, Reason: "score 9"}, nil, "\r\n250 2.0.0 queued as ", "filed", true, "Junk"},
		{"reject", filter.Outcome{Action: filter.Reject, Code: 554, Enhanced: "5.7.9", Text: "EICAR"}, nil, "\r\n554 5.7.9 EICAR", "refused", false, ""},
		{"reject with a code that is none", filter.Outcome{Action: filter.Reject, Code: 250, Enhanced: "2.0.0"}, nil, "\r\n550 5.7.1 ", "refused", false, ""},
		{"tempfail", filter.Outcome{Action: filter.Tempfail}, nil, "\r\n451 4.7.1 ", "refused", false, ""},
		{"discard", filter.Outcome{Action: filter.Discard}, nil, "\r\n250 2.0.0 queued as ", "dropped", false, ""},
		{"cannot be asked", filter.Outcome{}, errors.New("no clamd"), "\r\n451 4.7.1 ", "refused", false, ""},
		{"takes all recipients away", filter.Outcome{Changed: true, DropTo: []string{"PEGAWAI1@agensi-a.test"}}, nil, "\r\n250 2.0.0 queued as ", "dropped", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, n := &fake{}, &notes{}
			c := &chain{out: func() *filter.Outcome { o := tt.out; return &o }, fail: tt.fail}
			addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Filters: c, Trace: n})
			must(t, send(t, addr, "Subject: a\r\nMessage-ID: <m@luar.test>\r\n\r\n"), tt.reply)
			if kept := len(f.got) == 1; kept != tt.kept {
				t.Fatalf("kept: %t, want %t", kept, tt.kept)
			}
			if tt.kept && f.last(t).env.Recipients[0].Mailbox != tt.where {
				t.Errorf("filed in %q, want %q", f.last(t).env.Recipients[0].Mailbox, tt.where)
			}
			last := n.events[len(n.events)-1]
			if last.Event != tt.event || !slices.Contains(last.Agencies, "agensi-a") || last.ID == "" {
				t.Errorf("events are %s", n)
			}
			m := c.seen[0]
			if m.Scope != filter.In || m.Agency != "agensi-a" || m.From != "a@luar.test" || !slices.Equal(m.To, []string{"pegawai1@agensi-a.test"}) || !strings.HasPrefix(string(m.Prefix), "Received: ") {
				t.Errorf("filters see %+v", m)
			}
		})
	}
}

func TestWhatFiltersChangeIsJudgedAgain(t *testing.T) {
	for _, tt := range []struct {
		name, content, reply, body string
		kept                       bool
	}{
		{"another content", "baru\r\n", "queued as", "From: a@luar.test\r\nSubject: b\r\n\r\nbaru\r\n", true},
		{"line ends are made right", "satu\ndua", "queued as", "From: a@luar.test\r\nSubject: b\r\n\r\nsatu\r\ndua\r\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, j := &fake{}, &looks{}
			from := "lain@luar.test"
			c := &chain{out: func() *filter.Outcome {
				return &filter.Outcome{Changed: true, Body: io.NopCloser(strings.NewReader(tt.content)), BodySize: int64(len(tt.content)), From: &from,
					AddTo: []string{"dalam@agensi-a.test", "tiada@agensi-a.test"},
					Edits: []filter.Edit{{Op: filter.Change, Name: "Subject", Value: "b", Index: 1}, {Op: filter.Insert, Name: "X-Spam", Value: "no"}}}
			}}
			addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Filters: c, Judge: j, Router: routes})
			must(t, send(t, addr, "From: a@luar.test\r\nSubject: a\r\n\r\nlama\r\n"), tt.reply)
			got := f.last(t)
			if got.body != tt.body || !strings.Contains(string(got.env.Prefix), "X-Spam: no\r\n") || got.env.From != from {
				t.Errorf("from %s: prefix %q, message %q, want %q", got.env.From, got.env.Prefix, got.body, tt.body)
			}
			if len(got.env.Recipients) != 2 || got.env.Recipients[1].Account != 3 {
				t.Errorf("recipients are %+v", got.env.Recipients)
			}
			if len(j.seen) != 2 || len(c.seen) != 1 || len(j.seen[1].Recipients) != 2 {
				t.Errorf("judged %d times, filtered %d times; want 2 and 1", len(j.seen), len(c.seen))
			}
		})
	}
	for name, e := range map[string]filter.Edit{
		"changed":           {Op: filter.Change, Name: "Subject", Value: "[RAHSIA] b", Index: 1},
		"put before it all": {Op: filter.Insert, Name: "Subject", Value: "[RAHSIA] b"},
	} {
		f := &fake{}
		c := &chain{out: func() *filter.Outcome { return &filter.Outcome{Changed: true, Edits: []filter.Edit{e}} }}
		addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Filters: c})
		must(t, send(t, addr, "Subject: a\r\n\r\n"), "\r\n550 5.7.1 Disekat. Blocked.")
		if len(f.got) != 0 {
			t.Errorf("%s: a message that a filter made RAHSIA is kept", name)
		}
	}
}

func TestQuarantine(t *testing.T) {
	f, n := &fake{}, &notes{}
	c := &chain{out: func() *filter.Outcome {
		return &filter.Outcome{Action: filter.Quarantine, Filter: "opendkim", Reason: "odd", Changed: true, Edits: []filter.Edit{{Op: filter.Add, Name: "X-Odd", Value: "yes"}}}
	}}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Filters: c, Trace: n, Quarantine: n})
	must(t, send(t, addr, "Subject: a\r\n\r\nisi\r\n"), "queued as")
	if len(f.got) != 0 || len(n.held) != 1 {
		t.Fatalf("accepted %d, in quarantine %d", len(f.got), len(n.held))
	}
	q := n.held[0]
	if q.Filter != "opendkim" || q.Reason != "odd" || q.Agency != "agensi-a" || !q.Until.Equal(q.Time.AddDate(0, 0, store.QuarantineDays)) || n.body != "Subject: a\r\nX-Odd: yes\r\n\r\nisi\r\n" {
		t.Errorf("%+v with %q", q, n.body)
	}
	addr, _ = startWith(t, Config{Kind: MX}, Deps{Store: f, Filters: c})
	must(t, send(t, addr, "Subject: a\r\n\r\nisi\r\n"), "\r\n550 5.7.1 ")
}

// twoAgencies knows every address of the test agencies but tiada.
type twoAgencies struct{}

func (twoAgencies) Rcpt(_ context.Context, r route.Request) (*route.Decision, error) {
	_, domain := splitAddress(r.Address)
	agency := strings.TrimSuffix(domain, ".test")
	if strings.HasPrefix(r.Address, "tiada@") {
		return &route.Decision{Agency: agency, Refused: &route.Refusal{Code: 550, Enhanced: "5.1.1", Text: "nobody"}}, nil
	}
	return &route.Decision{Agency: agency, Recipients: []store.Recipient{{Path: r.Address, Agency: agency}}}, nil
}

// Who may see and release a message in quarantine: an agency whose officers alone it is for.
func TestQuarantineOfSeveralAgencies(t *testing.T) {
	for _, tt := range []struct{ more, want string }{
		{"RCPT TO:<pegawai2@agensi-a.test>\r\n", "agensi-a"},
		{"RCPT TO:<pegawai1@agensi-b.test>\r\n", ""},
		{"RCPT TO:<pegawai1@agensi-b.test>\r\nRCPT TO:<pegawai3@agensi-a.test>\r\n", ""},
	} {
		n := &notes{}
		c := &chain{out: func() *filter.Outcome { return &filter.Outcome{Action: filter.Quarantine, Filter: "rspamd"} }}
		addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Router: twoAgencies{}, Filters: c, Quarantine: n})
		must(t, exchange(t, addr, open+tt.more+"DATA\r\nSubject: a\r\n\r\nisi\r\n.\r\nQUIT\r\n"), "queued as")
		if len(n.held) != 1 || n.held[0].Agency != tt.want {
			t.Errorf("with %q: %+v, want it to be of %q", tt.more, n.held, tt.want)
		}
	}
}

// An agency's administrators do not hear whom else a message is for, whatever becomes of it.
func TestTraceByAgency(t *testing.T) {
	const rcpts = "RCPT TO:<pegawai2@agensi-a.test>\r\nRCPT TO:<ketua@agensi-b.test>\r\nRCPT TO:<tiada@agensi-c.test>\r\n"
	for _, act := range []filter.Action{filter.Accept, filter.Reject, filter.Discard, filter.Quarantine} {
		n := &notes{}
		c := &chain{out: func() *filter.Outcome { return &filter.Outcome{Action: act, Filter: "rspamd", Reason: "skor"} }}
		addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Router: twoAgencies{}, Filters: c, Quarantine: n, Trace: n})
		exchange(t, addr, open+rcpts+"DATA\r\nSubject: a\r\n\r\nisi\r\n.\r\nQUIT\r\n")
		kinds := map[string]bool{}
		for _, e := range n.events {
			for _, agency := range e.Agencies {
				kinds[e.Event+" "+agency] = true
				for _, to := range e.To {
					if !strings.HasSuffix(to, "@"+agency+".test") {
						t.Errorf("%v: %s hears of %s: %s", act, agency, to, n)
					}
				}
			}
		}
		if len(kinds) < 5 || !kinds["refused agensi-c"] || !kinds["filter agensi-a"] || !kinds["filter agensi-b"] {
			t.Errorf("%v: the trace is %s", act, n)
		}
	}
}

func TestHooksInOrder(t *testing.T) {
	var mu sync.Mutex
	var said []string
	hook := func(name string) Hooks {
		note := func(stage string) Hook {
			return func(_ context.Context, st *Stage) error {
				mu.Lock()
				said = append(said, name+" "+stage)
				mu.Unlock()
				if stage == "header" && st.Header.Get("Subject") == "tolak" {
					return reply(550, "5.7.1", "by its header")
				}
				if stage == "body" {
					st.Add("X-Hook", name)
				}
				return nil
			}
		}
		return Hooks{Connect: note("connect"), Ehlo: note("ehlo"), Mail: note("mail"), Rcpt: note("rcpt"), Header: note("header"), Body: note("body"), End: note("end")}
	}
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Hooks: []Hooks{hook("a"), {}, hook("b")}})
	must(t, send(t, addr, "Subject: a\r\n\r\nisi\r\n"), "queued as")
	want := "a connect b connect a ehlo b ehlo a mail b mail a rcpt b rcpt a header b header a body b body a end b end"
	if got := strings.Join(said, " "); got != want {
		t.Errorf("hooks ran as %s, want %s", got, want)
	}
	if got := string(f.last(t).env.Prefix); !strings.HasSuffix(got, "X-Hook: a\r\nX-Hook: b\r\n") {
		t.Errorf("the prefix is %q", got)
	}
	mu.Lock()
	said = nil
	mu.Unlock()
	out := send(t, addr, "Subject: tolak\r\n\r\n"+strings.Repeat("isi\r\n", 3000))
	must(t, out, "\r\n550 5.7.1 by its header\r\n221 ")
	if len(f.got) != 1 || slices.Contains(said, "a body") {
		t.Errorf("what a hook refused went on: %v", said)
	}
}

func TestHeaderHookComesBeforeTheBody(t *testing.T) {
	var size int64 = -1
	s := New(Config{Kind: MX, Hostname: "mx.agensi-a.test"}, Deps{Store: &fake{}, Spool: area(t), Hooks: []Hooks{{Header: func(_ context.Context, st *Stage) error {
		size = st.s.tx.chunk.size
		return nil
	}}}})
	client, server := pipeOf(t, s)
	go io.Copy(io.Discard, client)
	go func() {
		io.WriteString(client, open+"BDAT 15\r\nSubject: ab\r\n\r\nBDAT 3\r\nisiBDAT 3 LAST\r\nisi")
		io.WriteString(client, "QUIT\r\n")
	}()
	s.newSession(server).run(t.Context())
	if size != 15 {
		t.Fatalf("the hook saw the header after %d octets, want 15", size)
	}
}

// Filters hear who has logged in, and how.
func TestFiltersHearOfTheLogin(t *testing.T) {
	c := &chain{out: func() *filter.Outcome { return &filter.Outcome{} }}
	addr, _ := startWith(t, Config{Kind: Submission, AllowPlaintextAuth: true}, Deps{Store: &fake{}, Filters: c})
	k := logIn(t, connect(t, addr))
	k.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
	k.ask("RCPT TO:<b@jauh.test>", "250")
	k.ask("DATA", "354")
	k.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "250")
	if len(c.seen) != 1 || c.seen[0].Account != "pegawai1@agensi-a.test" || c.seen[0].AuthType != "PLAIN" || c.seen[0].Scope != filter.Out {
		t.Errorf("filters hear %+v", c.seen)
	}
}

// An account is held while its message is judged: the message is refused.
func TestHeldWhileTheMessageIsJudged(t *testing.T) {
	f := &fake{}
	hold := Hooks{End: func(context.Context, *Stage) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.held = "stolen"
		return nil
	}}
	addr, _ := startWith(t, Config{Kind: Submission, AllowPlaintextAuth: true}, Deps{Store: f, Hooks: []Hooks{hold}})
	c := logIn(t, connect(t, addr))
	c.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
	c.ask("RCPT TO:<b@jauh.test>", "250")
	c.ask("DATA", "354")
	c.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "550 5.7.1 this account is held")
	if len(f.got) != 0 {
		t.Error("a held account has sent")
	}
}

func TestHeldAccountsDoNotSend(t *testing.T) {
	f := &fake{}
	addr, s := startWith(t, Config{Kind: Submission, AllowPlaintextAuth: true}, Deps{Store: f})
	c := connect(t, addr)
	d := logIn(t, c)
	d.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
	d.ask("RCPT TO:<b@jauh.test>", "250")
	d.ask("DATA", "354")
	f.mu.Lock()
	f.held = "stolen"
	f.mu.Unlock()
	d.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "550 5.7.1 this account is held")
	d.ask("MAIL FROM:<pegawai1@agensi-a.test>", "550 5.7.1 this account is held")
	if n := s.EndSessions(pegawai.ID + 1); n != 0 {
		t.Errorf("%d sessions of nobody ended", n)
	}
	if n := s.EndSessions(pegawai.ID); n != 1 {
		t.Errorf("%d sessions ended, want 1", n)
	}
	d.ask("", "421 4.7.0 this account is held")
	if _, err := d.r.ReadByte(); err != io.EOF {
		t.Errorf("the session goes on: %v", err)
	}
	if len(f.got) != 0 {
		t.Error("a held account has sent")
	}
}

// The right password of a held account is refused as often as it comes: a client that
// tries again and again must not shut its whole network out.
func TestHeldAccountsAreNotGuesses(t *testing.T) {
	f := &fake{held: "stolen"}
	addr, _ := startWith(t, Config{Kind: Submission, AllowPlaintextAuth: true, MaxErrors: 100}, Deps{Store: f})
	c := newTalk(t, connect(t, addr))
	c.ask("", "220")
	c.ask("EHLO klien.test", "250")
	for range 30 {
		c.ask("AUTH PLAIN AHBlZ2F3YWkxQGFnZW5zaS1hLnRlc3QAa2F0YQ==", "535 5.7.8 this account is held")
	}
	f.mu.Lock()
	f.held = ""
	f.mu.Unlock()
	c.ask("AUTH PLAIN AHBlZ2F3YWkxQGFnZW5zaS1hLnRlc3QAa2F0YQ==", "235")
}

func TestAcceptedIsTold(t *testing.T) {
	f := &fake{}
	var told []string
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Accepted: func(_ context.Context, e *store.Envelope, x *message.Index) {
		told = append(told, e.QueueID+" "+x.Parts[0].Get("Subject"))
	}})
	must(t, send(t, addr, "Subject: a\r\n\r\n"), "queued as")
	if want := f.last(t).env.QueueID + " a"; !slices.Equal(told, []string{want}) {
		t.Errorf("told %q, want %q", told, want)
	}
	f.fail = store.ErrBusy
	send(t, addr, "Subject: b\r\n\r\n")
	if len(told) != 1 {
		t.Error("told of what was not accepted")
	}
}

func TestRequireTLSAndDSNAreKept(t *testing.T) {
	f := &fake{}
	c := connect(t, start(t, Config{Kind: MX}, f))
	d := newTalk(t, c)
	d.ask("", "220")
	d.ask("EHLO luar.test", "250")
	d.ask("STARTTLS", "220")
	d.tls()
	if lines := d.ask("EHLO luar.test", "250"); !bytes.Contains(lines, []byte("REQUIRETLS\r\n")) {
		t.Fatalf("under TLS the server offers %s", lines)
	}
	d.ask("MAIL FROM:<a@luar.test> REQUIRETLS RET=FULL ENVID=Q+2B1", "250")
	d.ask("RCPT TO:<pegawai1@agensi-a.test> NOTIFY=delay,failure ORCPT=rfc822;p+2Ba@agensi-a.test", "250")
	d.ask("DATA", "354")
	d.ask("Subject: a\r\n\r\n.", "250")
	e := f.last(t).env
	if !e.RequireTLS || e.Ret != "FULL" || e.EnvID != "Q+2B1" || e.Recipients[0].Notify != "DELAY,FAILURE" || e.Recipients[0].ORcpt != "rfc822;p+2Ba@agensi-a.test" {
		t.Errorf("the envelope is %+v", e)
	}
}

// A message that went out for an address of ours and comes back for it goes in circles;
// one that comes back for another address does not.
func TestLoopsEnd(t *testing.T) {
	secret := []byte("a secret of the suite")
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Router: routes, LoopSecret: secret})
	to := func(address, header string) string {
		return exchange(t, addr, "EHLO luar.test\r\nMAIL FROM:<a@luar.test>\r\nRCPT TO:<"+address+">\r\nDATA\r\n"+header+"Subject: a\r\n\r\n.\r\nQUIT\r\n")
	}
	mark := func() string {
		return regexp.MustCompile("(?m)^X-Sampul-Loop: .*\r\n").FindString(string(f.last(t).env.Prefix))
	}
	must(t, to("sana@agensi-a.test", ""), "queued as")
	field := mark()
	if field == "" {
		t.Fatalf("the prefix is %q", f.last(t).env.Prefix)
	}
	must(t, to("sana@agensi-a.test", field), "\r\n554 5.4.6 ")
	must(t, to("pegawai1@agensi-a.test", field), "queued as")
	if mark() != "" {
		t.Error("what stays here is marked")
	}
	must(t, to("kumpulan@agensi-a.test", ""), "queued as")
	must(t, to("kumpulan@agensi-a.test", mark()), "\r\n554 5.4.6 ")
	must(t, to("pegawai1@agensi-a.test", strings.Repeat("Received: from a\r\n", maxReceived)), "queued as")
	must(t, to("pegawai1@agensi-a.test", strings.Repeat("Received: from a\r\n", maxReceived+1)), "\r\n554 5.4.6 ")
}

// The trace of a message that is taken says what was found out, and where it is.
func TestTraceOfAccepted(t *testing.T) {
	n := &notes{}
	d := &delivery{s: &session{srv: &Server{deps: Deps{Trace: n, Clock: time.Now}}, tx: &transaction{}}, verdict: &policy.Verdict{},
		results: &authres.Results{SPF: authres.SPF{Result: authres.Pass}, DKIM: []authres.Signature{{Result: authres.Fail}, {Result: authres.Pass}},
			DMARC: authres.DMARC{Result: authres.Pass}, ARC: authres.ARC{Result: authres.None}}}
	d.noteAccepted(&store.Envelope{Recipients: []store.Recipient{
		{Path: "p1@a.test", Account: 1, Agency: "a"}, {Path: "q@b.test", Account: 2, Agency: "b", Via: "ramai@a.test", Mailbox: "Junk"},
		{Path: "p2@a.test", Account: 3, Agency: "a"}, {Path: "x@luar.test", Via: "ramai@a.test"}, {Path: "y@luar.test"},
	}})
	want := "accepted from= to=[] agencies=[] 250 class TERBUKA, spf=pass, dkim=pass, dmarc=pass, arc=none; " +
		"filed from= to=[p1@a.test p2@a.test] agencies=[a] 0 INBOX; " +
		"filed from= to=[q@b.test] agencies=[b] 0 Junk, by way of ramai@a.test; " +
		"queued from= to=[x@luar.test] agencies=[] 0 by way of ramai@a.test; "
	if got := n.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
