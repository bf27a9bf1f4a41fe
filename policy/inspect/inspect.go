// Package inspect takes messages apart and finds the marks in them: text and HTML in this
// process, documents of binary and container formats in worker processes, which have no
// network and no files, and whose end is a finding and no end of the suite.
package inspect

import (
	"context"
	"io"

	"sampul/internal/message"
	"sampul/policy/extract"
	"sampul/policy/mark"
)

// A Report is what was found in one message or document. It holds no text of it, and is
// plain data.
type Report struct {
	Found mark.Found
	Gaps  []extract.Gap
	Files []extract.File
	Notes []string
	Used  extract.Used
}

// Options of an inspector. The zero value reads everything in this process.
type Options struct {
	Budget extract.Budget
	Marks  *mark.Settings // nil: what is built in
}

// An Inspector may be used by many goroutines.
type Inspector struct{ o Options }

// New makes an inspector.
func New(o Options) *Inspector {
	if o.Budget.Worth == nil {
		o.Budget.Worth = func(text string, html bool) bool {
			if html {
				return mark.MaybeHTML(text)
			}
			return mark.Maybe(text)
		}
	}
	return &Inspector{o}
}

// Message looks through a message. Its error is a fault: of reading body, of the workers,
// or the end of ctx. What is wrong with the message itself stands in the report.
func (i *Inspector) Message(ctx context.Context, x *message.Index, body io.ReaderAt) (*Report, error) {
	res, err := extract.Message(ctx, x, body, i.o.Budget)
	if err != nil {
		return nil, err
	}
	return report(res, i.o.Marks), nil
}

func report(res *extract.Result, s *mark.Settings) *Report {
	return &Report{Found: mark.Find(res.Parts, s), Gaps: res.Gaps, Files: res.Files, Notes: res.Notes, Used: res.Used}
}

// Close ends the workers.
func (i *Inspector) Close() error { return nil }
