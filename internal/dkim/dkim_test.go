package dkim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/dns"
	"sampul/internal/message"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// records is a resolver that knows some names; "temp" as a text is no answer at all.
type records map[string]string

func (r records) TXT(_ context.Context, name string) ([]string, dns.Info, error) {
	switch txt, ok := r[name]; {
	case !ok:
		return nil, dns.Info{}, dns.ErrNone
	case txt == "temp":
		return nil, dns.Info{}, dns.ErrTemp
	case txt == "bogus":
		return nil, dns.Info{}, dns.ErrBogus
	default:
		return []string{txt}, dns.Info{}, nil
	}
}

// testKeys are one key of each kind for luar.test, made once.
var testKeys = sync.OnceValue(func() []Key {
	var out []Key
	for selector, algorithm := range map[string]string{"r": RSA, "e": Ed25519} {
		der, err := Generate(algorithm)
		if err != nil {
			panic(err)
		}
		k, err := NewKey("luar.test", selector, der)
		if err != nil {
			panic(err)
		}
		out = append(out, k)
	}
	if out[0].Algorithm() != RSA {
		out[0], out[1] = out[1], out[0]
	}
	return out
})

func published(t testing.TB, keys ...Key) records {
	t.Helper()
	r := records{}
	for _, k := range keys {
		txt, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		r[k.Name()] = txt
	}
	return r
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

var letter = crlf(`Received: from a by b; Tue, 24 Nov 2026 08:00:00 +0000
From: Orang Luar <orang@luar.test>
To: pegawai1@agensi-a.test
Subject: Mesyuarat   esok
 pagi
Date: Tue, 24 Nov 2026 08:00:00 +0000
Message-ID: <a1@luar.test>

Tuan,

Mesyuarat  bermula   jam 9. ` + `
	Sila hadir.


`)

func source(msg string) Source {
	x := message.Parse([]byte(msg))
	return Source{strings.NewReader(msg), x.Parts[0].BodyStart, x.Size}
}

func verify(t testing.TB, msg string, r Resolver) *Findings {
	t.Helper()
	f, err := Verify(context.Background(), source(msg), Options{r, now})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sign(t testing.TB, msg string, keys ...Key) string {
	t.Helper()
	fields, err := Sign(strings.NewReader(msg), keys, SignOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + msg
}

// What is signed is found good by the other half, and no longer once it is changed.
func TestSignThenVerify(t *testing.T) {
	keys := testKeys()
	dns := published(t, keys...)
	signed := sign(t, letter, keys...)
	for line := range strings.SplitSeq(signed[:len(signed)-len(letter)], "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	for _, tt := range []struct {
		name, from, to string
		want           Result
		reason         string
	}{
		{"as it is", "", "", Pass, ""},
		{"header folded otherwise", "Mesyuarat   esok\r\n pagi", "Mesyuarat esok pagi", Pass, ""},
		{"trace added", "Received: from a", "Received: from x by y; z\r\nReceived: from a", Pass, ""},
		{"blank lines at the end", "hadir.\r\n\r\n\r\n", "hadir.\r\n", Pass, ""},
		{"no line end", "hadir.\r\n\r\n\r\n", "hadir.", Pass, ""},
		{"blanks in the body", "Mesyuarat  bermula", "Mesyuarat 	 bermula", Pass, ""},
		{"a blank where none was", "jam 9", "j am 9", Fail, "body"},
		{"word in the body", "jam 9", "jam 8", Fail, "body"},
		{"subject", "esok", "lusa", Fail, "header"},
		{"second From on top", "From:", "From: lain@lain.test\r\nFrom:", Fail, "header"},
		{"second Subject below", "Date:", "Subject: lain\r\nDate:", Fail, "header"},
		{"Reply-To added", "Date:", "Reply-To: lain@lain.test\r\nDate:", Fail, "header"},
		{"Content-Type added", "Date:", "Content-Type: text/html\r\nDate:", Fail, "header"},
		{"List-Id added", "Date:", "List-Id: <senarai>\r\nDate:", Pass, ""}, // a field that was not there
	} {
		t.Run(tt.name, func(t *testing.T) {
			msg := strings.Replace(signed, tt.from, tt.to, 1)
			if tt.from != "" {
				at := len(signed) - len(letter)
				msg = signed[:at] + strings.Replace(letter, tt.from, tt.to, 1)
				if msg == signed {
					t.Fatal("nothing was changed")
				}
			}
			f := verify(t, msg, dns)
			if len(f.Signatures) != 2 {
				t.Fatalf("%d signatures", len(f.Signatures))
			}
			for _, v := range f.Signatures {
				if v.Result != tt.want || !strings.Contains(v.Reason, tt.reason) || v.Domain != "luar.test" || v.Identity != "@luar.test" || len(v.Prefix) != 8 {
					t.Errorf("got %+v, want %s %q", v, tt.want, tt.reason)
				}
			}
		})
	}
}

// RFC 8058 section 3.1: the signature covers both fields of one-click unsubscription.
func TestSignsOneClick(t *testing.T) {
	keys := testKeys()
	dns := published(t, keys...)
	bulk := "List-Unsubscribe: <https://luar.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" + letter
	signed := sign(t, bulk, keys...)
	for _, tt := range []struct {
		from, to string
		want     Result
	}{{"", "", Pass}, {"<https://luar.test/u>", "<https://lain.test/u>", Fail}, {"=One-Click\r\n", "=Two-Click\r\n", Fail}} {
		head := signed[:len(signed)-len(bulk)]
		for _, v := range verify(t, head+strings.Replace(bulk, tt.from, tt.to, 1), dns).Signatures {
			if v.Result != tt.want {
				t.Errorf("%q made %q: %+v", tt.from, tt.to, v)
			}
		}
	}
}

// naive is the canonical body as RFC 6376 section 3.4 says it, in no hurry.
func naive(form canon, body string) string {
	lines := strings.SplitAfter(body, "\r\n")
	if form == relaxed {
		for i, l := range lines {
			l, end := strings.CutSuffix(l, "\r\n")
			var b strings.Builder
			blank := false
			for _, c := range []byte(l) {
				if c == ' ' || c == '\t' {
					blank = true
					continue
				}
				if blank {
					b.WriteByte(' ')
				}
				blank = false
				b.WriteByte(c)
			}
			lines[i] = b.String()
			if end {
				lines[i] += "\r\n"
			}
		}
	}
	s := strings.Join(lines, "")
	for strings.HasSuffix(s, "\r\n") {
		s = s[:len(s)-2]
	}
	if s == "" && form == relaxed {
		return ""
	}
	return s + "\r\n"
}

func canonical(form canon, body string, piece int) string {
	var out []byte
	c := &bodyCanon{form: form, sink: func(p []byte) { out = append(out, p...) }}
	for len(body) > 0 {
		n := min(piece, len(body))
		c.Write([]byte(body[:n]))
		body = body[n:]
	}
	c.Close()
	return string(out)
}

func TestBodyCanon(t *testing.T) {
	bodies := []string{
		"", "\r\n", "\r\n\r\n", "a", "a\r\n", "a\r\n\r\n", " \r\n", " \t\r\n \r\n", "a \t b \r\n c\r\n\r\n\r\nd\r\n \r\n",
		"\r\n\r\na", "\r", "a\r", "\n", "a\rb\r\r\n\r\n\r", " a", "a ", "a  \r\n\r\n  \r\n b", "\r\n \r\n\r\n\tx\r\r\n",
		strings.Repeat("\r\n", 3000) + "x" + strings.Repeat("\r\n", 3000), strings.Repeat("ab  c\r\n", 900) + strings.Repeat("\r\n", 9) + "z",
		strings.Repeat("satu dua ", 1000) + " \r\n" + strings.Repeat("x", 2047) + " y\r\n",
	}
	for _, form := range []canon{simple, relaxed} {
		for _, body := range bodies {
			for _, piece := range []int{1, 2, 3, 1000, 1 << 20} {
				if got, want := canonical(form, body, piece), naive(form, body); got != want {
					t.Errorf("%v, pieces of %d, %.40q: got %.60q, want %.60q", form, piece, body, got, want)
				}
			}
		}
	}
}

func FuzzBodyCanon(f *testing.F) {
	f.Add("a \r\n\r\nb\r\n", 1)
	f.Add(" \r\n\t\r\n", 3)
	f.Fuzz(func(t *testing.T, body string, piece int) {
		piece = max(piece&0xffff, 1)
		for _, form := range []canon{simple, relaxed} {
			if got, want := canonical(form, body, piece), naive(form, body); got != want {
				t.Fatalf("%v: got %q, want %q", form, got, want)
			}
		}
	})
}

// The usual library took 24 s for this body, since it looked at the same line ends again
// with each piece. Here each octet is passed on at most once, in pieces that are no
// smaller than those that came, and nothing is stored, so that nothing can be looked at again.
func TestBlankLinesAreLinear(t *testing.T) {
	const size, piece = 8 << 20, 32 << 10
	blank := bytes.Repeat([]byte("\r\n"), piece/2)
	for _, form := range []canon{simple, relaxed} {
		for _, end := range []string{"", "x"} {
			var octets, calls int
			last := []byte(end)
			c := &bodyCanon{form: form, sink: func(p []byte) { octets += len(p); calls++ }}
			allocs := testing.AllocsPerRun(1, func() {
				octets, calls = 0, 0
				*c = bodyCanon{form: form, sink: c.sink}
				for range size / piece {
					c.Write(blank)
				}
				c.Write(last)
				c.Close()
			})
			want := len(naive(form, strings.Repeat("\r\n", size/2)+end))
			if octets != want || calls > size/len(lineEnds)+4 || allocs > 8 { // the runtime may allocate beside us; a piece each would be 256
				t.Errorf("%v, %q: %d octets passed on (want %d) in %d calls with %v allocations", form, end, octets, want, calls, allocs)
			}
		}
	}
}

// All signatures of a message share one pass.
func TestOnePass(t *testing.T) {
	keys := testKeys()
	signed := sign(t, letter, keys[0], keys[1], keys[0], keys[1])
	r := &countingReader{ReaderAt: strings.NewReader(signed)}
	m := source(signed)
	m.ReaderAt = r
	f, err := Verify(context.Background(), m, Options{published(t, keys...), now})
	if err != nil || len(f.Signatures) != 4 || f.Signatures[3].Result != Pass {
		t.Fatalf("%+v, %v", f, err)
	}
	if r.octets != int64(len(signed)) {
		t.Errorf("%d octets read of a message of %d", r.octets, len(signed))
	}
}

type countingReader struct {
	*strings.Reader
	ReaderAt *strings.Reader
	octets   int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.octets += int64(n)
	return n, err
}

func TestAtMostEightSignatures(t *testing.T) {
	keys := testKeys()
	many := make([]Key, 11)
	for i := range many {
		many[i] = keys[1]
	}
	f := verify(t, sign(t, letter, many...), published(t, keys...))
	if len(f.Signatures) != MaxSignatures || f.More != 3 {
		t.Errorf("%d signatures checked, %d not", len(f.Signatures), f.More)
	}
}

// made is a message signed as the test says: tags replace those of a good signature.
func made(t testing.TB, k Key, change map[string]string, msg string) string {
	t.Helper()
	head, body, _ := strings.Cut(msg, "\r\n\r\n")
	t_ := map[string]string{"v": "1", "a": k.Algorithm(), "c": "simple/simple", "d": k.Domain, "s": k.Selector, "h": "from:subject"}
	for tag, v := range change {
		t_[tag] = v
	}
	hform, bform, _ := strings.Cut(t_["c"], "/")
	canonicalBody := naive(canon(bform == "relaxed"), body)
	if l := number(t_["l"]); l >= 0 {
		canonicalBody = canonicalBody[:min(int(l), len(canonicalBody))]
	}
	sum := sha256.Sum256([]byte(canonicalBody))
	if _, ok := t_["bh"]; !ok {
		t_["bh"] = base64.StdEncoding.EncodeToString(sum[:])
	}
	var field strings.Builder
	field.WriteString("DKIM-Signature: ")
	for _, tag := range []string{"v", "a", "c", "q", "d", "s", "i", "l", "t", "x", "h", "bh"} {
		if v, ok := t_[tag]; ok && v != "-" {
			fmt.Fprintf(&field, "%s=%s; ", tag, v)
		}
	}
	field.WriteString("b=")
	h := parseHeader([]byte(head + "\r\n"))
	form := canon(hform == "relaxed")
	var signed []byte
	h.pick(list(strings.ToLower(t_["h"])), func(raw []byte) { signed = form.appendField(signed, raw) })
	hash := sha256.Sum256(form.appendLast(signed, []byte(field.String())))
	b, err := k.sign(hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return field.String() + base64.StdEncoding.EncodeToString(b) + "\r\n" + msg
}

func TestSignatureTags(t *testing.T) {
	k := testKeys()[0]
	body := letter[strings.Index(letter, "\r\n\r\n")+4:]
	whole := fmt.Sprint(len(naive(simple, body)))
	for _, tt := range []struct {
		name   string
		change map[string]string
		want   Result
		reason string
	}{
		{"good", nil, Pass, ""},
		{"relaxed header only", map[string]string{"c": "relaxed"}, Pass, ""},
		{"simple body", map[string]string{"c": "relaxed/simple"}, Pass, ""},
		{"relaxed body", map[string]string{"c": "simple/relaxed"}, Pass, ""},
		{"unknown form", map[string]string{"c": "nowsp"}, PermError, "canonical"},
		{"expired", map[string]string{"t": "1000", "x": "2000"}, Fail, "expired"},
		{"expires this second", map[string]string{"x": fmt.Sprint(now.Unix())}, Pass, ""},
		{"expired a second ago", map[string]string{"x": fmt.Sprint(now.Unix() - 1)}, Fail, "expired"},
		{"expires before it was made", map[string]string{"t": "9", "x": "8"}, Fail, "expired"},
		{"time is no number", map[string]string{"t": "esok"}, PermError, "t="},
		{"time of many digits", map[string]string{"x": strings.Repeat("9", 70)}, Pass, ""},
		{"l= of the whole body", map[string]string{"l": whole}, Pass, ""},
		{"l= one less", map[string]string{"l": fmt.Sprint(len(naive(simple, body)) - 1)}, Policy, "l="},
		{"l=0", map[string]string{"l": "0"}, Policy, "l="},
		{"l= beyond the body", map[string]string{"l": "99999"}, Pass, ""},
		{"l= negative", map[string]string{"l": "-1"}, PermError, "l="},
		{"identity below", map[string]string{"i": "a@b.luar.test"}, Pass, ""},
		{"identity elsewhere", map[string]string{"i": "a@luar.test.lain.test"}, PermError, "i="},
		{"identity like it", map[string]string{"i": "a@xluar.test"}, PermError, "i="},
		{"identity without @", map[string]string{"i": "luar.test"}, PermError, "i="},
		{"From not covered", map[string]string{"h": "subject:to"}, PermError, "From"},
		{"version 2", map[string]string{"v": "2"}, PermError, "v="},
		{"no version", map[string]string{"v": "-"}, PermError, "v="},
		{"no domain", map[string]string{"d": "-"}, PermError, "d="},
		{"top-level domain", map[string]string{"d": "test"}, PermError, "d="},
		{"junk domain", map[string]string{"d": "luar..test"}, PermError, "d="},
		{"junk selector", map[string]string{"s": "a b/c"}, PermError, "s="},
		{"SHA-1", map[string]string{"a": "rsa-sha1"}, Policy, "sha1"},
		{"unknown algorithm", map[string]string{"a": "dsa-sha256"}, PermError, "a="},
		{"another algorithm than the key", map[string]string{"a": Ed25519}, PermError, "type"},
		{"key elsewhere", map[string]string{"s": "tiada"}, PermError, "no key"},
		{"key does not come", map[string]string{"s": "lewat"}, TempError, "DNS"},
		{"key is bogus", map[string]string{"s": "palsu"}, TempError, "DNS"},
		{"way to the key", map[string]string{"q": "dns/txt"}, Pass, ""},
		{"other way to the key", map[string]string{"q": "http"}, PermError, "q="},
		{"wrong body hash", map[string]string{"bh": "AAAA"}, Fail, "body"},
		{"body hash is junk", map[string]string{"bh": "!!"}, PermError, "bh="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dns := published(t, k)
			dns["lewat._domainkey.luar.test"] = "temp"
			dns["palsu._domainkey.luar.test"] = "bogus"
			f := verify(t, made(t, k, tt.change, letter), dns)
			if len(f.Signatures) != 1 || f.Signatures[0].Result != tt.want || !strings.Contains(f.Signatures[0].Reason, tt.reason) {
				t.Errorf("got %+v, want %s %q", f.Signatures, tt.want, tt.reason)
			}
		})
	}
}

func TestKeyRecords(t *testing.T) {
	k := testKeys()[0]
	good, err := k.Record()
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := strings.Cut(good, "p=")
	weakKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := Key{"luar.test", "r", weakKey}
	weakRecord, _ := weak.Record()
	bare := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(k.signer.Public().(*rsa.PublicKey)))
	for _, tt := range []struct {
		name, record string
		key          Key
		change       map[string]string
		want         Result
		reason       string
	}{
		{"only the key", "p=" + p, k, nil, Pass, ""},
		{"bare RSA key", "p=" + bare, k, nil, Pass, ""},
		{"blanks in the key", "p=" + p[:20] + " \t" + p[20:], k, nil, Pass, ""},
		{"1024 bits", weakRecord, weak, nil, Pass, ""},
		{"unknown tags", "v=DKIM1; n=nota; z=9; p=" + p, k, nil, Pass, ""},
		{"testing", "v=DKIM1; t=y; p=" + p, k, nil, Pass, ""},
		{"no subdomains", "v=DKIM1; t=y:s; p=" + p, k, map[string]string{"i": "@a.luar.test"}, PermError, "subdomains"},
		{"no subdomains, and none", "v=DKIM1; t=s; p=" + p, k, nil, Pass, ""},
		{"for mail", "v=DKIM1; s=tlsrpt:email; p=" + p, k, nil, Pass, ""},
		{"not for mail", "v=DKIM1; s=tlsrpt; p=" + p, k, nil, PermError, "mail"},
		{"SHA-1 only", "v=DKIM1; h=sha1; p=" + p, k, nil, PermError, "sha256"},
		{"revoked", "v=DKIM1; p=", k, nil, PermError, "revoked"},
		{"no key", "v=DKIM1; k=rsa", k, nil, PermError, "no key"},
		{"version in the middle", "k=rsa; v=DKIM1; p=" + p, k, nil, PermError, "version"},
		{"version 2", "v=DKIM2; p=" + p, k, nil, PermError, "version"},
		{"twice p", "v=DKIM1; p=; p=" + p, k, nil, PermError, "twice"},
		{"unknown type", "v=DKIM1; k=dsa; p=" + p, k, nil, PermError, "type"},
		{"RSA called Ed25519", "v=DKIM1; k=ed25519; p=" + p, k, nil, PermError, "Ed25519"},
		{"junk", "p=!!", k, nil, PermError, "base64"},
		{"another key", weakRecord, k, nil, Fail, "key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := verify(t, made(t, tt.key, tt.change, letter), records{"r._domainkey.luar.test": tt.record})
			v := f.Signatures[0]
			if v.Result != tt.want || !strings.Contains(v.Reason, tt.reason) || v.Testing != strings.Contains(tt.record, "t=y") {
				t.Errorf("got %+v, want %s %q", v, tt.want, tt.reason)
			}
		})
	}
}

// A key of 512 or 1023 bits is refused by policy: it is found out from the record, since
// Go does not make such keys.
func TestShortKeyIsNoProof(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString("MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALL0Yrvs9b6XbHqkVV4wDlzAaC2VYpRQSTZwzEGd1pUcOX9ZrjIvVJGYfaE1dZrU0ZB1vWb8iFbOXC0T2S2Q6IECAwEAAQ==")
	if err != nil {
		t.Fatal(err)
	}
	k := testKeys()[0]
	f := verify(t, made(t, k, nil, letter), records{"r._domainkey.luar.test": "p=" + base64.StdEncoding.EncodeToString(der)})
	if v := f.Signatures[0]; v.Result != Policy || v.Bits != 512 {
		t.Errorf("got %+v", v)
	}
}

func TestSignRefuses(t *testing.T) {
	for name, msg := range map[string]string{
		"no From": "To: a@b.test\r\n\r\nx",
		"endless": strings.Repeat("X-A: "+strings.Repeat("x", 70)+"\r\n", 20000) + "From: a@b.test\r\n\r\n",
	} {
		if _, err := Sign(strings.NewReader(msg), testKeys(), SignOptions{Now: now}); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzKeyRecord(f *testing.F) {
	for _, k := range testKeys() {
		r, _ := k.Record()
		f.Add(r)
	}
	f.Add("v=DKIM1; t=y:s; h=sha256; s=email; k=rsa; p=")
	f.Fuzz(func(t *testing.T, txt string) {
		k, err := ParseKeyRecord(txt)
		if err == nil && (k.Public == nil || k.verify(make([]byte, 32), []byte("tanda"))) {
			t.Fatalf("%q: %+v", txt, k)
		}
	})
}

func FuzzSignature(f *testing.F) {
	k := testKeys()[1]
	f.Add(made(f, k, nil, letter))
	f.Add(made(f, k, map[string]string{"l": "3", "x": "9", "i": "@a.luar.test"}, letter))
	dns := published(f, testKeys()...)
	f.Fuzz(func(t *testing.T, msg string) {
		for _, v := range verify(t, msg, dns).Signatures {
			if v.Result == Pass && v.Domain != "luar.test" {
				t.Fatalf("passed: %+v", v)
			}
		}
	})
}

// A key record that was read is remembered, a bad one is not, and there is a bound.
func TestReadKeysAreRemembered(t *testing.T) {
	r := reader{read: map[string]*KeyRecord{}}
	txt, err := testKeys()[0].Record()
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.parse(txt)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.parse(txt); again != first || err != nil {
		t.Errorf("read again: %p, not %p; %v", again, first, err)
	}
	if _, err := r.parse("v=DKIM1; p="); err == nil || len(r.read) != 1 {
		t.Errorf("a revoked key: %v, %d remembered", err, len(r.read))
	}
	for i := range maxRead + 10 {
		if _, err := r.parse(fmt.Sprintf("%s; n=%d", txt, i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.read) != maxRead {
		t.Errorf("%d remembered, not %d", len(r.read), maxRead)
	}
}

func BenchmarkSign4K(b *testing.B) {
	msg := letter + strings.Repeat("satu baris surat yang biasa sahaja panjangnya\r\n", 80)
	for name, keys := range map[string][]Key{"rsa2048": testKeys()[:1], "ed25519": testKeys()[1:2], "both": testKeys()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Sign(strings.NewReader(msg), keys, SignOptions{Now: now})
			}
		})
	}
}

func BenchmarkVerify4K(b *testing.B) {
	for name, keys := range map[string][]Key{"rsa2048": testKeys()[:1], "ed25519": testKeys()[1:2], "both": testKeys()} {
		b.Run(name, func(b *testing.B) {
			benchVerify(b, strings.Repeat("satu baris surat yang biasa sahaja panjangnya\r\n", 80), keys)
		})
	}
}

// Large bodies: octets a second, in both directions.
func BenchmarkSign10M(b *testing.B) {
	msg := letter + strings.Repeat("satu baris surat yang biasa sahaja panjangnya\r\n", 10<<20/47)
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		Sign(strings.NewReader(msg), testKeys(), SignOptions{Now: now})
	}
}

func BenchmarkVerify10M(b *testing.B) {
	for name, line := range map[string]string{
		"text":   "satu baris surat yang biasa sahaja panjangnya\r\n",
		"base64": strings.Repeat("QUJD", 19) + "\r\n",
		"blanks": "a  b\t c \r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) { benchVerify(b, strings.Repeat(line, 10<<20/len(line)), testKeys()) })
	}
}

func benchVerify(b *testing.B, body string, keys []Key) {
	msg := sign(b, letter+body, keys...)
	dns := published(b, keys...)
	m := source(msg)
	if f, err := Verify(context.Background(), m, Options{dns, now}); err != nil || len(f.Signatures) != len(keys) || f.Signatures[0].Result != Pass {
		b.Fatalf("%+v, %v", f, err)
	}
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		Verify(context.Background(), m, Options{dns, now})
	}
}
