package message

import (
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// Envelope is what the header of a message says of sender, recipients and subject,
// decoded for people. Dates that cannot be read are zero.
type Envelope struct {
	Date      time.Time
	Subject   string
	From      []Address
	Sender    []Address
	ReplyTo   []Address
	To        []Address
	Cc        []Address
	Bcc       []Address
	InReplyTo string
	MessageID string
}

// Envelope reads the envelope of the message. Names of addresses are decoded.
func (x *Index) Envelope() Envelope {
	p := &x.Parts[0]
	e := Envelope{
		Subject:   DecodeHeader([]byte(p.Get("Subject"))),
		From:      x.addresses("From"),
		Sender:    x.addresses("Sender"),
		ReplyTo:   x.addresses("Reply-To"),
		To:        x.addresses("To"),
		Cc:        x.addresses("Cc"),
		Bcc:       x.addresses("Bcc"),
		InReplyTo: p.Get("In-Reply-To"),
		MessageID: p.Get("Message-ID"),
	}
	e.Date, _ = mail.ParseDate(p.Get("Date"))
	return e
}

func (x *Index) addresses(name string) []Address {
	as := x.Parts[0].Addresses(name)
	for i := range as {
		as[i].Name = DecodeHeader([]byte(as[i].Name))
	}
	return as
}

// Addresses are those of all fields of that name, names not decoded.
func (p *Part) Addresses(name string) []Address {
	var out []Address
	for i := range p.Fields {
		if strings.EqualFold(p.Fields[i].Name, name) && len(out) < maxAddresses {
			out = append(out, ParseAddresses(p.Fields[i].Value)...)
		}
	}
	return out
}

// AppendEnvelope adds IMAP's ENVELOPE of the message (RFC 9051 section 7.5.2).
// Encoded words stand as they came, for the client to decode.
func (x *Index) AppendEnvelope(dst []byte) []byte { return x.Parts[0].appendEnvelope(dst) }

func (p *Part) appendEnvelope(dst []byte) []byte {
	dst = append(dst, '(')
	dst = p.appendField(dst, "Date")
	dst = append(dst, ' ')
	dst = p.appendField(dst, "Subject")
	from := p.Addresses("From")
	dst = appendAddresses(append(dst, ' '), from)
	for _, name := range [...]string{"Sender", "Reply-To"} { // both default to From
		as := p.Addresses(name)
		if len(as) == 0 {
			as = from
		}
		dst = appendAddresses(append(dst, ' '), as)
	}
	for _, name := range [...]string{"To", "Cc", "Bcc"} {
		dst = appendAddresses(append(dst, ' '), p.Addresses(name))
	}
	dst = append(dst, ' ')
	dst = p.appendField(dst, "In-Reply-To")
	dst = append(dst, ' ')
	dst = p.appendField(dst, "Message-ID")
	return append(dst, ')')
}

// appendField adds a header field's value, NIL when the field is missing.
func (p *Part) appendField(dst []byte, name string) []byte {
	for i := range p.Fields {
		if strings.EqualFold(p.Fields[i].Name, name) {
			return appendString(dst, unfold(p.Fields[i].Value))
		}
	}
	return append(dst, "NIL"...)
}

func appendAddresses(dst []byte, as []Address) []byte {
	if len(as) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i := range as {
		a := &as[i]
		dst = append(dst, '(')
		dst = appendNString(dst, a.Name)
		dst = append(dst, ' ')
		dst = appendNString(dst, a.Route)
		dst = append(dst, ' ')
		switch {
		case a.Group == GroupEnd:
			dst = append(dst, "NIL"...)
		case a.Mailbox == "" && a.Group == NoGroup:
			dst = append(dst, `""`...) // NIL would make it the end of a group
		default:
			dst = appendString(dst, a.Mailbox)
		}
		dst = append(dst, ' ')
		if a.Host == "" && a.Group == NoGroup {
			dst = append(dst, `""`...) // NIL would make it a group
		} else {
			dst = appendNString(dst, a.Host)
		}
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

// appendNString adds NIL for the empty string.
func appendNString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}

// appendString adds s quoted where that is possible, else as a literal. A NUL is
// left out: no form of IMAP4rev1 can carry it.
func appendString(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || c < ' ' {
			plain = false
			break
		}
	}
	if plain && len(s) <= 4096 {
		dst = append(dst, '"')
		for i := 0; i < len(s); i++ {
			if s[i] == '"' || s[i] == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, s[i])
		}
		return append(dst, '"')
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, "}\r\n"...)
	return append(dst, s...)
}
