package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sampul/internal/message"
)

func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const types = "[Content_Types].xml"

// document is an office document of one part.
func document(t testing.TB, name, body string) []byte {
	folder, _, _ := strings.Cut(name, "/")
	return zipped(t, types, "<Types/>", folder+"/x.xml", "<x/>", name, body)
}

// found are the units of a result: "place|path|text".
func found(r *Result) (all []string) {
	for _, p := range r.Parts {
		for _, u := range p.Units {
			all = append(all, fmt.Sprintf("%s|%s|%s", u.Place, p.Path, u.Text))
		}
	}
	return all
}

func read(t testing.TB, name string, content []byte) *Result {
	t.Helper()
	r, err := Read(context.Background(), Document{Name: name, Data: content}, Budget{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReaders(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string // place|text
	}{
		"text":          {"a.txt", []byte("satu\r\nRAHSIA\r\n"), "paragraph|RAHSIA"},
		"utf-16":        {"a.txt", []byte("\xff\xfeR\x00A\x00H\x00S\x00I\x00A\x00"), "paragraph|RAHSIA"},
		"utf-16 no BOM": {"a.txt", []byte("R\x00A\x00H\x00S\x00I\x00A\x00 \x00B\x00"), "paragraph|RAHSIA B"},
		"html":          {"a.html", []byte("<p>RA<b>H</b>SI&#65;</p>"), "paragraph|RAHSIA"},
		"html comment":  {"a.html", []byte("<div>RAH<!-- x -->SIA</div>"), "paragraph|RAHSIA"},
		"html cell":     {"a.html", []byte("<table><tr><td>a</td><td>SULIT</td></tr></table>"), "cell|SULIT"},
		"html hidden":   {"a.html", []byte(`<div style="display:none">SULIT</div>`), "hidden|SULIT"},
		"html style":    {"a.html", []byte(`<html><style>p::before{color:red; content: "RAHSIA"}</style><p>a</p></html>`), "stamp|RAHSIA"},
		"docx chunk":    {"a.docx", zipped(t, types, "", "word/document.xml", "<w/>", "word/afchunk.html", "<html><p>SULIT</p></html>"), "paragraph|SULIT"},
		"docx data":     {"a.docx", zipped(t, types, "", "word/document.xml", "<w/>", "customXml/item1.xml", "<d><klasifikasi>SULIT</klasifikasi></d>"), "paragraph|klasifikasi: SULIT"},
		"docx in docx":  {"a.docx", zipped(t, types, "", "word/document.xml", "<w/>", "word/embeddings/b.docx", string(document(t, "word/header1.xml", `<w:hdr><w:p><w:r><w:t>SULIT</w:t></w:r></w:p></w:hdr>`))), "page-header|SULIT"},
		"html alt":      {"a.html", []byte(`<html><img alt="SULIT"></html>`), "stamp|SULIT"},
		"svg":           {"a.svg", []byte(`<svg xmlns="x"><text>RAH<tspan>SIA</tspan></text></svg>`), "stamp|RAHSIA"},
		"xml":           {"a.xml", []byte(`<?xml version="1.0"?><surat><klasifikasi>SULIT</klasifikasi></surat>`), "paragraph|klasifikasi: SULIT"},
		"json":          {"a.json", []byte(`{"a":{"klasifikasi":"SULIT"},"b":[1,2]}`), "paragraph|klasifikasi: SULIT"},
		"csv":           {"a.csv", []byte("a,b\n1,\"SULIT\"\n"), "cell|SULIT"},
		"calendar":      {"a.ics", []byte("BEGIN:VCALENDAR\r\nSUMMARY:[SU\r\n LIT] Mesyuarat\r\n"), "subject|[SULIT] Mesyuarat"},
		"docx body": {"a.docx", document(t, "word/document.xml",
			`<w:document xmlns:w="x"><w:body><w:p><w:r><w:t>RA</w:t></w:r><w:r><w:t>HSIA</w:t></w:r></w:p></w:body></w:document>`), "paragraph|RAHSIA"},
		"docx header": {"a.docx", document(t, "word/header2.xml", `<w:hdr xmlns:w="x"><w:p><w:r><w:t>SULIT</w:t></w:r></w:p></w:hdr>`), "page-header|SULIT"},
		"docx box": {"a.docx", document(t, "word/document.xml",
			`<w:document xmlns:w="x"><w:p><w:r><w:t>atas</w:t><w:txbxContent><w:p><w:r><w:t>SULIT</w:t></w:r></w:p></w:txbxContent></w:r></w:p></w:document>`), "stamp|SULIT"},
		"docx watermark": {"a.docx", document(t, "word/header1.xml", `<w:hdr xmlns:w="x" xmlns:v="y"><w:p><v:textpath string="RAHSIA"/></w:p></w:hdr>`), "watermark|RAHSIA"},
		"docx property":  {"a.docx", zipped(t, types, "", "word/document.xml", "<w/>", "docProps/custom.xml", `<Properties><property name="Klasifikasi"><vt:lpwstr xmlns:vt="v">Sulit</vt:lpwstr></property></Properties>`), "metadata|Klasifikasi: Sulit"},
		"docx deleted":   {"a.docx", document(t, "word/document.xml", `<w:d xmlns:w="x"><w:p><w:del><w:r><w:delText>SULIT</w:delText></w:r></w:del></w:p></w:d>`), "deleted|SULIT"},
		"xlsx shared": {"a.xlsx", zipped(t, types, "", "xl/sharedStrings.xml", `<sst><si><r><t>SU</t></r><r><t>LIT</t></r></si></sst>`,
			"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row><c r="A1" t="s"><v>0</v></c></row></sheetData></worksheet>`), "cell|SULIT"},
		"xlsx inline": {"a.xlsx", document(t, "xl/worksheets/sheet1.xml", `<worksheet><c r="B2" t="inlineStr"><is><t>SULIT</t></is></c></worksheet>`), "cell|SULIT"},
		"xlsx print header": {"a.xlsx", document(t, "xl/worksheets/sheet1.xml",
			`<worksheet><headerFooter><oddHeader>&amp;LKiri&amp;C&amp;"Arial,Bold"&amp;14SULIT</oddHeader></headerFooter></worksheet>`), "page-header|SULIT"},
		"pptx master":  {"a.pptx", document(t, "ppt/slideMasters/slideMaster1.xml", `<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>SULIT</a:t></a:r></a:p></p:sld>`), "master|SULIT"},
		"pptx notes":   {"a.pptx", document(t, "ppt/notesSlides/notesSlide1.xml", `<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>SULIT</a:t></a:r></a:p></p:sld>`), "notes|SULIT"},
		"odt":          {"a.odt", zipped(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", `<office:document-content xmlns:office="o" xmlns:text="t"><text:p>SU<text:span>LIT</text:span></text:p></office:document-content>`), "paragraph|SULIT"},
		"odt header":   {"a.odt", zipped(t, "mimetype", "x", "content.xml", "<x/>", "styles.xml", `<d><style:header xmlns:style="s"><text:p xmlns:text="t">SULIT</text:p></style:header></d>`), "page-header|SULIT"},
		"rtf":          {"a.doc", []byte(`{\rtf1\ansi {\fonttbl{\f0 Arial;}}{\header R\'41HSIA\par}isi\par}`), "page-header|RAHSIA"},
		"rtf unicode":  {"a.rtf", []byte(`{\rtf1\uc1 \u82?\u65?HSIA\par}`), "paragraph|RAHSIA"},
		"zip in zip":   {"a.zip", zipped(t, "b.zip", string(zipped(t, "c.txt", "SULIT"))), "paragraph|SULIT"},
		"name in zip":  {"a.zip", zipped(t, "RAHSIA_minit.txt", "isi"), "file-name|RAHSIA_minit.txt"},
		"zip and junk": {"a.bin", append([]byte("\x01\x02junk\x00\x00\x00"), zipped(t, "c.txt", "SULIT")...), "paragraph|SULIT"},
		"tar in gzip":  {"a.tgz", tarred(t, "c.txt", "SULIT"), "paragraph|SULIT"},
		"mail":         {"a.eml", []byte("From: a@luar.test\nDate: x\nSubject: [SULIT] a\nMessage-ID: <1>\n\nisi\n"), "subject|[SULIT] a"},
		"mbox":         {"a.mbox", []byte("From a Mon\nFrom: a@luar.test\nDate: x\nSubject: a\n\nisi\n\nFrom b Mon\nFrom: b@luar.test\nDate: x\nSubject: b\n\nSULIT\n"), "paragraph|SULIT"},
	} {
		r := read(t, c.file, c.content)
		place, text, _ := strings.Cut(c.want, "|")
		ok := false
		for _, f := range found(r) {
			ok = ok || strings.HasPrefix(f, place+"|") && strings.HasSuffix(f, "|"+text)
		}
		if !ok {
			t.Errorf("%s: %q not found in %q, gaps %v", name, c.want, found(r), r.Gaps)
		}
	}
}

func TestGaps(t *testing.T) {
	locked := zipped(t, "rahsia.txt", "isi")
	locked[6] |= 1
	i := bytes.Index(locked, []byte("PK\x01\x02"))
	locked[i+8] |= 1
	bomb := zipped(t, "a.txt", strings.Repeat("\x00", 50<<20))
	deep := zipped(t, "a.txt", "isi")
	for range 20 {
		deep = zipped(t, "b.zip", string(deep))
	}
	for name, c := range map[string]struct {
		content []byte
		reason  Reason
	}{
		"locked zip":      {locked, Locked},
		"locked odf":      {zipped(t, "mimetype", "x", "content.xml", "?", "META-INF/manifest.xml", "<manifest:encryption-data/>"), Locked},
		"endless element": {[]byte("<html><p " + strings.Repeat("a", 9<<20)), TooMuch},
		"pgp":             {[]byte("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n"), Locked},
		"broken zip":      {[]byte("PK\x03\x04 that breaks off"), Damaged},
		"broken docx":     {document(t, "word/document.xml", "<w:p><w:t>RAH"), Damaged},
		"bomb":            {bomb, TooMuch},
		"too deep":        {deep, TooMuch},
		"broken picture":  {[]byte("\x89PNG\r\n\x1a\n"), Damaged},
		"unknown octets":  {chanced(4000), Opaque},
		"few octets":      {chanced(128), Opaque},
		"padded octets":   {append(make([]byte, 40<<10), chanced(20<<10)...), Opaque},
		"database":        {[]byte("SQLite format 3\x00" + strings.Repeat("\x01\x00", 500)), Opaque},
		"drawing":         {[]byte("AC1032\x00\x00\x00\x00\x00" + strings.Repeat("\x01\x00", 500)), Opaque},
		"packed program":  {append([]byte("MZ\x90\x00\x03\x00\x00\x00"), chanced(20<<10)...), Opaque},
		"locked in a zip": {zipped(t, "a.zip", string(locked)), Locked},
	} {
		r := read(t, "a.bin", c.content)
		if len(r.Gaps) == 0 || r.Gaps[0].Reason != c.reason {
			t.Errorf("%s: %+v", name, r.Gaps)
		}
	}
}

// A quoted or forwarded block has first and last lines of its own.
func TestQuotedBlocks(t *testing.T) {
	r := read(t, "a.txt", []byte("Baik, setuju.\n\n-----Original Message-----\nFrom: a@luar.test\nSent: Isnin\nTo: b@luar.test\n\nRAHSIA\nisi\n\n> SULIT\n> lama\n-- \nNama\n"))
	parts := map[string]string{}
	for _, p := range r.Parts {
		for _, u := range p.Units {
			parts[u.Text] = p.Path
		}
	}
	if parts["Baik, setuju."] != "body" || parts["RAHSIA"] == "body" || parts["SULIT"] == "body" || parts["Nama"] == "body" {
		t.Errorf("%v", parts)
	}
}

func whole(text string) (*Result, error) {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	return Message(context.Background(), message.Parse([]byte(text)), strings.NewReader(text), Budget{})
}

func TestMessage(t *testing.T) {
	docx := base64.StdEncoding.EncodeToString(zipped(t, "bahan.txt", "RAHSIA"))
	r, err := whole("Subject: =?utf-8?B?W1NVTElUXQ==?= a\nX-Klasifikasi: Terhad\nX-Original-Subject: [SULIT] lama\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nRAH=\nSIA\n--c\nContent-Type: text/html\n\n<p>SULIT</p>\n--c--\n" +
		"--b\nContent-Type: image/png\nContent-Disposition: attachment; filename*=utf-8''bahan%20satu.zip\nContent-Transfer-Encoding: base64\n\n" + docx + "\n" +
		"--b\nContent-Type: message/rfc822\n\nSubject: [TERHAD] dalam\n\nisi\n--b--\n")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(found(r), "\n")
	for _, want := range []string{"subject|header|[SULIT] a", "subject|header|[SULIT] lama", "header-field|header|X-Klasifikasi: Terhad", "paragraph|body|RAHSIA", "paragraph|body|SULIT",
		`file-name|attachment 1 "bahan satu.zip"|bahan satu.zip`, `paragraph|attachment 1 "bahan satu.zip" > bahan.txt|RAHSIA`, "[TERHAD] dalam"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestBudgets(t *testing.T) {
	var files []string
	for i := range 50 {
		files = append(files, fmt.Sprint(i, ".txt"), "isi")
	}
	r, err := Read(context.Background(), Document{Name: "a.zip", Data: zipped(t, files...)}, Budget{Members: 10})
	if err != nil || len(r.Gaps) != 1 || r.Gaps[0].Reason != TooMuch {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = Read(context.Background(), Document{Name: "a.txt", Data: []byte(strings.Repeat("baris\n", 100))}, Budget{Units: 10})
	if err != nil || len(r.Gaps) != 1 || len(r.Parts[0].Units) > 10 {
		t.Errorf("%+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, Document{Name: "a.txt", Data: []byte("isi")}, Budget{}); err == nil {
		t.Error("a context that ended gave a result")
	}
}

// FuzzFile gives any octets to every reader.
func FuzzFile(f *testing.F) {
	if err := WarmPDF(PDFOptions{}); err != nil { // it takes longer than one input may
		f.Fatal(err)
	}
	for _, s := range [][]byte{
		[]byte("<html><table><tr><td>a<blockquote>b"), []byte(`{\rtf1{\header \'41\u-3?}`), []byte(`{"a":["b",{}]}`),
		[]byte("BEGIN:VCALENDAR\nSUMMARY:a"), []byte("From a\nFrom: a\nDate: b\nSubject: c\n\nd"), []byte("%PDF-1"), []byte("\x1f\x8b\x08"),
		[]byte(`<?xml version="1.0"?><office:document><text:p>a`), []byte("BZh9"), zipped(f, "a.txt", "SULIT"),
		zipped(f, types, "", "word/document.xml", "<w:p><w:t>a</w:t></w:p>"), zipped(f, types, "", "xl/worksheets/sheet1.xml", `<c r="A1" t="s"><v>9</v></c>`),
		zipped(f, types, "", "ppt/slides/slide1.xml", "<a:p><a:t>a"), zipped(f, "mimetype", "", "content.xml", "<text:p>a"), tarred(f, "a", "b"),
	} {
		f.Add("a.bin", s)
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		r, err := Read(context.Background(), Document{Name: name, Data: b}, Budget{Expanded: 8 << 20, Members: 200, Text: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range r.Gaps {
			if g.Why == "the reader failed on it" {
				t.Errorf("a reader panicked: %+v", g)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>a\r\n--b--"))
	f.Add([]byte("Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA=="))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Message(context.Background(), message.Parse(b), bytes.NewReader(b), Budget{Expanded: 8 << 20}); err != nil {
			t.Fatal(err)
		}
	})
}
