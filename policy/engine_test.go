package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/policy/extract"
	"sampul/policy/inspect"
	"sampul/store"
)

// recorder keeps incidents, or fails.
type recorder struct {
	got  []store.Incident
	fail error
}

func (r *recorder) AddIncident(_ context.Context, in store.Incident) (string, error) {
	r.got = append(r.got, in)
	return fmt.Sprintf("I-2345-67%d", len(r.got)), r.fail
}

func mailOf(text string) *Mail {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	return &Mail{Body: bytes.NewReader([]byte(text)), Index: message.Parse([]byte(text)), SHA256: sha256.Sum256([]byte(text)),
		Purpose: gate.Mailbox, Sender: "orang@luar.test", Listener: "mx", Remote: "192.0.2.1", QueueID: "Q1"}
}

const filling = "Baris isi yang biasa sahaja.\n"

var letters = map[string]string{
	"TERBUKA":       "Subject: Jemputan\n\nRahsia kejayaan usahawan.\n",
	"TERHAD":        "Subject: [TERHAD] Jemputan\n\nIsi.\n",
	"SULIT":         "Subject: [SULIT] Jemputan\n\nIsi.\n",
	"RAHSIA":        "Subject: [RAHSIA] Jemputan\n\nIsi.\n",
	"RAHSIA BESAR":  "Subject: [RAHSIA BESAR] Jemputan\n\nIsi.\n",
	"UNINSPECTABLE": "Subject: Fail\nContent-Type: application/zip\nContent-Disposition: attachment; filename=a.zip\nContent-Transfer-Encoding: base64\n\nUEsDBAAAAAA=\n",
	"ENCRYPTED":     "Subject: Fail\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nMIAGCSqGSIb3DQEHA6CA\n",
	"CONFIDENTIAL":  "Subject: Letter\n\nCONFIDENTIAL\n\nDear Sir,\n" + strings.Repeat(filling, 12) + "Regards\n",
	"SUSPICION":     "Subject: Rahsia: Jemputan\n\nIsi.\n",
	"DECLARED":      "Subject: [TERBUKA] Rahsia: Jemputan\n\nIsi.\n",
	"PROVEN":        "Subject: [TERBUKA] Jemputan (RAHSIA)\n\nIsi.\n",
}

// way sets a message on its way in one direction.
func way(m *Mail, d Direction) *Mail {
	inside := Recipient{Address: "pegawai1@agensi-a.test", Agency: "agensi-a"}
	switch d {
	case Internal, Across, Out, Relay:
		m.Account, m.Agency, m.Sender, m.Listener = "pegawai2@agensi-a.test", "agensi-a", "pegawai2@agensi-a.test", "submission"
	case InGov:
		m.Sender = "pegawai@kementerian.gov.my"
	}
	switch d {
	case Across:
		inside = Recipient{Address: "pegawai1@agensi-b.test", Agency: "agensi-b"}
	case Out:
		inside = Recipient{Address: "orang@luar.test"}
	case Relay:
		m.App = true
	}
	m.Recipients = []Recipient{inside}
	return m
}

// The table of classification.md section 6, cell by cell.
func TestTable(t *testing.T) {
	dirs := []Direction{Internal, Across, Out, InGov, In, Relay}
	for name, want := range map[string][]Action{
		"TERBUKA":       {Accept, Accept, Accept, Accept, Accept, Accept},
		"TERHAD":        {SecureLink, SecureLink, Reject, Reject, Tag, Reject},
		"SULIT":         {SecureLink, SecureLink, Reject, Reject, Tag, Reject},
		"RAHSIA":        {Reject, Reject, Reject, Reject, Reject, Reject},
		"RAHSIA BESAR":  {Reject, Reject, Reject, Reject, Reject, Reject},
		"UNINSPECTABLE": {Reject, Reject, Reject, Reject, Reject, Reject},
		"ENCRYPTED":     {Reject, Reject, Reject, Reject, Tag, Reject},
		"CONFIDENTIAL":  {SecureLink, SecureLink, Reject, Reject, Accept, Reject},
		"SUSPICION":     {Reject, Reject, Reject, Tag, Tag, Reject},
		"DECLARED":      {Accept, Accept, Accept, Accept, Accept, Reject},
		"PROVEN":        {Reject, Reject, Reject, Reject, Reject, Reject},
	} {
		for i, d := range dirs {
			rec := &recorder{}
			v, err := New(Options{Recorder: rec}).Judge(context.Background(), way(mailOf(letters[name]), d))
			if err != nil {
				t.Fatal(err)
			}
			if v.Action != want[i] || v.Direction != d {
				t.Errorf("%s, %s: %s by %s, want %s: %+v", name, d, v.Action, v.Direction, want[i], v.Evidence)
			}
			if passed := v.Passed.Valid(); passed != (v.Action <= Tag) {
				t.Errorf("%s, %s: %s, and passed the gate: %v", name, d, v.Action, passed)
			}
			if noted := len(rec.got) == 1; noted != (v.Action != Accept || name == "DECLARED") {
				t.Errorf("%s, %s: %d incidents", name, d, len(rec.got))
			}
			if v.Action == Tag && !bytes.HasSuffix(v.TagHeaders, []byte("\r\n")) {
				t.Errorf("%s, %s: tag %q", name, d, v.TagHeaders)
			}
			checkRefusal(t, v)
		}
	}
}

func checkRefusal(t *testing.T, v *Verdict) {
	t.Helper()
	if v.Action < SecureLink {
		if v.Text != "" {
			t.Errorf("%s with text %q", v.Action, v.Text)
		}
		return
	}
	if v.Code != 550 || len(v.Text) > maxText || !strings.HasPrefix(v.Text, "Disekat: ") || !strings.Contains(v.Text, "Blocked: ") ||
		!strings.Contains(v.Text, v.Incident) || v.Incident == "" {
		t.Errorf("refusal %d %s %q (%s)", v.Code, v.Enhanced, v.Text, v.Incident)
	}
	if want := map[bool]string{true: "5.7.1", false: "5.7.0"}[v.Action == Reject && v.by.kind == byClass]; v.Enhanced != want {
		t.Errorf("%s: %s", v.Class, v.Enhanced)
	}
	for _, r := range v.Text {
		if r < 0x20 || r > 0x7e {
			t.Errorf("refusal holds %q: %s", r, v.Text)
		}
	}
}

// APPEND is a sending to oneself.
func TestAppend(t *testing.T) {
	for name, want := range map[string]Action{"TERBUKA": Accept, "SULIT": SecureLink, "RAHSIA": Reject, "UNINSPECTABLE": Reject} {
		m := way(mailOf(letters[name]), Internal)
		m.Append, m.Recipients = true, nil
		v, err := New(Options{Recorder: &recorder{}}).Judge(context.Background(), m)
		if err != nil || v.Action != want {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// Each recipient has an action of its own; the strictest is the answer.
func TestSeveralRecipients(t *testing.T) {
	m := way(mailOf(letters["SULIT"]), Internal)
	m.Recipients = append(m.Recipients, Recipient{Address: "orang@luar.test"})
	v, err := New(Options{Recorder: &recorder{}}).Judge(context.Background(), m)
	if err != nil || len(v.Actions) != 2 || v.Actions[0] != SecureLink || v.Actions[1] != Reject || v.Action != Reject || v.Direction != Out {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestIncidentHasNoContent(t *testing.T) {
	rec := &recorder{}
	m := way(mailOf("Subject: [RAHSIA] Operasi Helang\nMessage-ID: <1@luar.test>\n\nPerincian Helang.\n"), In)
	if _, err := New(Options{Recorder: rec}).Judge(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	in := rec.got[0]
	if s := fmt.Sprintf("%+v", in); strings.Contains(s, "Helang") {
		t.Errorf("the incident tells the secret: %s", s)
	}
	if in.Class != "RAHSIA" || in.Agency != "agensi-a" || in.MessageID != "<1@luar.test>" || in.Listener != "mx" || in.QueueID != "Q1" ||
		len(in.Evidence) == 0 || in.Evidence[0].Where != "subject" || in.RuleSet != RuleSet {
		t.Errorf("%+v", in)
	}
}

// A fault of the engine never delivers.
func TestFaultsAreErrors(t *testing.T) {
	m := way(mailOf(letters["RAHSIA"]), In)
	if v, err := New(Options{Recorder: &recorder{fail: errors.New("disk")}}).Judge(context.Background(), m); err == nil {
		t.Errorf("an incident that could not be kept: %+v", v)
	}
	m = way(mailOf(letters["TERBUKA"]), In)
	m.Index.Parts[0].End += 1000 // the index lies: reading fails
	if v, err := New(Options{Recorder: &recorder{}}).Judge(context.Background(), m); err == nil {
		t.Errorf("a body that cannot be read: %+v", v)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if v, err := New(Options{}).Judge(ctx, way(mailOf(letters["TERBUKA"]), In)); err == nil {
		t.Errorf("a context that ended: %+v", v)
	}
	m = way(mailOf(letters["TERBUKA"]), In)
	m.Index = nil // a panic inside
	if v, err := New(Options{}).Judge(context.Background(), m); err == nil {
		t.Errorf("a panic: %+v", v)
	}
}

func TestRefusalNamesPartsHarmlessly(t *testing.T) {
	long := strings.Repeat("sangat-panjang-", 40)
	v := &Verdict{Class: Rahsia, Action: Reject, Incident: "I-2345-678", Evidence: []Evidence{{
		Path: `attachment 2 "` + long + "\r\n550 <x>\u202e.zip\" > kertas.docx", Where: "page-header", Rule: "E3", Class: Rahsia, Weight: 100}}}
	v.refuse("")
	checkRefusal(t, v)
	if !strings.Contains(v.Text, "attachment 2") || !strings.Contains(v.Text, "kertas.docx") || strings.ContainsAny(v.Text, "\r\n\"<>") {
		t.Errorf("%q", v.Text)
	}
	v.Evidence[0].Class, v.Class = Sulit, Sulit
	v.refuse(strings.Repeat("Hubungi pejabat anda. ", 30))
	if len(v.Text) > maxText {
		t.Errorf("%d octets", len(v.Text))
	}
}

// What is passed over for speed is what has no evidence: both ways judge alike.
func TestSkippingChangesNothing(t *testing.T) {
	all := New(Options{Inspector: inspect.New(inspect.Options{Budget: extract.Budget{Worth: func(string) bool { return true }}})})
	quick := New(Options{})
	texts := []string{"R A H S I A", "R\nA\nH\nS\nI\nA", "RAHSIA", "Rahsia kejayaan", "R4H51A", "  S  U  L  I  T  ", "RAH\u200bSIA",
		"Klasifikasi: Terhad", "Dokumen ini dikelaskan sebagai RAHSIA dan tidak boleh disalin oleh sesiapa pun tanpa kebenaran bertulis", "Selamat pagi"}
	for _, s := range texts {
		for _, kind := range []string{"text/plain", "text/html"} {
			text := "Subject: x\nMIME-Version: 1.0\nContent-Type: " + kind + "; charset=utf-8\n\n" + s + "\n" + strings.Repeat(filling, 12) + "Sekian\n"
			a, err := all.Judge(context.Background(), way(mailOf(text), Internal))
			if err != nil {
				t.Fatal(err)
			}
			b, err := quick.Judge(context.Background(), way(mailOf(text), Internal))
			if err != nil || a.Class != b.Class || a.Suspicion != b.Suspicion {
				t.Errorf("%s %q: %v, quick %v, %v", kind, s, a.Class, b.Class, err)
			}
		}
	}
}

// What cannot be read is refused, and the kind of file is named.
func TestUnreadableIsRefused(t *testing.T) {
	m := way(mailOf("Subject: x\nContent-Type: application/pdf; name=a.pdf\n\n%PDF-1.7 x\n"), In)
	v, err := New(Options{Recorder: &recorder{}}).Judge(context.Background(), m)
	if err != nil || v.Action != Reject || len(v.Evidence) != 1 || v.Evidence[0].Where != "pdf" {
		t.Errorf("%+v, %v", v, err)
	}
}

func BenchmarkJudge4K(b *testing.B) {
	e := New(Options{Recorder: &recorder{}})
	m := way(mailOf("Subject: Jemputan\nFrom: a@luar.test\n\n"+strings.Repeat(filling, 140)), In)
	b.SetBytes(m.Body.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Judge(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
}
