package smtpin

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// slow is what feed should do, an octet at a time and with no regard for speed.
func slow(in string) (out string, rest int, ended, cr, lf bool) {
	var b strings.Builder
	start, loose := true, false
	for i := 0; i < len(in); {
		left := in[i:]
		switch {
		case start && !loose && strings.HasPrefix(left, ".\r\n"):
			return b.String(), i + 3, true, cr, lf
		case start && !loose && left[0] == '.', start && loose && strings.HasPrefix(left, ".."):
			i++
			if start && loose {
				b.WriteByte('.')
				i++
			}
			start, loose = false, false
			continue
		}
		switch {
		case strings.HasPrefix(left, "\r\n"):
			b.WriteString("\r\n")
			i += 2
			start, loose = true, false
			continue
		case left[0] == '\n':
			lf = true
			b.WriteString("\r\n")
			start, loose = true, true
		case left[0] == '\r':
			cr = true
			b.WriteString("\r\n")
			start, loose = false, false
		default:
			b.WriteByte(left[0])
			start, loose = false, false
		}
		i++
	}
	return b.String(), len(in), false, cr, lf
}

func run(in []byte, cut func() int) (out string, used int, b *body) {
	var o bytes.Buffer
	b = newBody(true, func(p []byte) { o.Write(p) })
	for used < len(in) && !b.ended {
		n := min(len(in)-used, cut())
		used += b.feed(in[used : used+n])
	}
	return o.String(), used, b
}

func TestBody(t *testing.T) {
	for _, tt := range []struct{ name, in, out string }{
		{"plain", "a\r\nb\r\n.\r\n", "a\r\nb\r\n"},
		{"empty", ".\r\n", ""},
		{"stuffed", "..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n"},
		{"dot CR x keeps its CR as a line end", "a\r\n.\rY\r\n.\r\n", "a\r\n\r\nY\r\n"},
		{"CR CR LF dot", "a\r\r\n.\r\n", "a\r\n\r\n"},
		{"LF dot LF", "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
		{"LF dot dot", "a\n..b\r\n.\r\n", "a\r\n.b\r\n"},
		{"CR dot CR", "a\r.\rb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
	} {
		for _, piece := range []int{1, 2, 3, 1000} {
			out, used, b := run([]byte(tt.in), func() int { return piece })
			if out != tt.out || used != len(tt.in) || !b.ended {
				t.Errorf("%s in pieces of %d: %q, used %d, ended %v; want %q", tt.name, piece, out, used, b.ended, tt.out)
			}
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{"a\r\nb\r\n.\r\nNOOP", "a\r\r\n.\r\n", "\n.\n.\r\r\n..\r\n", "x\r\n.\rY\r\n.\r\n"} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		out, used, b := run(in, func() int { return 1 + rnd.IntN(5) })
		whole, usedWhole, bw := run(in, func() int { return len(in) })
		if out != whole || used != usedWhole || b.ended != bw.ended || b.bareCR != bw.bareCR || b.bareLF != bw.bareLF {
			t.Fatalf("cut: %q %d %v; whole: %q %d %v", out, used, b.ended, whole, usedWhole, bw.ended)
		}
		if strings.Count(out, "\r") != strings.Count(out, "\r\n") || strings.Count(out, "\n") != strings.Count(out, "\r\n") {
			t.Fatalf("bare CR or LF in %q", out)
		}
		if !b.ended {
			return // what waits for more octets is not compared
		}
		want, rest, _, cr, lf := slow(string(in))
		if out != want || used != rest || b.bareCR != cr || b.bareLF != lf {
			t.Fatalf("%q: got %q, used %d, CR %v LF %v; the slow way gives %q, %d, %v %v", in, out, used, b.bareCR, b.bareLF, want, rest, cr, lf)
		}
	})
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		name, arg, path string
		refusal         *Reply
	}{
		{"null reverse-path", "FROM:<>", "", nil}, // RFC 5321 section 4.5.5
		{"plain", "FROM:<a@b.test>", "a@b.test", nil},
		{"blank before the path", "from: <a@b.test>", "a@b.test", nil},
		{"size", "FROM:<a@b.test> SIZE=1", "a@b.test", nil},
		{"size is no number", "FROM:<a@b.test> SIZE=x", "", errSyntax},
		{"size past 64 bits", "FROM:<a@b.test> SIZE=99999999999999999999", "", errSyntax},
		{"parameter twice", "FROM:<a@b.test> SIZE=1 SIZE=2", "", errSyntax},
		{"no brackets", "FROM:a@b.test", "", errBadSender},
		{"quoted", `FROM:<"a b"@c.test>`, `"a b"@c.test`, nil},
		{"quotes not needed", `FROM:<"ab"@c.test>`, "ab@c.test", nil},
		{"bracket in quotes", `FROM:<"a>b"@c.test>`, `"a>b"@c.test`, nil},
		{"two dots", "FROM:<a..b@c.test>", "", errBadSender},
		{"dot last", "FROM:<a.@c.test>", "", errBadSender},
		{"address literal", "FROM:<a@[127.0.0.1]>", "a@[127.0.0.1]", nil},
		{"IPv6 literal", "FROM:<a@[IPv6:::1]>", "a@[IPv6:::1]", nil},
		{"bad literal", "FROM:<a@[127.0.0]>", "", errBadSender},
		{"control character", "FROM:<a\x01@b.test>", "", errBadSender},
		{"8-bit without SMTPUTF8", "FROM:<\u00e9@b.test>", "", errUTF8},
		{"8-bit with SMTPUTF8", "FROM:<\u00e9@b.test> SMTPUTF8", "\u00e9@b.test", nil},
		{"no UTF-8", "FROM:<\xe9@b.test> SMTPUTF8", "", errBadSender},
		{"local part of 65", "FROM:<" + strings.Repeat("a", 65) + "@b.test>", "", errBadSender},
		{"local part of 64", "FROM:<" + strings.Repeat("a", 64) + "@b.test>", strings.Repeat("a", 64) + "@b.test", nil},
	} {
		got, err := parseMail(tt.arg, false)
		if tt.refusal == nil && (err != nil || got.from != tt.path) || tt.refusal != nil && err != error(tt.refusal) {
			t.Errorf("%s: MAIL %s: got %q, %v; want %q, %v", tt.name, tt.arg, got.from, err, tt.path, tt.refusal)
		}
	}
}

// What is taken for an address can be written back, and read again as the same.
func FuzzPath(f *testing.F) {
	f.Add("FROM:<a@b.test> SIZE=1")
	f.Add(`FROM:<"a\"b"@[IPv6:::1]>`)
	f.Fuzz(func(t *testing.T, arg string) {
		a, err := parseMail(arg, true)
		if err != nil || a.from == "" {
			return
		}
		if strings.ContainsAny(a.from, "\r\n\x00") {
			t.Fatalf("%q gave %q", arg, a.from)
		}
		again, err := parseMail("FROM:<"+a.from+"> SMTPUTF8", true)
		if err != nil || again.from != a.from {
			t.Fatalf("%q gave %q, which gives %q, %v", arg, a.from, again.from, err)
		}
	})
}
