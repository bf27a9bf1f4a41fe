package message

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// outline is the tree in a line: types, and what each body holds when it is short.
func outline(x *Index, raw string, i int) string {
	p := &x.Parts[i]
	s := p.Type + "/" + p.Subtype
	if p.Opaque != "" {
		s += "!" + p.Opaque
	}
	if len(p.Children) == 0 {
		return s + fmt.Sprintf("%q:%d", raw[p.BodyStart:p.End], p.Lines)
	}
	s += "("
	for n, c := range p.Children {
		if n > 0 {
			s += " "
		}
		s += outline(x, raw, c)
	}
	return s + ")"
}

func TestTree(t *testing.T) {
	multi := "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", `text/plain"":0`},
		{"header alone", "Subject: a\r\n", `text/plain"":0`},
		{"header without an end", "Subject: a", `text/plain"":0`},
		{"no header", "\r\nhalo\r\n", `text/plain"halo\r\n":1`},
		{"bare LF", "Subject: a\n\nhalo\ndua\n", `text/plain"halo\ndua\n":2`},
		{"mbox line first", "From a@b.test Mon Jan 1\nContent-Type: text/html\n\nx\n", `text/html"x\n":1`},
		{"junk line in the header", "junk here\r\nContent-Type: text/html\r\n\r\nx", `text/html"x":0`},
		{"two parts", multi + "pre\r\n--b\r\n\r\nsatu\r\n--b\r\nContent-Type: text/html\r\n\r\ndua\r\ntiga\r\n--b--\r\npost\r\n",
			`multipart/mixed(text/plain"satu":0 text/html"dua\r\ntiga":1)`},
		{"final boundary missing", multi + "--b\r\n\r\nsatu\r\n", `multipart/mixed(text/plain"satu\r\n":1)`},
		{"boundary without line end", multi + "--b\r\n\r\nsatu\r\n--b--", `multipart/mixed(text/plain"satu":0)`},
		{"blanks after the boundary", multi + "--b  \t\r\n\r\nsatu\r\n--b-- \r\n", `multipart/mixed(text/plain"satu":0)`},
		{"longer line is no boundary", multi + "--b\r\n\r\n--bb\r\n--b--\r\n", `multipart/mixed(text/plain"--bb":0)`},
		{"empty part", multi + "--b\r\n\r\n--b--\r\n", `multipart/mixed(text/plain"":0)`},
		{"part cut in its header", multi + "--b\r\nX: 1\r\n--b--\r\n", `multipart/mixed(text/plain"":0)`},
		{"boundary directly after boundary", multi + "--b\r\n--b\r\n\r\nx\r\n--b--", `multipart/mixed(text/plain"":0 text/plain"x":0)`},
		{"no boundary given", "Content-Type: multipart/mixed\r\n\r\nx\r\n", `multipart/mixed"x\r\n":1`},
		{"parent's boundary ends the child", multi + "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n",
			`multipart/mixed(multipart/alternative(text/plain"x":0) text/plain"y":0)`},
		{"child with the parent's boundary", multi + "--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b--\r\n",
			`multipart/mixed(multipart/alternative(text/plain"x":0))`},
		{"child's boundary begins like the parent's", multi + "--b\r\nContent-Type: multipart/alternative; boundary=bc\r\n\r\n--bc\r\n\r\nx\r\n--bc--\r\n--b--\r\n",
			`multipart/mixed(multipart/alternative(text/plain"x":0))`},
		{"boundary that ends in dashes", "Content-Type: multipart/mixed; boundary=\"b--\"\r\n\r\n--b--\r\n\r\nx\r\n--b----\r\n", `multipart/mixed(text/plain"x":0)`},
		{"message inside", multi + "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: i\r\n\r\nisi\r\n--b--\r\n",
			`multipart/mixed(message/rfc822(text/plain"isi":0))`},
		{"message inside in base64 stays shut", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n", `message/rfc822"AAAA\r\n":1`},
		{"digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: i\r\n\r\nisi\r\n--b--\r\n",
			`multipart/digest(message/rfc822(text/plain"isi":0))`},
		{"message with nothing inside", "Content-Type: message/rfc822\r\n\r\n", `message/rfc822(text/plain"":0)`},
		{"first content-type counts", "Content-Type: text/html\r\nContent-Type: image/png\r\n\r\nx", `text/html"x":0`},
		{"blank before the colon", "Content-Type : text/html\r\n\r\nx", `text/html"x":0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(Parse([]byte(tt.in)), tt.in, 0); got != tt.want {
				t.Fatalf("%q\ngot  %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	l := Limits{Depth: 4, Parts: 6, HeaderBytes: 200, Params: 3}
	nested := ""
	for i := range 10 {
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	many := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 10)
	for _, tt := range []struct {
		name, in, opaque string
		parts            int
	}{
		{"depth", nested, "depth", 4},
		{"parts", many, "parts", 6},
		{"long header", "A: " + strings.Repeat("x", 300) + "\r\n\r\nbody", "header", 1},
		{"unending header line", strings.Repeat("x", 300), "header", 1},
		{"header at the limit", "A: " + strings.Repeat("x", 195) + "\r\n\r\nbody", "", 1},
		{"params", "Content-Type: text/plain; a=1; b=2; c=3; d=4\r\n\r\nx", "params", 1},
		{"params at the limit", "Content-Type: text/plain; a=1; b=2; c=3\r\n\r\nx", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := NewIndexer(l)
			x.Write([]byte(tt.in))
			got := x.Finish()
			if got.Opaque != tt.opaque || len(got.Parts) != tt.parts {
				t.Fatalf("got %q and %d parts, want %q and %d", got.Opaque, len(got.Parts), tt.opaque, tt.parts)
			}
			checkOffsets(t, got)
		})
	}
}

// Inputs that took other parsers minutes: doubling them must not take more than
// about twice the parts and memory, and they must end at all.
func TestHostileInputsEnd(t *testing.T) {
	var nested strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, in := range map[string]string{
		"3,000 nested multiparts":  nested.String(),
		"100,000 parts":            "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100000),
		"200,000 parameters":       "Content-Type: text/plain" + strings.Repeat("; a=b", 200000) + "\r\n\r\nx",
		"200,000 continued pieces": "Content-Type: text/plain" + strings.Repeat("; a*0=b", 200000) + "\r\n\r\nx",
		"unending boundary":        "Content-Type: multipart/mixed; boundary=b\n\n--" + strings.Repeat("b", 5<<20),
		"comments never closed":    "Content-Type: " + strings.Repeat("(", 1<<19) + "\r\n\r\n",
		"brackets never closed":    "To: " + strings.Repeat("<@[", 1<<18) + "\r\n\r\n",
		"words never closed":       "Subject: " + strings.Repeat("=?a?q?", 1<<17) + "\r\n\r\n",
		"a million commas":         "To: " + strings.Repeat(",", 1<<20-100) + "\r\n\r\n",
	} {
		x := Parse([]byte(in))
		checkOffsets(t, x)
		x.Envelope()
		if s := x.AppendStructure(x.AppendEnvelope(nil), 0, true); !balanced(s) {
			t.Errorf("%s: structure is no IMAP syntax", name)
		}
	}
}

func checkOffsets(t testing.TB, x *Index) {
	t.Helper()
	for i, p := range x.Parts {
		if p.Start < 0 || p.BodyStart < p.Start || p.End < p.BodyStart || p.End > x.Size || p.Lines < 0 {
			t.Fatalf("part %d of %d: %d %d %d of %d, %d lines", i, len(x.Parts), p.Start, p.BodyStart, p.End, x.Size, p.Lines)
		}
		if i > 0 {
			up := x.Parts[p.Parent]
			if p.Parent >= i || p.Start < up.BodyStart || p.End > up.End {
				t.Fatalf("part %d lies outside its parent %d: %d-%d in %d-%d", i, p.Parent, p.Start, p.End, up.BodyStart, up.End)
			}
		}
	}
}

// balanced reads IMAP lists, strings and literals to the end.
func balanced(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				} else if b[i] < ' ' || b[i] > 126 {
					return false
				}
			}
		case '{':
			var n int
			if _, err := fmt.Sscanf(string(b[i:min(len(b), i+12)]), "{%d}\r\n", &n); err != nil {
				return false
			}
			i = i + bytes.IndexByte(b[i:], '\n') + n
		case 0, '\r', '\n':
			return false
		}
	}
	return depth == 0
}

func seeds(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.eml")
	if len(names) == 0 {
		f.Fatal("no seeds in testdata")
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint64(1))
	}
}

// However the input is cut, the index is the same, its offsets nest, and what is
// made of it is IMAP syntax.
func FuzzIndex(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		l := Limits{Depth: 8, Parts: 50, HeaderBytes: 2048, Params: 8}
		whole := NewIndexer(l)
		whole.Write(in)
		want := whole.Finish()
		checkOffsets(t, want)
		rnd := rand.New(rand.NewPCG(seed, 1))
		cut := NewIndexer(l)
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(1+rnd.IntN(400)))
			cut.Write(rest[:n])
			rest = rest[n:]
		}
		if got := cut.Finish(); !reflect.DeepEqual(got, want) {
			t.Fatalf("cut into pieces:\n%+v\nwhole:\n%+v", got, want)
		}
		if !balanced(want.AppendEnvelope(nil)) || !balanced(want.AppendStructure(nil, 0, true)) || !balanced(want.AppendStructure(nil, 0, false)) {
			t.Fatalf("no IMAP syntax: %q", want.AppendStructure(want.AppendEnvelope(nil), 0, true))
		}
		layout, err := ParseLayout(want.AppendLayout(nil))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range layout.Parts {
			w := want.Parts[i]
			if p.Start != w.Start || p.BodyStart != w.BodyStart || p.End != w.End || int(p.Parent) != w.Parent || p.Message != w.Message {
				t.Fatalf("part %d: layout has %+v, index %+v", i, p, w)
			}
		}
	})
}

func FuzzLayout(f *testing.F) {
	f.Add(Parse([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--")).AppendLayout(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := ParseLayout(in)
		if err != nil {
			return
		}
		for _, path := range [][]int{nil, {1}, {1, 1}, {2}, {2, 3, 1}} {
			for k := SectionBody; k <= SectionMIME; k++ {
				if a, b, ok := l.Section(path, k); ok && (a < 0 || b < a || b > l.Size) {
					t.Fatalf("section %v %d: %d-%d of %d", path, k, a, b, l.Size)
				}
			}
		}
	})
}

func BenchmarkIndex4KB(b *testing.B) {
	m := []byte("From: Bench <a@luar.test>\r\nTo: b@agensi-a.test\r\nSubject: Minutes of the meeting\r\nDate: Mon, 2 Nov 2026 10:00:00 +0800\r\nMessage-ID: <1@luar.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat(strings.Repeat("perkhidmatan ", 5)+"\r\n", 60))
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(m)
	}
}

func BenchmarkIndex1MBMultipart(b *testing.B) {
	m := []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 13500) + "--b--\r\n")
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		Parse(m)
	}
}

// The line that mbox puts first is no field; a field with a blank before its colon is one.
func TestFromFieldIsNoSeparator(t *testing.T) {
	for first, want := range map[string]string{
		"From : a@b.test":                    "a@b.test",
		"From \t: a@b.test":                  "a@b.test",
		"From a@b.test Mon Jan 1 10:00 2026": "",
	} {
		from := Parse([]byte(first + "\r\nSubject: x\r\n\r\nHalo\r\n")).Parts[0].Addresses("From")
		if want == "" && len(from) != 0 || want != "" && (len(from) != 1 || from[0].Addr() != want) {
			t.Errorf("%q: %v", first, from)
		}
	}
}

// A domain may be in pieces (obs-domain); readers put it together.
func TestDomainInPieces(t *testing.T) {
	for in, want := range map[string]string{
		"a@b.\r\n test":         "b.test",
		"<a@b (x) . (y) test>":  "b.test",
		"a@b. test, c@d":        "b.test d",
		"a@b .test . my, c@d":   "b.test.my d",
		"a@b test":              "b ",
		"a@b.test (.x), c@d ()": "b.test d",
	} {
		var hosts []string
		for _, a := range ParseAddresses([]byte(in)) {
			hosts = append(hosts, a.Host)
		}
		if got := strings.Join(hosts, " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
