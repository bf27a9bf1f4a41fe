package extract

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// ole1 is an object as RTF carries it.
func ole1(class string, data []byte) string {
	b := []byte{1, 5, 0, 0, 2, 0, 0, 0}
	for _, s := range []string{class + "\x00", "", ""} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return hex.EncodeToString(append(b, data...))
}

// packageOf is a file as the shell's packager keeps it.
func packageOf(name string, data []byte) []byte {
	b := slices.Concat([]byte{2, 0}, []byte(name+"\x00C:\\"+name+"\x00"), []byte{0, 0, 3, 0, 4, 0, 0, 0}, []byte("tmp\x00"))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// emfOf is a metafile that shows texts, each on a line of its own.
func emfOf(texts ...string) []byte {
	record := func(kind uint32, body []byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(8+len(body)))
		return append(b, body...)
	}
	head := make([]byte, 80)
	copy(head[32:], " EMF")
	out := record(1, head)
	for i, t := range texts {
		u := utf16Text(t)
		body := make([]byte, 68)
		le.PutUint32(body[32:], uint32(100*i))
		le.PutUint32(body[36:], uint32(len(u)/2))
		le.PutUint32(body[40:], 76)
		for len(u)%4 != 0 {
			u = append(u, 0)
		}
		out = append(out, record(84, append(body, u...))...)
	}
	return append(out, record(14, make([]byte, 12))...)
}

func TestRTF(t *testing.T) {
	deep := strings.Repeat("{", 20_000) + `\v ` + strings.Repeat("}", 20_000)
	for name, c := range map[string]struct{ rtf, want string }{
		"code page":          {`{\rtf1\ansi\ansicpg1256 \'d1\'e5\'d3\'ed\'c7\par}`, "paragraph|رهسيا"},
		"font's charset":     {`{\rtf1\ansi{\fonttbl{\f0 Arial;}{\f3\fcharset178 Arial (Arabic);}}{\f3 \'d1\'e5\'d3\'ed\'c7}\par}`, "paragraph|رهسيا"},
		"cyrillic font":      {`{\rtf1\ansi{\fonttbl{\f2\fcharset204 Arial Cyr;}}\f2 \'d0\'c0\par}`, "paragraph|РА"},
		"uc 0":               {`{\rtf1\uc0 \u82\u65\u72 SIA\par}`, "paragraph|RAHSIA"},
		"uc 2":               {`{\rtf1\uc2 \u82\'41\'42\u65 xyHSIA\par}`, "paragraph|RAHSIA"},
		"surrogates":         {`{\rtf1\uc1 \u-10187?\u-9048?\par}`, "paragraph|\U0001d4a8"},
		"both spellings":     {`{\rtf1 {\upr{lama}{\*\ud{RAHSIA}}}\par}`, "paragraph|RAHSIA"},
		"split by a note":    {`{\rtf1 RAH{\footnote nota}SIA\par}`, "paragraph|RAHSIA"},
		"split by a header":  {`{\rtf1 RAH{\header kepala\par}SIA\par}`, "paragraph|RAHSIA"},
		"split by hidden":    {`{\rtf1 RAH{\v xyz}SIA\par}`, "paragraph|RAHSIA"},
		"split by deleted":   {`{\rtf1 RAH{\deleted xyz}SIA\par}`, "paragraph|RAHSIA"},
		"split by groups":    {`{\rtf1 R{\b A{\i H}}{\cf1 S}I{}A\par}`, "paragraph|RAHSIA"},
		"first header":       {`{\rtf1{\headerf SULIT\par}isi}`, "page-header|SULIT"},
		"left footer":        {`{\rtf1{\footerl SULIT}isi}`, "page-footer|SULIT"},
		"hidden":             {`{\rtf1 a{\v SULIT}b\par}`, "hidden|SULIT"},
		"comment":            {`{\rtf1 a{\*\annotation{\*\atnref 1}SULIT}b\par}`, "comment|SULIT"},
		"text box":           {`{\rtf1 {\shp{\*\shpinst\shpleft1{\sp{\sn shapeType}{\sv 202}}{\shptxt SULIT\par}}{\shprslt x}}\par}`, "stamp|SULIT"},
		"old text box":       {`{\rtf1 {\*\do\dobxpage\dptxbx{\dptxbxtext SULIT\par}}\par}`, "stamp|SULIT"},
		"WordArt":            {`{\rtf1 {\header{\shp{\*\shpinst{\sp{\sn gtextUNICODE}{\sv SULIT}}}}}a\par}`, "watermark|SULIT"},
		"property":           {`{\rtf1{\info{\category SULIT}{\author orang}}a}`, "metadata|category: SULIT"},
		"own property":       {`{\rtf1{\*\userprops{\propname Klasifikasi}\proptype30{\staticval Sulit}}a}`, "metadata|Klasifikasi: Sulit"},
		"cell":               {`{\rtf1\trowd\cellx1\cellx2\pard\intbl a\cell SULIT\cell\row\pard b\par}`, "cell|SULIT"},
		"box ticked":         {`{\rtf1{\field{\*\fldinst FORMCHECKBOX{\*\formfield{\fftype1\ffres25\ffdefres1}}}{\fldrslt}} SULIT\par}`, "paragraph|[x]  SULIT"},
		"box not ticked":     {`{\rtf1{\field{\*\fldinst FORMCHECKBOX{\*\formfield{\fftype1\ffres0\ffdefres1}}}{\fldrslt}}SULIT\par}`, "paragraph|[ ] SULIT"},
		"symbol":             {`{\rtf1{\fonttbl{\f5\fcharset2 Wingdings;}}{\f5 \'fe}SULIT\par}`, "paragraph|☑SULIT"},
		"field":              {`{\rtf1{\field{\*\fldinst QUOTE x}{\fldrslt SULIT}}\par}`, "paragraph|SULIT"},
		"button":             {`{\rtf1{\field{\*\fldinst MACROBUTTON Tiada SULIT}{\fldrslt}}\par}`, "paragraph|SULIT"},
		"unknown and shown":  {`{\rtf1{\bukanapa SULIT}\par}`, "paragraph|SULIT"},
		"binary in between":  {"{\\rtf1 RAH\\bin3 }{xSIA\\par}", "paragraph|RAHSIA"},
		"no version":         {`{\rt R\'41HSIA\par}`, "paragraph|RAHSIA"},
		"version of nothing": {`{\rtfvpn RAHSIA\par}`, "paragraph|RAHSIA"},
		"behind a BOM":       {"\xef\xbb\xbf\r\n{\\rtf1 RAHSIA\\par}", "paragraph|RAHSIA"},
		"never closed":       {`{\rtf1 {\b {\i RAHSIA`, "paragraph|RAHSIA"},
		"very deep":          {`{\rtf1 ` + deep + `RAHSIA\par}`, "paragraph|RAHSIA"},
		"packed file":        {`{\rtf1{\object\objemb{\*\objdata ` + ole1("Package", packageOf("nota.txt", []byte("SULIT"))) + `}{\result a}}}`, "paragraph|SULIT"},
		"its name":           {`{\rtf1{\object\objemb{\*\objdata ` + ole1("Package", packageOf("SULIT - a.txt", []byte("b"))) + `}}}`, "file-name|SULIT - a.txt"},
		"embedded document":  {`{\rtf1{\object{\*\objdata ` + ole1("Word.Document.8", fixture(t, "surat.doc")) + `}}}`, "page-header|KEPALA MUKA SURAT"},
		"disguised object":   {"{\\rtf1{\\object{\\*\\objdata " + strings.ReplaceAll(ole1("Package", packageOf("a", []byte("SULIT"))), "0", "0\n {\\*\\x}") + "}}}", "paragraph|SULIT"},
		"metafile":           {`{\rtf1{\pict\emfblip ` + hex.EncodeToString(emfOf("SULIT")) + `}}`, "stamp|SULIT"},
		"metafile in binary": {"{\\rtf1{\\pict\\emfblip\\bin" + fmt.Sprint(len(emfOf("SULIT"))) + " " + string(emfOf("SULIT")) + "}}", "stamp|SULIT"},
		"metafile with rows": {`{\rtf1{\pict\emfblip ` + strings.Replace(hex.EncodeToString(emfOf("SULIT")), "000", "0\\row 00\\par\\cell ", 9) + `}}`, "stamp|SULIT"},
		"HTML in it":         {`{\rtf1\ansi\fromhtml1 {\*\htmltag64 <div style="display:none">}\htmlrtf {\htmlrtf0 SULIT\htmlrtf }\htmlrtf0{\*\htmltag72 </div>}}`, "hidden|SULIT"},
		"behind it":          {`{\rtf1 a}` + string(zipped(t, "b.txt", "SULIT")), "paragraph|SULIT"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, read(t, "a.doc", []byte(c.rtf)), c.want) })
	}
	r := read(t, "surat.rtf", fixture(t, "surat.rtf"))
	expect(t, r, "page-header|KEPALA MUKA SURAT", "page-footer|KAKI MUKA SURAT", "deleted|ayat yang dipadam", "hidden|teks tersembunyi", "notes|Nota kaki pertama",
		"comment|Komen pegawai", "stamp|Isi kotak teks", "cell|Terbuka", "paragraph|رهسيا بسر", "metadata|Klasifikasi: Terhad", "list-item|Butiran dua")
}

// What is not shown must not be read as if it were.
func TestRTFNotShown(t *testing.T) {
	for name, rtf := range map[string]string{
		"unknown destination": `{\rtf1{\*\bukanapa SULIT}a\par}`,
		"font":                `{\rtf1{\fonttbl{\f0 SULIT;}}a\par}`,
		"style":               `{\rtf1{\stylesheet{\s1 SULIT;}}a\par}`,
		"colour":              `{\rtf1{\colortbl;SULIT;}a\par}`,
		"fallback":            `{\rtf1\uc5 \u65SULIT\par}`,
		"instruction":         `{\rtf1{\field{\*\fldinst SULIT}{\fldrslt a}}\par}`,
		"author":              `{\rtf1{\info{\author SULIT}}a\par}`,
	} {
		if all := strings.Join(found(read(t, "a.rtf", []byte(rtf))), "\n"); strings.Contains(all, "SULIT") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

func TestRTFStyle(t *testing.T) {
	r := read(t, "a.rtf", []byte(`{\rtf1{\colortbl;\red255\green0\blue0;}{\pard\qc\b\cf1\fs40 satu\par}{\strike du}{\strike a\par}{\caps tiga\par}{\caps em}pat\par}`))
	want := []Style{Bold | Red | Large | Centred, Struck, ShownCaps, 0}
	var got []Style
	for _, u := range r.Parts[0].Units {
		got = append(got, u.Style)
	}
	if !slices.Equal(got, want) {
		t.Errorf("styles %b, want %b", got, want)
	}
}

func FuzzRTF(f *testing.F) {
	f.Add(fixture(f, "surat.rtf"))
	f.Add([]byte(`{\rtf1{\object{\*\objdata ` + ole1("Package", packageOf("nota.txt", []byte("SULIT"))) + `}}}`))
	f.Add([]byte(`{\rtf1\fromhtml1{\pict\dibitmap0 2800}{\*\htmltag <p>}\u-10187?{\upr{a}{\*\ud{b}}}\trowd\cell\row}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzed(t, append([]byte(`{\rtf`), bytes.TrimPrefix(b, []byte(`{\rtf`))...))
	})
}
