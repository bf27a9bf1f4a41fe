package extract

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A kind of file, known by its content. One without a reader is not read yet.
// Kinds that are apart are read in a worker process.
type kind struct {
	name  string
	read  func(*walker, at, *source)
	apart bool
}

type magic struct {
	off   int
	bytes string
	kind  kind
}

// magics are what files begin with.
var magics []magic

func init() {
	magics = []magic{
		{0, "PK\x03\x04", kind{name: "zip", read: readZip, apart: true}},
		{0, "PK\x05\x06", kind{name: "zip", read: readZip, apart: true}},
		{0, "\x1f\x8b", kind{name: "gzip", read: readGzip, apart: true}},
		{0, "BZh", kind{name: "bzip2", read: readBzip2, apart: true}},
		{257, "ustar", kind{name: "tar", read: readTar, apart: true}},
		{0, `{\rtf`, kind{name: "rtf", read: readRTF, apart: true}},
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kind{name: "ole", read: readOLE, apart: true}},
		{0, "%PDF-", kind{name: "pdf"}},
		{0, "\x89PNG", kind{name: "png"}},
		{0, "\xff\xd8\xff", kind{name: "jpeg"}},
		{0, "GIF8", kind{name: "gif"}},
		{0, "II*\x00", kind{name: "tiff"}},
		{0, "MM\x00*", kind{name: "tiff"}},
		{8, "WEBP", kind{name: "webp"}},
		{0, "7z\xbc\xaf\x27\x1c", kind{name: "7z"}},
		{0, "Rar!\x1a\x07", kind{name: "rar"}},
		{0, "\xfd7zXZ\x00", kind{name: "xz"}},
		{0, "\x78\x9f\x3e\x22", kind{name: "winmail.dat"}},
		{0, "\x28\xb5\x2f\xfd", kind{name: "zstd"}},
		{0, "MZ", kind{name: "executable"}},
		{0, "\x7fELF", kind{name: "executable"}},
		{4, "ftyp", kind{name: "video"}},
		{0, "ID3", kind{name: "audio"}},
		{0, "RIFF", kind{name: "media"}},
		{0, "OggS", kind{name: "media"}},
	}
}

// sniff says what s is.
func sniff(s *source) kind {
	b := s.data
	for _, m := range magics {
		if len(b) >= m.off+len(m.bytes) && string(b[m.off:m.off+len(m.bytes)]) == m.bytes {
			return m.kind
		}
	}
	if i := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF-")); i >= 0 { // junk before it is allowed
		return kind{name: "pdf"}
	}
	if looksLikeText(b) {
		return textKind(s)
	}
	if hasZipEnd(b) { // a zip behind something else
		return kind{name: "zip", read: readZip, apart: true}
	}
	return kind{name: "unknown binary"}
}

func hasZipEnd(b []byte) bool {
	return bytes.Contains(b[max(0, len(b)-66_000):], []byte("PK\x05\x06"))
}

// looksLikeText takes text in any charset for text: few control characters, or a BOM,
// or every other octet zero.
func looksLikeText(b []byte) bool {
	head := b[:min(len(b), 8192)]
	if len(head) == 0 || bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || utf16Order(head) != "" {
		return true
	}
	odd := 0
	for _, c := range head {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b || c == 0x7f {
			odd++
		}
	}
	if !utf8.Valid(trimPartial(head)) {
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

func trimPartial(b []byte) []byte {
	for range utf8.UTFMax {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			return b
		}
		b = b[:len(b)-1]
	}
	return b
}

// utf16Order knows UTF-16 without a BOM by its zeros.
func utf16Order(b []byte) string {
	if len(b) < 8 {
		return ""
	}
	var zeros [2]int
	for i, c := range b[:len(b)&^1] {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(b) / 2
	switch {
	case zeros[1] > half*6/10 && zeros[0] <= half/10:
		return "utf-16le"
	case zeros[0] > half*6/10 && zeros[1] <= half/10:
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
	case bytes.HasPrefix(low, []byte("begin:vcalendar")), bytes.HasPrefix(low, []byte("begin:vcard")):
		return kind{name: "calendar", read: readCalendar}
	case looksLikeMail(low):
		return kind{name: "message", read: readMail}
	case bytes.HasPrefix(low, []byte("from ")) && looksLikeMail(afterLine(low)):
		return kind{name: "mbox", read: readMbox}
	case bytes.Contains(low, []byte("<svg")) && !bytes.Contains(low, []byte("<html")):
		return kind{name: "svg", read: readXML}
	case bytes.Contains(low, []byte("<office:document")):
		return kind{name: "flat odf", read: readFlatODF}
	case declared == "text/html", bytes.Contains(low, []byte("<html")), bytes.HasPrefix(low, []byte("<!doctype html")),
		bytes.Contains(low, []byte("<body")), bytes.Contains(low, []byte("<div")), bytes.Contains(low, []byte("<p>")), bytes.Contains(low, []byte("<table")):
		return kind{name: "html", read: readHTML}
	case bytes.HasPrefix(low, []byte("<?xml")), bytes.HasPrefix(low, []byte("<")) && (strings.HasSuffix(declared, "xml") || ext == "xml"):
		return kind{name: "xml", read: readXML}
	case (bytes.HasPrefix(low, []byte("{")) || bytes.HasPrefix(low, []byte("["))) && (strings.HasSuffix(declared, "json") || ext == "json"):
		return kind{name: "json", read: readJSON}
	case declared == "text/csv", ext == "csv", ext == "tsv":
		return kind{name: "csv", read: readCSV}
	case bytes.Contains(low, []byte("-----begin pgp message-----")):
		return kind{name: "pgp", read: readPGP}
	case declared == "text/enriched", declared == "text/richtext":
		return kind{name: "enriched", read: readHTML}
	}
	return kind{name: "text", read: readText}
}

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
