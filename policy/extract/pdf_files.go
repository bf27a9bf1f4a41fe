package extract

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// A pdfFile is a file that a document carries.
type pdfFile struct {
	name string
	data []byte
}

// keep takes a file that PDFium has found; it is read when the pages are done.
func (d *pdfReader) keep(attachment uint64) {
	e := d.e
	name := e.text("FPDFAttachment_GetName", []uint64{attachment})
	if desc := e.text("FPDFAttachment_GetDescription", []uint64{attachment}); desc != "" {
		d.fields = append(d.fields, Unit{Place: Comment, Where: "description of a file", Text: desc})
	}
	size := e.scratch + 128
	if e.call("FPDFAttachment_GetFile", attachment, 0, 0, uint64(size)) == 0 {
		d.w.name(d.a.in(label(name)), name)
		return
	}
	n, _ := e.mod.Memory().ReadUint32Le(size)
	if n == 0 {
		d.w.name(d.a.in(label(name)), name)
		return
	}
	if !d.w.spend(int64(n)) || int64(n) > d.w.b.Whole {
		d.w.gap(d.a.in(label(name)), "pdf", TooMuch, "the file in it is larger than can be looked at")
		return
	}
	p := e.call("malloc", uint64(n))
	if p == 0 {
		d.cut = true
		return
	}
	if e.long("FPDFAttachment_GetFile", attachment, p, uint64(n), uint64(size)) != 0 {
		d.add(name, append([]byte(nil), e.read(uint32(p), n)...))
	}
	e.free(p)
}

// add keeps a file once, however often the document names it.
func (d *pdfReader) add(name string, data []byte) {
	sum := sha256.Sum256(data)
	if d.seen[sum] {
		return
	}
	d.seen[sum] = true
	d.pending = append(d.pending, pdfFile{name, data})
}

// attachments finds the files that the document lists.
func (d *pdfReader) attachments() {
	e := d.e
	n := pdfInt(e.call("FPDFDoc_GetAttachmentCount", d.doc))
	for i := 0; i < min(n, d.w.b.Members) && d.more(); i++ {
		if f := e.call("FPDFDoc_GetAttachment", d.doc, uint64(i)); f != 0 {
			d.keep(f)
		}
	}
	if pdfInt(e.call("FPDFDoc_GetJavaScriptActionCount", d.doc)) > 0 {
		d.w.res.Files[d.w.current].Macros = true
	}
}

// attached reads the files that a document carries.
func (d *pdfReader) attached() {
	self := d.w.current
	for _, f := range d.pending {
		if f.name == "" {
			f.name = "file"
		}
		here := d.a.in(label(f.name))
		if !d.w.member(here) {
			break
		}
		d.w.name(here, f.name)
		d.w.file(here, source{name: f.name, data: f.data})
	}
	d.w.current = self
	d.pending = nil
}

// files finds what no list of the document leads to.
func (v *pdfFileView) files() {
	named := map[int]bool{}
	for _, n := range v.order {
		if ef, ok := v.direct(v.objects[n].dict["EF"]).(pdfDict); ok {
			name := v.objects[n].dict.text("UF")
			if name == "" {
				name = v.objects[n].dict.text("F")
			}
			for _, k := range [...]string{"F", "UF", "DOS", "Mac", "Unix"} {
				if r, ok := ef[k].(pdfRef); ok && !named[int(r)] {
					named[int(r)] = true
					v.file(name, v.objects[int(r)])
				}
			}
		}
	}
	for _, n := range v.order {
		if o := v.objects[n]; o.dict.name("Type") == "EmbeddedFile" && !named[n] {
			v.file("file", o)
		}
	}
}

func (v *pdfFileView) file(name string, o pdfObject) {
	if o.stream == nil {
		return
	}
	if b, ok := v.decode(o); ok {
		v.d.add(name, b)
	}
}

// outline writes the bookmarks.
func (d *pdfReader) outline(out *writer) {
	e := d.e
	list := d.w.list()
	seen := map[uint64]bool{}
	var walk func(b uint64, depth int)
	walk = func(b uint64, depth int) {
		for ; b != 0 && !seen[b] && len(seen) < 20_000 && depth < 50 && d.more(); b = e.call("FPDFBookmark_GetNextSibling", d.doc, b) {
			seen[b] = true
			out.add(Unit{Place: ListItem, Where: "bookmark", Text: e.text("FPDFBookmark_GetTitle", []uint64{b}), List: list})
			walk(e.call("FPDFBookmark_GetFirstChild", d.doc, b), depth+1)
		}
	}
	walk(e.call("FPDFBookmark_GetFirstChild", d.doc, 0), 0)
}

// labels writes the pages' names where they are more than numbers.
func (d *pdfReader) labels(out *writer) {
	last := ""
	for i := range d.pages {
		if !d.more() {
			return
		}
		s := d.e.text("FPDF_GetPageLabel", []uint64{d.doc, uint64(i)})
		if word := strings.Trim(s, "0123456789ivxlcdmIVXLCDM .-"); word != "" && word != last {
			last = word
			out.add(Unit{Place: Metadata, Where: fmt.Sprint("name of page ", i+1), Text: "page: " + s})
		}
	}
}

// xfa reads the forms in XML that a document may carry beside its pages.
func (d *pdfReader) xfa() {
	e := d.e
	n := pdfInt(e.call("FPDF_GetXFAPacketCount", d.doc))
	for i := 0; i < min(n, 100) && d.more(); i++ {
		name := string(e.octets("FPDF_GetXFAPacketName", []uint64{d.doc, uint64(i)}))
		name = strings.TrimRight(name, "\x00")
		if name == "config" || name == "localeSet" || name == "preamble" || name == "postamble" {
			continue
		}
		size := uint64(e.scratch + 128)
		if e.call("FPDF_GetXFAPacketContent", d.doc, uint64(i), 0, 0, size) == 0 {
			continue
		}
		have, _ := e.mod.Memory().ReadUint32Le(uint32(size))
		if !d.w.spend(int64(have)) {
			d.cut = true
			return
		}
		p := e.call("malloc", uint64(max(have, 1)))
		if p == 0 {
			d.cut = true
			return
		}
		if e.call("FPDF_GetXFAPacketContent", d.doc, uint64(i), p, uint64(have), size) != 0 {
			readXML(d.w, d.a.in("form "+label(name)), &source{data: append([]byte(nil), e.read(uint32(p), have)...)})
		}
		e.free(p)
	}
}
