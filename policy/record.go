package policy

import (
	"context"
	"errors"

	"sampul/internal/message"
	"sampul/store"
)

// record keeps what was found, before anybody is told.
func (j *judgement) record(ctx context.Context) error {
	v, m := j.v, j.m
	if j.o.Recorder == nil || !v.notable() {
		return nil
	}
	in := store.Incident{
		Time: j.o.Clock(), Agency: j.agency(), Class: v.Class.String(), Action: v.Action.String(),
		Direction: string(v.Direction), Listener: m.Listener, Remote: m.Remote, QueueID: m.QueueID, Account: m.Account,
		Sender: m.Sender, Size: m.Body.Size(), RuleSet: RuleSet, State: "open",
		MessageID: message.DecodeHeader([]byte(m.Index.Parts[0].Get("Message-ID"))),
	}
	for _, r := range m.Recipients {
		if len(in.Recipients) == 100 {
			break
		}
		in.Recipients = append(in.Recipients, r.Address)
	}
	for _, ev := range v.Evidence {
		if ev.Weight == 0 && ev.Class != Uninspectable || len(in.Evidence) == 50 {
			continue
		}
		in.Evidence = append(in.Evidence, store.IncidentEvidence{Path: ev.Path, Where: ev.Where, Rule: ev.Rule, Class: ev.Class.String()})
	}
	if v.Class == Terbuka && v.Suspicion != Terbuka {
		in.Class = v.Suspicion.String()
	}
	id, err := j.o.Recorder.AddIncident(ctx, in)
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	v.Incident = id
	if v.Action >= SecureLink {
		v.refuse(j.o.Guidance(in.Agency))
	}
	return nil
}

// agency is whose side an incident is about: the sender's where it is ours, else the
// recipient's.
func (j *judgement) agency() string {
	if j.from.agency != "" {
		return j.from.agency
	}
	for _, r := range j.m.Recipients {
		if r.Agency != "" {
			return r.Agency
		}
	}
	return ""
}
