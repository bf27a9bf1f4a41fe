package extract

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"sampul/internal/message"
)

// propertySets reads the properties of a document [MS-OLEPS]: title and the like, and those
// that users and labelling programs add.
func (c *compound) propertySets(a at, s *storage) {
	for _, one := range s.streams {
		switch {
		case strings.EqualFold(one.name, "\x05SummaryInformation"), strings.EqualFold(one.name, "\x05DocumentSummaryInformation"):
			out := c.w.part(a.in("properties"), "properties")
			for _, p := range propertySet(c.read(a, one)) {
				out.add(Unit{Place: Metadata, Where: "property " + label(p.name), Text: p.name + ": " + p.value})
			}
			out.end()
		}
	}
}

type property struct{ name, value string }

// Known sets, by the first half of their class.
const (
	summarySet  = "\xe0\x85\x9f\xf2\xf9\x4f\x68\x10"
	documentSet = "\x02\xd5\xcd\xd5\x9c\x2e\x1b\x10"
	userSet     = "\x05\xd5\xcd\xd5\x9c\x2e\x1b\x10"
)

// propertyNames are called as in the documents that came after.
var propertyNames = map[string]map[uint32]string{
	summarySet:  {2: "title", 3: "subject", 5: "keywords", 6: "description", 7: "template"},
	documentSet: {2: "category", 14: "manager", 15: "company", 26: "contentType", 27: "contentStatus", 28: "language"},
}

// maxProperties bounds what a set can claim to hold.
const maxProperties = 4096

func propertySet(b []byte) (all []property) {
	if len(b) < 28 || le.Uint16(b) != 0xfffe {
		return nil
	}
	for i := range min(le.Uint32(b[24:]), 8) {
		at := 28 + 20*int(i)
		if at+20 > len(b) {
			break
		}
		set, off := string(b[at:at+8]), int64(le.Uint32(b[at+16:]))
		if off < int64(len(b)) {
			all = append(all, section(set, b[off:])...)
		}
	}
	return all
}

// section reads one set.
func section(set string, b []byte) (all []property) {
	if len(b) < 8 {
		return nil
	}
	n := min(le.Uint32(b[4:]), maxProperties, uint32(len(b)-8)/8)
	offset := func(i uint32) (id uint32, value []byte) {
		id = le.Uint32(b[8+8*i:])
		off := int64(le.Uint32(b[12+8*i:]))
		if off >= int64(len(b)) {
			return id, nil
		}
		return id, b[off:]
	}
	page, names := "windows-1252", propertyNames[set]
	for i := range n {
		if id, v := offset(i); id == 1 && len(v) >= 6 && le.Uint16(v) == 2 {
			page = codePage(int(le.Uint16(v[4:])))
		}
	}
	for i := range n {
		if id, v := offset(i); id == 0 && names == nil {
			names = dictionary(v, page)
		}
	}
	for i := range n {
		id, v := offset(i)
		name, known := names[id]
		if id <= 1 || id == 0x80000000 || !known && set != userSet {
			continue
		}
		if name == "" {
			name = "property " + strconv.Itoa(int(id))
		}
		if value := propertyValue(v, page); value != "" {
			all = append(all, property{name, value})
		}
	}
	return all
}

// dictionary gives the names of properties that users add.
func dictionary(b []byte, page string) map[uint32]string {
	names := map[uint32]string{}
	if len(b) < 4 {
		return names
	}
	n := min(le.Uint32(b), maxProperties)
	b = b[4:]
	for range n {
		if len(b) < 8 {
			break
		}
		id, size := le.Uint32(b), int64(le.Uint32(b[4:]))
		b = b[8:]
		skip := size
		if page == "utf-16le" {
			size *= 2
			skip = (size + 3) &^ 3
		}
		if size > int64(len(b)) {
			break
		}
		names[id] = zeroEnded(message.DecodeCharset(page, b[:size]))
		b = b[min(skip, int64(len(b))):]
	}
	return names
}

// propertyValue is a typed value as text; "" for kinds that hold none.
func propertyValue(b []byte, page string) string {
	if len(b) < 8 {
		return ""
	}
	kind, n := le.Uint32(b)&0xffff, int64(le.Uint32(b[4:]))
	rest := b[8:]
	switch kind {
	case 2:
		return strconv.Itoa(int(int16(n)))
	case 3:
		return strconv.Itoa(int(int32(n)))
	case 0x0b:
		return strconv.FormatBool(n&0xffff != 0)
	case 0x1e, 8:
		n = min(n, int64(len(rest)))
		return zeroEnded(message.DecodeCharset(page, rest[:n]))
	case 0x1f:
		n = min(2*n, int64(len(rest)))
		return zeroEnded(message.DecodeCharset("utf-16le", rest[:n]))
	}
	return ""
}

func zeroEnded(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// codePage names one of Windows' code pages.
func codePage(n int) string {
	switch n {
	case 1200:
		return "utf-16le"
	case 1201:
		return "utf-16be"
	case 65001:
		return "utf-8"
	case 65000:
		return "utf-7"
	case 10000, 2:
		return "macintosh"
	case 932:
		return "shift_jis"
	case 936:
		return "gbk"
	case 949:
		return "euc-kr"
	case 950:
		return "big5"
	case 54936:
		return "gb18030"
	case 866:
		return "ibm866"
	case 874:
		return "windows-874"
	case 20127, 0, 437, 850:
		return "windows-1252"
	case 20866:
		return "koi8-r"
	case 28591, 28592, 28593, 28594, 28595, 28596, 28597, 28598, 28599, 28605:
		return "iso-8859-" + strconv.Itoa(n-28590)
	}
	return fmt.Sprint("windows-", n)
}

// utf16String decodes little-endian octets.
func utf16String(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = le.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
