package policy

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

// board is a set of policy that tests change.
type board struct{ set *store.PolicySet }

func (b *board) Policy() *store.PolicySet { return b.set }

// with is a set with one thing more: what a store hands out never changes.
func (b *board) with(agency string, change func(*store.AgencyPolicy)) {
	next := &store.PolicySet{Agencies: map[string]*store.AgencyPolicy{}}
	if b.set != nil {
		next.Seq, next.Labels = b.set.Seq, b.set.Labels
		for n, a := range b.set.Agencies {
			c := *a
			next.Agencies[n] = &c
		}
	}
	next.Seq++
	a := next.Agencies[agency]
	if a == nil {
		a = &store.AgencyPolicy{}
		next.Agencies[agency] = a
	}
	change(a)
	a.Seq = next.Seq
	b.set = next
}

func (b *board) rule(agency, name, when, do string) {
	b.with(agency, func(a *store.AgencyPolicy) {
		a.Rules = append(a.Rules[:len(a.Rules):len(a.Rules)], store.PolicyRule{Agency: agency, Name: name, When: when, Do: do,
			PolicyChange: store.PolicyChange{Version: int(b.set.Seq) + 1}})
	})
}

func newBoard() *board { return &board{set: &store.PolicySet{}} }

// files makes a message with attachments.
func files(subject string, named map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nIsi.\n", subject)
	for name, content := range named {
		fmt.Fprintf(&b, "--b\nContent-Type: application/octet-stream; name=%q\nContent-Disposition: attachment; filename=%q\nContent-Transfer-Encoding: base64\n\n",
			name, name)
		for enc := base64.StdEncoding.EncodeToString([]byte(content)); enc != ""; {
			n := min(76, len(enc))
			fmt.Fprintln(&b, enc[:n])
			enc = enc[n:]
		}
	}
	return b.String() + "--b--\n"
}

func judgeWith(t *testing.T, b *board, m *Mail) (*Verdict, *recorder) {
	t.Helper()
	rec := &recorder{}
	v, err := New(Options{Recorder: rec, Policies: b, Clock: noon}).Judge(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return v, rec
}

// noon is a Wednesday.
func noon() time.Time { return time.Date(2026, 11, 25, 12, 30, 0, 0, time.UTC) }

func TestRulesMatch(t *testing.T) {
	two := files("Jemputan", map[string]string{"nota.txt": "Satu nota.\n", "jadual.csv": "a,b\n1,2\n"})
	for _, tt := range []struct {
		when string
		text string
		d    Direction
		want bool
	}{
		{`class >= TERHAD`, letters["SULIT"], Internal, true},
		{`class >= TERHAD`, letters["TERBUKA"], Internal, false},
		{`class == SULIT && class < RAHSIA`, letters["SULIT"], In, true},
		{`suspicion == RAHSIA && !declared`, letters["SUSPICION"], In, true},
		{`declared`, letters["DECLARED"], Internal, true},
		{`unreadable && class == TERBUKA`, letters["ENCRYPTED"], In, true},
		{`direction == "in"`, letters["TERBUKA"], In, true},
		{`direction in ["out", "agency"]`, letters["TERBUKA"], Out, true},
		{`direction in ["out", "agency"]`, letters["TERBUKA"], Internal, false},
		{`sender_domain == "luar.test" && sender == "orang@luar.test"`, letters["TERBUKA"], In, true},
		{`recipient_domain.endsWith(".test") && recipient_agency == "agensi-b"`, letters["TERBUKA"], Across, true},
		{`recipients.exists(r, r.endsWith("@luar.test")) && recipient_count == 1`, letters["TERBUKA"], Out, true},
		{`size < 1000`, letters["TERBUKA"], In, true},
		{`attachment_count == 2 && attachment_size == 19`, two, In, true},
		{`attachments.exists(a, a.name == "nota.txt" && a.ext == "txt" && a.size == 11 && a.depth == 0)`, two, In, true},
		{`attachments.exists(a, a.macros || a.locked)`, two, In, false},
		{`"csv" in types`, two, In, true},
		{`attachments.all(a, a.type == "application/octet-stream")`, two, In, true},
		{`auth.spf == "fail" || auth.dmarc == "fail"`, letters["TERBUKA"], In, true},
		{`auth.dkim == "pass" && auth.iprev == ""`, letters["TERBUKA"], In, true},
		{`authenticated && !app && !stored`, letters["TERBUKA"], Internal, true},
		{`app`, letters["TERBUKA"], Relay, true},
		{`hour == 12 && weekday == 3`, letters["TERBUKA"], In, true},
		{`hour >= 22 || weekday > 5`, letters["TERBUKA"], In, false},
	} {
		b := newBoard()
		b.rule("agensi-a", "cubaan", tt.when, "tag")
		m := way(mailOf(tt.text), tt.d)
		m.Auth = Auth{SPF: "fail", DKIM: "pass"}
		v, _ := judgeWith(t, b, m)
		rep := false
		for _, c := range v.causes {
			rep = rep || c.kind == byRule
		}
		hit := rep || len(v.RecipientTags) > 0
		if v.Action >= SecureLink { // what is refused already: ask the rule itself
			hit = matches(t, b, tt.when, m)
		}
		if tt.d != Internal && tt.d != In && v.Action < SecureLink { // no tag for others
			hit = matches(t, b, tt.when, m)
		}
		if hit != tt.want {
			t.Errorf("%s, %s: %v, want %v: %s", tt.when, tt.d, hit, tt.want, v.Action)
		}
	}
}

// matches asks a rule about a message, whatever else is said of it.
func matches(t *testing.T, b *board, when string, m *Mail) bool {
	t.Helper()
	e := New(Options{Policies: b, Clock: noon})
	r, err := compile(store.PolicyRule{Agency: "agensi-a", Name: "x", When: when, Do: "tag"})
	if err != nil {
		t.Fatal(err)
	}
	j := &judgement{Engine: e, m: m, rules: e.current()}
	if err := j.look(context.Background(), m.Index, m.Body); err != nil {
		t.Fatal(err)
	}
	j.dirs, j.from = e.directions(context.Background(), m)
	hit, err := r.matches(context.Background(), &question{j: j, rule: r, now: noon()})
	if err != nil {
		t.Fatal(err)
	}
	return hit
}

// A rule that cannot work is refused when it is loaded.
func TestRulesAreChecked(t *testing.T) {
	for when, want := range map[string]string{
		`class >=`:                             "Syntax error",
		`class`:                                "true or false",
		`class >= "SULIT"`:                     "no matching overload",
		`klas >= SULIT`:                        "undeclared reference",
		`subject.contains("RAHSIA")`:           "undeclared reference", // content is not for rules
		`direction == "outbound"`:              "no direction is named",
		`direction in ["in", "luar"]`:          "no direction is named",
		`attachments.exists(a, a.nama == "x")`: "undefined field",
		`attachments.exists(a, attachments.exists(b, a.name.contains(b.name)))`: "units for one message",
		`sender.matches("(")`: "regex",
	} {
		err := CheckRule(store.PolicyRule{Agency: "a", Name: "x", When: when, Do: "reject"})
		if !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", when, err, want)
		}
	}
	if err := CheckRule(store.PolicyRule{Agency: "a", Name: "x", When: "true", Do: "terbang"}); !errors.Is(err, ErrRule) {
		t.Errorf("an action that is none: %v", err)
	}
	for _, when := range []string{`attachments.exists(a, a.name.lowerAscii().matches("^.*[.](exe|scr)$"))`, `recipients.all(r, r.endsWith(".test"))`, `true`} {
		if err := CheckRule(store.PolicyRule{Agency: "a", Name: "x", When: when, Do: "tag"}); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
}

// Rules tighten, and never loosen.
func TestRulesTighten(t *testing.T) {
	all := []string{"accept", "tag", "secure-link", "reject", "tempfail"}
	for name, text := range letters {
		for _, d := range []Direction{Internal, Out, In} {
			plain, _ := judgeWith(t, newBoard(), way(mailOf(text), d))
			for _, do := range all {
				b := newBoard()
				b.rule("agensi-a", "peraturan", "true", do)
				v, rec := judgeWith(t, b, way(mailOf(text), d))
				want := plain.Action
				if a, _ := ParseAction(do); stricter(a, want) {
					want = a
				}
				if v.Action != want {
					t.Errorf("%s, %s, rule %s: %s, want %s", name, d, do, v.Action, want)
				}
				if v.Class >= Rahsia && (strings.Contains(v.Text, "peraturan") || v.Enhanced != "5.7.1") {
					t.Errorf("%s: a rule answers for RAHSIA: %s", name, v.Text)
				}
				if v.Action == Tempfail && (v.Code != 451 || v.Enhanced != "4.7.1" || len(rec.got) != 0 || !strings.Contains(v.Text, "peraturan (agensi-a)")) {
					t.Errorf("%s, %s: put off with %d %s %q, %d incidents", name, d, v.Code, v.Enhanced, v.Text, len(rec.got))
				}
				if v.Passed.Valid() != (v.Action <= Tag) {
					t.Errorf("%s, %s, rule %s: passed %v with %s", name, d, do, v.Passed.Valid(), v.Action)
				}
			}
		}
	}
}

func TestRuleRefusal(t *testing.T) {
	b := newBoard()
	b.with("agensi-a", func(a *store.AgencyPolicy) {
		a.Rules = []store.PolicyRule{{Agency: "agensi-a", Name: "malam", When: "hour == 12", Do: "reject", Text: "Hantar esok; send tomorrow.",
			PolicyChange: store.PolicyChange{Version: 3}}}
	})
	v, rec := judgeWith(t, b, way(mailOf(letters["TERBUKA"]), In))
	checkRefusal(t, v)
	if !strings.Contains(v.Text, "malam (agensi-a)") || !strings.Contains(v.Text, "send tomorrow") {
		t.Errorf("%q", v.Text)
	}
	if len(rec.got) != 1 || rec.got[0].Cause != "rule agensi-a/malam" || rec.got[0].Agency != "agensi-a" || len(rec.got[0].Evidence) != 1 || rec.got[0].Class != "TERBUKA" || rec.got[0].RuleSet != RuleSet+"+1" {
		t.Errorf("%+v", rec.got)
	}
	// Off, it does nothing; another agency's mail is none of its business.
	b.with("agensi-a", func(a *store.AgencyPolicy) { r := a.Rules[0]; r.Off = true; a.Rules = []store.PolicyRule{r} })
	if v, _ := judgeWith(t, b, way(mailOf(letters["TERBUKA"]), In)); v.Action != Accept {
		t.Errorf("off: %s", v.Action)
	}
	b = newBoard()
	b.rule("agensi-b", "malam", "true", "reject")
	if v, _ := judgeWith(t, b, way(mailOf(letters["TERBUKA"]), Internal)); v.Action != Accept {
		t.Errorf("another agency's rule: %s", v.Action)
	}
	b.rule(store.Suite, "semua", "direction == \"internal\"", "tag")
	v, _ = judgeWith(t, b, way(mailOf(letters["TERBUKA"]), Internal))
	if v.Action != Tag || len(v.RecipientTags) != 1 || string(v.RecipientTags[0]) != "X-Sampul-Rule: semua\r\n" || len(v.TagHeaders) != 0 {
		t.Errorf("the suite's rule: %s %q %q", v.Action, v.RecipientTags, v.TagHeaders)
	}
}

// On submission the strictest of several recipients decides, and the reply names it.
func TestTheReplyNamesTheRecipient(t *testing.T) {
	b := newBoard()
	b.rule("agensi-b", "tutup", "true", "reject")
	m := way(mailOf(letters["TERBUKA"]), Internal)
	m.Recipients = append(m.Recipients, Recipient{Address: "pegawai1@agensi-b.test", Agency: "agensi-b", Given: "semua@agensi-b.test"})
	v, _ := judgeWith(t, b, m)
	if v.Action != Reject || v.Actions[0] != Accept || v.Direction != Across || !strings.Contains(v.Text, "untuk semua@agensi-b.test") || !strings.Contains(v.Text, "for semua@agensi-b.test") {
		t.Errorf("%s %v %q", v.Action, v.Actions, v.Text)
	}
	// A rule about one recipient says nothing of the others.
	b = newBoard()
	b.rule("agensi-a", "seorang", `recipient == "pegawai1@agensi-b.test"`, "reject")
	m = way(mailOf(letters["TERBUKA"]), Internal)
	m.Recipients = append(m.Recipients, Recipient{Address: "Pegawai1@agensi-b.test", Agency: "agensi-b"}, Recipient{Address: "pegawai2@agensi-b.test", Agency: "agensi-b"})
	v, _ = judgeWith(t, b, m)
	if v.Actions[0] != Accept || v.Actions[1] != Reject || v.Actions[2] != Accept {
		t.Errorf("%v", v.Actions)
	}
	// A recipient's agency learns of no recipients but its own.
	b = newBoard()
	b.rule("agensi-b", "ramai", "recipient_count > 1", "reject")
	m = way(mailOf(letters["TERBUKA"]), In)
	m.Recipients = append(m.Recipients, Recipient{Address: "pegawai1@agensi-b.test", Agency: "agensi-b"})
	if v, _ = judgeWith(t, b, m); v.Action != Accept {
		t.Errorf("a rule of agensi-b counts the recipients of agensi-a: %v", v.Actions)
	}
}

// A rule that fails puts the message off, and one that no longer loads too.
func TestRulesThatFail(t *testing.T) {
	for _, when := range []string{`attachments[5].size > 3`, `klas > 3`} {
		b := newBoard()
		b.rule("agensi-a", "rosak", when, "tag")
		v, rec := judgeWith(t, b, way(mailOf(letters["TERBUKA"]), In))
		if v.Action != Tempfail || v.Code != 451 || v.Passed.Valid() || len(rec.got) != 0 || !strings.Contains(v.Text, "rosak (agensi-a)") {
			t.Errorf("%s: %s %d %q", when, v.Action, v.Code, v.Text)
		}
	}
}

func TestSameRules(t *testing.T) {
	b := newBoard()
	e := New(Options{Policies: b})
	same := func(want bool, what string) {
		t.Helper()
		if e.SameRules("agensi-a", "agensi-b") != want || e.SameRules("agensi-b", "agensi-a") != want {
			t.Errorf("%s: want %v", what, want)
		}
	}
	same(true, "nothing set")
	b.with("agensi-a", func(a *store.AgencyPolicy) { a.Settings.Guidance, a.Settings.Declare = "Guna pautan.", "approve" })
	same(true, "what is not about mail from outside")
	b.with("agensi-a", func(a *store.AgencyPolicy) { a.Settings.AttachmentMax = 10 << 20 })
	same(false, "a limit")
	b.with("agensi-b", func(a *store.AgencyPolicy) { a.Settings.AttachmentMax = 10 << 20 })
	same(true, "the same limit")
	b.rule("agensi-a", "x", "true", "tag")
	same(false, "a rule")
	b.with("agensi-a", func(a *store.AgencyPolicy) { a.Rules[0].Off = true })
	same(true, "a rule that is off")
	if !e.SameRules("agensi-a", "agensi-a") || e.SameRules("agensi-a", "") {
		t.Error("an agency and itself, or nobody")
	}
}

// What was judged by a set is not judged by an older one later.
func TestANewSetHoldsAtOnce(t *testing.T) {
	b := newBoard()
	e := New(Options{Policies: b})
	judge := func() Action {
		t.Helper()
		v, err := e.Judge(context.Background(), way(mailOf(letters["TERBUKA"]), In))
		if err != nil {
			t.Fatal(err)
		}
		return v.Action
	}
	if a := judge(); a != Accept {
		t.Fatal(a)
	}
	b.rule("agensi-a", "x", "true", "reject")
	first := e.book.now.Load()
	if a := judge(); a != Reject {
		t.Fatal(a)
	}
	b.rule("agensi-a", "y", "false", "reject")
	judge()
	if e.book.now.Load() == first || e.book.now.Load().agencies["agensi-a"].rules[0] == nil {
		t.Fatal("not made ready")
	}
	one := e.book.now.Load().agencies["agensi-a"].rules[0]
	b.with("agensi-a", func(a *store.AgencyPolicy) { a.Rules = a.Rules[:1] })
	judge()
	if e.book.now.Load().agencies["agensi-a"].rules[0] != one {
		t.Error("a rule that did not change was compiled again")
	}
}

func TestTestRule(t *testing.T) {
	text := bytes.ReplaceAll([]byte(letters["TERBUKA"]), []byte("\n"), []byte("\r\n"))
	e := New(Options{})
	r := store.PolicyRule{Agency: "agensi-a", Name: "x", When: `sender_domain == "luar.test"`, Do: "reject", Off: true}
	for sender, want := range map[string]bool{"orang@luar.test": true, "orang@lain.test": false} {
		hit, v, err := e.TestRule(context.Background(), r, Check{Direction: In, Agency: "agensi-a", Sender: sender}, bytes.NewReader(text), int64(len(text)))
		if err != nil || hit != want || (v.Action == Reject) != want || v.Passed.Valid() {
			t.Errorf("%s: %v %+v %v", sender, hit, v, err)
		}
	}
	r.When = "attachments[0].size > 1"
	if _, _, err := e.TestRule(context.Background(), r, Check{Direction: In}, bytes.NewReader(text), int64(len(text))); err == nil {
		t.Error("a failure is not told")
	}
}

func BenchmarkJudge4KWith100Rules(b *testing.B) {
	board := newBoard()
	for i := range 100 {
		board.rule("agensi-a", fmt.Sprint("r", i), fmt.Sprintf(`direction == "in" && size > %d && class >= SULIT && !attachments.exists(a, a.ext == "x%d")`, i, i), "reject")
	}
	e := New(Options{Recorder: &recorder{}, Policies: board})
	m := way(mailOf("Subject: Jemputan\nFrom: a@luar.test\n\n"+strings.Repeat(filling, 140)), In)
	b.SetBytes(m.Body.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Judge(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
}
