package dsn

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
)

var update = flag.Bool("update", false, "write the golden files anew")

var at = time.Date(2026, 3, 2, 9, 30, 0, 0, time.FixedZone("", 8*3600))

const header = "From: Pegawai Satu <pegawai1@agensi-a.test>\r\nTo: orang@jauh.test\r\nSubject: Mesyuarat\r\n" +
	"\tbulanan\r\nMessage-ID: <m1@agensi-a.test>\r\n\r\nisi yang tidak boleh dihantar semula\r\n"

func report(a Action) *Report {
	return &Report{
		Action: a, Host: "mel.agensi-a.test", From: "postmaster@agensi-a.test", To: "pegawai1@agensi-a.test",
		QueueID: "4fKx9TqLm2", EnvID: "QQ+3D314", Arrival: at, Until: at.Add(5 * 24 * time.Hour), Date: at.Add(time.Hour),
		MessageID: "<dsn-1@mel.agensi-a.test>", Header: []byte(header),
		Recipients: []Recipient{
			{Address: "orang@jauh.test", ORcpt: "rfc822;Orang+2Bkerja@jauh.test", Status: "5.1.1", Code: 550,
				Text: "no such user here", Remote: "mx1.jauh.test[192.0.2.1]:25", Last: at.Add(time.Minute)},
			{Address: "lain@jauh.test", Status: "4.4.1", Text: "mx1.jauh.test: connection timed out", Last: at.Add(time.Minute)},
		},
	}
}

// utf8Report goes to a sender whose address is beyond ASCII (RFC 6533).
func utf8Report() *Report {
	r := report(Failed)
	r.To = "δοκιμή@agensi-a.test"
	r.Header = []byte("From: δοκιμή@agensi-a.test\r\nSubject: χαίρετε\r\n\r\n")
	r.Recipients = []Recipient{{Address: "用户@jauh.test", ORcpt: `utf-8;\x{7528}\x{6237}@jauh.test`, Status: "5.6.7", Code: 550,
		Text: "地址 not allowed", Remote: "mx1.jauh.test[192.0.2.1]:25"}}
	return r
}

// Each kind of report is a golden file, and a library that knows nothing of ours reads it.
func TestWrite(t *testing.T) {
	mixed := utf8Report() // the sender's address is ASCII, the recipient's is not
	mixed.To = "pegawai1@agensi-a.test"
	tests := []struct {
		name string
		r    *Report
	}{
		{"failed", report(Failed)}, {"delayed", report(Delayed)}, {"delivered", report(Delivered)},
		{"relayed", report(Relayed)}, {"expanded", report(Expanded)}, {"utf8", utf8Report()}, {"utf8-escaped", mixed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.r.Write()
			golden := filepath.Join("testdata", tt.name+".eml")
			if *update {
				if err := os.WriteFile(golden, m.Bytes, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Bytes, want) {
				t.Errorf("differs from %s (run with -update, and look at the change):\n%s", golden, m.Bytes)
			}
			wellFormed(t, m.Bytes)
			if m.EightBit == ascii(string(m.Bytes)) || m.UTF8 != !ascii(tt.r.To) {
				t.Errorf("UTF8 %v, EightBit %v", m.UTF8, m.EightBit)
			}
			byLibrary(t, m, tt.r)
			back, err := Parse(bytes.NewReader(m.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			if back.EnvID != "QQ=314" || back.ReportingMTA != tt.r.Host || len(back.Recipients) != len(tt.r.Recipients) {
				t.Fatalf("read back as %+v", back)
			}
			for i, p := range back.Recipients {
				if p.Final != tt.r.Recipients[i].Address || p.Action != tt.r.Action {
					t.Errorf("recipient %d read back as %+v", i, p)
				}
			}
			if o := back.Recipients[0].Original; o != "Orang+kerja@jauh.test" && o != "用户@jauh.test" {
				t.Errorf("original recipient read back as %q", o)
			}
		})
	}
}

// wellFormed checks lines: CRLF alone, none over 998 octets.
func wellFormed(t *testing.T, b []byte) {
	t.Helper()
	rest := strings.ReplaceAll(string(b), "\r\n", "")
	if strings.ContainsAny(rest, "\r\n") {
		t.Error("a bare CR or LF")
	}
	for l := range strings.SplitSeq(string(b), "\r\n") {
		if len(l) > maxLine {
			t.Errorf("a line of %d octets", len(l))
		}
	}
}

// byLibrary reads the report with go-message: kinds of parts, words, and no body.
func byLibrary(t *testing.T, m Message, r *Report) {
	t.Helper()
	e, err := gomessage.Read(bytes.NewReader(m.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, _ := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if kind != "multipart/report" || params["report-type"] != "delivery-status" || e.Header.Get("Auto-Submitted") != "auto-replied" {
		t.Errorf("header is %v", e.Header)
	}
	global := map[bool]string{true: "message/global-"}[m.UTF8]
	want := []string{"text/plain", "message/delivery-status", "text/rfc822-headers"}
	if global != "" {
		want = []string{"text/plain", "message/global-delivery-status", "message/global-headers"}
	}
	mr := e.MultipartReader()
	for i, w := range want {
		p, err := mr.NextPart()
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if k, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); k != w {
			t.Errorf("part %d is %s, want %s", i, k, w)
		}
		body, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && !strings.Contains(string(body), r.Recipients[0].Address) {
			t.Errorf("the words do not name the address:\n%s", body)
		}
		if i == 2 && (!strings.Contains(string(body), "Subject:") || strings.Contains(string(body), "isi yang")) {
			t.Errorf("the header part is\n%s", body)
		}
	}
	if _, err := mr.NextPart(); err != io.EOF {
		t.Errorf("more than three parts: %v", err)
	}
}

func TestWants(t *testing.T) {
	for _, tt := range []struct {
		notify string
		want   []Action
	}{
		{"", []Action{Failed, Delayed}}, // RFC 3461 section 5.2.2: failure and, by choice, delay
		{"NEVER", nil},
		{"never", nil},
		{"SUCCESS", []Action{Delivered, Relayed, Expanded}},
		{"FAILURE", []Action{Failed}},
		{"delay, failure", []Action{Failed, Delayed}},
		{"SUCCESS,FAILURE,DELAY", []Action{Failed, Delayed, Delivered, Relayed, Expanded}},
		{"NONSENSE", nil},
	} {
		var got []Action
		for _, a := range []Action{Failed, Delayed, Delivered, Relayed, Expanded} {
			if Wants(tt.notify, a) {
				got = append(got, a)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("NOTIFY=%s: %v, want %v", tt.notify, got, tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		r    Recipient
		a    Action
		want string
	}{
		{Recipient{Status: "5.1.1"}, Failed, "5.1.1"},
		{Recipient{Status: "4.4.1"}, Failed, "5.4.1"}, // expired after temporary answers
		{Recipient{Status: "4.4.1"}, Delayed, "4.4.1"},
		{Recipient{Status: "5.1.1"}, Relayed, "2.1.1"},
		{Recipient{Code: 550}, Failed, "5.1.0"},
		{Recipient{Code: 552}, Failed, "5.2.2"},
		{Recipient{Status: "5.1"}, Failed, "5.0.0"},
		{Recipient{Status: "5.1.1\r\nX: y"}, Failed, "5.0.0"},
		{Recipient{Status: "6.1.1"}, Failed, "5.0.0"},
		{Recipient{}, Delivered, "2.0.0"},
	} {
		if got := tt.r.status(tt.a); got != tt.want {
			t.Errorf("%+v, %s: %s, want %s", tt.r, tt.a, got, tt.want)
		}
	}
}

// Whatever the other side says, and whatever stands in the parameters, stays in its place.
func TestHostileWords(t *testing.T) {
	r := report(Failed)
	r.EnvID = "a+0D+0ABcc:+20x"
	r.Recipients[0].Text = "no\r\n\r\n--=_dsn\r\nBcc: x@y.test " + strings.Repeat("z", 5000) + "\xff\x00\u0085"
	r.Recipients[0].ORcpt = "rfc822;a+0D+0AAction:+20delivered"
	r.Recipients[1].ORcpt = "rfc822;+4"
	r.Recipients[1].Remote = "evil\r\nX: y[192.0.2.1]:25"
	m := r.Write()
	wellFormed(t, m.Bytes)
	back, err := Parse(bytes.NewReader(m.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Recipients) != 2 || back.Recipients[0].Action != Failed || back.Recipients[1].Original != "" {
		t.Errorf("read back as %+v", back)
	}
	if bytes.Contains(m.Bytes, []byte("\nBcc:")) || bytes.Contains(m.Bytes, []byte("\nX: y")) {
		t.Error("a field was injected")
	}
}

func TestCopyHeader(t *testing.T) {
	long := strings.Repeat("x", 999)
	for _, tt := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"stops at the blank line", "A: 1\r\nB: 2\r\n\r\nisi\r\n", 100, "A: 1\r\nB: 2\r\n"},
		{"continued lines", "A: 1\r\n\t2\r\nB: 3\r\n\r\n", 100, "A: 1\r\n\t2\r\nB: 3\r\n"},
		{"bare LF ends", "A: 1\nB: 2\n\n", 100, "A: 1\r\nB: 2\r\n"},
		{"no end", "A: 1", 100, "A: 1\r\n"},
		{"whole fields within the limit", "A: 1\r\nB: 2\r\n", 11, "A: 1\r\n"},
		{"exactly the limit", "A: 1\r\nB: 2\r\n", 12, "A: 1\r\nB: 2\r\n"},
		{"junk goes", "junk\r\nA: 1\r\n: x\r\nB C: 2\r\n", 100, "A: 1\r\n"},
		{"bare CR goes", "A: 1\rB: 2\r\nC: 3\r\n", 100, "C: 3\r\n"},
		{"NUL goes", "A: \x00\r\nC: 3\r\n", 100, "C: 3\r\n"},
		{"too long goes", "A: " + long + "\r\nC: 3\r\n", 9999, "C: 3\r\n"},
		{"blank continuation goes", "A: 1\r\n \t\r\n x\r\nB: 2\r\n", 100, "A: 1\r\n x\r\nB: 2\r\n"},
		{"empty", "\r\nA: 1\r\n", 100, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(CopyHeader([]byte(tt.in), tt.max)); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What other servers write is read.
func TestParseOthers(t *testing.T) {
	files, err := filepath.Glob("testdata/others/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no reports of others: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s", p.MessageID, p.EnvID)
			for _, r := range p.Recipients {
				got += fmt.Sprintf("\n%s|%s|%s|%s|%s|%s", r.Original, r.Final, r.Action, r.Status, r.RemoteMTA, r.Diagnostic)
			}
			want, err := os.ReadFile(strings.TrimSuffix(f, ".eml") + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.TrimSpace(string(want)) {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	many := "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n"
	for i := range maxRecipients + 1 {
		many += fmt.Sprintf("\r\nFinal-Recipient: rfc822;%d@a.test\r\n", i)
	}
	for name, in := range map[string]string{"an ordinary message": header, "empty": "", "too many recipients": many,
		"no recipients": "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n"} {
		if p, err := Parse(strings.NewReader(in)); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// FuzzCopyHeader: the result is within the limit, has only sound lines that stood in the
// input, no blank line, and is its own copy.
func FuzzCopyHeader(f *testing.F) {
	for _, s := range []string{header, "A: 1\n b\rc\r\n\r\n", "\r\n", ":\r\n", "A : x\r\n \r\n\t\r\nB:\x00\r\n", "\xffA: x\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := CopyHeader(in, 200)
		if len(out) > 200 {
			t.Fatalf("%d octets of 200 allowed", len(out))
		}
		if len(out) > 0 && !bytes.HasSuffix(out, []byte("\r\n")) {
			t.Fatalf("%q does not end in CRLF", out)
		}
		for l := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte("\r\n")), []byte("\r\n")) {
			if len(out) > 0 && (len(bytes.TrimSpace(l)) == 0 && len(l) == 0 || bytes.ContainsAny(l, "\r\n\x00") || !bytes.Contains(in, l)) {
				t.Fatalf("line %q", l)
			}
		}
		if again := CopyHeader(out, 200); !bytes.Equal(again, out) {
			t.Fatalf("%q is copied as %q", out, again)
		}
	})
}

// FuzzParse: whatever comes is refused or read within its budgets; what we write with the
// same addresses is read as the same.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/*.eml", "testdata/others/*.eml"} {
		files, err := filepath.Glob(name)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds at %s: %v", name, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Parse(bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(p.Recipients) == 0 || len(p.Recipients) > maxRecipients {
			t.Fatalf("%d recipients", len(p.Recipients))
		}
		for _, r := range p.Recipients {
			for _, v := range []string{r.Original, r.Final, r.Diagnostic, r.RemoteMTA} {
				if len(v) > 3*maxValue || strings.ContainsAny(v, "\r\n\x00") {
					t.Fatalf("value %q", v)
				}
			}
		}
	})
}
