package bombs

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

func documents() []Bomb {
	const paragraph = "<w:p><w:r><w:t>satu dua</w:t></w:r></w:p>"
	types := file{"[Content_Types].xml", stored([]byte("<Types/>"), []byte{3, 0}), 8}
	return []Bomb{
		{Name: "paragraphs.docx", Make: func() []byte {
			return packed(types, file{"word/document.xml", repeated(paragraph, 100<<20), 100 << 20})
		}},
		{Name: "entities.docx", Make: func() []byte {
			return packed(types, file{"word/document.xml", stored([]byte(entities), []byte{3, 0}), uint32(len(entities))})
		}},
		{Name: "embedded.docx", Make: embeddedDocuments},
		{Name: "strings.xlsx", Make: func() []byte {
			return packed(types, file{"xl/sharedStrings.xml", repeated("<si><t>satu</t></si>", 100<<20), 100 << 20},
				file{"xl/worksheets/sheet1.xml", repeated(`<c r="A1" t="s"><v>1</v></c>`, 100<<20), 100 << 20})
		}},
		{Name: "repeated.ods", Make: func() []byte {
			text := []byte(`<?xml version="1.0"?><office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x"><table:table><table:table-row table:number-rows-repeated="1000000">` +
				`<table:table-cell table:number-columns-repeated="16000"><text:p>RAHSIA</text:p></table:table-cell></table:table-row></table:table></office:document-content>`)
			return packed(file{"mimetype", stored([]byte("application/vnd.oasis.opendocument.spreadsheet"), []byte{3, 0}), 46},
				file{"content.xml", stored(text, []byte{3, 0}), uint32(len(text))})
		}},
		{Name: "zeros.png", Make: png},
		{Name: "content.pdf", Make: func() []byte { return pdf(0) }},
		{Name: "cyclic.pdf", Make: func() []byte { return pdf(1) }},
	}
}

// embeddedDocuments is a document in a document, forty times.
func embeddedDocuments() []byte {
	b := []byte("isi")
	for range 40 {
		text := []byte(`<w:document><w:p><w:r><w:t>isi</w:t></w:r></w:p></w:document>`)
		b = packed(file{"[Content_Types].xml", stored([]byte("<Types/>"), []byte{3, 0}), 8},
			file{"word/document.xml", stored(text, []byte{3, 0}), uint32(len(text))},
			file{"word/embeddings/a.docx", stored(b, []byte{3, 0}), uint32(len(b))})
	}
	return b
}

// png is a picture of 30,000 by 30,000 dots, all black.
func png() []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	piece := func(kind string, body []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
		body = append([]byte(kind), body...)
		b = append(b, body...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	}
	size := binary.BigEndian.AppendUint32(nil, 30_000)
	size = binary.BigEndian.AppendUint32(size, 30_000)
	piece("IHDR", append(size, 8, 2, 0, 0, 0))
	piece("IDAT", append([]byte{0x78, 0xda}, zeros(2575)...))
	piece("IEND", nil)
	return b
}

// pdf has a page of very many octets, or pages that are their own parents.
func pdf(form int) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write([]byte("BT (satu) Tj ET\n"))
	w.Close()
	content, kids := z.Bytes(), "[3 0 R]"
	if form == 0 {
		content = append([]byte{0x78, 0xda}, repeated("BT /F1 12 Tf 10 10 Td (satu dua tiga) Tj ET\n", 500<<20)...)
	} else {
		kids = "[3 0 R 2 0 R 1 0 R]"
	}
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Parent 2 0 R/Kids " + kids + ">>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
		fmt.Sprintf("<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream", len(content), content),
	}
	b := []byte("%PDF-1.7\n")
	var at []int
	for i, o := range objects {
		at = append(at, len(b))
		b = append(b, fmt.Sprintf("%d 0 obj\n%s\nendobj\n", i+1, o)...)
	}
	xref := len(b)
	b = append(b, "xref\n0 5\n0000000000 65535 f \n"...)
	for _, n := range at {
		b = append(b, fmt.Sprintf("%010d 00000 n \n", n)...)
	}
	return append(b, fmt.Sprintf("trailer <</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", xref)...)
}
