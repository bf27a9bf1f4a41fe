package dkim

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"sampul/internal/peers"
)

// corpus is messages of all the shapes that canonical forms are about, always the same ones.
// The odd ones have blanks before some colons (RFC 5322 section 4.5), and a last line without
// its end, which never comes by SMTP: of these other implementations think differently.
func corpus(n int, odd bool) []string {
	r := rand.New(rand.NewPCG(6376, 8617))
	words := []string{"mesyuarat", "esok", " ", "  ", "\t", "pagi", "jam 9", "é", "x=y;", "."}
	line := func() string {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(words[r.IntN(len(words))])
		}
		return b.String()
	}
	var out []string
	for i := range n {
		var b strings.Builder
		fmt.Fprintf(&b, "From: \"Orang %d\"  <orang@luar.test>\r\nSUBJECT:%s%s\r\n", i, map[bool]string{false: " "}[odd], strings.Join(strings.Fields(line()+" a"), " \r\n\t"))
		for range r.IntN(3) {
			fmt.Fprintf(&b, "To%s: pegawai%d@agensi-a.test ,\r\n  b@c.test  \r\n", map[bool]string{true: " "}[odd], r.IntN(9))
		}
		if r.IntN(2) == 0 {
			b.WriteString("Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nReceived: a\r\nReceived: b\r\nX-Lain: \t z \r\n")
		}
		if r.IntN(12) > 0 {
			b.WriteString("\r\n")
			for range r.IntN(8) {
				b.WriteString(line() + "\r\n")
			}
			b.WriteString(strings.Repeat("\r\n", r.IntN(4)))
			if odd && r.IntN(4) == 0 {
				b.WriteString(line())
			}
		} else {
			b.WriteString("\r\n") // no body at all
		}
		out = append(out, b.String())
	}
	return out
}

// mutations are what happens to mail on its way, some of it harmless.
var mutations = []func(head, body string) (string, string){
	func(h, b string) (string, string) { return h, b },
	func(h, b string) (string, string) { return h, b + "\r\n\r\n" },
	func(h, b string) (string, string) { return h, b + "x" },
	func(h, b string) (string, string) { return h, b + " " },
	func(h, b string) (string, string) { return h, strings.TrimRight(b, "\r\n") },
	func(h, b string) (string, string) { return h, strings.ReplaceAll(b, "  ", " ") },
	func(h, b string) (string, string) { return h, strings.ReplaceAll(b, "\r\n", " \r\n") },
	func(h, b string) (string, string) { return h, strings.Replace(b, "esok", "lusa", 1) },
	func(h, b string) (string, string) { return strings.Replace(h, "Orang", "orang", 1), b },
	func(h, b string) (string, string) { return strings.ReplaceAll(h, "\r\n\t", " "), b },
	func(h, b string) (string, string) { return strings.Replace(h, "From:", "FROM:", 1), b },
	func(h, b string) (string, string) {
		return strings.Replace(h, "From:", "From: lain@lain.test\r\nFrom:", 1), b
	},
	func(h, b string) (string, string) { return "Received: c\r\n" + h, b },
	func(h, b string) (string, string) { return strings.Replace(h, "b=", "b= ", 1), b },
	func(h, b string) (string, string) { return strings.Replace(h, "v=1;", "v=1; zz=esok;", 1), b },
}

func mutated(msg string, yield func(int, string)) {
	head, body, _ := strings.Cut(msg, "\r\n\r\n")
	for i, m := range mutations {
		h, b := m(head, body)
		yield(i, h+"\r\n\r\n"+b)
	}
}

// signedCorpus is the corpus signed by us, and by the other library in all forms.
func signedCorpus(t *testing.T, odd bool) []string {
	keys := testKeys()
	var out []string
	for i, msg := range corpus(40, odd) {
		out = append(out, sign(t, msg, keys...))
		k := keys[i%2]
		forms := []msgauth.Canonicalization{"simple", "relaxed"}
		var b bytes.Buffer
		err := msgauth.Sign(&b, strings.NewReader(msg), &msgauth.SignOptions{Domain: k.Domain, Selector: k.Selector, Signer: k.signer,
			HeaderCanonicalization: forms[i/2%2], BodyCanonicalization: forms[i/4%2], HeaderKeys: []string{"From", "from", "To", "Subject", "Date"}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.String())
	}
	return out
}

// Two implementations say the same of every message, changed or not.
func TestSecondOpinion(t *testing.T) {
	dns := published(t, testKeys()...)
	passed, failed := 0, 0
	for n, msg := range signedCorpus(t, true) {
		mutated(msg, func(i int, m string) {
			ours := verify(t, m, dns).Signatures
			theirs, err := msgauth.VerifyWithOptions(strings.NewReader(m), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
				txt, _, err := dns.TXT(context.Background(), name)
				return txt, err
			}})
			if err != nil || len(theirs) != len(ours) {
				t.Fatalf("message %d, change %d: %v; they saw %d signatures, we %d", n, i, err, len(theirs), len(ours))
			}
			for j := range ours {
				if (ours[j].Result == Pass) != (theirs[j].Err == nil) {
					t.Errorf("message %d, change %d, signature %d: we say %s (%s), they say %v\n%q", n, i, j, ours[j].Result, ours[j].Reason, theirs[j].Err, m)
				}
				if ours[j].Result == Pass {
					passed++
				} else {
					failed++
				}
			}
		})
	}
	if passed < 300 || failed < 300 {
		t.Errorf("%d passed and %d failed: the corpus does not say much", passed, failed)
	}
}

// opinion asks dkimpy.
func opinion(t *testing.T) func(q map[string]any) map[string]any {
	t.Helper()
	cmd := exec.Command(peers.Python(t, "dkim"), filepath.Join("testdata", "opinion.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	answers := json.NewDecoder(out)
	return func(q map[string]any) map[string]any {
		t.Helper()
		q["message"] = base64.StdEncoding.EncodeToString([]byte(q["message"].(string)))
		if err := json.NewEncoder(in).Encode(q); err != nil {
			t.Fatal(err)
		}
		var a map[string]any
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a["error"] != nil {
			t.Fatalf("dkimpy: %v", a["error"])
		}
		return a
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: see scripts/tools.sh", what)
	}
	t.Skipf("%s is missing: see scripts/tools.sh", what)
}

// pemOf is how dkimpy and opendkim take an RSA key; an Ed25519 key dkimpy takes as its seed.
func pemOf(t *testing.T, k Key) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		t.Fatal(err)
	}
	if k.Algorithm() == Ed25519 {
		return []byte(base64.StdEncoding.EncodeToString(der[len(der)-32:]))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func fieldsOf(t *testing.T, a map[string]any) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(a["fields"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return crlf(string(b))
}

func TestDkimpyReadsOurs(t *testing.T) {
	ask := opinion(t)
	dns := published(t, testKeys()...)
	n := 0
	for i, msg := range signedCorpus(t, false) {
		if i%2 == 1 {
			continue
		}
		mutated(msg, func(j int, m string) {
			if j == 13 || j == 14 { // changes of the signature field itself: dkimpy finds b= by a regular expression
				return
			}
			if !strings.HasSuffix(m, "\r\n") {
				m += "\r\n"
			}
			theirs := ask(map[string]any{"op": "dkim-verify", "message": m, "keys": dns})["pass"].([]any)
			ours := verify(t, m, dns).Signatures
			if len(theirs) != len(ours) {
				t.Fatalf("they saw %d signatures, we %d", len(theirs), len(ours))
			}
			for k := range ours {
				n++
				if (ours[k].Result == Pass) != theirs[k].(bool) {
					t.Errorf("message %d, change %d, signature %d: we say %s (%s), dkimpy %v\n%q", i, j, k, ours[k].Result, ours[k].Reason, theirs[k], m)
				}
			}
		})
	}
	if n == 0 {
		t.Fatal("nothing was compared")
	}
}

func TestWeReadDkimpy(t *testing.T) {
	ask := opinion(t)
	keys := testKeys()
	dns := published(t, keys...)
	for i, msg := range corpus(24, false) {
		k := keys[i%2]
		q := map[string]any{"op": "dkim-sign", "message": msg, "key": base64.StdEncoding.EncodeToString(pemOf(t, k)), "domain": k.Domain,
			"selector": k.Selector, "algorithm": k.Algorithm(), "length": i%5 == 0,
			"canon": []string{"simple", "relaxed"}[i/2%2] + "/" + []string{"simple", "relaxed"}[i/4%2]}
		signed := fieldsOf(t, ask(q)) + msg
		if v := verify(t, signed, dns).Signatures; len(v) != 1 || v[0].Result != Pass {
			t.Errorf("message %d: %+v\n%q", i, v, signed)
		}
		if v := verify(t, signed+"tambahan", dns).Signatures; v[0].Result == Pass || q["length"] == true && v[0].Result != Policy && v[0].Result != Fail {
			t.Errorf("message %d with more text: %+v", i, v)
		}
	}
}

// Chains that each side makes and the other one reads, and continues.
func TestARCWithDkimpy(t *testing.T) {
	ask := opinion(t)
	k := testKeys()[0]
	list := other(t, "senarai.test", k)
	dns := published(t, k, list)
	theirs := func(msg string) (string, string) {
		t.Helper()
		a := ask(map[string]any{"op": "arc-verify", "message": msg, "keys": dns})
		return a["cv"].(string), fmt.Sprint(a["why"])
	}
	signed := sign(t, letter, k)
	msg := signed
	for i := range 4 {
		if i%2 == 0 {
			msg = sealed(t, msg, list, map[bool]Result{true: None, false: Pass}[i == 0])
		} else {
			const found = "Authentication-Results: mx.senarai.test; arc=pass; dkim=pass header.d=luar.test\r\n"
			with := found + strings.Replace(msg, found, "", 1) // dkimpy wants one such field
			msg = fieldsOf(t, ask(map[string]any{"op": "arc-sign", "message": with, "canon": "relaxed/relaxed", "domain": "senarai.test", "selector": "r",
				"key": base64.StdEncoding.EncodeToString(pemOf(t, k)), "authserv": "mx.senarai.test"})) + with
		}
		if cv, why := theirs(msg); cv != "pass" {
			t.Fatalf("after set %d dkimpy says %s: %s\n%s", i+1, cv, why, msg)
		}
		if c := verify(t, msg, dns).Chain; c.Result != Pass || len(c.Sets) != i+1 {
			t.Fatalf("after set %d we say %+v\n%s", i+1, c, msg)
		}
	}
	for _, change := range [][2]string{{"jam 9", "jam 8"}, {"Subject:", "Subject: x"}, {"dmarc=pass", "dmarc=fail"}, {"i=2; cv=pass", "i=2; cv=fail"}, {"Received:", "X-A: b\r\nReceived:"}} {
		m := strings.Replace(msg, change[0], change[1], 1)
		cv, _ := theirs(m)
		if c := verify(t, m, dns).Chain; string(c.Result) != cv {
			t.Errorf("%v: we say %s (%s), dkimpy %s", change, c.Result, c.Reason, cv)
		}
	}
}

// opendkim reads ours, in its test mode.
func TestOpendkimReadsOurs(t *testing.T) {
	tool := need(t, "opendkim")
	k := testKeys()[0] // it knows no Ed25519
	dir := t.TempDir()
	record, _ := k.Record()
	write(t, dir, "keys", k.Name()+" "+record+"\n")
	write(t, dir, "conf", "Mode v\nTestPublicKeys "+filepath.Join(dir, "keys")+"\n")
	for i, msg := range corpus(12, false) {
		signed := sign(t, msg, k)
		for name, m := range map[string]string{"good": signed, "bad": signed + "x"} {
			file := write(t, dir, fmt.Sprintf("%d.%s", i, name), m)
			out, err := exec.Command(tool, "-t", file, "-x", filepath.Join(dir, "conf")).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := strings.Contains(string(out), "succeeded"); got != (name == "good") {
				t.Errorf("message %d, %s: %s\n%q", i, name, out, m)
			}
		}
	}
}

func TestWeReadOpendkim(t *testing.T) {
	tool := need(t, "opendkim")
	k := testKeys()[0]
	dns := published(t, k)
	dir := t.TempDir()
	key := write(t, dir, "key", string(pemOf(t, k)))
	for i, msg := range corpus(12, false) {
		conf := write(t, dir, "conf", fmt.Sprintf("Mode s\nDomain luar.test\nSelector r\nKeyFile %s\nCanonicalization %s/%s\nOversignHeaders From\nRequireSafeKeys no\n",
			key, []string{"simple", "relaxed"}[i%2], []string{"simple", "relaxed"}[i/2%2]))
		file := write(t, dir, fmt.Sprint(i), msg)
		out, err := exec.Command(tool, "-t", file, "-vv", "-x", conf).CombinedOutput()
		_, rest, found := strings.Cut(string(out), "hname='DKIM-Signature' hvalue='")
		value, _, ended := strings.Cut(rest, "'\n")
		if err != nil || !found || !ended {
			t.Fatalf("%v\n%s", err, out)
		}
		signed := "DKIM-Signature: " + strings.TrimLeft(crlf(value), " ") + "\r\n" + msg
		if v := verify(t, signed, dns).Signatures; len(v) != 1 || v[0].Result != Pass || v[0].Algorithm != RSA {
			t.Errorf("message %d: %+v\n%q", i, v, signed)
		}
	}
}

// What still comes signed with SHA-1 is no proof.
func TestSHA1OfOpendkim(t *testing.T) {
	tool := need(t, "opendkim-testmsg")
	k := testKeys()[0]
	cmd := exec.Command(tool, "-C", "-d", "luar.test", "-s", "r", "-k", write(t, t.TempDir(), "key", string(pemOf(t, k))))
	cmd.Stdin = strings.NewReader(letter)
	out, err := cmd.Output()
	if err != nil || !bytes.Contains(out, []byte("rsa-sha1")) {
		t.Skipf("this opendkim-testmsg does not sign with SHA-1: %v", err)
	}
	if v := verify(t, string(out), published(t, k)).Signatures; len(v) != 1 || v[0].Result != Policy {
		t.Errorf("%+v", v)
	}
}

func need(t *testing.T, tool string) string {
	t.Helper()
	for _, name := range []string{tool, "/usr/sbin/" + tool} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	missing(t, tool)
	return ""
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
