package dsn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// Budgets of a report that came from elsewhere.
const (
	maxReport     = 1 << 20 // octets that are read
	maxStatus     = 256 << 10
	maxRecipients = 1000
	maxValue      = 4096
)

// ErrNoReport says that a message is no delivery status notification.
var ErrNoReport = errors.New("not a delivery status notification")

// A Parsed is a report as somebody wrote it. Nothing in it is to be trusted: anyone can
// send one.
type Parsed struct {
	ReportingMTA string
	EnvID        string // Original-Envelope-Id
	MessageID    string // of the message reported, from the header that came along, or ""
	Recipients   []ParsedRecipient
}

// A ParsedRecipient is one group of fields. Types such as "rfc822;" are taken off addresses.
type ParsedRecipient struct {
	Original   string // Original-Recipient
	Final      string
	Action     Action // lower case
	Status     string
	RemoteMTA  string
	Diagnostic string // with its type
}

// Parse reads a report. It looks at the first MiB alone, and returns [ErrNoReport] where
// that has no status for programs.
func Parse(r io.Reader) (*Parsed, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxReport))
	if err != nil {
		return nil, err
	}
	x := message.Parse(b)
	var out *Parsed
	id := ""
	for i := range x.Parts {
		p := &x.Parts[i]
		if p.BodyStart < 0 || p.BodyStart > p.End {
			continue
		}
		content := func(max int64) []byte {
			d := message.NewTransferDecoder(p.Encoding, bytes.NewReader(b[p.BodyStart:p.End]))
			got, _ := io.ReadAll(io.LimitReader(d, max)) // what can be read counts
			return got
		}
		switch p.Type + "/" + p.Subtype {
		case "message/delivery-status", "message/global-delivery-status":
			if out == nil {
				if out, err = parseStatus(content(maxStatus)); err != nil {
					return nil, err
				}
			}
		case "text/rfc822-headers", "message/global-headers":
			id = messageID(content(MaxHeader))
		case "message/rfc822", "message/global":
			id = messageID(content(MaxHeader))
		}
	}
	if out == nil {
		return nil, ErrNoReport
	}
	out.MessageID = id
	return out, nil
}

func messageID(header []byte) string {
	x := message.Parse(append(CopyHeader(header, MaxHeader), "\r\n"...))
	return strings.TrimSpace(x.Parts[0].Get("Message-ID"))
}

// parseStatus reads groups of fields: one about the message, then one a recipient.
func parseStatus(b []byte) (*Parsed, error) {
	out := &Parsed{}
	var cur ParsedRecipient
	first, any := true, false
	end := func() error {
		switch {
		case !any:
			return nil
		case cur.Final != "" || cur.Action != "":
			if len(out.Recipients) == maxRecipients {
				return fmt.Errorf("a delivery report on more than %d recipients", maxRecipients)
			}
			out.Recipients = append(out.Recipients, cur)
		}
		cur, first, any = ParsedRecipient{}, false, false
		return nil
	}
	for len(b) > 0 {
		if b[0] == '\n' || b[0] == '\r' {
			b = b[1:]
			if err := end(); err != nil {
				return nil, err
			}
			continue
		}
		var field []byte
		field, b = cutField(b)
		name, value, ok := strings.Cut(string(field), ":")
		if !ok {
			continue
		}
		any = true
		value = unfold(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "reporting-mta":
			if first {
				out.ReportingMTA = untyped(value)
			}
		case "original-envelope-id":
			if first {
				out.EnvID = value
			}
		case "original-recipient":
			cur.Original = address(value)
		case "final-recipient":
			cur.Final = address(value)
		case "action":
			cur.Action = Action(strings.ToLower(value))
		case "status":
			cur.Status, _, _ = strings.Cut(value, " ")
		case "remote-mta":
			cur.RemoteMTA = untyped(value)
		case "diagnostic-code":
			cur.Diagnostic = value
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	if len(out.Recipients) == 0 {
		return nil, ErrNoReport
	}
	return out, nil
}

// unfold makes one line of a field's value, clipped.
func unfold(v string) string {
	v = strings.ToValidUTF8(clip(v, maxValue+1), string(utf8.RuneError))
	return clip(strings.Join(strings.Fields(line(v, true)), " "), maxValue)
}

// untyped takes the type off "dns; host".
func untyped(v string) string {
	if _, rest, ok := strings.Cut(v, ";"); ok {
		return strings.TrimSpace(rest)
	}
	return v
}

func address(v string) string {
	kind, a, ok := strings.Cut(v, ";")
	if !ok {
		return strings.Trim(v, "<> ")
	}
	a = strings.Trim(a, "<> ")
	if strings.EqualFold(strings.TrimSpace(kind), "utf-8") {
		if u, ok := decodeUnitext(a); ok {
			return u
		}
	}
	return a
}
