package filter

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

const lfPrefix = "Return-Path: <orang@luar.test>\n" +
	"Received: from luar.test\n\tby mx.dalam.test; Tue, 24 Nov 2026 10:00:00 +0800\n" +
	"Authentication-Results: mx.dalam.test; spf=pass\n"

func TestApply(t *testing.T) {
	const received = "Received: from luar.test\n\tby mx.dalam.test; Tue, 24 Nov 2026 10:00:00 +0800\n"
	with := func(old, new string) string { return strings.Replace(lfPrefix, old, new, 1) }
	body := func(old, new string) string { return strings.Replace(plainText, old, new, 1) }
	for _, tt := range []struct {
		name        string
		edits       []Edit
		prefix, msg string
		kept        bool // the message's octets stay
	}{
		{"nothing", nil, lfPrefix, plainText, true},
		{"insert on top: Return-Path stays first", []Edit{{Op: Insert, Name: "X-Spam", Value: "1"}},
			with(received, "X-Spam: 1\n"+received), plainText, true},
		{"insert after our Received", []Edit{{Op: Insert, Name: "X-Spam", Value: "1", Index: 1}},
			with(received, received+"X-Spam: 1\n"), plainText, true},
		{"insert where the prefix ends", []Edit{{Op: Insert, Name: "X-Spam", Value: "1", Index: 2}},
			lfPrefix + "X-Spam: 1\n", plainText, true},
		{"insert on top what people read", []Edit{{Op: Insert, Name: "Subject", Value: "1"}, {Op: Insert, Name: "content-type", Value: "2", Index: 1}, {Op: Insert, Name: "X-Spam", Value: "3", Index: 0}},
			with(received, "X-Spam: 3\n"+received), "content-type: 2\nSubject: 1\n" + plainText, false},
		{"insert within the message", []Edit{{Op: Insert, Name: "X-A", Value: "1", Index: 3}},
			lfPrefix, body("To:", "X-A: 1\nTo:"), false},
		{"insert before the last field", []Edit{{Op: Insert, Name: "X-A", Value: "1", Index: 6}},
			lfPrefix, body("X-Test: dua", "X-A: 1\nX-Test: dua"), false},
		{"insert at the end", []Edit{{Op: Insert, Name: "X-A", Value: "1", Index: 7}},
			lfPrefix, body("X-Test: dua\n", "X-Test: dua\nX-A: 1\n"), false},
		{"insert beyond the end", []Edit{{Op: Insert, Name: "X-A", Value: "1", Index: 1 << 30}},
			lfPrefix, body("X-Test: dua\n", "X-Test: dua\nX-A: 1\n"), false},
		{"add", []Edit{{Op: Add, Name: "X-A", Value: "1"}}, lfPrefix, body("X-Test: dua\n", "X-Test: dua\nX-A: 1\n"), false},
		{"add, with its own white space", []Edit{{Op: Add, Name: "X-A", Value: "  1"}}, lfPrefix, body("X-Test: dua\n", "X-Test: dua\nX-A:  1\n"), false},
		{"change in the prefix", []Edit{{Op: Change, Name: "authentication-results", Index: 1, Value: "x"}},
			with("Authentication-Results: mx.dalam.test; spf=pass", "authentication-results: x"), plainText, true},
		{"change the second of a name", []Edit{{Op: Change, Name: "x-test", Index: 2, Value: "lain"}},
			lfPrefix, body("X-Test: dua", "x-test: lain"), false},
		{"index 0 is the first", []Edit{{Op: Change, Name: "X-Test", Index: 0, Value: "lain"}},
			lfPrefix, body("X-Test: satu", "X-Test: lain"), false},
		{"what is not there to change is added", []Edit{{Op: Change, Name: "X-Test", Index: 3, Value: "tiga"}},
			lfPrefix, body("X-Test: dua\n", "X-Test: dua\nX-Test: tiga\n"), false},
		{"delete", []Edit{{Op: Delete, Name: "X-Test", Index: 1}}, lfPrefix, body("X-Test: satu\n", ""), false},
		{"delete what is not there", []Edit{{Op: Delete, Name: "X-Test", Index: 3}}, lfPrefix, plainText, true},
		{"each edit counts in what those before it left", []Edit{{Op: Delete, Name: "X-Test", Index: 1}, {Op: Delete, Name: "X-Test", Index: 1}},
			lfPrefix, body("X-Test: satu\nX-Test: dua\n", ""), false},
		{"our Received is out of reach", []Edit{{Op: Delete, Name: "Received", Index: 1}}, lfPrefix, plainText, true},
		{"our Return-Path too", []Edit{{Op: Change, Name: "Return-Path", Index: 1, Value: "<x@y.test>"}},
			lfPrefix, body("X-Test: dua\n", "X-Test: dua\nReturn-Path: <x@y.test>\n"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mail(plainText)
			o := &Outcome{Edits: tt.edits}
			p, msg := applied(t, m, o)
			if p != tt.prefix || msg != tt.msg {
				t.Errorf("got prefix\n%s\nand message\n%s\nwant prefix\n%s\nand message\n%s", p, msg, tt.prefix, tt.msg)
			}
			if _, r, _ := Apply(m, o); (r == nil) != tt.kept {
				t.Errorf("a nil message, which says that its octets stay: got %v, want %v", r == nil, tt.kept)
			}
			// A later filter that sees the changed message says the same about it.
			next, err := m.after(o)
			if err != nil {
				t.Fatal(err)
			}
			p, msg = applied(t, next, &Outcome{})
			h, err := next.header()
			if err != nil || string(h.prefix()) != strings.ReplaceAll(tt.prefix, "\n", "\r\n") || string(h.own(false)) != strings.ReplaceAll(tt.msg[:strings.Index(tt.msg, "\n\n")+2], "\n", "\r\n") {
				t.Errorf("what is passed on of the header is %q, %v", h.visible(), err)
			}
			if p != tt.prefix || msg != tt.msg || next.Index.Size != int64(len(strings.ReplaceAll(msg, "\n", "\r\n"))) {
				t.Errorf("the next filter sees prefix\n%s\nand message\n%s", p, msg)
			}
		})
	}
}

func TestApplyOddMessages(t *testing.T) {
	add := []Edit{{Op: Add, Name: "X-A", Value: "1"}}
	for _, tt := range []struct{ name, msg, body, want string }{
		{"no header", "\nisi\n", "", "X-A: 1\n\nisi\n"},
		{"no blank line", "Subject: a\n", "", "Subject: a\nX-A: 1\n"},
		{"ends within a field", "Subject: a", "", "Subject: a\nX-A: 1\n"},
		{"empty", "", "", "X-A: 1\n"},
		{"a line that is no field", "From orang\nSubject: a\n\nisi\n", "", "From orang\nSubject: a\nX-A: 1\n\nisi\n"},
		{"a new body", "Subject: a\n\nisi\n", "lain\n", "Subject: a\nX-A: 1\n\nlain\n"},
		{"a new body where no blank line was", "Subject: a\n", "lain\n", "Subject: a\nX-A: 1\n\nlain\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := &Outcome{Edits: add}
			if tt.body != "" {
				o.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(tt.body, "\n", "\r\n")))
			}
			if p, msg := applied(t, mail(tt.msg), o); p != lfPrefix || msg != tt.want {
				t.Errorf("got %q after %q, want %q", msg, p, tt.want)
			}
		})
	}
}

func TestTidy(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"one line", "satu", "satu"},
		{"folded with LF", "satu\n dua", "satu\r\n dua"},
		{"folded with CRLF", "satu\r\n\tdua", "satu\r\n\tdua"},
		{"a field smuggled in", "satu\r\nBcc: x@y.test", "satu\r\n\tBcc: x@y.test"},
		{"the end of the header smuggled in", "satu\r\n\r\nisi", "satu\r\n\tisi"},
		{"a blank continuation line", "satu\n \n dua", "satu\r\n dua"},
		{"NUL and bare CR", "sa\x00t\ru", "satu"},
	} {
		if got := foldValue(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	bad := "a\r\nRCPT TO:<x@y.test>@b.test"
	for name, o := range map[string]*Outcome{
		"a name with a colon":   {Edits: []Edit{{Name: "X:Y"}}},
		"a name with a line":    {Edits: []Edit{{Name: "X\r\nY"}}},
		"no name":               {Edits: []Edit{{Value: "x"}}},
		"a sender with a line":  {From: &bad},
		"a recipient with one":  {AddTo: []string{bad}},
		"no recipient":          {AddTo: []string{"<>"}},
		"a recipient without @": {AddTo: []string{"semua"}},
		"too many edits":        {Edits: make([]Edit, maxEdits+1)},
		"too much header":       {Edits: []Edit{{Name: "X", Value: strings.Repeat("x", maxHeader)}}},
	} {
		if err := o.tidy(mail(plainText)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestTidyReply(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Outcome
		want string
	}{
		{"nothing said", Outcome{Action: Reject}, "550 5.7.1 Mesej ditolak oleh penapis / message refused by a filter"},
		{"all said", Outcome{Action: Reject, Code: 554, Enhanced: "5.6.0", Text: "no"}, "554 5.6.0 no"},
		{"a temporary code on a refusal", Outcome{Action: Reject, Code: 451, Enhanced: "4.7.1", Text: "no"}, "550 5.7.1 no"},
		{"421 would end the session", Outcome{Action: Tempfail, Code: 421, Enhanced: "4.7.0", Text: "later"}, "451 4.7.0 later"},
		{"a second reply", Outcome{Action: Reject, Text: "no\r\n250 ok"}, "550 5.7.1 no 250 ok"},
		{"no enhanced code", Outcome{Action: Reject, Enhanced: "5.7.1\r\n", Text: "n\xc3\xb6"}, "550 5.7.1 n"},
	} {
		o := tt.in
		if err := o.tidy(mail(plainText)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d %s %s", o.Code, o.Enhanced, o.Text); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRecipients(t *testing.T) {
	o := &Outcome{AddTo: []string{"<baru@dalam.test>", "pegawai1@dalam.test", "baru@dalam.test"}, DropTo: []string{"<PEGAWAI2@dalam.test>", "lain@dalam.test"}}
	m := mail(plainText)
	if err := o.tidy(m); err != nil {
		t.Fatal(err)
	}
	m.envelope(o)
	if got := strings.Join(m.To, " "); got != "pegawai1@dalam.test baru@dalam.test" {
		t.Errorf("recipients are %s", got)
	}
	o = &Outcome{DropTo: m.To}
	if err := o.tidy(m); err != nil || o.Action != Discard {
		t.Errorf("with every recipient taken away: %v, %v; want discard", o.Action, err)
	}
}
