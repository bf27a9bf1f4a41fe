package dsn

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
)

// A Message is a report ready to be sent.
type Message struct {
	Bytes    []byte // CRLF line ends
	UTF8     bool   // its envelope needs SMTPUTF8
	EightBit bool   // its envelope needs 8BITMIME
}

// Write makes the message. It is the same for the same report, octet by octet.
func (r *Report) Write() Message {
	utf8 := !ascii(r.To) // who writes from such an address can read them (RFC 6533 section 3)
	sum := sha256.Sum256([]byte(r.MessageID + r.QueueID))
	boundary := fmt.Sprintf("=_dsn_%x", sum[:12])
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: \"Sistem Mel / Mail System\" <%s>\r\n", r.From)
	fmt.Fprintf(&b, "To: <%s>\r\n", r.To)
	fmt.Fprintf(&b, "Subject: %s\r\n", subjects[r.Action])
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: %s\r\n", r.Date.Format(time.RFC1123Z), r.MessageID)
	b.WriteString("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n") // RFC 3834 section 5
	fmt.Fprintf(&b, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n", boundary)
	if utf8 {
		b.WriteString("Content-Transfer-Encoding: 8bit\r\n")
	}
	b.WriteString("\r\n")

	begin := func(kind, description string, content []byte) {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n", boundary, kind, description)
		switch {
		case ascii(string(content)):
			b.WriteString("\r\n")
			b.Write(content)
		case utf8 && strings.HasPrefix(kind, "message/"): // RFC 6533: quoted-printable only for 7-bit paths
			b.WriteString("Content-Transfer-Encoding: 8bit\r\n\r\n")
			b.Write(content)
		default:
			b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
			q := quotedprintable.NewWriter(&b)
			q.Write(content)
			q.Close()
		}
		b.WriteString("\r\n")
	}
	begin("text/plain; charset=utf-8", "Notification", r.words())
	kind := "message/delivery-status"
	if utf8 {
		kind = "message/global-delivery-status"
	}
	begin(kind, "Delivery report", r.status(utf8))
	if r.Header != nil {
		kind = "text/rfc822-headers"
		if utf8 {
			kind = "message/global-headers"
		}
		begin(kind, "Header of the message", CopyHeader(r.Header, MaxHeader))
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return Message{Bytes: b.Bytes(), UTF8: utf8, EightBit: !ascii(b.String())}
}

// status is the part for programs (RFC 3464 section 2).
func (r *Report) status(utf8 bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Reporting-MTA: dns; %s\r\n", line(r.Host, false))
	if id, ok := decodeXtext(r.EnvID); ok && id != "" {
		fmt.Fprintf(&b, "Original-Envelope-Id: %s\r\n", line(id, false))
	}
	if r.QueueID != "" {
		fmt.Fprintf(&b, "X-Sampul-Queue-ID: %s\r\n", r.QueueID)
	}
	if !r.Arrival.IsZero() {
		fmt.Fprintf(&b, "Arrival-Date: %s\r\n", r.Arrival.Format(time.RFC1123Z))
	}
	for i := range r.Recipients {
		p := &r.Recipients[i]
		b.WriteString("\r\n")
		if o := originalRecipient(p.ORcpt, utf8); o != "" {
			fmt.Fprintf(&b, "Original-Recipient: %s\r\n", o)
		}
		fmt.Fprintf(&b, "Final-Recipient: %s\r\n", typedAddress(p.Address, utf8))
		fmt.Fprintf(&b, "Action: %s\r\nStatus: %s\r\n", r.Action, p.status(r.Action))
		if p.Remote != "" {
			fmt.Fprintf(&b, "Remote-MTA: dns; %s\r\n", line(hostOf(p.Remote), false))
		}
		if p.Text != "" {
			if p.Code != 0 {
				fmt.Fprintf(&b, "Diagnostic-Code: smtp; %s\r\n", fold(reply(p), utf8))
			} else {
				fmt.Fprintf(&b, "Diagnostic-Code: x-sampul; %s\r\n", fold(p.Text, utf8))
			}
		}
		if !p.Last.IsZero() {
			fmt.Fprintf(&b, "Last-Attempt-Date: %s\r\n", p.Last.Format(time.RFC1123Z))
		}
		if r.Action == Delayed && !r.Until.IsZero() {
			fmt.Fprintf(&b, "Will-Retry-Until: %s\r\n", r.Until.Format(time.RFC1123Z))
		}
	}
	return b.Bytes()
}

// reply is what the other side said, as it said it.
func reply(p *Recipient) string {
	s := fmt.Sprint(p.Code)
	if p.Status != "" && !strings.HasPrefix(p.Text, p.Status) {
		s += " " + p.Status
	}
	return s + " " + p.Text
}

// hostOf is the name in HOST[IP]:PORT.
func hostOf(remote string) string {
	if i := strings.IndexByte(remote, '['); i > 0 {
		return remote[:i]
	}
	return remote
}

// QuotedPrintable encodes text (RFC 2045 section 6.7) with CRLF line ends.
func QuotedPrintable(text string) string {
	var b bytes.Buffer
	q := quotedprintable.NewWriter(&b)
	q.Write([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")))
	q.Close()
	b.WriteString("\r\n")
	return b.String()
}
