package extract

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// readingOf gives one reader any octets: it keeps within its budget and does not fail.
func readingOf(f *testing.F, name, declared string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Read(context.Background(), Document{Name: name, Declared: declared, Data: b}, Budget{Expanded: 8 << 20, Members: 200, Text: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range r.Gaps {
			if g.Why == "the reader failed on it" {
				t.Errorf("a reader panicked: %+v", g)
			}
		}
		for _, p := range r.Parts {
			for _, u := range p.Units {
				if strings.TrimSpace(u.Text) == "" || strings.ContainsAny(u.Text, "\x00\x1b") {
					t.Errorf("a unit shows nothing, or what does not show: %q", u.Text)
				}
			}
		}
	})
}

func FuzzHTML(f *testing.F) {
	readingOf(f, "a.html", "text/html", "<p>RA<b>H</b>SIA", "<style>.a::before{content:'\\52 x' attr(y)} p .a>b{display:none}</style><p class=a y=z>b",
		"<table><tr><td>R<td>A<table><tr><td>b</table></table>", "<!--[if mso]><p>a<![endif]-->b", "<bdo dir=rtl>a<br>b</bdo>",
		"<svg><text x=1 y=2>a<tspan dy=9>b</tspan></text></svg>", "<select><option selected>a<option>b</select>", `<img src="data:text/html,<p>a" alt=b><input type=checkbox>`,
		"<blockquote>a<p>From: a@b<br>To: c<br>Subject: d<br>e</blockquote>--<br>f")
}

func FuzzPlain(f *testing.F) {
	readingOf(f, "a.txt", "text/plain", "a\n> b\n>> c\n-- \nd", "From: a@b\nSent: c\nTo: d\nSubject: e\n\nf", "\x1b[1mA\bA\x1b$B#R\x1b(B", "~{#R~}+AFI-", "begin 644 a\n#86)C\n`\nend\n",
		"\xff\xfea\x00", "a\x00\x00\x00b\x00\x00\x00c\x00\x00\x00d\x00\x00\x00")
}

func FuzzCalendar(f *testing.F) {
	readingOf(f, "a.ics", "text/calendar", "BEGIN:VCALENDAR\nSUMMARY;CN=\"a:b\":c\\,d\\n\n e", "BEGIN:VCARD\nNOTE;ENCODING=QUOTED-PRINTABLE:a=\nb=0A\nPHOTO;ENCODING=b:YWJj\nATTACH:data:,a")
}

func FuzzJSON(f *testing.F) {
	readingOf(f, "a.json", "application/json", `{"a":["b",{"name":"c","value":"d"}]}`, "{ // a\n\"b\":1,}", `{"a":"b`, `"a\nb"`)
}

func FuzzCSV(f *testing.F) {
	readingOf(f, "a.csv", "text/csv", "sep=;\na;b\n", "\"a\nb\",c", "a\t\"b\nc")
}

func FuzzXMLText(f *testing.F) {
	readingOf(f, "a.xml", "text/xml", `<?xml version="1.0"?><a b="c"><d>e</d></a>`, `<!DOCTYPE a [<!ENTITY x "&#60;b>"><!ENTITY y "&x;&x;">]><a>&y;</a>`, "<a><![CDATA[b]]><!-- c --></a>")
}

// unbroken is without line ends, which the library makes the same.
var unbroken = strings.NewReplacer("\r", "", "\n", "")

// FuzzXML plays documents beside the library's decoder: whatever it takes for well-formed
// has the same elements and the same text here.
func FuzzXML(f *testing.F) {
	for _, s := range []string{`<a b="c">d<e/>f</a>`, `<w:p xmlns:w="x"><w:t xml:space="preserve">a&amp;b</w:t></w:p>`, "<a><![CDATA[b]]>&#65;</a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want strings.Builder
		d := xml.NewDecoder(strings.NewReader(string(b)))
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			switch v := tok.(type) {
			case xml.StartElement:
				want.WriteString("<" + v.Name.Local)
			case xml.EndElement:
				want.WriteString(">")
			case xml.CharData:
				want.WriteString(unbroken.Replace(string(v)))
			case xml.Directive, xml.ProcInst:
				return
			}
		}
		var got strings.Builder
		w := &walker{ctx: context.Background(), b: Budget{}.filled()}
		err := w.eachXML(b, xmlEvents{
			start: func(name string, _ func(string) string) { got.WriteString("<" + name) },
			end:   func(string) { got.WriteString(">") },
			text:  func(s string) { got.WriteString(unbroken.Replace(s)) },
		})
		if err != nil || got.String() != want.String() {
			t.Errorf("%q was read as %q, %v, and is %q", b, got.String(), err, want.String())
		}
	})
}

// FuzzDocx, FuzzXlsx, FuzzPptx, FuzzOpenDocument and FuzzXlsb put any octets into the place
// of a file of a document.
func FuzzDocx(f *testing.F) {
	inside(f, "word/document.xml", `<w:document xmlns:w="wordprocessingml"><w:p><w:r><w:rPr><w:caps/></w:rPr><w:t>a</w:t><w:sym w:font="Wingdings" w:char="F0FE"/></w:r></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl></w:document>`,
		`<w:hdr><w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox/></w:ffData></w:fldChar><w:instrText>QUOTE "a"</w:instrText><w:fldChar w:fldCharType="end"/><w:txbxContent><w:p>`,
		`<pkg:package><w:hdr><w:p><w:t>a</w:t></w:p></w:hdr><w:document><w:sdt><w:alias w:val="a"/><w:p><w:t>b</w:t></w:p></w:sdt>`)
}

func FuzzXlsx(f *testing.F) {
	inside(f, "xl/worksheets/sheet1.xml", `<worksheet><c r="A1" t="s"><v>0</v></c><c r="B1"><f>"a"&amp;CHAR(66)</f></c><oddHeader>&amp;C&amp;"a"b</oddHeader></worksheet>`)
}

func FuzzPptx(f *testing.F) {
	inside(f, "ppt/slides/slide1.xml", `<p:sld><p:ph type="title"/><a:tbl><a:tr><a:tc><a:p><a:r><a:rPr cap="all"/><a:t>a</a:t></a:r></a:p></a:tc></a:tr></a:tbl>`)
}

func FuzzXlsb(f *testing.F) {
	inside(f, "xl/worksheets/sheet1.bin", "\x00\x04\x00\x00\x00\x00\x06\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00a\x00", "\xdf\x03\x0a\x00\x00\x02\x00\x00\x00&\x00C\x00")
}

func FuzzOpenDocument(f *testing.F) {
	inside(f, "content.xml", `<d><style:style style:name="a"><style:text-properties text:display="none"/></style:style><text:p text:style-name="a">a<text:span>b</text:span><office:annotation><text:p>c</text:p></office:annotation></text:p></d>`,
		`<d><table:table table:name="a"><table:table-row><table:table-cell table:number-columns-repeated="3"><text:p>b</text:p>`, `<office:binary-data>YWJj</office:binary-data>`)
}

func inside(f *testing.F, name string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := read(t, "a.zip", zipped(t, types, "<Types/>", "mimetype", "application/vnd.oasis.opendocument.text", name, string(b)))
		for _, g := range r.Gaps {
			if g.Why == "the reader failed on it" {
				t.Errorf("a reader panicked: %+v", g)
			}
		}
	})
}
