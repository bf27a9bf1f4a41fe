package extract

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"regexp"
	"strings"

	"sampul/internal/message"
)

// A PartSum is the SHA-256 of one part of a message: of an attachment as it was before
// encoding, of a text with its blanks evened out, of the subject without what replies and
// declarations put before it. It is the same when the same letter is sent again.
type PartSum struct {
	Path string // the first step of the paths of findings in it
	Sum  [32]byte
}

// Holds says whether a finding's path leads into the part.
func (p PartSum) Holds(path string) bool {
	return path == p.Path || strings.HasPrefix(path, p.Path+" > ")
}

// Sums are those of a message's own parts. Its error is that of reading body, or of ctx.
func Sums(ctx context.Context, x *message.Index, body io.ReaderAt, b Budget) ([]PartSum, error) {
	w := &walker{ctx: ctx, b: b.filled(), sums: &sums{by: map[string]hash.Hash{}}}
	w.message(at{}, x, body)
	if _, err := w.result(); err != nil {
		return nil, err
	}
	var out []PartSum
	for _, path := range w.sums.order {
		p := PartSum{Path: path}
		w.sums.by[path].Sum(p.Sum[:0])
		out = append(out, p)
	}
	return out, nil
}

// sums gathers what stands under one path: the alternatives of a body are one part.
type sums struct {
	by    map[string]hash.Hash
	order []string
}

func (s *sums) add(path string, content []byte) {
	if path == "" {
		path = "body"
	}
	h := s.by[path]
	if h == nil {
		h = sha256.New()
		s.by[path] = h
		s.order = append(s.order, path)
	}
	h.Write(content)
	h.Write([]byte{0})
}

// text evens out blanks: what a client wraps anew is the same text.
func (s *sums) text(path string, content []byte) {
	s.add(path, []byte(strings.Join(strings.Fields(string(content)), " ")))
}

// restated is what is put before a subject when a letter is answered or sent again.
var restated = regexp.MustCompile(`(?i)^(?:\s|(?:RE|FW|FWD|BLS|BALAS|AW|WG|TR|SV)(?:\[\d+\])?\s*:|\[TERBUKA\])+`)

func (s *sums) subject(path, subject string) {
	s.text(path, []byte(strings.ToUpper(restated.ReplaceAllString(subject, ""))))
}
