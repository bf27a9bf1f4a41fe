package bombs

import (
	"bytes"
	"fmt"
	"strings"
)

// texts are of formats in which things stand in each other.
func texts() []Bomb {
	many := func(name, text string, n int) Bomb {
		return Bomb{Name: name, Make: func() []byte { return bytes.Repeat([]byte(text), n) }}
	}
	return []Bomb{
		{Name: "entities.xml", Make: func() []byte { return []byte(entities) }},
		{Name: "entities.svg", Make: func() []byte {
			return []byte(strings.Replace(entities, "<a>&j;</a>", `<svg xmlns="http://www.w3.org/2000/svg"><text>&j;</text></svg>`, 1))
		}},
		{Name: "deep.html", Make: func() []byte { return append([]byte("<html>"), bytes.Repeat([]byte("<div>"), 1_000_000)...) }},
		{Name: "table.html", Make: func() []byte {
			return append([]byte("<html>"), bytes.Repeat([]byte("<table><tr><td>"), 300_000)...)
		}},
		{Name: "deep.xml", Make: func() []byte {
			return append([]byte("<?xml version=\"1.0\"?>"), bytes.Repeat([]byte("<a>"), 3_000_000)...)
		}},
		many("deep.json", "[", 10_000_000),
		many("object.json", `{"a":`, 2_000_000),
		{Name: "deep.rtf", Make: func() []byte { return append([]byte(`{\rtf1`), bytes.Repeat([]byte(`{\b `), 3_000_000)...) }},
		many("lines.txt", "\nR", 8_000_000),
		many("cells.csv", "a,", 8_000_000),
		many("quotes.txt", "> a\n>> b\n", 1_000_000),
		many("line.txt", "RAHSIA ", 2_000_000),
	}
}

var entities = func() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE a [\n<!ENTITY a \"aaaaaaaaaa\">\n")
	for c := 'b'; c <= 'j'; c++ {
		fmt.Fprintf(&b, "<!ENTITY %c \"%s\">\n", c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	b.WriteString("]>\n<a>&j;</a>\n")
	return b.String()
}()

// messages are whole messages.
func messages() []Bomb {
	head := "From: <orang@luar.test>\r\nTo: <pegawai@agensi.test>\r\nSubject: bahan\r\nDate: Mon, 02 Jun 2025 10:00:00 +0800\r\nMessage-ID: <1@luar.test>\r\nMIME-Version: 1.0\r\n"
	return []Bomb{
		{Name: "multipart-deep", Raw: true, Make: func() []byte {
			var b bytes.Buffer
			b.WriteString(head)
			for i := range 5000 {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
			}
			b.WriteString("Content-Type: text/plain\r\n\r\nisi\r\n")
			return b.Bytes()
		}},
		{Name: "multipart-wide", Raw: true, Make: func() []byte {
			return append([]byte(head+"Content-Type: multipart/mixed; boundary=b\r\n\r\n"), bytes.Repeat([]byte("--b\r\n\r\na\r\n"), 100_000)...)
		}},
		{Name: "message-deep", Raw: true, Make: func() []byte {
			return append([]byte(head), bytes.Repeat([]byte("Content-Type: message/rfc822\r\n\r\n"), 5000)...)
		}},
		{Name: "mbox", Make: func() []byte {
			return bytes.Repeat([]byte("From a Mon Jun  2 10:00:00 2025\nFrom: <a@luar.test>\nDate: Mon, 02 Jun 2025 10:00:00 +0800\nSubject: a\n\nisi\n\n"), 100_000)
		}},
		{Name: "uuencoded", Raw: true, Make: func() []byte {
			return append([]byte(head+"\r\n"), bytes.Repeat([]byte("begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n"), 100_000)...)
		}},
		{Name: "fields", Raw: true, Make: func() []byte {
			return append([]byte(head), bytes.Repeat([]byte("Subject: a\r\n"), 200_000)...)
		}},
	}
}
