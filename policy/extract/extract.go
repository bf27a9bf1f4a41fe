package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"sampul/internal/message"
)

// Budget bounds the work for one message with all that it carries. Past it the rest
// is a [Gap] with reason [TooMuch].
type Budget struct {
	Depth    int   // containers in containers; 16
	Members  int   // files in containers; 10,000
	Expanded int64 // octets that come out of containers and encodings; 512 MiB
	Ratio    int64 // of what comes out to what went in, once it is over 1 MiB; 200
	Units    int   // of text; 500,000
	Text     int64 // octets of text; 64 MiB

	// Worth says whether text, or HTML, can hold anything that is looked for; nil: all is
	// worth to be taken apart. It spares plain mail most of the work.
	Worth func(text string, html bool) bool
}

func (b Budget) filled() Budget {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&b.Depth, 16)
	def(&b.Members, 10_000)
	def(&b.Units, 500_000)
	for v, d := range map[*int64]int64{&b.Expanded: 512 << 20, &b.Ratio: 200, &b.Text: 64 << 20} {
		if *v <= 0 {
			*v = d
		}
	}
	return b
}

var errBudget = errors.New("past a limit of work")

// Message takes a message apart. Its error is that of reading body, or of ctx: what is
// wrong with the message itself is a [Gap].
func Message(ctx context.Context, x *message.Index, body io.ReaderAt, b Budget) (*Result, error) {
	w := &walker{ctx: ctx, b: b.filled()}
	w.message(at{}, x, body)
	return w.result()
}

// File takes apart one document, as if it were attached.
func File(ctx context.Context, name string, content []byte, b Budget) (*Result, error) {
	w := &walker{ctx: ctx, b: b.filled()}
	w.file(at{}, source{name: name, data: content})
	return w.result()
}

// A walker goes through one message.
type walker struct {
	ctx context.Context
	b   Budget
	res Result

	members  int
	expanded int64
	units    int
	text     int64
	lists    int
	over     bool
	err      error // of reading: the message is not judged
}

func (w *walker) result() (*Result, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
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
func (w *walker) dull(text string, html bool) bool { return w.b.Worth != nil && !w.b.Worth(text, html) }

// spend takes n octets of the budget for what is expanded.
func (w *walker) spend(n int64) bool {
	w.expanded += n
	return w.expanded <= w.b.Expanded
}

// member counts a file in a container.
func (w *walker) member(a at) bool {
	if w.members++; w.members > w.b.Members || a.depth > w.b.Depth {
		if !w.over {
			w.over = true
			w.gap(a, "container", TooMuch, "too many files, or too deep in each other")
		}
		return false
	}
	return w.err == nil && w.ctx.Err() == nil
}

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
	u.Text = strings.TrimSpace(u.Text)
	if u.Text == "" {
		return
	}
	w := p.w
	w.units++
	w.text += int64(len(u.Text))
	if w.units > w.b.Units || w.text > w.b.Text {
		if !w.over {
			w.over = true
			w.res.Gaps = append(w.res.Gaps, Gap{p.part.Path, p.part.Kind, TooMuch, "more text than can be looked at"})
		}
		return
	}
	p.part.Units = append(p.part.Units, u)
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
	if w.err != nil || w.ctx.Err() != nil {
		return
	}
	k := sniff(&s)
	defer func() {
		if p := recover(); p != nil {
			w.gap(a, k.name, Damaged, "the reader failed on it")
		}
	}()
	if k.read == nil {
		w.gap(a, k.name, Unread, "this kind of file is not read yet")
		return
	}
	k.read(w, a, &s)
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
