// Package message reads a message once and says what is where: the part tree
// with octet offsets, header fields, the decoded envelope, and IMAP's ENVELOPE
// and BODYSTRUCTURE. The body is never copied, and no message, however broken,
// is refused: what cannot be understood becomes one opaque part, and the index
// says so.
//
// Work is linear in the size of the message, and memory is charged against
// [Limits] before it is taken. Offsets are octets from the first octet of the
// body as SMTP or APPEND gave it.
package message

// Limits are the budgets of one message. Past one, the rest is a single opaque part.
type Limits struct {
	Depth       int // nested parts
	Parts       int // in all
	HeaderBytes int // of one part's header
	Params      int // parameters of one field
}

// DefaultLimits are those of the suite.
var DefaultLimits = Limits{Depth: 64, Parts: 10000, HeaderBytes: 1 << 20, Params: 256}

// Index is what one pass over a message found. Parts[0] is the message itself;
// a part stands after its parent, children in order.
type Index struct {
	Size     int64
	Parts    []Part
	EightBit bool   // an octet above 127 stands in the body
	UTF8     bool   // the header of the message has octets above 127
	Opaque   string // the first budget passed, "" for none
}

// Part is one part of the tree. The end of its body excludes the CRLF that
// belongs to the boundary line after it (RFC 2046 section 5.1.1).
type Part struct {
	Parent   int // index in Parts, -1 for the message
	Children []int

	Start     int64 // first octet of its header
	BodyStart int64 // after the blank line
	End       int64
	Lines     int64 // in the body

	Fields []Field // of its header, in order

	Type, Subtype string  // lower case; text/plain where none is given (RFC 2045 section 5.2)
	Params        []Param // of Content-Type, decoded (RFC 2231, RFC 2047)
	Disposition   string  // lower case, or ""
	DispParams    []Param
	Encoding      string // lower case, "7bit" where none is given
	ID            string
	Description   string // raw, unfolded
	Language      []string
	Location      string
	MD5           string

	// Message is true for message/rfc822 and message/global read inside: its one
	// child is the inner message.
	Message bool
	Opaque  string // why this part was not looked into: "depth", "parts", "header", ""
}

// Field is one header field. Its octets are Start to End of the message, the
// line end included; Value is raw: folded lines, octets as they came.
type Field struct {
	Name       string // as written
	Start, End int64
	Value      []byte
}

// Param is one parameter of a structured field, its name in lower case.
type Param struct{ Name, Value string }
