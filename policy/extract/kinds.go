package extract

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind of file, known by its content. One without a reader is not read yet.
// Kinds that are apart are read in a worker process.
type kind struct {
	name    string
	read    func(*walker, at, *source)
	apart   bool
	trailer bool // an archive may hang behind it, as behind pictures
}

// A magic is what files of a kind have at an offset. What is of letters may begin a text as
// well: such a magic counts only in what is no text.
type magic struct {
	off     int
	bytes   string
	kind    kind
	letters bool
}

// magics are what files begin with.
var magics []magic

func init() {
	magics = append([]magic{
		{off: 0, bytes: "PK\x03\x04", kind: kind{name: "zip", read: readZip, apart: true}},
		{off: 0, bytes: "PK\x05\x06", kind: kind{name: "zip", read: readZip, apart: true}},
		{off: 0, bytes: "PK00PK\x03\x04", kind: kind{name: "zip", read: readZip, apart: true}},
		{off: 0, bytes: "\x1f\x8b", kind: kind{name: "gzip", read: readGzip, apart: true}},
		{off: 0, bytes: "BZh", kind: kind{name: "bzip2", read: readBzip2, apart: true}, letters: true},
		{off: 257, bytes: "ustar", kind: kind{name: "tar", read: readTar, apart: true}},
		{off: 0, bytes: "%PDF-", kind: kind{name: "pdf", read: readPDF, apart: true}},
	}, slices.Concat(officeMagics(), pictureKinds(), archiveMagics(), otherMagics())...)
}

// sniff says what s is.
func sniff(s *source) kind {
	b := s.data
	text := looksLikeText(b)
	for i := range magics {
		if m := &magics[i]; len(b) >= m.off+len(m.bytes) && string(b[m.off:m.off+len(m.bytes)]) == m.bytes && !(m.letters && text) {
			return m.kind
		}
	}
	if i := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF-")); i >= 0 { // junk before it is allowed
		return kindOf("%PDF-")
	}
	if k, ok := loosePicture(b); ok && !text {
		return k
	}
	if k, ok := loose(s); ok {
		return k
	}
	if text || oddCharset(s.charset) && strings.HasPrefix(s.declared, "text/") && mostlyPrinted(decode(s, 4096)) {
		return textKind(s)
	}
	if hasZipEnd(b) { // a zip behind something else
		return kindOf("PK\x03\x04")
	}
	return kind{name: "unknown binary", read: readUnknown, apart: true}
}

// kindOf is the kind that begins with a magic.
func kindOf(begin string) kind {
	for i := range magics {
		if magics[i].bytes == begin && magics[i].off == 0 {
			return magics[i].kind
		}
	}
	return kind{name: "unknown binary", read: readUnknown, apart: true}
}

func hasZipEnd(b []byte) bool {
	return bytes.Contains(b[max(0, len(b)-66_000):], []byte("PK\x05\x06"))
}

// looksLikeText takes text in any charset for text: few control characters, or a BOM
// before text, or every other octet zero.
func looksLikeText(b []byte) bool {
	head := b[:min(len(b), 8192)]
	switch {
	case len(head) == 0 || utf16Order(head) != "" || utf32Order(head) != "":
		return true
	case bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")) || bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")):
		return mostlyPrinted(decodeUpTo(&source{data: head}, 0))
	}
	odd := 0
	for _, c := range head {
		odd += int(oddOctets[c])
	}
	if !isASCII(head) && !utf8.Valid(trimPartial(head)) {
		high := 0
		for _, c := range head {
			if c >= 0x80 {
				high++
			}
		}
		if high > len(head)/3 && odd > 0 {
			return false
		}
	}
	return odd*50 <= len(head)
}

// oddOctets has 1 for those that text hardly holds.
var oddOctets = func() (odd [256]uint8) {
	for c := range 0x80 {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b || c == 0x7f {
			odd[c] = 1
		}
	}
	return odd
}()

func trimPartial(b []byte) []byte {
	for range utf8.UTFMax {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			return b
		}
		b = b[:len(b)-1]
	}
	return b
}

// mostlyPrinted says whether nineteen in twenty characters are such as people write.
func mostlyPrinted(text string) bool {
	odd, n := 0, 0
	for _, r := range text {
		if n++; !unicode.IsPrint(r) && !unicode.IsSpace(r) || r == utf8.RuneError {
			odd++
		}
	}
	return odd*20 <= n
}

// utf16Order knows UTF-16 without a BOM by its zeros, and by the letters beside them.
func utf16Order(b []byte) string {
	if len(b) < 8 || bytes.IndexByte(b, 0) < 0 {
		return ""
	}
	var zeros, odd [2]int
	for i, c := range b[:len(b)&^1] {
		switch {
		case c == 0:
			zeros[i&1]++
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c >= 0x7f && c < 0xa0:
			odd[i&1]++
		}
	}
	half := len(b) / 2
	switch {
	case zeros[1] > half*6/10 && zeros[0] <= half/10 && odd[0]*10 <= half:
		return "utf-16le"
	case zeros[0] > half*6/10 && zeros[1] <= half/10 && odd[1]*10 <= half:
		return "utf-16be"
	}
	return ""
}

// textKind tells kinds of text apart.
func textKind(s *source) kind {
	text := strings.TrimLeft(decode(s, 4096), "\ufeff \t\r\n")
	var space [2048]byte // each message of text comes by here: it leaves no garbage
	low := asciiLower(space[:0], text[:min(len(text), len(space))])
	declared, _, _ := strings.Cut(strings.ToLower(s.declared), ";")
	ext := strings.ToLower(s.name[strings.LastIndexByte(s.name, '.')+1:])
	switch {
	case ext == "hta":
		return kind{name: "script", read: readHTML}
	case bytes.HasPrefix(low, []byte(`{\rt`)): // behind a BOM, or blank lines
		return kindOf(`{\rt`)
	case bytes.HasPrefix(low, []byte("begin:vcalendar")), bytes.HasPrefix(low, []byte("begin:vcard")):
		return kind{name: "calendar", read: readCalendar}
	case mails[ext] && beginsWithField(text), declared == "message/rfc822" && beginsWithField(text):
		return kind{name: "message", read: readMail}
	case looksLikeMail(low):
		return kind{name: "message", read: readMail}
	case bytes.HasPrefix(low, []byte("from ")) && looksLikeMail(afterLine(low)):
		return kind{name: "mbox", read: readMbox}
	case bytes.Contains(low, []byte("<svg")) && !bytes.Contains(low, []byte("<html")):
		return kind{name: "svg", read: readXML}
	case bytes.Contains(low, []byte("<office:document")):
		return kind{name: "flat odf", read: readFlatODF}
	case declared == "text/enriched", declared == "text/richtext":
		return kind{name: "enriched", read: readEnriched}
	case bytes.HasPrefix(low, []byte("<?xml")) && declared != "text/html" && !bytes.Contains(low, []byte("<html")):
		return kind{name: "xml", read: readXML}
	case declared == "text/html", bytes.Contains(low, []byte("<html")), bytes.HasPrefix(low, []byte("<!doctype html")),
		bytes.Contains(low, []byte("<body")), bytes.Contains(low, []byte("<div")), bytes.Contains(low, []byte("<p>")), bytes.Contains(low, []byte("<table")):
		return kind{name: "html", read: readHTML}
	case bytes.HasPrefix(low, []byte("<?xml")), bytes.HasPrefix(low, []byte("<")) && (strings.HasSuffix(declared, "xml") || ext == "xml"):
		return kind{name: "xml", read: readXML}
	case bytes.HasPrefix(low, []byte("<")) && wholeElement(s.data) != "":
		if pieces[wholeElement(s.data)] {
			return kind{name: "html", read: readHTML}
		}
		return kind{name: "xml", read: readXML}
	case bytes.HasPrefix(low, []byte("%!ps")), bytes.HasPrefix(low, []byte("\x04%!ps")):
		return kind{name: "postscript", read: readPostScript}
	case ext == "tex", ext == "latex", bytes.Contains(low, []byte("\\documentclass")), bytes.Contains(low, []byte("\\begin{document}")):
		return kind{name: "tex", read: readTeX}
	case (bytes.HasPrefix(low, []byte("{")) || bytes.HasPrefix(low, []byte("["))) && (strings.HasSuffix(declared, "json") || strings.Contains(ext, "json") || ext == "ipynb" || ext == "har"):
		return kind{name: "json", read: readJSON}
	case declared == "text/csv", declared == "text/tab-separated-values", ext == "csv", ext == "tsv", ext == "tab":
		return kind{name: "csv", read: readCSV}
	case bytes.Contains(s.data, []byte("-----BEGIN PGP ")):
		return kind{name: "pgp", read: readPGP}
	}
	if scripts[ext] || bytes.HasPrefix(low, []byte("#!")) {
		return kind{name: "script", read: readText}
	}
	return kind{name: "text", read: readText}
}

// pieces are elements of HTML with which a piece of a page may begin, and XML does not.
var pieces = map[string]bool{"dl": true, "ul": true, "ol": true, "center": true, "font": true, "span": true, "h1": true, "h2": true, "h3": true, "h4": true,
	"h5": true, "h6": true, "section": true, "article": true, "main": true, "blockquote": true, "pre": true, "form": true, "fieldset": true,
	"b": true, "strong": true, "i": true, "em": true, "u": true, "a": true}

// wholeElement is the name of the one element of XML that octets are, from its start to its
// end; "" when they are none.
func wholeElement(b []byte) string {
	b = bytes.TrimSpace(b)
	end := bytes.IndexAny(b, " \t\r\n/>")
	if end <= 1 || end >= 100 || !bytes.HasSuffix(b, append(append([]byte("</"), b[1:end]...), '>')) {
		return ""
	}
	return strings.ToLower(string(b[1:end]))
}

// mails are endings of messages.
var mails = map[string]bool{"eml": true, "mht": true, "mhtml": true, "nws": true, "msg": true}

// scripts are endings of text that a system runs when it is opened.
var scripts = map[string]bool{"js": true, "jse": true, "vbs": true, "vbe": true, "wsf": true, "wsh": true, "wsc": true, "sct": true,
	"bat": true, "cmd": true, "ps1": true, "psm1": true, "hta": true, "sh": true, "command": true, "reg": true, "scf": true, "inf": true}

// asciiLower appends s with its ASCII letters in lower case: that is all that the marks of
// formats are made of.
func asciiLower(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func afterLine(s []byte) []byte {
	_, rest, _ := bytes.Cut(s, []byte("\n"))
	return rest
}

// looksLikeMail wants two of the fields that mail has, at the start.
func looksLikeMail(low []byte) bool {
	found := 0
	for i, rest := 0, low; i < 40; i++ {
		line, after, more := bytes.Cut(rest, []byte("\n"))
		rest = after
		name, _, ok := bytes.Cut(line, []byte(":"))
		switch {
		case ok && i == 0 && bytes.ContainsAny(name, " \t<>"):
			return false
		case len(line) == 0 || string(line) == "\r":
			return found >= 3
		case ok:
			switch string(name) {
			case "received", "from", "date", "message-id", "mime-version", "return-path", "delivered-to", "subject":
				found++
			}
		case i == 0:
			return false
		}
		if !more {
			break
		}
	}
	return false
}
