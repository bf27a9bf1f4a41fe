// Package ocr recognises letters in pictures with tesseract, which runs as processes of its
// own: pictures go in through a pipe, lines of text come out of one, and nothing is written
// to a disk. A process has limits of memory, of CPU time and of wall time, and no privileges
// that the suite has not. Whoever has a stronger cage starts it there, see [Options].
//
// A page on which tesseract fails, or needs too much CPU time, is a page that was not read,
// and no error: the suite goes on. A machine that is too busy to let it work in time is one.
package ocr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A Program is tesseract as it was found on this machine.
type Program struct {
	Path      string
	Version   string
	Languages []string // that are used, of those that are installed
}

// languages are those of the documents, in the order in which they are asked.
var languages = []string{"msa", "eng"}

// quick is the language whose reading takes half the time of others.
const quick = "eng"

// ErrMissing says that there is no tesseract that could be used.
var ErrMissing = errors.New("no program that reads pictures")

// Find looks for tesseract with Malay or English. The error wraps [ErrMissing] and says what
// to install.
func Find() (Program, error) {
	path, err := exec.LookPath("tesseract")
	if err != nil {
		return Program{}, fmt.Errorf("%w: tesseract is not installed (Debian: tesseract-ocr, tesseract-ocr-msa, tesseract-ocr-eng)", ErrMissing)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p := Program{Path: path, Version: "unknown"}
	if out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput(); err == nil {
		first, _, _ := bytes.Cut(out, []byte("\n"))
		p.Version = strings.TrimSpace(strings.TrimPrefix(string(first), "tesseract "))
	}
	out, err := exec.CommandContext(ctx, path, "--list-langs").CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("%w: %s does not run: %v", ErrMissing, path, err)
	}
	there := strings.Fields(string(out))
	for _, l := range languages {
		if slices.Contains(there, l) {
			p.Languages = append(p.Languages, l)
		}
	}
	if len(p.Languages) == 0 {
		return Program{}, fmt.Errorf("%w: %s has neither Malay nor English (Debian: tesseract-ocr-msa, tesseract-ocr-eng)", ErrMissing, path)
	}
	return p, nil
}
