package mta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/seal"
	"sampul/internal/spool"
	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/policy"
	"sampul/store"
	"sampul/store/bolt"
)

// world is a runner and a poster on the real store, router and policy; only the servers
// outside are made up.
type world struct {
	t      *testing.T
	dir    string
	key    *seal.DataKey
	e      *bolt.Engine
	poster *Poster
	runner *Runner
	out    *fakeSender
	events chan string // "bounced Q1"
	acct   map[string]*store.Account
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), key: seal.Ephemeral(), out: &fakeSender{read: true}, acct: make(map[string]*store.Account)}
	w.open()
	ctx := context.Background()
	must(t, w.e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}))
	must(t, w.e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}))
	for _, a := range []string{"pegawai1@agensi-a.test", "pegawai2@agensi-a.test", "pegawai3@agensi-a.test"} {
		acct, err := w.e.AddAccount(ctx, store.System, store.Account{Address: a, Agency: "agensi-a", Kind: store.Personal}, "")
		must(t, err)
		w.acct[a] = acct
	}
	t.Cleanup(func() { w.close() })
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noter passes events on to the test.
type noter struct {
	*bolt.Engine
	to chan string
}

func (n noter) Note(e store.Event) {
	n.Engine.Note(e)
	select {
	case n.to <- e.Event + " " + e.ID:
	default:
	}
}

func (w *world) open() {
	w.t.Helper()
	e, err := bolt.Open(context.Background(), bolt.Options{Dir: w.dir, Key: w.key, Reserve: 1, Shards: 1})
	must(w.t, err)
	area, err := spool.New(w.t.TempDir(), 0)
	must(w.t, err)
	w.e, w.events = e, make(chan string, 100_000)
	router := route.New(route.Options{Directory: e})
	judge := policy.New(policy.Options{Recorder: e})
	n := noter{e, w.events}
	w.poster = NewPoster(PosterDeps{Store: e, Judge: judge, Router: router, Spool: area, Host: "mel.agensi-a.test", Trace: n})
	w.runner = NewRunner(Options{}, Deps{Queue: e, Router: router, Sender: w.out, Report: w.poster, Trace: n})
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w.runner.Shutdown(ctx)
	must(w.t, w.e.Close())
}

// send accepts a message of an officer.
func (w *world) send(env store.Envelope, text string) *message.Index {
	w.t.Helper()
	b := []byte(text)
	x := message.Parse(b)
	env.Received = time.Now()
	passed := gate.Mint(sha256.Sum256(b), gate.Mailbox, "TERBUKA", "test", "V-1")
	must(w.t, w.e.Accept(context.Background(), &env, bytes.NewReader(b), x, passed))
	return x
}

// await waits for an event of the trace.
func (w *world) await(want string) {
	w.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case got := <-w.events:
			if got == want {
				return
			}
		case <-limit:
			w.t.Fatalf("no event %q", want)
		}
	}
}

// inbox waits until an officer has n messages, and gives the newest.
func (w *world) inbox(address string, n int) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	mb, err := w.e.OpenMailbox(ctx, store.System, w.acct[address].ID, "INBOX")
	must(w.t, err)
	defer mb.Close()
	wake := make(chan struct{}, 1)
	defer mb.Watch(wake)()
	for len(mb.Snapshot().States) < n {
		select {
		case <-wake:
		case <-ctx.Done():
			w.t.Fatalf("%s has %d messages, want %d", address, len(mb.Snapshot().States), n)
		}
	}
	states := mb.Snapshot().States
	if len(states) != n {
		w.t.Fatalf("%s has %d messages, want %d", address, len(states), n)
	}
	if n == 0 {
		return ""
	}
	r, err := w.e.OpenBody(ctx, store.System, mb, states[n-1].Body)
	must(w.t, err)
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	must(w.t, err)
	return string(b)
}

func (w *world) queued() int {
	n, err := w.e.QueueLen(context.Background())
	must(w.t, err)
	return n
}

const text = "From: pegawai1@agensi-a.test\r\nSubject: Mesyuarat\r\nMessage-ID: <m1@agensi-a.test>\r\n\r\nisi\r\n"

// What another server refuses comes back to the officer's mailbox as one report, for
// both recipients, from the agency's own postmaster.
func TestRefusedComesBack(t *testing.T) {
	w := newWorld(t)
	w.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, refused) }
	w.runner.Start()
	w.send(letter("Q1", "a@jauh.test", "b@jauh.test"), text)
	got := w.inbox("pegawai1@agensi-a.test", 1)
	w.await("bounced Q1")
	p, err := dsn.Parse(strings.NewReader(got))
	must(t, err)
	if len(p.Recipients) != 2 || p.Recipients[0].Action != dsn.Failed || p.Recipients[0].Status != "5.1.1" || p.MessageID != "<m1@agensi-a.test>" {
		t.Errorf("report is %+v", p)
	}
	for _, want := range []string{"<postmaster@agensi-a.test>", "Auto-Submitted: auto-replied", "no such user"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if w.queued() != 0 {
		t.Errorf("%d left in the queue", w.queued())
	}
	stories, err := w.e.Stories(context.Background(), store.System, "Q1", 5)
	must(t, err)
	var events []string
	for _, e := range stories[0].Events {
		events = append(events, e.Event)
	}
	if !slices.Contains(events, "bounced") || !slices.Contains(events, "reported") {
		t.Errorf("the trace tells %q", events)
	}
}

// What has a null reverse-path is reported to nobody: generated mail makes no mail.
func TestNothingAboutNotices(t *testing.T) {
	w := newWorld(t)
	w.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, refused) }
	w.runner.Start()
	env := letter("Q1", "a@jauh.test")
	env.From, env.Recipients[0].From = "", "pegawai2@agensi-a.test" // a group's owner, say
	w.send(env, text)
	w.await("bounced Q1")
	if w.queued() != 0 {
		t.Errorf("%d left in the queue", w.queued())
	}
	w.inbox("pegawai1@agensi-a.test", 0)
	w.inbox("pegawai2@agensi-a.test", 0)
}

// A report to a sender elsewhere has one queue ID however often it is posted, so that a
// crash between report and outcome does not send it twice.
func TestReportIsRecognised(t *testing.T) {
	w := newWorld(t)
	env := letter("Q1", "a@jauh.test")
	env.From = "orang@luar.test"
	ctx := context.Background()
	told := []Told{{Recipient: &env.Recipients[0], Status: "5.1.1", Code: 550, Text: "no"}}
	for range 3 {
		must(t, w.poster.Report(ctx, &env, []byte(text), dsn.Failed, told))
	}
	if w.queued() != 1 {
		t.Fatalf("%d reports are queued", w.queued())
	}
	list, err := w.e.QueueList(ctx, store.System, store.QueueFilter{}, "", 9)
	must(t, err)
	if list[0].From != "" || list[0].Recipients[0].Address != "orang@luar.test" {
		t.Errorf("queued: %+v", list[0])
	}
	w.runner.Start()
	w.await("delivered " + list[0].ID)
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	if sent := w.out.texts[list[0].ID]; strings.Contains(sent, "Return-Path") || !strings.HasPrefix(sent, "Received: by mel.agensi-a.test") {
		t.Errorf("sent\n%s", sent)
	}
}

// A header that policy would not let pass is left away; the sender still hears of it.
func TestReportWithoutASecretHeader(t *testing.T) {
	w := newWorld(t)
	w.poster.deps.Judge = strict{w.poster.deps.Judge}
	env := letter("Q1", "a@jauh.test")
	must(t, w.poster.Report(context.Background(), &env, []byte("Subject: [RAHSIA] Mesyuarat\r\n\r\n"), dsn.Failed,
		[]Told{{Recipient: &env.Recipients[0], Status: "5.1.1", Code: 550, Text: "no"}}))
	if got := w.inbox("pegawai1@agensi-a.test", 1); strings.Contains(got, "RAHSIA") || !strings.Contains(got, "a@jauh.test") {
		t.Errorf("report is\n%s", got)
	}
}

// strict refuses a word wherever it stands.
type strict struct {
	judge interface {
		Judge(context.Context, *policy.Mail) (*policy.Verdict, error)
	}
}

func (s strict) Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error) {
	b, err := io.ReadAll(io.NewSectionReader(m.Body, 0, m.Body.Size()))
	if err == nil && bytes.Contains(b, []byte("RAHSIA")) {
		return &policy.Verdict{Class: policy.Rahsia, Action: policy.Reject}, nil
	}
	return s.judge.Judge(ctx, m)
}

// A sender that is not there gets nothing, and that is no fault.
func TestReportToNobody(t *testing.T) {
	w := newWorld(t)
	env := letter("Q1", "a@jauh.test")
	env.From = "tiada@agensi-a.test"
	must(t, w.poster.Report(context.Background(), &env, []byte(text), dsn.Failed, []Told{{Recipient: &env.Recipients[0]}}))
	if w.queued() != 0 {
		t.Errorf("%d queued", w.queued())
	}
}

func TestNotice(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	must(t, w.poster.Notice(ctx, "pegawai2@agensi-a.test", "Akaun ditahan – held\r\nBcc: x@y.test", "Baris satu\nbaris dua, é\n"))
	got := w.inbox("pegawai2@agensi-a.test", 1)
	x := message.Parse([]byte(got))
	if x.Parts[0].Get("Auto-Submitted") != "auto-generated" || x.Parts[0].Get("Bcc") != "" ||
		message.DecodeHeader([]byte(x.Parts[0].Get("Subject"))) != "Akaun ditahan – held  Bcc: x@y.test" {
		t.Errorf("notice is\n%s", got)
	}
	if !strings.HasSuffix(got, "Baris satu\r\nbaris dua, =C3=A9\r\n\r\n") {
		t.Errorf("notice is\n%q", got)
	}
	if err := w.poster.Notice(ctx, "tiada@agensi-a.test", "x", "y"); err == nil {
		t.Error("a notice to nobody is no error")
	}
}

// NOTIFY=SUCCESS is answered for mailboxes here; a group is told of as a group.
func TestAccepted(t *testing.T) {
	w := newWorld(t)
	env := letter("Q1", "pegawai2@agensi-a.test", "pegawai3@agensi-a.test", "a@jauh.test", "pegawai1@agensi-a.test")
	env.EnvID = "QQ314"
	for i := range env.Recipients {
		rc := &env.Recipients[i]
		if a := w.acct[rc.Path]; a != nil {
			rc.Account = a.ID
		}
		rc.Notify = "SUCCESS"
	}
	env.Recipients[1].Via, env.Recipients[2].Via = "semua@agensi-a.test", "semua@agensi-a.test"
	env.Recipients[3].Notify = ""
	asked := false
	w.poster.Accepted(context.Background(), &env, func() []byte { asked = true; return []byte(text) })
	first := w.inbox("pegawai1@agensi-a.test", 2)
	if !asked {
		t.Error("the header was not asked for")
	}
	p, err := dsn.Parse(strings.NewReader(first))
	must(t, err)
	if len(p.Recipients) != 1 || p.Recipients[0].Final != "semua@agensi-a.test" || p.Recipients[0].Action != dsn.Expanded || p.EnvID != "QQ314" {
		t.Errorf("report is %+v", p)
	}
	for i := range env.Recipients {
		env.Recipients[i].Notify = "FAILURE"
	}
	w.poster.Accepted(context.Background(), &env, func() []byte { t.Error("the header is asked for in vain"); return nil })
}

// What was accepted, and not yet delivered, goes out after a restart, once; what another
// server had taken does not.
func TestAfterARestart(t *testing.T) {
	const n = 200
	w := newWorld(t)
	w.out.answer = func(ctx context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result {
		if m.ID[len(m.ID)-1]%2 == 0 {
			return each(m, delivered)
		}
		<-ctx.Done()
		return each(m, nobody)
	}
	w.runner.o.MaxConcurrency, w.runner.o.StartConcurrency = 1000, 1000
	w.runner.Start()
	for i := range n {
		w.send(letter(fmt.Sprintf("Q%03d", i), "a@jauh.test"), text)
	}
	for range n / 2 {
		for ev := ""; !strings.HasPrefix(ev, "delivered"); ev = <-w.events {
		}
	}
	short, cancel := context.WithCancel(context.Background())
	cancel()
	w.runner.Shutdown(short)
	must(t, w.e.Close())
	w.out.set(nil)
	w.open()
	if w.queued() != n/2 {
		t.Fatalf("%d in the queue after the restart, want %d", w.queued(), n/2)
	}
	w.runner.Start()
	for i := range n / 2 {
		_ = i
		for ev := ""; !strings.HasPrefix(ev, "delivered"); ev = <-w.events {
		}
	}
	for i := range n {
		want := 1
		if i%2 == 1 {
			want = 2 // begun before, and broken off
		}
		if c := w.out.count(fmt.Sprintf("Q%03d ", i)); c > want || c < 1 {
			t.Errorf("Q%03d was sent %d times", i, c)
		}
	}
	if w.queued() != 0 {
		t.Errorf("%d left", w.queued())
	}
}

// An administrator's verbs on the real queue reach the runner.
func TestVerbsReachTheRunner(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.out.answer = func(_ context.Context, _ smtpout.Hop, m *smtpout.Message) []smtpout.Result { return each(m, later) }
	w.runner.Start()
	w.send(letter("Q1", "a@jauh.test"), text)
	w.await("deferred Q1")
	id := store.QueueFilter{IDs: []string{"Q1"}}
	_, err := w.e.QueueHold(ctx, store.System, id, "asked for")
	must(t, err)
	_, err = w.e.QueueRetry(ctx, store.System, id)
	must(t, err)
	w.out.set(nil)
	_, err = w.e.QueueRelease(ctx, store.System, id)
	must(t, err)
	_, err = w.e.QueueRetry(ctx, store.System, id)
	must(t, err)
	w.await("delivered Q1")
	if w.queued() != 0 || w.out.count("Q1") != 2 {
		t.Errorf("%d left, sent %q", w.queued(), w.out.list())
	}
}
