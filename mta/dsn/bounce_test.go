package dsn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

var bounceForms = []struct {
	name, message string
	want          Failure // zero: no bounce
}{
	{"report", `From: MAILER-DAEMON@luar.test
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

gagal
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.luar.test

Final-Recipient: rfc822; sebenar@luar.test
Original-Recipient: rfc822;orang@luar.test
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 550 5.1.1 <sebenar@luar.test>: Recipient address rejected: User unknown

--b--
`, Failure{Address: "sebenar@luar.test", Original: "orang@luar.test", Status: "5.1.1", Code: 550}},
	{"report without a status that says more", `Content-Type: multipart/report; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.luar.test

Final-Recipient: rfc822; orang@luar.test
Action: failed
Status: 5.2.2 (mailbox full)

--b--
`, Failure{Address: "orang@luar.test", Status: "5.2.2"}},
	{"delay", `Content-Type: multipart/report; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.luar.test

Final-Recipient: rfc822; orang@luar.test
Action: delayed
Status: 4.4.1

--b--
`, Failure{}},
	{"receipt", `From: orang@luar.test
Subject: Read: notis
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b

550 5.1.1 user unknown
--b--
`, Failure{}},
	{"qmail", `From: MAILER-DAEMON@luar.test
Subject: failure notice

Hi. This is the qmail-send program at luar.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<orang@luar.test>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Subject: 550 5.7.1 notis
`, Failure{Address: "orang@luar.test", Status: "5.1.1"}},
	{"exim", `From: Mail Delivery System <Mailer-Daemon@luar.test>
X-Failed-Recipients: orang@luar.test
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its recipients.

  orang@luar.test
    host mx.dalam.test [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<orang@luar.test>:
    550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------
Subject: 550 5.7.1 notis
`, Failure{Address: "orang@luar.test", Original: "orang@luar.test", Status: "5.1.1", Code: 550}},
	{"old exchange", `From: System Administrator <postmaster@luar.test>
Subject: Undeliverable: notis

Your message did not reach some or all of the intended recipients.

  orang@luar.test on 1/2/2026 10:11 AM
    The e-mail account does not exist at the organization this message was sent to.
    <mx.luar.test #5.1.1>
`, Failure{Address: "orang@luar.test", Status: "5.1.1"}},
	{"plain", `From: MAILER-DAEMON@luar.test (Mail Delivery Subsystem)
Subject: Returned mail: see transcript for details

   ----- The following addresses had permanent fatal errors -----
<orang@luar.test>
    (reason: 550 5.1.1 <orang@luar.test>... User unknown)
`, Failure{Address: "orang@luar.test", Status: "5.1.1", Code: 550}},
	{"away", `From: orang@luar.test
Auto-Submitted: auto-replied
Subject: Undeliverable to my mind: saya bercuti

My extension is 550 5.1.1 now.
`, Failure{}},
	{"warning", `From: MAILER-DAEMON@luar.test
Subject: Delivery Status: warning, message delayed

451 4.4.1 550 5.1.1
`, Failure{}},
	{"a daemon that tries again", `From: MAILER-DAEMON@luar.test
Subject: Delivery Status Notification

Will retry: 4.4.1 timed out.
`, Failure{}},
	{"nothing", "\n", Failure{}},
	{"the message alone", `From: MAILER-DAEMON@luar.test
Subject: Undeliverable
Content-Type: message/rfc822

Subject: notis

550 5.1.1
`, Failure{}},
}

func TestReadBounce(t *testing.T) {
	for _, c := range bounceForms {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadBounce(strings.NewReader(crlf(c.message)))
			if c.want == (Failure{}) {
				if !errors.Is(err, ErrNoReport) {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if got[0].Text = ""; got[0] != c.want {
				t.Errorf("%+v, want %+v", got[0], c.want)
			}
		})
	}
}

// FuzzReadBounce: whatever comes is refused or read, with statuses and codes that are such.
func FuzzReadBounce(f *testing.F) {
	for _, c := range bounceForms {
		f.Add([]byte(crlf(c.message)))
	}
	files, err := filepath.Glob("testdata/*/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatal("no bounces of others are found: ", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := ReadBounce(strings.NewReader(string(in)))
		if err == nil && len(got) == 0 {
			t.Fatal("nothing was read, and no error")
		}
		for _, g := range got {
			if g.Status != "" && !validStatus(g.Status) || g.Code != 0 && (g.Code < 500 || g.Code > 599) || len(g.Text) > maxValue || len(g.Address) > maxValue {
				t.Fatalf("%+v", g)
			}
		}
	})
}
