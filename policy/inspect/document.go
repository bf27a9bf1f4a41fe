package inspect

import (
	"context"
	"errors"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// document has a document read by a worker, unless that was done before. Whatever it does
// to the worker is a finding; lost says that the report is about the worker's end, which
// another time may not come.
func (i *Inspector) document(ctx context.Context, d extract.Document, s *mark.Settings) (rep *Report, lost bool, err error) {
	if int64(len(d.Data)) > i.o.Budget.Whole {
		return unreadable(d, extract.TooMuch, "it is larger than what can be looked at"), false, nil
	}
	k := documentKey(d, s)
	if rep := i.cache.document(k, d, i.o.Budget); rep != nil {
		return rep, false, nil
	}
	rep, err = i.pool.read(ctx, d, i.o.Budget, s)
	switch {
	case err == nil:
	case errors.Is(err, errWork):
		rep = unreadable(d, extract.TooMuch, "it takes more work than is allowed to read it")
		rep.Used.CPU = i.o.Budget.CPU
	case errors.Is(err, errMemory):
		rep = unreadable(d, extract.TooMuch, "it takes more memory than is allowed to read it")
	case errors.Is(err, errLost):
		return unreadable(d, extract.Damaged, "the reader failed on it"), true, nil
	default:
		return nil, false, err
	}
	i.cache.keep(k, d, rep)
	return rep, false, nil
}

// unreadable is the report on a document that was not read.
func unreadable(d extract.Document, why extract.Reason, text string) *Report {
	p := d.Path
	if p == "" {
		p = "body"
	}
	return &Report{
		Gaps: []extract.Gap{{Path: p, Kind: d.Kind, Reason: why, Why: text}},
		Files: []extract.File{{Path: d.Path, Name: d.Name, Kind: d.Kind, Declared: d.Declared, Size: int64(len(d.Data)),
			Depth: d.Depth - 1, Head: d.Data[:min(len(d.Data), extract.HeadSize)]}},
		Used: d.Used,
	}
}

// add takes in what was found in a part.
func (r *Report) add(other *Report) {
	r.Found.Add(other.Found)
	r.Gaps = append(r.Gaps, other.Gaps...)
	r.Files = append(r.Files, other.Files...)
	r.Notes = append(r.Notes, other.Notes...)
}

// settle puts what is said of the message as a whole to the document's account.
func (r *Report) settle(path string) {
	for i := range r.Gaps {
		if g := &r.Gaps[i]; !below(g.Path, path) {
			g.Path = path
		}
	}
}

// sound says whether a report of a worker can be one on what stands at path.
func (r *Report) sound(path string) bool {
	for i := range r.Found.Findings {
		f := &r.Found.Findings[i]
		if f.Class > mark.RahsiaBesar || !below(f.Path, path) {
			return false
		}
	}
	for _, g := range r.Gaps {
		if !below(g.Path, path) {
			return false
		}
	}
	for _, f := range r.Files {
		if !below(f.Path, path) || len(f.Head) > extract.HeadSize {
			return false
		}
	}
	return true
}

func below(path, top string) bool {
	return len(path) >= len(top) && path[:len(top)] == top
}
