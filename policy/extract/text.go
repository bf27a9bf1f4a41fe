// Package extract takes a message apart and gives the text of everything in it,
// with the place where each piece stands. It decides by content, never by name or
// declared type, and keeps within [Budget].
//
// An extractor is a pure function from bytes to located text. What goes in and what
// comes out is plain data, so that a formats' extractor can run in a worker process
// on the other side of a pipe.
package extract

// Place says what kind of place a unit stands in (classification.md 5.1).
type Place string

const (
	HeaderField Place = "header-field" // "Name: value"
	Subject     Place = "subject"
	FileName    Place = "file-name"
	Metadata    Place = "metadata" // "Name: value" of a document's properties
	PageHeader  Place = "page-header"
	PageFooter  Place = "page-footer"
	Master      Place = "master"
	Watermark   Place = "watermark"
	Stamp       Place = "stamp" // text box, annotation
	Heading     Place = "heading"
	Cell        Place = "cell"
	ListItem    Place = "list-item"
	Paragraph   Place = "paragraph"
	Notes       Place = "notes"
	Comment     Place = "comment"
	Hidden      Place = "hidden"
	Deleted     Place = "deleted"
	OCRLine     Place = "ocr-line" // a line of letters recognised in a picture
	Strings     Place = "strings"  // printable octets in a file of a format that is not known
)

// Style is how a unit looks, where the format says so.
type Style uint16

const (
	Bold Style = 1 << iota
	Red
	Large // at least 1.3 times the body's size
	Centred
	ShownCaps // shown as capitals whatever the letters are
	Struck
	Code  // source code, monospaced block
	Aside // of a signature, a disclaimer or a block of addresses: no first or last line
)

// with is how a line looks of which one more run looks as the second says: as all of them do.
// One that is struck out in part may hold an old mark beside a new one, and counts as struck.
func (s Style) with(run Style) Style { return s&run | (s|run)&Struck }

// A Unit is one whole line, paragraph, cell or field, as it was written: matching
// normalises a copy. Runs within a paragraph are joined.
type Unit struct {
	Place Place
	Where string // for people: "line 3", "header1.xml", "sheet \"Data\" B4"
	Text  string
	Style Style
	Page  int // from 1 where pages, sheets or slides are known, else 0
	Row   int // of a Cell, from 1
	Col   int // of a Cell, from 1
	List  int // units of one list or table share a number; 0 for none
}

// A Part is the text of one body, document or quoted block, in reading order: first
// and last lines are those of the part.
type Part struct {
	Path  string // through containers, for people: `attachment 2 "bahan.zip" > kertas.docx`
	Kind  string // text, html, headers, docx ...
	Units []Unit
}

// Reason is why something was not read.
type Reason string

const (
	Locked  Reason = "locked"  // encrypted
	Damaged Reason = "damaged" // its format is known, and it cannot be read
	TooMuch Reason = "budget"  // past a limit of work
	Opaque  Reason = "opaque"  // a kind that nobody can read for marks: drawings, databases, unknown octets
	NoOCR   Reason = "no-ocr"  // a picture of a page, and nothing is there that reads pictures
)

// A Gap is something that was not read.
type Gap struct {
	Path   string
	Kind   string // zip, docx, pdf ...
	Reason Reason
	Why    string // for people
}

// A File is an attachment, or a file in one, as rules see it.
type File struct {
	Path     string
	Name     string // as it is called, "" for nothing
	Kind     string // by content: docx, zip, executable ...
	Declared string // media type that the message names, "" for none
	Size     int64  // decoded, in octets
	Depth    int    // 0 for an attachment of the message itself
	Head     []byte // its first octets, [HeadSize] at most
	Macros   bool   // carries program code that an office program would run
	Locked   bool   // encrypted, or holds something that is
}

// HeadSize is how much of a file's beginning is kept for rules by magic bytes.
const HeadSize = 32

// Result is all that was found in a message.
type Result struct {
	Parts []Part
	Gaps  []Gap
	Files []File
	Notes []string // for people: what was sampled, or looked at in part only
	Used  Used
}
