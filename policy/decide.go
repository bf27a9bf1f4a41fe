package policy

import (
	"fmt"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

// basis is what a verdict rests on; it stays in this room.
type basis struct {
	found    mark.Verdict
	gaps     []extract.Gap
	declared bool // a suspicion that the sender declared away
}

// decide says what follows for each recipient; the strictest is the answer.
func (j *judgement) decide() {
	j.table()
	v := j.v
	for i, a := range v.Actions {
		if i == 0 || a > v.Action {
			v.Action, v.Direction = a, j.dirs[i]
		}
	}
	if v.Action == Tag {
		v.TagHeaders = v.tag()
	}
	if v.Action >= SecureLink {
		v.refuse(j.o.Guidance(j.agency()))
	}
}

// table applies the table of classes and directions (classification.md section 6).
func (j *judgement) table() {
	v := j.v
	if v.Class != Terbuka && v.Class < Uninspectable && v.found.English && !j.from.gov {
		// Banks and lawyers head their letters so: no official mark (section 6).
		v.Class = Terbuka
	}
	for _, d := range j.dirs {
		v.Actions = append(v.Actions, v.action(d))
	}
}

// action is one cell of the table.
func (v *Verdict) action(d Direction) Action {
	outside := d == In || d == InGov
	switch {
	case v.standing.released != "":
		return Tag
	case v.Class >= Rahsia:
		return Reject
	case v.Class == Uninspectable:
		if d == In && v.onList() {
			return Tag
		}
		return Reject
	case v.Class > Terbuka:
		switch d {
		case Internal, Across:
			return SecureLink
		case In:
			return Tag
		}
		return Reject
	case v.Suspicion > Terbuka && v.found.Declared && !v.found.Proven && d != Relay:
		v.declared = true
		return Accept
	case v.Suspicion > Terbuka:
		if outside {
			return Tag
		}
		return Reject
	}
	return Accept
}

// onList says whether all that cannot be read is of the kinds that citizens and banks
// send: encrypted mail.
func (v *Verdict) onList() bool {
	for _, g := range v.gaps {
		if g.Reason != extract.Locked || g.Kind != "pgp" && g.Kind != "s/mime" && g.Kind != "pdf" {
			return false
		}
	}
	return true
}

// notable says whether an incident is to be recorded.
func (v *Verdict) notable() bool { return v.Action != Accept || v.declared }

func (v *Verdict) tag() []byte {
	if v.standing.released != "" {
		return fmt.Appendf(nil, "X-Sampul-Case: %s\r\n", v.standing.released)
	}
	class := v.Class
	if class == Terbuka {
		return fmt.Appendf(nil, "X-Sampul-Suspicion: %s\r\n", v.Suspicion)
	}
	return fmt.Appendf(nil, "X-Sampul-Class: %s\r\n", class)
}
