package policy

import (
	"context"
	"errors"
	"slices"

	"sampul/internal/message"
	"sampul/policy/mark"
	"sampul/store"
)

const (
	keptRecipients = 100 // in an incident, of each side
	keptEvidence   = 50
)

// record keeps what was found, before anybody is told.
func (j *judgement) record(ctx context.Context) error {
	v := j.v
	if j.o.Recorder == nil || !v.notable() {
		return nil
	}
	in := j.incident()
	id, err := j.o.Recorder.AddIncident(ctx, in)
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	v.Incident, v.Case = id, in.Case
	if in.OpenCase {
		v.Case = "C" + id[1:]
	}
	if v.Action >= SecureLink {
		v.refuse(j.guidance())
	}
	if j.o.Recorded != nil {
		j.o.Recorded()
	}
	return nil
}

// incident is what is kept of the message: never its content, nor its Subject.
func (j *judgement) incident() store.Incident {
	v, m := j.v, j.m
	in := store.Incident{
		Time: j.o.Clock(), Agency: j.agency(), Class: v.Class.String(), Severity: v.severity(), Action: v.Action.String(), Cause: v.by.String(),
		Direction: string(v.Direction), Listener: m.Listener, Remote: m.Remote, QueueID: m.QueueID, Account: m.Account, App: m.App,
		Sender: m.Sender, Size: m.Body.Size(), RuleSet: j.rules.version, VerdictID: v.ID, State: store.IncidentOpen,
		MessageID: message.DecodeHeader([]byte(m.Index.Parts[0].Get("Message-ID"))),
		Sums:      v.standing.sums, Whole: v.standing.whole, Quiet: j.quiet(),
	}
	if v.Class == Terbuka && v.Suspicion != Terbuka {
		in.Class, in.Suspicion = v.Suspicion.String(), true
	}
	switch s := &v.standing; {
	case s.released != "":
		in.Case = s.released
	case v.Action < SecureLink:
	case s.known != "":
		in.Case = s.known
	default:
		in.OpenCase = s.open && in.Agency != ""
	}
	for _, r := range m.Recipients {
		if len(in.Recipients) < keptRecipients {
			in.Recipients = append(in.Recipients, r.Address)
		}
		if r.Agency == "" || r.Agency == in.Agency {
			continue
		}
		i := slices.IndexFunc(in.Sides, func(s store.IncidentSide) bool { return s.Agency == r.Agency })
		if i < 0 {
			i = len(in.Sides)
			in.Sides = append(in.Sides, store.IncidentSide{Agency: r.Agency})
		}
		if s := &in.Sides[i]; len(s.Recipients) < keptRecipients {
			s.Recipients = append(s.Recipients, r.Address)
		}
	}
	// What decided comes first: the list may be cut.
	for _, decisive := range []bool{true, false} {
		for _, ev := range v.Evidence {
			counts := ev.Weight > 0 || ev.Class == Uninspectable
			if !counts || (ev.Class.String() == in.Class) != decisive || len(in.Evidence) == keptEvidence {
				continue
			}
			in.Evidence = append(in.Evidence, store.IncidentEvidence{Path: ev.Path, Where: ev.Where, Rule: ev.Rule, Class: ev.Class.String()})
		}
	}
	return in
}

// severity is how soon a security officer should look.
func (v *Verdict) severity() string {
	switch {
	case v.Class == RahsiaBesar && v.standing.released == "":
		return "top"
	case v.Class == Rahsia && v.standing.released == "":
		return "high"
	case v.Action <= Tag:
		return "low"
	}
	return "medium"
}

// quiet says whether nobody is written to: whoever likes can send a subject with a tag
// from outside, and it is refused at once.
func (j *judgement) quiet() bool {
	if j.from.inside {
		return false
	}
	for _, e := range j.v.Evidence {
		if e.Class == Uninspectable || e.Weight >= mark.Suspect && e.Class > Terbuka && e.Path != "header" {
			return false
		}
	}
	return j.v.Action >= SecureLink
}

// agency is whose side an incident is about: the sender's where it is ours, else the
// recipient's.
func (j *judgement) agency() string {
	if j.from.agency != "" {
		return j.from.agency
	}
	if a := j.v.by.agency; a != "" && a != suite { // whose rule it was
		return a
	}
	for _, r := range j.m.Recipients {
		if r.Agency != "" {
			return r.Agency
		}
	}
	return ""
}

// guidance is how the agency wants TERHAD and SULIT to be sent.
func (j *judgement) guidance() string {
	a := j.agency()
	if g := j.rules.of(a).settings.Guidance; g != "" {
		return g
	}
	return j.o.Guidance(a)
}
