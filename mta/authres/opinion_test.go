package authres

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sampul/internal/dkim"
	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/peers"
)

// authheaders aligns by registered names, we by the tree walk alone. Where a domain and its
// organization publish as most do, both must come to the same. (It reads no hyphens in
// domains, so that there are none here.)
func TestDMARCSecondOpinion(t *testing.T) {
	python := peers.Python(t, "authheaders", "authres")
	z := dnstest.New(t, zone+"\n_dmarc.longgar.test IN TXT \"v=DMARC1; p=none\"")
	records := map[string]string{"ada.bawah.test": "ada"}
	for _, name := range []string{"_dmarc.tolak.test", "_dmarc.kuarantin.test", "_dmarc.ketat.test", "_dmarc.bawah.test", "_dmarc.longgar.test"} {
		txts, _, err := dns.New(z.Addr).TXT(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		records[name] = txts[0]
	}
	cmd := exec.Command(python, filepath.Join("testdata", "dmarc.py"))
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
	c := New(Options{Resolver: dns.New(z.Addr)})
	compared := map[Result]int{}
	for _, from := range []string{"tolak.test", "a.tolak.test", "a.b.tolak.test", "kuarantin.test", "ketat.test", "a.ketat.test",
		"bawah.test", "ada.bawah.test", "hilang.bawah.test", "longgar.test", "pas.test"} {
		for _, path := range []string{"pas.test", "tolak.test", "b.tolak.test", "ketat.test", "a.ketat.test", "ada.bawah.test", "xtolak.test"} {
			for _, d := range []string{"lain.test", "tolak.test", "kuarantin.test", "b.ketat.test"} {
				for _, results := range [][2]Result{{Pass, Fail}, {Fail, Pass}, {Fail, Fail}, {SoftFail, Pass}} {
					msg := letter("a@" + from)
					q := map[string]any{"message": msg, "zone": records, "spf": results[0], "path": path, "dkim": results[1], "domain": d}
					if err := json.NewEncoder(in).Encode(q); err != nil {
						t.Fatal(err)
					}
					var theirs struct{ Result, Policy string }
					if err := answers.Decode(&theirs); err != nil {
						t.Fatal(err)
					}
					m := mail(msg, "")
					ours := c.checkDMARC(t.Context(), fromDomains(m.Index), []*walk{c.treeWalk(t.Context(), from)}, &Results{
						SPF: SPF{Result: results[0], Domain: path}, DKIM: []Signature{{Result: results[1], Domain: d}}, ARC: ARC{Result: Result(dkim.None)}})
					if string(ours.Result) != theirs.Result || ours.Policy != theirs.Policy {
						t.Errorf("From %s, SPF %s %s, DKIM %s %s: we say %s p=%q, they %s p=%q", from, results[0], path, results[1], d,
							ours.Result, ours.Policy, theirs.Result, theirs.Policy)
					}
					compared[ours.Result]++
				}
			}
		}
	}
	if compared[Pass] < 50 || compared[Fail] < 50 || compared[None] < 20 {
		t.Errorf("compared %v: that does not say much", compared)
	}
}
