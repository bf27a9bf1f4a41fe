package mark

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A Verdict is what all evidence together says.
type Verdict struct {
	Class     Class // None when nothing is certain
	Suspicion Class // the highest class with 40 to 79 points
	Proven    bool  // by E1 to E3, or a mark at both ends: nobody declares it away
	English   bool  // the class rests on English words alone
	Native    Class // what is certain without them; None for nothing
	Declared  bool  // the subject declares the message open
	Findings  []Finding
	Scores    map[Class]Score // by class, for those with any evidence
}

// A Score is what is for one class: its strongest evidence with what corroborates it, in
// the part where both are the most.
type Score struct {
	Points     int
	Path, Rule string // of the strongest
	Strongest  int
	Beside     int // corroboration
	native     int // Points without what is named in English alone
}

// Weigh says what all evidence of a message together shows.
func Weigh(f Found) Verdict {
	v := Verdict{Findings: f.Findings, Declared: f.Declared}
	if len(f.Redone) > 0 {
		v.Findings = slices.Clone(v.Findings) // f may be kept, and given out again
		for i := range v.Findings {
			anew(&v.Findings[i], f.Redone)
		}
	}
	if slides := enumerated(v.Findings); len(slides) > 0 {
		v.Findings = slices.Clone(v.Findings)
		for i := range v.Findings {
			if f := &v.Findings[i]; slides[slideOf(f)] && lone(f) {
				f.Weight, f.Why = 0, "N1: an enumeration of classes, a slide each"
			}
		}
	}
	v.Scores = scores(v.Findings)
	for i := range v.Findings {
		e := &v.Findings[i]
		v.Proven = v.Proven || e.Class >= Rahsia && e.Weight >= weights["E1"] && e.Rule != "N5"
	}
	for c := RahsiaBesar; c > Terbuka; c-- {
		s := v.Scores[c]
		if s.Points >= Certain && v.Class == None {
			v.Class = c
			v.English = s.native < Certain
		}
		if s.native >= Certain && v.Native == None {
			v.Native = c
		}
		if s.Points >= Suspect && s.Points < Certain && v.Suspicion == None && v.Class < c {
			v.Suspicion = c
		}
	}
	return v
}

// slide is the path or place of one slide of a presentation.
var slide = regexp.MustCompile(`(?i)(?:^| > |\b)(?:slide|slaid) ?\d+(?:\.xml)?$`)

// slideOf is the document that a slide belongs to, with which a finding stands in; "" when it
// is no slide.
func slideOf(f *Finding) string {
	if at := slide.FindStringIndex(f.Path); at != nil {
		return "of " + f.Path[:at[0]]
	}
	return ""
}

// lone is a mark on a line that nothing else on its page bears out.
func lone(f *Finding) bool { return f.Rule == "E4" && f.Weight > 0 && f.Weight <= weights["E4"] }

// enumerated are the presentations of which three slides or more begin with a class each, and
// no two with the same: they explain the classes (N1).
func enumerated(found []Finding) map[string]bool {
	on := map[string]map[Class]map[string]bool{} // document, class, slides
	for i := range found {
		f := &found[i]
		d := slideOf(f)
		if d == "" || !lone(f) {
			continue
		}
		if on[d] == nil {
			on[d] = map[Class]map[string]bool{}
		}
		if on[d][f.Class] == nil {
			on[d][f.Class] = map[string]bool{}
		}
		on[d][f.Class][f.Path] = true
	}
	out := map[string]bool{}
	for d, classes := range on {
		once := true
		for _, slides := range classes {
			once = once && len(slides) == 1
		}
		if len(classes) >= 3 && once {
			out[d] = true
		}
	}
	return out
}

// anew is N5 for one finding: the old class, at a place where it is struck out or called
// the original one, of a document that was classified anew.
func anew(f *Finding, redone []Redone) {
	if !f.Former || f.Rule == "N5" || f.Weight <= 0 {
		return
	}
	for _, r := range redone {
		if f.Class != r.Class && (f.Path == r.Path || strings.HasPrefix(f.Path, r.Path+" > ")) {
			f.Weight, f.Why = 0, "N5: the old class; the document was classified anew"
			return
		}
	}
}

// scores adds up, part by part: the strongest evidence, and all corroboration.
func scores(found []Finding) map[Class]Score {
	type key struct {
		path string
		c    Class
	}
	byPart := map[key]Score{}
	for i := range found {
		f := &found[i]
		if f.Weight <= 0 || strings.HasPrefix(f.Rule, "C") {
			continue
		}
		k := key{f.Path, f.Class}
		s := byPart[k]
		if f.Weight > s.Strongest {
			s.Path, s.Rule, s.Strongest = f.Path, f.Rule, f.Weight
		}
		if !f.English {
			s.native = max(s.native, f.Weight)
		}
		byPart[k] = s
	}
	for i := range found {
		f := &found[i]
		k := key{f.Path, f.Class}
		if s, ok := byPart[k]; ok && f.Weight > 0 && strings.HasPrefix(f.Rule, "C") {
			s.Beside += f.Weight
			byPart[k] = s
		}
	}
	out := map[Class]Score{}
	for _, k := range slices.SortedFunc(maps.Keys(byPart), func(a, b key) int { return strings.Compare(a.path, b.path) }) {
		s := byPart[k]
		s.Points = min(s.Strongest+s.Beside, weights["cap"])
		if s.native > 0 {
			s.native += s.Beside
		}
		if best, ok := out[k.c]; !ok || s.Points > best.Points {
			s.native = max(s.native, best.native)
			out[k.c] = s
		} else if s.native > best.native {
			best.native = s.native
			out[k.c] = best
		}
	}
	return out
}
