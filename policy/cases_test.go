package policy

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sampul/store"
)

// office keeps incidents and cases, as a store does.
type office struct {
	recorder
	cases []store.Case
}

func (o *office) PartHash(sum [32]byte) string { return hex.EncodeToString(sum[:4]) }

func (o *office) AddIncident(ctx context.Context, in store.Incident) (string, error) {
	id, err := o.recorder.AddIncident(ctx, in)
	if in.OpenCase {
		c := store.Case{ID: "C" + id[1:], Agency: in.Agency, State: store.CaseOpen}
		for _, s := range in.Sums {
			c.Parts = append(c.Parts, o.PartHash(s))
		}
		o.cases = slices.Insert(o.cases, 0, c)
	}
	return id, err
}

func (o *office) CasesByParts(_ context.Context, agency string, sums [][32]byte) ([]store.Case, error) {
	var out []store.Case
	for _, c := range o.cases {
		if c.Agency == agency && slices.ContainsFunc(sums, func(s [32]byte) bool { return slices.Contains(c.Parts, o.PartHash(s)) }) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (o *office) decide(t *testing.T, id, state string) {
	t.Helper()
	for i := range o.cases {
		if o.cases[i].ID == id {
			o.cases[i].State = state
			return
		}
	}
	t.Fatalf("no case %q", id)
}

func (o *office) judge(t *testing.T, text string, d Direction) *Verdict {
	t.Helper()
	v, err := New(Options{Recorder: o, Cases: o}).Judge(context.Background(), way(mailOf(text), d))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	paper   = "Subject: Kertas lama\n\nSULIT\n\nJawab semua soalan.\n" + "Baris isi yang biasa sahaja.\nTamat.\n"
	another = "Subject: Kertas lain\n\nSULIT\n\nJawab dua soalan.\n" + "Baris isi yang biasa sahaja.\nTamat.\n"
)

// An officer lets a paper pass: it, and no other, goes through from then on.
func TestCaseIsReleased(t *testing.T) {
	o := &office{}
	v := o.judge(t, paper, Internal)
	if v.Action != SecureLink || v.Case == "" || !strings.Contains(v.Text, v.Case) {
		t.Fatalf("%s, case %q: %s", v.Action, v.Case, v.Text)
	}
	first := v.Case
	if v = o.judge(t, "Subject: Sekali lagi\nX-Mailer: lain\n"+paper[len("Subject: Kertas lama\n"):], Internal); v.Case != first || len(o.cases) != 1 {
		t.Fatalf("the same paper again: case %q, %d cases", v.Case, len(o.cases))
	}
	o.decide(t, first, store.CaseApproved)
	v = o.judge(t, paper, Internal)
	if v.Action != Tag || v.Case != first || !v.Passed.Valid() || v.Passed.Class() != "TERBUKA" || !strings.Contains(string(v.TagHeaders), first) {
		t.Errorf("approved: %s, case %q, %q", v.Action, v.Case, v.TagHeaders)
	}
	if in := o.got[len(o.got)-1]; in.Case != first || in.Action != "tag" || in.Severity != "low" || len(in.Sums) == 0 {
		t.Errorf("incident of what was released: %+v", in)
	}
	if v = o.judge(t, another, Internal); v.Action != SecureLink || v.Case == first {
		t.Errorf("another paper: %s, case %q", v.Action, v.Case)
	}
	o.decide(t, first, store.CaseDenied)
	if v = o.judge(t, paper, Internal); v.Action != SecureLink || v.Case != first {
		t.Errorf("denied: %s, case %q", v.Action, v.Case)
	}
}

// A case covers what the officer saw: a further mark in the message is judged.
func TestCaseCoversItsPartsAlone(t *testing.T) {
	o := &office{}
	o.decide(t, o.judge(t, paper, Internal).Case, store.CaseApproved)
	if v := o.judge(t, strings.Replace(paper, "Kertas lama", "[TERHAD] Kertas", 1), Internal); v.Action < SecureLink {
		t.Errorf("with a tag in the subject: %s", v.Action)
	}
	if v := o.judge(t, strings.Replace(paper, "Kertas lama", "[RAHSIA] Kertas", 1), Internal); v.Action != Reject || v.Case != "" {
		t.Errorf("with RAHSIA in the subject: %s, case %q", v.Action, v.Case)
	}
}

// What is proven to be RAHSIA has no case.
func TestProvenIsReleasedByNobody(t *testing.T) {
	o := &office{}
	for _, text := range []string{letters["RAHSIA"], letters["RAHSIA BESAR"], "Subject: a\n\nRAHSIA\n\n" + strings.Repeat(filling, 20) + "RAHSIA\n"} {
		if v := o.judge(t, text, In); v.Action != Reject || v.Case != "" || len(o.cases) != 0 {
			t.Errorf("%s, case %q", v.Action, v.Case)
		}
	}
	if in := o.got[1]; in.Severity != "top" || len(in.Sums) == 0 {
		t.Errorf("%+v", in)
	}
}

// A file that cannot be read has a case that releases it, from wherever it comes.
func TestUnreadableHasACase(t *testing.T) {
	o := &office{}
	v := o.judge(t, letters["UNINSPECTABLE"], In)
	if v.Action != Reject || v.Case == "" {
		t.Fatalf("%s, case %q", v.Action, v.Case)
	}
	o.decide(t, v.Case, store.CaseApproved)
	if v = o.judge(t, letters["UNINSPECTABLE"], In); v.Action != Tag {
		t.Errorf("approved: %s", v.Action)
	}
}

// Anybody can send a subject with a tag: nobody is written to about it.
func TestTagsFromOutsideAreQuiet(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		d    Direction
		want bool
	}{
		"tag from the Internet":  {letters["RAHSIA"], In, true},
		"tag from an account":    {letters["RAHSIA"], Internal, false},
		"mark from the Internet": {"Subject: a\n\nRAHSIA\n\n" + strings.Repeat(filling, 20) + "RAHSIA\n", In, false},
	} {
		o := &office{}
		o.judge(t, c.text, c.d)
		if len(o.got) != 1 || o.got[0].Quiet != c.want {
			t.Errorf("%s: %+v", name, o.got)
		}
	}
}

// Each agency of a recipient has its side.
func TestIncidentHasSides(t *testing.T) {
	o := &office{}
	m := way(mailOf(letters["RAHSIA"]), Internal)
	m.Recipients = append(m.Recipients, Recipient{Address: "a@agensi-b.test", Agency: "agensi-b"}, Recipient{Address: "b@agensi-b.test", Agency: "agensi-b"})
	if _, err := New(Options{Recorder: o}).Judge(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	in := o.got[0]
	if in.Agency != "agensi-a" || len(in.Sides) != 1 || in.Sides[0].Agency != "agensi-b" || len(in.Sides[0].Recipients) != 2 || len(in.Recipients) != 3 {
		t.Errorf("%+v", in)
	}
}
