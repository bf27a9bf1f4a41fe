package filter

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sampul/internal/peers"
)

func TestRspamd(t *testing.T) {
	daemon := peers.Rspamd(t)
	c, _ := chain(t, Options{}, Config{Name: "spam", Type: "rspamd", Address: daemon.Address, AgencySettings: true})
	text := func(field, body string) *Mail {
		return mail("From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test-Remove: 1\nX-Test-Remove: 2\n" + field + "\n" + body + "\n")
	}
	for _, tt := range []struct {
		name           string
		mail           *Mail
		action         Action
		reply          string
		prefix, header string // what must stand there
	}{
		{"plain", text("", "apa khabar"), Accept, "", "", "X-Test-Score: 0.0"},
		{"GTUBE is refused", text("", peers.GTUBE(peers.GTUBEReject)), Reject, "550 5.7.1 Gtube pattern", "", ""},
		{"GTUBE for Junk", text("", peers.GTUBE(peers.GTUBEJunk)), Junk, "", "X-Spam: Yes", ""},
		{"GTUBE for the subject", text("", peers.GTUBE(peers.GTUBESubject)), Accept, "", "", "Subject: *** SPAM *** cuba"},
		{"a low score goes to Junk", text("X-Test-Spam: 7\n", "apa khabar"), Junk, "", "X-Spam: Yes", "X-Test-Score: 7.0"},
		{"a high score is refused", text("X-Test-Spam: 17\n", "apa khabar"), Reject, "550 5.7.1 ", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := ask(t, c, tt.mail)
			if reply := fmt.Sprintf("%d %s %s", o.Code, o.Enhanced, o.Text); o.Action != tt.action || tt.reply != "" && !strings.HasPrefix(reply, tt.reply) {
				t.Fatalf("got %v, %s, want %v, %s (%s)", o.Action, reply, tt.action, tt.reply, o.Reason)
			}
			if o.Action == Reject {
				return
			}
			p, msg := applied(t, tt.mail, o)
			if !strings.Contains(p, tt.prefix) || !strings.Contains(msg, tt.header) {
				t.Errorf("got\n%s\n%s\nwant %q before the message and %q in it", p, msg, tt.prefix, tt.header)
			}
			// rspamd runs no rules on a message with one of its patterns.
			if rules := strings.Contains(tt.header, "X-Test-Score"); rules != strings.Contains(msg, "X-Test-Settings: ") || rules == strings.Contains(msg, "X-Test-Remove") {
				t.Errorf("the changes that a rule asks for: want %v; got\n%s\n%s", rules, p, msg)
			}
		})
	}
	if h := c.Probe(context.Background()); h[0].Err != nil {
		t.Error(h[0].Err)
	}
}

// The request carries what rspamd's page "Protocol" names.
func TestRspamdRequest(t *testing.T) {
	var got http.Header
	var length int64
	var body []byte
	socket := filepath.Join(peers.Dir(t), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, length = r.Header, r.ContentLength
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, `{"action":"no action"}`)
	})}
	go srv.Serve(ln)
	defer srv.Close()
	password := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(password, []byte("rahsia\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := chain(t, Options{}, Config{Name: "spam", Type: "rspamd", Address: "unix:" + socket, PasswordFile: password, AgencySettings: true})
	m := mail(plainText)
	m.Hostname, m.Account, m.TLS = "mail.luar.test", "orang@luar.test", "TLS 1.3 TLS_AES_128_GCM_SHA256"
	if o := ask(t, c, m); o.Action != Accept {
		t.Fatalf("got %+v", o)
	}
	for name, want := range map[string][]string{
		"From": {"<orang@luar.test>"}, "Rcpt": {"<pegawai1@dalam.test>", "<pegawai2@dalam.test>"}, "Ip": {"192.0.2.7"},
		"Helo": {"luar.test"}, "Hostname": {"mail.luar.test"}, "User": {"orang@luar.test"}, "Queue-Id": {"4fKx9TqLm2"},
		"Mta-Name": {"mx.dalam.test"}, "Settings-Id": {"agensi-a"}, "Password": {"rahsia"},
		"Tls-Version": {"TLSv1.3"}, "Tls-Cipher": {"TLS_AES_128_GCM_SHA256"},
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	want := strings.ReplaceAll("Authentication-Results: mx.dalam.test; spf=pass\n"+plainText, "\n", "\r\n")
	if string(body) != want || length != int64(len(want)) {
		t.Errorf("it was asked about %d octets:\n%s", length, body)
	}
}

func TestRspamdAnswers(t *testing.T) {
	scores := Config{RejectScore: 20, JunkScore: 8}
	for _, tt := range []struct {
		name, answer string
		cfg          Config
		action       Action
		reply        string
		edits        []Edit
	}{
		{"no action", `{"action":"no action"}`, Config{}, Accept, "", nil},
		{"an action of its own", `{"action":"buat sesuatu"}`, Config{}, Accept, "", nil},
		{"reject", `{"action":"reject","score":16,"required_score":15}`, Config{}, Reject, "550 5.7.1 Mesej ditolak sebagai spam / message refused as spam", nil},
		{"reject in rspamd's words", `{"action":"reject","messages":{"smtp_message":"bad\r\n250 ok"}}`, Config{}, Reject, "550 5.7.1 bad 250 ok", nil},
		{"reject below our score", `{"action":"reject","score":16,"required_score":15}`, scores, Junk, "",
			[]Edit{{Op: Insert, Name: "X-Spam", Value: "Yes", Index: 1}}},
		{"reject at our score", `{"action":"reject","score":20,"required_score":15}`, scores, Reject, "550", nil},
		{"reject forced by a rule", `{"action":"reject","score":2,"required_score":15}`, scores, Reject, "550", nil},
		{"our score under rspamd's", `{"action":"no action","score":8,"required_score":15}`, scores, Junk, "",
			[]Edit{{Op: Insert, Name: "X-Spam", Value: "Yes", Index: 1}}},
		{"below our score", `{"action":"add header","score":7.9,"required_score":15}`, scores, Accept, "", nil},
		{"milter says discard", `{"action":"reject","milter":{"reject":"discard"}}`, Config{}, Discard, "", nil},
		{"milter says quarantine", `{"action":"reject","milter":{"reject":"quarantine"}}`, Config{}, Quarantine, "", nil},
		{"soft reject", `{"action":"soft reject","messages":{"smtp_message":"ratelimit"}}`, Config{}, Tempfail, "451 4.7.1 ratelimit", nil},
		{"greylist", `{"action":"greylist","messages":["x"]}`, Config{}, Tempfail, "451 4.7.1 Cuba lagi", nil},
		{"discard", `{"action":"discard"}`, Config{}, Discard, "", nil},
		{"quarantine", `{"action":"quarantine"}`, Config{}, Quarantine, "", nil},
		{"add header by another name", `{"action":"add header","milter":{"spam_header":"X-Sampah"}}`, Config{}, Junk, "",
			[]Edit{{Op: Insert, Name: "X-Sampah", Value: "Yes", Index: 1}}},
		{"rewrite subject", `{"action":"rewrite subject","subject":"[SPAM] ü"}`, Config{}, Accept, "",
			[]Edit{{Op: Change, Name: "Subject", Value: "=?utf-8?q?[SPAM]_=C3=BC?=", Index: 1}}},
		{"rewrite subject, left to us", `{"action":"rewrite subject"}`, Config{}, Accept, "",
			[]Edit{{Op: Change, Name: "Subject", Value: "***SPAM*** cuba", Index: 1}}},
		{"headers", `{"action":"no action","milter":{
			"add_headers":{"X-B":[{"value":"1","order":0},"2"],"X-A":{"value":3,"order":-1},"X-C":null,"X-D":{"order":1}},
			"remove_headers":{"X-Test":0,"Subject":[1,1],"To":-1,"From":9}}}`, Config{}, Accept, "",
			[]Edit{
				{Op: Delete, Name: "Subject", Index: 1}, {Op: Delete, Name: "To", Index: 1},
				{Op: Delete, Name: "X-Test", Index: 2}, {Op: Delete, Name: "X-Test", Index: 1},
				{Op: Insert, Name: "X-A", Value: "3", Index: 8},
				{Op: Insert, Name: "X-B", Value: "1", Index: 0}, {Op: Add, Name: "X-B", Value: "2"},
			}},
		{"a signature", `{"action":"no action","dkim-signature":"v=1"}`, Config{}, Accept, "",
			[]Edit{{Op: Insert, Name: "DKIM-Signature", Value: "v=1", Index: 1}}},
		{"fields of other types", `{"action":"no action","score":"x","milter":[],"messages":1,"subject":{},"dkim-signature":5}`, Config{}, Accept, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := parseRspamd([]byte(tt.answer))
			if err != nil {
				t.Fatal(err)
			}
			m := mail(plainText)
			h, err := m.header()
			if err != nil {
				t.Fatal(err)
			}
			o := a.outcome(&tt.cfg, h)
			if err := o.tidy(m); err != nil {
				t.Fatal(err)
			}
			reply := ""
			if o.Code != 0 {
				reply = fmt.Sprintf("%d %s %s", o.Code, o.Enhanced, o.Text)
			}
			if o.Action != tt.action || !strings.HasPrefix(reply, tt.reply) || (reply == "") != (tt.reply == "") || !reflect.DeepEqual(o.Edits, tt.edits) {
				t.Errorf("got %v, %q, %+v\nwant %v, %q, %+v", o.Action, reply, o.Edits, tt.action, tt.reply, tt.edits)
			}
		})
	}
	for _, bad := range []string{"", "{", "[]", "null", `{"error":"no such thing"}`, `{"action":1}`, "<html>"} {
		if _, err := parseRspamd([]byte(bad)); err == nil {
			t.Errorf("%q was taken for an answer", bad)
		}
	}
}

func TestRspamdMilterEnvelope(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"action":"no action","milter":{"change_from":"lain@luar.test","add_rcpt":["baru@dalam.test"],"del_rcpt":["pegawai2@dalam.test"]}}`)
	}))
	defer srv.Close()
	c, _ := chain(t, Options{}, Config{Name: "spam", Type: "rspamd", Address: srv.URL})
	o := ask(t, c, mail(plainText))
	if !o.Changed || o.From == nil || *o.From != "lain@luar.test" || !reflect.DeepEqual(o.AddTo, []string{"baru@dalam.test"}) || !reflect.DeepEqual(o.DropTo, []string{"pegawai2@dalam.test"}) {
		t.Errorf("got %+v", o)
	}
}

// Whatever an answer says, what comes of it is safe to put into a message and a reply.
func FuzzRspamdAnswer(f *testing.F) {
	f.Add([]byte(`{"action":"add header","score":7.1,"required_score":15,"milter":{"add_headers":{"X-A":{"value":"1","order":1}},"remove_headers":{"X-Test":0},"spam_header":{"X":"y"}}}`))
	f.Add([]byte(`{"action":"reject","messages":{"smtp_message":"x\r\ny"}}`))
	f.Add([]byte(`{"action":"rewrite subject","subject":"\u0000\n","dkim-signature":["a","b"]}`))
	f.Add([]byte(`{"action":"no action","milter":{"change_from":"<>","add_rcpt":["a@b"],"del_rcpt":"c@d"}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := parseRspamd(in)
		if err != nil {
			return
		}
		m := mail(plainText)
		h, err := m.header()
		if err != nil {
			t.Fatal(err)
		}
		o := a.outcome(&Config{}, h)
		if o.tidy(m) != nil {
			return
		}
		if strings.ContainsAny(o.Text+o.Reason+o.Enhanced, "\r\n\x00") {
			t.Fatalf("a reply of more than one line: %+v", o)
		}
		p, msg := applied(t, m, o)
		for _, s := range []string{p, msg[:strings.Index(msg, "\n\n")+1]} {
			for l := range strings.Lines(s) {
				if l != "\n" && l[0] != ' ' && l[0] != '\t' && !strings.Contains(l, ":") {
					t.Fatalf("a line that is no field: %q", l)
				}
			}
		}
		if !strings.HasSuffix(msg, "\n\nApa khabar?\n") {
			t.Fatalf("the content is another: %q", msg)
		}
	})
}
