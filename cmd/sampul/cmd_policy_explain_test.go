package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Explain tells what a message is made of, what was found and why it counts or does not,
// and what follows; as a tree, or as JSON.
func TestPolicyExplain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	marked := write("marked.eml", withAttachment("Rahsia kejayaan", "bahan.zip", zipOf(t, map[string]string{"k.docx": string(docx(t, "RAHSIА BESAR"))})))
	tree := run(t, 1, "policy", "explain", marked)
	for _, want := range []string{"marked.eml: RAHSIA BESAR\n", `attachment 1 "bahan.zip" (zip`, "k.docx", "E3 100: RAHSIA BESAR", "U+0410", "N3 0: RAHSIA in subject",
		"Rahsia kejayaan", "RAHSIA BESAR: 100, by E3", "internal: reject", "reply: 550 5.7.1 Disekat"} {
		if !strings.Contains(tree, want) {
			t.Errorf("the tree does not say %q:\n%s", want, tree)
		}
	}
	var l explainLine
	if err := json.Unmarshal([]byte(run(t, 1, "policy", "explain", "--json", "--direction", "in", marked)), &l); err != nil {
		t.Fatal(err)
	}
	if l.Class != "RAHSIA BESAR" || l.Action != "reject" || l.Direction != "in" || len(l.Scores) != 1 || l.Scores[0].Points != 100 || len(l.Parts) < 2 {
		t.Errorf("%+v", l)
	}
	open := write("open.eml", letter("Jemputan", "Selamat pagi\n"))
	if tree := run(t, 0, "policy", "explain", open); !strings.Contains(tree, "verdict: TERBUKA; internal: accept") {
		t.Errorf("open:\n%s", tree)
	}
	// Nothing but explain quotes.
	if out := run(t, 1, "policy", "check", "--json", marked); strings.Contains(out, "kejayaan") {
		t.Errorf("check quotes: %s", out)
	}
	run(t, 2, "policy", "explain")
	run(t, 2, "policy", "explain", "--direction", "sideways", open)
}
