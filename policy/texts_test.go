package policy

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// page is a message of HTML, with enough around it for a head and a foot.
func page(html string) string {
	return "Subject: Surat\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n" + html + strings.Repeat("<p>Isi surat yang panjang lebar.</p>\n", 12)
}

// text is a message of text in a charset.
func text(charset, body string) string {
	return "Subject: Surat\nMIME-Version: 1.0\nContent-Type: text/plain; charset=" + charset + "\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte(body)) + "\n"
}

func file(name, kind string, content string) string {
	return "Subject: Surat\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nIsi.\n--b\nContent-Type: " + kind +
		"\nContent-Disposition: attachment; filename=\"" + name + "\"\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte(content)) + "\n--b--\n"
}

var long = strings.Repeat("Isi surat yang panjang lebar tentang perkara ini.\n", 12)

func ebcdic(s string) string {
	out, err := charmap.CodePage037.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

// wide is s in Latin letters as wide as Chinese ones, in GB 2312 and its kin.
func wide(s string, high byte) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(0x23 | high)
		b.WriteByte(s[i] | high)
	}
	return b.String()
}

func utf32(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.Write([]byte{byte(r), byte(r >> 8), 0, 0})
	}
	return b.String()
}

// What a reader sees as a mark is one, however it is written.
func TestTexts(t *testing.T) {
	e := New(Options{})
	for name, c := range map[string]struct {
		mail string
		want Class
	}{
		"plain":                         {text("utf-8", "RAHSIA\n"+long), Rahsia},
		"open":                          {text("utf-8", "Isi biasa tentang rahsia kejayaan.\n"+long), Terbuka},
		"UTF-16 with a BOM":             {text("utf-16", "\xff\xfe"+wideText("RAHSIA\n"+long)), Rahsia},
		"UTF-16 without":                {text("utf-16le", wideText("RAHSIA\n"+long)), Rahsia},
		"UTF-16 undeclared":             {text("us-ascii", wideText("RAHSIA\n"+long)), Rahsia},
		"UTF-32 undeclared":             {text("us-ascii", utf32("RAHSIA\n"+long)), Rahsia},
		"UTF-32 with a BOM":             {text("x", utf32("\ufeffRAHSIA\n"+long)), Rahsia},
		"UTF-7":                         {text("utf-7", "+AFI-+AEEASABTAEkAQQ-\n"+long), Rahsia},
		"UTF-7 undeclared":              {text("utf-8", "+AFIAQQBIAFMASQBB-\n"+long), Rahsia},
		"EBCDIC":                        {text("ibm037", ebcdic("RAHSIA\n"+long)), Rahsia},
		"a lie: UTF-16":                 {text("utf-16", "RAHSIA\n"+long), Rahsia},
		"a lie: UTF-8":                  {text("utf-16be", "SULIT\n"+long), Sulit},
		"unknown charset":               {text("x-none", "SULIT \xa0\n"+long), Sulit},
		"HZ":                            {text("hz-gb-2312", "~{"+wide("RAHSIA", 0)+"~}\n"+long), Rahsia},
		"HZ undeclared":                 {text("us-ascii", "~{"+wide("RAHSIA", 0)+"~}\n"+long), Rahsia},
		"ISO-2022-JP":                   {text("iso-2022-jp", "\x1b$B"+wide("RAHSIA", 0)+"\x1b(B\n"+long), Rahsia},
		"ISO-2022-JP undeclared":        {text("us-ascii", "\x1b$B"+wide("RAHSIA", 0)+"\x1b(B\n"+long), Rahsia},
		"ISO-2022-KR":                   {text("iso-2022-kr", "\x1b$)C\n\x0e"+wide("RAHSIA", 0)+"\x0f\n"+long), Rahsia},
		"GB18030":                       {text("gb18030", wide("RAHSIA", 0x80)+"\n"+long), Rahsia},
		"GB18030 undeclared":            {text("us-ascii", wide("RAHSIA", 0x80)+"\n"+long), Rahsia},
		"IBM850":                        {text("ibm850", "SULIT\xff\n"+long), Sulit},
		"overstruck":                    {text("utf-8", "R\bRA\bAH\bHS\bSI\bIA\bA\n"+long), Rahsia},
		"coloured":                      {text("utf-8", "\x1b[31mRAH\x1b[1mSIA\x1b[0m\n"+long), Rahsia},
		"NULs":                          {text("utf-8", "R\x00A\x00HSIA\n"+long), Rahsia},
		"bare CR":                       {text("utf-8", "RAHSIA\r"+strings.ReplaceAll(long, "\n", "\r")), Rahsia},
		"line separator":                {text("utf-8", "RAHSIA\u2028"+long), Rahsia},
		"second page":                   {text("utf-8", long+"\fRAHSIA\n"+long), Rahsia},
		"flowed":                        {"Content-Type: text/plain; format=flowed\n\nSANGAT SEGERA / \nRAHSIA\n" + long, Rahsia},
		"text that looks as HTML":       {text("utf-8", "RAHSIA\n<div>"+long), Rahsia},
		"text that looks as a calendar": {text("utf-8", "BEGIN:VCALENDAR\nRAHSIA\n"+long), Rahsia},

		"quoted":              {text("utf-8", long+"> RAHSIA\n> "+strings.ReplaceAll(long, "\n", "\n> ")+"\n"+long), Rahsia},
		"quoted twice":        {text("utf-8", long+">> RAHSIA\n>> "+strings.ReplaceAll(long, "\n", "\n>> ")+"\n"+long), Rahsia},
		"forwarded":           {text("utf-8", long+"-----Original Message-----\nFrom: Ali <a@luar.test>\nSent: Isnin\nTo: b@luar.test\nCc: c@luar.test\nSubject: x\n\nRAHSIA\n"+long), Rahsia},
		"forwarded in Malay":  {text("utf-8", long+"Daripada: Ali\nDihantar: Isnin, 3 Mac 2025 10:11 PG\nKepada: Siti\nPerkara: [SULIT] Laporan\n\n"+long), Sulit},
		"forwarded by Gmail":  {text("utf-8", long+"---------- Forwarded message ---------\nDari: Ali <a@luar.test>\nTarikh: Isn\nSubject: a\nKepada: b\n\nRAHSIA\n"+long), Rahsia},
		"above a signature":   {text("utf-8", long+"RAHSIA\n-- \nAli\nPejabat\nTel 1\nTel 2\nTel 3\nTel 4\n"), Rahsia},
		"above a sign-off":    {text("utf-8", long+"RAHSIA\nSekian, terima kasih.\nYang benar,\nAli\nPegawai\nBahagian\nKementerian\nTel 1\nTel 2\n"), Rahsia},
		"below a sign-off":    {text("utf-8", long+"Sekian, terima kasih.\nYang benar,\nAli\nPegawai\nBahagian\nKementerian\nTel 1\nRAHSIA\n"), Rahsia},
		"above a disclaimer":  {text("utf-8", long+"RAHSIA\nThis e-mail and any attachments are confidential.\nb\nc\nd\ne\nf\n"), Rahsia},
		"memorandum":          {text("utf-8", "MEMO\nDaripada: Ketua\nKepada: Semua\nTarikh: 3 Mac 2025\nPerkara: Mesyuarat\nRujukan: 1\nRAHSIA\n"+long), Rahsia},
		"quiz between quotes": {text("utf-8", "> RAHSIA BESAR\nitu yang tertinggi\n> RAHSIA\nyang kedua\n> SULIT\nyang ketiga\n> TERHAD\nakhir\n"+long), Terbuka},
		"uuencoded":           {text("utf-8", long+"begin 644 a.txt\n'4D%(4TE!\"@  \n`\nend\n"), Rahsia},

		"HTML":                      {page("<p>RA<b>H</b>S<!-- x -->I&#65;</p>"), Rahsia},
		"entity without an end":     {page("<p>RAHSI&#65</p>"), Rahsia},
		"junk that does not show":   {page("<p>RAH<span style='display:none'>xyz</span>SIA</p>"), Rahsia},
		"junk by a class":           {page("<style>.j{display:none}</style><p>RAH<span class=j>xyz</span>SIA</p>"), Rahsia},
		"junk of size 0":            {page("<p>RAH<span style='font-size:0'>xyz</span>SIA</p>"), Rahsia},
		"white":                     {page("<p>isi</p><p>isi</p><p>isi</p><p>isi</p><p>isi</p><p>isi</p><p><font color=white>RAHSIA</font></p>"), Rahsia},
		"shown as capitals":         {page("<p><span style='text-transform:uppercase'>rahsia</span></p>"), Rahsia},
		"capitals by a class":       {page("<style>div p.x {color:red;text-transform:UPPERCASE}</style><div><p class='y x'>rahsia</p></div>"), Rahsia},
		"capitals elsewhere":        {page("<style>div p.x {text-transform:UPPERCASE}</style><p class='x'>Terhad</p>"), Terbuka},
		"small capitals":            {page("<p style='font-variant:small-caps'>rahsia</p>"), Rahsia},
		"text of a style sheet":     {page("<style>.a:before{content:'RAH'}</style><p class=a>SIA</p>"), Rahsia},
		"escaped in a style sheet":  {page("<style>.a:after{content:'\\52 \\41 HSIA'}</style><p class=a></p>"), Rahsia},
		"attribute by style sheet":  {page("<style>p:before{content:attr(data-m)}</style><p data-m=RAHSIA></p>"), Rahsia},
		"turned round":              {page("<p><bdo dir=rtl>AIS<b>H</b>AR</bdo></p>"), Rahsia},
		"turned round by style":     {page("<p style='unicode-bidi:bidi-override;direction:rtl'>AISHAR</p>"), Rahsia},
		"boxes from the right":      {page("<div style='display:flex;flex-direction:row-reverse'><span>SIA</span><span>RAH</span></div>"), Rahsia},
		"divisions in a line":       {page("<div style='display:inline'>RAH</div><div style='display:inline'>SIA</div>"), Rahsia},
		"letters in cells":          {page("<table><tr><td>R<td>A<td>H<td>S<td>I<td>A</table>"), Rahsia},
		"halves in cells":           {page("<table><tr><td>RAH</td><td>SIA</td></tr></table>"), Rahsia},
		"letters in lines":          {page("R<br>A<br>H<br>S<br>I<br>A<br>"), Rahsia},
		"a page in a cell":          {page("<table><tr><td><p>RAHSIA</p><p>a</p><p>b</p><p>c</p></td><td>x</td></tr></table>"), Rahsia},
		"for Outlook alone":         {page("<!--[if mso]><p>RA<b>HSIA</b></p><![endif]-->"), Rahsia},
		"a comment":                 {page("<!-- RAHSIA --><p>isi</p>"), Terbuka},
		"short comment":             {page("<p>RAH<!-->S<!-- -->IA</p>"), Rahsia},
		"alternative text":          {page("<img alt=RAHSIA>"), Rahsia},
		"letters as pictures":       {page("<p><img alt=R><img alt=A><img alt=H><img alt=S><img alt=I><img alt=A></p>"), Rahsia},
		"drawing":                   {page("<svg><text x=1 y=1>RAH<tspan x=30>SIA</tspan></text></svg>"), Rahsia},
		"letters in a drawing":      {page("<svg><text x=20 y=9>H</text><text x=1 y=9>R</text><text x=10 y=9>A</text><text x=30 y=9>S</text><text x=40 y=9>I</text><text x=50 y=9>A</text></svg>"), Rahsia},
		"ticked":                    {page("<p><input type=checkbox> TERBUKA <input type=checkbox checked> RAHSIA</p>"), Rahsia},
		"not ticked":                {page("<p><input type=checkbox checked> TERBUKA <input type=checkbox> RAHSIA</p>"), Terbuka},
		"chosen":                    {page("<p>Klasifikasi: <select><option>TERBUKA<option selected>RAHSIA<option>SULIT</select></p>"), Rahsia},
		"value":                     {page("<p>Klasifikasi: <input value=RAHSIA></p>"), Rahsia},
		"without scripts":           {page("<noscript><p>RA<i>HSIA</i></p></noscript>"), Rahsia},
		"box of text":               {page("<textarea>RAHSIA</textarea>"), Rahsia},
		"property of a page":        {page("<meta name=Klasifikasi content=RAHSIA>"), Rahsia},
		"page in a page":            {page(`<iframe srcdoc="&lt;p&gt;RAHSIA&lt;/p&gt;"></iframe>`), Rahsia},
		"address with data":         {page(`<a href="data:text/html;base64,` + base64.StdEncoding.EncodeToString([]byte("<p>RAHSIA</p>")) + `">x</a>`), Rahsia},
		"quoted in HTML":            {page(strings.Repeat("<p>isi</p>", 9) + "<blockquote>" + "<p>RAHSIA</p>" + strings.Repeat("<p>isi</p>", 9) + "</blockquote>"), Rahsia},
		"forwarded in HTML":         {page(strings.Repeat("<p>isi</p>", 9) + "<div><b>From:</b> Ali &lt;a@luar.test&gt;<br><b>Sent:</b> Isnin<br><b>To:</b> b@luar.test<br><b>Cc:</b> c@luar.test<br><b>Subject:</b> x<br></div><p>RAHSIA</p>"), Rahsia},
		"subject that is forwarded": {page(strings.Repeat("<p>isi</p>", 9) + "<p><b>Daripada:</b> Ali &lt;a@luar.test&gt;<br><b>Perkara:</b> [RAHSIA] x</p>"), Rahsia},
		"structure of a whole":      {page("<pre>RAHSIA\nisi\n</pre>"), Rahsia},

		"calendar":            {file("a.ics", "text/calendar", "BEGIN:VCALENDAR\nSUMMARY:Mesyuarat\nDESCRIPTION:RAHSIA\\nAgenda\nEND:VCALENDAR\n"), Rahsia},
		"calendar's privacy":  {file("a.ics", "text/calendar", "BEGIN:VCALENDAR\nSUMMARY:Mesyuarat\nCLASS:CONFIDENTIAL\nEND:VCALENDAR\n"), Terbuka},
		"calendar in HTML":    {file("a.ics", "text/calendar", "BEGIN:VCALENDAR\nX-ALT-DESC;FMTTYPE=text/html:<p>RA<b>HSI\n A</b></p>\nEND:VCALENDAR\n"), Rahsia},
		"file in a calendar":  {file("a.ics", "text/calendar", "BEGIN:VCALENDAR\nATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.txt:UkFI\n U0lB\nEND:VCALENDAR\n"), Rahsia},
		"card":                {file("a.vcf", "text/vcard", "BEGIN:VCARD\nFN:Ali\nNOTE;ENCODING=QUOTED-PRINTABLE:RAH=\nSIA=0Aisi\nEND:VCARD\n"), Rahsia},
		"table of text":       {file("a.csv", "text/csv", "Klasifikasi;RAHSIA\na;b\n"), Rahsia},
		"table with quotes":   {file("a.csv", "text/csv", "\"RAHSIA\n\"\na,b\n"), Rahsia},
		"JSON":                {file("a.json", "application/json", `{"klasifikasi":{"nilai":"RAHSIA"}}`), Rahsia},
		"JSON pair":           {file("a.json", "application/json", `[{"name":"Klasifikasi","value":"RAHSIA"}]`), Rahsia},
		"JSON text":           {file("a.json", "application/json", `{"body":"RAHSIA\n\nSurat ini\nisi"}`), Rahsia},
		"JSON with comments":  {file("a.json", "application/json", "{ // x\n\"klasifikasi\": \"RAHSIA\",\n}"), Rahsia},
		"JSON lines":          {file("a.json", "application/json", "{\"a\":1}\n{\"klasifikasi\":\"RAHSIA\"}\n"), Rahsia},
		"JSON enumeration":    {file("a.json", "application/json", `{"klasifikasi":{"enum":["TERBUKA","TERHAD","SULIT","RAHSIA","RAHSIA BESAR"]}}`), Terbuka},
		"XML":                 {file("a.xml", "text/xml", `<?xml version="1.0"?><surat><meta name="klasifikasi">RAHSIA</meta></surat>`), Rahsia},
		"XML attribute":       {file("a.xml", "text/xml", `<?xml version="1.0"?><surat klasifikasi="RAHSIA"><a/></surat>`), Rahsia},
		"XML entity":          {file("a.xml", "text/xml", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "RAH"><!ENTITY y "&x;SIA">]><a><p>&y;</p></a>`), Rahsia},
		"XML in UTF-16":       {file("a.xml", "text/xml", "\xff\xfe"+wideText(`<?xml version="1.0" encoding="utf-16"?><a><p>RAHSIA</p></a>`)), Rahsia},
		"XML of stock":        {file("a.xml", "text/xml", `<?xml version="1.0"?><senarai><stok>TERHAD</stok></senarai>`), Terbuka},
		"SVG with an entity":  {file("a.svg", "image/svg+xml", `<!DOCTYPE svg [<!ENTITY x "RAHSIA">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>`), Rahsia},
		"SVG with a prefix":   {file("a.svg", "image/svg+xml", `<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:text>RA<s:tspan>HSIA</s:tspan></s:text></s:svg>`), Rahsia},
		"YAML":                {file("a.yaml", "text/yaml", "tajuk: x\nklasifikasi: \"RAHSIA\"\n"), Rahsia},
		"properties":          {file("a.ini", "text/plain", "[surat]\nklasifikasi = RAHSIA\n"), Rahsia},
		"Markdown":            {file("a.md", "text/markdown", "# RAHSIA\n\nisi\n"), Rahsia},
		"enriched":            {"Content-Type: text/enriched\n\n<bold>RAH</bold>SIA\n\n" + long, Rahsia},
		"file's other name":   {"Content-Type: application/octet-stream; name=\"RAHSIA_minit.txt\"\nContent-Disposition: attachment; filename=a.txt\n\nisi\n", Rahsia},
		"name of a part":      {"Content-Type: text/plain\nContent-Description: RAHSIA - minit.docx\n\nisi\n", Rahsia},
		"name in pieces":      {"Content-Type: text/plain\nContent-Disposition: attachment; filename*0*=utf-8''RAH; filename*1*=%53IA%5Fminit; filename*2=.txt\n\nisi\n", Rahsia},
		"header of others":    {"X-Klasifikasi-Dokumen: RAHSIA\n\nisi\n", Rahsia},
		"before the boundary": {"Content-Type: multipart/mixed; boundary=b\n\nRAHSIA\nisi\n--b\n\nisi\n--b--\n", Rahsia},
	} {
		m := strings.ReplaceAll(strings.ReplaceAll(c.mail, "\r\n", "\n"), "\n", "\r\n")
		v, err := e.CheckFile(context.Background(), Internal, "", bytes.NewReader([]byte(m)), int64(len(m)))
		if err != nil || v.Class != c.want {
			t.Errorf("%s: %v, %v\n%+v", name, v.Class, err, v.Evidence)
		}
	}
}

func wideText(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// newsletter is 50 KB of HTML as mailing programs make it.
func newsletter() string {
	var b strings.Builder
	b.WriteString("<html><head><style>.preheader{display:none} p.lead{font-size:18px;color:#333} @media screen{.btn{text-transform:uppercase}}</style></head><body><table role=presentation width=600>")
	for b.Len() < 50<<10 {
		b.WriteString(`<tr><td style="padding:10px 20px;font-family:Arial,sans-serif;color:#333333" class="col"><h2 style="margin:0">Berita jabatan</h2>` +
			`<p class="lead" style="line-height:1.5">Semua warga jabatan dijemput hadir ke majlis itu &amp; dikehendaki membawa kad jemputan masing-masing.</p>` +
			`<a href="https://portal.luar.test/berita?id=1&amp;x=2" style="color:#0066cc;text-decoration:none" title="Baca lagi">Baca lagi</a></td></tr>` + "\n")
	}
	b.WriteString("</table></body></html>")
	return b.String()
}

func BenchmarkJudgeHTML50K(b *testing.B) {
	e := New(Options{Recorder: &recorder{}})
	m := way(mailOf("Subject: Berita\nFrom: a@luar.test\nContent-Type: text/html; charset=utf-8\n\n"+newsletter()), In)
	b.SetBytes(m.Body.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Judge(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
}
