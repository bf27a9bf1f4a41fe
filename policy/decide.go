package policy

import (
	"context"
	"fmt"
	"strings"

	"sampul/internal/gate"
	"sampul/policy/extract"
	"sampul/policy/mark"
)

// basis is what a verdict rests on; it stays in this room.
type basis struct {
	found    mark.Verdict
	gaps     []extract.Gap
	declared bool     // a suspicion that the sender declared away
	approval bool     // a suspicion that the sender may not declare away alone
	ordained bool     // the table itself asks for more than delivery
	causes   []cause  // with Actions
	by       cause    // what decided
	listed   []string // kinds of files that pass unread
	notes    []string // header fields for all recipients
	attached int64    // octets of attachments
}

// causeKind is what something follows from.
type causeKind uint8

const (
	byClass causeKind = iota // the table of classes and directions
	byPermission
	byListed
	bySize
	byCount
	byExecutable
	byDouble
	byMacros
	byRule
	byFault // a rule that failed
)

// A cause is why something follows for one recipient.
type cause struct {
	kind      causeKind
	agency    string // whose rule or setting it is, "" for what is built in
	rule      *rule
	path      string // of the file
	limit     int64
	recipient string // named in the reply when others would get the message
}

// String is the cause in an incident; "" is the class.
func (c cause) String() string {
	switch c.kind {
	case byPermission:
		return "permission"
	case byListed:
		return "listed kind"
	case bySize:
		return "size"
	case byCount:
		return "count"
	case byExecutable:
		return "executable"
	case byDouble:
		return "double extension"
	case byMacros:
		return "macros"
	case byRule, byFault:
		return "rule " + c.rule.Agency + "/" + c.rule.Name
	}
	return ""
}

// why is the cause in a sentence, for those who look into it.
func (c cause) why() string {
	switch c.kind {
	case byRule:
		return fmt.Sprintf("version %d matches: %s", c.rule.Version, c.rule.When)
	case byFault:
		return fmt.Sprintf("version %d failed", c.rule.Version)
	case byExecutable:
		return "it is a program, or is named like one"
	case byDouble:
		return "a program that is named like a document"
	case byMacros:
		return "it carries program code"
	}
	return ""
}

// decide says what follows for each recipient; the strictest is the answer.
func (j *judgement) decide(ctx context.Context) {
	j.table()
	if j.tightens() {
		j.applyLimits()
		j.applyRules(ctx)
	}
	if j.trial != nil {
		j.try()
	}
	j.conclude()
}

// tightens says whether limits and rules have anything to say: what is RAHSIA is refused
// already, for that reason, and our own notices come from no agency.
func (j *judgement) tightens() bool {
	return (j.v.Class < Rahsia || j.v.standing.released != "") && j.m.Purpose != gate.OwnNotice
}

// conclude makes one answer of what follows for each recipient.
func (j *judgement) conclude() {
	v := j.v
	decisive := 0
	v.Action = v.Actions[0]
	v.Direction = j.dirs[0]
	for i, a := range v.Actions {
		if stricter(a, v.Action) {
			v.Action, v.Direction, decisive = a, j.dirs[i], i
		}
	}
	v.by = v.causes[decisive]
	if v.by.kind == bySize {
		v.attached = j.attached().size
	}
	for _, a := range v.Actions {
		if a != v.Action && v.by.kind != byClass {
			v.by.recipient = j.recipient(decisive).named()
		}
	}
	if k := v.by.kind; k >= byExecutable {
		v.Evidence = append(v.Evidence, Evidence{Path: v.by.path, Where: "rule", Rule: v.by.String(), Weight: 100, Why: v.by.why()})
	}
	if v.Action == Tag {
		v.TagHeaders = v.tag()
	}
	if v.Action >= SecureLink {
		v.refuse(j.guidance())
	}
}

// act is what a cause asks for recipient i; the strictest stays, and of equals the first.
func (j *judgement) act(i int, a Action, c cause) {
	v := j.v
	if a == Tag {
		j.note(i, c)
	}
	if stricter(a, v.Actions[i]) {
		v.Actions[i], v.causes[i] = a, c
	}
}

// note is the header field by which a tag shows. What an agency's rule is called is told to its own
// recipients alone.
func (j *judgement) note(i int, c cause) {
	v := j.v
	add := func(line string) {
		for _, have := range v.notes {
			if have == line {
				return
			}
		}
		v.notes = append(v.notes, line)
	}
	switch c.kind {
	case byExecutable, byDouble, byMacros:
		add("X-Sampul-Attachment: " + c.String() + "\r\n")
	case byRule:
		if to := j.recipient(i).Agency; to != "" && (to == c.agency || c.agency == suite) {
			if v.RecipientTags == nil {
				v.RecipientTags = make([][]byte, len(v.Actions))
			}
			v.RecipientTags[i] = fmt.Appendf(v.RecipientTags[i], "X-Sampul-Rule: %s\r\n", c.rule.Name)
		}
	}
}

// table applies the table of classes and directions (classification.md section 6).
func (j *judgement) table() {
	v := j.v
	if v.Class != Terbuka && v.Class < Uninspectable && v.found.English && !j.from.gov {
		// Banks and lawyers head their letters so: no official mark (section 6).
		v.Class = classOf(v.found.Native)
	}
	v.Actions, v.causes = make([]Action, len(j.dirs)), make([]cause, len(j.dirs))
	for i := range j.dirs {
		v.Actions[i], v.causes[i] = j.cell(i)
		v.ordained = v.ordained || v.Actions[i] != Accept
	}
}

// readable is the class of what could be read.
func (j *judgement) readable() Class {
	c := classOf(j.v.found.Class)
	if c > Terbuka && c < Uninspectable && j.v.found.English && !j.from.gov {
		return classOf(j.v.found.Native)
	}
	if j.v.standing.released != "" {
		return Terbuka
	}
	return c
}

// cell is one cell of the table, with what agencies may change in it: they ask for more,
// permit a recipient by name, and list kinds of files that pass unread inside.
func (j *judgement) cell(i int) (Action, cause) {
	v, d := j.v, j.dirs[i]
	outside := d == In || d == InGov
	class := v.Class
	if v.standing.released != "" {
		return Tag, cause{}
	}
	least := Accept
	if class == Uninspectable && d == Internal {
		agency := j.rules.of(j.from.agency)
		if names, ok := j.listed(agency); ok {
			class, least, v.listed = j.readable(), Tag, names
		}
	}
	switch {
	case class >= Rahsia:
		return Reject, cause{}
	case class == Uninspectable:
		if d == In && v.onList() && !j.asks(i, func(l *limits) bool { return l.noUnread }) {
			return Tag, cause{}
		}
		return Reject, cause{}
	case class > Terbuka:
		switch d {
		case Internal, Across:
			return SecureLink, cause{}
		case In:
			if !j.asks(i, func(l *limits) bool { return l.noSecret }) {
				return Tag, cause{}
			}
		case Out:
			if j.permitted(i) {
				return Tag, cause{kind: byPermission, agency: j.from.agency}
			}
		}
		return Reject, cause{}
	case v.Suspicion > Terbuka && v.found.Declared && !v.found.Proven && d != Relay:
		if !j.from.inside || j.rules.of(j.from.agency).settings.Declare != "approve" {
			v.declared = true
			return max(Accept, least), cause{}
		}
		v.approval = true
		return Reject, cause{}
	case v.Suspicion > Terbuka:
		if outside {
			return Tag, cause{}
		}
		return Reject, cause{}
	}
	if least == Tag {
		return Tag, cause{kind: byListed, agency: j.from.agency}
	}
	return Accept, cause{}
}

// asks says whether any agency in play has asked for something.
func (j *judgement) asks(i int, what func(*limits) bool) bool {
	for _, a := range j.rules.play(j.from.agency, j.recipient(i).Agency) {
		if what(&a.limits) {
			return true
		}
	}
	return false
}

// permitted says whether an officer of the sender's agency has named the recipient.
func (j *judgement) permitted(i int) bool {
	until, named := j.rules.of(j.from.agency).permissions[canonical(j.recipient(i).Address)]
	return named && (until.IsZero() || j.o.Clock().Before(until))
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

// notable says whether an incident is to be recorded. What is too big or put off is none:
// it would be recorded with every attempt.
func (v *Verdict) notable() bool {
	switch {
	case v.Action == Tempfail:
		return false
	case v.declared || v.ordained:
		return true
	}
	return v.Action >= SecureLink && v.by.kind != bySize && v.by.kind != byCount
}

// tag is the header fields that go with a message that is delivered with a tag.
func (v *Verdict) tag() []byte {
	var b []byte
	switch {
	case v.standing.released != "":
		b = fmt.Appendf(b, "X-Sampul-Case: %s\r\n", v.standing.released)
	case v.Class > Terbuka:
		b = fmt.Appendf(b, "X-Sampul-Class: %s\r\n", v.Class)
	case v.Suspicion > Terbuka && v.ordained:
		b = fmt.Appendf(b, "X-Sampul-Suspicion: %s\r\n", v.Suspicion)
	}
	if len(v.listed) > 0 {
		b = fmt.Appendf(b, "X-Sampul-Unread: %s\r\n", strings.Join(v.listed, ", "))
	}
	for _, n := range v.notes {
		b = append(b, n...)
	}
	return b
}
