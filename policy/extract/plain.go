package extract

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// decode makes UTF-8 of text whose charset is declared, or has to be found. max is how
// many octets to look at; 0 is all.
func decode(s *source, max int) string {
	if max > 0 && len(s.data) <= short {
		text := decode(s, 0)
		return text[:min(len(text), max)]
	}
	if max == 0 && s.text == "" {
		s.text = decodeUpTo(s, 0)
	}
	if max == 0 {
		return s.text
	}
	return decodeUpTo(s, max)
}

// short is what is decoded whole, once, when only its beginning is asked for: it is asked
// for whole soon after.
const short = 64 << 10

func decodeUpTo(s *source, max int) string {
	b := s.data
	if max > 0 && len(b) > max {
		b = b[:max&^1]
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return message.DecodeCharset("utf-16le", b[2:])
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return message.DecodeCharset("utf-16be", b[2:])
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		b = b[3:]
	}
	low := strings.ToLower(s.charset)
	if low == "" || low == "us-ascii" || low == "utf-8" {
		if utf8.Valid(b) && bytes.IndexByte(b[:min(len(b), 512)], 0) < 0 {
			return string(b)
		}
		if order := utf16Order(b[:min(len(b), 4096)]); order != "" {
			return message.DecodeCharset(order, b)
		}
	}
	return message.DecodeCharset(s.charset, b)
}

// readText gives lines. Quoted and forwarded blocks are parts of their own; the signature
// does not count among the last lines.
func readText(w *walker, a at, s *source) { w.lines(a, decode(s, 0)) }

// quoteDepth is how many > stand before a line.
func quoteDepth(line string) (int, string) {
	depth := 0
	for {
		rest := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(rest, ">") {
			if depth == 0 {
				return 0, line
			}
			return depth, strings.TrimPrefix(line, " ")
		}
		depth++
		line = rest[1:]
	}
}

func (w *walker) lines(a at, text string) {
	if w.dull(text, false) {
		return
	}
	cur := w.part(a, "text")
	depth, blocks := 0, 0
	next := func(why string) {
		cur.end()
		blocks++
		cur = w.part(at{w.pathOf(a) + " > " + why, a.depth}, "text")
	}
	n := 0
	var fields []string
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimRight(line, "\r \t")
		d, bare := quoteDepth(line)
		if bare != "" && d != depth {
			depth = d
			fields = nil
			if blocks < 200 {
				next("quoted")
			}
		}
		line = bare
		switch {
		case line == "--" || line == "-- ":
			if blocks < 200 {
				next("signature")
			}
			continue
		case isForwardLine(line):
			if blocks < 200 {
				next("quoted")
			}
			fields = nil
			continue
		}
		// A block of From, Sent, To begins a forwarded message.
		if name := forwardField(line); name != "" {
			fields = append(fields, name)
			if len(fields) == 2 && blocks < 200 {
				next("quoted")
			}
		} else if line != "" {
			fields = nil
		}
		cur.add(Unit{Place: Paragraph, Where: fmt.Sprint("line ", n), Text: line})
	}
	cur.end()
}

func (w *walker) pathOf(a at) string {
	if a.path == "" {
		return "body"
	}
	return a.path
}

var forwardLines = []string{"original message", "mesej asal", "forwarded message", "mesej dimajukan", "mesej yang dimajukan",
	"begin forwarded message", "e-mel asal", "emel asal", "pesan asal"}

func isForwardLine(line string) bool {
	t := strings.ToLower(strings.Trim(line, " -_=*:>"))
	if len(t) > 60 || t == "" || !strings.ContainsAny(line, "-_=*:") {
		return false
	}
	for _, f := range forwardLines {
		if t == f {
			return true
		}
	}
	return false
}

var forwardFields = map[string]bool{"from": true, "dari": true, "daripada": true, "sent": true, "dihantar": true,
	"tarikh": true, "date": true, "to": true, "kepada": true}

// forwardField is the name of a field that heads a forwarded message.
func forwardField(line string) string {
	name, value, ok := strings.Cut(strings.Trim(line, "* "), ":")
	name = strings.ToLower(strings.Trim(name, "* "))
	if !ok || strings.TrimSpace(value) == "" || !forwardFields[name] {
		return ""
	}
	return name
}

// readPGP is text with an encrypted message in it.
func readPGP(w *walker, a at, s *source) {
	w.gap(a, "pgp", Locked, "a message encrypted by PGP")
	readText(w, a, s)
}
