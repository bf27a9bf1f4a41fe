package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

func refusal(parts ...string) store.Incident {
	in := store.Incident{Agency: "agensi-a", Class: "SULIT", Action: "secure-link", Direction: "internal", Listener: "submission",
		Sender: "satu@agensi-a.test", Account: "satu@agensi-a.test", Recipients: []string{"dua@agensi-a.test"}, OpenCase: true,
		Evidence: []store.IncidentEvidence{{Path: "attachment 1", Where: "page-header", Rule: "E3", Class: "SULIT"}}}
	for _, p := range parts {
		in.Sums = append(in.Sums, sha256.Sum256([]byte(p)))
	}
	return in
}

func incidentsHandled(t *testing.T, r *rig) {
	id, err := r.AddIncident(ctx, refusal("a"))
	r.ok(err)
	if _, err := r.ChangeIncident(ctx, security, id, store.IncidentChange{}); err == nil {
		t.Error("a change that changes nothing was taken")
	}
	if _, err := r.ChangeIncident(ctx, store.Actor{Agency: "agensi-b", Role: store.RoleSecurity}, id, store.IncidentChange{Close: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an officer of another agency closed it: %v", err)
	}
	_, err = r.ChangeIncident(ctx, security, id, store.IncidentChange{Assign: "dua@agensi-a.test"})
	r.ok(err)
	_, err = r.ChangeIncident(ctx, store.System, id, store.IncidentChange{Close: true, FalseAlarm: true, Reason: "borang lama"})
	r.ok(err)
	if _, err := r.ChangeIncident(ctx, store.System, id, store.IncidentChange{Close: true}); !errors.Is(err, store.ErrExists) {
		t.Errorf("closed twice: %v", err)
	}
	r.restart()
	in, err := r.IncidentByID(ctx, security, id)
	r.ok(err)
	if in.State != store.IncidentClosed || !in.FalseAlarm || in.Assignee != "dua@agensi-a.test" || len(in.History) != 2 ||
		in.History[0].By != "keselamatan@agensi-a.test" || in.History[1].By != "operator" || in.History[1].Reason != "borang lama" {
		t.Errorf("%+v", in)
	}
	open, err := r.Incidents(ctx, security, store.IncidentFilter{State: store.IncidentOpen})
	r.ok(err)
	if len(open) != 0 {
		t.Errorf("%d are open", len(open))
	}
	after, err := r.Incidents(ctx, store.System, store.IncidentFilter{After: in.Seq - 1, Max: 10})
	r.ok(err)
	if len(after) != 1 || after[0].ID != id || after[0].Seq != in.Seq {
		t.Errorf("after %d: %+v", in.Seq-1, after)
	}
}

func incidentSides(t *testing.T, r *rig) {
	in := refusal("a")
	in.Recipients = []string{"dua@agensi-a.test", "tiga@agensi-b.test"}
	in.Sides = []store.IncidentSide{{Agency: "agensi-b", Recipients: []string{"tiga@agensi-b.test"}}}
	id, err := r.AddIncident(ctx, in)
	r.ok(err)
	other := store.Actor{Agency: "agensi-b", Role: store.RoleSecurity}
	got, err := r.IncidentByID(ctx, other, id)
	r.ok(err)
	if len(got.Recipients) != 1 || got.Recipients[0] != "tiga@agensi-b.test" || got.Account != "" {
		t.Errorf("agency B sees %+v", got)
	}
	list, err := r.Incidents(ctx, other, store.IncidentFilter{Agency: "agensi-b"})
	r.ok(err)
	if len(list) != 1 || len(list[0].Recipients) != 1 {
		t.Errorf("agency B lists %+v", list)
	}
	if _, err := r.IncidentByID(ctx, store.Actor{Agency: "agensi-c", Role: store.RoleSecurity}, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("agency C: %v", err)
	}
}

func casesDecided(t *testing.T, r *rig) {
	id, err := r.AddIncident(ctx, refusal("a", "b"))
	r.ok(err)
	c, err := r.CaseByID(ctx, security, id)
	r.ok(err)
	if c.ID != "C"+id[1:] || c.State != store.CaseOpen || len(c.Parts) != 2 || c.Parts[0] != r.PartHash(sha256.Sum256([]byte("a"))) {
		t.Errorf("%+v", c)
	}
	if plain := sha256.Sum256([]byte("a")); strings.Contains(asJSON(t, c), hex.EncodeToString(plain[:8])) {
		t.Error("a plain hash of the content is kept")
	}
	approve := store.CaseDecision{Approve: true, Reason: "kertas lama"}
	if _, err := r.DecideCase(ctx, security, c.ID, store.CaseDecision{Approve: true}); err == nil {
		t.Error("decided without a reason")
	}
	for who, by := range map[string]store.Actor{"the administrator": {Agency: "agensi-a", Role: store.RoleAdmin}, "an officer": as(r.satu),
		"another agency": {Agency: "agensi-b", Role: store.RoleSecurity}} {
		if _, err := r.DecideCase(ctx, by, c.ID, approve); err == nil {
			t.Errorf("%s decided", who)
		}
	}
	self := security
	self.Name = "satu@agensi-a.test"
	if _, err := r.DecideCase(ctx, self, c.ID, approve); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("the sender decided: %v", err)
	}
	_, err = r.DecideCase(ctx, security, strings.ToLower(c.ID), approve)
	r.ok(err)
	r.restart()
	got, err := r.Cases(ctx, security, store.CaseApproved, 10)
	r.ok(err)
	if len(got) != 1 || got[0].By != security.Name || got[0].Reason != approve.Reason {
		t.Errorf("%+v", got)
	}
	in, err := r.IncidentByID(ctx, security, id)
	r.ok(err)
	if in.Case != c.ID || len(in.History) != 1 || in.History[0].What != "case approved" {
		t.Errorf("%+v", in)
	}
}

func casesFound(t *testing.T, r *rig) {
	id, err := r.AddIncident(ctx, refusal("a", "b"))
	r.ok(err)
	find := func(agency, part string) []store.Case {
		t.Helper()
		got, err := r.CasesByParts(ctx, agency, [][32]byte{sha256.Sum256([]byte(part)), sha256.Sum256([]byte("other"))})
		r.ok(err)
		return got
	}
	if got := find("agensi-a", "b"); len(got) != 1 || got[0].Incident != id {
		t.Errorf("%+v", got)
	}
	if len(find("agensi-b", "b")) != 0 || len(find("agensi-a", "c")) != 0 {
		t.Error("a case of another agency, or of other parts, was found")
	}
	r.restart()
	if len(find("agensi-a", "a")) != 1 {
		t.Error("the case is not found after a restart")
	}
	old := refusal("z")
	old.Time = time.Now().Add(-store.CaseLife - time.Hour)
	_, err = r.AddIncident(ctx, old)
	r.ok(err)
	if len(find("agensi-a", "z")) != 0 {
		t.Error("a case that has lapsed was found")
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
