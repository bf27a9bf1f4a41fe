package filter

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"sampul/internal/peers"
)

// withZip is a mail with a zip in which one file holds the content.
func withZip(t testing.TB, content string) *Mail {
	t.Helper()
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create("surat.com")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(content))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return mail("From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nLihat lampiran.\n" +
		"--b\nContent-Type: application/zip; name=surat.zip\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString(packed.Bytes()) + "\n--b--\n")
}

func TestClamdFindsEICAR(t *testing.T) {
	daemon := peers.Clamd(t, 0)
	for _, at := range []string{daemon.Unix, daemon.TCP, "tcp:" + daemon.TCP} {
		c, _ := chain(t, Options{}, Config{Name: "virus", Type: "clamd", Address: at})
		for _, scope := range []Scope{In, Out} {
			m := withZip(t, peers.EICAR())
			m.Scope = scope
			o := ask(t, c, m)
			want := "Virus ditemui / virus found: " + peers.Signature + ".UNOFFICIAL (filter virus)"
			if o.Action != Reject || o.Code != 554 || o.Enhanced != "5.7.1" || o.Text != want || o.Filter != "virus" {
				t.Errorf("%s, %s: got %+v, want reject: %s", at, scope, o, want)
			}
		}
		if o := ask(t, c, withZip(t, "tiada apa-apa")); o.Action != Accept || o.Changed {
			t.Errorf("%s: a clean message: %+v", at, o)
		}
		if o := ask(t, c, mail("")); o.Action != Accept {
			t.Errorf("%s: an empty message: %+v", at, o)
		}
		h := c.Probe(context.Background())
		if len(h) != 1 || h[0].Err != nil || !strings.HasPrefix(h[0].Version, "ClamAV") {
			t.Errorf("%s: health is %+v", at, h)
		}
	}
}

// What clamd will not scan whole was not scanned: the fail policy decides, not luck.
func TestClamdStreamMaxLength(t *testing.T) {
	daemon := peers.Clamd(t, 100<<10)
	for policy, want := range map[string]Action{"tempfail": Tempfail, "accept": Accept} {
		for _, size := range []int{101 << 10, 8 << 20} {
			c, log := chain(t, Options{}, Config{Name: "virus", Type: "clamd", Address: daemon.Unix, OnError: policy})
			o := ask(t, c, mail("Subject: panjang\n\n"+strings.Repeat(strings.Repeat("a", 63)+"\n", size/64)))
			if o.Action != want || !strings.Contains(log.String(), "StreamMaxLength") {
				t.Errorf("%s, %d octets: got %v, want %v; log: %s", policy, size, o.Action, want, log)
			}
		}
	}
}

func TestClamdStopped(t *testing.T) {
	daemon := peers.Clamd(t, 0)
	c, log := chain(t, Options{},
		Config{Name: "keras", Type: "clamd", Address: daemon.Unix, Scope: []Scope{In}},
		Config{Name: "lembut", Type: "clamd", Address: daemon.TCP, Scope: []Scope{Out}, OnError: "accept"})
	daemon.Stop()
	m := withZip(t, peers.EICAR())
	o := ask(t, c, m)
	if o.Action != Tempfail || o.Code != 451 || o.Enhanced != "4.7.1" || o.Filter != "keras" {
		t.Errorf("tempfail: got %+v", o)
	}
	m.Scope = Out
	if o := ask(t, c, m); o.Action != Accept {
		t.Errorf("accept: got %+v", o)
	}
	for _, want := range []string{"level=WARN", "id=4fKx9TqLm2", "filter=keras", "filter=lembut", "on_error=tempfail", "on_error=accept",
		"address=" + daemon.Unix, "address=" + daemon.TCP, "refused"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	s := c.Status()
	if s[0].Results["error"] != 1 || s[1].Results["error-accepted"] != 1 || s[0].LastError == "" || s[0].LastErrAt.IsZero() || !s[0].LastOK.IsZero() {
		t.Errorf("status is %+v", s)
	}
}

func TestParseScan(t *testing.T) {
	for _, tt := range []struct{ reply, virus, err string }{
		{"stream: OK", "", ""},
		{"stream: OK\n", "", ""},
		{"instream(127.0.0.1@4711): OK", "", ""},
		{"stream: Win.Test.EICAR_HDB-1 FOUND", "Win.Test.EICAR_HDB-1", ""},
		{"stream: a: b FOUND", "a: b", ""},
		{"stream: x\r\ny FOUND", "x y", ""},
		{"stream:  FOUND", "unnamed", ""},
		{"INSTREAM size limit exceeded. ERROR", "", "StreamMaxLength"},
		{"stream: Can't allocate memory ERROR", "", "allocate"},
		{"COMMAND READ TIMED OUT", "", "TIMED OUT"},
		{"OK", "", "answered"},
		{"", "", "answered"},
		{"stream: OK not", "", "answered"},
	} {
		virus, err := parseScan([]byte(tt.reply))
		if virus != tt.virus || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %q", tt.reply, virus, err, tt.virus, tt.err)
		}
	}
}

// Only a reply that says OK, and nothing else, lets a message pass.
func FuzzParseScan(f *testing.F) {
	for _, s := range []string{"stream: OK", "stream: Eicar FOUND", "INSTREAM size limit exceeded. ERROR", "UNKNOWN COMMAND", "stream: OK FOUND", ": OK"} {
		f.Add([]byte(s + "\x00"))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		reply, err := readReply(bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(reply) > clamdReply {
			t.Fatalf("read %d octets", len(reply))
		}
		virus, err := parseScan(reply)
		passed := err == nil && virus == ""
		line := strings.TrimRight(string(reply), "\r\n")
		if says := strings.HasSuffix(line, ": OK") && strings.Count(line, ": ") == 1; passed != says {
			t.Fatalf("%q passed: %v", reply, passed)
		}
		if len(virus) > 100 || strings.ContainsAny(virus, "\r\n\x00") {
			t.Fatalf("a name that does not fit a reply: %q", virus)
		}
	})
}
