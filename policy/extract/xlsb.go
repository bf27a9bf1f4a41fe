package extract

import (
	"encoding/binary"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Records of a binary workbook that hold text ([MS-XLSB] 2.3).
const (
	xlsbRow          = 0   // BrtRowHdr
	xlsbCellString   = 6   // BrtCellSt
	xlsbCellShared   = 7   // BrtCellIsst
	xlsbFormulaText  = 8   // BrtFmlaString
	xlsbShared       = 19  // BrtSSTItem
	xlsbSheet        = 156 // BrtBundleSh
	xlsbHeaderFooter = 479 // BrtBeginHeaderFooter
	xlsbComment      = 637 // BrtCommentText
	xlsbCellRich     = 62  // BrtCellRString
	xlsbFormat       = 44  // BrtFmt
)

// eachRecord goes through records: a number and a length of 7 bits an octet ([MS-XLSB]
// 2.1.4).
func eachRecord(b []byte, f func(kind int, data []byte) bool) (whole bool) {
	vary := func(most int) (n int, ok bool) {
		for i := range most {
			if len(b) == 0 {
				return 0, false
			}
			c := b[0]
			b = b[1:]
			n |= int(c&0x7f) << (7 * i)
			if c < 0x80 {
				return n, true
			}
		}
		return n, true
	}
	for len(b) > 0 {
		kind, size := 0, 0
		c := b[0]
		b = b[1:]
		kind = int(c & 0x7f)
		if c >= 0x80 {
			if len(b) == 0 {
				return false
			}
			kind |= int(b[0]&0x7f) << 7
			b = b[1:]
		}
		size, ok := vary(4)
		if !ok || size > len(b) {
			return false
		}
		if !f(kind, b[:size]) {
			return true
		}
		b = b[size:]
	}
	return true
}

// wideString reads a string with its length before it, and gives what follows it.
func wideString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if n == 0xffffffff {
		return "", b, true
	}
	if n < 0 || n > len(b)/2 {
		return "", nil, false
	}
	u := make([]uint16, n)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u)), b[2*n:], true
}

// binaryStrings are the texts that cells share.
func (r *officeReader) binaryStrings(b []byte) (all []string) {
	eachRecord(b, func(kind int, data []byte) bool {
		if kind == xlsbShared && len(data) > 1 {
			s, _, _ := wideString(data[1:])
			all = append(all, s)
		}
		return r.w.tick()
	})
	return all
}

// binaryPart reads a file of a binary workbook: cells with their places, print headers,
// names of sheets, comments, and all other texts that records hold.
func (r *officeReader) binaryPart(name string, here at, b []byte) {
	if strings.HasPrefix(strings.ToLower(path.Base(name)), "sharedstrings") {
		return
	}
	out := r.w.part(here, "xlsb")
	list, page, row := r.w.list(), numberIn(name), 0
	cell := func(data []byte, text string) {
		col := int(binary.LittleEndian.Uint32(data)) + 1
		for l := range strings.SplitSeq(text, "\n") {
			out.add(Unit{Place: Cell, Where: "row " + strconv.Itoa(row) + ", column " + strconv.Itoa(col), Text: l, Row: row, Col: col, List: list, Page: page})
		}
	}
	whole := eachRecord(b, func(kind int, data []byte) bool {
		switch {
		case kind == xlsbRow && len(data) >= 4:
			row = int(binary.LittleEndian.Uint32(data)) + 1
		case (kind == xlsbCellString || kind == xlsbFormulaText) && len(data) > 8:
			s, _, _ := wideString(data[8:])
			cell(data, s)
		case kind == xlsbCellRich && len(data) > 9:
			s, _, _ := wideString(data[9:])
			cell(data, s)
		case kind == xlsbCellShared && len(data) >= 12:
			if n := int(binary.LittleEndian.Uint32(data[8:])); n < len(r.book.shared) {
				cell(data, r.book.shared[n])
			}
		case kind == xlsbHeaderFooter && len(data) > 2:
			rest := data[2:]
			for i := range 6 { // odd header, odd footer, even ones, first ones
				s, more, ok := wideString(rest)
				if !ok {
					break
				}
				printed(out, i%2 == 1, s, page)
				rest = more
			}
		case kind == xlsbSheet && len(data) > 8:
			if _, rest, ok := wideString(data[8:]); ok { // the identifier of its relation, then its name
				s, _, _ := wideString(rest)
				out.add(Unit{Place: FileName, Where: "name of a sheet", Text: s})
			}
		case kind == xlsbComment && len(data) > 1:
			s, _, _ := wideString(data[1:])
			for l := range strings.SplitSeq(s, "\n") {
				out.add(Unit{Place: Comment, Where: "comment", Text: l})
			}
		case kind == xlsbFormat && len(data) > 2:
			s, _, _ := wideString(data[2:])
			for _, m := range quotedLiteral.FindAllStringSubmatch(s, 20) {
				out.add(Unit{Place: Stamp, Where: "format of numbers", Text: m[1]})
			}
		default:
			otherStrings(out, data)
		}
		return r.w.tick()
	})
	joinRows(out)
	out.end()
	if !whole {
		r.w.gap(here, "xlsb", Damaged, "it breaks off")
	}
}

// otherStrings are texts anywhere in a record that is not known.
func otherStrings(out *writer, data []byte) {
	for i := 0; i+8 < len(data); i++ {
		n := int(binary.LittleEndian.Uint32(data[i:]))
		if n < 4 || n > 4096 || n > (len(data)-i-4)/2 || data[i+5] != 0 || data[i+4] < ' ' {
			continue
		}
		if s, _, ok := wideString(data[i:]); ok && mostlyPrinted(s) {
			out.add(Unit{Place: Strings, Where: "record", Text: s})
			i += 3 + 2*n
		}
	}
}
