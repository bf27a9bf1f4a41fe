package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"github.com/klippa-app/go-pdfium/requests"
)

// A pdfObject is an object as it stands in the file.
type pdfObject struct {
	dict   pdfDict
	other  pdfValue // what it is when it is no dictionary
	stream []byte   // as stored; nil for none
	packed bool     // it stands in a stream of objects
}

// A pdfFileView is all objects of a file by their numbers, found without its table: what
// PDFium has no function for is looked up in it. Of an object that was changed later the
// last form counts.
type pdfFileView struct {
	d        *pdfReader
	objects  map[int]pdfObject
	order    []int
	trailers []pdfDict
	left     int // objects that may still be taken
}

const maxPDFObjects = 1_000_000

// objects reads properties, layers, actions and files that hang on the document.
func (d *pdfReader) objects() {
	if !d.more() {
		return
	}
	data := d.data
	v := d.view(data)
	if v.encrypted() {
		if plain := d.decrypted(); plain != nil {
			data = plain
			v = d.view(data)
		}
	}
	out := d.w.part(d.a, "pdf")
	v.properties(out)
	d.outline(out)
	d.labels(out)
	out.end()
	v.files()
	d.xfa()
	if &data[0] == &d.data[0] && v.encrypted() { // it could not be copied
		return
	}
	d.broken += v.contents(d.empty > 0)
	if honest := v.honest(data); honest != nil {
		d.honest(honest)
	}
}

// view finds the objects of a file.
func (d *pdfReader) view(b []byte) *pdfFileView {
	v := &pdfFileView{d: d, objects: map[int]pdfObject{}, left: maxPDFObjects}
	var packed []pdfObject
	for i := 0; i < len(b) && d.more(); {
		next := bytes.Index(b[i:], []byte("obj"))
		if next < 0 {
			break
		}
		at := i + next
		i = at + 3
		n, ok := objectNumber(b[:at])
		if !ok {
			continue
		}
		p := pdfParser{b: b[:min(len(b), at+3+8<<20)], i: at + 3, steps: maxPDFValues}
		x := p.value()
		dict, _ := x.(pdfDict)
		o := pdfObject{dict: dict}
		if dict == nil {
			o.other = x
		}
		p.blanks()
		if dict != nil && bytes.HasPrefix(b[p.i:], []byte("stream")) {
			o.stream = streamAt(b, p.i+6, dict)
			p.i += 6 + len(o.stream)
		}
		i = max(i, p.i)
		if !v.take(n, o) {
			break
		}
		if dict.name("Type") == "ObjStm" {
			packed = append(packed, o)
		}
		if dict.name("Type") == "XRef" {
			v.trailers = append(v.trailers, dict)
		}
	}
	for i := 0; ; {
		next := bytes.Index(b[i:], []byte("trailer"))
		if next < 0 {
			break
		}
		i += next + 7
		p := pdfParser{b: b, i: i, steps: 10_000}
		if t, ok := p.value().(pdfDict); ok {
			v.trailers = append(v.trailers, t)
		}
	}
	for _, o := range packed {
		v.unpack(o)
	}
	return v
}

func (v *pdfFileView) take(n int, o pdfObject) bool {
	if v.left--; v.left < 0 {
		v.d.cut = true
		return false
	}
	if _, known := v.objects[n]; !known {
		v.order = append(v.order, n)
	}
	v.objects[n] = o
	return true
}

// objectNumber reads "12 0 " at the end of b.
func objectNumber(b []byte) (int, bool) {
	back := func(i int, in string) int {
		for i > 0 && len(b)-i < 40 && strings.IndexByte(in, b[i-1]) >= 0 {
			i--
		}
		return i
	}
	const digits, blanks = "0123456789", " \t\r\n\f\x00"
	g1 := back(len(b), blanks)
	g0 := back(g1, digits)
	n1 := back(g0, blanks)
	n0 := back(n1, digits)
	if g0 == g1 || n0 == n1 || n1 == g0 || n1-n0 > 9 {
		return 0, false
	}
	n := 0
	for _, c := range b[n0:n1] {
		n = n*10 + int(c-'0')
	}
	return n, true
}

// streamAt is the data of a stream that begins behind its keyword.
func streamAt(b []byte, i int, d pdfDict) []byte {
	if i < len(b) && b[i] == '\r' {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		i++
	}
	if n, ok := d["Length"].(float64); ok && n >= 0 && n <= float64(len(b)-i) {
		end := i + int(n)
		if rest := bytes.TrimLeft(b[end:min(len(b), end+20)], "\r\n \t"); bytes.HasPrefix(rest, []byte("endstream")) {
			return b[i:end]
		}
	}
	if n := bytes.Index(b[i:], []byte("endstream")); n >= 0 {
		return bytes.TrimSuffix(bytes.TrimSuffix(b[i:i+n], []byte("\n")), []byte("\r"))
	}
	return b[i:]
}

// unpack reads the objects in an object stream (ISO 32000 section 7.5.7).
func (v *pdfFileView) unpack(o pdfObject) {
	data, ok := v.decode(o)
	n, _ := o.dict["N"].(float64)
	first, _ := o.dict["First"].(float64)
	if !ok || n < 1 || first < 0 || int(first) > len(data) {
		return
	}
	index := pdfParser{b: data[:int(first)], steps: 2 * maxPDFValues}
	for range int(min(n, maxPDFValues)) {
		num, is := index.value().(float64)
		at, also := index.value().(float64)
		if !is || !also || !v.d.more() {
			return
		}
		if start := int(first) + int(at); start >= 0 && start < len(data) {
			p := pdfParser{b: data, i: start, steps: maxPDFValues}
			if old, known := v.objects[int(num)]; known && old.stream != nil {
				continue
			}
			x := p.value()
			dict, is := x.(pdfDict)
			if is {
				x = nil
			}
			if !v.take(int(num), pdfObject{dict: dict, other: x, packed: true}) {
				return
			}
		}
	}
}

// decode undoes the filters of a stream.
func (v *pdfFileView) decode(o pdfObject) ([]byte, bool) {
	if o.stream == nil {
		return nil, false
	}
	data := o.stream
	for _, f := range v.filters(o.dict) {
		var r io.Reader
		switch f {
		case "FlateDecode", "Fl":
			z, err := zlib.NewReader(bytes.NewReader(data))
			if err != nil {
				return nil, false
			}
			r = z
		case "ASCIIHexDecode", "AHx":
			p := pdfParser{b: append([]byte("<"), data...)}
			data = p.hex()
			continue
		case "ASCII85Decode", "A85":
			data, _, _ = bytes.Cut(bytes.TrimPrefix(bytes.TrimSpace(data), []byte("<~")), []byte("~"))
			r = ascii85.NewDecoder(bytes.NewReader(data))
		default:
			return nil, false
		}
		var ok bool
		if data, ok = v.d.expand(r, len(data)); !ok {
			return nil, false
		}
	}
	return data, true
}

// expand reads what comes out of n octets. An error in it ends it: readers of PDF show
// what came before.
func (d *pdfReader) expand(r io.Reader, n int) ([]byte, bool) {
	limit := min(max(4<<20, int64(n)*d.w.b.Ratio), d.w.b.Expanded-d.w.used.Expanded, d.w.b.Whole)
	var buf bytes.Buffer
	got, _ := io.Copy(&buf, io.LimitReader(r, limit+1))
	if !d.w.spend(got) || got > limit {
		d.cut = true
		return nil, false
	}
	return buf.Bytes(), true
}

func (v *pdfFileView) direct(x pdfValue) pdfValue {
	for range 10 {
		r, ok := x.(pdfRef)
		if !ok {
			return x
		}
		o, known := v.objects[int(r)]
		switch {
		case !known:
			return nil
		case o.dict != nil:
			x = o.dict
		default:
			x = o.other
		}
	}
	return nil
}

func (v *pdfFileView) encrypted() bool {
	for _, t := range v.trailers {
		if t["Encrypt"] != nil {
			return true
		}
	}
	return false
}

// decrypted is the file as PDFium writes it without its encryption.
func (d *pdfReader) decrypted() []byte {
	doc, err := d.e.inst.OpenDocument(&requests.OpenDocument{File: &d.data})
	if err != nil {
		return nil
	}
	const removeSecurity = 3
	var buf bytes.Buffer
	if _, err := d.e.inst.FPDF_SaveAsCopy(&requests.FPDF_SaveAsCopy{Document: doc.Document, Flags: removeSecurity, FileWriter: &buf}); err != nil {
		return nil
	}
	_, _ = d.e.inst.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: doc.Document})
	return buf.Bytes()
}

// properties writes the document's Info, its XMP, the names of its layers, and finds what
// it does by itself.
func (v *pdfFileView) properties(out *writer) {
	infos := map[int]bool{}
	for _, t := range v.trailers {
		if r, ok := t["Info"].(pdfRef); ok {
			infos[int(r)] = true
		}
		if d, ok := t["Info"].(pdfDict); ok {
			pdfInfo(out, d)
		}
	}
	for _, n := range v.order {
		o := v.objects[n]
		if o.dict == nil {
			continue
		}
		if infos[n] {
			pdfInfo(out, o.dict)
		}
		switch o.dict.name("Type") {
		case "Metadata":
			if b, ok := v.decode(o); ok {
				pdfXMP(out, b)
			}
		case "OCG":
			if s := o.dict.text("Name"); s != "" {
				out.add(Unit{Place: Metadata, Where: "name of a layer", Text: "layer: " + s})
			}
		}
		if pdfActs(o.dict, 0) {
			v.d.w.res.Files[v.d.w.current].Macros = true
		}
	}
}

// pdfInfo writes the entries of an Info dictionary.
func pdfInfo(out *writer, d pdfDict) {
	keys := make([]string, 0, len(d))
	for k := range d {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if s := d.text(k); s != "" {
			out.add(Unit{Place: Metadata, Where: "property " + label(k), Text: k + ": " + s})
		}
	}
}

// pdfActs says whether an action in a dictionary runs code, or another program.
func pdfActs(v pdfValue, depth int) bool {
	if depth > 8 {
		return false
	}
	switch v := v.(type) {
	case pdfDict:
		switch v.name("S") {
		case "JavaScript", "Launch":
			return true
		}
		if v["JS"] != nil {
			return true
		}
		for _, x := range v {
			if pdfActs(x, depth+1) {
				return true
			}
		}
	case []pdfValue:
		for _, x := range v {
			if pdfActs(x, depth+1) {
				return true
			}
		}
	}
	return false
}

// pdfXMP writes the properties in a packet of XMP: "name: value" of elements and attributes.
func pdfXMP(out *writer, b []byte) {
	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.Strict, dec.Entity = false, xml.HTMLEntity
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var names []string
	var text strings.Builder
	add := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" && name != "" {
			out.add(Unit{Place: Metadata, Where: "property " + label(name), Text: name + ": " + value})
		}
	}
	for {
		t, err := dec.RawToken()
		if err != nil {
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(names) > 200 {
				return
			}
			names = append(names, t.Name.Local)
			text.Reset()
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Space != "xml" && a.Name.Space != "rdf" && a.Name.Local != "xmlns" {
					add(a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			name := ""
			for i := len(names) - 1; i >= 0 && name == ""; i-- { // of a list its name counts
				switch names[i] {
				case "li", "Alt", "Bag", "Seq":
				default:
					name = names[i]
				}
			}
			add(name, text.String())
			text.Reset()
			if n := len(names); n > 0 {
				names = names[:n-1]
			}
		}
	}
}
