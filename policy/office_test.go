package policy

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	wml = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:wp="wp" xmlns:w14="w14" xmlns:mc="mc" xmlns:wps="wps"`
	sml = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	pml = `xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"`
)

// packed is a zip of files: name, content.
func packed(files ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func para(runs string) string { return "<w:p>" + runs + "</w:p>" }
func run(text string) string  { return "<w:r><w:t>" + text + "</w:t></w:r>" }

var filler = strings.Repeat(para(run("Isi surat yang panjang lebar.")), 12)

// wordFile is a document with a body, and more files.
func wordFile(body string, more ...string) string {
	return file("a.docx", "application/octet-stream", packed(append([]string{"[Content_Types].xml", "<Types/>", "word/document.xml",
		"<w:document " + wml + "><w:body>" + body + "</w:body></w:document>"}, more...)...))
}

func excelFile(sheet string, more ...string) string {
	return file("a.xlsx", "application/octet-stream", packed(append([]string{"[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<workbook " + sml + "/>", "xl/worksheets/sheet1.xml",
		"<worksheet " + sml + ">" + sheet + "</worksheet>"}, more...)...))
}

func slidesFile(slide string, more ...string) string {
	return file("a.pptx", "application/octet-stream", packed(append([]string{"[Content_Types].xml", "<Types/>", "ppt/slides/slide1.xml",
		"<p:sld " + pml + ">" + slide + "</p:sld>"}, more...)...))
}

// record is one of a binary workbook.
func record(kind int, parts ...any) string {
	var b bytes.Buffer
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			u := utf16.Encode([]rune(v))
			binary.Write(&b, binary.LittleEndian, uint32(len(u)))
			binary.Write(&b, binary.LittleEndian, u)
		default:
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	head := []byte{byte(kind)}
	if kind >= 128 {
		head = []byte{byte(kind&0x7f) | 0x80, byte(kind >> 7)}
	}
	n := b.Len()
	return string(head) + string([]byte{byte(n&0x7f) | 0x80, byte(n >> 7)}) + b.String()
}

func binaryFile(sheet string, more ...string) string {
	return file("a.xlsb", "application/octet-stream", packed(append([]string{"[Content_Types].xml", "<Types/>", "xl/workbook.bin", record(131), "xl/worksheets/sheet1.bin", sheet}, more...)...))
}

// openFile is a document of OpenDocument.
func openFile(body string, more ...string) string {
	return file("a.odt", "application/octet-stream", packed(append([]string{"mimetype", "application/vnd.oasis.opendocument.text", "content.xml",
		`<office:document-content xmlns:office="o" xmlns:text="t" xmlns:style="s" xmlns:table="b" xmlns:draw="d" xmlns:svg="v" xmlns:form="f">` + body + `</office:document-content>`}, more...)...))
}

var odfFiller = strings.Repeat("<text:p>Isi surat yang panjang lebar.</text:p>", 12)

func TestOffice(t *testing.T) {
	e := New(Options{})
	strict := strings.ReplaceAll(wml, "schemas.openxmlformats.org/wordprocessingml/2006/main", "purl.oclc.org/ooxml/wordprocessingml/main")
	labels := func(enabled string) string {
		p := ""
		for k, v := range map[string]string{"Enabled": enabled, "Name": "Rahsia", "SiteId": "{2}", "Method": "Privileged"} {
			p += fmt.Sprintf(`<property name="MSIP_Label_1a-1_%s"><vt:lpwstr>%s</vt:lpwstr></property>`, k, v)
		}
		return "<Properties>" + p + "</Properties>"
	}
	for name, c := range map[string]struct {
		mail string
		want Class
	}{
		"open":                 {wordFile(filler), Terbuka},
		"runs":                 {wordFile(para(run("RA")+run("H")+"<w:proofErr/>"+run("SIA")) + filler), Rahsia},
		"prefix":               {wordFile(strings.ReplaceAll(para(run("RAHSIA")), "w:", "q:") + filler), Rahsia},
		"strict":               {file("a.docx", "a/b", packed("[Content_Types].xml", "<Types/>", "word/document.xml", "<w:document "+strict+">"+para(run("RAHSIA"))+filler+"</w:document>")), Rahsia},
		"elsewhere":            {file("a.docx", "a/b", packed("[Content_Types].xml", `<Types><Override PartName="/x/y.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`, "x/y.xml", "<w:document "+wml+">"+filler+"</w:document>", "x/z.xml", "<w:hdr "+wml+">"+para(run("RAHSIA"))+"</w:hdr>")), Rahsia},
		"header":               {wordFile(filler, "word/header7.xml", "<w:hdr "+wml+">"+para(run("RAHSIA"))+"</w:hdr>"), Rahsia},
		"footnote":             {wordFile(filler, "word/footnotes.xml", "<w:footnotes "+wml+"><w:footnote>"+para(run("RAHSIA"))+"</w:footnote></w:footnotes>"), Rahsia},
		"comment":              {wordFile(filler, "word/comments.xml", "<w:comments "+wml+"><w:comment>"+para(run("RAHSIA"))+"</w:comment></w:comments>"), Rahsia},
		"text box":             {wordFile(filler + para("<w:r><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent>"+para(run("RAHSIA"))+"</w:txbxContent></wps:txbx></mc:Choice></mc:AlternateContent></w:r>") + filler), Rahsia},
		"watermark":            {wordFile(filler, "word/header1.xml", "<w:hdr "+wml+"><w:p><w:r><w:pict><v:shape><v:textpath style='x' string='RAHSIA'/></v:shape></w:pict></w:r></w:p></w:hdr>"), Rahsia},
		"hidden":               {wordFile(filler + para("<w:r><w:rPr><w:vanish/></w:rPr><w:t>RAHSIA</w:t></w:r>") + filler), Rahsia},
		"junk that is hidden":  {wordFile(para(run("RAH")+"<w:r><w:rPr><w:vanish/></w:rPr><w:t>xyz</w:t></w:r>"+run("SIA")) + filler), Rahsia},
		"white":                {wordFile(filler + para("<w:r><w:rPr><w:color w:val='FFFFFF'/></w:rPr><w:t>RAHSIA</w:t></w:r>") + filler), Rahsia},
		"capitals":             {wordFile(para("<w:r><w:rPr><w:caps/></w:rPr><w:t>rahsia</w:t></w:r>") + filler), Rahsia},
		"capitals by a style":  {wordFile(para("<w:pPr><w:pStyle w:val='Cap'/></w:pPr>"+run("rahsia"))+filler, "word/styles.xml", "<w:styles "+wml+"><w:style w:styleId='Asas'><w:rPr><w:caps/></w:rPr></w:style><w:style w:styleId='Cap'><w:basedOn w:val='Asas'/></w:style></w:styles>"), Rahsia},
		"ticked":               {wordFile(filler + para("<w:r><w:fldChar w:fldCharType='begin'><w:ffData><w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>"+run(" RAHSIA")) + filler), Rahsia},
		"not ticked":           {wordFile(filler + para("<w:r><w:fldChar w:fldCharType='begin'><w:ffData><w:checkBox><w:default w:val='0'/></w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>"+run(" RAHSIA")) + filler), Terbuka},
		"ticked sign":          {wordFile(filler + para("<w:r><w:sym w:font='Wingdings' w:char='F0FE'/></w:r>"+run(" RAHSIA")) + filler), Rahsia},
		"letters as signs":     {wordFile(para("<w:r><w:sym w:font='Arial' w:char='0052'/><w:sym w:font='Arial' w:char='F041'/></w:r>"+run("HSIA")) + filler), Rahsia},
		"button":               {wordFile(para("<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText> MACROBUTTON Tiada RAHSIA </w:instrText></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>") + filler), Rahsia},
		"list to choose from":  {wordFile(para(run("Klasifikasi: ")+"<w:r><w:fldChar w:fldCharType='begin'><w:ffData><w:ddList><w:result w:val='1'/><w:listEntry w:val='TERBUKA'/><w:listEntry w:val='RAHSIA'/></w:ddList></w:ffData></w:fldChar></w:r>") + filler), Rahsia},
		"control with a title": {wordFile(filler + "<w:sdt><w:sdtPr><w:alias w:val='Klasifikasi'/></w:sdtPr><w:sdtContent>" + para(run("Rahsia")) + "</w:sdtContent></w:sdt>" + filler), Rahsia},
		"a letter in a cell":   {wordFile("<w:tbl><w:tr><w:tc>" + para(run("RAHSIA")) + filler + "</w:tc></w:tr></w:tbl>"), Rahsia},
		"letters in cells":     {wordFile("<w:tbl><w:tr><w:tc>" + para(run("RAH")) + "</w:tc><w:tc>" + para(run("SIA")) + "</w:tc></w:tr></w:tbl>" + filler), Rahsia},
		"description":          {wordFile(filler + para("<w:r><w:drawing><wp:docPr descr='RAHSIA'/></w:drawing></w:r>") + filler), Rahsia},
		"numbering":            {wordFile(filler, "word/numbering.xml", "<w:numbering "+wml+"><w:lvlText w:val='RAHSIA'/></w:numbering>"), Rahsia},
		"chart":                {wordFile(filler, "word/charts/chart1.xml", `<c:chartSpace xmlns:c="c" xmlns:a="a"><a:p><a:r><a:t>RAHSIA</a:t></a:r></a:p></c:chartSpace>`), Rahsia},
		"diagram":              {wordFile(filler, "word/diagrams/data1.xml", `<dgm:dataModel xmlns:dgm="c" xmlns:a="a"><a:p><a:r><a:t>RAH</a:t></a:r><a:r><a:t>SIA</a:t></a:r></a:p></dgm:dataModel>`), Rahsia},
		"variable":             {wordFile(filler, "word/settings.xml", "<w:settings "+wml+"><w:docVars><w:docVar w:name='Klasifikasi' w:val='RAHSIA'/></w:docVars></w:settings>"), Rahsia},
		"property":             {wordFile(filler, "docProps/custom.xml", `<Properties xmlns:vt="v"><property name="Klasifikasi"><vt:lpwstr>Rahsia</vt:lpwstr></property></Properties>`), Rahsia},
		"label":                {wordFile(filler, "docProps/custom.xml", labels("true")), Rahsia},
		"label that is off":    {wordFile(filler, "docProps/custom.xml", labels("false")), Terbuka},
		"label of new files":   {wordFile(filler, "docMetadata/LabelInfo.xml", `<clbl:labelList xmlns:clbl="c"><clbl:label id="{1}" enabled="1" name="Rahsia"/></clbl:labelList>`), Rahsia},
		"chunk":                {wordFile(filler, "word/afchunk1.htm", "<html><p>RAHSIA</p></html>"), Rahsia},
		"embedded":             {wordFile(filler, "word/embeddings/a.docx", packed("[Content_Types].xml", "<Types/>", "word/document.xml", "<w:document "+wml+">"+para(run("RAHSIA"))+filler+"</w:document>")), Rahsia},
		"flat":                 {file("a.xml", "text/xml", `<?xml version="1.0"?><pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage"><pkg:part><pkg:xmlData><w:hdr `+wml+`>`+para(run("RAHSIA"))+`</w:hdr></pkg:xmlData></pkg:part><pkg:part><w:document `+wml+`>`+filler+`</w:document></pkg:part></pkg:package>`), Rahsia},
		"UTF-16":               {wordFile(filler, "word/header1.xml", "\xff\xfe"+wideText("<?xml version='1.0' encoding='UTF-16'?><w:hdr "+wml+">"+para(run("RAHSIA"))+"</w:hdr>")), Rahsia},
		"entity":               {wordFile(filler, "word/header1.xml", "<!DOCTYPE x [<!ENTITY m 'RAHSIA'>]><w:hdr "+wml+">"+para(run("&m;"))+"</w:hdr>"), Rahsia},
		"deleted":              {wordFile(para("<w:del><w:r><w:delText>RAHSIA</w:delText></w:r></w:del>"+run("Isi")) + filler), Rahsia},

		"cell":             {excelFile(`<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>RAHSIA</t></is></c></row></sheetData>`), Rahsia},
		"formula":          {excelFile(`<sheetData><row r="1"><c r="A1" t="str"><f>"RAH"&amp;CHAR(83)&amp;"IA"</f></c></row></sheetData>`), Rahsia},
		"print header":     {excelFile(`<headerFooter><firstHeader>&amp;L&amp;"-,Bold"&amp;K000000Kiri&amp;C&amp;14RAHSIA</firstHeader></headerFooter>`), Rahsia},
		"name of a sheet":  {excelFile("", "xl/workbook.xml", "<workbook "+sml+"><sheets><sheet name='RAHSIA' state='veryHidden'/></sheets></workbook>"), Rahsia},
		"format":           {excelFile("", "xl/styles.xml", "<styleSheet "+sml+"><numFmt formatCode=';;;&quot;RAHSIA&quot;'/></styleSheet>"), Rahsia},
		"threaded comment": {excelFile("", "xl/threadedComments/threadedComment1.xml", "<ThreadedComments xmlns='x'><threadedComment><text>RAHSIA</text></threadedComment></ThreadedComments>"), Rahsia},
		"sheet's drawing":  {excelFile("", "xl/drawings/drawing1.xml", "<xdr:wsDr xmlns:xdr='x' xmlns:a='a'><a:p><a:r><a:t>RAHSIA</a:t></a:r></a:p></xdr:wsDr>"), Rahsia},
		"binary cell":      {binaryFile(record(0, uint32(0)) + record(6, uint32(0), uint32(0), "RAHSIA")), Rahsia},
		"binary shared":    {binaryFile(record(0, uint32(0))+record(7, uint32(0), uint32(0), uint32(0)), "xl/sharedStrings.bin", record(19, uint8(0), "RAHSIA")), Rahsia},
		"binary header":    {binaryFile(record(479, uint16(0), "&CRAHSIA", "")), Rahsia},

		"slide":              {slidesFile("<a:p><a:r><a:t>RAH</a:t></a:r><a:r><a:rPr b='1'/><a:t>SIA</a:t></a:r></a:p>"), Rahsia},
		"slide's capitals":   {slidesFile("<a:p><a:r><a:rPr cap='all'/><a:t>rahsia</a:t></a:r></a:p>"), Rahsia},
		"master":             {slidesFile("", "ppt/slideMasters/slideMaster1.xml", "<p:sldMaster "+pml+"><a:p><a:r><a:t>RAHSIA</a:t></a:r></a:p></p:sldMaster>"), Rahsia},
		"layout":             {slidesFile("", "ppt/slideLayouts/slideLayout1.xml", "<p:sldLayout "+pml+"><a:p><a:r><a:t>RAHSIA</a:t></a:r></a:p></p:sldLayout>"), Rahsia},
		"notes":              {slidesFile("", "ppt/notesSlides/notesSlide1.xml", "<p:notes "+pml+"><a:p><a:r><a:t>RAHSIA</a:t></a:r></a:p></p:notes>"), Rahsia},
		"comment of a slide": {slidesFile("", "ppt/comments/comment1.xml", "<p:cmLst "+pml+"><p:cm><p:text>RAHSIA</p:text></p:cm></p:cmLst>"), Rahsia},

		"odt":                     {openFile("<text:p>RAH<text:span>SIA</text:span></text:p>" + odfFiller), Rahsia},
		"odt header":              {openFile(odfFiller, "styles.xml", `<d xmlns:style="s" xmlns:text="t"><style:master-page><style:header-first><text:p>RAHSIA</text:p></style:header-first></style:master-page></d>`), Rahsia},
		"odt hidden":              {openFile(odfFiller + `<text:section text:display="none"><text:p>RAHSIA</text:p></text:section>` + odfFiller), Rahsia},
		"odt hidden by a style":   {openFile(`<style:style style:name="h"><style:text-properties text:display="none"/></style:style>` + odfFiller + `<text:p><text:span text:style-name="h">RAHSIA</text:span></text:p>` + odfFiller), Rahsia},
		"odt capitals":            {openFile(`<style:style style:name="c"><style:text-properties fo:text-transform="uppercase"/></style:style><text:p text:style-name="c">rahsia</text:p>` + odfFiller), Rahsia},
		"odt capitals of a span":  {openFile(`<style:style style:name="c"><style:text-properties fo:text-transform="uppercase"/></style:style><text:p><text:span text:style-name="c">rahsia</text:span></text:p>` + odfFiller), Rahsia},
		"odt box":                 {openFile(odfFiller + `<text:p><draw:frame><draw:text-box><text:p>RAHSIA</text:p></draw:text-box></draw:frame></text:p>` + odfFiller), Rahsia},
		"odt description":         {openFile(odfFiller + `<text:p><draw:frame><draw:image/><svg:title>RAHSIA</svg:title></draw:frame></text:p>` + odfFiller), Rahsia},
		"odt tick":                {openFile(odfFiller + `<form:checkbox form:label="RAHSIA" form:current-state="checked"/>` + odfFiller), Rahsia},
		"odt no tick":             {openFile(odfFiller + `<form:checkbox form:label="RAHSIA" form:current-state="unchecked"/>` + odfFiller), Terbuka},
		"odt annotation":          {openFile(odfFiller + `<text:p>isi<office:annotation><text:p>RAHSIA</text:p></office:annotation></text:p>` + odfFiller), Rahsia},
		"odt deleted":             {openFile(odfFiller + `<text:tracked-changes><text:changed-region><text:deletion><text:p>RAHSIA</text:p></text:deletion></text:changed-region></text:tracked-changes>`), Rahsia},
		"odt property":            {openFile(odfFiller, "meta.xml", `<o xmlns:meta="m"><meta:user-defined meta:name="Klasifikasi">RAHSIA</meta:user-defined></o>`), Rahsia},
		"odt cell":                {openFile(`<table:table><table:table-row><table:table-cell><text:p>Klasifikasi</text:p></table:table-cell><table:table-cell><text:p>RAHSIA</text:p></table:table-cell></table:table-row></table:table>`), Rahsia},
		"odt a letter in a cell":  {openFile(`<table:table><table:table-row><table:table-cell><text:p>RAHSIA</text:p>` + odfFiller + `</table:table-cell></table:table-row></table:table>`), Rahsia},
		"odt object":              {openFile(odfFiller, "Object 1/content.xml", `<o xmlns:text="t"><text:p>RAHSIA</text:p></o>`), Rahsia},
		"flat odf":                {file("a.fodt", "text/xml", `<?xml version="1.0"?><office:document xmlns:office="o" xmlns:text="t"><text:p>RAHSIA</text:p></office:document>`), Rahsia},
		"flat odf with a picture": {file("a.fodt", "text/xml", `<?xml version="1.0"?><office:document xmlns:office="o" xmlns:draw="d"><draw:image><office:binary-data>UkFI U0lB</office:binary-data></draw:image></office:document>`), Rahsia},
		"odt embedded":            {openFile(odfFiller, "Object 2", packed("a.txt", "RAHSIA")), Rahsia},
	} {
		m := strings.ReplaceAll(strings.ReplaceAll(c.mail, "\r\n", "\n"), "\n", "\r\n")
		v, err := e.CheckFile(context.Background(), Internal, "", bytes.NewReader([]byte(m)), int64(len(m)))
		if err != nil || v.Class != c.want {
			t.Errorf("%s: %v, %v\n%+v", name, v.Class, err, v.Evidence)
		}
	}
}

// tenPages is a document as Word writes it: some 350 paragraphs of several runs each.
func tenPages() string {
	var b strings.Builder
	for i := range 350 {
		fmt.Fprintf(&b, `<w:p w14:paraId="4B%06X" w14:textId="77777777" w:rsidR="00A77B3E" w:rsidRDefault="00A77B3E"><w:pPr><w:pStyle w:val="BodyText"/><w:spacing w:after="120"/><w:jc w:val="both"/><w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:cs="Arial"/><w:sz w:val="22"/></w:rPr></w:pPr>`, i)
		for range 4 {
			b.WriteString(`<w:r w:rsidRPr="00C12345"><w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:cs="Arial"/><w:color w:val="333333"/><w:sz w:val="22"/><w:lang w:val="ms-MY"/></w:rPr><w:t xml:space="preserve">Jabatan akan menyemak semula tatacara itu pada suku akhir. </w:t></w:r>`)
		}
		b.WriteString("</w:p>")
	}
	var styles strings.Builder
	styles.WriteString("<w:styles " + wml + ">")
	for i := range 120 {
		fmt.Fprintf(&styles, `<w:style w:type="paragraph" w:styleId="S%d"><w:name w:val="gaya %d"/><w:basedOn w:val="Normal"/><w:qFormat/><w:pPr><w:spacing w:after="120"/></w:pPr><w:rPr><w:b/><w:sz w:val="22"/></w:rPr></w:style>`, i, i)
	}
	styles.WriteString("</w:styles>")
	return wordFile(b.String(), "word/styles.xml", styles.String(), "word/header1.xml", "<w:hdr "+wml+">"+para(run("Jabatan Contoh"))+"</w:hdr>",
		"word/footer1.xml", "<w:ftr "+wml+">"+para(run("Muka 1"))+"</w:ftr>", "docProps/core.xml", "<cp:coreProperties xmlns:cp='c'><cp:category>Surat</cp:category></cp:coreProperties>")
}

func BenchmarkJudgeDocx(b *testing.B) {
	e := New(Options{Recorder: &recorder{}})
	m := way(mailOf(tenPages()), In)
	b.SetBytes(m.Body.Size())
	b.ReportAllocs()
	for b.Loop() {
		v, err := e.Judge(context.Background(), m)
		if err != nil || v.Class != Terbuka {
			b.Fatal(v, err)
		}
	}
}
