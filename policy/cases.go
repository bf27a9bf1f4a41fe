package policy

import (
	"context"
	"crypto/sha256"
	"fmt"

	"sampul/policy/extract"
	"sampul/policy/mark"
	"sampul/store"
)

// Cases knows which refused messages an officer has looked at; a store does.
type Cases interface {
	CasesByParts(ctx context.Context, agency string, sums [][32]byte) ([]store.Case, error)
	PartHash(sum [32]byte) string
}

// A standing is what the cases of an agency say of a message.
type standing struct {
	sums     [][32]byte // of the parts that the verdict rests on
	whole    [32]byte   // of all parts: the same when the same letter is sent again
	released string     // case by which an officer let all of them pass
	known    string     // case that is open or denied for just these parts
	open     bool       // a case may be opened
}

// cases finds out whether an officer has let pass all that the verdict rests on. What is
// proven to be RAHSIA or above is released by nobody.
func (j *judgement) cases(ctx context.Context) error {
	v := j.v
	if v.Class == Terbuka && v.Suspicion == Terbuka || j.o.Recorder == nil {
		return nil
	}
	all, err := extract.Sums(ctx, j.m.Index, j.m.Body, extract.Budget{})
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	s := &v.standing
	s.sums, s.whole = j.basisOf(all), wholeOf(all)
	s.open = !(v.Class >= Rahsia && v.found.Proven)
	if !s.open || j.o.Cases == nil {
		return nil
	}
	known, err := j.o.Cases.CasesByParts(ctx, j.agency(), s.sums)
	if err != nil {
		return fmt.Errorf("policy: cases: %w", err)
	}
	hashes := make(map[string]bool, len(s.sums)) // false while nobody let the part pass
	for _, sum := range s.sums {
		hashes[j.o.Cases.PartHash(sum)] = false
	}
	latest := map[string]bool{} // the newest word on a part counts
	for _, c := range known {
		if s.known == "" && sameParts(c.Parts, hashes) {
			s.known = c.ID
		}
		for _, p := range c.Parts {
			if _, ours := hashes[p]; ours && !latest[p] && c.State != store.CaseOpen {
				latest[p] = true
				hashes[p] = c.State == store.CaseApproved
				s.released = c.ID
			}
		}
	}
	for _, passed := range hashes {
		if !passed {
			s.released = ""
		}
	}
	return nil
}

// wholeOf is the sum of all parts.
func wholeOf(all []extract.PartSum) [32]byte {
	h := sha256.New()
	for i := range all {
		h.Write([]byte(all[i].Path + "\x00"))
		h.Write(all[i].Sum[:])
	}
	return [32]byte(h.Sum(nil))
}

func sameParts(parts []string, hashes map[string]bool) bool {
	if len(parts) != len(hashes) {
		return false
	}
	for _, p := range parts {
		if _, ok := hashes[p]; !ok {
			return false
		}
	}
	return true
}

// basisOf are the sums of the parts in which anything stands that counts against the
// message; where no part can be named, of the message as a whole.
func (j *judgement) basisOf(all []extract.PartSum) [][32]byte {
	against := func(e Evidence) bool {
		return e.Class == Uninspectable || e.Class > Terbuka && e.Weight >= mark.Suspect
	}
	var out [][32]byte
	for _, p := range all {
		for _, e := range j.v.Evidence {
			if against(e) && p.Holds(e.Path) {
				out = append(out, p.Sum)
				break
			}
		}
	}
	for _, e := range j.v.Evidence {
		if !against(e) {
			continue
		}
		held := false
		for _, p := range all {
			held = held || p.Holds(e.Path)
		}
		if !held {
			return append(out, j.m.SHA256)
		}
	}
	return out
}

// kept is the class that stands beside the stored message: an officer who let it pass has
// said that there is none.
func (v *Verdict) kept() Class {
	if v.standing.released != "" {
		return Terbuka
	}
	return v.Class
}
