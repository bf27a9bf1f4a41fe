package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/mta"
	"sampul/mta/smtpout"
	"sampul/store"
	"sampul/store/bolt"
)

// fill puts into the place's store what a test wants to find there.
func (p *place) fill(f func(e *bolt.Engine) error) {
	p.t.Helper()
	e, err := bolt.Open(context.Background(), bolt.Options{Dir: p.dir, KeyFile: keyBeside(p.dir)})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := f(e); err != nil {
		p.t.Error(err)
	}
	if err := e.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func queueLetter(e *bolt.Engine, env *store.Envelope, paths ...string) error {
	text := []byte("Subject: x\r\n\r\nisi\r\n")
	for _, path := range paths {
		env.Recipients = append(env.Recipients, store.Recipient{Path: path, Agency: "agensi-a"})
	}
	return e.Accept(context.Background(), env, bytes.NewReader(text), message.Parse(text),
		gate.Mint(sha256.Sum256(text), gate.Mailbox, "TERBUKA", "", ""))
}

// queueOf is a place with a queue: Q1 was tried, Q2 is a notice of bulk, Q3 is new.
func queueOf(t *testing.T) *place {
	p := newPlace(t)
	p.fill(func(e *bolt.Engine) error {
		ctx := context.Background()
		for i, env := range []*store.Envelope{
			{QueueID: "Q1", From: "pegawai1@agensi-a.test", Received: time.Now().Add(-3 * time.Hour)},
			{QueueID: "Q2", Lane: store.LaneBulk, Received: time.Now().Add(-time.Hour)},
			{QueueID: "Q3", From: "pegawai2@agensi-a.test", Received: time.Now()},
		} {
			if err := queueLetter(e, env, "a@jauh.test", fmt.Sprintf("b@dekat%d.test", i)); err != nil {
				return err
			}
		}
		return e.QueueDone(ctx, "Q1", []store.Outcome{
			{Recipient: "b@dekat0.test", Done: true},
			{Recipient: "a@jauh.test", NextTry: time.Now().Add(40*time.Minute + 30*time.Second), Code: 451, Enhanced: "4.7.1", Text: "greylisted",
				Remote: "mx.jauh.test[192.0.2.1]:25", TLS: "TLS 1.3, DANE", Delayed: true}})
	})
	return p
}

// ids are those that list shows.
func (p *place) ids(args ...string) string {
	p.t.Helper()
	var ids []string
	for _, l := range asLines[queueLine](p.t, 0, append(append([]string{"queue", "list"}, args...), "--dir", p.dir)...) {
		ids = append(ids, l.ID)
	}
	return strings.Join(ids, " ")
}

func TestQueueList(t *testing.T) {
	p := queueOf(t)
	for _, tt := range []struct{ args, want string }{
		{"", "Q1 Q2 Q3"},
		{"Q3 Q1", "Q1 Q3"},
		{"--from pegawai1@agensi-a.test", "Q1"},
		{"--from @agensi-a.test", "Q1 Q3"},
		{"--from <>", "Q2"},
		{"--to a@jauh.test", "Q1 Q2 Q3"},
		{"--to @dekat1.test", "Q2"},
		{"--to @dekat0.test", ""},
		{"--state waiting", "Q1 Q2 Q3"},
		{"--state held", ""},
		{"--lane bulk", "Q2"},
		{"--agency agensi-a", "Q1 Q2 Q3"},
		{"--agency agensi-b", ""},
		{"--older-than 30m", "Q1 Q2"},
		{"--older-than 30m --from @agensi-a.test", "Q1"},
	} {
		if got := p.ids(strings.Fields(tt.args)...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.args, got, tt.want)
		}
	}
	for _, bad := range []string{"--state busy", "--lane fast", "--older-than -1h", "--older-than soon"} {
		p.run(2, append([]string{"queue", "list"}, strings.Fields(bad)...)...)
	}
	out := p.run(0, "queue", "list", "Q1")
	for _, want := range []string{"Q1  <pegawai1@agensi-a.test>  3 h old", "a@jauh.test: next try ", "(in 40 min)", "tried once",
		"mx.jauh.test[192.0.2.1]:25: 451 4.7.1 greylisted", "TLS: TLS 1.3, DANE", "told of the delay", "1 messages, 0 of them held"} {
		if !strings.Contains(out, want) {
			t.Errorf("list does not say %q:\n%s", want, out)
		}
	}
	out = p.run(0, "queue", "show", "Q3")
	for _, want := range []string{"<pegawai2@agensi-a.test>", "a@jauh.test", "b@dekat2.test", "due now; not tried yet", "sampul trace Q3"} {
		if !strings.Contains(out, want) {
			t.Errorf("show does not say %q:\n%s", want, out)
		}
	}
	p.run(3, "queue", "show", "tiada")
	p.run(2, "queue", "show")
}

// What scripts read has all its keys, whatever is in them.
func TestQueueJSON(t *testing.T) {
	p := queueOf(t)
	for _, out := range []string{p.run(0, "queue", "list", "Q3", "--json"), p.run(0, "queue", "show", "Q3", "--json")} {
		var l map[string]any
		if err := json.Unmarshal([]byte(out), &l); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, key := range []string{"id", "from", "lane", "created", "size", "state", "recipients"} {
			if _, ok := l[key]; !ok {
				t.Errorf("no %s: %s", key, out)
			}
		}
		all, _ := l["recipients"].([]any)
		if len(all) != 2 {
			t.Fatalf("recipients: %s", out)
		}
		r, _ := all[0].(map[string]any)
		for _, key := range []string{"address", "state", "next_try", "attempts", "remote", "code", "enhanced", "text", "tls"} {
			if _, ok := r[key]; !ok {
				t.Errorf("a recipient has no %s: %s", key, out)
			}
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(r["next_try"])); err != nil {
			t.Errorf("next_try: %v", err)
		}
	}
}

func TestQueueVerbs(t *testing.T) {
	p := queueOf(t)
	p.run(2, "queue", "hold", "Q1")
	p.run(2, "queue", "hold", "Q1", "--reason", " ")
	p.run(2, "queue", "hold", "--reason", "x")
	p.run(2, "queue", "drop")
	p.run(2, "queue", "drop", "--all", "Q1")
	p.run(2, "queue", "release")
	p.run(3, "queue", "hold", "tiada", "--reason", "x")
	if out := p.run(0, "queue", "hold", "--from", "@agensi-a.test", "--reason", "kata laluan dicuri"); !strings.Contains(out, "2 messages held") {
		t.Errorf("hold: %s", out)
	}
	if got := p.ids("--state", "held"); got != "Q1 Q3" {
		t.Errorf("held are %q", got)
	}
	if out := p.run(0, "queue", "list", "Q1"); !strings.Contains(out, "held: kata laluan dicuri") || !strings.Contains(out, "1 of them held") {
		t.Errorf("a held message: %s", out)
	}
	if out := p.run(0, "queue", "show", "Q1"); !strings.Contains(out, "held because: kata laluan dicuri") {
		t.Errorf("a held message: %s", out)
	}
	if out := p.run(0, "queue", "flush"); !strings.Contains(out, "1 message will be tried now") {
		t.Errorf("flush: %s", out)
	}
	p.run(3, "queue", "retry", "Q1") // held stays held
	if out := p.run(0, "queue", "release", "Q1"); !strings.Contains(out, "1 message released") {
		t.Errorf("release: %s", out)
	}
	if out := p.run(0, "queue", "list", "Q1"); !strings.Contains(out, "due now; tried once") {
		t.Errorf("a released message: %s", out)
	}
	p.run(3, "queue", "release", "Q1")
	p.run(0, "queue", "retry", "--to", "@jauh.test")
	var n struct{ Changed int }
	p.json(&n, "queue", "drop", "--lane", "bulk")
	if n.Changed != 1 || p.ids() != "Q1 Q3" {
		t.Errorf("%d dropped, left are %q", n.Changed, p.ids())
	}
	p.json(&n, "queue", "drop", "--all")
	if n.Changed != 2 || p.ids() != "" {
		t.Errorf("%d dropped, left are %q", n.Changed, p.ids())
	}
	p.json(&n, "queue", "drop", "--all")
	if n.Changed != 0 {
		t.Errorf("%d dropped of nothing", n.Changed)
	}
	p.run(0, "store", "verify")
}

func TestTrace(t *testing.T) {
	p := newPlace(t)
	now := time.Now()
	p.fill(func(e *bolt.Engine) error {
		e.Note(store.Event{Time: now, ID: "Q1", MessageID: "<satu@luar.test>", Event: "accepted", From: "orang@luar.test",
			To: []string{"a@jauh.test"}, Host: "luar.test[192.0.2.1]:40000", Agencies: []string{"agensi-a"}})
		e.Note(store.Event{Time: now.Add(time.Second), ID: "Q1", Event: "deferred", To: []string{"a@jauh.test"},
			Host: "mx.jauh.test[192.0.2.2]:25", Code: 451, Enhanced: "4.7.1", Text: "greylisted"})
		e.Note(store.Event{Time: now.Add(time.Minute), ID: "Q2", MessageID: "<dua@luar.test>", Event: "accepted", From: "orang@luar.test"})
		return nil
	})
	for _, key := range []string{"Q1", "satu@luar.test", "<Satu@luar.test>", "a@jauh.test"} {
		all := asLines[traceLine](t, 0, "trace", key, "--dir", p.dir)
		if len(all) != 1 || all[0].ID != "Q1" || all[0].MessageID != "<satu@luar.test>" || len(all[0].Events) != 2 || all[0].Events[1].Code != 451 {
			t.Errorf("%s: %+v", key, all)
		}
	}
	if all := asLines[traceLine](t, 0, "trace", "orang@luar.test", "--max", "1", "--dir", p.dir); len(all) != 1 || all[0].ID != "Q2" {
		t.Errorf("the newest: %+v", all)
	}
	var raw struct{ Events []map[string]any }
	p.json(&raw, "trace", "Q1")
	for _, key := range []string{"time", "event", "host", "code", "text"} {
		if _, ok := raw.Events[0][key]; !ok {
			t.Errorf("an event has no %s: %v", key, raw.Events[0])
		}
	}
	out := p.run(0, "trace", "Q1")
	for _, want := range []string{"Q1  <satu@luar.test>\n", "accepted", "from <orang@luar.test>", "to a@jauh.test", "mx.jauh.test[192.0.2.2]:25  451 4.7.1 greylisted"} {
		if !strings.Contains(out, want) {
			t.Errorf("the story does not say %q:\n%s", want, out)
		}
	}
	p.run(3, "trace", "tiada@luar.test")
	p.run(2, "trace")
	p.run(2, "trace", "Q1", "--max", "0")
}

func TestQuarantineByCommand(t *testing.T) {
	p := newPlace(t)
	text := []byte("Subject: x\r\n\r\nisi\r\n")
	p.fill(func(e *bolt.Engine) error {
		return e.Quarantine(context.Background(), store.Quarantined{Agency: "agensi-a", From: "jahat@luar.test",
			Recipients: []string{"pegawai1@agensi-a.test"}, Filter: "rspamd", Reason: "skor 17"},
			&store.Envelope{QueueID: "Q1", From: "jahat@luar.test"}, bytes.NewReader(text),
			gate.Mint(sha256.Sum256(text), gate.Quarantine, "TERBUKA", "", ""))
	})
	var q store.Quarantined
	p.json(&q, "quarantine", "list")
	if q.ID != "Q1" || q.Filter != "rspamd" || q.Reason != "skor 17" {
		t.Errorf("%+v", q)
	}
	if out := p.run(0, "quarantine", "list"); !strings.Contains(out, "<jahat@luar.test>") || !strings.Contains(out, "skor 17") {
		t.Errorf("list: %s", out)
	}
	p.run(3, "quarantine", "drop", "tiada")
	p.run(0, "quarantine", "drop", "Q1")
	p.run(3, "quarantine", "drop", "Q1")
	if out := p.run(0, "quarantine", "list", "--json"); out != "" {
		t.Errorf("after drop: %s", out)
	}
}

type liveQueue struct {
	liveSuite
	trying   map[string][]string
	backlogs map[string]mta.Backlog
}

func (l liveQueue) Trying() map[string][]string      { return l.trying }
func (l liveQueue) Backlogs() map[string]mta.Backlog { return l.backlogs }
func (l liveQueue) Now() time.Time                   { return time.Now() }

// What is being delivered at this moment is shown as that, not as waiting without an attempt.
func TestQueueShowsWhatIsTried(t *testing.T) {
	at := time.Now()
	ctx := withLive(context.Background(), liveQueue{trying: map[string][]string{"Q1": {"a@jauh.test"}}, backlogs: map[string]mta.Backlog{
		"sibuk.test": {Waiting: 9},
		"mati.test":  {Waiting: 9, Until: at.Add(time.Hour), Last: smtpout.Result{Code: 451, Enhanced: "4.4.1", Text: "connection refused", Remote: "mx.mati.test[192.0.2.1]:25"}},
	}})
	q := store.QueueEntry{ID: "Q1", State: store.Waiting, Recipients: []store.QueueRecipient{
		{Address: "a@jauh.test", State: store.Waiting}, {Address: "b@jauh.test", State: store.Waiting},
		{Address: "c@sibuk.test", State: store.Waiting}, {Address: "d@mati.test", State: store.Waiting},
		{Address: "e@mati.test", State: store.Waiting, Code: 450, Text: "grey"}}}
	l := lineOf(&q, now(ctx))
	if l.State != "active" || l.Recipients[0].State != "active" || l.Recipients[1].State != store.Waiting {
		t.Errorf("%+v", l)
	}
	for i, want := range []string{"being tried now", "due now; not tried yet",
		"due now; not tried yet; waits for its turn: 9 transactions wait for connections to this destination",
		"next try " + at.Add(time.Hour).Local().Format("2006-01-02 15:04:05") + " (in 60 min); not tried yet; mx.mati.test[192.0.2.1]:25: 451 4.4.1 connection refused",
		"due now; not tried yet; 450 grey"} {
		if got := l.Recipients[i].story("", at); got != want {
			t.Errorf("recipient %d: %q, want %q", i, got, want)
		}
	}
}
