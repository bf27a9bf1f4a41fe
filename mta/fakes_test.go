package mta

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// fakeQueue keeps a queue in memory and tells its watcher as an engine does.
type fakeQueue struct {
	mu     sync.Mutex
	msgs   map[string]*fakeMessage
	watch  func(store.QueueEntry)
	log    []string // DONE, in order: "Q1 a@x.test done 250" or "... next 5m0s 450"
	filed  []string
	doneOf map[string]int // records per message
	fail   error          // of QueueDone
}

type fakeMessage struct {
	env   store.Envelope
	entry store.QueueEntry
	body  []byte
	bad   error // of OpenQueueBody
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{msgs: make(map[string]*fakeMessage), doneOf: make(map[string]int)}
}

func (q *fakeQueue) add(env store.Envelope, body string) {
	m := &fakeMessage{env: env, body: []byte(body)}
	if env.Received.IsZero() {
		m.env.Received = time.Now()
	}
	m.entry = store.QueueEntry{ID: env.QueueID, From: env.From, Lane: env.Lane, Created: m.env.Received, Size: int64(len(body)),
		State: store.Waiting, Agency: "agensi-a"}
	due := m.env.Received
	if env.NotBefore.After(due) {
		m.entry.NotBefore, due = env.NotBefore, env.NotBefore
	}
	for _, rc := range env.Recipients {
		m.entry.Recipients = append(m.entry.Recipients, store.QueueRecipient{Address: rc.Path, State: store.Waiting, NextTry: due})
	}
	q.mu.Lock()
	q.msgs[env.QueueID] = m
	w := q.watch
	q.mu.Unlock()
	if w != nil {
		w(m.entry)
	}
}

// change applies f to an entry, as a record would, and tells the watcher.
func (q *fakeQueue) change(id string, f func(e *store.QueueEntry)) error {
	q.mu.Lock()
	m := q.msgs[id]
	if m == nil {
		q.mu.Unlock()
		return store.ErrNotFound
	}
	next := m.entry
	next.Recipients = slices.Clone(m.entry.Recipients)
	f(&next)
	m.entry = next
	if len(next.Recipients) == 0 {
		delete(q.msgs, id)
	}
	w := q.watch
	q.mu.Unlock()
	if w != nil {
		w(next)
	}
	return nil
}

func (q *fakeQueue) QueueEach(f func(store.QueueEntry)) {
	q.mu.Lock()
	var all []store.QueueEntry
	for _, m := range q.msgs {
		all = append(all, m.entry)
	}
	q.mu.Unlock()
	for _, e := range all {
		f(e)
	}
}

func (q *fakeQueue) QueueWatch(f func(store.QueueEntry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watch = f
}

func (q *fakeQueue) QueueDone(_ context.Context, id string, outs []store.Outcome) error {
	if q.fail != nil {
		return q.fail
	}
	return q.change(id, func(e *store.QueueEntry) {
		q.doneOf[id]++
		for _, o := range outs {
			line := fmt.Sprintf("%s %s %d %s", id, o.Recipient, o.Code, o.Text)
			if o.Done {
				line += " done"
			}
			q.log = append(q.log, line)
			i := slices.IndexFunc(e.Recipients, func(p store.QueueRecipient) bool { return p.Address == o.Recipient })
			if i < 0 {
				continue
			}
			if o.Done {
				e.Recipients = slices.Delete(e.Recipients, i, i+1)
				continue
			}
			p := &e.Recipients[i]
			if !o.NoAttempt {
				p.Attempts++
			}
			p.NextTry, p.Code, p.Enhanced, p.Text, p.Remote, p.TLS = o.NextTry, o.Code, o.Enhanced, o.Text, o.Remote, o.TLS
			p.Delayed = p.Delayed || o.Delayed
		}
	})
}

func (q *fakeQueue) QueueFile(_ context.Context, id, recipient string, to store.AccountID, mailbox string) error {
	return q.change(id, func(e *store.QueueEntry) {
		q.filed = append(q.filed, fmt.Sprintf("%s %s %d", id, recipient, to))
		e.Recipients = slices.DeleteFunc(e.Recipients, func(p store.QueueRecipient) bool { return p.Address == recipient })
	})
}

// filedNow is what was filed by now, for who goes on after it.
func (q *fakeQueue) filedNow() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.filed)
}

func (q *fakeQueue) QueueEnvelope(_ context.Context, id string) (*store.Envelope, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.msgs[id]
	if m == nil {
		return nil, store.ErrNotFound
	}
	env := m.env
	env.Recipients = nil
	for _, rc := range m.env.Recipients {
		if slices.ContainsFunc(m.entry.Recipients, func(p store.QueueRecipient) bool { return p.Address == rc.Path }) {
			env.Recipients = append(env.Recipients, rc)
		}
	}
	return &env, nil
}

type fakeBody struct{ *bytes.Reader }

func (b fakeBody) Close() error { return nil }
func (b fakeBody) WriteRange(w io.Writer, off, n int64) error {
	_, err := io.Copy(w, io.NewSectionReader(b.Reader, off, n))
	return err
}

func (q *fakeQueue) OpenQueueBody(_ context.Context, id string) (store.BodyReader, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.msgs[id]
	if m == nil {
		return nil, store.ErrNotFound
	}
	if m.bad != nil {
		return nil, m.bad
	}
	return fakeBody{bytes.NewReader(m.body)}, nil
}

func (q *fakeQueue) QueueList(_ context.Context, _ store.Actor, f store.QueueFilter, _ string, _ int) ([]store.QueueEntry, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []store.QueueEntry
	for _, id := range f.IDs {
		if m := q.msgs[id]; m != nil {
			out = append(out, m.entry)
		}
	}
	return out, nil
}

func (q *fakeQueue) QueueHold(_ context.Context, _ store.Actor, f store.QueueFilter, why string) (int, error) {
	n := 0
	for _, id := range f.IDs {
		err := q.change(id, func(e *store.QueueEntry) {
			e.State, e.Why = store.Holding, why
			for i := range e.Recipients {
				e.Recipients[i].State = store.Holding
			}
		})
		if err == nil {
			n++
		}
	}
	return n, nil
}

// release and retry are what an administrator does.
func (q *fakeQueue) release(id string) {
	q.change(id, func(e *store.QueueEntry) {
		e.State = store.Waiting
		for i := range e.Recipients {
			e.Recipients[i].State = store.Waiting
		}
	})
}

func (q *fakeQueue) retry(id string) {
	q.change(id, func(e *store.QueueEntry) {
		for i := range e.Recipients {
			e.Recipients[i].NextTry = time.Now()
		}
	})
}

func (q *fakeQueue) drop(id string) {
	q.change(id, func(e *store.QueueEntry) { e.Recipients = nil })
}

func (q *fakeQueue) recipient(id, address string) *store.QueueRecipient {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.msgs[id]; m != nil {
		for _, p := range m.entry.Recipients {
			if p.Address == address {
				return &p
			}
		}
	}
	return nil
}

// records are the DONE lines so far, and the number of records of a message.
func (q *fakeQueue) records() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.log)
}

func (q *fakeQueue) count(id string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.doneOf[id]
}

func (q *fakeQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.msgs)
}

// fakeRouter sends everything to the MX of its domain, but for what is set.
type fakeRouter struct {
	mu   sync.Mutex
	to   map[string]route.Hop // by address or domain
	fail error
	bad  string // address that makes it panic
}

func (f *fakeRouter) Next(_ context.Context, address, agency string) (route.Hop, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return route.Hop{}, f.fail
	}
	if address == f.bad {
		panic("a poisoned address")
	}
	if h, ok := f.to[address]; ok {
		return h, nil
	}
	domain := strings.ToLower(domainOf(address))
	if h, ok := f.to[domain]; ok {
		return h, nil
	}
	return route.Hop{Kind: route.ToMX, Domain: domain, Agency: agency}, nil
}

func (f *fakeRouter) set(key string, h route.Hop) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.to == nil {
		f.to = make(map[string]route.Hop)
	}
	f.to[key] = h
}

// fakeSender answers as its function says, and keeps what was sent.
type fakeSender struct {
	answer func(ctx context.Context, hop smtpout.Hop, m *smtpout.Message) []smtpout.Result // nil delivers

	mu      sync.Mutex
	sent    []string // "Q1 from=<a@b> to=a@x.test,b@x.test via x.test"
	times   []time.Time
	texts   map[string]string // by queue ID, the last
	busy    map[string]int
	most    map[string]int
	forgets []string
	read    bool // read the message, as a real one does
}

func nameOf(h smtpout.Hop) string {
	if h.Host != "" {
		return h.Host
	}
	return h.Domain
}

func (f *fakeSender) Send(ctx context.Context, hop smtpout.Hop, m *smtpout.Message) []smtpout.Result {
	var to []string
	for _, r := range m.To {
		to = append(to, r.Address)
	}
	name := nameOf(hop)
	f.mu.Lock()
	f.sent = append(f.sent, fmt.Sprintf("%s from=<%s> to=%s via %s", m.ID, m.From, strings.Join(to, ","), name))
	f.times = append(f.times, time.Now())
	if f.busy == nil {
		f.busy, f.most, f.texts = make(map[string]int), make(map[string]int), make(map[string]string)
	}
	f.busy[name]++
	f.most[name] = max(f.most[name], f.busy[name])
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.busy[name]--
		f.mu.Unlock()
	}()
	if f.read {
		rc, err := m.Open(false)
		if err != nil {
			return each(m, smtpout.Result{Text: err.Error(), Stage: "data"})
		}
		b, err := io.ReadAll(rc)
		rc.Close()
		if err != nil {
			return each(m, smtpout.Result{Text: err.Error(), Stage: "data"})
		}
		f.mu.Lock()
		f.texts[m.ID] = string(b)
		f.mu.Unlock()
	}
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		return answer(ctx, hop, m)
	}
	return each(m, delivered)
}

func (f *fakeSender) Probe(context.Context, smtpout.Hop, string, string) smtpout.Result {
	return smtpout.Result{}
}

func (f *fakeSender) Forget(h smtpout.Hop) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgets = append(f.forgets, nameOf(h))
}

func (f *fakeSender) set(answer func(context.Context, smtpout.Hop, *smtpout.Message) []smtpout.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fakeSender) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

func (f *fakeSender) when() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.times)
}

func (f *fakeSender) running(name string) (now, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy[name], f.most[name]
}

func (f *fakeSender) count(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.sent {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

var (
	delivered = smtpout.Result{Delivered: true, Code: 250, Enhanced: "2.0.0", Text: "ok", Remote: "mx.test[127.0.0.1]:25", TLS: "none", Stage: "dot", DSN: true}
	refused   = smtpout.Result{Permanent: true, Code: 550, Enhanced: "5.1.1", Text: "no such user", Remote: "mx.test[127.0.0.1]:25", Stage: "rcpt"}
	later     = smtpout.Result{Code: 451, Enhanced: "4.3.0", Text: "try later", Remote: "mx.test[127.0.0.1]:25", Stage: "rcpt"}
	nobody    = smtpout.Result{Enhanced: "4.4.1", Text: "connection refused", Remote: "mx.test[127.0.0.1]:25", Stage: "connect", Slow: true}
)

func each(m *smtpout.Message, r smtpout.Result) []smtpout.Result {
	out := make([]smtpout.Result, len(m.To))
	for i := range out {
		out[i] = r
		out[i].Address = m.To[i].Address
	}
	return out
}

// fakeReports keeps what senders were told.
type fakeReports struct {
	mu   sync.Mutex
	told []string // "failed Q1 a@x.test 5.1.1"
	fail error
	q    *fakeQueue
}

func (f *fakeReports) Report(_ context.Context, e *store.Envelope, header []byte, a dsn.Action, told []Told) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	for _, t := range told {
		if f.q.recipient(e.QueueID, t.Recipient.Path) == nil {
			f.told = append(f.told, "told after DONE")
		}
		f.told = append(f.told, fmt.Sprintf("%s %s %s %s", a, e.QueueID, t.Recipient.Path, t.Status))
	}
	return nil
}

func (f *fakeReports) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

type fakeTrace struct {
	mu     sync.Mutex
	events []store.Event
}

func (f *fakeTrace) Note(e store.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// rig is a runner with its neighbours.
type rig struct {
	*Runner
	q      *fakeQueue
	router *fakeRouter
	out    *fakeSender
	said   *fakeReports
	traced *fakeTrace
	logged *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newRig(o Options) *rig {
	g := &rig{q: newFakeQueue(), router: &fakeRouter{}, out: &fakeSender{}, traced: &fakeTrace{}, logged: &syncBuffer{}}
	g.said = &fakeReports{q: g.q}
	g.Runner = NewRunner(o, Deps{Queue: g.q, Router: g.router, Sender: g.out, Report: g.said, Trace: g.traced,
		Log: slog.New(slog.NewTextHandler(g.logged, nil))})
	return g
}

func (g *rig) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// letter is a message of one of our officers.
func letter(id string, to ...string) store.Envelope {
	e := store.Envelope{QueueID: id, From: "pegawai1@agensi-a.test", Prefix: []byte("Return-Path: <pegawai1@agensi-a.test>\r\nReceived: by us\r\n")}
	for _, a := range to {
		e.Recipients = append(e.Recipients, store.Recipient{Path: a})
	}
	return e
}

const body = "From: pegawai1@agensi-a.test\r\nSubject: Mesyuarat\r\n\r\nisi\r\n"

// fakeSigner keeps what it was given.
type fakeSigner struct{ saw, agency string }

func (f *fakeSigner) Sign(_ context.Context, _ *store.Envelope, agency string, m io.Reader) ([]byte, error) {
	b, err := io.ReadAll(m)
	f.saw, f.agency = string(b), agency
	return []byte("DKIM: 1\r\n"), err
}
