package extract

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// biff puts records one after another.
func biff(records ...[]byte) []byte { return slices.Concat(records...) }

// rec is one record of a workbook: numbers take two octets each, bytes and strings theirs.
func rec(kind int, parts ...any) []byte {
	var body []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			body = binary.LittleEndian.AppendUint16(body, uint16(p))
		case byte:
			body = append(body, p)
		case string:
			body = append(body, p...)
		case []byte:
			body = append(body, p...)
		case float64:
			body = binary.LittleEndian.AppendUint64(body, math.Float64bits(p))
		}
	}
	out := binary.LittleEndian.AppendUint16(nil, uint16(kind))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(body)))
	return append(out, body...)
}

var (
	globals8 = rec(xlsBegin, 0x600, 5, 0, 0, 0, 0, 0, 0)
	sheet8   = rec(xlsBegin, 0x600, 0x10, 0, 0, 0, 0, 0, 0)
	globals5 = rec(xlsBegin, 0x500, 5, 0, 0)
	sheet5   = rec(xlsBegin, 0x500, 0x10, 0, 0)
	end      = rec(xlsEnd)
)

func TestWorkbook(t *testing.T) {
	for name, c := range map[string]struct {
		book []byte
		want string
	}{
		"label":            {biff(globals8, end, sheet8, rec(xlsLabel, 0, 0, 0, 6, byte(0), "RAHSIA"), end), "cell|RAHSIA"},
		"label of Excel 5": {biff(globals5, end, sheet5, rec(xlsLabel, 0, 0, 0, 6, "RAHSIA"), end), "cell|RAHSIA"},
		"label of Excel 4": {biff(rec(0x0409, 0, 0x10, 0), rec(xlsLabel, 0, 0, 0, 6, "RAHSIA"), end), "cell|RAHSIA"},
		"label of Excel 2": {biff(rec(0x0009, 2, 0x10), rec(0x0004, 0, 0, "\x00\x00\x00", byte(6), "RAHSIA"), end), "cell|RAHSIA"},
		"shared, over two records": {biff(globals8, rec(xlsStrings, 1, 0, 1, 0, 6, byte(0), "RAH"), rec(xlsContinue, byte(0), "SIA"), end,
			sheet8, rec(xlsShared, 0, 0, 0, 0, 0), end), "cell|RAHSIA"},
		"wider in the second": {biff(globals8, rec(xlsStrings, 1, 0, 1, 0, 6, byte(0), "RAH"), rec(xlsContinue, byte(1), utf16Text("SIA")), end,
			sheet8, rec(xlsShared, 0, 0, 0, 0, 0), end), "cell|RAHSIA"},
		"rich, over two records": {biff(globals8, rec(xlsStrings, 2, 0, 2, 0, 1, byte(8), 2, "a\x00\x00\x01"), rec(xlsContinue, "\x00\x00\x00\x02\x00", 6, byte(0), "RAHSIA"), end,
			sheet8, rec(xlsShared, 0, 0, 0, 1, 0), end), "cell|RAHSIA"},
		"result of a formula": {biff(globals8, end, sheet8, rec(xlsFormula, 3, 1, 0, 0.0, 0, 0, 0), rec(xlsResult, 6, byte(0), "RAHSIA"), end), "cell|RAHSIA"},
		"header":              {biff(globals8, end, sheet8, rec(xlsHeader, 24, byte(0), "&L&\"Arial,Bold\"&14RAHSIA"), end), "page-header|RAHSIA"},
		"footer of Excel 5":   {biff(globals5, end, sheet5, rec(xlsFooter, byte(8), "&CRAHSIA"), end), "page-footer|RAHSIA"},
		"header of the first page": {biff(globals8, end, sheet8, rec(xlsMoreHeaders, string(make([]byte, 30)), 0, 0, 8, 0, 8, byte(0), "&CRAHSIA"), end),
			"page-header|RAHSIA"},
		"text box": {biff(globals8, end, sheet8, rec(xlsObject, 0x15, 18, 6), rec(xlsText, 0, 0, 0, 0, 0, 6, 0, 0, 0), rec(xlsContinue, byte(0), "RAHSIA"), end),
			"stamp|RAHSIA"},
		"comment": {biff(globals8, end, sheet8, rec(xlsObject, 0x15, 18, 0x19), rec(xlsText, 0, 0, 0, 0, 0, 6, 0, 0, 0), rec(xlsContinue, byte(1), utf16Text("RAHSIA")), end),
			"comment|RAHSIA"},
		"comment of Excel 5": {biff(globals5, end, sheet5, rec(xlsNote, 0, 0, 6, "RAHSIA"), end), "comment|RAHSIA"},
		"name of a very hidden sheet": {biff(globals8, rec(xlsSheet, 0, 0, byte(2), byte(0), byte(6), byte(0), "RAHSIA"), end, sheet8, end),
			"file-name|RAHSIA"},
		"title of a chart": {biff(globals8, end, sheet8, rec(xlsSeries, 0, byte(6), byte(0), "RAHSIA"), end), "stamp|RAHSIA"},
		"cyrillic page":    {biff(globals5, rec(xlsPage, 1251), end, sheet5, rec(xlsLabel, 0, 0, 0, 2, "\xd0\xc0"), end), "cell|РА"},
		"WordArt": {biff(globals8, end, sheet8, rec(xlsDrawing, wordArt("RAHSIA")), end),
			"watermark|RAHSIA"},
		"number": {biff(globals8, end, sheet8, rec(xlsNumber, 0, 0, 0, 12.5), end), "cell|12.5"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, read(t, "a.xls", compoundOf(cfbFile{"Workbook", c.book})), c.want)
			if !strings.HasPrefix(name, "title") {
				expect(t, read(t, "a.xls", c.book), c.want)
			}
		})
	}
}

// wordArt is a shape whose property is a text.
func wordArt(text string) []byte {
	u := append(utf16Text(text), 0, 0)
	opt := binary.LittleEndian.AppendUint16(nil, 1<<4|3)
	opt = binary.LittleEndian.AppendUint16(opt, 0xf00b)
	opt = binary.LittleEndian.AppendUint32(opt, uint32(6+len(u)))
	opt = binary.LittleEndian.AppendUint16(opt, 0xc0c0)
	opt = binary.LittleEndian.AppendUint32(opt, uint32(len(u)))
	opt = append(opt, u...)
	box := binary.LittleEndian.AppendUint16(nil, 15)
	box = binary.LittleEndian.AppendUint16(box, 0xf004)
	box = binary.LittleEndian.AppendUint32(box, uint32(len(opt)))
	return append(box, opt...)
}

// A workbook that every Excel opens is read; one with a password of its own is not.
func TestLockedWorkbook(t *testing.T) {
	expect(t, read(t, "kongsi.xls", fixture(t, "kongsi.xls")), "cell|Nama barang", "page-header|KEPALA CETAKAN", "comment|Ulasan sel", "file-name|Tersorok")
	r := read(t, "kunci.xls", fixture(t, "kunci.xls"))
	if oneGap(t, r, Locked); !r.Files[0].Locked {
		t.Error("the file is not said to be locked")
	}
	oneGap(t, read(t, "kunci.doc", fixture(t, "kunci.doc")), Locked)
}

// Program code of Excel 4 stands in sheets of their own.
func TestWorkbookMacros(t *testing.T) {
	r := read(t, "a.xls", compoundOf(cfbFile{"Workbook", biff(globals8, rec(xlsSheet, 0, 0, byte(0), byte(1), byte(1), byte(0), "m"), end)}))
	if !r.Files[0].Macros || r.Files[0].Kind != "xls" {
		t.Errorf("%+v", r.Files)
	}
}

func FuzzWorkbook(f *testing.F) {
	f.Add(biff(globals8, rec(xlsStrings, 1, 0, 1, 0, 6, byte(0), "RAH"), rec(xlsContinue, byte(0), "SIA"), end, sheet8, rec(xlsShared, 0, 0, 0, 0, 0), end))
	f.Add(biff(globals5, end, sheet5, rec(xlsFooter, byte(8), "&CRAHSIA"), end))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, append(slices.Clone(globals8), b...)) })
}
