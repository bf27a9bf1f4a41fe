package dsn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"sampul/internal/message"
)

// A Failure is what a bounce says of one recipient, as far as it can be read.
type Failure struct {
	Address  string // the one that failed, "" when it is not told
	Original string // the one that the message was for, "" when it is not told
	Status   string // RFC 3463, "" for none
	Code     int    // SMTP reply, 0 for none
	Text     string
}

// maxBounceText is how much of a bounce for people is looked at: its first lines matter.
const maxBounceText = 32 << 10

// ReadBounce reads who failed from a bounce: a report of RFC 3464, or one of the common
// forms that only people were meant to read (qmail, Exim, old Exchange, plain text of a
// mailer daemon). [ErrNoReport] is all else: an answer of somebody who is away, a receipt,
// a report that is not about a failure. Nothing in it is to be trusted.
func ReadBounce(r io.Reader) ([]Failure, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxReport))
	if err != nil {
		return nil, err
	}
	switch p, err := Parse(bytes.NewReader(b)); {
	case err == nil:
		return failures(p)
	case !errors.Is(err, ErrNoReport): // over its budgets: it tells nothing
		return nil, fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	x := message.Parse(b)
	if len(x.Parts) == 0 {
		return nil, ErrNoReport
	}
	top := &x.Parts[0]
	if top.Type == "multipart" && top.Subtype == "report" { // a receipt, or about abuse
		return nil, ErrNoReport
	}
	text := bounceText(x, b)
	switch {
	case top.Get("X-Failed-Recipients") != "": // Exim
		text = untilCopy(text)
		out := Failure{Original: firstAddress(top.Get("X-Failed-Recipients"))}
		out.Address = out.Original
		return out.said(text)
	case qmail(text):
		return qmailFailure(text)
	case daemon(top):
		text = untilCopy(text)
		return (&Failure{Address: firstAddress(text)}).said(text)
	}
	return nil, ErrNoReport
}

// failures are the recipients of a report that failed.
func failures(p *Parsed) ([]Failure, error) {
	var out []Failure
	for i := range p.Recipients {
		r := &p.Recipients[i]
		if r.Action != Failed {
			continue
		}
		f := Failure{Address: r.Final, Original: r.Original, Status: r.Status, Text: untyped(r.Diagnostic)}
		said := Failure{}
		said.read(f.Text)
		f.Code = said.Code
		// 5.0.0 and the like say less than what the other server had said.
		if !validStatus(f.Status) || strings.HasSuffix(f.Status, ".0.0") {
			if f.Status = said.Status; f.Status == "" && validStatus(r.Status) {
				f.Status = r.Status
			}
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: nobody failed", ErrNoReport)
	}
	return out, nil
}

// bounceText is the first text of a message that is no part of one that came along.
func bounceText(x *message.Index, b []byte) string {
	for i := range x.Parts {
		p := &x.Parts[i]
		switch {
		case p.Type == "message":
			return ""
		case p.Type != "text" && p.Type != "" || p.BodyStart < 0 || p.BodyStart > p.End:
			continue
		}
		d := message.NewTransferDecoder(p.Encoding, bytes.NewReader(b[p.BodyStart:p.End]))
		got, _ := io.ReadAll(io.LimitReader(d, maxBounceText)) // what can be read counts
		return string(got)
	}
	return ""
}

// copies are lines after which a bounce carries the message that it is about.
var copies = []string{"this is a copy of the message", "below this line is a copy of", "copy of your message", "original message follows",
	"original message", "returned message", "message header", "headers of the message", "unsent message below", "the following is a copy"}

func untilCopy(text string) string {
	low := strings.ToLower(text)
	end := len(text)
	for _, c := range copies {
		if i := strings.Index(low, c); i >= 0 && i < len(text) { // lower case may be longer
			end = min(end, i)
		}
	}
	return text[:end]
}

// daemon says whether a mail program wrote a message, to say that something failed.
func daemon(p *message.Part) bool {
	from := strings.ToLower(p.Get("From"))
	if !strings.Contains(from, "mailer-daemon") && !strings.Contains(from, "postmaster") && !strings.Contains(from, "mail delivery") &&
		!strings.Contains(from, "administrator") {
		return false
	}
	subject := strings.ToLower(message.DecodeHeader([]byte(p.Get("Subject"))))
	for _, w := range []string{"undeliver", "delivery status", "delivery fail", "failure notice", "returned mail", "delivery notification",
		"mail delivery", "delivery has failed", "could not be delivered", "non-delivery", "failed delivery", "unable to deliver"} {
		if strings.Contains(subject, w) {
			return !strings.Contains(subject, "delay") && !strings.Contains(subject, "warning")
		}
	}
	return false
}

func qmail(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "Hi. This is the qmail-send program")
}

// qmailFailure reads the first paragraph with an address: "<a@b.test>:", then why.
func qmailFailure(text string) ([]Failure, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for para := range strings.SplitSeq(text, "\n\n") {
		para = strings.TrimSpace(para)
		if strings.HasPrefix(para, "---") { // the message itself
			break
		}
		addr, rest, ok := strings.Cut(para, ">:")
		if ok && strings.HasPrefix(addr, "<") && !strings.ContainsAny(addr, " \n") {
			return (&Failure{Address: addr[1:]}).said(rest)
		}
	}
	return nil, ErrNoReport
}

var (
	replyWords  = regexp.MustCompile(`(?:^|[^0-9.])(5[0-9][0-9])[ -]#?([45]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.\D)`)
	statusWords = regexp.MustCompile(`(?:^|[\s#(<:])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?:[\s>):;,]|$)`)
	codeWords   = regexp.MustCompile(`(?:^|[\s:(])(55[0-4])[ -][^0-9]`)
	addressWord = regexp.MustCompile(`<?([A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}[A-Za-z0-9])>?`)
)

// said reads text for people. Without a code or a reason it is no bounce.
func (f *Failure) said(text string) ([]Failure, error) {
	f.Text = clip(strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " "), maxValue)
	f.read(f.Text)
	if f.Status == "" && f.Code == 0 && f.Text == "" {
		return nil, ErrNoReport
	}
	if f.Status != "" && f.Status[0] == '4' && f.Code == 0 { // it says that it tries again
		return nil, ErrNoReport
	}
	return []Failure{*f}, nil
}

// read finds a reply and a status.
func (f *Failure) read(text string) {
	if m := replyWords.FindStringSubmatch(text); m != nil {
		f.Code, f.Status = number(m[1]), m[2]
		return
	}
	if m := statusWords.FindStringSubmatch(text); m != nil {
		f.Status = m[1]
	}
	if m := codeWords.FindStringSubmatch(text); m != nil {
		f.Code = number(m[1])
	}
}

// number is that of three digits.
func number(s string) int { return int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0') }

func firstAddress(text string) string {
	if m := addressWord.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
