package dkim

import (
	"strings"
	"testing"
)

// sealed puts one more set before the message.
func sealed(t testing.TB, msg string, k Key, cv Result) string {
	t.Helper()
	set, err := Seal(strings.NewReader(msg), SealOptions{Key: k, Now: now, CV: cv,
		Results: "mx." + k.Domain + ";\r\n\tdmarc=pass header.from=luar.test"})
	if err != nil {
		t.Fatal(err)
	}
	return string(set) + msg
}

func other(t testing.TB, domain string, like Key) Key { return Key{domain, like.Selector, like.signer} }

func TestSealThenVerify(t *testing.T) {
	keys := testKeys()
	list := other(t, "senarai.test", keys[0])
	next := other(t, "lanjut.test", keys[1])
	dns := published(t, keys[0], keys[1], list, next)
	first := sealed(t, sign(t, letter, keys[0]), list, None)
	listed := strings.Replace(first, "Subject: ", "Subject: [senarai] ", 1)
	second := sealed(t, first, next, Pass)
	for _, tt := range []struct {
		name, msg string
		want      Result
		sets      int
		reason    string
	}{
		{"none", letter, None, 0, ""},
		{"one", first, Pass, 1, ""},
		{"two", second, Pass, 2, ""},
		{"changed after the seal", listed, Fail, 0, "message signature of instance 1"},
		{"changed, and sealed as good", sealed(t, listed, next, Pass), Pass, 2, ""}, // what the second sealer vouches for
		{"body changed", strings.Replace(second, "jam 9", "jam 8", 1), Fail, 0, "body"},
		{"claims changed", strings.Replace(second, "dmarc=pass", "dmarc=fail", 1), Fail, 0, "seal of instance 2"},
		{"older claims changed", second[:len(second)-len(first)] + strings.Replace(first, "dmarc=pass", "dmarc=fail", 1), Fail, 0, "seal of instance 1"},
		{"found broken", sealed(t, listed, next, Fail), Fail, 0, "the sealer of instance 2"},
		{"set taken out", strings.Replace(second, "ARC-Seal: i=1", "X-Seal: i=1", 1), Fail, 0, "instance 1 is not complete"},
		{"set twice", strings.Replace(second, "Received:", "ARC-Seal: i=1; a=rsa-sha256\r\nReceived:", 1), Fail, 0, "twice"},
		{"instance 0", "ARC-Seal: i=0; a=rsa-sha256\r\n" + first, Fail, 0, "instance from 1"},
		{"instance 51", "ARC-Seal: i=51; a=rsa-sha256\r\n" + first, Fail, 0, "instance from 1"},
		{"no instance", "ARC-Authentication-Results: mx.test; none\r\n" + first, Fail, 0, "instance from 1"},
		{"first says pass", strings.Replace(first, "cv=none", "cv=pass", 1), Fail, 0, "cv="},
		{"second says none", strings.Replace(second, "cv=pass", "cv=none", 1), Fail, 0, "cv="},
		{"seal with h=", strings.Replace(first, "ARC-Seal: i=1;", "ARC-Seal: i=1; h=from;", 1), Fail, 0, "h="},
		{"comment before the instance", strings.Replace(first, "Results: i=1;", "Results: (a (b) c) i=1 ;", 1), Fail, 0, "seal of instance 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := verify(t, tt.msg, dns).Chain
			if c.Result != tt.want || len(c.Sets) != tt.sets || !strings.Contains(c.Reason, tt.reason) {
				t.Fatalf("got %+v, want %s with %d sets, %q", c, tt.want, tt.sets, tt.reason)
			}
			if tt.sets == 2 && (c.Sets[1].Sealer != "lanjut.test" || !strings.HasPrefix(c.Sets[0].Claims, "mx.senarai.test;")) {
				t.Errorf("sets: %+v", c.Sets)
			}
		})
	}
	delete(dns, list.Name())
	if c := verify(t, second, dns).Chain; c.Result != Fail {
		t.Errorf("key of an older seal gone: %+v", c)
	}
	dns[list.Name()] = "temp"
	if c := verify(t, second, dns).Chain; c.Result != TempError {
		t.Errorf("key of an older seal does not come: %+v", c)
	}
}

// Where no set may be added none is, and a chain that nobody checked is never vouched for.
func TestSealEnds(t *testing.T) {
	k := testKeys()[1]
	broken := sealed(t, strings.Replace(sealed(t, letter, k, None), "jam 9", "jam 8", 1), k, Fail)
	if set, err := Seal(strings.NewReader(broken), SealOptions{Key: k, Now: now, CV: Pass}); set != nil || err != nil {
		t.Errorf("a closed chain was sealed again: %q, %v", set, err)
	}
	if _, err := Seal(strings.NewReader(sealed(t, letter, k, None)), SealOptions{Key: k, Now: now, CV: TempError}); err == nil {
		t.Error("a chain that was not checked was sealed")
	}
	msg := letter
	for i := range MaxSets {
		cv := Pass
		if i == 0 {
			cv = None
		}
		msg = sealed(t, msg, k, cv)
	}
	if c := verify(t, msg, published(t, k)).Chain; c.Result != Pass || len(c.Sets) != MaxSets {
		t.Errorf("%d sets: %s %s", len(c.Sets), c.Result, c.Reason)
	}
	if set, err := Seal(strings.NewReader(msg), SealOptions{Key: k, Now: now, CV: Pass}); set != nil || err != nil {
		t.Errorf("a full chain got one more set: %v", err)
	}
}

func FuzzChain(f *testing.F) {
	k := testKeys()[1]
	dns := published(f, k)
	one := sealed(f, letter, k, None)
	f.Add(one)
	f.Add(sealed(f, one, k, Pass))
	f.Add("ARC-Seal: i=1; cv=none\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1\r\n\r\n")
	f.Fuzz(func(t *testing.T, msg string) {
		found := verify(t, msg, dns)
		if found.Chain.Result == Pass && len(found.Chain.Sets) == 0 {
			t.Fatal("passed without a set")
		}
		// Whatever came, our seal of it is well formed: the next one finds what we said.
		cv := found.Chain.Result
		set, err := Seal(strings.NewReader(msg), SealOptions{Key: k, Now: now, CV: cv, Results: "mx.test; none"})
		if err != nil || set == nil {
			return
		}
		again := verify(t, string(set)+msg, dns).Chain
		if (cv == Pass || cv == None) && again.Result != Pass {
			t.Fatalf("sealed as %s, found %+v", cv, again)
		}
		if cv == Fail && again.Result != Fail {
			t.Fatalf("sealed as broken, found %+v", again)
		}
	})
}
