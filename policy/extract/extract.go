package extract

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"sampul/internal/message"
)

// Budget bounds the work for one message with all that it carries. Past it the rest
// is a [Gap] with reason [TooMuch].
type Budget struct {
	Depth    int           // containers in containers; 16
	Members  int           // files in containers; 10,000
	Expanded int64         // octets that come out of containers and encodings; 512 MiB
	Ratio    int64         // of what comes out to what went in, once it is over 1 MiB; 200
	Units    int           // of text; 500,000
	Text     int64         // octets of text; 64 MiB
	Whole    int64         // octets of one file that must be in memory as a whole; 128 MiB
	CPU      time.Duration // of this process, for the message; 30 s
	OCR      time.Duration // of what recognises letters in pictures; 60 s, which are 30 on two cores
	Pixels   int64         // octets that one decoded picture may take; 176 MiB

	// Worth says whether text can hold anything that is looked for; nil: all is
	// worth to be taken apart. It spares plain mail most of the work.
	Worth func(text string) bool `json:"-"`

	// Apart reads a document of a binary or container format elsewhere, in a worker process,
	// and says what that used in all; its findings are the caller's affair. Nil: it is read here.
	Apart func(d Document) (Used, error) `json:"-"`

	// Recognise reads letters in pictures; nil: there is nothing that can.
	Recognise Recogniser `json:"-"`
}

// Used is how much of a budget is gone.
type Used struct {
	Members  int
	Expanded int64
	Units    int
	Text     int64
	CPU      time.Duration
	OCR      time.Duration
}

// A Document is a file with where it stands. It is plain data, that a pipe can carry.
type Document struct {
	Path     string // through containers, for people
	Depth    int
	Name     string
	Kind     string // what it seems to be
	Declared string // media type
	Charset  string
	Data     []byte
	Used     Used // before it
}

// A Recogniser finds lines of letters in pages, all in one go: out[i] is what stands on
// pages[i]. Its error is the end of ctx, or a fault of what does the work; a page on which the
// work failed is no error, see [Recognised].
type Recogniser func(ctx context.Context, pages []*image.Gray, how Recognition) (out []Recognised, err error)

// Recognition says how pages are to be read.
type Recognition struct {
	Sparse bool // a few lines anywhere, such as the strips at the head and foot
	Quick  bool // the fastest way will do: what is read badly is asked for again without it
	DPI    int  // 0 for unknown
}

// Recognised is one page.
type Recognised struct {
	Lines  []RecognisedLine // from top to bottom
	Failed bool             // the page could not be read: the program failed on it, or took too long
	CPU    time.Duration    // that it took
}

// A RecognisedLine is one line in a picture.
type RecognisedLine struct {
	Text       string
	Box        image.Rectangle
	Height     int // of its capitals, in pixels
	Confidence int // 0 to 100
}

// Filled is b with what is built in where it says nothing.
func (b Budget) Filled() Budget { return b.filled() }

func (b Budget) filled() Budget {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&b.Depth, 16)
	def(&b.Members, 10_000)
	def(&b.Units, 500_000)
	if b.CPU <= 0 {
		b.CPU = 30 * time.Second
	}
	if b.OCR <= 0 {
		b.OCR = 60 * time.Second
	}
	for v, d := range map[*int64]int64{&b.Expanded: 512 << 20, &b.Ratio: 200, &b.Text: 64 << 20, &b.Whole: 128 << 20, &b.Pixels: 176 << 20} {
		if *v <= 0 {
			*v = d
		}
	}
	return b
}

// Message takes a message apart. Its error is that of reading body, or of ctx: what is
// wrong with the message itself is a [Gap].
func Message(ctx context.Context, x *message.Index, body io.ReaderAt, b Budget) (*Result, error) {
	w := &walker{ctx: ctx, b: b.filled()}
	w.clock.start()
	w.message(at{}, x, body)
	return w.result()
}

// Read takes apart one document.
func Read(ctx context.Context, d Document, b Budget) (*Result, error) {
	w := &walker{ctx: ctx, b: b.filled(), used: d.Used}
	w.b.Apart = nil
	w.clock.start()
	w.file(at{d.Path, d.Depth}, source{name: d.Name, declared: d.Declared, charset: d.Charset, data: d.Data})
	return w.result()
}

// A walker goes through one message.
type walker struct {
	ctx context.Context
	b   Budget
	res Result

	used    Used
	lists   int
	current int   // in res.Files: the document that is read now
	sums    *sums // not nil: nothing is read, sums are made
	held    int64 // octets of opened files that are in memory now
	clock   clock

	pictures map[[32]byte]bool // that were read, by their hash
	decoded  int64             // octets of pixels

	over bool
	err  error // of reading: the message is not judged
}

func (w *walker) result() (*Result, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
	w.used.CPU += w.clock.used()
	w.res.Used = w.used
	return &w.res, nil
}

// at is where in the message something stands.
type at struct {
	path  string
	depth int
}

func (a at) in(name string) at {
	if a.path != "" {
		name = a.path + " > " + name
	}
	return at{name, a.depth + 1}
}

// A source is bytes to be read, with what is said of them.
type source struct {
	name     string // file name, "" for none
	declared string // media type, "" for none: a hint for text alone
	charset  string
	flowed   bool // format=flowed (RFC 3676)
	data     []byte

	text string // decoded before, "" for not
}

func (w *walker) gap(a at, kind string, why Reason, text string) {
	p := a.path
	if p == "" {
		p = "body"
	}
	if len(w.res.Gaps) < 1000 {
		w.res.Gaps = append(w.res.Gaps, Gap{Path: p, Kind: kind, Reason: why, Why: text})
	}
}

// dull says that nothing that is looked for can stand in text.
func (w *walker) dull(text string) bool { return w.b.Worth != nil && !w.b.Worth(text) }

// A writer gathers the units of one part.
type writer struct {
	w    *walker
	part Part
}

func (w *walker) part(a at, kind string) *writer {
	p := a.path
	if p == "" {
		p = "body"
	}
	return &writer{w, Part{Path: p, Kind: kind}}
}

func (p *writer) add(u Unit) {
	u.Text = strings.TrimSpace(uncontrolled(u.Text))
	if u.Text == "" {
		return
	}
	w := p.w
	w.used.Units++
	w.used.Text += int64(len(u.Text))
	switch {
	case w.used.Units > w.b.Units:
		w.exceed(at{path: p.part.Path}, p.part.Kind, fmt.Sprintf("more than %d lines of text in the message", w.b.Units))
		return
	case w.used.Text > w.b.Text:
		w.exceed(at{path: p.part.Path}, p.part.Kind, "more than "+size(w.b.Text)+" of text in the message")
		return
	}
	p.part.Units = append(p.part.Units, u)
}

// uncontrolled drops control characters: they do not show.
func uncontrolled(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
					return -1
				}
				return r
			}, s)
		}
	}
	return s
}

func (p *writer) end() {
	if len(p.part.Units) > 0 {
		p.w.res.Parts = append(p.w.res.Parts, p.part)
	}
}

// list is a new number for a list or table.
func (w *walker) list() int {
	w.lists++
	return w.lists
}

// name adds a file name, which can carry a mark.
func (w *walker) name(a at, name string) {
	if name == "" {
		return
	}
	p := w.part(a, "name")
	p.add(Unit{Place: FileName, Where: "file name", Text: path.Base(strings.ReplaceAll(name, `\`, "/"))})
	p.end()
}

// file reads a document by what it contains. A reader that fails is a finding: one
// document must not stop the suite.
func (w *walker) file(a at, s source) {
	if !w.tick() {
		return
	}
	held := w.held
	defer func() { w.held = held }()
	k := sniff(&s)
	f := len(w.res.Files)
	w.res.Files = append(w.res.Files, File{Path: a.path, Name: shortName(s.name), Kind: k.name, Declared: s.declared, Size: int64(len(s.data)),
		Depth: a.depth - 1, Head: bytes.Clone(s.data[:min(len(s.data), HeadSize)])})
	w.current = f
	if k.apart && w.b.Apart != nil {
		w.res.Files = w.res.Files[:f] // whoever reads it tells of it
		w.used.CPU += w.clock.used()
		used, err := w.b.Apart(Document{Path: a.path, Depth: a.depth, Name: s.name, Kind: k.name, Declared: s.declared, Charset: s.charset,
			Data: s.data, Used: w.used})
		w.used = used
		w.clock.start()
		if err != nil {
			w.err = err
		}
		return
	}
	defer func() {
		if p := recover(); p != nil {
			w.gap(a, k.name, Damaged, "the reader failed on it")
		}
	}()
	if k.read == nil {
		w.gap(a, k.name, Opaque, "this kind of file is not read")
	} else {
		k.read(w, a, &s)
	}
	switch {
	case k.trailer:
		w.hidden(a, s.data, 1)
	case !k.apart:
		w.behindText(a, s.data)
	}
}

// label makes a name that stands well in a path: short, on one line, without control
// characters.
func label(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, name)
	if utf8.RuneCountInString(name) > 60 {
		r := []rune(name)
		name = string(r[:40]) + "..." + string(r[len(r)-15:])
	}
	return name
}

func quoted(name string) string { return fmt.Sprintf("%q", label(name)) }

// shortName bounds a name that rules look at.
func shortName(name string) string {
	if len(name) > 1024 {
		return name[:512] + "..." + name[len(name)-500:]
	}
	return name
}
