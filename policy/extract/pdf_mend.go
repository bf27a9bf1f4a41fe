package extract

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A document without its end has neither table nor trailer, and PDFium does not open it. Viewers
// look for its objects then; so is done here.

// mended is a copy of the document with a trailer, nil when there is nothing to show. whole
// says that its own list of pages is there.
func (d *pdfReader) mended() (out []byte, whole bool) {
	v := d.view(d.data)
	if v.encrypted() {
		return nil, false
	}
	root := 0
	var pages []int
	for _, n := range v.order {
		switch o := v.objects[n]; o.dict.name("Type") {
		case "Catalog":
			if tree, ok := v.direct(o.dict["Pages"]).(pdfDict); ok && tree["Kids"] != nil {
				root = n
			}
		case "Page":
			pages = append(pages, n)
		}
	}
	if root == 0 && len(pages) == 0 || !d.more() {
		return nil, false
	}
	b := bytes.NewBuffer(bytes.ReplaceAll(d.data, []byte("startxref"), []byte("startxxxx")))
	b.WriteString("\nendstream\nendobj\n")
	size := 0
	for _, n := range v.order {
		size = max(size, n+1)
		if o := v.objects[n]; o.packed {
			fmt.Fprintf(b, "\n%d 0 obj\n", n)
			pdfWrite(b, v.plain(o))
			b.WriteString("\nendobj\n")
		}
	}
	whole = root != 0
	if !whole {
		root = size
		kids := strings.Builder{}
		for _, n := range pages {
			fmt.Fprintf(&kids, "%d 0 R ", n)
		}
		fmt.Fprintf(b, "\n%d 0 obj\n<< /Type /Catalog /Pages %d 0 R >>\nendobj\n", root, root+1)
		fmt.Fprintf(b, "\n%d 0 obj\n<< /Type /Pages /Count %d /Kids [%s] >>\nendobj\n", root+1, len(pages), kids.String())
		size += 2
	}
	fmt.Fprintf(b, "\ntrailer\n<< /Size %d /Root %d 0 R >>\n%%%%EOF\n", size, root)
	return b.Bytes(), whole
}

func (v *pdfFileView) plain(o pdfObject) pdfValue {
	if o.dict != nil {
		return o.dict
	}
	return o.other
}

// open loads the document; 0 when that cannot be.
func (d *pdfReader) open() uint64 {
	e := d.e
	p := e.put(d.data)
	if p == 0 {
		return 0
	}
	doc := e.long("FPDF_LoadMemDocument", p, uint64(len(d.data)), 0)
	if doc == 0 && e.err == nil {
		code := pdfInt(e.call("FPDF_GetLastError"))
		if code == pdfErrPassword || code == pdfErrSecurity {
			d.closed(code)
			return 0
		}
		e.free(p)
		data, whole := d.mended()
		if data == nil {
			d.closed(code)
			return 0
		}
		if p = e.put(data); p != 0 {
			doc = e.long("FPDF_LoadMemDocument", p, uint64(len(data)), 0)
		}
		if doc == 0 || !whole {
			d.closed(code)
		}
	}
	return doc
}

// contents looks whether the content of pages can be unpacked. PDFium shows such a page as
// if nothing stood on it; when one showed nothing, all is unpacked, else its first octets
// must do.
func (v *pdfFileView) contents(empty bool) (broken int) {
	for _, n := range v.order {
		page := v.objects[n].dict
		if page.name("Type") != "Page" || !v.d.more() {
			continue
		}
		list, isList := v.direct(page["Contents"]).([]pdfValue)
		if !isList {
			list = []pdfValue{page["Contents"]}
		}
		for _, x := range list {
			if r, ok := x.(pdfRef); ok && v.garbled(v.objects[int(r)], empty) {
				broken++
				break
			}
		}
	}
	return broken
}

// contentFilters are those that data may be packed by, and their short names.
var contentFilters = []string{"FlateDecode", "Fl", "LZWDecode", "LZW", "ASCIIHexDecode", "AHx", "ASCII85Decode", "A85", "RunLengthDecode", "RL", "Crypt"}

// garbled says that a stream is not packed as it says.
func (v *pdfFileView) garbled(o pdfObject, unpack bool) bool {
	data := bytes.TrimRight(o.stream, "\r\n")
	if len(data) == 0 {
		return false
	}
	for i, f := range v.filters(o.dict) {
		switch {
		case !slices.Contains(contentFilters, f):
			return true
		case f == "FlateDecode" || f == "Fl":
			if i == 0 && (len(data) < 2 || data[0]&15 != 8 || (int(data[0])<<8|int(data[1]))%31 != 0) {
				return true
			}
		case f != "ASCIIHexDecode" && f != "AHx" && f != "ASCII85Decode" && f != "A85":
			return false // PDFium alone knows it
		}
	}
	if !unpack {
		return false
	}
	out, ok := v.decode(o)
	return !ok || len(bytes.TrimSpace(out)) == 0 && len(data) > 16
}

// filters are the names of a stream's filters.
func (v *pdfFileView) filters(dict pdfDict) (out []string) {
	switch f := v.direct(dict["Filter"]).(type) {
	case pdfName:
		return []string{string(f)}
	case []pdfValue:
		for _, x := range f {
			if n, ok := v.direct(x).(pdfName); ok {
				out = append(out, string(n))
			}
		}
	}
	return out
}
