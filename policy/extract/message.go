package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"sampul/internal/message"
)

// markHeaders are fields that carry a class by agreement (classification.md section 3),
// and those in which people write.
var markHeaders = map[string]bool{
	"x-klasifikasi": true, "x-mygov-peringkat": true, "x-protective-marking": true, "msip_labels": true,
	"keywords": true, "comments": true, "x-classification": true, "x-klasifikasi-keselamatan": true,
	"x-titus-classification": true, "x-peringkat": true, "classification": true,
}

// markWords are in the names of fields that other programs carry a class in.
var markWords = []string{"klasifikasi", "peringkat", "pengelasan", "classification", "marking", "msip", "titus", "label", "darjah", "taraf"}

func carriesMark(name string) bool {
	if markHeaders[name] {
		return true
	}
	if len(name) > 100 || strings.HasPrefix(name, "x-sampul-") { // our own, of a former judgement
		return false
	}
	for _, word := range markWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// message reads headers and parts.
func (w *walker) message(a at, x *message.Index, body io.ReaderAt) {
	w.headers(a, &x.Parts[0])
	if x.Opaque != "" {
		w.gap(a, "message", TooMuch, "the message is past a limit: "+x.Opaque)
	}
	attachments := 0
	for i := range x.Parts {
		p := &x.Parts[i]
		if p.Message && len(p.Children) > 0 {
			w.headers(a.in("message"), &x.Parts[p.Children[0]])
		}
		if len(p.Children) > 0 {
			w.between(a, x, p, body)
			continue
		}
		if w.err != nil || w.ctx.Err() != nil {
			return
		}
		w.leaf(a, x, p, body, &attachments)
	}
}

// leaf reads one part that holds no others.
func (w *walker) leaf(a at, x *message.Index, p *message.Part, body io.ReaderAt, attachments *int) {
	w.described(a, p)
	if p.End == p.BodyStart {
		return
	}
	name := p.FileName()
	attached := name != "" || p.Disposition == "attachment" || p.Type != "text" && p.Type != "multipart"
	here := a
	if attached {
		*attachments++
		title := fmt.Sprint("attachment ", *attachments)
		if name != "" {
			title += " " + quoted(name)
		}
		here = a.in(title)
		w.name(here, name)
		if other := message.ParamValue(p.Params, "name"); other != name {
			w.name(here, other)
		}
	}
	if !w.member(here) {
		return
	}
	data, ok := w.content(here, p, body)
	if !ok {
		return
	}
	if w.sums != nil {
		if attached {
			w.sums.add(here.path, data)
		} else {
			w.sums.text(here.path, data)
		}
		return
	}
	if w.special(here, p, data) {
		return
	}
	s := source{name: name, declared: p.Type + "/" + p.Subtype, charset: message.ParamValue(p.Params, "charset"),
		flowed: strings.EqualFold(message.ParamValue(p.Params, "format"), "flowed"), data: data}
	if p.Type == "multipart" { // its boundary never came: what stands in it is text
		s.declared, s.charset = "text/plain", ""
	}
	if p.Type == "text" && !attached && (!looksLikeBinary(data) || oddCharset(s.charset) && mostlyPrinted(decode(&s, 4096))) {
		k := textKind(&s)
		if k.name == "message" || k.name == "mbox" || k.name == "csv" { // a body is a body
			k = kind{name: "text", read: readText}
		}
		w.guarded(here, k, &s)
		w.behindText(here, data)
		return
	}
	w.file(here, s)
}

// special reads parts that are no document of their own; true: it was one.
func (w *walker) special(a at, p *message.Part, data []byte) bool {
	switch p.Type + "/" + p.Subtype {
	case "text/rfc822-headers", "message/rfc822-headers": // of a message that was not delivered (RFC 6522)
		w.message(a, message.Parse(append(bytes.TrimRight(data, "\r\n"), "\r\n\r\n"...)), bytes.NewReader(data))
	case "message/rfc822", "message/global":
		if !looksLikeText(data) {
			return false
		}
		w.message(a, message.Parse(data), bytes.NewReader(data))
	case "message/partial":
		w.gap(a, "message", Damaged, "a part of a message that comes in pieces")
	case "message/external-body":
		w.note(a, "it stands elsewhere and is not fetched")
		w.lines(a, decode(&source{data: data}, 0))
	default:
		return false
	}
	return true
}

// described reads what the fields of a part say of it: clients show that as a name.
func (w *walker) described(a at, p *message.Part) {
	w.name(a, message.DecodeHeader([]byte(p.Description)))
	if p.Location != "" && !strings.HasSuffix(p.Location, "/") {
		w.name(a, percentDecoded(message.DecodeHeader([]byte(p.Location))))
	}
}

// between reads what stands before the first and after the last boundary: no client shows
// it, and it is sent and kept all the same.
func (w *walker) between(a at, x *message.Index, p *message.Part, body io.ReaderAt) {
	if p.Message || w.sums != nil {
		return
	}
	for _, span := range [][2]int64{{p.BodyStart, x.Parts[p.Children[0]].Start}, {x.Parts[p.Children[len(p.Children)-1]].End, p.End}} {
		n := span[1] - span[0]
		if n <= 4 || !w.spend(n) {
			continue
		}
		b := make([]byte, n)
		if got, err := body.ReadAt(b, span[0]); int64(got) < n {
			w.err = errors.Join(errors.New("the message is shorter than its index says"), err)
			return
		}
		w.lines(a.in("between parts"), decode(&source{data: b}, 0))
	}
}

// looksLikeBinary is for a body that is declared text and is a document all the same.
func looksLikeBinary(b []byte) bool { return !looksLikeText(b) || sniffedBinary(b) }

func sniffedBinary(b []byte) bool {
	for i := range magics {
		m := &magics[i]
		if len(m.bytes) >= 4 && !m.letters && len(b) >= m.off+len(m.bytes) && string(b[m.off:m.off+len(m.bytes)]) == m.bytes {
			return true
		}
	}
	return false
}

func (w *walker) guarded(a at, k kind, s *source) {
	defer func() {
		if p := recover(); p != nil {
			w.gap(a, k.name, Damaged, "the reader failed on it")
		}
	}()
	k.read(w, a, s)
}

// content undoes the transfer encoding.
func (w *walker) content(a at, p *message.Part, body io.ReaderAt) ([]byte, bool) {
	size := p.End - p.BodyStart
	raw := io.NewSectionReader(body, p.BodyStart, size)
	if !w.spend(size) {
		w.exceed(a, "part", "more than can be looked at")
		return nil, false
	}
	if p.Encoding == "" || p.Encoding == "7bit" || p.Encoding == "8bit" || p.Encoding == "binary" {
		if m, ok := body.(interface{ Bytes() []byte }); ok { // in memory already: nobody changes what is under judgement
			if b := m.Bytes(); int64(len(b)) >= p.End {
				return b[p.BodyStart:p.End:p.End], true
			}
		}
		b := make([]byte, size)
		if n, err := raw.ReadAt(b, 0); int64(n) < size {
			w.err = errors.Join(errors.New("the message is shorter than its index says"), err)
			return nil, false
		}
		return b, true
	}
	switch p.Encoding {
	case "x-uuencode", "x-uue", "uuencode", "uue":
		b := make([]byte, size)
		if n, err := raw.ReadAt(b, 0); int64(n) < size {
			w.err = errors.Join(errors.New("the message is shorter than its index says"), err)
			return nil, false
		}
		if i := bytes.Index(b, []byte("begin ")); i >= 0 {
			data, _ := uudecode(afterLine(b[i:]))
			return data, true
		}
		return b, true
	}
	head := make([]byte, min(size, 4096))
	if n, err := raw.ReadAt(head, 0); n < len(head) {
		w.err = errors.Join(errors.New("the message is shorter than its index says"), err)
		return nil, false
	}
	if p.Encoding == "base64" && !base64ish(head) { // what it says of itself is wrong
		b := make([]byte, size)
		_, err := raw.ReadAt(b, 0)
		if err == io.EOF {
			err = nil
		}
		w.err = err
		return b, err == nil
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, 1<<20)))
	if _, err := io.Copy(&buf, message.NewTransferDecoder(p.Encoding, raw)); err != nil {
		w.err = err
		return nil, false
	}
	return buf.Bytes(), true
}

// base64ish says whether most lines are base64 and nothing else, as they are where it was
// really used.
func base64ish(head []byte) bool {
	lines, other := 0, 0
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines++
			if !isBase64Line(line) {
				other++
			}
		}
	}
	return other*2 <= lines
}

// headers reads the fields that may carry a mark.
func (w *walker) headers(a at, p *message.Part) {
	out := w.part(at{"header", a.depth}, "headers")
	if a.path != "" {
		out = w.part(a.in("header"), "headers")
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		name := strings.ToLower(f.Name)
		switch {
		case name == "subject" || name == "thread-topic" || strings.HasSuffix(name, "-subject"): // what gateways kept of it, too
			text := unfold(message.DecodeHeader(f.Value))
			if w.sums != nil && name == "subject" {
				w.sums.subject(out.part.Path, text)
			}
			out.add(Unit{Place: Subject, Where: strings.ReplaceAll(name, "-", " "), Text: text})
		case carriesMark(name):
			text := f.Name + ": " + unfold(message.DecodeHeader(f.Value))
			if w.sums != nil {
				w.sums.text(out.part.Path, []byte(text))
			}
			out.add(Unit{Place: HeaderField, Where: "header field " + f.Name, Text: text})
		}
	}
	out.end()
}

func unfold(s string) string { return strings.Join(strings.Fields(s), " ") }

// readMail is a message as a file.
func readMail(w *walker, a at, s *source) {
	w.message(a, message.Parse(s.data), bytes.NewReader(s.data))
}

// readMbox is messages one after another.
func readMbox(w *walker, a at, s *source) {
	n := 0
	for rest := s.data; len(rest) > 0; {
		end := bytes.Index(rest[1:], []byte("\nFrom "))
		one := rest
		if end >= 0 {
			one, rest = rest[:end+2], rest[end+2:]
		} else {
			rest = nil
		}
		if i := bytes.IndexByte(one, '\n'); i >= 0 && bytes.HasPrefix(one, []byte("From ")) {
			one = one[i+1:]
		}
		n++
		here := a.in(fmt.Sprint("message ", n))
		if !w.member(here) {
			return
		}
		w.message(here, message.Parse(one), bytes.NewReader(one))
	}
}
