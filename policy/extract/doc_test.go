package extract

import (
	"encoding/binary"
	"strings"
	"testing"
)

// A docPiece is text as a piece holds it: in 8 bits, or in UTF-16.
type docPiece struct {
	text string
	wide bool
}

// docOf makes the streams of a Word document. counts are the characters of the main text,
// footnotes, headers, macros, comments, endnotes and text boxes; heads where headers begin.
// Pieces stand in the file in another order than in the text, as after a fast save.
func docOf(flags uint16, counts []int, heads []int, pieces ...docPiece) []cfbFile {
	main := make([]byte, 0x600)
	le.PutUint16(main, 0xa5ec)
	le.PutUint16(main[2:], 0xc1)
	le.PutUint16(main[10:], flags|0x0200)
	for i, n := range counts {
		le.PutUint32(main[0x4c+4*i:], uint32(n))
	}
	where := make([]uint32, len(pieces))
	for i := len(pieces) - 1; i >= 0; i-- {
		fc := uint32(len(main))
		if pieces[i].wide {
			main = append(main, utf16Text(pieces[i].text)...)
		} else {
			main = append(main, pieces[i].text...)
			fc = fc*2 | 0x40000000
		}
		where[i] = fc
		if len(main)&1 == 1 {
			main = append(main, 0)
		}
	}
	var list []byte
	cp := 0
	for _, p := range pieces {
		list = binary.LittleEndian.AppendUint32(list, uint32(cp))
		if p.wide {
			cp += len(utf16Text(p.text)) / 2
		} else {
			cp += len(p.text)
		}
	}
	list = binary.LittleEndian.AppendUint32(list, uint32(cp))
	for _, fc := range where {
		list = append(list, 0, 0)
		list = binary.LittleEndian.AppendUint32(list, fc)
		list = append(list, 0, 0)
	}
	table := []byte{1, 2, 0, 0x35, 0x08, 2} // a modifier that no piece names, then the pieces
	table = binary.LittleEndian.AppendUint32(table, uint32(len(list)))
	table = append(table, list...)
	put := func(n int, off, size int) {
		le.PutUint32(main[0x9a+8*n:], uint32(off))
		le.PutUint32(main[0x9a+8*n+4:], uint32(size))
	}
	put(tablePieces, 0, len(table))
	off := len(table)
	for _, h := range heads {
		table = binary.LittleEndian.AppendUint32(table, uint32(h))
	}
	put(tableHeaders, off, len(table)-off)
	return []cfbFile{{"WordDocument", main}, {"1Table", table}}
}

func TestWordPieces(t *testing.T) {
	plain := []int{7}
	for name, c := range map[string]struct {
		files []cfbFile
		want  string
	}{
		"one piece":              {docOf(0, plain, nil, docPiece{"RAHSIA\r", false}), "paragraph|RAHSIA"},
		"UTF-16":                 {docOf(0, plain, nil, docPiece{"RAHSIA\r", true}), "paragraph|RAHSIA"},
		"fast saved":             {docOf(4, plain, nil, docPiece{"RAH", false}, docPiece{"SI", true}, docPiece{"A\r", false}), "paragraph|RAHSIA"},
		"windows-1252":           {docOf(0, []int{4}, nil, docPiece{"\x93a\x94\r", false}), "paragraph|“a”"},
		"line break":             {docOf(0, []int{9}, nil, docPiece{"a\x0bRAHSIA\r", false}), "paragraph|RAHSIA"},
		"soft hyphens":           {docOf(0, []int{9}, nil, docPiece{"RAH\x1fSI\x1fA\r", false}), "paragraph|RAHSIA"},
		"first header":           {docOf(0, []int{2, 0, 7}, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7}, docPiece{"a\rRAHSIA\r", false}), "page-header|RAHSIA"},
		"footer":                 {docOf(0, []int{2, 0, 7}, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7}, docPiece{"a\rRAHSIA\r", false}), "page-footer|RAHSIA"},
		"header without a list":  {docOf(0, []int{2, 0, 7}, nil, docPiece{"a\rRAHSIA\r", false}), "page-header|RAHSIA"},
		"comment":                {docOf(0, []int{2, 0, 0, 0, 7}, nil, docPiece{"a\rRAHSIA\r", false}), "comment|RAHSIA"},
		"text box":               {docOf(0, []int{2, 0, 0, 0, 0, 0, 7}, nil, docPiece{"a\rRAHSIA\r", false}), "stamp|RAHSIA"},
		"more than is counted":   {docOf(0, []int{2}, nil, docPiece{"a\rRAHSIA\r", false}), "hidden|RAHSIA"},
		"field's result":         {docOf(0, []int{20}, nil, docPiece{"\x13QUOTE x\x14RAHSIA\x15\r", false}), "paragraph|RAHSIA"},
		"button":                 {docOf(0, []int{29}, nil, docPiece{"\x13MACROBUTTON Tiada RAHSIA\x15\r", false}), "paragraph|RAHSIA"},
		"field that never ends":  {docOf(0, []int{9}, nil, docPiece{"\x13RAHSIA\r\r", false}), "hidden|RAHSIA"},
		"packed file":            {append(docOf(0, plain, nil, docPiece{"isi ya\r", false}), cfbFile{"ObjectPool/_1/\x01Ole10Native", append([]byte{0, 0, 0, 0}, packageOf("a.txt", []byte("RAHSIA"))...)}), "paragraph|RAHSIA"},
		"embedded new document":  {append(docOf(0, plain, nil, docPiece{"isi ya\r", false}), cfbFile{"ObjectPool/_1/Package", document(t, "word/header1.xml", "<w:hdr><w:p><w:r><w:t>RAHSIA</w:t></w:r></w:p></w:hdr>")}), "page-header|RAHSIA"},
		"embedded old workbook":  {append(docOf(0, plain, nil, docPiece{"isi ya\r", false}), cfbFile{"ObjectPool/_1/Workbook", biff(globals8, end, sheet8, rec(xlsLabel, 0, 0, 0, 6, byte(0), "RAHSIA"), end)}), "cell|RAHSIA"},
		"object of unknown kind": {append(docOf(0, plain, nil, docPiece{"isi ya\r", false}), cfbFile{"ObjectPool/_1/Kandungan", append([]byte{1, 0, 0, 1}, "RAHSIA\x00"...)}), "strings|RAHSIA"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, "a.doc", compoundOf(c.files...))
			if expect(t, r, c.want); r.Files[0].Kind != "doc" {
				t.Errorf("kind %q", r.Files[0].Kind)
			}
		})
	}
	oneGap(t, read(t, "a.doc", compoundOf(docOf(0x0100, plain, nil, docPiece{"RAHSIA\r", false})...)), Locked)
	r := read(t, "a.doc", compoundOf(append(docOf(0, plain, nil, docPiece{"isi ya\r", false}), cfbFile{"Macros/VBA/dir", []byte("x")})...))
	if expect(t, r); !r.Files[0].Macros {
		t.Error("macros are not told of")
	}
}

// A document whose pieces cannot be found is damaged, and what its octets say counts.
func TestWordWithoutPieces(t *testing.T) {
	files := docOf(0, []int{7}, nil, docPiece{"RAHSIA\r", false})
	r := read(t, "a.doc", compoundOf(files[0]))
	if oneGap(t, r, Damaged); !strings.Contains(strings.Join(found(r), "\n"), "strings|body|RAHSIA") {
		t.Errorf("%q", found(r))
	}
}

// Word 6 and 95 keep all in one stream, in 8 bits; Word 2 has no container.
func TestOlderWord(t *testing.T) {
	text := "isi surat\rKEPALA\rKAKI\r"
	main := make([]byte, 0x300)
	le.PutUint16(main, 0xa5dc)
	le.PutUint16(main[2:], 104)
	le.PutUint32(main[0x18:], 0x300)
	le.PutUint32(main[0x1c:], uint32(0x300+len(text)))
	le.PutUint32(main[0x34:], 10)
	le.PutUint32(main[0x3c:], 12)
	main = append(main, text...)
	le.PutUint32(main[0xb0:], uint32(len(main)))
	le.PutUint32(main[0xb4:], 4*12)
	for _, h := range []uint32{0, 0, 0, 0, 0, 0, 0, 7, 7, 12, 12, 12} {
		main = binary.LittleEndian.AppendUint32(main, h)
	}
	expect(t, read(t, "a.doc", compoundOf(cfbFile{"WordDocument", main})), "paragraph|isi surat", "page-header|KEPALA", "page-footer|KAKI")
	two := make([]byte, 0x300)
	copy(two, "\xdb\xa5\x2d\x00")
	le.PutUint32(two[0x18:], 0x300)
	le.PutUint32(two[0x1c:], uint32(0x300+len(text)))
	expect(t, read(t, "a.doc", append(two, text...)), "paragraph|isi surat", "paragraph|KEPALA")
}

// Ten thousand pieces that are all of the file: its text is larger than it, and refused.
func TestPiecesBomb(t *testing.T) {
	files := docOf(0, []int{7}, nil, docPiece{"RAHSIA\r", false})
	var list []byte
	const n, size = 10_000, 1000
	for i := range n + 1 {
		list = binary.LittleEndian.AppendUint32(list, uint32(i*size))
	}
	for range n {
		list = append(list, 0, 0, 0, 0, 0, 0x40, 0, 0)
	}
	table := binary.LittleEndian.AppendUint32([]byte{2}, uint32(len(list)))
	files[1].data = append(table, list...)
	le.PutUint32(files[0].data[0x9a+8*tablePieces+4:], uint32(len(files[1].data)))
	r := read(t, "a.doc", compoundOf(files...))
	if len(r.Gaps) == 0 || r.Used.Text > 1<<20 {
		t.Errorf("gaps %v, %d octets of text", r.Gaps, r.Used.Text)
	}
}

func FuzzWord(f *testing.F) {
	files := docOf(4, []int{7}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, docPiece{"RAH", false}, docPiece{"SI", true}, docPiece{"A\r", false})
	f.Add(files[0].data, files[1].data)
	f.Fuzz(func(t *testing.T, main, table []byte) {
		fuzzed(t, compoundOf(cfbFile{"WordDocument", main}, cfbFile{"1Table", table}, cfbFile{"0Table", table}))
	})
}
