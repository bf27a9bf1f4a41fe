package message

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// maxBoundary is the longest boundary that is looked for. RFC 2046 allows 70
// octets; more is seen in the wild.
const maxBoundary = 256

// maxBoundaryLine is how much of a line that may be a boundary is kept: the
// boundary, its dashes, and some of the white space that transports add.
const maxBoundaryLine = maxBoundary + 64

// Indexer makes an [Index] of what is written to it, in pieces of any size.
type Indexer struct {
	limits Limits
	x      *Index

	off   int64 // of the next octet
	lines int64 // line feeds so far

	cur    int    // the part whose header or body is being read
	header bool   // reading its header
	rest   bool   // a budget for parts is spent: nothing is looked for any more
	buf    []byte // header octets of cur
	fields []rawField
	first  bool // no line of the header was seen yet

	line      []byte // the start of the current line, as far as it matters
	lineStart int64
	lineLen   int64
	lastTerm  int64 // octets of the line end before the current line

	open   []container    // multiparts whose boundary is looked for, outermost first
	byName map[string]int // boundary to its place in open, the innermost of equal ones

	bodyLines []int64 // per part: x.lines when its body began
}

type container struct {
	part     int
	boundary string
	shadowed int // place in open of an outer container with the same boundary, -1 for none
}

type rawField struct{ start, colon, end int } // in buf; colon is -1 for junk

// NewIndexer begins an index under the limits l.
func NewIndexer(l Limits) *Indexer {
	x := &Indexer{limits: l, x: &Index{Parts: make([]Part, 0, 4)}}
	x.begin(-1, 0)
	return x
}

// Parse indexes the message b under [DefaultLimits].
func Parse(b []byte) *Index {
	x := NewIndexer(DefaultLimits)
	x.Write(b)
	return x.Finish()
}

// begin opens a new part at off and reads its header.
func (x *Indexer) begin(parent int, off int64) {
	n := len(x.x.Parts)
	x.x.Parts = append(x.x.Parts, Part{Parent: parent, Start: off, BodyStart: -1, End: -1})
	x.bodyLines = append(x.bodyLines, 0)
	if parent >= 0 {
		p := &x.x.Parts[parent]
		p.Children = append(p.Children, n)
	}
	x.cur, x.header, x.first = n, true, true
	x.buf, x.fields = x.buf[:0], x.fields[:0]
}

// Write adds p to the message. It never fails.
func (x *Indexer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if x.lineLen == 0 && !x.header && (len(x.open) == 0 || x.rest) {
			x.skip(p)
			break
		}
		end := bytes.IndexByte(p, '\n')
		piece := p
		if end >= 0 {
			piece = p[:end+1]
		}
		p = p[len(piece):]
		x.note8(piece)
		if end >= 0 && x.lineLen == 0 {
			x.lineLen = int64(len(piece))
			x.off += x.lineLen
			x.endLine(piece) // the common case: a whole line, nothing copied
			continue
		}
		x.keep(piece)
		x.lineLen += int64(len(piece))
		x.off += int64(len(piece))
		if end >= 0 {
			x.endLine(x.line)
		} else if x.header && len(x.buf)+len(x.line) > x.limits.HeaderBytes {
			x.overHeader()
		}
	}
	return n, nil
}

// skip counts a stretch of body in which nothing is looked for.
func (x *Indexer) skip(p []byte) {
	x.lines += int64(bytes.Count(p, []byte{'\n'}))
	x.note8(p)
	x.off += int64(len(p))
	x.lineStart = x.off
}

// note8 remembers octets above 127.
func (x *Indexer) note8(p []byte) {
	if x.x.EightBit && (!x.header || x.cur != 0) {
		return
	}
	if has8bit(p) {
		x.x.EightBit = true
		x.x.UTF8 = x.x.UTF8 || x.header && x.cur == 0
	}
}

// has8bit looks at eight octets at a time: this is where the time of a large body goes.
func has8bit(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&0x8080808080808080 != 0 {
			return true
		}
		p = p[8:]
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// keep saves the start of a line that comes in pieces: all of it in a header,
// else what a boundary could need and, always, its last octets.
func (x *Indexer) keep(piece []byte) {
	if x.header {
		x.line = append(x.line, piece...)
		return
	}
	if len(x.line) == 0 {
		x.line = append(x.line, piece[:min(len(piece), maxBoundaryLine)]...)
	} else if len(x.line) < maxBoundaryLine {
		x.line = append(x.line, piece[:min(len(piece), maxBoundaryLine-len(x.line))]...)
	}
	// A line end of CRLF may be cut in two; its CR is found again below.
	if len(piece) > maxBoundaryLine || len(x.line) >= maxBoundaryLine {
		x.lastCR(piece)
	}
}

// lastCR makes a long line that is kept in part end as it really ends.
func (x *Indexer) lastCR(piece []byte) {
	switch n := len(piece); {
	case n >= 2 && piece[n-1] == '\n' && piece[n-2] == '\r':
		x.line = append(x.line[:maxBoundaryLine-2], '\r', '\n')
	case n == 1 && piece[0] == '\n' && len(x.line) > 0 && x.line[len(x.line)-1] == '\r':
		x.line = append(x.line[:maxBoundaryLine-2], '\r', '\n')
	case n >= 1 && piece[n-1] == '\n':
		x.line = append(x.line[:maxBoundaryLine-1], '\n')
	case n >= 1 && piece[n-1] == '\r':
		x.line = append(x.line[:maxBoundaryLine-1], '\r')
	default:
		x.line = append(x.line[:maxBoundaryLine-1], 'x')
	}
}

// endLine takes one line with its end. For a long body line only the start and
// the end of line are there; lineLen tells its real length.
func (x *Indexer) endLine(line []byte) {
	x.lines++
	term := int64(1)
	if n := len(line); n >= 2 && line[n-2] == '\r' {
		term = 2
	}
	start := x.off - x.lineLen
	switch {
	case x.rest:
	case len(x.open) > 0 && len(line) > 2 && line[0] == '-' && line[1] == '-' && x.lineLen <= maxBoundaryLine && x.boundary(line, start):
	case x.header:
		x.headerLine(line, start, int(term))
	}
	x.lastTerm = term
	x.lineStart, x.lineLen = x.off, 0
	x.line = x.line[:0]
}

// boundary says whether the line is the boundary of an open multipart, and acts on it.
func (x *Indexer) boundary(line []byte, start int64) bool {
	name := bytes.TrimRight(line[2:], " \t\r\n")
	at, ok := x.byName[string(name)]
	closing := false
	if !ok && bytes.HasSuffix(name, []byte("--")) {
		at, ok = x.byName[string(name[:len(name)-2])]
		closing = ok
	}
	if !ok {
		return false
	}
	multi := x.open[at].part
	x.closeParts(multi, start)
	x.pop(at + 1)
	if closing {
		x.pop(at)
		x.cur, x.header = multi, false // the epilogue belongs to the multipart's own body
		return true
	}
	if len(x.x.Parts) >= x.limits.Parts-1 {
		x.overParts(multi)
		return true
	}
	x.begin(multi, x.off)
	return true
}

// closeParts ends what is open inside multi: a part ends before the line end that
// belongs to the boundary (RFC 2046 section 5.1.1).
func (x *Indexer) closeParts(multi int, start int64) {
	if x.header && x.cur != multi {
		x.endHeader(start, x.lines-1, true)
	}
	end := start - x.lastTerm
	for i := x.cur; i != multi && i >= 0; i = x.x.Parts[i].Parent {
		// A part whose header took the line end keeps it, and so do those around it.
		end = max(end, x.x.Parts[i].BodyStart)
		x.closePart(i, end, start)
	}
}

// closePart sets the end of part i. Text that stops before the last line end has
// one line end less than was counted.
func (x *Indexer) closePart(i int, end, start int64) {
	p := &x.x.Parts[i]
	if p.End >= 0 {
		return
	}
	p.End = end
	p.Lines = x.lines - 1 - x.bodyLines[i]
	if end < start {
		p.Lines--
	}
	p.Lines = max(p.Lines, 0)
}

// pop forgets the containers from place n on.
func (x *Indexer) pop(n int) {
	for i := len(x.open) - 1; i >= n; i-- {
		c := x.open[i]
		if c.shadowed >= 0 {
			x.byName[c.boundary] = c.shadowed
		} else {
			delete(x.byName, c.boundary)
		}
	}
	x.open = x.open[:n]
}

func (x *Indexer) push(part int, boundary string) {
	if x.byName == nil {
		x.byName = make(map[string]int)
	}
	shadowed, ok := x.byName[boundary]
	if !ok {
		shadowed = -1
	}
	x.byName[boundary] = len(x.open)
	x.open = append(x.open, container{part, boundary, shadowed})
}

// opaque notes that a budget was passed at part i.
func (x *Indexer) opaque(i int, budget string) {
	x.x.Parts[i].Opaque = budget
	if x.x.Opaque == "" {
		x.x.Opaque = budget
	}
}

// overParts makes all that follows one opaque part of multi.
func (x *Indexer) overParts(multi int) {
	x.begin(multi, x.off)
	x.header, x.rest = false, true
	p := &x.x.Parts[x.cur]
	p.BodyStart = x.off
	p.Type, p.Subtype, p.Encoding = "application", "octet-stream", "binary"
	x.bodyLines[x.cur] = x.lines
	x.opaque(x.cur, "parts")
}

// overHeader ends a header that is too long: the rest of the part is opaque.
func (x *Indexer) overHeader() {
	x.opaque(x.cur, "header")
	x.endHeader(x.lineStart, x.lines, true)
	x.line = append(x.line[:0], bytes.Repeat([]byte{'x'}, min(int(x.lineLen), maxBoundaryLine))...)
}

func (x *Indexer) headerLine(line []byte, start int64, term int) {
	if len(line) == term { // blank: the header is over
		x.endHeader(x.off, x.lines, false)
		return
	}
	if len(x.buf)+len(line) > x.limits.HeaderBytes {
		x.opaque(x.cur, "header")
		x.endHeader(start, x.lines-1, true)
		return
	}
	at := len(x.buf)
	x.buf = append(x.buf, line...)
	first := x.first
	x.first = false
	if n := len(x.fields); (line[0] == ' ' || line[0] == '\t') && n > 0 {
		x.fields[n-1].end = len(x.buf)
		return
	}
	colon := bytes.IndexByte(line, ':')
	if first && x.cur == 0 && separator(line) {
		colon = -1
	}
	if colon >= 0 && !fieldName(bytes.TrimRight(line[:colon], " \t")) {
		colon = -1
	}
	x.fields = append(x.fields, rawField{at, colon, len(x.buf)})
}

// separator is the line that mbox puts before a message. "From : a@b.test" is a field in
// the obsolete form (RFC 5322 section 4.5.2).
func separator(line []byte) bool {
	rest, found := bytes.CutPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From "))
	return found && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(":"))
}

// fieldName allows more than RFC 5322 section 2.2 does: 8-bit names are seen.
func fieldName(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == 127 {
			return false
		}
	}
	return true
}

// endHeader reads the fields of the current part; its body begins at off, after
// so many lines. When cut is set there was no blank line.
func (x *Indexer) endHeader(off, lines int64, cut bool) {
	i := x.cur
	p := &x.x.Parts[i]
	p.BodyStart = off
	x.header = false
	x.bodyLines[i] = lines
	raw := string(x.buf) // one copy serves all fields of the part
	p.Fields = make([]Field, 0, len(x.fields))
	for _, f := range x.fields {
		field := Field{Start: p.Start + int64(f.start), End: p.Start + int64(f.end)}
		if f.colon < 0 {
			field.Value = []byte(raw[f.start:f.end])
		} else {
			field.Name = strings.TrimRight(raw[f.start:f.start+f.colon], " \t")
			field.Value = []byte(raw[f.start+f.colon+1 : f.end])
		}
		p.Fields = append(p.Fields, field)
	}
	overParams := readMIME(p, x.digest(p.Parent), x.limits.Params)
	switch {
	case p.Opaque != "":
		p.Type, p.Subtype = "application", "octet-stream"
	case overParams:
		x.opaque(i, "params")
	case cut:
	case p.Type == "multipart":
		x.enterMultipart(i)
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && identity(p.Encoding):
		x.enterMessage(i)
	}
}

// digest says whether parts of the parent are messages by default (RFC 2046 section 5.1.5).
func (x *Indexer) digest(parent int) bool {
	return parent >= 0 && x.x.Parts[parent].Type == "multipart" && x.x.Parts[parent].Subtype == "digest"
}

func identity(encoding string) bool {
	return encoding == "7bit" || encoding == "8bit" || encoding == "binary"
}

func (x *Indexer) depth(i int) int {
	d := 0
	for ; i >= 0; i = x.x.Parts[i].Parent {
		d++
	}
	return d
}

func (x *Indexer) enterMultipart(i int) {
	p := &x.x.Parts[i]
	b := strings.TrimRight(ParamValue(p.Params, "boundary"), " \t")
	if b == "" || len(b) > maxBoundary {
		return
	}
	if x.depth(i) >= x.limits.Depth {
		x.opaque(i, "depth")
		return
	}
	x.push(i, b)
}

func (x *Indexer) enterMessage(i int) {
	switch {
	case x.depth(i) >= x.limits.Depth:
		x.opaque(i, "depth")
	case len(x.x.Parts) >= x.limits.Parts-1:
		x.opaque(i, "parts")
	default:
		x.x.Parts[i].Message = true
		x.begin(i, x.x.Parts[i].BodyStart)
	}
}

// Header is the message's own header once all of it has come, nil before. It does not
// change any more.
func (x *Indexer) Header() *Part {
	if x.header && x.cur == 0 {
		return nil
	}
	return &x.x.Parts[0]
}

// Finish ends the message. The Indexer is of no use afterwards.
func (x *Indexer) Finish() *Index {
	x.endLastLine()
	if x.header {
		x.endHeader(x.off, x.lines, true)
		if x.header { // message/rfc822 with nothing inside
			x.endHeader(x.off, x.lines, true)
		}
	}
	x.x.Size = x.off
	for i := range x.x.Parts {
		p := &x.x.Parts[i]
		if p.End < 0 {
			p.End = x.off
			p.Lines = max(x.lines-x.bodyLines[i], 0)
		}
	}
	return x.x
}

// endLastLine takes a last line that has no end.
func (x *Indexer) endLastLine() {
	if x.lineLen == 0 {
		return
	}
	line := x.line
	start := x.off - x.lineLen
	if !x.rest && len(x.open) > 0 && len(line) > 2 && line[0] == '-' && line[1] == '-' && x.lineLen <= maxBoundaryLine {
		x.lines++ // as if it had its end, which closePart takes away again
		if x.boundary(line, start) {
			x.lines--
			return
		}
		x.lines--
	}
	if x.header && len(x.buf)+len(line) <= x.limits.HeaderBytes {
		x.headerLine(line, start, 0)
	}
}
