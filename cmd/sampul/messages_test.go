package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func letter(subject, body string) string {
	return "From: Orang Luar <orang@luar.test>\r\nTo: pegawai1@agensi-a.test\r\nSubject: " + subject +
		"\r\nDate: Mon, 23 Nov 2026 09:00:00 +0800\r\nMessage-ID: <satu@luar.test>\r\n\r\n" + body
}

const newsletter = "Rahsia kejayaan usahawan muda\r\n\r\nBuku Rahsia Nasi Lemak kini di pasaran. Tempat duduk terhad!\r\n" +
	"Ramai yang bertanya apakah rahsia kejayaan beliau. Jawapannya: kerja keras, dan jangan rahsiakan apa-apa.\r\n"

// zipOf packs files.
func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// docx is a letter whose pages are headed with a mark.
func docx(t *testing.T, header string) []byte {
	const ns = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	return zipOf(t, map[string]string{
		"[Content_Types].xml": `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>` +
			`<Override PartName="/word/header1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml"/></Types>`,
		"_rels/.rels": `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
		"word/document.xml": `<?xml version="1.0"?><w:document ` + ns + `><w:body><w:p><w:r><w:t>Minit mesyuarat bulanan.</w:t></w:r></w:p></w:body></w:document>`,
		"word/header1.xml":  `<?xml version="1.0"?><w:hdr ` + ns + `><w:p><w:r><w:t>` + header[:2] + `</w:t></w:r><w:r><w:t>` + header[2:] + `</w:t></w:r></w:p></w:hdr>`,
	})
}

// withAttachment is a message that carries a file.
func withAttachment(subject, name string, content []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Orang Luar <orang@luar.test>\r\nTo: pegawai1@agensi-a.test\r\nSubject: %s\r\n"+
		"Date: Mon, 23 Nov 2026 09:00:00 +0800\r\nMessage-ID: <dua@luar.test>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=batas\r\n\r\n--batas\r\nContent-Type: text/plain\r\n\r\nSila lihat lampiran.\r\n"+
		"--batas\r\nContent-Type: application/octet-stream; name=%q\r\nContent-Disposition: attachment; filename=%q\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n", subject, name, name)
	text := base64.StdEncoding.EncodeToString(content)
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n--batas--\r\n")
	return b.String()
}
