package extract

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A kind of file, known by its content. One without a reader is not read yet.
type kind struct {
	name string
	read func(*walker, at, *source)
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
		{0, "PK\x03\x04", kind{"zip", readZip}},
		{0, "PK\x05\x06", kind{"zip", readZip}},
		{0, "\x1f\x8b", kind{"gzip", readGzip}},
		{0, "BZh", kind{"bzip2", readBzip2}},
		{257, "ustar", kind{"tar", readTar}},
		{0, `{\rtf`, kind{"rtf", readRTF}},
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kind{"ole", readOLE}},
		{0, "%PDF-", kind{"pdf", nil}},
		{0, "\x89PNG", kind{"png", nil}},
		{0, "\xff\xd8\xff", kind{"jpeg", nil}},
		{0, "GIF8", kind{"gif", nil}},
		{0, "II*\x00", kind{"tiff", nil}},
		{0, "MM\x00*", kind{"tiff", nil}},
		{8, "WEBP", kind{"webp", nil}},
		{0, "7z\xbc\xaf\x27\x1c", kind{"7z", nil}},
		{0, "Rar!\x1a\x07", kind{"rar", nil}},
		{0, "\xfd7zXZ\x00", kind{"xz", nil}},
		{0, "\x78\x9f\x3e\x22", kind{"winmail.dat", nil}},
		{0, "\x28\xb5\x2f\xfd", kind{"zstd", nil}},
		{0, "MZ", kind{"executable", nil}},
		{0, "\x7fELF", kind{"executable", nil}},
		{4, "ftyp", kind{"video", nil}},
		{0, "ID3", kind{"audio", nil}},
		{0, "RIFF", kind{"media", nil}},
		{0, "OggS", kind{"media", nil}},
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
		return kind{"pdf", nil}
	}
	if looksLikeText(b) {
		return textKind(s)
	}
	if hasZipEnd(b) { // a zip behind something else
		return kind{"zip", readZip}
	}
	return kind{"unknown binary", nil}
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
	low := strings.ToLower(text[:min(len(text), 2048)])
	declared, _, _ := strings.Cut(strings.ToLower(s.declared), ";")
	ext := strings.ToLower(s.name[strings.LastIndexByte(s.name, '.')+1:])
	switch {
	case strings.HasPrefix(low, "begin:vcalendar"), strings.HasPrefix(low, "begin:vcard"):
		return kind{"calendar", readCalendar}
	case looksLikeMail(low):
		return kind{"message", readMail}
	case strings.HasPrefix(low, "from ") && looksLikeMail(afterLine(low)):
		return kind{"mbox", readMbox}
	case strings.Contains(low, "<svg") && !strings.Contains(low, "<html"):
		return kind{"svg", readXML}
	case strings.Contains(low, "<office:document"):
		return kind{"flat odf", readFlatODF}
	case declared == "text/html", strings.Contains(low, "<html"), strings.HasPrefix(low, "<!doctype html"),
		strings.Contains(low, "<body"), strings.Contains(low, "<div"), strings.Contains(low, "<p>"), strings.Contains(low, "<table"):
		return kind{"html", readHTML}
	case strings.HasPrefix(low, "<?xml"), strings.HasPrefix(low, "<") && (strings.HasSuffix(declared, "xml") || ext == "xml"):
		return kind{"xml", readXML}
	case (strings.HasPrefix(low, "{") || strings.HasPrefix(low, "[")) && (strings.HasSuffix(declared, "json") || ext == "json"):
		return kind{"json", readJSON}
	case declared == "text/csv", ext == "csv", ext == "tsv":
		return kind{"csv", readCSV}
	case strings.Contains(low, "-----begin pgp message-----"):
		return kind{"pgp", readPGP}
	case declared == "text/enriched", declared == "text/richtext":
		return kind{"enriched", readHTML}
	}
	return kind{"text", readText}
}

func afterLine(s string) string {
	_, rest, _ := strings.Cut(s, "\n")
	return rest
}

// looksLikeMail wants two of the fields that mail has, at the start.
func looksLikeMail(low string) bool {
	found := 0
	for i, line := range strings.SplitN(low, "\n", 40) {
		name, _, ok := strings.Cut(line, ":")
		switch {
		case ok && i == 0 && strings.ContainsAny(name, " \t<>"):
			return false
		case line == "" || line == "\r":
			return found >= 3
		case ok:
			switch name {
			case "received", "from", "date", "message-id", "mime-version", "return-path", "delivered-to", "subject":
				found++
			}
		case i == 0:
			return false
		}
	}
	return false
}
