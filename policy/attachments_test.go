package policy

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sampul/internal/gate"
	"sampul/store"
)

func (b *board) settings(agency string, s store.PolicySettings) {
	b.with(agency, func(a *store.AgencyPolicy) { a.Settings = s })
}

// The sum of decoded attachments has a border; text beside them does not count.
func TestAttachmentSize(t *testing.T) {
	text := func(n int) string {
		return files("Lampiran", map[string]string{"satu.txt": strings.Repeat("a", n/2), "dua.txt": strings.Repeat("b", n-n/2)})
	}
	const border = 64 << 10
	for _, tt := range []struct {
		n    int
		d    Direction
		want Action
	}{
		{border, In, Accept}, {border + 1, In, Reject}, {border, Internal, Accept}, {border + 1, Internal, Reject},
		{border + 1, Out, Reject}, {border + 1, Relay, Reject}, {border + 1, Across, Reject},
	} {
		b := newBoard()
		b.settings("agensi-a", store.PolicySettings{AttachmentMax: border})
		v, rec := judgeWith(t, b, way(mailOf(text(tt.n)), tt.d))
		if v.Action != tt.want || len(rec.got) != 0 {
			t.Errorf("%d octets, %s: %s, %d incidents, %s", tt.n, tt.d, v.Action, len(rec.got), v.Text)
		}
		if v.Action == Reject && (v.Code != 552 || v.Enhanced != "5.3.4" || !strings.Contains(v.Text, "had 64 KiB") || !strings.Contains(v.Text, "the limit is 64 KiB") || len(v.Text) > maxText) {
			t.Errorf("%d %s %q", v.Code, v.Enhanced, v.Text)
		}
	}
	b := newBoard()
	b.settings("agensi-b", store.PolicySettings{AttachmentMax: border})
	if v, _ := judgeWith(t, b, way(mailOf(text(border+1)), In)); v.Action != Accept {
		t.Errorf("another agency's limit: %s", v.Action)
	}
	m := way(mailOf(text(border+1)), Internal)
	m.Recipients = append(m.Recipients, Recipient{Address: "pegawai1@agensi-b.test", Agency: "agensi-b"})
	if v, _ := judgeWith(t, b, m); v.Action != Reject || !strings.Contains(v.Text, "for pegawai1@agensi-b.test") {
		t.Errorf("the recipient's limit: %s %q", v.Action, v.Text)
	}
	m = way(mailOf(text(border+1)), Internal)
	b.settings("agensi-a", store.PolicySettings{AttachmentMax: border})
	m.Append, m.Recipients = true, nil
	if v, _ := judgeWith(t, b, m); v.Action != Reject || v.Code != 552 {
		t.Errorf("APPEND: %s %q", v.Action, v.Text)
	}
	long := "Subject: x\n\n" + strings.Repeat(strings.Repeat("a", 70)+"\n", 2000)
	if v, _ := judgeWith(t, b, way(mailOf(long), Internal)); v.Action != Accept {
		t.Errorf("a long letter without attachments: %s", v.Action)
	}
}

func TestMebibytes(t *testing.T) {
	for n, want := range map[int64][2]string{
		25 << 20: {"25 MiB", "25 MiB"}, 25<<20 + 1: {"25.1 MiB", "25 MiB"}, 26319257: {"25.1 MiB", "25 MiB"}, 10 << 20: {"10 MiB", "10 MiB"},
		1 << 19: {"0.5 MiB", "512 KiB"}, 64 << 10: {"0.1 MiB", "64 KiB"}, 1<<20 + 1<<19: {"1.5 MiB", "1.5 MiB"},
	} {
		if got := [2]string{mebibytes(n, true), mebibytes(n, false)}; got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestAttachmentHandling(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		settings      store.PolicySettings
		want          Action
		says          string
	}{
		{"nota.txt", "Isi.\n", store.PolicySettings{}, Accept, ""},
		{"pasang.exe", "teks\n", store.PolicySettings{}, Reject, "is a program"},
		{"pasang.exe", "teks\n", store.PolicySettings{Executables: "accept"}, Accept, ""},
		{"pasang.exe", "teks\n", store.PolicySettings{Executables: "tag"}, Tag, "executable"},
		{"surat.pdf.exe", "teks\n", store.PolicySettings{Executables: "accept"}, Reject, "is a program"},
		{"surat.pdf.exe", "teks\n", store.PolicySettings{Executables: "accept", DoubleExtension: "tag"}, Tag, "double extension"},
		{"surat.pdf.exe", "teks\n", store.PolicySettings{Executables: "accept", DoubleExtension: "accept"}, Accept, ""},
		{"surat.pdf .SCR. ", "teks\n", store.PolicySettings{Executables: "accept"}, Reject, "is a program"},
		{"laporan.v1.2.txt", "teks\n", store.PolicySettings{}, Accept, ""},
		{"minit.2026.11.25.csv", "a,b\n", store.PolicySettings{}, Accept, ""},
		{"skrip.js", "alert(1)\n", store.PolicySettings{}, Reject, "is a program"},
	} {
		b := newBoard()
		b.settings("agensi-a", tt.settings)
		v, _ := judgeWith(t, b, way(mailOf(files("Fail", map[string]string{tt.name: tt.content})), In))
		if v.Action != tt.want {
			t.Errorf("%s %+v: %s, want %s", tt.name, tt.settings, v.Action, tt.want)
		}
		if got := v.Text + string(v.TagHeaders); !strings.Contains(got, tt.says) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.says)
		}
	}
	// The strictest of both sides.
	b := newBoard()
	b.settings("agensi-a", store.PolicySettings{Executables: "accept"})
	m := way(mailOf(files("Fail", map[string]string{"pasang.exe": "teks\n"})), Across)
	if v, _ := judgeWith(t, b, m); v.Action != Reject {
		t.Errorf("agensi-b has not allowed programs: %s", v.Action)
	}
	b = newBoard()
	b.settings("agensi-a", store.PolicySettings{AttachmentCount: 2})
	three := files("Fail", map[string]string{"a.txt": "1\n", "b.txt": "2\n", "c.txt": "3\n"})
	v, rec := judgeWith(t, b, way(mailOf(three), In))
	checkRefusalText(t, v)
	if v.Action != Reject || v.Code != 550 || !strings.Contains(v.Text, "the limit is 2") || len(rec.got) != 0 {
		t.Errorf("three of two: %s %q", v.Action, v.Text)
	}
}

func checkRefusalText(t *testing.T, v *Verdict) {
	t.Helper()
	if len(v.Text) > maxText || !strings.HasPrefix(v.Text, "Disekat: ") || !strings.Contains(v.Text, "Blocked: ") {
		t.Errorf("%q", v.Text)
	}
}

// What an agency lists passes unread with a tag inside it, and nowhere else.
func TestListedKinds(t *testing.T) {
	noise := make([]byte, 20_000) // nobody reads letters in it
	rand.NewChaCha8([32]byte{1}).Read(noise)
	drawing := "AC1032\x00\x00\x00\x00" + string(noise)
	text := files("Pelan", map[string]string{"pelan.dwg": drawing})
	b := newBoard()
	if v, _ := judgeWith(t, b, way(mailOf(text), Internal)); v.Class != Uninspectable || v.Action != Reject {
		t.Fatalf("a drawing is read, or passes unlisted: %s %s %+v", v.Class, v.Action, v.Evidence)
	}
	b.with("agensi-a", func(a *store.AgencyPolicy) {
		a.Kinds = []store.PolicyKind{{Agency: "agensi-a", Name: "lukisan", Magic: "414331303332", Extension: "dwg"}}
	})
	v, rec := judgeWith(t, b, way(mailOf(text), Internal))
	if v.Action != Tag || !strings.Contains(string(v.TagHeaders), "X-Sampul-Unread: lukisan\r\n") || len(rec.got) != 1 || rec.got[0].Action != "tag" || rec.got[0].Cause != "listed kind" {
		t.Errorf("%s %q %+v", v.Action, v.TagHeaders, rec.got)
	}
	for _, d := range []Direction{Across, Out, In, InGov, Relay} {
		if v, _ := judgeWith(t, b, way(mailOf(text), d)); v.Action != Reject {
			t.Errorf("%s: %s", d, v.Action)
		}
	}
	for name, want := range map[string]Action{
		files("Pelan", map[string]string{"pelan.dxf": drawing}):                            Reject, // another name
		files("Pelan", map[string]string{"pelan.dwg": "XX" + drawing}):                     Reject, // other content
		files("[RAHSIA] Pelan", map[string]string{"pelan.dwg": drawing}):                   Reject, // a readable mark
		files("[SULIT] Pelan", map[string]string{"pelan.dwg": drawing}):                    SecureLink,
		files("Rahsia: Pelan", map[string]string{"pelan.dwg": drawing}):                    Reject, // a suspicion
		files("Pelan", map[string]string{"pelan.dwg": drawing, "x.bin": "YY" + drawing}):   Reject, // another file
		files("Pelan", map[string]string{"pelan.dwg": drawing, "lama.dwg": drawing + "x"}): Tag,
	} {
		if v, _ := judgeWith(t, b, way(mailOf(name), Internal)); v.Action != want {
			t.Errorf("%s: %s, want %s", name[:60], v.Action, want)
		}
	}
}

// An officer names who may get TERHAD and SULIT on the Internet; RAHSIA goes to nobody.
func TestNamedPermission(t *testing.T) {
	b := newBoard()
	allow := func(until time.Time) {
		b.with("agensi-a", func(a *store.AgencyPolicy) {
			a.Permissions = []store.PolicyPermission{{Agency: "agensi-a", Address: "orang@luar.test", Until: until}}
		})
	}
	allow(time.Time{})
	for name, want := range map[string]Action{"SULIT": Tag, "TERHAD": Tag, "RAHSIA": Reject, "RAHSIA BESAR": Reject, "UNINSPECTABLE": Reject, "TERBUKA": Accept} {
		v, rec := judgeWith(t, b, way(mailOf(letters[name]), Out))
		if v.Action != want {
			t.Errorf("%s: %s, want %s", name, v.Action, want)
		}
		if want == Tag && (len(rec.got) != 1 || rec.got[0].Cause != "permission" || rec.got[0].Action != "tag") {
			t.Errorf("%s: not recorded: %+v", name, rec.got)
		}
	}
	for _, d := range []Direction{Internal, Across, Relay, InGov} {
		m := way(mailOf(letters["SULIT"]), d)
		m.Recipients[0].Address = "orang@luar.test"
		if v, _ := judgeWith(t, b, m); v.Action < SecureLink {
			t.Errorf("%s: %s", d, v.Action)
		}
	}
	m := way(mailOf(letters["SULIT"]), Out)
	m.Recipients = append(m.Recipients, Recipient{Address: "lain@luar.test"})
	if v, _ := judgeWith(t, b, m); v.Action != Reject || v.Actions[0] != Tag {
		t.Errorf("another recipient: %v", v.Actions)
	}
	allow(noon())
	if v, _ := judgeWith(t, b, way(mailOf(letters["SULIT"]), Out)); v.Action != Reject {
		t.Errorf("a permission that is over: %s", v.Action)
	}
	allow(noon().Add(time.Second))
	if v, _ := judgeWith(t, b, way(mailOf(letters["SULIT"]), Out)); v.Action != Tag {
		t.Errorf("a permission for another second: %s", v.Action)
	}
}

func TestAgencySettings(t *testing.T) {
	for _, tt := range []struct {
		letter   string
		d        Direction
		settings store.PolicySettings
		want     Action
	}{
		{"SULIT", In, store.PolicySettings{InternetSecret: "deliver"}, Tag},
		{"SULIT", In, store.PolicySettings{InternetSecret: "refuse"}, Reject},
		{"ENCRYPTED", In, store.PolicySettings{InternetUnread: "listed"}, Tag},
		{"ENCRYPTED", In, store.PolicySettings{InternetUnread: "refuse"}, Reject},
		{"DECLARED", Internal, store.PolicySettings{Declare: "self"}, Accept},
		{"DECLARED", Internal, store.PolicySettings{Declare: "approve"}, Reject},
		{"DECLARED", Out, store.PolicySettings{Declare: "approve"}, Reject},
		{"DECLARED", In, store.PolicySettings{Declare: "approve"}, Accept},
	} {
		b := newBoard()
		b.settings("agensi-a", tt.settings)
		v, _ := judgeWith(t, b, way(mailOf(letters[tt.letter]), tt.d))
		if v.Action != tt.want {
			t.Errorf("%s, %s, %+v: %s", tt.letter, tt.d, tt.settings, v.Action)
		}
		if v.approval && !strings.Contains(v.Text, "security officer") {
			t.Errorf("%q", v.Text)
		}
	}
	b := newBoard()
	b.settings("agensi-a", store.PolicySettings{Guidance: "Pautan: https://pautan.agensi-a.test"})
	if v, _ := judgeWith(t, b, way(mailOf(letters["SULIT"]), Internal)); !strings.HasSuffix(v.Text, "https://pautan.agensi-a.test") {
		t.Errorf("%q", v.Text)
	}
}

// Our own notices get through whatever agencies have said.
func TestOwnNoticesHaveNoRules(t *testing.T) {
	b := newBoard()
	b.rule("agensi-a", "semua", "true", "reject")
	m := way(mailOf(letters["TERBUKA"]), In)
	m.Purpose = gate.OwnNotice
	v, err := New(Options{Policies: b}).Judge(context.Background(), m)
	if err != nil || v.Action != Accept {
		t.Errorf("%v %v", v, err)
	}
}

// What is not opened counts with its size all the same.
func TestLockedPartsHaveASize(t *testing.T) {
	b := newBoard()
	b.settings("agensi-a", store.PolicySettings{AttachmentMax: 10})
	m := way(mailOf(letters["ENCRYPTED"]), In)
	if v, _ := judgeWith(t, b, m); v.Action != Reject || v.Code != 552 || v.attached != 15 {
		t.Errorf("%s %d %q: %d octets", v.Action, v.Code, v.Text, v.attached)
	}
	if !matches(t, newBoard(), `attachments.exists(a, a.locked && a.kind == "s/mime" && a.size == 15)`, m) {
		t.Error("a rule does not see it")
	}
}

// What the operator says of labels holds for the next message.
func TestLabelsHoldAtOnce(t *testing.T) {
	const site, guid = "1b2c3d4e-0000-4000-8000-0123456789ab", "9f8e7d6c-0000-4000-8000-ba9876543210"
	text := "Subject: Jemputan\nmsip_labels: MSIP_Label_" + guid + "_Enabled=true; MSIP_Label_" + guid + "_SiteId=" + site +
		"; MSIP_Label_" + guid + "_Name=Dalaman\n\nIsi.\n"
	b := newBoard()
	e := New(Options{Policies: b, Recorder: &recorder{}})
	judge := func() Class {
		t.Helper()
		v, err := e.Judge(context.Background(), way(mailOf(text), Internal))
		if err != nil {
			t.Fatal(err)
		}
		return v.Class
	}
	if c := judge(); c != Terbuka {
		t.Errorf("a label that nobody has explained: %s", c)
	}
	for seq, class := range map[uint64]string{1: "RAHSIA", 2: "SULIT"} {
		b.set = &store.PolicySet{Seq: seq, LabelsSeq: seq, Labels: []store.PolicyLabel{{Site: site, GUID: guid, Class: class}}}
		e.book.now.Store(nil)
		if c := judge(); c.String() != class {
			t.Errorf("%s: %s", class, c)
		}
	}
}
